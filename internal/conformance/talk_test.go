package conformance

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"livemon/conference"
	"livemon/internal/wire"
)

var roomFacts = []fact{
	{name: "who-hears-whom", room: true,
		claim: "The whole workflow by conference.Plan's commands: in every role each party hears exactly whom the table says, and the user never hears a coach. Both ways round.",
		check: func(c *check) {
			for i, order := range [][2]string{{"user1", "pupil1"}, {"pupil2", "user2"}} {
				a, b := c.call(order[0], order[1])
				user, pupil := a, b
				if i == 1 {
					user, pupil = b, a
				}
				c.workflow(user, pupil, c.parked(fmt.Sprintf("sup%d", i+1)), i == 1)
				c.must(user.Hangup(c.ctx))
				c.gone(user)
			}
			c.note("the user heard the supervisor in none of %d windows in which he must not", c.searched)
		}},
	{name: "two-supervisors", room: true,
		claim: "A second supervisor who monitors hears the parties and not the coach; when the one barges he hears him too.",
		check: func(c *check) {
			user, pupil := c.call("user", "pupil")
			room := c.move(pupil, user)
			s1, s2 := c.parked("s1"), c.parked("s2")
			c.supervise(room, s1)
			c.roles(room, pupil, map[*leg]wire.Role{s1: wire.Coach})
			began := time.Now()
			c.supervise(room, s2)
			c.roles(room, pupil, map[*leg]wire.Role{s1: wire.Coach, s2: wire.Monitor})
			c.hears("one coaches, one monitors", heard{user: {pupil}, pupil: {user, s1}, s1: {user, pupil}, s2: {user, pupil}})
			c.never(user, s1, began, "while the second one joined")
			c.never(s2, s1, began, "while the second one joined")
			c.never(user, s2, began, "the second one is only listening")
			c.never(pupil, s2, began, "the second one is only listening")
			c.roles(room, pupil, map[*leg]wire.Role{s1: wire.Barge, s2: wire.Monitor})
			c.hears("one barges, one monitors", heard{user: {pupil, s1}, pupil: {user, s1}, s1: {user, pupil}, s2: {user, pupil, s1}})
		}},
	{name: "coach", room: true,
		claim: "`relate COACH USER nospeak` and `unmute COACH quiet` make a coach: the user hears the pupil alone, the pupil both.",
		check: func(c *check) {
			user, pupil := c.call("user", "pupil")
			room := c.move(pupil, user)
			sup := c.parked("sup")
			c.supervise(room, sup)
			began := time.Now()
			c.coach(room, sup, user)
			c.ok("conference %s undeaf %d quiet", room, c.memberID(room, sup))
			c.hears("coaching", heard{user: {pupil}, pupil: {user, sup}, sup: {user, pupil}})
			c.never(user, sup, began, "from the coach's beginning")
		}},
	{name: "relations-open", room: true,
		claim: "Relations are default-open: whoever comes into an unlocked room hears a coach.",
		check: func(c *check) {
			user, pupil := c.call("user", "pupil")
			room := c.move(pupil, user)
			sup, late := c.parked("sup"), c.parked("late")
			c.supervise(room, sup)
			c.coach(room, sup, user)
			c.hears("coaching", heard{user: {pupil}, pupil: {user, sup}})
			c.enter(room, late, "")
			c.hears("somebody has joined", heard{user: {pupil, late}, late: {user, pupil, sup}})
		}},
	{name: "joiner-related", room: true,
		claim: "Relating a newcomer on his `add-member` event does not keep a coach from him: with 20 ms to react he hears him in most joins.",
		check: func(c *check) {
			user, pupil := c.call("user", "pupil")
			room := c.move(pupil, user)
			sup := c.parked("sup")
			c.supervise(room, sup)
			c.coach(room, sup, user)
			coach := c.memberID(room, sup)
			c.events.stream.Hasten(true)
			for _, wait := range []time.Duration{0, 20 * time.Millisecond} {
				leaked, rounds, most := 0, c.rounds(10), 0
				for range rounds {
					late := c.parked("late")
					at, began := c.events.now(), time.Now()
					c.send(room, late, "")
					e := c.await(at, "Action=add-member", "Unique-ID="+late.uuid)
					c.pause(wait)
					relate := fmt.Sprintf("conference %s relate %d %s nospeak", room, coach, e.Get("Member-ID"))
					c.until("the relation", func() bool { return strings.HasPrefix(c.api("%s", relate), "+OK") })
					c.hears("the newcomer is related", heard{late: {user, pupil}})
					if n := late.windows(sup, began, time.Now()); n > 0 {
						leaked++
						most = max(most, n)
					}
					c.must(late.Hangup(c.ctx))
					c.gone(late)
				}
				c.note("related %d ms after the event: %d of %d newcomers heard the coach, in at most %d windows", ms(wait), leaked, rounds, most)
				c.want(wait == 0 || leaked > 0, "none of %d newcomers heard the coach", rounds)
			}
		}},
	{name: "lock", room: true,
		claim: "A locked room keeps out a leg with `conference_enforce_security=true`, and lets in an outbound leg without it, or one that says false.",
		check: func(c *check) {
			user, pupil := c.call("user", "pupil")
			room := c.move(pupil, user)
			c.ok("conference %s lock", room)
			out := c.parked("out")
			at := c.events.now()
			c.send(room, out, "", "conference_enforce_security=true")
			c.await(at, "event=CHANNEL_PARK", "Unique-ID="+out.uuid)
			c.want(!c.in(room, out), "he is in the room")
			c.hears("locked", heard{user: {pupil}, pupil: {user}, out: {}})
			c.enter(room, c.parked("in1"), "")
			c.enter(room, c.parked("in2"), "", "conference_enforce_security=false")
		}},
	{name: "relate-is-quick", room: true,
		claim: "`relate … nospeak` towards the user silences a supervisor who barges at once: nothing is heard but what was on its way (300 ms are allowed; the report says what it took).",
		check: func(c *check) {
			user, pupil := c.call("user", "pupil")
			room := c.move(pupil, user)
			sup := c.parked("sup")
			c.supervise(room, sup)
			s, u := c.memberID(room, sup), c.memberID(room, user)
			c.ok("conference %s unmute %d quiet", room, s)
			rounds, last := c.rounds(10), time.Duration(0)
			for range rounds {
				c.hears("barging", heard{user: {pupil, sup}, pupil: {user, sup}})
				c.ok("conference %s relate %d %d nospeak", room, s, u)
				answered := time.Now()
				c.hears("coaching", heard{user: {pupil}, pupil: {user, sup}})
				c.never(user, sup, answered.Add(latency), "after relate")
				for _, w := range user.Heard(answered, answered.Add(latency)) {
					if len(w.Who) > 1 {
						last = max(last, w.At.Sub(answered))
					}
				}
				c.ok("conference %s relate %d %d clear", room, s, u)
			}
			c.note("heard until at most %d ms after the answer, %d times", ms(last), rounds)
		}},
	{name: "kick-leaks", room: true,
		claim: "`kick` of a coach who speaks lets the user hear him for a moment, in most tries.",
		check: func(c *check) {
			leaked, rounds, most := c.removals("kick", 10, func(room string, sup *leg) {
				c.ok("conference %s kick %d", room, c.memberID(room, sup))
			})
			c.note("the user heard him in %d of %d tries, in at most %d windows", leaked, rounds, most)
			c.want(leaked > 0, "the user never heard him in %d tries", rounds)
		}},
	{name: "mute-tail", room: true,
		claim: "After `mute` what is in the member's buffer is still mixed: about three frames, at times a quarter of a second where his network stalled before; half a second is its bound.",
		real:  "the simulation has no network",
		check: func(c *check) {
			user, pupil := c.call("user", "pupil")
			room := c.move(pupil, user)
			sup := c.parked("sup")
			c.supervise(room, sup)
			c.coach(room, sup, user)
			id := c.memberID(room, sup)
			for _, stall := range []time.Duration{0, 200 * time.Millisecond} {
				var tails []time.Duration
				for range 10 {
					c.hears("coaching", heard{user: {pupil}, pupil: {user, sup}})
					if stall > 0 && sup.Stall(stall) {
						c.pause(stall)
						c.hears("coaching after a stall", heard{user: {pupil}, pupil: {user, sup}})
					}
					c.ok("conference %s mute %d quiet", room, id)
					muted := time.Now()
					c.hears("mute", heard{user: {pupil}, pupil: {user}})
					tail := time.Duration(0)
					for _, w := range pupil.Heard(muted, time.Now()) {
						if slices.Contains(w.Who, sup.name) {
							tail = w.At.Sub(muted)
						}
					}
					tails = append(tails, tail)
					c.ok("conference %s unmute %d quiet", room, id)
				}
				c.note("heard after a mute, with stalls of %d ms: median %d ms, at most %d ms", ms(stall), ms(median(tails)), ms(slices.Max(tails)))
				c.want(slices.Max(tails) < 560*time.Millisecond, "he was heard for %v", slices.Max(tails))
			}
		}},
	{name: "mute-then-kick", room: true,
		claim: "`mute`, 600 ms, `kick`: the user hears nothing of the coach. With 60 ms he does at times.",
		check: func(c *check) {
			for _, wait := range []time.Duration{60 * time.Millisecond, 600 * time.Millisecond} {
				leaked, rounds, most := c.removals("kick", 20, func(room string, sup *leg) {
					id := c.memberID(room, sup)
					c.ok("conference %s mute %d quiet", room, id)
					c.pause(wait)
					c.ok("conference %s kick %d", room, id)
				})
				c.note("kicked %d ms after the mute: %d of %d tries leaked, at most %d windows", ms(wait), leaked, rounds, most)
				c.want(leaked == 0 || wait < 600*time.Millisecond, "the user heard him in %d of %d tries", leaked, rounds)
			}
		}},
	{name: "coach-hangs-up", room: true,
		claim: "A coach who hangs up while he speaks can be heard by the user for a moment: his relations go before he does.",
		check: func(c *check) {
			leaked, rounds, most := c.removals("hangup", 20, func(_ string, sup *leg) { c.must(sup.Hangup(c.ctx)) })
			c.note("the user heard him in %d of %d tries, in at most %d windows", leaked, rounds, most)
			c.want(leaked > 0, "the user never heard him in %d tries", rounds)
			c.want(most <= 3, "the user heard him in %d windows", most)
		}},
	{name: "mute-then-hangup", room: true,
		claim: "A supervisor who is mute and hangs up is heard by nobody.",
		check: func(c *check) {
			leaked, rounds, _ := c.removals("hangup", 10, func(room string, sup *leg) {
				c.ok("conference %s mute %d quiet", room, c.memberID(room, sup))
				c.pause(600 * time.Millisecond)
				c.must(sup.Hangup(c.ctx))
			})
			c.note("%d of %d tries leaked", leaked, rounds)
			c.want(leaked == 0, "the user heard him in %d of %d tries", leaked, rounds)
		}},
	{name: "kick-pupil", room: true,
		claim: "`kick` of the pupil hangs his leg up and leaves user and supervisor in the room, who hear each other where the supervisor barges.",
		check: func(c *check) {
			user, pupil := c.call("user", "pupil")
			room := c.move(pupil, user)
			c.bond(user, pupil)
			sup := c.parked("sup")
			c.supervise(room, sup)
			c.roles(room, pupil, map[*leg]wire.Role{sup: wire.Barge})
			c.ok("conference %s kick %d", room, c.memberID(room, pupil))
			c.gone(pupil)
			c.hears("the pupil is gone", heard{user: {sup}, sup: {user}})
		}},
	{name: "pupil-hangs-up", room: true,
		claim: "A pupil who hangs up leaves user and muted supervisor in the room, in silence, until somebody acts.",
		check: func(c *check) {
			user, pupil := c.call("user", "pupil")
			room := c.move(pupil, user)
			c.bond(user, pupil)
			sup := c.parked("sup")
			c.supervise(room, sup)
			c.roles(room, pupil, map[*leg]wire.Role{sup: wire.Monitor})
			c.must(pupil.Hangup(c.ctx))
			c.gone(pupil)
			c.hears("the pupil is gone", heard{user: {}, sup: {user}})
			c.want(c.in(room, user, sup), "somebody else has left the room")
		}},
	{name: "relate-replies", room: true,
		claim: "`relate ID` lists relations as livemon reads them; without an id it answers -ERR where there are any; `clear` says +OK where nothing was set; `relate` fires no event.",
		check: func(c *check) {
			user, pupil := c.call("user", "pupil")
			room := c.move(pupil, user)
			sup := c.parked("sup")
			c.supervise(room, sup)
			s, u, p := c.memberID(room, sup), c.memberID(room, user), c.memberID(room, pupil)
			c.ok("conference %s relate %d %d clear", room, s, p)
			relation := func() []int {
				r := c.read(room, pupil, []*leg{sup})
				m, _ := r.Member(s)
				c.want(len(m.NoHear) == 0, "there is a nohear")
				return m.NoSpeak
			}
			c.want(len(relation()) == 0, "there are relations: %v", relation())
			at := c.events.now()
			set := conference.Command{Op: conference.Relate, Member: s, Others: []int{u, p}, NoSpeak: true}
			reply := c.api("%s", set.Line(roomOf(room)))
			c.want(set.Done(reply), "relate to two members answered %q", reply)
			got := relation()
			c.want(len(got) == 2, "relations are read as %v", got)
			c.want(strings.HasPrefix(c.api("conference %s relate", room), "-ERR"), "relate without a member answers something")
			unset := conference.Command{Op: conference.Clear, Member: s, Others: []int{u}}
			reply = c.api("%s", unset.Line(roomOf(room)))
			c.want(unset.Done(reply), "clear answered %q", reply)
			got = relation()
			c.want(len(got) == 1 && got[0] == p, "relations are read as %v", got)
			c.ok("conference %s undeaf %d quiet", room, s) // an event that comes behind those of relate, if there were any
			c.want(c.seen(200*time.Millisecond, at, "event=CUSTOM", "Action=relate") == nil, "relate fired an event")
			reply = c.api("conference %s relate %d 999999 nospeak", room, s)
			c.note("relate to a member who is not there answers %q", reply)
		}},
	{name: "member-ids", room: true,
		claim: "A channel keeps its member id from room to room; leaving wipes its relations.",
		check: func(c *check) {
			user, sup := c.parked("user"), c.parked("sup")
			room := c.newRoom()
			c.enter(room, user, "")
			c.enter(room, sup, "mute")
			id := c.memberID(room, sup)
			c.ok("conference %s relate %d %d nospeak", room, id, c.memberID(room, user))
			c.ok("uuid_transfer %s park inline", sup.uuid)
			c.until("the supervisor out of the room", func() bool { return !c.in(room, sup) })
			c.enter(room, sup, "mute")
			c.want(c.memberID(room, sup) == id, "the member id has changed")
			m, _ := c.read(room, nil, []*leg{sup}).Member(id)
			c.want(len(m.NoSpeak) == 0, "the relation is still there: %v", m.NoSpeak)
		}},
	{name: "add-member-is-early", room: true,
		claim: "A command on the member id that an `add-member` event names can fail for a moment, and works when it is tried again.",
		check: func(c *check) {
			user := c.parked("user")
			room := c.newRoom()
			c.enter(room, user, "")
			c.events.stream.Hasten(true)
			early, rounds := 0, c.rounds(10)
			for range rounds {
				late := c.parked("late")
				at := c.events.now()
				c.send(room, late, "mute")
				e := c.await(at, "Action=add-member", "Unique-ID="+late.uuid)
				line := fmt.Sprintf("conference %s deaf %s quiet", room, e.Get("Member-ID"))
				if !strings.HasPrefix(c.api("%s", line), "+OK") {
					early++
					c.until("the member is found", func() bool { return strings.HasPrefix(c.api("%s", line), "+OK") })
				}
				c.must(late.Hangup(c.ctx))
				c.gone(late)
			}
			c.note("%d of %d commands came too early", early, rounds)
		}},
	{name: "json-list", room: true,
		claim: "`json_list` has room, lock, and each member's id, channel, can_hear and can_speak as livemon reads them; a room that is not there is answered as such.",
		check: func(c *check) {
			user, sup := c.parked("user"), c.parked("sup")
			room := c.newRoom()
			c.want(len(c.members(room)) == 0, "a room that nobody made has members")
			c.enter(room, user, "")
			c.enter(room, sup, "mute|deaf")
			r := c.read(room, nil, []*leg{sup})
			c.want(r.Name == room && !r.Locked && len(r.Members) == 2, "read as %+v", r)
			for _, m := range r.Members {
				open := m.Channel == user.uuid
				c.want(m.Hear == open && m.Speak == open, "read as %+v", m)
			}
			c.ok("conference %s lock", room)
			c.ok("conference %s undeaf %d quiet", room, c.memberID(room, sup))
			r = c.read(room, nil, []*leg{sup})
			m, _ := r.BySession(sup.uuid)
			c.want(r.Locked && m.Hear && !m.Speak, "read as %+v", r)
			c.must(user.Hangup(c.ctx))
			c.must(sup.Hangup(c.ctx))
			c.until("the end of the room", func() bool { return len(c.members(room)) == 0 })
		}},
	{name: "energy-gate", room: true,
		claim: "Below a member's energy level he is not heard; at livemon's level, 0, he is.",
		check: func(c *check) {
			user, pupil := c.call("user", "pupil")
			room := c.move(pupil, user)
			c.api("conference %s energy %d 20000", room, c.memberID(room, pupil))
			c.hears("gated", heard{user: {}, pupil: {user}})
			c.api("conference %s energy %d 0", room, c.memberID(room, pupil))
			c.hears("open", heard{user: {pupil}, pupil: {user}})
		}},
}

