package access_test

import (
	"errors"
	"slices"
	"strconv"
	"sync"
	"testing"

	"livemon/internal/access"
	"livemon/internal/fault"
	"livemon/internal/wire"
)

var everything = wire.Actions()

// house is one shop: a chief, two supervisors of the same rank, a trainee who
// may only listen, somebody who administers and does not listen, and somebody
// who has left.
func house(c access.Config) *access.Rules {
	return access.Compile([]wire.Account{
		{Name: "chief", Rank: 90, Extension: "9000@pbx", Rights: everything, Agents: []string{"*"}, Numbers: true},
		{Name: "sue", Rank: 50, Extension: "1050", Rights: everything, Teams: []string{"support", "no such team"}},
		{Name: "sam", Rank: 50, Extension: "1051@pbx", Rights: everything, Agents: []string{"10??", "vip*"}},
		{Name: "tom", Rank: 10, Rights: []wire.Action{wire.ActionListen}, Teams: []string{"support"}},
		{Name: "mute", Rank: 10, Rights: []wire.Action{wire.ActionBarge}, Agents: []string{"*"}},
		{Name: "admin", Rank: 100, Admin: true, Agents: []string{"*"}},
		{Name: "gone", Rank: 60, Extension: "1060", Rights: everything, Agents: []string{"*"}, Disabled: true},
	}, []wire.Team{
		{Name: "support", Agents: []string{"Anna", "100?", "105?", "1060"}, Notice: wire.Notice{Kind: wire.NoticeAgent, Every: 60}},
		{Name: "sales", Agents: []string{"1002", "anna@pbx"}, Notice: wire.Notice{Kind: wire.NoticeAll}},
	}, c)
}

func as(name string) wire.Actor { return wire.Actor{Account: name, Via: "api"} }

func agent(name, extension string) wire.Agent { return wire.Agent{Agent: name, Extension: extension} }

func TestSee(t *testing.T) {
	r := house(access.Config{Never: access.Never{Agents: []string{"1009"}}})
	for _, c := range []struct {
		why   string
		actor wire.Actor
		agent wire.Agent
		want  bool
	}{
		{"in the team, by name", as("sue"), agent("anna", ""), true},
		{"in the team, in another case and with a domain", as("sue"), agent("ANNA@pbx", ""), true},
		{"in the team, by extension", as("sue"), agent("bert", "1003@pbx"), true},
		{"not in the team", as("sue"), agent("bert", "1013@pbx"), false},
		{"a name that only begins like one in the team", as("sue"), agent("annabel", ""), false},
		{"on the account's own list", as("sam"), agent("bert", "1013@pbx"), true},
		{"a pattern that would need more characters", as("sam"), agent("bert", "101@pbx"), false},
		{"himself", as("sue"), agent("1050", "1050@pbx"), false},
		{"a peer, by extension without domain", as("sam"), agent("sue", "1050@pbx"), false},
		{"a peer, by extension with domain", as("sue"), agent("1051@PBX", ""), false},
		{"the same extension in another domain is somebody else", as("sue"), agent("1051@other", ""), true},
		{"a superior", as("chief"), agent("boss", "9000@pbx"), false},
		{"somebody of a lower rank", as("chief"), agent("sue", "1050@pbx"), true},
		{"whoever was disabled is protected still", as("sue"), agent("x", "1060"), false},
		{"and sees nobody himself", as("gone"), agent("anna", ""), false},
		{"no such account", as("nobody"), agent("anna", ""), false},
		{"nobody in particular", wire.Actor{}, agent("anna", ""), false},
		{"the operator", wire.Actor{Operator: true}, agent("boss", "9000@pbx"), true},
		{"administering is no reason not to see", as("admin"), agent("anna", ""), true},
		{"whom nobody may listen to is seen", as("sue"), agent("1009", ""), true},
		{"an agent without a name", as("chief"), agent("", ""), false},
		{"a name with markup", as("chief"), agent("<b>*</b>", ""), true},
	} {
		if got := r.See(c.actor, c.agent); got != c.want {
			t.Errorf("%s: %+v sees %+v: %v", c.why, c.actor, c.agent, got)
		}
	}
}

