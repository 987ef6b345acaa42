package monitor

import (
	"context"
	"slices"
	"time"

	"livemon/fsconf"
	"livemon/internal/fault"
	"livemon/internal/fsapi"
	"livemon/internal/wire"
)

// dismiss makes a session leave, with a code if something went wrong. A leg that
// is in the room leaves by the room's plan: muted first.
func (c *call) dismiss(ctx context.Context, s *session, code fault.Code, reason string) {
	if s.ended || s.leaving {
		return
	}
	s.leaving, s.leave = true, step{code: code, reason: reason}
	if s.stays(code) && s.x.Desired != wire.Monitor {
		c.lower(s, wire.Monitor, "controller", reason)
	}
	s.answer(dismissalError(code, reason))
	if l, ok := c.leg(s.x.Channel); ok && c.room != "" && l.Room == c.room {
		return
	}
	c.farewell(ctx, s)
}

func dismissalError(code fault.Code, reason string) error {
	if code == 0 {
		return notFound("the session has ended: %s", reason)
	}
	return fault.New(code, "session", reason)
}

// farewell takes a supervisor's leg, which is muted or in no room, off livemon's
// hands: it hears the code, if there is one, and is hung up.
func (c *call) farewell(ctx context.Context, s *session) {
	if err := c.hush(ctx, s.x.ID); err != nil {
		c.log.Warn("a supervisor's whispering could not be ended", "session", s.x.ID, "error", err)
		c.lookAgain(time.Second)
	}
	if s.stays(s.leave.code) && !c.vigil {
		c.retire(ctx, s)
		return
	}
	leg, alive := c.leg(s.x.Channel)
	var err error
	switch {
	case alive && leg.Answered && s.leave.code != 0:
		say := fsconf.PlayString(c.n.conf(), s.leave.code.Digits())
		_, err = c.api(ctx, fsapi.Transfer(channelOf(s.x.Channel), fsapi.Playback(soundOf(say)), fsapi.Hangup()))
	case alive || s.dialing:
		_, err = c.api(ctx, fsapi.Kill(channelOf(s.x.Channel)))
	}
	if err != nil && !isRefusal(err) {
		c.log.Warn("a supervisor's leg could not be let go", "session", s.x.ID, "error", err)
		c.lookAgain(time.Second)
		if alive && leg.Room != "" {
			return // he still listens: the session has not ended
		}
	}
	c.end(s, s.leave.code, s.leave.reason)
}

// end records the end of a session. Its leg is gone, or no longer livemon's.
func (c *call) end(s *session, code fault.Code, reason string) {
	if s.ended {
		return
	}
	s.ended = true
	now := time.Now().UTC()
	x := c.n.update(s, func(x *wire.Session) {
		x.Status, x.Ended, x.Reason, x.Code = wire.Ended, &now, reason, int(code)
	})
	c.n.mu.Lock()
	delete(c.n.sessions, x.ID)
	delete(c.n.byChannel, x.Channel)
	delete(c.n.byLeg, x.Channel)
	c.n.recent = append(c.n.recent, x)
	for len(c.n.recent) > 0 && (len(c.n.recent) > 10_000 || now.Sub(*c.n.recent[0].Ended) > keepEnded) {
		c.n.recent = c.n.recent[1:]
	}
	lease := c.n.lease
	c.n.mu.Unlock()
	c.sessions = slices.DeleteFunc(slices.Clone(c.sessions), func(x *session) bool { return x == s })
	c.n.journal.add(endRecord(x, s.via, s.by), func(ctx context.Context, rec wire.AuditRecord) error {
		return c.n.m.store.EndSession(ctx, lease, x, rec)
	})
	if s.leave.reason == reasonStopped {
		for _, w := range s.waiting {
			w.done <- nil
		}
		s.waiting = nil
	}
	s.answer(dismissalError(code, reason))
	c.n.m.touch()
	c.log.Info("session ended", "session", x.ID, "reason", reason, "code", int(code))
}
