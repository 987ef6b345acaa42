package monitor

import (
	"fmt"
	"testing"

	"livemon/internal/fault"
	"livemon/internal/wire"
)

// leg makes a supervisor's leg; how is letters: a alive, n answered, j joined,
// w was joined, l leaving, s speaks, d dialing, e ended.
func leg(session string, desired wire.Role, how string) legView {
	l := legView{session: session, desired: desired}
	for _, c := range how {
		switch c {
		case 'a':
			l.alive = true
		case 'n':
			l.alive, l.answered = true, true
		case 'j':
			l.alive, l.answered, l.joined = true, true, true
		case 'w':
			l.was = true
		case 'l':
			l.leaving = true
		case 's':
			l.speaks = true
		case 'd':
			l.dialing = true
		case 'e':
			l.ended = true
		default:
			panic(c)
		}
	}
	return l
}

func TestDecide(t *testing.T) {
	mon := func(how string) legView { return leg("s1", wire.Monitor, how) }
	barge := leg("s1", wire.Barge, "js")
	taken := leg("s1", wire.TakeOver, "js")
	second := leg("s2", wire.Monitor, "j")
	for _, tc := range []struct {
		name string
		v    callView
		want step
	}{
		{"his telephone is to ring", callView{pupil: bridged, user: bridged, legs: []legView{mon("d")}}, step{action: await}},
		{"it rings", callView{pupil: bridged, user: bridged, legs: []legView{mon("a")}}, step{action: await}},
		{"he has answered", callView{pupil: bridged, user: bridged, legs: []legView{mon("n")}}, step{action: move}},
		{"the call is in the room", callView{pupil: inRoom, user: inRoom, legs: []legView{mon("n")}}, step{action: join, session: "s1"}},
		{"one party is on its way", callView{pupil: inRoom, user: elsewhere, legs: []legView{mon("n")}}, step{action: await}},
		{"he is in the room", callView{pupil: inRoom, user: inRoom, legs: []legView{mon("j")}}, step{action: plan}},
		{"a second one answers", callView{pupil: inRoom, user: inRoom, legs: []legView{barge, leg("s2", wire.Monitor, "n")}}, step{action: join, session: "s2"}},
		{"he hangs up", callView{pupil: inRoom, user: inRoom, legs: []legView{mon("")}}, step{action: endLeg, session: "s1", reason: reasonHungUp}},
		{"somebody kicks him", callView{pupil: inRoom, user: inRoom, legs: []legView{mon("nw")}}, step{action: dismiss, session: "s1", reason: reasonRemoved}},
		{"one of two hangs up", callView{pupil: inRoom, user: inRoom, legs: []legView{second, mon("")}}, step{action: endLeg, session: "s1", reason: reasonHungUp}},
		{"nobody is left", callView{pupil: inRoom, user: inRoom}, step{action: returned}},
		{"nobody is left but one whose telephone rings", callView{pupil: inRoom, user: inRoom, legs: []legView{mon("a")}}, step{action: await}},
		{"back in the bridge", callView{pupil: bridged, user: bridged}, step{action: release}},
		{"he has to leave", callView{pupil: inRoom, user: inRoom, legs: []legView{mon("jl")}}, step{action: plan}},
		{"he has to leave, and has not answered the room yet", callView{pupil: bridged, user: bridged, legs: []legView{mon("nl")}}, step{action: await}},

		{"the user hangs up", callView{pupil: inRoom, user: gone, legs: []legView{mon("j")}}, step{dismiss, "s1", fault.UserGone, reasonCallOver}},
		{"the user hung up, everybody has left", callView{pupil: inRoom, user: gone}, step{action: hangPupil}},
		{"the user hangs up while it rings", callView{pupil: gone, user: gone, legs: []legView{mon("a")}}, step{dismiss, "s1", fault.UserGone, reasonCallOver}},
		{"the pupil hangs up while it rings", callView{pupil: gone, user: gone, pupilFirst: true, legs: []legView{mon("a")}}, step{dismiss, "s1", fault.PupilGone, reasonPupilGone}},
		{"the pupil has gone; the user may be following him", callView{pupil: gone, user: inRoom, legs: []legView{mon("j")}}, step{action: plan}},
		{"the pupil hung up", callView{pupil: gone, user: inRoom, settled: true, legs: []legView{mon("j")}}, step{dismiss, "s1", fault.PupilGone, reasonPupilGone}},
		{"the pupil hung up; the user may be on his way elsewhere", callView{pupil: gone, user: inRoom}, step{action: await}},
		{"the pupil hung up; the user is still there", callView{pupil: gone, user: inRoom, settled: true}, step{action: hangUser}},
		{"the pupil hangs up on a supervisor who barged in", callView{pupil: gone, user: inRoom, legs: []legView{barge}}, step{action: takenOver, session: "s1"}},
		{"a coach is not heard by the user", callView{pupil: gone, user: inRoom, settled: true, legs: []legView{leg("s1", wire.Coach, "j")}}, step{dismiss, "s1", fault.PupilGone, reasonPupilGone}},
		{"taken over", callView{pupil: gone, user: inRoom, settled: true, legs: []legView{taken, second}}, step{action: plan}},
		{"taken over: his role is not seen yet", callView{pupil: gone, user: inRoom, legs: []legView{leg("s1", wire.TakeOver, "j")}}, step{action: plan}},
		{"a new supervisor joins a call that was taken over", callView{pupil: gone, user: inRoom, legs: []legView{taken, leg("s2", wire.Monitor, "n")}}, step{action: join, session: "s2"}},
		{"taken over, then the user hangs up", callView{pupil: gone, user: gone, pupilFirst: true, legs: []legView{taken}}, step{dismiss, "s1", fault.UserGone, reasonCallOver}},
		{"taken over, then the supervisor leaves", callView{pupil: gone, user: inRoom, settled: true}, step{action: hangUser}},
		{"blind transfer: the user is on his way, the pupil has hung up", callView{pupil: gone, user: elsewhere, legs: []legView{mon("j")}}, step{action: await}},
		{"blind transfer: the user is elsewhere", callView{pupil: gone, user: elsewhere, settled: true, legs: []legView{mon("j")}}, step{dismiss, "s1", fault.UserGone, reasonTransferred}},
		{"transferred away: the pupil is still there", callView{pupil: inRoom, user: elsewhere, settled: true, legs: []legView{mon("j")}}, step{dismiss, "s1", fault.UserGone, reasonTransferred}},
		{"transferred away, the pupil left alone", callView{pupil: inRoom, user: elsewhere, settled: true}, step{action: hangPupil}},
		{"transferred away and nobody is left", callView{pupil: gone, user: elsewhere, settled: true}, step{action: release}},
		{"both in motion", callView{pupil: elsewhere, user: elsewhere}, step{action: await}},

		{"shop: he has answered", callView{shop: true, pupil: inRoom, others: true, legs: []legView{mon("n")}}, step{action: join, session: "s1"}},
		{"shop: he listens", callView{shop: true, pupil: inRoom, others: true, legs: []legView{mon("j")}}, step{action: plan}},
		{"shop: the pupil leaves", callView{shop: true, pupil: gone, others: true, legs: []legView{mon("j")}}, step{dismiss, "s1", fault.PupilGone, reasonPupilGone}},
		{"shop: the others leave", callView{shop: true, pupil: inRoom, legs: []legView{mon("j")}}, step{dismiss, "s1", fault.UserGone, reasonUserGone}},
		{"shop: nobody is left to listen", callView{shop: true, pupil: inRoom, others: true}, step{action: release}},
		{"shop: taken over", callView{shop: true, pupil: gone, others: true, legs: []legView{taken}}, step{action: plan}},
	} {
		if got := decide(tc.v); got != tc.want {
			t.Errorf("%s: %+v, want %+v", tc.name, got, tc.want)
		}
	}
}

