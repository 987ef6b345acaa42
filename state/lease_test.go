package state_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"livemon/internal/fault"
	"livemon/internal/wire"
	"livemon/state"
)

func TestLease(t *testing.T) {
	each(t, func(t *testing.T, s *state.Store) {
		ctx := context.Background()
		if owner, token, err := s.LeaseHolder(ctx, "fs1"); owner != "" || token != 0 || err != nil {
			t.Errorf("nobody's lease: %q, %d, %v", owner, token, err)
		}
		a := lease(t, s, "fs1", "a")
		if owner, token, err := s.LeaseHolder(ctx, "fs1"); owner != "a" || token != a.Token || err != nil {
			t.Errorf("holder: %q, %d, %v", owner, token, err)
		}
		if _, ok, err := s.AcquireLease(ctx, "fs1", "b", time.Minute); ok || err != nil {
			t.Errorf("b got a's lease: %v, %v", ok, err)
		}
		lease(t, s, "fs2", "b") // another node is nobody's business
		must(t, s.RenewLease(ctx, a, time.Minute))

		again := lease(t, s, "fs1", "a")
		if again.Token <= a.Token {
			t.Errorf("token %d after %d", again.Token, a.Token)
		}
		wants(t, s.RenewLease(ctx, a, time.Minute), state.ErrFenced)
		wants(t, s.ReleaseLease(ctx, a), state.ErrFenced)

		must(t, s.ReleaseLease(ctx, again))
		wants(t, s.RenewLease(ctx, again, time.Minute), state.ErrFenced)
		b := lease(t, s, "fs1", "b")
		if b.Token <= again.Token {
			t.Errorf("token %d after %d", b.Token, again.Token)
		}
		if nodes := value(s.Nodes(ctx))(t); fmt.Sprint(nodes) != "[fs1 fs2]" {
			t.Errorf("nodes %v", nodes)
		}
	})
}

func TestLeaseExpires(t *testing.T) {
	each(t, func(t *testing.T, s *state.Store) {
		ctx := context.Background()
		a, ok, err := s.AcquireLease(ctx, "fs1", "a", 50*time.Millisecond)
		if !ok || err != nil {
			t.Fatal(ok, err)
		}
		if !until(func() bool {
			owner, _, err := s.LeaseHolder(ctx, "fs1")
			return err == nil && owner == ""
		}) {
			t.Fatal("the lease does not expire")
		}
		// Nobody has taken it: a may go on, and write.
		must(t, s.PutCalls(ctx, a, []state.Call{{ID: "c"}}, nil))
		must(t, s.RenewLease(ctx, a, 50*time.Millisecond))
		var b state.Lease
		if !until(func() bool {
			b, ok, err = s.AcquireLease(ctx, "fs1", "b", time.Minute)
			return ok && err == nil
		}) {
			t.Fatal("b never gets the lease", err)
		}
		if b.Token <= a.Token {
			t.Errorf("token %d after %d", b.Token, a.Token)
		}
		wants(t, s.RenewLease(ctx, a, time.Minute), state.ErrFenced)
		wants(t, s.PutCalls(ctx, a, nil, []string{"c"}), state.ErrFenced)
	})
}

func TestTokensAreNotReusedAfterDataLoss(t *testing.T) {
	each(t, func(t *testing.T, s *state.Store) {
		ctx := context.Background()
		a := lease(t, s, "fs1", "a")
		flush(t, s)
		wants(t, s.PutCalls(ctx, a, nil, nil), state.ErrFenced)
		// The clock gives tokens that grow by the millisecond.
		if !until(func() bool { return time.Now().UnixMilli() > a.Token }) {
			t.Fatal("the clock stands still")
		}
		if b := lease(t, s, "fs1", "b"); b.Token <= a.Token {
			t.Errorf("token %d after %d", b.Token, a.Token)
		}
	})
}

func TestBadLeaseRequests(t *testing.T) {
	each(t, func(t *testing.T, s *state.Store) {
		ctx := context.Background()
		for _, c := range []struct {
			node, owner string
			ttl         time.Duration
		}{{"", "a", time.Second}, {"n", "", time.Second}, {"n", "a", 0}, {string(make([]byte, 1<<20)), "a", time.Second}} {
			_, ok, err := s.AcquireLease(ctx, c.node, c.owner, c.ttl)
			if ok {
				t.Error("granted")
			}
			wants(t, err, wire.ErrBadRequest)
		}
		wants(t, s.PutCalls(ctx, state.Lease{Node: "n"}, nil, nil), state.ErrFenced)
	})
}

// writes are all the writes that a lease guards.
func writes(s *state.Store, x wire.Session) map[string]func(state.Lease) error {
	ctx := context.Background()
	rec := record("note")
	return map[string]func(state.Lease) error{
		"RenewLease":    func(l state.Lease) error { return s.RenewLease(ctx, l, time.Minute) },
		"PutAgents":     func(l state.Lease) error { return s.PutAgents(ctx, l, []wire.Agent{agent("x")}, []string{"anna"}) },
		"ReplaceAgents": func(l state.Lease) error { return s.ReplaceAgents(ctx, l, nil) },
		"PutCalls":      func(l state.Lease) error { return s.PutCalls(ctx, l, []state.Call{{ID: "x"}}, []string{"c1"}) },
		"ReplaceCalls":  func(l state.Lease) error { return s.ReplaceCalls(ctx, l, nil) },
		"CreateSession": func(l state.Lease) error { return s.CreateSession(ctx, l, session(l, "new", "c1"), rec) },
		"SetSession": func(l state.Lease) error {
			x := x
			x.Status = wire.Ringing
			return s.SetSession(ctx, l, x, nil)
		},
		"SetSession with a record": func(l state.Lease) error {
			x := x
			x.Status = wire.Answered
			return s.SetSession(ctx, l, x, &rec)
		},
		"ChangeRole": func(l state.Lease) error {
			_, err := s.ChangeRole(ctx, l, x.ID, wire.Coach, wire.AuditRecord{})
			return err
		},
		"EndSession":   func(l state.Lease) error { return s.EndSession(ctx, l, x, rec) },
		"ReleaseLease": func(l state.Lease) error { return s.ReleaseLease(ctx, l) },
	}
}

