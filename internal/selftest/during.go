package selftest

import (
	"context"
	"fmt"
	"slices"
	"time"

	"livemon/conference"
	"livemon/internal/wire"
)

// In audio's time, which passes as the switch sends:
const (
	before   = 300 * time.Millisecond // all sound for so long before something is changed
	underway = 250 * time.Millisecond // after a change, what sounded before it may be on its way for so long, and longer on a busy switch
	after    = 400 * time.Millisecond // and so long all sound after that
)

// hearing tells whether a listener may hear a speaker.
type hearing func(listener, speaker *leg) bool

// table is who may hear whom while the supervisors have these roles; an empty
// one is also that of the plain bridge, where there are none.
func table(roles map[string]wire.Role) hearing {
	return func(l, s *leg) bool { return conference.Allowed(l.member(), s.member(), roles) }
}

// except allows everything that one party hears.
func (h hearing) except(party *leg) hearing {
	return func(l, s *leg) bool { return l == party || h(l, s) }
}

func (h hearing) or(other hearing) hearing {
	return func(l, s *leg) bool { return h(l, s) || other(l, s) }
}

// during lets all parties sound while something is done, and looks through what
// each of them heard, in windows of 20 ms, for those whom he must not hear: by
// the old table until it is begun, and from then on for those whom neither table
// allows. Those whom only the old one does must fall silent and stay so: what
// they said before is still on its way for a while.
func (t *test) during(ctx context.Context, what string, old, new hearing, do func() error) error {
	if t.media == nil {
		return do()
	}
	legs := t.here()
	t.say(true)
	defer t.say(false)
	start := t.mark()
	if err := t.hear(ctx, before); err != nil {
		return err
	}
	begun := t.mark()
	if err := do(); err != nil {
		t.look(what, legs, begun, t.mark(), old.or(new), tone.leak)
		return err
	}
	if err := t.hear(ctx, underway); err != nil {
		return err
	}
	done := t.mark()
	if err := t.hear(ctx, after); err != nil {
		return err
	}
	end := t.mark()
	t.searched(legs, start, end)
	t.look(what, legs, start, begun, old, tone.leak)
	t.look(what, legs, begun, end, old.or(new), tone.leak)
	t.look(what, legs, done, end, func(l, s *leg) bool { return new(l, s) || !old(l, s) }, tone.leakAfterEnd)
	return nil
}

// say has all legs sound, or none.
func (t *test) say(on bool) {
	for _, l := range t.here() {
		if l.line != nil {
			l.line.say(on)
		}
	}
}

// mark notes how much each leg has heard by now, those that are gone too.
func (t *test) mark() map[*leg]int {
	out := map[*leg]int{}
	for _, l := range t.legs {
		if l.line != nil {
			out[l] = l.line.now()
		}
	}
	return out
}

// hear waits until every leg that is there has heard so much more. It is an error
// when nothing comes for as long as patience lasts.
func (t *test) hear(ctx context.Context, d time.Duration) error {
	since := t.mark()
	for _, l := range t.here() {
		for all := false; !all; {
			begun := l.line.now()
			err := t.until(ctx, "audio", func() (bool, error) {
				now := l.line.now()
				all = now >= since[l]+inSamples(d)
				return all || now > begun, nil
			})
			if err != nil {
				return fmt.Errorf("the audio of the %s's leg stopped coming after %d of %d ms: %w", l.name, inMS(begun-since[l]), d.Milliseconds(), err)
			}
		}
	}
	return nil
}

// look goes through what legs heard of one another between two marks for those
// whom they must not hear.
func (t *test) look(what string, legs []*leg, from, to map[*leg]int, may hearing, leak func(tone, []int16) (time.Duration, bool)) {
	for _, l := range legs {
		audio := l.line.between(from[l], to[l])
		for _, s := range legs {
			if s == l || may(l, s) {
				continue
			}
			if d, found := leak(s.tone, audio); found {
				t.leaked(Leak{During: what, Listener: l.name, Speaker: s.name, MS: max(1, d.Milliseconds())})
			}
		}
	}
}

// searched counts what is looked through between two marks.
func (t *test) searched(legs []*leg, from, to map[*leg]int) {
	for _, l := range legs {
		t.report.Media.Frames += int64((to[l] - from[l]) / frame)
	}
}

// leaked notes that somebody was heard who must not be, once for each occasion.
func (t *test) leaked(leak Leak) {
	i := slices.IndexFunc(t.report.Leaks, func(o Leak) bool {
		return o.During == leak.During && o.Listener == leak.Listener && o.Speaker == leak.Speaker
	})
	if i >= 0 {
		t.report.Leaks[i].MS += leak.MS
		return
	}
	t.report.Leaks = append(t.report.Leaks, leak)
}

// ahead is for how long before a move its gap is looked for: what comes from then
// on was not yet heard when the command was given.
const ahead = 100 * time.Millisecond

// gaps does a move of the call, and measures for how long each of its parties
// does not hear the other. All sound meanwhile.
func (t *test) gaps(ctx context.Context, move *Move, pupil, user *leg, do func() error) error {
	if t.media == nil {
		return do()
	}
	from := t.mark()
	if err := do(); err != nil {
		return err
	}
	for _, p := range [][2]*leg{{pupil, user}, {user, pupil}} {
		listener, speaker := p[0], p[1]
		heard := func() []int16 { return listener.line.between(from[listener]-inSamples(ahead), listener.line.now()) }
		err := t.until(ctx, "that the "+listener.name+" hears the "+speaker.name+" again", func() (bool, error) {
			return speaker.tone.back(heard()), nil
		})
		if err != nil {
			return err
		}
		move.Gaps = append(move.Gaps, Gap{listener.name, speaker.tone.gap(heard()).Milliseconds()})
	}
	return nil
}
