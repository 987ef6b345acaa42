package state_test

import (
	"context"
	"errors"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"livemon/internal/fault"
	"livemon/internal/wire"
	"livemon/state"
)

var errCrash = errors.New("the connection is gone")

// crash is a client hook: from the command that left counts down to on, none
// reaches Redis; with lost, that one does, and only its answer is lost.
type crash struct {
	left atomic.Int64
	lost bool
	off  atomic.Bool
}

func (c *crash) DialHook(next redis.DialHook) redis.DialHook {
	return func(ctx context.Context, network, addr string) (net.Conn, error) { return next(ctx, network, addr) }
}

func (c *crash) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		if c.off.Load() {
			return next(ctx, cmd)
		}
		switch left := c.left.Add(-1); {
		case left >= 0:
			return next(ctx, cmd)
		case left == -1 && c.lost:
			_ = next(ctx, cmd)
		}
		cmd.SetErr(errCrash)
		return errCrash
	}
}

func (c *crash) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}

// TestCrashAnywhere interrupts each change after every number of commands, with
// the command done or not, and checks that nothing is stored that is not
// recorded, and that the same change can be made afterwards.
func TestCrashAnywhere(t *testing.T) {
	ctx := context.Background()
	recorded := func(s *state.Store, event string, to wire.Role) bool {
		for _, r := range audit(t, s, wire.AuditFilter{Session: "s1"}) {
			if r.Event == event && r.To == to {
				return true
			}
		}
		return false
	}
	stored := func(s *state.Store) (wire.Session, bool) {
		x, err := s.Session(ctx, "s1")
		if errors.Is(err, state.ErrNotFound) {
			return x, false
		}
		must(t, err)
		return x, true
	}
	changes := map[string]struct {
		begin func(*state.Store, state.Lease)
		do    func(*state.Store, state.Lease) error
		check func(*state.Store) bool // whether the change is stored, or nothing of it is
	}{
		"create": {
			begin: func(*state.Store, state.Lease) {},
			do: func(s *state.Store, l state.Lease) error {
				return s.CreateSession(ctx, l, session(l, "s1", "c1"), record("requested"))
			},
			check: func(s *state.Store) bool {
				_, there := stored(s)
				return !there || recorded(s, "requested", "")
			},
		},
		"listening": {
			begin: func(s *state.Store, l state.Lease) { create(t, s, l, "s1", "c1") },
			do: func(s *state.Store, l state.Lease) error {
				x := session(l, "s1", "c1")
				x.Status, x.Role = wire.Listening, wire.Monitor
				rec := record("listening")
				return s.SetSession(ctx, l, x, &rec)
			},
			check: func(s *state.Store) bool {
				x, _ := stored(s)
				return x.Status != wire.Listening || recorded(s, "listening", "")
			},
		},
		"coach": {
			begin: func(s *state.Store, l state.Lease) { create(t, s, l, "s1", "c1") },
			do: func(s *state.Store, l state.Lease) error {
				_, err := s.ChangeRole(ctx, l, "s1", wire.Coach, wire.AuditRecord{})
				return err
			},
			check: func(s *state.Store) bool {
				x, _ := stored(s)
				return x.Desired != wire.Coach || recorded(s, state.EventRole, wire.Coach)
			},
		},
		"coach, in one step": {
			begin: func(s *state.Store, l state.Lease) { create(t, s, l, "s1", "c1") },
			do: func(s *state.Store, l state.Lease) error {
				_, err := s.ChangeRole(ctx, l, "s1", wire.Coach, whole("s1", wire.Monitor))
				return err
			},
			check: func(s *state.Store) bool {
				x, _ := stored(s)
				return x.Desired != wire.Coach || recorded(s, state.EventRole, wire.Coach)
			},
		},
		"monitor": {
			begin: func(s *state.Store, l state.Lease) {
				create(t, s, l, "s1", "c1")
				value(s.ChangeRole(ctx, l, "s1", wire.Barge, wire.AuditRecord{}))(t)
			},
			do: func(s *state.Store, l state.Lease) error {
				_, err := s.ChangeRole(ctx, l, "s1", wire.Monitor, wire.AuditRecord{})
				return err
			},
			check: func(s *state.Store) bool {
				x, _ := stored(s)
				return x.Desired != wire.Monitor || recorded(s, state.EventRole, wire.Monitor)
			},
		},
		"end": {
			begin: func(s *state.Store, l state.Lease) { create(t, s, l, "s1", "c1") },
			do: func(s *state.Store, l state.Lease) error {
				return s.EndSession(ctx, l, session(l, "s1", "c1"), record("ended"))
			},
			check: func(s *state.Store) bool {
				x, _ := stored(s)
				return x.Status != wire.Ended || recorded(s, "ended", "")
			},
		},
	}
	for name, change := range changes {
		for _, lost := range []bool{false, true} {
			t.Run(map[bool]string{false: name + ", not sent", true: name + ", answer lost"}[lost], func(t *testing.T) {
				each(t, func(t *testing.T, s *state.Store) {
					hook := &crash{lost: lost}
					hook.off.Store(true)
					s.Client().AddHook(hook)
					for after := int64(0); ; after++ {
						flush(t, s)
						l := lease(t, s, "fs1", "a")
						change.begin(s, l)
						hook.left.Store(after)
						hook.off.Store(false)
						err := change.do(s, l)
						crashed := hook.left.Load() < 0
						hook.off.Store(true)
						if crashed && err == nil {
							continue // it was a command whose failure does not matter
						}
						if crashed {
							wantsCode(t, err, fault.StoreUnavailable)
							wants(t, err, errCrash)
						} else {
							must(t, err)
						}
						if !change.check(s) {
							t.Errorf("crashed after %d commands: stored, but not recorded", after)
						}
						if !crashed {
							if after < 1 || after < 3 && !strings.HasSuffix(name, "in one step") {
								t.Errorf("never crashed: %d commands", after)
							}
							return
						}
						if err := change.do(s, l); err != nil {
							t.Errorf("crashed after %d commands; again: %v", after, err)
						}
						if !change.check(s) {
							t.Errorf("crashed after %d commands; again: stored, but not recorded", after)
						}
					}
				})
			})
		}
	}
}

