package monitor_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"livemon/internal/fault"
	"livemon/internal/switchsim"
	"livemon/internal/wire"
)

// follow starts a session that goes on beyond one call.
func (h *house) follow(agent, phone string, f wire.Follow) wire.Session {
	h.t.Helper()
	s, err := h.svc.StartSession(h.t.Context(), wire.MonitorRequest{Agent: agent, Phone: phone, Coaching: true, Follow: f})
	if err != nil {
		h.t.Fatal(err)
	}
	h.allow(s, wire.Monitor)
	return s
}

// waits waits until a session waits, and sees that it hears and is heard by nobody.
func (h *house) waits(s wire.Session) wire.Session {
	h.t.Helper()
	h.allow(s, s.Role, wire.Monitor)
	s = h.await(s.ID, func(s wire.Session) bool { return s.Status == wire.Waiting })
	if s.Call != "" || s.User != "" || s.Role != wire.Joining || s.Desired != wire.Monitor || s.Code != 0 {
		h.t.Errorf("waiting: %+v", s)
	}
	h.settle()
	h.allow(s, wire.Monitor)
	h.hears(s.Channel)
	return s
}

func (h *house) listens(s wire.Session, c switchsim.Call) wire.Session {
	h.t.Helper()
	s = h.await(s.ID, func(s wire.Session) bool { return s.Status == wire.Listening })
	h.hears(s.Channel, c.A, c.B)
	h.hears(c.A, c.B)
	h.hears(c.B, c.A)
	return s
}

func TestFollowAgentFromCallToCall(t *testing.T) {
	for _, role := range []wire.Role{wire.Monitor, wire.Coach, wire.Barge} {
		for _, ends := range []string{"customer", "agent"} {
			t.Run(fmt.Sprint(role, " ", ends), func(t *testing.T) {
				t.Parallel()
				h := build(t)
				c := h.call("5550100", "1001")
				s := h.listens(h.follow("1001", "1002", wire.FollowAgent), c)
				if role != wire.Monitor {
					s = h.role(s, role)
				}
				if ends == "customer" {
					h.hangup(c.A)
				} else {
					h.hangup(c.B)
				}
				if role == wire.Barge && ends == "agent" { // he goes on with the customer, as ever
					s = h.await(s.ID, func(s wire.Session) bool { return s.Role == wire.TakeOver })
					h.allow(s, wire.TakeOver)
					h.hangup(c.A)
				}
				s = h.waits(s)
				h.gone(c.A, c.B)
				c = h.call("5550101", "1001")
				s = h.listens(s, c)
				if s.User != "5550101" || s.Call == "" {
					t.Errorf("%+v", s)
				}
				s = h.press(s, "4#", wire.Coach)
				h.hears(c.B, c.A, s.Channel)
				h.hears(c.A, c.B)
				h.hangup(c.A)
				s = h.waits(s)
				h.hangup(s.Channel)
				s = h.ended(s.ID, 0)
				h.until("nothing is left", func() bool { return len(h.sim.Channels()) == 0 })
				h.until("all is recorded", func() bool {
					var got []string
					for _, r := range h.audit(s.ID) {
						if r.Event != "role" {
							got = append(got, r.Event)
						}
					}
					return strings.Join(got, " ") == "requested listening left waiting followed listening left waiting ended"
				})
			})
		}
	}
}

func TestNextCallOnly(t *testing.T) {
	h := build(t)
	if _, err := h.request("1001", "1002", true); fault.Of(err) != fault.PupilGone {
		t.Errorf("an idle agent: %v", err)
	}
	s := h.waits(h.follow("1001", "1002", wire.FollowNext))
	if _, err := h.svc.ChangeRole(t.Context(), s.ID, wire.Coach); fault.Of(err) != fault.RoleNotAllowed {
		t.Errorf("coach nobody: %v", err)
	}
	c := h.call("5550100", "1001")
	if s = h.listens(s, c); s.Follow != wire.FollowCall {
		t.Errorf("follow %q", s.Follow)
	}
	h.hangup(c.A)
	h.ended(s.ID, fault.UserGone)
}

