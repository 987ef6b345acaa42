package monitor_test

import (
	"fmt"
	"strings"
	"testing"
)

// TestPartyHangsUpOnTheWayBack: the last supervisor leaves, and while the call
// goes back to its bridge one party hangs up. The other is let go, as the bridge
// would have.
func TestPartyHangsUpOnTheWayBack(t *testing.T) {
	for _, who := range []string{"customer", "agent"} {
		for _, leaves := range []string{"hangs up", "stops"} {
			t.Run(fmt.Sprint(who, " ", leaves), func(t *testing.T) {
				t.Parallel()
				h := build(t)
				c := h.call("5550100", "1001")
				s := h.listen("1001", "1002")
				before := len(h.sim.Commands())
				if leaves == "stops" {
					done := make(chan struct{})
					t.Cleanup(func() { <-done })
					go func() {
						defer close(done)
						_, _ = h.svc.StopSession(t.Context(), s.ID) // it ends, or has ended
					}()
				} else {
					h.hangup(s.Channel)
				}
				h.until("the way back", func() bool {
					return strings.Contains(strings.Join(h.sim.Commands()[before:], " "), "uuid_bridge")
				})
				if who == "customer" {
					h.hangup(c.A)
				} else {
					h.hangup(c.B)
				}
				h.gone(c.A, c.B)
				h.ended(s.ID, 0)
			})
		}
	}
}
