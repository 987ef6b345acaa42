package state_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"livemon/internal/fault"
	"livemon/internal/wire"
	"livemon/state"
)

// unbroken fails unless the stream is one unbroken chain that ends where its head
// says.
func unbroken(tb testing.TB, s *state.Store) wire.AuditReport {
	tb.Helper()
	var noted []state.Head
	if h := value(s.AuditHead(context.Background()))(tb); h.Head != "" {
		noted = append(noted, value(state.ParseHead(h.Head))(tb))
	}
	r := verify(tb, export(tb, s, wire.AuditFilter{}), noted...)
	if !r.OK {
		tb.Errorf("the chain is broken: %.300s", problems(r))
	}
	return r
}

// TestEverythingIsChained: what is refused, what is late, and every way to
// record a change of role.
func TestEverythingIsChained(t *testing.T) {
	each(t, func(t *testing.T, s *state.Store) {
		ctx := context.Background()
		l := lease(t, s, "fs1", "a")
		create(t, s, l, "s1", "c1")
		create(t, s, l, "s2", "c1")
		value(s.ChangeRole(ctx, l, "s1", wire.Coach, whole("s1", wire.Monitor)))(t)
		value(s.ChangeRole(ctx, l, "s1", wire.Barge, wire.AuditRecord{}))(t)
		_, err := s.ChangeRole(ctx, l, "s2", wire.Coach, whole("s2", wire.Monitor))
		wantsCode(t, err, fault.SpeakerBusy)
		late := record("listening")
		late.Late, late.Time, late.Session, late.Origin, late.Actor = true, noon, "s1", "192.0.2.7", "chief"
		value(s.AppendAudit(ctx, late))(t)
		must(t, s.EndSession(ctx, l, session(l, "s1", "c1"), record("ended")))
		if r := unbroken(t, s); r.Records != 7 || r.First != 1 || r.Last != 7 || r.Unprotected != 0 {
			t.Errorf("%+v", r)
		}
		recs := audit(t, s, wire.AuditFilter{})
		for i, rec := range recs {
			if rec.Seq != int64(i+1) || len(rec.Hash) != 64 {
				t.Errorf("record %d is %d %q", i+1, rec.Seq, rec.Hash)
			}
		}
		if h := value(s.AuditHead(ctx))(t); h.Head != "7:"+recs[6].Hash || h.Records != 7 {
			t.Errorf("head %+v", h)
		}
		if got := recs[5]; got.Origin != "192.0.2.7" || got.Actor != "chief" || !got.Late {
			t.Errorf("%+v", got)
		}
	})
}

// TestWhoAsked: a record says who asked, and from where, as the request knew it.
func TestWhoAsked(t *testing.T) {
	each(t, func(t *testing.T, s *state.Store) {
		l := lease(t, s, "fs1", "a")
		create(t, s, l, "s1", "c1")
		ctx := wire.WithActor(context.Background(), wire.Actor{Account: "anna", Via: "api", From: "192.0.2.7"})
		value(s.AppendAudit(ctx, record("x")))(t)
		value(s.ChangeRole(ctx, l, "s1", wire.Coach, whole("s1", wire.Monitor)))(t)
		value(s.ChangeRole(ctx, l, "s1", wire.Barge, wire.AuditRecord{}))(t)
		own := record("x")
		own.Actor = "bert"
		value(s.AppendAudit(ctx, own))(t)
		own = record("x")
		own.Origin = "1002"
		value(s.AppendAudit(ctx, own))(t)
		var got []string
		for _, r := range audit(t, s, wire.AuditFilter{}) {
			got = append(got, r.Actor+"@"+r.Origin)
		}
		if want := []string{"@", "anna@192.0.2.7", "anna@192.0.2.7", "anna@192.0.2.7", "bert@", "anna@1002"}; !slices.Equal(got, want) {
			t.Errorf("%q, want %q", got, want)
		}
	})
}

