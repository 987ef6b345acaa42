package conformance

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"livemon/fsconf"
)

var tapFacts = []fact{
	{name: "tap", room: true, needs: []string{"mod_loopback"},
		claim: "A tap, `originate loopback/app=eavesdrop:PUPIL 'conference:ROOM'`, brings a call that stays in its bridge into a room: supervisors hear both parties, from either side of the call. MEDIA_BUG_START and MEDIA_BUG_STOP on the pupil's leg, function `eavesdrop`, tell of it.",
		check: func(c *check) {
			for _, v := range c.bothWays() {
				at, began := c.events.now(), time.Now()
				sup := c.line(v.room, "mute")
				tap := c.tap(v.pupil, v.room)
				c.await(at, "event=MEDIA_BUG_START", "Unique-ID="+v.pupil.uuid, "Media-Bug-Function=eavesdrop")
				c.hears("listening", heard{v.user: {v.pupil}, v.pupil: {v.user}, sup: {v.user, v.pupil}})
				c.ok("uuid_kill %s", tap)
				c.await(at, "event=MEDIA_BUG_STOP", "Unique-ID="+v.pupil.uuid, "Media-Bug-Function=eavesdrop")
				c.hears("no longer", heard{v.user: {v.pupil}, v.pupil: {v.user}, sup: {}})
				c.never(v.user, sup, began, "monitoring")
				c.never(v.pupil, sup, began, "monitoring")
				v.end()
			}
		}},
	{name: "tap-reach", room: true, needs: []string{"mod_loopback"},
		claim: "`uuid_recv_dtmf` 0, 2 and 3 on a tap's other end say whether nobody, the pupil, or both parties hear the room; nobody hears it whom the key does not name, and no party loses a word of the other's. Each key is told by a DTMF event there, of the source APP.",
		check: func(c *check) {
			for _, v := range c.bothWays() {
				sup := c.line(v.room, "")
				began := time.Now()
				far := c.far(c.tap(v.pupil, v.room))
				c.hears("born silent", heard{v.user: {v.pupil}, v.pupil: {v.user}, sup: {v.user, v.pupil}})
				settled := time.Now()
				c.never(v.pupil, sup, began, "the tap was born")
				for i, step := range []struct {
					key         string
					user, pupil bool
				}{{"2", false, true}, {"0", false, false}, {"2", false, true}, {"3", true, true}, {"2", false, true}, {"0", false, false}} {
					if i == 3 {
						c.never(v.user, sup, began, "before the first 3")
					}
					at := c.events.now()
					c.ok("uuid_recv_dtmf %s %s", far, step.key)
					e := c.await(at, "event=DTMF", "Unique-ID="+far)
					c.want(e.Get("DTMF-Digit") == step.key && e.Get("DTMF-Source") == "APP", "told of key %s from %s", e.Get("DTMF-Digit"), e.Get("DTMF-Source"))
					want := heard{v.user: {v.pupil}, v.pupil: {v.user}, sup: {v.user, v.pupil}}
					if step.user {
						want[v.user] = append(want[v.user], sup)
					}
					if step.pupil {
						want[v.pupil] = append(want[v.pupil], sup)
					}
					c.hears("reach "+step.key, want)
				}
				gap := max(v.pupil.gap(v.user, settled, time.Now()), v.user.gap(v.pupil, settled, time.Now()))
				c.note("longest time in which a party did not hear the other: %d ms", ms(gap))
				c.want(gap <= unsteady, "a party did not hear the other for %v", gap)
				v.end()
			}
		}},
	{name: "tap-roles", room: true, needs: []string{"mod_loopback"},
		claim: "With the reach open, `unmute` and `mute` of a supervisor begin and end what the pupil hears of him within a few frames.",
		check: func(c *check) {
			user, pupil := c.call("user", "pupil")
			room := c.newRoom()
			sup := c.line(room, "mute")
			far := c.far(c.tap(pupil, room))
			c.hears("listening", heard{sup: {user, pupil}})
			began := time.Now()
			c.ok("uuid_recv_dtmf %s 2", far)
			id := c.memberID(room, sup)
			for range c.rounds(5) {
				asked := time.Now()
				c.ok("conference %s unmute %d quiet", room, id)
				c.hears("coaching", heard{user: {pupil}, pupil: {user, sup}})
				opened := first(pupil, sup, asked)
				asked = time.Now()
				c.ok("conference %s mute %d quiet", room, id)
				c.hears("muted", heard{user: {pupil}, pupil: {user}})
				closed := last(pupil, sup, asked)
				c.note("heard %d ms after the unmute, until %d ms after the mute", ms(opened), ms(closed))
				c.want(opened <= latency && closed <= 520*time.Millisecond+latency, "it took %v and %v", opened, closed)
			}
			c.never(user, sup, began, "he coached")
		}},
	{name: "tap-refused", room: true, needs: []string{"mod_loopback"},
		claim: "A tap on a channel that is not there is answered -ERR NORMAL_CLEARING, or +OK, and is gone at once; so is one that requires a group (`eavesdrop_require_group`) of a leg that has none or another (`eavesdrop_group`).",
		check: func(c *check) {
			_, pupil := c.call("user", "pupil")
			late, tries := 0, 0
			refused := func(target, vars string) {
				for range c.rounds(5) {
					tap := newUUID()
					reply := c.api("%s", c.tapLine(tap, target, c.newRoom(), vars))
					tries++
					if strings.HasPrefix(reply, "+OK") {
						late++
						c.pause(100 * time.Millisecond)
					} else {
						c.want(strings.HasPrefix(reply, "-ERR NORMAL_CLEARING"), "with %q it is answered %q", vars, reply)
					}
					c.want(c.api("uuid_exists %s", tap) == "false", "with %q it is there", vars)
				}
			}
			refused(newUUID(), "")
			refused(pupil.uuid, ",eavesdrop_require_group=sales")
			c.ok("uuid_setvar %s eavesdrop_group service,sales", pupil.uuid)
			refused(pupil.uuid, ",eavesdrop_require_group=other")
			c.note("%d of %d were answered +OK all the same", late, tries)
			tap := newUUID()
			c.ok("%s", c.tapLine(tap, pupil.uuid, c.newRoom(), ",eavesdrop_require_group=sales"))
			c.pause(200 * time.Millisecond)
			c.want(c.api("uuid_exists %s", tap) == "true", "one of its group is not there")
		}},
	{name: "tap-ends", room: true, needs: []string{"mod_loopback"},
		claim: "A tap ends with either of its ends, and with the pupil's leg; what ends it lets nobody hear a coach, and the call goes on where there is one.",
		check: func(c *check) {
			for _, how := range []string{"tap", "far", "pupil", "sup"} {
				user, pupil := c.call("user", "pupil")
				room := c.newRoom()
				sup := c.line(room, "")
				tap := c.tap(pupil, room)
				far := c.far(tap)
				began := time.Now()
				c.ok("uuid_recv_dtmf %s 2", far)
				c.hears("coaching", heard{user: {pupil}, pupil: {user, sup}})
				ended := []string{tap, far}
				switch how {
				case "tap":
					c.ok("uuid_kill %s", tap)
				case "far":
					c.ok("uuid_kill %s", far)
				case "pupil":
					c.must(pupil.Hangup(c.ctx))
				case "sup":
					c.must(sup.Hangup(c.ctx))
					ended = []string{sup.uuid}
				}
				for _, uuid := range ended {
					c.until("the end", func() bool { return c.api("uuid_exists %s", uuid) != "true" })
				}
				c.pause(200 * time.Millisecond)
				c.never(user, sup, began, "he coached, and it ended: "+how)
				if how != "pupil" {
					c.hears("the call goes on", heard{user: {pupil}, pupil: {user}})
				}
				for _, l := range []*leg{user, sup} {
					if c.alive(l) {
						c.must(l.Hangup(c.ctx))
					}
					c.gone(l)
				}
				c.gone(pupil)
			}
		}},
	{name: "tap-costs", room: true, needs: []string{"mod_loopback"},
		claim: "With `uuid_jitterbuffer PUPIL 20` before it, putting on a tap costs neither party anything, nor does taking the buffer off again by `stop`; without, it may cost the user some of the pupil's voice, by how his telephone sends it. `off` leaves the buffer on.",
		check: func(c *check) {
			user, pupil := c.call("user", "pupil")
			room := c.newRoom()
			gaps := map[string][]time.Duration{}
			try := func(name string) {
				c.hears("before", heard{user: {pupil}, pupil: {user}})
				began := time.Now()
				tap := c.tap(pupil, room)
				c.pause(300 * time.Millisecond)
				if name != "without" {
					how := "stop"
					if name == "off before" {
						how = "off"
					}
					c.ok("uuid_jitterbuffer %s %s", pupil.uuid, how)
					c.ok("uuid_setvar %s jitterbuffer_msec", pupil.uuid)
					c.pause(300 * time.Millisecond)
				}
				gaps[name] = append(gaps[name], user.gap(pupil, began, time.Now()))
				gaps["the pupil"] = append(gaps["the pupil"], pupil.gap(user, began, time.Now()))
				c.ok("uuid_kill %s", tap)
				c.until("the end", func() bool { return c.api("uuid_exists %s", tap) != "true" })
			}
			for range c.rounds(8) {
				try("without")
				c.ok("uuid_jitterbuffer %s 20", pupil.uuid)
				try("with")
			}
			c.ok("uuid_jitterbuffer %s 20", pupil.uuid)
			c.ok("uuid_jitterbuffer %s off", pupil.uuid)
			try("off before")
			for _, name := range []string{"without", "with", "off before", "the pupil"} {
				c.note("%s: median %d ms, at most %d", name, ms(median(gaps[name])), ms(slices.Max(gaps[name])))
			}
			c.want(median(gaps["with"]) < frame/2, "with a buffer the user missed %v", gaps["with"])
			c.want(gaps["off before"][0] <= unsteady, "after off the user missed %v", gaps["off before"])
			c.want(median(gaps["the pupil"]) < frame/2, "the pupil missed %v", gaps["the pupil"])
		}},
	{name: "tap-order", room: true, needs: []string{"mod_loopback"},
		claim: "A tap that is put on later hears a coach who speaks through an earlier one, an earlier one does not hear a later coach; one who barges is heard by both.",
		check: func(c *check) {
			user, pupil := c.call("user", "pupil")
			r1, r2 := c.newRoom(), c.newRoom()
			s1, s2 := c.lineOf("s1", r1, ""), c.lineOf("s2", r2, "")
			f1 := c.far(c.tap(pupil, r1))
			c.hears("the first", heard{s1: {user, pupil}})
			f2 := c.far(c.tap(pupil, r2))
			c.hears("the second", heard{s2: {user, pupil}})
			for _, step := range []struct {
				k1, k2 string
				want   heard
			}{
				{"2", "0", heard{user: {pupil}, pupil: {user, s1}, s1: {user, pupil}, s2: {user, pupil, s1}}},
				{"0", "2", heard{user: {pupil}, pupil: {user, s2}, s1: {user, pupil}, s2: {user, pupil}}},
				{"0", "3", heard{user: {pupil, s2}, pupil: {user, s2}, s1: {user, pupil, s2}, s2: {user, pupil}}},
				{"3", "0", heard{user: {pupil, s1}, pupil: {user, s1}, s1: {user, pupil}, s2: {user, pupil, s1}}},
			} {
				c.ok("uuid_recv_dtmf %s %s", f1, step.k1)
				c.ok("uuid_recv_dtmf %s %s", f2, step.k2)
				c.hears("reaches "+step.k1+" and "+step.k2, step.want)
			}
		}},
	{name: "tap-two-supervisors", room: true, needs: []string{"mod_loopback"},
		claim: "Several supervisors share one tap: `relate COACH OTHER nospeak` keeps a coach from another one, who joins deaf and is undeafed after it; in barge, with the relation cleared, he hears him.",
		check: func(c *check) {
			user, pupil := c.call("user", "pupil")
			room := c.newRoom()
			s1 := c.lineOf("s1", room, "")
			far := c.far(c.tap(pupil, room))
			c.ok("uuid_recv_dtmf %s 2", far)
			c.hears("coaching", heard{user: {pupil}, pupil: {user, s1}})
			began := time.Now()
			s2 := c.lineOf("s2", room, "mute|deaf")
			id1, id2 := c.memberID(room, s1), c.memberID(room, s2)
			c.ok("conference %s relate %d %d nospeak", room, id1, id2)
			c.ok("conference %s undeaf %d quiet", room, id2)
			c.hears("one coaches, one monitors", heard{user: {pupil}, pupil: {user, s1}, s1: {user, pupil}, s2: {user, pupil}})
			c.never(s2, s1, began, "he joined a coach")
			c.ok("uuid_recv_dtmf %s 3", far)
			c.ok("conference %s relate %d %d clear", room, id1, id2)
			c.hears("one barges", heard{user: {pupil, s1}, pupil: {user, s1}, s1: {user, pupil}, s2: {user, pupil, s1}})
		}},
	{name: "tap-notice", room: true, needs: []string{"mod_loopback"},
		claim: "`conference ROOM play FILE` to the tap is heard by the pupil alone with reach 2, by both parties with 3, by nobody with 0, and never by supervisors.",
		check: func(c *check) {
			user, pupil := c.call("user", "pupil")
			room := c.newRoom()
			sup := c.line(room, "mute")
			tap := c.tap(pupil, room)
			far := c.far(tap)
			c.hears("listening", heard{sup: {user, pupil}})
			c.ok("conference %s play %s %d", room, c.sw.Music(), c.memberID(room, &leg{name: "tap", uuid: tap}))
			for _, step := range []struct {
				key  string
				want heard
			}{
				{"0", heard{user: {pupil}, pupil: {user}, sup: {user, pupil}}},
				{"2", heard{user: {pupil}, pupil: {user, theMusic}, sup: {user, pupil}}},
				{"3", heard{user: {pupil, theMusic}, pupil: {user, theMusic}, sup: {user, pupil}}},
			} {
				c.ok("uuid_recv_dtmf %s %s", far, step.key)
				c.hears("a notice at reach "+step.key, step.want)
			}
		}},
	{name: "tap-hold", room: true, needs: []string{"mod_loopback"},
		claim: "Hold by either telephone works as without a tap; the supervisor hears what the pupil's leg hears, and who is held does not hear him.",
		check: func(c *check) {
			for _, v := range c.bothWays() {
				sup := c.line(v.room, "")
				far := c.far(c.tap(v.pupil, v.room))
				c.ok("uuid_recv_dtmf %s 2", far)
				began := time.Now()
				c.hears("coaching", heard{v.user: {v.pupil}, v.pupil: {v.user, sup}, sup: {v.user, v.pupil}})
				c.must(v.pupil.Hold(c.ctx))
				c.hears("the pupil holds", heard{v.user: {theMusic}, sup: {}})
				c.must(v.pupil.Resume(c.ctx))
				c.hears("he resumes", heard{v.user: {v.pupil}, v.pupil: {v.user, sup}, sup: {v.user, v.pupil}})
				c.must(v.user.Hold(c.ctx))
				c.hears("the user holds", heard{v.pupil: {theMusic, sup}, sup: {v.pupil, theMusic}})
				c.must(v.user.Resume(c.ctx))
				c.hears("he resumes", heard{v.user: {v.pupil}, v.pupil: {v.user, sup}, sup: {v.user, v.pupil}})
				c.never(v.user, sup, began, "he coached")
				v.end()
			}
		}},
	{name: "tap-transfer", room: true, needs: []string{"mod_loopback"},
		claim: "A blind transfer by the pupil's telephone works as without a tap; the tap ends with the pupil's leg, and a coach is not heard by the user.",
		check: func(c *check) {
			for _, v := range c.bothWays() {
				sup := c.line(v.room, "")
				tap := c.tap(v.pupil, v.room)
				c.ok("uuid_recv_dtmf %s 2", c.far(tap))
				began := time.Now()
				c.hears("coaching", heard{v.user: {v.pupil}, v.pupil: {v.user, sup}})
				c.blind(v.pupil, v.user)
				c.until("the tap's end", func() bool { return c.api("uuid_exists %s", tap) != "true" })
				c.never(v.user, sup, began, "he coached")
				v.end()
			}
		}},
	{name: "tap-consult", room: true, needs: []string{"mod_loopback"},
		claim: "In an `att_xfer` of the pupil's the tap hears whom he consults, and in barge is heard by him; the user hears nothing. CHANNEL_BRIDGE tells of the new partner. When the colleague hangs up, all is as before.",
		check: func(c *check) {
			for _, v := range c.bothWays() {
				sup := c.line(v.room, "")
				far := c.far(c.tap(v.pupil, v.room))
				c.ok("uuid_recv_dtmf %s 3", far)
				c.hears("barging", heard{v.user: {v.pupil, sup}, v.pupil: {v.user, sup}, sup: {v.user, v.pupil}})
				colleague := c.phone("colleague"+v.suffix, Behaviour{})
				at := c.events.now()
				c.ok("uuid_broadcast %s att_xfer::%s aleg", v.pupil.uuid, c.dial(colleague))
				c.answered(colleague)
				c.await(at, "event=CHANNEL_BRIDGE", "Bridge-A-Unique-ID="+v.pupil.uuid, "Bridge-B-Unique-ID="+colleague.uuid)
				c.hears("consulting", heard{v.user: {}, v.pupil: {colleague, sup}, colleague: {v.pupil, sup}, sup: {v.pupil, colleague}})
				at = c.events.now()
				c.must(colleague.Hangup(c.ctx))
				c.await(at, "event=CHANNEL_UNBRIDGE", "Bridge-A-Unique-ID="+v.pupil.uuid, "Bridge-B-Unique-ID="+colleague.uuid)
				c.await(at, "event=CHANNEL_BRIDGE", "Bridge-A-Unique-ID="+v.pupil.uuid, "Bridge-B-Unique-ID="+v.user.uuid)
				c.hears("back", heard{v.user: {v.pupil, sup}, v.pupil: {v.user, sup}, sup: {v.user, v.pupil}})
				v.end()
			}
		}},
	{name: "tap-conference", room: true, needs: []string{"mod_loopback"},
		claim: "On the leg of a member of another conference a tap does the same: 2 is heard by him alone, 3 by everybody there, and 0 by nobody. A member who is muted there is heard by supervisors, and one who barges is silent there as long.",
		check: func(c *check) {
			shop := c.newRoom()
			user, pupil, third := c.parked("user"), c.parked("pupil"), c.parked("third")
			for _, l := range []*leg{user, pupil, third} {
				c.enter(shop, l, "")
			}
			room := c.newRoom()
			sup := c.line(room, "")
			began := time.Now()
			far := c.far(c.tap(pupil, room))
			all := heard{user: {pupil, third}, pupil: {user, third}, third: {user, pupil}, sup: {user, pupil, third}}
			c.hears("listening", all)
			c.ok("uuid_recv_dtmf %s 2", far)
			c.hears("coaching", heard{user: {pupil, third}, pupil: {user, third, sup}, third: {user, pupil}, sup: {user, pupil, third}})
			c.never(user, sup, began, "he coached")
			c.never(third, sup, began, "he coached")
			c.ok("uuid_recv_dtmf %s 3", far)
			c.hears("barging", heard{user: {pupil, third, sup}, pupil: {user, third, sup}, third: {user, pupil, sup}, sup: {user, pupil, third}})
			c.ok("conference %s mute %d quiet", shop, c.memberID(shop, pupil))
			c.hears("the pupil is muted there", heard{user: {third}, third: {user}, sup: {user, pupil, third}})
			c.ok("uuid_recv_dtmf %s 0", far)
			c.ok("conference %s unmute %d quiet", shop, c.memberID(shop, pupil))
			c.hears("listening again", all)
		}},
	{name: "tap-keys", room: true, needs: []string{"mod_loopback"},
		claim: "Keys of a member with `dist-dtmf` reach a tap, and change its reach; a tap that joins with `skip-dtmf` takes none.",
		check: func(c *check) {
			user, pupil := c.call("user", "pupil")
			for _, skips := range []bool{true, false} {
				room := c.newRoom()
				sup := c.lineOf(fmt.Sprint("sup", skips), room, "dist-dtmf")
				line := c.tapLine(newUUID(), pupil.uuid, room, "")
				if !skips {
					line = strings.Replace(line, "+flags{skip-dtmf}", "", 1)
				}
				c.ok("%s", line)
				began := time.Now()
				c.hears("listening", heard{sup: {user, pupil}})
				c.must(sup.Press(c.ctx, "3", 0))
				if skips {
					c.pause(500 * time.Millisecond)
					c.never(user, sup, began, "with skip-dtmf")
				} else {
					c.hears("without", heard{user: {pupil, sup}, pupil: {user, sup}})
				}
				c.must(sup.Hangup(c.ctx))
				c.gone(sup)
			}
		}},
	{name: "tap-hop", room: true, needs: []string{"mod_loopback"},
		claim: "A line that is sent into another room, deaf, hears nothing there until it is undeafed, and then that room's call; neither call hears anything of it.",
		check: func(c *check) {
			user, pupil := c.call("user", "pupil")
			other, agent := c.call("other", "agent")
			r1, r2 := c.newRoom(), c.newRoom()
			sup := c.line(r1, "mute")
			c.tap(pupil, r1)
			c.tap(agent, r2)
			c.hears("the first", heard{sup: {user, pupil}})
			c.pause(300 * time.Millisecond)
			began := time.Now()
			c.enter(r2, sup, "mute|deaf")
			c.hears("deaf", heard{sup: {}})
			c.ok("conference %s undeaf %d quiet", r2, c.memberID(r2, sup))
			c.hears("the second", heard{sup: {other, agent}, user: {pupil}, pupil: {user}, other: {agent}, agent: {other}})
			c.want(user.gap(pupil, began, time.Now()) <= unsteady && agent.gap(other, began, time.Now()) <= unsteady, "a call has a gap")
		}},
	{name: "tap-nothing-changes", room: true, needs: []string{"mod_loopback"},
		claim: "A tap, its roles and its end leave every variable of both legs as it was. A jitter buffer leaves `jitterbuffer_msec` and some `rtp_jb_…` behind, which `uuid_setvar_multi` takes away.",
		check: func(c *check) {
			for _, v := range c.bothWays() {
				before := [2]map[string]string{c.dump(v.user), c.dump(v.pupil)}
				sup := c.line(v.room, "")
				c.ok("uuid_jitterbuffer %s 20", v.pupil.uuid)
				tap := c.tap(v.pupil, v.room)
				c.hears("listening", heard{sup: {v.user, v.pupil}})
				c.ok("uuid_jitterbuffer %s stop", v.pupil.uuid)
				var left []string
				for name := range c.dump(v.pupil) {
					if name, ok := strings.CutPrefix(name, "variable_"); ok && (name == "jitterbuffer_msec" || strings.HasPrefix(name, "rtp_jb_")) {
						left = append(left, name+"=")
					}
				}
				c.note("left by the buffer: %d variables", len(left))
				c.want(len(left) > 1, "the buffer left %v", left)
				c.ok("uuid_setvar_multi %s %s", v.pupil.uuid, strings.Join(left, ";"))
				for _, key := range []string{"2", "3", "0"} {
					c.ok("uuid_recv_dtmf %s %s", c.far(tap), key)
					c.pause(100 * time.Millisecond)
				}
				c.ok("uuid_kill %s", tap)
				c.until("the end", func() bool { return c.api("uuid_exists %s", tap) != "true" })
				for i, l := range []*leg{v.user, v.pupil} {
					for name, now := range c.dump(l) {
						c.want(before[i][name] == now, "%s: %s was %q and is %q", c.short(l), name, before[i][name], now)
						delete(before[i], name)
					}
					for name := range before[i] {
						c.fatalf("%s has no %s any more", c.short(l), name)
					}
				}
				v.end()
			}
		}},
	{name: "dead-man", room: true, needs: []string{"mod_loopback"},
		claim: "`sched_api +N GROUP hupall normal_clearing VAR VALUE` ends a tap that bears that variable after N seconds, unless `sched_del GROUP` comes before; neither call nor line are touched.",
		check: func(c *check) {
			user, pupil := c.call("user", "pupil")
			room := c.newRoom()
			sup := c.line(room, "mute")
			tap := newUUID()
			c.ok("%s", c.tapLine(tap, pupil.uuid, room, ",livemon_tap="+c.id))
			group := "livemon-" + c.id
			set := func(seconds int) {
				c.ok("sched_api +%d %s hupall normal_clearing livemon_tap %s", seconds, group, c.id)
			}
			set(1)
			reply := c.ok("sched_del %s", group)
			c.want(strings.TrimSpace(reply) == "+OK Deleted: 1", "sched_del answered %q", reply)
			c.pause(2500 * time.Millisecond)
			c.hears("it was taken back", heard{sup: {user, pupil}})
			began := time.Now()
			set(2)
			c.until("the tap's end", func() bool { return c.api("uuid_exists %s", tap) != "true" })
			took := time.Since(began)
			c.note("+2 took %d ms", ms(took))
			c.want(took < 4*time.Second, "it took %v", took)
			c.hears("the call goes on", heard{user: {pupil}, pupil: {user}, sup: {}})
			c.want(c.alive(sup), "the line has ended")
		}},
	{name: "take-over", room: true, needs: []string{"mod_loopback"},
		claim: "`uuid_transfer USER` out of the bridge into the supervisors' room lets him hear the one who barges there, and ends the pupil's leg and the tap: from either side of the call, also while the pupil holds, and with `park_after_bridge` or `hangup_after_bridge` of the shop's.",
		check: func(c *check) {
			for _, more := range []string{"", "held", "park_after_bridge true", "hangup_after_bridge true"} {
				for _, v := range c.bothWays() {
					sup, tap := c.barge(v)
					switch more {
					case "":
					case "held":
						c.must(v.pupil.Hold(c.ctx))
						c.hears("held", heard{v.user: {theMusic}})
					default:
						c.ok("uuid_setvar %s %s", v.user.uuid, more)
					}
					began := time.Now()
					c.ok("uuid_transfer %s 'conference:%s@%s' inline", v.user.uuid, v.room, fsconf.Profile)
					c.gone(v.pupil)
					c.until("the tap's end", func() bool { return c.api("uuid_exists %s", tap) != "true" })
					c.hears("taken over, "+more, heard{v.user: {sup}, sup: {v.user}})
					if more == "" {
						c.note("the user was without the supervisor for %d ms", ms(v.user.gap(sup, began, time.Now())))
					}
					v.end()
				}
			}
		}},
	{name: "take-over-exec", room: true, needs: []string{"mod_loopback"},
		claim: "Where the user's leg has `exec_after_bridge_app` no transfer takes him out of his bridge: if he was called he gets that application, if he called (or was first in the bridge) he stays in silence. With `-both` the transfer works.",
		check: func(c *check) {
			for i, v := range c.bothWays() {
				c.ok("uuid_setvar %s exec_after_bridge_app endless_playback", v.user.uuid)
				c.ok("uuid_setvar %s exec_after_bridge_arg %s", v.user.uuid, c.sw.Music())
				sup, _ := c.barge(v)
				c.ok("uuid_transfer %s 'conference:%s@%s' inline", v.user.uuid, v.room, fsconf.Profile)
				c.gone(v.pupil)
				if i == 0 { // the user was rung first: his is the bridge
					c.hears("first in the bridge", heard{v.user: {}, sup: {}})
				} else {
					c.hears("second in the bridge", heard{v.user: {theMusic}, sup: {}})
				}
				c.want(c.alive(v.user), "the user has ended")
				v.end()
			}
		}},
	{name: "armed", room: true, needs: []string{"mod_loopback"},
		claim: "`transfer_after_bridge` on the user's leg brings him to the one who barges when the pupil hangs up. Where the pupil holds at that moment the user is hung up all the same; with `park_after_bridge` he is parked.",
		check: func(c *check) {
			for _, more := range []string{"", "held", "park_after_bridge true"} {
				for _, v := range c.bothWays() {
					sup, _ := c.barge(v)
					c.ok(`uuid_setvar %s transfer_after_bridge \'conference:%s@%s\':inline`, v.user.uuid, v.room, fsconf.Profile)
					switch more {
					case "":
					case "held":
						c.must(v.pupil.Hold(c.ctx))
						c.hears("held", heard{v.user: {theMusic}})
					default:
						c.ok("uuid_setvar %s %s", v.user.uuid, more)
					}
					at := c.events.now()
					c.must(v.pupil.Hangup(c.ctx))
					c.gone(v.pupil)
					switch more {
					case "":
						c.hears("the pupil has hung up", heard{v.user: {sup}, sup: {v.user}})
						c.want(c.variable(v.user, "transfer_after_bridge") == "", "the variable is still there")
					case "held":
						c.gone(v.user)
					default:
						c.await(at, "event=CHANNEL_PARK", "Unique-ID="+v.user.uuid)
					}
					v.end()
				}
			}
		}},
	{name: "no-context",
		claim: "A transfer into a context of the dialplan that does not exist is answered +OK and hangs the leg up with NO_ROUTE_DESTINATION; `xml_locate dialplan context name NAME` says that there is none.",
		check: func(c *check) {
			l := c.parked("user")
			none := "nosuch" + c.id
			reply := c.api("xml_locate dialplan context name %s", none)
			c.want(!strings.Contains(reply, "<context"), "xml_locate answered %q", reply)
			at := c.events.now()
			c.ok("uuid_transfer %s room XML %s", l.uuid, none)
			e := c.await(at, "event=CHANNEL_HANGUP", "Unique-ID="+l.uuid)
			c.want(e.Get("Hangup-Cause") == "NO_ROUTE_DESTINATION", "the cause is %s", e.Get("Hangup-Cause"))
		}},
	{name: "mintwo", room: true,
		claim: "A room that a member has joined with the flag `mintwo` ends when one is left of two.",
		check: func(c *check) {
			room := c.newRoom()
			a, b := c.parked("a"), c.parked("b")
			c.enter(room, a, "")
			c.enter(room, b, "mintwo")
			c.hears("two", heard{a: {b}, b: {a}})
			at := c.events.now()
			c.must(a.Hangup(c.ctx))
			c.await(at, "Action=conference-destroy", "Conference-Name="+room)
			c.gone(a)
		}},
	{name: "count-has-taps", room: true, needs: []string{"mod_loopback"},
		claim: "`conference ROOM list count` counts a tap, too; in `list` it has a channel name that begins with `loopback/`, and `speak` among its flags.",
		check: func(c *check) {
			_, pupil := c.call("user", "pupil")
			room := c.newRoom()
			tap := c.tap(pupil, room)
			c.until("the tap in the room", func() bool { return c.in(room, &leg{uuid: tap}) })
			count := strings.TrimSpace(c.api("conference %s list count", room))
			c.want(strings.HasPrefix(count, "1"), "the count is %q", count)
			line := strings.Split(strings.TrimSpace(c.api("conference %s list", room)), ";")
			c.want(len(line) > 5 && strings.HasPrefix(line[1], "loopback/") && line[2] == tap && strings.Contains(line[5], "speak"), "the list has %q", line)
		}},
}

