package doors_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"go.uber.org/goleak"

	"livemon/fsconf"
	"livemon/internal/access"
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

func TestMain(m *testing.M) {
	flag.Parse()
	// The tests wait for telephones and timers more than they compute.
	if err := flag.Set("test.parallel", "6"); err != nil {
		panic(err)
	}
	goleak.VerifyTestMain(m)
}

const (
	patience = time.Minute // how long a test waits for something that has to happen
	machine  = "the-token-of-the-machine-000000"
	password = "correct horse battery 9"
	feature  = "*88" // dialled before an agent's extension
	domain   = "127.0.0.1"
)

// house is the whole product in this process.
type house struct {
	t      *testing.T
	sim    *switchsim.Switch
	redis  *miniredis.Miniredis
	store  *state.Store
	people *accounts.Service
	svc    *monitor.Monitor
	web    *httptest.Server
	cfg    monitor.Config
	stop   func() // stops the controller and waits for it

	mu     sync.Mutex
	frozen map[switchsim.Pair]bool // nobody may hear anybody but these
	fresh  map[switchsim.Pair]bool // who does
}

// options is what a test may change of a house.
type options struct {
	sim    switchsim.Options
	cfg    monitor.Config
	access access.Config
	pins   state.Limits
}

var operator = wire.Actor{Operator: true, Admin: true, Via: "test", From: "192.0.2.1"}

func discard() *slog.Logger {
	if os.Getenv("LIVEMON_TEST_LOG") != "" {
		return slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelDebug}))
	}
	return slog.New(slog.DiscardHandler)
}

func ptr[T any](v T) *T { return &v }

func (h *house) must(err error) {
	h.t.Helper()
	if err != nil {
		h.t.Fatal(err)
	}
}

// build starts a house in which nobody has an account yet.
func build(t *testing.T, opts ...func(*options)) *house {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	outbound := ln.Addr().String()
	ln.Close()
	h := &house{t: t}
	o := options{
		sim: switchsim.Options{ConferenceXML: fsconf.ConferenceXML(fsconf.Defaults()), Dialplan: []switchsim.DialplanEntry{{Prefix: feature, Outbound: outbound}}},
		cfg: monitor.Config{Secret: seal.Random(), Outbound: outbound, LeaseTTL: 2 * time.Second, MoveTimeout: 5 * time.Second, JoinTimeout: 5 * time.Second, RingTimeout: 3 * time.Second,
			CommandTimeout: 15 * time.Second, BackoffMin: 10 * time.Millisecond, BackoffMax: 100 * time.Millisecond, DialInCoaching: true, Logger: discard()},
		pins: state.Limits{Account: state.Limit{Free: 3, Delay: time.Hour, Longest: time.Hour, Forget: time.Hour}},
	}
	for _, f := range opts {
		f(&o)
	}
	h.sim, err = switchsim.Start(context.Background(), o.sim)
	h.must(err)
	t.Cleanup(func() {
		if err := h.sim.Close(); err != nil {
			t.Error(err)
		}
	})
	h.redis = miniredis.RunT(t)
	h.store, err = state.Open(t.Context(), "redis://"+h.redis.Addr(), state.Options{DialTimeout: 5 * time.Second, IOTimeout: 5 * time.Second, OpTimeout: 10 * time.Second, Logger: discard()})
	h.must(err)
	t.Cleanup(func() { h.store.Close() })
	h.people, err = accounts.New(h.store, accounts.Options{Access: o.access, Hash: accounts.HashParams{Memory: 64, Time: 1, Threads: 1}, Wait: 20 * time.Millisecond, Fresh: 200 * time.Millisecond, PINs: o.pins, Logger: discard()})
	h.must(err)
	h.run("accounts", h.people.Run)
	h.cfg = o.cfg
	h.cfg.NeverMonitor = o.access.Never.Agents
	h.cfg.Nodes = []monitor.NodeConfig{{Name: "sim", Addr: h.sim.Addr(), Password: "ClueCon"}}
	h.cfg.Policy = h.people
	remove := h.sim.OnFrame(h.watch)
	t.Cleanup(remove)
	h.start()
	t.Cleanup(func() { h.stop() })
	h.serve()
	return h
}

