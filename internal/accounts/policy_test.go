package accounts

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"livemon/internal/access"
	"livemon/internal/fault"
	"livemon/internal/wire"
	"livemon/state"
)

func TestAllowed(t *testing.T) {
	each(t, func(t *testing.T, url string) {
		ctx := context.Background()
		h := open(t, url, Options{Access: access.Config{Never: access.Never{Agents: []string{"ceo"}}}}, true)
		there := over(t, h.store, Options{Access: access.Config{Never: access.Never{Agents: []string{"ceo"}}}}, true)
		operatorMay := func(h house) error {
			return h.Allowed(ctx, wire.Actor{Operator: true}, wire.ActionTakeOver, anna, access.Call{})
		}
		must(t, operatorMay(h))
		must(t, operatorMay(there))
		must(t, h.Allowed(ctx, wire.Actor{}, wire.ActionListen, anna, access.Call{}))
		wantsRule(t, h.Allowed(ctx, wire.Actor{Operator: true}, wire.ActionListen, wire.Agent{Agent: "ceo"}, access.Call{}), access.RuleNeverAgent)

		// What one controller changes the other knows at once.
		step := func(what string, do func() error, check func(house)) {
			t.Helper()
			c := there.Changed()
			if err := do(); err != nil {
				t.Fatalf("%s: %v", what, err)
			}
			check(h)
			changes(t, c)
			check(there)
		}
		step("the first account", func() error { _, err := h.AddAccount(operator, "sue", supervisor(), true); return err }, func(h house) {
			wantsRule(t, operatorMay(h), access.RuleOperator)
			wantsRule(t, may(h, "sue", wire.ActionTakeOver, anna), "")
			wantsRule(t, may(h, "sue", wire.ActionListen, stranger), access.RuleUnseen)
			wantsRule(t, may(h, "sam", wire.ActionListen, anna), access.RuleAccount)
		})
		step("a right taken away", func() error {
			_, err := h.EditAccount(operator, "sue", wire.AccountChange{Rights: ptr([]wire.Action{wire.ActionListen})})
			return err
		}, func(h house) {
			wantsRule(t, may(h, "sue", wire.ActionListen, anna), "")
			wantsRule(t, may(h, "sue", wire.ActionBarge, anna), access.RuleRole)
		})
		step("a team", func() error {
			_, err := h.AddTeam(operator, wire.Team{Name: "sales", Agents: []string{"2*"}, Notice: wire.Notice{Kind: wire.NoticeAll, Every: 30}})
			return err
		}, func(h house) {
			if n := value(h.Notice(ctx, stranger))(t); n != (wire.Notice{Kind: wire.NoticeAll, Every: 30}) {
				t.Errorf("notice %+v", n)
			}
		})
		step("given to her", func() error {
			_, err := h.EditAccount(operator, "sue", wire.AccountChange{Teams: ptr([]string{"sales"})})
			return err
		}, func(h house) { wantsRule(t, may(h, "sue", wire.ActionListen, stranger), "") })
		step("the team's agents", func() error {
			_, err := h.EditTeam(operator, "sales", wire.TeamChange{Agents: ptr([]string{"3*"})})
			return err
		}, func(h house) { wantsRule(t, may(h, "sue", wire.ActionListen, stranger), access.RuleUnseen) })
		step("the agent is a superior now", func() error {
			_, err := h.AddAccount(operator, "boss", wire.AccountChange{Extension: ptr("1001"), Rank: ptr(80)}, false)
			return err
		}, func(h house) {
			wantsRule(t, may(h, "sue", wire.ActionListen, anna), access.RuleRank)
			see := value(h.View(as(wire.Actor{Account: "sue"})))(t)
			if _, ok := see(anna); ok {
				t.Error("a superior is visible")
			}
			if _, ok := value(h.View(operator))(t)(anna); !ok {
				t.Error("the operator does not see")
			}
			if _, ok := value(h.View(ctx))(t)(anna); ok {
				t.Error("nobody in particular sees")
			}
		})
		step("disabled", func() error {
			_, err := h.EditAccount(operator, "sue", wire.AccountChange{Disabled: ptr(true)})
			return err
		}, func(h house) { wantsRule(t, may(h, "sue", wire.ActionListen, anna), access.RuleAccount) })
		step("removed", func() error {
			return errors.Join(h.RemoveAccount(operator, "sue"), h.RemoveAccount(operator, "boss"))
		}, func(house) {})
		if !until(func() bool { return operatorMay(there) == nil }) {
			t.Error("with no account left the operator may not listen")
		}
		wantsRule(t, may(h, "sue", wire.ActionListen, anna), access.RuleAccount)
		if got := h.MarkNames(); len(got) != 1 || got[0] != access.DefaultMark {
			t.Errorf("marks %v", got)
		}
	})
}