// unsteady is what may be missing where nothing is: telephones in a process on a
// machine that has other work send their packets when they can.
const unsteady = 100 * time.Millisecond

// view is a call that a tap may be put on, and the room for it.
type view struct {
	user, pupil  *leg
	room, suffix string
	end          func()
}

// bothWays are two calls: the user is rung first and connected with the pupil, and the
// other way round. Each is made when its turn has come.
func (c *check) bothWays() func(yield func(int, view) bool) {
	return func(yield func(int, view) bool) {
		for i := range 2 {
			v := view{room: c.newRoom(), suffix: fmt.Sprint(i)}
			if i == 0 {
				v.user, v.pupil = c.call("user", "pupil")
			} else {
				v.pupil, v.user = c.call("pupil", "user")
			}
			v.end = func() {
				c.api("hupall NORMAL_CLEARING %s %s", mark, c.id)
				for _, l := range c.legs {
					c.gone(l)
				}
				c.legs = nil
			}
			if !yield(i, v) {
				return
			}
		}
	}
}

// line is a supervisor in a room.
func (c *check) line(room, flags string) *leg { return c.lineOf("sup", room, flags) }

func (c *check) lineOf(name, room, flags string) *leg {
	l := c.parked(name)
	c.enter(room, l, flags, "conference_controls="+fsconf.Controls)
	return l
}

