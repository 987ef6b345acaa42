package monitor_test

import (
	"net"
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

// spoken waits until a telephone has heard an error code.
func (h *house) spoken(number string, code fault.Code) {
	h.t.Helper()
	h.until("the code is spoken", func() bool {
		played := strings.Join(h.sim.Played(number), " ")
		at := 0
		for _, d := range code.Digits() {
			i := strings.Index(played[at:], "/"+string(d)+".wav")
			if i < 0 {
				return false
			}
			at += i + 1
		}
		return true
	})
}

// TestAtTheRequest: what can be known at once is refused at once.
func TestAtTheRequest(t *testing.T) {
	h := build(t, func(_ *switchsim.Options, c *monitor.Config) { c.NeverMonitor = []string{"1007"} })
	h.call("5550100", "1001")
	h.call("5550101", "1007")
	for _, tc := range []struct {
		agent, phone string
		code         fault.Code
	}{
		{"1005", "1002", fault.PupilGone},
		{"1007", "1002", fault.NotAllowed},
		{"1001", "1001", fault.NotAllowed},
	} {
		_, err := h.request(tc.agent, tc.phone, true)
		h.want(err, tc.code)
	}
	if _, err := h.svc.AddExtension(t.Context(), wire.Extension{Number: "1003"}); err != nil {
		t.Fatal(err)
	}
	_, err := h.request("1001", "1002", true)
	h.want(err, fault.NotAllowed)
	h.listen("1001", "1003")
	recs, err := h.svc.Audit(t.Context(), wire.AuditFilter{})
	if err != nil {
		t.Fatal(err)
	}
	refused := 0
	for _, r := range recs {
		if r.Event == "refused" && r.Code != 0 {
			refused++
		}
	}
	if refused != 4 {
		t.Errorf("%d refusals are on record, want 4", refused)
	}
}

// TestUserGoneAtTheRequest: the agent is alone on his call.
func TestUserGoneAtTheRequest(t *testing.T) {
	h := build(t)
	c := h.call("5550100", "1001")
	s := h.listen("1001", "1002")
	// In the room the agent stays for a moment when the customer has gone.
	h.sim.Inject(switchsim.Fault{Match: regexp.MustCompile("uuid_kill"), Reply: "-ERR busy"})
	h.hangup(c.A)
	h.ended(s.ID, fault.UserGone)
	h.until("9014", func() bool { _, err := h.request("1001", "1003", true); return fault.Of(err) == fault.UserGone })
}

// TestBetweenRequestAndAnswer: the call ends while the supervisor's telephone
// rings, and right after he has answered.
func TestBetweenRequestAndAnswer(t *testing.T) {
	for _, tc := range []struct {
		name string
		who  func(switchsim.Call) string
		code fault.Code
	}{
		{"user", func(c switchsim.Call) string { return c.A }, fault.UserGone},
		{"pupil", func(c switchsim.Call) string { return c.B }, fault.PupilGone},
	} {
		t.Run(tc.name+" while it rings", func(t *testing.T) {
			t.Parallel()
			h := build(t)
			h.sim.SetPhone("1002", switchsim.Behaviour{NoAnswer: true})
			c := h.call("5550100", "1001")
			s, err := h.request("1001", "1002", true)
			if err != nil {
				t.Fatal(err)
			}
			h.await(s.ID, func(s wire.Session) bool { return s.Status == wire.Ringing && h.sim.Leg("1002") != "" })
			h.hangup(tc.who(c))
			s = h.ended(s.ID, tc.code)
			h.gone(s.Channel)
		})
		t.Run(tc.name+" as he answers", func(t *testing.T) {
			t.Parallel()
			h := build(t)
			c := h.call("5550100", "1001")
			h.sim.Inject(switchsim.Fault{Match: regexp.MustCompile("uuid_transfer .* -both"), Times: 1, Before: func() { _ = h.sim.Hangup(tc.who(c), "") }})
			s, err := h.request("1001", "1002", true)
			if err != nil {
				t.Fatal(err)
			}
			h.ended(s.ID, tc.code)
			h.spoken("1002", tc.code)
			h.gone(c.A, c.B)
		})
	}
}

func TestTelephoneDoesNotAnswer(t *testing.T) {
	for name, b := range map[string]switchsim.Behaviour{
		"busy": {Reject: "USER_BUSY"}, "refuses": {Reject: "CALL_REJECTED"}, "no answer": {NoAnswer: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := build(t, func(_ *switchsim.Options, c *monitor.Config) { c.RingTimeout = time.Second })
			h.sim.SetPhone("1002", b)
			c := h.call("5550100", "1001")
			s, err := h.request("1001", "1002", true)
			if err != nil {
				t.Fatal(err)
			}
			h.ended(s.ID, fault.PhoneNoAnswer)
			h.bridged(c)
		})
	}
}

