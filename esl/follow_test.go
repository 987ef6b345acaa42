package esl_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"livemon/esl"
)

// witness is a Handler that reports each call, and whose Resync waits to be told
// how to end.
type witness struct {
	calls  chan string
	lost   chan error
	resync chan error
	ended  chan struct{} // Resync's context ended first
}

func newWitness() *witness {
	return &witness{
		calls: make(chan string, 100), lost: make(chan error, 100),
		resync: make(chan error, 100), ended: make(chan struct{}, 100),
	}
}

func (w *witness) Resync(ctx context.Context) error {
	w.calls <- "resync"
	select {
	case err := <-w.resync:
		return err
	case <-ctx.Done():
		w.ended <- struct{}{}
		return nil // what it returns does not matter now
	}
}

func (w *witness) Event(_ context.Context, e *esl.Event) { w.calls <- e.Get("N") }

func (w *witness) Lost(err error) {
	w.calls <- "lost"
	w.lost <- err
}

// expect waits for calls in this order.
func (w *witness) expect(t *testing.T, want ...string) {
	t.Helper()
	for _, want := range want {
		if got := await(t, w.calls); got != want {
			t.Fatalf("the handler was called with %q, want %q", got, want)
		}
	}
}

// follow runs a follower until the test ends, or stop is called.
func follow(t *testing.T, o esl.Options, w *witness) (f *esl.Follower, stop func()) {
	t.Helper()
	f = esl.NewFollower(o, allTests, w)
	ctx, cancel := context.WithCancel(context.Background())
	done := startErr(func() error { return f.Run(ctx) })
	stopped := false
	stop = func() {
		t.Helper()
		cancel()
		if stopped {
			return
		}
		stopped = true
		if r := await(t, done); r.err != nil {
			t.Error("Run returned", r.err)
		}
	}
	t.Cleanup(stop)
	return f, stop
}

func TestFollowerQueuesEventsDuringResync(t *testing.T) {
	f, w := newFake(t), newWitness()
	_, stop := follow(t, f.options(), w)
	l := f.subscribed()
	w.expect(t, "resync")
	l.numbered(1)
	l.numbered(2)
	w.resync <- nil
	l.numbered(3)
	w.expect(t, "1", "2", "3")
	stop()
	l.expectEnd()
	select {
	case call := <-w.calls:
		t.Fatalf("the end of the context was reported as %q", call)
	default:
	}
}

func TestFollowerComesBack(t *testing.T) {
	f, w := newFake(t), newWitness()
	follow(t, f.options(), w)
	for i := range 5 {
		l := f.subscribed()
		w.expect(t, "resync")
		w.resync <- nil
		l.numbered(i)
		w.expect(t, fmt.Sprint(i))
		_ = l.Close()
		w.expect(t, "lost")
		wantErr(t, await(t, w.lost), esl.ErrClosed)
	}
}

func TestFollowerResyncsAfterGap(t *testing.T) {
	f, w := newFake(t), newWitness()
	o := f.options()
	o.QueueLimit = 3
	follow(t, o, w)
	l := f.subscribed()
	w.expect(t, "resync")
	for i := range 4 {
		l.numbered(i)
	}
	await(t, w.ended)
	w.expect(t, "lost")
	wantErr(t, await(t, w.lost), esl.ErrGap)
	l.expectEnd()

	l = f.subscribed()
	w.expect(t, "resync")
	w.resync <- nil
	l.numbered(9)
	w.expect(t, "9")
}

func TestFollowerLosesStreamDuringResync(t *testing.T) {
	f, w := newFake(t), newWitness()
	follow(t, f.options(), w)
	l := f.subscribed()
	w.expect(t, "resync")
	l.numbered(1) // must not be delivered: nothing is known that it could change
	_ = l.Close()
	await(t, w.ended)
	w.expect(t, "lost")
	wantErr(t, await(t, w.lost), esl.ErrClosed)
	f.subscribed()
	w.expect(t, "resync")
}

func TestFollowerResyncFails(t *testing.T) {
	f, w := newFake(t), newWitness()
	follow(t, f.options(), w)
	l := f.subscribed()
	w.expect(t, "resync")
	l.numbered(1)
	failure := errors.New("the store is away")
	w.resync <- failure
	w.expect(t, "lost")
	if err := await(t, w.lost); !errors.Is(err, failure) {
		t.Fatal(err)
	}
	l.expectEnd()
	f.subscribed()
	w.expect(t, "resync")
}

func TestFollowerRefused(t *testing.T) {
	f, w := newFake(t), newWitness()
	follow(t, f.options(), w)
	for range 3 {
		l := f.accept()
		l.send("Content-Type: auth/request\n\n")
		l.expect("auth " + password)
		l.reply("-ERR invalid")
		w.expect(t, "lost")
		wantErr(t, await(t, w.lost), esl.ErrPassword)
	}
	l := f.accept()
	l.send("Content-Type: text/rude-rejection\nContent-Length: 0\n\n")
	w.expect(t, "lost")
	wantErr(t, await(t, w.lost), esl.ErrRejected)
	f.subscribed()
	w.expect(t, "resync")
}

func TestFollowerStopsDuringPause(t *testing.T) {
	f, w := newFake(t), newWitness()
	o := f.options()
	o.BackoffMin, o.BackoffMax = time.Hour, time.Hour
	_ = f.ln.Close()
	_, stop := follow(t, o, w)
	w.expect(t, "lost")
	wantErr(t, await(t, w.lost), esl.ErrUnreachable)
	stop()
}

func TestFollowerHastensEachStream(t *testing.T) {
	f, w := newFake(t), newWitness()
	follower, _ := follow(t, f.options(), w)
	follower.Hasten(true)
	for range 2 {
		l := f.subscribed()
		for range 3 {
			if s, err := l.r.ReadString('\n'); err != nil || (s != "\n" && s != "\r\n") {
				t.Fatalf("got %q, %v", s, err)
			}
		}
		w.expect(t, "resync")
		_ = l.Close()
		w.expect(t, "lost")
	}
	follower.Hasten(false)
}

func TestFollowerThatCannotWork(t *testing.T) {
	for _, f := range []*esl.Follower{
		esl.NewFollower(esl.Options{}, allTests, newWitness()),
		esl.NewFollower(esl.Options{Addr: "127.0.0.1:1"}, esl.Subscription{}, newWitness()),
		esl.NewFollower(esl.Options{Addr: "127.0.0.1:1", Password: "a\nb"}, allTests, newWitness()),
	} {
		wantErr(t, f.Run(context.Background()), esl.ErrArgument)
	}
}