// run runs something until the test ends, and waits for its end.
func (h *house) run(what string, f func(context.Context) error) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- f(ctx) }()
	h.t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			h.t.Errorf("%s: %v", what, err)
		}
	})
}

// start starts a controller and waits until it follows the switch.
func (h *house) start() {
	h.t.Helper()
	svc, err := monitor.New(h.cfg, h.store)
	h.must(err)
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
	h.until("the controller follows the switch", func() bool {
		nodes, _ := svc.Nodes(h.t.Context())
		return nodes[0].Connected
	})
}

// serve opens the doors of the API and the page as 'livemon serve' does.
func (h *house) serve() {
	h.t.Helper()
	page, err := panel.New(panel.Options{Service: guard.New(h.svc, h.people), Accounts: h.people, Keys: fsconf.Defaults().Keys, Location: time.UTC, Logger: discard(), Version: "test"})
	h.must(err)
	stopping := make(chan struct{})
	rest := api.NewServer(h.svc, api.ServerOptions{Token: machine, Accounts: h.people, Login: page.Login, Logger: discard(), Stopping: stopping})
	mux := http.NewServeMux()
	mux.Handle("/v1/", rest)
	mux.Handle("/healthz", rest)
	mux.Handle("/", page.Handler())
	h.web = httptest.NewServer(api.TrustProxies(nil, api.StrictTransport(mux)))
	h.t.Cleanup(func() { close(stopping); h.web.CloseClientConnections(); h.web.Close() })
}

// until waits until something is so, looking at every frame of the switch.
func (h *house) until(what string, ok func() bool) {
	h.t.Helper()
	ctx, cancel := context.WithTimeout(h.t.Context(), patience)
	defer cancel()
	if err := h.sim.Until(ctx, ok); err != nil {
		sessions, _ := h.svc.Sessions(h.t.Context())
		h.t.Fatalf("%s: %v\nsessions: %+v\nchannels: %+v", what, err, sessions, h.sim.Channels())
	}
}

// frames lets frames pass.
func (h *house) frames(n int) {
	h.t.Helper()
	h.must(h.sim.Until(h.t.Context(), func() bool { n--; return n < 0 }))
}

func (h *house) watch(frame []switchsim.Pair) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.frozen == nil {
		return
	}
	for _, p := range frame {
		if !h.frozen[p] {
			h.fresh[p] = true
		}
	}
}

// quiet runs something that must not make anybody hear anybody whom he did not
// hear before, nor a command that changes anything reach the switch.
func (h *house) quiet(what string, f func()) {
	h.t.Helper()
	before := h.acts()
	h.unheard(what, f)
	if after := h.acts(); len(after) > len(before) {
		h.t.Errorf("%s: the switch was told %q", what, after[len(before):])
	}
}

// unheard runs something that must not make anybody hear anybody whom he did not
// hear before.
func (h *house) unheard(what string, f func()) {
	h.t.Helper()
	pairs := map[switchsim.Pair]bool{}
	for _, c := range h.sim.Channels() {
		for _, speaker := range h.sim.Hears(c.UUID) {
			pairs[switchsim.Pair{Listener: c.UUID, Speaker: speaker}] = true
		}
	}
	h.mu.Lock()
	h.frozen, h.fresh = pairs, map[switchsim.Pair]bool{}
	h.mu.Unlock()
	f()
	h.frames(3)
	h.mu.Lock()
	fresh := h.fresh
	h.frozen, h.fresh = nil, nil
	h.mu.Unlock()
	for p := range fresh {
		h.t.Errorf("%s: %s hears %s", what, h.sim.Number(p.Listener), h.sim.Number(p.Speaker))
	}
}

