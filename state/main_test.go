package state_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"go.uber.org/goleak"

	"livemon/internal/fault"
	"livemon/internal/wire"
	"livemon/state"
)

func TestMain(m *testing.M) {
	flag.Parse()
	if f := flag.Lookup("test.fuzzworker"); f != nil && f.Value.String() == "true" {
		os.Exit(m.Run()) // a server would outlive the worker with its pipes
	}
	if err := all.start(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		all.stop()
		os.Exit(1)
	}
	code := m.Run()
	all.stop()
	if err := goleak.Find(); err != nil && code == 0 {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

// each runs one test against every kind of Redis, empty.
func each(t *testing.T, f func(t *testing.T, s *state.Store)) {
	for _, name := range []string{"embedded", "redis", "cluster"} {
		t.Run(name, func(t *testing.T) { f(t, open(t, all.url(t, name))) })
	}
}

func open(tb testing.TB, url string) *state.Store {
	tb.Helper()
	s, err := state.Open(context.Background(), url, state.Options{
		OpTimeout: patience, IOTimeout: patience, Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := s.Close(); err != nil {
			tb.Error(err)
		}
	})
	flush(tb, s)
	return s
}

func flush(tb testing.TB, s *state.Store) {
	tb.Helper()
	ctx := context.Background()
	var err error
	if c, ok := s.Client().(*redis.ClusterClient); ok {
		err = c.ForEachMaster(ctx, func(ctx context.Context, c *redis.Client) error { return c.FlushAll(ctx).Err() })
	} else {
		err = s.Client().FlushAll(ctx).Err()
	}
	if err != nil {
		tb.Fatal(err)
	}
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

func wantsCode(tb testing.TB, err error, want fault.Code) {
	tb.Helper()
	if fault.Of(err) != want {
		tb.Errorf("got code %d (%v), want %d", fault.Of(err), err, want)
	}
}

func lease(tb testing.TB, s *state.Store, node, owner string) state.Lease {
	tb.Helper()
	l, ok, err := s.AcquireLease(context.Background(), node, owner, time.Minute)
	if err != nil || !ok {
		tb.Fatalf("lease of %.50q for %q: %v, %v", node, owner, ok, err)
	}
	return l
}

// takeOver makes somebody else the node's controller.
func takeOver(tb testing.TB, s *state.Store, l state.Lease) state.Lease {
	tb.Helper()
	must(tb, s.Client().Del(context.Background(), state.LeaseKey(l.Node)).Err())
	return lease(tb, s, l.Node, l.Owner+"'s successor")
}

var noon = time.Date(2030, 1, 2, 12, 0, 0, 0, time.UTC)

func agent(name string) wire.Agent {
	return wire.Agent{Agent: name, State: wire.Idle, Since: noon, Supervisors: []wire.Supervisor{}}
}

func session(l state.Lease, id, call string) wire.Session {
	return wire.Session{ID: id, Supervisor: "chief", Phone: "1000", Agent: "anna", Status: wire.Requested, Role: wire.Joining,
		Desired: wire.Monitor, Coaching: true, Since: noon, Node: l.Node, Call: call, User: "+4930123"}
}

func record(event string) wire.AuditRecord { return wire.AuditRecord{Event: event, Via: "api"} }

func create(tb testing.TB, s *state.Store, l state.Lease, id, call string) wire.Session {
	tb.Helper()
	x := session(l, id, call)
	must(tb, s.CreateSession(context.Background(), l, x, record("requested")))
	return x
}

func audit(tb testing.TB, s *state.Store, f wire.AuditFilter) []wire.AuditRecord {
	tb.Helper()
	return value(s.Audit(context.Background(), f))(tb)
}
