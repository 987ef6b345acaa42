package switchsim

import (
	"strings"
	"time"
)

// afterFirst is what the first leg of a bridge does when the other one has left:
// what its own variables say, or the rest of its dialplan.
func (s *Switch) afterFirst(ch, peer *channel) {
	if ch.dead || ch.moving || ch.bridge != nil {
		return
	}
	over := ch.value("hangup_after_bridge")
	if strings.EqualFold(over, "explicit") {
		s.hangup(ch, peer.cause)
		return
	}
	switch {
	case s.goesOn(ch):
	case truth(over):
		s.hangup(ch, peer.cause)
	case s.executesNext(ch):
	default:
		if a := ch.top(); a != nil && a.app == "bridge" {
			s.finish(a)
			return
		}
		s.setState(ch, "EXECUTE")
		s.proceed(ch)
	}
}

// afterSecond is the same of the second leg, which has no dialplan to go on with.
func (s *Switch) afterSecond(ch *channel) {
	if ch.dead || ch.moving || ch.bridge != nil || s.executesNext(ch) || s.goesOn(ch) {
		return
	}
	s.hangup(ch, "NORMAL_CLEARING")
}

// goesOn parks a leg that has lost its partner, or transfers it, if a variable says so.
func (s *Switch) goesOn(ch *channel) bool {
	if truth(ch.value("park_after_bridge")) {
		s.park(ch)
		return true
	}
	where := ch.value("transfer_after_bridge")
	if where == "" {
		return false
	}
	ch.set("transfer_after_bridge", "")
	to := append(split(where, ':'), "", "", "")
	s.transfer(ch, to[0], to[1], to[2])
	return true
}

// executesNext executes the application that a variable names.
func (s *Switch) executesNext(ch *channel) bool {
	name := ch.value("exec_after_bridge_app")
	if name == "" {
		return false
	}
	s.move(ch, 0, func() {
		if ch.state != "EXECUTE" {
			s.setState(ch, "EXECUTE")
		}
		ch.plan = []step{{app: name, data: ch.value("exec_after_bridge_arg")}}
		s.proceed(ch)
	})
	return true
}

// leftHeld is what becomes of a leg whose partner has ended the bridge while he held
// it: it goes where his leg says, or is hung up, whatever its own variables say.
func (s *Switch) leftHeld(ch, holder *channel) {
	if ch.dead || ch.moving || ch.bridge != nil {
		return
	}
	if to := holder.value("hold_hangup_xfer_exten"); to != "" {
		ch.set("transfer_after_bridge", to)
		return
	}
	s.hangup(ch, "NORMAL_CLEARING")
}

// afterLeaving is what a leg does that is transferred out of its bridge. What it is to
// execute after the bridge spoils that unless the other one leaves as well: the second
// leg executes it instead, the first one nothing at all, and stays there in silence.
func (s *Switch) afterLeaving(ch *channel, br *bridge, route func()) func() {
	peer, alone := br.peer(ch), false
	s.after(legLag-time.Millisecond, func() { alone = !peer.moving && !peer.dead })
	return func() {
		switch name := ch.value("exec_after_bridge_app"); {
		case name == "" || !alone:
			route()
		case br.b == ch:
			s.executesNext(ch)
		}
	}
}
