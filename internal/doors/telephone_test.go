package doors_test

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"livemon/internal/fault"
	"livemon/internal/monitor"
	"livemon/internal/switchsim"
	"livemon/internal/wire"
)

// dial has a telephone dial the feature code and something.
func (h *house) dial(from, what string) string {
	h.t.Helper()
	leg, err := h.sim.Dial(h.t.Context(), from, feature+what)
	h.must(err)
	return leg
}

func (h *house) gone(legs ...string) {
	h.t.Helper()
	h.until("they are hung up on", func() bool {
		return !slices.ContainsFunc(h.sim.Channels(), func(c switchsim.ChannelInfo) bool { return slices.Contains(legs, c.UUID) })
	})
}

// played waits until a leg was played a prompt so many times; false if it has gone before.
func (h *house) played(leg, prompt string, times int) bool {
	h.t.Helper()
	so := func() bool { return strings.Count(strings.Join(h.sim.Played(leg), " "), "/"+prompt+".wav") >= times }
	h.until(prompt+" is played", func() bool {
		return so() || !slices.ContainsFunc(h.sim.Channels(), func(c switchsim.ChannelInfo) bool { return c.UUID == leg })
	})
	return so()
}

func (h *house) nobodyListens() {
	h.t.Helper()
	if list, _ := h.svc.Sessions(h.t.Context()); len(list) != 0 {
		h.t.Errorf("sessions %+v", list)
	}
}

// TestDialledNonsense dials the feature code followed by what is no extension,
// with an account that may listen to everybody.
func TestDialledNonsense(t *testing.T) {
	t.Parallel()
	h := build(t)
	h.account("sue", func(c *wire.AccountChange) {
		c.Rights, c.Agents, c.Extension = ptr(wire.Actions()), ptr([]string{"*"}), ptr("1002")
	})
	for i := range 6 { // a telephone each, so that all can be tried at once
		h.account(fmt.Sprint("sue", i), func(c *wire.AccountChange) {
			c.Rights, c.Agents, c.Extension = ptr(wire.Actions()), ptr([]string{"*"}), ptr(fmt.Sprint(1003+i))
		})
	}
	c := h.call("5550100", "1001")
	h.rest()
	nonsense := []string{"", "*", "1001,1003", "1001\r\n\r\napi shutdown", "1001\x00", "{x=y}user/1003", "${hangup()}", "1001 &park()", "1001'", "1001|1003", "1001@", "@" + domain, "%31001",
		strings.Repeat("1", 5000), "../1001", "<b>1001", "1001;ls", "*88" + "1001", "１００１"}
	h.quiet("nonsense", func() {
		for part := range slices.Chunk(nonsense, 7) {
			var legs []string
			for i, what := range part {
				leg, err := h.sim.Dial(t.Context(), fmt.Sprint(1002+i), feature+what)
				if err == nil { // the switch itself may refuse it
					legs = append(legs, leg)
				}
			}
			h.gone(legs...)
			h.nobodyListens()
		}
	})
	if !h.bridgedWith(c) {
		t.Error("the call was touched")
	}
}

