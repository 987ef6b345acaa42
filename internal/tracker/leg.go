package tracker

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"time"

	"livemon/esl"
	"livemon/internal/identity"
	"livemon/internal/seal"
)

// leg is what is known of a channel beyond what others may see of it.
type leg struct {
	Leg
	seq        uint64
	remote     string // the number at the other end, as the switch gave it when the leg began
	gateway    bool   // the leg goes out through a gateway: a user's, whatever it calls itself
	supervisor bool
	mark       string // the variable that Mark was read from, opened or not
	unverified bool   // it says so itself, from an address that is trusted
	session    string // the mod_verto session that it leads to, until its user is known
	parent     string // the channel that it has its variables from
	served     bool   // mod_callcenter itself says whose it is
	told       bool   // the leg has said whose it is, or that it cannot tell: that stays
	user       *user  // the owner of the presence id, where it is known or being asked for
	agent      *agent // whose leg it is, nil if it is no agent's

	last       string    // the channel it was bridged with last, or meets in a room of ours
	pairID     string    // the id of the call with last
	pairSince  time.Time // when they came together
	lastNumber string    // last's number, kept when it has gone
	roomSince  time.Time

	call     Call // as last reported, if reported
	reported bool
}

const (
	variable   = "variable_"
	markHeader = variable + seal.Variable
)

// newLeg makes a leg, or returns nil if there is no room for another.
func (t *Tracker) newLeg(channel string) *leg {
	if len(t.legs) >= maxLegs {
		return nil
	}
	t.seq++
	l := &leg{Leg: Leg{Channel: strings.Clone(channel)}, seq: t.seq}
	t.legs[l.Channel] = l
	return l
}

// learn returns the leg that an event is about, with whatever the event says
// of it, or nil if the channel is unknown and is not to be learnt.
func (t *Tracker) learn(e *esl.Event) *leg {
	channel := channelOf(e, "Unique-ID")
	l := t.legs[channel]
	if l == nil {
		if channel == "" || e.Get("Answer-State") == "hangup" || e.Get("Channel-Call-State") == "HANGUP" {
			return nil
		}
		if e.Name == "CHANNEL_CREATE" {
			t.dead.remove(channel)
		} else if t.dead.has(channel) {
			return nil
		}
		if l = t.newLeg(channel); l == nil {
			return nil
		}
	}
	t.fill(l, e)
	return l
}

// fill takes what an event says of its own leg. What a leg was called when it
// began stays: the switch swaps the numbers when it moves a leg.
func (t *Tracker) fill(l *leg, e *esl.Event) {
	who, known := false, l.Direction != ""
	if !known {
		t.fillOrigin(l, e)
		who = true
	} else if !l.told {
		t.fillParent(l, e.Get)
		who = t.fillWho(l, e.Get)
	}
	if l.last == "" { // a bridge may have given it the other leg's variables
		who = t.fillQueue(l, e.Get) || who
	}
	if v := e.Get(markHeader); v != "" && v != l.mark || !known && l.mark != "" {
		who = t.openMark(l, cmp.Or(v, l.mark)) || who
	}
	if who {
		t.identify(l)
	}
	if !l.Answered && (e.Name == "CHANNEL_ANSWER" || e.Get("Answer-State") == "answered") {
		at := t.clock
		if us := e.Get("Caller-Channel-Answered-Time"); us != "" {
			if x := micros(us); !x.IsZero() {
				at = x
			}
		}
		t.answered(l, at)
	}
	switch e.Get("Channel-Call-State") {
	case "HELD":
		t.hold(l, true)
	case "UNHELD":
		t.hold(l, false)
	}
}

