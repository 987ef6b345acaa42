package tracker_test

import (
	"testing"
	"time"

	"livemon/internal/tracker"
	"livemon/internal/wire"
)

func (w *world) queue(action, agent string, more ...string) {
	w.send("CUSTOM", nil, append([]string{"Event-Subclass", "callcenter::info", "CC-Action", action, "CC-Agent", agent}, more...)...)
}

// queued brings a caller to an agent through a queue.
func (w *world) queued(agent, extension string) (member, pupil *channel) {
	member = w.create("m-"+agent, tracker.Inbound, "", "555", "q")
	w.answer(member)
	member.vars["cc_side"], member.vars["cc_queue"] = "member", "support@default"
	pupil = w.create("p-"+agent, tracker.Outbound, extension, "1001", "555", "cc_side", "agent", "cc_agent", agent, "cc_queue", "support@default")
	w.answer(pupil)
	w.bridge(member, pupil)
	member.vars["cc_agent"] = agent
	return member, pupil
}

func TestQueueAgentAndExtensionAreOne(t *testing.T) {
	w := newWorld(t, "1001")
	w.is(ext("1001"), "idle", "")
	w.agents = agentColumns + agentRow("ag1", "[leg_timeout=10]user/1001@example.com", "Available", 0, 0)
	w.load()
	if got := w.tr.Agents(); len(got) != 1 || got[0].Agent != "ag1" || got[0].Extension != ext("1001") {
		t.Fatal(got)
	}
	m, p := w.queued("ag1", ext("1001"))
	c := w.on("ag1", m.id, "")
	if c.Queue != "support@default" || c.Pupil != p.id {
		t.Errorf("%+v", c)
	}
	w.hangup(p)
	// A call past the queue is his too.
	w.create("x", tracker.Inbound, ext("1001"), "1001", "777")
	w.is("ag1", "ringing", "777")
	// mod_callcenter forgets him: the extension stays.
	w.agents = "+OK\n"
	w.load()
	w.is(ext("1001"), "ringing", "777")
	if got := w.tr.Agents(); len(got) != 1 {
		t.Fatal(got)
	}
}

func TestContacts(t *testing.T) {
	for dial, want := range map[string]string{
		"user/1001@example.com":                         ext("1001"),
		"{a=b,c=d}[x=y]user/1001@example.com":           ext("1001"),
		"<ent=1>{a=b} user/1001@Example.com|user/2@x":   ext("1001"),
		"user/1001@example.com,user/1002@example.com":   ext("1001"),
		"user/1001@example.com:_:user/1002@example.com": ext("1001"),
		"user/1001":                          ext("1001"),
		"user/4444":                          "",
		"sofia/internal/1001%example.com":    ext("1001"),
		"verto.rtc/1001@example.com":         ext("1001"),
		"sofia/gateway/carrier/0044555":      "",
		"loopback/1001":                      "",
		"[unclosed user/1001@example.com":    "",
		"":                                   "",
		"user/":                              "",
		"user/10 01@example.com":             "",
		"user/1001@example.com\nuuid_kill x": "",
		"[a=b]":                              "",
	} {
		w := newWorld(t, "1001")
		w.queue("agent-add", "ag1", "CC-Agent-Type", "callback")
		w.queue("agent-contact-change", "ag1", "CC-Agent-Contact", dial)
		if a, _ := w.tr.Agent("ag1"); a.Extension != want {
			t.Errorf("%q: extension %q by events", dial, a.Extension)
		}
		if dial == "user/1001@example.com\nuuid_kill x" {
			continue
		}
		w = newWorld(t, "1001")
		w.agents = agentColumns + agentRow("ag1", dial, "Available", 0, 0)
		w.load()
		if a, _ := w.tr.Agent("ag1"); a.Extension != want {
			t.Errorf("%q: extension %q by a full read", dial, a.Extension)
		}
	}
}

func TestAgentNamedAsHisExtension(t *testing.T) {
	w := newWorld(t, "1001")
	w.queue("agent-status-change", ext("1001"), "CC-Agent-Status", "Available")
	if got := w.tr.Agents(); len(got) != 1 || got[0].Extension != "" {
		t.Fatal(got)
	}
	w.create("x", tracker.Inbound, ext("1001"), "1001", "777")
	w.is(ext("1001"), "ringing", "777")
	w.queue("agent-status-change", ext("1001"), "CC-Agent-Status", "Logged Out")
	w.load()
	w.is(ext("1001"), "ringing", "777")
}

