package monitor_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"livemon/internal/access"
	"livemon/internal/fault"
	"livemon/internal/monitor"
	"livemon/internal/switchsim"
	"livemon/internal/wire"
)

// listenAs starts a session of an account and waits until he listens.
func (o *office) listenAs(name, agent, phone string) wire.Session {
	o.t.Helper()
	s, err := o.svc.StartSession(o.as(name), wire.MonitorRequest{Agent: agent, Phone: phone, Coaching: true, Supervisor: "somebody else"})
	if err != nil {
		o.t.Fatal(err)
	}
	o.allow(s, wire.Monitor)
	return o.await(s.ID, listening)
}

func (o *office) roleAs(name string, s wire.Session, role wire.Role) wire.Session {
	o.t.Helper()
	o.allow(s, s.Role, role)
	s, err := o.svc.ChangeRole(o.as(name), s.ID, role)
	if err != nil {
		o.t.Fatal(err)
	}
	o.settle()
	o.allow(s, role)
	return s
}

// last returns the newest record of an event.
func (o *office) last(event string) wire.AuditRecord {
	o.t.Helper()
	var found wire.AuditRecord
	o.until("a record of "+event, func() bool {
		recs, _ := o.store.Audit(o.t.Context(), wire.AuditFilter{})
		i := slices.IndexFunc(recs, func(r wire.AuditRecord) bool { return r.Event == event })
		for _, r := range slices.Backward(recs) {
			if r.Event == event {
				found = r
				break
			}
		}
		return i >= 0
	})
	return found
}

func TestWhoMayListen(t *testing.T) {
	yes := true
	some := []string{"1003"}
	listen := []wire.Action{wire.ActionListen}
	for name, v := range map[string]struct {
		change  func(*wire.AccountChange)
		actor   wire.Actor
		code    fault.Code // 0: not found
		allowed bool
		why     string
	}{
		"may":                 {allowed: true, actor: wire.Actor{Account: "ann", Via: "panel", From: "192.0.2.7"}},
		"no right":            {change: func(c *wire.AccountChange) { *c.Rights = nil }, actor: wire.Actor{Account: "ann"}, code: fault.NotAllowed, why: "no right to listen"},
		"only listen":         {change: func(c *wire.AccountChange) { c.Rights = &listen }, actor: wire.Actor{Account: "ann"}, allowed: true},
		"not his agent":       {change: func(c *wire.AccountChange) { c.Agents = &some }, actor: wire.Actor{Account: "ann"}, why: "neither in the account's teams"},
		"disabled":            {change: func(c *wire.AccountChange) { c.Disabled = &yes }, actor: wire.Actor{Account: "ann"}, code: fault.NotAllowed, why: "unknown or disabled"},
		"unknown account":     {actor: wire.Actor{Account: "eve"}, code: fault.NotAllowed, why: "unknown or disabled"},
		"nobody":              {actor: wire.Actor{}, code: fault.NotAllowed, why: "unknown or disabled"},
		"the machine's token": {actor: operator, code: fault.NotAllowed, why: "there are accounts"},
		"a peer":              {change: func(c *wire.AccountChange) { r := 0; c.Rank = &r; e := "1001"; c.Extension = &e }, actor: wire.Actor{Account: "ann"}, why: "same or a higher rank"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := buildOffice(t)
			if v.change == nil {
				o.add("ann")
			} else {
				o.add("ann", v.change)
			}
			o.call("5550100", "1001")
			s, err := o.svc.StartSession(wire.WithActor(t.Context(), v.actor), wire.MonitorRequest{Agent: "1001", Phone: "1002", Supervisor: "x"})
			if v.allowed {
				if err != nil {
					t.Fatal(err)
				}
				if s.Account != "ann" || s.Supervisor != "ann" {
					t.Errorf("%+v", s)
				}
				if r := o.last("requested"); r.Actor != "ann" || r.Origin != v.actor.From || v.actor.Via != "" && r.Via != v.actor.Via {
					t.Errorf("recorded %+v", r)
				}
				return
			}
			if fault.Of(err) != v.code || v.code == 0 && (!errors.Is(err, wire.ErrNotFound) || !strings.Contains(err.Error(), `no agent is called "1001"`)) {
				t.Errorf("error %v", err)
			}
			if r := o.last("refused"); !strings.Contains(r.Detail, v.why) || r.Actor != v.actor.Name() || r.Agent != "1001@127.0.0.1" {
				t.Errorf("recorded %+v", r)
			}
		})
	}
}

