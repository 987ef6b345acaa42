package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"livemon/internal/api"
	"livemon/internal/api/apitest"
	"livemon/internal/wire"
)

const testToken = "0123456789abcdef0123456789abcdef"

// background runs a command in this process, until the test ends.
type background struct {
	lines  chan string // of standard output
	errors chan string // of standard error
	cancel context.CancelFunc
	status chan int
}

func start(t *testing.T, args ...string) *background {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	b := &background{lines: make(chan string, 1000), errors: make(chan string, 1000), cancel: cancel, status: make(chan int, 1)}
	outR, outW := io.Pipe()
	errR, errW := io.Pipe()
	read := func(r io.Reader, to chan string, done chan<- struct{}) {
		for s := bufio.NewScanner(r); s.Scan(); {
			to <- s.Text()
		}
		close(done)
	}
	outDone, errDone := make(chan struct{}), make(chan struct{})
	go read(outR, b.lines, outDone)
	go read(errR, b.errors, errDone)
	go func() {
		status := run(ctx, append([]string{"livemon"}, args...), strings.NewReader(""), outW, errW)
		_ = outW.Close()
		_ = errW.Close()
		<-outDone
		<-errDone
		b.status <- status
	}()
	t.Cleanup(func() {
		cancel()
		_ = outR.Close()
		_ = errR.Close()
	})
	return b
}

func next[T any](t *testing.T, c <-chan T) T {
	t.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(patience):
		t.Fatal("nothing came")
		panic("unreachable")
	}
}

// until returns the first line that holds text.
func until(t *testing.T, c <-chan string, text string) string {
	t.Helper()
	for {
		if line := next(t, c); strings.Contains(line, text) {
			return line
		}
	}
}

func (b *background) stop(t *testing.T) {
	t.Helper()
	b.cancel()
	if status := next(t, b.status); status != 0 {
		t.Errorf("exit status %d", status)
	}
}

func fakeServe(t *testing.T) *apitest.Fake {
	t.Helper()
	fake := apitest.New()
	srv := httptest.NewServer(api.NewServer(fake, api.ServerOptions{Token: testToken}))
	t.Cleanup(srv.Close)
	t.Setenv("LIVEMON_API", srv.URL)
	t.Setenv("LIVEMON_TOKEN", testToken)
	return fake
}

func TestWatchPrintsOneListALineAsJSON(t *testing.T) {
	fake := fakeServe(t)
	b := start(t, "sessions", "--watch", "--json")
	if line := next(t, b.lines); line != "[]" {
		t.Errorf("%s", line)
	}
	for _, role := range []wire.Role{wire.Monitor, wire.Coach} {
		fake.SetSession(wire.Session{ID: "s1", Status: wire.Listening, Role: role})
		var list []wire.Session
		if err := json.Unmarshal([]byte(next(t, b.lines)), &list); err != nil || len(list) != 1 || list[0].Role != role {
			t.Errorf("%+v %v", list, err)
		}
	}
	b.stop(t)
}

func TestWatchRepeatsTheTableWhereThereIsNoTerminal(t *testing.T) {
	fake := fakeServe(t)
	b := start(t, "agents", "--watch")
	if line := next(t, b.lines); !strings.HasPrefix(line, "AGENT") {
		t.Errorf("%s", line)
	}
	until(t, b.lines, "1001@example.com")
	fake.SetAgents(nil)
	if line := until(t, b.lines, "no agents"); strings.ContainsRune(line, '\x1b') {
		t.Errorf("%q", line)
	}
	fake.FailWith(func(string) error { return wire.ErrNotFound })
	until(t, b.errors, "not up to date")
	b.stop(t)
}

func TestServeRunsWithoutASwitchAndStops(t *testing.T) {
	file := t.TempDir() + "/token"
	b := start(t, "serve", "--redis", "embedded", "--listen", "127.0.0.1:0", "--outbound", "127.0.0.1:0", "--config", writeConfig(t, "fsconf: {socket: '127.0.0.1:8084'}"),
		"--freeswitch", "127.0.0.1:1", "--log-json", "--token-file", file)
	line := until(t, b.errors, "livemon is running")
	var entry struct{ API string }
	if err := json.Unmarshal([]byte(line), &entry); err != nil || !strings.HasPrefix(entry.API, "http://127.0.0.1:") {
		t.Fatalf("%s: %v", line, err)
	}
	var out, errs bytes.Buffer
	if status := run(t.Context(), []string{"livemon", "agents", "--json", "--api", entry.API, "--token-file", file}, nil, &out, &errs); status != 0 || out.String() != "[]\n" {
		t.Errorf("agents: %d %s %s", status, &out, &errs)
	}
	out.Reset()
	if status := run(t.Context(), []string{"livemon", "doctor", "--api", entry.API, "--token-file", file}, nil, &out, &errs); status != 1 || !strings.Contains(out.String(), "FAIL") {
		t.Errorf("doctor: %d %s %s", status, &out, &errs)
	}
	b.stop(t)
}

// A call on a simulated switch is listened to and coached through the whole of
// livemon, by commands alone.
func TestTheWholeOfItOverASimulatedSwitch(t *testing.T) {
	sim := start(t, "switchsim", "--listen", "127.0.0.1:0", "--call", "+15550100=1001", "--json")
	var announced struct {
		Addr  string
		Calls int
	}
	if err := json.Unmarshal([]byte(next(t, sim.lines)), &announced); err != nil || announced.Calls != 1 {
		t.Fatal(announced, err)
	}
	file := t.TempDir() + "/token"
	serve := start(t, "serve", "--redis", "embedded", "--listen", "127.0.0.1:0", "--outbound", "", "--freeswitch", "sim="+announced.Addr, "--log-json", "--token-file", file)
	var entry struct{ API string }
	if err := json.Unmarshal([]byte(until(t, serve.errors, "livemon is running")), &entry); err != nil {
		t.Fatal(err)
	}
	common := []string{"--api", entry.API, "--token-file", file}
	watching := start(t, append([]string{"agents", "--watch", "--json"}, common...)...)
	var agent string
	for agent == "" {
		var list []wire.Agent
		if err := json.Unmarshal([]byte(next(t, watching.lines)), &list); err != nil {
			t.Fatal(err)
		}
		for _, a := range list {
			if strings.HasPrefix(a.Agent, "1001") && a.State == wire.OnCall {
				agent = a.Agent
			}
		}
	}
	watching.stop(t)
	command := func(args ...string) string {
		t.Helper()
		var out, errs bytes.Buffer
		if status := run(t.Context(), append(append([]string{"livemon"}, args...), common...), nil, &out, &errs); status != 0 {
			t.Fatalf("%v: exit status %d\n%s%s", args, status, &out, &errs)
		}
		return strings.TrimSpace(out.String())
	}
	id := command("monitor", agent, "--phone", "1002", "--coaching")
	if got := command("role", id, "coach"); got != id+" coach" {
		t.Errorf("role: %q", got)
	}
	if got := command("stop", id); got != id+" ended" {
		t.Errorf("stop: %q", got)
	}
	serve.stop(t)
	sim.stop(t)
}

func TestParseCalls(t *testing.T) {
	if got, err := parseCalls([]string{"+1=1001"}); err != nil || len(got) != 1 || got[0] != (simulatedCall{"+1", "1001"}) {
		t.Errorf("%v %v", got, err)
	}
	for _, s := range []string{"", "1", "=1", "1="} {
		if _, err := parseCalls([]string{s}); err == nil {
			t.Errorf("%q is taken", s)
		}
	}
}

func writeConfig(t *testing.T, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "livemon.yaml")
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
