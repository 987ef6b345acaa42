package state_test

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"livemon/internal/fault"
	"livemon/internal/wire"
	"livemon/state"
)

func xadd(field, value string) *redis.XAddArgs {
	return &redis.XAddArgs{Stream: state.AuditKey(), Values: []string{field, value}}
}

func events(recs []wire.AuditRecord) string {
	var s []string
	for _, r := range recs {
		v := r.Event
		if r.To != "" {
			v += fmt.Sprintf(":%s>%s", r.From, r.To)
		}
		if r.Code != 0 {
			v += fmt.Sprintf("(%d)", r.Code)
		}
		s = append(s, v)
	}
	return fmt.Sprint(s)
}

func TestSessionLife(t *testing.T) {
	each(t, func(t *testing.T, s *state.Store) {
		ctx := context.Background()
		l := lease(t, s, "fs1", "a")
		x := create(t, s, l, "s1", "c1")
		if got := value(s.Session(ctx, "s1"))(t); !reflect.DeepEqual(got, x) {
			t.Errorf("got %+v, want %+v", got, x)
		}
		must(t, s.CreateSession(ctx, l, x, record("requested"))) // the answer was lost, and it is asked again
		other := x
		other.Phone = "2000"
		wants(t, s.CreateSession(ctx, l, other, record("requested")), state.ErrExists)

		x.Status, x.Channel = wire.Ringing, "leg"
		must(t, s.SetSession(ctx, l, x, nil))
		x.Status, x.Role, x.Room = wire.Listening, wire.Monitor, "room"
		rec := record("listening")
		must(t, s.SetSession(ctx, l, x, &rec))

		got := value(s.ChangeRole(ctx, l, "s1", wire.Coach, wire.AuditRecord{Via: "key"}))(t)
		if got.Desired != wire.Coach || got.Role != wire.Monitor {
			t.Errorf("got %+v", got)
		}
		value(s.ChangeRole(ctx, l, "s1", wire.Coach, wire.AuditRecord{Via: "key"}))(t)
		// Progress that was computed before the change does not undo it.
		x.Role = wire.Coach
		must(t, s.SetSession(ctx, l, x, nil))
		if got := value(s.Session(ctx, "s1"))(t); got.Desired != wire.Coach || got.Role != wire.Coach {
			t.Errorf("got %+v", got)
		}
		value(s.ChangeRole(ctx, l, "s1", wire.Barge, wire.AuditRecord{}))(t)
		value(s.ChangeRole(ctx, l, "s1", wire.TakeOver, wire.AuditRecord{Event: "takeover"}))(t)
		value(s.ChangeRole(ctx, l, "s1", wire.Monitor, wire.AuditRecord{}))(t)
		if live := value(s.Sessions(ctx, "fs1"))(t); len(live) != 1 || live[0].ID != "s1" || live[0].Desired != wire.Monitor {
			t.Errorf("live %+v", live)
		}

		x.Reason, x.Code = "he hung up", 0
		must(t, s.EndSession(ctx, l, x, record("ended")))
		must(t, s.EndSession(ctx, l, x, record("ended")))
		got = value(s.Session(ctx, "s1"))(t)
		if got.Status != wire.Ended || got.Ended == nil || got.Reason != "he hung up" {
			t.Errorf("ended %+v", got)
		}
		if live := value(s.Sessions(ctx, "fs1"))(t); len(live) != 0 {
			t.Errorf("live %+v", live)
		}
		wants(t, s.SetSession(ctx, l, session(l, "s1", "c1"), nil), state.ErrEnded)
		wants(t, s.SetSession(ctx, l, session(l, "s1", "c1"), &rec), state.ErrNotFound)
		wants(t, s.CreateSession(ctx, l, session(l, "s1", "c1"), rec), state.ErrExists)
		_, err := s.ChangeRole(ctx, l, "s1", wire.Coach, wire.AuditRecord{})
		wants(t, err, state.ErrEnded)

		recs := audit(t, s, wire.AuditFilter{})
		want := "[requested listening role:monitor>coach role:coach>barge takeover:barge>takeover role:takeover>monitor ended]"
		if got := events(recs); got != want {
			t.Errorf("audit\n%s, want\n%s", got, want)
		}
		for i, r := range recs {
			if r.Session != "s1" || r.Supervisor != "chief" || r.Agent != "anna" || r.Call != "c1" || r.Node != "fs1" || r.Time.IsZero() {
				t.Errorf("record %+v", r)
			}
			if i > 0 && r.ID == recs[i-1].ID {
				t.Errorf("id %s twice", r.ID)
			}
		}
	})
}

