package switchsim

import "time"

// consultation is a bridge inside another one: att_xfer's.
type consultation struct {
	agent, customer, colleague *channel
	outer                      *bridge
	app                        *app
}

// appAttXfer calls somebody from within a bridge. The partner waits in silence.
func (s *Switch) appAttXfer(ch *channel, a *app) {
	outer := ch.bridge
	if outer == nil || outer.consult != nil {
		s.finish(a)
		return
	}
	c := &consultation{agent: ch, customer: outer.peer(ch), outer: outer, app: a}
	c.wait(s, true)
	back := func() {
		c.wait(s, false)
		s.finish(a)
	}
	var leg *channel
	a.stop = func() {
		if leg != nil && leg.orig != nil {
			s.hangup(leg, "ORIGINATOR_CANCEL")
		}
	}
	leg = s.dial(ch, a.data, nil, 60*time.Second, func(b *channel, _ string) {
		switch {
		case b == nil:
			if !a.over {
				back()
			}
		case a.over || ch.dead || outer.over:
			s.hangup(b, "ORIGINATOR_CANCEL")
		default:
			s.consult(c, b)
		}
	})
}

// wait lets the customer wait, or ends that.
func (c *consultation) wait(s *Switch, on bool) {
	c.outer.up, c.customer.suspended = !on, on
	s.touch(c.agent)
	s.touch(c.customer)
}

// consult connects the agent with who was called, until one of them hangs up.
func (s *Switch) consult(c *consultation, colleague *channel) {
	c.colleague = colleague
	c.app.onKey = func(key byte) {
		switch key {
		case '#':
			s.hangup(colleague, "NORMAL_CLEARING")
		case '*':
			s.hangup(c.agent, "NORMAL_CLEARING")
		default:
			s.sendKeys(colleague, string(key))
		}
	}
	s.startBridge(c.agent, colleague)
	c.agent.bridge.consult = c
}

// consulted is the end of a consultation. Where the agent has left, the two others
// are connected, but only if the customer is the one who was called: a caller's leg
// is hung up by the end of its bridge before, and the colleague is left parked.
func (s *Switch) consulted(c *consultation) {
	agent, customer, colleague := c.agent, c.customer, c.colleague
	customer.suspended = false
	switch {
	case c.outer.over: // the customer has hung up meanwhile
		s.hangup(agent, "NORMAL_CLEARING")
		s.hangup(colleague, "NORMAL_CLEARING")
	case agent.dead && c.outer.a == customer:
		agent.bridge = c.outer
		s.endBridge(c.outer)
		s.hangup(customer, "NORMAL_CLEARING")
		if !colleague.dead {
			s.park(colleague)
		}
	case agent.dead || agent.moving:
		s.uuidBridge(s.live(colleague.uuid), customer)
	default:
		agent.bridge = c.outer
		agent.set("bridge_to", customer.uuid)
		agent.set("signal_bond", customer.uuid)
		s.uuidBridge(agent, customer)
	}
}

// appIntercept takes a leg away from its partner, who is hung up.
func (s *Switch) appIntercept(ch *channel, a *app) {
	who, rest := word(a.data)
	target := s.live(who)
	if who == "-bleg" {
		if target = s.live(rest); target != nil {
			target = s.live(target.value("bridge_to"))
		}
	}
	if target == nil || target == ch {
		s.finish(a)
		return
	}
	s.answer(ch)
	partner := s.live(target.value("bridge_to"))
	s.uuidBridge(ch, target)
	if partner != nil && partner != ch {
		s.hangup(partner, "PICKED_OFF")
	}
}
