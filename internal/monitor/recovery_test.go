package monitor_test

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2/server"

	"livemon/internal/fault"
	"livemon/internal/monitor"
	"livemon/internal/switchsim"
	"livemon/internal/wire"
)

// TestControllerRestarts in every role: the session goes on as it was, and what
// is asked of it afterwards works.
func TestControllerRestarts(t *testing.T) {
	for _, role := range []wire.Role{wire.Monitor, wire.Coach, wire.Barge, wire.TakeOver} {
		t.Run(string(role), func(t *testing.T) {
			t.Parallel()
			h := build(t)
			c := h.call("5550100", "1001")
			s := h.listen("1001", "1002")
			if role != wire.Monitor {
				s = h.role(s, role)
			}
			heard := map[wire.Role][]string{wire.Monitor: {c.B}, wire.Coach: {c.B}, wire.Barge: {c.B, s.Channel}, wire.TakeOver: {s.Channel}}[role]
			h.hears(c.A, heard...)
			h.stop()
			h.frames(5)
			h.hears(c.A, heard...)
			h.start()
			s = h.await(s.ID, func(s wire.Session) bool { return s.Role == role && s.Status == wire.Listening })
			h.hears(c.A, heard...)
			if role != wire.TakeOver {
				s = h.press(s, "4#", wire.Coach)
				h.hears(c.B, c.A, s.Channel)
				h.hears(c.A, c.B)
				h.leave(s)
				h.bridged(c)
				return
			}
			h.hangup(c.A)
			h.ended(s.ID, fault.UserGone)
		})
	}
}

// TestWhileTheControllerIsAway somebody hangs up: nobody is left stranded.
func TestWhileTheControllerIsAway(t *testing.T) {
	for _, who := range []string{"user", "pupil", "supervisor", "all supervisors"} {
		t.Run(who, func(t *testing.T) {
			t.Parallel()
			h := build(t)
			c := h.call("5550100", "1001")
			s := h.role(h.listen("1001", "1002"), wire.Coach)
			s2 := h.listen("1001", "1003")
			h.stop()
			switch who {
			case "user":
				h.hangup(c.A)
			case "pupil":
				h.hangup(c.B)
			case "all supervisors":
				h.hangup(s2.Channel)
				h.gone(s2.Channel)
				fallthrough
			case "supervisor":
				h.hangup(s.Channel)
				h.gone(s.Channel)
			}
			h.start()
			switch who {
			case "user":
				h.ended(s.ID, fault.UserGone)
				h.ended(s2.ID, fault.UserGone)
				h.gone(c.B)
			case "pupil":
				h.ended(s.ID, fault.PupilGone)
				h.ended(s2.ID, fault.PupilGone)
				h.gone(c.A)
			case "supervisor":
				h.ended(s.ID, 0)
				h.hears(s2.Channel, c.A, c.B)
				h.role(s2, wire.Coach)
			default:
				if s := h.ended(s.ID, 0); s.Reason != "the supervisor hung up" {
					t.Errorf("the session ended: %q", s.Reason)
				}
				h.ended(s2.ID, 0)
				h.bridged(c)
			}
		})
	}
}

// TestStoreLostItsMemory: a trial's embedded store dies with the controller. The
// supervisors on the switch are found again by their legs.
func TestStoreLostItsMemory(t *testing.T) {
	for _, role := range []wire.Role{wire.Monitor, wire.Coach, wire.Barge, wire.TakeOver} {
		t.Run(string(role), func(t *testing.T) {
			t.Parallel()
			h := build(t)
			c := h.call("5550100", "1001")
			s := h.listen("1001", "1002")
			if role != wire.Monitor {
				s = h.role(s, role)
			}
			h.stop()
			h.redis.FlushAll()
			h.start()
			want := wire.Monitor
			if role == wire.TakeOver {
				want = role
			}
			s = h.await(s.ID, func(s wire.Session) bool { return s.Role == want && s.Status == wire.Listening })
			if s.User != "5550100" {
				t.Errorf("the user is %q", s.User)
			}
			if recs := h.audit(s.ID); len(recs) == 0 || recs[0].Event != "adopted" {
				t.Errorf("audit: %+v", recs)
			}
			h.settle()
			h.allow(s, want)
			if role == wire.TakeOver {
				h.hears(c.A, s.Channel)
				h.hangup(s.Channel)
				h.gone(c.A)
				return
			}
			h.hears(c.A, c.B)
			h.leave(s)
			h.bridged(c)
		})
	}
}

