package esl

import (
	"context"
	"sync"
	"time"
)

// Handler is who a [Follower] works for. Its methods are called from one
// goroutine, one after the other.
type Handler interface {
	// Resync reads the state of the switch anew. The events that happen meanwhile
	// queue up and follow, so that nothing is missed; some of them may tell what
	// was read already. Its ctx ends with the stream: there is no use in going on.
	// An error counts as the loss of the stream.
	Resync(ctx context.Context) error
	// Event takes the next event, after Resync has returned nil.
	Event(ctx context.Context, e *Event)
	// Lost says that the stream has ended or could not be opened, and that events
	// are being missed from here on, until the next Resync. It is called once an
	// attempt.
	Lost(err error)
}

// Follower keeps a stream of a node's events open.
type Follower struct {
	o   Options
	sub Subscription
	h   Handler

	mu       sync.Mutex
	hastened bool
	stream   *Stream // the one that is open
}

// NewFollower returns a Follower, which does nothing until Run.
func NewFollower(o Options, sub Subscription, h Handler) *Follower {
	return &Follower{o: o.withDefaults(), sub: sub, h: h}
}

// Run opens a stream, has the handler Resync, and gives it each event in order;
// whenever that fails, or the stream ends, it tells the handler, pauses (see
// Options.BackoffMin and BackoffMax; a switch that refuses password or address is
// asked again only every BackoffMax) and begins anew. It returns nil once ctx has
// ended, without a last call of Lost, and at once with ErrArgument if options or
// subscription cannot work. It must not be called twice at the same time.
func (f *Follower) Run(ctx context.Context) error {
	if err := f.o.check(); err != nil {
		return err
	}
	if _, err := f.sub.command(); err != nil {
		return err
	}
	pauses := f.o.pauses()
	for {
		begun := time.Now()
		err := f.follow(ctx)
		if ctx.Err() != nil {
			return nil
		}
		f.h.Lost(err)
		if time.Since(begun) > f.o.BackoffMax {
			pauses.Reset()
		}
		pause := pauses.NextBackOff()
		if refused(err) {
			pause = f.o.BackoffMax
		}
		f.o.Logger.Warn("no events from the switch", "addr", f.o.Addr, "error", err, "again_in", pause)
		if !wait(ctx, pause) {
			return nil
		}
	}
}

// Hasten has the switch deliver sooner, see [Stream.Hasten]: over the stream that
// is open, and those that replace it.
func (f *Follower) Hasten(on bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.hastened = on
	if f.stream != nil {
		f.stream.Hasten(on)
	}
}

// follow follows one stream to its end.
func (f *Follower) follow(ctx context.Context) error {
	s, err := DialStream(ctx, f.o, f.sub)
	if err != nil {
		return err
	}
	f.use(s)
	defer func() {
		f.use(nil)
		_ = s.Close()
	}()
	if err := f.resync(ctx, s); err != nil {
		return err
	}
	f.o.Logger.Info("following the switch's events", "addr", f.o.Addr)
	for {
		e, err := s.Next(ctx)
		if err != nil {
			return err
		}
		f.h.Event(ctx, e)
	}
}

// use makes s the stream that is open, or nil none.
func (f *Follower) use(s *Stream) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.stream = s
	if s != nil && f.hastened {
		s.Hasten(true)
	}
}

// resync has the handler resync, for as long as the stream lives. When it ended
// meanwhile, that is the error, whatever the handler made of it.
func (f *Follower) resync(ctx context.Context, s *Stream) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var watch sync.WaitGroup
	watch.Go(func() {
		select {
		case <-s.over:
			cancel()
		case <-ctx.Done():
		}
	})
	err := f.h.Resync(ctx)
	cancel()
	watch.Wait()
	if ended := s.queue.ended(); ended != nil {
		return ended
	}
	return err
}

// wait pauses, and tells whether ctx let it.
func wait(ctx context.Context, pause time.Duration) bool {
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
