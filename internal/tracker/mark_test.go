package tracker_test

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"livemon/internal/seal"
	"livemon/internal/tracker"
)

// sealed opens marks with a key, as livemon does.
func sealed(n seal.Node) tracker.Options {
	o := ours
	o.OpenMark = func(l tracker.Leg, value string) seal.Mark {
		m, _ := n.Open(l.Sealed(), value)
		return m
	}
	return o
}

// TestForgedMarks puts marks on the leg of an agent who would rather not be seen:
// it stays a leg like any other.
func TestForgedMarks(t *testing.T) {
	n := seal.NewKey([32]byte{1}).On("node1")
	made := epoch.Add(123 * time.Microsecond)
	mine := seal.Leg{Channel: "a", Created: made}
	sign := func(n seal.Node, l seal.Leg, m seal.Mark) string {
		v, err := n.Sign(l, m)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	session, voice := seal.Mark{Session: "s1"}, seal.Mark{Whisper: "s1"}
	in := mine
	in.Inbound = true
	for name, test := range map[string]struct {
		variable, value string
		ours            bool
	}{
		"livemon's own":           {seal.Variable, sign(n, mine, session), true},
		"of a supervisor's voice": {seal.Variable, sign(n, mine, voice), true},
		"of another leg":          {seal.Variable, sign(n, seal.Leg{Channel: "s", Created: made}, session), false},
		"of an earlier leg":       {seal.Variable, sign(n, seal.Leg{Channel: "a", Created: made.Add(-time.Minute)}, session), false},
		"of a leg that called in": {seal.Variable, sign(n, in, session), false},
		"with another key":        {seal.Variable, sign(seal.NewKey([32]byte{2}).On("node1"), mine, session), false},
		"of another node":         {seal.Variable, sign(seal.NewKey([32]byte{1}).On("node2"), mine, session), false},
		"cut off":                 {seal.Variable, sign(n, mine, session)[1:], false},
		"too long":                {seal.Variable, strings.Repeat("A", 5000), false},
		"in clear":                {seal.Variable, "s1", false},
		"of a version before":     {"livemon_session", "s1", false},
		"a whisper of before":     {"livemon_whisper", "s1", false},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, "1001")
			w.tr = tracker.New("node1", sealed(n))
			w.mirror = newMirror()
			w.load()
			created := []string{"Caller-Channel-Created-Time", strconv.FormatInt(made.UnixMicro(), 10)}
			u := &channel{id: "u", dir: tracker.Inbound, number: "555", dest: "1001", vars: map[string]string{}}
			a := &channel{id: "a", dir: tracker.Outbound, presence: ext("1001"), number: "1001", dest: "555", vars: map[string]string{test.variable: test.value}}
			w.channels["u"], w.channels["a"] = u, a
			w.send("CHANNEL_CREATE", u)
			w.send("CHANNEL_CREATE", a, created...)
			w.bridge(u, a)
			check := func(how string) {
				t.Helper()
				marked := len(w.tr.MarkedLegs()) == 1
				_, onCall := w.tr.CallOf(ext("1001"))
				if marked != test.ours || onCall == test.ours {
					t.Errorf("%s: marked %v, on a call %v", how, marked, onCall)
				}
			}
			check("by events")
			w.tr = tracker.New("node1", sealed(n))
			w.mirror = newMirror()
			snapshot := w.snapshot()
			snapshot.Vars["a"]["created_time"] = created[1]
			c, err := w.tr.Load(snapshot)
			if err != nil {
				t.Fatal(err)
			}
			w.took(c)
			check("by a full read")
		})
	}
}

// The moment of a channel's making is taken from where nobody can set it.
func TestDumpVarsOfForgedTimes(t *testing.T) {
	vars := tracker.DumpVars([]byte(`{"Caller-Channel-Created-Time":"1790000000000001","variable_created_time":"1","variable_answered_time":"2","variable_livemon_mark":"x"}`))
	if vars["created_time"] != "1790000000000001" || vars["livemon_mark"] != "x" {
		t.Errorf("%v", vars)
	}
	if vars := tracker.DumpVars([]byte(`{"variable_created_time":"1"}`)); vars["created_time"] != "" {
		t.Errorf("%v", vars)
	}
}

// A mark that is opened before the switch has said what leg it is on is opened
// again when it has; one that goes with a channel's id does not follow it.
func TestMarksFollowTheLeg(t *testing.T) {
	n := seal.NewKey([32]byte{1}).On("node1")
	v, err := n.Sign(seal.Leg{Channel: "a"}, seal.Mark{Session: "s1"})
	if err != nil {
		t.Fatal(err)
	}
	w := newWorld(t, "1001")
	w.tr = tracker.New("node1", sealed(n))
	w.mirror = newMirror()
	w.load()
	a := &channel{id: "a", presence: ext("1001"), number: "1001", dest: "555", vars: map[string]string{seal.Variable: v}}
	w.channels["a"] = a
	w.send("CHANNEL_STATE", a, "Call-Direction", "")
	if got := w.tr.MarkedLegs(); len(got) != 0 {
		t.Errorf("%+v", got)
	}
	a.dir = tracker.Outbound
	w.send("CHANNEL_STATE", a)
	if got := w.tr.MarkedLegs(); len(got) != 1 || got[0].Mark.Session != "s1" || !got[0].Mark.Early {
		t.Errorf("%+v", got)
	}
	delete(w.channels, "a")
	a.id = "b"
	w.channels["b"] = a
	w.send("CHANNEL_UUID", a, "Old-Unique-ID", "a")
	if got := w.tr.MarkedLegs(); len(got) != 0 {
		t.Errorf("after the channel got another id: %+v", got)
	}
}
