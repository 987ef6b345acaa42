package accounts

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"livemon/internal/access"
	"livemon/internal/fault"
	"livemon/internal/wire"
	"livemon/state"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience is how long a test waits for something that has to happen.
const patience = time.Minute

// cheap are parameters with which a hash costs next to nothing.
var cheap = HashParams{Memory: 64, Time: 1, Threads: 1}

// noisy is a log that tests can read.
type noisy struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (n *noisy) Write(p []byte) (int, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.b.Write(p)
}

func (n *noisy) String() string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.b.String()
}

// server is a redis-server of the test's own.
type server struct {
	t   *testing.T
	dir string
	cmd *exec.Cmd
}

// redis starts a server that keeps its data.
func redis(t *testing.T) *server {
	t.Helper()
	if _, err := exec.LookPath("redis-server"); err != nil {
		t.Skip("not tested against a real server: redis-server is not installed")
	}
	dir, err := os.MkdirTemp("", "acc") // short: a socket's path has to be
	must(t, err)
	v := &server{t: t, dir: dir}
	v.start()
	t.Cleanup(func() { v.stop(); _ = os.RemoveAll(dir) })
	return v
}

func (v *server) url() string { return "unix://" + filepath.Join(v.dir, "s") }

func (v *server) start() {
	v.t.Helper()
	v.cmd = exec.Command("redis-server", "--dir", v.dir, "--port", "0", "--unixsocket", filepath.Join(v.dir, "s"),
		"--save", "", "--appendonly", "yes", "--appendfsync", "always", "--daemonize", "no", "--logfile", filepath.Join(v.dir, "log"))
	must(v.t, v.cmd.Start())
	st, err := state.Open(context.Background(), v.url(), state.Options{})
	must(v.t, err)
	defer func() { _ = st.Close() }()
	if !until(func() bool { return st.Ping(context.Background()) == nil }) {
		v.t.Fatal("redis-server does not answer")
	}
}

func (v *server) stop() {
	if v.cmd != nil {
		_ = v.cmd.Process.Kill()
		_ = v.cmd.Wait()
		v.cmd = nil
	}
}

// house is one controller's service over a store.
type house struct {
	*Service
	log *noisy
}

// open makes a service; run tells whether it waits for changes.
func open(t *testing.T, url string, o Options, run bool) house {
	t.Helper()
	st, err := state.Open(context.Background(), url, state.Options{})
	must(t, err)
	t.Cleanup(func() { must(t, st.Close()) })
	return over(t, st, o, run)
}

func over(t *testing.T, st *state.Store, o Options, run bool) house {
	t.Helper()
	if o.Hash == (HashParams{}) {
		o.Hash = cheap
	}
	h := house{log: &noisy{}}
	o.Logger = slog.New(slog.NewTextHandler(h.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	o.Wait = 50 * time.Millisecond
	var err error
	h.Service, err = New(st, o)
	must(t, err)
	if run {
		ctx, cancel := context.WithCancel(context.Background())
		done := make(chan error, 1)
		go func() { done <- h.Run(ctx) }()
		t.Cleanup(func() { cancel(); must(t, <-done) })
	}
	return h
}

// each runs a test against the embedded server and a real one.
func each(t *testing.T, f func(t *testing.T, url string)) {
	t.Run("embedded", func(t *testing.T) { f(t, state.EmbeddedURL) })
	t.Run("redis", func(t *testing.T) { f(t, redis(t).url()) })
}

func must(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
}

func value[T any](v T, err error) func(testing.TB) T {
	return func(tb testing.TB) T {
		tb.Helper()
		must(tb, err)
		return v
	}
}

func wants(tb testing.TB, err, want error) {
	tb.Helper()
	if !errors.Is(err, want) {
		tb.Errorf("got %v, want %v", err, want)
	}
}

func wantsRule(tb testing.TB, err error, want access.Rule) {
	tb.Helper()
	if access.RuleOf(err) != want || (err == nil) != (want == "") {
		tb.Errorf("got %v, want rule %q", err, want)
	}
}

func until(ok func() bool) bool {
	deadline := time.NewTimer(patience)
	defer deadline.Stop()
	again := time.NewTicker(5 * time.Millisecond)
	defer again.Stop()
	for !ok() {
		select {
		case <-again.C:
		case <-deadline.C:
			return ok()
		}
	}
	return true
}

// changes waits for a change that began after the channel was taken.
func changes(tb testing.TB, c <-chan struct{}) {
	tb.Helper()
	t := time.NewTimer(patience)
	defer t.Stop()
	select {
	case <-c:
	case <-t.C:
		tb.Fatal("no change was told")
	}
}

func as(a wire.Actor) context.Context { return wire.WithActor(context.Background(), a) }

var (
	operator = as(wire.Actor{Operator: true, Via: "api", From: "127.0.0.1"})
	anna     = wire.Agent{Agent: "anna", Extension: "1001@pbx"}
	stranger = wire.Agent{Agent: "eve", Extension: "2001@pbx"}
)

func ptr[T any](v T) *T { return &v }

const (
	password = "correct horse 7"
	pin      = "480215"
)

// supervisor is somebody who may do everything to agents 10??.
func supervisor() wire.AccountChange {
	return wire.AccountChange{FullName: ptr("Sue"), Extension: ptr("1050"), Rank: ptr(50), Rights: ptr(wire.Actions()), Agents: ptr([]string{"10??"}),
		Password: ptr(password), PIN: ptr(pin)}
}

func may(h house, name string, action wire.Action, agent wire.Agent) error {
	return h.Allowed(context.Background(), wire.Actor{Account: name}, action, agent, access.Call{User: "+49301234567"})
}

func audit(t *testing.T, h house) []wire.AuditRecord {
	t.Helper()
	return value(h.store.Audit(context.Background(), wire.AuditFilter{}))(t)
}

func eventsOf(t *testing.T, h house) string {
	t.Helper()
	var out []string
	for _, r := range audit(t, h) {
		out = append(out, r.Event)
	}
	return strings.Join(out, " ")
}

func storeIsAway(err error) bool { return fault.Of(err) == fault.StoreUnavailable }
