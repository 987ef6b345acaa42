package state_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"livemon/internal/wire"
	"livemon/state"
)

func TestLogins(t *testing.T) {
	each(t, func(t *testing.T, s *state.Store) {
		ctx := context.Background()
		sue := value(s.CreateAccount(ctx, account("sue", "1"), false))(t)
		n := 0
		login := func(a state.Account, idle, absolute time.Duration) string {
			t.Helper()
			n++
			h := fmt.Sprintf("%064x", n)
			must(t, s.AddLogin(ctx, a, h, "192.0.2.1", idle, absolute))
			return h
		}
		on := func(h string) bool {
			t.Helper()
			_, _, err := s.Login(ctx, h)
			if err != nil {
				wants(t, err, state.ErrNotFound)
			}
			return err == nil
		}
		one := login(sue, time.Hour, 2*time.Hour)
		l, a, err := s.Login(ctx, one)
		must(t, err)
		if l.Account != "sue" || l.From != "192.0.2.1" || a.Version != sue.Version || l.Ends.Sub(l.Idle) != time.Hour {
			t.Errorf("login %+v of %+v", l, a.Account)
		}
		// Less than a tenth has gone by: nothing is written.
		must(t, s.TouchLogin(ctx, one, l, time.Hour))
		if after, _, _ := s.Login(ctx, one); !after.Idle.Equal(l.Idle) {
			t.Error("each use is written")
		}
		must(t, s.TouchLogin(ctx, one, l, 3*time.Hour))
		after, _, err := s.Login(ctx, one)
		must(t, err)
		if !after.Idle.Equal(l.Ends) || !after.Ends.Equal(l.Ends) {
			t.Errorf("renewed until %v, ends %v", after.Idle, after.Ends)
		}
		must(t, s.TouchLogin(ctx, one, l, 2*time.Hour)) // as it was read long ago: nothing happens
		if account, err := s.EndLogin(ctx, one); err != nil || account != "sue" || on(one) {
			t.Errorf("ended: %q, %v", account, err)
		}
		_, err = s.EndLogin(ctx, one)
		wants(t, err, state.ErrNotFound)
		must(t, s.TouchLogin(ctx, one, l, 3*time.Hour))
		if on(one) {
			t.Error("a login that has ended is renewed")
		}

		idle := login(sue, 30*time.Millisecond, time.Hour)
		short := login(sue, 30*time.Millisecond, 30*time.Millisecond)
		if !until(func() bool { return !on(idle) && !on(short) }) {
			t.Error("logins do not end")
		}

		// What ends an account's logins, all of them.
		two, three := login(sue, time.Hour, time.Hour), login(sue, time.Hour, time.Hour)
		sue.Rank++
		sue = value(s.UpdateAccount(ctx, sue))(t)
		if !on(two) || !on(three) {
			t.Error("another rank ends logins")
		}
		before := sue
		sue.Epoch = "another"
		sue = value(s.UpdateAccount(ctx, sue))(t)
		if on(two) || on(three) {
			t.Error("another epoch does not end logins")
		}
		wants(t, s.AddLogin(ctx, before, strings.Repeat("9", 64), "", time.Hour, time.Hour), state.ErrNotFound) // the password was changed while it was checked
		four := login(sue, time.Hour, time.Hour)
		must(t, s.RemoveAccount(ctx, "sue"))
		sue = value(s.CreateAccount(ctx, account("sue", "1"), false))(t)
		if on(four) {
			t.Error("a login of another account of the same name")
		}

		future := time.Now().Add(time.Hour).UnixMilli()
		for epoch, want := range map[string]bool{sue.Epoch: true, before.Epoch: false} {
			h := strings.Repeat("8", 64)
			must(t, s.Client().HSet(ctx, state.LoginsKey, h, fmt.Sprintf("sue %s %d %d {}", epoch, future, future)).Err())
			if on(h) != want {
				t.Errorf("a login of epoch %s, which was left behind: %v", epoch, !want)
			}
			must(t, s.Client().HDel(ctx, state.LoginsKey, h).Err())
		}

		// Of too many the ones go first that end first; another account's stay.
		sam := value(s.CreateAccount(ctx, account("sam", "2"), false))(t)
		sams := login(sam, time.Hour, time.Hour)
		var all []string
		for i := range 20 {
			all = append(all, login(sue, time.Hour+time.Duration(i)*time.Minute, 3*time.Hour))
		}
		if on(all[0]) || on(all[3]) || !on(all[4]) || !on(all[19]) || !on(sams) {
			t.Error("the wrong ones went")
		}
		if n := value(s.Client().HLen(ctx, state.LoginsKey).Result())(t); n != 17 {
			t.Errorf("%d logins are kept", n)
		}
		if ttl := value(s.Client().PTTL(ctx, state.LoginsKey).Result())(t); ttl <= 0 {
			t.Error("logins never expire")
		}
		for _, bad := range []struct {
			hash, from     string
			idle, absolute time.Duration
		}{{"x", "", 1e9, 1e9}, {strings.Repeat("1", 64), "\n", 1e9, 1e9}, {strings.Repeat("1", 64), "", 0, 1e9}, {strings.Repeat("1", 64), "", 2e9, 1e9}} {
			wants(t, s.AddLogin(ctx, sue, bad.hash, bad.from, bad.idle, bad.absolute), wire.ErrBadRequest)
		}
	})
}

