package conformance

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"livemon/fsconf"
	"livemon/internal/fsapi"
)

// settled is for how long the parties have heard each other, at the least, when
// hears has returned.
const settled = 200 * time.Millisecond

var moveFacts = []fact{
	{name: "move", room: true,
		claim: "`uuid_transfer -both … inline` brings both legs of a bridge into a room, from whichever leg it is sent; each hears the other there.",
		check: func(c *check) {
			for i, from := range []int{0, 1} {
				a, b := c.call(fmt.Sprintf("user%d", i), fmt.Sprintf("pupil%d", i))
				began := time.Now()
				legs := []*leg{a, b}
				c.move(legs[from], legs[1-from])
				c.hears("in the room", heard{a: {b}, b: {a}})
				c.note("gap into the room: %d ms for the party that was called first, %d ms for the other", ms(a.gap(b, began.Add(-settled), time.Now())), ms(b.gap(a, began.Add(-settled), time.Now())))
			}
		}},
	{name: "move-and-return", room: true,
		claim: "None of many moves into a room and back (`uuid_bridge`) loses a call, whichever party was called first.",
		check: func(c *check) {
			var in, out []time.Duration
			for _, order := range [][2]string{{"user1", "pupil1"}, {"pupil2", "user2"}} {
				a, b := c.call(order[0], order[1])
				for range c.rounds(20) {
					for _, l := range []*leg{a, b} { // the moves must not wear the call out
						c.ok("uuid_setvar %s max_session_transfers 70", l.uuid)
					}
					began := time.Now()
					c.move(b, a)
					c.hears("in the room", heard{a: {b}, b: {a}})
					in = append(in, a.gap(b, began.Add(-settled), time.Now()), b.gap(a, began.Add(-settled), time.Now()))
					began = time.Now()
					c.bridged(a, b)
					c.hears("in the bridge", heard{a: {b}, b: {a}})
					out = append(out, a.gap(b, began.Add(-settled), time.Now()), b.gap(a, began.Add(-settled), time.Now()))
				}
			}
			c.note("%d moves, gap in median %d ms, longest %d ms; %d returns, %d ms, %d ms", len(in)/2, ms(median(in)), ms(slices.Max(in)), len(out)/2, ms(median(out)), ms(slices.Max(out)))
		}},
	{name: "as-it-was", room: true,
		claim: "After `uuid_bridge` out of a room the call is as it was: hold gives music, either party's hangup ends the other's leg, and it can be moved again.",
		check: func(c *check) {
			for i, first := range []bool{true, false} {
				a, b := c.call(fmt.Sprintf("user%d", i), fmt.Sprintf("pupil%d", i))
				c.move(a, b)
				c.bridged(a, b)
				c.hears("back in the bridge", heard{a: {b}, b: {a}})
				c.must(b.Hold(c.ctx))
				c.hears("on hold", heard{a: {theMusic}})
				c.must(b.Resume(c.ctx))
				c.hears("resumed", heard{a: {b}, b: {a}})
				c.move(a, b)
				c.hears("moved again", heard{a: {b}, b: {a}})
				c.bridged(a, b)
				c.hears("back again", heard{a: {b}, b: {a}})
				one, other := a, b
				if !first {
					one, other = b, a
				}
				c.must(one.Hangup(c.ctx))
				c.gone(other)
			}
		}},
	{name: "ok-says-nothing", room: true,
		claim: "`uuid_transfer -both` answers `+OK` when the leg has no partner.",
		check: func(c *check) {
			l := c.parked("alone")
			room := c.newRoom()
			c.ok("uuid_transfer %s -both 'conference:%s@%s' inline", l.uuid, room, fsconf.Profile)
			c.until("the leg in the room", func() bool { return c.in(room, l) })
			c.want(len(c.members(room)) == 1, "there is somebody else in the room")
		}},
	{name: "ok-partner-lost", room: true,
		claim: "`uuid_transfer -both` answers `+OK` when the partner could not be transferred, and was hung up.",
		check: func(c *check) {
			a, b := c.call("user", "pupil")
			c.ok("uuid_setvar %s max_session_transfers 1", a.uuid)
			at := c.events.now()
			c.ok("uuid_transfer %s -both 'conference:%s@%s' inline", b.uuid, c.newRoom(), fsconf.Profile)
			e := c.await(at, "event=CHANNEL_HANGUP", "Unique-ID="+a.uuid)
			c.want(e.Get("Hangup-Cause") == "EXCHANGE_ROUTING_ERROR", "the partner's hangup cause is %s", e.Get("Hangup-Cause"))
		}},
	{name: "transfers-counted",
		claim: "A leg survives 69 transfers; the 70th hangs it up with EXCHANGE_ROUTING_ERROR, and is answered -ERR.",
		check: func(c *check) {
			l := c.parked("worn")
			c.ok("uuid_setvar %s max_forwards 70", l.uuid) // as a call has that comes in with it
			for i := range 69 {
				at := c.events.now()
				c.ok("uuid_transfer %s park inline", l.uuid)
				c.want(c.seen(patience, at, "event=CHANNEL_PARK", "Unique-ID="+l.uuid) != nil, "transfer %d: the leg is not parked", i+1)
			}
			at := c.events.now()
			reply := c.api("uuid_transfer %s park inline", l.uuid)
			c.want(strings.HasPrefix(reply, "-ERR"), "the 70th transfer was answered %q", reply)
			e := c.await(at, "event=CHANNEL_HANGUP", "Unique-ID="+l.uuid)
			c.want(e.Get("Hangup-Cause") == "EXCHANGE_ROUTING_ERROR", "the cause is %s", e.Get("Hangup-Cause"))
		}},
	{name: "transfers-own-count",
		claim: "`max_session_transfers` goes before Max-Forwards, which are then left alone; a leg that came with few survives with it.",
		check: func(c *check) {
			l := c.parked("tired")
			c.ok("uuid_setvar %s max_forwards 2", l.uuid)
			c.ok("uuid_setvar %s max_session_transfers 70", l.uuid)
			for range 5 {
				at := c.events.now()
				c.ok("uuid_transfer %s park inline", l.uuid)
				c.await(at, "event=CHANNEL_PARK", "Unique-ID="+l.uuid)
			}
			c.want(c.variable(l, "max_forwards") == "2", "max_forwards is %s", c.variable(l, "max_forwards"))
			c.want(c.variable(l, "max_session_transfers") == "65", "max_session_transfers is %s", c.variable(l, "max_session_transfers"))
		}},
	{name: "missing-profile",
		claim: "A conference profile that does not exist is no error: the room is built without it. `xml_locate` tells which there are.",
		room:  true,
		check: func(c *check) {
			l, room := c.parked("anybody"), c.newRoom()
			c.ok("uuid_transfer %s 'conference:%s@nosuch%s' inline", l.uuid, room, c.id)
			c.until("the leg in the room", func() bool { return c.in(room, l) })
			xml := c.api("xml_locate configuration configuration name conference.conf")
			c.want(strings.Contains(xml, `<profile name="`+fsconf.Profile+`"`), "xml_locate does not show livemon's profile")
			c.want(!strings.Contains(xml, "nosuch"+c.id), "xml_locate shows a profile that does not exist")
		}},
	{name: "endconf", room: true,
		claim: "When a member with the flag `endconf` leaves, the room takes everybody else along.",
		check: func(c *check) {
			a, b := c.parked("user"), c.parked("pupil")
			room := c.newRoom()
			c.enter(room, a, "endconf")
			// Without the park behind it, which a supervisor's leg has.
			c.ok("uuid_transfer %s 'conference:%s@%s' inline", b.uuid, room, fsconf.Profile)
			c.until("both in the room", func() bool { return c.in(room, a, b) })
			c.must(a.Hangup(c.ctx))
			c.gone(b)
		}},
	{name: "answer-before-park",
		claim: "A transfer between the answer and the `park` of an `originate` can be undone by that; one after CHANNEL_PARK never is.",
		room:  true,
		check: func(c *check) {
			undone, rounds := 0, c.rounds(10)
			c.events.stream.Hasten(true)
			for _, wait := range []string{"CHANNEL_ANSWER", "CHANNEL_PARK"} {
				for i := range rounds {
					l := c.phone(fmt.Sprintf("s%d", i%3), Behaviour{After: 100 * time.Millisecond})
					at := c.events.now()
					c.must(c.client.BGAPI(c.ctx, newUUID(), fsapi.Unchecked("originate "+c.dial(l)+" &park()")))
					c.await(at, "event="+wait, "Unique-ID="+l.uuid)
					room := c.newRoom()
					c.ok("uuid_transfer %s 'conference:%s@%s' inline", l.uuid, room, fsconf.Profile)
					c.until("the leg in the room or parked", func() bool { return c.in(room, l) || c.variable(l, "current_application") == "park" })
					c.pause(200 * time.Millisecond)
					if !c.in(room, l) {
						c.want(wait == "CHANNEL_ANSWER", "a transfer after the park was undone")
						undone++
					}
					c.ok("uuid_kill %s", l.uuid)
					c.gone(l)
				}
			}
			c.note("%d of %d transfers right after the answer were undone, none of %d after the park", undone, rounds, rounds)
		}},
	{name: "media-normal",
		claim: "`uuid_media` on a call whose media passes the switch answers -ERR and changes nothing.",
		check: func(c *check) {
			a, b := c.call("user", "pupil")
			reply := c.api("uuid_media %s", b.uuid)
			c.want(strings.HasPrefix(reply, "-ERR"), "uuid_media answered %q", reply)
			c.want(c.variable(b, "signal_bridge_to") == "", "signal_bridge_to is set")
			c.hears("afterwards", heard{a: {b}, b: {a}})
		}},
	{name: "media-bypass", room: true, real: "the simulation's calls all have their media on the switch",
		claim: "A call in bypass-media mode (`signal_bridge_to` is set) loses a party when it is moved; after `uuid_media` it can be moved like any other.",
		check: func(c *check) {
			a, b := c.call("user1", "pupil1", "bypass_media_after_bridge=true")
			c.until("the media past the switch", func() bool { return c.variable(b, "signal_bridge_to") != "" })
			c.ok("uuid_media %s", b.uuid)
			c.pause(500 * time.Millisecond)
			c.move(b, a)
			c.hears("moved after uuid_media", heard{a: {b}, b: {a}})
			_, b = c.call("user2", "pupil2", "bypass_media_after_bridge=true")
			c.until("the media past the switch", func() bool { return c.variable(b, "signal_bridge_to") != "" })
			at := c.events.now()
			c.ok("uuid_transfer %s -both 'conference:%s@%s' inline", b.uuid, c.newRoom(), fsconf.Profile)
			e := c.await(at, "event=CHANNEL_HANGUP", "variable_"+mark+"="+c.id)
			c.want(e.Get("Hangup-Cause") == "BLIND_TRANSFER", "the cause is %s", e.Get("Hangup-Cause"))
		}},
}

// rounds is how often a statistical case is repeated: n times on a real switch,
// three times on the simulation, which does the same each time.
func (c *check) rounds(n int) int {
	if _, real := c.sw.(*realSwitch); real {
		return n
	}
	return min(n, 3)
}

func median(d []time.Duration) time.Duration {
	d = slices.Clone(d)
	slices.Sort(d)
	if len(d) == 0 {
		return 0
	}
	return d[len(d)/2]
}
