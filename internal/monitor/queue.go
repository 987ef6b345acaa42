package monitor

import (
	"context"
	"strings"
	"time"

	"livemon/internal/fsapi"
	"livemon/internal/seal"
	"livemon/internal/tracker"
)

// mod_callcenter lets a uuid-standby agent go as soon as his leg is in no bridge,
// that is, when his call moves into a room: it would offer him the next caller and
// take him out of the room for that one. So livemon keeps him from it for as long
// as the call lasts, also when it is back in a bridge, and gives him back then.
const (
	// guardTime is how far ahead of the present the agent is said to be not ready
	// yet. It heals by itself if nobody is there to renew it.
	guardTime = time.Minute
	// guardEvery is how often that is renewed.
	guardEvery = 20 * time.Second
	// releaseTime is how long mod_callcenter takes to notice that a leg has left its
	// bridge. It looks ten times a second.
	releaseTime = 300 * time.Millisecond
)

// agentName tells whether a name can be said to mod_callcenter without meaning
// anything else.
func agentName(name string) bool {
	_, err := fsapi.ParseAgent(name)
	return err == nil
}

// guard says, before the move, that the agent is not ready for another call, if
// he is a uuid-standby agent on a call of his queue.
func (c *call) guard(ctx context.Context) error {
	c.n.mu.Lock()
	pupil, _ := c.n.tracker.Leg(c.pupil)
	_, standby := c.n.tracker.Standby(pupil.CCAgent)
	c.n.mu.Unlock()
	if !standby || pupil.CCSide != "agent" {
		return nil
	}
	if !agentName(pupil.CCAgent) {
		c.log.Warn("the queue cannot be kept from this agent: his name holds a quote")
		return nil
	}
	if err := c.n.setMark(ctx, c.pupil, seal.Mark{Call: c.id, Party: seal.Pupil, Queue: pupil.CCAgent}); err != nil {
		return err
	}
	if _, err := c.api(ctx, fsapi.NotReady(agentOf(pupil.CCAgent), time.Now().Add(guardTime))); err != nil {
		return err
	}
	c.queue, c.guardAt = pupil.CCAgent, time.Now().Add(releaseTime)
	return nil
}

// keepGuard renews what keeps the queue from the agent, and gives him back once
// his call is over. It tells whether he is kept.
func (c *call) keepGuard(ctx context.Context, v callView) bool {
	if c.queue == "" {
		return false
	}
	together := v.pupil == bridged && v.user == bridged || v.pupil == inRoom && v.user == inRoom
	if v.pupil == gone || v.user == gone || !together && v.settled {
		var left seal.Mark
		if v.pupil == inRoom {
			left = seal.Mark{Call: c.id, Party: seal.Pupil}
		}
		c.n.freeAgent(ctx, c.queue, c.pupil, left)
		c.queue = ""
		return false
	}
	if wait := time.Until(c.guardAt); wait > 0 {
		c.lookAgain(wait)
		return true
	}
	for _, line := range []fsapi.Line{
		fsapi.NotReady(agentOf(c.queue), time.Now().Add(guardTime)),
		fsapi.SetAgentState(agentOf(c.queue), fsapi.AgentInCall),
	} {
		if _, err := c.api(ctx, line); err != nil {
			c.log.Warn("the queue may offer the agent another call", "error", err)
		}
	}
	c.guardAt = time.Now().Add(guardEvery)
	c.lookAgain(guardEvery)
	return true
}

// freeAgent gives a uuid-standby agent back to his queue: he wraps up, and waits
// for the next call, as if the queue had seen his call end. left is the mark that
// his leg keeps.
func (n *node) freeAgent(ctx context.Context, agent, leg string, left seal.Mark) {
	n.mu.Lock()
	wrapUp, _ := n.tracker.Standby(agent)
	n.mu.Unlock()
	sw := n.sw()
	state := fsapi.AgentWaiting
	if status, err := sw.API(ctx, fsapi.QueueAgentStatus(agentOf(agent))); err == nil && strings.TrimSpace(status) == "Available (On Demand)" {
		state = fsapi.AgentIdle // as the queue itself does: this one asks for each call
	}
	for _, line := range []fsapi.Line{
		fsapi.NotReady(agentOf(agent), time.Now().Add(wrapUp)),
		fsapi.SetAgentState(agentOf(agent), state),
	} {
		if _, err := sw.API(ctx, line); err != nil && !isRefusal(err) {
			n.log.Warn("an agent could not be given back to his queue", "agent", agent, "error", err)
		}
	}
	if err := n.setMark(ctx, leg, left); err != nil && !isRefusal(err) {
		n.log.Warn("an agent's leg still says that he is kept from his queue", "agent", agent, "error", err)
	}
}

// queueOf returns the agent whom a leg says that the queue is kept from. The
// node's mutex is held.
func (n *node) queueOf(pupil string) string {
	if l, ok := n.tracker.Leg(pupil); ok {
		return queueAgent(l)
	}
	return ""
}

// queueAgent is the agent of a leg's mark, or "".
func queueAgent(l tracker.Leg) string {
	if !agentName(l.Mark.Queue) {
		return ""
	}
	return l.Mark.Queue
}

// adoptGuards sees to agents whom a controller that is gone kept from their
// queue, and on whose call nobody listens any more.
func (n *node) adoptGuards(ctx context.Context) {
	for _, leg := range n.legs() {
		agent := queueAgent(leg)
		if agent == "" {
			continue
		}
		n.mu.Lock()
		_, watched := n.byChannel[leg.Channel]
		tc, onCall := n.tracker.CallOf(agent)
		n.mu.Unlock()
		switch {
		case watched:
		case onCall && tc.Pupil == leg.Channel && tc.User != "":
			n.mu.Lock()
			c := newCall(n, tc)
			n.calls[tc.ID] = c
			n.watch(c, tc.Pupil, tc.User)
			n.actors.Go(func() error { c.run(n.actorCtx); return nil })
			n.mu.Unlock()
		default:
			left := leg.Mark
			left.Queue = ""
			n.freeAgent(ctx, agent, leg.Channel, left)
		}
	}
}