func TestUnknownSessions(t *testing.T) {
	each(t, func(t *testing.T, s *state.Store) {
		ctx := context.Background()
		_, err := s.Session(ctx, "nobody")
		wants(t, err, wire.ErrNotFound)
		l := lease(t, s, "fs1", "a")
		_, err = s.Session(ctx, "nobody")
		wants(t, err, state.ErrNotFound)
		rec := record("listening")
		wants(t, s.SetSession(ctx, l, session(l, "nobody", "c"), nil), state.ErrNotFound)
		wants(t, s.SetSession(ctx, l, session(l, "nobody", "c"), &rec), state.ErrNotFound)
		_, err = s.ChangeRole(ctx, l, "nobody", wire.Coach, wire.AuditRecord{})
		wants(t, err, state.ErrNotFound)
		if got := audit(t, s, wire.AuditFilter{}); len(got) != 0 {
			t.Errorf("recorded: %v", got)
		}
		// The end of a session that Redis has lost is recorded all the same.
		must(t, s.EndSession(ctx, l, session(l, "lost", "c"), record("ended")))
		if got := value(s.Session(ctx, "lost"))(t); got.Status != wire.Ended {
			t.Errorf("got %+v", got)
		}
		if got := events(audit(t, s, wire.AuditFilter{})); got != "[ended]" {
			t.Errorf("audit %s", got)
		}
	})
}

func TestRefusedSessions(t *testing.T) {
	each(t, func(t *testing.T, s *state.Store) {
		ctx := context.Background()
		l := lease(t, s, "fs1", "a")
		for what, change := range map[string]func(*wire.Session){
			"no id":           func(x *wire.Session) { x.ID = "" },
			"unknown follow":  func(x *wire.Session) { x.Follow = "me" },
			"no UTF-8":        func(x *wire.Session) { x.ID = "\xff" },
			"other node":      func(x *wire.Session) { x.Node = "fs2" },
			"speaks":          func(x *wire.Session) { x.Desired = wire.Coach },
			"unknown role":    func(x *wire.Session) { x.Role = "king" },
			"unknown desired": func(x *wire.Session) { x.Desired = "king" },
			"unknown status":  func(x *wire.Session) { x.Status = "lost" },
			"has ended":       func(x *wire.Session) { x.Status = wire.Ended },
		} {
			x := session(l, "s1", "c1")
			change(&x)
			if err := s.CreateSession(ctx, l, x, record("requested")); !errors.Is(err, wire.ErrBadRequest) {
				t.Errorf("%s: %v", what, err)
			}
		}
		wants(t, s.CreateSession(ctx, l, session(l, "s1", "c1"), wire.AuditRecord{}), wire.ErrBadRequest)
		_, err := s.Session(ctx, "s1")
		wants(t, err, state.ErrNotFound)
		create(t, s, l, "s1", "c1")
		_, err = s.ChangeRole(ctx, l, "s1", "king", wire.AuditRecord{})
		wants(t, err, wire.ErrBadRequest)
		_, err = s.ChangeRole(ctx, l, "s1", "", wire.AuditRecord{})
		wants(t, err, wire.ErrBadRequest)
		if got := events(audit(t, s, wire.AuditFilter{})); got != "[requested]" {
			t.Errorf("audit %s", got)
		}
	})
}

