package switchsim

import (
	"strconv"
	"strings"
	"time"
)

// transfer sends a channel to another extension. It returns false if the channel
// has been transferred too often, which hangs it up.
func (s *Switch) transfer(ch *channel, dest, dialplan, context string) bool {
	count := "max_session_transfers"
	if ch.value(count) == "" {
		count = "max_forwards"
	}
	forwards, err := strconv.Atoi(ch.value(count))
	if err != nil {
		forwards = 71
	}
	if forwards--; forwards <= 0 {
		s.hangup(ch, "EXCHANGE_ROUTING_ERROR")
		return false
	}
	if ch.held && !ch.heldQuietly { // the telephone goes on holding, but the switch says that it does not
		ch.heldQuietly = true
		s.setCallState(ch, "UNHELD")
		s.tell(ch, "CHANNEL_UNHOLD", fromHold)
		s.setCallState(ch, "ACTIVE")
	}
	ch.set(count, strconv.Itoa(forwards))
	if dialplan == "" {
		if dialplan = ch.p.dialplan; dialplan == "" || dialplan == "inline" {
			dialplan = "XML"
		}
	}
	if context == "" {
		context = ch.p.ctxt
	}
	if other := s.live(ch.value("bridge_to")); other != nil {
		other.set("signal_bond", "")
	}
	ch.set("signal_bond", "")
	source := strconv.FormatInt(s.now.Unix(), 10) + ":" + newUUID() + ":bl_xfer:" + dest + "/" + context + "/" + dialplan
	rdnis := ch.p.dest
	ch.p.index++
	ch.p.created = s.now
	ch.p.dialplan, ch.p.ctxt, ch.p.dest, ch.p.rdnis, ch.p.transferSource = dialplan, context, dest, rdnis, source
	ch.other = nil
	ch.set("transfer_history", source)
	ch.set("transfer_source", source)
	ch.stateNum = channelStates["ROUTING"]
	lag, then := legLag, func() { s.route(ch) }
	if br := ch.bridge; br != nil {
		if br.b == ch {
			lag = peerLag
		}
		then = s.afterLeaving(ch, br, then)
	}
	s.move(ch, lag, then)
	return true
}

// move makes a channel leave what it does, and then do something else, unless it
// is told otherwise in the meantime.
func (s *Switch) move(ch *channel, lag time.Duration, then func()) {
	ch.leave++
	ch.moving = true
	ch.plan, ch.inbox = nil, nil
	ch.musicBy, ch.waitsFor = nil, nil
	s.touch(ch)
	mine := ch.leave
	s.after(lag, func() {
		if ch.leave != mine {
			return
		}
		s.depart(ch, func() {
			if ch.leave == mine {
				ch.moving = false
				then()
			}
		})
	})
}

// depart takes a channel out of its bridge, its room and its applications.
func (s *Switch) depart(ch *channel, then func()) {
	if m := ch.member; m != nil {
		if m.leaving { // it is on its way out already, and its application with it
			s.after(leaveLag, func() { s.depart(ch, then) })
			return
		}
		s.leaveRoom(m, func() { s.depart(ch, then) })
		return
	}
	if ch.bridge != nil {
		s.endBridge(ch.bridge)
	}
	for len(ch.apps) > 0 {
		s.drop(ch)
	}
	ch.sound = ""
	s.touch(ch)
	then()
}

// route lets a transferred channel go through the dialplan.
func (s *Switch) route(ch *channel) {
	if ch.direction == "inbound" {
		was := ch.callState
		ch.state = "ROUTING"
		s.setCallState(ch, "RINGING")
		s.setState(ch, "ROUTING")
		ch.state, ch.stateNum = "EXECUTE", channelStates["EXECUTE"]
		s.setCallState(ch, was)
	} else {
		s.setState(ch, "ROUTING")
		if !ch.dialplan {
			ch.dialplan = true
			ch.set("pre_transfer_caller_id_name", ch.p.cidName)
			ch.set("pre_transfer_caller_id_number", ch.p.cidNum)
			ch.set("channel_cid_flipped", "yes")
			ch.p.cidName, ch.p.calleeName = ch.p.calleeName, ch.p.cidName
			ch.p.cidNum, ch.p.calleeNum = ch.p.calleeNum, ch.p.cidNum
		}
	}
	var plan []step
	if strings.EqualFold(ch.p.dialplan, "inline") {
		plan = inlinePlan(ch.p.dest)
		ch.p.dest, ch.p.rdnis = ch.p.rdnis, ""
	} else {
		plan = s.dialed(ch)
	}
	s.setState(ch, "EXECUTE")
	if len(plan) == 0 {
		s.hangup(ch, "NO_ROUTE_DESTINATION")
		return
	}
	ch.plan = plan
	s.proceed(ch)
}