func TestMay(t *testing.T) {
	never := access.Never{
		Agents: []string{"1009", "lawyer*", "100[78]"}, Numbers: []string{"*301 234-5", "110"},
		Marks: []string{"secret", "kind=doctor*"},
	}
	r := house(access.Config{Never: never})
	anna := agent("anna", "1001@pbx")
	marked := func(name, value string) access.Call {
		return access.Call{User: "+49", Marks: map[string]string{name: value}}
	}
	for _, c := range []struct {
		why    string
		actor  wire.Actor
		action wire.Action
		agent  wire.Agent
		call   access.Call
		want   access.Rule
	}{
		{"may listen", as("tom"), wire.ActionListen, anna, access.Call{}, ""},
		{"may do everything", as("sue"), wire.ActionTakeOver, anna, access.Call{}, ""},
		{"may listen, not coach", as("tom"), wire.ActionCoach, anna, access.Call{}, access.RuleRole},
		{"may listen, not barge in", as("tom"), wire.ActionBarge, anna, access.Call{}, access.RuleRole},
		{"may listen, not take over", as("tom"), wire.ActionTakeOver, anna, access.Call{}, access.RuleRole},
		{"barging in without listening", as("mute"), wire.ActionBarge, anna, access.Call{}, access.RuleListen},
		{"no right", as("admin"), wire.ActionListen, anna, access.Call{}, access.RuleListen},
		{"not his agent", as("tom"), wire.ActionListen, agent("bert", ""), access.Call{}, access.RuleUnseen},
		{"not his agent, which comes before the right", as("tom"), wire.ActionBarge, agent("bert", ""), access.Call{}, access.RuleUnseen},
		{"a peer, by his extension", as("sue"), wire.ActionListen, agent("sam", "1051@pbx"), access.Call{}, access.RuleRank},
		{"a peer, by a name that is his extension", as("sue"), wire.ActionListen, agent("1051", ""), access.Call{}, access.RuleRank},
		{"disabled", as("gone"), wire.ActionListen, anna, access.Call{}, access.RuleAccount},
		{"unknown", as("nobody"), wire.ActionListen, anna, access.Call{}, access.RuleAccount},
		{"nobody in particular", wire.Actor{Via: "telephone"}, wire.ActionListen, anna, access.Call{}, access.RuleAccount},
		{"the operator", wire.Actor{Operator: true}, wire.ActionListen, anna, access.Call{}, access.RuleOperator},
		{"no such action", as("sue"), "record", anna, access.Call{}, access.RuleAction},
		{"no action", as("sue"), "", anna, access.Call{}, access.RuleAction},
		{"never this agent", as("sue"), wire.ActionListen, agent("x", "1009@pbx"), access.Call{}, access.RuleNeverAgent},
		{"never this agent, by a pattern in another case", as("chief"), wire.ActionListen, agent("LAWYER 1", ""), access.Call{}, access.RuleNeverAgent},
		{"never this agent, by a class", as("sue"), wire.ActionListen, agent("x", "1008@pbx"), access.Call{}, access.RuleNeverAgent},
		{"never an agent whom he does not see", as("tom"), wire.ActionListen, agent("lawyer", ""), access.Call{}, access.RuleUnseen},
		{"never him who talks with the agent", as("sue"), wire.ActionListen, anna, access.Call{Others: []wire.Agent{agent("x", "1009@pbx")}}, access.RuleNeverAgent},
		{"a peer who talks with the agent", as("sue"), wire.ActionListen, anna, access.Call{Others: []wire.Agent{agent("1051@pbx", "")}}, access.RuleOther},
		{"another team's agent who talks with the agent", as("tom"), wire.ActionListen, anna, access.Call{Others: []wire.Agent{agent("bert", "")}}, ""},
		{"never this number", as("sue"), wire.ActionListen, anna, access.Call{User: "+49 (30) 12345"}, access.RuleNeverNumber},
		{"never this number, as an address", as("sue"), wire.ActionListen, anna, access.Call{User: "+493012345@carrier"}, access.RuleNeverNumber},
		{"another number", as("sue"), wire.ActionListen, anna, access.Call{User: "+4930123456"}, ""},
		{"a number that only holds one", as("sue"), wire.ActionListen, anna, access.Call{User: "1101"}, ""},
		{"no number is known", as("sue"), wire.ActionListen, anna, access.Call{}, ""},
		{"marked", as("sue"), wire.ActionListen, anna, marked("secret", "yes"), access.RuleNeverMark},
		{"marked with no", as("sue"), wire.ActionListen, anna, marked("secret", "False"), ""},
		{"marked with nothing", as("sue"), wire.ActionListen, anna, marked("secret", ""), ""},
		{"another mark", as("sue"), wire.ActionListen, anna, marked("other", "yes"), ""},
		{"a mark with a value", as("sue"), wire.ActionListen, anna, marked("kind", "DoctorX"), access.RuleNeverMark},
		{"another value of it", as("sue"), wire.ActionListen, anna, marked("kind", "dentist"), ""},
		{"the default mark, where others are configured", as("sue"), wire.ActionListen, anna, marked(access.DefaultMark, "1"), ""},
	} {
		err := r.May(c.actor, c.action, c.agent, c.call)
		if access.RuleOf(err) != c.want || (err == nil) != (c.want == "") {
			t.Errorf("%s: got %v", c.why, err)
			continue
		}
		if err == nil {
			continue
		}
		code := fault.NotAllowed
		if c.want == access.RuleRole {
			code = fault.RoleNotAllowed
		}
		if fault.Of(err) != code {
			t.Errorf("%s: code %d", c.why, fault.Of(err))
		}
		unseen := c.want == access.RuleUnseen || c.want == access.RuleRank
		var f *fault.Error
		if errors.Is(err, wire.ErrNotFound) != unseen || !errors.As(err, &f) || (f.Detail == "") != unseen {
			t.Errorf("%s: %v tells too much, or too little", c.why, err)
		}
	}
	if got := r.MarkNames(); !slices.Equal(got, []string{"secret", "kind"}) {
		t.Errorf("marks %v", got)
	}
	if got := house(access.Config{}).MarkNames(); !slices.Equal(got, []string{access.DefaultMark}) {
		t.Errorf("marks %v", got)
	}
}

