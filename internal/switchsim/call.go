package switchsim

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// How long things take in a call.
const (
	signalLag = 20 * time.Millisecond // until a called telephone rings, answers or refuses
	legLag    = 20 * time.Millisecond // until a leg leaves what it does, when told to
	peerLag   = 25 * time.Millisecond // the same for a bridge's second leg
	bridgeLag = 80 * time.Millisecond // of uuid_bridge
	hangupLag = 5 * time.Millisecond  // between CHANNEL_HANGUP and the rest
)

// bridge is two channels that hear each other.
type bridge struct {
	a, b *channel
	up   bool
	over bool
	// consult is what the bridge is for, if it is one inside another.
	consult *consultation
}

func (br *bridge) peer(ch *channel) *channel {
	if br.a == ch {
		return br.b
	}
	return br.a
}

// originate is a call to a telephone that has not been answered yet.
type originate struct {
	tasks []*task
	done  func(ch *channel, cause string) // ch is nil if it failed
}

func (s *Switch) inDirectory(number string) bool { return slices.Contains(s.opt.Users, number) }

// target is a telephone to call, as a dial string names it.
type target struct {
	name, number, presence, domain, endpoint string
	run                                      string // of a loopback: the application that its other end runs
	client                                   string // of a client of mod_verto: its session, as mod_verto dials it
	chosen                                   []Variable
}

// resolve reads a dial string without its variables.
func (s *Switch) resolve(dial string) (t target, cause string) {
	kind, rest, _ := strings.Cut(dial, "/")
	switch kind {
	case "user":
		user, domain, _ := strings.Cut(rest, "@")
		domain = cmp.Or(domain, s.opt.Domain)
		if !s.inDirectory(user) || domain != s.opt.Domain {
			return t, "SUBSCRIBER_ABSENT"
		}
		t = target{name: "sofia/internal/" + user + "@127.0.0.1:5090", number: user, presence: user + "@" + domain, domain: domain, endpoint: "user"}
		if c, ok := s.verto[user]; ok {
			t.name, t.client, t.chosen = "verto.rtc/"+c.Session, "u:"+c.Session, c.Vars
		}
		return t, ""
	case "sofia":
		profile, rest, _ := strings.Cut(rest, "/")
		if profile == "gateway" {
			gateway, number, _ := strings.Cut(rest, "/")
			if gateway == "" || number == "" {
				return t, "INVALID_GATEWAY"
			}
			return target{name: "sofia/external/" + number, number: number, endpoint: "sofia"}, ""
		}
		number, _, _ := strings.Cut(strings.TrimPrefix(rest, "sip:"), "@")
		if number == "" {
			return t, "INVALID_URL"
		}
		return target{name: "sofia/" + profile + "/" + rest, number: number, endpoint: "sofia"}, ""
	case "loopback":
		number, _, _ := strings.Cut(rest, "/")
		if !slices.Contains(s.opt.Modules, "mod_loopback") {
			return t, "CHAN_NOT_IMPLEMENTED"
		}
		if number == "" {
			return t, "INVALID_NUMBER_FORMAT"
		}
		run := ""
		if app, isApp := strings.CutPrefix(number, "app="); isApp {
			run, number = app, strings.SplitN(app, ":", 2)[0]
		}
		return target{name: "loopback/" + number + "-a", number: number, endpoint: "loopback", run: run}, ""
	case "error":
		return t, cmp.Or(strings.ToUpper(rest), "NORMAL_CLEARING")
	}
	return t, "CHAN_NOT_IMPLEMENTED"
}

// dial calls a telephone, for the channel by if there is one. done is called
// when it has answered, or with the cause why not. extra are variables besides
// those of the dial string. The leg is returned, if there is one.
func (s *Switch) dial(by *channel, dialString string, extra []header, timeout time.Duration, done func(ch *channel, cause string)) *channel {
	vars, rest, ok := braces(dialString)
	vars = append(extra[:len(extra):len(extra)], vars...)
	if !ok {
		done(nil, "DESTINATION_OUT_OF_ORDER")
		return nil
	}
	get := func(name string) string {
		for i := len(vars) - 1; i >= 0; i-- {
			if vars[i].name == name {
				return vars[i].value
			}
		}
		return ""
	}
	for _, name := range []string{"leg_timeout", "call_timeout", "originate_timeout"} {
		if n, err := strconv.Atoi(get(name)); err == nil && n > 0 {
			timeout = time.Duration(n) * time.Second
		}
	}
	to, cause := s.resolve(rest)
	uuid := get("origination_uuid")
	if cause == "" && uuid != "" && s.channels[uuid] != nil {
		if to.endpoint == "loopback" { // this one is made all the same, under an id of its own
			uuid = ""
		} else {
			cause = "DESTINATION_OUT_OF_ORDER"
		}
	}
	if cause != "" {
		done(nil, cause)
		return nil
	}
	ch := s.newChannel(uuid, to.name, to.number, "outbound")
	s.prepareOutbound(ch, by, to, vars)
	o := &originate{done: done}
	ch.orig = o
	s.outboundEvents(ch)
	if to.run != "" {
		s.openLoop(ch, o, to.run, vars, timeout)
		return ch
	}
	s.ring(ch, o, timeout)
	return ch
}

