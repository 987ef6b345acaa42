package panel

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"livemon/internal/wire"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// record is one of a session, some seconds after noon.
func record(seconds int, event string, change ...func(*wire.AuditRecord)) wire.AuditRecord {
	r := wire.AuditRecord{Seq: int64(seconds + 1), ID: fmt.Sprintf("%d-0", seconds), Time: noon.Add(time.Duration(seconds) * time.Second), Event: event, Session: "s1", Supervisor: "anna",
		Phone: "1002", Agent: "eve", User: "555", Node: "pbx", Call: "c1", Via: "panel", Origin: "192.0.2.1"}
	for _, f := range change {
		f(&r)
	}
	return r
}

func role(from, to wire.Role) func(*wire.AuditRecord) {
	return func(r *wire.AuditRecord) { r.From, r.To = from, to }
}

func ended(why string, code int) func(*wire.AuditRecord) {
	return func(r *wire.AuditRecord) { r.Detail, r.Code = why, code }
}

func call(id, agent, user string) func(*wire.AuditRecord) {
	return func(r *wire.AuditRecord) { r.Call, r.Agent, r.User = id, agent, user }
}

// told is a session in a line.
func told(p past) string {
	at := func(t time.Time) string {
		if t.IsZero() {
			return "?"
		}
		return strconv.Itoa(int(t.Sub(noon) / time.Second))
	}
	var roles, calls []string
	for _, s := range p.Roles {
		roles = append(roles, fmt.Sprintf("%s %s-%s", s.Role, at(s.From), at(s.To)))
	}
	for _, c := range p.Calls {
		calls = append(calls, c.ID+"/"+c.User)
	}
	return fmt.Sprintf("%s %s %v %v [%s] %s/%s/%s %s; %s %d %q refused %d", p.ID, p.Supervisor, p.Agents, calls, strings.Join(roles, ", "),
		at(p.Started), at(p.Listened), at(p.Ended), p.Lasted(noon.Add(time.Minute)), p.Outcome(), p.Code, p.How, p.Refused)
}

func TestGroup(t *testing.T) {
	live := wire.Session{ID: "s1", Account: "anna", Supervisor: "anna", Agent: "eve", Node: "pbx", Status: wire.Listening, Role: wire.Coach, Since: noon}
	for name, tc := range map[string]struct {
		records []wire.AuditRecord
		live    []wire.Session
		want    []string
	}{
		"nothing": {},
		"a whole session": {[]wire.AuditRecord{record(0, "requested"), record(3, "listening", role("", wire.Monitor)), record(10, "role", role(wire.Monitor, wire.Coach)),
			record(12, "refused", role(wire.Coach, wire.Barge)), record(20, "role", role(wire.Coach, wire.TakeOver)), record(30, "ended", ended("the customer has hung up", 0))}, nil,
			[]string{`s1 anna [eve] [c1/555] [monitor 3-10, coach 10-20, takeover 20-30] 0/3/30 27s; ended 0 "the customer has hung up" refused 1`}},
		"nobody answers": {[]wire.AuditRecord{record(0, "requested"), record(30, "ended", ended("no answer", 9024))}, nil,
			[]string{`s1 anna [eve] [c1/555] [] 0/?/30 0s; ended before anybody listened 9024 "no answer" refused 0`}},
		"on": {[]wire.AuditRecord{record(0, "requested"), record(3, "listening", role("", wire.Monitor)), record(10, "role", role(wire.Monitor, wire.Coach))}, []wire.Session{live},
			[]string{`s1 anna [eve] [c1/555] [monitor 3-10, coach 10-?] 0/3/? 57s; listening now 0 "" refused 0`}},
		"on, and not recorded here": {nil, []wire.Session{live}, []string{`s1 anna [eve] [] [] 0/?/? 0s; listening now 0 "" refused 0`}},
		"neither on nor ended": {[]wire.AuditRecord{record(0, "requested"), record(3, "listening", role("", wire.Monitor))}, nil,
			[]string{`s1 anna [eve] [c1/555] [monitor 3-?] 0/3/? 0s; its end is not recorded 0 "" refused 0`}},
		"without its beginning": {[]wire.AuditRecord{record(10, "role", role(wire.Monitor, wire.Barge)), record(20, "ended")}, nil,
			[]string{`s1 anna [eve] [c1/555] [barge 10-20] 10/10/20 10s; ended 0 "" refused 0`}},
		"out of order": {[]wire.AuditRecord{record(30, "ended"), record(3, "listening"), record(0, "requested")}, nil,
			[]string{`s1 anna [eve] [c1/555] [monitor 3-30] 0/3/30 27s; ended 0 "" refused 0`}},
		"call after call": {[]wire.AuditRecord{record(0, "requested"), record(3, "listening"), record(10, "left"), record(11, "waiting", call("", "eve", "")), record(20, "listening", call("c2", "eve", "556")),
			record(25, "followed", call("c3", "kim", "556")), record(27, "listening", call("c3", "kim", "556")), record(40, "ended", call("c3", "kim", "556"))}, nil,
			[]string{`s1 anna [eve kim] [c1/555 c2/556 c3/556] [monitor 3-10, monitor 20-25, monitor 27-40] 0/3/40 25s; ended 0 "" refused 0`}},
		"a refused request, and what is no session": {[]wire.AuditRecord{record(1, "refused", func(r *wire.AuditRecord) { r.Session = "" }, ended("not in your teams", 9021)),
			{Time: noon, Event: "login", Actor: "anna", Supervisor: "anna"}, {Time: noon, Event: "refused"}}, nil,
			[]string{` anna [eve] [c1/555] [] 1/?/1 0s; refused 9021 "not in your teams" refused 0`}},
		"the newest first": {[]wire.AuditRecord{record(0, "requested"), record(1, "ended"), record(5, "requested", func(r *wire.AuditRecord) { r.Session = "s2" })}, nil,
			[]string{`s2 anna [eve] [c1/555] [] 5/?/? 0s; its end is not recorded 0 "" refused 0`, `s1 anna [eve] [c1/555] [] 0/?/1 0s; ended before anybody listened 0 "" refused 0`}},
	} {
		before, _ := json.Marshal(tc.records)
		var got []string
		for _, p := range group(tc.records, tc.live) {
			got = append(got, told(p))
		}
		if !slices.Equal(got, tc.want) {
			t.Errorf("%s:\n%s\nwant\n%s", name, strings.Join(got, "\n"), strings.Join(tc.want, "\n"))
		}
		if after, _ := json.Marshal(tc.records); string(after) != string(before) {
			t.Errorf("%s: the records were changed", name)
		}
	}
}

