package selftest

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"livemon/conference"
	"livemon/internal/fsapi"
)

// whisper lets the agent hear a supervisor past the room, as the service does.
func (t *test) whisper(ctx context.Context, r conference.Room, m conference.Member) error {
	pupil, ok := r.Of(conference.Pupil)
	if !ok {
		return nil
	}
	leg := newUUID()
	// An interruption in the middle of it would leave a leg that comes later.
	reply, err := t.api(context.WithoutCancel(ctx), conference.WhisperLine(channelOf(leg), channelOf(pupil.Channel), channelOf(m.Channel), fsapi.Set{Name: fsapi.Name(mark), Value: valueOf(t.run)}))
	if err != nil {
		t.unsure = t.unsure || !refused(err)
		return fmt.Errorf("the leg that carries the supervisor's voice to the agent could not be made: %w", err)
	}
	if !strings.HasPrefix(reply, "+OK") {
		return fmt.Errorf("the leg that carries the supervisor's voice to the agent could not be made: the switch says %q", clip(reply))
	}
	t.whispering[m.Session] = leg
	return nil
}

// unwhisper ends it.
func (t *test) unwhisper(ctx context.Context, m conference.Member) error {
	leg := t.whispering[m.Session]
	if _, err := t.api(ctx, fsapi.Kill(channelOf(leg))); err != nil && !refused(err) {
		return err
	}
	delete(t.whispering, m.Session)
	return t.until(ctx, "the end of a whispering leg", func() (bool, error) {
		there, err := t.exists(ctx, leg)
		return !there, err
	})
}

// whispers notes in a room who of the supervisors whispers to the agent.
func (t *test) whispers(ctx context.Context, r conference.Room) (conference.Room, error) {
	r.Members = slices.Clone(r.Members)
	for i, m := range r.Members {
		leg := t.whispering[m.Session]
		if leg == "" {
			continue
		}
		there, err := t.exists(ctx, leg)
		if err != nil && !refused(err) {
			return r, err
		}
		r.Members[i].Whispers = there
	}
	return r, nil
}
