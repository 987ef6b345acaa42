// Package demo shows livemon at work without a telephone or a FreeSWITCH: in one
// process it runs a simulated switch, an embedded store and the service, makes a
// call, and walks a supervisor through listening, coaching, barging in and taking
// over, over a real event socket and the real HTTP API.
//
// It guarantees that it succeeds only if, at every step, everybody heard exactly
// whom the table says, as the switch saw it, and if in no single 20 ms frame of
// the whole run the customer or the agent heard a supervisor whom the table did
// not let them hear. It proves nothing about a real switch; 'livemon doctor' and
// the operator's guide say how to look at one.
package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"livemon/conference"
	"livemon/fsconf"
	"livemon/internal/api"
	"livemon/internal/fault"
	"livemon/internal/monitor"
	"livemon/internal/seal"
	"livemon/internal/switchsim"
	"livemon/internal/wire"
	"livemon/state"
)

// ErrDisagrees says that the switch saw something else than the table says.
var ErrDisagrees = errors.New("who heard whom was not what the table says")

const (
	customer   = "5550100"
	agent      = "1001"
	supervisor = "1002"
	stepTime   = 10 * time.Second // for anything that has to happen
	frames     = 10               // that each step is looked at
)

// Run walks through the workflow and prints what it sees. The error is
// ErrDisagrees, or says what could not be done.
func Run(ctx context.Context, out io.Writer, log *slog.Logger) (err error) {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	d := &demo{out: out}
	settings := fsconf.Defaults()
	d.sim, err = switchsim.Start(ctx, switchsim.Options{ConferenceXML: fsconf.ConferenceXML(settings), Logger: log})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.sim.Close()) }()
	store, err := state.Open(ctx, state.EmbeddedURL, state.Options{Logger: log})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	svc, err := monitor.New(monitor.Config{
		Nodes:    []monitor.NodeConfig{{Name: "demo", Addr: d.sim.Addr(), Password: "ClueCon"}},
		Settings: settings, Secret: seal.Random(), Logger: log,
	}, store)
	if err != nil {
		return err
	}
	ln, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	var g errgroup.Group
	runCtx, stop := context.WithCancel(ctx)
	defer func() { stop(); err = errors.Join(err, g.Wait()) }()
	g.Go(func() error { return svc.Run(runCtx) })
	const token = "demo"
	srv := &http.Server{Handler: api.NewServer(svc, api.ServerOptions{Token: token, Logger: log}), ReadHeaderTimeout: stepTime}
	g.Go(func() error {
		if err := srv.Serve(ln); !errors.Is(err, http.ErrServerClosed) {
			return err
		}
		return nil
	})
	defer func() { err = errors.Join(err, srv.Close()) }()
	d.client = api.NewClient("http://"+ln.Addr().String(), token)

	d.printf("livemon demo: simulated switch on %s, embedded Redis, API on http://%s\n\n", d.sim.Addr(), ln.Addr())
	return d.walk(ctx)
}

type demo struct {
	out    io.Writer
	sim    *switchsim.Switch
	client *api.Client

	wrong int

	mu    sync.Mutex        // guards what follows
	names map[string]string // channel -> what it is called here
	legs  map[string]conference.Member
	roles []wire.Role // that the supervisor may be heard in now
	leaks map[string]int
}

// printf prints. Whoever cannot read it still gets the outcome.
func (d *demo) printf(format string, args ...any) { _, _ = fmt.Fprintf(d.out, format, args...) }

