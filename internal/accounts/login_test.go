package accounts

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"livemon/internal/wire"
	"livemon/state"
)

func TestLogin(t *testing.T) {
	each(t, func(t *testing.T, url string) {
		ctx := context.Background()
		h := open(t, url, Options{}, false)
		value(h.AddAccount(operator, "sue", supervisor(), true))(t)
		value(h.AddAccount(operator, "sam", wire.AccountChange{Password: ptr(password + "!"), Admin: ptr(true)}, false))(t)
		value(h.AddAccount(operator, "none", wire.AccountChange{}, false))(t)
		value(h.AddAccount(operator, "off", wire.AccountChange{Password: ptr(password), Disabled: ptr(true)}, false))(t)

		secret, a, err := h.Login(ctx, " SUE ", password, "192.0.2.1:99")
		must(t, err)
		if a.Name != "sue" || !a.Admin || !strings.HasPrefix(secret, loginPrefix) || len(secret) < 50 {
			t.Errorf("login %q of %+v", secret, a)
		}
		actor := value(h.Authenticate(ctx, secret, "panel", "[2001:db8::1]:5"))(t)
		if actor != (wire.Actor{Account: "sue", Admin: true, Via: "panel", From: "2001:db8::/64"}) {
			t.Errorf("actor %+v", actor)
		}
		for what, c := range map[string][2]string{
			"wrong": {"sue", "wrong password"}, "of another": {"sue", password + "!"}, "unknown": {"nobody", password}, "disabled": {"off", password},
			"without password": {"none", ""}, "without password, guessed": {"none", password}, "no name": {"", password}, "a long one": {"sue", strings.Repeat("x", 1<<20)},
			"a long name": {strings.Repeat("x", 1<<20), password}, "a hostile name": {"sue\r\nDEL x", password}, "a cut password": {"sue", password[:9]},
			"the operator": {"operator", password},
		} {
			if _, _, err := h.Login(ctx, c[0], c[1], "192.0.2."+fmt.Sprint(len(what))); !errors.Is(err, wire.ErrDenied) || err.Error() != denied().Error() {
				t.Errorf("%s: %v", what, err)
			}
		}
		for _, s := range []string{"", loginPrefix, tokenPrefix, secret + "x", secret[:len(secret)-1], strings.Replace(secret, loginPrefix, tokenPrefix, 1), digest(secret), "lmt__", "lmt_a_", strings.Repeat("x", 10000)} {
			if _, err := h.Authenticate(ctx, s, "api", ""); !errors.Is(err, wire.ErrDenied) {
				t.Errorf("secret %.60q: %v", s, err)
			}
		}
		must(t, h.Logout(as(actor), secret))
		must(t, h.Logout(as(actor), secret))
		_, err = h.Authenticate(ctx, secret, "panel", "")
		wants(t, err, wire.ErrDenied)

		// What ends logins, though it was in use a moment ago.
		for what, end := range map[string]func() error{
			"another password": func() error {
				_, err := h.EditAccount(operator, "sue", wire.AccountChange{Password: ptr(password)})
				return err
			},
			"his own new password": func() error {
				return h.ChangePassword(as(wire.Actor{Account: "sue"}), password, password)
			},
			"disabled, and enabled again": func() error {
				_, err := h.EditAccount(operator, "sue", wire.AccountChange{Disabled: ptr(true)})
				_, err2 := h.EditAccount(operator, "sue", wire.AccountChange{Disabled: ptr(false)})
				return errors.Join(err, err2)
			},
		} {
			secret, _, err := h.Login(ctx, "sue", password, "")
			must(t, err)
			value(h.Authenticate(ctx, secret, "panel", ""))(t)
			must(t, end())
			if _, err := h.Authenticate(ctx, secret, "panel", ""); !errors.Is(err, wire.ErrDenied) {
				t.Errorf("%s: the login goes on: %v", what, err)
			}
		}
		err = h.ChangePassword(as(wire.Actor{Account: "sue"}), "not the old one", "another password")
		wants(t, err, wire.ErrDenied)
		wants(t, h.ChangePassword(as(wire.Actor{Account: "sue"}), password, "short"), wire.ErrBadRequest)
		wants(t, h.ChangePassword(operator, password, "another password"), wire.ErrForbidden)
		wants(t, h.ChangePassword(ctx, password, "another password"), wire.ErrForbidden)

		must(t, h.RemoveAccount(operator, "sue"))
		_, _, err = h.Login(ctx, "sue", password, "")
		wants(t, err, wire.ErrDenied)

		// What was said and written anywhere.
		all := h.log.String()
		for _, r := range audit(t, h) {
			all += fmt.Sprintf("%+v\n", r)
		}
		for _, s := range []string{password, secret, digest(secret), "argon2", "nobody"} {
			if strings.Contains(all, s) {
				t.Errorf("%.30q is in the log or the records:\n%s", s, all)
			}
		}
		if !strings.Contains(all, "sue") {
			t.Error("nothing was recorded")
		}
	})
}