// TestRolesTakeTheirRight by every way to ask for one.
func TestRolesTakeTheirRight(t *testing.T) {
	o := buildOffice(t)
	o.add("ann", func(c *wire.AccountChange) { c.Rights = &[]wire.Action{wire.ActionListen, wire.ActionCoach} })
	o.add("bob")
	c := o.call("5550100", "1001")
	s := o.listenAs("ann", "1001", "1002")
	if _, err := o.svc.ChangeRole(o.as("ann"), s.ID, wire.Barge); fault.Of(err) != fault.RoleNotAllowed {
		t.Errorf("barge: %v", err)
	}
	if _, err := o.svc.TakeOver(o.as("ann"), s.ID); fault.Of(err) != fault.RoleNotAllowed {
		t.Errorf("take over: %v", err)
	}
	o.press(s.Channel, "6#")
	o.until("the refusal tone", func() bool {
		return slices.Contains(o.sim.Played(s.Channel), "tone_stream://%(160,60,330);%(240,0,262)")
	})
	if r := o.last("refused"); r.Via != "key" || r.Actor != "ann" || r.Code != int(fault.RoleNotAllowed) || r.To != wire.Barge {
		t.Errorf("recorded %+v", r)
	}
	s = o.roleAs("ann", s, wire.Coach)
	o.hears(c.A, c.B)
	// Somebody else's session is not his to change, whatever he may do himself.
	for what, err := range map[string]error{
		"role":   second(o.svc.ChangeRole(o.as("bob"), s.ID, wire.Monitor)),
		"take":   second(o.svc.TakeOver(o.as("bob"), s.ID)),
		"stop":   second(o.svc.StopSession(o.as("bob"), s.ID)),
		"follow": second(o.svc.SetFollow(o.as("bob"), s.ID, wire.FollowAgent)),
	} {
		if !errors.Is(err, wire.ErrForbidden) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if s = o.session(s.ID); s.Role != wire.Coach || s.Follow != wire.FollowCall {
		t.Errorf("%+v", s)
	}
	// The machine's token, and an administrator, may end it.
	o.edit("bob", wire.AccountChange{Admin: new(true)})
	admin := wire.WithActor(t.Context(), wire.Actor{Account: "bob", Admin: true, Via: "panel"})
	if _, err := o.svc.StopSession(admin, s.ID); err != nil {
		t.Error(err)
	}
	o.ended(s.ID, 0)
	if r := o.last("ended"); r.Actor != "bob" {
		t.Errorf("recorded %+v", r)
	}
	o.bridged(c)
}

func second[T any](_ T, err error) error { return err }

// TestRightTakenAway ends what it allowed, at once, and nothing else.
func TestRightTakenAway(t *testing.T) {
	none := []string{"1003"}
	for name, v := range map[string]struct {
		role   wire.Role
		change wire.AccountChange
		ends   bool
	}{
		"monitor, listen":        {wire.Monitor, rights(), true},
		"coach, coach":           {wire.Coach, rights(wire.ActionListen), false},
		"barge, barge":           {wire.Barge, rights(wire.ActionListen, wire.ActionCoach), false},
		"coach, everything":      {wire.Coach, rights(), true},
		"barge, not his agent":   {wire.Barge, wire.AccountChange{Agents: &none}, true},
		"coach, disabled":        {wire.Coach, wire.AccountChange{Disabled: new(true)}, true},
		"monitor, of the others": {wire.Monitor, rights(wire.ActionListen), false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := buildOffice(t)
			o.add("ann")
			c := o.call("5550100", "1001")
			s := o.listenAs("ann", "1001", "1002")
			if v.role != wire.Monitor {
				s = o.roleAs("ann", s, v.role)
			}
			o.allow(s, wire.Monitor, v.role)
			o.edit("ann", v.change)
			if v.ends {
				o.ended(s.ID, fault.NotAllowed)
				o.gone(s.Channel)
				o.bridged(c)
				return
			}
			s = o.await(s.ID, func(s wire.Session) bool { return s.Role == wire.Monitor && s.Desired == wire.Monitor })
			o.settle()
			o.allow(s, wire.Monitor)
			o.hears(c.A, c.B)
			o.hears(c.B, c.A)
			o.hears(s.Channel, c.A, c.B)
		})
	}
}

