package monitor_test

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"livemon/internal/fault"
	"livemon/internal/monitor"
	"livemon/internal/switchsim"
	"livemon/internal/wire"
)

func TestWorkflowByKeys(t *testing.T) {
	h := build(t)
	c := h.call("5550100", "1001")
	s := h.listen("1001", "1002")
	h.hears(s.Channel, c.A, c.B)
	h.hears(c.A, c.B)
	h.hears(c.B, c.A)
	s = h.press(s, "4#", wire.Coach)
	h.hears(c.A, c.B)
	h.hears(c.B, c.A, s.Channel)
	s = h.press(s, "6#", wire.Barge)
	h.hears(c.A, c.B, s.Channel)
	h.hears(c.B, c.A, s.Channel)
	s = h.press(s, "5#", wire.Monitor)
	h.hears(c.A, c.B)
	h.hears(c.B, c.A)
	s = h.press(s, "0#", wire.Barge)
	h.hears(c.A, c.B, s.Channel)
	s = h.press(s, "4#", wire.Coach)
	h.hears(c.A, c.B)
	s = h.press(s, "1#", wire.TakeOver)
	h.gone(c.B)
	h.hears(c.A, s.Channel)
	h.hears(s.Channel, c.A)

	var got []string
	for _, r := range h.audit(s.ID) {
		got = append(got, fmt.Sprintf("%s %s>%s %s", r.Event, r.From, r.To, r.Via))
	}
	want := []string{"requested > api", "listening >monitor controller", "role monitor>coach key", "role coach>barge key", "role barge>monitor key",
		"role monitor>barge key", "role barge>coach key", "role coach>takeover key"}
	if !slices.Equal(got, want) {
		t.Errorf("audit:\n%q\nwant\n%q", got, want)
	}
	h.hangup(s.Channel)
	h.ended(s.ID, 0)
	h.gone(c.A)
}

func TestWorkflowByAPI(t *testing.T) {
	h := build(t)
	c := h.call("5550100", "1001")
	s := h.listen("1001@127.0.0.1", "1002")
	s = h.role(s, wire.Barge)
	h.hears(c.A, c.B, s.Channel)
	s = h.role(s, wire.Coach)
	h.hears(c.A, c.B)
	s = h.role(s, wire.Monitor)
	h.hears(c.B, c.A)
	s = h.role(s, wire.TakeOver)
	h.gone(c.B)
	h.hears(c.A, s.Channel)
	_, err := h.svc.ChangeRole(t.Context(), s.ID, wire.Coach)
	h.want(err, fault.PupilGone)
	h.leave(s)
	h.ended(s.ID, 0)
	h.gone(c.A, s.Channel)
}

// TestAgentAsCaller: the agent dialled the customer.
func TestAgentAsCaller(t *testing.T) {
	h := build(t)
	c, err := h.sim.Call(t.Context(), "1003", "1004")
	if err != nil {
		t.Fatal(err)
	}
	h.mu.Lock()
	h.user[c.B] = true
	h.mu.Unlock()
	h.until("the agent is on the call", func() bool { _, err := h.request("1003", "1002", true); return err == nil })
	sessions, _ := h.svc.Sessions(t.Context())
	s := h.await(sessions[0].ID, func(s wire.Session) bool { return s.Status == wire.Listening })
	s = h.press(s, "4#", wire.Coach)
	h.hears(c.A, c.B, s.Channel)
	h.hears(c.B, c.A)
	h.leave(s)
	h.bridged(c)
}

func TestReturnToBridge(t *testing.T) {
	h := build(t)
	c := h.call("5550100", "1001")
	for range 3 {
		s := h.listen("1001", "1002")
		s = h.press(s, "4#", wire.Coach)
		h.leave(s)
		h.bridged(c)
		h.ended(s.ID, 0)
		h.gone(s.Channel)
	}
	h.hangup(c.B)
	h.gone(c.A)
}

// TestHold: the user hears the music while the agent holds, whenever a
// supervisor comes and goes.
func TestHold(t *testing.T) {
	h := build(t)
	c := h.call("5550100", "1001")
	music := func() bool { return slices.Contains(h.sim.Sounds(c.A), "music") || len(h.sim.Sounds(c.A)) > 0 }
	if err := h.sim.Hold(c.B); err != nil {
		t.Fatal(err)
	}
	h.until("music", music)
	s := h.listen("1001", "1002")
	h.until("music in the room", music)
	if err := h.sim.Unhold(c.B); err != nil {
		t.Fatal(err)
	}
	h.hears(c.A, c.B)
	if err := h.sim.Hold(c.B); err != nil {
		t.Fatal(err)
	}
	h.until("music again", music)
	h.leave(s)
	bridge := func() bool {
		return slices.ContainsFunc(h.sim.Channels(), func(i switchsim.ChannelInfo) bool { return i.UUID == c.A && i.Partner == c.B })
	}
	h.until("the call is a plain bridge", bridge)
	h.until("music in the bridge", music)
	s = h.listen("1001", "1002")
	h.until("music in the room", music)
	if err := h.sim.Unhold(c.B); err != nil {
		t.Fatal(err)
	}
	h.hears(c.A, c.B)
	h.leave(s)
	h.bridged(c)
	h.frames(20)
	if music() {
		t.Error("music is played to a customer who is not on hold")
	}
	if err := h.sim.Hold(c.B); err != nil {
		t.Fatal(err)
	}
	h.until("music after all that", music)
	if err := h.sim.Unhold(c.B); err != nil {
		t.Fatal(err)
	}
	h.bridged(c)
}

