package tracker_test

import (
	"fmt"
	"runtime"
	"testing"

	"livemon/esl"
	"livemon/internal/tracker"
)

// load2000 returns a tracker of a node with 2,000 agents.
func load2000(tb testing.TB) (*tracker.Tracker, *model) {
	var users []string
	for i := range 2000 {
		users = append(users, fmt.Sprint(10000+i))
	}
	m := newModel(users...)
	tr := tracker.New("node1", ours)
	if _, err := tr.Load(m.snapshot()); err != nil {
		tb.Fatal(err)
	}
	return tr, m
}

// callEvents are the events of one call to each of the agents, from its
// beginning to its end, with a move into a room of ours.
func callEvents(m *model) []*esl.Event {
	for i, user := range m.users {
		u := m.create(fmt.Sprintf("u%031d", i), tracker.Inbound, "", "0044555", "600")
		a := m.create(fmt.Sprintf("a%031d", i), tracker.Outbound, ext(user), user, "0044555")
		m.bridge(u, a)
		m.join("lm-1", u, a)
		m.bridge(u, a)
		m.hangup(a)
		m.hangup(u)
	}
	return m.sent
}

func BenchmarkApply(b *testing.B) {
	tr, m := load2000(b)
	events := callEvents(m)
	b.ReportAllocs()
	b.ResetTimer()
	for i := range b.N {
		tr.Apply(events[i%len(events)])
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)*float64(len(events)/2000)*200/1e9*100, "%core@200calls/s")
}

func BenchmarkLoad(b *testing.B) {
	tr, m := load2000(b)
	s := m.snapshot()
	b.ReportAllocs()
	b.ResetTimer()
	for range b.N {
		if _, err := tr.Load(s); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkMemory reports what 2,000 agents, each on a call, take.
func BenchmarkMemory(b *testing.B) {
	var before, after runtime.MemStats
	for range b.N {
		m := newModel()
		runtime.GC()
		runtime.ReadMemStats(&before)
		tr := tracker.New("node1", ours)
		m.handle = func(e *esl.Event) { tr.Apply(e) }
		for i := range 2000 {
			user := fmt.Sprint(10000 + i)
			tr.SetUser(ext(user), true)
			u := &channel{id: fmt.Sprintf("u%031d", i), dir: tracker.Inbound, number: "0044555", dest: "600"}
			a := &channel{id: fmt.Sprintf("a%031d", i), dir: tracker.Outbound, presence: ext(user), number: user, dest: "0044555"}
			m.send("CHANNEL_CREATE", u)
			m.send("CHANNEL_CREATE", a)
			m.bridge(u, a)
			m.sent = nil
		}
		runtime.GC()
		runtime.ReadMemStats(&after)
		b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/1e6, "MB/2000calls")
		runtime.KeepAlive(tr)
		runtime.KeepAlive(m)
	}
}
