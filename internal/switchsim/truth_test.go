package switchsim_test

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"livemon/internal/switchsim"
)

func TestTruthOfACall(t *testing.T) {
	s := start(t, switchsim.Options{})
	k := call(t, s, "1000", "1001")
	pass(t, s, 10)
	must(t, s.Hangup("1000", ""))
	wait(t, s, "nobody", func() bool { return len(s.Channels()) == 0 })
	pass(t, s, 2)
	spans := s.Truth()
	if len(spans) != 2 {
		t.Fatalf("%v", spans)
	}
	for i, want := range [][2]string{{k.A, k.B}, {k.B, k.A}} {
		found := false
		for _, sp := range spans {
			if sp.Listener == want[0] && sp.Speaker == want[1] {
				found = true
				if sp.Frames < 8 || sp.To.Sub(sp.From) != time.Duration(sp.Frames)*20*time.Millisecond {
					t.Errorf("span %d: %v", i, sp)
				}
			}
		}
		if !found {
			t.Errorf("no span %v", want)
		}
	}
	s.Reset()
	if got := s.Truth(); len(got) != 0 {
		t.Errorf("after Reset: %v", got)
	}
}

// TestTruthAgreesWithFrames: the spans add up to what OnFrame saw.
func TestTruthAgreesWithFrames(t *testing.T) {
	s := start(t, switchsim.Options{ConferenceXML: recordedConference})
	var mu sync.Mutex
	seen := map[switchsim.Pair]int{}
	remove := s.OnFrame(func(frame []switchsim.Pair) {
		mu.Lock()
		defer mu.Unlock()
		for _, p := range frame {
			seen[p]++
		}
	})
	k := call(t, s, "1000", "1001")
	c := connect(t, s)
	c.want("+OK", "uuid_transfer %s -both conference:lm@livemon inline", k.A)
	c.api("originate user/1002 &conference(lm@livemon)")
	waitHears(t, s, "1000", "1001 1002")
	waitHears(t, s, "1002", "1000 1001")
	must(t, s.Quiet("1001", true))
	pass(t, s, 3)
	must(t, s.Quiet("1001", false))
	pass(t, s, 3)
	c.api("hupall")
	wait(t, s, "nobody", func() bool { return len(s.Channels()) == 0 })
	pass(t, s, 3)
	remove()
	got := map[switchsim.Pair]int{}
	for _, sp := range s.Truth() {
		got[switchsim.Pair{Listener: sp.Listener, Speaker: sp.Speaker}] += sp.Frames
	}
	mu.Lock()
	defer mu.Unlock()
	if len(seen) != 6 || len(got) != len(seen) {
		t.Errorf("%d pairs seen, %d in the truth", len(seen), len(got))
	}
	for p, n := range seen {
		if got[p] != n {
			t.Errorf("%s hears %s: %d frames seen, %d in the truth", s.Number(p.Listener), s.Number(p.Speaker), n, got[p])
		}
	}
}

// TestManyCalls has two thousand channels at once, and somebody who reads it all.
func TestManyCalls(t *testing.T) {
	const calls = 1000
	var users []string
	for i := range 2 * calls {
		users = append(users, fmt.Sprint(10000+i))
	}
	s := start(t, switchsim.Options{Users: users})
	ev := connect(t, s, "CHANNEL_BRIDGE CHANNEL_HANGUP_COMPLETE")
	c := connect(t, s)
	for i := range calls {
		_, err := s.Dial(ctx(t), users[2*i], users[2*i+1])
		must(t, err)
	}
	for range calls {
		ev.until("Event-Name=CHANNEL_BRIDGE")
	}
	if got := len(s.Channels()); got != 2*calls {
		t.Errorf("%d channels", got)
	}
	begun := time.Now()
	pass(t, s, 50)
	t.Logf("50 frames of %d channels: %v", 2*calls, time.Since(begun))
	c.api("hupall")
	for range 2 * calls {
		ev.until("Event-Name=CHANNEL_HANGUP_COMPLETE")
	}
	if got := len(s.Truth()); got != 2*calls {
		t.Errorf("%d spans", got)
	}
}

// TestASlowReaderIsCut: it does not hold up the switch, nor others.
func TestASlowReaderIsCut(t *testing.T) {
	s := start(t, switchsim.Options{})
	const events = 3_000 // of 40 kB each: more than is kept for a connection
	slow := connect(t, s, "CUSTOM my::own")
	c := connect(t, s)
	big := make([]byte, 40_000)
	for i := range big {
		big[i] = 'x'
	}
	for range events {
		c.write("sendevent CUSTOM\nEvent-Subclass: my::own\nX-Big: " + string(big) + "\n\n")
		c.message()
	}
	n := 0
	for {
		if _, _, err := slow.next(); err != nil {
			break
		}
		n++
	}
	if n == 0 || n >= events {
		t.Errorf("%d events reached the slow reader", n)
	}
	c.want("switchsim", "hostname")
}

// BenchmarkCall is a call from its beginning to its end; the switch's own clock
// makes it last 60 ms, so the allocations are what tells.
func BenchmarkCall(b *testing.B) {
	s, err := switchsim.Start(b.Context(), switchsim.Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := s.Call(b.Context(), "1000", "1001"); err != nil {
			b.Fatal(err)
		}
		if err := s.Hangup("1000", ""); err != nil {
			b.Fatal(err)
		}
	}
}
