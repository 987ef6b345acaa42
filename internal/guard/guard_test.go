package guard_test

import (
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"livemon/internal/access"
	"livemon/internal/accounts"
	"livemon/internal/api/apitest"
	"livemon/internal/fault"
	"livemon/internal/guard"
	"livemon/internal/wire"
	"livemon/state"
)

const patience = time.Minute

func ptr[T any](v T) *T { return &v }

// people are who asks in these tests.
var (
	operator = wire.Actor{Operator: true, Admin: true, Via: "api"}
	admin    = wire.Actor{Account: "admin", Admin: true, Via: "panel"} // administers, listens to nobody
	lead     = wire.Actor{Account: "lead", Admin: true, Via: "panel"}  // administers, and sees as sue does
	sue      = wire.Actor{Account: "sue", Via: "panel"}
	gone     = wire.Actor{Account: "gone", Via: "api"} // has no account any more
	nobody   = wire.Actor{}
)

type house struct {
	*guard.Guard
	fake     *apitest.Fake
	accounts *accounts.Service
	store    *state.Store
}

// setUp guards a Fake with real accounts: sue and lead see 1001 and anna of
// example.com; not 1003, nor 1005, whose extension is a peer's.
func setUp(t *testing.T) house {
	t.Helper()
	st, err := state.Open(t.Context(), state.EmbeddedURL, state.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := st.Close(); err != nil {
			t.Error(err)
		}
	})
	svc, err := accounts.New(st, accounts.Options{Access: access.Config{}, Hash: accounts.HashParams{Memory: 64, Time: 1, Threads: 1}, Fresh: time.Nanosecond})
	if err != nil {
		t.Fatal(err)
	}
	ctx := wire.WithActor(t.Context(), operator)
	if _, err := svc.AddTeam(ctx, wire.Team{Name: "support", Agents: []string{"1001", "1005", "anna@example.com"}}); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]wire.AccountChange{
		"admin": {Rank: ptr(90), Admin: ptr(true)},
		"lead":  {Rank: ptr(50), Admin: ptr(true), Rights: ptr(wire.Actions()), Teams: ptr([]string{"support"}), Numbers: ptr(true)},
		"sue":   {Rank: ptr(50), Rights: ptr([]wire.Action{wire.ActionListen}), Teams: ptr([]string{"support"})},
		"peer":  {Rank: ptr(50), Extension: ptr("1005"), Rights: ptr(wire.Actions()), Agents: ptr([]string{"*"})},
	} {
		if _, err := svc.AddAccount(ctx, name, c, false); err != nil {
			t.Fatal(err)
		}
	}
	fake := apitest.New()
	var list []wire.Agent
	for _, name := range []string{"1001@example.com", "1003@example.com", "desk", "anna@example.com", "anna@other.example"} {
		a := wire.Agent{Agent: name, State: wire.OnCall, Node: "pbx", Call: "call of " + name, User: "+15550100"}
		if name == "desk" {
			a.Extension = "1005@example.com"
		}
		list = append(list, a)
	}
	fake.SetAgents(list)
	for id, x := range map[string]wire.Session{
		"of-one-unknown": {Agent: "1001@elsewhere.example", Account: "peer"}, // may be anybody
		"visible":        {Agent: "1001@example.com", Account: "peer"}, "hidden": {Agent: "1003@example.com", Account: "peer"},
		"of-a-peer": {Agent: "desk", Account: "admin"}, "own": {Agent: "1003@example.com", Account: "sue"},
		"operators": {Agent: "1003@example.com", Supervisor: "sue"}, // the operator may give any name
	} {
		x.ID, x.Status, x.Role, x.Node, x.User = id, wire.Listening, wire.Monitor, "pbx", "+15550100"
		if x.Supervisor == "" {
			x.Supervisor = x.Account
		}
		fake.SetSession(x)
	}
	return house{guard.New(fake, svc), fake, svc, st}
}

func as(t *testing.T, who wire.Actor) context.Context { return wire.WithActor(t.Context(), who) }

