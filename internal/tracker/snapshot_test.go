package tracker_test

import (
	"bytes"
	"errors"
	"maps"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"livemon/internal/seal"
	"livemon/internal/tracker"
)

func TestCommandsAndFields(t *testing.T) {
	if got, want := len(tracker.SnapshotCommands()), reflect.TypeFor[tracker.Snapshot]().NumField()-2; got != want {
		t.Errorf("%d commands for %d answers", got, want)
	}
	for _, list := range [][]string{tracker.Events(), tracker.Headers(), tracker.SnapshotVars()} {
		seen := map[string]bool{}
		for _, s := range list {
			if s == "" || seen[s] || strings.ContainsAny(s, "\r\n") {
				t.Errorf("%q in %q", s, list)
			}
			seen[s] = true
		}
	}
}

// TestRealTables reads what FreeSWITCH 1.10.12 answered in the middle of a call.
func TestRealTables(t *testing.T) {
	read := func(name string) []byte {
		b, err := os.ReadFile("testdata/" + name)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	const a, b = "0d71eee3-d4f9-43e1-b33f-c432c99f3c3a", "7c860407-962f-4b7b-805b-8b08bbab62b9"
	if got := tracker.ChannelIDs(read("show-channels.json")); !slices.Equal(got, []string{a, b}) {
		t.Error(got)
	}
	if got := tracker.ChannelIDs([]byte("-ERR\n")); len(got) != 0 {
		t.Error(got)
	}
	vars := tracker.DumpVars(read("uuid-dump.json"))
	if want := map[string]string{"presence_id": "1001@127.0.0.1", "dialed_user": "1001", "dialed_domain": "127.0.0.1", "last_bridge_to": a, "answered_time": "1795357210777787", "created_time": "1795357210720165"}; !maps.Equal(vars, want) {
		t.Error(vars)
	}
	if got := tracker.DumpVars([]byte("-ERR No such channel!\n")); got != nil {
		t.Error(got)
	}
	tr := tracker.New("node1", ours)
	at := time.Unix(1795357211, 0)
	c, err := tr.Load(tracker.Snapshot{
		Channels: read("show-channels.json"), Calls: read("show-calls.json"), Registrations: []byte(`{"row_count": 0}`),
		Conferences: []byte("[]\n"), CCAgents: "+OK\n", Users: "-ERR no such thing\n", Time: at,
		Vars: map[string]map[string]string{b: vars, a: {"Caller-Source": "mod_sofia", "sip_authorized": "true", "sip_acl_token": "1000@127.0.0.1"}},
	})
	if err != nil || len(c.Agents) != 2 || len(tr.UnknownPresence()) != 0 {
		t.Fatal(c, err)
	}
	if l, _ := tr.Leg(b); !l.AnsweredAt.Equal(time.UnixMicro(1795357210777787)) {
		t.Errorf("%+v", l)
	}
	if c, ok := tr.CallOf("1001@127.0.0.1"); !ok || c.Pupil != b || c.User != a || c.UserNumber != "1000" || c.Direction != tracker.Inbound || !c.Since.Equal(time.Unix(1795357210, 0)) {
		t.Errorf("%+v", c)
	}
	if c, ok := tr.CallOf("1000@127.0.0.1"); !ok || c.Pupil != a || c.User != b || c.UserNumber != "1001" || c.Direction != tracker.Outbound {
		t.Errorf("%+v", c)
	}

	tr = tracker.New("node1", ours)
	if _, err := tr.Load(tracker.Snapshot{Channels: []byte(`{"row_count":0}`), Calls: []byte(`{"row_count":0}`), Conferences: read("conference-json-list.json"), Time: at}); err != nil {
		t.Fatal(err)
	}
	if len(tr.RoomMembers("lm-demo")) != 0 {
		t.Error("members without channels")
	}
}

func TestFullReadHeals(t *testing.T) {
	w := newWorld(t, "1001", "1002", "1003")
	u, a := w.outside("555", "1001")
	before, _ := w.tr.Agent(ext("1001"))
	w.load()
	if !w.last.Empty() {
		t.Fatalf("reading what is known changes %+v", w.last)
	}

	// What was missed: the user was moved on to 1002, and 1001 put somebody else on hold.
	w.handle = nil
	silent := w.world()
	silent.part(u)
	b := silent.create("b", tracker.Outbound, ext("1002"), "1002", "555")
	silent.bridge(u, b)
	x := silent.create("x", tracker.Outbound, "", "777", "1001")
	silent.bridge(a, x)
	silent.hold(a, true)
	silent.join("sales", silent.create("c", tracker.Inbound, ext("1003"), "1003", "900"))
	w.load()
	w.is(ext("1001"), "on-hold", "777")
	w.on(ext("1001"), "x", "")
	w.is(ext("1002"), "on-call", "555")
	w.on(ext("1002"), "u-555", "")
	w.is(ext("1003"), "in-conference", "900")
	if got, _ := w.tr.Agent(ext("1002")); !got.Since.Equal(b.answeredAt) {
		t.Errorf("since %v, not since the answer at %v", got.Since, b.answeredAt)
	}

	// Everything ended meanwhile, and a user left the directory.
	clear(w.channels)
	w.users = []string{"1001", "1002"}
	w.load()
	for _, e := range []string{"1001", "1002"} {
		w.is(ext(e), "idle", "")
	}
	if len(w.tr.Calls()) != 0 || w.tr.Legs() != 0 || len(w.tr.RoomMembers("sales")) != 0 {
		t.Error(w.tr.Calls(), w.tr.Legs())
	}
	if _, ok := w.tr.Agent(ext("1003")); ok {
		t.Error("1003 is still an agent")
	}
	if now, _ := w.tr.Agent(ext("1001")); !now.Since.After(before.Since) {
		t.Error(now)
	}
}

// world returns the model alone: what it does, nobody sees.
func (w *world) world() *model {
	w.model.handle = func(*event) {}
	return w.model
}

func TestChannelsThatGaveNoAnswerKeepTheirVariables(t *testing.T) {
	w := newWorld(t, "1001")
	w.queued("ag1", ext("1001"))
	before := table(w.tr)
	s := w.snapshot()
	for channel := range s.Vars {
		s.Vars[channel] = nil
	}
	c, err := w.tr.Load(s)
	if err != nil || !c.Empty() || table(w.tr) != before {
		t.Errorf("%v, %+v", err, c)
	}
}

func TestHungUpChannelsStayAwayFromALateTable(t *testing.T) {
	w := newWorld(t, "1001")
	_, a := w.outside("555", "1001")
	s := w.snapshot()
	w.hangup(a)
	c, err := w.tr.Load(s)
	if err != nil {
		t.Fatal(err)
	}
	w.took(c)
	w.is(ext("1001"), "idle", "")
}

func TestMalformedReadsChangeNothing(t *testing.T) {
	w := newWorld(t, "1001")
	w.outside("555", "1001")
	before := table(w.tr)
	for name, spoil := range map[string]func(*tracker.Snapshot){
		"no channels":           func(s *tracker.Snapshot) { s.Channels = nil },
		"no table of channels":  func(s *tracker.Snapshot) { s.Channels = []byte("-ERR SQL disabled, no data available!\n") },
		"null":                  func(s *tracker.Snapshot) { s.Channels = []byte("null") },
		"half a table":          func(s *tracker.Snapshot) { s.Channels = s.Channels[:len(s.Channels)/2] },
		"another type":          func(s *tracker.Snapshot) { s.Channels = []byte(`{"rows":"many"}`) },
		"no calls":              func(s *tracker.Snapshot) { s.Calls = nil },
		"half of calls":         func(s *tracker.Snapshot) { s.Calls = s.Calls[:9] },
		"half of registrations": func(s *tracker.Snapshot) { s.Registrations = []byte(`{"row_count":1,"rows":[{`) },
		"half of conferences":   func(s *tracker.Snapshot) { s.Conferences = []byte("[{") },
		"no agents' table":      func(s *tracker.Snapshot) { s.CCAgents = "hello" },
		"no users' table":       func(s *tracker.Snapshot) { s.Users = "hello" },
	} {
		s := w.snapshot()
		s.Users, s.CCAgents = "", ""
		spoil(&s)
		c, err := w.tr.Load(s)
		var re *tracker.ReadError
		if !errors.As(err, &re) || re.Part == "" || errors.Unwrap(re) == nil || !c.Empty() || table(w.tr) != before {
			t.Errorf("%s: %v, %+v", name, err, c)
		}
	}
}

func TestMissingModules(t *testing.T) {
	w := newWorld(t, "1001")
	s := w.snapshot()
	s.CCAgents, s.Users, s.Conferences, s.Registrations = "-ERR callcenter_config Command not found!\n", "-USAGE: x\n", []byte("-ERR conference Command not found!\n"), []byte("-ERR\n")
	if _, err := w.tr.Load(s); err != nil {
		t.Fatal(err)
	}
	s.Conferences = []byte("+OK No active conferences.\n")
	if _, err := w.tr.Load(s); err != nil {
		t.Fatal(err)
	}
}

func TestAgentTableWithSeparators(t *testing.T) {
	w := newWorld(t, "1001", "1002")
	w.agents = agentColumns +
		agentRow("ag1", "user/1001@example.com|user/1002@example.com|x", "Logged Out", 0, 0) +
		"a row\nthat a line break in a name has torn\n" +
		"|single_box||callback|c|Available|Waiting|3|0|0|0|0|0|0|0|0|0|0|0|0|0\n" +
		agentRow("ag2", "(null)", "(null)", -5, -9) + "+OK\n"
	w.load()
	w.is("ag1", "logged-out", "")
	w.is("ag2", "idle", "")
	if a, _ := w.tr.Agent("ag1"); a.Extension != ext("1001") {
		t.Error(a)
	}
	if got := len(w.tr.Agents()); got != 3 {
		t.Error(w.tr.Agents())
	}
}

func TestHostileValues(t *testing.T) {
	long := strings.Repeat("x", 2000)
	w := newWorld(t, "1001")
	bad := []string{"line\r\nbreak", "nul\x00", "esc\x1b[31m", "{a,b}", "<script>", long, "\xff\xfe", "\u202eevil"}
	for i, v := range bad {
		id := string(rune('a' + i))
		u := w.create("u"+id, tracker.Inbound, v, v, v)
		p := w.create("p"+id, tracker.Outbound, ext("1001"), v, v, "cc_side", "agent", "cc_agent", v, "cc_queue", v, seal.Variable, "")
		w.bridge(u, p)
		w.join(v, u, p)
		w.queue("agent-contact-change", v, "CC-Agent-Contact", v)
		w.queue("agent-status-change", v, "CC-Agent-Status", v)
		w.send("CUSTOM", nil, "Event-Subclass", "sofia::register", "from-user", v, "from-host", v, "call-id", v, "expires", v)
		w.send(v, u)
		w.create(v, v, v, v, v)
	}
	if got := len(w.tr.Agents()); got != len(bad) { // the extension went to the first of them
		t.Errorf("%d agents of %d names", got, len(bad))
	}
	agents := agentColumns
	for _, v := range bad[3:6] {
		agents += agentRow(v, v, v, 3, 3)
	}
	w.agents = agents
	w.load()
	check := func(s string) {
		t.Helper()
		if len(s) > 128 || strings.ToValidUTF8(s, "") != s || strings.ContainsAny(s, "\r\n\x00\x1b\u202e") {
			t.Errorf("%q came out", s)
		}
	}
	for _, a := range w.tr.Agents() {
		for _, s := range []string{a.Agent, a.Extension, a.User, a.Queue, a.Call} {
			check(s)
		}
	}
	for _, c := range w.tr.Calls() {
		for _, s := range []string{c.ID, c.Agent, c.Pupil, c.User, c.UserNumber, c.Queue, c.Room} {
			check(s)
		}
		if len(c.UserNumber) > 64 {
			t.Errorf("number %q", c.UserNumber)
		}
		for _, l := range w.tr.RoomMembers(c.Room) {
			for _, s := range []string{l.Name, l.Number, l.PresenceID, l.CCAgent, l.CCSide, l.Queue} {
				check(s)
			}
		}
	}
	for _, id := range w.tr.UnknownPresence() {
		check(id)
		if strings.ContainsAny(id, " ,{}<>") {
			t.Errorf("asks about %q", id)
		}
	}
	if bytes.ContainsAny([]byte(table(w.tr)), "\x00\x1b") {
		t.Error("control characters in the table")
	}
}