func TestNoAccounts(t *testing.T) {
	r := access.Compile(nil, nil, access.Config{Never: access.Never{Agents: []string{"ceo"}}})
	for _, actor := range []wire.Actor{{}, {Operator: true}, {Via: "telephone", From: "1000"}} {
		for _, action := range everything {
			if err := r.May(actor, action, agent("anna", ""), access.Call{}); err != nil {
				t.Errorf("%+v, %s: %v", actor, action, err)
			}
			if err := r.May(actor, action, agent("ceo", ""), access.Call{}); access.RuleOf(err) != access.RuleNeverAgent {
				t.Errorf("%+v, %s the one nobody may: %v", actor, action, err)
			}
		}
		if v, ok := r.View(actor, wire.Agent{Agent: "anna", User: "+4930123456"}); !ok || v.User != "+4930123456" {
			t.Errorf("%+v sees %+v", actor, v)
		}
	}
	// A session of an account that has been removed, and was the last.
	if err := r.May(as("sue"), wire.ActionListen, agent("anna", ""), access.Call{}); access.RuleOf(err) != access.RuleAccount {
		t.Errorf("a removed account: %v", err)
	}
	if r.See(as("sue"), agent("anna", "")) {
		t.Error("a removed account sees")
	}
}

func TestOperatorListensWhereConfigured(t *testing.T) {
	r := house(access.Config{OperatorListens: true, Never: access.Never{Agents: []string{"ceo"}}})
	operator := wire.Actor{Operator: true}
	if err := r.May(operator, wire.ActionTakeOver, agent("sue", "1050"), access.Call{}); err != nil {
		t.Error(err)
	}
	if err := r.May(operator, wire.ActionListen, agent("ceo", ""), access.Call{}); access.RuleOf(err) != access.RuleNeverAgent {
		t.Error(err)
	}
	if err := r.May(wire.Actor{}, wire.ActionListen, agent("anna", ""), access.Call{}); access.RuleOf(err) != access.RuleAccount {
		t.Error(err)
	}
}

