package monitor

import (
	"livemon/internal/fault"
	"livemon/internal/wire"
)

// where is the place of a leg, as the switch shows it.
type where int

const (
	gone      where = iota // hung up
	elsewhere              // alive, and in none of the places below
	bridged                // bridged with the call's other party
	inRoom                 // in the call's room
)

// legView is one leg of a supervisor.
type legView struct {
	session  string
	desired  wire.Role
	speaks   bool // heard by the user now: barge or take-over, as seen
	dialing  bool // asked for, and not seen on the switch yet
	alive    bool
	answered bool
	joined   bool // a member of the call's room
	was      bool // has been a member of it
	leaving  bool // has to leave; the reason is known
	ended    bool
}

// callView is everything that decide looks at.
type callView struct {
	pupil, user where
	shop        bool // the room is the shop's own: there may be several users, or none that is known
	others      bool // shop: somebody besides pupil and supervisors is in the room
	legs        []legView
	pupilFirst  bool // both are gone, and the pupil hung up first
	settled     bool // the parties have been where they are for long enough to act on a loss
	returning   bool // the call was sent back to its bridge, and has not been seen there
	vigil       bool // nobody is there to be listened to: a session waits for the agent's next call
	next        bool // vigil: it is there
	follow      bool // sessions follow a user who is transferred away
	followed    bool // they do: he was
}

// action is what the call needs next.
type action int

const (
	endLeg    action = iota // the supervisor's leg is gone: record the session's end
	dismiss                 // sessions have to leave, with a code and a reason
	move                    // bring pupil and user into a room of ours
	join                    // bring a supervisor's leg into the room
	plan                    // bring the room to what is desired
	takenOver               // the pupil is gone and a supervisor talks with the user: say so
	returned                // bring pupil and user back to a bridge
	stranded                // on its way back to the bridge one party hung up: see to the other
	hangUser                // the pupil hung up: end the user's leg as the bridge would have
	hangPupil               // the user hung up: end the pupil's leg as the bridge would have
	follow                  // the user was transferred away: wait for where he arrives
	goOn                    // the agent's next call is there: hand a session over to it
	await                   // something is under way: look again at the next event
	release                 // no session is left and the call needs nothing: forget it
)

// step is an action, for a session where it concerns one.
type step struct {
	action  action
	session string
	code    fault.Code
	reason  string
}

// Reasons that sessions end with.
const (
	reasonHungUp      = "the supervisor hung up"
	reasonRemoved     = "the supervisor was removed from the conference"
	reasonStopped     = "stopped on request"
	reasonPupilGone   = "the agent is no longer on the call"
	reasonUserGone    = "the customer is no longer on the call"
	reasonTransferred = "the call was transferred away"
	reasonStranger    = "the call was transferred to somebody who is no agent"
	reasonCallOver    = "the customer hung up"
	reasonNoAnswer    = "the supervisor's telephone did not answer"
	reasonRestarted   = "it ended while the switch or livemon was away"
	reasonNotOurs     = "livemon no longer controls its leg: the leg is still on the switch, and does not bear a mark that holds"
	reasonUnrecorded  = "nothing could be recorded"
	reasonNotAllowed  = "it is not allowed any more"
	reasonNoNotice    = "the parties could not be given the notice that is wanted"
	reasonSwitch      = "the switch did not answer in time"
)

// decide says what a call needs next. It is pure: the same view always gives
// the same step, whether it was reached by a request, an event or a restart.
func decide(v callView) step {
	live, joined, wantIn := 0, 0, 0
	voice := false // somebody who speaks to the user, or is on the way to it, is in the room
	taking := false
	for _, l := range v.legs {
		if l.ended {
			continue
		}
		if !l.alive && !l.dialing {
			return step{action: endLeg, session: l.session, reason: reasonHungUp}
		}
		live++
		if l.joined {
			joined++
		}
		if l.alive && l.was && !l.joined && !l.leaving {
			return step{action: dismiss, session: l.session, reason: reasonRemoved}
		}
		if l.answered && !l.leaving {
			wantIn++
		}
		if l.joined && !l.leaving && l.speaks {
			voice = true
		}
		if l.joined && !l.leaving && l.desired == wire.TakeOver {
			taking = true
		}
	}

	if v.vigil {
		return decideVigil(v, live, joined)
	}
	if v.shop {
		return decideShop(v, live, joined, taking)
	}
	return decideOurs(v, live, joined, wantIn, voice, taking)
}

