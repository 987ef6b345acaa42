package esl

import (
	"context"
	"errors"
	"strings"
	"sync"
	"time"

	"github.com/percipia/eslgo/command"
	"github.com/percipia/eslgo/command/call"

	"livemon/internal/fsapi"
)

// OutboundCall is one call that the switch connected to us and that is ours to
// steer. Its methods may be called from any goroutine; commands take turns. A
// command that was not answered in time, or whose context ended, ends the
// connection: the call then stays parked in the switch.
type OutboundCall struct {
	peer    *peer
	o       OutboundOptions
	headers map[string]string // by name in lower case

	life    context.Context // ends with the connection
	end     context.CancelCauseFunc
	running sync.WaitGroup

	turn    chan struct{} // holds one token while somebody sends a command
	replies chan string   // the reply to the command that was sent

	mu       sync.Mutex
	pending  bool // a command was sent and not answered
	released bool
	waiting  map[string]chan struct{} // closed when the execution of that id is complete
}

// connect has the switch describe the call and send its events.
func (c *OutboundCall) connect() error {
	c.headers = make(map[string]string)
	c.peer.frames.header = func(name, value []byte) {
		if string(value) != undefined {
			c.headers[strings.ToLower(string(name))] = string(appendDecoded(nil, value))
		}
	}
	_, err := c.peer.ask(command.Connect{})
	c.peer.frames.header = nil
	if err == nil && c.Channel() == "" {
		err = errMalformed("no Unique-ID")
	}
	if err != nil {
		return c.failed("connect", kindOr(err, ErrClosed), err)
	}
	reply, err := c.peer.ask(command.MyEvents{Format: "plain"})
	if err != nil {
		return c.failed("connect", kindOr(err, ErrClosed), err)
	}
	return accepted("connect", c.peer.addr, reply)
}

// Channel is the id of the call's channel.
func (c *OutboundCall) Channel() string { return c.Get("Unique-ID") }

// Get returns a header of the call as it was when it arrived, URL-decoded, or "";
// a channel variable is "variable_" and its name.
func (c *OutboundCall) Get(header string) string { return c.headers[strings.ToLower(header)] }

// Execute has the call execute a dialplan application and returns as soon as the
// switch has queued it. An application that does not exist hangs up the call.
func (c *OutboundCall) Execute(ctx context.Context, app fsapi.App) error {
	cmd, err := execution("", app, "")
	if err != nil {
		return err
	}
	return c.order(ctx, "execute "+app.Name(), cmd)
}

// ExecuteWait has the call execute a dialplan application and returns when it has
// ended, or with ErrClosed when the call has. While it waits, a peer that has
// died silently is noticed.
func (c *OutboundCall) ExecuteWait(ctx context.Context, app fsapi.App) error {
	op, id := "execute "+app.Name(), fsapi.NewChannel().String()
	cmd, err := execution("", app, id)
	if err != nil {
		return err
	}
	complete := make(chan struct{})
	c.expect(id, complete)
	defer c.expect(id, nil)
	if err := c.order(ctx, op, cmd); err != nil {
		return err
	}
	heartbeat := time.NewTicker(c.o.Heartbeat)
	defer heartbeat.Stop()
	for {
		select {
		case <-complete:
			return nil
		case <-c.life.Done():
			return c.interrupted(ctx, op)
		case <-ctx.Done():
			return c.interrupted(ctx, op)
		case <-heartbeat.C:
			if _, err := c.send(ctx, op, probe); err != nil {
				return err
			}
		}
	}
}

// Hangup ends the call with a cause, as in "NORMAL_CLEARING".
func (c *OutboundCall) Hangup(ctx context.Context, cause string) error {
	if err := checkWord("hangup", cause); err != nil {
		return err
	}
	return c.order(ctx, "hangup", call.Hangup{Cause: cause})
}

// Release leaves the call to the switch, which goes on with it wherever it was
// sent, by uuid_transfer for one, or keeps it parked. It returns when the switch
// has let go of the connection; every other command fails from then on. A second
// Release does nothing.
func (c *OutboundCall) Release(ctx context.Context) error {
	c.mu.Lock()
	again := c.released
	c.released = true
	c.mu.Unlock()
	if again {
		return nil
	}
	if err := c.order(ctx, "release", command.Exit{}); err != nil {
		return err
	}
	select {
	case <-c.life.Done():
	case <-ctx.Done():
	}
	if c.life.Err() == nil {
		return c.failed("release", ErrTimeout, ctx.Err())
	}
	return nil
}

