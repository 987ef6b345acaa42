package state_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

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
		says := func(controller, mine string, begins bool, want string) {
			t.Helper()
			if got := value(s.AnnounceSecret(ctx, controller, mine, begins))(t); got != want {
				t.Errorf("%s with %s is told of %q, want %q", controller, mine, got, want)
			}
		}
		says("a", oneSecret, true, "")
		says("b", oneSecret, true, "")
		says("a", oneSecret, false, "")
		says("c", otherSecret, true, oneSecret)
		says("a", oneSecret, false, "") // the one that was refused announces nothing
		if ttl := s.Client().PTTL(ctx, state.SecretKey()).Val(); ttl <= 0 || ttl > state.SecretTTL {
			t.Errorf("it lasts %v", ttl)
		}
		must(t, s.WithdrawSecret(ctx, "c", otherSecret)) // it was never announced
		must(t, s.WithdrawSecret(ctx, "b", oneSecret))
		says("c", otherSecret, true, oneSecret) // one that has stopped takes back its own only
		must(t, s.WithdrawSecret(ctx, "a", oneSecret))
		says("c", otherSecret, true, "")
		says("a", oneSecret, false, otherSecret) // and one that has run all the time says so, and is seen
		says("c", otherSecret, false, oneSecret)
	})
}

// Whoever can write to Redis can pretend that there is another secret, for as
// long as an announcement lasts, and do nothing else.
func TestForgedSecrets(t *testing.T) {
	each(t, func(t *testing.T, s *state.Store) {
		ctx, c := context.Background(), s.Client()
		soon := float64(time.Now().Add(5 * time.Second).UnixMilli())
		member := func(score float64, m string) func() error {
			return func() error { return c.ZAdd(ctx, state.SecretKey(), redis.Z{Score: score, Member: m}).Err() }
		}
		const theirs = otherSecret + ":0123456789abcdef"
		for name, forge := range map[string]func() error{
			"no set":       func() error { return c.RPush(ctx, state.SecretKey(), theirs).Err() },
			"a table":      func() error { return c.HSet(ctx, state.SecretKey(), otherSecret, otherSecret).Err() },
			"text":         func() error { return c.Set(ctx, state.SecretKey(), theirs, 0).Err() },
			"for ever":     member(math.Inf(1), theirs),
			"for an hour":  member(float64(time.Now().Add(time.Hour).UnixMilli()), theirs),
			"long ago":     member(1, theirs),
			"empty":        member(soon, ""),
			"huge":         member(soon, strings.Repeat("a", 1<<20)),
			"another form": member(soon, "fedcba987654321\n:0123456789abcdef"),
			"upper case":   member(soon, strings.ToUpper(theirs)),
			"a NUL in it":  member(soon, "fedcba98\x006543210:0123456789abcde"),
			"thousands": func() error {
				var all []redis.Z
				for i := range 1002 {
					all = append(all, redis.Z{Score: soon, Member: fmt.Sprintf("%s:%016x", otherSecret, i)})
				}
				return c.ZAdd(ctx, state.SecretKey(), all...).Err()
			},
		} {
			must(t, c.Del(ctx, state.SecretKey()).Err())
			must(t, forge())
			if got := value(s.AnnounceSecret(ctx, "a", oneSecret, true))(t); got != "" {
				t.Errorf("%s: %q", name, got)
			}
		}
		must(t, c.Del(ctx, state.SecretKey()).Err())
		must(t, c.RPush(ctx, state.SecretKey(), oneSecret).Err())
		must(t, s.WithdrawSecret(ctx, "a", oneSecret))
		for _, bad := range []string{"", "x", oneSecret + "0", strings.ToUpper(otherSecret), oneSecret[:15] + "\n"} {
			_, err := s.AnnounceSecret(ctx, "a", bad, true)
			if err = errors.Join(err, s.WithdrawSecret(ctx, "a", bad)); !errors.Is(err, wire.ErrBadRequest) {
				t.Errorf("%q: %v", bad, err)
			}
		}
	})
}
