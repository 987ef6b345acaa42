package monitor

import (
	"context"

	"livemon/fsconf"
	"livemon/internal/fault"
	"livemon/internal/fsapi"
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
	mark, err := c.n.sign(s.x.Channel, supervisorMark(s.x, call))
	if err != nil {
		return err
	}
	quiet := fsapi.Const(noSound)
	vars := []fsapi.Set{
		{Name: fsapi.Name("conference_enter_sound"), Value: quiet},
		{Name: fsapi.Name("conference_exit_sound"), Value: quiet},
		{Name: varTransfers, Value: fsapi.Int(70)},
		{Name: fsapi.Name("conference_controls"), Value: fsapi.Const(fsconf.Controls)},
		{Name: fsapi.Name("conference_enforce_security"), Value: fsapi.Bool(shop)},
		mark,
	}
	if _, err := c.api(ctx, fsapi.SetVars(channelOf(s.x.Channel), vars...)); err != nil {
		return err
	}
	profile := fsapi.Name(fsconf.Profile)
	if shop {
		profile = fsapi.Name("default") // it exists already, with its own; but its name may hold an @
	}
	var apps []fsapi.App
	if c.n.m.cfg.InBandKeys {
		apps = append(apps, fsapi.StartDTMF()) // finds them although he is muted
	}
	apps = append(apps, fsapi.Join(roomOf(room), profile, fsapi.FlagMute, fsapi.FlagDeaf), fsapi.Park())
	// A room that refuses him parks him, so that he can be told.
	_, err = c.api(ctx, fsapi.Transfer(channelOf(s.x.Channel), apps...))
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
