package esl

import (
	"bytes"
	"errors"
	"io"
	"os"
	"testing"
	"testing/iotest"
)

// cutUp is what frames a byte stream holds, and how it ends.
func cutUp(r io.Reader) (frames []frame, err error) {
	for in := newFrameReader(r); ; {
		f, err := in.next()
		if err != nil {
			return frames, err
		}
		f.body = bytes.Clone(f.body)
		frames = append(frames, f)
	}
}

// FuzzFrames: whatever comes, and in whatever portions, it is cut up in the same
// way, and ends.
func FuzzFrames(f *testing.F) {
	for _, name := range []string{"events.txt", "auth-rejected.txt", "outbound-connect.txt"} {
		b, err := os.ReadFile("testdata/" + name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b[:min(len(b), 8<<10)])
	}
	f.Add([]byte("\n\n\r\nContent-Type: command/reply\r\nReply-Text: +OK\r\n\r\n"))
	f.Add([]byte("Content-Type: api/response\nContent-Length: -1\n\n"))
	f.Add([]byte("Content-Type: text/disconnect-notice\nContent-Disposition: linger\nContent-Length: 0\n\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		whole, err := cutUp(bytes.NewReader(b))
		single, err2 := cutUp(iotest.OneByteReader(bytes.NewReader(b)))
		if err.Error() != err2.Error() || len(whole) != len(single) {
			t.Fatalf("%d frames and %v in one piece, %d and %v byte by byte", len(whole), err, len(single), err2)
		}
		total := 0
		for i, f := range whole {
			g := single[i]
			if f.kind != g.kind || f.reply != g.reply || f.lingering != g.lingering || !bytes.Equal(f.body, g.body) {
				t.Fatalf("frame %d is %+v in one piece, %+v byte by byte", i, f, g)
			}
			total += len(f.body) + len(f.reply)
		}
		if total > len(b) {
			t.Fatal("more came out than went in")
		}
		if !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, ErrProtocol) {
			t.Fatal(err)
		}
	})
}

// A body longer than the read buffer, whole and cut off, and a short one after
// it: buffers are reused.
func TestFrameLongBodies(t *testing.T) {
	long := bytes.Repeat([]byte("long"), 500_000)
	stream := []byte("Content-Type: api/response\nContent-Length: 2000000\n\n")
	stream = append(append(stream, long...), "Content-Type: api/response\nContent-Length: 5\n\nshort"...)
	frames, err := cutUp(iotest.HalfReader(bytes.NewReader(stream)))
	if !errors.Is(err, io.EOF) || len(frames) != 2 || !bytes.Equal(frames[0].body, long) || string(frames[1].body) != "short" {
		t.Fatalf("%d frames, %v", len(frames), err)
	}
	if _, err := cutUp(bytes.NewReader(stream[:1_000_000])); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Fatal(err)
	}
}

// The parser's three allocations, and one for the message around it at most.
func TestEventAllocations(t *testing.T) {
	b, err := os.ReadFile("testdata/events.txt")
	if err != nil {
		t.Fatal(err)
	}
	frames, _ := cutUp(bytes.NewReader(b))
	p := newParser([]string{"Unique-ID", "Action", "Member-ID", "Conference-Name"})
	i := 0
	n := testing.AllocsPerRun(1000, func() {
		if _, err := p.parse(frames[i%len(frames)].body); err != nil {
			t.Fatal(err)
		}
		i++
	})
	if n > 3 {
		t.Fatalf("%v allocations an event", n)
	}
}
