package selftest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"livemon/conference"
	"livemon/esl"
	"livemon/fsconf"
	"livemon/internal/fsapi"
	"livemon/internal/wire"
)

const (
	poll      = 10 * time.Millisecond // between two looks at the switch
	maxRounds = 50                    // plans for a room before it is given up
)

// move brings agent and customer from their bridge into a new room, with the
// commands of a session.
func (t *test) move(ctx context.Context, pupil, user *leg) error {
	if err := fsconf.Ready(ctx, t.sw(), t.cfg.Settings); err != nil {
		return err
	}
	t.room = "lmtest-" + newUUID()[:8] // not livemon's prefix: a running service leaves it alone
	t.rooms = append(t.rooms, t.room)
	move := Move{Name: "into the room", Gaps: []Gap{}}
	err := t.gaps(ctx, &move, pupil, user, func() error {
		began := time.Now()
		if _, err := t.api(ctx, fsapi.TransferBoth(channelOf(pupil.near), fsapi.Join(roomOf(t.room), fsapi.Name(fsconf.Profile), fsapi.FlagDTMF))); err != nil {
			return err
		}
		err := t.arrive(ctx, pupil, user)
		move.MS = time.Since(began).Milliseconds()
		return err
	})
	if err != nil {
		return err
	}
	t.report.Moves = append(t.report.Moves, move)
	for _, p := range [][2]*leg{{pupil, user}, {user, pupil}} {
		if _, err := t.api(ctx, fsapi.SetVar(channelOf(p[0].near), fsapi.Name("signal_bond"), valueOf(p[1].near))); err != nil {
			return err
		}
	}
	return nil
}

// walkIn brings a leg into the room; a supervisor as a session does, mute and deaf.
func (t *test) walkIn(ctx context.Context, l *leg) error {
	vars := []fsapi.Set{{Name: fsapi.Name("conference_enforce_security"), Value: fsapi.Bool(false)}}
	var flags []fsapi.Flag
	if l.party == conference.Supervisor {
		vars = append(vars, fsapi.Set{Name: fsapi.Name("conference_controls"), Value: fsapi.Const(fsconf.Controls)})
		flags = []fsapi.Flag{fsapi.FlagMute, fsapi.FlagDeaf}
	}
	if _, err := t.api(ctx, fsapi.SetVars(channelOf(l.near), vars...)); err != nil {
		return err
	}
	if _, err := t.api(ctx, fsapi.Transfer(channelOf(l.near), fsapi.Join(roomOf(t.room), fsapi.Name(fsconf.Profile), flags...), fsapi.Park())); err != nil {
		return err
	}
	return t.arrive(ctx, l)
}

// arrive waits until legs are in the room's list: what a transfer answers says nothing.
func (t *test) arrive(ctx context.Context, legs ...*leg) error {
	return t.until(ctx, "the arrival in the room", func() (bool, error) {
		r, err := t.readRoom(ctx)
		if errors.Is(err, conference.ErrNoRoom) {
			return false, nil
		}
		n := 0
		for _, l := range legs {
			for _, m := range r.Members {
				if m.Channel == l.near {
					n++
				}
			}
		}
		return n == len(legs), err
	})
}

// reach brings the room to the roles that are wanted, as the service does:
// plan, commands, and a new look, until nothing is left to do.
func (t *test) reach(ctx context.Context, want conference.Desired) error {
	last := ""
	for range maxRounds {
		r, err := t.readRoom(ctx)
		if err != nil {
			return err
		}
		plan := conference.Plan(r, want)
		if len(plan) == 0 {
			return nil
		}
		for _, cmd := range plan {
			last = cmd.String()
			removed, err := t.execute(ctx, r, cmd)
			if err != nil {
				return fmt.Errorf("%s: %w", last, err)
			}
			if removed {
				break
			}
		}
	}
	return fmt.Errorf("the room does not follow its commands; the last was: %s", last)
}

