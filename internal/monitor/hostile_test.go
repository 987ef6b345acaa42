package monitor_test

import (
	"context"
	"slices"
	"strings"
	"testing"

	"livemon/internal/access"
	"livemon/internal/fault"
	"livemon/internal/monitor"
	"livemon/internal/switchsim"
	"livemon/internal/wire"
)

// state waits until an agent is shown in a state.
func (h *house) state(agent string, want wire.AgentState) {
	h.t.Helper()
	h.until(agent+" is shown "+string(want), func() bool {
		agents, _ := h.svc.Agents(h.t.Context())
		return slices.ContainsFunc(agents, func(a wire.Agent) bool { return strings.HasPrefix(a.Agent, agent+"@") && a.State == want })
	})
}

// refuses asks for a session with agent 1001, which must be refused without one
// command that holds the name that somebody chose.
func (h *house) refuses(code fault.Code, chosen string) {
	h.t.Helper()
	h.sim.Reset()
	_, err := h.request("1001", "1002", true)
	h.want(err, code)
	if err == nil {
		return
	}
	if !strings.Contains(err.Error(), "livemon shows this call and cannot monitor it") {
		h.t.Errorf("it is not said why: %v", err)
	}
	for _, c := range h.sim.Commands() {
		if strings.Contains(c, chosen) {
			h.t.Errorf("the switch was told %q", c)
		}
	}
}

// marking is a policy by which anybody may listen to calls that bear no mark.
type marking struct{ monitor.Policy }

func (marking) MarkNames() []string                                     { return []string{"livemon_never"} }
func (marking) Known(context.Context) (bool, error)                     { return false, nil }
func (marking) Changed() <-chan struct{}                                { return nil }
func (marking) Notice(context.Context, wire.Agent) (wire.Notice, error) { return wire.Notice{}, nil }
func (marking) Allowed(_ context.Context, _ wire.Actor, _ wire.Action, _ wire.Agent, c access.Call) error {
	if len(c.Marks) > 0 {
		return fault.New(fault.NotAllowed, "check rights", "the call is marked")
	}
	return nil
}

// TestChosenChannelIDs has end points choose the ids of their channels, as clients
// of mod_verto do, and telephones where the Call-ID is the channel's id.
func TestChosenChannelIDs(t *testing.T) {
	for _, id := range []string{
		"a1,loopback/app=system:touch+x", "a1|sofia/gateway/pstn/900", "a1}x y", "a1;livemon_mark=x", "all", "Off", "-both", "x'y", "x\\y", "^^:a:b", "x\ty", "zu\u00e9", strings.Repeat("x", 300),
	} {
		t.Run(strings.Map(func(r rune) rune {
			if strings.ContainsRune("/|\\ \t", r) {
				return '_'
			}
			return r
		}, id[:min(len(id), 20)]), func(t *testing.T) {
			t.Parallel()
			h := build(t, func(_ *switchsim.Options, c *monitor.Config) { c.Policy = marking{} })
			agent := switchsim.Telephone{Number: "1001", Verto: true, Channel: id}
			if _, err := h.sim.DialFrom(t.Context(), agent, "1003"); err != nil {
				t.Fatal(err)
			}
			h.state("1001", wire.OnCall)
			h.refuses(fault.NotAdded, id)
			h.stop()
			h.start() // a switch with such a channel is read all the same
			h.hangup(id)
			h.state("1001", wire.Idle)
			c := ""
			h.until("the id is free", func() bool {
				var err error
				c, err = h.sim.DialFrom(t.Context(), switchsim.Telephone{Number: "1004", Verto: true, Channel: id}, "1001")
				return err == nil
			})
			h.state("1001", wire.OnCall)
			h.refuses(fault.NotAdded, id)
			if !h.alive(c) {
				t.Error("the call has ended")
			}
		})
	}
}

// TestChosenRoomNames has callers choose conferences' names.
func TestChosenRoomNames(t *testing.T) {
	for _, name := range []string{"victim kick all", "elsewhere,x", "a b", "list", "json_list", "x'y", "-a", "r\u00f6om"} {
		t.Run(strings.ReplaceAll(name, " ", "_"), func(t *testing.T) {
			t.Parallel()
			h := build(t)
			victims, err := h.sim.Conference(t.Context(), "victim", "1004", "1005")
			if err != nil {
				t.Fatal(err)
			}
			if _, err := h.sim.Conference(t.Context(), name, "1001", "1006"); err != nil {
				t.Fatal(err)
			}
			h.state("1001", wire.InConference)
			h.refuses(fault.PupilInConference, name)
			h.hears(victims[0], victims[1])
		})
	}
}

// TestRoomNameWithDomain joins the conference that is called so, not the one that
// is called like the first half of its name.
func TestRoomNameWithDomain(t *testing.T) {
	h := build(t)
	other, err := h.sim.Conference(t.Context(), "3000", "1004", "1005")
	if err != nil {
		t.Fatal(err)
	}
	legs, err := h.sim.Conference(t.Context(), "3000@example.com", "1001", "1006")
	if err != nil {
		t.Fatal(err)
	}
	h.state("1001", wire.InConference)
	s := h.listen("1001", "1002")
	h.hears(s.Channel, legs...)
	h.hears(other[0], other[1])
	h.leave(s)
}

// TestRoomCalledAsTheQuestion keeps a session over a restart although a caller has
// made a conference whose name is that of the question about all of them.
func TestRoomCalledAsTheQuestion(t *testing.T) {
	h, legs := shop(t)
	s := h.listen("1001", "1002")
	h.stop()
	if _, err := h.sim.Conference(t.Context(), "json_list", "1008", "1009"); err != nil {
		t.Fatal(err)
	}
	h.start()
	s = h.await(s.ID, listening)
	h.hears(s.Channel, legs...)
	h.press(s, "4#", wire.Coach)
	h.leave(h.session(s.ID))
	h.gone(s.Channel)
}

// TestChosenSessionIDs rings clients of mod_verto that have chosen their session's
// id: an agent cannot hide by it.
func TestChosenSessionIDs(t *testing.T) {
	h := build(t)
	for _, session := range []string{"S1", "a b", "a%20b", "zu\u00e9", "x\x01y", strings.Repeat("x", 300)} {
		h.sim.SetVerto("1001", switchsim.Client{Session: session})
		c := h.call("5550100", "1001")
		h.state("1001", wire.OnCall)
		h.hangup(c.A)
		h.gone(c.A, c.B)
		h.state("1001", wire.Idle)
	}
}
