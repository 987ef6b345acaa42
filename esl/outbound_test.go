package esl_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"livemon/esl"
	"livemon/internal/fsapi"
)

const channelID = "a8c5ee75-18e4-4f27-86af-06810fae90b4" // of testdata/outbound-connect.txt

// outbound is a server under test.
type outbound struct {
	t    *testing.T
	addr string
	stop func() // ends its context
	done <-chan result
}

// serveOutbound runs a server with a handler until the test ends.
func serveOutbound(t *testing.T, o esl.OutboundOptions, h func(ctx context.Context, c *esl.OutboundCall)) *outbound {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if o.CommandTimeout == 0 {
		o.CommandTimeout = patience
	}
	o.Logger = slog.New(slog.DiscardHandler)
	ctx, cancel := context.WithCancel(context.Background())
	done := startErr(func() error { return esl.ServeOutbound(ctx, ln, o, h) })
	s := &outbound{t: t, addr: ln.Addr().String(), stop: cancel, done: done}
	t.Cleanup(cancel)
	return s
}

// wait waits until the server has returned.
func (s *outbound) wait() {
	s.t.Helper()
	if r := await(s.t, s.done); r.err != nil {
		s.t.Fatal(r.err)
	}
}

// dial connects as the switch does.
func (s *outbound) dial() *line {
	s.t.Helper()
	conn, err := net.Dial("tcp", s.addr)
	if err != nil {
		s.t.Fatal(err)
	}
	return newLine(s.t, conn)
}

// call connects and says which call it is.
func (s *outbound) call() *line {
	s.t.Helper()
	l := s.dial()
	l.expect("connect")
	head := strings.TrimSuffix(string(readFile(s.t, "outbound-connect.txt")), "\n")
	l.send(head + "variable_a[0]: 100%25\nvariable_a/b: x%\nvariable_empty: _undef_\n\n")
	l.expect("myevents plain")
	l.reply("+OK Events Enabled")
	return l
}

// released answers the server's letting go of a call.
func (l *line) released() {
	l.t.Helper()
	l.expect("exit")
	l.reply("+OK bye")
	l.send("Content-Type: text/disconnect-notice\nControlled-Session-UUID: " + channelID +
		"\nContent-Disposition: disconnect\nContent-Length: 67\n\nDisconnected, goodbye.\nSee you at ClueCon! http://www.cluecon.com/\n")
	_ = l.Close()
}

func (l *line) complete(id string) {
	l.t.Helper()
	l.event("Event-Name: CHANNEL_EXECUTE_COMPLETE\nUnique-ID: " + channelID + "\nApplication-UUID: " + id + "\n\n")
}

var eventUUID = regexp.MustCompile(`Event-Uuid: ([0-9a-f-]{36})`)

// execution reads a command that executes an application, and returns its id.
func (l *line) execution(app string) string {
	l.t.Helper()
	got := l.command()
	id := eventUUID.FindStringSubmatch(got)
	if !strings.HasPrefix(got, "sendmsg") || !strings.Contains(got, "Execute-App-Name: "+app+"|") && !strings.HasSuffix(got, "Execute-App-Name: "+app) || id == nil {
		l.t.Fatalf("got %q, want an execution of %s", got, app)
	}
	return id[1]
}