// TestTheLeaseIsGivenBack at an orderly end, also where what is to be recorded
// before takes too long: the next controller need not wait for the lease to expire.
func TestTheLeaseIsGivenBack(t *testing.T) {
	h := build(t)
	h.call("5550100", "1001")
	s := h.role(h.listen("1001", "1002"), wire.Coach)
	stuck, asked := make(chan struct{}), make(chan struct{}, 100)
	h.redis.Server().SetPreHook(func(_ *server.Peer, _ string, args ...string) bool {
		if slices.Contains(args, "livemon:{audit}:stream") {
			asked <- struct{}{}
			<-stuck
		}
		return false
	})
	h.role(s, wire.Monitor)
	<-asked
	h.stop()
	owner, _, err := h.store.LeaseHolder(t.Context(), "sim")
	if err != nil || owner != "" {
		t.Errorf("the lease is held by %q, %v", owner, err)
	}
	h.redis.Server().SetPreHook(nil)
	close(stuck)
}

// TestAnotherControllerTakesOver when the first one is gone.
func TestAnotherControllerTakesOver(t *testing.T) {
	h := build(t)
	c := h.call("5550100", "1001")
	s := h.role(h.listen("1001", "1002"), wire.Coach)

	second, err := monitor.New(h.cfg, h.store)
	if err != nil {
		t.Fatal(err)
	}
	first, stopFirst := h.svc, h.stop
	h.svc = second
	_, err = second.ChangeRole(t.Context(), s.ID, wire.Barge)
	h.want(err, fault.SwitchTimeout)
	if _, err := second.StartSession(t.Context(), wire.MonitorRequest{Agent: "1001", Phone: "1003"}); fault.Of(err) != fault.SwitchTimeout {
		t.Errorf("a controller without the node's lease: %v", err)
	}
	if got, err := second.Session(t.Context(), s.ID); err != nil || got.Role != wire.Coach {
		t.Errorf("the other controller shows %+v, %v", got, err)
	}
	h.svc = first
	stopFirst()
	h.start()
	s = h.await(s.ID, func(s wire.Session) bool { return s.Role == wire.Coach && s.Status == wire.Listening })
	h.press(s, "6#", wire.Barge)
	h.hears(c.A, c.B, s.Channel)
}

// TestConnectionIsCut: everything is as it was, and works again.
func TestConnectionIsCut(t *testing.T) {
	h := build(t)
	c := h.call("5550100", "1001")
	s := h.role(h.listen("1001", "1002"), wire.Coach)
	h.sim.DropConnections()
	h.until("the connection is noticed to be lost, and back", func() bool {
		h.sim.DropConnections()
		n, _ := h.svc.Nodes(t.Context())
		return !n[0].Connected
	})
	h.ready()
	h.hears(c.A, c.B)
	s = h.press(s, "6#", wire.Barge)
	h.hears(c.A, c.B, s.Channel)
	h.hangup(s.Channel)
	h.bridged(c)
}

func TestSwitchDies(t *testing.T) {
	t.Run("and returns", func(t *testing.T) {
		h := build(t)
		h.call("5550100", "1001")
		s := h.listen("1001", "1002")
		h.sim.Restart()
		s = h.await(s.ID, func(s wire.Session) bool { return s.Status == wire.Ended })
		if s.Reason != "it ended while the switch or livemon was away" {
			t.Errorf("the session ended: %q", s.Reason)
		}
		h.ready()
		h.call("5550100", "1001")
		h.listen("1001", "1002")
	})
	t.Run("for good", func(t *testing.T) {
		h := build(t, func(_ *switchsim.Options, c *monitor.Config) { c.DeadAfter = 500 * time.Millisecond })
		h.call("5550100", "1001")
		s := h.listen("1001", "1002")
		h.sim.Inject(switchsim.Fault{Drop: true})
		h.sim.DropConnections()
		h.ended(s.ID, fault.SwitchTimeout)
	})
}

