package esl

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"sync"
	"time"
)

// OutboundOptions are how calls are taken that the switch connects to us. The
// zero value of every field stands for the default that its comment gives.
type OutboundOptions struct {
	MaxCalls       int           // calls at the same time; 500
	ConnectTimeout time.Duration // for the switch to say which call it is; 5 s
	CommandTimeout time.Duration // for one command's reply; 5 s
	Heartbeat      time.Duration // how often the peer is asked for a sign of life during ExecuteWait; 5 s
	Logger         *slog.Logger  // slog.Default()
}

const defaultMaxCalls = 500

func (o OutboundOptions) withDefaults() OutboundOptions {
	if o.MaxCalls <= 0 {
		o.MaxCalls = defaultMaxCalls
	}
	o.ConnectTimeout = positive(o.ConnectTimeout, defaultTimeout)
	o.CommandTimeout = positive(o.CommandTimeout, defaultTimeout)
	o.Heartbeat = positive(o.Heartbeat, defaultTimeout)
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	return o
}

// maxRefusals is how many calls above MaxCalls are being refused at the same
// time. The next one waits in the listener's backlog.
const maxRefusals = 16

// ServeOutbound takes the calls that a dialplan sends to ln with "socket
// host:port async", and runs h for each in a goroutine of its own. h's
// context ends with ctx, or when the call's connection does; the call can still be
// hung up or released then, under a context that has not ended. When h returns,
// the call is left to the switch as by [OutboundCall.Release].
//
// A call above OutboundOptions.MaxCalls is hung up with SWITCH_CONGESTION.
//
// When ctx ends, ServeOutbound closes ln, waits until every h has returned, and
// returns nil. It returns an error only when ln fails, after the same wait.
//
// The switch does not authenticate itself: whoever can connect to ln is taken for
// one. Let ln listen where only the switch can.
func ServeOutbound(ctx context.Context, ln net.Listener, o OutboundOptions, h func(ctx context.Context, c *OutboundCall)) error {
	o = o.withDefaults()
	s := &outboundServer{
		o: o, h: h,
		calls:    make(chan struct{}, o.MaxCalls),
		refusals: make(chan struct{}, maxRefusals),
	}
	ctx, cancel := context.WithCancel(ctx)
	closed := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(closed)
		_ = ln.Close()
	})
	err := s.accept(ctx, ln)
	if stop() {
		_ = ln.Close()
	} else {
		<-closed
	}
	cancel()
	s.running.Wait()
	return err
}

type outboundServer struct {
	o        OutboundOptions
	h        func(ctx context.Context, c *OutboundCall)
	calls    chan struct{} // a token for each call being served
	refusals chan struct{} // a token for each call being refused
	running  sync.WaitGroup
}

// accept accepts connections until ctx ends or the listener fails.
func (s *outboundServer) accept(ctx context.Context, ln net.Listener) error {
	for {
		conn, err := ln.Accept()
		switch {
		case ctx.Err() != nil:
			if err == nil {
				_ = conn.Close()
			}
			return nil
		case errors.Is(err, net.ErrClosed):
			return &Error{Op: "accept", Addr: ln.Addr().String(), Kind: ErrClosed, Err: err}
		case err != nil:
			// Out of descriptors, most likely: calls that end make room.
			s.o.Logger.Warn("cannot accept a call", "error", err)
			wait(ctx, defaultBackoffMin)
			continue
		}
		select {
		case s.calls <- struct{}{}:
			s.running.Go(func() {
				defer func() { <-s.calls }()
				s.serve(ctx, conn)
			})
			continue
		default:
		}
		select {
		case s.refusals <- struct{}{}:
			s.running.Go(func() {
				defer func() { <-s.refusals }()
				s.refuse(ctx, conn)
			})
		case <-ctx.Done():
			_ = conn.Close()
		}
	}
}

// serve runs the handler for one call.
func (s *outboundServer) serve(ctx context.Context, conn net.Conn) {
	c, err := s.call(ctx, conn)
	if err != nil {
		s.o.Logger.Warn("an outbound connection that is no call", "error", err)
		return
	}
	defer c.close()
	handling, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(c.life, cancel)()
	s.h(handling, c)
	ctx, cancel = context.WithTimeout(context.WithoutCancel(ctx), s.o.CommandTimeout)
	defer cancel()
	if err := c.Release(ctx); err != nil && !errors.Is(err, ErrClosed) {
		s.o.Logger.Warn("a call was not given back in due form", "channel", c.Channel(), "error", err)
	}
}

// refuse hangs up one call.
func (s *outboundServer) refuse(ctx context.Context, conn net.Conn) {
	c, err := s.call(ctx, conn)
	if err != nil {
		s.o.Logger.Warn("an outbound connection that is no call", "error", err)
		return
	}
	defer c.close()
	s.o.Logger.Warn("too many calls", "channel", c.Channel(), "limit", s.o.MaxCalls)
	if err := c.Hangup(ctx, "SWITCH_CONGESTION"); err != nil && !errors.Is(err, ErrClosed) {
		s.o.Logger.Warn("a call could not be refused", "channel", c.Channel(), "error", err)
	}
}

// call asks a new connection which call it is.
func (s *outboundServer) call(ctx context.Context, conn net.Conn) (*OutboundCall, error) {
	p := newPeer(conn, conn.RemoteAddr().String())
	c := &OutboundCall{
		peer: p, o: s.o,
		turn: make(chan struct{}, 1), replies: make(chan string, 1),
		waiting: make(map[string]chan struct{}),
	}
	connecting, cancel := context.WithTimeout(ctx, s.o.ConnectTimeout)
	defer cancel()
	if err := p.within(connecting, c.connect); err != nil {
		_ = conn.Close()
		return nil, err
	}
	c.life, c.end = context.WithCancelCause(context.WithoutCancel(ctx))
	c.running.Go(c.read)
	return c, nil
}
