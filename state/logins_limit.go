package state

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"livemon/internal/fault"
	"livemon/internal/wire"
)

// AttemptKind is what is attempted. Each kind is counted for itself.
type AttemptKind string

// The kinds of attempts.
const (
	AttemptPassword AttemptKind = "password"
	AttemptPIN      AttemptKind = "pin"
)

// Limit says how many attempts there may be, and how long one must wait after
// too many. Times are by the server's clock, to the millisecond.
type Limit struct {
	Free    int           // so many attempts follow one another at once
	Delay   time.Duration // to wait after the next one, twice as long after each further one
	Longest time.Duration // that the wait grows to
	Hard    int           // after so many one waits for HardFor; 0 is never
	HardFor time.Duration
	Forget  time.Duration // after so long without an attempt all are forgotten
}

// Limits are those for one kind: by what is attempted at, and by where from.
type Limits struct{ Account, Origin Limit }

// Attempt is one attempt that has been counted, or one that was refused.
type Attempt struct {
	Wait     time.Duration // how long nothing is to be attempted; 0 for one that may go on
	ByOrigin bool          // refused for where it comes from
	Count    int           // how many there have been at this account, this one included
	Next     time.Duration // how long one has to wait after this one, if it fails
}

// attemptKeys share a slot, so that both are counted in one step.
func attemptKeys(kind AttemptKind, account, origin string) []string {
	return []string{attemptKey(kind, "a", account), attemptKey(kind, "o", origin)}
}

func attemptKey(kind AttemptKind, by, name string) string {
	return "livemon:{attempts}:" + string(kind) + ":" + by + ":" + enc(name)
}

// KEYS: the account's count, the origin's. ARGV: six numbers for each.
var attemptScript = newRightsScript(serverNow + `
local function wait(key)
  return math.max(0, (tonumber(redis.call('HGET', key, 'until') or 0) or now + 1) - now)
end
local function count(key, i)
  local free, delay, longest = tonumber(ARGV[i]), tonumber(ARGV[i + 1]), tonumber(ARGV[i + 2])
  local hard, hardfor, forget = tonumber(ARGV[i + 3]), tonumber(ARGV[i + 4]), tonumber(ARGV[i + 5])
  local n, pause = redis.call('HINCRBY', key, 'n', 1), 0
  if n > free then pause = math.min(longest, delay * 2 ^ math.min(n - free - 1, 40)) end
  if hard > 0 and n >= hard then pause = hardfor end
  redis.call('HSET', key, 'until', ms(now + pause))
  redis.call('PEXPIRE', key, ms(math.max(forget, pause)))
  return n, pause
end
local a, o = wait(KEYS[1]), wait(KEYS[2])
if a > 0 or o > 0 then return {'OK', 'DONE', 'WAIT', ms(a), ms(o)} end
local n, pause = count(KEYS[1], 1)
local _, other = count(KEYS[2], 7)
return {'OK', 'DONE', 'GO', ms(n), ms(math.max(pause, other))}
`)

func (l Limit) args() []any {
	return []any{l.Free, l.Delay.Milliseconds(), l.Longest.Milliseconds(), l.Hard, l.HardFor.Milliseconds(), max(l.Forget, time.Millisecond).Milliseconds()}
}

// TryAttempt counts an attempt as one that fails, before it is known whether it
// does: as many as are made at the same time cannot get past the limit. While one
// has to wait it counts nothing and returns for how long. An account need not exist.
func (s *Store) TryAttempt(ctx context.Context, kind AttemptKind, account, origin string, l Limits) (Attempt, error) {
	const op = "count attempt"
	if len(account) > maxName || len(origin) > maxName {
		return Attempt{}, fmt.Errorf("state: %w: account or origin is too long", wire.ErrBadRequest)
	}
	got, err := s.askRights(ctx, op, "", attemptScript, attemptKeys(kind, account, origin), append(l.Account.args(), l.Origin.args()...)...)
	if err != nil {
		return Attempt{}, err
	}
	if len(got) != 3 {
		return Attempt{}, fault.New(fault.StoreUnavailable, op, "unexpected answer")
	}
	first, err1 := strconv.ParseInt(got[1], 10, 64)
	second, err2 := strconv.ParseInt(got[2], 10, 64)
	if err1 != nil || err2 != nil {
		return Attempt{}, fault.New(fault.StoreUnavailable, op, "unexpected answer")
	}
	if got[0] == "GO" {
		return Attempt{Count: int(first), Next: time.Duration(second) * time.Millisecond}, nil
	}
	return Attempt{Wait: time.Duration(max(first, second)) * time.Millisecond, ByOrigin: second > first}, nil
}

// KEYS: the account's count, the origin's.
var succeededScript = newRightsScript(`
redis.call('DEL', KEYS[1])
if redis.call('EXISTS', KEYS[2]) == 1 then
  if redis.call('HINCRBY', KEYS[2], 'n', -1) <= 0 then redis.call('DEL', KEYS[2]) else redis.call('HSET', KEYS[2], 'until', '0') end
end
return {'OK', 'DONE'}
`)

// AttemptSucceeded forgets the failed attempts at an account, and that this one
// was counted where it came from.
func (s *Store) AttemptSucceeded(ctx context.Context, kind AttemptKind, account, origin string) error {
	return s.changeRights(ctx, "count success", account, succeededScript, attemptKeys(kind, account, origin))
}

// KEYS: counts.
var unlockScript = newRightsScript(`
for _, key in ipairs(KEYS) do redis.call('DEL', key) end
return {'OK', 'DONE'}
`)

// Unlock forgets the failed attempts, of all kinds, at an account. The one and
// only way besides is to wait.
func (s *Store) Unlock(ctx context.Context, account string) error {
	return s.changeRights(ctx, "unlock", account, unlockScript, []string{attemptKey(AttemptPassword, "a", account), attemptKey(AttemptPIN, "a", account)})
}

// UnlockOrigin forgets the failed attempts, of all kinds, from somewhere.
func (s *Store) UnlockOrigin(ctx context.Context, origin string) error {
	return s.changeRights(ctx, "unlock", origin, unlockScript, []string{attemptKey(AttemptPassword, "o", origin), attemptKey(AttemptPIN, "o", origin)})
}

// KEYS: counts.
var lockedScript = newRightsScript(serverNow + `
local out = {'OK', 'DONE'}
for _, key in ipairs(KEYS) do
  out[#out + 1] = ms(math.max(0, (tonumber(redis.call('HGET', key, 'until') or 0) or now + 1) - now))
end
return out
`)

// Locked returns for how long nobody can use an account's password, and its PIN.
func (s *Store) Locked(ctx context.Context, account string) (password, pin time.Duration, err error) {
	got, err := s.askRights(ctx, "read locks", account, lockedScript, []string{attemptKey(AttemptPassword, "a", account), attemptKey(AttemptPIN, "a", account)})
	if err != nil {
		return 0, 0, err
	}
	var out [2]time.Duration
	for i := range out {
		if i < len(got) {
			n, _ := strconv.ParseInt(got[i], 10, 64)
			out[i] = time.Duration(n) * time.Millisecond
		}
	}
	return out[0], out[1], nil
}
