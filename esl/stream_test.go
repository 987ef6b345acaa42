package esl_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"strconv"
	"strings"
	"testing"
	"time"

	"livemon/esl"
)

// allTests subscribes to the fake's numbered events.
var allTests = esl.Subscription{Events: []string{"TEST"}, Headers: []string{"N"}}

// open dials a stream to the fake that is closed with the test.
func open(t *testing.T, f *fake, o esl.Options) (*esl.Stream, *line) {
	t.Helper()
	type dialled struct {
		s   *esl.Stream
		err error
	}
	done := make(chan dialled, 1)
	ctx := patient(t)
	go func() {
		s, err := esl.DialStream(ctx, o, allTests)
		done <- dialled{s, err}
	}()
	l := f.subscribed()
	d := await(t, done)
	if d.err != nil {
		t.Fatal(d.err)
	}
	t.Cleanup(func() { _ = d.s.Close() })
	return d.s, l
}

func next(t *testing.T, s *esl.Stream) *esl.Event {
	t.Helper()
	e, err := s.Next(patient(t))
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// wantOver fails the test unless the stream is over with an error of these kinds,
// and stays so.
func wantOver(t *testing.T, s *esl.Stream, kinds ...error) {
	t.Helper()
	for range 2 {
		e, err := s.Next(patient(t))
		if err == nil {
			t.Fatalf("got event %q", e.Get("N"))
		}
		wantErr(t, err, kinds...)
	}
}

func TestStreamSubscribes(t *testing.T) {
	for _, test := range []struct {
		events []string
		want   string
	}{
		{[]string{"ALL"}, "event plain ALL"},
		{[]string{"DTMF", "CUSTOM a::b", "CHANNEL_CREATE", "CUSTOM c::d"}, "event plain DTMF CHANNEL_CREATE CUSTOM a::b c::d"},
		{[]string{"CUSTOM a::b"}, "event plain CUSTOM a::b"},
	} {
		f := newFake(t)
		done := startErr(func() error {
			_, err := esl.DialStream(context.Background(), f.options(), esl.Subscription{Events: test.events})
			return err
		})
		l := f.login()
		l.expect(test.want)
		l.reply("-ERR permission denied")
		wantErr(t, await(t, done).err, esl.ErrReply)
		l.expectEnd()
	}
	for _, events := range [][]string{nil, {""}, {"CUSTOM"}, {"A B"}, {"CUSTOM a b"}} {
		_, err := esl.DialStream(context.Background(), esl.Options{Addr: "127.0.0.1:1"}, esl.Subscription{Events: events})
		wantErr(t, err, esl.ErrArgument)
	}
}

func TestStreamSlowSubscription(t *testing.T) {
	f := newFake(t)
	o := f.options()
	o.DialTimeout = short
	done := startErr(func() error {
		_, err := esl.DialStream(context.Background(), o, allTests)
		return err
	})
	l := f.login()
	l.expect("event plain TEST")
	wantErr(t, await(t, done).err, esl.ErrUnreachable, esl.ErrTimeout, context.DeadlineExceeded)
	l.expectEnd()
}

func TestStreamOrder(t *testing.T) {
	f := newFake(t)
	s, l := open(t, f, f.options())
	const n = 5000
	sent := startErr(func() error {
		var b strings.Builder
		for i := range n {
			text := fmt.Sprintf("Event-Name: TEST\nEvent-Date-Timestamp: %d\nN: %d\n\n", 1_000_000+i, i)
			fmt.Fprintf(&b, "Content-Length: %d\nContent-Type: text/event-plain\n\n%s", len(text), text)
			if i%7 == 0 {
				b.WriteString("Content-Type: command/reply\nReply-Text: +OK\n\n")
			}
		}
		_, err := io.WriteString(l, b.String())
		return err
	})
	for i := range n {
		e := next(t, s)
		if e.Get("N") != strconv.Itoa(i) || e.Name != "TEST" || !e.Time.Equal(time.UnixMicro(int64(1_000_000+i))) {
			t.Fatalf("event %d is %+v, number %q", i, e, e.Get("N"))
		}
	}
	if r := await(t, sent); r.err != nil {
		t.Fatal(r.err)
	}
}

func TestStreamOfARealSwitch(t *testing.T) {
	f := newFake(t)
	s, l := open(t, f, f.options())
	transcript := readFile(t, "events.txt")
	sent := startErr(func() error {
		for portion := range bytes.SplitSeq(transcript, []byte("Sequence")) { // in odd portions
			if _, err := l.Write(portion); err != nil {
				return err
			}
			if _, err := io.WriteString(l, "Sequence"); err != nil {
				return err
			}
		}
		return nil
	})
	for range plainEvents(t) {
		if e := next(t, s); e.Time.Year() != 2026 {
			t.Fatalf("got %+v", e)
		}
	}
	await(t, sent)
}

func TestStreamEndsAfterWhatCameBefore(t *testing.T) {
	for _, test := range []struct {
		name, last string
		hangUp     bool
		want       []error
	}{
		{"hung up", "", true, []error{esl.ErrClosed, io.EOF}},
		{"hung up in mid-header", "Content-Length: 10", true, []error{esl.ErrClosed, io.ErrUnexpectedEOF}},
		{"hung up in mid-body", "Content-Type: text/event-plain\nContent-Length: 10\n\nEv", true, []error{esl.ErrClosed, io.ErrUnexpectedEOF}},
		{"goodbye", "Content-Type: text/disconnect-notice\nContent-Length: 3\n\nbye", false, []error{esl.ErrClosed}},
		{"garbage", "\xff\xfe\n\n", false, []error{esl.ErrProtocol}},
		{"an event without a name", "Content-Type: text/event-plain\nContent-Length: 5\n\nA: b\n", false, []error{esl.ErrProtocol}},
		{"absurd length", "Content-Type: text/event-plain\nContent-Length: 16777217\n\n", false, []error{esl.ErrProtocol}},
	} {
		t.Run(test.name, func(t *testing.T) {
			f := newFake(t)
			s, l := open(t, f, f.options())
			l.numbered(1)
			l.numbered(2)
			l.send(test.last)
			if test.hangUp {
				_ = l.Close()
			} else {
				l.expectEnd()
			}
			for _, want := range []string{"1", "2"} {
				if e := next(t, s); e.Get("N") != want {
					t.Fatalf("got %q, want %q", e.Get("N"), want)
				}
			}
			wantOver(t, s, test.want...)
		})
	}
}

func TestStreamGap(t *testing.T) {
	f := newFake(t)
	o := f.options()
	o.QueueLimit = 10
	s, l := open(t, f, o)
	for i := range 10 {
		l.numbered(i)
	}
	if e := next(t, s); e.Get("N") != "0" { // ten may wait, and they do
		t.Fatalf("got %q", e.Get("N"))
	}
	const another = "Content-Type: text/event-plain\nContent-Length: 18\n\nEvent-Name: TEST\n\n"
	_, _ = io.WriteString(l, strings.Repeat(another, 10)) // it may be hung up on before the end
	l.expectEnd()
	wantOver(t, s, esl.ErrGap)
}

func TestStreamNextContext(t *testing.T) {
	f := newFake(t)
	s, l := open(t, f, f.options())
	ctx, cancel := context.WithCancel(context.Background())
	done := startErr(func() error {
		_, err := s.Next(ctx)
		return err
	})
	cancel()
	wantErr(t, await(t, done).err, context.Canceled)
	l.numbered(1)
	if e := next(t, s); e.Get("N") != "1" {
		t.Fatal("the stream did not go on")
	}
}

func TestStreamClose(t *testing.T) {
	f := newFake(t)
	s, l := open(t, f, f.options())
	ctx := patient(t)
	done := startErr(func() error {
		_, err := s.Next(ctx)
		return err
	})
	await(t, startErr(s.Close))
	wantErr(t, await(t, done).err, esl.ErrClosed)
	l.expectEnd()
	await(t, startErr(s.Close))
	wantOver(t, s, esl.ErrClosed)
}

func TestStreamSilentPeer(t *testing.T) {
	for name, last := range map[string]string{
		"between messages": "",
		"in mid-header":    "Content-Length: 10\nConte",
		"in mid-body":      "Content-Length: 10\nContent-Type: text/event-plain\n\nEvent",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFake(t)
			o := f.options()
			o.Heartbeat, o.CommandTimeout = 20*time.Millisecond, short
			s, l := open(t, f, o)
			for range 3 {
				l.expect("nolinger")
				l.reply("-ERR not controlling a session")
			}
			l.numbered(1)
			l.send(last)
			l.expectEnd()
			if e := next(t, s); e.Get("N") != "1" {
				t.Fatalf("got %q", e.Get("N"))
			}
			wantOver(t, s, esl.ErrTimeout)
		})
	}
}

