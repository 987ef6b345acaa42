package state

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"livemon/internal/fault"
	"livemon/internal/wire"
)

const (
	loginsKey     = "livemon:{rights}:logins"     // hash: hash of the secret -> "account epoch idle end JSON"
	loginTimesKey = "livemon:{rights}:login-ends" // sorted set: the same hash by when it ends unless it is used
)

const (
	maxLogins   = 5000
	maxLoginsOf = 16
)

// loginsOf is the sorted set of one account's logins.
func loginsOf(name string) string { return "livemon:{rights}:logins:" + enc(name) }

// Login is a person who has logged in. Ends is by the server's clock.
type Login struct {
	Account string
	Created time.Time
	From    string    // from where
	Idle    time.Time // when it ends unless it is used before
	Ends    time.Time // when it ends even so

	epoch, value string
	now          time.Time // by the server's clock, when it was read
}

type loginValue struct {
	Created time.Time `json:"created"`
	From    string    `json:"from,omitempty"`
}

const maxLoginFrom = 128

// KEYS: logins, their times, the account's, secrets. ARGV: hash, account, epoch,
// idle, absolute, JSON, how many an account may have, how many there may be.
var addLoginScript = newRightsScript(serverNow + `
local secret = redis.call('HGET', KEYS[4], ARGV[2])
if not secret or string.match(secret, '^(%S+) ') ~= ARGV[3] then return {'OK', 'NOTFOUND'} end
local function forget(field)
  redis.call('HDEL', KEYS[1], field)
  redis.call('ZREM', KEYS[2], field)
  redis.call('ZREM', KEYS[3], field)
end
for _, field in ipairs(redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', ms(now), 'LIMIT', 0, 500)) do forget(field) end
redis.call('ZREMRANGEBYSCORE', KEYS[3], '-inf', ms(now))
local mine = redis.call('ZRANGE', KEYS[3], 0, -1)
for i = 1, #mine - tonumber(ARGV[7]) + 1 do forget(mine[i]) end
if redis.call('ZCARD', KEYS[2]) >= tonumber(ARGV[8]) then return {'OK', 'FULL'} end
local idle, ends = ms(now + tonumber(ARGV[4])), ms(now + tonumber(ARGV[5]))
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2] .. ' ' .. ARGV[3] .. ' ' .. idle .. ' ' .. ends .. ' ' .. ARGV[6])
for i = 2, 3 do redis.call('ZADD', KEYS[i], idle, ARGV[1]) end
for i = 1, 3 do redis.call('PEXPIRE', KEYS[i], ARGV[5]) end
return {'OK', 'DONE'}
`)

// AddLogin stores a login of an account as it was read; its secret's SHA-256,
// in hexadecimal, is hash. It ends after idle without use, after absolute
// in any case, and with the account's epoch. Of too many logins of one account
// those go first that would end first. ErrNotFound when the account is gone, or its
// epoch is over; ErrFull.
func (s *Store) AddLogin(ctx context.Context, a Account, hash, from string, idle, absolute time.Duration) error {
	if !hexHash.MatchString(hash) || idle < time.Millisecond || absolute < idle || len(from) > maxLoginFrom || !printable(from) {
		return fmt.Errorf("state: %w: a login that cannot be", wire.ErrBadRequest)
	}
	text, err := encode("login", loginValue{Created: time.Now().UTC(), From: from})
	if err != nil {
		return err
	}
	return s.changeRights(ctx, "store login of", a.Name, addLoginScript, []string{loginsKey, loginTimesKey, loginsOf(a.Name), secretsKey},
		hash, a.Name, a.Epoch, idle.Milliseconds(), absolute.Milliseconds(), text, maxLoginsOf, maxLogins)
}

// decodeLogin reads "account epoch idle end JSON".
func decodeLogin(value string) (Login, error) {
	parts := strings.SplitN(value, " ", 5)
	if len(parts) != 5 {
		return Login{}, errors.New("no login")
	}
	idle, err1 := strconv.ParseUint(parts[2], 10, 48)
	ends, err2 := strconv.ParseUint(parts[3], 10, 48)
	var v loginValue
	if err := errors.Join(err1, err2, decode(parts[4], &v)); err != nil {
		return Login{}, err
	}
	if !accountName.MatchString(parts[0]) || !mark.MatchString(parts[1]) || len(v.From) > maxLoginFrom || !printable(v.From) {
		return Login{}, errors.New("no account or epoch")
	}
	return Login{Account: parts[0], epoch: parts[1], Idle: time.UnixMilli(int64(idle)).UTC(), Ends: time.UnixMilli(int64(ends)).UTC(),
		Created: v.Created, From: v.From, value: value}, nil
}

