package switchsim_test

import (
	"os"
	"slices"
	"strings"
	"testing"

	"livemon/internal/switchsim"
)

// recordedConference is the conference.conf of the switch that was recorded, as
// far as it matters.
const recordedConference = `<configuration name="conference.conf">
  <caller-controls>
    <group name="default"><control action="mute" digits="0"/><control action="hangup" digits="#"/></group>
    <group name="lm-sup">
      <control action="event" digits="4#" data="coach"/>
      <control action="event" digits="5#" data="monitor"/>
      <control action="event" digits="6#" data="barge"/>
      <control action="event" digits="0#" data="barge"/>
      <control action="event" digits="1#" data="takeover"/>
    </group>
  </caller-controls>
  <profiles>
    <profile name="default"><param name="moh-sound" value="local_stream://moh"/></profile>
    <profile name="livemon">
      <param name="domain" value="127.0.0.1"/><param name="energy-level" value="0"/>
      <param name="caller-controls" value="none"/><param name="ivr-dtmf-timeout" value="3000"/>
    </profile>
    <profile name="small"><param name="max-members" value="2"/><param name="caller-controls" value="lm-sup"/></profile>
  </profiles>
</configuration>`

func testdata(t *testing.T, name string) []string {
	t.Helper()
	b, err := os.ReadFile("testdata/" + name)
	must(t, err)
	var out []string
	for _, line := range strings.Split(string(b), "\n") {
		if line != "" && !strings.HasPrefix(line, "#") {
			out = append(out, line)
		}
	}
	return out
}

// workflow replays the session that testdata holds: a call is moved into a
// room, a supervisor joins, changes roles, takes over. It returns every event.
func workflow(t *testing.T) []*event {
	s := start(t, switchsim.Options{ConferenceXML: recordedConference})
	ev, c := connect(t, s, "ALL"), connect(t, s)
	k := call(t, s, "1000", "1001")
	sup, err := s.Dial(ctx(t), "1002", "7777")
	must(t, err)
	c.want("+OK", "uuid_setvar %s conference_member_flags dist-dtmf", k.B)
	c.want("+OK", "uuid_setvar %s conference_member_flags dist-dtmf|endconf", k.A)
	c.want("+OK", "uuid_transfer %s -both conference:lm-demo@livemon inline", k.B)
	c.want("+OK", "uuid_setvar %s conference_controls lm-sup", sup)
	c.want("+OK", "uuid_transfer %s conference:lm-demo@livemon+flags{mute} inline", sup)
	waitHears(t, s, "1002", "1000 1001")
	waitHears(t, s, "1000", "1001")
	talking := func(n int) {
		t.Helper()
		wait(t, s, "everybody talks", func() bool { return strings.Count(c.api("conference lm-demo list"), "talking") == n })
	}
	talking(2)
	user, pupil, me := memberID(s, "1000"), memberID(s, "1001"), memberID(s, "1002")
	c.want("+OK lm-demo locked", "conference lm-demo lock")
	press := func(keys string) {
		t.Helper()
		must(t, s.Press("1002", keys))
		wait(t, s, "keys", func() bool {
			return strings.Contains(c.api("uuid_getvar %s conference_last_matching_digits", sup), keys)
		})
	}
	press("4#")
	c.want("+OK No relationships", "conference lm-demo relate")
	c.want("+OK No relationships", "conference lm-demo relate %d", me)
	c.want(sprintf("+OK %d->%d nospeak set", me, user), "conference lm-demo relate %d %d nospeak", me, user)
	c.want("-ERR no reply", "conference lm-demo relate")
	c.want(sprintf("%d -> %d NOSPEAK HEAR NOSENDVIDEO ", me, user), "conference lm-demo relate %d", me)
	c.want(sprintf("+OK unmute %d", me), "conference lm-demo unmute %d quiet", me)
	talking(3)
	if got := hears(s, "1000"); got != "1001" {
		t.Errorf("the user hears %q while the supervisor coaches", got)
	}
	waitHears(t, s, "1001", "1000 1002")
	press("6#")
	c.want(sprintf("+OK relationship %d->%d cleared.", me, user), "conference lm-demo relate %d %d clear", me, user)
	c.want(sprintf("+OK relationship %d->%d cleared.", me, user), "conference lm-demo relate %d %d clear", me, user)
	waitHears(t, s, "1000", "1001 1002")
	c.want(sprintf("+OK mute %d", me), "conference lm-demo mute %d quiet", me)
	c.want(sprintf("+OK deaf %d", me), "conference lm-demo deaf %d quiet", me)
	c.want(sprintf("+OK undeaf %d", me), "conference lm-demo undeaf %d quiet", me)
	c.want(sprintf("+OK unmute %d", me), "conference lm-demo unmute %d quiet", me)
	c.want(sprintf("+OK hold %d", user), "conference lm-demo hold %d", user)
	talking(2)
	c.want(sprintf("+OK unhold %d", user), "conference lm-demo unhold %d", user)
	talking(3)
	press("1#")
	c.want(sprintf("+OK kicked %d", pupil), "conference lm-demo kick %d", pupil)
	wait(t, s, "the pupil is out", func() bool { return s.Leg("1001") == "" })
	c.want(sprintf("-ERR Non-Existant ID %d", pupil), "conference lm-demo kick %d", pupil)
	c.want("-ERR Non-Existant ID 999", "conference lm-demo mute 999")
	c.want("-ERR relationship 999->1 not found.", "conference lm-demo relate 999 1 nospeak")
	c.want(sprintf("-ERR relationship %d->999 not found.", me), "conference lm-demo relate %d 999 nospeak", me)
	c.want("-ERR Conference command 'bogus' not found.", "conference lm-demo bogus")
	c.want("+OK lm-demo unlocked", "conference lm-demo unlock")
	waitHears(t, s, "1000", "1002")
	must(t, s.Hangup("1000", ""))
	wait(t, s, "all is over", func() bool { return len(s.Channels()) == 0 })
	var all []*event
	for gone := 0; gone < 3; {
		e := ev.event()
		all = append(all, e)
		if e.label() == "CHANNEL_STATE" && e.get("Channel-State") == "CS_DESTROY" {
			gone++
		}
	}
	c.want("-ERR Conference lm-demo not found", "conference lm-demo list")
	return all
}

