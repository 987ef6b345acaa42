package selftest

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"livemon/conference"
	"livemon/esl"
	"livemon/fsconf"
	"livemon/internal/wire"
)

// Config is what Run needs to know. Zero durations have sensible defaults.
type Config struct {
	Node     string // the switch's name in the report; default Addr
	Addr     string // host:port of its event socket
	Password string
	Settings fsconf.Settings // as installed on the switch

	Tone           time.Duration // how long each tone sounds; default 800 ms, no less than 300
	Patience       time.Duration // for anything that the switch was told to do; default 5 s
	CommandTimeout time.Duration // for the answer to one command; default 5 s
	Life           time.Duration // how long a leg of the test is parked; within twice that they end by themselves; whole seconds, default 3 min

	Progress func(Step) // called with each step as it was heard; may be nil
	Logger   *slog.Logger
}

// test is one run.
type test struct {
	cfg    Config
	run    string // marks this run's legs
	client *esl.Client
	events *esl.Stream
	legs   []*leg
	room   string
	rooms  []string
	unsure bool // whether a leg was made is not known: it may still come
	report Report
}

// cleanupTime bounds the end of a test, also of one that was interrupted.
const cleanupTime = 20 * time.Second

// lateLeg is how long a leg may take to come whose making was not answered.
const lateLeg = 2 * time.Second

// Run tests one switch. What is wrong there is in the report, which is valid
// also with an error. The error is that of a context that ended or of a switch
// that cannot be reached.
func Run(ctx context.Context, cfg Config) (Report, error) {
	cfg = cfg.withDefaults()
	t := &test{cfg: cfg, run: newUUID()[:8]}
	t.report = Report{Node: cfg.Node, Steps: []Step{}, Moves: []Move{}, Problems: []wire.Finding{}, Clean: true}
	o := esl.Options{Addr: cfg.Addr, Password: cfg.Password, CommandTimeout: cfg.CommandTimeout, Logger: cfg.Logger}
	t.client = esl.NewClient(o)
	defer func() { _ = t.client.Close() }()
	version, err := t.api(ctx, "version")
	if err != nil {
		return t.report, err
	}
	t.report.Version, _, _ = strings.Cut(strings.TrimSpace(version), "\n")
	if err := t.lacks(ctx); err != nil || len(t.report.Problems) > 0 {
		return t.report, err
	}
	if t.events, err = esl.DialStream(ctx, o, earEvents); err != nil {
		return t.report, err
	}
	err = t.scenario(ctx)
	_ = t.events.Close()
	if err != nil && ctx.Err() == nil {
		t.problem("selftest", err.Error(), "")
		err = nil
	}
	t.cleanup(ctx)
	t.report.OK = err == nil && t.report.Clean && len(t.report.Problems) == 0
	for _, s := range t.report.Steps {
		t.report.OK = t.report.OK && s.OK
	}
	return t.report, err
}

