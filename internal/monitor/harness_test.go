package monitor_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"go.uber.org/goleak"

	"livemon/fsconf"
	"livemon/internal/fault"
	"livemon/internal/monitor"
	"livemon/internal/seal"
	"livemon/internal/switchsim"
	"livemon/internal/wire"
	"livemon/state"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience is how long a test waits for something that has to happen.
const patience = time.Minute

// house is a simulated switch, a Redis that can be stopped, and one controller.
type house struct {
	t     *testing.T
	sim   *switchsim.Switch
	redis *miniredis.Miniredis
	store *state.Store
	svc   *monitor.Monitor
	stop  func() // stops the controller and waits for it
	cfg   monitor.Config

	mu    sync.Mutex
	may   map[string][]wire.Role // by session's leg: the roles he may be heard in now
	user  map[string]bool        // legs that are users'
	pupil string                 // in a conference of the shop's: the one leg that may hear a coach
	leaks map[leak]int
}

// leak is somebody's hearing a supervisor who may be heard in these roles only.
type leak struct {
	switchsim.Pair
	roles string
}

// build starts a house. Whoever hears a supervisor without being allowed to, in
// any frame of the test, fails it.
func build(t *testing.T, opts ...func(*switchsim.Options, *monitor.Config)) *house {
	t.Helper()
	h := &house{t: t, may: map[string][]wire.Role{}, user: map[string]bool{}, leaks: map[leak]int{}}
	log := slog.New(slog.DiscardHandler)
	if os.Getenv("LIVEMON_TEST_LOG") != "" {
		log = slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelDebug}))
	}
	so := switchsim.Options{ConferenceXML: fsconf.ConferenceXML(fsconf.Defaults())}
	h.cfg = monitor.Config{Secret: seal.Random(), LeaseTTL: 2 * time.Second, MoveTimeout: 5 * time.Second, JoinTimeout: 5 * time.Second, RingTimeout: 3 * time.Second,
		CommandTimeout: 15 * time.Second, BackoffMin: 10 * time.Millisecond, BackoffMax: 100 * time.Millisecond, DialInCoaching: true, Logger: log}
	for _, o := range opts {
		o(&so, &h.cfg)
	}
	var err error
	if h.sim, err = switchsim.Start(context.Background(), so); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := h.sim.Close(); err != nil {
			t.Error(err)
		}
	})
	h.redis = miniredis.RunT(t)
	h.cfg.Nodes = []monitor.NodeConfig{{Name: "sim", Addr: h.sim.Addr(), Password: "ClueCon"}}
	if h.store, err = state.Open(t.Context(), "redis://"+h.redis.Addr(), state.Options{DialTimeout: 5 * time.Second, IOTimeout: 5 * time.Second, OpTimeout: 10 * time.Second, Logger: log}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { h.store.Close() })
	remove := h.sim.OnFrame(h.watch)
	t.Cleanup(func() {
		remove()
		h.mu.Lock()
		defer h.mu.Unlock()
		for l, n := range h.leaks {
			if h.sim.Number(l.Listener) == "eavesdrop" {
				continue // an end of a leg that carries his voice; nobody is behind it
			}
			t.Errorf("LEAK: %s (%s) heard %s, who is %s, in %d frames", h.sim.Number(l.Listener), l.Listener, h.sim.Number(l.Speaker), l.roles, n)
		}
	})
	h.start()
	t.Cleanup(func() { h.stop() })
	return h
}

// start starts a controller and waits until it follows the switch.
func (h *house) start() {
	h.t.Helper()
	svc, err := monitor.New(h.cfg, h.store)
	if err != nil {
		h.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- svc.Run(ctx) }()
	var once sync.Once
	h.svc, h.stop = svc, func() {
		once.Do(func() {
			cancel()
			if err := <-done; err != nil {
				h.t.Errorf("run: %v", err)
			}
		})
	}
	h.ready()
}

