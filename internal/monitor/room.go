package monitor

import (
	"context"
	"errors"
	"time"

	"livemon/conference"
	"livemon/fsconf"
	"livemon/internal/fault"
	"livemon/internal/wire"
)

// memberLag is how long a member may be unknown to commands after the switch has
// announced him.
const memberLag = 10 * time.Millisecond

// maxRounds bounds how often a room is planned anew before it is left for the
// next event.
const maxRounds = 50

// reconcileRoom brings the room to what is desired. It returns true if
// something about the call has changed that decide has to look at.
func (c *call) reconcileRoom(ctx context.Context) (again bool) {
	c.bond(ctx)
	for round := 0; ; round++ {
		if round == maxRounds {
			c.log.Error("the room does not follow its commands", "room", c.room)
			c.notFollowed(ctx, "the room did not follow")
			return false
		}
		if !c.fresh {
			r, err := c.readRoom(ctx)
			if errors.Is(err, conference.ErrNoRoom) {
				c.lookAgain(c.n.m.cfg.SettleAfter)
				return false
			}
			if err != nil {
				c.log.Warn("the room could not be read", "room", c.room, "error", err)
				c.notFollowed(ctx, "the switch did not answer")
				return false
			}
			c.actual, c.fresh = r, true
			c.seeOthers(ctx)
		}
		if c.unseen() {
			// add-member comes before the member is in the room's list.
			c.fresh = false
			pause(ctx, memberLag, nil)
			continue
		}
		c.actual = c.whispers(ctx, c.actual)
		c.admit(ctx)
		c.trustLess()
		want := c.desired()
		commands := conference.Plan(c.actual, want)
		if len(commands) == 0 {
			return c.reached(ctx)
		}
		c.fresh = false
		for _, cmd := range commands {
			done, err := c.execute(ctx, cmd)
			if err != nil {
				c.notFollowed(ctx, "the switch did not answer")
				return false
			}
			if !done {
				pause(ctx, memberLag, nil)
				break
			}
			if cmd.Op == conference.Remove {
				return true
			}
		}
	}
}

// unseen tells whether a supervisor is in the room by the events, and not yet
// in its list.
func (c *call) unseen() bool {
	c.n.mu.Lock()
	defer c.n.mu.Unlock()
	for _, s := range c.sessions {
		if l, ok := c.n.tracker.Leg(s.x.Channel); ok && l.Room == c.room {
			if _, ok := c.actual.BySession(s.x.ID); !ok {
				return true
			}
		}
	}
	return false
}

// desired is what the room should be. Whoever is not on record as a listener is
// still joining: mute and deaf.
func (c *call) desired() conference.Desired {
	c.n.mu.Lock()
	defer c.n.mu.Unlock()
	d := conference.Desired{Roles: map[string]wire.Role{}, Leave: map[string]bool{}}
	for _, s := range c.sessions {
		role := s.x.Desired
		if !s.recorded { // nor does he who waits; what is played to him he hears all the same
			role = wire.Joining
		}
		d.Roles[s.x.ID] = role
		if s.leaving {
			d.Leave[s.x.ID] = true
		}
	}
	return d
}

// admit records that supervisors who are in the room, mute and deaf, are about
// to listen. Whoever cannot be recorded does not listen.
func (c *call) admit(ctx context.Context) {
	for _, s := range c.sessions {
		if s.recorded || s.leaving || s.ended || c.vigil {
			continue
		}
		if _, ok := c.actual.BySession(s.x.ID); !ok {
			continue
		}
		if !c.noticed() {
			if err := c.give(ctx); err != nil {
				c.log.Warn("nobody listens without the notice that is wanted: the session ends", "session", s.x.ID, "error", err)
				c.dismiss(ctx, s, fault.Of(err), reasonNoNotice)
				continue
			}
			if len(c.told) > 0 {
				pause(ctx, noticeLead, nil)
			}
		}
		x := s.x
		x.Status, x.Role = wire.Listening, wire.Monitor
		rec := record(x, "listening", "controller")
		rec.To = wire.Monitor
		if err := c.n.m.store.SetSession(ctx, c.n.fence(), x, &rec); err != nil {
			c.log.Warn("nobody listens unrecorded: the session ends", "session", x.ID, "error", err)
			c.dismiss(ctx, s, fault.StoreUnavailable, reasonUnrecorded)
			continue
		}
		s.recorded = true
	}
}

// trustLess lowers the role of a session that was taken over from another
// controller to what the room shows: that one may have lowered it without having
// been able to say so. What it had only begun to raise has to be asked for again.
func (c *call) trustLess() {
	for _, s := range c.sessions {
		m, ok := c.actual.BySession(s.x.ID)
		if !s.adopted || !ok {
			continue
		}
		s.adopted = false
		seen := seenRole(c.actual, m)
		if seen == wire.Joining {
			seen = wire.Monitor
		}
		if _, pupil := c.actual.Of(conference.Pupil); !pupil && s.x.Desired == wire.TakeOver && seen == wire.Barge {
			continue
		}
		if weight(seen) < weight(s.x.Desired) {
			c.lower(s, seen, "controller", "as the room was found")
		}
	}
}