// TestRefusalsAreRecorded asks for what is not allowed.
func TestRefusalsAreRecorded(t *testing.T) {
	h := open(t, state.EmbeddedURL, Options{}, false)
	value(h.AddAccount(operator, "sue", wire.AccountChange{Rights: ptr([]wire.Action{wire.ActionListen}), Agents: ptr([]string{"anna"})}, false))(t)
	sue := as(wire.Actor{Account: "sue", Via: "api", From: "192.0.2.1"})
	on := anna
	on.User, on.Node, on.Call = "+4930", "pbx", "c1"
	must(t, h.Check(sue, wire.ActionListen, on, "s1"))
	before := len(audit(t, h))
	wantsRule(t, h.Check(sue, wire.ActionCoach, on, "s1"), access.RuleRole)
	wantsRule(t, h.Check(sue, wire.ActionListen, stranger, ""), access.RuleUnseen)
	wantsRule(t, h.Check(operator, wire.ActionListen, on, ""), access.RuleOperator)
	got := audit(t, h)[before:]
	if len(got) != 3 {
		t.Fatalf("records %+v", got)
	}
	r := got[0]
	r.ID, r.Seq, r.Hash, r.Time = "", 0, "", time.Time{}
	want := wire.AuditRecord{Event: state.EventRefused, Session: "s1", Supervisor: "sue", Actor: "sue", Agent: "anna", User: "+4930", Node: "pbx", Call: "c1", Via: "api",
		Origin: "192.0.2.1", Code: 9025, Detail: "coach: the account has no right to coach"}
	if r != want {
		t.Errorf("recorded as %+v", r)
	}
	if got[1].Code != 9021 || !strings.Contains(got[1].Detail, "neither in the account's teams") || got[2].Actor != wire.OperatorName {
		t.Errorf("recorded as %+v", got[1:])
	}
}

// TestNotWatching learns of others' changes without Run.
func TestNotWatching(t *testing.T) {
	h := open(t, state.EmbeddedURL, Options{}, false)
	other := over(t, h.store, Options{Fresh: time.Millisecond}, false)
	must(t, other.Allowed(context.Background(), wire.Actor{Operator: true}, wire.ActionListen, anna, access.Call{}))
	value(h.AddAccount(operator, "sue", supervisor(), true))(t)
	if !until(func() bool {
		return access.RuleOf(other.Allowed(context.Background(), wire.Actor{Operator: true}, wire.ActionListen, anna, access.Call{})) == access.RuleOperator
	}) {
		t.Error("the change is not seen")
	}
}

// TestRereading changes what is stored behind everybody's back.
func TestRereading(t *testing.T) {
	ctx := context.Background()
	v := redis(t)
	h := open(t, v.url(), Options{Reread: 50 * time.Millisecond}, true)
	value(h.AddAccount(operator, "sue", supervisor(), true))(t)
	wantsRule(t, may(h, "sue", wire.ActionListen, anna), "")
	must(t, forget(ctx, v.url(), "sue"))
	if !until(func() bool { return access.RuleOf(may(h, "sue", wire.ActionListen, anna)) != "" }) {
		t.Error("it is never read anew")
	}
}