// TestEveryAttemptCostsTheSame: one hash, whoever asks for whatever.
func TestEveryAttemptCostsTheSame(t *testing.T) {
	h := open(t, state.EmbeddedURL, Options{}, false)
	value(h.AddAccount(operator, "sue", supervisor(), true))(t)
	value(h.AddAccount(operator, "off", wire.AccountChange{Password: ptr(password), PIN: ptr(pin), Extension: ptr("1060"), Disabled: ptr(true)}, false))(t)
	value(h.AddAccount(operator, "none", wire.AccountChange{Extension: ptr("1070")}, false))(t)
	h.hasher.slots = make(chan struct{}) // each hash takes a slot and gives it back to the one who counts
	var hashes atomic.Int32
	over := make(chan struct{})
	defer close(over)
	go func() {
		for {
			select {
			case <-h.hasher.slots:
				hashes.Add(1)
				h.hasher.slots <- struct{}{}
			case <-over:
				return
			}
		}
	}()
	pay := func(what string, try func(context.Context) error) {
		t.Helper()
		hashes.Store(0)
		if err := try(context.Background()); !errors.Is(err, wire.ErrDenied) || hashes.Load() != 1 {
			t.Errorf("%s: %v, for %d hashes", what, err, hashes.Load())
		}
	}
	for _, name := range []string{"sue", "off", "none", "nobody", "", "a b", strings.Repeat("x", 1000)} {
		pay("login of "+name, func(ctx context.Context) error { _, _, err := h.Login(ctx, name, "x", name); return err })
	}
	for _, x := range []string{"1050", "1060", "1070", "1080", "", "a b"} {
		pay("PIN of "+x, func(ctx context.Context) error { _, err := h.CheckPIN(ctx, x, "9999", x); return err })
	}
	pay("a password of a megabyte", func(ctx context.Context) error {
		_, _, err := h.Login(ctx, "sue", strings.Repeat("x", 1<<20), "")
		return err
	})
}

func TestLocks(t *testing.T) {
	each(t, func(t *testing.T, url string) {
		ctx := context.Background()
		slow := Options{
			Passwords: state.Limits{Account: state.Limit{Free: 3, Delay: time.Hour, Longest: time.Hour, Forget: time.Hour}, Origin: state.Limit{Free: 8, Delay: time.Hour, Longest: time.Hour, Forget: time.Hour}},
			PINs:      state.Limits{Account: state.Limit{Free: 1, Delay: time.Hour, Longest: time.Hour, Forget: time.Hour}, Origin: state.Limit{Free: 100, Forget: time.Hour}},
		}
		h := open(t, url, slow, false)
		other := over(t, h.store, slow, false) // another controller
		value(h.AddAccount(operator, "sue", supervisor(), true))(t)
		try := func(h house, name, password, from string) error {
			_, _, err := h.Login(ctx, name, password, from)
			return err
		}
		for range 4 {
			wants(t, try(h, "sue", "wrong", "a"), wire.ErrDenied)
		}
		var wait *wire.WaitError
		if err := try(other, "sue", password, "b"); !errors.As(err, &wait) || wait.Wait < 50*time.Minute {
			t.Errorf("the right password, too late, at another controller: %v", err)
		}
		if l := value(h.Locked(operator, "sue"))(t); l.Password < 3000 || l.PIN != 0 {
			t.Errorf("locked %+v", l)
		}
		// A name that nobody has is locked just so.
		for range 4 {
			wants(t, try(h, "nobody", "wrong", "c"), wire.ErrDenied)
		}
		if err := try(h, "nobody", "wrong", "d"); !errors.As(err, &wait) {
			t.Errorf("an unknown name is not locked: %v", err)
		}
		// PINs are counted for themselves.
		if a := value(h.CheckPIN(ctx, "1050@pbx", pin, "1050"))(t); a.Name != "sue" {
			t.Errorf("PIN of %+v", a)
		}
		for _, x := range []string{"1050", "77", ""} {
			for range 2 {
				_, err := h.CheckPIN(ctx, x, "9999", "1050")
				wants(t, err, wire.ErrDenied)
			}
			if _, err := h.CheckPIN(ctx, x, pin, "1051"); !errors.As(err, &wait) {
				t.Errorf("PIN of %q: %v", x, err)
			}
		}
		wants(t, h.Unlock(as(wire.Actor{Account: "nobody"}), "sue"), wire.ErrForbidden)
		must(t, h.Unlock(operator, "sue"))
		must(t, try(h, "sue", password, "e"))
		value(h.CheckPIN(ctx, "1050", pin, "1050"))(t)
		// One place, many names.
		for i := range 8 {
			wants(t, try(h, fmt.Sprint("guess", i), "wrong", "f"), wire.ErrDenied)
		}
		must(t, try(h, "sue", password, "f")) // not locked yet
		wants(t, try(h, "guess", "wrong", "f"), wire.ErrDenied)
		if err := try(h, "sue", password, "f"); !errors.As(err, &wait) {
			t.Errorf("one place may try for ever: %v", err)
		}
		must(t, try(h, "sue", password, "g"))
		records := fmt.Sprint(audit(t, h))
		if !strings.Contains(records, "wrong password; 4 in a row, locked for 1h0m0s") || !strings.Contains(records, EventUnlocked) || !strings.Contains(records, "wrong pin") {
			t.Error(records)
		}
	})
}

