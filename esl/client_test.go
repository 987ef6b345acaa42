package esl_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"livemon/esl"
	"livemon/internal/fsapi"
)

// newClient returns a client of the fake that is closed with the test.
func newClient(t *testing.T, o esl.Options) *esl.Client {
	t.Helper()
	c := esl.NewClient(o)
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func api(t *testing.T, c *esl.Client, line string) <-chan result {
	t.Helper()
	ctx := patient(t)
	return start(func() (string, error) { return c.API(ctx, fsapi.Unchecked(line)) })
}

func TestClientAPI(t *testing.T) {
	f := newFake(t)
	c := newClient(t, f.options())
	done := api(t, c, "status")
	l := f.login()
	l.expect("api status")
	l.output("UP 0 years\nready\n")
	if r := await(t, done); r.err != nil || r.text != "UP 0 years\nready" {
		t.Fatalf("got %q, %v", r.text, r.err)
	}

	for _, test := range []struct{ name, output, want string }{
		{"nothing to trim", "true", "true"},
		{"ok", "+OK\n", "+OK"},
		{"percent signs are not decoded", "50%41%\n", "50%41%"},
		{"control characters", "a\x00b\x01c", "a\x00b\x01c"},
		{"a blank line inside", "a\n\nb\n", "a\n\nb"},
		{"long", strings.Repeat("x", 300_000) + "\n", strings.Repeat("x", 300_000)},
		{"empty", "", ""},
	} {
		done := api(t, c, "x "+test.name)
		l.expect("api x " + test.name)
		l.output(test.output)
		if r := await(t, done); r.err != nil || r.text != test.want {
			t.Errorf("%s: got %.80q, %v", test.name, r.text, r.err)
		}
	}
}

func TestClientErrorReplies(t *testing.T) {
	f := newFake(t)
	c := newClient(t, f.options())
	var l *line
	for i, test := range []struct {
		reply func(l *line)
		want  string
	}{
		{func(l *line) { l.output("-ERR no such channel\n") }, "-ERR no such channel"},
		{func(l *line) { l.output("-USAGE: <uuid>\n") }, "-USAGE: <uuid>"},
		{func(l *line) { l.reply("-ERR permission denied") }, "-ERR permission denied"},
		{func(l *line) { l.reply("-ERR odd \x01 bytes") }, "-ERR odd \x01 bytes"},
	} {
		done := api(t, c, "uuid_kill 1")
		if i == 0 {
			l = f.login()
		}
		l.expect("api uuid_kill 1")
		test.reply(l)
		r := await(t, done)
		wantErr(t, r.err, esl.ErrReply)
		var e *esl.Error
		if errors.As(r.err, &e); e.Reply != test.want || r.text != test.want || e.Op != "api uuid_kill" {
			t.Errorf("got %q, %+v", r.text, e)
		}
	}
}

func TestClientBGAPI(t *testing.T) {
	f := newFake(t)
	c := newClient(t, f.options())
	ctx := patient(t)

	done := startErr(func() error { return c.BGAPI(ctx, "job-1", fsapi.Unchecked("originate user/1000 &park()")) })
	l := f.login()
	l.expect("bgapi originate user/1000 &park()|Job-UUID: job-1")
	l.send("Content-Type: command/reply\nReply-Text: +OK Job-UUID: job-1\nJob-UUID: job-1\n\n")
	if r := await(t, done); r.err != nil {
		t.Fatal(r.err)
	}
}

func TestClientRefusesToSend(t *testing.T) {
	o := newFake(t).options()
	o.Dial = nil
	c := newClient(t, o)
	ctx := patient(t)
	for _, bad := range []string{"a\nb", "a\rb", "a\x00b", "a\n\napi shutdown", strings.Repeat("z", 65<<10)} {
		if err := esl.CheckLine(bad); !errors.Is(err, esl.ErrArgument) {
			t.Errorf("CheckLine(%.20q) = %v", bad, err)
		}
		for name, try := range map[string]func() error{
			"api":   func() error { _, err := c.API(ctx, fsapi.Unchecked("uuid_setvar x y "+bad)); return err },
			"bgapi": func() error { return c.BGAPI(ctx, "id", fsapi.Unchecked("originate "+bad)) },
			"job":   func() error { return c.BGAPI(ctx, bad, fsapi.Unchecked("status")) },
			"password": func() error {
				_, err := esl.DialStream(ctx, esl.Options{Addr: o.Addr, Password: bad}, esl.Subscription{Events: []string{"ALL"}})
				return err
			},
			"subscription": func() error {
				_, err := esl.DialStream(ctx, o, esl.Subscription{Events: []string{"CUSTOM " + bad}})
				return err
			},
		} {
			if err := try(); !errors.Is(err, esl.ErrArgument) {
				t.Errorf("%s with %.20q: %v", name, bad, err)
			}
		}
	}
	for name, try := range map[string]func() error{
		"nothing":    func() error { _, err := c.API(ctx, fsapi.Unchecked("")); return err },
		"no job":     func() error { return c.BGAPI(ctx, "", fsapi.Unchecked("status")) },
		"no address": func() error { _, err := newClient(t, esl.Options{}).API(ctx, fsapi.Unchecked("status")); return err },
	} {
		if err := try(); !errors.Is(err, esl.ErrArgument) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// echo answers every api command with its own line, on every connection, until
// the listener is closed.
func (f *fake) echo() {
	var running sync.WaitGroup
	f.t.Cleanup(running.Wait)
	f.t.Cleanup(func() { _ = f.ln.Close() })
	running.Go(func() {
		for {
			conn, err := f.ln.Accept()
			if err != nil {
				return
			}
			running.Go(func() { serveEcho(conn) })
		}
	})
}

func serveEcho(conn io.ReadWriteCloser) {
	defer func() { _ = conn.Close() }()
	r := bufio.NewReader(conn)
	_, _ = io.WriteString(conn, "Content-Type: auth/request\n\n")
	for {
		command, err := readCommand(r)
		if err != nil {
			return
		}
		if text, ok := strings.CutPrefix(command, "api "); ok {
			_, err = fmt.Fprintf(conn, "Content-Type: api/response\nContent-Length: %d\n\n%s", len(text), text)
		} else {
			_, err = io.WriteString(conn, "Content-Type: command/reply\nReply-Text: +OK\n\n")
		}
		if err != nil {
			return
		}
	}
}

func TestClientRepliesAreNotMixedUp(t *testing.T) {
	f := newFake(t)
	f.echo()
	c := newClient(t, f.options())
	ctx := patient(t)
	var callers sync.WaitGroup
	for i := range 16 {
		callers.Go(func() {
			for j := range 50 {
				want := fmt.Sprintf("echo %d-%d", i, j)
				if got, err := c.API(ctx, fsapi.Unchecked(want)); err != nil || got != want {
					t.Errorf("got %q, %v, want %q", got, err, want)
					return
				}
			}
		})
	}
	callers.Wait()
}

func TestClientUnansweredCommandCostsTheConnection(t *testing.T) {
	for _, test := range []struct {
		name    string
		timeout time.Duration // of every command
		end     func() (context.Context, context.CancelFunc)
		cancel  bool
		want    error
	}{
		{"timeout", short, func() (context.Context, context.CancelFunc) {
			return context.WithCancel(context.Background())
		}, false, context.DeadlineExceeded},
		{"deadline", patience, func() (context.Context, context.CancelFunc) {
			return context.WithTimeout(context.Background(), short)
		}, false, context.DeadlineExceeded},
		{"cancelled", patience, func() (context.Context, context.CancelFunc) {
			return context.WithCancel(context.Background())
		}, true, context.Canceled},
	} {
		t.Run(test.name, func(t *testing.T) {
			f := newFake(t)
			o := f.options()
			o.CommandTimeout = test.timeout
			c := newClient(t, o)
			done := api(t, c, "warm up")
			l := f.login()
			l.expect("api warm up")
			l.output("ok")
			await(t, done)

			ctx, cancel := test.end()
			defer cancel()
			done = start(func() (string, error) { return c.API(ctx, fsapi.Unchecked("first")) })
			l.expect("api first")
			if test.cancel {
				cancel()
			}
			wantErr(t, await(t, done).err, esl.ErrTimeout, test.want)

			done = api(t, c, "second")
			second := f.login()
			second.expect("api second")
			_, _ = io.WriteString(l, "Content-Type: api/response\nContent-Length: 4\n\nlate")
			second.output("second")
			if r := await(t, done); r.err != nil || r.text != "second" {
				t.Fatalf("got %q, %v", r.text, r.err)
			}
			l.expectEnd()
		})
	}
}

func TestClientWaitingForItsTurnRespectsContext(t *testing.T) {
	f := newFake(t)
	c := newClient(t, f.options())
	first := api(t, c, "first")
	l := f.login()
	l.expect("api first")

	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
	defer cancel()
	_, err := c.API(ctx, fsapi.Unchecked("second"))
	wantErr(t, err, esl.ErrTimeout, context.DeadlineExceeded)

	l.output("first")
	if r := await(t, first); r.err != nil || r.text != "first" {
		t.Fatalf("got %q, %v: another command's end cost this one", r.text, r.err)
	}
}

func TestClientCloseEndsPendingCommand(t *testing.T) {
	f := newFake(t)
	c := esl.NewClient(f.options())
	done := api(t, c, "status")
	l := f.login()
	l.expect("api status")
	await(t, startErr(c.Close))
	wantErr(t, await(t, done).err, esl.ErrClosed)
	l.expectEnd()
	_, err := c.API(patient(t), fsapi.Unchecked("status"))
	wantErr(t, err, esl.ErrClosed)
	await(t, startErr(c.Close))
}

func TestClientCloseEndsDial(t *testing.T) {
	f := newFake(t)
	c := esl.NewClient(f.options())
	done := api(t, c, "status")
	l := f.accept() // and never asks for the password
	await(t, startErr(c.Close))
	wantErr(t, await(t, done).err, esl.ErrClosed)
	l.expectEnd()
}

// TestDialFailures holds for Client and Stream alike.
func TestDialFailures(t *testing.T) {
	sub := esl.Subscription{Events: []string{"ALL"}}
	for _, test := range []struct {
		name   string
		script func(l *line)
		quick  bool // with a DialTimeout that passes
		want   []error
		reply  string
	}{
		{"wrong password", func(l *line) {
			transcript := string(readFile(l.t, "auth-rejected.txt"))
			request, rest, _ := strings.Cut(transcript, "\n\n")
			l.send(request + "\n\n")
			l.expect("auth " + password)
			l.send(rest)
			_ = l.Close()
		}, false, []error{esl.ErrPassword}, "-ERR invalid"},
		{"rude rejection", func(l *line) {
			l.send("Content-Type: text/rude-rejection\nContent-Length: 24\n\nAccess Denied, go away.\n")
			_ = l.Close()
		}, false, []error{esl.ErrRejected}, "Access Denied, go away."},
		{"never asks for the password", func(*line) {}, true, []error{esl.ErrUnreachable, esl.ErrTimeout, context.DeadlineExceeded}, ""},
		{"never answers the password", func(l *line) {
			l.send("Content-Type: auth/request\n\n")
			l.expect("auth " + password)
		}, true, []error{esl.ErrUnreachable, esl.ErrTimeout}, ""},
		{"hangs up at once", func(l *line) { _ = l.Close() }, false, []error{esl.ErrUnreachable}, ""},
		{"hangs up in mid-header", func(l *line) {
			l.send("Content-Type: auth/requ")
			_ = l.Close()
		}, false, []error{esl.ErrUnreachable, io.ErrUnexpectedEOF}, ""},
		{"another protocol", func(l *line) { l.send("SSH-2.0-OpenSSH_9.2\r\n\r\n") }, false, []error{esl.ErrProtocol}, ""},
		{"an endless line", func(l *line) {
			_, _ = io.WriteString(l, strings.Repeat("x", 70<<10))
		}, false, []error{esl.ErrProtocol}, ""},
		{"not asking for a password", func(l *line) { l.reply("+OK") }, false, []error{esl.ErrProtocol}, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			f := newFake(t)
			o := f.options()
			if test.quick {
				o.DialTimeout = 300 * time.Millisecond
			}
			check := func(done <-chan result) {
				t.Helper()
				l := f.accept()
				test.script(l)
				err := await(t, done).err
				wantErr(t, err, test.want...)
				var e *esl.Error
				if errors.As(err, &e); e.Reply != test.reply {
					t.Errorf("reply %q, want %q", e.Reply, test.reply)
				}
				_ = l.Close()
			}
			check(api(t, newClient(t, o), "status"))
			ctx := patient(t)
			check(startErr(func() error {
				_, err := esl.DialStream(ctx, o, sub)
				return err
			}))
		})
	}
}

func TestUnreachable(t *testing.T) {
	f := newFake(t)
	o := f.options()
	_ = f.ln.Close()
	_, err := newClient(t, o).API(patient(t), fsapi.Unchecked("status"))
	wantErr(t, err, esl.ErrUnreachable)
}

func TestClientDoesNotHammerWithWrongPassword(t *testing.T) {
	f := newFake(t)
	o := f.options()
	o.BackoffMax = time.Hour
	c := newClient(t, o)
	done := api(t, c, "status")
	l := f.accept()
	l.send("Content-Type: auth/request\n\n")
	l.expect("auth " + password)
	l.reply("-ERR invalid")
	wantErr(t, await(t, done).err, esl.ErrPassword)
	_ = f.ln.Close() // a second attempt would be ErrUnreachable
	_, err := c.API(patient(t), fsapi.Unchecked("status"))
	wantErr(t, err, esl.ErrPassword)
}

func TestClientPeerFaults(t *testing.T) {
	for _, test := range []struct {
		name   string
		answer string
		hangUp bool
		want   []error
	}{
		{"hangs up", "", true, []error{esl.ErrClosed, io.EOF}},
		{"hangs up in mid-header", "Content-Ty", true, []error{esl.ErrClosed, io.ErrUnexpectedEOF}},
		{"hangs up in mid-body", "Content-Type: api/response\nContent-Length: 100\n\nUP", true, []error{esl.ErrClosed, io.ErrUnexpectedEOF}},
		{"says goodbye", "Content-Type: text/disconnect-notice\nContent-Length: 4\n\nbye\n", false, []error{esl.ErrClosed}},
		{"negative length", "Content-Type: api/response\nContent-Length: -1\n\n", false, []error{esl.ErrProtocol}},
		{"absurd length", "Content-Type: api/response\nContent-Length: 99999999999\n\n", false, []error{esl.ErrProtocol}},
		{"length above the limit", "Content-Type: api/response\nContent-Length: 16777217\n\n", false, []error{esl.ErrProtocol}},
		{"two lengths", "Content-Type: api/response\nContent-Length: 1\nContent-Length: 2\n\nab", false, []error{esl.ErrProtocol}},
		{"no type", "Content-Length: 2\n\nok", false, []error{esl.ErrProtocol}},
		{"garbage", "\x00\x01\x02 garbage\n\n", false, []error{esl.ErrProtocol}},
		{"endless headers", "Content-Type: api/response\n" + strings.Repeat("A: b\n", 300_000), false, []error{esl.ErrProtocol}},
	} {
		t.Run(test.name, func(t *testing.T) {
			f := newFake(t)
			c := newClient(t, f.options())
			done := api(t, c, "status")
			l := f.login()
			l.expect("api status")
			_, _ = io.WriteString(l, test.answer) // it may hang up before the end
			if test.hangUp {
				_ = l.Close()
			}
			wantErr(t, await(t, done).err, test.want...)

			done = api(t, c, "status")
			l = f.login()
			l.expect("api status")
			l.output("ok")
			if r := await(t, done); r.err != nil || r.text != "ok" {
				t.Fatalf("not usable afterwards: %q, %v", r.text, r.err)
			}
		})
	}
}

func TestClientPassesOverWhatNobodyAskedFor(t *testing.T) {
	f := newFake(t)
	c := newClient(t, f.options())
	done := api(t, c, "status")
	l := f.login()
	l.expect("api status")
	l.event("Event-Name: HEARTBEAT\n\n")
	l.send("Content-Type: log/data\nContent-Length: 3\nLog-Level: 7\n\nhey")
	l.output("ok")
	if r := await(t, done); r.err != nil || r.text != "ok" {
		t.Fatalf("got %q, %v", r.text, r.err)
	}
}

func TestClientReplyOutOfTurnCostsTheConnection(t *testing.T) {
	f := newFake(t)
	c := newClient(t, f.options())
	done := api(t, c, "first")
	l := f.login()
	l.expect("api first")
	l.output("first")
	await(t, done)
	l.output("nobody asked")
	l.expectEnd()

	done = api(t, c, "second")
	l = f.login()
	l.expect("api second")
	l.output("second")
	if r := await(t, done); r.err != nil || r.text != "second" {
		t.Fatalf("got %q, %v", r.text, r.err)
	}
}

func TestClientHeartbeat(t *testing.T) {
	f := newFake(t)
	o := f.options()
	o.Heartbeat, o.CommandTimeout = 20*time.Millisecond, short
	c := newClient(t, o)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	done := startErr(func() error { return c.Run(ctx) })

	l := f.login()
	for range 3 {
		l.expect("api uptime")
		l.output("-ERR any answer is a sign of life")
	}
	l.expect("api uptime") // and no answer: it has died silently
	l.expectEnd()

	l = f.login()
	l.expect("api uptime")
	l.output("1")
	cancel()
	if r := await(t, done); r.err != nil {
		t.Fatal(r.err)
	}
	l.expectEnd()
	_, err := c.API(patient(t), fsapi.Unchecked("status"))
	wantErr(t, err, esl.ErrClosed)
}

// TestEslgoVersion holds newConnection's signature to the version it was read in.
func TestEslgoVersion(t *testing.T) {
	mod, err := os.ReadFile("../go.mod")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(mod), "github.com/percipia/eslgo v1.5.2\n") || strings.Contains(string(mod), "replace") {
		t.Fatal("eslgo is not v1.5.2: read its newConnection, and change this test")
	}
}
