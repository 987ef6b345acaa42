package esl

import (
	"context"
	"fmt"
	"io"
	"net"
	"sync/atomic"
	"time"

	"github.com/percipia/eslgo"
	"github.com/percipia/eslgo/command"
)

// link is an eslgo connection over a net.Conn of ours. One command at a time: the
// Client sees to that. A link on which a command was not answered is dead.
type link struct {
	conn   *eslgo.Conn
	tap    *tap
	forget func() bool // takes back that the link dies with its Client
}

// newLink takes over an authenticated peer. The link dies with life.
func newLink(life context.Context, p *peer) *link {
	t := &tap{Conn: p.conn, frames: p.frames}
	t.alive, t.end = context.WithCancelCause(context.Background())
	l := &link{tap: t, conn: newConnection(t, false, eslgo.Options{Context: context.Background(), Logger: eslgo.NilLogger{}})}
	l.forget = context.AfterFunc(life, func() { t.kill(net.ErrClosed) })
	return l
}

// dead tells whether the link can carry no more commands.
func (l *link) dead() bool { return l.tap.alive.Err() != nil }

// send sends one command and returns its reply: Reply-Text, or an api command's
// output. It ends with ctx, after the timeout, or when the link dies, whichever
// is first. The first two kill the link: it is dead after every error, and the
// error says of what.
func (l *link) send(ctx context.Context, timeout time.Duration, cmd command.Command) (string, error) {
	defer context.AfterFunc(ctx, func() { l.tap.kill(ctx.Err()) })()
	expiry := time.AfterFunc(timeout, func() { l.tap.kill(context.DeadlineExceeded) })
	defer expiry.Stop()

	reply, err := l.conn.SendCommand(l.tap.alive, cmd)
	if err == nil {
		return string(reply.Body), nil
	}
	l.tap.kill(err)
	return "", context.Cause(l.tap.alive)
}

// close ends the link. No command may be pending.
func (l *link) close() {
	l.forget()
	l.tap.kill(net.ErrClosed)
	l.conn.Close()
}

// tap stands between eslgo and the socket. It lets through whole replies only,
// one a command, in a form that eslgo reads without fail: the reply always as the
// body. It notices every way in which a peer can end, which eslgo does not.
type tap struct {
	net.Conn
	frames  *frameReader
	buf     []byte      // the reply being read
	out     []byte      // what is left of it
	waiting atomic.Bool // a command was written and not yet answered

	alive context.Context // its cause says how the connection ended
	end   context.CancelCauseFunc
}

// kill closes the socket; the first reason given stays.
func (t *tap) kill(reason error) {
	t.end(reason)
	_ = t.Conn.Close()
}

// Write sends one command.
func (t *tap) Write(p []byte) (int, error) {
	t.waiting.Store(true)
	n, err := t.Conn.Write(p)
	if err != nil {
		t.kill(err)
	}
	return n, err
}

// Read returns the next reply, or a part of it.
func (t *tap) Read(p []byte) (int, error) {
	for len(t.out) == 0 {
		f, err := t.frames.next()
		switch {
		case err != nil:
		case f.kind == frameDisconnect:
			err = errGoodbye
		case f.kind == frameReply, f.kind == frameAPI:
			if t.waiting.CompareAndSwap(true, false) {
				text := f.text()
				if cap(t.buf) > keptBody {
					t.buf = nil
				}
				t.buf = fmt.Appendf(t.buf[:0], "Content-Type: %s\r\nContent-Length: %d\r\n\r\n%s", eslgo.TypeReply, len(text), text)
				t.out = t.buf
			} else {
				err = errMalformed("a reply that no command was sent for")
			}
		}
		if err != nil {
			t.kill(err)
			return 0, io.EOF
		}
	}
	n := copy(p, t.out)
	t.out = t.out[n:]
	return n, nil
}
