package tracker_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"livemon/esl"
	"livemon/internal/tracker"
)

var update = flag.Bool("update", false, "write what the tracker says into testdata")

// TestScenarios replays the files in testdata. Each step is a line "== EVENT"
// with headers, "== user ID", "== nouser ID" or "== tick SECONDS"; after "--"
// comes what is known then: the agents, their calls, and presence ids to ask
// about.
func TestScenarios(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatal("no scenarios:", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			b, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			got := replay(t, string(b))
			if *update {
				if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if got == string(b) {
				return
			}
			want, have := strings.Split(string(b), "\n"), strings.Split(got, "\n")
			for i := range want {
				if i >= len(have) || want[i] != have[i] {
					t.Fatalf("%s:%d\nwant %q\nhave %q", file, i+1, want[i], append(have, "(end)")[min(i, len(have))])
				}
			}
			t.Fatalf("%s: more than expected", file)
		})
	}
}

func replay(t *testing.T, scenario string) string {
	var out strings.Builder
	tr := tracker.New("node1", ours)
	mirror := newMirror()
	var step string
	var headers map[string]string
	expected := false
	finish := func() {
		if step == "" {
			return
		}
		verb, arg, _ := strings.Cut(step, " ")
		var c tracker.Changes
		switch verb {
		case "user", "nouser":
			c = tr.SetUser(arg, verb == "user")
		case "tick":
			s, err := strconv.ParseFloat(arg, 64)
			if err != nil {
				t.Fatal(err)
			}
			c = tr.Tick(time.UnixMicro(int64(s * 1e6)))
		default:
			headers["Event-Name"] = step
			c = tr.Apply(esl.NewEvent(headers, ""))
		}
		mirror.apply(t, c)
		mirror.check(t, tr)
		out.WriteString(table(tr))
		for _, id := range tr.UnknownPresence() {
			fmt.Fprintf(&out, "? %s\n", id)
		}
	}
	for line := range strings.Lines(scenario) {
		line = strings.TrimSuffix(line, "\n")
		switch {
		case strings.HasPrefix(line, "== "):
			finish()
			step, headers, expected = line[3:], map[string]string{}, false
		case line == "--":
			expected = true
		case expected:
			continue
		default:
			if k, v, ok := strings.Cut(line, ": "); ok && step != "" {
				headers[k] = v
			}
		}
		out.WriteString(line + "\n")
	}
	finish()
	return out.String()
}

// table is everything that others see, as text.
func table(tr *tracker.Tracker) string {
	var b strings.Builder
	for _, a := range tr.Agents() {
		fmt.Fprintf(&b, "%-15s %-13s since %s", a.Agent, a.State, a.Since.UTC().Format("15:04:05.000"))
		for _, f := range [][2]string{{"extension", a.Extension}, {"call", a.Call}, {"user", a.User}, {"", a.Direction}, {"queue", a.Queue}} {
			if f[1] != "" {
				fmt.Fprintf(&b, " %s", strings.TrimSpace(f[0]+" "+f[1]))
			}
		}
		b.WriteByte('\n')
	}
	for _, c := range tr.Calls() {
		fmt.Fprintf(&b, "  call %s of %s since %s: pupil %s user %s (%s)", short(c.ID), c.Agent, c.Since.UTC().Format("15:04:05.000"), short(c.Pupil), short(c.User), c.UserNumber)
		if c.Room != "" {
			fmt.Fprintf(&b, " room %s", c.Room)
		}
		if c.OnHold {
			b.WriteString(" on hold")
		}
		b.WriteByte('\n')
	}
	return b.String()
}

func short(id string) string {
	if id == "" {
		return "-"
	}
	if i := strings.IndexByte(id, '-'); i == 8 {
		return id[:8]
	}
	return id
}
