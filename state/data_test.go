package state_test

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"livemon/internal/fault"
	"livemon/internal/wire"
	"livemon/state"
)

// hostile are names that somebody outside could choose.
var hostile = []string{
	"anna", "*", " ", "}", "{", "a}b{c", "{n:fs1}:agents", "}:agents", "fs1}:fence", "a\r\nDEL b", "a\nb", "\x00", "a\x00b", "\xff\xfe", "%7D", "a+b", "a b",
	"!" + strings.Repeat("a", 64), strings.Repeat("x", 2000), strings.Repeat("x", 1999) + "y", strings.Repeat("}", 2000), "<script>alert(1)</script>",
	"$1", "Zoë \u202e✓", `"quoted\"`,
}

func TestAgentsAndCalls(t *testing.T) {
	each(t, func(t *testing.T, s *state.Store) {
		ctx := context.Background()
		l := lease(t, s, "fs1", "a")
		if got := value(s.Agents(ctx, "fs1"))(t); len(got) != 0 {
			t.Errorf("agents of an empty node: %v", got)
		}
		anna, bert := agent("anna"), agent("bert")
		anna.State, anna.Call, anna.User = wire.OnCall, "c1", "+49"
		anna.Supervisors = []wire.Supervisor{{Session: "s1", Supervisor: "chief", Role: wire.Coach}}
		must(t, s.PutAgents(ctx, l, []wire.Agent{bert, anna}, nil))
		anna.Node, bert.Node = "fs1", "fs1"
		if got := value(s.Agents(ctx, "fs1"))(t); !reflect.DeepEqual(got, []wire.Agent{anna, bert}) {
			t.Errorf("got %+v", got)
		}
		must(t, s.PutAgents(ctx, l, []wire.Agent{bert}, []string{"anna", "nobody"}))
		if got := value(s.Agents(ctx, "fs1"))(t); !reflect.DeepEqual(got, []wire.Agent{bert}) {
			t.Errorf("got %+v", got)
		}
		must(t, s.ReplaceAgents(ctx, l, []wire.Agent{anna}))
		if got := value(s.Agents(ctx, "fs1"))(t); !reflect.DeepEqual(got, []wire.Agent{anna}) {
			t.Errorf("got %+v", got)
		}
		must(t, s.ReplaceAgents(ctx, l, nil))
		if got := value(s.Agents(ctx, "fs1"))(t); got == nil || len(got) != 0 {
			t.Errorf("got %+v", got)
		}

		c := state.Call{ID: "c1", Node: "fs1", Agent: "anna", Pupil: "p", User: "u", UserNumber: "+49", Direction: "inbound",
			Queue: "q", Room: "r", Ours: true, Since: noon}
		must(t, s.PutCalls(ctx, l, []state.Call{c, {ID: "c2", Since: noon}}, nil))
		must(t, s.PutCalls(ctx, l, nil, []string{"c2"}))
		if got := value(s.Calls(ctx, "fs1"))(t); !reflect.DeepEqual(got, []state.Call{c}) {
			t.Errorf("got %+v", got)
		}
		must(t, s.ReplaceCalls(ctx, l, []state.Call{{ID: "c3"}}))
		if got := value(s.Calls(ctx, "fs1"))(t); len(got) != 1 || got[0].ID != "c3" {
			t.Errorf("got %+v", got)
		}
	})
}

func TestLargeBatch(t *testing.T) {
	each(t, func(t *testing.T, s *state.Store) {
		ctx := context.Background()
		l := lease(t, s, "fs1", "a")
		var agents []wire.Agent
		var names []string
		for i := range 5000 {
			agents = append(agents, agent(fmt.Sprintf("agent %04d", i)))
			names = append(names, agents[i].Agent)
		}
		must(t, s.ReplaceAgents(ctx, l, agents))
		if got := value(s.Agents(ctx, "fs1"))(t); len(got) != 5000 {
			t.Errorf("%d agents", len(got))
		}
		must(t, s.PutAgents(ctx, l, agents[:1], names))
		if got := value(s.Agents(ctx, "fs1"))(t); len(got) != 1 || got[0].Agent != names[0] {
			t.Errorf("%d agents", len(got))
		}
	})
}

