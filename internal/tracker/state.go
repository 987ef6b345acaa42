package tracker

import (
	"slices"
	"strings"
	"time"

	"livemon/internal/wire"
)

// wire returns an agent as others see him.
func (t *Tracker) wire(a *agent) wire.Agent {
	return wire.Agent{
		Agent: a.name, Extension: a.view.ext, State: a.view.state, Since: a.view.since, Node: t.node,
		Call: a.view.call, User: a.view.user, Direction: a.view.direction, Queue: a.view.queue,
		Unverified: a.view.unverified, Supervisors: []wire.Supervisor{},
	}
}

// current returns the leg that an agent is on: an answered one before one that
// rings, one that is not held before one that is, one with somebody at its
// other end before one without, and the newest.
func (t *Tracker) current(a *agent) *leg {
	var best *leg
	rank := -1
	for _, l := range a.legs {
		r := 0
		if l.Answered {
			r = 4
			if l.Room != "" || t.together(l) != nil {
				r++
			} else if l.waits() {
				continue
			}
			if !l.Held {
				r += 2
			}
		}
		if r > rank || r == rank && l.seq > best.seq {
			best, rank = l, r
		}
	}
	return best
}

// waits tells whether a leg without anybody at its other end waits for the
// next call, as a uuid-standby agent's does.
func (l *leg) waits() bool { return l.agent.standby && l.Room == "" && l.Partner == "" }

// callFor returns the call that a leg is the pupil's side of.
func (t *Tracker) callFor(l *leg) (Call, bool) {
	if !l.Answered || l.agent == nil {
		return Call{}, false
	}
	c := Call{Node: t.node, Agent: l.agent.name, Pupil: l.Channel, Room: l.Room, OnHold: l.Held, Direction: l.agentsDirection()}
	if l.CCSide == "agent" {
		c.Queue = l.Queue
	}
	if l.Room != "" && !t.ourRoom(l.Room) {
		c.ID, c.Since, c.UserNumber = l.Channel, l.roomSince, l.remote
		return c, true
	}
	if l.last == "" {
		return Call{}, false
	}
	p := t.together(l)
	if p == nil && l.waits() || t.echo(l) {
		return Call{}, false
	}
	c.ID, c.Since = l.pairID, l.pairSince
	if p != nil {
		c.User = p.Channel
		c.OnHold = c.OnHold || p.Held
		if p.Number != "" {
			l.lastNumber = p.Number
		}
	}
	if c.UserNumber = l.lastNumber; c.UserNumber == "" {
		c.UserNumber = l.remote
	}
	return c, true
}

// echo tells whether a leg is the other end of an agent's call with himself,
// which counts once.
func (t *Tracker) echo(l *leg) bool {
	p := t.legs[l.last]
	return p != nil && p.last == l.Channel && p.agent == l.agent && p.Channel < l.Channel &&
		p.Answered && (p.Room == "" || t.ourRoom(p.Room))
}

// agentsDirection is the leg's direction as the agent sees it: the switch's
// inbound leg is one on which he dialled.
func (l *leg) agentsDirection() string {
	switch l.Direction {
	case Inbound:
		return Outbound
	case Outbound:
		return Inbound
	}
	return ""
}

// refresh works out an agent's calls and state, and records what changed.
func (t *Tracker) refresh(a *agent) {
	for _, l := range a.legs {
		c, ok := t.callFor(l)
		switch {
		case !ok:
			t.unreport(l)
		case !l.reported || c != l.call:
			if !l.reported || c.ID != l.call.ID {
				t.unreport(l)
				t.calls[c.ID]++
			}
			l.call, l.reported = c, true
			t.out.Calls = append(t.out.Calls, c)
		}
	}

	best := t.current(a)
	v := view{state: t.stateOf(a, best)}
	if a.ext != a.name {
		v.ext = a.ext
	}
	if best != nil {
		v.user, v.direction, v.unverified = best.remote, best.agentsDirection(), best.unverified && !best.served
		if best.CCSide == "agent" {
			v.queue = best.Queue
		}
		if best.reported {
			v.call, v.user = best.call.ID, best.call.UserNumber
		}
	}
	v.since = a.view.since
	if !a.shown || v.state != a.view.state {
		v.since = t.since(a, v.state, best)
	}
	if !a.shown || v != a.view {
		a.view, a.shown = v, true
		t.out.Agents = append(t.out.Agents, t.wire(a))
	}
}

func (t *Tracker) stateOf(a *agent, best *leg) wire.AgentState {
	switch {
	case best == nil:
		switch {
		case a.loggedOut || !a.cc && t.unregistered(a):
			return wire.LoggedOut
		case a.wrapUntil.After(t.clock):
			return wire.WrapUp
		}
		return wire.Idle
	case !best.Answered:
		return wire.AgentRinging
	case best.Held:
		return wire.OnHold
	case best.Room != "" && !t.ourRoom(best.Room):
		return wire.InConference
	}
	if p := t.together(best); p != nil && p.Held {
		return wire.OnHold
	}
	return wire.OnCall
}

// unregistered tells whether an extension was registered and no longer is. One
// that was never seen registered may have a fixed contact.
func (t *Tracker) unregistered(a *agent) bool {
	u := t.users[a.ext]
	return u != nil && u.registered && len(u.regs) == 0
}

// since is when a state that was just found began. An event begins it; a full
// read finds one that began before.
func (t *Tracker) since(a *agent, s wire.AgentState, best *leg) time.Time {
	at := time.Time{}
	if t.reading {
		switch s {
		case wire.OnCall:
			at = best.AnsweredAt
		case wire.InConference:
			at = best.roomSince
		case wire.AgentRinging:
			at = best.Created
		case wire.WrapUp:
			at = a.wrapFrom
		case wire.Idle, wire.LoggedOut:
			at = a.changed
		}
	}
	if at.IsZero() {
		return t.clock
	}
	return at
}

// unreport takes back a leg's call.
func (t *Tracker) unreport(l *leg) {
	if !l.reported {
		return
	}
	id := l.call.ID
	if t.calls[id]--; t.calls[id] <= 0 {
		delete(t.calls, id)
		t.callTouch = append(t.callTouch, id)
	}
	l.call, l.reported = Call{}, false
}

// flush brings every agent who may have changed up to date and returns what
// did change since the last flush.
func (t *Tracker) flush() Changes {
	for _, a := range t.dirty {
		a.dirty = false
		if !a.gone {
			t.refresh(a)
		} else if a.shown && t.agents[a.name] == nil {
			t.out.RemovedAgents = append(t.out.RemovedAgents, a.name)
		}
	}
	clear(t.dirty)
	t.dirty = t.dirty[:0]
	for _, id := range t.callTouch {
		if t.calls[id] == 0 && !slices.Contains(t.out.RemovedCalls, id) {
			t.out.RemovedCalls = append(t.out.RemovedCalls, id)
		}
	}
	clear(t.callTouch)
	t.callTouch = t.callTouch[:0]

	out := t.out
	t.out = Changes{}
	if len(out.Agents) > 1 {
		slices.SortFunc(out.Agents, func(a, b wire.Agent) int { return strings.Compare(a.Agent, b.Agent) })
	}
	if len(out.Calls) > 1 {
		sortCalls(out.Calls)
	}
	slices.Sort(out.RemovedAgents)
	slices.Sort(out.RemovedCalls)
	return out
}