func TestRoomCannotBeCreated(t *testing.T) {
	t.Run("the profile is missing", func(t *testing.T) {
		h := build(t, func(so *switchsim.Options, _ *monitor.Config) { so.ConferenceXML = "" })
		c := h.call("5550100", "1001")
		_, err := h.request("1001", "1002", true)
		h.want(err, fault.RoomNotCreated)
		h.bridged(c)
	})
	for name, f := range map[string]switchsim.Fault{
		"the move is refused":           {Match: regexp.MustCompile("uuid_transfer .* -both"), Reply: "-ERR no"},
		"the move is accepted and lost": {Match: regexp.MustCompile("uuid_transfer .* -both"), Reply: "+OK"},
		"the first step is refused":     {Match: regexp.MustCompile(`uuid_setvar_multi .*livemon_mark=\S+;max_session_transfers=70$`), Reply: "-ERR no"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := build(t, func(_ *switchsim.Options, c *monitor.Config) { c.MoveTimeout = 500 * time.Millisecond })
			c := h.call("5550100", "1001")
			h.sim.Inject(f)
			s, err := h.request("1001", "1002", true)
			if err != nil {
				t.Fatal(err)
			}
			h.ended(s.ID, fault.RoomNotCreated)
			h.spoken("1002", fault.RoomNotCreated)
			h.bridged(c)
		})
	}
}

func TestSupervisorCannotBeAdded(t *testing.T) {
	h := build(t)
	c := h.call("5550100", "1001")
	h.sim.Inject(switchsim.Fault{Match: regexp.MustCompile("uuid_transfer .*mute.deaf"), Reply: "-ERR no"})
	s, err := h.request("1001", "1002", true)
	if err != nil {
		t.Fatal(err)
	}
	h.ended(s.ID, fault.NotAdded)
	h.spoken("1002", fault.NotAdded)
	h.bridged(c)
}

func TestShopRoomIsLocked(t *testing.T) {
	h := build(t)
	if _, err := h.sim.Conference(t.Context(), "sales", "1001", "1004"); err != nil {
		t.Fatal(err)
	}
	h.api("conference sales lock")
	h.until("the agent is in a conference", func() bool {
		a, _ := h.svc.Agents(t.Context())
		return slices.ContainsFunc(a, func(a wire.Agent) bool { return a.Agent == "1001@127.0.0.1" && a.State == wire.InConference })
	})
	s, err := h.request("1001", "1002", true)
	if err != nil {
		t.Fatal(err)
	}
	h.ended(s.ID, fault.PupilInConference)
	h.spoken("1002", fault.PupilInConference)
	h.hears(h.sim.Leg("1004"), h.sim.Leg("1001"))
}

func TestCoachingNotEnabled(t *testing.T) {
	h := build(t)
	c := h.call("5550100", "1001")
	s, err := h.request("1001", "1002", false)
	if err != nil {
		t.Fatal(err)
	}
	s = h.await(s.ID, func(s wire.Session) bool { return s.Status == wire.Listening })
	h.sim.Reset()
	for i, keys := range []string{"4#", "6#", "1#"} {
		if err := h.sim.Press(s.Channel, keys); err != nil {
			t.Fatal(err)
		}
		h.until("a refusal tone", func() bool { return len(h.sim.Played(s.Channel)) == i+1 })
	}
	h.hears(c.A, c.B)
	h.hears(c.B, c.A)
	for _, role := range []wire.Role{wire.Coach, wire.Barge} {
		_, err := h.svc.ChangeRole(t.Context(), s.ID, role)
		h.want(err, fault.RoleNotAllowed)
	}
	_, err = h.svc.TakeOver(t.Context(), s.ID)
	h.want(err, fault.RoleNotAllowed)
}

func TestSwitchDoesNotAnswer(t *testing.T) {
	t.Run("request", func(t *testing.T) {
		h := build(t, func(_ *switchsim.Options, c *monitor.Config) { c.CommandTimeout = time.Second })
		h.call("5550100", "1001")
		remove := h.sim.Inject(switchsim.Fault{Match: regexp.MustCompile("xml_locate|originate"), Swallow: true})
		_, err := h.request("1001", "1002", true)
		h.want(err, fault.SwitchTimeout)
		remove()
		h.listen("1001", "1002")
	})
	t.Run("originate", func(t *testing.T) {
		h := build(t, func(_ *switchsim.Options, c *monitor.Config) { c.CommandTimeout = time.Second })
		c := h.call("5550100", "1001")
		h.sim.Inject(switchsim.Fault{Match: regexp.MustCompile("originate"), Swallow: true})
		s, err := h.request("1001", "1002", true)
		if err != nil {
			t.Fatal(err)
		}
		h.ended(s.ID, fault.SwitchTimeout)
		h.bridged(c)
	})
	t.Run("mid-session", func(t *testing.T) {
		h := build(t, func(_ *switchsim.Options, c *monitor.Config) { c.CommandTimeout = time.Second })
		c := h.call("5550100", "1001")
		s := h.listen("1001", "1002")
		remove := h.sim.Inject(switchsim.Fault{Match: regexp.MustCompile("conference lm-"), Swallow: true})
		h.allow(s, wire.Coach)
		_, err := h.svc.ChangeRole(t.Context(), s.ID, wire.Coach)
		h.want(err, fault.SwitchTimeout)
		remove()
		h.await(s.ID, func(s wire.Session) bool { return s.Role == s.Desired && s.Status == wire.Listening })
		h.hears(c.A, c.B)
	})
}

