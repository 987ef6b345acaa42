package monitor_test

import (
	"context"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"livemon/internal/access"
	"livemon/internal/accounts"
	"livemon/internal/fault"
	"livemon/internal/monitor"
	"livemon/internal/switchsim"
	"livemon/internal/wire"
	"livemon/state"
)

// office is a house whose people have accounts, and may dial in.
type office struct {
	*house
	people *accounts.Service
}

var operator = wire.Actor{Operator: true, Admin: true, Via: "api", From: "127.0.0.1"}

// buildOffice starts one. Accounts can be made at once; the first makes the rules count.
func buildOffice(t *testing.T, opts ...func(*monitor.Config, *access.Config)) *office {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := ln.Addr().String()
	ln.Close()
	o := &office{}
	o.house = build(t, func(so *switchsim.Options, c *monitor.Config) {
		so.Dialplan = append(so.Dialplan, switchsim.DialplanEntry{Prefix: "*88", Outbound: addr})
		c.Outbound = addr
	})
	o.stop()
	rules := access.Config{}
	for _, f := range opts {
		f(&o.cfg, &rules)
	}
	o.people, err = accounts.New(o.store, accounts.Options{Access: rules, Hash: accounts.HashParams{Memory: 64, Time: 1, Threads: 1}, Wait: 20 * time.Millisecond,
		PINs: state.Limits{Account: state.Limit{Free: 3, Delay: time.Hour, Longest: time.Hour, Forget: time.Hour}}})
	if err != nil {
		t.Fatal(err)
	}
	o.cfg.Policy = o.people
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- o.people.Run(ctx) }()
	o.start()
	t.Cleanup(func() { o.house.stop(); cancel(); <-done })
	return o
}

// add makes an account that may do everything to everybody's calls, but for what
// changes say.
func (o *office) add(name string, changes ...func(*wire.AccountChange)) {
	o.t.Helper()
	all, agents := wire.Actions(), []string{"*"}
	rank := 10
	c := wire.AccountChange{Rights: &all, Agents: &agents, Rank: &rank}
	for _, f := range changes {
		f(&c)
	}
	if _, err := o.people.AddAccount(wire.WithActor(o.t.Context(), operator), name, c, false); err != nil {
		o.t.Fatal(err)
	}
}

func (o *office) edit(name string, c wire.AccountChange) {
	o.t.Helper()
	if _, err := o.people.EditAccount(wire.WithActor(o.t.Context(), operator), name, c); err != nil {
		o.t.Fatal(err)
	}
}

func extension(e string) func(*wire.AccountChange) {
	return func(c *wire.AccountChange) { c.Extension = &e }
}

func pin(p string) func(*wire.AccountChange) { return func(c *wire.AccountChange) { c.PIN = &p } }

func rights(list ...wire.Action) wire.AccountChange {
	if list == nil {
		list = []wire.Action{}
	}
	return wire.AccountChange{Rights: &list}
}

// as is a context in which an account asks.
func (o *office) as(name string) context.Context {
	return wire.WithActor(o.t.Context(), wire.Actor{Account: name, Via: "panel", From: "192.0.2.7"})
}

// dial makes a telephone dial the feature code and an agent.
func (o *office) dial(from, agent string) string {
	o.t.Helper()
	ch, err := o.sim.Dial(o.t.Context(), from, "*88"+agent)
	if err != nil {
		o.t.Fatal(err)
	}
	o.mu.Lock()
	o.may[ch] = []wire.Role{wire.Monitor}
	o.mu.Unlock()
	return ch
}

// played waits until a telephone has been played a prompt, for the nth time.
func (o *office) played(channel, prompt string, nth int) {
	o.t.Helper()
	o.until(prompt+" is played", func() bool { return strings.Count(strings.Join(o.sim.Played(channel), " "), "/"+prompt+".wav") >= nth })
}

func (o *office) press(channel, keys string) {
	o.t.Helper()
	if err := o.sim.Press(channel, keys); err != nil {
		o.t.Fatal(err)
	}
}

// of returns the session of a telephone that dialled in.
func (o *office) of(channel string, ok func(wire.Session) bool) wire.Session {
	o.t.Helper()
	var found wire.Session
	o.until("a session of the telephone", func() bool {
		list, _ := o.svc.Sessions(o.t.Context())
		i := slices.IndexFunc(list, func(s wire.Session) bool { return s.Channel == channel && ok(s) })
		if i >= 0 {
			found = list[i]
		}
		return i >= 0
	})
	return found
}

