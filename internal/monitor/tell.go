package monitor

import (
	"context"

	"livemon/fsconf"
	"livemon/internal/fault"
	"livemon/internal/fsapi"
	"livemon/internal/wire"
)

// tell plays files, one after the other, to a supervisor in the room, and to
// nobody else.
func (c *call) tell(ctx context.Context, s *session, files ...string) {
	m, ok := c.actual.BySession(s.x.ID)
	if !ok {
		return
	}
	for _, f := range files {
		if _, err := c.api(ctx, fsapi.Play(roomOf(c.room), soundOf(f), m.ID)); err != nil {
			c.log.Warn("a supervisor could not be told", "session", s.x.ID, "file", f, "error", err)
			return
		}
	}
}

// refuse tells a supervisor on the telephone that his keys were not obeyed: the
// refusal tone, and the code where there is one.
func (c *call) refuse(ctx context.Context, s *session, cause error) {
	files := []string{fsconf.RefusalTone()}
	if code := fault.Of(cause); code != 0 && code != fault.RoleNotAllowed {
		files = append(files, fsconf.PlayString(c.n.conf(), code.Digits()))
	}
	c.tell(ctx, s, files...)
}

// key is what a supervisor's keys ask for.
func (c *call) key(ctx context.Context, s *session, data string) {
	if s.ended || s.leaving {
		return
	}
	roles := map[string]wire.Role{fsconf.DataCoach: wire.Coach, fsconf.DataMonitor: wire.Monitor, fsconf.DataBarge: wire.Barge, fsconf.DataTakeOver: wire.TakeOver}
	if to, ok := roles[data]; ok {
		was := s.x.Desired
		if err := c.changeRole(ctx, s, to, presser(s.x), "key"); err != nil {
			c.refuse(ctx, s, err)
		} else if was == s.x.Desired && s.x.Role == was {
			c.tell(ctx, s, fsconf.RoleTone(c.n.conf(), was)) // he has it already
		}
		return
	}
	switch data {
	case fsconf.DataSay:
		c.tell(ctx, s, fsconf.SayRole(c.n.conf(), s.x.Role, s.x.Status == wire.Waiting))
	case fsconf.DataFollow:
		to, said := wire.FollowAgent, fsconf.PromptFollowOn
		if s.x.Follow == wire.FollowAgent {
			to, said = wire.FollowCall, fsconf.PromptFollowOff
		}
		if err := c.setFollow(s, to, presser(s.x), "key"); err != nil {
			c.refuse(ctx, s, err)
			return
		}
		c.tell(ctx, s, fsconf.PromptFile(c.n.conf(), said))
	case fsconf.DataUnknown:
		c.tell(ctx, s, fsconf.RefusalTone())
	}
}