// TestTransfers: the user reaches whom the agent transfers him to.
func TestTransfers(t *testing.T) {
	for _, role := range []wire.Role{wire.Monitor, wire.Coach} {
		t.Run("blind/"+string(role), func(t *testing.T) {
			t.Parallel()
			h := build(t)
			c := h.call("5550100", "1001")
			s := h.listen("1001", "1002")
			if role != wire.Monitor {
				s = h.role(s, role)
			}
			if err := h.sim.BlindTransfer(c.B, "1004"); err != nil {
				t.Fatal(err)
			}
			s = h.await(s.ID, func(s wire.Session) bool { return s.Status == wire.Ended })
			if s.Reason != "the call was transferred away" {
				t.Errorf("ended: %q", s.Reason)
			}
			h.hears(c.A, h.sim.Leg("1004"))
			h.gone(c.B, s.Channel)
		})
	}
}

// TestSomebodyKicksTheSupervisor: he is not brought back.
func TestSomebodyKicksTheSupervisor(t *testing.T) {
	h := build(t)
	c := h.call("5550100", "1001")
	s := h.listen("1001", "1002")
	for _, ch := range h.sim.Channels() {
		if ch.UUID == s.Channel {
			h.api(fmt.Sprintf("conference %s kick %d", s.Room, ch.Member))
		}
	}
	if s = h.ended(s.ID, 0); s.Reason != "the supervisor was removed from the conference" {
		t.Errorf("ended: %q", s.Reason)
	}
	h.gone(s.Channel)
	h.bridged(c)
}

// TestALegGetsLostOnItsWay: the call is given back, and the move tried once more.
func TestALegGetsLostOnItsWay(t *testing.T) {
	h := build(t, func(_ *switchsim.Options, c *monitor.Config) { c.MoveTimeout = 500 * time.Millisecond })
	c := h.call("5550100", "1001")
	h.sim.Inject(switchsim.Fault{Match: regexp.MustCompile("uuid_transfer .* -both"), Times: 1, After: func() { h.api("uuid_transfer " + c.A + " park inline") }})
	s := h.listen("1001", "1002")
	h.hears(s.Channel, c.A, c.B)
	h.hears(c.A, c.B)
	h.leave(s)
	h.bridged(c)
}

// TestManyMoves: FreeSWITCH hangs up a channel that has been transferred too
// often, and takes how often that is from the call. Monitoring does not count.
func TestManyMoves(t *testing.T) {
	h := build(t)
	c := h.call("5550100", "1001")
	for _, leg := range []string{c.A, c.B} {
		h.api("uuid_setvar " + leg + " max_forwards 3")
	}
	for range 5 {
		s := h.listen("1001", "1002")
		h.leave(s)
		h.bridged(c)
	}
	h.until("the count is as it was", func() bool { return strings.Contains(h.api("uuid_getvar "+c.A+" max_session_transfers"), "_undef_") })
}

// TestHangups: each party hangs up in each role.
func TestHangups(t *testing.T) {
	for _, role := range []wire.Role{wire.Monitor, wire.Coach, wire.Barge, wire.TakeOver} {
		for _, who := range []string{"user", "pupil", "supervisor"} {
			if role == wire.TakeOver && who == "pupil" {
				continue
			}
			t.Run(string(role)+"/"+who, func(t *testing.T) {
				t.Parallel()
				h := build(t)
				c := h.call("5550100", "1001")
				s := h.listen("1001", "1002")
				if role != wire.Monitor {
					s = h.role(s, role)
				}
				switch who {
				case "user":
					h.hangup(c.A)
					h.ended(s.ID, fault.UserGone)
					h.gone(c.B)
				case "supervisor":
					h.hangup(s.Channel)
					h.ended(s.ID, 0)
					if role == wire.TakeOver {
						h.gone(c.A)
					} else {
						h.bridged(c)
					}
				case "pupil":
					h.allow(s, role, wire.TakeOver)
					h.hangup(c.B)
					if role == wire.Barge {
						s = h.await(s.ID, func(s wire.Session) bool { return s.Role == wire.TakeOver })
						h.hears(c.A, s.Channel)
						h.frames(30)
						h.hears(s.Channel, c.A)
						break
					}
					h.allow(s, role)
					h.ended(s.ID, fault.PupilGone)
					h.gone(c.A)
				}
			})
		}
	}
}