// dismissal dismisses the first session that has not been told yet.
func dismissal(v callView, code fault.Code, reason string) (step, bool) {
	for _, l := range v.legs {
		if !l.ended && !l.leaving {
			return step{action: dismiss, session: l.session, code: code, reason: reason}, true
		}
	}
	return step{}, false
}

func nextJoin(v callView) (step, bool) {
	for _, l := range v.legs {
		if !l.ended && l.answered && !l.joined && !l.leaving {
			return step{action: join, session: l.session}, true
		}
	}
	return step{}, false
}

// decideShop is decide for a pupil in a conference of the shop's own. The
// parties there are never touched.
func decideShop(v callView, live, joined int, taking bool) step {
	if live == 0 {
		return step{action: release}
	}
	if v.pupil != inRoom && !(taking && v.others) {
		if s, ok := dismissal(v, fault.PupilGone, reasonPupilGone); ok {
			return s
		}
	}
	if !v.others {
		if s, ok := dismissal(v, fault.UserGone, reasonUserGone); ok {
			return s
		}
	}
	if s, ok := nextJoin(v); ok {
		return s
	}
	if joined > 0 {
		return step{action: plan}
	}
	return step{action: await}
}

// decideOurs is decide for a call between two parties.
func decideOurs(v callView, live, joined, wantIn int, voice, taking bool) step {
	userLeft := v.user == gone || v.user == elsewhere && v.settled
	pupilLeft := v.pupil == gone || v.pupil == elsewhere && v.settled
	switch {
	case v.pupil == gone && v.user == elsewhere && !v.settled:
		return step{action: await} // he is being hung up too, or is on his way to where the agent has transferred him
	case userLeft && v.user == elsewhere && v.follow && live > 0:
		return step{action: follow}
	case userLeft && pupilLeft:
		code, reason := fault.UserGone, reasonCallOver
		switch {
		case v.user == elsewhere:
			reason = reasonTransferred
		case v.pupilFirst && !taking && !v.followed:
			code, reason = fault.PupilGone, reasonPupilGone
		}
		if s, ok := dismissal(v, code, reason); ok {
			return s
		}
	case userLeft:
		reason := reasonCallOver
		if v.user == elsewhere {
			reason = reasonTransferred
		}
		if s, ok := dismissal(v, fault.UserGone, reason); ok {
			return s
		}
		if v.pupil == inRoom && joined == 0 {
			return step{action: hangPupil}
		}
	case pupilLeft && v.user == inRoom && voice:
		// Supervisor and user go on; the room is all there is to see to.
		for _, l := range v.legs {
			if l.joined && !l.leaving && l.speaks && l.desired != wire.TakeOver {
				return step{action: takenOver, session: l.session}
			}
		}
	case pupilLeft && v.user == inRoom && taking:
		// The kick of a take-over was seen before its role was.
	case pupilLeft && v.user == inRoom && !v.settled:
		// The user may be on his way to where the agent has transferred him.
		if joined == 0 {
			return step{action: await}
		}
		return step{action: plan}
	case pupilLeft:
		if s, ok := dismissal(v, fault.PupilGone, reasonPupilGone); ok {
			return s
		}
		if v.user == inRoom && joined == 0 {
			return step{action: hangUser}
		}
	}

	bothHere := v.pupil == inRoom && v.user == inRoom
	switch {
	case v.pupil == bridged && v.user == bridged && wantIn > 0:
		return step{action: move}
	case bothHere || v.user == inRoom && voice:
		if s, ok := nextJoin(v); ok {
			return s
		}
	}
	switch {
	case v.returning && live == 0 && (v.pupil == gone && v.user == elsewhere || v.user == gone && v.pupil == elsewhere):
		if !v.settled {
			return step{action: await}
		}
		return step{action: stranded}
	case joined > 0:
		return step{action: plan}
	case bothHere && live == 0:
		return step{action: returned}
	case live == 0 && !inMotion(v):
		return step{action: release}
	default:
		return step{action: await}
	}
}

// inMotion tells whether a leg of the call is between two places, or in a room
// without the other: nothing can be said of the call yet.
func inMotion(v callView) bool {
	if v.settled {
		return false
	}
	return v.pupil == elsewhere || v.user == elsewhere || (v.pupil == inRoom) != (v.user == inRoom)
}
