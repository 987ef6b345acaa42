package esl_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/percipia/eslgo"
	"github.com/percipia/eslgo/command"

	"livemon/esl"
	"livemon/internal/fsapi"
)

// wanted are the headers that a controller of live monitoring reads of an event.
var wanted = []string{
	"Event-Sequence", "Unique-ID", "Other-Leg-Unique-ID", "Channel-Call-State", "Answer-State",
	"Caller-Caller-ID-Number", "Caller-Destination-Number", "Call-Direction", "Channel-Presence-ID",
	"Hangup-Cause", "variable_cc_agent", "variable_cc_side", "Action", "Conference-Name", "Member-ID",
	"DTMF-Key", "DTMF-Digit", "Data", "CC-Action", "CC-Agent",
}

// tape is an endless byte stream of a real switch's events, numbered in their
// Event-Sequence header.
type tape struct {
	events  [][]byte
	numbers []int // where in each event its number stands
}

const digits = 12

func newTape(b *testing.B) *tape {
	b.Helper()
	const header = "Event-Sequence: "
	tp := new(tape)
	for _, plain := range plainEvents(b) {
		before, after, _ := bytes.Cut(plain, []byte(header))
		_, after, _ = bytes.Cut(after, []byte("\n"))
		body := fmt.Sprintf("%s%s%0*d\n%s", before, header, digits, 0, after)
		head := fmt.Sprintf("Content-Length: %d\nContent-Type: text/event-plain\n\n", len(body))
		tp.events = append(tp.events, []byte(head+body))
		tp.numbers = append(tp.numbers, len(head)+len(before)+len(header))
	}
	return tp
}

// play writes n events, from number 0, in the portions that a busy switch has
// ready.
func (tp *tape) play(w io.Writer, n int) error {
	const portion = 64 << 10
	buf := make([]byte, 0, 2*portion)
	for i := range n {
		at, event := tp.numbers[i%len(tp.events)], tp.events[i%len(tp.events)]
		for d, rest := digits-1, i; d >= 0; d, rest = d-1, rest/10 {
			event[at+d] = byte('0' + rest%10)
		}
		if buf = append(buf, event...); len(buf) >= portion || i == n-1 {
			if _, err := w.Write(buf); err != nil {
				return err
			}
			buf = buf[:0]
		}
	}
	return nil
}

// station is a server that lets anybody in and, when it is told a number, plays
// so many events to whoever subscribed last.
type station struct {
	addr  string
	start chan int
	ended chan error
}

func newStation(b *testing.B, tp *tape) *station {
	b.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	s := &station{addr: ln.Addr().String(), start: make(chan int), ended: make(chan error, 1)}
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		conn, err := ln.Accept()
		if err != nil {
			return
		}
		// Whatever is asked, the answer is yes.
		if _, err := io.WriteString(conn, "Content-Type: auth/request\n\n"); err != nil {
			return
		}
		answered := make(chan struct{})
		go func() {
			defer close(answered)
			buf, asked := make([]byte, 4096), 0
			for asked < 2 { // auth and event
				n, err := conn.Read(buf)
				if err != nil {
					return
				}
				for range bytes.Count(buf[:n], []byte(eslgo.EndOfMessage)) {
					asked++
					_, _ = io.WriteString(conn, "Content-Type: command/reply\nReply-Text: +OK\n\n")
				}
			}
		}()
		<-answered
		for n := range s.start {
			s.ended <- tp.play(conn, n)
		}
		_ = conn.Close()
	}()
	b.Cleanup(func() {
		close(s.start)
		_ = ln.Close()
		<-stopped
	})
	return s
}

// receiver is a client under measurement: it calls got with each event's number.
type receiver func(b *testing.B, addr string, n int, got func(number string)) (run func())

func viaLivemon(b *testing.B, addr string, n int, got func(string)) func() {
	o := esl.Options{Addr: addr, Password: password, Logger: slog.New(slog.DiscardHandler), QueueLimit: n + 1}
	s, err := esl.DialStream(context.Background(), o, esl.Subscription{Events: []string{"ALL"}, Headers: wanted})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = s.Close() })
	return func() {
		for range n {
			e, err := s.Next(context.Background())
			if err != nil {
				b.Fatal(err)
			}
			got(e.Get("Event-Sequence"))
		}
	}
}

