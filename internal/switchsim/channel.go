package switchsim

import (
	"strconv"
	"strings"
	"time"
)

// profile is a caller profile: what a channel says about its caller. A transfer
// makes a new one.
type profile struct {
	username, dialplan, source, address    string
	cidName, cidNum, origName, origNum     string
	calleeName, calleeNum                  string
	ani, dest, rdnis, transferSource, ctxt string
	index                                  int
	created                                time.Time
}

// times are a channel's times; the zero time is never.
type times struct {
	created, answered, progress, progressMedia, hangup, bridged, lastHold time.Time
}

// other is what a channel remembers of the leg it was made for or bridged with.
type other struct {
	kind      string // originator or originatee
	direction string
	uuid      string
	name      string
	p         profile
	t         times
}

// channel is one leg of a call.
type channel struct {
	seq       int
	uuid      string
	name      string
	number    string // whose telephone it is
	direction string
	state     string // the state that runs, without CS_
	stateNum  int    // the state that is wanted
	callState string
	callUUID  string
	presence  string
	dialplan  bool // CF_DIALPLAN: it has hit the dialplan
	sip       bool
	p         profile
	t         times
	other     *other
	vars      []header
	cause     string
	digits    string // keys pressed
	received  string // keys that its telephone was sent

	answered    bool
	early       bool
	media       bool // codecs are set
	dead        bool // it has been hung up
	gone        bool // and nothing is left of it
	held        bool // its telephone has put it on hold
	quiet       bool // its owner does not talk
	musicBy     *channel
	heldQuietly bool   // its telephone holds, but since a transfer the switch does not know
	sound       string // what is played to it by itself
	soundMix    bool   // the sound comes on top of what it hears

	bridge    *bridge
	member    *member
	leave     int // counts departures: what was planned before one is void
	apps      []*app
	plan      []step // the applications still to come
	inbox     []step // from sendmsg and uuid_broadcast
	orig      *originate
	queue     *queueCall
	silent    bool     // conference_silent_entry has been used up
	moving    bool     // it is on its way out of what it does
	waitsFor  *channel // the other leg of a uuid_bridge under way
	memberID  int      // its member id in conferences, once it has one
	loop      *channel // the other end of a loopback that runs an application
	ears      *toneDetect
	speaks    bool   // by UDP, see unicast
	toneSaid  string // the frequency of what it says by UDP, "" if it is no pure tone
	bugs      []*mediaBug
	takesInfo bool // keys by SIP INFO
	spy       *spy // what it eavesdrops on
	legMedia
	flushing int // how many flushes of what it says are under way

	rowPending bool
	heard      map[*channel]int // since which frame it hears whom
}

// step is one application to execute.
type step struct {
	app, data string
	id        string // Application-UUID
}

// channelStates are the numbers of the states.
var channelStates = map[string]int{"NEW": 0, "INIT": 1, "ROUTING": 2, "SOFT_EXECUTE": 3, "EXECUTE": 4, "EXCHANGE_MEDIA": 5, "PARK": 6,
	"CONSUME_MEDIA": 7, "HIBERNATE": 8, "RESET": 9, "HANGUP": 10, "REPORTING": 11, "DESTROY": 12}

// callStates are the numbers of the call states.
var callStates = map[string]int{"DOWN": 0, "DIALING": 1, "RINGING": 2, "EARLY": 3, "ACTIVE": 4, "HELD": 5, "RING_WAIT": 6, "HANGUP": 7, "UNHELD": 8}

func (ch *channel) get(name string) (string, bool) {
	for _, v := range ch.vars {
		if v.name == name {
			return v.value, true
		}
	}
	return "", false
}

func (ch *channel) value(name string) string {
	v, _ := ch.get(name)
	return v
}

// set sets a variable; an empty value removes it.
func (ch *channel) set(name, value string) {
	for i, v := range ch.vars {
		if v.name != name {
			continue
		}
		if value == "" {
			ch.vars = append(ch.vars[:i:i], ch.vars[i+1:]...)
		} else {
			ch.vars[i].value = value
		}
		return
	}
	if value != "" {
		ch.vars = append(ch.vars, header{name, value})
	}
}

// answerState is the Answer-State header.
func (ch *channel) answerState() string {
	switch {
	case ch.dead:
		return "hangup"
	case ch.answered:
		return "answered"
	case ch.early:
		return "early"
	}
	return "ringing"
}

