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
	for _, s := range c.sessions {
		if s.leaving || s.waits {
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

// setFollow changes how long a session goes on. Nothing becomes audible by it,
// so it may be recorded late.
func (c *call) setFollow(s *session, to wire.Follow, by wire.Actor, via string) {
	if s.x.Follow == to {
		return
	}
	x := c.n.update(s, func(x *wire.Session) { x.Follow = to })
	rec := record(x, "follow", via)
	rec.Actor, rec.Origin, rec.Detail = by.Name(), by.From, string(to)
	lease := c.n.fence()
	c.n.journal.add(rec, func(ctx context.Context, rec wire.AuditRecord) error {
		return c.n.m.store.SetSession(ctx, lease, x, &rec)
	})
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
		c.n.refusedRole(s.x, "", "controller", wire.Actor{}, err)
		c.dismiss(ctx, s, fault.Of(err), err.Error())
		return
	}
	c.sessions = slices.DeleteFunc(slices.Clone(c.sessions), func(x *session) bool { return x == s })
	s.recorded, s.joining, s.wasIn, s.waits, s.adopted, s.tries = false, false, false, false, false, 0
	from := s.x
	x := c.n.update(s, func(x *wire.Session) {
		x.Agent, x.Call, x.User, x.Room, x.Status, x.Role = tc.Agent, tc.ID, tc.UserNumber, "", wire.Answered, wire.Joining
	})
	rec := record(x, "followed", "controller")
	rec.Detail = "from " + from.Agent
	lease := c.n.fence()
	c.n.journal.add(rec, func(ctx context.Context, rec wire.AuditRecord) error {
		return c.n.m.store.SetSession(ctx, lease, x, &rec)
	})
	if err := c.n.attach(s, tc); err != nil {
		c.sessions = append(c.sessions, s)
		c.dismiss(ctx, s, fault.Of(err), err.Error())
	}
}