// TestReservationLapses has a session crash between reserving the right to
// speak and recording that: others are refused for a while, not for ever.
func TestReservationLapses(t *testing.T) {
	for _, name := range []string{"embedded", "redis", "cluster"} {
		t.Run(name, func(t *testing.T) {
			ctx := context.Background()
			open(t, all.url(t, name)) // empties it
			s, err := state.Open(ctx, all.url(t, name), state.Options{OpTimeout: time.Second})
			must(t, err)
			defer func() { must(t, s.Close()) }()
			l := lease(t, s, "fs1", "a")
			create(t, s, l, "s1", "c1")
			create(t, s, l, "s2", "c1")
			// The scripts are known to the server: one command each.
			value(s.ChangeRole(ctx, l, "s1", wire.Coach, wire.AuditRecord{}))(t)
			value(s.ChangeRole(ctx, l, "s1", wire.Monitor, wire.AuditRecord{}))(t)
			hook := &crash{}
			hook.left.Store(1)
			s.Client().AddHook(hook)
			_, err = s.ChangeRole(ctx, l, "s1", wire.Coach, wire.AuditRecord{})
			wantsCode(t, err, fault.StoreUnavailable)
			hook.off.Store(true)
			if got := value(s.Session(ctx, "s1"))(t); got.Desired != wire.Monitor {
				t.Errorf("desired %s", got.Desired)
			}
			if !until(func() bool {
				_, err := s.ChangeRole(ctx, l, "s2", wire.Coach, wire.AuditRecord{})
				return err == nil
			}) {
				t.Error("the reservation never lapses")
			}
			_, err = s.ChangeRole(ctx, l, "s1", wire.Coach, wire.AuditRecord{})
			wantsCode(t, err, fault.SpeakerBusy)
		})
	}
}

// TestFencedBetweenRecordAndRole loses the lease just before the last step: the
// role is not stored, and the record of it is followed by one that says so.
func TestFencedBetweenRecordAndRole(t *testing.T) {
	each(t, func(t *testing.T, s *state.Store) {
		ctx := context.Background()
		l := lease(t, s, "fs1", "a")
		create(t, s, l, "s1", "c1")
		other := &onAudit{do: func() {
			must(t, s.Client().Incr(ctx, state.FenceKey("fs1")).Err())
		}}
		s.Client().AddHook(other)
		_, err := s.ChangeRole(ctx, l, "s1", wire.Coach, wire.AuditRecord{})
		wants(t, err, state.ErrFenced)
		if got := value(s.Session(ctx, "s1"))(t); got.Desired != wire.Monitor {
			t.Errorf("desired %s", got.Desired)
		}
		if got := events(audit(t, s, wire.AuditFilter{})); got != "[requested role:monitor>coach refused:monitor>coach]" {
			t.Errorf("audit %s", got)
		}
	})
}

// onAudit does something once, right after an audit record has been stored.
type onAudit struct {
	crash
	do   func()
	done atomic.Bool
}

func (o *onAudit) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		err := next(ctx, cmd)
		args := cmd.Args()
		if err == nil && len(args) > 3 && args[3] == any(state.AuditKey()) && o.done.CompareAndSwap(false, true) {
			o.do()
		}
		return err
	}
}