// TestAttemptWithoutTheStore checks nothing that cannot be counted.
func TestAttemptWithoutTheStore(t *testing.T) {
	v := redis(t)
	h := open(t, v.url(), Options{}, false)
	value(h.AddAccount(operator, "sue", supervisor(), true))(t)
	v.stop()
	if _, _, err := h.Login(context.Background(), "sue", password, ""); !storeIsAway(err) {
		t.Errorf("login: %v", err)
	}
	if _, err := h.CheckPIN(context.Background(), "1050", pin, ""); !storeIsAway(err) {
		t.Errorf("PIN: %v", err)
	}
	if _, err := h.AddAccount(operator, "sam", wire.AccountChange{}, false); !storeIsAway(err) {
		t.Errorf("account: %v", err)
	}
}

// TestHashIsRenewed logs in after the parameters have changed.
func TestHashIsRenewed(t *testing.T) {
	ctx := context.Background()
	h := open(t, state.EmbeddedURL, Options{}, false)
	value(h.AddAccount(operator, "sue", supervisor(), true))(t)
	stronger := over(t, h.store, Options{Hash: HashParams{Memory: 128, Time: 2, Threads: 1}}, false)
	secret, _, err := h.Login(ctx, "sue", password, "")
	must(t, err)
	for range 2 {
		_, _, err = stronger.Login(ctx, "sue", password, "")
		must(t, err)
		value(stronger.CheckPIN(ctx, "1050", pin, ""))(t)
	}
	a := value(h.store.Account(ctx, "sue"))(t)
	for _, x := range []string{a.PasswordHash, a.PINHash} {
		if !strings.Contains(x, "m=128,t=2") {
			t.Errorf("hashed as %s", x)
		}
	}
	value(h.Authenticate(ctx, secret, "panel", ""))(t) // logins go on
}

