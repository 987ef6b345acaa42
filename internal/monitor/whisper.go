package monitor

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"livemon/conference"
	"livemon/internal/fault"
	"livemon/internal/fsapi"
	"livemon/internal/seal"
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
	mark, err := c.n.sign(leg, seal.Mark{Whisper: s.x.ID})
	if err != nil {
		return false, err
	}
	line := conference.WhisperLine(channelOf(leg), channelOf(c.pupil), channelOf(s.x.Channel), mark)
	reply := ""
	s.taps = append(s.taps, leg) // whatever is answered, or is not
	c.n.mu.Lock()
	c.n.watch(c, leg)
	c.n.mu.Unlock()
	err = c.n.background(ctx, line, func(r string) {
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
	s := c.sessionOf(id)
	for _, leg := range c.tapsOf(id) {
		if _, err := c.api(ctx, fsapi.Kill(channelOf(leg))); err != nil && !isRefusal(err) {
			return err
		}
	}
	if s != nil {
		s.taps = nil
	}
	if !c.await(ctx, c.n.m.cfg.JoinTimeout, func() bool { return len(c.n.whispering(id)) == 0 }) {
		return fmt.Errorf("%w: it did not end in time", errWhisper)
	}
	return nil
}

// tapsOf returns the legs that carry a session's voice to the pupil, or may do so:
// those that the switch shows, and those that were asked for.
func (c *call) tapsOf(id string) []string {
	legs := c.n.whispering(id)
	if s := c.sessionOf(id); s != nil {
		for _, leg := range s.taps {
			if !slices.Contains(legs, leg) {
				legs = append(legs, leg)
			}
		}
	}
	return legs
}

// sessionOf returns the call's session with an id, or nil.
func (c *call) sessionOf(id string) *session {
	for _, s := range c.sessions {
		if s.x.ID == id {
			return s
		}
	}
	return nil
}

// whispers notes in a room who of the supervisors whispers to the pupil. What the
// switch's tables do not show, after a lost connection, it is asked for: a leg that
// is overlooked would be made a second time, and not be hung up.
func (c *call) whispers(ctx context.Context, r conference.Room) conference.Room {
	r.Members = slices.Clone(r.Members)
	for i, m := range r.Members {
		if m.Party != conference.Supervisor || m.Session == "" {
			continue
		}
		shown := c.n.whispering(m.Session)
		r.Members[i].Whispers = len(shown) > 0
		s := c.sessionOf(m.Session)
		if s == nil {
			continue
		}
		s.taps = slices.DeleteFunc(s.taps, func(leg string) bool { return !slices.Contains(shown, leg) && c.hasGone(ctx, leg) })
		r.Members[i].Whispers = r.Members[i].Whispers || len(s.taps) > 0
	}
	return r
}

// whispering returns the channels that carry a session's voice to a pupil.
func (n *node) whispering(session string) []string {
	n.mu.Lock()
	defer n.mu.Unlock()
	var out []string
	for _, l := range n.tracker.MarkedLegs() {
		if session != "" && l.Mark.Whisper == session {
			out = append(out, l.Channel)
		}
	}
	return out
}