// TestStoreAway holds Allowed to what it promises for what is new, and what is
// going on.
func TestStoreAway(t *testing.T) {
	ctx := context.Background()
	v := redis(t)
	h := open(t, v.url(), Options{Fresh: time.Millisecond}, true)
	value(h.AddAccount(operator, "sue", supervisor(), true))(t)
	value(h.EditAccount(operator, "sue", wire.AccountChange{Rights: ptr([]wire.Action{wire.ActionListen})}))(t)
	wantsRule(t, may(h, "sue", wire.ActionListen, anna), "")
	never := open(t, v.url(), Options{}, false) // has never read anything
	v.stop()
	if !until(func() bool { return storeIsAway(may(h, "sue", wire.ActionListen, anna)) }) {
		t.Errorf("something new is allowed: %v", may(h, "sue", wire.ActionListen, anna))
	}
	wantsRule(t, may(h, "sue", wire.ActionCoach, anna), access.RuleRole)
	wantsRule(t, may(h, "sam", wire.ActionListen, anna), access.RuleAccount)
	if _, ok := value(h.View(as(wire.Actor{Account: "sue"})))(t)(anna); !ok {
		t.Error("the list is empty while the store is away")
	}
	if n := value(h.Notice(ctx, anna))(t); n.Kind != wire.NoticeNone {
		t.Errorf("notice %+v", n)
	}
	for what, err := range map[string]error{
		"Allowed": never.Allowed(ctx, wire.Actor{Operator: true}, wire.ActionListen, anna, access.Call{}),
		"View":    func() error { _, err := never.View(ctx); return err }(),
		"Notice":  func() error { _, err := never.Notice(ctx, anna); return err }(),
	} {
		if !storeIsAway(err) {
			t.Errorf("%s with nothing known: %v", what, err)
		}
	}
	c := h.Changed()
	v.start()
	if !until(func() bool { return may(h, "sue", wire.ActionListen, anna) == nil }) {
		t.Error("it does not come back")
	}
	value(h.EditAccount(operator, "sue", wire.AccountChange{Rank: ptr(1)}))(t)
	changes(t, c)
	if !strings.Contains(h.log.String(), "nothing new is allowed") {
		t.Error(h.log.String())
	}
}

// TestRightsThatAreNotUnderstood allow nothing new, and least of all everything.
func TestRightsThatAreNotUnderstood(t *testing.T) {
	ctx := context.Background()
	v := redis(t)
	h := open(t, v.url(), Options{Fresh: time.Millisecond, Reread: time.Millisecond}, false)
	value(h.AddAccount(operator, "sue", supervisor(), true))(t)
	must(t, damage(ctx, v.url(), "sam"))
	if !until(func() bool { return storeIsAway(may(h, "sue", wire.ActionListen, anna)) }) {
		t.Error("something new is allowed")
	}
	_, err := h.Accounts(operator)
	wants(t, err, wire.ErrConflict)
	if !strings.Contains(err.Error(), "sam") {
		t.Errorf("which one is not said: %v", err)
	}
	fresh := open(t, v.url(), Options{}, false)
	if err := fresh.Allowed(ctx, wire.Actor{Operator: true}, wire.ActionListen, anna, access.Call{}); !storeIsAway(err) {
		t.Errorf("the operator: %v", err)
	}
	must(t, h.RemoveAccount(operator, "sam"))
	if !until(func() bool { return may(h, "sue", wire.ActionListen, anna) == nil }) {
		t.Error("it does not heal")
	}
}

// TestManyAtOnce asks while rights change, for the race detector; every answer is
// one that was right at some time.
func TestManyAtOnce(t *testing.T) {
	h := open(t, state.EmbeddedURL, Options{Fresh: time.Millisecond}, true)
	value(h.AddAccount(operator, "sue", supervisor(), true))(t)
	tok := value(h.AddToken(operator, "sue", "", nil))(t)
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Go(func() {
			for ctx.Err() == nil {
				if err := may(h, "sue", wire.ActionListen, anna); err != nil {
					t.Errorf("listening was never taken away: %v", err)
				}
				if err := may(h, "sue", wire.ActionBarge, anna); err != nil && access.RuleOf(err) != access.RuleRole {
					t.Error(err)
				}
				if _, err := h.Authenticate(context.Background(), tok.Secret, "api", fmt.Sprint(i)); err != nil {
					t.Error(err)
				}
				<-h.Changed()
			}
		})
	}
	for i := range 30 {
		rights := wire.Actions()
		if i%2 == 0 {
			rights = rights[:1]
		}
		value(h.EditAccount(operator, "sue", wire.AccountChange{Rights: &rights}))(t)
	}
	cancel()
	stop := make(chan struct{})
	go func() { wg.Wait(); close(stop) }()
	if !until(func() bool {
		value(h.EditAccount(operator, "sue", wire.AccountChange{Rank: ptr(3)}))(t)
		select {
		case <-stop:
			return true
		default:
			return false
		}
	}) {
		t.Error("they wait for ever")
	}
}