// ready waits until the controller follows the switch.
func (h *house) ready() {
	h.t.Helper()
	h.until("the controller follows the switch", func() bool {
		nodes, _ := h.svc.Nodes(h.t.Context())
		return nodes[0].Connected
	})
}

// until waits until something is so, looking at every change of an agent or a
// session and at every frame of the switch.
func (h *house) until(what string, ok func() bool) {
	h.t.Helper()
	ctx, cancel := context.WithTimeout(h.t.Context(), patience)
	defer cancel()
	if err := h.sim.Until(ctx, ok); err != nil {
		sessions, _ := h.svc.Sessions(h.t.Context())
		h.t.Fatalf("%s: %v\nsessions: %+v\nchannels: %+v", what, err, sessions, h.sim.Channels())
	}
}

// watch looks at every frame: a user hears a supervisor only in barge or
// take-over, the pupil also in coach, another supervisor as the user does.
func (h *house) watch(frame []switchsim.Pair) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, p := range frame {
		roles, supervisor := h.may[p.Speaker]
		if !supervisor {
			continue
		}
		_, other := h.may[p.Listener]
		if slices.Contains(roles, wire.Barge) || slices.Contains(roles, wire.TakeOver) ||
			slices.Contains(roles, wire.Coach) && !other && !h.user[p.Listener] && (h.pupil == "" || h.pupil == p.Listener) {
			continue
		}
		h.leaks[leak{p, fmt.Sprint(roles)}]++ // the switch is locked: it cannot be asked who they are
	}
}

// allow says which roles a supervisor may be heard in from now on.
func (h *house) allow(s wire.Session, roles ...wire.Role) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.may[s.Channel] = roles
}

// call makes an outside customer call an agent.
func (h *house) call(number, agent string) switchsim.Call {
	h.t.Helper()
	c, err := h.sim.CallFrom(h.t.Context(), number, agent)
	if err != nil {
		h.t.Fatal(err)
	}
	h.mu.Lock()
	h.user[c.A] = true
	h.mu.Unlock()
	h.until("the call is known", func() bool {
		agents, _ := h.svc.Agents(h.t.Context())
		return slices.ContainsFunc(agents, func(a wire.Agent) bool {
			return a.Agent == agent+"@127.0.0.1" && a.State == wire.OnCall && a.Call != ""
		})
	})
	return c
}

// request asks for a session.
func (h *house) request(agent, phone string, coaching bool) (wire.Session, error) {
	s, err := h.svc.StartSession(h.t.Context(), wire.MonitorRequest{Agent: agent, Phone: phone, Coaching: coaching})
	if err == nil {
		h.allow(s, wire.Monitor)
	}
	return s, err
}

// listen starts a session and waits until the supervisor listens.
func (h *house) listen(agent, phone string) wire.Session {
	h.t.Helper()
	s, err := h.request(agent, phone, true)
	if err != nil {
		h.t.Fatal(err)
	}
	return h.await(s.ID, func(s wire.Session) bool { return s.Status == wire.Listening })
}

// session returns a session as it is.
func (h *house) session(id string) wire.Session {
	h.t.Helper()
	s, err := h.svc.Session(h.t.Context(), id)
	if err != nil && fault.Of(err) != fault.StoreUnavailable {
		h.t.Fatal(err)
	}
	return s
}

// await waits until a session is as wanted.
func (h *house) await(id string, ok func(wire.Session) bool) wire.Session {
	h.t.Helper()
	var s wire.Session
	h.until("session "+id, func() bool {
		s = h.session(id)
		if s.Status == wire.Ended && !ok(s) {
			h.t.Fatalf("the session ended: %+v", s)
		}
		return ok(s)
	})
	return s
}

// ended waits until a session has ended, and checks its code.
func (h *house) ended(id string, code fault.Code) wire.Session {
	h.t.Helper()
	s := h.await(id, func(s wire.Session) bool { return s.Status == wire.Ended })
	if s.Code != int(code) || s.Reason == "" {
		h.t.Errorf("the session ended with %d, %q; want code %d", s.Code, s.Reason, code)
	}
	return s
}

