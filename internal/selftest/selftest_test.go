package selftest_test

import (
	"context"
	"errors"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"livemon/fsconf"
	"livemon/internal/selftest"
	"livemon/internal/switchsim"
	"livemon/internal/wire"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// pbx is a simulated switch with a call of somebody else's, which has to be
// there, untouched, when the test is over.
func pbx(t *testing.T, change func(*switchsim.Options)) *switchsim.Switch {
	t.Helper()
	o := switchsim.Options{ConferenceXML: fsconf.ConferenceXML(fsconf.Defaults())}
	if change != nil {
		change(&o)
	}
	s, err := switchsim.Start(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	c, err := s.Call(ctx, "1000", "1001")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if left := s.Channels(); len(left) != 2 || left[0].Partner != c.B || left[1].Partner != c.A {
			t.Errorf("there is left: %+v", left)
		}
		for _, command := range s.Commands() {
			if strings.Contains(command, c.A) || strings.Contains(command, c.B) {
				t.Errorf("somebody else's call was touched: %s", command)
			}
		}
		_ = s.Close()
	})
	return s
}

func config(s *switchsim.Switch) selftest.Config {
	return selftest.Config{Node: "pbx", Addr: s.Addr(), Password: "ClueCon", Settings: fsconf.Defaults(), Tone: 300 * time.Millisecond, CommandTimeout: 5 * time.Second, Patience: 10 * time.Second}
}

func run(t *testing.T, c selftest.Config) selftest.Report {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 6*time.Minute)
	defer cancel()
	r, err := selftest.Run(ctx, c)
	if err != nil {
		t.Fatal(err)
	}
	if !r.Clean {
		t.Errorf("it was not cleaned up: %+v", r.Problems)
	}
	return r
}

// heard is the rows of a step as "listener: those heard".
func heard(r selftest.Report, step string) []string {
	var out []string
	for _, s := range r.Steps {
		if s.Name == step {
			for _, row := range s.Rows {
				out = append(out, row.Listener+": "+strings.Join(row.Heard, " "))
			}
		}
	}
	return out
}

func TestAHealthySwitchPasses(t *testing.T) {
	t.Parallel()
	s := pbx(t, nil)
	r := run(t, config(s))
	if !r.OK || len(r.Problems) > 0 {
		t.Errorf("%+v", r)
	}
	var names []string
	for _, s := range r.Steps {
		names = append(names, s.Name)
	}
	want := []string{"call", "joining", "monitor", "coach", "joining by a second supervisor", "monitor by a second supervisor", "barge, with a second supervisor",
		"coach, with a second supervisor", "coach, with a newcomer", "monitor", "only the second supervisor is left", "back in a bridge", "joining again", "monitor again", "takeover"}
	if !slices.Equal(names, want) {
		t.Errorf("steps: %q", names)
	}
	// As the table in docs/architecture.md has it.
	for step, want := range map[string][]string{
		"call":                            {"agent: customer", "customer: agent"},
		"joining":                         {"agent: customer", "customer: agent", "supervisor: "},
		"barge, with a second supervisor": {"agent: customer supervisor", "customer: agent supervisor", "supervisor: agent customer", "second supervisor: agent customer supervisor"},
		"coach, with a newcomer": {"agent: customer supervisor newcomer", "customer: agent newcomer", "supervisor: agent customer newcomer",
			"second supervisor: agent customer newcomer", "newcomer: agent customer"},
		"only the second supervisor is left": {"agent: customer", "customer: agent", "second supervisor: agent customer"},
		"back in a bridge":                   {"agent: customer", "customer: agent"},
		"monitor again":                      {"agent: customer", "customer: agent", "supervisor: agent customer"},
		"takeover":                           {"customer: supervisor", "supervisor: customer"},
	} {
		if got := heard(r, step); !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", step, got, want)
		}
	}
	if len(r.Moves) != 4 {
		t.Fatalf("moves: %+v", r.Moves)
	}
	if len(r.Moves[0].Gaps) != 0 {
		t.Errorf("a gap before there was a call: %+v", r.Moves[0])
	}
	for _, m := range r.Moves[1:] {
		// The simulated moves take between 20 and 200 ms; a machine that is late loses some.
		if len(m.Gaps) != 2 || m.Gaps[0].Party != "agent" || m.Gaps[1].Party != "customer" || m.Gaps[0].MS > 1000 || m.Gaps[1].MS > 1000 || m.Gaps[0].MS+m.Gaps[1].MS == 0 {
			t.Errorf("gaps: %+v", m)
		}
	}
	if !r.Media.Measured || r.Media.Frames < 1000 || len(r.Leaks) != 0 {
		t.Errorf("%+v %+v", r.Media, r.Leaks)
	}
}