// looking are commands that change nothing on the switch.
var looking = regexp.MustCompile(`^(bg)?api (show|uuid_getvar|uuid_dump|uuid_exists|version|status|uptime|hostname|global_getvar|user_exists|callcenter_config|xml_locate|module_exists|file_exists|strepoch|eval|conference (\S+ )?(json_list|xml_list|list))\b|^(event|nixevent|noevents|filter|linger|nolinger|connect|myevents|divert_events|exit|auth)\b`)

// telling are commands to the caller's own leg, by which he is asked and told.
var telling = regexp.MustCompile(`^sendmsg \n(?s:.*)(Execute-App-Name: (answer|playback|play_and_get_digits|flush_dtmf)(\n|$)|Call-Command: hangup)|^api uuid_setvar_multi \S+ (sensitive_dtmf=true|read_result=;|livemon_digits=;livemon_digits_invalid=;sensitive_dtmf=;)$`)

// acts are the commands that the switch was sent and that change something.
func (h *house) acts() []string {
	var out []string
	for _, c := range h.sim.Commands() {
		if !looking.MatchString(c) && !telling.MatchString(c) {
			out = append(out, c)
		}
	}
	return out
}

// account makes one: rights to nothing but what change gives.
func (h *house) account(name string, change func(*wire.AccountChange)) {
	h.t.Helper()
	c := wire.AccountChange{Password: ptr(password), Numbers: ptr(true), Rank: ptr(10)}
	if change != nil {
		change(&c)
	}
	_, err := h.people.AddAccount(wire.WithActor(h.t.Context(), operator), name, c, false)
	h.must(err)
}

func (h *house) edit(name string, c wire.AccountChange) {
	h.t.Helper()
	_, err := h.people.EditAccount(wire.WithActor(h.t.Context(), operator), name, c)
	h.must(err)
}

// token makes one for an account.
func (h *house) token(account string) string {
	h.t.Helper()
	tok, err := h.people.AddToken(wire.WithActor(h.t.Context(), operator), account, "test", nil)
	h.must(err)
	return tok.Secret
}

// login logs an account in and returns the cookie's value.
func (h *house) login(account string) string {
	h.t.Helper()
	secret, _, err := h.people.Login(h.t.Context(), account, password, "192.0.2.9")
	h.must(err)
	return secret
}

// csrf is what pages of a login send along.
func csrf(secret string) string {
	sum := sha256.Sum256([]byte("csrf:" + secret))
	return hex.EncodeToString(sum[:])
}

// key is what somebody has to open a door with: headers, by name and value.
type key []string

func bearer(token string) key { return key{"Authorization", "Bearer " + token} }

func cookie(secret string) key {
	return key{"Cookie", "livemon=" + secret, "X-CSRF-Token", csrf(secret), "Sec-Fetch-Site", "same-origin"}
}

// answer is what a door said.
type answer struct {
	status int
	header http.Header
	body   string
}

// whole is all of an answer but what differs with every request.
func (a answer) whole() string {
	var lines []string
	for name, values := range a.header {
		if name != "Date" && name != "X-Request-Id" {
			lines = append(lines, name+": "+strings.Join(values, ","))
		}
	}
	slices.Sort(lines)
	body := a.body
	if id := a.header.Get("X-Request-Id"); id != "" {
		body = strings.ReplaceAll(body, id, "REQUEST")
	}
	return fmt.Sprint(a.status, "\n", strings.Join(lines, "\n"), "\n\n", body)
}

var noRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

// ask sends one request.
func (h *house) ask(k key, method, path string, body any) answer {
	h.t.Helper()
	return h.send(k, method, path, "application/json", body)
}