func TestOneSpeakerPerCall(t *testing.T) {
	each(t, func(t *testing.T, s *state.Store) {
		ctx := context.Background()
		l := lease(t, s, "fs1", "a")
		for _, id := range []string{"s1", "s2", "s3"} {
			create(t, s, l, id, "c1")
		}
		create(t, s, l, "elsewhere", "c2")
		change := func(id string, to wire.Role) error {
			_, err := s.ChangeRole(ctx, l, id, to, wire.AuditRecord{Via: "key"})
			return err
		}
		must(t, change("s1", wire.Coach))
		wantsCode(t, change("s2", wire.Barge), fault.SpeakerBusy)
		must(t, change("elsewhere", wire.Barge))
		must(t, change("s1", wire.Barge))
		wantsCode(t, change("s2", wire.Coach), fault.SpeakerBusy)
		must(t, change("s2", wire.Monitor)) // which it has already
		must(t, change("s1", wire.Monitor))
		must(t, change("s2", wire.TakeOver))
		wantsCode(t, change("s1", wire.Coach), fault.SpeakerBusy)
		// Whoever leaves gives his right back.
		must(t, s.EndSession(ctx, l, session(l, "s2", "c1"), record("ended")))
		must(t, change("s3", wire.Coach))
		// And so does one whom Redis has lost.
		must(t, s.Client().Del(ctx, state.SessionKey("fs1", "s3")).Err())
		must(t, change("s1", wire.Coach))

		refused := 0
		for _, r := range audit(t, s, wire.AuditFilter{}) {
			if r.Event == state.EventRefused {
				refused++
				if r.Code != int(fault.SpeakerBusy) || r.Via != "key" || !r.To.Speaks() || r.From != wire.Monitor {
					t.Errorf("record %+v", r)
				}
			}
		}
		if refused != 3 {
			t.Errorf("%d refusals recorded", refused)
		}
	})
}

func TestSpeakerMovesToAnotherCall(t *testing.T) {
	each(t, func(t *testing.T, s *state.Store) {
		ctx := context.Background()
		l := lease(t, s, "fs1", "a")
		create(t, s, l, "s1", "c1")
		create(t, s, l, "s2", "c1")
		create(t, s, l, "s3", "c2")
		change := func(id string, to wire.Role) error {
			_, err := s.ChangeRole(ctx, l, id, to, wire.AuditRecord{})
			return err
		}
		must(t, change("s1", wire.Coach))
		must(t, change("s3", wire.Coach))
		wantsCode(t, s.SetSession(ctx, l, session(l, "s1", "c2"), nil), fault.SpeakerBusy)
		if got := value(s.Session(ctx, "s1"))(t); got.Call != "c1" {
			t.Errorf("moved to %q all the same", got.Call)
		}
		must(t, change("s3", wire.Monitor))
		must(t, s.SetSession(ctx, l, session(l, "s1", "c2"), nil))
		wantsCode(t, change("s3", wire.Coach), fault.SpeakerBusy)
		must(t, change("s2", wire.Coach)) // c1 is free
	})
}

func TestFiftyWantToSpeak(t *testing.T) {
	each(t, func(t *testing.T, s *state.Store) {
		ctx := context.Background()
		l := lease(t, s, "fs1", "a")
		const n = 50
		for i := range n {
			create(t, s, l, fmt.Sprint("s", i), "c1")
		}
		for round, to := range []wire.Role{wire.Coach, wire.Barge, wire.TakeOver} {
			var won, busy atomic.Int64
			var winner atomic.Value
			start := make(chan struct{})
			var wg sync.WaitGroup
			for i := range n {
				wg.Go(func() {
					<-start
					x, err := s.ChangeRole(ctx, l, fmt.Sprint("s", i), to, wire.AuditRecord{Via: fmt.Sprint("round ", round)})
					switch {
					case err == nil:
						won.Add(1)
						winner.Store(x.ID)
					case fault.Of(err) == fault.SpeakerBusy:
						busy.Add(1)
					default:
						t.Error(err)
					}
				})
			}
			close(start)
			wg.Wait()
			if won.Load() != 1 || busy.Load() != n-1 {
				t.Fatalf("%d won, %d were told so", won.Load(), busy.Load())
			}
			speaking := 0
			for _, x := range value(s.Sessions(ctx, "fs1"))(t) {
				if x.Desired.Speaks() {
					speaking++
				}
			}
			if speaking != 1 {
				t.Errorf("%d speak", speaking)
			}
			granted, refused := 0, 0
			for _, r := range audit(t, s, wire.AuditFilter{}) {
				if r.Via != fmt.Sprint("round ", round) {
					continue
				}
				switch r.Event {
				case state.EventRole:
					granted++
				case state.EventRefused:
					refused++
				}
			}
			if granted != 1 || refused != n-1 {
				t.Errorf("recorded: %d granted, %d refused", granted, refused)
			}
			value(s.ChangeRole(ctx, l, winner.Load().(string), wire.Monitor, wire.AuditRecord{}))(t)
		}
	})
}

