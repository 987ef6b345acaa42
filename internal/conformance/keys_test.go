package conformance

import (
	"fmt"
	"strings"
	"time"

	"livemon/fsconf"
	"livemon/internal/sipphone"
)

var keyFacts = []fact{
	{name: "keys-distributed", room: true,
		claim: "With `dist-dtmf` on both parties each one's keys reach the other in a room; without it they are swallowed.",
		check: func(c *check) {
			user, pupil := c.call("user", "pupil")
			room := c.move(pupil, user)
			c.must(user.Press(c.ctx, "12", 60*time.Millisecond))
			c.must(pupil.Press(c.ctx, "#9", 60*time.Millisecond))
			c.until("the keys at the other party", func() bool { return pupil.Keys() == "12" && user.Keys() == "#9" })
			deaf := c.parked("other")
			c.enter(room, deaf, "")
			at := c.events.now()
			c.must(deaf.Press(c.ctx, "3", 0))
			c.await(at, "event=DTMF", "Unique-ID="+deaf.uuid)
			c.pause(300 * time.Millisecond)
			c.want(pupil.Keys() == "12" && user.Keys() == "#9", "keys of a member without the flag were passed on: %q, %q", pupil.Keys(), user.Keys())
		}},
	{name: "keys-no-controls", room: true,
		claim: "A member with `dist-dtmf` has no caller controls, whatever group he has.",
		check: func(c *check) {
			l := c.parked("user")
			room := c.newRoom()
			c.enter(room, l, "dist-dtmf", "conference_controls="+fsconf.Controls)
			at := c.events.now()
			c.must(l.Press(c.ctx, "4#", 60*time.Millisecond))
			c.await(at, "event=DTMF", "Unique-ID="+l.uuid, "DTMF-Digit=#")
			c.want(c.seen(300*time.Millisecond, at, "Action=dtmf", "Unique-ID="+l.uuid) == nil, "his control fired")
		}},
	{name: "controls-fire", room: true,
		claim: "A supervisor's keys fire `Action: dtmf` with the control's Data, while he is mute and deaf too, with 0.1 to 2.5 s between two keys.",
		check: func(c *check) {
			sup := c.parked("sup")
			room := c.newRoom()
			c.supervise(room, sup)
			keys := fsconf.Defaults().Keys
			for _, k := range []struct {
				keys, data string
				gap        time.Duration
			}{{keys.Coach[0], fsconf.DataCoach, 100 * time.Millisecond}, {keys.Barge[0], fsconf.DataBarge, time.Second}, {keys.Monitor[0], fsconf.DataMonitor, 2500 * time.Millisecond}} {
				at := c.events.now()
				c.must(sup.Press(c.ctx, k.keys, k.gap))
				e := c.await(at, "Action=dtmf", "Unique-ID="+sup.uuid)
				c.want(e.Get("Data") == k.data, "%s fired %q", k.keys, e.Get("Data"))
			}
		}},
	{name: "keys-info", room: true,
		claim: "SIP INFO keys of a telephone that offers telephone events too are ignored, unless its leg was made with `rtp_liberal_dtmf=true`: then both work.",
		check: func(c *check) {
			for i, liberal := range []string{"false", "true"} {
				for j, keys := range []sipphone.Keys{sipphone.KeysInfo, sipphone.KeysRTP} {
					works := liberal == "true" || keys == sipphone.KeysRTP
					l := c.phone(fmt.Sprintf("sup%d%d", i, j), Behaviour{Keys: keys})
					c.ok("originate %s &park()", c.dial(l, "rtp_liberal_dtmf="+liberal))
					c.pressesCoach(c.answered(l), works)
				}
			}
		}},
	{name: "keys-in-audio", room: true, needs: []string{"mod_spandsp"},
		claim: "Keys as tones in the audio of a mute supervisor work with `execute_on_answer=start_dtmf`, and not without.",
		check: func(c *check) {
			for i, vars := range [][]string{nil, {"execute_on_answer=start_dtmf"}} {
				l := c.phone(fmt.Sprintf("sup%d", i), Behaviour{Keys: sipphone.KeysAudio})
				c.ok("originate %s &park()", c.dial(l, vars...))
				c.answered(l)
				c.must(l.Talk(false))
				c.pressesCoach(l, vars != nil)
			}
		}},
	{name: "controls-unheard", room: true,
		claim: "A supervisor's keys reach nobody else.",
		check: func(c *check) {
			user, pupil := c.call("user", "pupil")
			room := c.move(pupil, user)
			sup := c.parked("sup")
			c.supervise(room, sup)
			at := c.events.now()
			c.must(sup.Press(c.ctx, "4#", 60*time.Millisecond))
			c.await(at, "Action=dtmf", "Unique-ID="+sup.uuid)
			c.pause(300 * time.Millisecond)
			c.want(user.Keys() == "" && pupil.Keys() == "", "the parties were sent %q and %q", user.Keys(), pupil.Keys())
		}},
	{name: "controls-unknown", room: true,
		claim: "What asks for nothing and ends in `#` fires `Data: unknown` with that key, once, while he is mute and deaf, mute, and speaks; the next sequence fires as ever. The DTMF events of the channel come before it, one a key, in order.",
		check: func(c *check) {
			sup := c.parked("sup")
			room := c.newRoom()
			c.supervise(room, sup)
			for i, now := range []string{"", "undeaf", "unmute"} {
				if now != "" {
					c.ok("conference %s %s %d quiet", room, now, c.memberID(room, sup))
				}
				at := c.events.now()
				c.must(sup.Press(c.ctx, "46#**##5#", time.Duration(i)*60*time.Millisecond))
				c.await(at, "Action=dtmf", "Unique-ID="+sup.uuid, "Data="+fsconf.DataMonitor)
				got := c.fired(sup, at)
				c.want(got == "46#(unknown)**#(unknown)#(unknown)5#(monitor)", "after %q: %s", now, got)
			}
		}},
	{name: "controls-late", room: true,
		claim: "Keys that end in no `#` fire `Data: unknown` when none has followed for the time-out: one, a star, or twenty.",
		check: func(c *check) {
			sup := c.parked("sup")
			room := c.newRoom()
			c.supervise(room, sup)
			for _, keys := range []string{"4", "*", "12345678901234567890"} {
				at := c.events.now()
				c.must(sup.Press(c.ctx, keys, 60*time.Millisecond))
				pressed := time.Now()
				c.await(at, "Action=dtmf", "Unique-ID="+sup.uuid)
				took := time.Since(pressed)
				c.want(c.fired(sup, at) == keys+"(unknown)", "%s: %s", keys, c.fired(sup, at))
				c.want(took > 2500*time.Millisecond, "%s: reported %v after the last key", keys, took)
			}
			c.must(sup.Press(c.ctx, "46#", 60*time.Millisecond))
			c.until("the keys of the last sequence on the channel", func() bool { return c.variable(sup, "conference_last_matching_digits") == "46#" })
		}},
	{name: "controls-spoilt", room: true,
		claim: "A lone `4` spoils a `6#` that follows within the time-out (`unknown`), and does not spoil one that comes after it.",
		check: func(c *check) {
			sup := c.parked("sup")
			room := c.newRoom()
			c.supervise(room, sup)
			at := c.events.now()
			c.must(sup.Press(c.ctx, "4", 0))
			c.pause(time.Second)
			c.must(sup.Press(c.ctx, "6#", 100*time.Millisecond))
			c.await(at, "Action=dtmf", "Unique-ID="+sup.uuid)
			c.want(c.fired(sup, at) == "46#(unknown)", "within the time-out: %s", c.fired(sup, at))
			at = c.events.now()
			c.must(sup.Press(c.ctx, "4", 0))
			c.await(at, "Action=dtmf", "Unique-ID="+sup.uuid)
			c.must(sup.Press(c.ctx, "6#", 100*time.Millisecond))
			c.await(at, "Action=dtmf", "Unique-ID="+sup.uuid, "Data="+fsconf.DataBarge)
			c.want(c.fired(sup, at) == "4(unknown)6#(barge)", "after it: %s", c.fired(sup, at))
		}},
	{name: "controls-default", room: true,
		claim: "Without the profile a member has the group `default`, whose 0 mutes him; in livemon's own room it does nothing.",
		check: func(c *check) {
			for _, profile := range []string{fsconf.Profile, "nosuch" + c.id} {
				l := c.parked("user")
				room := c.newRoom()
				c.ok("uuid_transfer %s 'conference:%s@%s' inline", l.uuid, room, profile)
				c.until("the leg in the room", func() bool { return c.in(room, l) })
				at := c.events.now()
				c.must(l.Press(c.ctx, "0", 0))
				c.await(at, "event=DTMF", "Unique-ID="+l.uuid)
				ours := profile == fsconf.Profile
				muted := c.seen(time.Second, at, "Action=mute-member", "Unique-ID="+l.uuid) != nil
				c.want(muted != ours, "profile %s: muted: %t", profile, muted)
				c.must(l.Hangup(c.ctx))
				c.gone(l)
			}
		}},
}

// fired are the keys of a leg since a place in the record, and what they fired.
func (c *check) fired(l *leg, from int) string {
	var out strings.Builder
	for _, e := range c.events.since(from) {
		switch {
		case e.Get("Unique-ID") != l.uuid:
		case e.Name == "DTMF":
			out.WriteString(e.Get("DTMF-Digit"))
		case e.Get("Action") == "dtmf":
			out.WriteString("(" + e.Get("Data") + ")")
		}
	}
	return out.String()
}

// pressesCoach lets a supervisor press the keys for coaching, and looks whether
// that fires.
func (c *check) pressesCoach(l *leg, works bool) {
	room := c.newRoom()
	c.supervise(room, l)
	at := c.events.now()
	c.must(l.Press(c.ctx, fsconf.Defaults().Keys.Coach[0], 100*time.Millisecond))
	if works {
		c.await(at, "Action=dtmf", "Unique-ID="+l.uuid)
	} else {
		c.want(c.seen(time.Second, at, "Action=dtmf", "Unique-ID="+l.uuid) == nil, "%s: the keys fired", c.short(l))
	}
}