// prepareOutbound fills in what is known of a called leg before it rings.
func (s *Switch) prepareOutbound(ch, by *channel, to target, vars []header) {
	p := &ch.p
	p.dest, p.calleeName, p.calleeNum = to.number, "Outbound Call", to.number
	p.cidNum, p.dialplan, p.source = "0000000000", "", "src/switch_ivr_originate.c"
	if by != nil {
		p.username, p.ani, p.dialplan, p.source = by.p.username, by.p.ani, "XML", by.p.source
		p.cidName, p.cidNum, p.origName, p.origNum = by.p.cidName, by.p.cidNum, by.p.cidName, by.p.cidNum
		ch.other = &other{kind: "originator", direction: by.direction, uuid: by.uuid, name: by.name, p: by.p}
		for _, v := range []header{{"originator", by.uuid}, {"signal_bond", by.uuid}, {"originating_leg_uuid", by.uuid}} {
			ch.set(v.name, v.value)
		}
		ch.take(by.exports("export_vars"))
	}
	if to.endpoint == "loopback" {
		p.source = "mod_loopback"
	}
	if to.domain != "" {
		ch.set("dialed_user", to.number)
		ch.set("dialed_domain", to.domain)
		ch.set("presence_id", to.presence)
		ch.presence = to.presence
	}
	ch.set("originate_endpoint", to.endpoint)
	ch.set("sip_to_user", to.number)
	for _, v := range vars {
		ch.set(v.name, v.value)
		switch v.name {
		case "origination_caller_id_name":
			p.cidName, p.origName = v.value, v.value
		case "origination_caller_id_number":
			p.cidNum, p.origNum, p.ani = v.value, v.value, v.value
		case "presence_id":
			ch.presence = v.value
		}
	}
	if to.client != "" { // the client has connected before the leg's first event
		p.dest = to.client
		for _, v := range to.chosen {
			ch.set(v.Name, v.Value)
		}
		ch.presence = ch.value("presence_id")
	}
}

func (s *Switch) outboundEvents(ch *channel) {
	ch.state, ch.stateNum = "NONE", 1
	s.fire("CHANNEL_OUTGOING", "", ch.uuid, fromOutgoing, ch.basic)
	if o := ch.other; o != nil {
		ch.callUUID = o.uuid
		ch.set("call_uuid", o.uuid)
	}
	s.setState(ch, "INIT")
	ch.stateNum = channelStates["ROUTING"]
	s.tell(ch, "CHANNEL_CREATE", fromCreate)
	s.tell(ch, "CHANNEL_ORIGINATE", fromOrig)
	s.setState(ch, "ROUTING")
	s.setState(ch, "CONSUME_MEDIA")
}

// ring lets the called telephone do what it does.
func (s *Switch) ring(ch *channel, o *originate, timeout time.Duration) {
	b := s.phones[ch.number]
	later := func(d time.Duration, f func()) {
		o.tasks = append(o.tasks, s.after(d, func() {
			if ch.orig == o {
				f()
			}
		}))
	}
	later(timeout, func() { s.hangup(ch, "NO_ANSWER") })
	switch {
	case b.Reject != "":
		later(signalLag, func() { s.hangup(ch, b.Reject) })
	case b.NoAnswer || b.AnswerAfter > 0:
		later(signalLag, func() { s.ringing(ch) })
		if !b.NoAnswer {
			later(signalLag+b.AnswerAfter, func() { s.answered(ch) })
		}
	default:
		later(signalLag, func() { s.answered(ch) })
	}
}

func (s *Switch) ringing(ch *channel) {
	ch.t.progress = s.now
	s.tell(ch, "CHANNEL_PROGRESS", fromRing)
	s.setCallState(ch, "RINGING")
	if o := ch.other; o != nil {
		if by := s.live(o.uuid); by != nil && !by.answered && by.t.progress.IsZero() {
			by.t.progress = s.now
			s.tell(by, "CHANNEL_PROGRESS", fromRing)
		}
	}
}

