package esl

import (
	"context"
	"errors"
	"net"
	"strings"
	"time"

	"github.com/percipia/eslgo"
	"github.com/percipia/eslgo/command"
)

// peer is one connection, and the messages that come over it, before anybody
// runs goroutines on it.
type peer struct {
	conn   net.Conn
	frames *frameReader
	addr   string
}

func newPeer(conn net.Conn, addr string) *peer {
	return &peer{conn: conn, frames: newFrameReader(conn), addr: addr}
}

// connect dials and authenticates. It takes no longer than ctx. What fails before
// the switch has let us in is ErrUnreachable, unless the switch said why
// (ErrPassword, ErrRejected) or is none (ErrProtocol).
func connect(ctx context.Context, o Options) (*peer, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	conn, err := o.Dial(ctx, "tcp", o.Addr)
	if err != nil {
		return nil, &Error{Op: "dial", Addr: o.Addr, Kind: ErrUnreachable, Err: endOr(ctx, err)}
	}
	p := newPeer(conn, o.Addr)
	if err := p.within(ctx, func() error { return p.authenticate(o.Password) }); err != nil {
		_ = conn.Close()
		return nil, err
	}
	return p, nil
}

// endOr adds to err that ctx has ended, if it has: a deadline on a socket is not
// told apart from the peer's silence otherwise.
func endOr(ctx context.Context, err error) error {
	switch ended := ctx.Err(); {
	case ended == nil:
		return err
	case errors.Is(ended, context.DeadlineExceeded):
		return errors.Join(ErrTimeout, ended)
	default:
		return ended
	}
}

// within runs f, whose reads and writes fail once ctx ends.
func (p *peer) within(ctx context.Context, f func() error) error {
	stop := context.AfterFunc(ctx, func() { _ = p.conn.SetDeadline(time.Unix(1, 0)) })
	err := f()
	if stop() {
		return err
	}
	var failed *Error
	if !errors.As(err, &failed) {
		failed = &Error{Op: "dial", Addr: p.addr, Kind: ErrTimeout}
	}
	failed.Err = endOr(ctx, failed.Err)
	return failed
}

// authenticate waits to be asked for the password and gives it.
func (p *peer) authenticate(password string) error {
	f, err := p.frames.next()
	switch {
	case err != nil:
		return p.failed("authenticate", err)
	case f.kind == frameRejection:
		return &Error{Op: "authenticate", Addr: p.addr, Kind: ErrRejected, Reply: strings.TrimSpace(string(f.body))}
	case f.kind != frameAuth:
		return p.failed("authenticate", errMalformed("no auth/request"))
	}
	reply, err := p.ask(command.Auth{Password: password})
	switch {
	case err != nil:
		return p.failed("authenticate", err)
	case !strings.HasPrefix(reply, "+OK"):
		return &Error{Op: "authenticate", Addr: p.addr, Kind: ErrPassword, Reply: reply}
	}
	return nil
}

// ask sends a command and returns the next reply, for as long as nobody else
// reads from the connection.
func (p *peer) ask(cmd command.Command) (string, error) {
	if _, err := p.conn.Write(message(cmd)); err != nil {
		return "", err
	}
	for {
		f, err := p.frames.next()
		switch {
		case err != nil:
			return "", err
		case f.kind == frameReply:
			return f.reply, nil
		case f.kind == frameDisconnect:
			return "", errGoodbye
		}
	}
}

// message is a command as it goes over the wire, in one piece: half a command in
// the switch's buffer stops its delivery of events.
func message(cmd command.Command) []byte {
	return []byte(cmd.BuildMessage() + eslgo.EndOfMessage)
}

// writeWithin writes b, or fails after the timeout.
func (p *peer) writeWithin(timeout time.Duration, b []byte) error {
	if err := p.conn.SetWriteDeadline(time.Now().Add(timeout)); err != nil {
		return err
	}
	_, err := p.conn.Write(b)
	return err
}

// failed is the error of a handshake that broke off.
func (p *peer) failed(op string, err error) error {
	return &Error{Op: op, Addr: p.addr, Kind: kindOr(err, ErrUnreachable), Err: err}
}

// kindOr is ErrProtocol where err says so, else the other kind.
func kindOr(err, otherwise error) error {
	if errors.Is(err, ErrProtocol) {
		return ErrProtocol
	}
	return otherwise
}

// errAbandoned is why a connection was closed on which a command was given up.
var errAbandoned = errors.New("an earlier command was not answered")

// errGoodbye is the switch ending the connection in due form.
var errGoodbye = errors.New("the switch said goodbye")

// probe is answered by every switch and changes nothing: only a connection that
// was told to linger, which none of ours is, does otherwise after it. A call's
// connection is answered that it may not, which is a sign of life as well.
var probe = command.Linger{Enabled: false}

// line is a command line that eslgo has no builder for, or one that appends a
// blank.
type line string

// BuildMessage returns the line.
func (l line) BuildMessage() string { return string(l) }
