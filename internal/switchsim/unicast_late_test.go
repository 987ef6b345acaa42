package switchsim

import (
	"math"
	"slices"
	"testing"
)

// TestWhatIsAlwaysALittleLateIsHeard: each frame comes after the one that it was
// for, as it may on a busy machine. A tone that begins then is heard all the same,
// and so is its end.
func TestWhatIsAlwaysALittleLateIsHeard(t *testing.T) {
	tone, silence := make([]int16, audioFrame), make([]int16, audioFrame)
	n := 0
	sounding := func() []int16 {
		for i := range tone {
			tone[i] = int16(5000 * math.Sin(2*math.Pi*620*float64(n)/audioRate))
			n++
		}
		return slices.Clone(tone)
	}
	loud := func(frame []int16) bool { return slices.ContainsFunc(frame, func(v int16) bool { return v > 1000 }) }
	u := &unicast{last: silence}
	for _, on := range []bool{false, true, false, true} {
		heard := false
		for range 10 {
			u.last = u.next()
			heard = loud(u.last)
			frame := silence
			if on {
				frame = sounding()
			}
			u.take(frame)
		}
		if heard != on {
			t.Errorf("it sounds: %v, and is heard: %v", on, heard)
		}
	}
}
