package main

import (
	"context"
	"errors"
	"fmt"
	"net/http/httptest"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"livemon/fsconf"
	"livemon/internal/api"
	"livemon/internal/api/apitest"
	"livemon/internal/fault"
	"livemon/internal/switchsim"
	"livemon/internal/wire"
)

func TestMain(m *testing.M) {
	testscript.Main(withSecret{m}, map[string]func(){"livemon": func() {
		ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
		context.AfterFunc(ctx, stop)
		os.Exit(run(ctx, os.Args, os.Stdin, os.Stdout, os.Stderr))
	}})
}

// withSecret keeps the tests away from the secret of a service on this machine.
type withSecret struct{ m *testing.M }

func (w withSecret) Run() int {
	dir, err := os.MkdirTemp("", "livemon-test-")
	if err == nil {
		defer os.RemoveAll(dir)
		err = os.Setenv("LIVEMON_SECRET_FILE", filepath.Join(dir, "secret"))
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return w.m.Run()
}

type fakeKey struct{}

// TestScripts runs the command line as its users do, against a service that
// does as it is told behind the real HTTP API. Scripts have these commands:
//
//	fake-serve             start the service; LIVEMON_API and LIVEMON_TOKEN lead to it
//	fake-fail CODE         every call fails with the code ("0": none; "unknown": an error without one)
//	fake-agent NAME        there is this agent only, and he is on a call
//	fake-find CHECK DO     doctor finds something that is not as it must be
//	await-call TEXT        wait until the service has been asked for it
//	called TEXT            the service has been asked for it; with ! it has not
//	fake-switch            start a simulated switch; FS is its address; "installed": with livemon's profile and keys
//	make-audit N FILE      write an export of N audit records to the file; HEAD is its head
//	edit FILE OLD NEW      replace a text once, and fail if it is not there
//	fake-audit FILE        the service exports what is in the file
//	status N COMMAND...    run a command, whose exit status must be N
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		Setup: func(env *testscript.Env) error {
			env.Values[fakeKey{}] = apitest.New()
			env.Setenv("LIVEMON_TOKEN_FILE", env.WorkDir+"/none") // not that of a service on this machine
			env.Setenv("LIVEMON_SECRET_FILE", env.WorkDir+"/none/secret")
			env.Setenv("TZ", "UTC")
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"fake-serve": func(ts *testscript.TestScript, _ bool, _ []string) {
				srv := httptest.NewServer(api.NewServer(fakeOf(ts), api.ServerOptions{Token: testToken, Accounts: fakeOf(ts)}))
				ts.Defer(srv.Close)
				ts.Setenv("LIVEMON_API", srv.URL)
				ts.Setenv("LIVEMON_TOKEN", testToken)
			},
			"fake-fail": func(ts *testscript.TestScript, _ bool, args []string) {
				var code fault.Code
				if args[0] != "unknown" {
					_, err := fmt.Sscan(args[0], &code)
					ts.Check(err)
				}
				fakeOf(ts).FailWith(func(string) error {
					switch {
					case args[0] == "unknown":
						return errors.New("secret hunter2")
					case code == 0:
						return nil
					}
					return fault.New(code, "op", "detail\x1b[31m")
				})
			},
			"fake-agent": func(ts *testscript.TestScript, _ bool, args []string) {
				name := strings.NewReplacer("ESC", "\x1b", "CSI", "\u009b", "NL", "\n").Replace(args[0])
				fakeOf(ts).SetAgents([]wire.Agent{{Agent: name, State: wire.OnCall, Since: apitest.Start, Node: "pbx", Call: "c1", User: "+1"}})
			},
			"fake-find": func(ts *testscript.TestScript, _ bool, args []string) {
				fakeOf(ts).SetFindings([]wire.Finding{{Node: "pbx", Check: args[0], Detail: "not there", Do: args[1]}})
			},
			"await-call": func(ts *testscript.TestScript, _ bool, args []string) {
				await(ts, func() bool { return slices.Contains(fakeOf(ts).Calls(), args[0]) }, args[0])
			},
			"called": func(ts *testscript.TestScript, neg bool, args []string) {
				if calls := fakeOf(ts).Calls(); slices.Contains(calls, args[0]) == neg {
					ts.Fatalf("the calls were %q", calls)
				}
			},
			"fake-switch": func(ts *testscript.TestScript, _ bool, args []string) {
				ctx, cancel := context.WithCancel(context.Background())
				var o switchsim.Options
				if slices.Contains(args, "installed") {
					o.ConferenceXML = fsconf.ConferenceXML(fsconf.Defaults())
				}
				sim, err := switchsim.Start(ctx, o)
				ts.Check(err)
				ts.Defer(func() { _ = sim.Close(); cancel() })
				ts.Setenv("FS", sim.Addr())
			},
			"make-audit": func(ts *testscript.TestScript, _ bool, args []string) {
				var n int
				_, err := fmt.Sscan(args[0], &n)
				ts.Check(err)
				text, head := makeAudit(ts, n)
				ts.Check(os.WriteFile(ts.MkAbs(args[1]), text, 0o600))
				ts.Setenv("HEAD", head)
			},
			"edit": func(ts *testscript.TestScript, _ bool, args []string) {
				text := ts.ReadFile(args[0])
				if !strings.Contains(text, args[1]) {
					ts.Fatalf("%s holds no %q", args[0], args[1])
				}
				ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(strings.Replace(text, args[1], args[2], 1)), 0o600))
			},
			"fake-audit": func(ts *testscript.TestScript, _ bool, args []string) {
				fakeOf(ts).SetExport([]byte(ts.ReadFile(args[0])), wire.AuditHead{Head: "5:abc", Records: 5})
			},
			"status": func(ts *testscript.TestScript, _ bool, args []string) {
				err := ts.Exec(args[1], args[2:]...)
				got := "0"
				var exit interface{ ExitCode() int }
				if errors.As(err, &exit) {
					got = fmt.Sprint(exit.ExitCode())
				} else if err != nil {
					ts.Fatalf("%v", err)
				}
				if got != args[0] {
					ts.Fatalf("%v: exit status %s, want %s", args[1:], got, args[0])
				}
			},
		},
	})
}

func fakeOf(ts *testscript.TestScript) *apitest.Fake {
	return ts.Value(fakeKey{}).(*apitest.Fake)
}

// patience is how long a test waits for something that has to happen.
const patience = time.Minute

func await(ts *testscript.TestScript, cond func() bool, what string) {
	deadline := time.After(patience)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !cond() {
		select {
		case <-tick.C:
		case <-deadline:
			ts.Fatalf("%s did not happen: %q", what, fakeOf(ts).Calls())
		}
	}
}