// stream makes up audit records of n sessions, mixed as they come.
func stream(n int) []wire.AuditRecord {
	r := rand.New(rand.NewPCG(1, 2))
	var out []wire.AuditRecord
	for i := range n {
		at := r.IntN(n * 10)
		for j, rec := range []wire.AuditRecord{record(at, "requested"), record(at+3, "listening", role("", wire.Monitor)), record(at+9, "role", role(wire.Monitor, wire.Coach)),
			record(at+15, "role", role(wire.Coach, wire.Barge)), record(at+60, "ended", ended("hung up", 0))} {
			rec.Session, rec.ID, rec.Agent = "s"+strconv.Itoa(i), strconv.Itoa(i*10+j)+"-0", "agent"+strconv.Itoa(i%100)
			out = append(out, rec)
		}
	}
	slices.SortFunc(out, func(a, b wire.AuditRecord) int { return a.Time.Compare(b.Time) })
	return out
}

// TestGroupKeepsEverySession groups many, in any order, to the same.
func TestGroupKeepsEverySession(t *testing.T) {
	records := stream(200)
	want := group(records, nil)
	if len(want) != 200 {
		t.Fatalf("%d sessions of 200", len(want))
	}
	r := rand.New(rand.NewPCG(3, 4))
	for range 5 {
		r.Shuffle(len(records), func(i, j int) { records[i], records[j] = records[j], records[i] })
		got := group(records, nil)
		for i := range want {
			if told(got[i]) != told(want[i]) {
				t.Fatalf("%s\n%s", told(got[i]), told(want[i]))
			}
		}
	}
}

func FuzzGroup(f *testing.F) {
	for _, list := range [][]wire.AuditRecord{{record(0, "requested"), record(5, "ended")}, {record(3, "listening"), record(1, "role", role(wire.Coach, ""))}, {{Event: "refused", Agent: "x"}}} {
		data, err := json.Marshal(list)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var list []wire.AuditRecord
		if json.Unmarshal(data, &list) != nil {
			return
		}
		ids := map[string]bool{}
		for _, r := range list {
			ids[r.Session] = true
		}
		delete(ids, "")
		got := group(list, nil)
		named := 0
		for i, p := range got {
			if p.ID != "" {
				named++
			}
			if i > 0 && p.Started.After(got[i-1].Started) {
				t.Error("not the newest first")
			}
			for j, s := range p.Roles {
				if s.Role == "" || !s.To.IsZero() && s.To.Before(s.From) || j > 0 && s.From.Before(p.Roles[j-1].From) {
					t.Errorf("%+v", p.Roles)
				}
			}
			if p.Lasted(noon) < 0 || p.Outcome() == "" {
				t.Errorf("%+v", p)
			}
		}
		if named != len(ids) {
			t.Errorf("%d sessions of %d", named, len(ids))
		}
		if _, err := encodeCSV(sessionRows(got, time.UTC, noon)); err != nil {
			t.Error(err)
		}
	})
}

func BenchmarkGroup10000Records(b *testing.B) {
	records := stream(2000)
	b.ReportAllocs()
	for b.Loop() {
		if n := len(group(records, nil)); n != 2000 {
			b.Fatal(n)
		}
	}
}