// answered is a called telephone's answer.
func (s *Switch) answered(ch *channel) {
	o := ch.orig
	ch.orig = nil
	for _, t := range o.tasks {
		s.forget(t)
	}
	s.markAnswered(ch)
	o.done(ch, "")
}

func (s *Switch) markAnswered(ch *channel) {
	s.setMedia(ch)
	ch.answered, ch.t.answered = true, s.now
	ch.set("endpoint_disposition", "ANSWER")
	s.tell(ch, "CHANNEL_ANSWER", fromAnswer)
	s.setCallState(ch, "ACTIVE")
	s.touchAround(ch)
	if name, data, _ := strings.Cut(ch.value("execute_on_answer"), " "); name != "" {
		s.execute(ch, step{app: name, data: data})
	}
}

// answer answers a calling telephone.
func (s *Switch) answer(ch *channel) {
	if ch.answered || ch.dead {
		return
	}
	if !ch.early {
		s.preAnswer(ch)
	}
	s.markAnswered(ch)
	s.loopAnswered(ch)
}

func (s *Switch) preAnswer(ch *channel) {
	s.setMedia(ch)
	ch.early, ch.t.progressMedia = true, s.now
	ch.set("endpoint_disposition", "EARLY MEDIA")
	s.tell(ch, "CHANNEL_PROGRESS_MEDIA", fromPre)
	s.setCallState(ch, "EARLY")
}

// startBridge connects two channels; a is the one whose events tell of it.
func (s *Switch) startBridge(a, b *channel) {
	br := &bridge{a: a, b: b, up: true}
	a.bridge, b.bridge = br, br
	for _, pair := range [][2]*channel{{a, b}, {b, a}} {
		x, y := pair[0], pair[1]
		x.musicBy = nil
		x.pauseBuffer(true)
		x.set("bridge_channel", y.name)
		x.set("bridge_uuid", y.uuid)
		x.set("bridge_to", y.uuid)
		x.set("last_bridge_to", y.uuid)
		x.set("signal_bond", y.uuid)
		x.take(y.exports("bridge_export_vars"))
	}
	a.p.calleeName, a.p.calleeNum = b.number, b.number
	if b.p.calleeName == "Outbound Call" {
		b.p.calleeName = b.number
	}
	a.other = &other{kind: "originatee", direction: b.direction, uuid: b.uuid, name: b.name, p: b.p, t: b.t}
	b.other = &other{kind: "originator", direction: a.direction, uuid: a.uuid, name: a.name, p: a.p}
	a.t.bridged, b.t.bridged = s.now, s.now
	b.callUUID = a.uuid
	b.set("call_uuid", a.uuid)
	s.fire("CHANNEL_BRIDGE", "", a.uuid, fromBridge, func(e *event) {
		e.add("Bridge-A-Unique-ID", a.uuid)
		e.add("Bridge-B-Unique-ID", b.uuid)
		a.data(e)
	})
	s.setState(b, "EXCHANGE_MEDIA")
	s.touchAround(a)
	s.bridgeRow(a, b, true)
	s.proceed(b)
}

// endBridge ends a bridge, and decides what becomes of the legs that are not on
// their way to somewhere else.
func (s *Switch) endBridge(br *bridge) {
	if br.over {
		return
	}
	br.over, br.up = true, false
	a, b := br.a, br.b
	s.touchAround(a)
	whole := a.bridge == br && b.bridge == br
	for _, ch := range []*channel{a, b} {
		if ch.bridge != br { // it consults somebody
			continue
		}
		ch.bridge = nil
		ch.set("bridge_to", "")
		ch.set("signal_bond", "")
		ch.musicBy = nil
		ch.pauseBuffer(false)
	}
	b.callUUID = b.uuid
	b.set("call_uuid", b.uuid)
	if whole {
		s.fire("CHANNEL_UNBRIDGE", "", a.uuid, fromUnbridge, func(e *event) {
			e.add("Bridge-A-Unique-ID", a.uuid)
			e.add("Bridge-B-Unique-ID", b.uuid)
			a.data(e)
		})
	}
	s.bridgeRow(a, b, false)
	if br.consult != nil {
		s.consulted(br.consult)
		return
	}
	for _, ch := range []*channel{a, b} {
		if ch.held && !ch.heldQuietly {
			s.leftHeld(br.peer(ch), ch)
		}
	}
	s.afterFirst(a, b)
	s.afterSecond(b)
}