func viaEslgo(b *testing.B, addr string, n int, got func(string)) func() {
	o := eslgo.DefaultInboundOptions
	o.Password, o.Logger = password, eslgo.NilLogger{}
	c, err := o.Dial(addr)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(c.Close)
	var left atomic.Int64
	left.Store(int64(n))
	all := make(chan struct{})
	c.RegisterEventListener(eslgo.EventListenAll, func(e *eslgo.Event) {
		got(e.GetHeader("Event-Sequence"))
		if left.Add(-1) == 0 {
			close(all)
		}
	})
	if _, err := c.SendCommand(context.Background(), command.Event{Format: "plain", Listen: []string{"all"}}); err != nil {
		b.Fatal(err)
	}
	return func() { <-all }
}

// receive lets a client receive n events, calls begin when all is set up, and
// returns how long it took from there and how many came after a later one.
func receive(b *testing.B, via receiver, n int, begin func()) (time.Duration, int64) {
	b.Helper()
	station := newStation(b, newTape(b))
	var latest, late atomic.Int64
	latest.Store(-1)
	run := via(b, station.addr, n, func(number string) {
		i, err := strconv.ParseInt(number, 10, 64)
		if err != nil {
			b.Errorf("number %q", number)
		}
		for {
			l := latest.Load()
			if i < l {
				late.Add(1)
				return
			}
			if latest.CompareAndSwap(l, i) {
				return
			}
		}
	})
	begin()
	begun := time.Now()
	station.start <- n
	run()
	took := time.Since(begun)
	if err := <-station.ended; err != nil {
		b.Fatal(err)
	}
	return took, late.Load()
}

// BenchmarkEvents receives the same byte stream over a local socket with this
// package's reader, and with eslgo's.
func BenchmarkEvents(b *testing.B) {
	for _, client := range []struct {
		name string
		via  receiver
	}{{"livemon", viaLivemon}, {"eslgo", viaEslgo}} {
		b.Run(client.name, func(b *testing.B) {
			b.ReportAllocs()
			took, late := receive(b, client.via, b.N, b.ResetTimer)
			b.ReportMetric(float64(b.N)/took.Seconds(), "events/s")
			b.ReportMetric(float64(late), "late")
		})
	}
}

// BenchmarkEventsRatio receives 100,000 events with each, in turns of 10,000, so
// that whatever else the machine does disturbs both, and prints how they compare.
func BenchmarkEventsRatio(b *testing.B) {
	const turns, each = 10, 10_000
	for range b.N {
		var ours, theirs time.Duration
		var oursLate, theirsLate int64
		for range turns {
			took, late := receive(b, viaLivemon, each, func() {})
			ours, oursLate = ours+took, oursLate+late
			took, late = receive(b, viaEslgo, each, func() {})
			theirs, theirsLate = theirs+took, theirsLate+late
		}
		ratio, n := theirs.Seconds()/ours.Seconds(), float64(turns*each)
		b.ReportMetric(ratio, "times-eslgo")
		b.ReportMetric(float64(oursLate), "late")
		b.ReportMetric(float64(theirsLate), "eslgo-late")
		b.Logf("%.0f events: livemon %.0f/s, %d out of order; eslgo %.0f/s, %d out of order; ratio %.1f",
			n, n/ours.Seconds(), oursLate, n/theirs.Seconds(), theirsLate, ratio)
	}
	b.ReportMetric(0, "ns/op")
}

// BenchmarkRoundTrip is one api command over a local socket through Client, and
// through nothing but a socket.
func BenchmarkRoundTrip(b *testing.B) {
	addr := echoServer(b)
	b.Run("client", func(b *testing.B) {
		c := esl.NewClient(esl.Options{Addr: addr, Password: password})
		defer func() { _ = c.Close() }()
		if _, err := c.API(context.Background(), fsapi.Unchecked("warm up")); err != nil {
			b.Fatal(err)
		}
		b.ReportAllocs()
		for b.Loop() {
			if _, err := c.API(context.Background(), fsapi.Unchecked("uuid_exists 1")); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("socket", func(b *testing.B) {
		conn, err := net.Dial("tcp", addr)
		if err != nil {
			b.Fatal(err)
		}
		defer func() { _ = conn.Close() }()
		buf := make([]byte, 4096)
		if _, err := conn.Read(buf); err != nil { // auth/request
			b.Fatal(err)
		}
		b.ReportAllocs()
		for b.Loop() {
			if _, err := conn.Write([]byte("api uuid_exists 1\r\n\r\n")); err != nil {
				b.Fatal(err)
			}
			if _, err := conn.Read(buf); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// echoServer answers every api command with its own line.
func echoServer(b *testing.B) string {
	b.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			go serveEcho(conn) // ends with its client
		}
	}()
	b.Cleanup(func() {
		_ = ln.Close()
		<-stopped
	})
	return ln.Addr().String()
}