// basic adds the headers that every event of a channel has.
func (ch *channel) basic(e *event) {
	e.add("Channel-State", "CS_"+ch.state)
	e.add("Channel-Call-State", ch.callState)
	e.addInt("Channel-State-Number", ch.stateNum)
	e.add("Channel-Name", ch.name)
	e.add("Unique-ID", ch.uuid)
	e.add("Call-Direction", ch.direction)
	e.add("Presence-Call-Direction", ch.direction)
	e.add("Channel-HIT-Dialplan", strconv.FormatBool(ch.dialplan))
	if ch.presence != "" && ch.state != "NEW" && ch.state != "NONE" {
		e.add("Channel-Presence-ID", ch.presence)
	}
	e.add("Channel-Call-UUID", ch.callUUID)
	e.add("Answer-State", ch.answerState())
	if ch.dead {
		e.add("Hangup-Cause", ch.cause)
	}
	if ch.media {
		name, rate := "PCMU", "64000"
		if ch.member != nil {
			name, rate = "L16", "128000"
		}
		e.add("Channel-Read-Codec-Name", name)
		e.add("Channel-Read-Codec-Rate", "8000")
		e.add("Channel-Read-Codec-Bit-Rate", rate)
		e.add("Channel-Write-Codec-Name", "PCMU")
		e.add("Channel-Write-Codec-Rate", "8000")
		e.add("Channel-Write-Codec-Bit-Rate", "64000")
	}
	if ch.state == "NEW" {
		return
	}
	ch.profileHeaders(e, "Caller-", &ch.p)
	if o := ch.other; o != nil {
		e.add("Other-Type", o.kind)
		o.headers(e)
	}
}

func (ch *channel) profileHeaders(e *event, prefix string, p *profile) {
	callerHeaders(e, prefix, ch.direction, ch.direction, ch.uuid, ch.name, p)
	e.addInt(prefix+"Profile-Index", p.index)
	timeHeaders(e, prefix, p.created, &ch.t)
}

func (o *other) headers(e *event) {
	callerHeaders(e, "Other-Leg-", o.direction, "inbound", o.uuid, o.name, &o.p)
	timeHeaders(e, "Other-Leg-", o.p.created, &o.t)
}

func callerHeaders(e *event, prefix, direction, logical, uuid, name string, p *profile) {
	add := func(n, v string) { e.add(prefix+n, v) }
	opt := func(n, v string) {
		if v != "" {
			e.add(prefix+n, v)
		}
	}
	add("Direction", direction)
	add("Logical-Direction", logical)
	opt("Username", p.username)
	opt("Dialplan", p.dialplan)
	opt("Caller-ID-Name", p.cidName)
	opt("Caller-ID-Number", p.cidNum)
	opt("Orig-Caller-ID-Name", p.origName)
	opt("Orig-Caller-ID-Number", p.origNum)
	opt("Callee-ID-Name", p.calleeName)
	opt("Callee-ID-Number", p.calleeNum)
	add("Network-Addr", p.address)
	opt("ANI", p.ani)
	opt("Destination-Number", p.dest)
	add("Unique-ID", uuid)
	add("Source", p.source)
	opt("Transfer-Source", p.transferSource)
	add("Context", p.ctxt)
	opt("RDNIS", p.rdnis)
	add("Channel-Name", name)
}

func timeHeaders(e *event, prefix string, profileCreated time.Time, t *times) {
	for _, h := range []struct {
		name string
		t    time.Time
	}{
		{"Profile-Created-Time", profileCreated}, {"Channel-Created-Time", t.created}, {"Channel-Answered-Time", t.answered},
		{"Channel-Progress-Time", t.progress}, {"Channel-Progress-Media-Time", t.progressMedia}, {"Channel-Hangup-Time", t.hangup},
		{"Channel-Transfer-Time", time.Time{}}, {"Channel-Resurrect-Time", time.Time{}}, {"Channel-Bridged-Time", t.bridged},
		{"Channel-Last-Hold", t.lastHold}, {"Channel-Hold-Accum", time.Time{}},
	} {
		e.add(prefix+h.name, micros(h.t))
	}
	e.add(prefix+"Screen-Bit", "true")
	e.add(prefix+"Privacy-Hide-Name", "false")
	e.add(prefix+"Privacy-Hide-Number", "false")
}

// data adds all that is known of a channel, its variables too.
func (ch *channel) data(e *event) {
	ch.basic(e)
	for _, v := range ch.vars {
		e.add("variable_"+v.name, v.value)
	}
}

// tell fires a channel's event with everything known of it, and what more adds.
func (s *Switch) tell(ch *channel, name string, from origin, more ...header) {
	s.fire(name, "", ch.uuid, from, func(e *event) {
		ch.data(e)
		e.headers = append(e.headers, more...)
	})
	s.touchRow(ch)
}

// setState lets a channel run in another state.
func (s *Switch) setState(ch *channel, state string) {
	ch.state, ch.stateNum = state, channelStates[state]
	s.fire("CHANNEL_STATE", "", ch.uuid, fromState, ch.basic)
	s.touchRow(ch)
}