// tapLine is the originate of a tap.
func (c *check) tapLine(tap, target, room, vars string) string {
	return fmt.Sprintf("originate {origination_uuid=%s,%s=%s,eavesdrop_enable_dtmf=true,eavesdrop_bridge_aleg=true,eavesdrop_bridge_bleg=true,"+
		"eavesdrop_whisper_aleg=false,eavesdrop_whisper_bleg=false%s}loopback/app=eavesdrop:%s 'conference:%s@%s+flags{skip-dtmf}' inline",
		tap, mark, c.id, vars, target, room, fsconf.Profile)
}

// tap puts a tap on a leg.
func (c *check) tap(pupil *leg, room string) (uuid string) {
	uuid = newUUID()
	c.ok("%s", c.tapLine(uuid, pupil.uuid, room, ""))
	return uuid
}

// far is a tap's other end.
func (c *check) far(tap string) string {
	far := strings.TrimSpace(c.api("uuid_getvar %s other_loopback_leg_uuid", tap))
	c.want(len(far) > 8, "the tap's other end is %q", far)
	return far
}

// barge lets a supervisor barge into a call.
func (c *check) barge(v view) (sup *leg, tap string) {
	sup = c.line(v.room, "")
	tap = c.tap(v.pupil, v.room)
	c.ok("uuid_recv_dtmf %s 3", c.far(tap))
	c.hears("barging", heard{v.user: {v.pupil, sup}, v.pupil: {v.user, sup}, sup: {v.user, v.pupil}})
	return sup, tap
}

// dump is a leg's fields and variables, without those that change by themselves.
func (c *check) dump(l *leg) map[string]string {
	out := map[string]string{}
	for _, line := range strings.Split(c.api("uuid_dump %s", l.uuid), "\n") {
		name, value, ok := strings.Cut(line, ": ")
		if !ok || strings.HasPrefix(name, "Event-") || strings.Contains(name, "_in_") || strings.Contains(name, "_out_") ||
			strings.Contains(name, "usec") || strings.Contains(name, "msec") && name != "variable_jitterbuffer_msec" || strings.HasPrefix(name, "variable_rtp_audio_") {
			continue
		}
		out[name] = value
	}
	return out
}

// first is after how long a leg hears another one, last for how long it still does.
func first(l, speaker *leg, since time.Time) time.Duration {
	for _, w := range l.Heard(since, time.Now()) {
		if slices.Contains(w.Who, speaker.name) {
			return w.At.Sub(since)
		}
	}
	return time.Hour
}

func last(l, speaker *leg, since time.Time) (d time.Duration) {
	for _, w := range l.Heard(since, time.Now()) {
		if slices.Contains(w.Who, speaker.name) {
			d = w.At.Sub(since) + frame
		}
	}
	return d
}
