package monitor

import (
	"context"
	"time"

	"livemon/fsconf"
	"livemon/internal/wire"
)

// holdLook is how often a call that is on hold is asked whether it still is: a
// telephone that resumes after the call was moved fires no event.
const holdLook = time.Second

// seeHold learns who holds the call, when an event said that something changed
// or it is time to look, and tells the supervisors: by the session's value, and by
// a short tone that nobody else hears.
func (c *call) seeHold(ctx context.Context) {
	if c.shop || c.vigil || c.holdLooks == 0 {
		return
	}
	if wait := time.Until(c.holdAt); wait > 0 {
		c.lookAgain(wait)
		return
	}
	c.holdLooks--
	c.noteHold(ctx, c.holders(ctx))
}

// noteHold notes which of pupil and user holds the other.
func (c *call) noteHold(ctx context.Context, held [2]bool) {
	hold := wire.HeldByNobody
	switch {
	case held[0]:
		hold = wire.HeldByAgent
	case held[1]:
		hold = wire.HeldByCustomer
	}
	if c.holdAt = time.Now().Add(holdLook); hold != wire.HeldByNobody {
		c.holdLooks = max(c.holdLooks, 1)
	}
	if c.holdLooks > 0 {
		c.lookAgain(holdLook)
	}
	c.n.mu.Lock()
	c.n.changed(c.n.tracker.SetHeld(c.pupil, held[0]))
	c.n.changed(c.n.tracker.SetHeld(c.user, held[1]))
	c.n.mu.Unlock()
	c.n.wantWrite()
	for _, s := range c.sessions {
		if s.leaving || s.x.Hold == hold {
			continue
		}
		c.n.update(s, func(x *wire.Session) { x.Hold = hold })
		tone := fsconf.HoldTone()
		if hold == wire.HeldByNobody {
			tone = fsconf.ResumeTone()
		}
		if m, ok := c.actual.BySession(s.x.ID); ok && m.Hear {
			c.tell(ctx, s, tone)
		}
	}
}
