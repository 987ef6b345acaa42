package browsertest

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	"livemon/fsconf"
	"livemon/internal/accounts"
	"livemon/internal/api"
	"livemon/internal/guard"
	"livemon/internal/monitor"
	"livemon/internal/panel"
	"livemon/internal/seal"
	"livemon/internal/switchsim"
	"livemon/internal/wire"
	"livemon/state"
)

const (
	token    = "token-of-the-machine"
	password = "correct horse battery"
	domain   = "127.0.0.1" // of the simulated switch
)

// house is the whole product in this process, on one listener.
type house struct {
	t      *testing.T
	sim    *switchsim.Switch // nil where the service is one that the test gave
	svc    wire.Service      // without a guard: it answers everything
	people *accounts.Service
	door   *door

	mu    sync.Mutex
	may   map[string][]wire.Role // by supervisor's leg: the roles he may be heard in now
	user  map[string]bool        // legs that are customers'
	leaks map[leak]int
}

// leak is somebody's hearing a supervisor who may be heard in these roles only.
type leak struct {
	switchsim.Pair
	roles string
}

// operator is the context of who administers the house.
func (h *house) operator() context.Context {
	return wire.WithActor(h.t.Context(), wire.Actor{Operator: true, Admin: true, Via: "test"})
}

// build starts a house around a simulated switch. Whoever hears a supervisor
// without being allowed to, in any frame of the test, fails it.
func build(t *testing.T, opts ...func(*switchsim.Options, *monitor.Config)) *house {
	t.Helper()
	browser(t) // skips where there is none
	h := &house{t: t, door: &door{t: t}, may: map[string][]wire.Role{}, user: map[string]bool{}, leaks: map[leak]int{}}
	log := logger()
	so := switchsim.Options{ConferenceXML: fsconf.ConferenceXML(fsconf.Defaults())}
	mc := monitor.Config{Secret: seal.Random(), LeaseTTL: 2 * time.Second, SettleAfter: 200 * time.Millisecond, RingTimeout: 2 * time.Second,
		BackoffMin: 10 * time.Millisecond, BackoffMax: 100 * time.Millisecond, Logger: log}
	for _, o := range opts {
		o(&so, &mc)
	}
	var err error
	h.sim, err = switchsim.Start(context.Background(), so)
	h.must(err)
	t.Cleanup(func() {
		if err := h.sim.Close(); err != nil {
			t.Error(err)
		}
	})
	store := h.openStore(log)
	mc.Nodes = []monitor.NodeConfig{{Name: "pbx", Addr: h.sim.Addr(), Password: "ClueCon"}}
	mc.Policy = h.people
	svc, err := monitor.New(mc, store)
	h.must(err)
	remove := h.sim.OnFrame(h.watch)
	t.Cleanup(func() {
		remove()
		h.mu.Lock()
		defer h.mu.Unlock()
		for l, n := range h.leaks {
			if h.sim.Number(l.Listener) != "eavesdrop" { // an end of a leg that carries his voice; nobody is behind it
				t.Errorf("LEAK: %s heard %s, who is %s, in %d frames", h.sim.Number(l.Listener), h.sim.Number(l.Speaker), l.roles, n)
			}
		}
	})
	h.run("the service", svc.Run)
	h.serve(svc, log)
	h.until("the service follows the switch", func() bool {
		nodes, _ := svc.Nodes(h.operator())
		return len(nodes) == 1 && nodes[0].Connected
	})
	return h
}

// buildAround starts a house around a service that the test controls.
func buildAround(t *testing.T, svc wire.Service) *house {
	t.Helper()
	return buildWith(t, svc, nil)
}

// buildWith is buildAround, behind TLS where there is a certificate.
func buildWith(t *testing.T, svc wire.Service, cert *tls.Certificate) *house {
	t.Helper()
	browser(t)
	h := &house{t: t, door: &door{t: t, cert: cert}}
	log := logger()
	h.openStore(log)
	h.serve(svc, log)
	return h
}

// logger is that of the product: LIVEMON_TEST_LOG lets it be read.
func logger() *slog.Logger {
	if os.Getenv("LIVEMON_TEST_LOG") != "" {
		return slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelDebug}))
	}
	return slog.New(slog.DiscardHandler)
}

