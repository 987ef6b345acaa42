package esl

import "sync"

// queueBytes is how much memory the events queued in one stream may take.
const queueBytes = 64 << 20

// queue hands events from the goroutine that reads the socket to the one that
// consumes them, in order, and is bounded in events and in bytes.
type queue struct {
	limit int
	ready chan struct{} // holds a token when there may be something to take

	mu     sync.Mutex
	events []*Event // a ring
	first  int
	length int
	bytes  int
	err    error // why no more will come
}

func newQueue(limit int) *queue {
	return &queue{limit: limit, ready: make(chan struct{}, 1)}
}

// put appends an event and tells whether there was room for it. Whoever puts must
// wake the consumer before it waits for more to put: once for as many events as
// have come together, for each wake-up costs more than the event.
func (q *queue) put(e *Event) bool {
	q.mu.Lock()
	if q.err != nil || q.length >= q.limit || q.bytes+e.size > queueBytes {
		q.mu.Unlock()
		return false
	}
	if q.length == len(q.events) {
		q.grow()
	}
	q.events[(q.first+q.length)%len(q.events)] = e
	q.length++
	q.bytes += e.size
	q.mu.Unlock()
	return true
}

// grow doubles the ring.
func (q *queue) grow() {
	bigger := make([]*Event, max(64, 2*len(q.events)))
	n := copy(bigger, q.events[q.first:])
	copy(bigger[n:], q.events[:q.first])
	q.events, q.first = bigger, 0
}

// end says that no more will come, and why; the first reason stays. With discard,
// what is queued is dropped, so that the reason is the next thing taken.
func (q *queue) end(err error, discard bool) {
	q.mu.Lock()
	if q.err == nil {
		q.err = err
		if discard {
			q.events, q.first, q.length, q.bytes = nil, 0, 0, 0
		}
	}
	q.mu.Unlock()
	q.wake()
}

// take returns the oldest event; when there is none, nil and why there will not
// be one either, or nil if there may.
func (q *queue) take() (*Event, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.length == 0 {
		return nil, q.err
	}
	e := q.events[q.first]
	q.events[q.first] = nil
	q.first = (q.first + 1) % len(q.events)
	q.length--
	q.bytes -= e.size
	return e, nil
}

// ended says why no more events will come, or nil while they may.
func (q *queue) ended() error {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.err
}

// wake lets a waiting consumer look again.
func (q *queue) wake() {
	select {
	case q.ready <- struct{}{}:
	default:
	}
}