func (c Config) withDefaults() Config {
	for _, d := range []struct {
		to    *time.Duration
		value time.Duration
	}{{&c.Tone, 800 * time.Millisecond}, {&c.Patience, 5 * time.Second}, {&c.CommandTimeout, 5 * time.Second}, {&c.Life, 3 * time.Minute}} {
		if *d.to <= 0 {
			*d.to = d.value
		}
	}
	c.Tone = max(c.Tone, 300*time.Millisecond)
	if c.Node == "" {
		c.Node = c.Addr
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return c
}

// needed are the modules without which the test cannot be made.
var needed = []struct{ module, why string }{
	{"mod_commands", "whose commands it gives"},
	{"mod_conference", "which makes the room"},
	{"mod_dptools", "which parks and plays"},
	{"mod_loopback", "which makes the parties"},
	{"mod_tone_stream", "which makes their tones"},
}

// lacks notes what the switch lacks for the test.
func (t *test) lacks(ctx context.Context) error {
	for _, n := range needed {
		reply, err := t.api(ctx, "module_exists "+n.module)
		if err != nil && !refused(err) {
			return err
		}
		if strings.TrimSpace(reply) != "true" {
			t.problem("module "+n.module, "the switch has not loaded "+n.module+", "+n.why,
				"Run 'fs_cli -x \"load "+n.module+"\"', and name it in modules.conf.xml for the next start.")
		}
	}
	if len(t.report.Problems) > 0 {
		return nil
	}
	err := fsconf.Ready(ctx, t.sw(), t.cfg.Settings)
	var e *fsconf.Error
	if errors.As(err, &e) {
		check, detail, _ := strings.Cut(e.Problem, ": ") // as fsconf.Ready puts it
		t.problem(check, detail, e.Do)
		return nil
	}
	return err
}

// scenario is the test: a call, and a supervisor who goes through all roles.
func (t *test) scenario(ctx context.Context) error {
	pupil, err := t.dial(ctx, "agent", "620", conference.Pupil)
	if err != nil {
		return err
	}
	user, err := t.dial(ctx, "customer", "880", conference.User)
	if err != nil {
		return err
	}
	if err := t.bridge(ctx, "the call begins", user, pupil); err != nil {
		return err
	}
	if err := t.listen(ctx, "call", nil); err != nil {
		return err
	}
	s, err := t.enter(ctx, pupil, user)
	if err != nil {
		return err
	}
	if err := t.roles(ctx, s, "", wire.Joining, wire.Monitor, wire.Coach, wire.Barge, wire.Coach); err != nil {
		return err
	}
	if err := t.newcomer(ctx, s); err != nil {
		return err
	}
	if err := t.roles(ctx, s, "", wire.Monitor); err != nil {
		return err
	}
	if err := t.reach(ctx, conference.Desired{Leave: map[string]bool{s.session: true}}); err != nil {
		return err
	}
	if err := t.bridge(ctx, "back to a bridge", user, pupil); err != nil {
		return err
	}
	if err := t.listen(ctx, "back in a bridge", nil); err != nil {
		return err
	}
	if s, err = t.enter(ctx, pupil, user); err != nil {
		return err
	}
	if err := t.roles(ctx, s, " again", wire.Monitor); err != nil {
		return err
	}
	return t.roles(ctx, s, "", wire.TakeOver)
}

// enter moves the call into a room and brings a supervisor there.
func (t *test) enter(ctx context.Context, pupil, user *leg) (*leg, error) {
	if err := t.move(ctx, pupil, user); err != nil {
		return nil, err
	}
	s, err := t.dial(ctx, "supervisor", "1330", conference.Supervisor)
	if err != nil {
		return nil, err
	}
	return s, t.join(ctx, s)
}

// roles gives the supervisor one role after the other, and listens in each.
func (t *test) roles(ctx context.Context, s *leg, suffix string, roles ...wire.Role) error {
	for _, role := range roles {
		want := as(s, role)
		if err := t.reach(ctx, want); err != nil {
			return fmt.Errorf("%s: %w", role, err)
		}
		if err := t.listen(ctx, string(role)+suffix, want.Roles); err != nil {
			return err
		}
	}
	return nil
}

// newcomer lets somebody walk into the room while the supervisor coaches, past
// its lock: he must not hear the coach.
func (t *test) newcomer(ctx context.Context, s *leg) error {
	late, err := t.dial(ctx, "newcomer", "1750", conference.Other)
	if err != nil {
		return err
	}
	if err := t.join(ctx, late); err != nil {
		return err
	}
	if err := t.roles(ctx, s, ", with a newcomer", wire.Coach); err != nil {
		return err
	}
	return t.hangup(ctx, late)
}

// cleanup ends the test's legs, and with them its rooms, and looks whether they
// are gone. It tries again until they are, over new connections if need be.
func (t *test) cleanup(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanupTime)
	defer cancel()
	if t.unsure {
		_ = pause(ctx, lateLeg) // if the time is up already, the sweep says so
	}
	for {
		left, err := t.sweep(ctx)
		if err == nil && left == "" {
			return
		}
		if pause(ctx, 10*poll) != nil {
			if err != nil {
				left = err.Error()
			}
			t.report.Clean = false
			t.problem("clean up", "the test could not be cleaned up: "+left,
				fmt.Sprintf("Its legs end by themselves within %s. To end them now: fs_cli -x 'hupall NORMAL_CLEARING %s %s'.", 2*t.cfg.Life, mark, t.run))
			return
		}
	}
}

// sweep tells what is left of the test after it has been told to end.
func (t *test) sweep(ctx context.Context) (left string, err error) {
	// One whose making was not answered is known by its mark only.
	if _, err := t.api(ctx, "hupall NORMAL_CLEARING "+mark+" "+t.run); err != nil && !refused(err) {
		return "", err
	}
	for _, l := range t.legs {
		for _, channel := range []string{l.near, l.far} {
			if channel == "" {
				continue
			}
			there, err := t.exists(ctx, channel)
			if err != nil && !refused(err) {
				return "", err
			}
			// A channel that hangs up exists no more, and is listed for a while yet.
			list, err := t.api(ctx, "show channels like "+channel)
			if err != nil && !refused(err) {
				return "", err
			}
			if strings.Contains(list, channel+",") {
				left = "the " + l.name + "'s leg is still listed"
			}
			if there {
				left = "the " + l.name + "'s leg is still there"
				if _, err := t.api(ctx, "uuid_kill "+channel+" NORMAL_CLEARING"); err != nil && !refused(err) {
					return left, err
				}
			}
		}
	}
	for _, t.room = range t.rooms {
		if _, err := t.readRoom(ctx); err == nil {
			left = "the room " + t.room + " is still there"
		} else if !errors.Is(err, conference.ErrNoRoom) {
			return left, err
		}
	}
	return left, nil
}

func (t *test) problem(check, detail, do string) {
	t.report.Problems = append(t.report.Problems, wire.Finding{Node: t.cfg.Node, Check: check, Detail: detail, Do: do})
}

// api sends one command to the switch.
func (t *test) api(ctx context.Context, line string) (string, error) {
	reply, err := t.client.API(ctx, line)
	t.cfg.Logger.Debug("switch", "command", line, "reply", clip(reply), "error", err)
	return reply, err
}

func (t *test) sw() fsconf.Switch { return t.client }

// until looks at the switch until something is so, for as long as patience lasts.
func (t *test) until(ctx context.Context, what string, cond func() (bool, error)) error {
	ctx, cancel := context.WithTimeout(ctx, t.cfg.Patience)
	defer cancel()
	for {
		if ok, err := cond(); ok || err != nil && !refused(err) {
			return err
		}
		if err := pause(ctx, poll); err != nil {
			return fmt.Errorf("%s was not seen in time: %w", what, err)
		}
	}
}

// refused tells whether the switch answered, and said no.
func refused(err error) bool { return errors.Is(err, esl.ErrReply) }

func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