func (h *house) must(err error) {
	h.t.Helper()
	if err != nil {
		h.t.Fatal(err)
	}
}

// openStore opens the embedded store and the accounts in it.
func (h *house) openStore(log *slog.Logger) *state.Store {
	h.t.Helper()
	store, err := state.Open(h.t.Context(), state.EmbeddedURL, state.Options{Logger: log})
	h.must(err)
	h.t.Cleanup(func() { _ = store.Close() })
	h.people, err = accounts.New(store, accounts.Options{
		Hash:      accounts.HashParams{Memory: 64, Time: 1, Threads: 1}, // costs next to nothing
		Passwords: state.Limits{Account: state.Limit{Free: 3, Delay: time.Hour, Longest: time.Hour, Forget: time.Hour}, Origin: state.Limit{Free: 100, Delay: time.Hour, Longest: time.Hour, Forget: time.Hour}},
		Logger:    log,
	})
	h.must(err)
	h.run("the accounts", h.people.Run)
	return store
}

// run runs something until the test ends, and waits for its end.
func (h *house) run(what string, f func(context.Context) error) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- f(ctx) }()
	h.t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil && !errors.Is(err, context.Canceled) {
			h.t.Errorf("%s: %v", what, err)
		}
	})
}

// serve opens the door to the API and the panel.
func (h *house) serve(svc wire.Service, log *slog.Logger) {
	h.t.Helper()
	h.svc = svc
	page, err := panel.New(panel.Options{Service: guard.New(svc, h.people), Accounts: h.people, Secure: h.door.cert != nil, Keys: fsconf.Defaults().Keys, Location: time.UTC, Logger: log, Version: "test"})
	h.must(err)
	stopping := make(chan struct{})
	server := api.NewServer(svc, api.ServerOptions{Token: token, Accounts: h.people, Login: page.Login, Logger: log, Stopping: stopping})
	mux := http.NewServeMux()
	mux.Handle("/v1/", server)
	mux.Handle("/healthz", server)
	mux.Handle("/", page.Handler())
	h.door.handler = mux
	h.door.open()
	h.t.Cleanup(func() { close(stopping); h.door.shut() })
}

// base is the address of the house.
func (h *house) base() string {
	if h.door.cert != nil {
		return "https://" + h.door.addr
	}
	return "http://" + h.door.addr
}

// door is a listener that can be shut and opened again at the same address.
type door struct {
	t       *testing.T
	handler http.Handler
	cert    *tls.Certificate // nil: without TLS
	addr    string
	srv     *http.Server
	done    chan error
}

func (d *door) open() {
	d.t.Helper()
	var ln net.Listener
	var err error
	for range 100 {
		addr := d.addr
		if addr == "" {
			// Below the ports that the system gives by itself: nobody takes it while it is shut.
			addr = fmt.Sprintf("127.0.0.1:%d", 20000+rand.IntN(12000))
		}
		if ln, err = new(net.ListenConfig).Listen(context.Background(), "tcp", addr); err == nil {
			break
		}
	}
	if err != nil {
		d.t.Fatal(err)
	}
	d.addr = ln.Addr().String()
	srv, done := &http.Server{Handler: d.handler, ReadHeaderTimeout: patience, ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)}, make(chan error, 1)
	d.srv, d.done = srv, done
	go func() {
		if d.cert == nil {
			done <- srv.Serve(ln)
			return
		}
		srv.TLSConfig = &tls.Config{Certificates: []tls.Certificate{*d.cert}, MinVersion: tls.VersionTLS12}
		done <- srv.ServeTLS(ln, "", "")
	}()
}

// shut cuts every connection, and refuses more.
func (d *door) shut() {
	_ = d.srv.Close()
	if err := <-d.done; !errors.Is(err, http.ErrServerClosed) {
		d.t.Error(err)
	}
}

// account makes an account with the password of all.
func (h *house) account(name string, change func(*wire.AccountChange)) {
	h.t.Helper()
	pass, number := password, true
	c := wire.AccountChange{Password: &pass, Numbers: &number, Rights: &[]wire.Action{wire.ActionListen, wire.ActionCoach, wire.ActionBarge, wire.ActionTakeOver}, Agents: &[]string{"*"}, Rank: ptr(50)}
	if change != nil {
		change(&c)
	}
	_, err := h.people.AddAccount(h.operator(), name, c, false)
	h.must(err)
}