// press presses a supervisor's keys and waits for the role.
func (h *house) press(s wire.Session, keys string, role wire.Role) wire.Session {
	h.t.Helper()
	h.allow(s, s.Role, role)
	if err := h.sim.Press(s.Channel, keys); err != nil {
		h.t.Fatal(err)
	}
	s = h.await(s.ID, func(s wire.Session) bool { return s.Role == role })
	h.settle()
	h.allow(s, role)
	return s
}

// role asks for a role over the API.
func (h *house) role(s wire.Session, role wire.Role) wire.Session {
	h.t.Helper()
	h.allow(s, s.Role, role)
	var err error
	if role == wire.TakeOver {
		s, err = h.svc.TakeOver(h.t.Context(), s.ID)
	} else {
		s, err = h.svc.ChangeRole(h.t.Context(), s.ID, role)
	}
	if err != nil {
		h.t.Fatal(err)
	}
	if s.Role != role {
		h.t.Fatalf("the role is %s", s.Role)
	}
	h.settle()
	h.allow(s, role)
	return s
}

// leave stops a session over the API.
func (h *house) leave(s wire.Session) {
	h.t.Helper()
	if _, err := h.svc.StopSession(h.t.Context(), s.ID); err != nil {
		h.t.Fatal(err)
	}
}

// settle lets a command's effect reach the next frame.
func (h *house) settle() { h.frames(2) }

// frames lets frames pass.
func (h *house) frames(n int) {
	h.t.Helper()
	if err := h.sim.Until(h.t.Context(), func() bool { n--; return n < 0 }); err != nil {
		h.t.Fatal(err)
	}
}

// hears waits until somebody hears exactly these channels.
func (h *house) hears(listener string, want ...string) {
	h.t.Helper()
	want = slices.Sorted(slices.Values(want))
	var got []string
	ctx, cancel := context.WithTimeout(h.t.Context(), patience)
	defer cancel()
	err := h.sim.Until(ctx, func() bool {
		got = h.sim.Hears(listener)
		return slices.Equal(got, want)
	})
	if err != nil {
		h.t.Fatalf("%s hears %v, want %v", h.sim.Number(listener), h.numbers(got), h.numbers(want))
	}
}

func (h *house) numbers(channels []string) []string {
	out := []string{}
	for _, c := range channels {
		out = append(out, h.sim.Number(c))
	}
	return out
}

// alive tells whether a channel is up.
func (h *house) alive(channel string) bool {
	return slices.ContainsFunc(h.sim.Channels(), func(c switchsim.ChannelInfo) bool { return c.UUID == channel })
}

// gone waits until channels have hung up.
func (h *house) gone(channels ...string) {
	h.t.Helper()
	h.until("channels hang up", func() bool { return !slices.ContainsFunc(channels, h.alive) })
}

// bridged waits until a call is a plain bridge.
func (h *house) bridged(c switchsim.Call) {
	h.t.Helper()
	h.until("the call is a plain bridge", func() bool {
		return slices.ContainsFunc(h.sim.Channels(), func(i switchsim.ChannelInfo) bool { return i.UUID == c.A && i.Partner == c.B && i.Room == "" })
	})
	h.hears(c.A, c.B)
	h.hears(c.B, c.A)
}

func (h *house) hangup(channel string) {
	h.t.Helper()
	if err := h.sim.Hangup(channel, ""); err != nil && !errors.Is(err, switchsim.ErrNoChannel) {
		h.t.Fatal(err)
	}
}

// audit returns the events of a session's records.
func (h *house) audit(id string) []wire.AuditRecord {
	h.t.Helper()
	recs, err := h.svc.Audit(h.t.Context(), wire.AuditFilter{Session: id})
	if err != nil {
		h.t.Fatal(err)
	}
	return recs
}

// want checks an error's code.
func (h *house) want(err error, code fault.Code) {
	h.t.Helper()
	if fault.Of(err) != code {
		h.t.Errorf("error %v, want %d", err, code)
	}
}