// TestWritersMakeOneChain has several controllers add at the same time, some of
// whose answers get lost.
func TestWritersMakeOneChain(t *testing.T) {
	const controllers, writers, rounds = 4, 3, 15
	for _, name := range []string{"redis", "cluster"} {
		t.Run(name, func(t *testing.T) {
			ctx := context.Background()
			s := open(t, all.url(t, name))
			var mu sync.Mutex
			var ids []string
			var wg sync.WaitGroup
			for c := range controllers {
				store, err := state.Open(ctx, all.url(t, name), state.Options{OpTimeout: patience, Logger: slog.New(slog.DiscardHandler)})
				must(t, err)
				defer func() { must(t, store.Close()) }()
				l := lease(t, store, fmt.Sprint("fs", c), fmt.Sprint(c))
				for w := range writers {
					id := fmt.Sprintf("s%d-%d", c, w)
					create(t, store, l, id, id)
					wg.Go(func() {
						role := []wire.Role{wire.Monitor, wire.Coach}
						for i := range rounds {
							got, err := store.AppendAudit(ctx, record(id))
							if err != nil {
								t.Error(err)
								return
							}
							mu.Lock()
							ids = append(ids, got)
							mu.Unlock()
							if _, err := store.ChangeRole(ctx, l, id, role[(i+1)%2], whole(id, role[i%2])); err != nil {
								t.Error(err)
								return
							}
						}
					})
				}
			}
			wg.Wait()
			n := controllers * writers * (2*rounds + 1)
			if r := unbroken(t, s); r.Records != int64(n) {
				t.Errorf("%d records, want %d", r.Records, n)
			}
			slices.Sort(ids)
			if len(slices.Compact(ids)) != controllers*writers*rounds {
				t.Error("two records have one place")
			}
			there := map[string]bool{}
			for _, m := range readStream(t, s) {
				there[m.ID] = true
			}
			for _, id := range ids {
				if !there[id] {
					t.Errorf("acknowledged record %s is gone", id)
				}
			}
		})
	}
}

// TestChainSurvivesCrashes interrupts everything that adds to the stream after
// every number of commands: the chain never forks, what was acknowledged is
// there once, and others go on with it.
func TestChainSurvivesCrashes(t *testing.T) {
	ctx := context.Background()
	adds := map[string]func(*state.Store, state.Lease) error{
		"append": func(s *state.Store, _ state.Lease) error {
			_, err := s.AppendAudit(ctx, record("crash"))
			return err
		},
		"change role": func(s *state.Store, l state.Lease) error {
			_, err := s.ChangeRole(ctx, l, "s1", wire.Coach, wire.AuditRecord{})
			return err
		},
		"change role at once": func(s *state.Store, l state.Lease) error {
			_, err := s.ChangeRole(ctx, l, "s1", wire.Coach, whole("s1", wire.Monitor))
			return err
		},
		"create": func(s *state.Store, l state.Lease) error {
			return s.CreateSession(ctx, l, session(l, "s2", "c2"), record("crash"))
		},
		"trim": func(s *state.Store, _ state.Lease) error {
			_, err := s.TrimAudit(ctx, time.Hour)
			return err
		},
	}
	for name, add := range adds {
		for _, lost := range []bool{false, true} {
			t.Run(fmt.Sprint(name, ", lost ", lost), func(t *testing.T) {
				for _, kind := range []string{"redis", "cluster"} {
					t.Run(kind, func(t *testing.T) {
						s, other := open(t, all.url(t, kind)), open(t, all.url(t, kind))
						hook := &crash{lost: lost}
						hook.off.Store(true)
						s.Client().AddHook(hook)
						for after := int64(0); ; after++ {
							flush(t, s)
							old(t, s, 250)
							l := lease(t, s, "fs1", "a")
							create(t, s, l, "s1", "c1")
							// Others have moved the head on, so that catching up is interrupted too.
							value(other.AppendAudit(ctx, record("other")))(t)
							before := len(readStream(t, s))
							hook.left.Store(after)
							hook.off.Store(false)
							err := add(s, l)
							crashed := hook.left.Load() < 0
							hook.off.Store(true)
							if crashed && err == nil {
								continue
							}
							r := unbroken(t, s)
							if err == nil && name != "trim" && int(r.Records+r.Unprotected) != before+1 {
								t.Errorf("after %d commands: acknowledged, but %d records of %d", after, r.Records, before+1)
							}
							value(other.AppendAudit(ctx, record("other")))(t)
							unbroken(t, s)
							must(t, ignoreEnd(add(s, l)))
							value(s.AppendAudit(ctx, record("own")))(t)
							if last := unbroken(t, s); name != "trim" && last.Last < r.Last+2 {
								t.Errorf("after %d commands: %d records, then %d", after, r.Last, last.Last)
							} else if name == "trim" && last.First != 251 {
								t.Errorf("after %d commands: trimmed up to %d", after, last.First)
							}
							if !crashed {
								if after < 1 {
									t.Error("never crashed")
								}
								return
							}
						}
					})
				}
			})
		}
	}
}