// TestForgedCallers dials in from telephones that say of themselves what is not so.
func TestForgedCallers(t *testing.T) {
	t.Parallel()
	h := build(t)
	h.account("sue", func(c *wire.AccountChange) {
		c.Rights, c.Agents, c.Extension = ptr(wire.Actions()), ptr([]string{"1001"}), ptr("1002")
	})
	h.account("tenant", func(c *wire.AccountChange) {
		c.Rights, c.Agents, c.Extension = ptr(wire.Actions()), ptr([]string{"1001"}), ptr("1003@other.example")
	})
	h.account("gary", func(c *wire.AccountChange) {
		c.Rights, c.Agents, c.Extension, c.Disabled = ptr(wire.Actions()), ptr([]string{"1001"}), ptr("1004"), ptr(true)
	})
	h.account("ida", func(c *wire.AccountChange) { c.Agents, c.Extension = ptr([]string{"1001"}), ptr("1005") })
	h.call("5550100", "1001")
	h.rest()
	h.quiet("forged callers", func() {
		var legs []string
		// An outside call with an account's extension as its number; a telephone of
		// the same number in another domain; a disabled account's; one without a
		// right; the agent's own; nobody's.
		for _, from := range []string{"1003", "1004", "1005", "1006", "5550177"} {
			legs = append(legs, h.dial(from, "1001"))
		}
		h.gone(legs...)
		h.nobodyListens()
		h.recorded("what was refused", func(r wire.AuditRecord) bool {
			return r.Event == "refused" && r.Actor == "ida" && r.Via == "telephone" && r.Origin == "1005" && r.Detail != ""
		})
	})
	// Once a supervisor is let in he is asked for nothing that he could answer with a star.
	leg := h.dial("1002", "1001")
	h.until("she listens", func() bool { return slices.Equal(h.hears(leg), []string{"1001", "5550100"}) })
	h.must(h.sim.Press(leg, "*"))
	h.must(h.sim.Press(leg, "*#**##"))
	h.frames(10)
	list, _ := h.svc.Sessions(t.Context())
	if len(list) != 1 || list[0].Role != wire.Monitor || list[0].Follow != wire.FollowCall {
		t.Errorf("%+v", list)
	}
}

// TestPINByForce tries PINs of one account from many telephones at once: all of
// them together have as many attempts as one, and then the right one is of no use.
func TestPINByForce(t *testing.T) {
	t.Parallel()
	h := build(t, func(o *options) { o.cfg.DialInAnywhere, o.cfg.DialInPIN = true, monitor.PINAlways })
	h.account("sue", func(c *wire.AccountChange) {
		c.Rights, c.Agents, c.Extension, c.PIN = ptr(wire.Actions()), ptr([]string{"1001"}), ptr("1002"), ptr("480215")
	})
	h.account("bob", func(c *wire.AccountChange) {
		c.Rights, c.Agents, c.Extension = ptr(wire.Actions()), ptr([]string{"1001"}), ptr("1009")
	})
	h.call("5550100", "1001")
	h.rest()
	h.quiet("PINs by force", func() {
		var wg sync.WaitGroup
		legs := map[string]string{}
		for _, from := range []string{"1003", "1004", "1005", "1006", "1007"} {
			legs[from] = h.dial(from, "1001")
		}
		for from, leg := range legs {
			wg.Go(func() {
				if !h.played(leg, "extension", 1) {
					t.Errorf("%s is not asked for his extension", from)
					return
				}
				_ = h.sim.Press(leg, "1002#")
				for try := 1; try <= 3 && h.played(leg, "pin", try); try++ {
					_ = h.sim.Press(leg, fmt.Sprintf("%d0000%d#", try, try))
				}
			})
		}
		wg.Wait()
		for _, leg := range legs {
			h.gone(leg)
		}
		n := 0
		for _, r := range h.records() {
			if r.Event == "login-refused" && r.Supervisor == "sue" {
				n++
				if r.Origin == "" {
					t.Errorf("%+v", r)
				}
			}
		}
		if n == 0 || n > 4 {
			t.Errorf("%d attempts were let through", n)
		}
		// The right one, from her own telephone; and who has none may not dial in at all.
		hers, his := h.dial("1002", "1001"), h.dial("1009", "1001")
		if h.played(hers, "pin", 1) {
			h.must(h.sim.Press(hers, "480215#"))
		}
		for try := 1; try <= 3 && h.played(his, "pin", try); try++ {
			_ = h.sim.Press(his, "480215#")
		}
		h.gone(hers, his)
		h.nobodyListens()
	})
	if !slices.ContainsFunc(h.records(), func(r wire.AuditRecord) bool {
		return r.Event == "refused" && r.Code == int(fault.NotAllowed) && r.Via == "telephone"
	}) {
		t.Error("nothing of it is recorded")
	}
	for _, r := range h.records() {
		if strings.Contains(fmt.Sprint(r), "480215") {
			t.Errorf("the PIN is recorded: %+v", r)
		}
	}
}