// KEYS: logins, accounts, secrets. ARGV: hash.
var readLoginScript = newRightsScript(serverNow + `
local login = redis.call('HGET', KEYS[1], ARGV[1])
local name = login and string.match(login, '^(%S+) ')
local account = name and redis.call('HGET', KEYS[2], name)
if not account then return {'OK', 'NOTFOUND'} end
return {'OK', 'DONE', ms(now), login, name, account, redis.call('HGET', KEYS[3], name) or ''}
`)

// Login returns the login whose secret has this hash, and its account;
// ErrNotFound when there is none, or it has ended. Whether the account is disabled
// is for the caller to see.
func (s *Store) Login(ctx context.Context, hash string) (Login, Account, error) {
	const op = "read login"
	got, err := s.askRights(ctx, op, "", readLoginScript, []string{loginsKey, accountsKey, secretsKey}, hash)
	if err != nil {
		return Login{}, Account{}, err
	}
	if len(got) != 5 {
		return Login{}, Account{}, fault.New(fault.StoreUnavailable, op, "unexpected answer")
	}
	now, _ := strconv.ParseInt(got[0], 10, 64)
	l, err := decodeLogin(got[1])
	if err != nil {
		return Login{}, Account{}, &CorruptError{Key: loginsKey, Err: err}
	}
	l.now = time.UnixMilli(now).UTC()
	a, err := decodeAccount(got[2], got[3])
	if err == nil {
		err = a.readSecrets(got[4])
	}
	if err != nil {
		return Login{}, Account{}, &CorruptError{Key: accountsKey, Field: got[2], Err: err}
	}
	if l.epoch != a.Epoch || !l.now.Before(l.Idle) || !l.now.Before(l.Ends) {
		return Login{}, Account{}, fmt.Errorf("%s: %w", op, ErrNotFound)
	}
	return l, a, nil
}

// KEYS: logins, their times, the account's. ARGV: hash, what is stored, what
// shall be, when it ends unless it is used.
var touchLoginScript = newRightsScript(`
if redis.call('HGET', KEYS[1], ARGV[1]) == ARGV[2] then
  redis.call('HSET', KEYS[1], ARGV[1], ARGV[3])
  for i = 2, 3 do redis.call('ZADD', KEYS[i], 'XX', ARGV[4], ARGV[1]) end
end
return {'OK', 'DONE'}
`)

// TouchLogin lets a login, as it was read, go on for another idle, at most until
// its end. It writes only when a tenth of idle has gone by since the last time.
func (s *Store) TouchLogin(ctx context.Context, hash string, l Login, idle time.Duration) error {
	until := l.now.Add(idle)
	if until.After(l.Ends) {
		until = l.Ends
	}
	if until.Sub(l.Idle) < idle/10 {
		return nil
	}
	parts := strings.SplitN(l.value, " ", 5)
	parts[2] = strconv.FormatInt(until.UnixMilli(), 10)
	return s.changeRights(ctx, "renew login of", l.Account, touchLoginScript, []string{loginsKey, loginTimesKey, loginsOf(l.Account)},
		hash, l.value, strings.Join(parts, " "), parts[2])
}

// KEYS: logins, their times, the account's, changes. ARGV: hash.
var endLoginScript = newRightsScript(`
if redis.call('HDEL', KEYS[1], ARGV[1]) == 0 then return {'OK', 'NOTFOUND'} end
redis.call('ZREM', KEYS[2], ARGV[1])
redis.call('ZREM', KEYS[3], ARGV[1])
announce('', KEYS[4], '', 'login')
return {'OK', 'DONE'}
`)

// EndLogin ends a login and returns whose it was; ErrNotFound when there is none.
func (s *Store) EndLogin(ctx context.Context, hash string) (account string, err error) {
	const op = "end login"
	c, cancel := s.bound(ctx)
	defer cancel()
	value, err := s.rdb.HGet(c, loginsKey, hash).Result()
	if errors.Is(err, redis.Nil) {
		return "", fmt.Errorf("%s: %w", op, ErrNotFound)
	}
	if err != nil {
		return "", failure(ctx, op, loginsKey, err)
	}
	account, _, _ = strings.Cut(value, " ")
	return account, s.changeRights(ctx, op, account, endLoginScript, []string{loginsKey, loginTimesKey, loginsOf(account), rightsLogKey}, hash)
}
