package esl

import (
	"context"
	"errors"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"github.com/percipia/eslgo/command"

	"livemon/internal/fsapi"
)

// Client sends commands to one node, one at a time, and may be used from any
// number of goroutines. It dials when it is first used, and again after a
// connection was lost or a command on it not answered. Nothing is sent twice: a
// command that failed in mid-flight may have been carried out, and what to do
// about that is the caller's to know.
//
// A failed command gives an [*Error]: ErrUnreachable, ErrPassword, ErrRejected or
// ErrProtocol when there was no connection to be had; ErrTimeout when the answer
// did not come in time or ctx ended first; ErrClosed when the connection ended
// before the answer, or the Client was closed; ErrArgument when it was not sent
// because it could not be; ErrReply, with the text in Reply, when the switch
// answered with -ERR or -USAGE.
type Client struct {
	o    Options
	life context.Context // ends with Close
	end  context.CancelFunc

	turn chan struct{} // holds one token while somebody uses what follows

	link      *link
	refusal   error     // why the switch did not want us, for as long as it is not asked again
	askAgain  time.Time // when that is over
	lastReply atomic.Int64
}

// NewClient returns a Client. It must be closed, by Close or by Run.
func NewClient(o Options) *Client {
	c := &Client{o: o.withDefaults(), turn: make(chan struct{}, 1)}
	c.life, c.end = context.WithCancel(context.Background())
	return c
}

// API runs an api command line and returns its output without the line feed at its
// end. Output that begins with -ERR or -USAGE is returned together with an error of
// kind ErrReply.
func (c *Client) API(ctx context.Context, apiLine fsapi.Line) (string, error) {
	op, err := apiOp("api", apiLine)
	if err != nil {
		return "", err
	}
	output, err := c.send(ctx, op, line("api "+apiLine.String()))
	if err != nil {
		return "", err
	}
	return apiOutput(op, c.o.Addr, output)
}

// BGAPI starts an api command line as a background job. Its output arrives as the
// body of a BACKGROUND_JOB event whose Job-UUID is jobID, which must be unique.
func (c *Client) BGAPI(ctx context.Context, jobID string, apiLine fsapi.Line) error {
	op, err := apiOp("bgapi", apiLine)
	if err != nil {
		return err
	}
	if err := checkWord(op, jobID); err != nil {
		return err
	}
	return c.order(ctx, op, line("bgapi "+apiLine.String()+"\r\nJob-UUID: "+jobID))
}

// Execute has a channel execute a dialplan application. The switch answers as
// soon as it has queued it. An application that does not exist hangs up the call.
func (c *Client) Execute(ctx context.Context, channel fsapi.Channel, app fsapi.App) error {
	op := "execute " + app.Name()
	if err := checkWord(op, channel.String()); err != nil {
		return err
	}
	cmd, err := execution(channel.String(), app, "")
	if err != nil {
		return err
	}
	return c.order(ctx, op, cmd)
}

// Run asks the switch for a sign of life whenever nothing was sent for the
// length of Options.Heartbeat, so that a connection that has died silently is
// found, and a lost one replaced, before it is needed. It returns nil once ctx
// has ended, or the Client was closed; the Client is closed then.
func (c *Client) Run(ctx context.Context) error {
	defer func() { _ = c.Close() }()
	pauses, failing := c.o.pauses(), false
	timer := time.NewTimer(c.o.Heartbeat)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-c.life.Done():
			return nil
		case <-timer.C:
		}
		if quiet := time.Since(time.Unix(0, c.lastReply.Load())); quiet < c.o.Heartbeat {
			timer.Reset(c.o.Heartbeat - quiet)
			continue
		}
		_, err := c.send(ctx, "heartbeat", line("api "+fsapi.Uptime().String()))
		switch {
		case ctx.Err() != nil || c.life.Err() != nil:
			return nil
		case err != nil:
			if !failing {
				c.o.Logger.Warn("the switch does not answer commands", "addr", c.o.Addr, "error", err)
			}
			failing = true
			timer.Reset(pauses.NextBackOff())
		default:
			if failing {
				c.o.Logger.Info("the switch answers commands again", "addr", c.o.Addr)
			}
			failing = false
			pauses.Reset()
			timer.Reset(c.o.Heartbeat)
		}
	}
}

// Close ends the connection, and the command that is under way with ErrClosed. It
// may be called more than once, and returns nil.
func (c *Client) Close() error {
	c.end()
	c.turn <- struct{}{}
	defer c.yield()
	if c.link != nil {
		c.link.close()
		c.link = nil
	}
	return nil
}

