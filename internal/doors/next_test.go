package doors_test

import (
	"slices"
	"strings"
	"testing"

	"livemon/internal/fault"
	"livemon/internal/wire"
)

// TestTransferredIsRecorded has a customer be transferred to an agent whom those who follow
// him may not listen to.
func TestTransferredIsRecorded(t *testing.T) {
	t.Parallel()
	h := build(t, func(o *options) { o.cfg.FollowTransfers = true })
	h.account("sue", func(c *wire.AccountChange) { c.Rights, c.Agents = ptr(wire.Actions()), ptr([]string{"1001"}) })
	c := h.call("5550100", "1001")
	x := h.listens("sue", "1001", "1002")
	h.rest()
	h.must(h.sim.BlindTransfer(c.B, "1003"))
	leg := h.sim.Leg("1002")
	if x = h.await(x.ID, func(x wire.Session) bool {
		if slices.Contains(h.hears(leg), "1003") {
			t.Error("she hears the other agent")
		}
		return ended(x)
	}); x.Code != int(fault.NotAllowed) || strings.Contains(x.Reason, "1003") {
		t.Errorf("%+v", x)
	}
	h.recorded("the refusal", func(r wire.AuditRecord) bool {
		return r.Event == "refused" && r.Session == x.ID && r.Agent == "1003@"+domain
	})
}

// TestNewcomersAreTold has somebody come into a conference whose parties are to
// be told that somebody listens.
func TestNewcomersAreTold(t *testing.T) {
	t.Parallel()
	h := build(t)
	_, err := h.people.AddTeam(wire.WithActor(t.Context(), operator), wire.Team{Name: "support", Agents: []string{"1001"}, Notice: wire.Notice{Kind: wire.NoticeAll}})
	h.must(err)
	h.account("sue", func(c *wire.AccountChange) { c.Rights, c.Teams = ptr(wire.Actions()), ptr([]string{"support"}) })
	legs, err := h.sim.Conference(t.Context(), "meeting", "1001", "1004")
	h.must(err)
	h.onCall("1001")
	h.listens("sue", "1001", "1002")
	told := func(leg string) bool {
		return slices.ContainsFunc(h.sim.Played(leg), func(f string) bool { return strings.Contains(f, "tone_stream") })
	}
	if !told(legs[0]) || !told(legs[1]) {
		t.Errorf("%q, %q", h.sim.Played(legs[0]), h.sim.Played(legs[1]))
	}
	more, err := h.sim.Conference(t.Context(), "meeting", "1005")
	h.must(err)
	n := 0
	_ = h.sim.Until(t.Context(), func() bool { n++; return n > 150 || told(more[0]) })
	if !told(more[0]) {
		t.Errorf("who came later is not told that somebody listens: he was played %q", h.sim.Played(more[0]))
	}
}