func TestFencing(t *testing.T) {
	each(t, func(t *testing.T, s *state.Store) {
		ctx := context.Background()
		old := lease(t, s, "fs1", "a")
		must(t, s.PutAgents(ctx, old, []wire.Agent{agent("anna")}, nil))
		must(t, s.PutCalls(ctx, old, []state.Call{{ID: "c1"}}, nil))
		x := create(t, s, old, "s1", "c1")
		l := takeOver(t, s, old)

		picture := func() string {
			owner, token, err := s.LeaseHolder(ctx, "fs1")
			must(t, err)
			return fmt.Sprint(owner, token, value(s.Agents(ctx, "fs1"))(t), value(s.Calls(ctx, "fs1"))(t),
				value(s.Sessions(ctx, "fs1"))(t), audit(t, s, wire.AuditFilter{}))
		}
		before := picture()
		for name, write := range writes(s, x) {
			wants(t, write(old), state.ErrFenced)
			if now := picture(); now != before {
				t.Errorf("%s with a lost lease changed\n%s\nto\n%s", name, before, now)
			}
		}
		// The same writes with the lease that counts, in an order that makes sense.
		w := writes(s, x)
		for _, name := range []string{"RenewLease", "PutAgents", "ReplaceAgents", "PutCalls", "ReplaceCalls", "CreateSession", "SetSession",
			"SetSession with a record", "ChangeRole", "EndSession", "ReleaseLease"} {
			if err := w[name](l); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
	})
}

// TestLeaseHistories lets owners fight for one node and checks that tokens only
// grow and that nobody writes after he could know that he was succeeded.
func TestLeaseHistories(t *testing.T) {
	each(t, func(t *testing.T, s *state.Store) {
		ctx := context.Background()
		var newest, writes, fenced atomic.Int64
		var mu sync.Mutex
		seen := map[int64]string{}
		var wg sync.WaitGroup
		for i := range 8 {
			wg.Go(func() {
				owner := fmt.Sprintf("owner%d", i)
				for round := range 60 {
					before := newest.Load()
					l, ok, err := s.AcquireLease(ctx, "fs1", owner, time.Millisecond*time.Duration(1+i))
					if err != nil {
						t.Error(err)
						return
					}
					if !ok {
						continue
					}
					mu.Lock()
					if other := seen[l.Token]; other != "" {
						t.Errorf("token %d of %s and %s", l.Token, other, owner)
					}
					seen[l.Token] = owner
					mu.Unlock()
					if l.Token <= before {
						t.Errorf("token %d given out after %d", l.Token, before)
					}
					for n := newest.Load(); n < l.Token && !newest.CompareAndSwap(n, l.Token); n = newest.Load() {
					}
					for range 3 {
						known := newest.Load()
						err := s.PutCalls(ctx, l, []state.Call{{ID: owner}}, nil)
						switch {
						case errors.Is(err, state.ErrFenced):
							fenced.Add(1)
						case err != nil:
							t.Error(err)
						case known > l.Token:
							t.Errorf("%s wrote with token %d after %d was given out", owner, l.Token, known)
						default:
							writes.Add(1)
						}
					}
					switch round % 4 {
					case 0:
						err = s.ReleaseLease(ctx, l)
					case 1:
						err = s.RenewLease(ctx, l, 2*time.Millisecond)
					}
					if err != nil && !errors.Is(err, state.ErrFenced) {
						t.Error(err)
					}
				}
			})
		}
		wg.Wait()
		if writes.Load() == 0 {
			t.Error("nobody could ever write")
		}
		t.Logf("%d leases, %d writes, %d fenced", len(seen), writes.Load(), fenced.Load())
	})
}

func TestFenceCounterIsDamaged(t *testing.T) {
	each(t, func(t *testing.T, s *state.Store) {
		ctx := context.Background()
		l := lease(t, s, "fs1", "a")
		for _, bad := range []string{"", "x", "-5", "9223372036854775807", "1e400"} {
			must(t, s.Client().Set(ctx, state.FenceKey("fs1"), bad, 0).Err())
			wants(t, s.PutCalls(ctx, l, nil, nil), state.ErrFenced)
			if _, ok, err := s.AcquireLease(ctx, "fs1", "a", time.Minute); ok {
				_, token, _ := s.LeaseHolder(ctx, "fs1")
				if token <= 0 {
					t.Errorf("fence %q gives token %d", bad, token)
				}
			} else if err == nil {
				t.Errorf("fence %q: refused to its holder without an error", bad)
			}
		}
		must(t, s.Client().Del(ctx, state.FenceKey("fs1")).Err())
		must(t, s.Client().HSet(ctx, state.FenceKey("fs1"), "a", "b").Err())
		err := s.PutCalls(ctx, l, nil, nil)
		wantsCode(t, err, fault.StoreUnavailable)
		var corrupt *state.CorruptError
		if !errors.As(err, &corrupt) {
			t.Errorf("%v names no key", err)
		}
		must(t, s.Client().HSet(ctx, state.LeaseKey("fs1"), "token", "x").Err())
		if _, _, err := s.LeaseHolder(ctx, "fs1"); !errors.As(err, &corrupt) {
			t.Errorf("a damaged lease reads as %v", err)
		}
	})
}