// inlinePlan reads an inline dialplan: app:data,app:data, or with another
// delimiter m:^:app:data^app:data.
func inlinePlan(text string) []step {
	delim := byte(',')
	if len(text) > 3 && text[0] == 'm' && text[1] == ':' && text[3] == ':' {
		delim, text = text[2], text[4:]
	}
	var out []step
	for _, item := range split(text, delim) {
		app, data, _ := strings.Cut(item, ":")
		out = append(out, step{app: strings.TrimLeft(app, " "), data: data})
	}
	return out
}

// extension is the XML dialplan: what Options.Dialplan has, and the extensions
// of a small call centre.
func (s *Switch) extension(ext string) []step {
	var best DialplanEntry
	for _, e := range s.opt.Dialplan {
		if strings.HasPrefix(ext, e.Prefix) && len(e.Prefix) >= len(best.Prefix) {
			best = e
		}
	}
	number := strings.TrimPrefix(ext, "b")
	switch room, isRoom := strings.CutPrefix(ext, "c-"); {
	case best.Outbound != "":
		data := best.Outbound + " async"
		if best.Full {
			data += " full"
		}
		return []step{{app: "socket", data: data}}
	case isRoom:
		return []step{{app: "answer"}, {app: "conference", data: room + "@default"}}
	case ext == "7777":
		return []step{{app: "answer"}, {app: "park"}}
	case ext == "7778":
		return []step{{app: "answer"}, {app: "echo"}}
	case s.inDirectory(number):
		return []step{{app: "bridge", data: "user/" + number + "@" + s.opt.Domain}}
	case len(ext) >= 5 && strings.Trim(ext, "+0123456789") == "":
		return []step{{app: "bridge", data: "sofia/gateway/pstn/" + ext}}
	}
	return nil
}

// uuidBridge takes two channels out of what they do and bridges them. As on a
// real switch nothing is known of its success when it returns.
func (s *Switch) uuidBridge(a, b *channel) bool {
	if a == nil || b == nil || a == b || !a.answered && !b.answered {
		return false
	}
	if !a.answered {
		a, b = b, a
	}
	for _, pair := range [][2]*channel{{a, b}, {b, a}} {
		x, y := pair[0], pair[1]
		x.set("bridge_channel", y.name)
		x.set("bridge_uuid", y.uuid)
		x.set("signal_bond", y.uuid)
		x.set("original_destination_number", x.p.dest)
		x.set("original_caller_id_name", x.p.cidName)
		x.set("original_caller_id_number", x.p.cidNum)
		x.p.index++
		x.p.transferSource = strconv.FormatInt(s.now.Unix(), 10) + ":" + newUUID() + ":uuid_br:" + y.uuid
		x.set("transfer_history", x.p.transferSource)
		x.set("transfer_source", x.p.transferSource)
	}
	var here [2]bool
	arrive := func(i int, ch *channel) func() {
		return func() {
			here[i] = true
			ch.moving = true // it waits for the other
		}
	}
	s.move(a, legLag, arrive(0, a))
	s.move(b, peerLag, arrive(1, b))
	a.waitsFor, b.waitsFor = b, a
	var meet func()
	meet = func() {
		aWaits, bWaits := !a.dead && a.waitsFor == b, !b.dead && b.waitsFor == a
		switch {
		case aWaits && bWaits && here[0] && here[1]:
			s.bridged(a, b)
		case aWaits && bWaits:
			s.after(legLag, meet)
		case aWaits:
			s.orphan(a)
		case bWaits && a.dead:
			// Only the first one ever goes on from here: the other stays, silent, until
			// somebody does something with it.
			b.waitsFor = nil
			b.state = "RESET"
			if here[0] {
				b.state = "SOFT_EXECUTE" // the first one had fetched it already
			}
			b.stateNum = channelStates[b.state]
		case bWaits:
			s.orphan(b)
		}
	}
	s.after(bridgeLag, meet)
	return true
}

// bridged is the end of uuid_bridge.
func (s *Switch) bridged(a, b *channel) {
	a.moving, b.moving = false, false
	a.waitsFor, b.waitsFor = nil, nil
	a.state, a.stateNum = "SOFT_EXECUTE", channelStates["SOFT_EXECUTE"]
	for _, pair := range [][2]*channel{{a, b}, {b, a}} {
		s.tell(pair[0], "CHANNEL_EXECUTE", fromUUIDBr, header{"Application", "uuid_bridge"}, header{"Application-Data", pair[1].uuid})
	}
	a.set("current_application", "uuid_bridge")
	for _, ch := range []*channel{a, b} {
		if ch.direction == "inbound" {
			s.asked(ch, "display "+ch.number)
		}
	}
	s.startBridge(a, b)
}

// orphan is a leg of uuid_bridge whose other leg is gone or went elsewhere.
func (s *Switch) orphan(ch *channel) {
	ch.waitsFor = nil
	if !s.goesOn(ch) {
		s.hangup(ch, "DESTINATION_OUT_OF_ORDER")
	}
}