func TestManagement(t *testing.T) {
	each(t, func(t *testing.T, url string) {
		h := open(t, url, Options{}, false)
		value(h.AddAccount(operator, "admin", wire.AccountChange{Password: ptr(password)}, true))(t)
		_, err := h.AddAccount(operator, "second", wire.AccountChange{}, true)
		wants(t, err, wire.ErrConflict)
		admin, sue := as(wire.Actor{Account: "admin", Admin: true, Via: "panel", From: "192.0.2.1"}), as(wire.Actor{Account: "sue", Admin: true})
		value(h.AddTeam(admin, wire.Team{Name: "sales", Agents: []string{"2*"}}))(t)
		c := supervisor()
		c.Teams = ptr([]string{"sales"})
		a := value(h.AddAccount(admin, "sue", c, false))(t)
		if !a.Password || !a.PIN || a.Admin || a.Rank != 50 || a.Created.IsZero() {
			t.Errorf("made %+v", a)
		}
		for what, err := range map[string]error{
			"an extension twice": second(h.AddAccount(admin, "sam", wire.AccountChange{Extension: ptr("1050")}, false)),
			"a name twice":       second(h.AddAccount(admin, "sue", wire.AccountChange{}, false)),
			"a team in use":      h.RemoveTeam(admin, "sales"),
			"a team twice":       second(h.AddTeam(admin, wire.Team{Name: "sales"})),
		} {
			if !errors.Is(err, wire.ErrConflict) {
				t.Errorf("%s: %v", what, err)
			}
		}
		for what, err := range map[string]error{
			"a team that is not there": second(h.EditAccount(admin, "sue", wire.AccountChange{Teams: ptr([]string{"x"})})),
			"a bad name":               second(h.AddAccount(admin, "Sam Smith", wire.AccountChange{}, false)),
			"the operator's name":      second(h.AddAccount(admin, "operator", wire.AccountChange{}, false)),
			"a short password":         second(h.EditAccount(admin, "sue", wire.AccountChange{Password: ptr("x")})),
			"a PIN of letters":         second(h.EditAccount(admin, "sue", wire.AccountChange{PIN: ptr("abcd")})),
			"a rank":                   second(h.EditAccount(admin, "sue", wire.AccountChange{Rank: ptr(1000)})),
			"a notice":                 second(h.EditTeam(admin, "sales", wire.TeamChange{Kind: ptr(wire.NoticeKind("shout"))})),
			"a team without a name":    second(h.AddTeam(admin, wire.Team{})),
		} {
			if !errors.Is(err, wire.ErrBadRequest) {
				t.Errorf("%s: %v", what, err)
			}
		}
		for what, err := range map[string]error{
			"edit":   second(h.EditAccount(admin, "nobody", wire.AccountChange{})),
			"remove": h.RemoveAccount(admin, "nobody"),
			"unlock": h.Unlock(admin, "nobody"),
			"look":   second(h.Account(admin, "nobody")),
			"team":   second(h.EditTeam(admin, "nobody", wire.TeamChange{})),
			"gone":   h.RemoveTeam(admin, "nobody"),
		} {
			if !errors.Is(err, wire.ErrNotFound) {
				t.Errorf("%s nobody: %v", what, err)
			}
		}
		// Whoever is no administrator, whatever he says of himself.
		before := eventsOf(t, h)
		for _, ctx := range []context.Context{sue, context.Background(), as(wire.Actor{Account: "nobody", Admin: true})} {
			for what, err := range map[string]error{
				"Accounts":      second(h.Accounts(ctx)),
				"Account":       second(h.Account(ctx, "admin")),
				"AddAccount":    second(h.AddAccount(ctx, "x", wire.AccountChange{}, false)),
				"EditAccount":   second(h.EditAccount(ctx, "sue", wire.AccountChange{Admin: ptr(true)})),
				"RemoveAccount": h.RemoveAccount(ctx, "admin"),
				"Unlock":        h.Unlock(ctx, "sue"),
				"Locked":        second(h.Locked(ctx, "sue")),
				"Teams":         second(h.Teams(ctx)),
				"AddTeam":       second(h.AddTeam(ctx, wire.Team{Name: "x"})),
				"EditTeam":      second(h.EditTeam(ctx, "sales", wire.TeamChange{})),
				"RemoveTeam":    h.RemoveTeam(ctx, "sales"),
				"Tokens":        second(h.Tokens(ctx, "admin")),
				"AddToken":      second(h.AddToken(ctx, "admin", "", nil)),
				"RemoveToken":   h.RemoveToken(ctx, "admin", "x"),
			} {
				if !errors.Is(err, wire.ErrForbidden) {
					t.Errorf("%s: %v", what, err)
				}
			}
		}
		if after := eventsOf(t, h); after != before {
			t.Errorf("records of what was forbidden: %s", after)
		}
		if me := value(h.Account(sue, "sue"))(t); me.Name != "sue" {
			t.Errorf("her own account: %+v", me)
		}
		// An administrator who is none any more.
		value(h.EditAccount(operator, "admin", wire.AccountChange{Admin: ptr(false)}))(t)
		_, err = h.Accounts(admin)
		wants(t, err, wire.ErrForbidden)

		value(h.EditAccount(operator, "sue", wire.AccountChange{Teams: ptr([]string{}), Password: ptr(""), PIN: ptr("")}))(t)
		must(t, h.RemoveTeam(operator, "sales"))
		list := value(h.Accounts(operator))(t)
		if len(list) != 2 || list[1].Name != "sue" || list[1].Password || list[1].PIN || len(list[1].Teams) != 0 {
			t.Errorf("accounts %+v", list)
		}
		if len(value(h.Teams(operator))(t)) != 0 {
			t.Error("a team is left")
		}
		records := audit(t, h)
		var added wire.AuditRecord
		for _, r := range records {
			if r.Event == EventAccountAdded && r.Supervisor == "sue" {
				added = r
				break
			}
		}
		if added.Actor != "admin" || added.Origin != "192.0.2.1" || added.Via != "panel" || !strings.Contains(added.Detail, "rank 50") || !strings.Contains(added.Detail, "another PIN") {
			t.Errorf("recorded as %+v", added)
		}
		if text := fmt.Sprintf("%+v", records); strings.Contains(text, password) || strings.Contains(text, pin) || !strings.Contains(text, "did not happen") {
			t.Error(text)
		}
	})
}