// close ends the connection and waits for its reader.
func (c *OutboundCall) close() {
	c.kill(ErrClosed)
	c.running.Wait()
}

// kill ends the connection; the first reason stays.
func (c *OutboundCall) kill(reason error) {
	c.end(reason)
	_ = c.peer.conn.Close()
}

// order sends a command whose reply says no more than whether it was accepted.
func (c *OutboundCall) order(ctx context.Context, op string, cmd command.Command) error {
	reply, err := c.send(ctx, op, cmd)
	if err != nil {
		return err
	}
	return accepted(op, c.peer.addr, reply)
}

// send waits for its turn, sends a command and waits for the reply.
func (c *OutboundCall) send(ctx context.Context, op string, cmd command.Command) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, c.o.CommandTimeout)
	defer cancel()
	select {
	case c.turn <- struct{}{}:
		defer func() { <-c.turn }()
	case <-ctx.Done():
	case <-c.life.Done():
	}
	if c.life.Err() != nil || ctx.Err() != nil {
		return "", c.interrupted(ctx, op)
	}
	stop := context.AfterFunc(ctx, func() { c.kill(errAbandoned) })
	defer stop()
	c.await(true)
	if err := c.peer.writeWithin(c.o.CommandTimeout, message(cmd)); err != nil {
		c.kill(err)
	}
	select {
	case reply := <-c.replies:
		return reply, nil
	case <-c.life.Done():
	}
	select {
	case reply := <-c.replies: // it came, and then the end
		return reply, nil
	default:
	}
	if errors.Is(context.Cause(c.life), errAbandoned) {
		return "", c.failed(op, ErrTimeout, ctx.Err())
	}
	return "", c.ended(op)
}

// read takes what the switch sends until the connection ends.
func (c *OutboundCall) read() {
	p := newParser([]string{"Application-UUID"})
	for {
		f, err := c.peer.frames.next()
		switch {
		case err != nil:
		case f.kind == frameDisconnect && !f.lingering:
			err = errGoodbye
		case f.kind == frameAPI:
			err = errMalformed("an answer to an api command, which is not sent here")
		case f.kind == frameReply:
			if c.await(false) {
				c.replies <- f.text()
			} else {
				err = errMalformed("a reply that no command was sent for")
			}
		case f.kind == frameEvent:
			var e *Event
			if e, err = p.parse(f.body); err == nil && e.Name == "CHANNEL_EXECUTE_COMPLETE" {
				c.complete(e.Get("Application-UUID"))
			}
		}
		if err != nil {
			c.kill(err)
			return
		}
	}
}

// await notes whether a reply is awaited from now on, and tells whether one was.
func (c *OutboundCall) await(now bool) (before bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	before, c.pending = c.pending, now
	return before
}

// expect notes what to close when the execution is complete, or with nil forgets.
func (c *OutboundCall) expect(id string, complete chan struct{}) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if complete == nil {
		delete(c.waiting, id)
		return
	}
	c.waiting[id] = complete
}

// complete wakes whoever waits for the execution.
func (c *OutboundCall) complete(id string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if complete, ok := c.waiting[id]; ok {
		close(complete)
		delete(c.waiting, id)
	}
}

// interrupted is the error of a wait that the connection's end or ctx's cut short.
// A handler's context ends with the connection, so that goes first.
func (c *OutboundCall) interrupted(ctx context.Context, op string) error {
	if c.life.Err() != nil {
		return c.ended(op)
	}
	return c.failed(op, ErrTimeout, ctx.Err())
}

// ended is the error of a command when the connection has ended, or the server.
func (c *OutboundCall) ended(op string) error {
	cause := context.Cause(c.life)
	if errors.Is(cause, ErrClosed) {
		cause = nil
	}
	return c.failed(op, kindOr(cause, ErrClosed), cause)
}

func (c *OutboundCall) failed(op string, kind, err error) error {
	return &Error{Op: op, Addr: c.peer.addr, Kind: kind, Err: err}
}

// execution is the command by which a channel, or with "" the one that the
// connection belongs to, executes an application. id marks its events.
func execution(channel string, app fsapi.App, id string) (command.Command, error) {
	if err := checkWord("execute", app.Name()); err != nil {
		return nil, err
	}
	if err := CheckLine(app.Arg()); err != nil {
		return nil, err
	}
	return &call.Execute{UUID: channel, AppName: app.Name(), AppArgs: app.Arg(), AppUUID: id}, nil
}
