package monitor

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"livemon/conference"
	"livemon/internal/fault"
	"livemon/internal/wire"
)

// maxWhispers is how many whispering legs are made for one request to coach
// before the supervisor is told that he cannot.
const maxWhispers = 3

// errWhisper says that the switch did not do with a whispering leg what it was told.
var errWhisper = errors.New("the whispering leg did not follow")

// whisper lets the pupil hear a supervisor who is mute in the room, and nobody
// else. His tap hears him although he is muted. Putting the other end on costs
// everybody in the room some 50 ms of the pupil's voice.
func (c *call) whisper(ctx context.Context, s *session) (bool, error) {
	if s.whispers++; s.whispers > maxWhispers {
		err := fault.New(c.notAdded(), "change role", "the agent could not be given the supervisor's voice: is mod_loopback loaded?")
		s.answer(err)
		c.lower(s, wire.Monitor, "controller", err.Error())
		c.refuse(ctx, s, err)
		return true, nil
	}
	leg := newUUID()
	line := conference.WhisperLine(leg, c.pupil, s.x.Channel, varWhisper+"="+s.x.ID)
	reply := ""
	c.n.mu.Lock()
	c.n.watch(c, leg)
	c.n.mu.Unlock()
	err := c.n.background(ctx, line, func(r string) {
		reply = r
		c.post(roomChanged{})
	})
	if isRefusal(err) {
		c.log.Warn("the whispering leg was refused", "session", s.x.ID, "error", err)
		return false, nil
	}
	if err != nil {
		return false, err
	}
	answered := func() bool {
		c.n.mu.Lock()
		defer c.n.mu.Unlock()
		return reply != ""
	}
	if !c.await(ctx, c.n.m.cfg.JoinTimeout, answered) {
		return false, fmt.Errorf("%w: it was not made in time", errWhisper)
	}
	c.n.mu.Lock()
	made := reply == "+OK "+leg
	c.n.mu.Unlock()
	if !made {
		c.log.Warn("the whispering leg could not be made", "session", s.x.ID, "reply", short(reply))
	}
	return made, nil
}

// hush ends a supervisor's whispering, and waits until the switch says so.
func (c *call) hush(ctx context.Context, id string) error {
	for _, leg := range c.n.whispering(id) {
		if _, err := c.api(ctx, "uuid_kill "+leg+" NORMAL_CLEARING"); err != nil && !isRefusal(err) {
			return err
		}
	}
	if !c.await(ctx, c.n.m.cfg.JoinTimeout, func() bool { return len(c.n.whispering(id)) == 0 }) {
		return fmt.Errorf("%w: it did not end in time", errWhisper)
	}
	return nil
}

// whispers notes in a room who of the supervisors whispers to the pupil.
func (c *call) whispers(r conference.Room) conference.Room {
	r.Members = slices.Clone(r.Members)
	for i, m := range r.Members {
		r.Members[i].Whispers = m.Party == conference.Supervisor && len(c.n.whispering(m.Session)) > 0
	}
	return r
}

// whispering returns the channels that carry a session's voice to a pupil.
func (n *node) whispering(session string) []string {
	n.mu.Lock()
	defer n.mu.Unlock()
	var out []string
	for _, l := range n.tracker.MarkedLegs() {
		if session != "" && l.Vars[varWhisper] == session {
			out = append(out, l.Channel)
		}
	}
	return out
}