func second[T any](_ T, err error) error { return err }

// TestUnrecordedIsUnchanged cannot store a record, and so changes nothing.
func TestUnrecordedIsUnchanged(t *testing.T) {
	ctx := context.Background()
	v := redis(t)
	h := open(t, v.url(), Options{}, false)
	value(h.AddAccount(operator, "sue", supervisor(), true))(t)
	must(t, spoilAudit(ctx, v.url()))
	for what, err := range map[string]error{
		"add":    second(h.AddAccount(operator, "sam", wire.AccountChange{}, false)),
		"edit":   second(h.EditAccount(operator, "sue", wire.AccountChange{Rank: ptr(99)})),
		"remove": h.RemoveAccount(operator, "sue"),
		"team":   second(h.AddTeam(operator, wire.Team{Name: "x"})),
		"token":  second(h.AddToken(operator, "sue", "", nil)),
	} {
		if fault.Of(err) != fault.StoreUnavailable {
			t.Errorf("%s: %v", what, err)
		}
	}
	if _, _, err := h.Login(ctx, "sue", password, ""); fault.Of(err) != fault.StoreUnavailable {
		t.Errorf("login: %v", err)
	}
	list := value(h.Accounts(operator))(t)
	if len(list) != 1 || list[0].Rank != 50 || len(value(h.Teams(operator))(t))+len(value(h.Tokens(operator, "sue"))(t)) != 0 {
		t.Errorf("changed all the same: %+v", list)
	}
}

func TestByExtension(t *testing.T) {
	ctx := context.Background()
	h := open(t, state.EmbeddedURL, Options{}, false)
	value(h.AddAccount(operator, "sue", supervisor(), true))(t)
	value(h.AddAccount(operator, "off", wire.AccountChange{Extension: ptr("1060@pbx"), Disabled: ptr(true), PIN: ptr(pin)}, false))(t)
	if a := value(h.ByExtension(ctx, "1050@PBX"))(t); a.Name != "sue" {
		t.Errorf("got %+v", a)
	}
	for _, x := range []string{"1060@pbx", "1050x", "", "*", strings.Repeat("1", 5000)} {
		_, err := h.ByExtension(ctx, x)
		wants(t, err, wire.ErrNotFound)
	}
	_, err := h.CheckPIN(ctx, "1060@pbx", pin, "")
	wants(t, err, wire.ErrDenied)
}