func TestNextCallIsNotTheOneOfNow(t *testing.T) {
	h := build(t)
	c := h.call("5550100", "1001")
	s := h.waits(h.follow("1001", "1002", wire.FollowNext))
	h.bridged(c)
	h.hangup(c.A)
	h.gone(c.A, c.B)
	c = h.call("5550101", "1001")
	h.listens(s, c)
}

func TestFollowIsChangedMeanwhile(t *testing.T) {
	h := build(t)
	c := h.call("5550100", "1001")
	s := h.listen("1001", "1002")
	if _, err := h.svc.SetFollow(t.Context(), s.ID, wire.FollowNext); err == nil {
		t.Error("next is for a session that waits")
	}
	if _, err := h.svc.SetFollow(t.Context(), s.ID, "me"); err == nil {
		t.Error("there is no such thing")
	}
	s, err := h.svc.SetFollow(t.Context(), s.ID, wire.FollowAgent)
	if err != nil || s.Follow != wire.FollowAgent {
		t.Fatal(s, err)
	}
	h.hangup(c.A)
	s = h.waits(s)
	if s, err = h.svc.SetFollow(t.Context(), s.ID, wire.FollowCall); err != nil || s.Follow != wire.FollowNext {
		t.Fatal(s, err)
	}
	c = h.call("5550101", "1001")
	s = h.listens(s, c)
	h.hangup(c.B)
	h.ended(s.ID, fault.PupilGone)
}

// TestOneStaysOneGoes: of two supervisors on a call one follows the agent.
func TestOneStaysOneGoes(t *testing.T) {
	h := build(t)
	c := h.call("5550100", "1001")
	stays := h.listens(h.follow("1001", "1002", wire.FollowAgent), c)
	goes := h.listen("1001", "1003")
	h.hangup(c.B)
	h.ended(goes.ID, fault.PupilGone)
	stays = h.waits(stays)
	h.gone(c.A, c.B)
	c = h.call("5550101", "1001")
	h.listens(stays, c)
}

// TestWaitingOutlivesTheController, with the telephone still ringing, and while
// he waits.
func TestWaitingOutlivesTheController(t *testing.T) {
	h := build(t)
	s := h.waits(h.follow("1001", "1002", wire.FollowAgent))
	h.stop()
	h.start()
	s = h.await(s.ID, func(s wire.Session) bool { return s.Status == wire.Waiting })
	c := h.call("5550100", "1001")
	s = h.listens(s, c)
	h.stop()
	h.hangup(c.A)
	h.start()
	s = h.waits(s)
	h.gone(c.A, c.B)
	h.leave(s)
	h.ended(s.ID, 0)
	h.gone(s.Channel)
}

// TestWaitingIsStopped, and one whose telephone still rings.
func TestWaitingIsStopped(t *testing.T) {
	h := build(t)
	h.sim.SetPhone("1003", switchsim.Behaviour{NoAnswer: true})
	s := h.waits(h.follow("1001", "1002", wire.FollowAgent))
	ringing := h.follow("1001", "1003", wire.FollowAgent)
	h.await(ringing.ID, func(s wire.Session) bool { return s.Status == wire.Ringing })
	h.leave(s)
	h.leave(ringing)
	h.ended(s.ID, 0)
	h.ended(ringing.ID, 0)
	h.until("nothing is left", func() bool { return len(h.sim.Channels()) == 0 })
	sessions, _ := h.svc.Sessions(t.Context())
	if len(sessions) != 0 {
		t.Errorf("%+v", sessions)
	}
}

// TestCallEndsWhileHisTelephoneRings: he waits for the next one.
func TestCallEndsWhileHisTelephoneRings(t *testing.T) {
	h := build(t)
	h.sim.SetPhone("1002", switchsim.Behaviour{NoAnswer: true})
	c := h.call("5550100", "1001")
	s := h.follow("1001", "1002", wire.FollowAgent)
	h.await(s.ID, func(s wire.Session) bool { return s.Status == wire.Ringing })
	h.hangup(c.A)
	s = h.await(s.ID, func(s wire.Session) bool { return s.Call == "" || s.Status == wire.Ended })
	s = h.ended(s.ID, fault.PhoneNoAnswer)
	if !slices.ContainsFunc(h.audit(s.ID), func(r wire.AuditRecord) bool { return r.Event == "left" }) {
		t.Error("it did not leave the call")
	}
}