// TestRecordedWorkflow compares the events of the workflow with the recorded
// ones: of each leg the same, in the same order; and their headers.
func TestRecordedWorkflow(t *testing.T) {
	legs := map[string]string{"sofia/internal/1000@127.0.0.1": "1000", "sofia/internal/1001@127.0.0.1:5090": "1001", "sofia/internal/1002@127.0.0.1": "1002"}
	got := map[string][]string{}
	events := workflow(t)
	for _, e := range events {
		// Who has the floor depends on who is heard first.
		if l := e.label(); l == "API" || l == "floor-change" || l == "HEARTBEAT" {
			continue
		}
		leg := legs[e.get("Channel-Name")]
		or := func(n string) string {
			if v := e.get(n); v != "" {
				return v
			}
			return "-"
		}
		key := e.get("DTMF-Key")
		if key == "" {
			key = e.get("DTMF-Digit")
		}
		if leg == "" {
			leg = "-"
		}
		line := strings.Join([]string{leg, e.label(), or("Channel-State"), or("Channel-Call-State"), or("Channel-State-Number"), e.get("Application") + key}, " ")
		got[leg] = append(got[leg], strings.TrimSpace(line))
	}
	want := map[string][]string{}
	for _, line := range testdata(t, "workflow.events") {
		if leg, rest, _ := strings.Cut(line, " "); !strings.HasPrefix(rest, "floor-change") {
			want[leg] = append(want[leg], line)
		}
	}
	for leg := range want {
		compare(t, leg, got[leg], want[leg])
	}
	checkHeaders(t, events)
}

func compare(t *testing.T, what string, got, want []string) {
	t.Helper()
	for i := range max(len(got), len(want)) {
		g, w := "(nothing)", "(nothing)"
		if i < len(got) {
			g = got[i]
		}
		if i < len(want) {
			w = want[i]
		}
		if g != w {
			t.Errorf("%s, event %d: got  %s\nwant %s", what, i, g, w)
			return
		}
	}
}

