package conformance

import (
	"time"

	"livemon/fsconf"
)

var playFacts = []fact{
	{name: "play-member", room: true,
		claim: "What is played to one member is heard by him, also when he is deaf, and by nobody else; nobody's speech is lost by it. `play-file-member` and `play-file-member-done` tell of it.",
		check: func(c *check) {
			user, pupil := c.call("user", "pupil")
			room := c.move(pupil, user)
			sup := c.parked("sup")
			c.supervise(room, sup)
			c.ok("conference %s play %s %d", room, c.sw.Music(), c.memberID(room, sup))
			c.hears("played to the deaf one", heard{sup: {theMusic}, user: {pupil}, pupil: {user}})
			c.ok("conference %s stop all %d", room, c.memberID(room, sup))
			began := time.Now()
			c.ok("conference %s play %s %d", room, c.sw.Music(), c.memberID(room, pupil))
			c.hears("played to the pupil", heard{sup: {}, user: {pupil}, pupil: {user, theMusic}})
			c.ok("conference %s stop all %d", room, c.memberID(room, pupil))
			c.hears("stopped", heard{sup: {}, user: {pupil}, pupil: {user}})
			gap := max(pupil.gap(user, began, time.Now()), user.gap(pupil, began, time.Now()))
			c.note("longest time in which a party did not hear the other: %d ms", ms(gap))
			c.want(gap <= latency, "a party did not hear the other for %v", gap)
			at := c.events.now()
			c.ok("conference %s play %s %d", room, fsconf.NoticeTone(), c.memberID(room, pupil))
			c.await(at, "Action=play-file-member", "Conference-Name="+room)
			c.await(at, "Action=play-file-member-done", "Conference-Name="+room)
		}},
	{name: "play-room", room: true,
		claim: "What is played to a room is heard by everybody in it who is not deaf, muted or not, beside what they hear already.",
		check: func(c *check) {
			user, pupil := c.call("user", "pupil")
			room := c.move(pupil, user)
			muted, deaf := c.parked("muted"), c.parked("deaf")
			c.supervise(room, muted)
			c.ok("conference %s undeaf %d quiet", room, c.memberID(room, muted))
			c.supervise(room, deaf)
			c.ok("conference %s play %s", room, c.sw.Music())
			c.hears("played to the room", heard{user: {pupil, theMusic}, pupil: {user, theMusic}, muted: {user, pupil, theMusic}, deaf: {}})
			c.ok("conference %s stop all", room)
			c.hears("stopped", heard{user: {pupil}, pupil: {user}, muted: {user, pupil}, deaf: {}})
			at := c.events.now()
			c.ok("conference %s play %s", room, fsconf.NoticeTone())
			c.await(at, "Action=play-file", "Conference-Name="+room)
			c.await(at, "Action=play-file-done", "Conference-Name="+room)
		}},
	{name: "play-refused", room: true,
		claim: "A file that is not there and a member who is not are refused with -ERR.",
		check: func(c *check) {
			l := c.parked("sup")
			room := c.newRoom()
			c.supervise(room, l)
			for _, args := range []string{"/no/such/" + c.id + ".wav", "/no/such/" + c.id + ".wav 1", fsconf.NoticeTone() + " 999999"} {
				reply := c.api("conference %s play %s", room, args)
				c.want(len(reply) > 4 && reply[:4] == "-ERR", "%s was answered %q", args, reply)
			}
		}},
	{name: "waiting-room", room: true,
		claim: "A supervisor alone in a room, mute and deaf, hears silence, and goes on hearing it; his keys fire. Sent into another room he is there at once, hears nobody, and the room that he leaves is gone.",
		check: func(c *check) {
			user, pupil := c.call("user", "pupil")
			room := c.move(pupil, user)
			sup := c.parked("sup")
			alone := c.newRoom()
			c.supervise(alone, sup)
			began := time.Now()
			const wait = 3 * time.Second
			c.pause(wait)
			heard, windows := sup.count(began, time.Now())
			c.want(len(heard) == 0, "he heard %v", heard)
			c.want(time.Duration(windows)*frame > wait*9/10, "%d windows of sound in %v", windows, wait)
			at := c.events.now()
			c.must(sup.Press(c.ctx, "4#", 60*time.Millisecond))
			c.await(at, "Action=dtmf", "Unique-ID="+sup.uuid, "Data="+fsconf.DataCoach)
			at, began = c.events.now(), time.Now()
			c.supervise(room, sup)
			c.await(at, "Action=add-member", "Conference-Name="+room, "Unique-ID="+sup.uuid)
			c.await(at, "Action=conference-destroy", "Conference-Name="+alone)
			c.hears("he is in the room", map[*leg][]*leg{sup: {}, user: {pupil}, pupil: {user}})
			c.never(sup, user, began, "on the way")
			c.never(sup, pupil, began, "on the way")
		}},
}