func listening(s wire.Session) bool { return s.Status == wire.Listening }

// none sees that nobody has a session, and what was recorded last.
func (o *office) none(code fault.Code) {
	o.t.Helper()
	if list, _ := o.svc.Sessions(o.t.Context()); len(list) != 0 {
		o.t.Errorf("sessions %+v", list)
	}
	o.until("the refusal is recorded", func() bool {
		recs, _ := o.svc.Audit(o.t.Context(), wire.AuditFilter{})
		return len(recs) > 0 && recs[len(recs)-1].Event == "refused" && recs[len(recs)-1].Code == int(code)
	})
}

func TestDialInWithoutAccounts(t *testing.T) {
	o := buildOffice(t)
	c := o.call("5550100", "1001")
	ch := o.dial("1002", "1001")
	o.played(ch, "error", 1)
	o.gone(ch)
	o.none(fault.NotAllowed)
	if _, err := o.svc.AddExtension(t.Context(), wire.Extension{Number: "1002"}); err != nil {
		t.Fatal(err)
	}
	ch = o.dial("1002", "1001")
	s := o.of(ch, listening)
	if s.Account != "" || s.Supervisor != "1002" {
		t.Errorf("%+v", s)
	}
	o.hears(ch, c.A, c.B)
	o.house.press(s, "4#", wire.Coach)
	o.hears(c.A, c.B)
	o.hangup(ch)
	o.ended(s.ID, 0)
	o.bridged(c)
}

func TestDialInIsKnownByHisExtension(t *testing.T) {
	o := buildOffice(t)
	o.add("ann", extension("1002"))
	c := o.call("5550100", "1001")
	ch := o.dial("1002", "1001")
	s := o.of(ch, listening)
	if s.Account != "ann" || s.Supervisor != "ann" || s.Phone != "1002" || s.Follow != wire.FollowCall {
		t.Errorf("%+v", s)
	}
	o.played(ch, "confirm", 1)
	o.hears(ch, c.A, c.B)
	s = o.house.press(s, "6#", wire.Barge)
	o.hears(c.A, c.B, ch)
	for _, r := range o.audit(s.ID) {
		if (r.Event == "requested" || r.Event == "role") && (r.Actor != "ann" || r.Origin != "1002") {
			t.Errorf("recorded %+v", r)
		}
	}
	// Nobody's telephone, and one of a disabled account, are not let in.
	yes := true
	o.add("bob", extension("1003"), func(c *wire.AccountChange) { c.Disabled = &yes })
	for _, from := range []string{"1003", "1004"} {
		other := o.dial(from, "1001")
		o.played(other, "error", 1)
		o.gone(other)
	}
}

func TestDialInWithPIN(t *testing.T) {
	o := buildOffice(t)
	o.add("ann", extension("1002"), pin("4711"))
	c := o.call("5550100", "1001")
	ch := o.dial("1002", "1001")
	o.played(ch, "pin", 1)
	o.press(ch, "0000#")
	o.played(ch, "pin-wrong", 1)
	o.press(ch, "4711#")
	s := o.of(ch, listening)
	o.hears(ch, c.A, c.B)
	for _, r := range must(o.store.Audit(t.Context(), wire.AuditFilter{})) {
		if strings.Contains(r.Detail, "4711") || strings.Contains(r.Detail, "0000") {
			t.Errorf("a PIN is recorded: %+v", r)
		}
	}
	o.hangup(ch)
	o.ended(s.ID, 0)
	// Too many wrong ones lock, also for the right one.
	ch = o.dial("1002", "1001")
	for i := range 3 {
		o.played(ch, "pin", i+1)
		o.press(ch, "1#")
	}
	o.gone(ch)
	o.none(fault.NotAllowed)
	ch = o.dial("1002", "1001")
	o.played(ch, "pin", 1)
	o.press(ch, "1#")
	o.played(ch, "pin", 2)
	o.press(ch, "4711#")
	o.played(ch, "locked", 1)
	o.gone(ch)
	o.none(fault.NotAllowed)
	o.bridged(c)
}