func TestHostileNames(t *testing.T) {
	each(t, func(t *testing.T, s *state.Store) {
		ctx := context.Background()
		l := lease(t, s, "fs1", "a")
		agents := map[string]bool{}
		for _, name := range hostile {
			must(t, s.PutAgents(ctx, l, []wire.Agent{agent(name)}, nil))
			must(t, s.PutCalls(ctx, l, []state.Call{{ID: name, Agent: name}}, nil))
			agents[name] = true
		}
		for _, a := range value(s.Agents(ctx, "fs1"))(t) {
			if !agents[a.Agent] {
				t.Errorf("agent %q came out", a.Agent)
			}
			delete(agents, a.Agent)
		}
		for name := range agents {
			t.Errorf("agent %q is missing", name)
		}
		if got := value(s.Calls(ctx, "fs1"))(t); len(got) != len(hostile) {
			t.Errorf("%d calls of %d", len(got), len(hostile))
		}
		// As nodes, and as sessions.
		for i, node := range hostile {
			l := lease(t, s, node, "a")
			must(t, s.PutAgents(ctx, l, []wire.Agent{agent(fmt.Sprint("agent of ", i))}, nil))
			id := fmt.Sprintf("%d %s", i, node)
			err := s.CreateSession(ctx, l, session(l, id, node), record("requested"))
			if node == "\xff\xfe" {
				wants(t, err, wire.ErrBadRequest)
				continue
			}
			must(t, err)
			if x := value(s.Session(ctx, id))(t); x.ID != id || x.Call != node || x.Node != node {
				t.Errorf("session of %.50q: %+v", node, x)
			}
			x, err := s.ChangeRole(ctx, l, id, wire.Barge, wire.AuditRecord{})
			if err != nil || x.Desired != wire.Barge {
				t.Errorf("session of %.50q: %v, %v", node, x.Desired, err)
			}
		}
		for i, node := range hostile {
			if got := value(s.Agents(ctx, node))(t); len(got) != 1 || got[0].Agent != fmt.Sprint("agent of ", i) {
				t.Errorf("node %.50q has agents %v", node, got)
			}
		}
		if got := value(s.Nodes(ctx))(t); len(got) != len(hostile)+1 {
			t.Errorf("%d nodes", len(got))
		}
		if got := audit(t, s, wire.AuditFilter{}); len(got) != 2*(len(hostile)-1) {
			t.Errorf("%d audit records", len(got))
		}
	})
}

func TestRefusedValues(t *testing.T) {
	each(t, func(t *testing.T, s *state.Store) {
		ctx := context.Background()
		l := lease(t, s, "fs1", "a")
		huge := strings.Repeat("x", 1<<20)
		bad, big := agent("anna"), agent("anna")
		bad.State = "dancing"
		big.User = huge
		for _, a := range []wire.Agent{{}, agent(""), agent(huge), bad, big} {
			wants(t, s.PutAgents(ctx, l, []wire.Agent{agent("bert"), a}, nil), wire.ErrBadRequest)
		}
		for _, c := range []state.Call{{}, {ID: huge}, {ID: "c", Room: huge}} {
			wants(t, s.PutCalls(ctx, l, []state.Call{{ID: "ok"}, c}, nil), wire.ErrBadRequest)
		}
		if a, c := value(s.Agents(ctx, "fs1"))(t), value(s.Calls(ctx, "fs1"))(t); len(a)+len(c) != 0 {
			t.Errorf("half a batch was stored: %v, %v", a, c)
		}
		_, err := s.AddExtension(ctx, wire.Extension{})
		wants(t, err, wire.ErrBadRequest)
		_, err = s.AppendAudit(ctx, wire.AuditRecord{})
		wants(t, err, wire.ErrBadRequest)
		_, err = s.AppendAudit(ctx, wire.AuditRecord{Event: "x", To: "king"})
		wants(t, err, wire.ErrBadRequest)
		_, err = s.Audit(ctx, wire.AuditFilter{After: "+ COUNT"})
		wants(t, err, wire.ErrBadRequest)
	})
}

