package conformance

import (
	"errors"
	"slices"
	"strings"
	"time"

	"livemon/conference"
	"livemon/fsconf"
	"livemon/internal/fsapi"
	"livemon/internal/wire"
)

// latency is within what a command that silences somebody must be heard: the
// switch's next frame, and what is on its way, on a machine that has other work.
const latency = 300 * time.Millisecond

func ms(d time.Duration) int64 { return d.Milliseconds() }

// newRoom is a name that nobody else uses.
func (c *check) newRoom() string { return c.id + "-room" + randomHex(2) }

// move sends both legs of a bridge into a new room of livemon's, and waits for
// them to be in its list.
func (c *check) move(by, other *leg) string {
	room := c.newRoom()
	c.ok("uuid_transfer %s -both 'conference:%s@%s+flags{dist-dtmf}' inline", by.uuid, room, fsconf.Profile)
	c.until("both parties in the room", func() bool { return c.in(room, by, other) })
	return room
}

// bond sets what a bridge sets, on both legs.
func (c *check) bond(a, b *leg) {
	c.ok("uuid_setvar %s signal_bond %s", a.uuid, b.uuid)
	c.ok("uuid_setvar %s signal_bond %s", b.uuid, a.uuid)
}

// enter sends a leg into a room, with member flags, and waits until it is there.
func (c *check) enter(room string, l *leg, flags string, vars ...string) {
	c.send(room, l, flags, vars...)
	c.until(c.short(l)+" in the room", func() bool { return c.in(room, l) })
}

func (c *check) send(room string, l *leg, flags string, vars ...string) {
	if len(vars) > 0 {
		c.ok("uuid_setvar_multi %s %s", l.uuid, strings.Join(vars, ";"))
	}
	if flags != "" {
		flags = "+flags{" + flags + "}"
	}
	c.ok("uuid_transfer %s 'conference:%s@%s%s,park' inline", l.uuid, room, fsconf.Profile, flags)
}

// supervise brings a supervisor into a room as livemon does: mute and deaf.
func (c *check) supervise(room string, l *leg) {
	c.enter(room, l, "mute|deaf", "conference_controls="+fsconf.Controls, "conference_enforce_security=false")
}

// members is a room's list; a room that is not there has none.
func (c *check) members(room string) []conference.Member { return c.read(room, nil, nil).Members }

// in tells whether legs are in a room's list.
func (c *check) in(room string, legs ...*leg) bool {
	members := c.members(room)
	return !slices.ContainsFunc(legs, func(l *leg) bool {
		return !slices.ContainsFunc(members, func(m conference.Member) bool { return m.Channel == l.uuid })
	})
}

// id is a leg's member id in a room.
func (c *check) memberID(room string, l *leg) int {
	for _, m := range c.members(room) {
		if m.Channel == l.uuid {
			return m.ID
		}
	}
	c.fatalf("%s is not in the room", c.short(l))
	return 0
}

// read is a room as livemon reads it, with its supervisors' relations. The
// supervisors' sessions are their channels.
func (c *check) read(room string, pupil *leg, supervisors []*leg) conference.Room {
	r, err := conference.ParseList(c.api("conference %s json_list", room), func(channel string) (conference.Party, string) {
		switch {
		case pupil != nil && channel == pupil.uuid:
			return conference.Pupil, ""
		case slices.ContainsFunc(supervisors, func(l *leg) bool { return l.uuid == channel }):
			return conference.Supervisor, channel
		}
		return conference.User, ""
	})
	if errors.Is(err, conference.ErrNoRoom) {
		return conference.Room{}
	}
	c.must(err)
	r.Ours = true
	if line := fsapi.Relations(roomOf(room), r.Related()); !line.IsZero() {
		r, err = conference.ParseRelations(r, c.api("%s", line))
		c.must(err)
		r.Ours = true
	}
	for i, m := range r.Members {
		for _, l := range supervisors {
			if l.uuid == m.Channel && l.tap != "" {
				r.Members[i].Whispers = strings.TrimSpace(c.api("uuid_exists %s", l.tap)) == "true"
			}
		}
	}
	return r
}

// legOf is the leg of a member.
func (c *check) legOf(r conference.Room, member int) *leg {
	m, _ := r.Member(member)
	for _, l := range c.legs {
		if l.uuid == m.Channel {
			return l
		}
	}
	c.fatalf("member %d is nobody's leg", member)
	return nil
}

// hush ends a supervisor's whispering.
func (c *check) hush(l *leg) {
	tap := l.tap
	l.tap = ""
	c.ok("uuid_kill %s", tap)
	c.until("the end of a whispering leg", func() bool { return strings.TrimSpace(c.api("uuid_exists %s", tap)) == "false" })
}

// roles brings a room to the roles that supervisors are to have, as the service
// does: plan, commands, and a new look, until nothing is left to do. Who is to
// leave is hung up.
func (c *check) roles(room string, pupil *leg, want map[*leg]wire.Role) {
	d := conference.Desired{Roles: map[string]wire.Role{}}
	var supervisors []*leg
	for _, l := range c.legs {
		if role, is := want[l]; is {
			supervisors = append(supervisors, l)
			d.Roles[l.uuid] = role
		}
	}
	var plan []conference.Command
	c.until("the roles", func() bool {
		r := c.read(room, pupil, supervisors)
		if plan = conference.Plan(r, d); len(plan) == 0 {
			return true
		}
		for _, cmd := range plan {
			switch cmd.Op {
			case conference.Settle:
				c.pause(conference.SettleTime)
				continue
			case conference.Whisper:
				sup := c.legOf(r, cmd.Member)
				sup.tap = c.whisper(sup, pupil)
				continue
			case conference.Hush:
				c.hush(c.legOf(r, cmd.Member))
				continue
			}
			if !cmd.Done(c.api("%s", cmd.Line(roomOf(room)))) {
				break
			}
		}
		return false
	})
}

// bridged makes two legs a bridge, wherever they are, and waits until they are.
func (c *check) bridged(a, b *leg) {
	c.ok("uuid_bridge %s %s", a.uuid, b.uuid)
	c.until("the bridge", func() bool {
		return c.variable(a, "bridge_to") == b.uuid && c.variable(b, "bridge_to") == a.uuid
	})
}

// gone waits until a leg has ended.
func (c *check) gone(l *leg) {
	c.until("the end of "+c.short(l), func() bool { return !c.alive(l) })
}

// stays fails when one of some legs ends within a while.
func (c *check) stays(d time.Duration, what string, legs ...*leg) {
	c.pause(d)
	for _, l := range legs {
		c.want(c.alive(l), "%s: %s has ended", what, c.short(l))
	}
}
