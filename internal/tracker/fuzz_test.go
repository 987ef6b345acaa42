package tracker_test

import (
	"strings"
	"testing"

	"livemon/esl"
	"livemon/internal/seal"
	"livemon/internal/tracker"
)

type event = esl.Event

func eventOf(h map[string]string) *event { return esl.NewEvent(h, "") }

// FuzzLoad feeds anything to the parsers of the switch's answers.
func FuzzLoad(f *testing.F) {
	m := newModel("1001", "1002")
	m.agents = agentColumns + agentRow("ag1", "user/1001@example.com", "Available", 5, 7)
	a := m.create("a", tracker.Inbound, ext("1001"), "1001", "1002")
	b := m.create("b", tracker.Outbound, ext("1002"), "1002", "1001")
	m.bridge(a, b)
	s := m.snapshot()
	f.Add(s.Channels, s.Calls, s.Registrations, s.Conferences, s.CCAgents, s.Users, "agent")
	m.join("lm-1", a, b)
	s = m.snapshot()
	f.Add(s.Channels, s.Calls, []byte(`{"row_count":1,"rows":[{"reg_user":"1001","realm":"x","expires":"9"}]}`), s.Conferences, s.CCAgents, s.Users, "b")
	f.Add([]byte(`{"rows":[{"uuid":1,"direction":null,"created_epoch":{}}]}`), []byte(`{"rows":[null]}`), []byte("-ERR"), []byte(`[null,{"members":[null]}]`), "-ERR", "", "_undef_")
	f.Fuzz(func(t *testing.T, channels, calls, regs, rooms []byte, agents, users, v string) {
		tr, mirror := tracker.New("n", ours), newMirror()
		m := newModel("1001")
		c, err := tr.Load(m.snapshot())
		if err != nil {
			t.Fatal(err)
		}
		mirror.apply(t, c)
		before := table(tr)
		s := tracker.Snapshot{Channels: channels, Calls: calls, Registrations: regs, Conferences: rooms, CCAgents: agents, Users: users, Time: epoch}
		s.Vars = map[string]map[string]string{"a": {"cc_side": v, "cc_agent": v, "last_bridge_to": v, "answered_time": v, "presence_id": v}, "b": {"last_bridge_to": "a", seal.Variable: v}}
		c, err = tr.Load(s)
		if err != nil && (!c.Empty() || table(tr) != before) {
			t.Fatalf("%v, and yet %+v", err, c)
		}
		mirror.apply(t, c)
		mirror.check(t, tr)
		if c, err := tr.Load(s); err == nil && !c.Empty() {
			t.Fatalf("the second time changes %+v", c)
		}
	})
}

// FuzzApply feeds events with any headers, one event a paragraph.
func FuzzApply(f *testing.F) {
	f.Add("Event-Name: CHANNEL_CREATE\nUnique-ID: a\nCall-Direction: inbound\nChannel-Presence-ID: 1@x\n\nEvent-Name: CHANNEL_BRIDGE\nUnique-ID: a\nBridge-A-Unique-ID: a\nBridge-B-Unique-ID: b\n\nEvent-Name: CHANNEL_HANGUP\nUnique-ID: b")
	f.Add("Event-Name: CUSTOM\nEvent-Subclass: conference::maintenance\nAction: add-member\nConference-Name: lm-1\nMember-ID: -1\nUnique-ID: a\nAnswer-State: answered")
	f.Add("Event-Name: CUSTOM\nEvent-Subclass: callcenter::info\nCC-Action: agent-contact-change\nCC-Agent: x\nCC-Agent-Contact: [a]{b}user/1@x")
	f.Add("Event-Name: CUSTOM\nEvent-Subclass: sofia::register\nfrom-user: 1\nfrom-host: x\ncall-id: c\nexpires: 99999999999999999999")
	f.Fuzz(func(t *testing.T, text string) {
		tr, mirror := tracker.New("n", ours), newMirror()
		mirror.apply(t, tr.SetUser("1@x", true))
		for block := range strings.SplitSeq(text, "\n\n") {
			h := map[string]string{}
			for line := range strings.SplitSeq(block, "\n") {
				if k, v, ok := strings.Cut(line, ": "); ok {
					h[k] = v
				}
			}
			mirror.apply(t, tr.Apply(eventOf(h)))
			mirror.check(t, tr)
		}
		for _, id := range tr.UnknownPresence() {
			mirror.apply(t, tr.SetUser(id, true))
		}
		mirror.check(t, tr)
	})
}