func (s *Switch) setCallState(ch *channel, state string) {
	was := ch.callState
	if was == state {
		return
	}
	ch.callState = state
	s.fire("CHANNEL_CALLSTATE", "", ch.uuid, fromCall, func(e *event) {
		e.add("Original-Channel-Call-State", was)
		e.addInt("Channel-Call-State-Number", callStates[state])
		ch.basic(e)
	})
	s.touchRow(ch)
}

// newChannel makes a channel and puts it into the tables.
func (s *Switch) newChannel(uuid, name, number, direction string) *channel {
	s.sessions++
	if uuid == "" {
		uuid = newUUID()
	}
	ch := &channel{seq: s.sessions, uuid: uuid, name: name, number: number, direction: direction, state: "NEW",
		callState: "DOWN", callUUID: uuid, sip: strings.HasPrefix(name, "sofia/"), heard: map[*channel]int{}}
	ch.t.created = s.now
	ch.p = profile{dialplan: "XML", source: "mod_sofia", address: "127.0.0.1", ctxt: "default", index: 1, created: s.now}
	s.channels[uuid] = ch
	s.order = append(s.order, ch)
	s.numbers[uuid] = number
	if len(s.numbers) > maxNumbers {
		s.forgetNumbers()
	}
	ch.vars = []header{{"direction", direction}}
	if direction == "outbound" {
		ch.set("is_outbound", "true")
	}
	for _, v := range []header{{"uuid", uuid}, {"call_uuid", uuid}, {"session_id", strconv.Itoa(s.sessions)}, {"channel_name", name},
		{"max_forwards", "70"}, {"sofia_profile_name", "internal"}, {"recovery_profile_name", "internal"}} {
		ch.set(v.name, v.value)
	}
	if ch.sip {
		ch.set("sip_call_id", newUUID())
		ch.set("sip_network_ip", "127.0.0.1")
		ch.set("sip_user_agent", "phones")
	}
	return ch
}

// maxNumbers bounds the memory of whose telephone a channel was.
const maxNumbers = 100_000

func (s *Switch) forgetNumbers() {
	for uuid := range s.numbers {
		if s.channels[uuid] == nil {
			delete(s.numbers, uuid)
		}
	}
}

// setMedia marks a channel as one that has media.
func (s *Switch) setMedia(ch *channel) {
	s.setPackets(ch)
	ch.media = true
	kind := "rfc2833"
	if ch.value("dtmf_type") == "info" {
		kind = "info"
	}
	ch.takesInfo = kind == "info" || truth(ch.value("rtp_liberal_dtmf"))
	for _, v := range []header{{"read_codec", "PCMU"}, {"original_read_codec", "PCMU"}, {"read_rate", "8000"}, {"original_read_rate", "8000"},
		{"write_codec", "PCMU"}, {"write_rate", "8000"}, {"dtmf_type", kind}, {"audio_media_flow", "sendrecv"}} {
		ch.set(v.name, v.value)
	}
}

// live is a channel that has not been hung up, by its UUID.
func (s *Switch) live(uuid string) *channel {
	if ch := s.channels[uuid]; ch != nil && !ch.dead {
		return ch
	}
	return nil
}

// find is a live channel by its UUID, or a telephone's newest one.
func (s *Switch) find(who string) *channel {
	if ch := s.live(who); ch != nil {
		return ch
	}
	for i := len(s.order) - 1; i >= 0; i-- {
		if ch := s.order[i]; !ch.dead && ch.number == who {
			return ch
		}
	}
	return nil
}

// variable is a channel's variable, or what else the switch answers for it: a
// field of the caller profile, or a global variable.
func (s *Switch) variable(ch *channel, name string) (string, bool) {
	if v, ok := ch.get(name); ok {
		return v, true
	}
	fields := map[string]string{"caller_id_name": ch.p.cidName, "caller_id_number": ch.p.cidNum, "destination_number": ch.p.dest,
		"ani": ch.p.ani, "rdnis": ch.p.rdnis, "username": ch.p.username, "dialplan": ch.p.dialplan, "context": ch.p.ctxt,
		"callee_id_name": ch.p.calleeName, "callee_id_number": ch.p.calleeNum, "network_addr": ch.p.address, "source": ch.p.source, "chan_name": ch.name}
	if v := fields[name]; v != "" {
		return v, true
	}
	return s.global(name)
}

// vanish ends a channel without an event, as the death of the switch does.
func (ch *channel) vanish(s *Switch) {
	ch.dead, ch.gone, ch.cause = true, true, "NONE"
	s.touchAround(ch)
	ch.member, ch.bridge = nil, nil
	if o := ch.orig; o != nil {
		ch.orig = nil
		o.done(nil, "DESTINATION_OUT_OF_ORDER")
	}
}
