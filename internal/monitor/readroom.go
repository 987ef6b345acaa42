package monitor

import (
	"context"
	"errors"
	"strings"

	"livemon/conference"
	"livemon/esl"
	"livemon/internal/fsapi"
)

// readRoom reads the room as it is.
func (c *call) readRoom(ctx context.Context) (conference.Room, error) {
	reply, err := c.api(ctx, fsapi.RoomMembers(roomOf(c.room)))
	if err != nil {
		var e *esl.Error
		if errors.As(err, &e) && isRefusal(err) && strings.Contains(e.Reply, "not found") {
			return conference.Room{}, conference.ErrNoRoom
		}
		return conference.Room{}, err
	}
	r, err := conference.ParseList(reply, c.who())
	if err != nil {
		return conference.Room{}, err
	}
	r.Ours = !c.shop
	line := fsapi.Relations(roomOf(c.room), r.Related())
	if line.IsZero() {
		return r, nil
	}
	reply, err = c.api(ctx, line)
	if err != nil && !isRefusal(err) {
		return conference.Room{}, err
	}
	return conference.ParseRelations(r, reply)
}

// who tells the parties of the call apart by their channels.
func (c *call) who() conference.Who {
	c.n.mu.Lock()
	defer c.n.mu.Unlock()
	sessions := map[string]string{}
	for _, s := range c.sessions {
		sessions[s.x.Channel] = s.x.ID
	}
	unknown := map[string]bool{}
	for _, l := range c.n.tracker.RoomMembers(c.room) {
		if l.Mark.Session != "" && sessions[l.Channel] == "" {
			unknown[l.Channel] = true
		}
	}
	pupil, user := c.pupil, c.user
	return func(channel string) (conference.Party, string) {
		switch {
		case channel == pupil:
			return conference.Pupil, ""
		case channel == user:
			return conference.User, ""
		case sessions[channel] != "":
			return conference.Supervisor, sessions[channel]
		case unknown[channel]:
			return conference.Supervisor, "" // a leg of ours that nobody wants any more
		}
		return conference.Other, ""
	}
}
