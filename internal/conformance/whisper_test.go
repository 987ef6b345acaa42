package conformance

import (
	"fmt"
	"time"

	"livemon/conference"
	"livemon/fsconf"
	"livemon/internal/fsapi"
)

var whisperFacts = []fact{
	{name: "whisper", room: true, needs: []string{"mod_loopback"},
		claim: "A loopback that eavesdrops on a mute supervisor at one end, and whispers to the pupil at the other, lets the pupil alone hear him: neither the room's other members do, nor who joins.",
		check: func(c *check) {
			user, pupil, sup, room := c.tapped()
			began := time.Now()
			tap := c.whisper(sup, pupil)
			c.hears("whispering", heard{user: {pupil}, pupil: {user, sup}, sup: {user, pupil}})
			for range c.rounds(10) {
				late, came := c.parked("late"), time.Now()
				c.enter(room, late, "")
				c.hears("somebody has joined", heard{user: {pupil, late}, late: {user, pupil}})
				c.never(late, sup, came, "he joined while the supervisor whispered")
				c.must(late.Hangup(c.ctx))
				c.gone(late)
			}
			c.ok("uuid_kill %s NORMAL_CLEARING", tap)
			c.hears("the whispering has ended", heard{user: {pupil}, pupil: {user}, sup: {user, pupil}})
			c.never(user, sup, began, "the supervisor whispered to the pupil")
		}},
	{name: "whisper-ends", room: true, needs: []string{"mod_loopback"},
		claim: "A supervisor who whispers so and hangs up, or is kicked, while he speaks is not heard by the user.",
		check: func(c *check) {
			for _, how := range []string{"hangs up", "is kicked"} {
				user, pupil, sup, room := c.tapped()
				leaked, rounds := 0, c.rounds(10)
				for i := range rounds {
					if i > 0 {
						sup = c.parked("sup")
						c.supervise(room, sup)
						c.ok("conference %s undeaf %d quiet", room, c.memberID(room, sup))
					}
					began := time.Now()
					c.whisper(sup, pupil)
					c.hears("whispering", heard{user: {pupil}, pupil: {user, sup}})
					if how == "is kicked" {
						c.ok("conference %s kick %d", room, c.memberID(room, sup))
					} else {
						c.must(sup.Hangup(c.ctx))
					}
					c.until("the supervisor out of the room", func() bool { return !c.in(room, sup) })
					if c.alive(sup) {
						c.must(sup.Hangup(c.ctx))
					}
					c.gone(sup)
					c.hears("he has left", heard{user: {pupil}, pupil: {user}})
					if user.windows(sup, began, time.Now()) > 0 {
						leaked++
					}
				}
				c.note("he %s: %d of %d tries leaked", how, leaked, rounds)
				c.want(leaked == 0, "the user heard him in %d of %d tries", leaked, rounds)
				c.must(user.Hangup(c.ctx))
				c.must(pupil.Hangup(c.ctx))
				c.gone(user)
				c.gone(pupil)
			}
		}},
	{name: "after-bridge",
		claim: "When one party hangs up in a bridge, the other's own `park_after_bridge` or `transfer_after_bridge` says what becomes of him; after a room and a return too.",
		room:  true,
		check: func(c *check) {
			for i, variable := range []string{"park_after_bridge true", "transfer_after_bridge park:inline"} {
				for j, moved := range []bool{false, true} {
					user, pupil := c.call(fmt.Sprintf("user%d%d", i, j), "pupil")
					c.ok("uuid_setvar %s %s", user.uuid, variable)
					if moved {
						c.move(pupil, user)
						c.bridged(user, pupil)
						c.hears("back", heard{user: {pupil}, pupil: {user}})
					}
					at := c.events.now()
					c.must(pupil.Hangup(c.ctx))
					c.await(at, "event=CHANNEL_PARK", "Unique-ID="+user.uuid)
					c.must(user.Hangup(c.ctx))
					c.gone(user)
					c.gone(pupil)
				}
			}
		}},
	{name: "after-bridge-room", room: true,
		claim: "In a room these variables do nothing when a party hangs up.",
		check: func(c *check) {
			user, pupil := c.call("user", "pupil")
			c.ok("uuid_setvar %s park_after_bridge true", user.uuid)
			room := c.move(pupil, user)
			c.bond(user, pupil)
			c.must(pupil.Hangup(c.ctx))
			c.gone(pupil)
			c.stays(500*time.Millisecond, "the partner has hung up", user)
			c.want(c.in(room, user), "he has left the room")
		}},
}

// tapped is a call in a room with a supervisor who is mute and hears.
func (c *check) tapped() (user, pupil, sup *leg, room string) {
	user, pupil = c.call("user", "pupil")
	room = c.move(pupil, user)
	sup = c.parked("sup")
	c.enter(room, sup, "mute", "conference_controls="+fsconf.Controls)
	c.hears("listening", heard{user: {pupil}, pupil: {user}, sup: {user, pupil}})
	return user, pupil, sup, room
}

// whisper puts a whispering leg between a supervisor and the pupil.
func (c *check) whisper(sup, pupil *leg) (tap string) {
	tap = newUUID()
	c.ok("%s", conference.WhisperLine(channelOf(tap), channelOf(pupil.uuid), channelOf(sup.uuid), fsapi.Set{Name: fsapi.Name(mark), Value: fsapi.Const(c.id)}))
	return tap
}
