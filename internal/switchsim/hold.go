package switchsim

import "strings"

// hold puts a call on hold at a telephone's end: because it pressed its key, or
// because the switch has asked it to. Its partner, the channel that its signal_bond
// names, hears music; without one nobody does.
func (s *Switch) hold(ch *channel, direction string) {
	if ch.held || !ch.answered {
		return
	}
	ch.held, ch.t.lastHold = true, s.now
	ch.set("switch_r_sdp", sdp(direction))
	if m := ch.member; m != nil {
		s.hush(m, true)
	}
	if other := s.live(ch.value("signal_bond")); other != nil {
		other.musicBy = ch
		s.touch(other)
	}
	s.setCallState(ch, "HELD")
	s.tell(ch, "CHANNEL_HOLD", fromHold)
	s.touchAround(ch)
}

func (s *Switch) unhold(ch *channel) {
	if !ch.held {
		return
	}
	ch.held = false
	ch.set("switch_r_sdp", sdp("sendrecv"))
	if !ch.heldQuietly {
		s.setCallState(ch, "UNHELD")
		s.tell(ch, "CHANNEL_UNHOLD", fromHold)
		s.setCallState(ch, "ACTIVE")
	}
	ch.heldQuietly = false
	for _, other := range s.order {
		if other.musicBy == ch {
			other.musicBy = nil
			s.touch(other)
		}
	}
	// The switch stops whatever is being broadcast to the partner, whoever began it.
	if other := s.live(ch.value("signal_bond")); other != nil && other.sound != "" {
		if a := other.top(); a != nil && strings.Contains(a.app, "play") {
			s.finish(a)
		}
		other.endSound()
		s.touch(other)
	}
	s.touchAround(ch)
	if m := ch.member; m != nil {
		s.talkSoon(m)
	}
}

// apiHold is uuid_hold: the switch asks the telephone to hold, with the same effects
// and events as if it had done so by itself.
func (s *Switch) apiHold(arg string) string {
	a := append(fields(arg, 3), "", "")
	uuid, off := a[0], false
	switch a[0] {
	case "off":
		uuid, off = a[1], true
	case "toggle":
		uuid = a[1]
	}
	ch := s.live(uuid)
	if ch == nil || ch.bridge == nil {
		return "-ERR Operation failed\n"
	}
	if off || a[0] == "toggle" && ch.held {
		s.unhold(ch)
	} else {
		s.hold(ch, "recvonly")
	}
	s.asked(ch, "hold")
	return "+OK Success\n"
}
