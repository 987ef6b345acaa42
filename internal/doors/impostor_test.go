package doors_test

import (
	"net/netip"
	"testing"

	"livemon/internal/fault"
	"livemon/internal/switchsim"
	"livemon/internal/wire"
)

// claims are the variables by which a Verto client calls its leg another agent's,
// and marks it as one that nobody may listen to.
var claims = []switchsim.Variable{
	{Name: "user_name", Value: "1005"}, {Name: "presence_id", Value: "1005@" + domain}, {Name: "dialed_user", Value: "1005"}, {Name: "dialed_domain", Value: domain},
	{Name: "sip_authorized", Value: "true"}, {Name: "sip_auth_username", Value: "1005"}, {Name: "requested_domain_name", Value: domain},
	{Name: "cc_side", Value: "agent"}, {Name: "cc_agent", Value: "boss"}, {Name: "sip_gateway_name", Value: "pstn"}, {Name: "never", Value: "yes"},
	{Name: "export_vars", Value: "cc_side,cc_agent,dialed_user,dialed_domain,presence_id,never"}, {Name: "bridge_export_vars", Value: "never"},
}

// TestAgentInAnothersName has agent 1001 use a telephone that calls itself 1005's,
// whom nobody may listen to. It is 1001 who is on the call, and may be listened to.
func TestAgentInAnothersName(t *testing.T) {
	t.Parallel()
	for name, meet := range map[string]func(*house){
		"a telephone with another From": func(h *house) {
			h.must(second(h.sim.DialFrom(h.t.Context(), switchsim.Telephone{Number: "1005", Login: "1001"}, "1004")))
		},
		"a Verto client that calls": func(h *house) {
			h.must(second(h.sim.DialFrom(h.t.Context(), switchsim.Telephone{Number: "1005", Login: "1001", Verto: true, Vars: claims}, "1004")))
		},
		"a Verto client that calls outside": func(h *house) {
			h.must(second(h.sim.DialFrom(h.t.Context(), switchsim.Telephone{Number: "1001", Verto: true, Vars: claims}, "5550199")))
		},
		"a Verto client that is called": func(h *house) {
			h.sim.SetVerto("1001", switchsim.Client{Session: "S1", Vars: claims})
			h.must(second(h.sim.CallFrom(h.t.Context(), "5550100", "1001")))
		},
		"a Verto client that a Verto client calls": func(h *house) {
			h.sim.SetVerto("1001", switchsim.Client{Session: "S1", Vars: claims})
			h.must(second(h.sim.DialFrom(h.t.Context(), switchsim.Telephone{Number: "1004", Verto: true, Vars: claims}, "1001")))
		},
		"a telephone that a Verto client gives variables": func(h *house) {
			h.sim.SetVerto("1004", switchsim.Client{Session: "S4", Vars: claims})
			h.must(second(h.sim.Call(h.t.Context(), "1001", "1004")))
		},
		"a telephone that a Verto client calls": func(h *house) {
			h.must(second(h.sim.DialFrom(h.t.Context(), switchsim.Telephone{Number: "1004", Verto: true, Vars: []switchsim.Variable{
				{Name: "cc_side", Value: "agent"}, {Name: "cc_agent", Value: "boss"}, {Name: "never", Value: "yes"}, {Name: "export_vars", Value: "cc_side,cc_agent,never"}}}, "1001")))
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := build(t, func(o *options) {
				o.access.Never.Agents, o.access.Never.Marks = []string{"boss", "1005"}, []string{"never"}
				o.sim.Agents = []switchsim.CCAgent{{Name: "boss", Contact: "user/1005@" + domain}}
			})
			meet(h)
			h.onCall("1001")
			if a, ok := h.agent("boss"); !ok || a.State != wire.Idle {
				t.Errorf("%+v", a)
			}
			h.account("sue", func(c *wire.AccountChange) { c.Rights, c.Agents = ptr(wire.Actions()), ptr([]string{"1001"}) })
			h.listens("sue", "1001", "1002")
			if a, ok := h.agent("boss"); !ok || a.State != wire.Idle {
				t.Errorf("%+v", a)
			}
		})
	}
}

// agent is one of the agents as an operator sees them.
func (h *house) agent(name string) (wire.Agent, bool) {
	list, _ := h.svc.Agents(h.t.Context())
	for _, a := range list {
		if a.Agent == name {
			return a, true
		}
	}
	return wire.Agent{}, false
}

// TestMarksOfTheDirectory has the directory mark a user whose client of mod_verto
// says nothing, or no: nobody may listen.
func TestMarksOfTheDirectory(t *testing.T) {
	t.Parallel()
	h := build(t, func(o *options) {
		o.access.Never.Marks = []string{"never"}
		o.sim.UserVars = map[string]map[string]string{"1001": {"never": "yes"}}
	})
	h.account("sue", func(c *wire.AccountChange) { c.Rights, c.Agents = ptr(wire.Actions()), ptr([]string{"1001"}) })
	h.must(second(h.sim.DialFrom(t.Context(), switchsim.Telephone{Number: "1001", Verto: true, Vars: []switchsim.Variable{{Name: "never", Value: "no"}}}, "5550100")))
	h.onCall("1001")
	if _, err := h.svc.StartSession(h.as("sue"), wire.MonitorRequest{Agent: "1001", Phone: "1002"}); fault.Of(err) != fault.NotAllowed {
		t.Error(err)
	}
}

// TestGuestsAreNobody has a telephone call without a password: it is 1005's only
// where its address is trusted, and shown as what it is.
func TestGuestsAreNobody(t *testing.T) {
	t.Parallel()
	h := build(t, func(o *options) { o.cfg.TrustedPresence = []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")} })
	call := func(address string) {
		t.Helper()
		h.must(second(h.sim.DialFrom(t.Context(), switchsim.Telephone{Number: "1005", Guest: true, Address: address}, "1004")))
		h.onCall("1004")
	}
	call("198.51.100.7")
	if a, _ := h.agent("1005@" + domain); a.State != wire.Idle || a.Unverified {
		t.Errorf("%+v", a)
	}
	h.must(h.sim.Hangup("1004", ""))
	h.until("1004 is idle", func() bool { a, _ := h.agent("1004@" + domain); return a.State == wire.Idle })
	call("192.0.2.7")
	h.onCall("1005")
	if a, _ := h.agent("1005@" + domain); !a.Unverified {
		t.Errorf("%+v", a)
	}
	if a, _ := h.agent("1004@" + domain); a.Unverified {
		t.Errorf("%+v", a)
	}
}