// noAudio is what a firewall does: the switch was told, and nothing comes.
var noAudio = switchsim.Fault{Match: regexp.MustCompile(`(?i)^sendmsg [^\n]*\n(.*\n)*call-command: unicast`), Reply: "+OK"}

// Without audio the tones are played by the switch.
func TestAToneThatIsNotPlayed(t *testing.T) {
	t.Parallel()
	s := pbx(t, nil)
	s.Inject(noAudio)
	s.Inject(switchsim.Fault{Match: regexp.MustCompile(`^api uuid_broadcast`), Reply: "+OK Message sent\n"})
	c := config(s)
	c.Patience = 2 * time.Second
	if r := run(t, c); r.OK || len(r.Problems) != 1 || !strings.Contains(r.Problems[0].Detail, "was not played") {
		t.Errorf("%+v", r)
	}
}

// Where no audio comes the test is made all the same, and says so.
func TestWithoutAudio(t *testing.T) {
	t.Parallel()
	s := pbx(t, nil)
	s.Inject(noAudio)
	c := config(s)
	c.Patience, c.Tone = 3*time.Second, 400*time.Millisecond
	r := run(t, c)
	if !r.OK || len(r.Steps) != 15 {
		t.Errorf("%+v", r)
	}
	if r.Media.Measured || !strings.Contains(r.Media.Detail, "UDP") || !strings.Contains(r.Media.Do, "--media-listen") || r.Media.Address == "" {
		t.Errorf("%+v", r.Media)
	}
	for _, m := range r.Moves {
		if m.Gaps == nil || len(m.Gaps) != 0 {
			t.Errorf("%+v", m)
		}
	}
}

// A leak that is too short for the switch to detect is found in the audio.
func TestAMomentaryLeakIsFound(t *testing.T) {
	t.Parallel()
	s := pbx(t, nil)
	s.Inject(switchsim.Fault{Match: regexp.MustCompile(`^api originate .*eavesdrop`), Times: 1, After: func() { expose(t, s) }})
	s.Inject(switchsim.Fault{Match: regexp.MustCompile(`^api conference lmtest-\S+ json_list`), Delay: 60 * time.Millisecond}) // so long it takes to put it right
	r := run(t, config(s))
	i := slices.IndexFunc(r.Leaks, func(l selftest.Leak) bool {
		return l.During == "the change to coach" && l.Listener == "customer" && l.Speaker == "supervisor" && l.MS > 0
	})
	if r.OK || i < 0 {
		t.Errorf("%+v", r)
	}
}

func TestAFaultyAnswerIsFound(t *testing.T) {
	t.Parallel()
	for name, f := range map[string]switchsim.Fault{
		"a relation that is not made":    {Match: regexp.MustCompile(`^api conference lmtest-\S+ relate \S+ \S+ nospeak`), Reply: "+OK\n"},
		"a relation that is not told of": {Match: regexp.MustCompile(`^api conference lmtest-\S+ relate`), Swallow: true},
		"a move that is not made":        {Match: regexp.MustCompile(`^api uuid_transfer .* -both`), Reply: "+OK\n"},
		"a leg that is lost":             {Match: regexp.MustCompile(`^api uuid_bridge`), Reply: "-ERR Invalid uuid\n"},
		"a command that is forbidden":    {Match: regexp.MustCompile(`^api tone_detect`), Reply: "-ERR permission denied\n"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := pbx(t, nil)
			s.Inject(f)
			c := config(s)
			c.CommandTimeout, c.Patience = time.Second, 2*time.Second
			if r := run(t, c); r.OK || len(r.Problems) == 0 {
				t.Errorf("%+v", r)
			}
		})
	}
}

// A relation that somebody removes is found, although the mute still holds.
func TestARelationRemovedByHandIsFound(t *testing.T) {
	t.Parallel()
	s := pbx(t, nil)
	s.Inject(switchsim.Fault{Match: regexp.MustCompile(`^api tone_detect \S+ \S+ 1327 w`), Before: func() { clearRelations(t, s) }})
	r := run(t, config(s))
	if r.OK || !slices.ContainsFunc(r.Problems, func(f wire.Finding) bool { return f.Check == "the room" && strings.Contains(f.Detail, "relate") }) {
		t.Errorf("%v %+v", r.OK, r.Problems)
	}
}

