package selftest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"livemon/conference"
	"livemon/internal/fsapi"
)

// cleanupTime bounds the end of a test, also of one that was interrupted.
const cleanupTime = 20 * time.Second

// lateLeg is how long a leg may take to come whose making was not answered.
const lateLeg = 2 * time.Second

// cleanup ends the test's legs, and with them its rooms, and looks whether they
// are gone. It tries again until they are, over new connections if need be.
func (t *test) cleanup(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanupTime)
	defer cancel()
	if t.unsure {
		_ = pause(ctx, lateLeg) // if the time is up already, the sweep says so
	}
	for {
		left, err := t.sweep(ctx)
		if err == nil && left == "" {
			return
		}
		if pause(ctx, 10*poll) != nil {
			if err != nil {
				left = err.Error()
			}
			t.report.Clean = false
			t.problem("clean up", "the test could not be cleaned up: "+left,
				fmt.Sprintf("Its legs end by themselves within %s. To end them now: fs_cli -x 'hupall NORMAL_CLEARING %s %s'.", 2*t.cfg.Life, mark, t.run))
			return
		}
	}
}

// sweep tells what is left of the test after it has been told to end.
func (t *test) sweep(ctx context.Context) (left string, err error) {
	// One whose making was not answered is known by its mark only.
	if _, err := t.api(ctx, fsapi.KillMarked(fsapi.Name(mark), valueOf(t.run))); err != nil && !refused(err) {
		return "", err
	}
	for _, l := range t.legs {
		for _, channel := range []string{l.near, l.far} {
			if channel == "" {
				continue
			}
			there, err := t.exists(ctx, channel)
			if err != nil && !refused(err) {
				return "", err
			}
			// A channel that hangs up exists no more, and is listed for a while yet.
			list, err := t.api(ctx, fsapi.ChannelsLike(channelOf(channel)))
			if err != nil && !refused(err) {
				return "", err
			}
			if strings.Contains(list, channel+",") {
				left = "the " + l.name + "'s leg is still listed"
			}
			if there {
				left = "the " + l.name + "'s leg is still there"
				if _, err := t.api(ctx, fsapi.Kill(channelOf(channel))); err != nil && !refused(err) {
					return left, err
				}
			}
		}
	}
	for _, t.room = range t.rooms {
		if _, err := t.readRoom(ctx); err == nil {
			left = "the room " + t.room + " is still there"
		} else if !errors.Is(err, conference.ErrNoRoom) {
			return left, err
		}
	}
	return left, nil
}