func TestExtensions(t *testing.T) {
	each(t, func(t *testing.T, s *state.Store) {
		ctx := context.Background()
		if got := value(s.Extensions(ctx))(t); got == nil || len(got) != 0 {
			t.Errorf("got %v", got)
		}
		two := value(s.AddExtension(ctx, wire.Extension{Number: "1002"}))(t)
		if two.Added.IsZero() {
			t.Error("no time")
		}
		one := value(s.AddExtension(ctx, wire.Extension{Number: "1001", Name: "desk", Added: noon}))(t)
		if got := value(s.Extensions(ctx))(t); len(got) != 2 || got[0] != one || got[1].Number != two.Number {
			t.Errorf("got %v", got)
		}
		value(s.AddExtension(ctx, wire.Extension{Number: "1001", Name: "other desk"}))(t)
		if got := value(s.Extensions(ctx))(t); len(got) != 2 || got[0].Name != "other desk" {
			t.Errorf("got %v", got)
		}
		must(t, s.RemoveExtension(ctx, "1001"))
		wants(t, s.RemoveExtension(ctx, "1001"), state.ErrNotFound)
		wants(t, s.RemoveExtension(ctx, "1001"), wire.ErrNotFound)
	})
}

// TestDamagedValues plants what this package would not write.
func TestDamagedValues(t *testing.T) {
	junk := []string{"", "null", "[]", "{", "{}", `{"state":7}`, `{"state":"dancing"}`, `"x"`, "\x00", "\xff", strings.Repeat("{", 100000),
		`{"state":"idle","supervisors":[{"role":"king"}]}`, `{"since":"yesterday"}`, `{"id":"other","status":"ringing","role":"monitor"}`,
		`{"id":"s","status":"ringing","role":"king"}`, `{"id":"s","status":"king","role":"monitor"}`, strings.Repeat(" ", 1<<20)}
	each(t, func(t *testing.T, s *state.Store) {
		ctx, c := context.Background(), s.Client()
		l := lease(t, s, "fs1", "a")
		var corrupt *state.CorruptError
		create(t, s, l, "good", "c1")
		must(t, s.PutAgents(ctx, l, []wire.Agent{agent("anna")}, nil))
		must(t, s.PutCalls(ctx, l, []state.Call{{ID: "c1"}}, nil))
		id := value(s.AppendAudit(ctx, record("good")))(t)
		for _, v := range junk {
			must(t, c.HSet(ctx, state.AgentsKey("fs1"), "bad", v).Err())
			if got := value(s.Agents(ctx, "fs1"))(t); len(got) != 1 || got[0].Agent != "anna" {
				t.Errorf("with %.50q: agents %v", v, got)
			}
			must(t, c.HSet(ctx, state.CallsKey("fs1"), "bad", v, "", "{}").Err())
			for _, call := range value(s.Calls(ctx, "fs1"))(t) {
				if call.ID != "c1" && call.ID != "bad" {
					t.Errorf("with %.50q: call %v", v, call)
				}
			}
			must(t, c.HSet(ctx, state.SessionKey("fs1", "s"), "v", v, "desired", "coach", "call", "c1").Err())
			must(t, c.SAdd(ctx, state.LiveKey("fs1"), "s", "", "\x00", "nobody").Err())
			if got := value(s.Sessions(ctx, "fs1"))(t); len(got) != 1 || got[0].ID != "good" {
				t.Errorf("with %.50q: sessions %v", v, got)
			}
			if _, err := s.Session(ctx, "s"); !errors.As(err, &corrupt) {
				t.Errorf("with %.50q: session reads as %v", v, err)
			}
			if _, err := s.ChangeRole(ctx, l, "s", wire.Coach, wire.AuditRecord{}); !errors.As(err, &corrupt) {
				t.Errorf("with %.50q: role change gives %v", v, err)
			}
			must(t, c.HSet(ctx, state.ExtensionsKey(), "bad", v).Err())
			if got, err := s.Extensions(ctx); v != "{}" && !errors.As(err, &corrupt) && len(got) == 0 {
				t.Errorf("with %.50q: extensions read as empty, %v", v, err)
			}
			must(t, c.XAdd(ctx, xadd("r", v)).Err())
		}
		must(t, c.XAdd(ctx, xadd("other", "x")).Err())
		got := audit(t, s, wire.AuditFilter{After: id})
		if len(got) != len(junk)+1 {
			t.Errorf("%d audit records of %d", len(got), len(junk)+1)
		}
		for _, r := range got {
			if r.Event != state.EventUnreadable || r.ID == "" || r.Time.IsZero() {
				t.Errorf("audit record %+v", r)
			}
		}
		// A session whose desired role is unknown is not guessed at.
		must(t, c.HSet(ctx, state.SessionKey("fs1", "good"), "desired", "king").Err())
		if _, err := s.Session(ctx, "good"); !errors.As(err, &corrupt) {
			t.Errorf("an unknown desired role reads as %v", err)
		}
		// A full read heals.
		must(t, s.ReplaceAgents(ctx, l, []wire.Agent{agent("anna")}))
		if n := value(c.HLen(ctx, state.AgentsKey("fs1")).Result())(t); n != 1 {
			t.Errorf("%d agents left", n)
		}
	})
}