func TestNotice(t *testing.T) {
	r := house(access.Config{})
	for _, c := range []struct {
		agent wire.Agent
		want  wire.Notice
		teams []string
	}{
		{agent("nobody", ""), wire.Notice{Kind: wire.NoticeNone}, []string{}},
		{agent("1003", ""), wire.Notice{Kind: wire.NoticeAgent, Every: 60}, []string{"support"}},
		{agent("x", "1002@pbx"), wire.Notice{Kind: wire.NoticeAll, Every: 60}, []string{"support", "sales"}},
	} {
		if got := r.Notice(c.agent); got != c.want {
			t.Errorf("%+v: %+v", c.agent, got)
		}
		if got := r.TeamsOf(c.agent); !slices.Equal(got, c.teams) {
			t.Errorf("%+v is in %v", c.agent, got)
		}
	}
	if got := access.Stricter(wire.Notice{Kind: "shout"}, wire.Notice{Kind: wire.NoticeAgent, Every: 5}); got != (wire.Notice{Kind: wire.NoticeAll, Every: 5}) {
		t.Errorf("an unknown kind gives %+v", got)
	}
}

func TestView(t *testing.T) {
	r := house(access.Config{Never: access.Never{Numbers: []string{"*12345"}}})
	for _, c := range []struct {
		actor        wire.Actor
		number, want string
	}{
		{as("chief"), "+49307654321", "+49307654321"},
		{as("chief"), "+493012345", "*******345"},
		{as("sue"), "+49307654321", "*********321"},
		{as("sue"), "1001", "****"},
		{as("sue"), "", ""},
		{wire.Actor{Operator: true}, "+493012345", "+493012345"},
	} {
		got, ok := r.View(c.actor, wire.Agent{Agent: "anna", User: c.number, State: wire.OnCall})
		if !ok || got.User != c.want || got.State != wire.OnCall {
			t.Errorf("%+v: %+v, %v", c.actor, got, ok)
		}
	}
	if got, ok := r.View(as("tom"), wire.Agent{Agent: "bert", User: "1"}); ok || got.Agent != "" {
		t.Errorf("an unseen agent: %+v", got)
	}
}

func TestAccount(t *testing.T) {
	r := house(access.Config{})
	if a, ok := r.Account("chief"); !ok || a.Rank != 90 {
		t.Errorf("%+v, %v", a, ok)
	}
	if _, ok := r.Account(""); ok || r.Empty() {
		t.Error("an account without a name, or none at all")
	}
}

// TestManyAgents asks for more agents than answers are kept for, twice, and from
// several sides at once.
func TestManyAgents(t *testing.T) {
	r := house(access.Config{})
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 2 {
				for i := range 12000 {
					name := strconv.Itoa(i)
					want := len(name) == 4 && (name[:3] == "100" || name[:3] == "105") && name != "1050" && name != "1051"
					if name == "1060" { // in the team, and a superior
						want = false
					}
					if got := r.See(as("sue"), agent(name, "")); got != want {
						t.Errorf("%s: %v", name, got)
					}
				}
			}
		})
	}
	wg.Wait()
}