func (t *Tracker) fillOrigin(l *leg, e *esl.Event) {
	switch e.Get("Call-Direction") {
	case Inbound:
		l.Direction = Inbound
	case Outbound:
		l.Direction = Outbound
	default:
		return
	}
	cid, callee, dest := e.Get("Caller-Caller-ID-Number"), e.Get("Caller-Callee-ID-Number"), e.Get("Caller-Destination-Number")
	if callee == "" {
		callee = dest
	}
	switch {
	case l.Direction == Inbound:
		if dest == "" || strings.Contains(dest, ":") { // an application that the leg was moved to, not a number
			dest = e.Get("Caller-Callee-ID-Number")
		}
		l.setNumbers(cid, dest)
	case e.Get("Channel-HIT-Dialplan") == "true": // moved: the switch swaps the numbers then
		l.setNumbers(cid, callee)
	default:
		l.setNumbers(callee, cid)
	}
	l.Name = strings.Clone(name(e.Get("Channel-Name")))
	if l.Created = micros(e.Get("Caller-Channel-Created-Time")); l.Created.IsZero() {
		l.Created = t.clock
	}
	t.fillParent(l, e.Get)
	t.fillWho(l, e.Get)
}

func (l *leg) setNumbers(own, remote string) {
	l.Number, l.remote = strings.Clone(number(own)), strings.Clone(number(remote))
}

// fillParent sets what a leg has its variables from. It is what the leg began as:
// the switch names another one when the leg has been bridged.
func (t *Tracker) fillParent(l *leg, get identity.Header) {
	l.parent = strings.Clone(channelID(identity.Parent(get)))
	l.Chosen = identity.Chosen(get)
	t.inherit(l)
}

// inherit reports whether a leg is found to have its variables from one whose
// client chooses them.
func (t *Tracker) inherit(l *leg) bool {
	if p := t.legs[l.parent]; !l.Chosen && p != nil && p.Chosen {
		l.Chosen = true
		return true
	}
	return false
}

// fillWho sets whose telephone a leg is, and reports whether that is news. A leg
// that was made by dialling a user is that user's, whatever presence id it was
// given. What it said first counts: a bridge may give it another leg's variables.
func (t *Tracker) fillWho(l *leg, get identity.Header) bool {
	l.told = true
	id, sure, unverified := "", true, false
	switch session := identity.Session(get); {
	case l.Direction == Inbound:
		if id = identity.Caller(get); id == "" {
			var address string
			if id, address = identity.Claim(get); id != "" && t.trusts(address) {
				sure, unverified = false, true
			} else {
				id = ""
			}
		}
	case session != "":
		t.askVerto(l, session, get)
		return false
	default:
		l.gateway = !l.Chosen && get("variable_sip_gateway_name") != ""
		if id = identity.Dialled(get); l.Chosen {
			sure = false
		} else if id == "" && !identity.Exported(get, "presence_id") {
			id, sure = identity.User(get("Channel-Presence-ID")), false
		}
	}
	return t.own(l, id, sure, unverified)
}

// own makes a leg a user's, and reports whether that is news.
func (t *Tracker) own(l *leg, id string, sure, unverified bool) bool {
	if id == "" {
		return false
	}
	if sure {
		id = t.spelled(id)
	}
	l.PresenceID, l.Certain, l.unverified, l.session = strings.Clone(id), sure, unverified, ""
	t.touch(l)
	return true
}

// spelled is a user's name as the directory has it: the switch takes any mix of
// upper and lower case at a login.
func (t *Tracker) spelled(id string) string {
	if u := t.users[id]; u == nil || !u.exists() {
		for _, u := range t.users {
			if u.exists() && strings.EqualFold(u.id, id) {
				return u.id
			}
		}
	}
	return id
}

// fillQueue takes what mod_callcenter sets on the leg of an agent whom it calls.
func (t *Tracker) fillQueue(l *leg, get identity.Header) bool {
	side, cc := get("variable_cc_side"), get("variable_cc_agent")
	if l.served || l.Chosen || l.Direction != Outbound || side == "" || cc == "" && side == l.CCSide || identity.Exported(get, "cc_side") || identity.Exported(get, "cc_agent") {
		return false
	}
	return t.setQueue(l, side, cc, get("variable_cc_queue"))
}