// coach lets a supervisor who is a member speak to everybody but the user.
func (c *check) coach(room string, sup, user *leg) {
	s := c.memberID(room, sup)
	c.ok("conference %s relate %d %d nospeak", room, s, c.memberID(room, user))
	c.ok("conference %s unmute %d quiet", room, s)
}

// removals has a coach removed several times, and counts how often, and in how
// many windows at most, the user heard him.
func (c *check) removals(how string, tries int, remove func(room string, sup *leg)) (leaked, rounds, most int) {
	user, pupil := c.call("user", "pupil")
	room := c.move(pupil, user)
	rounds = c.rounds(tries)
	for range rounds {
		sup := c.parked("sup")
		c.supervise(room, sup)
		began := time.Now()
		c.coach(room, sup, user)
		c.hears("coaching", heard{user: {pupil}, pupil: {user, sup}})
		remove(room, sup)
		c.until("the coach out of the room after "+how, func() bool { return !c.in(room, sup) })
		c.hears("afterwards", heard{user: {pupil}, pupil: {user}})
		if n := user.windows(sup, began, time.Now()); n > 0 {
			leaked++
			most = max(most, n)
		}
		if c.alive(sup) {
			c.must(sup.Hangup(c.ctx))
		}
		c.gone(sup)
	}
	c.must(user.Hangup(c.ctx))
	c.must(pupil.Hangup(c.ctx))
	c.gone(user)
	c.gone(pupil)
	return leaked, rounds, most
}

