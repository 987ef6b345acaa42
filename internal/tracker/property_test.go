package tracker_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"livemon/internal/seal"
	"livemon/internal/tracker"
)

// essence is what a full read and the events must agree about: everything but
// times, and numbers of parties who have gone.
func essence(tr *tracker.Tracker) string {
	var b strings.Builder
	for _, a := range tr.Agents() {
		user := a.User
		if c, ok := tr.CallOf(a.Agent); ok && c.User == "" {
			user = ""
		}
		fmt.Fprintln(&b, a.Agent, a.Extension, a.State, a.Call, user, a.Direction, a.Queue)
	}
	for _, c := range tr.Calls() {
		number := c.UserNumber
		if c.User == "" {
			number = ""
		}
		fmt.Fprintln(&b, " ", c.ID, c.Agent, c.Pupil, c.User, number, c.Direction, c.Queue, c.Room, c.OnHold)
	}
	return b.String()
}

func TestEventsAndFullReadsAgree(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := newModel("1001", "1002", "1003")
		m.agents = agentColumns + agentRow("ag1", "user/1001@example.com", "Available", 0, 0)
		tr, mirror := tracker.New("n", ours), newMirror()
		load := func(tr *tracker.Tracker) tracker.Changes {
			c, err := tr.Load(m.snapshot())
			if err != nil {
				t.Fatalf("%v", err)
			}
			return c
		}
		mirror.apply(t, load(tr))
		m.handle = func(e *event) {
			mirror.apply(t, tr.Apply(e))
			mirror.check(t, tr)
			if c := tr.Apply(e); !c.Empty() {
				t.Fatalf("%s twice changes %+v", e.Name, c)
			}
		}
		n := 0
		party := func(label string) *channel {
			if len(m.channels) == 0 {
				return nil
			}
			return m.channels[rapid.SampledFrom(slices.Sorted(maps.Keys(m.channels))).Draw(t, label)]
		}
		supervisor := func(c *channel) bool { return c.vars[seal.Variable] != "" }
		steps := rapid.IntRange(1, 60).Draw(t, "steps")
		for range steps {
			switch rapid.SampledFrom([]string{"create", "create", "answer", "bridge", "bridge", "part", "ours", "ours", "shop", "leave", "hold", "hangup", "return"}).Draw(t, "op") {
			case "create":
				n++
				dir := rapid.SampledFrom([]string{tracker.Inbound, tracker.Outbound}).Draw(t, "direction")
				who := rapid.SampledFrom([]string{"1001", "1002", "1003", "555", "queue", "supervisor"}).Draw(t, "who")
				id, presence, vars := fmt.Sprintf("c%02d", n), "", []string(nil)
				switch who {
				case "queue":
					presence, dir = ext("1001"), tracker.Outbound
					vars = []string{"cc_side", "agent", "cc_agent", "ag1", "cc_queue", "q"}
				case "supervisor":
					presence, vars = ext("1003"), []string{seal.Variable, "session=s"}
				case "555":
				default:
					presence = ext(who)
				}
				m.create(id, dir, presence, who, "900", vars...)
			case "answer":
				if c := party("channel"); c != nil {
					m.answer(c)
				}
			case "bridge":
				if a, b := party("a"), party("b"); a != b && a != nil && !supervisor(a) && !supervisor(b) {
					m.bridge(a, b)
				}
			case "part":
				if c := party("channel"); c != nil {
					m.part(c)
				}
			case "ours":
				if c := party("channel"); c != nil {
					if p := m.channels[c.last]; p != nil && p.last == c.id && p.partner == c.id {
						m.join("lm-"+c.id, c, p)
					} else if supervisor(c) {
						m.join("lm-"+party("room").id, c)
					}
				}
			case "shop":
				if c := party("channel"); c != nil {
					m.join("shop", c)
				}
			case "leave":
				if c := party("channel"); c != nil {
					m.leave(c)
				}
			case "return":
				if c := party("channel"); c != nil {
					if p := m.channels[c.last]; p != nil && p.last == c.id && c.room != "" && p.room == c.room {
						before := ids(tr)
						m.bridge(c, p)
						if after := ids(tr); strings.HasPrefix(p.room, "lm-") && !maps.Equal(before, after) {
							t.Fatalf("calls %v became %v on the way back to a bridge", before, after)
						}
					}
				}
			case "hold":
				if c := party("channel"); c != nil {
					m.hold(c, !c.held)
				}
			case "hangup":
				if c := party("channel"); c != nil {
					m.hangup(c)
				}
			}
		}
		if got := tr.Legs(); got != len(m.channels) {
			t.Fatalf("%d legs of %d channels", got, len(m.channels))
		}
		fresh := tracker.New("n", ours)
		load(fresh)
		if a, b := essence(tr), essence(fresh); a != b {
			t.Fatalf("by events:\n%s\nby a full read:\n%s", a, b)
		}
		// What was on its way while the read was made is seen again afterwards.
		for _, e := range m.sent[rapid.IntRange(0, len(m.sent)).Draw(t, "again from"):] {
			fresh.Apply(e)
		}
		if a, b := essence(tr), essence(fresh); a != b {
			t.Fatalf("by events:\n%s\nby a full read and the last events once more:\n%s", a, b)
		}
		c := load(tr)
		mirror.apply(t, c)
		mirror.check(t, tr)
		if !c.Empty() {
			t.Fatalf("reading what is known changes %+v", c)
		}
	})
}