// checkHeaders compares the names of every event's headers with those recorded
// for such an event.
func checkHeaders(t *testing.T, events []*event) {
	t.Helper()
	short := map[string]string{}
	want := map[string][]string{}
	for _, line := range testdata(t, "headers.txt") {
		if name, value, ok := strings.Cut(line, " = "); ok {
			short[name] = value
			continue
		}
		key, names, _ := strings.Cut(line, ": ")
		for n, v := range short {
			names = strings.ReplaceAll(names, n, v)
		}
		want[key] = strings.Fields(names)
	}
	seen := map[string]bool{}
	for _, e := range events {
		direction := e.get("Call-Direction")
		if direction == "" {
			direction = "-"
		}
		key := e.label() + " " + direction
		if e.label() == "CHANNEL_STATE" {
			key += " " + e.get("Channel-State")
		}
		if want[key] == nil || seen[key] {
			continue
		}
		seen[key] = true
		// The callee is known of some legs of a kind and not of others.
		plain := func(names []string) []string {
			return slices.DeleteFunc(slices.Clone(names), func(n string) bool {
				return strings.HasPrefix(n, "variable_") || strings.HasPrefix(n, "Caller-Callee-ID-")
			})
		}
		if got, want := plain(e.names), plain(want[key]); !slices.Equal(got, want) {
			t.Errorf("headers of %s:\n got %v\nwant %v", key, diff(got, want), diff(want, got))
		}
	}
	if len(seen) < 10 {
		t.Errorf("only %d kinds of events were compared", len(seen))
	}
}

// diff are the names in a that are not in b, or a if only the order differs.
func diff(a, b []string) []string {
	var out []string
	for _, n := range a {
		if !slices.Contains(b, n) {
			out = append(out, n)
		}
	}
	if out == nil && len(a) == len(b) {
		return a
	}
	return out
}

// TestRecordedJSONList holds json_list against the recorded one, character by
// character but for what differs from call to call.
func TestRecordedJSONList(t *testing.T) {
	s := start(t, switchsim.Options{ConferenceXML: recordedConference})
	c := connect(t, s)
	k := call(t, s, "1000", "1001")
	sup, err := s.Dial(ctx(t), "1002", "7777")
	must(t, err)
	c.want("+OK", "uuid_setvar %s conference_member_flags dist-dtmf", k.B)
	c.want("+OK", "uuid_setvar %s conference_member_flags dist-dtmf|endconf", k.A)
	c.want("+OK", "uuid_transfer %s conference:lm-demo@livemon+flags{mute} inline", sup)
	wait(t, s, "the supervisor is in", func() bool { return strings.Contains(c.api("conference lm-demo list"), "hear") })
	c.want("+OK", "uuid_transfer %s -both conference:lm-demo@livemon inline", k.B)
	wait(t, s, "everybody talks", func() bool { return strings.Count(c.api("conference lm-demo list"), "talking") == 2 })
	blank := func(text string) []string {
		var out []string
		for _, line := range strings.Split(text, "\n") {
			name, value, ok := strings.Cut(line, ":\t")
			switch strings.Trim(name, "\t\"") {
			case "id", "uuid", "conference_uuid", "run_time", "join_time", "last_talking", "has_floor":
				if ok && value != "" {
					line = name + ":\t(varies)"
					if strings.HasSuffix(value, ",") {
						line += ","
					}
				}
			}
			out = append(out, line)
		}
		return out
	}
	b, err := os.ReadFile("testdata/json_list.txt")
	must(t, err)
	compare(t, "json_list", blank(c.api("conference lm-demo json_list")), blank(strings.TrimSuffix(string(b), "\n")))
	x := c.api("conference lm-demo xml_list")
	if !strings.HasPrefix(x, "<?xml version=\"1.0\"?>\n<conferences>\n  <conference name=\"lm-demo\" member-count=\"3\" ghost-count=\"0\" rate=\"8000\" uuid=") {
		t.Errorf("xml_list: %s", x)
	}
}