// workflow leads a call through all roles and, at its end, to a take-over or back
// to a bridge.
func (c *check) workflow(user, pupil, sup *leg, back bool) {
	room := c.move(pupil, user)
	c.bond(user, pupil)
	joined := time.Now()
	c.supervise(room, sup)
	c.hears("joining", heard{user: {pupil}, pupil: {user}, sup: {}})
	silent := joined // since when the user must not hear him
	to := func(role wire.Role, want heard) {
		before := silent
		c.roles(room, pupil, map[*leg]wire.Role{sup: role})
		c.hears(string(role), want)
		if role == wire.Monitor || role == wire.Coach {
			if !before.IsZero() {
				c.never(user, sup, before, string(role))
			} else {
				silent = time.Now().Add(-settleFrames * frame)
			}
		} else {
			silent = time.Time{}
		}
	}
	monitor := heard{user: {pupil}, pupil: {user}, sup: {user, pupil}}
	coach := heard{user: {pupil}, pupil: {user, sup}, sup: {user, pupil}}
	barge := heard{user: {pupil, sup}, pupil: {user, sup}, sup: {user, pupil}}
	to(wire.Monitor, monitor)
	to(wire.Coach, coach)
	to(wire.Barge, barge)
	to(wire.Coach, coach)
	to(wire.Monitor, monitor)
	to(wire.Barge, barge)
	to(wire.Monitor, monitor)
	to(wire.Coach, coach)
	if back {
		began := time.Now()
		c.ok("conference %s mute %d quiet", room, c.memberID(room, sup))
		c.pause(conference.SettleTime)
		c.must(sup.Hangup(c.ctx))
		c.bridged(user, pupil)
		c.hears("back in the bridge", heard{user: {pupil}, pupil: {user}})
		c.never(user, sup, began, "while the coach left")
		c.must(pupil.Hangup(c.ctx))
		c.gone(pupil)
		return
	}
	to(wire.Barge, barge)
	c.roles(room, pupil, map[*leg]wire.Role{sup: wire.TakeOver})
	c.gone(pupil)
	c.hears("taken over", heard{user: {sup}, sup: {user}})
}
