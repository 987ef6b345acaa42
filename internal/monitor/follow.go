package monitor

import (
	"context"
	"slices"
	"time"

	"livemon/internal/fault"
	"livemon/internal/tracker"
	"livemon/internal/wire"
)

const (
	// followLook is how often it is looked whether a customer who was transferred
	// has reached somebody: the event that says so may be about the other leg only.
	followLook = 200 * time.Millisecond
	// strangerTime is how long whoever the customer was connected with may take to
	// be known as an agent.
	strangerTime = time.Second
)

// follow lets the supervisors wait, muted, for the customer who was transferred
// away to reach another agent, and hands them over to that call. It returns true
// if the call has to be looked at again at once.
func (c *call) follow(ctx context.Context) (again bool) {
	if c.followed.IsZero() {
		c.followed = time.Now()
		c.log.Info("the customer was transferred: the session follows him")
	}
	for _, s := range slices.Clone(c.sessions) {
		if s.leaving || s.waits {
			continue
		}
		if s.x.Follow == wire.FollowAgent { // the agent, not the customer
			c.dismiss(ctx, s, fault.UserGone, reasonTransferred)
			continue
		}
		s.waits = true
		if s.x.Desired != wire.Monitor {
			c.lower(s, wire.Monitor, "controller", reasonTransferred)
		}
		c.n.update(s, func(x *wire.Session) { x.Status, x.Role, x.Hold = wire.Waiting, wire.Joining, wire.HeldByNobody })
		c.progress(s)
	}
	c.reconcileRoom(ctx)
	v := c.view()
	if v.pupil == inRoom {
		c.endOther(ctx, c.pupil) // as the end of the bridge would have
	}
	tc, reached, connected := c.next()
	switch {
	case reached:
		for _, s := range slices.Clone(c.sessions) {
			if s.waits && !s.leaving {
				c.handOver(ctx, s, tc)
			}
		}
		return true
	case !connected:
		c.strange = time.Time{}
	case c.strange.IsZero():
		c.strange = time.Now()
	}
	reason := ""
	switch {
	case connected && time.Since(c.strange) > strangerTime:
		reason = reasonStranger
	case time.Since(c.followed) > c.n.m.cfg.FollowTimeout:
		reason = reasonTransferred
	default:
		c.lookAgain(followLook)
		return false
	}
	for _, s := range slices.Clone(c.sessions) {
		c.dismiss(ctx, s, fault.UserGone, reason)
	}
	return true
}

// refusedNext records that a session may not go on to another call.
func (n *node) refusedNext(x wire.Session, tc tracker.Call, err error) {
	x.Agent, x.Call, x.User, x.Room = tc.Agent, tc.ID, tc.UserNumber, tc.Room
	n.refusedRole(x, "", "controller", wire.Actor{}, err)
}

// setFollow changes how long a session goes on. Nothing becomes audible by it,
// so it may be recorded late. A session that waits goes on waiting: for the next
// call only, if it is not to be for each.
func (c *call) setFollow(s *session, to wire.Follow, by wire.Actor, via string) error {
	switch {
	case c.vigil && to == wire.FollowCall:
		to = wire.FollowNext
	case !c.vigil && to == wire.FollowNext:
		return badRequest("the session has a call already: it can be for that call only, or for each of the agent's")
	}
	if s.x.Follow == to {
		return nil
	}
	x := c.n.update(s, func(x *wire.Session) { x.Follow = to })
	rec := record(x, "follow", via)
	rec.Actor, rec.Origin, rec.Detail = by.Name(), by.From, string(to)
	lease := c.n.fence()
	c.n.journal.add(rec, func(ctx context.Context, rec wire.AuditRecord) error {
		return c.n.m.store.SetSession(ctx, lease, x, &rec)
	})
	return nil
}

// next finds the agent's call that the customer is on now, and whether he is
// connected with anybody.
func (c *call) next() (tc tracker.Call, reached, connected bool) {
	c.n.mu.Lock()
	defer c.n.mu.Unlock()
	user, ok := c.n.tracker.Leg(c.user)
	if !ok || user.Partner == "" {
		return tracker.Call{}, false, false
	}
	for _, tc := range c.n.tracker.Calls() {
		if tc.User == c.user && tc.Pupil == user.Partner {
			return tc, true, true
		}
	}
	return tracker.Call{}, false, true
}

// handOver puts a waiting session on another call, in which it begins as it did
// on its first: mute and deaf, on record before it listens.
func (c *call) handOver(ctx context.Context, s *session, tc tracker.Call) {
	c.n.mu.Lock()
	a, _ := c.n.tracker.Agent(tc.Agent)
	c.n.mu.Unlock()
	who := owner(s.x)
	err := c.n.permitted(ctx, a, wire.MonitorRequest{Agent: tc.Agent, Phone: s.x.Phone, Supervisor: s.x.Supervisor}, s.dialledIn, who)
	if err == nil {
		err = c.n.listenTo(ctx, who, tc)
	}
	if err != nil {
		c.n.refusedNext(s.x, tc, err)
		c.dismiss(ctx, s, fault.Of(err), err.Error())
		return
	}
	c.put(ctx, s, tc, "followed", func(x *wire.Session) { x.Agent, x.Call, x.User = tc.Agent, tc.ID, tc.UserNumber })
}