func TestKeysOfTheWrongType(t *testing.T) {
	each(t, func(t *testing.T, s *state.Store) {
		ctx, c := context.Background(), s.Client()
		l := lease(t, s, "fs1", "a")
		create(t, s, l, "s1", "c1")
		for _, k := range []string{state.AgentsKey("fs1"), state.CallsKey("fs1"), state.LiveKey("fs1"), state.SpeakersKey("fs1"), state.SessionKey("fs1", "s1"),
			state.AuditKey(), state.ExtensionsKey()} {
			must(t, c.Set(ctx, k, "x", 0).Err())
		}
		check := func(what string, err error) {
			t.Helper()
			wantsCode(t, err, fault.StoreUnavailable)
			var corrupt *state.CorruptError
			if !errors.As(err, &corrupt) || corrupt.Key == "" {
				t.Errorf("%s: %v names no key", what, err)
			}
		}
		_, err := s.Agents(ctx, "fs1")
		check("Agents", err)
		_, err = s.Calls(ctx, "fs1")
		check("Calls", err)
		_, err = s.Sessions(ctx, "fs1")
		check("Sessions", err)
		_, err = s.Session(ctx, "s1")
		check("Session", err)
		_, err = s.Extensions(ctx)
		check("Extensions", err)
		_, err = s.Audit(ctx, wire.AuditFilter{})
		check("Audit", err)
		_, err = s.AppendAudit(ctx, record("x"))
		check("AppendAudit", err)
		check("PutAgents", s.PutAgents(ctx, l, []wire.Agent{agent("anna")}, nil))
		check("SetSession", s.SetSession(ctx, l, session(l, "s1", "c1"), nil))
		must(t, s.ReplaceAgents(ctx, l, []wire.Agent{agent("anna")}))
		must(t, s.ReplaceCalls(ctx, l, []state.Call{{ID: "c1"}}))
		must(t, c.Set(ctx, state.NodesKey(), "x", 0).Err())
		_, err = s.Nodes(ctx)
		check("Nodes", err)
	})
}