// TestStoreAway: towards less still works, towards more is refused, and what
// happened meanwhile is recorded later.
func TestStoreAway(t *testing.T) {
	h := build(t)
	c := h.call("5550100", "1001")
	s := h.listen("1001", "1002")
	s = h.press(s, "4#", wire.Coach)
	s = h.press(s, "6#", wire.Barge)
	h.redis.Close()
	s = h.press(s, "4#", wire.Coach)
	h.hears(c.A, c.B)
	_, err := h.svc.ChangeRole(t.Context(), s.ID, wire.Barge)
	h.want(err, fault.StoreUnavailable)
	h.sim.Reset()
	if err := h.sim.Press(s.Channel, "6#"); err != nil {
		t.Fatal(err)
	}
	h.spoken(s.Channel, fault.StoreUnavailable)
	h.hears(c.A, c.B)
	_, err = h.request("1001", "1003", true)
	h.want(err, fault.StoreUnavailable)
	s = h.press(s, "5#", wire.Monitor)
	h.hears(c.B, c.A)
	if err := h.redis.Restart(); err != nil {
		t.Fatal(err)
	}
	var late []string
	h.until("the changes are recorded", func() bool {
		recs, err := h.svc.Audit(t.Context(), wire.AuditFilter{Session: s.ID})
		if err != nil {
			return false
		}
		late = nil
		for _, r := range recs {
			if r.Late && r.Event == "role" {
				late = append(late, string(r.From)+">"+string(r.To))
			}
		}
		return len(late) >= 2
	})
	if !slices.Equal(late, []string{"barge>coach", "coach>monitor"}) {
		t.Errorf("recorded late: %v", late)
	}
	s = h.press(s, "6#", wire.Barge)
	h.hears(c.A, c.B, s.Channel)
}

// TestStoreAwayAtTheJoin: nobody listens unrecorded.
func TestStoreAwayAtTheJoin(t *testing.T) {
	h := build(t)
	c := h.call("5550100", "1001")
	h.sim.Inject(switchsim.Fault{Match: regexp.MustCompile("uuid_transfer .* -both"), Times: 1, Before: h.redis.Close})
	s, err := h.request("1001", "1002", true)
	if err != nil {
		t.Fatal(err)
	}
	h.ended(s.ID, fault.StoreUnavailable)
	h.spoken("1002", fault.StoreUnavailable)
	h.bridged(c)
	for _, span := range h.sim.Truth() {
		if span.Listener == s.Channel {
			t.Errorf("he heard %s without a record", h.sim.Number(span.Speaker))
		}
	}
	if err := h.redis.Restart(); err != nil {
		t.Fatal(err)
	}
}

// TestBadInput: a clear error, and nothing reaches the switch.
func TestBadInput(t *testing.T) {
	h := build(t)
	h.call("5550100", "1001")
	before := len(h.sim.Commands())
	long := strings.Repeat("9", 2000)
	for _, in := range [][2]string{
		{"1001\napi hupall", "1002"}, {"1001\r", "1002"}, {"10\x0001", "1002"}, {long, "1002"}, {"", "1002"}, {"nobody", "1002"}, {"{a=b}1001", "1002"},
		{"1001", "1002\n\napi hupall"}, {"1001", "1002,1003"}, {"1001", "{a=b}1002"}, {"1001", "[x]1002"}, {"1001", "1002|1003"}, {"1001", "${x}"}, {"1001", long}, {"1001", ""}, {"1001", "1002 &park()"},
	} {
		if _, err := h.request(in[0], in[1], true); err == nil {
			t.Errorf("%.40q, %.40q was accepted", in[0], in[1])
		}
	}
	for _, cmd := range h.sim.Commands()[before:] {
		if strings.Contains(cmd, "originate") || strings.Contains(cmd, "hupall") {
			t.Errorf("reached the switch: %s", cmd)
		}
	}
}

// api sends one command to the simulated switch over a connection of its own, and
// returns everything it said there.
func (h *house) api(line string) string {
	h.t.Helper()
	conn, err := net.Dial("tcp", h.sim.Addr())
	if err != nil {
		h.t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		h.t.Fatal(err)
	}
	if _, err := conn.Write([]byte("auth ClueCon\n\napi " + line + "\n\nexit\n\n")); err != nil {
		h.t.Fatal(err)
	}
	var all []byte
	buf := make([]byte, 4096)
	for {
		n, err := conn.Read(buf)
		all = append(all, buf[:n]...)
		if err != nil {
			break
		}
	}
	if !strings.Contains(string(all), "api/response") {
		h.t.Fatalf("%s: %s", line, all)
	}
	return string(all)
}
