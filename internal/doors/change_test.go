package doors_test

import (
	"slices"
	"sync"
	"testing"

	"livemon/internal/wire"
)

// TestTakenAwayMeanwhile takes the right to listen away while many ask for it, by
// API and telephone: when it is over nobody listens.
func TestTakenAwayMeanwhile(t *testing.T) {
	t.Parallel()
	h := build(t)
	h.account("sue", func(c *wire.AccountChange) { c.Rights, c.Agents = ptr(wire.Actions()), ptr([]string{"1001"}) })
	c := h.call("5550100", "1001")
	k := bearer(h.token("sue"))
	var wg sync.WaitGroup
	for i, phone := range []string{"1002", "1003", "1004", "1005", "1006", "1007"} {
		wg.Go(func() {
			follow := []wire.Follow{wire.FollowCall, wire.FollowAgent, wire.FollowNext}[i%3]
			h.ask(k, "POST", "/v1/sessions", wire.MonitorRequest{Agent: "1001", Phone: phone, Coaching: true, Follow: follow})
		})
	}
	h.edit("sue", wire.AccountChange{Rights: &[]wire.Action{}})
	wg.Wait()
	h.until("nobody has a session", func() bool {
		list, _ := h.svc.Sessions(t.Context())
		return !slices.ContainsFunc(list, func(x wire.Session) bool { return !ended(x) })
	})
	h.until("nobody is on the line", func() bool { return len(h.sim.Channels()) == 2 })
	h.until("the call goes on", func() bool {
		return slices.Equal(h.hears(c.A), []string{"1001"}) && slices.Equal(h.hears(c.B), []string{"5550100"})
	})
}