// TestChangesOfOneSessionAreRecordedInTheirOrder asks for many changes at once:
// each record starts where the one before it ended, and the last one tells the
// role that is stored.
func TestChangesOfOneSessionAreRecordedInTheirOrder(t *testing.T) {
	each(t, func(t *testing.T, s *state.Store) {
		ctx := context.Background()
		l := lease(t, s, "fs1", "a")
		create(t, s, l, "s1", "c1")
		var wg sync.WaitGroup
		for i := range 30 {
			wg.Go(func() {
				to := []wire.Role{wire.Monitor, wire.Coach, wire.Barge}[i%3]
				if _, err := s.ChangeRole(ctx, l, "s1", to, wire.AuditRecord{}); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		at := wire.Monitor
		for _, r := range audit(t, s, wire.AuditFilter{})[1:] {
			if r.From != at {
				t.Errorf("from %s, but it was %s", r.From, at)
			}
			at = r.To
		}
		if got := value(s.Session(ctx, "s1"))(t); got.Desired != at {
			t.Errorf("desired %s, last record %s", got.Desired, at)
		}
	})
}

func TestEverythingExpires(t *testing.T) {
	each(t, func(t *testing.T, s *state.Store) {
		ctx, c := context.Background(), s.Client()
		l := lease(t, s, "fs1", "a")
		must(t, s.PutAgents(ctx, l, []wire.Agent{agent("anna")}, nil))
		must(t, s.PutCalls(ctx, l, []state.Call{{ID: "c1"}}, nil))
		create(t, s, l, "s1", "c1")
		create(t, s, l, "s2", "c1")
		value(s.ChangeRole(ctx, l, "s1", wire.Coach, wire.AuditRecord{}))(t)
		must(t, s.EndSession(ctx, l, session(l, "s2", "c1"), record("ended")))
		limits := map[string]time.Duration{
			state.LeaseKey("fs1"):         time.Minute,
			state.AgentsKey("fs1"):        10 * time.Minute,
			state.CallsKey("fs1"):         10 * time.Minute,
			state.SessionKey("fs1", "s1"): 24 * time.Hour,
			state.SessionKey("fs1", "s2"): time.Hour,
			state.LiveKey("fs1"):          24 * time.Hour,
			state.SpeakersKey("fs1"):      24 * time.Hour,
			state.NodesKey():              24 * time.Hour,
		}
		check := func() {
			t.Helper()
			for k, limit := range limits {
				if ttl := value(c.PTTL(ctx, k).Result())(t); ttl <= limit/2 || ttl > limit {
					t.Errorf("%s lives for %v, not %v", k, ttl, limit)
				}
			}
		}
		check()
		for k := range limits {
			if k != state.SessionKey("fs1", "s1") && k != state.SessionKey("fs1", "s2") {
				must(t, c.PExpire(ctx, k, 20*time.Second).Err())
			}
		}
		must(t, s.RenewLease(ctx, l, time.Minute))
		check()
		for _, k := range []string{state.AuditKey(), state.FenceKey("fs1")} {
			if ttl := value(c.PTTL(ctx, k).Result())(t); ttl != -1 {
				t.Errorf("%s lives for %v only", k, ttl)
			}
		}
		// And what has a time does go, also in the embedded server.
		must(t, c.PExpire(ctx, state.SessionKey("fs1", "s1"), time.Millisecond).Err())
		if !until(func() bool { _, err := s.Session(ctx, "s1"); return errors.Is(err, state.ErrNotFound) }) {
			t.Error("the session does not expire")
		}
		if live := value(s.Sessions(ctx, "fs1"))(t); len(live) != 0 {
			t.Errorf("live: %v", live)
		}
		if n := value(c.SCard(ctx, state.LiveKey("fs1")).Result())(t); n != 0 {
			t.Errorf("%d sessions are still listed", n)
		}
	})
}

func TestAuditFilters(t *testing.T) {
	each(t, func(t *testing.T, s *state.Store) {
		ctx := context.Background()
		now := time.Now().UTC()
		var ids []string
		for i := range 1200 {
			rec := wire.AuditRecord{Event: fmt.Sprint("e", i), Session: fmt.Sprint("s", i%3), Agent: fmt.Sprint("a", i%2), Time: now.Add(time.Duration(i-1100) * time.Second)}
			ids = append(ids, value(s.AppendAudit(ctx, rec))(t))
		}
		first := func(recs []wire.AuditRecord) string {
			if len(recs) == 0 {
				return "none"
			}
			for i := 1; i < len(recs); i++ {
				if !(recs[i-1].Time.Before(recs[i].Time)) {
					t.Fatalf("%s comes before %s", recs[i-1].Event, recs[i].Event)
				}
			}
			return fmt.Sprintf("%d %s %s", len(recs), recs[0].Event, recs[len(recs)-1].Event)
		}
		for _, c := range []struct {
			f    wire.AuditFilter
			want string
		}{
			{wire.AuditFilter{}, "1000 e200 e1199"},
			{wire.AuditFilter{Limit: 5000}, "1000 e200 e1199"},
			{wire.AuditFilter{Limit: 2}, "2 e1198 e1199"},
			{wire.AuditFilter{Session: "s0"}, "400 e0 e1197"},
			{wire.AuditFilter{Session: "s0", Agent: "a1"}, "200 e3 e1197"},
			{wire.AuditFilter{Session: "s0", Limit: 1}, "1 e1197 e1197"},
			{wire.AuditFilter{Session: "nobody"}, "none"},
			{wire.AuditFilter{After: ids[1190]}, "9 e1191 e1199"},
			{wire.AuditFilter{After: ids[1199]}, "none"},
			{wire.AuditFilter{After: "0"}, "1000 e200 e1199"},
			{wire.AuditFilter{Since: now}, "100 e1100 e1199"},
			{wire.AuditFilter{Since: now.Add(time.Hour)}, "none"},
			{wire.AuditFilter{Since: noon.AddDate(100, 0, 0)}, "none"},
			{wire.AuditFilter{Since: now, After: ids[1150], Agent: "a1"}, "25 e1151 e1199"},
		} {
			if got := first(audit(t, s, c.f)); got != c.want {
				t.Errorf("%+v: %s, want %s", c.f, got, c.want)
			}
		}
	})
}

// whole is a record that leaves nothing to be filled in, which lets a server that
// holds every key change the role in one step.
func whole(id string, from wire.Role) wire.AuditRecord {
	return wire.AuditRecord{Time: time.Now().UTC(), Event: state.EventRole, Session: id, From: from, Supervisor: "boss", Via: "key"}
}

// TestChangeRoleWithAWholeRecord: it comes out the same whichever way it goes.
func TestChangeRoleWithAWholeRecord(t *testing.T) {
	each(t, func(t *testing.T, s *state.Store) {
		ctx := context.Background()
		l := lease(t, s, "fs1", "a")
		create(t, s, l, "s1", "c1")
		create(t, s, l, "s2", "c1")
		got := value(s.ChangeRole(ctx, l, "s1", wire.Coach, whole("s1", wire.Monitor)))(t)
		if got.ID != "s1" || got.Desired != wire.Coach {
			t.Errorf("got %+v", got)
		}
		_, err := s.ChangeRole(ctx, l, "s2", wire.Barge, whole("s2", wire.Monitor))
		if fault.Of(err) != fault.SpeakerBusy {
			t.Errorf("the second speaker: %v", err)
		}
		// What the caller believes of the role before may be wrong: the record is put right.
		value(s.ChangeRole(ctx, l, "s1", wire.Barge, whole("s1", wire.Monitor)))(t)
		// The answer was lost, and it is asked again.
		value(s.ChangeRole(ctx, l, "s1", wire.Barge, whole("s1", wire.Coach)))(t)
		value(s.ChangeRole(ctx, l, "s1", wire.Monitor, whole("s1", wire.Barge)))(t)
		value(s.ChangeRole(ctx, l, "s2", wire.Barge, whole("s2", wire.Monitor)))(t)
		recs := value(s.Audit(ctx, wire.AuditFilter{Session: "s1"}))(t)
		if got, want := events(recs[1:]), "[role:monitor>coach role:coach>barge role:barge>monitor]"; got != want {
			t.Errorf("recorded %s, want %s", got, want)
		}
		if r := recs[1]; r.Supervisor != "boss" || r.Via != "key" {
			t.Errorf("recorded %+v", r)
		}
		old := l
		lease(t, s, "fs1", "a")
		if _, err := s.ChangeRole(ctx, old, "s2", wire.Monitor, whole("s2", wire.Barge)); !errors.Is(err, state.ErrFenced) {
			t.Errorf("an old lease: %v", err)
		}
		_, err = s.ChangeRole(ctx, l, "s9", wire.Monitor, whole("s9", wire.Barge))
		if err == nil {
			t.Error("a session that is not there changed its role")
		}
	})
}
