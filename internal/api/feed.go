package api

import (
	"context"
	"fmt"
	"runtime/debug"
	"sync"
	"time"
)

// feed reads one list for all event streams at once, and only while there are
// any: at each change, but not more often than once in minInterval. So what it
// costs to read and compare the list does not grow with the readers, and a reader
// that is slow finds what is so by then, however much has happened in between.
type feed[T any] struct {
	changed func() <-chan struct{} // closed at the next change
	// read returns the list as it is now, by the one before, and whether it differs.
	read func(ctx context.Context, before T) (now T, differs bool, err error)

	mu      sync.Mutex
	readers int
	end     context.CancelFunc // ends the goroutine that reads
	over    chan struct{}      // closed when it has ended
	now     T
	known   bool  // it has been read at least once, or could not be
	err     error // why the last reading failed
	news    chan struct{}
}

func newFeed[T any](changed func() <-chan struct{}, read func(context.Context, T) (T, bool, error)) *feed[T] {
	return &feed[T]{changed: changed, read: read, news: make(chan struct{})}
}

// join has the list read until leave is called, which returns when nothing runs
// any more that only this reader needed.
func (f *feed[T]) join() (leave func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.readers++
	if f.readers == 1 {
		var none T
		f.now, f.known, f.err = none, false, nil
		ctx, cancel := context.WithCancel(context.Background())
		over := make(chan struct{})
		f.end, f.over = cancel, over
		go func() {
			defer close(over)
			f.run(ctx)
		}()
	}
	return f.leave
}

func (f *feed[T]) leave() {
	f.mu.Lock()
	f.readers--
	if f.readers > 0 {
		f.mu.Unlock()
		return
	}
	f.end()
	over := f.over
	f.mu.Unlock()
	<-over
}

// get returns what was read last, or why that failed; known is false until the
// first time. news is closed when that is no longer so.
func (f *feed[T]) get() (now T, known bool, news <-chan struct{}, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.now, f.known, f.news, f.err
}

func (f *feed[T]) run(ctx context.Context) {
	var last T
	for {
		changed := f.changed()
		now, differs, err := f.safely(ctx, last)
		if err == nil {
			last = now
		}
		if !f.publish(ctx, now, differs, err) {
			return
		}
		pause := minInterval
		if err != nil {
			pause = retryAfter
		}
		if !rest(ctx, pause) {
			return
		}
		if err != nil {
			continue
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return
		}
	}
}

// safely makes a panic of the service a failure to read: it must not end the process.
func (f *feed[T]) safely(ctx context.Context, last T) (now T, differs bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("panic: %v\n%s", v, debug.Stack())
		}
	}()
	return f.read(ctx, last)
}

// publish tells the readers, and whether there are any left.
func (f *feed[T]) publish(ctx context.Context, now T, differs bool, err error) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if ctx.Err() != nil {
		return false // there may be another goroutine by now
	}
	first, healed, failed := !f.known, f.err != nil && err == nil, f.err == nil && err != nil
	f.known, f.err = true, err
	if err == nil {
		f.now = now
	}
	if first || healed || failed || err == nil && differs {
		close(f.news)
		f.news = make(chan struct{})
	}
	return true
}

// rest waits for d and tells whether ctx still goes on.
func rest(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