// TestRightTakenAwayElsewhere: while he waits, and while his telephone rings.
func TestRightTakenAwayElsewhere(t *testing.T) {
	o := buildOffice(t)
	o.add("ann")
	waiting, err := o.svc.StartSession(o.as("ann"), wire.MonitorRequest{Agent: "1001", Phone: "1002", Follow: wire.FollowAgent})
	if err != nil {
		t.Fatal(err)
	}
	o.await(waiting.ID, func(s wire.Session) bool { return s.Status == wire.Waiting })
	o.sim.SetPhone("1003", switchsim.Behaviour{NoAnswer: true})
	o.call("5550100", "1004")
	ringing, err := o.svc.StartSession(o.as("ann"), wire.MonitorRequest{Agent: "1004", Phone: "1003"})
	if err != nil {
		t.Fatal(err)
	}
	o.await(ringing.ID, func(s wire.Session) bool { return s.Status == wire.Ringing })
	o.edit("ann", rights())
	o.ended(waiting.ID, fault.NotAllowed)
	o.ended(ringing.ID, fault.NotAllowed)
	o.until("only the call is left", func() bool { return len(o.sim.Channels()) == 2 })
}

// TestNobodyListensToThese: numbers and marks, on the call of now and on the next.
func TestNobodyListensToThese(t *testing.T) {
	never := func(_ *monitor.Config, a *access.Config) {
		a.Never = access.Never{Numbers: []string{"55501*"}, Marks: []string{"private"}}
	}
	o := buildOffice(t, never)
	o.add("ann")
	c := o.call("5550100", "1001")
	_, err := o.svc.StartSession(o.as("ann"), wire.MonitorRequest{Agent: "1001", Phone: "1002"})
	o.want(err, fault.NotAllowed)
	if r := o.last("refused"); !strings.Contains(r.Detail, "number") {
		t.Errorf("%+v", r)
	}
	// He follows the agent: that call is passed over, and the next one is listened to.
	s, err := o.svc.StartSession(o.as("ann"), wire.MonitorRequest{Agent: "1001", Phone: "1002", Follow: wire.FollowNext})
	if err != nil {
		t.Fatal(err)
	}
	o.allow(s, wire.Monitor)
	o.await(s.ID, func(s wire.Session) bool { return s.Status == wire.Waiting })
	o.hangup(c.A)
	o.gone(c.A, c.B)
	c = o.call("5550101", "1001")
	o.until("it is passed over", func() bool {
		return strings.Contains(o.last("refused").Detail, "number") && o.last("refused").Session == s.ID
	})
	o.bridged(c)
	o.hangup(c.A)
	o.gone(c.A, c.B)
	c = o.call("5559", "1001")
	s = o.listens(s, c)
	// A mark that comes later counts at the next change.
	o.api("uuid_setvar " + c.A + " private yes")
	o.edit("ann", wire.AccountChange{FullName: new("Ann")})
	o.ended(s.ID, fault.NotAllowed)
	o.bridged(c)
	// Or when he asks for more.
	o.api("uuid_setvar " + c.A + " private")
	s = o.listenAs("ann", "1001", "1002")
	s = o.roleAs("ann", s, wire.Coach)
	o.api("uuid_setvar " + c.A + " private yes")
	_, err = o.svc.ChangeRole(o.as("ann"), s.ID, wire.Barge)
	o.want(err, fault.NotAllowed)
	o.allow(s, wire.Monitor, wire.Coach)
	o.ended(s.ID, fault.NotAllowed)
	o.bridged(c)
}