func ids(tr *tracker.Tracker) map[string]string {
	out := map[string]string{}
	for _, c := range tr.Calls() {
		out[c.ID+c.Agent] = c.User
	}
	return out
}

// TestAnyOrder applies events in no order at all: the state may be anything, but
// it must hold together.
func TestAnyOrder(t *testing.T) {
	names := append(tracker.Events(), "CHANNEL_DESTROY", "CHANNEL_STATE", "HEARTBEAT", "")
	rapid.Check(t, func(t *rapid.T) {
		tr, mirror := tracker.New("n", ours), newMirror()
		id := rapid.SampledFrom([]string{"a", "b", "c", "d", ""})
		one := func(label string, of ...string) string { return rapid.SampledFrom(append(of, "")).Draw(t, label) }
		for range rapid.IntRange(1, 80).Draw(t, "events") {
			name, sub, _ := strings.Cut(one("name", names...), " ")
			e := eventOf(map[string]string{
				"Event-Name": name, "Event-Subclass": sub, "Event-Date-Timestamp": fmt.Sprint(rapid.IntRange(0, 100).Draw(t, "time") * 1e6),
				"Unique-ID": id.Draw(t, "id"), "Bridge-A-Unique-ID": id.Draw(t, "A"), "Bridge-B-Unique-ID": id.Draw(t, "B"),
				"Other-Leg-Unique-ID": id.Draw(t, "other"), "Old-Unique-ID": id.Draw(t, "old"), "Call-Direction": one("dir", "inbound", "outbound"),
				"Answer-State": one("answer", "answered", "ringing", "hangup"), "Channel-Call-State": one("state", "HELD", "UNHELD", "ACTIVE"),
				"Channel-Presence-ID": one("presence", "1@x", "2@x"), "Action": one("action", "add-member", "del-member", "conference-destroy", "floor-change"),
				"Conference-Name": one("room", "lm-1", "lm-2", "shop"), "Member-ID": one("member", "1", "2"),
				"variable_cc_side": one("side", "agent", "member"), "variable_cc_agent": one("agent", "x", "1@x"),
				"variable_" + seal.Variable: one("session", "session=s"), "CC-Agent": one("cc", "x", "1@x"), "CC-Agent-Status": one("status", "Logged Out", "Available"),
				"CC-Action":        one("ccaction", "agent-add", "agent-status-change", "agent-contact-change", "bridge-agent-end"),
				"CC-Agent-Contact": one("contact", "user/1@x", "user/2", "user/2@x"), "CC-Agent-Type": one("type", "uuid-standby"), "CC-Agent-Bridged": "true",
				"from-user": one("user", "1", "2"), "from-host": "x", "user": "1", "host": "x", "call-id": one("call", "r1", "r2"), "expires": "9",
			})
			mirror.apply(t, tr.Apply(e))
			mirror.check(t, tr)
			switch rapid.IntRange(0, 9).Draw(t, "also") {
			case 0:
				mirror.apply(t, tr.SetUser(one("who", "1@x", "2@x"), rapid.Bool().Draw(t, "exists")))
			case 1:
				mirror.apply(t, tr.Tick(epoch))
			case 2:
				tr.UnknownPresence()
			case 3:
				m := newModel()
				m.agents = agentColumns + agentRow("x", "user/1@x", "Available", 5, 0)
				c, err := tr.Load(m.snapshot())
				if err != nil {
					t.Fatalf("%v", err)
				}
				mirror.apply(t, c)
			}
			mirror.check(t, tr)
		}
	})
}