func TestWhoSeesWhat(t *testing.T) {
	h := setUp(t)
	for name, c := range map[string]struct {
		who      wire.Actor
		agents   string
		sessions string
		number   string // of the first agent whom he sees
	}{
		"operator": {operator, "1001@example.com 1003@example.com desk anna@example.com anna@other.example", "hidden of-a-peer of-one-unknown operators own visible", "+15550100"},
		"admin":    {admin, "", "of-a-peer", ""},
		"lead":     {lead, "1001@example.com anna@example.com", "visible", "+15550100"},
		"sue":      {sue, "1001@example.com anna@example.com", "own visible", "******100"},
		"gone":     {gone, "", "", ""},
		"nobody":   {nobody, "", "", ""},
	} {
		ctx := as(t, c.who)
		list, err := h.Agents(ctx)
		if err != nil || names(list) != c.agents || len(list) > 0 && list[0].User != c.number {
			t.Errorf("%s sees %+v, %v", name, list, err)
		}
		sessions, err := h.Sessions(ctx)
		var ids []string
		for _, x := range sessions {
			ids = append(ids, x.ID)
			want := c.number
			if x.ID == "own" && c.who == sue || x.ID == "of-a-peer" && c.who == admin {
				want = "" // the agent is not his to see
			}
			if x.User != want {
				t.Errorf("%s sees %s with %q", name, x.ID, x.User)
			}
			if one, err := h.Session(ctx, x.ID); err != nil || one != x {
				t.Errorf("%s sees %+v in the list, and alone %+v, %v", name, x, one, err)
			}
		}
		slices.Sort(ids)
		if err != nil || strings.Join(ids, " ") != c.sessions {
			t.Errorf("%s sees %q, %v", name, ids, err)
		}
	}
}

func names(list []wire.Agent) string {
	var out []string
	for _, a := range list {
		out = append(out, a.Agent)
	}
	return strings.Join(out, " ")
}

// sessionDoors are all that can be asked about a session.
func sessionDoors(s wire.Service) map[string]func(ctx context.Context, id string) error {
	do := func(f func(ctx context.Context, id string) (wire.Session, error)) func(context.Context, string) error {
		return func(ctx context.Context, id string) error { _, err := f(ctx, id); return err }
	}
	return map[string]func(ctx context.Context, id string) error{
		"look": do(s.Session), "take over": do(s.TakeOver), "stop": do(s.StopSession),
		"wait": do(func(ctx context.Context, id string) (wire.Session, error) {
			return s.AwaitSession(ctx, id, wire.Listening, wire.Monitor)
		}),
		"less":  do(func(ctx context.Context, id string) (wire.Session, error) { return s.ChangeRole(ctx, id, wire.Monitor) }),
		"coach": do(func(ctx context.Context, id string) (wire.Session, error) { return s.ChangeRole(ctx, id, wire.Coach) }),
		"barge": do(func(ctx context.Context, id string) (wire.Session, error) { return s.ChangeRole(ctx, id, wire.Barge) }),
		"follow": do(func(ctx context.Context, id string) (wire.Session, error) {
			return s.SetFollow(ctx, id, wire.FollowAgent)
		}),
	}
}

// What may not be seen reads, to the letter, like what does not exist; and the
// service, which would take its time, is not asked.
func TestWhatMayNotBeSeenIsNotThere(t *testing.T) {
	h := setUp(t)
	for name, who := range map[string]wire.Actor{"sue": sue, "lead": lead, "admin": admin, "gone": gone, "nobody": nobody} {
		ctx := as(t, who)
		for door, open := range sessionDoors(h) {
			for _, id := range []string{"hidden", "of-a-peer", "of-one-unknown", "operators"} {
				if who == admin && id == "of-a-peer" {
					continue // is his
				}
				err, none := open(ctx, id), open(ctx, "none")
				if !errors.Is(err, wire.ErrNotFound) || fault.Of(err) != 0 || strings.ReplaceAll(err.Error(), id, "none") != none.Error() {
					t.Errorf("%s, %s %s: %v; one that is not there: %v", name, door, id, err, none)
				}
			}
		}
		for _, agent := range []string{"1003@example.com", "1003", "desk", "1005", "1005@example.com", "anna@other.example"} {
			for _, node := range []string{"", "pbx"} {
				_, err := h.StartSession(ctx, wire.MonitorRequest{Agent: agent, Phone: "1", Node: node})
				_, none := h.StartSession(ctx, wire.MonitorRequest{Agent: "none", Phone: "1", Node: node})
				if !errors.Is(err, wire.ErrNotFound) || fault.Of(err) != 0 || strings.ReplaceAll(err.Error(), agent, "none") != none.Error() {
					t.Errorf("%s, %s: %v; who is not there: %v", name, agent, err, none)
				}
			}
		}
	}
	for _, call := range h.fake.Calls() {
		switch strings.Fields(call)[0] {
		case "Agents", "Session":
		default:
			t.Errorf("it reached the service: %s", call)
		}
	}
}