// TestEveryCommandFails runs the whole workflow again and again. Each time one
// command fails in one way: it is refused, never answered, done but not
// answered, or the connection is cut before or after it. Whatever comes of the
// session, nobody is heard who should not be, and the call is not lost.
func TestEveryCommandFails(t *testing.T) {
	kinds := map[string]switchsim.Fault{
		"refused":                  {Reply: "-ERR no"},
		"a lie":                    {Reply: "+OK"},
		"swallowed":                {Swallow: true},
		"done, not answered":       {Swallow: true, AfterDoing: true},
		"connection cut before it": {Drop: true},
		"connection cut after it":  {Drop: true, AfterDoing: true},
	}
	for kind, f := range kinds {
		for n := 1; n <= 22; n += 1 {
			t.Run(fmt.Sprintf("%s/%02d", kind, n), func(t *testing.T) {
				t.Parallel()
				failAt(t, n, f)
			})
		}
	}
}

func failAt(t *testing.T, n int, f switchsim.Fault) {
	h := build(t, func(_ *switchsim.Options, c *monitor.Config) {
		if f.Swallow { // the only kind in which it has to pass
			c.CommandTimeout = time.Second
		}
		c.MoveTimeout = 600 * time.Millisecond
		c.JoinTimeout = 600 * time.Millisecond
		c.RingTimeout = time.Second
	})
	c := h.call("5550100", "1001")
	var seen atomic.Int32
	// The n-th command that belongs to the session fails.
	f.Match = regexp.MustCompile(`originate|uuid_setvar|uuid_transfer|uuid_bridge|uuid_kill|conference lmw?-`)
	count := switchsim.Fault{Match: f.Match, Times: n, Before: func() { seen.Add(1) }}
	remove := h.sim.Inject(count)
	defer remove()
	f.Times = 1
	h.sim.Inject(f)

	s, err := h.request("1001", "1002", true)
	if err == nil {
		h.allow(s, wire.Monitor)
		h.settled(s.ID, c)
		for _, step := range []struct {
			role wire.Role
			may  []wire.Role
		}{{wire.Coach, []wire.Role{wire.Coach}}, {wire.Barge, []wire.Role{wire.Coach, wire.Barge}}, {wire.Coach, []wire.Role{wire.Coach, wire.Barge}}, {wire.Monitor, []wire.Role{wire.Coach}}} {
			h.allow(s, step.may...)
			if _, err := h.svc.ChangeRole(t.Context(), s.ID, step.role); err == nil {
				h.settle()
				h.allow(s, step.role)
			} else {
				h.settled(s.ID, c)
			}
		}
		h.ready()
		if _, err := h.svc.StopSession(t.Context(), s.ID); err != nil && !strings.Contains(err.Error(), "ended") {
			h.ready()
			_, _ = h.svc.StopSession(t.Context(), s.ID)
		}
		h.await(s.ID, func(s wire.Session) bool { return s.Status == wire.Ended })
	}
	h.bridged(c)
}

// settled waits until a session on a call has come to rest in some role, and is
// heard as in that: while the connection is cut, nobody can take back what the
// switch was told already.
func (h *house) settled(id string, c switchsim.Call) {
	h.t.Helper()
	h.until("the session comes to rest", func() bool {
		s := h.session(id)
		return s.Status == wire.Ended || s.Status == wire.Listening && s.Role == s.Desired &&
			slices.Contains(h.sim.Hears(c.A), s.Channel) == (s.Role == wire.Barge)
	})
}
