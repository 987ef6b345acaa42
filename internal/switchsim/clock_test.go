package switchsim

import (
	"testing"
	"time"
)

// TestTheClockStandsStill while the machine does not run the switch: what was due
// later than that is still to come, and each moment of the machine's clock is
// known to be one of the switch's.
func TestTheClockStandsStill(t *testing.T) {
	begun := time.Now().Add(-time.Minute)
	s := &Switch{now: begun, seen: begun}
	var ran []time.Duration
	for _, d := range []time.Duration{30 * time.Millisecond, 500 * time.Millisecond} {
		s.after(d, func() { ran = append(ran, s.now.Sub(begun)) })
	}
	s.lock()
	s.unlock()
	if len(ran) != 1 || ran[0] != 30*time.Millisecond {
		t.Errorf("after a minute's pause what ran is that of %v", ran)
	}
	for at, want := range map[time.Duration]time.Duration{0: 0, 20 * time.Millisecond: 20 * time.Millisecond, time.Second: stall, 59 * time.Second: stall} {
		if got := s.Clock(begun.Add(at)).Sub(begun); got != want {
			t.Errorf("%v after the beginning the clock showed %v, want %v", at, got, want)
		}
	}
	if got := s.Clock(time.Now()).Sub(begun); got < stall || got > 30*time.Second {
		t.Errorf("now it shows %v", got)
	}
}