func TestSeveralSupervisors(t *testing.T) {
	h := build(t)
	c := h.call("5550100", "1001")
	s1 := h.listen("1001", "1002")
	s1 = h.press(s1, "4#", wire.Coach)
	s2 := h.listen("1001", "1003")
	h.hears(s2.Channel, c.A, c.B)
	h.hears(c.B, c.A, s1.Channel)
	h.hears(c.A, c.B)

	_, err := h.svc.ChangeRole(t.Context(), s2.ID, wire.Coach)
	h.want(err, fault.SpeakerBusy)
	h.sim.Reset()
	if err := h.sim.Press(s2.Channel, "6#"); err != nil {
		t.Fatal(err)
	}
	h.until("the refusal is spoken to him", func() bool { return len(h.sim.Played(s2.Channel)) > 1 })
	for _, other := range []string{c.A, c.B, s1.Channel} {
		if p := h.sim.Played(other); len(p) > 0 {
			t.Errorf("%s heard the refusal: %v", h.sim.Number(other), p)
		}
	}

	s1 = h.press(s1, "6#", wire.Barge)
	h.hears(s2.Channel, c.A, c.B, s1.Channel)
	h.allow(s1, wire.Barge)
	h.hangup(s1.Channel)
	h.ended(s1.ID, 0)
	h.hears(s2.Channel, c.A, c.B)
	s2 = h.press(s2, "4#", wire.Coach)
	h.hears(c.B, c.A, s2.Channel)
	h.hears(c.A, c.B)
	h.leave(s2)
	h.bridged(c)
}

func TestShopConference(t *testing.T) {
	h := build(t)
	if _, err := h.sim.Conference(t.Context(), "sales", "1001", "1004", "1005"); err != nil {
		t.Fatal(err)
	}
	legs := []string{h.sim.Leg("1001"), h.sim.Leg("1004"), h.sim.Leg("1005")}
	h.mu.Lock()
	h.user[legs[1]], h.user[legs[2]] = true, true
	h.mu.Unlock()
	h.until("the agent is in a conference", func() bool {
		a, _ := h.svc.Agents(t.Context())
		return slices.ContainsFunc(a, func(a wire.Agent) bool { return a.Agent == "1001@127.0.0.1" && a.State == wire.InConference })
	})
	h.sim.Reset()
	s := h.listen("1001", "1002")
	h.hears(s.Channel, legs...)
	s = h.press(s, "4#", wire.Coach)
	h.hears(legs[0], legs[1], legs[2], s.Channel)
	h.hears(legs[1], legs[0], legs[2])
	h.hears(legs[2], legs[0], legs[1])
	h.leave(s)
	h.hears(legs[0], legs[1], legs[2])
	h.hears(legs[1], legs[0], legs[2])
	for _, cmd := range h.sim.Commands() {
		for _, l := range legs {
			if f := strings.Fields(cmd); len(f) > 2 && f[2] == l && f[1] != "uuid_dump" {
				t.Errorf("a leg of the shop's was touched: %s", cmd)
			}
		}
		if strings.Contains(cmd, "sales lock") {
			t.Errorf("the shop's room was locked")
		}
	}
}

func TestQueueCall(t *testing.T) {
	h := build(t, func(so *switchsim.Options, _ *monitor.Config) {
		so.Agents = []switchsim.CCAgent{{Name: "ag1", Contact: "user/1001@127.0.0.1"}}
	})
	c, err := h.sim.CallQueue(t.Context(), "5550100", "support@default", "ag1")
	if err != nil {
		t.Fatal(err)
	}
	h.mu.Lock()
	h.user[c.A] = true
	h.mu.Unlock()
	h.until("the agent is on the call", func() bool {
		a, _ := h.svc.Agents(t.Context())
		return slices.ContainsFunc(a, func(a wire.Agent) bool { return a.Agent == "ag1" && a.State == wire.OnCall })
	})
	s := h.listen("ag1", "1002")
	agents, _ := h.svc.Agents(t.Context())
	i := slices.IndexFunc(agents, func(a wire.Agent) bool { return a.Agent == "ag1" })
	if a := agents[i]; a.State != wire.OnCall || len(a.Supervisors) != 1 || a.Supervisors[0].Session != s.ID {
		t.Errorf("the agent, monitored: %+v", a)
	}
	s = h.press(s, "4#", wire.Coach)
	h.hears(c.B, c.A, s.Channel)
	h.leave(s)
	h.bridged(c)
}
