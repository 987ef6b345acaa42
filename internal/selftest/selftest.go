package selftest

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"strings"
	"time"

	"livemon/esl"
	"livemon/fsconf"
	"livemon/internal/fsapi"
	"livemon/internal/wire"
)

// Config is what Run needs to know. Zero durations have sensible defaults.
type Config struct {
	Node     string // the switch's name in the report; default Addr
	Addr     string // host:port of its event socket
	Password string
	Settings fsconf.Settings // as installed on the switch

	Tone           time.Duration // how long each tone sounds; default 600 ms, no less than 300
	Patience       time.Duration // for anything that the switch was told to do; default 5 s
	CommandTimeout time.Duration // for the answer to one command; default 5 s
	Life           time.Duration // how long a leg of the test is parked; within twice that they end by themselves; whole seconds, default 5 min

	// MediaListen is where the switch's audio is listened for, by UDP; port 0 is any.
	// Zero means a port of the address by which the switch is reached.
	MediaListen netip.AddrPort

	Progress func(Step) // called with each step as it was heard; may be nil
	Logger   *slog.Logger
}

// test is one run.
type test struct {
	cfg        Config
	run        string // marks this run's legs
	client     *esl.Client
	events     *esl.Stream
	media      *media // nil where no audio comes
	legs       []*leg
	have       map[string]wire.Role // the supervisors' roles, by session
	room       string
	rooms      []string
	whispering map[string]string // by session, the leg that carries a supervisor's voice to the agent
	unsure     bool              // whether a leg was made is not known: it may still come
	report     Report
}

// Run tests one switch. What is wrong there is in the report, which is valid
// also with an error. The error is that of a context that ended or of a switch
// that cannot be reached.
func Run(ctx context.Context, cfg Config) (Report, error) {
	cfg = cfg.withDefaults()
	t := &test{cfg: cfg, run: newUUID()[:8], whispering: map[string]string{}}
	t.report = Report{Node: cfg.Node, Steps: []Step{}, Moves: []Move{}, Leaks: []Leak{}, Problems: []wire.Finding{}, Clean: true}
	o := esl.Options{Addr: cfg.Addr, Password: cfg.Password, CommandTimeout: cfg.CommandTimeout, Logger: cfg.Logger}
	t.client = esl.NewClient(o)
	defer func() { _ = t.client.Close() }()
	version, err := t.api(ctx, fsapi.Version())
	if err != nil {
		return t.report, err
	}
	t.report.Version, _, _ = strings.Cut(strings.TrimSpace(version), "\n")
	if err := t.lacks(ctx); err != nil || len(t.report.Problems) > 0 {
		return t.report, err
	}
	ends, err := t.open(ctx, o)
	if err != nil {
		return t.report, err
	}
	err = t.listenForAudio(ctx, ends)
	if err == nil {
		err = t.scenario(ctx)
	}
	_ = t.events.Close()
	if t.media != nil {
		t.media.close()
	}
	if err != nil && ctx.Err() == nil {
		t.problem("selftest", err.Error(), "")
		err = nil
	}
	t.cleanup(ctx)
	t.report.OK = err == nil && t.report.Clean && len(t.report.Problems) == 0 && len(t.report.Leaks) == 0
	for _, s := range t.report.Steps {
		t.report.OK = t.report.OK && s.OK
	}
	return t.report, err
}

func (c Config) withDefaults() Config {
	for _, d := range []struct {
		to    *time.Duration
		value time.Duration
	}{{&c.Tone, 600 * time.Millisecond}, {&c.Patience, 5 * time.Second}, {&c.CommandTimeout, 5 * time.Second}, {&c.Life, 5 * time.Minute}} {
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
		reply, err := t.api(ctx, fsapi.ModuleExists(fsapi.Name(n.module)))
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

func (t *test) problem(check, detail, do string) {
	t.report.Problems = append(t.report.Problems, wire.Finding{Node: t.cfg.Node, Check: check, Detail: detail, Do: do})
}

// api sends one command to the switch.
func (t *test) api(ctx context.Context, line fsapi.Line) (string, error) {
	reply, err := t.client.API(ctx, line)
	t.cfg.Logger.Debug("switch", "command", line.String(), "reply", clip(reply), "error", err)
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

// What the test says to the switch is made by the test itself, but for what the
// switch has answered; what cannot become part of a command makes a line that is
// not sent.

func channelOf(id string) fsapi.Channel { c, _ := fsapi.ParseChannel(strings.TrimSpace(id)); return c }

func roomOf(name string) fsapi.Room { r, _ := fsapi.ParseRoom(name); return r }

func valueOf(s string) fsapi.Value { v, _ := fsapi.ParseValue(s); return v }
