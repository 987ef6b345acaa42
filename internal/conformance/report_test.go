package conformance

import (
	"fmt"
	"os"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"
)

// outcome is how one fact came out on one switch.
type outcome struct {
	err   error
	lack  string // what the switch lacks
	notes []string
	took  time.Duration
}

// tally is what a run of the suite found.
type tally struct {
	mu              sync.Mutex
	version         string
	began           time.Time
	real, simulated map[string]outcome
}

var results = &tally{real: map[string]outcome{}, simulated: map[string]outcome{}}

func (r *tally) begin(version string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.version, r.began = version, time.Now()
}

func (r *tally) add(real bool, name string, notes []string, err error, took time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	to := r.simulated
	if real {
		to = r.real
	}
	to[name] = outcome{err: err, notes: notes, took: took}
}

func (r *tally) skip(name, lack string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.real[name] = outcome{lack: lack}
}

// runIDs are the names of a run, which say nothing in a report.
var runIDs = regexp.MustCompile(`t[0-9a-f]{8}-?`)

// report is a run in Markdown.
func (r *tally) report() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var b strings.Builder
	held, failed, lacking := 0, 0, 0
	for _, o := range r.real {
		switch {
		case o.lack != "":
			lacking++
		case o.err != nil:
			failed++
		default:
			held++
		}
	}
	fmt.Fprintf(&b, "# Conformance of a real switch\n\nWritten by `make test-switch`; what each fact is, is in [conformance.md](conformance.md).\n\n"+
		"* Switch: %s\n* Date: %s, %d minutes\n* %d facts: %d hold, %d do not, %d could not be asked\n",
		r.version, r.began.UTC().Format("2006-01-02 15:04 UTC"), int(time.Since(r.began).Minutes()+0.5), len(r.real), held, failed, lacking)
	for _, c := range chapters {
		fmt.Fprintf(&b, "\n## %s\n\n| Fact | Real | Simulated | Seen on the real one |\n|---|---|---|---|\n", c.title)
		for _, f := range c.facts {
			o, asked := r.real[f.name]
			seen := strings.Join(o.notes, "; ")
			word := "holds"
			switch {
			case !asked:
				word = "-"
			case o.lack != "":
				word, seen = "not asked", "lacks "+o.lack
			case o.err != nil:
				word, seen = "**does not hold**", o.err.Error()+"; "+seen
			}
			fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", f.name, word, r.simulatedWord(f), cell(seen))
		}
	}
	return b.String()
}

func (r *tally) simulatedWord(f fact) string {
	o, asked := r.simulated[f.name]
	switch {
	case f.real != "":
		return "not asked: " + f.real
	case f.differs != "":
		return "differs: " + f.differs
	case !asked:
		return "-"
	case o.err != nil:
		return "**does not hold**"
	}
	return "holds"
}

// cell makes text fit for a table.
func cell(text string) string {
	return strings.NewReplacer("|", "\\|", "\n", " ", "\r", "").Replace(runIDs.ReplaceAllString(text, ""))
}

const listBegin, listEnd = "<!-- facts -->\n", "<!-- end of facts -->\n"

// TestDocumented holds the list in docs/conformance.md against the facts.
func TestDocumented(t *testing.T) {
	const file = "../../docs/conformance.md"
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(raw), listBegin)
	list, after, ok2 := strings.Cut(rest, listEnd)
	if !ok || !ok2 {
		t.Fatalf("%s has no place for the list", file)
	}
	var want strings.Builder
	for _, c := range chapters {
		fmt.Fprintf(&want, "\n### %s\n\n| Fact | What the switch does |\n|---|---|\n", c.title)
		for _, f := range c.facts {
			fmt.Fprintf(&want, "| `%s` | %s |\n", f.name, strings.ReplaceAll(f.claim, "|", "\\|"))
		}
	}
	want.WriteString("\n")
	if list == want.String() {
		return
	}
	if !*update {
		t.Fatalf("%s does not list the facts as they are: go test ./internal/conformance -run Documented -update", file)
	}
	if err := os.WriteFile(file, []byte(before+listBegin+want.String()+listEnd+after), 0o644); err != nil {
		t.Fatal(err)
	}
}

// TestNames: a fact is found by its name.
func TestNames(t *testing.T) {
	seen := map[string]bool{}
	for _, f := range facts {
		if seen[f.name] || strings.Trim(f.name, "abcdefghijklmnopqrstuvwxyz-") != "" {
			t.Errorf("the name %q is taken, or no name", f.name)
		}
		seen[f.name] = true
		if f.claim == "" || f.check == nil {
			t.Errorf("%s says nothing", f.name)
		}
	}
}
