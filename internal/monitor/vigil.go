package monitor

import (
	"context"
	"slices"
	"time"

	"livemon/internal/fault"
	"livemon/internal/tracker"
	"livemon/internal/wire"
)

// Between calls a supervisor who follows an agent is kept in a room of his own,
// where he hears nothing, his keys work, and the switch goes on sending to his
// telephone. What sees to him there is a call without parties: a vigil.

// vigilLook is how often it is looked for the agent's next call even though no
// event spoke of one.
const vigilLook = time.Second

// vigilID is the id of a session's vigil, where others have a call's.
func vigilID(session string) string { return "waiting-" + session }

// vigilOf describes the vigil of a session. Its room is always the same one, so
// that it is found again.
func (n *node) vigilOf(x wire.Session) tracker.Call {
	return tracker.Call{ID: vigilID(x.ID), Node: n.name, Agent: x.Agent, Room: n.seal.WaitingRoom(x.ID, [16]byte{})}
}

// nextCall returns the agent's call, if there is something to listen to and it
// is not the one that the session knows already.
func (n *node) nextCall(agent, last string) (tracker.Call, bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	tc, ok := n.tracker.CallOf(agent)
	if !ok || tc.ID == last || tc.Pupil == "" || tc.User == "" && !n.isShop(tc.Room) {
		return tracker.Call{}, false
	}
	pupil, ok := n.tracker.Leg(tc.Pupil)
	return tc, ok && pupil.Answered
}

// decideVigil is decide for a session that waits for the agent's next call.
func decideVigil(v callView, live, joined int) step {
	if live == 0 {
		return step{action: release}
	}
	for _, l := range v.legs {
		switch {
		case l.ended || l.leaving || !l.answered:
		case v.next:
			return step{action: goOn, session: l.session}
		case !l.joined:
			return step{action: join, session: l.session}
		}
	}
	if joined > 0 {
		return step{action: plan}
	}
	return step{action: await}
}

// keepVigil notes that a session waits.
func (c *call) keepVigil() {
	for _, s := range c.sessions {
		if _, in := c.actual.BySession(s.x.ID); !in || s.leaving || s.x.Status == wire.Waiting {
			continue
		}
		x := c.n.update(s, func(x *wire.Session) { x.Status = wire.Waiting })
		rec := record(x, "waiting", "controller")
		lease := c.n.fence()
		c.n.journal.add(rec, func(ctx context.Context, rec wire.AuditRecord) error {
			return c.n.m.store.SetSession(ctx, lease, x, &rec)
		})
		c.log.Info("the session waits for the agent's next call", "session", x.ID)
	}
	c.lookAgain(vigilLook)
}

// goOn hands a session that waits over to the agent's next call.
func (c *call) goOn(ctx context.Context, s *session) {
	tc, ok := c.n.nextCall(c.agent, s.last)
	if !ok {
		return
	}
	// A call that nobody may listen to is not the next one, if he may listen to others.
	who := owner(s.x)
	if err := c.n.listenTo(ctx, who, tc); fault.Of(err) == fault.NotAllowed &&
		c.n.m.allowed(ctx, who, wire.ActionListen, unseenCall(c.n.agent(c.agent))) == nil {
		c.n.refusedNext(s.x, tc, err)
		s.last = tc.ID
		return
	}
	if s.x.Follow == wire.FollowNext {
		c.n.update(s, func(x *wire.Session) { x.Follow = wire.FollowCall })
	}
	c.handOver(ctx, s, tc)
}

// stays tells whether a session goes on when its call ends like this.
func (s *session) stays(code fault.Code) bool {
	return s.x.Follow == wire.FollowAgent && (code == fault.PupilGone || code == fault.UserGone)
}

// retire takes a session off a call that is over, to wait for the agent's next
// one. He is mute by now, or in no room. His leg is out of the call's room before
// the call forgets him.
func (c *call) retire(ctx context.Context, s *session) {
	tc := c.n.vigilOf(s.x)
	if l, ok := c.leg(s.x.Channel); ok && l.Answered && l.Room != "" {
		if err := c.enter(ctx, s, tc.Room, tc.ID); err != nil {
			c.log.Warn("a supervisor could not be taken to wait", "session", s.x.ID, "error", err)
		} else {
			c.await(ctx, c.n.m.cfg.JoinTimeout/maxJoins, func() bool {
				l, ok := c.leg(s.x.Channel)
				return !ok || l.Room == tc.Room
			})
		}
	}
	s.leaving, s.leave, s.last = false, step{}, c.id
	c.log.Info("the call is over: the session waits for the next one", "session", s.x.ID)
	c.put(ctx, s, tc, "left", func(x *wire.Session) { x.Call, x.User = "", "" })
}

// put takes a session off this call and puts it on another, or on its vigil.
func (c *call) put(ctx context.Context, s *session, tc tracker.Call, event string, change func(*wire.Session)) {
	c.sessions = slices.DeleteFunc(slices.Clone(c.sessions), func(x *session) bool { return x == s })
	s.recorded, s.joining, s.wasIn, s.waits, s.adopted, s.tries, s.whispers = false, false, false, false, false, 0, 0
	from := s.x
	if s.x.Desired != wire.Monitor {
		c.lower(s, wire.Monitor, "controller", "another call")
	}
	x := c.n.update(s, func(x *wire.Session) {
		x.Room, x.Role, x.Hold = "", wire.Joining, wire.HeldByNobody
		if x.Status == wire.Listening || x.Status == wire.Waiting {
			x.Status = wire.Answered
		}
		change(x)
	})
	rec := record(from, event, "controller")
	if event == "followed" {
		rec = record(x, event, "controller")
		rec.Detail = "from " + from.Agent
	}
	lease := c.n.fence()
	c.n.journal.add(rec, func(ctx context.Context, rec wire.AuditRecord) error {
		return c.n.m.store.SetSession(ctx, lease, x, &rec)
	})
	if err := c.n.attach(s, tc); err != nil {
		c.sessions = append(c.sessions, s)
		c.n.update(s, func(x *wire.Session) { x.Follow = wire.FollowCall }) // there is nothing to go on to
		c.dismiss(ctx, s, fault.Of(err), err.Error())
	}
}

// wakeVigils tells those who wait for an agent that something about his calls
// has changed. n.mu is held.
func (n *node) wakeVigils(changed []tracker.Call) {
	for _, tc := range changed {
		for _, c := range n.calls {
			if c.vigil && c.agent == tc.Agent {
				c.post(legChanged{})
			}
		}
	}
}