// order sends a command whose reply says no more than whether it was accepted.
func (c *Client) order(ctx context.Context, op string, cmd command.Command) error {
	reply, err := c.send(ctx, op, cmd)
	if err != nil {
		return err
	}
	return accepted(op, c.o.Addr, reply)
}

// send waits for its turn and sends a command, over a new connection if need be.
// However it ends, the connection it leaves behind is in step, or gone.
func (c *Client) send(ctx context.Context, op string, cmd command.Command) (string, error) {
	if err := ctx.Err(); err != nil {
		return "", c.failed(op, ErrTimeout, err)
	}
	select {
	case c.turn <- struct{}{}:
		defer c.yield()
	case <-ctx.Done():
		return "", c.failed(op, ErrTimeout, ctx.Err())
	case <-c.life.Done():
	}
	if c.life.Err() != nil {
		return "", c.failed(op, ErrClosed, nil)
	}
	if err := c.ready(ctx); err != nil {
		if c.life.Err() != nil {
			return "", c.failed(op, ErrClosed, nil)
		}
		return "", err
	}
	reply, err := c.link.send(ctx, c.o.CommandTimeout, cmd)
	if err != nil {
		c.link.close()
		c.link = nil
		return "", c.failed(op, c.kind(err), err)
	}
	c.lastReply.Store(time.Now().UnixNano())
	return reply, nil
}

// ready makes sure that there is a connection.
func (c *Client) ready(ctx context.Context) error {
	if c.link != nil && c.link.dead() {
		c.link.close()
		c.link = nil
	}
	if c.link != nil {
		return nil
	}
	if c.refusal != nil && time.Now().Before(c.askAgain) {
		return c.refusal
	}
	ctx, cancel := context.WithTimeout(ctx, c.o.DialTimeout)
	defer cancel()
	defer context.AfterFunc(c.life, cancel)()
	p, err := connect(ctx, c.o)
	c.refusal = nil
	if err != nil {
		if refused(err) {
			c.refusal, c.askAgain = err, time.Now().Add(c.o.BackoffMax)
		}
		return err
	}
	c.link = newLink(c.life, p)
	return nil
}

// refused tells whether the switch turned us away, so that asking again soon only
// fills its log.
func refused(err error) bool {
	return errors.Is(err, ErrPassword) || errors.Is(err, ErrRejected)
}

// yield gives the turn to the next one.
func (c *Client) yield() { <-c.turn }

// kind is what a command that broke off with err is called.
func (c *Client) kind(err error) error {
	switch {
	case c.life.Err() != nil:
		return ErrClosed
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled), errors.Is(err, os.ErrDeadlineExceeded):
		return ErrTimeout
	}
	return kindOr(err, ErrClosed)
}

func (c *Client) failed(op string, kind, err error) error {
	return &Error{Op: op, Addr: c.o.Addr, Kind: kind, Err: err}
}

// apiOp checks an api command line and returns what errors call it: its first
// word, for the rest may hold what is nobody's business.
func apiOp(verb string, apiLine fsapi.Line) (string, error) {
	if apiLine.Op() == "" {
		return "", &Error{Op: verb, Kind: ErrArgument, Err: errors.New("no command, or one of a value that was not checked")}
	}
	if err := CheckLine(apiLine.String()); err != nil {
		return "", err
	}
	return verb + " " + apiLine.Op(), nil
}

// checkWord refuses what is empty or holds a blank where one word is expected.
func checkWord(op, s string) error {
	if s == "" || strings.ContainsAny(s, " \t") {
		return &Error{Op: op, Kind: ErrArgument, Err: errors.New("an identifier that is empty or holds a blank")}
	}
	return CheckLine(s)
}

// apiOutput is an api command's output without the line feed at its end, and the
// error that it stands for, if it stands for one.
func apiOutput(op, addr, output string) (string, error) {
	output = strings.TrimRight(output, "\r\n")
	if strings.HasPrefix(output, "-ERR") || strings.HasPrefix(output, "-USAGE") {
		return output, &Error{Op: op, Addr: addr, Kind: ErrReply, Reply: output}
	}
	return output, nil
}

// accepted is the error in a command's reply, if it is not +OK.
func accepted(op, addr, reply string) error {
	if strings.HasPrefix(reply, "+OK") {
		return nil
	}
	return &Error{Op: op, Addr: addr, Kind: ErrReply, Reply: reply}
}
