package tracker_test

import (
	"maps"
	"reflect"
	"slices"
	"testing"

	"livemon/internal/tracker"
	"livemon/internal/wire"
)

// mirror is what a consumer of the changes would hold.
type mirror struct {
	agents map[string]wire.Agent
	calls  map[[2]string]tracker.Call // by id and agent
}

func newMirror() *mirror {
	return &mirror{agents: map[string]wire.Agent{}, calls: map[[2]string]tracker.Call{}}
}

type failer interface {
	Helper()
	Fatalf(format string, args ...any)
}

func (m *mirror) apply(t failer, c tracker.Changes) {
	t.Helper()
	for _, name := range c.RemovedAgents {
		delete(m.agents, name)
	}
	for _, a := range c.Agents {
		if a.Supervisors == nil {
			t.Fatalf("agent %s: the list of supervisors is null", a.Agent)
		}
		m.agents[a.Agent] = a
	}
	for _, id := range c.RemovedCalls {
		maps.DeleteFunc(m.calls, func(k [2]string, _ tracker.Call) bool { return k[0] == id })
	}
	for _, x := range c.Calls {
		if slices.Contains(c.RemovedCalls, x.ID) {
			t.Fatalf("call %s is changed and removed at once", x.ID)
		}
		m.calls[[2]string{x.ID, x.Agent}] = x
	}
}

// check holds the sum of all changes, and the invariants, against the tracker.
func (m *mirror) check(t failer, tr *tracker.Tracker) {
	t.Helper()
	agents := map[string]wire.Agent{}
	for _, a := range tr.Agents() {
		agents[a.Agent] = a
	}
	if !reflect.DeepEqual(agents, m.agents) {
		t.Fatalf("agents by changes: %v\nas they are: %v", m.agents, agents)
	}
	ids := map[string]bool{}
	perAgent := map[[2]string]tracker.Call{}
	for _, c := range tr.Calls() {
		ids[c.ID] = true
		perAgent[[2]string{c.ID, c.Agent}] = c
		if _, ok := agents[c.Agent]; !ok {
			t.Fatalf("call %v is of no agent", c)
		}
		pupil, ok := tr.Leg(c.Pupil)
		if !ok || !pupil.Answered || pupil.Room != c.Room {
			t.Fatalf("call %+v has the pupil's leg %+v, %v", c, pupil, ok)
		}
		if c.User != "" {
			if user, ok := tr.Leg(c.User); !ok || user.Mark.Session != "" {
				t.Fatalf("call %+v has the user's leg %+v, %v", c, user, ok)
			}
		}
	}
	if len(perAgent) != len(tr.Calls()) {
		t.Fatalf("an agent has one call twice: %v", tr.Calls())
	}
	for k := range m.calls {
		if !ids[k[0]] {
			t.Fatalf("call %s was not reported as removed", k[0])
		}
	}
	for k, c := range perAgent {
		if m.calls[k] != c {
			t.Fatalf("call by changes: %+v\nas it is: %+v", m.calls[k], c)
		}
	}
	for _, a := range agents {
		c, ok := tr.CallOf(a.Agent)
		if ok != (a.Call != "") || ok && (c.ID != a.Call || c.Agent != a.Agent) {
			t.Fatalf("agent %+v has the call %+v, %v", a, c, ok)
		}
	}
}

var _ failer = (*testing.T)(nil)
