package main

import (
	"bytes"
	"strings"
	"testing"
	"time"
	"unicode"

	"livemon/internal/api/apitest"
	"livemon/internal/wire"
)

func TestClean(t *testing.T) {
	for in, want := range map[string]string{
		"plain":                      "plain",
		"Zoë 日本 👩":                   "Zoë 日本 👩",
		"\x1b[31mred\x1b[0m":         "red",
		"\x1b]0;title\x07x":          "x",
		"\x1b]8;;http://evil\x1b\\y": "y",
		"\x1bPq#0\x1b\\z":            "z",
		"\u009b2Jx":                  "x",
		"\u009d0;t\u009cx":           "x",
		"\x1b]0;never ends":          "",
		"a\r\nb\tc":                  "a  b c",
		"\x00\x07\x7f\u0085a":        "a",
		"\u202eevil\u2066\u200e":     "evil",
		"\x1b(0x":                    "x",
		"\x1b":                       "",
		"a\x1b[":                     "a",
		"bad \xff utf-8":             "bad \ufffd utf-8",
		"\x1b\x1b[31m[31mx":          "[31mx",
	} {
		if got := clean(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

func FuzzClean(f *testing.F) {
	for _, s := range []string{"\x1b[31m", "\x1b]0;x\x07", "\u009b1m", "\x1b\x1b[", "a\nb"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, in string) {
		for _, r := range clean(in) {
			if unicode.IsControl(r) || !unicode.IsGraphic(r) {
				t.Fatalf("%q becomes %q", in, clean(in))
			}
		}
	})
}

func TestTablesShowTheirRows(t *testing.T) {
	now := apitest.Start.Add(3*time.Minute + 12*time.Second + 500*time.Millisecond)
	lines := agentTable.render([]wire.Agent{
		{Agent: strings.Repeat("long ", 50), State: wire.Idle, Since: apitest.Start, Node: "pbx"},
		{Agent: "1001", State: wire.OnCall, Unverified: true, Supervisors: []wire.Supervisor{{Supervisor: "Ann", Role: wire.Coach}, {Supervisor: "Bob", Role: wire.Monitor}}},
	}, now)
	if len(lines) != 3 || !strings.Contains(lines[1], "3m12s") || !strings.Contains(lines[2], "Ann (coach), Bob (monitor)") || !strings.Contains(lines[2], "on-call (not authenticated)") {
		t.Errorf("%s", strings.Join(lines, "\n"))
	}
	for _, l := range lines {
		if len(l) > 160 {
			t.Errorf("%d columns", len(l))
		}
	}
	if got := agentTable.render(nil, now); len(got) != 1 || got[0] != "There are no agents." {
		t.Errorf("%q", got)
	}
}

func TestPainterRedrawsInPlace(t *testing.T) {
	var out bytes.Buffer
	p := &painter{out: &out, size: func() (int, int) { return 10, 4 }}
	step := func(want string, lines ...string) {
		t.Helper()
		out.Reset()
		if err := p.paint(lines); err != nil || out.String() != want {
			t.Errorf("%q %v, want %q", out.String(), err, want)
		}
	}
	step("\ra\x1b[K\nb\x1b[K\n\x1b[J", "a", "b")
	step("\x1b[2A\rc\x1b[K\n\x1b[J", "c")
	step("\x1b[1A\r123456789\x1b[K\n\x1b[J", "1234567890123")
	step("\x1b[1A\r日本日本\x1b[K\n\x1b[J", "日本日本日本")
	step("\x1b[1A\r1\x1b[K\n2\x1b[K\n… and 3 \x1b[K\n\x1b[J", "1", "2", "3", "4", "5")
	step("\x1b[3A\rx\x1b[K\n\x1b[J", "x")
}

func TestParseTime(t *testing.T) {
	now := apitest.Start
	for in, want := range map[string]time.Time{
		"": {}, "2h": now.Add(-2 * time.Hour), "2026-01-01T00:00:00Z": time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC),
	} {
		if got, err := parseTime("since", in, now); err != nil || !got.Equal(want) {
			t.Errorf("%q: %v %v", in, got, err)
		}
	}
	for _, in := range []string{"-2h", "yesterday", "2026-01-01"} {
		if _, err := parseTime("since", in, now); err == nil {
			t.Errorf("%q is taken", in)
		}
	}
}