// Whether somebody may do what he asks for is the service's to say, and to record.
func TestWhatTheServiceRefusesIsNotRecordedTwice(t *testing.T) {
	h := setUp(t)
	ctx := as(t, sue)
	no := fault.New(fault.RoleNotAllowed, "", "no right to coach")
	h.fake.FailWith(func(call string) error {
		if strings.HasPrefix(call, "StartSession") || strings.HasPrefix(call, "ChangeRole") || strings.HasPrefix(call, "TakeOver") || strings.HasPrefix(call, "StopSession") {
			return no
		}
		return nil
	})
	_, err1 := h.StartSession(ctx, wire.MonitorRequest{Agent: "1001", Phone: "1"})
	_, err2 := h.ChangeRole(ctx, "own", wire.Coach)
	_, err3 := h.TakeOver(ctx, "own")
	_, err4 := h.StopSession(ctx, "visible")
	for i, err := range []error{err1, err2, err3, err4} {
		if !errors.Is(err, no) {
			t.Errorf("%d: %v", i, err)
		}
	}
	list, err := h.store.Audit(t.Context(), wire.AuditFilter{})
	if err != nil || slices.ContainsFunc(list, func(r wire.AuditRecord) bool { return r.Event == state.EventRefused }) {
		t.Errorf("recorded here, too: %+v, %v", list, err)
	}
}

// A refusal that the service itself must not let be told apart reads so as well.
func TestWhatTheServiceHidesIsNotThere(t *testing.T) {
	h := setUp(t)
	ctx := as(t, sue)
	_, none := h.StartSession(ctx, wire.MonitorRequest{Agent: "none", Phone: "1"})
	h.fake.FailWith(func(call string) error {
		if strings.HasPrefix(call, "StartSession") {
			return &access.Refusal{Rule: access.RuleRank, Why: "his extension is a peer's"}
		}
		return nil
	})
	_, err := h.StartSession(ctx, wire.MonitorRequest{Agent: "1001", Phone: "1"})
	if !errors.Is(err, wire.ErrNotFound) || fault.Of(err) != 0 || strings.ReplaceAll(err.Error(), "1001", "none") != none.Error() {
		t.Errorf("%v; who is not there: %v", err, none)
	}
}

func TestASessionThatIsHiddenWhileItIsWaitedFor(t *testing.T) {
	h := setUp(t)
	ctx, cancel := context.WithTimeout(as(t, sue), patience)
	defer cancel()
	waited := make(chan error, 1)
	go func() {
		_, err := h.AwaitSession(ctx, "visible", wire.Listening, wire.Monitor)
		waited <- err
	}()
	await(t, h.fake, "AwaitSession visible listening monitor")
	if _, err := h.accounts.EditTeam(as(t, operator), "support", wire.TeamChange{Agents: ptr([]string{"nobody"})}); err != nil {
		t.Fatal(err)
	}
	x, _ := h.fake.Session(ctx, "visible")
	x.Role = wire.Coach
	h.fake.SetSession(x)
	err := <-waited
	_, none := h.AwaitSession(ctx, "none", wire.Listening, wire.Monitor)
	if !errors.Is(err, wire.ErrNotFound) || strings.ReplaceAll(err.Error(), "visible", "none") != none.Error() {
		t.Errorf("%v; one that is not there: %v", err, none)
	}

	// The end of the asker's time is no error, and what he sees then is looked at.
	short, over := context.WithTimeout(as(t, sue), 50*time.Millisecond)
	defer over()
	if x, err := h.AwaitSession(short, "own", wire.Listening, wire.Monitor); err != nil || x.ID != "own" || x.User != "" {
		t.Errorf("%+v, %v", x, err)
	}
}