func (h *house) send(k key, method, path, kind string, body any) answer {
	h.t.Helper()
	var r io.Reader
	switch b := body.(type) {
	case nil:
	case string:
		r = strings.NewReader(b)
	default:
		data, err := json.Marshal(b)
		h.must(err)
		r = bytes.NewReader(data)
	}
	ctx, cancel := context.WithTimeout(h.t.Context(), patience) // a stream that is open to somebody does not end
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, h.web.URL+path, r)
	h.must(err)
	if r != nil {
		req.Header.Set("Content-Type", kind)
	}
	for i := 0; i+1 < len(k); i += 2 {
		req.Header.Add(k[i], k[i+1])
	}
	client := &http.Client{Transport: h.web.Client().Transport, CheckRedirect: noRedirect}
	res, err := client.Do(req)
	h.must(err)
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	h.must(err)
	return answer{res.StatusCode, res.Header, string(text)}
}

// call makes an outside customer call an agent.
func (h *house) call(number, agent string) switchsim.Call {
	h.t.Helper()
	c, err := h.sim.CallFrom(h.t.Context(), number, agent)
	h.must(err)
	h.onCall(agent)
	return c
}

func (h *house) onCall(agent string) {
	h.t.Helper()
	h.until("the call is known", func() bool {
		agents, _ := h.svc.Agents(h.t.Context())
		return slices.ContainsFunc(agents, func(a wire.Agent) bool {
			return (a.Agent == agent || a.Agent == agent+"@"+domain) && a.Call != "" && (a.State == wire.OnCall || a.State == wire.InConference)
		})
	})
}

func (h *house) as(account string) context.Context {
	return wire.WithActor(h.t.Context(), wire.Actor{Account: account, Via: "api", From: "192.0.2.7"})
}

// listens starts a session of an account, behind the doors, and waits until he listens.
func (h *house) listens(account, agent, phone string) wire.Session {
	h.t.Helper()
	x, err := h.svc.StartSession(h.as(account), wire.MonitorRequest{Agent: agent, Phone: phone, Coaching: true})
	h.must(err)
	return h.await(x.ID, func(x wire.Session) bool { return x.Status == wire.Listening && len(h.sim.Hears(x.Channel)) > 1 })
}

// rest waits until nothing more is done on the switch for a while.
func (h *house) rest() {
	h.t.Helper()
	last, calm := -1, 0
	h.until("the switch comes to rest", func() bool {
		if n := len(h.acts()); n != last {
			last, calm = n, 0
		}
		calm++
		return calm > 15
	})
}

// await waits until a session is as wanted.
func (h *house) await(id string, ok func(wire.Session) bool) wire.Session {
	h.t.Helper()
	var x wire.Session
	h.until("session "+id, func() bool {
		var err error
		if x, err = h.svc.Session(h.t.Context(), id); err != nil {
			return false
		}
		if x.Status == wire.Ended && !ok(x) {
			h.t.Fatalf("the session ended: %+v", x)
		}
		return ok(x)
	})
	return x
}

func ended(x wire.Session) bool { return x.Status == wire.Ended }

// records are all of the audit.
func (h *house) records() []wire.AuditRecord {
	h.t.Helper()
	list, err := h.store.Audit(h.t.Context(), wire.AuditFilter{})
	h.must(err)
	return list
}

// recorded waits for a record that is as wanted.
func (h *house) recorded(what string, ok func(wire.AuditRecord) bool) wire.AuditRecord {
	h.t.Helper()
	var found wire.AuditRecord
	h.until("a record of "+what, func() bool {
		list := h.records()
		i := slices.IndexFunc(list, ok)
		if i >= 0 {
			found = list[i]
		}
		return i >= 0
	})
	return found
}

// hears are the telephones that one hears, sorted.
func (h *house) hears(leg string) []string {
	var out []string
	for _, c := range h.sim.Hears(leg) {
		out = append(out, h.sim.Number(c))
	}
	slices.Sort(out)
	return out
}

// hearing watches whether one of the others ever hears a leg.
func hearing(leg string, heard chan<- string, others ...string) func([]switchsim.Pair) {
	return func(frame []switchsim.Pair) {
		for _, p := range frame {
			if p.Speaker == leg && slices.Contains(others, p.Listener) {
				select {
				case heard <- p.Listener:
				default:
				}
			}
		}
	}
}
