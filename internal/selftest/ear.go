package selftest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"livemon/esl"
	"livemon/internal/fsapi"
	"livemon/internal/wire"
)

// detectTail is for how long after a tone its detection may still come.
const detectTail = 300 * time.Millisecond

// tries is how often a tone sounds that is not detected.
const tries = 3

// lateEvent is by how much an event may come later than the audio of its time.
const lateEvent = 100 * time.Millisecond

// earEvents is what listening needs of the switch's events.
var earEvents = esl.Subscription{
	Events:  []string{"DETECTED_TONE", "PLAYBACK_START", "PLAYBACK_STOP"},
	Headers: []string{"Detected-Tone", "Unique-ID"},
}

// listen lets each leg that is there sound its tone alone, and notes who of the
// others hears it. An empty role means that agent and customer are in a bridge.
func (t *test) listen(ctx context.Context, name string, roles map[string]wire.Role) error {
	legs := t.here()
	from, err := t.hush(ctx)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	step := Step{Name: name, OK: true, Rows: make([]Row, len(legs))}
	for i, l := range legs {
		step.Rows[i] = Row{Listener: l.name, Should: []string{}, Heard: []string{}}
	}
	for _, speaker := range legs {
		heard, err := t.soundAgain(ctx, speaker, legs, table(roles))
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		for i, l := range legs {
			if l == speaker {
				continue
			}
			row := &step.Rows[i]
			if table(roles)(l, speaker) {
				row.Should = append(row.Should, speaker.name)
			}
			if heard[l] {
				row.Heard = append(row.Heard, speaker.name)
			}
		}
	}
	for i := range step.Rows {
		r := &step.Rows[i]
		r.OK = slices.Equal(r.Should, r.Heard)
		step.OK = step.OK && r.OK
	}
	if t.media != nil {
		to := t.mark()
		t.searched(legs, from, to)
		t.look(name, legs, from, to, table(roles), tone.leak)
	}
	t.report.Steps = append(t.report.Steps, step)
	if t.cfg.Progress != nil {
		t.cfg.Progress(step)
	}
	if roles == nil {
		return nil
	}
	return t.undisturbed(ctx, name, roles)
}

// soundAgain lets a leg sound, and again while somebody who should hear it was not
// found to: how long the switch takes to detect a tone is a matter of chance, most
// often 0.1 s, at times 0.5 and more.
func (t *test) soundAgain(ctx context.Context, speaker *leg, listeners []*leg, may hearing) (map[*leg]bool, error) {
	all := map[*leg]bool{}
	for range tries {
		heard, err := t.sound(ctx, speaker, listeners)
		if err != nil {
			return nil, err
		}
		maps.Copy(all, heard)
		if !slices.ContainsFunc(listeners, func(l *leg) bool { return l != speaker && may(l, speaker) && !all[l] }) {
			break
		}
	}
	return all, nil
}

// sound plays a leg's tone to those who hear it, and returns who they are. In a
// mix of tones the switch finds the first one only: so one sounds at a time.
func (t *test) sound(ctx context.Context, speaker *leg, listeners []*leg) (map[*leg]bool, error) {
	keys := map[string]*leg{}
	for _, l := range listeners {
		if l == speaker {
			continue
		}
		// The event names this key, and not the channel.
		key := fmt.Sprintf("%s-%d-%d", t.run, slices.Index(t.legs, l), slices.Index(t.legs, speaker))
		keys[key] = l
		if reply, err := t.api(ctx, fsapi.DetectTone(channelOf(l.near), valueOf(key), int(speaker.tone))); err != nil {
			return nil, fmt.Errorf("the %s's ear could not be opened: %w", l.name, err)
		} else if !strings.HasPrefix(reply, "+OK") {
			return nil, fmt.Errorf("the %s's ear could not be opened: the switch says %q", l.name, clip(reply))
		}
	}
	if t.media != nil {
		return t.soundLine(ctx, speaker, keys)
	}
	spec := fmt.Sprintf("tone_stream://%%(%d,0,%d)", t.cfg.Tone.Milliseconds(), speaker.tone)
	if _, err := t.api(ctx, fsapi.Broadcast(channelOf(speaker.far), fsapi.Stream(spec))); err != nil {
		return nil, fmt.Errorf("the %s's tone could not be played: %w", speaker.name, err)
	}
	ctx, cancel := context.WithTimeout(ctx, t.cfg.Tone+t.cfg.Patience)
	defer cancel()
	heard := map[*leg]bool{}
	sounding, over := false, ctx
	for {
		e, err := t.events.Next(over)
		switch {
		case err != nil && over != ctx && errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil:
			return heard, nil
		case errors.Is(err, context.DeadlineExceeded):
			return nil, fmt.Errorf("the %s's tone was not played to its end: %w", speaker.name, err)
		case err != nil:
			return nil, err
		case e.Name == "DETECTED_TONE" && sounding:
			if l := keys[e.Get("Detected-Tone")]; l != nil {
				heard[l] = true
			}
		case e.Get("Unique-ID") != speaker.far:
		case e.Name == "PLAYBACK_START":
			sounding = true
		case e.Name == "PLAYBACK_STOP" && sounding && over == ctx:
			var done context.CancelFunc
			over, done = context.WithTimeout(ctx, detectTail)
			defer done()
		}
	}
}

// soundLine sounds a leg's tone on its line. It is heard by whom the switch detects
// it at, and by whom it is in the audio of.
func (t *test) soundLine(ctx context.Context, speaker *leg, keys map[string]*leg) (map[*leg]bool, error) {
	from := t.mark()
	speaker.line.say(true)
	err := t.hear(ctx, t.cfg.Tone)
	speaker.line.say(false)
	if err != nil {
		return nil, err
	}
	to, heard := t.mark(), map[*leg]bool{}
	for _, l := range keys {
		if speaker.tone.sounds(l.line.between(from[l], to[l])) {
			heard[l] = true
		}
	}
	err = t.tones(ctx, lateEvent, func(key string) {
		if l := keys[key]; l != nil {
			heard[l] = true
		}
	})
	return heard, err
}

// hush waits until nothing of what sounded before is heard any more, forgets what
// was detected of it, and notes how much each leg has heard by then.
func (t *test) hush(ctx context.Context) (map[*leg]int, error) {
	if t.media == nil {
		return nil, nil
	}
	if err := t.hear(ctx, underway); err != nil {
		return nil, err
	}
	from := t.mark()
	return from, t.tones(ctx, lateEvent, func(string) {})
}

// tones passes on what is detected in the next while.
func (t *test) tones(ctx context.Context, while time.Duration, found func(key string)) error {
	over, cancel := context.WithTimeout(ctx, while)
	defer cancel()
	for {
		e, err := t.events.Next(over)
		switch {
		case err != nil && ctx.Err() == nil && errors.Is(err, context.DeadlineExceeded):
			return nil
		case err != nil:
			return err
		case e.Name == "DETECTED_TONE":
			found(e.Get("Detected-Tone"))
		}
	}
}
