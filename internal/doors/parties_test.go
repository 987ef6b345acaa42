package doors_test

import (
	"slices"
	"strings"
	"testing"

	"livemon/internal/fault"
	"livemon/internal/switchsim"
	"livemon/internal/wire"
)

// TestOtherParties asks to listen to an agent who talks with somebody who must not
// be listened to: whom nobody may listen to, and a superior.
func TestOtherParties(t *testing.T) {
	t.Parallel()
	for what, meet := range map[string]func(*house){
		"on a call":             func(h *house) { h.must(second(h.sim.Call(h.t.Context(), "1009", "1001"))) },
		"called by the agent":   func(h *house) { h.must(second(h.sim.Call(h.t.Context(), "1001", "1009"))) },
		"in a conference":       func(h *house) { h.must(second(h.sim.Conference(h.t.Context(), "meeting", "1001", "1004", "1009"))) },
		"first in a conference": func(h *house) { h.must(second(h.sim.Conference(h.t.Context(), "meeting", "1009", "1001", "1004"))) },
		"alone in a conference": func(h *house) { h.must(second(h.sim.Conference(h.t.Context(), "meeting", "1009", "1001"))) },
	} {
		for who, superior := range map[string]bool{"whom nobody may listen to": false, "a superior": true} {
			t.Run(who+" "+what, func(t *testing.T) {
				t.Parallel()
				h := build(t, func(o *options) {
					if !superior {
						o.access.Never.Agents = []string{"1009"}
					}
				})
				h.account("sue", func(c *wire.AccountChange) { c.Rights, c.Agents = ptr(wire.Actions()), ptr([]string{"1001"}) })
				if superior {
					h.account("boss", func(c *wire.AccountChange) { c.Rank, c.Extension = ptr(90), ptr("1009") })
				}
				meet(h)
				h.onCall("1001")
				h.rest()
				h.quiet("listening", func() {
					_, err := h.svc.StartSession(h.as("sue"), wire.MonitorRequest{Agent: "1001", Phone: "1002", Coaching: true})
					if fault.Of(err) != fault.NotAllowed {
						t.Errorf("%v", err)
					}
				})
				h.recorded("the refusal", func(r wire.AuditRecord) bool {
					return r.Event == "refused" && r.Actor == "sue" && r.Agent == "1001@"+domain && r.Detail != "" && r.Origin != ""
				})
			})
		}
	}
}

func second[T any](_ T, err error) error { return err }

// TestNewcomers has somebody who must not be listened to come into a conference
// that two supervisors listen to, of whom one may listen to him: the other goes.
func TestNewcomers(t *testing.T) {
	t.Parallel()
	h := build(t)
	h.account("sue", func(c *wire.AccountChange) { c.Rights, c.Agents = ptr(wire.Actions()), ptr([]string{"1001"}) })
	h.account("boss", func(c *wire.AccountChange) {
		c.Rights, c.Agents, c.Rank = ptr(wire.Actions()), ptr([]string{"*"}), ptr(90)
	})
	h.account("lead", func(c *wire.AccountChange) { c.Rank, c.Extension = ptr(50), ptr("1009") })
	_, err := h.sim.Conference(t.Context(), "meeting", "1001", "1004")
	h.must(err)
	h.onCall("1001")
	mine, theirs := h.listens("sue", "1001", "1002"), h.listens("boss", "1001", "1003")
	_, err = h.sim.Conference(t.Context(), "meeting", "1009")
	h.must(err)
	x := h.await(mine.ID, ended)
	if x.Code != int(fault.NotAllowed) {
		t.Errorf("%+v", x)
	}
	h.until("the boss goes on", func() bool { return slices.Equal(h.hears(theirs.Channel), []string{"1001", "1004", "1009"}) })
	h.recorded("the refusal", func(r wire.AuditRecord) bool {
		return r.Event == "refused" && r.Session == mine.ID && r.Code == int(fault.NotAllowed)
	})
}

// TestFollowedCalls has supervisors follow an agent to calls that they may not
// listen to: they hear nothing of them.
func TestFollowedCalls(t *testing.T) {
	t.Parallel()
	h := build(t, func(o *options) { o.access.Never.Agents, o.access.Never.Numbers = []string{"1009"}, []string{"*0110"} })
	h.account("sue", func(c *wire.AccountChange) { c.Rights, c.Agents = ptr(wire.Actions()), ptr([]string{"1001"}) })
	x, err := h.svc.StartSession(h.as("sue"), wire.MonitorRequest{Agent: "1001", Phone: "1002", Follow: wire.FollowAgent})
	h.must(err)
	x = h.await(x.ID, func(x wire.Session) bool { return x.Status == wire.Waiting })
	for what, begin := range map[string]func() (switchsim.Call, error){
		"the number": func() (switchsim.Call, error) { return h.sim.CallFrom(t.Context(), "5550110", "1001") },
		"the agent":  func() (switchsim.Call, error) { return h.sim.Call(t.Context(), "1009", "1001") },
	} {
		before := len(h.records())
		c, err := begin()
		h.must(err)
		h.until(what+" is refused", func() bool {
			list := h.records()
			return slices.ContainsFunc(list[before:], func(r wire.AuditRecord) bool {
				return r.Event == "refused" && r.Session == x.ID && strings.Contains(r.Detail, "nobody may")
			})
		})
		h.frames(10)
		if got := h.hears(x.Channel); len(got) != 0 {
			t.Errorf("%s: he hears %v", what, got)
		}
		h.must(h.sim.Hangup(c.A, ""))
		h.until("the call is over", func() bool { return h.sim.Leg("1001") == "" })
	}
	c := h.call("5550100", "1001")
	h.until("the next call is listened to", func() bool { return slices.Equal(h.hears(x.Channel), []string{"1001", "5550100"}) })
	h.must(h.sim.Hangup(c.A, ""))
	h.await(x.ID, func(x wire.Session) bool { return x.Status == wire.Waiting })
	// What is taken away while he waits ends the waiting.
	h.edit("sue", wire.AccountChange{Rights: &[]wire.Action{wire.ActionCoach}})
	if x = h.await(x.ID, ended); x.Code != int(fault.NotAllowed) {
		t.Errorf("%+v", x)
	}
}

// TestImpostor connects to the socket for supervisors who dial in as if it were
// the switch, in the name of an account and with a leg that has dialled nothing.
func TestImpostor(t *testing.T) {
	t.Parallel()
	h := build(t, func(o *options) { o.cfg.TrustCallerID = true })
	h.account("sue", func(c *wire.AccountChange) {
		c.Rights, c.Agents, c.Extension = ptr(wire.Actions()), ptr([]string{"1001"}), ptr("1002")
	})
	h.call("5550100", "1001")
	other := h.call("5550200", "1003")
	h.rest()
	said := map[string]string{"variable_user_name": "1002", "variable_domain_name": domain, "Caller-Destination-Number": feature + "1001", "Caller-Caller-ID-Number": "1002",
		"variable_sip_authorized": "true", "Caller-Username": "1002"}
	h.quiet("an impostor", func() {
		for _, leg := range []string{other.A, other.B, h.sim.Leg("1001"), h.sim.Leg("5550100"), "all"} {
			h.impersonate(leg, said).over()
		}
	})
	if list, _ := h.svc.Sessions(t.Context()); len(list) != 0 || !h.bridgedWith(other) {
		t.Errorf("%+v; %+v", list, h.sim.Channels())
	}
}
