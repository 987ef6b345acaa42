package conformance

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"os"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"livemon/esl"
	"livemon/fsconf"
	"livemon/internal/fsapi"
)

var update = flag.Bool("update", false, "write the list of facts into docs/conformance.md")

func TestMain(m *testing.M) {
	flag.Parse()
	// The simulated cases wait for switches, each for its own, and hardly compute.
	if err := flag.Set("test.parallel", "24"); err != nil {
		panic(err)
	}
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("github.com/emiago/sipgo/sip.(*TransportUDP).readUDPConnection")) // see internal/sipphone
}

// chapters are all facts, in the order of docs/conformance.md.
var chapters = []struct {
	title string
	facts []fact
}{
	{"Into a room and back", moveFacts},
	{"Hold and transfers", holdFacts},
	{"Who hears whom in a room", roomFacts},
	{"Past the room, and behind the bridge", whisperFacts},
	{"A tap: listening without touching the call", tapFacts},
	{"Calls that came in", inboundFacts},
	{"Keys", keyFacts},
	{"Questions on the telephone", digitFacts},
	{"What is played in a room", playFacts},
	{"The event socket", socketFacts},
}

var facts = func() (all []fact) {
	for _, c := range chapters {
		all = append(all, c.facts...)
	}
	return all
}()

// TestSimulated asks the simulated switch, one of its own for each fact.
func TestSimulated(t *testing.T) {
	for _, f := range facts {
		if f.real != "" {
			continue
		}
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			s, err := startSimulated(context.WithoutCancel(t.Context()))
			if err != nil {
				t.Fatal(err)
			}
			defer func() {
				if err := s.Close(); err != nil {
					t.Error(err)
				}
			}()
			began := time.Now()
			notes, err := f.run(t.Context(), s)
			results.add(false, f.name, notes, err, time.Since(began))
			for _, n := range notes {
				t.Log(n)
			}
			switch {
			case f.differs == "" && err != nil:
				t.Error(err)
			case f.differs != "" && err != nil:
				t.Logf("known difference (%s): %v", f.differs, err)
			case f.differs != "":
				t.Errorf("the simulation no longer differs in this: %s", f.differs)
			}
		})
	}
}

// TestSwitch asks the switch that LIVEMON_FS names.
func TestSwitch(t *testing.T) {
	addr := os.Getenv("LIVEMON_FS")
	if addr == "" {
		t.Skip("no switch is named: make test-switch FS=host:port")
	}
	o := esl.Options{Addr: addr, Password: cmp.Or(os.Getenv("FS_PASSWORD"), "ClueCon")}
	sw, err := dialReal(t.Context(), o, cmp.Or(os.Getenv("FS_PROFILE"), "internal"), os.Getenv("PHONES"))
	if errors.Is(err, esl.ErrUnreachable) {
		t.Skipf("no switch at %s: %v", addr, err)
	}
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := sw.Close(); err != nil {
			t.Error(err)
		}
	}()
	sw.inbound = os.Getenv("FS_INBOUND")
	t.Log(sw.Version())
	results.begin(sw.Version())
	if file := os.Getenv("LIVEMON_REPORT"); file != "" {
		defer func() {
			if err := os.WriteFile(file, []byte(results.report()), 0o644); err != nil {
				t.Error(err)
			}
		}()
	}
	for _, f := range facts {
		t.Run(f.name, func(t *testing.T) {
			if lack := lacks(t, sw, f); lack != "" {
				results.skip(f.name, lack)
				t.Skip("the switch lacks " + lack)
			}
			began := time.Now()
			notes, err := f.run(t.Context(), sw)
			results.add(true, f.name, notes, err, time.Since(began))
			for _, n := range notes {
				t.Log(n)
			}
			if err != nil {
				t.Error(err)
			}
		})
	}
}

// lacks names what a switch does not have of what a fact needs.
func lacks(t *testing.T, sw *realSwitch, f fact) string {
	client := esl.NewClient(sw.Socket())
	defer func() { _ = client.Close() }() // nothing is under way
	for _, module := range append([]string{"mod_sofia", "mod_commands", "mod_dptools"}, f.needs...) {
		reply, err := client.API(t.Context(), fsapi.ModuleExists(fsapi.Name(module)))
		if err != nil {
			t.Fatal(err)
		}
		if strings.TrimSpace(reply) != "true" {
			return "the module " + module
		}
	}
	reply, err := client.API(t.Context(), fsapi.Unchecked("sofia xmlstatus profile "+sw.profile))
	if err != nil && !errors.Is(err, esl.ErrReply) {
		t.Fatal(err)
	}
	if !strings.Contains(reply, "<name>"+sw.profile+"</name>") {
		return "the SIP profile " + sw.profile + " (FS_PROFILE names another)"
	}
	if _, url, ok := strings.Cut(reply, "<url>sip:mod_sofia@"); ok {
		sw.sip, _, _ = strings.Cut(url, "<")
		sw.sip, _, _ = strings.Cut(sw.sip, ";")
	}
	if f.inbound && (sw.inbound == "" || sw.sip == "") {
		return "a number that answers a telephone and parks it (FS_INBOUND names one)"
	}
	if f.room {
		if err := fsconf.Ready(t.Context(), client, fsconf.Defaults()); errors.Is(err, fsconf.ErrNotReady) {
			return "livemon's conference profile: " + err.Error()
		} else if err != nil {
			t.Fatal(err)
		}
	}
	return ""
}
