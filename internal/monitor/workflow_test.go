package monitor_test

import (
	"context"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"livemon/fsconf"
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
	held := func(by wire.Hold) {
		t.Helper()
		h.await(s.ID, func(s wire.Session) bool { return s.Hold == by })
		state := wire.OnCall
		if by == wire.HeldByAgent {
			state = wire.OnHold
		}
		h.until("the agent's state", func() bool {
			a, _ := h.svc.Agents(t.Context())
			return slices.ContainsFunc(a, func(a wire.Agent) bool { return a.Agent == s.Agent && a.State == state })
		})
	}
	held(wire.HeldByAgent)
	if err := h.sim.Unhold(c.B); err != nil {
		t.Fatal(err)
	}
	h.hears(c.A, c.B)
	held(wire.HeldByNobody)
	h.sim.Reset()
	if err := h.sim.Hold(c.B); err != nil {
		t.Fatal(err)
	}
	h.until("music again", music)
	held(wire.HeldByAgent)
	h.until("the supervisor hears of it", func() bool { return slices.Contains(h.sim.Played(s.Channel), fsconf.HoldTone()) })
	for _, leg := range []string{c.A, c.B} {
		if slices.Contains(h.sim.Played(leg), fsconf.HoldTone()) {
			t.Errorf("%s hears the supervisor's tone", h.sim.Number(leg))
		}
	}
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

// TestTransferIsFollowed: a supervisor who coaches goes with the customer to the
// next agent, and nobody hears him on the way.
func TestTransferIsFollowed(t *testing.T) {
	following := func(_ *switchsim.Options, mc *monitor.Config) {
		mc.FollowTransfers, mc.FollowTimeout, mc.NeverMonitor = true, 15*time.Second, []string{"1005"}
	}
	t.Run("blind", func(t *testing.T) {
		h := build(t, following)
		c := h.call("5550100", "1001")
		s := h.role(h.listen("1001", "1002"), wire.Coach)
		h.allow(s, wire.Monitor, wire.Coach)
		h.sim.SetPhone("1004", switchsim.Behaviour{AnswerAfter: 4 * time.Second}) // the session waits well before that
		if err := h.sim.BlindTransfer(c.B, "1004"); err != nil {
			t.Fatal(err)
		}
		h.await(s.ID, func(s wire.Session) bool { return s.Status == wire.Waiting })
		h.allow(s, wire.Monitor)
		h.gone(c.B)
		if _, err := h.svc.ChangeRole(t.Context(), s.ID, wire.Barge); fault.Of(err) != fault.RoleNotAllowed {
			t.Errorf("raised while waiting: %v", err)
		}
		s = h.await(s.ID, func(s wire.Session) bool { return s.Status == wire.Listening })
		if s.Agent != "1004@127.0.0.1" || s.Role != wire.Monitor {
			t.Errorf("followed: %+v", s)
		}
		next := h.sim.Leg("1004")
		h.hears(s.Channel, c.A, next)
		h.hears(c.A, next)
		s = h.press(s, "4#", wire.Coach)
		h.hears(next, c.A, s.Channel)
		h.hears(c.A, next)
		var events []string
		for _, r := range h.audit(s.ID) {
			events = append(events, r.Event+" "+r.Agent)
		}
		want := []string{"requested 1001@127.0.0.1", "listening 1001@127.0.0.1", "role 1001@127.0.0.1", "role 1001@127.0.0.1", "followed 1004@127.0.0.1", "listening 1004@127.0.0.1", "role 1004@127.0.0.1"}
		if !slices.Equal(events, want) {
			t.Errorf("audit %q, want %q", events, want)
		}
		h.leave(s)
		h.bridged(switchsim.Call{A: c.A, B: next})
	})
	ends := func(t *testing.T, ext string, code fault.Code, reason string) {
		h := build(t, following)
		c := h.call("5550100", "1001")
		s := h.listen("1001", "1002")
		h.sim.SetPhone("1006", switchsim.Behaviour{NoAnswer: true})
		if err := h.sim.BlindTransfer(c.B, ext); err != nil {
			t.Fatal(err)
		}
		if s = h.ended(s.ID, code); !strings.Contains(s.Reason, reason) {
			t.Errorf("ended: %q, want %q", s.Reason, reason)
		}
		h.gone(c.B, s.Channel)
		if !h.alive(c.A) {
			t.Error("the customer's leg is gone")
		}
	}
	t.Run("to nobody who may be monitored", func(t *testing.T) { ends(t, "1005", fault.NotAllowed, "nobody may listen") })
	t.Run("to a stranger", func(t *testing.T) { ends(t, "5550199", fault.UserGone, "no agent") })
	t.Run("to nobody who answers", func(t *testing.T) { ends(t, "1006", fault.UserGone, "transferred away") })
	t.Run("the customer hangs up on the way", func(t *testing.T) {
		h := build(t, following)
		c := h.call("5550100", "1001")
		s := h.listen("1001", "1002")
		h.sim.SetPhone("1006", switchsim.Behaviour{NoAnswer: true})
		if err := h.sim.BlindTransfer(c.B, "1006"); err != nil {
			t.Fatal(err)
		}
		h.await(s.ID, func(s wire.Session) bool { return s.Status == wire.Waiting })
		h.hangup(c.A)
		h.ended(s.ID, fault.UserGone)
	})
	t.Run("the controller is killed on the way", func(t *testing.T) {
		h := build(t, following)
		c := h.call("5550100", "1001")
		s := h.listen("1001", "1002")
		h.sim.SetPhone("1004", switchsim.Behaviour{AnswerAfter: 4 * time.Second}) // the session waits well before that
		if err := h.sim.BlindTransfer(c.B, "1004"); err != nil {
			t.Fatal(err)
		}
		h.await(s.ID, func(s wire.Session) bool { return s.Status == wire.Waiting })
		h.stop()
		h.start()
		s = h.await(s.ID, func(s wire.Session) bool { return s.Status == wire.Listening && s.Agent == "1004@127.0.0.1" })
		h.hears(s.Channel, c.A, h.sim.Leg("1004"))
		h.leave(s)
	})
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

// TestALegGetsLostOnItsWay: one leg is sent to the room again; where both are
// lost the call is given back, and the move tried once more.
func TestALegGetsLostOnItsWay(t *testing.T) {
	for _, lost := range []string{"user", "pupil", "both"} {
		t.Run(lost, func(t *testing.T) {
			t.Parallel()
			h := build(t)
			c := h.call("5550100", "1001")
			h.sim.Inject(switchsim.Fault{Match: regexp.MustCompile("uuid_transfer .* -both"), Times: 1, After: func() {
				if lost != "pupil" {
					h.api("uuid_transfer " + c.A + " park inline")
				}
				if lost != "user" {
					h.api("uuid_transfer " + c.B + " park inline")
				}
			}})
			h.sim.Reset()
			s := h.listen("1001", "1002")
			h.hears(s.Channel, c.A, c.B)
			h.hears(c.A, c.B)
			back := slices.ContainsFunc(h.sim.Commands(), func(cmd string) bool { return strings.Contains(cmd, "uuid_bridge") })
			if back != (lost == "both") {
				t.Errorf("given back to a bridge in between: %v", back)
			}
			for _, leg := range []string{c.A, c.B} {
				if v := h.api("uuid_getvar " + leg + " max_session_transfers"); !strings.Contains(v, "_undef_") {
					t.Errorf("%s is left with %q transfers", h.sim.Number(leg), v)
				}
			}
			h.leave(s)
			h.bridged(c)
		})
	}
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

// TestAfterTheBridge: a customer whose leg has somewhere to go after the bridge
// goes there when the agent hangs up in the room, as he would have from the bridge.
func TestAfterTheBridge(t *testing.T) {
	for name, tc := range map[string]struct{ set, app, state string }{
		"transfer":        {"transfer_after_bridge=7778:XML:default;hangup_after_bridge=true", "echo", "EXECUTE"},
		"transfer inline": {"transfer_after_bridge='set:x=y,echo':inline", "echo", "EXECUTE"},
		"park":            {"park_after_bridge=true;transfer_after_bridge=7778", "park", "PARK"},
		"execute":         {"exec_after_bridge_app=echo", "echo", "EXECUTE"},
		"not understood":  {"transfer_after_bridge=a\\b", "", ""},
	} {
		for _, agentCalls := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s/agent calls %v", name, agentCalls), func(t *testing.T) {
				t.Parallel()
				h := build(t)
				var c switchsim.Call
				if agentCalls {
					var err error
					if c, err = h.sim.Call(t.Context(), "1001", "5550100"); err != nil {
						t.Fatal(err)
					}
					c.A, c.B = c.B, c.A
				} else {
					c = h.call("5550100", "1001")
				}
				for _, v := range strings.Split(tc.set, ";") {
					name, value, _ := strings.Cut(v, "=")
					if strings.Contains(value, "'") || strings.Contains(value, `\`) {
						value = "'" + strings.ReplaceAll(strings.ReplaceAll(value, `\`, `\\`), "'", `\'`) + "'"
					}
					if reply := h.api("uuid_setvar " + c.A + " " + name + " " + value); !strings.Contains(reply, "+OK\n") {
						t.Fatal(reply)
					}
				}
				h.until("the agent is on the call", func() bool {
					a, _ := h.svc.Agents(t.Context())
					return slices.ContainsFunc(a, func(a wire.Agent) bool { return a.Agent == "1001@127.0.0.1" && a.Call != "" })
				})
				s := h.role(h.listen("1001", "1002"), wire.Coach)
				h.hangup(c.B)
				h.ended(s.ID, fault.PupilGone)
				if tc.state == "" {
					h.gone(c.A)
					return
				}
				h.until("the customer goes on", func() bool {
					return slices.ContainsFunc(h.sim.Channels(), func(i switchsim.ChannelInfo) bool {
						return i.UUID == c.A && i.App == tc.app && strings.HasSuffix(i.State, tc.state)
					})
				})
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

// shop builds a house with an agent, 1001, in a conference of the shop's with two others.
func shop(t *testing.T, opts ...func(*switchsim.Options, *monitor.Config)) (h *house, legs []string) {
	// The shop's rooms tell everybody who comes and goes.
	sounds := func(o *switchsim.Options, _ *monitor.Config) {
		o.ConferenceXML = strings.Replace(o.ConferenceXML, "</profiles>",
			`<profile name="default"><param name="enter-sound" value="ding.wav"/><param name="exit-sound" value="dong.wav"/></profile></profiles>`, 1)
	}
	h = build(t, append([]func(*switchsim.Options, *monitor.Config){sounds}, opts...)...)
	if _, err := h.sim.Conference(t.Context(), "sales", "1001", "1004", "1005"); err != nil {
		t.Fatal(err)
	}
	legs = []string{h.sim.Leg("1001"), h.sim.Leg("1004"), h.sim.Leg("1005")}
	h.mu.Lock()
	h.pupil = legs[0]
	h.mu.Unlock()
	h.until("the agent is in a conference", func() bool {
		a, _ := h.svc.Agents(t.Context())
		return slices.ContainsFunc(a, func(a wire.Agent) bool { return a.Agent == "1001@127.0.0.1" && a.State == wire.InConference })
	})
	h.sim.Reset()
	return h, legs
}

// loopbacks waits until this many legs carry a voice past the room.
func (h *house) loopbacks(want int) {
	h.t.Helper()
	h.until(fmt.Sprintf("%d whispering legs", want), func() bool {
		n := 0
		for _, c := range h.sim.Channels() {
			if strings.HasPrefix(c.Name, "loopback/") && strings.HasSuffix(c.Name, "-a") {
				n++
			}
		}
		return n == want
	})
}

func TestShopConference(t *testing.T) {
	h, legs := shop(t)
	s := h.listen("1001", "1002")
	h.hears(s.Channel, legs...)
	coached := func(others ...string) {
		t.Helper()
		h.loopbacks(1)
		h.hears(legs[0], append([]string{s.Channel}, others...)...)
		for _, o := range others {
			h.hears(o, slices.DeleteFunc(slices.Clone(append(others, legs[0])), func(x string) bool { return x == o })...)
		}
	}
	s = h.press(s, "4#", wire.Coach)
	coached(legs[1], legs[2])
	s = h.press(s, "6#", wire.Barge)
	h.loopbacks(0)
	h.hears(legs[1], legs[0], legs[2], s.Channel)
	s = h.press(s, "4#", wire.Coach)
	coached(legs[1], legs[2])
	// Whoever joins while he coaches hears nothing of him, from the first frame on.
	others := legs[1:]
	for _, number := range []string{"1006", "1007", "1008"} {
		joined, err := h.sim.Conference(t.Context(), "sales", number)
		if err != nil {
			t.Fatal(err)
		}
		others = append(others, joined...)
		coached(others...)
	}
	for _, o := range others[2:] {
		h.hangup(o)
	}
	h.until("the room tells of the shop's own people", func() bool {
		return slices.Equal(h.sim.Played(legs[1]), []string{"ding.wav", "ding.wav", "ding.wav", "dong.wav", "dong.wav", "dong.wav"})
	})
	h.sim.Reset()
	s = h.press(s, "5#", wire.Monitor)
	h.loopbacks(0)
	h.hears(legs[0], legs[1], legs[2])
	s = h.press(s, "4#", wire.Coach)
	coached(legs[1], legs[2])
	h.leave(s)
	h.loopbacks(0)
	s = h.listen("1001", "1002")
	h.hears(s.Channel, legs...)
	h.leave(s)
	h.gone(s.Channel)
	h.hears(legs[0], legs[1], legs[2])
	h.hears(legs[1], legs[0], legs[2])
	for _, l := range legs {
		if p := h.sim.Played(l); len(p) > 0 {
			t.Errorf("%s heard %q of the supervisor's coming and going", h.sim.Number(l), p)
		}
	}
	for _, cmd := range h.sim.Commands() {
		for _, l := range legs {
			if f := strings.Fields(cmd); len(f) > 2 && f[2] == l && f[1] != "uuid_dump" && f[1] != "uuid_getvar" {
				t.Errorf("a leg of the shop's was touched: %s", cmd)
			}
		}
		if strings.Contains(cmd, "sales lock") {
			t.Errorf("the shop's room was locked")
		}
	}
}

// TestShopConferenceEndings: whoever leaves, and however, nobody is left behind
// and no leg of ours.
func TestShopConferenceEndings(t *testing.T) {
	for name, f := range map[string]func(h *house, legs []string, s wire.Session){
		"the supervisor hangs up": func(h *house, _ []string, s wire.Session) { h.hangup(s.Channel); h.ended(s.ID, 0) },
		"the agent hangs up":      func(h *house, legs []string, s wire.Session) { h.hangup(legs[0]); h.ended(s.ID, fault.PupilGone) },
		"the agent is moved away": func(h *house, legs []string, s wire.Session) {
			h.api("uuid_transfer " + legs[0] + " park inline")
			h.ended(s.ID, fault.PupilGone)
		},
		"the others hang up": func(h *house, legs []string, s wire.Session) {
			h.hangup(legs[1])
			h.hangup(legs[2])
			h.ended(s.ID, fault.UserGone)
		},
		"he takes over": func(h *house, legs []string, s wire.Session) {
			s = h.role(s, wire.TakeOver)
			h.gone(legs[0])
			h.hears(legs[1], legs[2], s.Channel)
			h.leave(s)
		},
		"the controller dies": func(h *house, legs []string, s wire.Session) {
			h.stop()
			h.start()
			s = h.await(s.ID, func(s wire.Session) bool { return s.Status == wire.Listening })
			h.loopbacks(1)
			h.hears(legs[0], legs[1], legs[2], s.Channel)
			h.leave(s)
		},
		"the store and the controller die": func(h *house, legs []string, s wire.Session) {
			h.stop()
			h.redis.FlushAll()
			h.allow(s, wire.Coach, wire.Monitor)
			h.start()
			s = h.await(s.ID, func(s wire.Session) bool { return s.Status == wire.Listening })
			h.loopbacks(0)
			h.hears(legs[0], legs[1], legs[2])
			h.leave(s)
		},
		"somebody ends the whispering": func(h *house, legs []string, s wire.Session) {
			i := slices.IndexFunc(h.sim.Channels(), func(c switchsim.ChannelInfo) bool { return strings.HasPrefix(c.Name, "loopback/") })
			h.hangup(h.sim.Channels()[i].UUID)
			h.loopbacks(1)
			h.hears(legs[0], legs[1], legs[2], s.Channel)
			h.leave(s)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h, legs := shop(t)
			s := h.press(h.listen("1001", "1002"), "4#", wire.Coach)
			h.hears(legs[0], legs[1], legs[2], s.Channel)
			h.allow(s, wire.Coach, wire.TakeOver)
			f(h, legs, s)
			h.gone(s.Channel)
			h.loopbacks(0)
		})
	}
}

// TestAWhisperingLegIsNotForgotten: after a lost connection the switch's tables do
// not show it yet. It is not made a second time, and ends with the role.
func TestAWhisperingLegIsNotForgotten(t *testing.T) {
	h := build(t)
	c := h.call("5550100", "1001")
	s := h.press(h.listen("1001", "1002"), "4#", wire.Coach)
	h.loopbacks(1)
	table := h.api("show channels as json")
	table = table[strings.Index(table, "{") : strings.LastIndex(table, "}")+1]
	var shown struct {
		Count int              `json:"row_count"`
		Rows  []map[string]any `json:"rows"`
	}
	if err := json.Unmarshal([]byte(table), &shown); err != nil {
		t.Fatal(err, table)
	}
	shown.Rows = slices.DeleteFunc(shown.Rows, func(row map[string]any) bool { return strings.HasPrefix(fmt.Sprint(row["name"]), "loopback/") })
	shown.Count = len(shown.Rows)
	lagging, err := json.Marshal(shown)
	if err != nil {
		t.Fatal(err)
	}
	h.sim.Inject(switchsim.Fault{Match: regexp.MustCompile("show channels as json"), Times: 1, Reply: string(lagging)})
	h.sim.Reset()
	h.sim.DropConnections()
	h.until("a full read", func() bool {
		return slices.ContainsFunc(h.sim.Commands(), func(cmd string) bool { return strings.Contains(cmd, "show channels as json") })
	})
	h.ready()
	h.frames(20)
	h.loopbacks(1)
	h.hears(c.B, c.A, s.Channel)
	s = h.press(s, "5#", wire.Monitor)
	h.loopbacks(0)
	h.hears(c.B, c.A)
	h.leave(s)
	h.bridged(c)
}

// TestKeysByOtherWays: a telephone whose keys come as SIP INFO, or as tones.
func TestKeysByOtherWays(t *testing.T) {
	for keys, inBand := range map[switchsim.Keys]bool{switchsim.KeysInfo: false, switchsim.KeysInBand: true} {
		t.Run(string(keys), func(t *testing.T) {
			t.Parallel()
			h := build(t, func(_ *switchsim.Options, mc *monitor.Config) { mc.InBandKeys = inBand })
			h.sim.SetPhone("1002", switchsim.Behaviour{Keys: keys})
			c := h.call("5550100", "1001")
			s := h.press(h.listen("1001", "1002"), "4#", wire.Coach)
			s = h.press(s, "6#", wire.Barge)
			s = h.press(s, "5#", wire.Monitor)
			h.leave(s)
			h.bridged(c)
		})
	}
}

// TestNobodyWhispersWithoutALeg: a coach who cannot be given a whispering leg is
// told so, and listens on.
func TestNobodyWhispersWithoutALeg(t *testing.T) {
	h, legs := shop(t)
	s := h.listen("1001", "1002")
	h.sim.Inject(switchsim.Fault{Match: regexp.MustCompile("loopback/app=eavesdrop"), Times: 100, Reply: "-ERR CHAN_NOT_IMPLEMENTED"})
	_, err := h.svc.ChangeRole(t.Context(), s.ID, wire.Coach)
	h.want(err, fault.PupilInConference)
	s = h.await(s.ID, func(s wire.Session) bool { return s.Desired == wire.Monitor })
	h.hears(s.Channel, legs...)
	h.hears(legs[0], legs[1], legs[2])
	h.leave(s)
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

// TestStandbyAgent: a uuid-standby agent, whom mod_callcenter lets go as soon as
// his call is in no bridge, gets no second call, whatever becomes of the monitoring,
// and wraps up when his call has ended.
func TestStandbyAgent(t *testing.T) {
	type scene struct {
		*house
		c     switchsim.Call
		agent string // his waiting leg
		s     wire.Session
		next  chan error // the next caller is connected
	}
	set := func(t *testing.T) *scene {
		h := build(t, func(so *switchsim.Options, _ *monitor.Config) {
			so.Agents = []switchsim.CCAgent{{Name: "ag1", Contact: "user/1001@127.0.0.1", Type: "uuid-standby", WrapUp: time.Second}}
		})
		leg, err := h.sim.Standby(t.Context(), "ag1")
		if err != nil {
			t.Fatal(err)
		}
		c, err := h.sim.CallQueue(t.Context(), "5550100", "support@default", "ag1")
		if err != nil {
			t.Fatal(err)
		}
		h.mu.Lock()
		h.user[c.A] = true
		h.mu.Unlock()
		h.until("the agent is on the call", func() bool {
			a, _ := h.svc.Agents(t.Context())
			return slices.ContainsFunc(a, func(a wire.Agent) bool { return a.Agent == "ag1" && a.Call != "" })
		})
		sc := &scene{house: h, c: c, agent: leg, s: h.listen("ag1", "1002"), next: make(chan error, 1)}
		ctx, cancel := context.WithCancel(context.Background())
		over := make(chan struct{})
		go func() { // the next caller waits
			defer close(over)
			_, err := h.sim.CallQueue(ctx, "5550200", "support@default", "ag1")
			sc.next <- err
		}()
		t.Cleanup(func() { cancel(); <-over })
		return sc
	}
	state := func(sc *scene, want string) {
		sc.t.Helper()
		sc.until("the queue's state is "+want, func() bool {
			return strings.Contains(sc.api("callcenter_config agent list ag1"), "|"+want+"|")
		})
	}
	kept := func(sc *scene) {
		sc.t.Helper()
		state(sc, "In a queue call")
		sc.frames(100) // two seconds: the next caller would have been put through after one
		state(sc, "In a queue call")
		sc.hears(sc.agent, sc.c.A)
	}
	next := func(sc *scene) {
		sc.t.Helper()
		select {
		case err := <-sc.next:
			if err != nil {
				sc.t.Fatal(err)
			}
		case <-time.After(patience):
			sc.t.Fatalf("the next caller is not put through: %s", sc.api("callcenter_config agent list ag1"))
		}
	}
	t.Run("in the room and back", func(t *testing.T) {
		t.Parallel()
		sc := set(t)
		kept(sc)
		sc.leave(sc.s)
		sc.bridged(sc.c)
		kept(sc)
		sc.hangup(sc.c.A)
		next(sc)
	})
	t.Run("the customer hangs up in the room", func(t *testing.T) {
		t.Parallel()
		sc := set(t)
		kept(sc)
		sc.hangup(sc.c.A)
		sc.ended(sc.s.ID, fault.UserGone)
		next(sc)
	})
	t.Run("the controller dies in the room", func(t *testing.T) {
		t.Parallel()
		sc := set(t)
		kept(sc)
		sc.stop()
		sc.start()
		kept(sc)
		sc.hangup(sc.c.A)
		next(sc)
	})
	t.Run("the controller dies after the return, and the call ends meanwhile", func(t *testing.T) {
		t.Parallel()
		sc := set(t)
		kept(sc)
		sc.leave(sc.s)
		sc.bridged(sc.c)
		sc.stop()
		sc.hangup(sc.c.A)
		sc.gone(sc.c.A)
		sc.start()
		next(sc)
	})
	t.Run("the controller dies after the return", func(t *testing.T) {
		t.Parallel()
		sc := set(t)
		kept(sc)
		sc.leave(sc.s)
		sc.bridged(sc.c)
		sc.stop()
		sc.start()
		kept(sc)
		sc.hangup(sc.c.A)
		next(sc)
	})
}
