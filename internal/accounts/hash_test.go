package accounts

import (
	"context"
	"errors"
	"strings"
	"testing"

	"livemon/internal/wire"
)

func TestHash(t *testing.T) {
	ctx := context.Background()
	h := value(newHasher(HashParams{Memory: 256, Time: 2, Threads: 2}, 1, 1))(t)
	a, b := value(h.hash(ctx, "secret"))(t), value(h.hash(ctx, "secret"))(t)
	if a == b || !strings.HasPrefix(a, "$argon2id$v=19$m=256,t=2,p=2$") || strings.Contains(a, "secret") {
		t.Errorf("hashed as %s and %s", a, b)
	}
	other := value(newHasher(cheap, 1, 1))(t)
	for _, c := range []struct {
		name      string
		h         *hasher
		hashed    string
		secret    string
		ok, renew bool
	}{
		{"right", h, a, "secret", true, false},
		{"wrong", h, a, "secreT", false, false},
		{"empty", h, a, "", false, false},
		{"right, under other parameters", other, a, "secret", true, true},
		{"wrong, under other parameters", other, a, "x", false, false},
		{"no hash", h, "", "secret", false, false},
		{"no hash and no secret", h, "", "", false, false},
		{"the secret as its hash", h, "secret", "secret", false, false},
		{"bcrypt", h, "$2a$10$N9qo8uLOickgx2ZMRZoMyeIjZAgcfl7p92ldGxad68LJZdL17lhWy", "secret", false, false},
		{"parameters that would eat the machine", h, strings.Replace(a, "m=256", "m=4194304", 1), "secret", false, false},
		{"no passes", h, strings.Replace(a, "t=2", "t=0", 1), "secret", false, false},
		{"argon2i", h, strings.Replace(a, "argon2id", "argon2i", 1), "secret", false, false},
		{"something behind it", h, a + "\n", "secret", false, false},
	} {
		ok, renew, err := c.h.verify(ctx, c.hashed, c.secret)
		if err != nil || ok != c.ok || renew != c.renew {
			t.Errorf("%s: %v, %v, %v", c.name, ok, renew, err)
		}
	}
	for _, p := range []HashParams{{Memory: 1, Time: 1, Threads: 1}, {Memory: 1 << 30, Time: 1, Threads: 1}, {Memory: 64, Time: 0, Threads: 1}, {Memory: 64, Time: 1, Threads: 0}, {Memory: 64, Time: 99, Threads: 1}} {
		if _, err := newHasher(p, 0, 0); err == nil {
			t.Errorf("%+v is taken", p)
		}
	}
}

func TestHashingIsBounded(t *testing.T) {
	h := value(newHasher(cheap, 2, 3))(t)
	var leave []func()
	for range 5 {
		leave = append(leave, value(h.reserve())(t))
	}
	if _, err := h.reserve(); !errors.Is(err, wire.ErrBusy) {
		t.Errorf("a sixth: %v", err)
	}
	h.slots <- struct{}{}
	h.slots <- struct{}{}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := h.hash(ctx, "x"); !errors.Is(err, context.Canceled) {
		t.Errorf("a third at the same time: %v", err)
	}
	<-h.slots
	value(h.hash(context.Background(), "x"))(t)
	for _, f := range leave {
		f()
	}
	if f, err := h.reserve(); err != nil {
		t.Errorf("places are not given back: %v", err)
	} else {
		f()
	}
}

func FuzzParseHash(f *testing.F) {
	good := cheap.encode(make([]byte, 16), make([]byte, 32))
	for _, s := range []string{"", good, good + "$", strings.Replace(good, "m=64", "m=9999999", 1), "$argon2id$v=19$m=64,t=1,p=1$AAAAAAAAAAAAAAAAAAAAAB$AAAAAAAAAAAAAAAAAAAAAB", "$argon2id$$$$"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		p, salt, key, err := parseHash(s)
		if err != nil {
			return
		}
		if p.check() != nil || len(salt) < 8 || len(salt) > 64 || len(key) < 16 || len(key) > 64 {
			t.Errorf("%q is taken: %+v, %d, %d", s, p, len(salt), len(key))
		}
		if again := p.encode(salt, key); again != s {
			q, _, _, err := parseHash(again) // leading zeros
			if err != nil || q != p {
				t.Errorf("%q is written as %q", s, again)
			}
		}
	})
}

func TestPasswordsAndPINs(t *testing.T) {
	for p, ok := range map[string]bool{
		password: true, "äöüäöüäöü1": true, "short": false, "": false, "aaaaaaaaaaaaaa": false, "abababababab": false,
		"supervisor1": false, "a supervisor of calls": true, "with\nbreak and more": false, "\xff\xfe0123456789": false, strings.Repeat("abcd", 65): false,
	} {
		err := CheckPassword("supervisor", p)
		if (err == nil) != ok || err != nil && !errors.Is(err, wire.ErrBadRequest) {
			t.Errorf("password %q: %v", p, err)
		}
	}
	for p, ok := range map[string]bool{
		pin: true, "4711": true, "1050": false, "0000": false, "1234": false, "98765": false, "123": false, "12a4": false, "٤٧١١": false, "": false,
		strings.Repeat("13", 9): false, "12345678901234567": false,
	} {
		err := CheckPIN("1050@pbx", p)
		if (err == nil) != ok || err != nil && !errors.Is(err, wire.ErrBadRequest) {
			t.Errorf("PIN %q: %v", p, err)
		}
	}
}

func TestOrigin(t *testing.T) {
	for in, want := range map[string]string{
		"192.0.2.1": "192.0.2.1", "192.0.2.1:4711": "192.0.2.1", "::ffff:192.0.2.1": "192.0.2.1", "2001:db8:1:2:3:4:5:6": "2001:db8:1:2::/64",
		"[2001:db8:1:2::9]:80": "2001:db8:1:2::/64", "fe80::1%eth0": "fe80::/64", "1001@pbx": "1001@pbx", "a\r\nb": "a??b", "": "",
		strings.Repeat("x", 500): strings.Repeat("x", 100), strings.Repeat("ü", 100): strings.Repeat("ü", 50), "\xff": "?",
	} {
		if got := origin(in); got != want {
			t.Errorf("%q: %q", in, got)
		}
	}
}
