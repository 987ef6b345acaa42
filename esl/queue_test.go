package esl

import (
	"errors"
	"strconv"
	"testing"
)

// The ring keeps order over any pattern of putting and taking, and its bounds.
func TestQueue(t *testing.T) {
	q := newQueue(100)
	put, taken := 0, 0
	for round := range 500 {
		for range round % 90 {
			if !q.put(&Event{Name: strconv.Itoa(put)}) {
				break
			}
			put++
		}
		for range round % 70 {
			e, err := q.take()
			if e == nil {
				if err != nil || taken != put {
					t.Fatal("empty too early:", err)
				}
				break
			}
			if e.Name != strconv.Itoa(taken) {
				t.Fatalf("took %s, want %d", e.Name, taken)
			}
			taken++
		}
		if put-taken > 100 {
			t.Fatal(put-taken, "queued")
		}
	}
}

func TestQueueBoundedInBytes(t *testing.T) {
	q := newQueue(100)
	big := &Event{size: queueBytes / 2}
	if !q.put(big) || !q.put(&Event{size: queueBytes / 2}) {
		t.Fatal("no room for what fits")
	}
	if q.put(&Event{size: 1}) {
		t.Fatal("room for more than fits")
	}
	if _, err := q.take(); err != nil || !q.put(big) {
		t.Fatal("no room for what was taken:", err)
	}
	q.end(ErrGap, true)
	q.end(ErrClosed, false)
	if e, err := q.take(); e != nil || !errors.Is(err, ErrGap) {
		t.Fatalf("took %v, %v after the end", e, err)
	}
	if q.put(&Event{}) {
		t.Fatal("room after the end")
	}
}
