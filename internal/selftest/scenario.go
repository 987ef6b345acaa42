package selftest

import (
	"context"
	"fmt"
	"maps"

	"livemon/conference"
	"livemon/internal/wire"
)

// scenario is the test: a call, and supervisors who go through all roles.
func (t *test) scenario(ctx context.Context) error {
	pupil, err := t.dial(ctx, "agent", 620, conference.Pupil)
	if err != nil {
		return err
	}
	user, err := t.dial(ctx, "customer", 883, conference.User)
	if err != nil {
		return err
	}
	begin := Move{Name: "the call begins", Gaps: []Gap{}}
	if err := t.bridge(ctx, &begin, user, pupil); err != nil {
		return err
	}
	t.report.Moves = append(t.report.Moves, begin)
	if err := t.listen(ctx, "call", nil); err != nil {
		return err
	}
	s, err := t.enter(ctx, "joining", pupil, user)
	if err != nil {
		return err
	}
	if err := t.roles(ctx, s, "", wire.Monitor, wire.Coach); err != nil {
		return err
	}
	second, err := t.join(ctx, "second supervisor", "joining by a second supervisor", 1753)
	if err != nil {
		return err
	}
	if err := t.roles(ctx, second, " by a second supervisor", wire.Monitor); err != nil {
		return err
	}
	if err := t.roles(ctx, s, ", with a second supervisor", wire.Barge, wire.Coach); err != nil {
		return err
	}
	if err := t.newcomer(ctx); err != nil {
		return err
	}
	if err := t.roles(ctx, s, "", wire.Monitor); err != nil {
		return err
	}
	if err := t.leave(ctx, s); err != nil {
		return err
	}
	if err := t.listen(ctx, "only the second supervisor is left", t.have); err != nil {
		return err
	}
	if err := t.leave(ctx, second); err != nil {
		return err
	}
	if err := t.goBack(ctx, pupil, user); err != nil {
		return err
	}
	if s, err = t.enter(ctx, "joining again", pupil, user); err != nil {
		return err
	}
	if err := t.roles(ctx, s, " again", wire.Monitor); err != nil {
		return err
	}
	return t.roles(ctx, s, "", wire.TakeOver)
}

// enter moves the call into a room and brings a supervisor there.
func (t *test) enter(ctx context.Context, step string, pupil, user *leg) (*leg, error) {
	err := t.during(ctx, "the move into the room", table(nil), table(nil), func() error { return t.move(ctx, pupil, user) })
	if err != nil {
		return nil, err
	}
	return t.join(ctx, "supervisor", step, 1327)
}

// goBack makes the call a plain bridge again.
func (t *test) goBack(ctx context.Context, pupil, user *leg) error {
	back := Move{Name: "back to a bridge", Gaps: []Gap{}}
	err := t.during(ctx, "the move back to a bridge", table(nil), table(nil), func() error {
		return t.gaps(ctx, &back, pupil, user, func() error { return t.bridge(ctx, &back, user, pupil) })
	})
	if err != nil {
		return err
	}
	t.report.Moves = append(t.report.Moves, back)
	return t.listen(ctx, "back in a bridge", nil)
}

// join makes a supervisor's leg and brings it into the room, as a session does.
func (t *test) join(ctx context.Context, name, step string, f tone) (*leg, error) {
	s, err := t.dial(ctx, name, f, conference.Supervisor)
	if err != nil {
		return nil, err
	}
	want := t.with(s, wire.Joining)
	err = t.during(ctx, "the "+name+" joins", table(t.have), table(want), func() error {
		if err := t.walkIn(ctx, s); err != nil {
			return err
		}
		return t.reach(ctx, conference.Desired{Roles: want})
	})
	if err != nil {
		return nil, err
	}
	t.have = want
	return s, t.listen(ctx, step, want)
}

// with is the roles that supervisors have, with another one for one of them.
func (t *test) with(s *leg, role wire.Role) map[string]wire.Role {
	want := maps.Clone(t.have)
	if want == nil {
		want = map[string]wire.Role{}
	}
	want[s.session] = role
	return want
}

// roles gives a supervisor one role after the other, and listens in each.
func (t *test) roles(ctx context.Context, s *leg, suffix string, roles ...wire.Role) error {
	for _, role := range roles {
		want, name := t.with(s, role), string(role)+suffix
		err := t.during(ctx, "the change to "+name, table(t.have), table(want), func() error {
			return t.reach(ctx, conference.Desired{Roles: want})
		})
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		t.have = want
		if err := t.listen(ctx, name, want); err != nil {
			return err
		}
	}
	return nil
}

// leave lets a supervisor go, and the others stay as they are.
func (t *test) leave(ctx context.Context, s *leg) error {
	want := maps.Clone(t.have)
	delete(want, s.session)
	err := t.during(ctx, "the "+s.name+" leaves", table(t.have), table(want).except(s), func() error {
		return t.reach(ctx, conference.Desired{Roles: want, Leave: map[string]bool{s.session: true}})
	})
	t.have = want
	return err
}

// newcomer lets somebody walk into the room while the supervisor coaches, past
// its lock. Nobody else may hear the coach for that; he himself must not once the
// room has been looked at again.
func (t *test) newcomer(ctx context.Context) error {
	late, err := t.dial(ctx, "newcomer", 2251, conference.Other)
	if err != nil {
		return err
	}
	err = t.during(ctx, "somebody walks in", table(t.have).except(late), table(t.have), func() error {
		if err := t.walkIn(ctx, late); err != nil {
			return err
		}
		return t.reach(ctx, conference.Desired{Roles: t.have})
	})
	if err != nil {
		return err
	}
	if err := t.listen(ctx, "coach, with a newcomer", t.have); err != nil {
		return err
	}
	return t.during(ctx, "he leaves again", table(t.have), table(t.have), func() error { return t.hangup(ctx, late) })
}