func TestTokens(t *testing.T) {
	each(t, func(t *testing.T, url string) {
		ctx := context.Background()
		h := open(t, url, Options{}, true)
		other := over(t, h.store, Options{}, true)
		value(h.AddAccount(operator, "sue", supervisor(), true))(t)
		value(h.AddAccount(operator, "sam", wire.AccountChange{}, false))(t)
		sam := as(wire.Actor{Account: "sam", Via: "panel"})

		tok := value(h.AddToken(sam, "sam", "wallboard", nil))(t)
		actor := value(other.Authenticate(ctx, tok.Secret, "api", "192.0.2.7"))(t)
		if actor != (wire.Actor{Account: "sam", Via: "api", From: "192.0.2.7", Token: tok.Token.ID}) {
			t.Errorf("actor %+v", actor)
		}
		// It cannot make others, or do what takes an administrator.
		_, err := other.AddToken(as(actor), "sam", "", nil)
		wants(t, err, wire.ErrForbidden)
		_, err = other.AddToken(sam, "sue", "", nil)
		wants(t, err, wire.ErrForbidden)
		_, err = other.Tokens(sam, "sue")
		wants(t, err, wire.ErrForbidden)
		wants(t, other.RemoveToken(sam, "sue", tok.Token.ID), wire.ErrForbidden)
		if list := value(other.Tokens(as(actor), "sam"))(t); len(list) != 1 || list[0].Name != "wallboard" || list[0].LastUsed == nil {
			t.Errorf("tokens %+v", list)
		}
		for _, s := range []string{strings.ToLower(tok.Secret), tok.Secret + "=", strings.Replace(tok.Secret, tok.Token.ID, "aaaaaaaaaa", 1), tokenPrefix + tok.Token.ID + "_" + newSecret("")} {
			if _, err := h.Authenticate(ctx, s, "api", ""); !errors.Is(err, wire.ErrDenied) {
				t.Errorf("%.20s…: %v", s, err)
			}
		}
		// Taken away here, refused there.
		value(other.Authenticate(ctx, tok.Secret, "api", ""))(t)
		there := other.Changed()
		must(t, h.RemoveToken(sam, "sam", tok.Token.ID))
		changes(t, there)
		_, err = other.Authenticate(ctx, tok.Secret, "api", "")
		wants(t, err, wire.ErrDenied)
		wants(t, h.RemoveToken(sam, "sam", tok.Token.ID), wire.ErrNotFound)

		_, err = h.AddToken(operator, "sue", "", ptr(time.Now().Add(-time.Second)))
		wants(t, err, wire.ErrBadRequest)
		_, err = h.AddToken(operator, "nobody", "", nil)
		wants(t, err, wire.ErrNotFound)
		short := value(h.AddToken(operator, "sue", "", ptr(time.Now().Add(2*time.Second))))(t)
		if !until(func() bool {
			_, err := h.Authenticate(ctx, short.Secret, "api", "")
			return errors.Is(err, wire.ErrDenied)
		}) {
			t.Error("a token does not expire")
		}
		// A disabled account's do not open anything, an enabled one's do again.
		tok = value(h.AddToken(operator, "sam", "", nil))(t)
		value(h.Authenticate(ctx, tok.Secret, "api", ""))(t)
		value(h.EditAccount(operator, "sam", wire.AccountChange{Disabled: ptr(true)}))(t)
		_, err = h.Authenticate(ctx, tok.Secret, "api", "")
		wants(t, err, wire.ErrDenied)
		value(h.EditAccount(operator, "sam", wire.AccountChange{Disabled: ptr(false)}))(t)
		value(h.Authenticate(ctx, tok.Secret, "api", ""))(t)
		if strings.Contains(h.log.String()+fmt.Sprint(audit(t, h)), tok.Secret) {
			t.Error("a token is in the log or the records")
		}
	})
}

// TestKnownWhileTheStoreIsAway uses what was checked before the store went away.
func TestKnownWhileTheStoreIsAway(t *testing.T) {
	ctx := context.Background()
	v := redis(t)
	h := open(t, v.url(), Options{Stale: 10 * time.Minute}, false)
	value(h.AddAccount(operator, "sue", supervisor(), true))(t)
	tok, unused := value(h.AddToken(operator, "sue", "", nil))(t), value(h.AddToken(operator, "sue", "", nil))(t)
	value(h.Authenticate(ctx, tok.Secret, "api", ""))(t)
	v.stop()
	age := func(d time.Duration) {
		h.mu.Lock()
		defer h.mu.Unlock()
		for k, e := range h.known.entries {
			e.checked = e.checked.Add(-d)
			h.known.entries[k] = e
		}
	}
	age(knownFor)
	if actor := value(h.Authenticate(ctx, tok.Secret, "api", ""))(t); actor.Account != "sue" {
		t.Errorf("actor %+v", actor)
	}
	if _, err := h.Authenticate(ctx, unused.Secret, "api", ""); !storeIsAway(err) {
		t.Errorf("a token that was never checked: %v", err)
	}
	age(10 * time.Minute)
	if _, err := h.Authenticate(ctx, tok.Secret, "api", ""); !storeIsAway(err) {
		t.Errorf("a token that was checked long ago: %v", err)
	}
	v.start()
	if !until(func() bool { _, err := h.Authenticate(ctx, tok.Secret, "api", ""); return err == nil }) {
		t.Error("it does not come back")
	}
}

// TestKnownIsBounded checks more secrets than are kept.
func TestKnownIsBounded(t *testing.T) {
	k := known{entries: map[string]entry{}}
	for i := range maxKnown + 100 {
		k.put(fmt.Sprint(i), entry{}, 0)
	}
	if len(k.entries) > maxKnown {
		t.Errorf("%d are kept", len(k.entries))
	}
	k.clear()
	k.put("late", entry{}, 0) // read before, found after
	if len(k.entries) != 0 {
		t.Error("what was read before a change counts after it")
	}
}
