package state_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"livemon/internal/fault"
	"livemon/internal/wire"
	"livemon/state"
)

// ownServer starts a server that the test may hurt. It keeps its data.
func ownServer(t *testing.T) (*server, *state.Store) {
	t.Helper()
	dir, err := os.MkdirTemp("", "state") // short: a socket's path has to be
	must(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	v, err := newServer(dir, 0, "--appendonly", "yes", "--appendfsync", "always")
	if errors.Is(err, errNoRedis) {
		t.Skip("not tested against a real server: " + err.Error())
	}
	must(t, err)
	t.Cleanup(v.close)
	must(t, v.start())
	s, err := state.Open(context.Background(), v.url, state.Options{})
	must(t, err)
	t.Cleanup(func() { must(t, s.Close()) })
	return v, s
}

// operations are all methods that ask Redis, with a node and a session that exist.
func operations(s *state.Store, l state.Lease, x wire.Session) map[string]func(context.Context) error {
	ops := map[string]func(context.Context) error{
		"Ping":         s.Ping,
		"AcquireLease": func(ctx context.Context) error { _, _, err := s.AcquireLease(ctx, "fs2", "a", time.Minute); return err },
		"RenewLease":   func(ctx context.Context) error { return s.RenewLease(ctx, l, time.Minute) },
		"ReleaseLease": func(ctx context.Context) error { return s.ReleaseLease(ctx, l) },
		"LeaseHolder":  func(ctx context.Context) error { _, _, err := s.LeaseHolder(ctx, l.Node); return err },
		"Nodes":        func(ctx context.Context) error { _, err := s.Nodes(ctx); return err },
		"PutAgents":    func(ctx context.Context) error { return s.PutAgents(ctx, l, []wire.Agent{agent("anna")}, nil) },
		"Agents":       func(ctx context.Context) error { _, err := s.Agents(ctx, l.Node); return err },
		"PutCalls":     func(ctx context.Context) error { return s.PutCalls(ctx, l, []state.Call{{ID: "c"}}, nil) },
		"Calls":        func(ctx context.Context) error { _, err := s.Calls(ctx, l.Node); return err },
		"CreateSession": func(ctx context.Context) error {
			return s.CreateSession(ctx, l, session(l, "new", "c"), record("requested"))
		},
		"SetSession": func(ctx context.Context) error { return s.SetSession(ctx, l, x, nil) },
		"ChangeRole": func(ctx context.Context) error {
			_, err := s.ChangeRole(ctx, l, x.ID, wire.Coach, wire.AuditRecord{})
			return err
		},
		"EndSession":  func(ctx context.Context) error { return s.EndSession(ctx, l, x, record("ended")) },
		"Session":     func(ctx context.Context) error { _, err := s.Session(ctx, x.ID); return err },
		"Sessions":    func(ctx context.Context) error { _, err := s.Sessions(ctx, l.Node); return err },
		"AppendAudit": func(ctx context.Context) error { _, err := s.AppendAudit(ctx, record("x")); return err },
		"Audit":       func(ctx context.Context) error { _, err := s.Audit(ctx, wire.AuditFilter{}); return err },
		"ExportAudit": func(ctx context.Context) error { return s.ExportAudit(ctx, wire.AuditFilter{}, io.Discard) },
		"AuditHead":   func(ctx context.Context) error { _, err := s.AuditHead(ctx); return err },
		"TrimAudit":   func(ctx context.Context) error { _, err := s.TrimAudit(ctx, time.Hour); return err },
		"AddExtension": func(ctx context.Context) error {
			_, err := s.AddExtension(ctx, wire.Extension{Number: "1"})
			return err
		},
		"RemoveExtension": func(ctx context.Context) error { return s.RemoveExtension(ctx, "1") },
		"Extensions":      func(ctx context.Context) error { _, err := s.Extensions(ctx); return err },
	}
	return ops
}

func TestServerStoppedAndStarted(t *testing.T) {
	ctx := context.Background()
	v, s := ownServer(t)
	l := lease(t, s, "fs1", "a")
	x := create(t, s, l, "s1", "c1")
	value(s.ChangeRole(ctx, l, "s1", wire.Coach, wire.AuditRecord{}))(t)
	for round := range 2 {
		v.stop()
		for name, op := range operations(s, l, x) {
			if err := op(ctx); fault.Of(err) != fault.StoreUnavailable {
				t.Errorf("%s while Redis is down: %v", name, err)
			}
		}
		must(t, v.start())
		if !until(func() bool { return s.Ping(ctx) == nil }) {
			t.Fatal("the store does not come back")
		}
		must(t, s.RenewLease(ctx, l, time.Minute))
		if got := value(s.Session(ctx, "s1"))(t); got.Desired != wire.Coach {
			t.Errorf("desired %s after the outage", got.Desired)
		}
		must(t, s.PutAgents(ctx, l, []wire.Agent{agent(fmt.Sprint("anna", round))}, nil))
		value(s.AppendAudit(ctx, record("x")))(t)
	}
	if got := events(audit(t, s, wire.AuditFilter{})); got != "[requested role:monitor>coach x x]" {
		t.Errorf("audit %s", got)
	}
}

func TestServerNeverThere(t *testing.T) {
	ctx := context.Background()
	dir := t.TempDir()
	gone, err := freePort()
	must(t, err)
	for _, url := range []string{
		"unix://" + filepath.Join(dir, "nobody"),
		fmt.Sprintf("redis://127.0.0.1:%d", gone),
		fmt.Sprintf("redis+cluster://127.0.0.1:%d,127.0.0.1:%d", gone, gone),
		fmt.Sprintf("redis+sentinel://127.0.0.1:%d/main", gone),
		fmt.Sprintf("redis+sentinel://127.0.0.1:%d,127.0.0.1:%d/main/3?sentinel_password=x", gone, gone),
	} {
		s, err := state.Open(ctx, url, state.Options{})
		if err != nil {
			t.Errorf("%s: %v", url, err)
			continue
		}
		wantsCode(t, s.Ping(ctx), fault.StoreUnavailable)
		_, err = s.AppendAudit(ctx, record("x"))
		wantsCode(t, err, fault.StoreUnavailable)
		must(t, s.Close())
	}
}

// TestSentinel finds the server through a Sentinel, which is redis-server under
// another flag.
func TestSentinel(t *testing.T) {
	ctx := context.Background()
	ports := make([]int, 2)
	for i := range ports {
		var err error
		ports[i], err = freePort()
		must(t, err)
	}
	dirs := []string{t.TempDir(), t.TempDir()}
	master, err := newServer(dirs[0], ports[0])
	if errors.Is(err, errNoRedis) {
		t.Skip("not tested with Sentinel: " + err.Error())
	}
	must(t, err)
	defer master.close()
	must(t, master.start())
	sentinel, err := newServer(dirs[1], ports[1])
	must(t, err)
	defer sentinel.close()
	conf := filepath.Join(dirs[1], "sentinel.conf")
	must(t, os.WriteFile(conf, fmt.Appendf(nil, "bind 127.0.0.1\nport %d\ndir %s\nlogfile %s\nsentinel monitor main 127.0.0.1 %d 1\n",
		ports[1], dirs[1], filepath.Join(dirs[1], "log"), ports[0]), 0o600))
	sentinel.args = []string{conf, "--sentinel"}
	must(t, sentinel.start())

	s := open(t, fmt.Sprintf("redis+sentinel://127.0.0.1:%d/main/2", ports[1]))
	l := lease(t, s, "fs1", "a")
	create(t, s, l, "s1", "c1")
	value(s.ChangeRole(ctx, l, "s1", wire.Coach, wire.AuditRecord{}))(t)
	if n := value(master.client.Do(ctx, "info", "keyspace").Text())(t); !strings.Contains(n, "db2:") {
		t.Errorf("the data is not in database 2: %s", n)
	}
	unknown, err := state.Open(ctx, fmt.Sprintf("redis+sentinel://127.0.0.1:%d/other", ports[1]), state.Options{})
	must(t, err)
	wantsCode(t, unknown.Ping(ctx), fault.StoreUnavailable)
	must(t, unknown.Close())
}

func TestReadOnlyReplica(t *testing.T) {
	ctx := context.Background()
	v, s := ownServer(t)
	old(t, s, 1) // for TrimAudit to remove
	l := lease(t, s, "fs1", "a")
	x := create(t, s, l, "s1", "c1")
	must(t, v.client.Do(ctx, "replicaof", "127.0.0.1", "1").Err())
	must(t, v.client.ConfigSet(ctx, "replica-serve-stale-data", "yes").Err())
	for name, op := range operations(s, l, x) {
		switch name {
		case "Ping", "LeaseHolder", "Nodes", "Agents", "Calls", "Session", "Sessions", "Audit", "ExportAudit", "AuditHead", "Extensions":
			if err := op(ctx); err != nil {
				t.Errorf("%s of a replica: %v", name, err)
			}
		default:
			if err := op(ctx); fault.Of(err) != fault.StoreUnavailable {
				t.Errorf("%s on a replica: %v", name, err)
			}
		}
	}
	must(t, v.client.Do(ctx, "replicaof", "no", "one").Err())
	if !until(func() bool { return s.RenewLease(ctx, l, time.Minute) == nil }) {
		t.Error("the store does not come back")
	}
}

func TestServerFullOrLocked(t *testing.T) {
	ctx := context.Background()
	v, s := ownServer(t)
	l := lease(t, s, "fs1", "a")
	create(t, s, l, "s1", "c1")
	must(t, v.client.ConfigSet(ctx, "maxmemory", "1").Err())
	_, err := s.ChangeRole(ctx, l, "s1", wire.Coach, wire.AuditRecord{})
	wantsCode(t, err, fault.StoreUnavailable)
	must(t, v.client.ConfigSet(ctx, "maxmemory", "0").Err())
	value(s.ChangeRole(ctx, l, "s1", wire.Coach, wire.AuditRecord{}))(t)
	must(t, v.client.ConfigSet(ctx, "requirepass", "secret").Err())
	for _, c := range []struct {
		url string
		ok  bool
	}{{"unix://:secret@", true}, {"unix://:wrong@", false}} {
		other, err := state.Open(ctx, c.url+strings.TrimPrefix(v.url, "unix://"), state.Options{})
		must(t, err)
		if err := other.Ping(ctx); (err == nil) != c.ok || (err != nil && (fault.Of(err) != fault.StoreUnavailable || strings.Contains(err.Error(), "wrong@"))) {
			t.Errorf("%s: %v", c.url, err)
		}
		must(t, other.Close())
	}
}

func TestServerHangs(t *testing.T) {
	v, s := ownServer(t)
	l := lease(t, s, "fs1", "a")
	x := create(t, s, l, "s1", "c1")
	must(t, v.cmd.Process.Signal(syscall.SIGSTOP))
	defer func() { must(t, v.cmd.Process.Signal(syscall.SIGCONT)) }()
	ops := operations(s, l, x)

	_, err := s.AppendAudit(context.Background(), record("x"))
	wantsCode(t, err, fault.StoreUnavailable)

	for _, name := range []string{"Agents", "ChangeRole", "Audit", "Session"} {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
		err := ops[name](ctx)
		wantsCode(t, err, fault.StoreUnavailable)
		wants(t, err, context.DeadlineExceeded)
		cancel()
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	for name, op := range ops {
		if err := op(ctx); !errors.Is(err, context.Canceled) || fault.Of(err) != 0 {
			t.Errorf("%s, cancelled: %v", name, err)
		}
	}
}

func TestTwoStoresOfOneServer(t *testing.T) {
	ctx := context.Background()
	v, a := ownServer(t)
	b, err := state.Open(ctx, v.url, state.Options{})
	must(t, err)
	defer func() { must(t, b.Close()) }()
	l := lease(t, a, "fs1", "a")
	create(t, a, l, "s1", "c1")
	value(a.ChangeRole(ctx, l, "s1", wire.Barge, wire.AuditRecord{}))(t)
	if _, ok, err := b.AcquireLease(ctx, "fs1", "b", time.Minute); ok || err != nil {
		t.Errorf("both hold the lease: %v", err)
	}
	must(t, a.ReleaseLease(ctx, l))
	successor := lease(t, b, "fs1", "b")
	live := value(b.Sessions(ctx, "fs1"))(t)
	if len(live) != 1 || live[0].Desired != wire.Barge {
		t.Errorf("the successor finds %+v", live)
	}
	value(b.ChangeRole(ctx, successor, "s1", wire.Monitor, wire.AuditRecord{}))(t)
	_, err = a.ChangeRole(ctx, l, "s1", wire.Coach, wire.AuditRecord{})
	wants(t, err, state.ErrFenced)
}

func TestEmbeddedIsOurs(t *testing.T) {
	ctx := context.Background()
	a, err := state.Open(ctx, "embedded", state.Options{})
	must(t, err)
	b, err := state.Open(ctx, "embedded", state.Options{})
	must(t, err)
	if !a.Embedded() {
		t.Error("not embedded")
	}
	must(t, a.Ping(ctx))
	lease(t, a, "fs1", "a")
	if nodes := value(b.Nodes(ctx))(t); len(nodes) != 0 {
		t.Errorf("two embedded servers share %v", nodes)
	}
	must(t, a.Close())
	must(t, a.Close())
	wantsCode(t, a.Ping(ctx), fault.StoreUnavailable)
	wantsCode(t, a.PutCalls(ctx, state.Lease{Node: "n", Token: 1}, nil, nil), fault.StoreUnavailable)
	must(t, b.Close())
	cancelled, cancel := context.WithCancel(ctx)
	cancel()
	_, err = state.Open(cancelled, "embedded", state.Options{})
	wants(t, err, context.Canceled)
}