// await waits until the service is asked for something.
func await(t *testing.T, f *apitest.Fake, call string) {
	t.Helper()
	deadline := time.After(patience)
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for !slices.Contains(f.Calls(), call) {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("%s was not called: %q", call, f.Calls())
		}
	}
}

func TestAnAccountAsksUnderItsOwnName(t *testing.T) {
	h := setUp(t)
	ctx := as(t, sue)
	x, err := h.StartSession(ctx, wire.MonitorRequest{Agent: "anna", Phone: "1", Supervisor: "peer", Follow: wire.FollowAgent})
	if err != nil || x.Supervisor != "sue" || x.Account != "sue" || x.Agent != "anna@example.com" || x.Follow != wire.FollowAgent || x.User != "******100" {
		t.Errorf("%+v, %v", x, err)
	}
	if x, err = h.SetFollow(ctx, x.ID, wire.FollowCall); err != nil || x.Follow != wire.FollowCall || x.User != "******100" {
		t.Errorf("%+v, %v", x, err)
	}
	if x, err = h.StopSession(ctx, x.ID); err != nil || x.Status != wire.Ended || x.User != "******100" {
		t.Errorf("%+v, %v", x, err)
	}
	// The operator's token gives a name that is not proved, and no account.
	if x, err := h.StartSession(as(t, operator), wire.MonitorRequest{Agent: "1001", Phone: "1", Supervisor: "sue"}); err != nil || x.Supervisor != "sue" || x.Account != "" {
		t.Errorf("with the operator's token: %+v, %v", x, err)
	}
}

func TestNamesAreLookedUpAmongThoseWhoAreSeen(t *testing.T) {
	h := setUp(t)
	on := func(agent, node, call string) wire.Agent {
		return wire.Agent{Agent: agent, Node: node, State: wire.OnCall, Call: call}
	}
	h.fake.SetAgents([]wire.Agent{
		on("1001", "a", ""), on("1001", "b", "c1"), on("anna@example.com", "a", "c2"), on("anna@example.com", "b", "c3"), on("anna@other.example", "a", "c4"),
	})
	for name, c := range map[string]struct {
		agent, node string
		want        string // node
		err         error
	}{
		"the one on a call":        {"1001", "", "b", nil},
		"the one on the node":      {"1001", "a", "a", nil},
		"two on calls":             {"anna", "", "", wire.ErrBadRequest},
		"two on calls, and a node": {"anna", "b", "b", nil},
		"nobody there":             {"anna", "c", "", wire.ErrNotFound},
	} {
		x, err := h.StartSession(as(t, sue), wire.MonitorRequest{Agent: c.agent, Node: c.node, Phone: "1"})
		if c.want == "a" && c.agent == "1001" { // idle: the service says so
			if fault.Of(err) != fault.PupilGone {
				t.Errorf("%s: %+v, %v", name, x, err)
			}
			continue
		}
		if !errors.Is(err, c.err) || err == nil && c.err != nil || x.Node != c.want {
			t.Errorf("%s: %+v, %v", name, x, err)
		}
	}
}