func TestDialInHangsUpAtThePrompt(t *testing.T) {
	o := buildOffice(t)
	o.add("ann", extension("1002"), pin("4711"))
	ch := o.dial("1002", "1001")
	o.played(ch, "pin", 1)
	o.press(ch, "47")
	o.hangup(ch)
	o.gone(ch)
	o.until("nothing is left", func() bool { return len(o.sim.Channels()) == 0 })
	// Silence is no wrong PIN either.
	ch = o.dial("1002", "1001")
	for i := range 3 {
		o.played(ch, "pin", i+1)
		if i < 2 {
			o.press(ch, "#")
		}
	}
	o.press(ch, "4711#")
	o.played(ch, "wait", 1)
	o.hangup(ch)
	o.until("nothing is left", func() bool { return len(o.sim.Channels()) == 0 })
	for _, r := range must(o.store.Audit(t.Context(), wire.AuditFilter{})) {
		if r.Event == "refused" && r.Code != int(fault.PupilGone) || r.Event == "login-refused" {
			t.Errorf("recorded %+v", r)
		}
	}
}

func TestDialInMustHaveAPIN(t *testing.T) {
	o := buildOffice(t, func(c *monitor.Config, _ *access.Config) { c.DialInPIN = monitor.PINAlways })
	o.add("ann", extension("1002"))
	ch := o.dial("1002", "1001")
	for i := range 3 {
		o.played(ch, "pin", i+1)
		o.press(ch, "1#")
	}
	o.gone(ch)
	o.none(fault.NotAllowed)
}

func TestDialInFromAnywhere(t *testing.T) {
	o := buildOffice(t, func(c *monitor.Config, _ *access.Config) { c.DialInAnywhere = true })
	o.add("ann", extension("1002"), pin("4711"))
	c := o.call("5550100", "1001")
	ch := o.dial("1004", "1001")
	o.played(ch, "extension", 1)
	o.press(ch, "1002#")
	o.played(ch, "pin", 1)
	o.press(ch, "4711#")
	s := o.of(ch, listening)
	if s.Account != "ann" || s.Phone != "1004" {
		t.Errorf("%+v", s)
	}
	o.hears(ch, c.A, c.B)
	o.hangup(ch)
	// Whether there is such an extension is not to be heard.
	ch = o.dial("1004", "1001")
	o.played(ch, "extension", 1)
	o.press(ch, "7777#")
	for i := range 3 {
		o.played(ch, "pin", i+1)
		o.press(ch, "4711#")
	}
	o.gone(ch)
	o.none(fault.NotAllowed)
}

// TestDialInUnseenSoundsLikeUnknown: what may not be seen sounds like what is not there.
func TestDialInUnseenSoundsLikeUnknown(t *testing.T) {
	o := buildOffice(t)
	mine := []string{"1003"}
	o.add("ann", extension("1002"), func(c *wire.AccountChange) { c.Agents = &mine })
	o.call("5550100", "1001")
	var heard []string
	for _, agent := range []string{"1001", "9999"} {
		ch := o.dial("1002", agent)
		o.gone(ch)
		heard = append(heard, strings.Join(o.sim.Played(ch), " "))
		o.none(fault.NotAllowed)
	}
	if heard[0] != heard[1] || heard[0] == "" {
		t.Errorf("heard %q", heard)
	}
	var details []string
	for _, r := range must(o.store.Audit(t.Context(), wire.AuditFilter{Supervisor: "ann"})) {
		if r.Event == "refused" {
			details = append(details, r.Detail)
		}
	}
	if len(details) != 2 || !strings.Contains(details[0], "neither in the account's teams") || !strings.Contains(details[1], "no agent is called") {
		t.Errorf("the record tells them apart: %q", details)
	}
}

func TestDialInWaitsForTheNextCall(t *testing.T) {
	o := buildOffice(t)
	o.add("ann", extension("1002"))
	ch := o.dial("1002", "1001")
	o.played(ch, "wait", 1)
	o.press(ch, "*")
	s := o.of(ch, func(s wire.Session) bool { return s.Status == wire.Waiting })
	if s.Follow != wire.FollowNext {
		t.Errorf("%+v", s)
	}
	c := o.call("5550100", "1001")
	s = o.listens(s, c)
	o.hangup(c.A)
	o.ended(s.ID, fault.UserGone)

	ch = o.dial("1002", "1001")
	o.played(ch, "wait", 1)
	o.press(ch, "5")
	o.gone(ch)
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}