func ptr[T any](v T) *T { return &v }

// edit changes an account.
func (h *house) edit(name string, change func(*wire.AccountChange)) {
	h.t.Helper()
	var c wire.AccountChange
	change(&c)
	_, err := h.people.EditAccount(h.operator(), name, c)
	h.must(err)
}

// login opens a tab in a new profile with a login that has been made already.
func (h *house) login(name string) *tab {
	h.t.Helper()
	secret, _, err := h.people.Login(h.t.Context(), name, password, "127.0.0.1")
	h.must(err)
	b := open(h.t, h.base())
	b.setCookie(secret)
	b.visit("/monitoring")
	b.at("/monitoring")
	return b
}

// until waits until something is so, looking at every frame of the switch.
func (h *house) until(what string, ok func() bool) {
	h.t.Helper()
	ctx, cancel := context.WithTimeout(h.t.Context(), patience)
	defer cancel()
	if err := h.sim.Until(ctx, ok); err != nil {
		sessions, _ := h.svc.Sessions(h.operator())
		h.t.Fatalf("%s: %v\nsessions: %+v\nchannels: %+v", what, err, sessions, h.sim.Channels())
	}
}

// watch looks at every frame: a customer hears a supervisor only in barge or
// take-over, the agent also in coach, another supervisor as the customer does.
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
			slices.Contains(roles, wire.Coach) && !other && !h.user[p.Listener] {
			continue
		}
		h.leaks[leak{p, fmt.Sprint(roles)}]++
	}
}

// allow says in which roles a supervisor may be heard from now on.
func (h *house) allow(leg string, roles ...wire.Role) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.may[leg] = roles
}

// call makes an outside customer call an agent.
func (h *house) call(number, agent string) switchsim.Call {
	h.t.Helper()
	c, err := h.sim.CallFrom(h.t.Context(), number, agent)
	h.must(err)
	h.mu.Lock()
	h.user[c.A] = true
	h.mu.Unlock()
	h.until("the call is known", func() bool {
		a, ok := h.agent(agent + "@" + domain)
		return ok && a.State == wire.OnCall && a.Call != ""
	})
	return c
}

// agent returns an agent as the service knows it.
func (h *house) agent(name string) (wire.Agent, bool) {
	h.t.Helper()
	agents, err := h.svc.Agents(h.operator())
	h.must(err)
	for _, a := range agents {
		if a.Agent == name {
			return a, true
		}
	}
	return wire.Agent{}, false
}

// session waits until the one live session is as wanted.
func (h *house) session(what string, ok func(wire.Session) bool) wire.Session {
	h.t.Helper()
	var out wire.Session
	h.until("a session "+what, func() bool {
		all, err := h.svc.Sessions(h.operator())
		h.must(err)
		for _, s := range all {
			if s.Status != wire.Ended && ok(s) {
				out = s
				return true
			}
		}
		return false
	})
	return out
}

// silent waits until there is no session, and no supervisor's leg.
func (h *house) silent(phone string) {
	h.t.Helper()
	h.until("no session is left", func() bool {
		all, err := h.svc.Sessions(h.operator())
		h.must(err)
		return !slices.ContainsFunc(all, func(s wire.Session) bool { return s.Status != wire.Ended }) && h.sim.Leg(phone) == ""
	})
}

// hears waits until somebody hears exactly these channels, and goes on to for
// some frames.
func (h *house) hears(listener string, want ...string) {
	h.t.Helper()
	slices.Sort(want)
	n := 0
	h.until(fmt.Sprintf("%s hears exactly %v", h.sim.Number(listener), h.numbers(want)), func() bool {
		if !slices.Equal(h.sim.Hears(listener), want) {
			n = 0
			return false
		}
		n++
		return n > 3
	})
}

func (h *house) numbers(channels []string) []string {
	out := []string{}
	for _, c := range channels {
		out = append(out, h.sim.Number(c))
	}
	return out
}