// TestDecideNeverHangsUpATalkingParty goes through every view: a party is only
// hung up when the other one has left and no supervisor is in the room.
func TestDecideNeverHangsUpATalkingParty(t *testing.T) {
	places := []where{gone, elsewhere, bridged, inRoom}
	hows := []string{"", "d", "a", "n", "j", "js", "jl", "jsl", "e"}
	for _, pupil := range places {
		for _, user := range places {
			for _, h1 := range hows {
				for _, h2 := range hows {
					for _, role := range []wire.Role{wire.Monitor, wire.Coach, wire.Barge, wire.TakeOver} {
						for bits := range 4 {
							v := callView{pupil: pupil, user: user, settled: bits&1 != 0, pupilFirst: bits&2 != 0,
								legs: []legView{leg("s1", role, h1), leg("s2", wire.Monitor, h2)}}
							got := decide(v)
							joined := false
							for _, l := range v.legs {
								joined = joined || l.joined && !l.ended
							}
							name := fmt.Sprintf("%+v: %+v", v, got)
							switch got.action {
							case hangUser:
								if pupil == inRoom || pupil == bridged || joined || !v.settled || user != inRoom {
									t.Fatal(name)
								}
							case hangPupil:
								if user == inRoom || user == bridged || joined || pupil != inRoom {
									t.Fatal(name)
								}
							case move:
								if pupil != bridged || user != bridged {
									t.Fatal(name)
								}
							case returned:
								if pupil != inRoom || user != inRoom || joined {
									t.Fatal(name)
								}
							case release:
								for _, l := range v.legs {
									if !l.ended {
										t.Fatal(name)
									}
								}
							}
						}
					}
				}
			}
		}
	}
}
