package switchsim_test

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"testing"
	"time"

	"livemon/internal/switchsim"
)

// standby is a switch with an agent whose leg waits, on a call that is moved into a room.
func standby(t *testing.T, protect bool) (s *switchsim.Switch, c, ev *client, k switchsim.Call) {
	t.Helper()
	s = start(t, switchsim.Options{Agents: []switchsim.CCAgent{{Name: "ag1", Contact: "user/1001@127.0.0.1", Type: "uuid-standby"}}})
	c, ev = connect(t, s), connect(t, s, "CUSTOM callcenter::info")
	leg, err := s.Standby(ctx(t), "ag1")
	must(t, err)
	k, err = s.CallQueue(ctx(t), "0171", "", "ag1")
	must(t, err)
	if k.B != leg {
		t.Errorf("the agent's leg is %s, not %s", k.B, leg)
	}
	c.want("uuid-standby", "uuid_getvar %s cc_agent_type", leg)
	if protect {
		c.want("+OK", "callcenter_config agent set ready_time ag1 %d", time.Now().Unix()+3600)
	}
	c.want("+OK", "uuid_transfer %s -both conference:lm@default inline", k.A)
	for _, want := range []string{"member-queue-start", "members-count", "agent-state-change Receiving", "agent-offering", "bridge-agent-start", "members-count",
		"agent-state-change In a queue call", "bridge-agent-end", "member-queue-end", "agent-state-change Waiting"} {
		if got := label(ev.event()); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	waitRoom(t, s, "lm")
	return s, c, ev, k
}

func label(e *event) string { return strings.TrimSpace(e.label() + " " + e.get("CC-Agent-State")) }

// column is a field of an agent's row.
func column(c *client, name string) string {
	c.t.Helper()
	rows := strings.Split(c.api("callcenter_config agent list ag1"), "\n")
	for i, title := range strings.Split(rows[0], "|") {
		if title == name {
			return strings.Split(rows[1], "|")[i]
		}
	}
	c.t.Fatalf("no column %s in %q", name, rows)
	return ""
}

// TestAStandbyAgentIsTakenOutOfTheRoom: to mod_callcenter a call that is in no
// bridge is over, and the agent gets the next one.
func TestAStandbyAgentIsTakenOutOfTheRoom(t *testing.T) {
	s, c, _, k := standby(t, false)
	k2, err := s.CallQueue(ctx(t), "0172", "", "ag1")
	must(t, err)
	if k2.B != k.B || hears(s, "1001") != "0172" {
		t.Errorf("%v, the agent hears %s", k2, hears(s, "1001"))
	}
	if all := c.api("conference lm list"); strings.Count(all, "\n") != 0 || !strings.Contains(all, k.A) {
		t.Errorf("in the room: %q", all)
	}
}

// TestAStandbyAgentIsKept: with a ready_time he is passed over, and with his state
// set he is shown as he is; nobody else puts him back.
func TestAStandbyAgentIsKept(t *testing.T) {
	s, c, ev, k := standby(t, true)
	ended := column(c, "last_bridge_end")
	if column(c, "ready_time") == "0" || ended == "0" {
		t.Error(c.api("callcenter_config agent list ag1"))
	}
	waits := func() {
		t.Helper()
		waiting, cancel := context.WithCancel(ctx(t))
		done := make(chan error, 1)
		go func() { _, err := s.CallQueue(waiting, "0172", "", "ag1"); done <- err }()
		wait(t, s, "the second caller", func() bool { return s.Leg("0172") != "" })
		pass(t, s, 75)
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("a second call: %v", err)
		}
		wait(t, s, "the second caller's end", func() bool { return s.Leg("0172") == "" })
	}
	waits()
	c.want("+OK", "callcenter_config agent set state ag1 'In a queue call'")
	if e := ev.until("CC-Action=agent-state-change"); e.get("CC-Agent-State") != "In a queue call" || column(c, "state") != "In a queue call" {
		t.Errorf("%v", e.values)
	}
	waits()
	c.want("+OK "+k.B, "uuid_bridge %s %s", k.A, k.B)
	wait(t, s, "the bridge", func() bool { return memberID(s, "1001") == 0 && hears(s, "1001") == "0171" })
	must(t, s.Hangup("0171", ""))
	wait(t, s, "the agent's leg alone", func() bool { return len(s.Channels()) == 1 && s.Channels()[0].App == "park" })
	pass(t, s, 10)
	if column(c, "state") != "In a queue call" || column(c, "last_bridge_end") != ended {
		t.Error(c.api("callcenter_config agent list ag1"))
	}
	c.want("+OK", "callcenter_config agent set ready_time ag1 %d", time.Now().Unix())
	c.want("+OK", "callcenter_config agent set state ag1 Waiting")
	_, err := s.CallQueue(ctx(t), "0173", "", "ag1")
	must(t, err)
	if hears(s, "1001") != "0173" {
		t.Errorf("the agent hears %s", hears(s, "1001"))
	}
}

