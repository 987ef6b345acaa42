package state_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"livemon/internal/wire"
	"livemon/state"
)

const (
	oneSecret   = "00112233445566ff"
	otherSecret = "fedcba9876543210"
)

func TestSecret(t *testing.T) {
	each(t, func(t *testing.T, s *state.Store) {
		ctx := context.Background()
		says := func(mine, want string) {
			t.Helper()
			if got := value(s.AnnounceSecret(ctx, mine))(t); got != want {
				t.Errorf("%s is announced for %s", got, mine)
			}
		}
		says(oneSecret, oneSecret)
		says(oneSecret, oneSecret) // again, and by another controller
		says(otherSecret, oneSecret)
		must(t, s.WithdrawSecret(ctx, otherSecret)) // it was never announced
		says(otherSecret, oneSecret)
		if ttl := s.Client().PTTL(ctx, state.SecretKey()).Val(); ttl <= 0 || ttl > state.SecretTTL {
			t.Errorf("it lasts %v", ttl)
		}
		must(t, s.WithdrawSecret(ctx, oneSecret))
		says(otherSecret, otherSecret)
	})
}

// Whoever can write to Redis can pretend that there is another secret, for as
// long as an announcement lasts, and do nothing else.
func TestForgedSecrets(t *testing.T) {
	each(t, func(t *testing.T, s *state.Store) {
		ctx, c := context.Background(), s.Client()
		for name, forge := range map[string]func() error{
			"no text":      func() error { return c.RPush(ctx, state.SecretKey(), otherSecret).Err() },
			"a table":      func() error { return c.HSet(ctx, state.SecretKey(), otherSecret, otherSecret).Err() },
			"for ever":     func() error { return c.Set(ctx, state.SecretKey(), otherSecret, 0).Err() },
			"for an hour":  func() error { return c.Set(ctx, state.SecretKey(), otherSecret, time.Hour).Err() },
			"empty":        func() error { return c.Set(ctx, state.SecretKey(), "", time.Second).Err() },
			"huge":         func() error { return c.Set(ctx, state.SecretKey(), strings.Repeat("a", 1<<20), time.Second).Err() },
			"another form": func() error { return c.Set(ctx, state.SecretKey(), "fedcba987654321\n", time.Second).Err() },
			"upper case":   func() error { return c.Set(ctx, state.SecretKey(), "FEDCBA9876543210", time.Second).Err() },
			"a NUL in it":  func() error { return c.Set(ctx, state.SecretKey(), "fedcba98\x006543210", time.Second).Err() },
		} {
			must(t, c.Del(ctx, state.SecretKey()).Err())
			must(t, forge())
			if got := value(s.AnnounceSecret(ctx, oneSecret))(t); got != oneSecret {
				t.Errorf("%s: %q", name, got)
			}
		}
		must(t, c.Del(ctx, state.SecretKey()).Err())
		must(t, c.RPush(ctx, state.SecretKey(), oneSecret).Err())
		must(t, s.WithdrawSecret(ctx, oneSecret))
		for _, bad := range []string{"", "x", oneSecret + "0", strings.ToUpper(otherSecret), oneSecret[:15] + "\n"} {
			_, err := s.AnnounceSecret(ctx, bad)
			if err = errors.Join(err, s.WithdrawSecret(ctx, bad)); !errors.Is(err, wire.ErrBadRequest) {
				t.Errorf("%q: %v", bad, err)
			}
		}
	})
}