var limits = state.Limits{
	Account: state.Limit{Free: 3, Delay: 40 * time.Millisecond, Longest: 100 * time.Millisecond, Hard: 6, HardFor: time.Hour, Forget: time.Hour},
	Origin:  state.Limit{Free: 50, Delay: time.Minute, Longest: time.Minute, Forget: time.Hour},
}

func TestAttempts(t *testing.T) {
	each(t, func(t *testing.T, s *state.Store) {
		ctx := context.Background()
		try := func(kind state.AttemptKind, account, origin string) state.Attempt {
			t.Helper()
			return value(s.TryAttempt(ctx, kind, account, origin, limits))(t)
		}
		next := func(account string) state.Attempt {
			t.Helper()
			var a state.Attempt
			if !until(func() bool { a = try(state.AttemptPassword, account, "here"); return a.Wait == 0 }) {
				t.Fatal("the wait does not end")
			}
			return a
		}
		for i, want := range []time.Duration{0, 0, 0, 40, 80, 3600000} {
			a := next("sue")
			if a.Count != i+1 || a.Next != want*time.Millisecond {
				t.Errorf("attempt %d: %+v", i+1, a)
			}
		}
		locked := try(state.AttemptPassword, "sue", "elsewhere")
		if locked.Wait < 50*time.Minute || locked.Wait > time.Hour || locked.ByOrigin {
			t.Errorf("locked: %+v", locked)
		}
		if a := try(state.AttemptPIN, "sue", "here"); a.Wait != 0 || a.Count != 1 {
			t.Errorf("PINs are counted with passwords: %+v", a)
		}
		if a := try(state.AttemptPassword, "sam", "here"); a.Wait != 0 {
			t.Errorf("another account is locked: %+v", a)
		}
		if p, q, err := s.Locked(ctx, "sue"); err != nil || p < 50*time.Minute || q != 0 {
			t.Errorf("locked for %v, %v, %v", p, q, err)
		}
		must(t, s.Unlock(ctx, "sue"))
		if p, _, _ := s.Locked(ctx, "sue"); p != 0 {
			t.Errorf("unlocked, and locked for %v", p)
		}
		if a := try(state.AttemptPassword, "sue", "here"); a.Count != 1 {
			t.Errorf("unlocked: %+v", a)
		}
		// Success forgets the account's failures, but not the origin's.
		must(t, s.AttemptSucceeded(ctx, state.AttemptPassword, "sue", "here"))
		if a := try(state.AttemptPassword, "sue", "here"); a.Count != 1 {
			t.Errorf("after a success: %+v", a)
		}
		// One origin, many accounts, and one that he knows the password of.
		for n := range 60 {
			name := fmt.Sprint("guess", n)
			if a := try(state.AttemptPassword, name, "there"); a.Wait > 0 {
				if n != 52 || !a.ByOrigin { // one of the 52 before has succeeded
					t.Errorf("attempt %d is refused: %+v", n, a)
				}
				break
			}
			if n == 30 {
				must(t, s.AttemptSucceeded(ctx, state.AttemptPassword, name, "there"))
			}
			if n == 59 {
				t.Error("an origin may try for ever")
			}
		}
		must(t, s.UnlockOrigin(ctx, "there"))
		if a := try(state.AttemptPassword, "x", "there"); a.Wait != 0 {
			t.Errorf("unlocked origin: %+v", a)
		}
		// Names cannot escape their key, and nothing stays for ever.
		for i, name := range hostile {
			if a := try(state.AttemptPIN, name, fmt.Sprint("o", i)); a.Count != 1 && name != "sue" {
				t.Errorf("%.40q shares a count: %+v", name, a)
			}
		}
		if ttl := value(s.Client().PTTL(ctx, state.AttemptKey(state.AttemptPIN, "a", "anna")).Result())(t); ttl <= 0 || ttl > time.Hour {
			t.Errorf("a count stays for %v", ttl)
		}
		_, err := s.TryAttempt(ctx, state.AttemptPIN, strings.Repeat("x", 10000), "", limits)
		wants(t, err, wire.ErrBadRequest)
		// What is not understood locks.
		must(t, s.Client().HSet(ctx, state.AttemptKey(state.AttemptPIN, "a", "odd"), "until", "never").Err())
		if a := try(state.AttemptPIN, "odd", "x"); a.Wait == 0 {
			t.Errorf("an unreadable time: %+v", a)
		}
		must(t, s.Client().HSet(ctx, state.AttemptKey(state.AttemptPIN, "a", "worse"), "n", "many").Err())
		if _, err := s.TryAttempt(ctx, state.AttemptPIN, "worse", "x", limits); err == nil {
			t.Error("an unreadable count")
		}
	})
}