func TestOutboundCall(t *testing.T) {
	type seen struct{ channel, caller, index, path, empty, absent string }
	calls, left := make(chan seen, 1), make(chan struct{})
	s := serveOutbound(t, esl.OutboundOptions{}, func(ctx context.Context, c *esl.OutboundCall) {
		defer close(left)
		calls <- seen{c.Channel(), c.Get("caller-channel-name"), c.Get("variable_a[0]"), c.Get("variable_a/b"), c.Get("variable_empty"), c.Get("absent")}
		if err := c.Execute(ctx, fsapi.Answer()); err != nil {
			t.Error("execute:", err)
		}
		if err := c.Execute(ctx, fsapi.UncheckedApp("nosuch", "")); !errors.Is(err, esl.ErrReply) {
			t.Error("execute what is refused:", err)
		}
		if err := c.Execute(ctx, fsapi.App{}); !errors.Is(err, esl.ErrArgument) {
			t.Error("an application that nobody has checked:", err)
		}
		if err := c.Release(ctx); err != nil {
			t.Error("release:", err)
		}
		if err := c.Release(ctx); err != nil {
			t.Error("second release:", err)
		}
		if err := c.Execute(ctx, fsapi.Answer()); !errors.Is(err, esl.ErrClosed) {
			t.Error("execute after release:", err)
		}
	})
	l := s.call()
	if got, want := await(t, calls), (seen{channelID, "sofia/internal/1002@127.0.0.1", "100%", "x%", "", ""}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if got := l.command(); !strings.HasPrefix(got, "sendmsg") || !strings.Contains(got, "Execute-App-Name: answer") {
		t.Errorf("got %q", got)
	}
	l.reply("+OK")
	if got := l.command(); !strings.HasPrefix(got, "sendmsg") || !strings.Contains(got, "Execute-App-Name: nosuch") {
		t.Errorf("got %q", got)
	}
	l.reply("-ERR memory error")
	l.released()
	await(t, left)
	s.stop()
	s.wait()
}

func TestOutboundExecuteWait(t *testing.T) {
	s := serveOutbound(t, esl.OutboundOptions{}, func(ctx context.Context, c *esl.OutboundCall) {
		if err := c.ExecuteWait(ctx, fsapi.Playback(fsapi.Stream("hello.wav"))); err != nil {
			t.Error(err)
		}
		if err := c.ExecuteWait(ctx, fsapi.Answer()); err != nil {
			t.Error(err)
		}
	})
	l := s.call()
	id := l.execution("playback")
	l.reply("+OK")
	l.event("Event-Name: CHANNEL_EXECUTE\nApplication-UUID: " + id + "\n\n")
	l.complete("another")
	l.complete(id)
	second := l.execution("answer")
	if second == id {
		t.Fatal("the same id twice")
	}
	l.complete(second) // even before the reply
	l.reply("+OK")
	l.released()
	s.stop()
	s.wait()
}

func TestOutboundCallEndsDuringExecuteWait(t *testing.T) {
	failed := make(chan error, 1)
	s := serveOutbound(t, esl.OutboundOptions{}, func(ctx context.Context, c *esl.OutboundCall) {
		failed <- c.ExecuteWait(ctx, fsapi.Playback(fsapi.Stream("hello.wav")))
		<-ctx.Done() // ends with the call
	})
	l := s.call()
	l.execution("playback")
	l.reply("+OK")
	l.event("Event-Name: CHANNEL_HANGUP\nUnique-ID: " + channelID + "\n\n")
	l.send("Content-Type: text/disconnect-notice\nContent-Disposition: linger\nContent-Length: 0\n\n")
	l.send("Content-Type: text/disconnect-notice\nContent-Disposition: disconnect\nContent-Length: 0\n\n")
	wantErr(t, await(t, failed), esl.ErrClosed)
	l.expectEnd()
	s.stop()
	s.wait()
}

func TestOutboundHeartbeatDuringExecuteWait(t *testing.T) {
	failed := make(chan error, 1)
	o := esl.OutboundOptions{Heartbeat: 20 * time.Millisecond, CommandTimeout: short}
	s := serveOutbound(t, o, func(ctx context.Context, c *esl.OutboundCall) {
		failed <- c.ExecuteWait(ctx, fsapi.Playback(fsapi.Stream("hello.wav")))
	})
	l := s.call()
	l.execution("playback")
	l.reply("+OK")
	for range 3 {
		l.expect("nolinger")
		l.reply("-ERR command not found") // what a switch says to it without full
	}
	l.expect("nolinger") // and no answer: the switch has died silently
	wantErr(t, await(t, failed), esl.ErrTimeout)
	l.expectEnd()
	s.stop()
	s.wait()
}

func TestOutboundFaults(t *testing.T) {
	for _, test := range []struct {
		name, answer string
		hangUp       bool
		want         error
	}{
		{"hangs up", "", true, esl.ErrClosed},
		{"hangs up in mid-message", "Content-Type: text/event-plain\nContent-Length: 10\n\nabc", true, esl.ErrClosed},
		{"garbage", "\x00\n\n", false, esl.ErrProtocol},
		{"answers another command", "Content-Type: api/response\nContent-Length: 3\n\n+OK", false, esl.ErrProtocol},
		{"bad event", "Content-Type: text/event-plain\nContent-Length: 2\n\nA\n", false, esl.ErrProtocol},
	} {
		t.Run(test.name, func(t *testing.T) {
			failed := make(chan error, 1)
			s := serveOutbound(t, esl.OutboundOptions{}, func(ctx context.Context, c *esl.OutboundCall) {
				failed <- c.Execute(ctx, fsapi.Answer())
			})
			l := s.call()
			if got := l.command(); !strings.HasPrefix(got, "sendmsg") {
				t.Fatalf("got %q", got)
			}
			l.send(test.answer)
			if test.hangUp {
				_ = l.Close()
			}
			wantErr(t, await(t, failed), test.want)
			s.stop()
			s.wait()
		})
	}
}

func TestOutboundReplyOutOfTurn(t *testing.T) {
	ended := make(chan struct{})
	s := serveOutbound(t, esl.OutboundOptions{}, func(ctx context.Context, c *esl.OutboundCall) {
		<-ctx.Done()
		close(ended)
	})
	l := s.call()
	l.reply("+OK nobody asked")
	await(t, ended)
	l.expectEnd()
	s.stop()
	s.wait()
}

func TestOutboundUnansweredCommand(t *testing.T) {
	failed := make(chan error, 2)
	s := serveOutbound(t, esl.OutboundOptions{CommandTimeout: short}, func(ctx context.Context, c *esl.OutboundCall) {
		for range 2 {
			failed <- c.Execute(ctx, fsapi.Answer())
		}
	})
	l := s.call()
	if got := l.command(); !strings.HasPrefix(got, "sendmsg") {
		t.Fatalf("got %q", got)
	}
	wantErr(t, await(t, failed), esl.ErrTimeout, context.DeadlineExceeded)
	wantErr(t, await(t, failed), esl.ErrClosed)
	l.expectEnd()
	s.stop()
	s.wait()
}

func TestOutboundNoCall(t *testing.T) {
	for name, script := range map[string]func(l *line){
		"says nothing":           func(*line) {},
		"garbage":                func(l *line) { l.send("GET / HTTP/1.1\r\n\r\n") },
		"no channel":             func(l *line) { l.send("Content-Type: command/reply\nReply-Text: +OK\n\n") },
		"hangs up":               func(l *line) { _ = l.Close() },
		"never answers myevents": func(l *line) { l.send("Unique-ID: 1\nContent-Type: command/reply\nReply-Text: %2BOK%0A\n\n") },
		"refuses myevents": func(l *line) {
			l.send("Unique-ID: 1\nContent-Type: command/reply\nReply-Text: %2BOK%0A\n\nContent-Type: command/reply\nReply-Text: -ERR no\n\n")
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := serveOutbound(t, esl.OutboundOptions{ConnectTimeout: short}, func(context.Context, *esl.OutboundCall) {
				t.Error("the handler was called")
			})
			l := s.dial()
			l.expect("connect")
			script(l)
			l.expectEnd()
			s.stop()
			s.wait()
		})
	}
}