// hangup ends a channel. The rest of it is taken down a moment later.
func (s *Switch) hangup(ch *channel, cause string) {
	if ch.dead {
		return
	}
	cause = cmp.Or(cause, "NORMAL_CLEARING")
	s.touchAround(ch)
	if m := ch.member; m != nil {
		m.lastWord = ch.audible()
	}
	ch.dead, ch.cause = true, cause
	ch.t.hangup = s.now
	ch.stateNum = channelStates["HANGUP"]
	ch.leave++
	ch.moving = true
	ch.plan, ch.inbox = nil, nil
	s.tell(ch, "CHANNEL_HANGUP", fromHangup)
	s.endBugs(ch)
	o := ch.orig
	ch.orig = nil
	if o != nil {
		for _, t := range o.tasks {
			s.forget(t)
		}
	}
	if m := ch.member; m != nil {
		s.touchRoom(m.room)
		s.hush(m, false)
	}
	s.after(hangupLag, func() {
		s.depart(ch, func() { s.bury(ch) })
	})
	if o != nil {
		o.done(nil, cause)
	}
	switch end := ch.loop; {
	case end == nil:
	case end.orig != nil && !s.opt.LateRefusals:
		s.hangup(end, "NORMAL_CLEARING")
	default:
		s.after(hangupLag, func() { s.hangup(end, "NORMAL_CLEARING") })
	}
}

// bury fires the last events of a channel and forgets it.
func (s *Switch) bury(ch *channel) {
	if ch.gone {
		return
	}
	s.setState(ch, "HANGUP")
	s.setCallState(ch, "HANGUP")
	s.setState(ch, "REPORTING")
	s.lastVariables(ch)
	s.fire("CHANNEL_HANGUP_COMPLETE", "", ch.uuid, fromReport, func(e *event) {
		e.add("Hangup-Cause", ch.cause)
		ch.data(e)
	})
	ch.stateNum = channelStates["DESTROY"]
	s.tell(ch, "CHANNEL_DESTROY", fromDestroy)
	s.setState(ch, "DESTROY")
	ch.gone = true
	s.keepRecord(ch)
	delete(s.channels, ch.uuid)
	delete(s.detecting, ch)
	if i := slices.Index(s.order, ch); i >= 0 {
		s.order = slices.Delete(s.order, i, i+1)
	}
	s.touch(ch)
	s.touchRow(ch)
	s.queueLegGone(ch)
	s.socketLegGone(ch)
}

// lastVariables sets what a call detail record needs.
func (s *Switch) lastVariables(ch *channel) {
	epoch := func(t time.Time) string {
		if t.IsZero() {
			return "0"
		}
		return strconv.FormatInt(t.Unix(), 10)
	}
	ch.set("hangup_cause", ch.cause)
	ch.set("last_app", ch.lastApp.app)
	ch.set("last_arg", ch.lastApp.data)
	ch.set("hangup_cause_q850", strconv.Itoa(q850[ch.cause]))
	ch.set("digits_dialed", cmp.Or(ch.digits, "none"))
	ch.set("start_epoch", epoch(ch.t.created))
	ch.set("answer_epoch", epoch(ch.t.answered))
	ch.set("bridge_epoch", epoch(ch.t.bridged))
	ch.set("end_epoch", epoch(s.now))
	ch.set("caller_id", `"`+ch.p.cidName+`" <`+ch.p.cidNum+`>`)
	ch.set("duration", strconv.Itoa(int(s.now.Sub(ch.t.created).Seconds())))
	bill := 0
	if !ch.t.answered.IsZero() {
		bill = int(s.now.Sub(ch.t.answered).Seconds())
	}
	ch.set("billsec", strconv.Itoa(bill))
}

// q850 are the numbers of the causes that have one.
var q850 = map[string]int{"UNALLOCATED_NUMBER": 1, "NO_ROUTE_DESTINATION": 3, "NORMAL_CLEARING": 16, "USER_BUSY": 17, "NO_USER_RESPONSE": 18,
	"NO_ANSWER": 19, "SUBSCRIBER_ABSENT": 20, "CALL_REJECTED": 21, "EXCHANGE_ROUTING_ERROR": 25, "DESTINATION_OUT_OF_ORDER": 27,
	"NORMAL_TEMPORARY_FAILURE": 41, "BLIND_TRANSFER": 0, "ATTENDED_TRANSFER": 0, "ORIGINATOR_CANCEL": 0, "MANAGER_REQUEST": 0}
