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
	return selftest.Config{Node: "pbx", Addr: s.Addr(), Password: "ClueCon", Settings: fsconf.Defaults(), Tone: 400 * time.Millisecond, CommandTimeout: 2 * time.Second}
}

func run(t *testing.T, c selftest.Config) selftest.Report {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
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
	want := []string{"call", "joining", "monitor", "coach", "barge", "coach", "coach, with a newcomer", "monitor", "back in a bridge", "monitor again", "takeover"}
	if !slices.Equal(names, want) {
		t.Errorf("steps: %q", names)
	}
	// As the table in docs/architecture.md has it.
	for step, want := range map[string][]string{
		"call":                   {"agent: customer", "customer: agent"},
		"joining":                {"agent: customer", "customer: agent", "supervisor: "},
		"barge":                  {"agent: customer supervisor", "customer: agent supervisor", "supervisor: agent customer"},
		"coach, with a newcomer": {"agent: customer supervisor newcomer", "customer: agent newcomer", "supervisor: agent customer newcomer", "newcomer: agent customer"},
		"back in a bridge":       {"agent: customer", "customer: agent"},
		"monitor again":          {"agent: customer", "customer: agent", "supervisor: agent customer"},
		"takeover":               {"customer: supervisor", "supervisor: customer"},
	} {
		if got := heard(r, step); !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", step, got, want)
		}
	}
	if len(r.Moves) != 4 {
		t.Errorf("moves: %+v", r.Moves)
	}
}

func TestAFaultyAnswerIsFound(t *testing.T) {
	t.Parallel()
	for name, f := range map[string]switchsim.Fault{
		"a relation that is not made":    {Match: regexp.MustCompile(`^api conference lmtest-\S+ relate \S+ \S+ nospeak`), Reply: "+OK\n"},
		"a relation that is not told of": {Match: regexp.MustCompile(`^api conference lmtest-\S+ relate`), Swallow: true},
		"a move that is not made":        {Match: regexp.MustCompile(`^api uuid_transfer .* -both`), Reply: "+OK\n"},
		"a tone that is not played":      {Match: regexp.MustCompile(`^api uuid_broadcast`), Reply: "+OK Message sent\n"},
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

// A relation that somebody removes while the coach speaks is heard.
func TestARelationRemovedByHandIsHeard(t *testing.T) {
	t.Parallel()
	s := pbx(t, nil)
	// Just before the supervisor's tone, so that nothing is refused: it is only heard.
	s.Inject(switchsim.Fault{Match: regexp.MustCompile(`^api uuid_broadcast \S+ tone_stream://%\(400,0,1330\)`), Before: func() { clearRelations(t, s) }})
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
		if step.Name == "barge" {
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
