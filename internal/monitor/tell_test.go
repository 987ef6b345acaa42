package monitor_test

import (
	"strings"
	"testing"

	"livemon/fsconf"
	"livemon/internal/wire"
)

// heard counts how often a channel was played something.
func (h *house) heard(channel, what string) (n int) {
	for _, f := range h.sim.Played(channel) {
		n += strings.Count(f, what)
	}
	return n
}

// TestKeysAnswer: each key is answered, and nobody but him who pressed it hears that.
func TestKeysAnswer(t *testing.T) {
	h := build(t)
	c := h.call("5550100", "1001")
	s := h.listen("1001", "1002")
	other := h.listen("1001", "1003")
	say := func(keys, what string) {
		t.Helper()
		before := h.heard(s.Channel, what)
		if err := h.sim.Press(s.Channel, keys); err != nil {
			t.Fatal(err)
		}
		h.until(keys+" is answered by "+what, func() bool { return h.heard(s.Channel, what) == before+1 })
	}
	refused := fsconf.RefusalTone()
	say("9#", "say-monitor")
	h.allow(s, wire.Monitor, wire.Coach)
	say("4#", "/coach.wav")
	s = h.await(s.ID, func(s wire.Session) bool { return s.Role == wire.Coach })
	say("9#", "say-coach")
	say("4#", "/coach.wav") // he has it already
	say("46#", refused)
	say("##", refused)
	h.allow(s, wire.Monitor, wire.Coach, wire.Barge)
	say("6#", "/barge.wav")
	h.await(s.ID, func(s wire.Session) bool { return s.Role == wire.Barge })
	say("9#", "say-barge")
	say("7#", "follow-on")
	h.await(s.ID, func(s wire.Session) bool { return s.Follow == wire.FollowAgent })
	say("7#", "follow-off")
	h.await(s.ID, func(s wire.Session) bool { return s.Follow == wire.FollowCall })
	say("7#", "follow-on")
	say("5#", "/monitor.wav")
	for _, ch := range []string{c.A, c.B, other.Channel} {
		if got := h.sim.Played(ch); len(got) != 0 {
			t.Errorf("%s was played %q", h.sim.Number(ch), got)
		}
	}
	h.hangup(c.A)
	h.allow(s, wire.Monitor)
	h.await(s.ID, func(s wire.Session) bool { return s.Status == wire.Waiting })
	say("9#", "say-waiting")
	say("46#", refused)
	say("4#", refused)
	say("7#", "follow-off")
	h.await(s.ID, func(s wire.Session) bool { return s.Follow == wire.FollowNext })
	h.hangup(s.Channel)
	h.ended(s.ID, 0)
	var keys []string
	for _, r := range h.audit(s.ID) {
		if r.Via == "key" && r.Event == "follow" {
			keys = append(keys, r.Detail)
		}
	}
	if got := strings.Join(keys, " "); got != "agent call agent next" {
		t.Errorf("recorded %q", got)
	}
}
