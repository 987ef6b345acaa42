package tracker

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"livemon/esl"
	"livemon/internal/identity"
)

// Events returns what to subscribe to, in the words of the event socket.
func Events() []string {
	return []string{
		"CHANNEL_CREATE", "CHANNEL_ANSWER", "CHANNEL_PARK", "CHANNEL_BRIDGE", "CHANNEL_UNBRIDGE", "CHANNEL_UUID",
		"CHANNEL_HOLD", "CHANNEL_UNHOLD", "CHANNEL_HANGUP", "CHANNEL_HANGUP_COMPLETE",
		"CUSTOM conference::maintenance",
		"CUSTOM callcenter::info",
		"CUSTOM sofia::register", "CUSTOM sofia::unregister", "CUSTOM sofia::expire",
	}
}

// Headers returns the headers of those events that Apply looks at.
func Headers() []string {
	return slices.Concat([]string{
		"Event-Name", "Event-Subclass", "Event-Date-Timestamp",
		"Unique-ID", "Old-Unique-ID",
		"Channel-Call-State", "Answer-State", "Channel-HIT-Dialplan", "Caller-Caller-ID-Number",
		"Caller-Callee-ID-Number", "Caller-Channel-Created-Time",
		"Caller-Channel-Answered-Time", "Bridge-A-Unique-ID", "Bridge-B-Unique-ID",
		"variable_cc_agent", "variable_cc_side", "variable_cc_queue", "variable_sip_gateway_name",
		"Action", "Conference-Name", "Member-ID",
		"CC-Action", "CC-Agent", "CC-Agent-Status", "CC-Agent-Type", "CC-Agent-Contact", "CC-Agent-Bridged", "CC-Agent-UUID", "CC-Queue",
		"from-user", "from-host", "user", "host", "call-id", "expires",
	}, identity.Headers(), []string{markHeader})
}

// Apply takes one event and returns what it changed. Events that say nothing
// about agents and calls change nothing.
func (t *Tracker) Apply(e *esl.Event) Changes {
	if e == nil {
		return Changes{}
	}
	if !e.Time.IsZero() {
		t.clock = e.Time.UTC()
	}
	switch e.Name {
	case "CUSTOM":
		switch e.Subclass {
		case "conference::maintenance":
			t.conference(e)
		case "callcenter::info":
			t.callcenter(e)
		case "sofia::register":
			t.register(e)
		case "sofia::unregister":
			t.unregister(e.Get("from-user"), e.Get("from-host"), e.Get("call-id"))
		case "sofia::expire":
			t.unregister(e.Get("user"), e.Get("host"), e.Get("call-id"))
		}
	case "CHANNEL_HANGUP", "CHANNEL_HANGUP_COMPLETE", "CHANNEL_DESTROY":
		t.hangup(channelOf(e, "Unique-ID"))
	case "CHANNEL_UUID":
		t.rename(channelOf(e, "Old-Unique-ID"), channelOf(e, "Unique-ID"))
		t.learn(e)
	case "CHANNEL_BRIDGE":
		t.bridged(e)
	case "CHANNEL_UNBRIDGE":
		t.unbridged(e)
	case "CHANNEL_HOLD", "CHANNEL_UNHOLD":
		if l := t.learn(e); l != nil {
			t.hold(l, e.Name == "CHANNEL_HOLD")
		}
	default:
		if strings.HasPrefix(e.Name, "CHANNEL_") || e.Name == "CALL_UPDATE" || e.Name == "DTMF" {
			t.learn(e)
		}
	}
	if len(t.dirty) == 0 && len(t.callTouch) == 0 {
		return Changes{}
	}
	return t.flush()
}

func (t *Tracker) hangup(channel string) {
	if l := t.legs[channel]; l != nil {
		t.drop(l)
	} else if channel != "" && !t.dead.has(channel) {
		t.dead.add(strings.Clone(channel))
	}
}

func (t *Tracker) bridged(e *esl.Event) {
	l := t.learn(e)
	a, b := t.party(channelOf(e, "Bridge-A-Unique-ID")), t.party(channelOf(e, "Bridge-B-Unique-ID"))
	if a == nil && b == nil && l != nil {
		a, b = l, t.party(channelOf(e, "Other-Leg-Unique-ID"))
	}
	if a != nil && b != nil {
		t.bridge(a, b)
	}
}

// party returns a leg that an event names beside its own. One that is unknown
// is made, and described by the first event of its own.
func (t *Tracker) party(channel string) *leg {
	if l := t.legs[channel]; l != nil {
		return l
	}
	if channel == "" || t.dead.has(channel) {
		return nil
	}
	l := t.newLeg(channel)
	if l != nil {
		l.Created = t.clock
		l.Answered, l.AnsweredAt = true, t.clock
	}
	return l
}

func (t *Tracker) unbridged(e *esl.Event) {
	l := t.learn(e)
	a, b := channelOf(e, "Bridge-A-Unique-ID"), channelOf(e, "Bridge-B-Unique-ID")
	if a == "" || b == "" { // a bridge that ended with one of its legs names only the other
		if l != nil {
			t.unlink(l)
		}
		return
	}
	// Either may have been bridged with somebody else since.
	if l := t.legs[a]; l != nil && l.Partner == b {
		t.unlink(l)
	}
	if l := t.legs[b]; l != nil && l.Partner == a {
		t.unlink(l)
	}
}