// undisturbed tells of a room that is not as it was left, whether that is heard or
// not: mutes and relations each hold where the other one fails.
func (t *test) undisturbed(ctx context.Context, step string, roles map[string]wire.Role) error {
	r, err := t.readRoom(ctx)
	if errors.Is(err, conference.ErrNoRoom) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("%s: %w", step, err)
	}
	if plan := conference.Plan(r, conference.Desired{Roles: roles}); len(plan) > 0 {
		t.problem("the room", fmt.Sprintf("%s: somebody else has changed the room; to put it right it takes %v", step, plan),
			"Find out what else on this switch changes conferences' mutes, relations and locks: a script, a module, a person at the console.")
	}
	return nil
}

// execute sends one command of a plan. A member who leaves is waited for; after
// that, or without an effect, the room has to be read again.
func (t *test) execute(ctx context.Context, r conference.Room, cmd conference.Command) (again bool, err error) {
	if cmd.Op == conference.Settle {
		return false, pause(ctx, conference.SettleTime)
	}
	if cmd.Op == conference.Whisper || cmd.Op == conference.Hush {
		m, _ := r.Member(cmd.Member)
		if cmd.Op == conference.Whisper {
			return false, t.whisper(ctx, r, m)
		}
		return false, t.unwhisper(ctx, m)
	}
	var leaver *leg
	if m, ok := r.Member(cmd.Member); ok && cmd.Op == conference.Remove {
		for _, l := range t.here() {
			if l.near == m.Channel {
				leaver = l
			}
		}
	}
	if leaver != nil && leaver.party == conference.Supervisor {
		return true, t.hangup(ctx, leaver)
	}
	reply, err := t.api(ctx, cmd.Line(roomOf(t.room)))
	if err != nil && !refused(err) {
		return false, err
	}
	if err != nil || !cmd.Done(reply) {
		return true, pause(ctx, poll)
	}
	if leaver != nil {
		return true, t.ended(ctx, leaver)
	}
	return false, nil
}

// bridge makes agent and customer a plain bridge, and waits until they are.
func (t *test) bridge(ctx context.Context, move *Move, user, pupil *leg) error {
	began := time.Now()
	if _, err := t.api(ctx, fsapi.Bridge(channelOf(user.near), channelOf(pupil.near))); err != nil {
		return err
	}
	err := t.until(ctx, "the bridge of agent and customer", func() (bool, error) {
		for _, p := range [][2]*leg{{pupil, user}, {user, pupil}} {
			to, err := t.api(ctx, fsapi.Get(channelOf(p[0].near), fsapi.Name("bridge_to")))
			if err != nil || strings.TrimSpace(to) != p[1].near {
				return false, err
			}
		}
		return true, nil
	})
	move.MS = time.Since(began).Milliseconds()
	return err
}

// readRoom reads the room as it is, with its members' relations.
func (t *test) readRoom(ctx context.Context) (conference.Room, error) {
	reply, err := t.api(ctx, fsapi.RoomMembers(roomOf(t.room)))
	if err != nil {
		var e *esl.Error
		if errors.As(err, &e) && refused(err) && strings.Contains(e.Reply, "not found") {
			err = conference.ErrNoRoom
		}
		return conference.Room{}, err
	}
	r, err := conference.ParseList(reply, t.who)
	if err != nil {
		return r, err
	}
	r.Ours = true
	line := fsapi.Relations(roomOf(t.room), r.Related())
	if line.IsZero() {
		return r, nil
	}
	if reply, err = t.api(ctx, line); err != nil && !refused(err) {
		return r, err
	}
	if r, err = conference.ParseRelations(r, reply); err != nil {
		return r, err
	}
	return t.whispers(ctx, r)
}

func (t *test) who(channel string) (conference.Party, string) {
	for _, l := range t.legs {
		if l.near == channel {
			return l.party, l.session
		}
	}
	return conference.Other, ""
}