func TestStreamHasten(t *testing.T) {
	f := newFake(t)
	o := f.options()
	o.Heartbeat = 20 * time.Millisecond
	s, l := open(t, f, o)
	s.Hasten(true)
	for n := 0; n < 5; {
		switch c, err := l.r.ReadByte(); {
		case err != nil:
			t.Fatal(err)
		case c == '\n':
			n++
		case c == 'n': // the heartbeat is not interrupted
			if rest, err := l.r.ReadString('\n'); err != nil || rest != "olinger\r\n" {
				t.Fatalf("got n%q, %v", rest, err)
			}
			if rest, err := l.r.ReadString('\n'); err != nil || rest != "\r\n" {
				t.Fatalf("got %q, %v", rest, err)
			}
			l.reply("-ERR not controlling a session")
		default:
			t.Fatalf("got %q", c)
		}
	}
	s.Hasten(false)
	// With line feeds every 2 ms, two heartbeats 20 ms apart never follow directly.
	for direct := 0; direct < 2; {
		s, err := l.r.ReadString('\n')
		switch {
		case err != nil:
			t.Fatal(err)
		case s == "\n":
			direct = 0
		case s == "nolinger\r\n":
			direct++
			if _, err := l.r.ReadString('\n'); err != nil {
				t.Fatal(err)
			}
			l.reply("-ERR not controlling a session")
		default:
			t.Fatalf("got %q", s)
		}
	}
}