// walk is the workflow.
func (d *demo) walk(ctx context.Context) error {
	if err := d.until(ctx, "the service follows the switch", func(ctx context.Context) (bool, error) {
		nodes, err := d.client.Nodes(ctx)
		return err == nil && len(nodes) == 1 && nodes[0].Connected, err
	}); err != nil {
		return err
	}
	call, err := d.sim.CallFrom(ctx, customer, agent)
	if err != nil {
		return err
	}
	d.names = map[string]string{call.A: "customer", call.B: "agent"}
	d.legs = map[string]conference.Member{
		call.A: {ID: 1, Party: conference.User}, call.B: {ID: 2, Party: conference.Pupil}}
	d.leaks = map[string]int{}
	defer d.sim.OnFrame(d.watch)()

	d.printf("%-33s %-24s %-24s %-24s\n", "step", "agent hears", "customer hears", "supervisor hears")
	if err := d.show(ctx, "call from "+customer+" to "+agent, ""); err != nil {
		return err
	}
	s, err := d.startListening(ctx)
	if err != nil {
		return err
	}
	d.mu.Lock() // each frame is watched meanwhile
	d.names[s.Channel] = "supervisor"
	d.legs[s.Channel] = conference.Member{ID: 3, Party: conference.Supervisor, Session: "s"}
	d.mu.Unlock()
	if err := d.show(ctx, "listening", wire.Monitor); err != nil {
		return err
	}
	for _, step := range []struct {
		keys string
		role wire.Role
	}{{"4#", wire.Coach}, {"6#", wire.Barge}, {"5#", wire.Monitor}, {"0#", wire.Barge}, {"4#", wire.Coach}, {"1#", wire.TakeOver}} {
		d.expect(step.role)
		if err := d.sim.Press(s.Channel, step.keys); err != nil {
			return err
		}
		if s, err = d.await(ctx, s.ID, func(s wire.Session) bool { return s.Role == step.role }); err != nil {
			return err
		}
		if err := d.show(ctx, "supervisor presses "+step.keys+": "+string(step.role), step.role); err != nil {
			return err
		}
	}
	if err := d.sim.Hangup(s.Channel, ""); err != nil {
		return err
	}
	if s, err = d.await(ctx, s.ID, func(s wire.Session) bool { return s.Status == wire.Ended }); err != nil {
		return err
	}
	d.printf("\nThe supervisor hangs up: session ended, %s.\n", s.Reason)

	if err := d.showReturn(ctx); err != nil {
		return err
	}
	if err := d.showError(ctx); err != nil {
		return err
	}
	if err := d.showAudit(ctx, s.ID); err != nil {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	for what, n := range d.leaks {
		d.printf("LEAK: %s in %d frames\n", what, n)
		d.wrong++
	}
	if d.wrong > 0 {
		d.printf("\n%d of the steps above disagree with the table.\n", d.wrong)
		return ErrDisagrees
	}
	d.printf("\nEvery step agrees with the table, and no 20 ms frame of the run let anybody hear whom he should not.\n")
	return nil
}

// startListening asks for a session as the command line does.
func (d *demo) startListening(ctx context.Context) (wire.Session, error) {
	d.expect(wire.Monitor)
	s, err := d.client.StartSession(ctx, wire.MonitorRequest{Agent: agent, Phone: supervisor, Coaching: true})
	if err != nil {
		return s, err
	}
	return d.await(ctx, s.ID, func(s wire.Session) bool { return s.Status == wire.Listening })
}

// showReturn shows that a call goes back to a plain bridge, and outlives it.
func (d *demo) showReturn(ctx context.Context) error {
	call, err := d.sim.CallFrom(ctx, customer, agent)
	if err != nil {
		return err
	}
	d.mu.Lock()
	d.names = map[string]string{call.A: "customer", call.B: "agent"}
	d.legs = map[string]conference.Member{call.A: {ID: 1, Party: conference.User}, call.B: {ID: 2, Party: conference.Pupil}}
	d.mu.Unlock()
	s, err := d.startListening(ctx)
	if err != nil {
		return err
	}
	if s, err = d.client.StopSession(ctx, s.ID); err != nil {
		return err
	}
	back := func() bool {
		for _, c := range d.sim.Channels() {
			if c.UUID == call.A {
				return c.Partner == call.B && c.Room == ""
			}
		}
		return false
	}
	wctx, cancel := context.WithTimeout(ctx, stepTime)
	defer cancel()
	if err := d.sim.Until(wctx, back); err != nil {
		return fmt.Errorf("the call did not return to a bridge: %w", err)
	}
	d.printf("A second call, a supervisor listens and is stopped (%s): the call is a plain bridge again.\n", s.Reason)
	return d.sim.Hangup(call.A, "")
}

// showError shows one of the error codes.
func (d *demo) showError(ctx context.Context) error {
	_, err := d.client.StartSession(ctx, wire.MonitorRequest{Agent: "1005", Phone: supervisor})
	if fault.Of(err) != fault.PupilGone {
		return fmt.Errorf("%w: listening to an agent without a call gave %w", ErrDisagrees, err)
	}
	d.printf("Listening to an agent without a call: %s\n", fault.PupilGone.Digits()+" "+fault.PupilGone.Sentence())
	return nil
}

func (d *demo) showAudit(ctx context.Context, session string) error {
	records, err := d.client.Audit(ctx, wire.AuditFilter{Session: session})
	if err != nil {
		return err
	}
	d.printf("\nThe audit stream of the first session:\n")
	for _, r := range records {
		change := ""
		if r.To != "" {
			change = string(r.From) + " -> " + string(r.To)
		}
		d.printf("  %-10s %-22s %-10s %s\n", r.Event, change, r.Via, r.Detail)
	}
	if len(records) < 8 {
		return fmt.Errorf("%w: the audit stream has %d records", ErrDisagrees, len(records))
	}
	return nil
}

// expect says which role the supervisor is about to have. Until it is reached
// he may be heard as in the role before.
func (d *demo) expect(role wire.Role) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if n := len(d.roles); n > 0 {
		d.roles = d.roles[n-1:]
	}
	d.roles = append(d.roles, role)
}