func TestWhatIsForAdministrators(t *testing.T) {
	h := setUp(t)
	doors := map[string]func(context.Context) error{
		"export": func(ctx context.Context) error { return h.ExportAudit(ctx, wire.AuditFilter{}, io.Discard) },
		"head":   func(ctx context.Context) error { _, err := h.AuditHead(ctx); return err },
		"doctor": func(ctx context.Context) error { _, err := h.Doctor(ctx); return err },
		"add": func(ctx context.Context) error {
			_, err := h.AddExtension(ctx, wire.Extension{Number: "1"})
			return err
		},
		"remove": func(ctx context.Context) error { return h.RemoveExtension(ctx, "1") },
		"audit": func(ctx context.Context) error {
			_, err := h.Audit(ctx, wire.AuditFilter{Supervisor: "peer"})
			return err
		},
	}
	for door, open := range doors {
		for _, who := range []wire.Actor{sue, gone, nobody} {
			before := len(h.fake.Calls())
			if err := open(as(t, who)); !errors.Is(err, wire.ErrForbidden) || len(h.fake.Calls()) != before {
				t.Errorf("%s is open to %q: %v", door, who.Account, err)
			}
		}
	}
	for _, door := range []string{"export", "head", "doctor", "add", "remove", "audit"} {
		for _, who := range []wire.Actor{operator, admin} {
			if door == "remove" {
				_ = doors["add"](as(t, who))
			}
			if err := doors[door](as(t, who)); err != nil {
				t.Errorf("%s is closed to %q: %v", door, who.Name(), err)
			}
		}
	}
	for what, open := range map[string]func(context.Context) error{
		"nodes":      func(ctx context.Context) error { _, err := h.Nodes(ctx); return err },
		"extensions": func(ctx context.Context) error { _, err := h.Extensions(ctx); return err },
	} {
		if err := open(as(t, sue)); err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
}

func TestTheAuditOfOnesOwnSessions(t *testing.T) {
	h := setUp(t)
	h.fake.SetAudit([]wire.AuditRecord{
		{ID: "1", Event: "listening", Supervisor: "sue", Agent: "1001@example.com", Node: "pbx", User: "+15550100"},
		{ID: "2", Event: "listening", Supervisor: "peer", Agent: "1001@example.com", Node: "pbx", User: "+15550100"},
		{ID: "3", Event: "ended", Supervisor: "sue", Agent: "1003@example.com", Node: "pbx", User: "+15550100"}, // was hers to see once
		{ID: "4", Event: "refused", Supervisor: "sue", Agent: "desk", Node: "pbx", User: "+15550100", Code: 9021, Detail: "his extension is a peer's"},
		{ID: "5", Event: "refused", Supervisor: "sue", Agent: "none", Code: 9021, Detail: "unseen"},
		{ID: "6", Event: "refused", Supervisor: "sue", Agent: "1001@example.com", Node: "pbx", User: "+15550100", Code: 9021, Detail: "was unseen then"},
		{ID: "7", Event: "refused", Supervisor: "sue", Agent: "1001@example.com", Node: "pbx", Code: 9022, Detail: "peer speaks"},
		{ID: "8", Event: "login", Supervisor: "sue"},
	})
	for name, f := range map[string]wire.AuditFilter{"all": {}, "hers": {Supervisor: "sue"}} {
		list, err := h.Audit(as(t, sue), f)
		var got []string
		for _, r := range list {
			got = append(got, strings.Join([]string{r.ID, r.User, r.Detail}, "|"))
		}
		if want := "1|******100| 3|| 6|******100| 7||peer speaks 8||"; err != nil || strings.Join(got, " ") != want {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
	for _, who := range []wire.Actor{operator, admin} {
		if list, err := h.Audit(as(t, who), wire.AuditFilter{}); err != nil || len(list) != 8 || list[3].Detail == "" {
			t.Errorf("%s reads %+v, %v", who.Name(), list, err)
		}
	}
}

// Who asks for somebody whom he does not see is recorded, once, as asking for him.
func TestWhatTheServiceNeverLearnsOfIsRecorded(t *testing.T) {
	h := setUp(t)
	refusals := func() []wire.AuditRecord {
		list, err := h.store.Audit(t.Context(), wire.AuditFilter{Supervisor: "sue"})
		if err != nil {
			t.Fatal(err)
		}
		return slices.DeleteFunc(list, func(r wire.AuditRecord) bool { return r.Event != state.EventRefused })
	}
	for i, c := range []struct{ asked, want string }{{"1003", "1003@example.com"}, {"1005", "desk"}, {"none", "none"}} {
		if _, err := h.StartSession(as(t, sue), wire.MonitorRequest{Agent: c.asked, Phone: "1"}); !errors.Is(err, wire.ErrNotFound) {
			t.Errorf("%s: %v", c.asked, err)
		}
		list := refusals()
		if len(list) != i+1 || list[i].Agent != c.want || list[i].Code != int(fault.NotAllowed) || list[i].Detail == "" {
			t.Errorf("%s is recorded as %+v", c.asked, list)
		}
	}
	// So is who tries to change a session that he does not see, or that is not there.
	for what, change := range map[string]func(context.Context, string) (wire.Session, error){
		"role": func(ctx context.Context, id string) (wire.Session, error) { return h.ChangeRole(ctx, id, wire.Barge) },
		"take": h.TakeOver,
		"stop": h.StopSession,
		"follow": func(ctx context.Context, id string) (wire.Session, error) {
			return h.SetFollow(ctx, id, wire.FollowAgent)
		},
	} {
		for id, agent := range map[string]string{"hidden": "1003@example.com", "none": ""} {
			before := len(refusals())
			if _, err := change(as(t, sue), id); !errors.Is(err, wire.ErrNotFound) {
				t.Errorf("%s of %s: %v", what, id, err)
			}
			list := refusals()
			if len(list) != before+1 || list[before].Session != id || list[before].Agent != agent {
				t.Errorf("%s of %s is recorded as %+v", what, id, list[before:])
			}
		}
	}
}

// Where the event sockets are is for administrators.
func TestNodesWithoutAddresses(t *testing.T) {
	h := setUp(t)
	for who, want := range map[wire.Actor]string{sue: "", lead: "127.0.0.1:8021", operator: "127.0.0.1:8021"} {
		list, err := h.Nodes(as(t, who))
		if err != nil || len(list) != 1 || list[0].Addr != want || list[0].Node != "pbx" {
			t.Errorf("%s: %+v %v", who.Name(), list, err)
		}
	}
}

func TestRightsThatCannotBeReadShowNothing(t *testing.T) {
	h := setUp(t)
	away := fault.New(fault.StoreUnavailable, "", "")
	g := guard.New(h.fake, blind{h.accounts, away})
	ctx := as(t, sue)
	for door, open := range sessionDoors(g) {
		if err := open(ctx, "visible"); !errors.Is(err, away) {
			t.Errorf("%s: %v", door, err)
		}
	}
	_, err1 := g.Agents(ctx)
	_, err2 := g.Sessions(ctx)
	_, err3 := g.StartSession(ctx, wire.MonitorRequest{Agent: "1001", Phone: "1"})
	_, err4 := g.Audit(ctx, wire.AuditFilter{})
	for i, err := range []error{err1, err2, err3, err4} {
		if !errors.Is(err, away) {
			t.Errorf("%d: %v", i, err)
		}
	}
	if _, err := g.Agents(as(t, operator)); err != nil {
		t.Errorf("the operator: %v", err)
	}
}

// blind are accounts whose rights cannot be read.
type blind struct {
	*accounts.Service
	err error
}

func (b blind) View(context.Context) (func(wire.Agent) (wire.Agent, bool), error) { return nil, b.err }

func TestWithoutAccountsEverythingPasses(t *testing.T) {
	fake := apitest.New()
	g := guard.New(fake, nil)
	ctx := t.Context()
	if list, err := g.Agents(ctx); err != nil || len(list) != 2 || list[0].User != "+15550100" {
		t.Errorf("%+v, %v", list, err)
	}
	x, err := g.StartSession(ctx, wire.MonitorRequest{Agent: "1001", Phone: "1", Supervisor: "Ann", Coaching: true})
	if err != nil || x.Supervisor != "Ann" {
		t.Fatalf("%+v, %v", x, err)
	}
	if x, err = g.ChangeRole(ctx, x.ID, wire.Barge); err != nil || x.Role != wire.Barge {
		t.Errorf("%+v, %v", x, err)
	}
	for door, open := range sessionDoors(g) {
		if err := open(ctx, "none"); !errors.Is(err, wire.ErrNotFound) || err.Error() != "not found: no session none" {
			t.Errorf("%s: %v", door, err)
		}
	}
	if list, err := g.Audit(ctx, wire.AuditFilter{}); err != nil || len(list) != 1 {
		t.Errorf("%+v, %v", list, err)
	}
	if _, err := g.Doctor(ctx); err != nil {
		t.Error(err)
	}
	select {
	case <-g.Changed():
		t.Error("it has changed already")
	default:
	}
	changed := g.Changed()
	fake.Notify()
	<-changed
}