func (t *Tracker) setQueue(l *leg, side, cc, queue string) bool {
	if cc != "" {
		cc = name(cc)
	}
	changed := side != l.CCSide || cc != "" && cc != l.CCAgent
	if changed {
		l.CCSide = strings.Clone(name(side))
		if cc != "" {
			l.CCAgent = strings.Clone(cc)
		}
	}
	if queue = name(queue); queue != "" && queue != l.Queue {
		l.Queue = strings.Clone(queue)
		t.touch(l)
	}
	return changed
}

// openMark takes a leg's mark from its variable, and reports whether it is
// another one now. It is opened when it is certain which leg that is.
func (t *Tracker) openMark(l *leg, value string) bool {
	if len(value) > seal.MaxValue {
		value = ""
	}
	if value != l.mark {
		l.mark = strings.Clone(value)
	}
	var m seal.Mark
	if l.mark != "" && l.Direction != "" && t.open != nil {
		m = t.open(l.Leg, l.mark)
	}
	changed := m != l.Mark
	l.Mark = m
	return changed
}

func (t *Tracker) answered(l *leg, at time.Time) {
	l.Answered, l.AnsweredAt = true, at
	t.touch(l)
}

// SetHeld says whether the telephone on a leg holds the other side, where the
// caller knows better than the switch's events: a transfer makes it forget.
func (t *Tracker) SetHeld(channel string, held bool) Changes {
	if l := t.legs[channel]; l != nil {
		t.hold(l, held)
	}
	return t.flush()
}

func (t *Tracker) hold(l *leg, on bool) {
	if l.Held != on {
		l.Held = on
		t.touch(l)
	}
}

// touch has the agents looked at again whose state depends on the leg.
func (t *Tracker) touch(l *leg) {
	t.mark(l.agent)
	if p := t.legs[l.last]; p != nil {
		t.mark(p.agent)
	}
}

// bridge records that two legs are connected with each other.
func (t *Tracker) bridge(a, b *leg) {
	if a == b {
		return
	}
	if a.Partner != b.Channel || b.Partner != a.Channel {
		t.unlink(a)
		t.unlink(b)
		a.Partner, b.Partner = b.Channel, a.Channel
	}
	t.leaveRoom(a)
	t.leaveRoom(b)
	if !a.supervisor && !b.supervisor { // a supervisor takes nobody's place in a call
		t.pair(a, b)
	}
	t.touch(a)
	t.touch(b)
}

// pair makes two legs the parties of a call.
func (t *Tracker) pair(a, b *leg) {
	if a.last == b.Channel && b.last == a.Channel {
		return
	}
	t.touch(a)
	t.touch(b)
	id := pairID(a.Channel, b.Channel)
	for _, x := range [2][2]*leg{{a, b}, {b, a}} {
		if l, other := x[0], x[1]; l.last != other.Channel {
			l.last, l.pairID, l.pairSince, l.lastNumber = other.Channel, id, t.clock, ""
		}
	}
}

// pairID is the id of the call of two channels, in whichever order.
func pairID(a, b string) string {
	if a > b {
		a, b = b, a
	}
	var buf [2*maxID + 1]byte
	s := append(append(append(buf[:0], a...), 0), b...)
	sum := sha256.Sum256(s)
	sum[6] = sum[6]&0x0f | 0x80 // a version 8 UUID: of the maker's own kind
	sum[8] = sum[8]&0x3f | 0x80
	var out [36]byte
	hex.Encode(out[0:], sum[0:4])
	hex.Encode(out[9:], sum[4:6])
	hex.Encode(out[14:], sum[6:8])
	hex.Encode(out[19:], sum[8:10])
	hex.Encode(out[24:], sum[10:16])
	out[8], out[13], out[18], out[23] = '-', '-', '-', '-'
	return string(out[:])
}

