package selftest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"livemon/conference"
	"livemon/esl"
	"livemon/internal/wire"
)

// detectTail is for how long after a tone its detection may still come.
const detectTail = 300 * time.Millisecond

// earEvents is what listening needs of the switch's events.
var earEvents = esl.Subscription{
	Events:  []string{"DETECTED_TONE", "PLAYBACK_START", "PLAYBACK_STOP"},
	Headers: []string{"Detected-Tone", "Unique-ID"},
}

// listen lets each leg that is there sound its tone alone, and notes who of the
// others hears it. An empty role means that agent and customer are in a bridge.
func (t *test) listen(ctx context.Context, name string, roles map[string]wire.Role) error {
	legs := t.here()
	step := Step{Name: name, OK: true, Rows: make([]Row, len(legs))}
	for i, l := range legs {
		step.Rows[i] = Row{Listener: l.name, Should: []string{}, Heard: []string{}}
	}
	for _, speaker := range legs {
		heard, err := t.sound(ctx, speaker, legs)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		for i, l := range legs {
			if l == speaker {
				continue
			}
			row := &step.Rows[i]
			if conference.Allowed(l.member(), speaker.member(), roles) {
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
	t.report.Steps = append(t.report.Steps, step)
	if t.cfg.Progress != nil {
		t.cfg.Progress(step)
	}
	return nil
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
		key := t.run + "-" + l.name + "-" + speaker.name
		keys[key] = l
		if reply, err := t.api(ctx, "tone_detect "+l.near+" "+key+" "+speaker.tone+" w"); err != nil {
			return nil, fmt.Errorf("the %s's ear could not be opened: %w", l.name, err)
		} else if !strings.HasPrefix(reply, "+OK") {
			return nil, fmt.Errorf("the %s's ear could not be opened: the switch says %q", l.name, clip(reply))
		}
	}
	spec := fmt.Sprintf("tone_stream://%%(%d,0,%s)", t.cfg.Tone.Milliseconds(), speaker.tone)
	if _, err := t.api(ctx, "uuid_broadcast "+speaker.far+" "+spec+" aleg"); err != nil {
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
