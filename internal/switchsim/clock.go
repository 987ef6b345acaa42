package switchsim

import (
	"container/heap"
	"sort"
	"time"
)

// stall is how late the switch may be run before its clock stands still. What is
// late by less happens later, but at its own time.
const stall = 40 * time.Millisecond

// maxPauses is how many pauses of the clock are remembered for Clock.
const maxPauses = 10_000

// pause is a time in which the switch was not run, and its clock stood still.
type pause struct {
	end time.Time     // by the machine's clock
	lag time.Duration // how far the switch's clock has been behind the machine's since then
}

// task is something that happens at a time of the switch's own clock.
type task struct {
	at    time.Time
	seq   uint64 // tasks of one moment run in the order in which they were made
	run   func()
	index int // in the heap, -1 when it is not there
}

type taskHeap []*task

func (h taskHeap) Len() int { return len(h) }
func (h taskHeap) Less(i, j int) bool {
	if h[i].at.Equal(h[j].at) {
		return h[i].seq < h[j].seq
	}
	return h[i].at.Before(h[j].at)
}
func (h taskHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].index, h[j].index = i, j
}
func (h *taskHeap) Push(x any) {
	t := x.(*task)
	t.index = len(*h)
	*h = append(*h, t)
}
func (h *taskHeap) Pop() any {
	old := *h
	t := old[len(old)-1]
	old[len(old)-1] = nil
	*h = old[:len(old)-1]
	t.index = -1
	return t
}

// lock takes the switch and brings its clock to the present: whatever was due
// before has happened when lock returns, each thing at its own time and in order.
// For as long as the machine does not run the switch, the clock stands still. The
// switch's clients were not run either: a clock that leapt over such a pause would
// take from them the time to do what they have to do in between, and a switch whose
// frames take longer to compute than they last would never catch up.
func (s *Switch) lock() {
	s.mu.Lock()
	now := time.Now()
	due := s.seen
	if s.armed.After(due) {
		due = s.armed
	}
	if late := now.Sub(due) - stall; late > 0 {
		s.lag += late
		if len(s.pauses) >= maxPauses {
			s.pauses = append(s.pauses[:0:0], s.pauses[maxPauses/2:]...)
		}
		s.pauses = append(s.pauses, pause{now, s.lag})
	}
	s.seen = now
	s.advance(now.Add(-s.lag))
}

// Clock is what the switch's clock, by which Truth and the events go, showed at a
// moment of the machine's clock. They differ by the time in which the switch was
// not run.
func (s *Switch) Clock(at time.Time) time.Time {
	s.lock()
	defer s.unlock()
	i := sort.Search(len(s.pauses), func(i int) bool { return s.pauses[i].end.After(at) })
	shown := at
	if i > 0 {
		shown = at.Add(-s.pauses[i-1].lag)
	}
	if i < len(s.pauses) {
		if stood := s.pauses[i].end.Add(-s.pauses[i].lag); shown.After(stood) {
			shown = stood
		}
	}
	return shown
}

func (s *Switch) unlock() {
	wake := len(s.tasks) > 0 && s.tasks[0].at.Add(s.lag).Before(s.armed)
	s.mu.Unlock()
	if wake {
		select {
		case s.wake <- struct{}{}:
		default:
		}
	}
}

func (s *Switch) advance(to time.Time) {
	for len(s.tasks) > 0 && !s.tasks[0].at.After(to) {
		t := heap.Pop(&s.tasks).(*task)
		s.now = t.at
		t.run()
	}
	if to.After(s.now) {
		s.now = to
	}
}

// after lets run happen d after the present of the switch's clock. The switch is
// locked when it is called, and when run is.
func (s *Switch) after(d time.Duration, run func()) *task {
	s.taskSeq++
	t := &task{at: s.now.Add(d), seq: s.taskSeq, run: run}
	heap.Push(&s.tasks, t)
	return t
}

// forget takes a task back. A nil task, and one that has run, are no error.
func (s *Switch) forget(t *task) {
	if t != nil && t.index >= 0 {
		heap.Remove(&s.tasks, t.index)
	}
}

// loop runs the tasks until the switch is closed.
func (s *Switch) loop() {
	defer s.wg.Done()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-s.ctx.Done():
			return
		case <-timer.C:
		case <-s.wake:
		}
		s.lock()
		next := time.Hour
		if len(s.tasks) > 0 {
			next = time.Until(s.tasks[0].at.Add(s.lag))
		}
		s.armed = time.Now().Add(next)
		s.mu.Unlock()
		timer.Reset(next)
	}
}
