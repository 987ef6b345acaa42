package switchsim

import (
	"context"
	"fmt"
	"time"
)

// standbyWait is how long mod_callcenter waits for a standby agent's leg to be bridged.
const standbyWait = 3 * time.Second

// Standby lets the telephone of a uuid-standby agent dial in and wait for calls:
// its leg is parked, is parked again after each bridge, and is the agent's from
// now on. It returns the leg once it is parked.
func (s *Switch) Standby(ctx context.Context, agentName string) (string, error) {
	s.lock()
	a := s.cc.agent(agentName)
	if a == nil || a.Type != standbyType {
		s.unlock()
		return "", fmt.Errorf("%w: no standby agent %s", ErrFailed, agentName)
	}
	_, rest, _ := braces(a.Contact)
	t, cause := s.resolve(rest)
	if cause != "" {
		s.unlock()
		return "", fmt.Errorf("%w: contact of %s: %s", ErrFailed, agentName, cause)
	}
	ch := s.inbound(t.number, "7777")
	ch.set("park_after_bridge", "true")
	ch.plan = []step{{app: "answer"}, {app: "park"}}
	s.proceed(ch)
	a.uuid = ch.uuid
	s.unlock()
	return ch.uuid, s.until(ctx, ch, t.number+" waits", func() bool {
		top := ch.top()
		return top != nil && top.app == "park"
	})
}

// offerStandby connects a caller with an agent whose leg waits. One whose leg is
// gone is logged out; the caller goes on waiting.
func (s *Switch) offerStandby(q *queueCall) {
	a := q.agent
	leg := s.live(a.uuid)
	if leg == nil {
		s.setAgentStatus(a, "Logged Out")
		a.uuid = ""
		s.ccEvent(nil, fromCCCall, append([]header{{"CC-Queue", q.queue}, {"CC-Action", "bridge-agent-fail"}, {"CC-Hangup-Cause", "NONE"}, {"CC-Agent", a.Name},
			{"CC-Agent-System", "single_box"}, {"CC-Agent-Called-Time", "0"}, {"CC-Agent-Aborted-Time", unix(s.now)}, {"CC-Member-Joined-Time", unix(q.joined)}}, q.member4()...)...)
		s.setAgentState(a, "Waiting")
		s.dispatch(q)
		return
	}
	for _, v := range []header{{"cc_side", "agent"}, {"cc_queue", q.queue}, {"cc_agent", a.Name}, {"cc_agent_type", a.Type},
		{"cc_member_uuid", q.uuid}, {"cc_member_session_uuid", q.member.uuid}} {
		leg.set(v.name, v.value)
	}
	q.leg, leg.queue = leg, q
	s.announceAgent(q)
	s.uuidBridge(q.member, leg)
	var look func(left time.Duration)
	look = func(left time.Duration) {
		switch {
		case leg.bridge != nil && leg.bridge.peer(leg) == q.member:
			s.inQueueCall(q)
			s.watchStandby(q)
		case leg.dead || q.member.dead || left <= 0:
			s.releaseAgent(q)
		default:
			s.after(legLag, func() { look(left - legLag) })
		}
	}
	s.after(legLag, func() { look(standbyWait) })
}

// watchStandby releases a standby agent as soon as he is in no bridge, wherever
// his leg and the caller's have gone.
func (s *Switch) watchStandby(q *queueCall) {
	s.after(releaseLag, func() {
		if q.over {
			return
		}
		if q.leg.dead || q.leg.bridge == nil {
			s.endQueueCall(q)
			return
		}
		s.watchStandby(q)
	})
}

// dispatch offers a caller to his agent as soon as that one may be called: also
// one who is in a room, if the switch thinks that he waits.
func (s *Switch) dispatch(q *queueCall) {
	a := q.agent
	switch {
	case q.member.dead:
		q.over = true
		s.countMembers(q.queue, -1)
	case a.available() && a.state == "Waiting" && s.now.Unix() >= a.ready && (a.ended.IsZero() || a.ended.Unix() < s.now.Unix()-int64(a.WrapUp/time.Second)):
		s.setAgentState(a, "Receiving")
		a.offered = s.now
		s.after(offerLag, func() { s.offer(q) })
	default:
		s.after(releaseLag, func() { s.dispatch(q) })
	}
}
