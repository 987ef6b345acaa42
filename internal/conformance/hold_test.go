package conformance

import (
	"strings"
	"time"
)

var holdFacts = []fact{
	{name: "hold-bridge",
		claim: "In a bridge a telephone's hold gives the partner the hold music, and nothing to the holder.",
		check: func(c *check) {
			user, pupil := c.call("user", "pupil")
			c.holdAndResume(pupil, user)
			c.holdAndResume(user, pupil)
		}},
	{name: "hold-room", room: true,
		claim: "With `signal_bond` on both legs, towards each other, hold works in a room as in a bridge: music, and the partner again on resume.",
		check: func(c *check) {
			user, pupil := c.call("user", "pupil")
			c.move(pupil, user)
			c.bond(user, pupil)
			c.holdAndResume(pupil, user)
			c.holdAndResume(user, pupil)
		}},
	{name: "hold-room-unbonded", room: true,
		claim: "Without `signal_bond` hold gives the partner in a room silence.",
		check: func(c *check) {
			user, pupil := c.call("user", "pupil")
			c.move(pupil, user)
			c.must(pupil.Hold(c.ctx))
			c.hears("on hold in the room", heard{user: {}})
			c.must(pupil.Resume(c.ctx))
			c.hears("resumed", heard{user: {pupil}, pupil: {user}})
		}},
	{name: "hold-sdp", room: true,
		claim: "`switch_r_sdp` says `sendonly` exactly as long as that telephone holds: in a bridge, through a move, in a room, and back.",
		check: func(c *check) {
			user, pupil := c.call("user", "pupil")
			held := func(when string, want bool) {
				c.want(strings.Contains(c.variable(pupil, "switch_r_sdp"), "a=sendonly") == want, "%s: the description says otherwise than held=%t", when, want)
				c.want(!strings.Contains(c.variable(user, "switch_r_sdp"), "a=sendonly"), "%s: the partner's description says that he holds", when)
			}
			held("at first", false)
			c.must(pupil.Hold(c.ctx))
			c.hears("on hold", heard{user: {theMusic}})
			held("on hold", true)
			c.move(pupil, user)
			held("moved while on hold", true)
			c.must(pupil.Resume(c.ctx))
			c.hears("resumed in the room", heard{user: {pupil}, pupil: {user}})
			held("resumed in the room", false)
			c.must(pupil.Hold(c.ctx))
			c.pause(200 * time.Millisecond)
			held("on hold in the room", true)
			c.bridged(user, pupil)
			held("given back while on hold", true)
			c.must(pupil.Resume(c.ctx))
			c.hears("resumed in the bridge", heard{user: {pupil}, pupil: {user}})
			held("resumed in the bridge", false)
		}},
	{name: "hold-forgotten", room: true,
		claim: "A transfer fires CHANNEL_UNHOLD for a leg whose telephone goes on holding, ends the music, and makes the switch forget: the real resume fires nothing.",
		check: func(c *check) {
			user, pupil := c.call("user", "pupil")
			at := c.events.now()
			c.must(pupil.Hold(c.ctx))
			c.await(at, "event=CHANNEL_HOLD", "Unique-ID="+pupil.uuid)
			c.hears("on hold", heard{user: {theMusic}})
			at = c.events.now()
			c.move(pupil, user)
			c.bond(user, pupil)
			c.await(at, "event=CHANNEL_UNHOLD", "Unique-ID="+pupil.uuid)
			c.hears("moved while on hold", heard{user: {}})
			at = c.events.now()
			c.must(pupil.Resume(c.ctx))
			c.hears("resumed", heard{user: {pupil}, pupil: {user}})
			c.want(c.seen(100*time.Millisecond, at, "event=CHANNEL_UNHOLD", "Unique-ID="+pupil.uuid) == nil, "the resume fired CHANNEL_UNHOLD")
		}},
	{name: "hold-music-again", room: true,
		claim: "After a move, and after a return, `uuid_broadcast PARTNER MUSIC aleg` lets the held party hear the music again, until the telephone resumes.",
		check: func(c *check) {
			user, pupil := c.call("user", "pupil")
			c.must(pupil.Hold(c.ctx))
			c.hears("on hold", heard{user: {theMusic}})
			c.move(pupil, user)
			c.bond(user, pupil)
			c.ok("uuid_broadcast %s %s aleg", user.uuid, c.sw.Music())
			c.hears("music in the room", heard{user: {theMusic}})
			c.must(pupil.Resume(c.ctx))
			c.hears("resumed in the room", heard{user: {pupil}, pupil: {user}})
			c.must(pupil.Hold(c.ctx))
			c.hears("on hold in the room", heard{user: {theMusic}})
			c.bridged(user, pupil)
			c.ok("uuid_broadcast %s %s aleg", user.uuid, c.sw.Music())
			c.hears("music in the bridge", heard{user: {theMusic}})
			c.must(pupil.Resume(c.ctx))
			c.hears("resumed in the bridge", heard{user: {pupil}, pupil: {user}})
			c.must(pupil.Hangup(c.ctx))
			c.gone(user)
		}},
	{name: "blind-room", room: true,
		claim: "With `signal_bond` a telephone's blind transfer (REFER) out of a room is accepted, and the partner goes to the new destination.",
		check: func(c *check) {
			user, pupil := c.call("user", "pupil")
			c.move(pupil, user)
			c.bond(user, pupil)
			c.blind(pupil, user)
		}},
	{name: "blind-bridge", room: true,
		claim: "The same in a bridge, and after the return to one.",
		check: func(c *check) {
			user, pupil := c.call("user1", "pupil1")
			c.blind(pupil, user)
			user, pupil = c.call("user2", "pupil2")
			c.move(pupil, user)
			c.bridged(user, pupil)
			c.hears("back", heard{user: {pupil}, pupil: {user}})
			c.blind(pupil, user)
		}},
	{name: "blind-unbonded", room: true,
		claim: "Without `signal_bond` a blind transfer out of a room is refused (403), and the call stays as it is.",
		check: func(c *check) {
			user, pupil := c.call("user", "pupil")
			room := c.move(pupil, user)
			extension, _ := c.sw.Park()
			ok, err := pupil.Transfer(c.ctx, extension)
			c.must(err)
			c.want(!ok, "the transfer was accepted")
			c.want(c.in(room, user, pupil), "a party has left the room")
		}},
	{name: "attended-room", room: true,
		claim: "With `signal_bond` an attended transfer out of a room bridges the partner with the new party.",
		check: func(c *check) {
			user, pupil := c.call("user", "pupil")
			c.move(pupil, user)
			c.bond(user, pupil)
			c.hears("in the room", heard{user: {pupil}, pupil: {user}})
			consult, expert := c.call("consult", "expert")
			c.must(pupil.Hold(c.ctx))
			c.hears("on hold", heard{user: {theMusic}})
			ok, err := pupil.TransferTo(c.ctx, consult.Telephone)
			c.must(err)
			c.want(ok, "the transfer was refused")
			c.hears("connected", heard{user: {expert}, expert: {user}})
			c.must(pupil.Hangup(c.ctx))
			c.must(consult.Hangup(c.ctx))
			c.hears("connected for good", heard{user: {expert}, expert: {user}})
		}},
	{name: "attended-unbonded", room: true,
		claim: "Without `signal_bond` an attended transfer out of a room does not connect the partner with the new party, whatever it is answered.",
		check: func(c *check) {
			user, pupil := c.call("user", "pupil")
			c.move(pupil, user)
			consult, expert := c.call("consult", "expert")
			ok, err := pupil.TransferTo(c.ctx, consult.Telephone)
			c.must(err)
			c.note("accepted: %t", ok)
			c.pause(time.Second)
			now := time.Now()
			n := user.windows(expert, now.Add(-300*time.Millisecond), now)
			c.want(n == 0, "the partner hears the new party in %d windows", n)
		}},
}

// holdAndResume holds by one telephone and resumes.
func (c *check) holdAndResume(holder, partner *leg) {
	c.must(holder.Hold(c.ctx))
	c.hears(c.short(holder)+" holds", heard{partner: {theMusic}})
	c.must(holder.Resume(c.ctx))
	c.hears(c.short(holder)+" resumes", heard{partner: {holder}, holder: {partner}})
}

// blind transfers a telephone's partner to where he is parked.
func (c *check) blind(by, partner *leg) {
	extension, force := c.sw.Park()
	for _, v := range force {
		name, value, _ := strings.Cut(v, "=")
		c.ok("uuid_setvar %s %s %s", partner.uuid, name, value)
	}
	at := c.events.now()
	ok, err := by.Transfer(c.ctx, extension)
	c.must(err)
	c.want(ok, "the transfer was refused")
	c.await(at, "event=CHANNEL_PARK", "Unique-ID="+partner.uuid)
	c.must(by.Hangup(c.ctx))
	c.gone(by)
	c.stays(300*time.Millisecond, "after the transfer", partner)
}