// execute sends one command, and tells whether it took effect. The error is that
// of a switch which did not answer: the command may have taken effect or not.
func (c *call) execute(ctx context.Context, cmd conference.Command) (bool, error) {
	switch cmd.Op {
	case conference.Settle:
		pause(ctx, conference.SettleTime, nil)
		return true, ctx.Err()
	case conference.Whisper, conference.Hush:
		m, _ := c.actual.Member(cmd.Member)
		if cmd.Op == conference.Hush {
			return true, c.hush(ctx, m.Session)
		}
		return c.whisper(ctx, c.find(m.Session))
	case conference.Remove:
		m, _ := c.actual.Member(cmd.Member)
		if m.Party == conference.Supervisor {
			for _, s := range c.sessions {
				if s.x.ID == m.Session {
					c.farewell(ctx, s)
					return true, nil
				}
			}
		}
	}
	reply, err := c.api(ctx, cmd.Line(roomOf(c.room)))
	if err == nil && cmd.Done(reply) {
		c.log.Debug("room", "command", cmd.String())
		return true, nil
	}
	c.log.Debug("room command had no effect", "command", cmd.String(), "reply", reply, "error", err)
	if isRefusal(err) {
		err = nil
	}
	return false, err
}

// reached notes the roles that the room was seen to be in.
func (c *call) reached(ctx context.Context) (again bool) {
	for _, s := range c.sessions {
		m, ok := c.actual.BySession(s.x.ID)
		if !ok || !s.recorded || s.leaving || s.waits {
			continue
		}
		role := seenRole(c.actual, m)
		if s.x.Role == wire.TakeOver && role == wire.Barge {
			role = wire.TakeOver
		}
		if _, pupil := c.actual.Of(conference.Pupil); !pupil && s.x.Desired == wire.TakeOver && role == wire.Barge {
			role = wire.TakeOver
		}
		if s.x.Role != role || s.x.Status != wire.Listening {
			was, listened := s.x.Role, s.x.Status == wire.Listening
			c.n.update(s, func(x *wire.Session) { x.Role, x.Status = role, wire.Listening })
			c.progress(s)
			c.log.Info("role", "session", s.x.ID, "from", was, "to", role)
			if was != role && (listened || s.last != "") { // he knows that he listens, the first time
				c.tell(ctx, s, fsconf.RoleTone(c.n.conf(), role))
			}
			again = true
		}
		rest := s.waiting[:0]
		for _, w := range s.waiting {
			if w.to == role || w.to == wire.Barge && role == wire.TakeOver {
				w.done <- nil
			} else {
				rest = append(rest, w)
			}
		}
		s.waiting = rest
	}
	return again
}

// progress stores how far a session has come.
func (c *call) progress(s *session) {
	x, lease := s.x, c.n.fence()
	c.n.journal.add(record(x, eventProgress, ""), func(ctx context.Context, _ wire.AuditRecord) error {
		return c.n.m.store.SetSession(ctx, lease, x, nil)
	})
}

// seenRole is the role that a room shows a supervisor in.
func seenRole(r conference.Room, m conference.Member) wire.Role {
	if !m.Hear {
		return wire.Joining
	}
	open := m.Speak
	for _, o := range r.Members {
		switch {
		case o.ID == m.ID:
		case o.Party != conference.Pupil && o.Party != conference.Supervisor && conference.Hears(o, m):
			return wire.Barge
		case conference.Closed(m, o):
			open = false
		}
	}
	switch {
	case open: // whoever should hear him is deaf by somebody else's will
		return wire.Barge
	case m.Whispers:
		return wire.Coach
	}
	return wire.Monitor
}

// notFollowed gives up for now what the room was to become: whoever was to be
// heard by more falls back to what he is seen to be, whoever waits is told, and
// the room is looked at again in a while.
func (c *call) notFollowed(ctx context.Context, detail string) {
	if ctx.Err() != nil {
		return // it is we who leave
	}
	for _, s := range c.sessions {
		s.answer(fault.New(fault.SwitchTimeout, "change role", detail))
		if weight(s.x.Desired) > weight(s.x.Role) && !s.adopted {
			c.lower(s, lowest(s.x.Role), "controller", detail)
		}
	}
	c.fresh = false
	c.lookAgain(time.Second)
}

// lowest is a role that can be desired: a session that is still joining is to
// become a monitor.
func lowest(r wire.Role) wire.Role {
	if weight(r) == 0 {
		return wire.Monitor
	}
	return r
}