// TestManyAttemptsAtOnce makes more attempts at once than there may be.
func TestManyAttemptsAtOnce(t *testing.T) {
	each(t, func(t *testing.T, s *state.Store) {
		l := limits
		l.Account.Delay, l.Account.Longest = time.Hour, time.Hour
		var mu sync.Mutex
		let := 0
		var wg sync.WaitGroup
		for i := range 40 {
			wg.Go(func() {
				a, err := s.TryAttempt(context.Background(), state.AttemptPIN, "sue", fmt.Sprint(i), l)
				mu.Lock()
				defer mu.Unlock()
				if err != nil {
					t.Error(err)
				} else if a.Wait == 0 {
					let++
				}
			})
		}
		wg.Wait()
		if let != l.Account.Free+1 {
			t.Errorf("%d attempts were let through", let)
		}
	})
}

// TestAttemptsOutliveTheServer counts with one store, and refuses with another
// after the server has been killed.
func TestAttemptsOutliveTheServer(t *testing.T) {
	ctx := context.Background()
	v, a := ownServer(t)
	l := limits
	l.Account.Delay, l.Account.Longest = time.Hour, time.Hour
	for range 4 {
		value(a.TryAttempt(ctx, state.AttemptPassword, "sue", "here", l))(t)
	}
	v.stop()
	must(t, v.start())
	b, err := state.Open(ctx, v.url, state.Options{})
	must(t, err)
	defer func() { must(t, b.Close()) }()
	var got state.Attempt
	if !until(func() bool {
		got, err = b.TryAttempt(ctx, state.AttemptPassword, "sue", "elsewhere", l)
		return err == nil
	}) {
		t.Fatal(err)
	}
	if got.Wait == 0 || got.ByOrigin {
		t.Errorf("not locked after a restart: %+v", got)
	}
}