// watch looks at every frame: nobody may hear a supervisor whom neither the role
// before nor the role to come lets him hear.
func (d *demo) watch(frame []switchsim.Pair) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, p := range frame {
		listener, ok := d.legs[p.Listener]
		if !ok || listener.Party == conference.Supervisor {
			continue
		}
		if speaker, ok := d.legs[p.Speaker]; ok && speaker.Party != conference.Supervisor {
			continue
		}
		speaker := conference.Member{ID: 3, Party: conference.Supervisor, Session: "s"}
		if !slices.ContainsFunc(d.roles, func(r wire.Role) bool {
			return conference.Allowed(listener, speaker, map[string]wire.Role{"s": r})
		}) {
			d.leaks[d.names[p.Listener]+" heard the supervisor"]++
		}
	}
}

// show prints who hears whom, as the switch sees it, beside the table.
func (d *demo) show(ctx context.Context, step string, role wire.Role) error {
	heard, err := d.hears(ctx, role)
	if err != nil {
		return err
	}
	d.printf("%-33s", step)
	agree := true
	for _, who := range []string{"agent", "customer", "supervisor"} {
		want := d.table(who, role)
		cell := heard[who]
		if cell != want {
			agree = false
			cell += " (table: " + want + ")"
		}
		d.printf(" %-24s", cell)
	}
	if agree {
		d.printf(" as in the table\n")
	} else {
		d.wrong++
		d.printf(" NOT AS IN THE TABLE\n")
	}
	return nil
}

// hears returns what everybody hears once it is as the table says, or after a
// while as it is; then it must stay so for some frames.
func (d *demo) hears(ctx context.Context, role wire.Role) (map[string]string, error) {
	now := func() map[string]string {
		out := map[string]string{"agent": "-", "customer": "-", "supervisor": "-"}
		for channel, name := range d.names {
			var whom []string
			for _, speaker := range d.sim.Hears(channel) {
				if n := d.names[speaker]; n != "" {
					whom = append(whom, n)
				} else {
					whom = append(whom, "a stranger")
				}
			}
			slices.Sort(whom)
			if len(whom) > 0 {
				out[name] = strings.Join(whom, ", ")
			}
		}
		return out
	}
	as := func(h map[string]string) bool {
		return h["agent"] == d.table("agent", role) && h["customer"] == d.table("customer", role) && h["supervisor"] == d.table("supervisor", role)
	}
	var h map[string]string
	wctx, cancel := context.WithTimeout(ctx, stepTime/5)
	defer cancel()
	if err := d.sim.Until(wctx, func() bool { h = now(); return as(h) }); err != nil && ctx.Err() != nil {
		return nil, ctx.Err()
	}
	n := 0
	err := d.sim.Until(ctx, func() bool {
		h = now()
		n++
		return n > frames || !as(h)
	})
	return h, err
}

// table says whom somebody hears when the supervisor has a role; "" is a call
// without him.
func (d *demo) table(who string, role wire.Role) string {
	party := map[string]conference.Party{"agent": conference.Pupil, "customer": conference.User, "supervisor": conference.Supervisor}
	var out []string
	for id, name := range []string{"agent", "customer", "supervisor"} {
		if name == who || role == "" && (name == "supervisor" || who == "supervisor") || role == wire.TakeOver && (name == "agent" || who == "agent") {
			continue
		}
		l, s := conference.Member{ID: 9, Party: party[who], Session: "s"}, conference.Member{ID: id, Party: party[name], Session: "s"}
		if conference.Allowed(l, s, map[string]wire.Role{"s": role}) {
			out = append(out, name)
		}
	}
	if len(out) == 0 {
		return "-"
	}
	return strings.Join(out, ", ")
}

// await waits until a session is as wanted.
func (d *demo) await(ctx context.Context, id string, ok func(wire.Session) bool) (wire.Session, error) {
	ctx, cancel := context.WithTimeout(ctx, stepTime)
	defer cancel()
	s, err := d.client.Session(ctx, id)
	for err == nil && !ok(s) {
		if s.Status == wire.Ended {
			return s, fmt.Errorf("the session ended: %s (%d)", s.Reason, s.Code)
		}
		if ctx.Err() != nil {
			return s, fmt.Errorf("the session stays %s, %s", s.Status, s.Role)
		}
		s, err = d.client.AwaitSession(ctx, id, s.Status, s.Role)
	}
	return s, err
}

// until waits for something that the service does by itself.
func (d *demo) until(ctx context.Context, what string, ok func(context.Context) (bool, error)) error {
	wctx, cancel := context.WithTimeout(ctx, stepTime)
	defer cancel()
	for {
		done, err := ok(wctx)
		if done {
			return nil
		}
		tick := time.NewTimer(20 * time.Millisecond)
		select {
		case <-tick.C:
		case <-wctx.Done():
			tick.Stop()
			return fmt.Errorf("%s: not within %s: %w", what, stepTime, errors.Join(err, wctx.Err()))
		}
	}
}