// unlink ends a leg's bridge, on both sides. The parties of the call stay.
func (t *Tracker) unlink(l *leg) {
	if l.Partner == "" {
		return
	}
	if p := t.legs[l.Partner]; p != nil && p.Partner == l.Channel {
		p.Partner = ""
		t.touch(p)
	}
	l.Partner = ""
	t.touch(l)
}

func (t *Tracker) joinRoom(l *leg, room string, member int) {
	if l.Room == room && l.Member == member {
		return
	}
	t.unlink(l)
	if l.Room != room {
		t.leaveRoom(l)
		members := t.rooms[room]
		if members == nil {
			members = map[string]*leg{}
			room = strings.Clone(room)
			t.rooms[room] = members
		}
		members[l.Channel] = l
		l.Room, l.roomSince = room, t.clock
	}
	l.Member = member
	t.touch(l)
	if !t.reading && t.ourRoom(room) {
		t.pairInRoom(room)
	}
}

func (t *Tracker) leaveRoom(l *leg) {
	if l.Room == "" {
		return
	}
	t.touch(l)
	if members := t.rooms[l.Room]; members != nil {
		delete(members, l.Channel)
		if len(members) == 0 {
			delete(t.rooms, l.Room)
		}
	}
	l.Room, l.Member, l.roomSince = "", 0, time.Time{}
}

// pairInRoom makes a call of the two parties in a room of ours whose bridge
// was never seen.
func (t *Tracker) pairInRoom(room string) {
	var parties []*leg
	for _, l := range t.rooms[room] {
		if !l.supervisor {
			parties = append(parties, l)
		}
	}
	if len(parties) == 2 && parties[0].last == "" && parties[1].last == "" {
		t.pair(parties[0], parties[1])
		t.touch(parties[0])
	}
}

// together returns the other party of a leg's call, as long as it is on it.
func (t *Tracker) together(l *leg) *leg {
	p := t.legs[l.last]
	switch {
	case p == nil || p.last != l.Channel || p.supervisor,
		p.Partner != "" && p.Partner != l.Channel || l.Partner != "" && l.Partner != p.Channel,
		l.Room != "" && p.Room != "" && l.Room != p.Room,
		p.Room != "" && !t.ourRoom(p.Room):
		return nil
	}
	return p
}

// drop forgets a leg that hung up.
func (t *Tracker) drop(l *leg) {
	if a := l.agent; a != nil && a.cc && l.CCSide == "agent" && l.Answered && l.last != "" {
		a.wrap(t.clock)
	}
	t.dead.add(l.Channel)
	t.forget(l)
}

// forget takes a leg out of everything that refers to it.
func (t *Tracker) forget(l *leg) {
	t.touch(l)
	t.unlink(l)
	t.leaveRoom(l)
	t.unreport(l)
	t.attach(l, nil)
	t.assign(l, nil)
	delete(t.legs, l.Channel)
}

// rename follows a channel that the switch gave another id.
func (t *Tracker) rename(from, to string) {
	l := t.legs[from]
	if l == nil || from == to || to == "" {
		return
	}
	if other := t.legs[to]; other != nil {
		t.forget(other)
	}
	t.touch(l)
	delete(t.legs, from)
	members := t.rooms[l.Room]
	delete(members, from)
	l.Channel = strings.Clone(to)
	t.legs[l.Channel] = l
	if members != nil {
		members[l.Channel] = l
	}
	if p := t.legs[l.Partner]; p != nil && p.Partner == from {
		p.Partner = l.Channel
	}
	if l.last != "" {
		l.pairID = pairID(l.Channel, l.last)
		if p := t.legs[l.last]; p != nil && p.last == from {
			p.last, p.pairID = l.Channel, l.pairID
			t.touch(l)
		}
	}
	t.dead.add(from)
	t.dead.remove(to)
	if t.openMark(l, l.mark) {
		t.identify(l)
	}
}