func TestOutboundLimit(t *testing.T) {
	inside, leave := make(chan struct{}), make(chan struct{})
	s := serveOutbound(t, esl.OutboundOptions{MaxCalls: 1}, func(context.Context, *esl.OutboundCall) {
		inside <- struct{}{}
		<-leave
	})
	first := s.call()
	await(t, inside)
	second := s.call()
	if got := second.command(); !strings.HasPrefix(got, "sendmsg") || !strings.Contains(got, "Hangup-Cause: SWITCH_CONGESTION") {
		t.Fatalf("the call above the limit was sent %q", got)
	}
	second.reply("+OK")
	second.expectEnd()
	leave <- struct{}{}
	first.released()
	s.stop()
	s.wait()
}

func TestOutboundStop(t *testing.T) {
	var mu sync.Mutex
	left := 0
	hungUp := make(chan error, 2)
	inside := make(chan struct{}, 2)
	s := serveOutbound(t, esl.OutboundOptions{}, func(ctx context.Context, c *esl.OutboundCall) {
		inside <- struct{}{}
		<-ctx.Done()
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience)
		defer cancel()
		hungUp <- c.Hangup(ctx, "NORMAL_CLEARING")
		mu.Lock()
		defer mu.Unlock()
		left++
	})
	lines := []*line{s.call(), s.call()}
	await(t, inside)
	await(t, inside)
	s.stop()
	for _, l := range lines {
		if got := l.command(); !strings.Contains(got, "Hangup-Cause: NORMAL_CLEARING") {
			t.Fatalf("got %q", got)
		}
		l.reply("+OK")
		if err := await(t, hungUp); err != nil {
			t.Fatal(err)
		}
		l.released()
	}
	s.wait()
	mu.Lock()
	defer mu.Unlock()
	if left != len(lines) {
		t.Fatalf("the server returned while %d handlers ran", len(lines)-left)
	}
	if _, err := net.Dial("tcp", s.addr); err == nil {
		t.Fatal("still listening")
	}
}

func TestOutboundListenerFails(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = ln.Close()
	err = esl.ServeOutbound(context.Background(), ln, esl.OutboundOptions{}, nil)
	wantErr(t, err, esl.ErrClosed, net.ErrClosed)
}

func TestOutboundReleaseOfDeadPeer(t *testing.T) {
	s := serveOutbound(t, esl.OutboundOptions{CommandTimeout: short}, func(context.Context, *esl.OutboundCall) {})
	l := s.call()
	l.expect("exit")
	if _, err := io.ReadAll(l); err != nil {
		t.Fatal("the connection was not closed:", err)
	}
	s.stop()
	s.wait()
}
