package esl_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"livemon/esl"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience is how long a test waits for something that must happen.
const patience = time.Minute

// short is a timeout that has to pass in a test, long enough for what has to be
// done before.
const short = time.Second

const password = "ClueCon"

// fake is a scripted switch: it listens, and each connection says what the test
// tells it to.
type fake struct {
	t  *testing.T
	ln net.Listener
}

func newFake(t *testing.T) *fake {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = ln.Close() })
	return &fake{t: t, ln: ln}
}

// options reach the fake, with times that let faults show quickly.
func (f *fake) options() esl.Options {
	return esl.Options{
		Addr: f.ln.Addr().String(), Password: password,
		DialTimeout: patience, CommandTimeout: patience, Heartbeat: time.Hour,
		BackoffMin: time.Millisecond, BackoffMax: 20 * time.Millisecond,
		Logger: slog.New(slog.DiscardHandler),
	}
}

// accept waits for the next connection.
func (f *fake) accept() *line {
	f.t.Helper()
	_ = f.ln.(*net.TCPListener).SetDeadline(time.Now().Add(patience))
	conn, err := f.ln.Accept()
	if err != nil {
		f.t.Fatal("no connection:", err)
	}
	return newLine(f.t, conn)
}

// login accepts a connection and lets it in.
func (f *fake) login() *line {
	f.t.Helper()
	l := f.accept()
	l.send("Content-Type: auth/request\n\n")
	l.expect("auth " + password)
	l.reply("+OK accepted")
	return l
}

// subscribed accepts a connection, lets it in and has it subscribe.
func (f *fake) subscribed() *line {
	f.t.Helper()
	l := f.login()
	if got := l.command(); !strings.HasPrefix(got, "event plain ") {
		f.t.Fatalf("subscribed with %q", got)
	}
	l.reply("+OK event listener enabled plain")
	return l
}

// line is the switch's end of one connection.
type line struct {
	net.Conn
	t *testing.T
	r *bufio.Reader
}

func newLine(t *testing.T, conn net.Conn) *line {
	_ = conn.SetDeadline(time.Now().Add(patience))
	t.Cleanup(func() { _ = conn.Close() })
	return &line{Conn: conn, t: t, r: bufio.NewReader(conn)}
}

func (l *line) send(raw string) {
	l.t.Helper()
	if _, err := io.WriteString(l, raw); err != nil {
		l.t.Fatal("send:", err)
	}
}

func (l *line) reply(text string) {
	l.t.Helper()
	l.send("Content-Type: command/reply\nReply-Text: " + text + "\n\n")
}

func (l *line) output(text string) {
	l.t.Helper()
	l.send(fmt.Sprintf("Content-Type: api/response\nContent-Length: %d\n\n%s", len(text), text))
}

func (l *line) event(text string) {
	l.t.Helper()
	l.send(fmt.Sprintf("Content-Length: %d\nContent-Type: text/event-plain\n\n%s", len(text), text))
}

// numbered sends the n-th of many events.
func (l *line) numbered(n int) {
	l.t.Helper()
	l.event(fmt.Sprintf("Event-Name: TEST\nN: %d\n\n", n))
}

// command reads one command: its lines, joined by a bar, and its body.
func (l *line) command() string {
	l.t.Helper()
	got, err := readCommand(l.r)
	if err != nil {
		l.t.Fatal("no command:", err)
	}
	return got
}

func (l *line) expect(want string) {
	l.t.Helper()
	if got := l.command(); got != want {
		l.t.Fatalf("the switch was sent %q, want %q", got, want)
	}
}

// expectEnd waits for the other side to hang up.
func (l *line) expectEnd() {
	l.t.Helper()
	if b, err := io.ReadAll(l.r); err != nil && !errors.Is(err, net.ErrClosed) && os.IsTimeout(err) {
		l.t.Fatalf("still open: %v after %q", err, b)
	}
}

func readCommand(r *bufio.Reader) (string, error) {
	var lines []string
	length := 0
	for {
		s, err := r.ReadString('\n')
		if err != nil {
			return "", err
		}
		s = strings.TrimRight(s, "\r\n")
		if s == "" && len(lines) == 0 {
			continue
		}
		if s == "" {
			break
		}
		if v, ok := strings.CutPrefix(s, "Content-Length: "); ok {
			length, _ = strconv.Atoi(v)
			continue
		}
		lines = append(lines, s)
	}
	if length > 0 {
		body := make([]byte, length)
		if _, err := io.ReadFull(r, body); err != nil {
			return "", err
		}
		lines = append(lines, string(body))
	}
	return strings.Join(lines, "|"), nil
}

// result is what a call that runs beside the script returned.
type result struct {
	text string
	err  error
}

// start runs f beside the script.
func start(f func() (string, error)) <-chan result {
	done := make(chan result, 1)
	go func() {
		text, err := f()
		done <- result{text, err}
	}()
	return done
}

// startErr runs f beside the script.
func startErr(f func() error) <-chan result {
	return start(func() (string, error) { return "", f() })
}

// await waits for what must come.
func await[T any](t *testing.T, c <-chan T) T {
	t.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(patience):
		t.Fatal("waited in vain")
		panic("unreachable")
	}
}

// wantErr fails the test unless errors.Is is true for each of the kinds.
func wantErr(t *testing.T, err error, kinds ...error) {
	t.Helper()
	for _, kind := range kinds {
		if !errors.Is(err, kind) {
			t.Fatalf("got error %v, want %v", err, kind)
		}
	}
	var known *esl.Error
	if !errors.As(err, &known) {
		t.Fatalf("%v is no *esl.Error", err)
	}
	if strings.Contains(err.Error(), password) {
		t.Fatalf("%q tells the password", err)
	}
}

// context that ends with the test's patience.
func patient(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	return ctx
}

func readFile(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
