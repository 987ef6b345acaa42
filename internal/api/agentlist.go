package api

import (
	"context"
	"encoding/json"
	"slices"
	"sync"

	"livemon/internal/wire"
)

// AgentKey names an agent on a node.
type AgentKey struct {
	Node  string `json:"node"`
	Agent string `json:"agent"`
}

// AgentsChanged is what the event agents-changed says: the agents that are new,
// or not as they were, and those that are there no longer.
type AgentsChanged struct {
	Changed []wire.Agent `json:"changed"`
	Removed []AgentKey   `json:"removed"`
}

// agentList is the agents at one time. It does not change.
type agentList struct {
	version int64 // grows with each list that differs from the one before
	left    int64 // the version in which an agent was last missing that had been there
	moved   int64 // the version in which an extension was last another's
	entries []*agentEntry
	index   map[AgentKey]*agentEntry
}

// agentEntry is an agent as he is until something about him changes.
type agentEntry struct {
	key   AgentKey
	agent wire.Agent
	since int64 // the first version in which he was so

	mu    sync.Mutex
	forms []*agentForm
}

// agentForm is an agent encoded. Readers who see him alike share it.
type agentForm struct {
	user string // the user's number, as they see it
	data []byte
}

// readAgents returns how the list is read.
func readAgents(svc wire.Service) func(context.Context, *agentList) (*agentList, bool, error) {
	return func(ctx context.Context, before *agentList) (*agentList, bool, error) {
		list, err := svc.Agents(ctx)
		if err != nil {
			return nil, false, err
		}
		now, differs := before.next(list)
		return now, differs, nil
	}
}

// next is the list that follows l, which is nil before the first. Entries of
// agents who have not changed are those of l.
func (l *agentList) next(list []wire.Agent) (*agentList, bool) {
	if l == nil {
		l = &agentList{}
	}
	n := &agentList{version: l.version + 1, left: l.left, moved: l.moved,
		entries: make([]*agentEntry, 0, len(list)), index: make(map[AgentKey]*agentEntry, len(list))}
	differs, stayed := l.version == 0, 0
	for _, a := range list {
		a.Supervisors = orEmpty(a.Supervisors)
		key := AgentKey{a.Node, a.Agent}
		if n.index[key] != nil {
			continue // the service knows each once
		}
		e := l.index[key]
		if e != nil {
			stayed++
		}
		if e == nil || !sameAgent(e.agent, a) {
			if e == nil || e.agent.Extension != a.Extension {
				n.moved = n.version
			}
			e = &agentEntry{key: key, agent: a, since: n.version}
			differs = true
		}
		n.index[key] = e
		n.entries = append(n.entries, e)
	}
	if stayed < len(l.entries) {
		n.left, n.moved, differs = n.version, n.version, true
	}
	if !differs {
		return l, false
	}
	return n, true
}

func sameAgent(a, b wire.Agent) bool {
	return a.Agent == b.Agent && a.Extension == b.Extension && a.State == b.State && a.Since.Equal(b.Since) && a.Node == b.Node &&
		a.Call == b.Call && a.User == b.User && a.Direction == b.Direction && a.Queue == b.Queue && a.Unverified == b.Unverified && slices.Equal(a.Supervisors, b.Supervisors)
}

// extension is that of an agent, and whether there is such an agent.
func (l *agentList) extension(node, agent string) (extension string, known bool) {
	if l == nil {
		return "", false
	}
	e := l.index[AgentKey{node, agent}]
	if e == nil {
		return "", false
	}
	return e.agent.Extension, true
}

// as returns the agent encoded as a reader sees him. What differs between readers
// is the user's number.
func (e *agentEntry) as(seen wire.Agent) (*agentForm, error) {
	number := seen.User
	if seen.User = e.agent.User; !sameAgent(seen, e.agent) {
		seen.User = number
		return encodeAgent(seen) // a view of a kind that is not known here
	}
	seen.User = number
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, f := range e.forms {
		if f.user == number {
			return f, nil
		}
	}
	f, err := encodeAgent(seen)
	if err == nil {
		e.forms = append(e.forms, f)
	}
	return f, err
}

func encodeAgent(a wire.Agent) (*agentForm, error) {
	a.Supervisors = orEmpty(a.Supervisors)
	data, err := json.Marshal(a)
	return &agentForm{a.User, data}, err
}
