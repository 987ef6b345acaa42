package state

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"

	"livemon/internal/wire"
)

// FuzzDecode reads arbitrary values as everything that is stored. What is taken
// must be written and read back as the same.
func FuzzDecode(f *testing.F) {
	for _, v := range []string{
		"", "null", "{}", "[]", "{", `{"state":"idle","since":"2030-01-02T12:00:00Z","supervisors":[{"role":"coach"}]}`,
		`{"id":"s","status":"ringing","role":"joining","since":"2030-01-02T12:00:00Z"}`, `{"event":"role","from":"monitor","to":"coach","code":9022}`,
		`{"number":"1001","name":"desk"}`, `{"state":1e999}`, `{"code":-1,"event":"\u0000"}`, strings.Repeat(`{"a":`, 5000),
	} {
		f.Add("name", v, "coach")
	}
	f.Fuzz(func(t *testing.T, name, value, role string) {
		if a, err := decodeAgent("n", name, value); err == nil {
			if a.Agent != name || a.Node != "n" || a.Supervisors == nil || !knownState(a.State) {
				t.Errorf("%+v", a)
			}
			again(t, a, func(v string) (any, error) { return decodeAgent("n", name, v) })
		}
		if c, err := decodeCall("n", name, value); err == nil {
			again(t, c, func(v string) (any, error) { return decodeCall("n", name, v) })
		}
		if x, err := decodeSession("n", enc(name), value, role); err == nil {
			if x.ID != name || !knownRole(x.Desired) || !knownRole(x.Role) || !knownStatus(x.Status) {
				t.Errorf("%+v", x)
			}
			again(t, x, func(v string) (any, error) { return decodeSession("n", enc(name), v, role) })
		}
		if r, err := decodeAudit(name, value); err == nil {
			again(t, r, func(v string) (any, error) { return decodeAudit(name, v) })
		}
		if e, err := decodeExtension(name, value); err == nil {
			again(t, e, func(v string) (any, error) { return decodeExtension(name, v) })
		}
		placeTime(name)
	})
}

// FuzzEntry reads arbitrary entries of the audit stream. What an export says of
// them is what they are, on one line that a terminal may show, and is no part of
// a chain unless its hash is right.
func FuzzEntry(f *testing.F) {
	x := Head{}.next("{}")
	for _, v := range [][4]string{{"{}", "1", x.prev, x.hash}, {"{}", "2", x.prev, x.hash}, {"", "", "", ""}, {"\n", "01", "x", "y"}, {"\xff", "-1", genesis, genesis},
		{`{"a":"\u009b"}`, "1", genesis, genesis}, {`{"event":"trimmed","anchor":"1:x"}`, "999999999999999", genesis, genesis}} {
		f.Add("1-0", v[0], v[1], v[2], v[3])
	}
	f.Fuzz(func(t *testing.T, id, record, q, p, h string) {
		values := map[string]any{auditField: record}
		for field, v := range map[string]string{seqField: q, prevField: p, hashField: h} {
			if v != "-" {
				values[field] = v
			}
		}
		e := entryOf(id, values)
		line, err := e.line()
		if err != nil || bytes.ContainsAny(line, "\n\r\x1b\x7f") || bytes.ContainsFunc(line, isC1) {
			t.Fatalf("%q: %v", line, err)
		}
		var l wire.AuditLine
		if err := json.Unmarshal(line, &l); err != nil {
			t.Fatal(err)
		}
		if got := string(l.Record) + string(l.Raw); got != record || (l.Record != nil) != plain(record) {
			t.Errorf("%q is exported as %q", record, got)
		}
		chained := e.seq > 0 && linkHash(e.seq, e.prev, record) == e.hash
		v := NewVerifier()
		_, _ = v.Write([]byte(`{"export":{"version":1,"time":"2026-03-01T09:30:00Z","head":"","agent":"a"}}` + "\n"))
		if _, err := v.Write(append(line, '\n')); len(line) < maxExportLine && err != nil {
			t.Fatal(err)
		}
		if old := e.seq == 0 && !e.broken; len(line) < maxExportLine && !old && chained == (len(v.report.Problems) > 0) {
			t.Errorf("%s: %+v", line, v.report)
		}
	})
}

func again(t *testing.T, v any, read func(string) (any, error)) {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil || len(text) > maxValue {
		return // a year beyond 9999 with an offset, or escapes that do not fit: refused when written
	}
	got, err := read(string(text))
	if err != nil {
		t.Errorf("%s is not read back: %v", text, err)
		return
	}
	after, err := json.Marshal(got)
	if err != nil || string(after) != string(text) {
		t.Errorf("%s is read back as %s (%v)", text, after, err)
	}
}

// FuzzKey holds keys against what names could do to them.
func FuzzKey(f *testing.F) {
	for _, v := range []string{"", "fs1", "}", "{", "a}:b", "\x00", "!a", strings.Repeat("}", 300)} {
		f.Add(v, "fs1")
	}
	f.Fuzz(func(t *testing.T, a, b string) {
		ka, kb := keysOf(a), keysOf(b)
		if (ka == kb) != (a == b) {
			t.Errorf("%q and %q share keys", a, b)
		}
		tag := func(k string) string {
			from := strings.IndexByte(k, '{')
			to := strings.IndexByte(k[from:], '}')
			return k[from : from+to+1]
		}
		v := reflect.ValueOf(ka)
		for i := range v.NumField() {
			k := v.Field(i).String()
			if tag(k) != tag(ka.lease) || len(k) > 300 || !utf8.ValidString(k) || strings.ContainsAny(k, "\r\n\x00 ") || strings.Count(k, "}") != 1 {
				t.Errorf("key %q of node %q", k, a)
			}
		}
		if k := ka.session + enc(b); strings.Count(k, "}") != 1 || strings.Count(k, "{") != 1 {
			t.Errorf("key %q", k)
		}
	})
}