// ignoreEnd is for changes that had been made before the crash.
func ignoreEnd(err error) error {
	if errors.Is(err, state.ErrExists) {
		return nil
	}
	return err
}

// old plants n chained records that were stored long ago.
func old(tb testing.TB, s *state.Store, n int) state.Head {
	tb.Helper()
	ctx := context.Background()
	var h state.Head
	var to redis.Cmdable = s.Client()
	if !s.Embedded() { // its pipes hold no batch
		to = s.Client().Pipeline()
	}
	for i := range n {
		rec := fmt.Sprintf(`{"id":"","time":"2026-03-01T09:30:00Z","event":"requested","session":"old%d"}`, i)
		var prev string
		seq := h.Seq + 1
		prev, h = state.Link(h, rec)
		x := xadd("r", rec)
		x.ID = strconv.Itoa(i+1) + "-0"
		x.Values = []any{"r", rec, "q", seq, "p", prev, "h", h.Hash}
		to.XAdd(ctx, x)
	}
	to.Set(ctx, state.AuditHeadKey(), h.String(), 0)
	if pipe, ok := to.(redis.Pipeliner); ok {
		_, err := pipe.Exec(ctx)
		must(tb, err)
	}
	return h
}

// TestServerKilledWhileChaining kills the server among writers, again and again.
// The chain goes on, and what was acknowledged is there.
func TestServerKilledWhileChaining(t *testing.T) {
	ctx := context.Background()
	v, s := ownServer(t)
	var mu sync.Mutex
	var ids []string
	for round := range 3 {
		stop := make(chan struct{})
		var wg sync.WaitGroup
		for w := range 4 {
			wg.Go(func() {
				for i := 0; ; i++ {
					select {
					case <-stop:
						return
					default:
					}
					if id, err := s.AppendAudit(ctx, record(fmt.Sprintf("e%d-%d", w, i))); err == nil {
						mu.Lock()
						ids = append(ids, id)
						mu.Unlock()
					}
				}
			})
		}
		count := func() int { mu.Lock(); defer mu.Unlock(); return len(ids) }
		if !until(func() bool { return count() > 100*(round+1) }) {
			t.Fatal("nothing is recorded")
		}
		v.stop()
		close(stop)
		wg.Wait()
		must(t, v.start())
		if !until(func() bool { return s.Ping(ctx) == nil }) {
			t.Fatal("the store does not come back")
		}
		unbroken(t, s)
	}
	there := map[string]bool{}
	for _, m := range readStream(t, s) {
		there[m.ID] = true
	}
	for _, id := range ids {
		if !there[id] {
			t.Errorf("acknowledged record %s is gone", id)
		}
	}
}

// forgetful stands between a store and its server. Once armed it swallows the
// next answer, and hangs up.
type forgetful struct {
	armed atomic.Bool
	lost  atomic.Int64
	ln    net.Listener
	wg    sync.WaitGroup
}