func TestSharedExtension(t *testing.T) {
	w := newWorld(t, "1001")
	w.agents = agentColumns + agentRow("day", "user/1001@example.com", "Available", 0, 0) + agentRow("night", "user/1001@example.com", "Logged Out", 0, 0)
	w.load()
	x := w.create("x", tracker.Inbound, ext("1001"), "1001", "777")
	w.is("day", "ringing", "777")
	w.is("night", "logged-out", "")
	w.queue("agent-status-change", "day", "CC-Agent-Status", "Logged Out")
	w.queue("agent-status-change", "night", "CC-Agent-Status", "Available")
	w.is("night", "ringing", "777")
	w.is("day", "logged-out", "")
	w.hangup(x)
	w.queued("day", ext("1001")) // the queue's word counts more than the extension
	w.is("day", "on-call", "555")
}

func TestAgentUnknownUntilHisCall(t *testing.T) {
	w := newWorld(t, "1001")
	w.queued("ag7", ext("1001"))
	w.is("ag7", "on-call", "555")
	if got := w.tr.Agents(); len(got) != 1 || got[0].Extension != ext("1001") {
		t.Fatal(got)
	}
}

func TestWrapUp(t *testing.T) {
	w := newWorld(t, "1001")
	w.agents = agentColumns + agentRow("ag1", "user/1001@example.com", "Available", 30, 0)
	w.load()
	_, p := w.queued("ag1", ext("1001"))
	w.hangup(p)
	w.is("ag1", "wrap-up", "")
	began, _ := w.tr.Agent("ag1")
	w.queue("bridge-agent-end", "ag1", "CC-Agent-Bridged", "true")
	ends := w.now.Add(30 * time.Second)
	w.took(w.tr.Tick(ends.Add(-time.Millisecond)))
	w.is("ag1", "wrap-up", "")
	if a, _ := w.tr.Agent("ag1"); !a.Since.Equal(began.Since) {
		t.Error("wrap-up began anew:", a.Since)
	}
	w.took(w.tr.Tick(ends.Add(5 * time.Second)))
	w.is("ag1", "idle", "")
	if a, _ := w.tr.Agent("ag1"); !a.Since.Equal(ends) {
		t.Errorf("idle since %v, not %v", a.Since, ends)
	}

	// A call that nobody answered leaves nothing to wrap up, and neither does one past the queue.
	w.queue("bridge-agent-fail", "ag1")
	w.hangup(w.create("y", tracker.Outbound, ext("1001"), "1001", "5"))
	w.is("ag1", "idle", "")
	u, a := w.outside("999", "1001")
	w.hangup(a)
	w.hangup(u)
	w.is("ag1", "idle", "")

	// Whoever logs out is not wrapping up; whoever is called again is not either.
	w.queue("bridge-agent-end", "ag1", "CC-Agent-Bridged", "true")
	w.is("ag1", "wrap-up", "")
	w.create("z", tracker.Outbound, ext("1001"), "1001", "5")
	w.is("ag1", "ringing", "5")
	w.hangup(w.channels["z"])
	w.is("ag1", "wrap-up", "")
	w.queue("agent-status-change", "ag1", "CC-Agent-Status", "Logged Out")
	w.is("ag1", "logged-out", "")
}

func TestWrapUpFromAFullRead(t *testing.T) {
	w := newWorld(t)
	end := epoch.Add(-10 * time.Second)
	w.agents = agentColumns + agentRow("ag1", "user/1001@example.com", "Available", 30, end.Unix()) +
		agentRow("ag2", "user/1002@example.com", "Available", 5, end.Unix()) +
		agentRow("ag3", "user/1003@example.com", "Logged Out", 30, 0)
	w.load()
	for name, want := range map[string]struct {
		state wire.AgentState
		since time.Time
	}{"ag1": {wire.WrapUp, end}, "ag2": {wire.Idle, epoch}, "ag3": {wire.LoggedOut, epoch}} {
		if a, _ := w.tr.Agent(name); a.State != want.state || !a.Since.Equal(want.since) {
			t.Errorf("%+v, not %+v", a, want)
		}
	}
	w.took(w.tr.Tick(epoch.Add(time.Minute)))
	w.is("ag1", "idle", "")
}

func TestStandbyAgent(t *testing.T) {
	w := newWorld(t, "1001")
	w.agents = agentColumns + "sb|single_box|leg|uuid-standby||Available|Waiting|3|10|0|0|0|0|0|0|0|0|0|0|0|0\n"
	leg := w.create("leg", tracker.Inbound, ext("1001"), "1001", "*20")
	w.answer(leg)
	w.load()
	w.is("sb", "idle", "") // his leg only waits
	u := w.create("u", tracker.Inbound, "", "555", "q")
	leg.vars["cc_side"], leg.vars["cc_agent"] = "agent", "sb"
	w.bridge(u, leg)
	w.is("sb", "on-call", "555")
	w.part(u)
	w.queue("bridge-agent-end", "sb", "CC-Agent-Bridged", "true")
	w.hangup(u)
	w.is("sb", "wrap-up", "")
	if len(w.tr.Calls()) != 0 {
		t.Error(w.tr.Calls())
	}
	w.took(w.tr.Tick(w.now.Add(time.Minute)))
	w.is("sb", "idle", "")
}
