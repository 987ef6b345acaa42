package monitor_test

import (
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
			h := buildOffice(t, func(_ *monitor.Config, a *access.Config) { a.Never = access.Never{Marks: []string{"livemon_never"}} })
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