// TestNobodyListensToThem, whichever side of a call they are on: those who are
// named, and those of the same or a higher rank.
func TestNobodyListensToThem(t *testing.T) {
	o := buildOffice(t, func(_ *monitor.Config, a *access.Config) { a.Never.Agents = []string{"1009"} })
	o.add("ann")
	o.add("chief", extension("1008"), func(c *wire.AccountChange) { c.Rank = new(90) })
	for _, from := range []string{"1009", "1008"} {
		c, err := o.sim.Call(t.Context(), from, "1001")
		if err != nil {
			t.Fatal(err)
		}
		o.until("the call is known", func() bool {
			agents, _ := o.svc.Agents(t.Context())
			return slices.ContainsFunc(agents, func(a wire.Agent) bool { return a.Agent == "1001@127.0.0.1" && a.Call != "" })
		})
		_, err = o.svc.StartSession(o.as("ann"), wire.MonitorRequest{Agent: "1001", Phone: "1002"})
		o.want(err, fault.NotAllowed)
		o.hangup(c.A)
		o.gone(c.A, c.B)
	}
	// Nor when one comes into a conference.
	room, err := o.sim.Conference(t.Context(), "3000", "1001", "1004")
	if err != nil {
		t.Fatal(err)
	}
	o.mu.Lock()
	o.pupil = room[0]
	o.mu.Unlock()
	o.until("the agent is in it", func() bool {
		agents, _ := o.svc.Agents(t.Context())
		return slices.ContainsFunc(agents, func(a wire.Agent) bool { return a.Agent == "1001@127.0.0.1" && a.Call != "" })
	})
	s := o.listenAs("ann", "1001", "1002")
	if _, err := o.sim.Conference(t.Context(), "3000", "1009"); err != nil {
		t.Fatal(err)
	}
	o.ended(s.ID, fault.NotAllowed)
	o.gone(s.Channel)
}

// TestNotice: whoever has to be told hears the tone before anybody listens.
func TestNotice(t *testing.T) {
	for _, kind := range []wire.NoticeKind{wire.NoticeNone, wire.NoticeAgent, wire.NoticeAll} {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			o := buildOffice(t)
			o.add("ann")
			team := wire.Team{Name: "sales", Agents: []string{"1001"}, Notice: wire.Notice{Kind: kind, Every: 5}}
			if kind == wire.NoticeNone {
				team.Notice.Every = 0
			}
			if _, err := o.people.AddTeam(wire.WithActor(t.Context(), operator), team); err != nil {
				t.Fatal(err)
			}
			c := o.call("5550100", "1001")
			tones := func(ch string) (n int) {
				for _, f := range o.sim.Played(ch) {
					if strings.Contains(f, "1400") {
						n++
					}
				}
				return n
			}
			s := o.listenAs("ann", "1001", "1002")
			agent, user := 0, 0
			if kind != wire.NoticeNone {
				agent = 1
			}
			if kind == wire.NoticeAll {
				user = 1
			}
			if tones(c.B) != agent || tones(c.A) != user || tones(s.Channel) != 0 {
				t.Errorf("agent %d, user %d, supervisor %d", tones(c.B), tones(c.A), tones(s.Channel))
			}
			if kind == wire.NoticeNone {
				return
			}
			// A second one listens: they have been told. It is repeated, for both, and
			// not after the last has left.
			o.add("bob")
			s2 := o.listenAs("bob", "1001", "1003")
			o.until("the tone is repeated", func() bool { return tones(c.B) == agent+1 && tones(c.A) == 2*user })
			o.leave2("ann", s)
			o.leave2("bob", s2)
			o.bridged(c)
			n := tones(c.B)
			o.frames(int(6 * time.Second / (20 * time.Millisecond)))
			if tones(c.B) != n {
				t.Error("the tone goes on")
			}
		})
	}
}

func (o *office) leave2(name string, s wire.Session) {
	o.t.Helper()
	if _, err := o.svc.StopSession(o.as(name), s.ID); err != nil {
		o.t.Fatal(err)
	}
}