func TestAStandbyAgentWithoutHisLegIsLoggedOut(t *testing.T) {
	s := start(t, switchsim.Options{Agents: []switchsim.CCAgent{{Name: "ag1", Contact: "user/1001", Type: "uuid-standby"}, {Name: "ag2", Contact: "user/1002"}}})
	c, ev := connect(t, s), connect(t, s, "CUSTOM callcenter::info")
	_, err := s.Standby(ctx(t), "ag1")
	must(t, err)
	must(t, s.Hangup("1001", ""))
	wait(t, s, "nobody", func() bool { return len(s.Channels()) == 0 })
	waiting, cancel := context.WithCancel(ctx(t))
	done := make(chan error, 1)
	go func() { _, err := s.CallQueue(waiting, "0171", "", "ag1"); done <- err }()
	for _, want := range []string{"member-queue-start", "members-count", "agent-state-change Receiving", "agent-offering", "agent-status-change", "bridge-agent-fail",
		"agent-state-change Waiting"} {
		if got := label(ev.event()); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if column(c, "status") != "Logged Out" || column(c, "uuid") != "" {
		t.Error(c.api("callcenter_config agent list ag1"))
	}
	for _, agent := range []string{"ag2", "nobody"} {
		if _, err := s.Standby(ctx(t), agent); !errors.Is(err, switchsim.ErrFailed) {
			t.Errorf("%s: %v", agent, err)
		}
	}
}

// TestAgentSettings has the answers as a real switch gave them.
func TestAgentSettings(t *testing.T) {
	s := start(t, switchsim.Options{Agents: []switchsim.CCAgent{{Name: "ag1", Contact: "user/1001"}}})
	c := connect(t, s)
	for _, tc := range [][2]string{{"foo ag1 1", "-ERR Invalid Agent Update KEY!"}, {"uuid nobody x", "-ERR Agent not found!"}, {"ready_time ag1 xyz", "+OK"},
		{"uuid ag1 abc", "+OK"}, {"state ag1 Nonsense", "-ERR Invalid Agent State!"}, {"ready_time ag1", "-ERR Invalid!"}} {
		c.want(tc[1], "callcenter_config agent set %s", tc[0])
	}
	if column(c, "uuid") != "abc" || column(c, "ready_time") != "0" {
		t.Error(c.api("callcenter_config agent list ag1"))
	}
	// The leg of an agent who is called is his for the call.
	k, err := s.CallQueue(ctx(t), "0171", "", "ag1")
	must(t, err)
	if got := column(c, "uuid"); got != k.B {
		t.Errorf("uuid %s", got)
	}
	// One who is available on demand waits for somebody to put him back.
	c.want("+OK", "callcenter_config agent set status ag1 'Available (On Demand)'")
	must(t, s.Hangup("1001", ""))
	wait(t, s, "Idle", func() bool { return column(c, "state") == "Idle" })
	if n, err := strconv.Atoi(column(c, "last_bridge_end")); err != nil || n == 0 || column(c, "uuid") != "" {
		t.Error(c.api("callcenter_config agent list ag1"))
	}
}