// A coach whom somebody unmutes while he speaks is heard.
func TestACoachUnmutedByHandIsHeard(t *testing.T) {
	t.Parallel()
	s := pbx(t, nil)
	// When an ear is opened for the supervisor's tone, so that nothing is refused: it is only heard.
	s.Inject(switchsim.Fault{Match: regexp.MustCompile(`^api tone_detect \S+ \S+ 1327 w`), Before: func() { expose(t, s) }})
	r := run(t, config(s))
	if r.OK {
		t.Error("it passed")
	}
	leaked := false
	for _, step := range r.Steps {
		for _, row := range step.Rows {
			if !row.OK && row.Listener == "customer" && slices.Contains(row.Heard, "supervisor") && !slices.Contains(row.Should, "supervisor") {
				leaked = true
			}
		}
	}
	if !leaked {
		t.Errorf("the customer heard the coach, and it was not found: %+v", r.Steps)
	}
}

func TestWhatIsMissingIsNamed(t *testing.T) {
	t.Parallel()
	all := []string{"mod_commands", "mod_conference", "mod_dptools", "mod_loopback", "mod_tone_stream"}
	for _, missing := range all[3:] {
		s := pbx(t, func(o *switchsim.Options) {
			o.Modules = slices.DeleteFunc(slices.Clone(all), func(m string) bool { return m == missing })
		})
		r := run(t, config(s))
		if r.OK || len(r.Problems) != 1 || !strings.Contains(r.Problems[0].Detail, missing) || r.Problems[0].Do == "" {
			t.Errorf("%s: %+v", missing, r.Problems)
		}
	}
	s := pbx(t, func(o *switchsim.Options) { o.ConferenceXML = "" })
	r := run(t, config(s))
	if r.OK || len(r.Problems) != 1 || r.Problems[0].Check != "conference profile" || !strings.Contains(r.Problems[0].Do, "fsconf install") {
		t.Errorf("profile: %+v", r.Problems)
	}
}

func TestAnInterruptedTestLeavesNothing(t *testing.T) {
	t.Parallel()
	s := pbx(t, nil)
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	defer cancel()
	c := config(s)
	c.Progress = func(step selftest.Step) {
		if step.Name == "coach" {
			cancel()
		}
	}
	r, err := selftest.Run(ctx, c)
	if !errors.Is(err, context.Canceled) || r.OK || !r.Clean {
		t.Errorf("%v %+v", err, r)
	}
}

func TestALostConnectionLeavesNothing(t *testing.T) {
	t.Parallel()
	s := pbx(t, nil)
	c := config(s)
	c.Progress = func(step selftest.Step) {
		if step.Name == "monitor by a second supervisor" {
			s.DropConnections()
		}
	}
	if r := run(t, c); r.OK {
		t.Errorf("%+v", r)
	}
}

// Where the test cannot end its legs they end by themselves.
func TestLegsEndByThemselves(t *testing.T) {
	t.Parallel()
	s := pbx(t, nil)
	for _, command := range []string{"hupall", "uuid_kill", "uuid_bridge"} {
		s.Inject(switchsim.Fault{Match: regexp.MustCompile("^api " + command), Reply: "-ERR permission denied\n"})
	}
	c := config(s)
	c.Life = 3 * time.Second
	if r := run(t, c); r.OK {
		t.Errorf("%+v", r)
	}
}

// An originate that was carried out and never answered leaves nothing.
func TestALegThatWasNotAnswered(t *testing.T) {
	t.Parallel()
	s := pbx(t, nil)
	s.Inject(switchsim.Fault{Match: regexp.MustCompile("^api originate"), Swallow: true, AfterDoing: true})
	c := config(s)
	c.CommandTimeout = 500 * time.Millisecond
	if r := run(t, c); r.OK || len(r.Steps) != 0 {
		t.Errorf("%+v", r)
	}
}

func TestUnreachable(t *testing.T) {
	t.Parallel()
	c := selftest.Config{Addr: "127.0.0.1:1", Password: "x", Settings: fsconf.Defaults()}
	if r, err := selftest.Run(context.Background(), c); err == nil || r.OK {
		t.Errorf("%v %+v", err, r)
	}
}