func newForgetful(t *testing.T, server string) (*forgetful, *state.Store) {
	t.Helper()
	dir, err := os.MkdirTemp("", "state")
	must(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	ln, err := net.Listen("unix", filepath.Join(dir, "s"))
	must(t, err)
	f := &forgetful{ln: ln}
	f.wg.Go(func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			f.wg.Go(func() { f.serve(c, server) })
		}
	})
	s, err := state.Open(context.Background(), "unix://"+ln.Addr().String(), state.Options{OpTimeout: patience, IOTimeout: patience})
	must(t, err)
	t.Cleanup(func() {
		must(t, s.Close())
		must(t, ln.Close())
		f.wg.Wait()
	})
	return f, s
}

func (f *forgetful) serve(c net.Conn, server string) {
	up, err := net.Dial("unix", server)
	if err != nil {
		_ = c.Close()
		return
	}
	f.wg.Go(func() {
		_, _ = io.Copy(up, c)
		_ = up.Close()
	})
	defer func() { _, _ = c.Close(), up.Close() }()
	b := make([]byte, 64<<10)
	for {
		n, err := up.Read(b)
		if n > 0 && f.armed.CompareAndSwap(true, false) {
			f.lost.Add(1)
			return
		}
		if err != nil {
			return
		}
		if _, err := c.Write(b[:n]); err != nil {
			return
		}
	}
}

// TestLostAnswersAreNotRecordedTwice: the client sends again what it has no
// answer to, and the record is there once.
func TestLostAnswersAreNotRecordedTwice(t *testing.T) {
	ctx := context.Background()
	v, direct := ownServer(t)
	f, s := newForgetful(t, filepath.Join(v.dir, "s"))
	l := lease(t, s, "fs1", "a")
	create(t, s, l, "s1", "c1")
	roles := []wire.Role{wire.Monitor, wire.Coach}
	value(s.ChangeRole(ctx, l, "s1", wire.Coach, whole("s1", wire.Monitor)))(t)
	value(s.ChangeRole(ctx, l, "s1", wire.Monitor, whole("s1", wire.Coach)))(t)
	for i := range 20 {
		f.armed.Store(true)
		value(s.AppendAudit(ctx, record("x")))(t)
		f.armed.Store(true)
		if x := value(s.ChangeRole(ctx, l, "s1", roles[(i+1)%2], whole("s1", roles[i%2])))(t); x.Desired != roles[(i+1)%2] {
			t.Errorf("desired %s", x.Desired)
		}
		value(s.AppendAudit(ctx, record("x")))(t) // and the head is known again
	}
	if n := f.lost.Load(); n != 40 {
		t.Errorf("%d answers were lost", n)
	}
	if r := unbroken(t, direct); r.Records != 63 {
		t.Errorf("%d records, want 63", r.Records)
	}
}

// TestOldStreamsGoOn: records from before the chain are told apart, and one that
// comes later without a link has been inserted.
func TestOldStreamsGoOn(t *testing.T) {
	each(t, func(t *testing.T, s *state.Store) {
		ctx := context.Background()
		for range 150 {
			must(t, s.Client().XAdd(ctx, xadd("r", `{"id":"","time":"2026-03-01T09:30:00Z","event":"requested"}`)).Err())
		}
		if r := unbroken(t, s); r.Records != 0 || r.Unprotected != 150 || r.Head != "" {
			t.Errorf("%+v", r)
		}
		appendMany(t, s, 5)
		if r := unbroken(t, s); r.Records != 5 || r.Unprotected != 150 || r.First != 1 {
			t.Errorf("%+v", r)
		}
		recs := audit(t, s, wire.AuditFilter{})
		if len(recs) != 155 || recs[149].Seq != 0 || recs[149].Hash != "" || recs[150].Seq != 1 {
			t.Errorf("%d records, %+v", len(recs), recs[149:151])
		}
		must(t, s.Client().XAdd(ctx, xadd("r", `{"event":"requested"}`)).Err())
		appendMany(t, s, 1)
		if got := problems(verify(t, export(t, s, wire.AuditFilter{}))); got != "inserted" {
			t.Errorf("found %q", got)
		}
	})
}

