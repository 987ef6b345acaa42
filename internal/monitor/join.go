package monitor

import (
	"context"
	"fmt"

	"livemon/fsconf"
	"livemon/internal/fault"
	"livemon/internal/wire"
)

// noSound is heard by nobody.
const noSound = "silence_stream://20"

// maxJoins is how often a supervisor's leg is sent to the room.
const maxJoins = 2

// join brings a supervisor's leg into the room, mute and deaf.
func (c *call) join(ctx context.Context, s *session) {
	c.n.update(s, func(x *wire.Session) {
		if x.Status != wire.Listening {
			x.Status = wire.Answered
		}
		x.Room = c.room
	})
	s.joining = true
	if err := c.enter(ctx, s, c.room, c.id); err != nil {
		c.joinFailed(ctx, s, err)
		return
	}
	c.await(ctx, c.n.m.cfg.JoinTimeout/maxJoins, func() bool {
		l, ok := c.leg(s.x.Channel)
		return !ok || l.Room == c.room
	})
	if l, ok := c.leg(s.x.Channel); ctx.Err() == nil && ok && l.Room != c.room {
		if s.tries++; s.tries >= maxJoins {
			c.joinFailed(ctx, s, nil)
		}
	}
}

// enter sends a supervisor's leg to a room, mute and deaf. That he has arrived is
// to be seen.
func (c *call) enter(ctx context.Context, s *session, room, call string) error {
	shop := c.n.isShop(room)
	// Rooms of ours are locked against everybody but supervisors. A lock or PIN
	// of the shop's own holds for supervisors too.
	// The shop's own sounds would tell everybody there that he comes and goes: a
	// member's own take their place.
	vars := fmt.Sprintf("conference_enter_sound=%[1]s;conference_exit_sound=%[1]s;", noSound)
	vars += fmt.Sprintf("%s=70;conference_controls=%s;conference_enforce_security=%t;%s=%s", varTransfers, fsconf.Controls, shop, varCall, call)
	for _, v := range marks(s.x) {
		vars += ";" + v
	}
	if _, err := c.api(ctx, "uuid_setvar_multi "+s.x.Channel+" "+vars); err != nil {
		return err
	}
	target := room
	if !shop {
		target += "@" + fsconf.Profile // a room of the shop's exists already, with its own profile
	}
	keys := ""
	if c.n.m.cfg.InBandKeys {
		keys = "start_dtmf," // finds them although he is muted
	}
	// A room that refuses him parks him, so that he can be told.
	_, err := c.api(ctx, fmt.Sprintf("uuid_transfer %s '%sconference:%s+flags{mute|deaf},park' inline", s.x.Channel, keys, target))
	return err
}

// notAdded is the code of a supervisor who could not be added to the call.
func (c *call) notAdded() fault.Code {
	if c.shop {
		return fault.PupilInConference
	}
	return fault.NotAdded
}

func (c *call) joinFailed(ctx context.Context, s *session, err error) {
	code := c.notAdded()
	if err != nil {
		code = fault.Of(c.n.switchError(code, "join", err))
	}
	c.log.Warn("a supervisor could not be added", "session", s.x.ID, "room", c.room, "error", err)
	if v := c.view(); code != fault.SwitchTimeout && v.pupil == gone {
		code = fault.PupilGone
	}
	c.dismiss(ctx, s, code, "the supervisor could not be added to the call")
}