func (t *Tracker) conference(e *esl.Event) {
	switch action := e.Get("Action"); action {
	case "add-member", "del-member":
		room := e.Get("Conference-Name")
		if room == "" {
			return
		}
		room = name(room)
		if action == "del-member" {
			if l := t.legs[channelOf(e, "Unique-ID")]; l != nil && l.Room == room {
				t.leaveRoom(l)
			}
			return
		}
		l := t.learn(e)
		if l == nil {
			return
		}
		member, err := strconv.Atoi(e.Get("Member-ID"))
		if err != nil || member < 0 {
			member = 0
		}
		t.joinRoom(l, room, member)
	case "conference-destroy":
		for _, l := range t.rooms[name(e.Get("Conference-Name"))] {
			t.leaveRoom(l)
		}
	default:
		// Who talks and who has the floor is said many times a second.
		if channel := channelOf(e, "Unique-ID"); channel != "" && t.legs[channel] == nil {
			t.learn(e)
		}
	}
}

func (t *Tracker) callcenter(e *esl.Event) {
	if channelOf(e, "Unique-ID") != "" {
		t.learn(e)
	}
	raw := e.Get("CC-Agent")
	if raw == "" {
		return
	}
	a := t.ccAgent(name(raw))
	if a == nil {
		return
	}
	switch e.Get("CC-Action") {
	case "agent-add":
		a.standby = e.Get("CC-Agent-Type") == "uuid-standby"
		t.setLoggedOut(a, true) // as mod_callcenter makes them
		t.mark(a)
	case "agent-contact-change":
		t.setContact(a, e.Get("CC-Agent-Contact"))
	case "agent-status-change", "agent-status-get":
		if s := e.Get("CC-Agent-Status"); s != "" {
			t.setLoggedOut(a, s == "Logged Out")
		}
	case "bridge-agent-start":
		if l := t.legs[channelOf(e, "CC-Agent-UUID")]; l != nil {
			l.served = true
			t.setQueue(l, "agent", raw, e.Get("CC-Queue"))
			t.identify(l)
		}
	case "bridge-agent-end":
		if e.Get("CC-Agent-Bridged") == "true" {
			a.wrap(t.clock)
			t.mark(a)
		}
	}
}

// regMargin is how long a registration may be overdue before it counts as gone:
// the switch says so itself when it has noticed.
const regMargin = 2 * time.Minute

func (t *Tracker) register(e *esl.Event) {
	id := identity.User(e.Get("from-user") + "@" + e.Get("from-host"))
	if id == "" {
		return
	}
	u := t.userOf(id)
	if u == nil {
		return
	}
	var until time.Time
	if s, err := strconv.ParseInt(e.Get("expires"), 10, 32); err == nil && s > 0 {
		until = t.clock.Add(time.Duration(s)*time.Second + regMargin)
	}
	t.setRegistered(u, e.Get("call-id"), until)
}

func (t *Tracker) setRegistered(u *user, token string, until time.Time) {
	token = name(token)
	if _, known := u.regs[token]; !known {
		if len(u.regs) >= maxRegs {
			return
		}
		token = strings.Clone(token)
	}
	first := len(u.regs) == 0
	if u.regs == nil {
		u.regs = map[string]time.Time{}
	}
	u.regs[token] = until
	if first {
		existed := u.exists()
		u.registered = true
		if !existed {
			t.settle(u)
		}
		t.mark(t.agents[u.id])
	}
}

func (t *Tracker) unregister(userPart, domain, token string) {
	u := t.users[identity.User(userPart+"@"+domain)]
	if u == nil || len(u.regs) == 0 {
		return
	}
	delete(u.regs, name(token))
	if len(u.regs) == 0 {
		t.mark(t.agents[u.id])
	}
}

// Tick ends what ends by time alone: wrap-up, and registrations that ran out.
// now is the time by the switch's clock. Call it about once a second.
func (t *Tracker) Tick(now time.Time) Changes {
	clock := t.clock
	for _, u := range t.users {
		for token, until := range u.regs {
			if !until.IsZero() && !until.After(now) {
				if delete(u.regs, token); len(u.regs) == 0 {
					t.mark(t.agents[u.id])
				}
			}
		}
	}
	t.clock = now
	out := t.flush()
	for _, a := range t.agents {
		if !a.wrapUntil.IsZero() && !a.wrapUntil.After(now) {
			t.clock = a.wrapUntil // it ended then, not when somebody looked
			a.wrapUntil = time.Time{}
			t.mark(a)
			out.add(t.flush())
		}
	}
	if t.clock = clock; now.After(clock) {
		t.clock = now
	}
	return out
}

func (c *Changes) add(d Changes) {
	c.Agents = append(c.Agents, d.Agents...)
	c.RemovedAgents = append(c.RemovedAgents, d.RemovedAgents...)
	c.Calls = append(c.Calls, d.Calls...)
	c.RemovedCalls = append(c.RemovedCalls, d.RemovedCalls...)
}

// micros reads the switch's microseconds since 1970; none, zero and nonsense
// give the zero time.
func micros(s string) time.Time {
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || n <= 0 || n > 1<<53 {
		return time.Time{}
	}
	return time.UnixMicro(n).UTC()
}

// seconds is micros for seconds.
func seconds(s string) time.Time {
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || n <= 0 || n > 1<<33 {
		return time.Time{}
	}
	return time.Unix(n, 0).UTC()
}