// weight orders roles by how many hear the supervisor.
func weight(r wire.Role) int {
	switch r {
	case wire.Coach:
		return 1
	case wire.Barge:
		return 2
	case wire.TakeOver:
		return 3
	}
	return 0
}

// changeRole changes what is desired of a session, once that is recorded. The
// room follows by itself.
func (c *call) changeRole(ctx context.Context, s *session, to wire.Role, by wire.Actor, via string) error {
	if s.ended || s.leaving {
		return notFound("the session %q has ended", s.x.ID)
	}
	if err := mine(s.x, by, false); err != nil {
		c.n.refusedRole(s.x, to, via, by, err)
		return err
	}
	switch {
	case !s.x.Coaching && to != wire.Monitor:
		err := fault.New(fault.RoleNotAllowed, "change role", "the session was started without coaching enabled")
		c.n.refusedRole(s.x, to, via, by, err)
		return err
	case !s.recorded || s.x.Status != wire.Listening:
		return fault.New(fault.RoleNotAllowed, "change role", "the supervisor does not listen yet")
	case s.x.Desired == wire.TakeOver && s.x.Role == wire.TakeOver && to != wire.TakeOver && to != wire.Barge:
		return fault.New(fault.PupilGone, "change role", "the agent has left; the customer would hear nobody")
	case s.x.Desired == wire.TakeOver && to == wire.Barge, s.x.Desired == to:
		return nil
	}
	if weight(to) < weight(s.x.Desired) {
		c.lowerBy(s, to, by, via, "")
		return nil
	}
	if err := c.mayRaise(ctx, s, to, by); err != nil {
		c.n.refusedRole(s.x, to, via, by, err)
		if fault.Of(err) == fault.NotAllowed {
			c.checkRights(ctx) // what he does already may not be allowed either
		}
		return err
	}
	if err := c.n.journal.drain(ctx); err != nil {
		c.n.refusedRole(s.x, to, via, by, err)
		return err
	}
	rec := record(s.x, "role", via)
	rec.Actor, rec.Origin, rec.From, rec.To = by.Name(), by.From, s.x.Desired, to
	if _, err := c.n.m.store.ChangeRole(ctx, c.n.fence(), s.x.ID, to, rec); err != nil {
		if fault.Of(err) != fault.SpeakerBusy { // that one the store records itself
			c.n.refusedRole(s.x, to, via, by, err)
		}
		return err
	}
	s.adopted, s.whispers = false, 0 // what is asked for now counts, whatever the room is found to be
	c.n.update(s, func(x *wire.Session) { x.Desired = to })
	return nil
}

// lower changes a role towards less: at once, and recorded afterwards, whatever
// the store does.
func (c *call) lower(s *session, to wire.Role, via, detail string) {
	c.lowerBy(s, to, wire.Actor{}, via, detail)
}

// lowerBy is lower for whoever asked for it.
func (c *call) lowerBy(s *session, to wire.Role, by wire.Actor, via, detail string) {
	rec := record(s.x, "role", via)
	rec.Actor, rec.Origin, rec.From, rec.To, rec.Detail = by.Name(), by.From, s.x.Desired, to, detail
	for _, w := range s.waiting {
		w.done <- fault.New(fault.RoleNotAllowed, "change role", "another change of role came after it")
	}
	s.waiting = nil
	c.n.update(s, func(x *wire.Session) { x.Desired = to })
	id, lease := s.x.ID, c.n.fence()
	c.n.journal.add(rec, func(ctx context.Context, rec wire.AuditRecord) error {
		_, err := c.n.m.store.ChangeRole(ctx, lease, id, to, rec)
		return err
	})
}

// refusedRole records that a change of a session was refused: to a role, or, with
// none, to something else.
func (n *node) refusedRole(x wire.Session, to wire.Role, via string, by wire.Actor, cause error) {
	rec := record(x, "refused", via)
	rec.Actor, rec.Origin, rec.From, rec.To, rec.Code, rec.Detail = by.Name(), by.From, x.Desired, to, int(fault.Of(cause)), why(cause)
	n.journal.add(rec, func(ctx context.Context, rec wire.AuditRecord) error {
		_, err := n.m.store.AppendAudit(ctx, rec)
		return err
	})
}

// noteTakenOver records that the pupil has left a supervisor who barged in alone
// with the user: a take-over that nobody had to ask for.
func (c *call) noteTakenOver(s *session) {
	rec := record(s.x, "role", "switch")
	rec.From, rec.To, rec.Detail = s.x.Desired, wire.TakeOver, reasonPupilGone
	c.n.update(s, func(x *wire.Session) { x.Desired = wire.TakeOver })
	id, lease := s.x.ID, c.n.fence()
	// Nothing becomes audible by it, so it may be recorded late.
	c.n.journal.add(rec, func(ctx context.Context, rec wire.AuditRecord) error {
		_, err := c.n.m.store.ChangeRole(ctx, lease, id, wire.TakeOver, rec)
		return err
	})
}
