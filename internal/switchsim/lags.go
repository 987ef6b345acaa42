package switchsim

import "time"

// Lags are how long things take in the simulation, as far as that can be chosen. A
// zero is what a real switch was seen to take, a negative time is none.
type Lags struct {
	// Tap is for how long audio is on its way between a tapped leg and the room on
	// the other side of the tap, either way, the room included; default 60 ms.
	Tap time.Duration
	// MuteTail is for how long a room goes on mixing what a member has said before
	// he was muted: up to half a second on a real switch, where his network stalled
	// before. Default none.
	MuteTail time.Duration
	// Second is the unit of sched_api; default 1 s.
	Second time.Duration
}

// directLag is for how long audio is on its way between a leg and a telephone that
// eavesdrops on it, as measured.
const directLag = 40 * time.Millisecond

func (l Lags) tap() time.Duration {
	if l.Tap == 0 {
		return 60 * time.Millisecond
	}
	return max(l.Tap, 0)
}

func (l Lags) second() time.Duration {
	if l.Second <= 0 {
		return time.Second
	}
	return max(l.Second, 10*time.Millisecond)
}