// TestALostHeadIsFoundAgain: the chain goes on where it was, whatever stands
// where the head should; one that was set back is told to whoever knew better.
func TestALostHeadIsFoundAgain(t *testing.T) {
	each(t, func(t *testing.T, s *state.Store) {
		ctx := context.Background()
		appendMany(t, s, 3)
		for _, junk := range []string{"", "x", "4", "4:", ":", "04:" + strings.Repeat("a", 64), "4:" + strings.Repeat("A", 64), "4:" + strings.Repeat("a", 63),
			"9999999999999999:" + strings.Repeat("a", 64), "0:" + strings.Repeat("0", 64), strings.Repeat("9", 1<<16), "4:" + strings.Repeat("a", 64) + "\n"} {
			must(t, s.Client().Set(ctx, state.AuditHeadKey(), junk, 0).Err())
			appendMany(t, s, 1)
			unbroken(t, s)
		}
		must(t, s.Client().Del(ctx, state.AuditHeadKey()).Err())
		must(t, s.Client().XAdd(ctx, xadd("q", "7")).Err())
		appendMany(t, s, 1)
		if r := verify(t, export(t, s, wire.AuditFilter{})); r.Last != 16 || problems(r) != "changed" {
			t.Errorf("%+v", r)
		}
	})
}

func TestAHeadThatGoesBackIsLogged(t *testing.T) {
	ctx := context.Background()
	var log bytes.Buffer
	s, err := state.Open(ctx, "embedded", state.Options{Logger: slog.New(slog.NewTextHandler(&log, nil))})
	must(t, err)
	defer func() { must(t, s.Close()) }()
	appendMany(t, s, 3)
	if log.Len() > 0 {
		t.Errorf("logged: %s", log.String())
	}
	x := readStream(t, s)
	must(t, s.Client().Set(ctx, state.AuditHeadKey(), x.head(0).String(), 0).Err())
	x[:1].write(t, s)
	appendMany(t, s, 1)
	unbroken(t, s)
	if got := log.String(); !strings.Contains(got, "level=ERROR") || !strings.Contains(got, "was="+x.head(2).String()) || !strings.Contains(got, "is="+x.head(0).String()) {
		t.Errorf("logged: %s", got)
	}
}

func TestAFullChainTakesNoMore(t *testing.T) {
	each(t, func(t *testing.T, s *state.Store) {
		must(t, s.Client().Set(context.Background(), state.AuditHeadKey(), "999999999999999:"+strings.Repeat("a", 64), 0).Err())
		for range 2 {
			_, err := s.AppendAudit(context.Background(), record("x"))
			wantsCode(t, err, fault.StoreUnavailable)
		}
		if n := len(readStream(t, s)); n != 0 {
			t.Errorf("%d records", n)
		}
	})
}

// TestWaitingForTheChainEnds: those who wait for their turn wait
// no longer than a request may take.
func TestWaitingForTheChainEnds(t *testing.T) {
	ctx := context.Background()
	_, s := ownServer(t)
	appendMany(t, s, 1)
	must(t, s.Client().ClientPause(ctx, patience).Err())
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			_, err := s.AppendAudit(ctx, record("x"))
			wantsCode(t, err, fault.StoreUnavailable)
		})
	}
	start := time.Now()
	wg.Wait()
	if took := time.Since(start); took > patience/2 {
		t.Errorf("eight who waited took %v", took)
	}
	cancelled, cancel := context.WithCancel(ctx)
	cancel()
	if _, err := s.AppendAudit(cancelled, record("x")); !errors.Is(err, context.Canceled) || fault.Of(err) != 0 {
		t.Errorf("cancelled: %v", err)
	}
}
