package conformance

import (
	"time"

	"livemon/fsconf"
)

var inboundFacts = []fact{
	{name: "inbound-user", room: true, inbound: true,
		claim: "A customer who has called in and is connected with an agent: the move, all roles and the return are as with legs that the switch has called.",
		check: func(c *check) {
			user := c.callsIn("user", 70)
			pupil := c.connect(user, "pupil")
			c.workflow(user, pupil, c.parked("sup"), true)
		}},
	{name: "inbound-pupil", room: true, inbound: true,
		claim: "The same with an agent who has called in, up to a take-over.",
		check: func(c *check) {
			pupil := c.callsIn("pupil", 70)
			user := c.connect(pupil, "user")
			c.workflow(user, pupil, c.parked("sup"), false)
			c.must(user.Hangup(c.ctx))
			c.gone(user)
		}},
	{name: "inbound-hold", room: true, inbound: true,
		claim: "Hold by either party of such a call works in the bridge, in the room and back, and either party's hangup ends the other's leg.",
		check: func(c *check) {
			user := c.callsIn("user", 70)
			pupil := c.connect(user, "pupil")
			c.holdAndResume(pupil, user)
			c.move(pupil, user)
			c.bond(user, pupil)
			c.holdAndResume(pupil, user)
			c.holdAndResume(user, pupil)
			c.bridged(user, pupil)
			c.hears("back", heard{user: {pupil}, pupil: {user}})
			c.holdAndResume(pupil, user)
			c.must(user.Hangup(c.ctx))
			c.gone(pupil)
		}},
	{name: "inbound-forwards", room: true, inbound: true,
		claim:   "A call that comes in with few Max-Forwards has as few transfers; with `max_session_transfers` of its own it can be moved all the same.",
		differs: "its calls all come with the same Max-Forwards",
		check: func(c *check) {
			user := c.callsIn("user", 3)
			c.note("Max-Forwards: 3 has become max_forwards=%s", c.variable(user, "max_forwards"))
			pupil := c.connect(user, "pupil")
			few := c.variable(user, "max_forwards")
			c.want(few == "1" || few == "2", "max_forwards is %q", few)
			for range 3 {
				c.ok("uuid_setvar %s max_session_transfers 70", user.uuid)
				c.ok("uuid_setvar %s max_session_transfers 70", pupil.uuid)
				c.move(pupil, user)
				c.bridged(user, pupil)
			}
			c.hears("after three moves", heard{user: {pupil}, pupil: {user}})
			c.want(c.variable(user, "max_forwards") == few, "max_forwards has become %s", c.variable(user, "max_forwards"))
		}},
	{name: "inbound-lock", room: true, inbound: true,
		claim: "A locked room keeps a leg out that has called in, unless it says `conference_enforce_security=false`.",
		check: func(c *check) {
			first := c.parked("first")
			room := c.newRoom()
			c.enter(room, first, "")
			c.ok("conference %s lock", room)
			l := c.callsIn("caller", 70)
			at := c.events.now()
			c.ok("uuid_transfer %s 'conference:%s@%s,park' inline", l.uuid, room, fsconf.Profile)
			c.await(at, "event=CHANNEL_PARK", "Unique-ID="+l.uuid)
			c.pause(100 * time.Millisecond)
			c.want(!c.in(room, l), "he is in the room")
			c.enter(room, l, "", "conference_enforce_security=false")
		}},
}
