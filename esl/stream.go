package esl

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"
)

// hastenEvery is how often a hastened stream wakes the switch, with a lineFeed,
// which it reads and does not answer.
const hastenEvery = 2 * time.Millisecond

var lineFeed = []byte("\n")

// Stream is one connection's events, in the order in which the switch sent them.
//
// A consumer that is too slow is told so: when more than Options.QueueLimit
// events (or 64 MiB of them) wait to be taken, the stream ends, what is queued is
// dropped, and Next returns an error of kind ErrGap at once; whoever consumes it
// must read the state of the switch anew. Any other end of the connection is
// reported after the events that came before it. A peer that sends nothing for
// one to two Options.Heartbeat is asked for a sign of life, and given up when it
// sends nothing for Options.CommandTimeout more.
type Stream struct {
	peer  *peer
	o     Options
	queue *queue

	heard    atomic.Uint64 // messages received
	hastened atomic.Bool
	changed  chan struct{} // holds a token when hastened may have changed

	over    chan struct{} // closed when the connection has ended
	endOnce sync.Once
	running sync.WaitGroup
}

// DialStream connects, authenticates and subscribes, all within
// Options.DialTimeout. The stream must be closed. It fails as Client's commands
// do; a subscription that the switch refuses is ErrReply.
func DialStream(ctx context.Context, o Options, sub Subscription) (*Stream, error) {
	subscribe, err := sub.command()
	if err != nil {
		return nil, err
	}
	o = o.withDefaults()
	ctx, cancel := context.WithTimeout(ctx, o.DialTimeout)
	defer cancel()
	p, err := connect(ctx, o)
	if err != nil {
		return nil, err
	}
	err = p.within(ctx, func() error {
		reply, err := p.ask(subscribe)
		if err != nil {
			return p.failed("subscribe", err)
		}
		return accepted("subscribe", p.addr, reply)
	})
	if err != nil {
		_ = p.conn.Close()
		return nil, err
	}
	s := &Stream{
		peer: p, o: o, queue: newQueue(o.QueueLimit),
		changed: make(chan struct{}, 1), over: make(chan struct{}),
	}
	p.frames.src.idle = s.queue.wake
	s.running.Go(func() { s.read(newParser(sub.Headers)) })
	s.running.Go(s.keep)
	return s, nil
}

// Next returns the next event. When ctx ends first it returns an error for which
// errors.Is is true with the context's own, and the stream goes on; after any
// other error it is over and must be closed. One goroutine at a time may call it.
func (s *Stream) Next(ctx context.Context) (*Event, error) {
	for {
		if e, err := s.queue.take(); e != nil || err != nil {
			return e, err
		}
		select {
		case <-s.queue.ready:
		case <-ctx.Done():
			return nil, &Error{Op: "next event", Addr: s.peer.addr, Kind: ErrTimeout, Err: ctx.Err()}
		}
	}
}

// Hasten has the switch deliver events within some 2 ms instead of up to 27, by
// waking its connection every 2 ms with a bare line feed. It costs the switch 500
// wake-ups a second: have it on only while it matters.
func (s *Stream) Hasten(on bool) {
	s.hastened.Store(on)
	select {
	case s.changed <- struct{}{}:
	default:
	}
}

// Close ends the stream, drops what is queued and waits for its goroutines. It
// may be called more than once, and returns nil.
func (s *Stream) Close() error {
	s.end(ErrClosed, nil, true)
	s.running.Wait()
	return nil
}

// end ends the connection and says why; the first reason stays.
func (s *Stream) end(kind, err error, discard bool) {
	// The reason goes first: closing the socket makes the reader report one too.
	s.queue.end(&Error{Op: "events", Addr: s.peer.addr, Kind: kind, Err: err}, discard)
	s.endOnce.Do(func() {
		close(s.over)
		_ = s.peer.conn.Close()
	})
}

// read queues events until the connection ends.
func (s *Stream) read(p *parser) {
	for {
		f, err := s.peer.frames.next()
		switch {
		case err != nil:
			s.end(kindOr(err, ErrClosed), err, false)
			return
		case f.kind == frameDisconnect:
			s.end(ErrClosed, errGoodbye, false)
			return
		case f.kind == frameEvent:
			e, err := p.parse(f.body)
			if err != nil {
				s.end(ErrProtocol, err, false)
				return
			}
			if !s.queue.put(e) {
				s.end(ErrGap, nil, true)
				return
			}
		}
		s.heard.Add(1)
	}
}

// keep is the only writer: it asks a silent peer for a sign of life, and hastens.
func (s *Stream) keep() {
	look := time.NewTicker(min(s.o.Heartbeat, s.o.CommandTimeout))
	defer look.Stop()
	hasten := time.NewTicker(hastenEvery)
	defer hasten.Stop()
	hasten.Stop()

	var heard uint64    // of s.heard, when last looked at
	var asked time.Time // for a sign of life that has not come yet
	quiet := time.Now() // since when nothing was heard
	for {
		var err error
		select {
		case <-s.over:
			return
		case <-s.changed:
			if hasten.Stop(); s.hastened.Load() {
				hasten.Reset(hastenEvery)
			}
		case <-hasten.C:
			err = s.peer.writeWithin(s.o.CommandTimeout, lineFeed)
		case now := <-look.C:
			switch n := s.heard.Load(); {
			case n != heard:
				heard, quiet, asked = n, now, time.Time{}
			case asked.IsZero() && now.Sub(quiet) >= s.o.Heartbeat:
				asked = now
				err = s.peer.writeWithin(s.o.CommandTimeout, message(probe))
			case !asked.IsZero() && now.Sub(asked) >= s.o.CommandTimeout:
				s.end(ErrTimeout, errNoSign, false)
				return
			}
		}
		if err != nil {
			s.end(ErrClosed, err, false)
			return
		}
	}
}

var errNoSign = errors.New("no sign of life")
