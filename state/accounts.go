package state

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"livemon/internal/fault"
	"livemon/internal/wire"
)

// What rights are kept in. One hash tag: a change is one step, and what is read
// together was true together.
const (
	accountsKey    = "livemon:{rights}:accounts"   // hash: name -> "version birth JSON"
	secretsKey     = "livemon:{rights}:secrets"    // hash: name -> "epoch JSON"
	accountExtsKey = "livemon:{rights}:extensions" // hash: folded extension -> name
	teamsKey       = "livemon:{rights}:teams"      // hash: name -> "version JSON"
	rightsRevKey   = "livemon:{rights}:revision"   // another text after every change of accounts and teams
	rightsLogKey   = "livemon:{rights}:changes"    // stream: one entry a change, the newest few
)

const (
	maxAccounts   = 2000
	maxTeams      = 500
	rightsLogSize = 256
)

// Errors of changes to accounts, teams and tokens. They carry no fault code.
var (
	// ErrChanged refuses a change to what somebody else has changed since it was read.
	ErrChanged = errors.New("state: it has been changed since it was read")
	// ErrNotFirst refuses to make the first account when there is one.
	ErrNotFirst = errors.New("state: there is an account")
	// ErrExtensionTaken refuses an extension that is another account's.
	ErrExtensionTaken = errors.New("state: the extension is another account's")
	// ErrFull refuses one more of something that is bounded in number.
	ErrFull = errors.New("state: there are as many as there may be")
)

// Account is an account with what is never shown. It prints as its name only.
type Account struct {
	wire.Account
	Version string // another one after every change; "" of one that is not stored
	Birth   string // another one for every account, even of the same name
	Epoch   string // logins that began in another epoch have ended
	// Hashes, in a form that is the caller's affair; "" is none.
	PasswordHash string `json:"-"`
	PINHash      string `json:"-"`
}

// LogValue is the account's name.
func (a Account) LogValue() slog.Value { return slog.StringValue(a.Name) }

// Format keeps what is never shown from being printed, whatever the verb.
func (a Account) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(a.Name)) }

// putAccountScript makes or changes an account, its secrets, and the index.
// KEYS: accounts, secrets, extensions, revision, changes, logins, their times,
// the account's logins. ARGV: name, the version that is changed ("" makes one),
// the new version, birth, JSON, epoch, secrets, folded extension ("" is none),
// how many accounts there may be, "1" if there may be no other, the revision.
var putAccountScript = newRightsScript(`
local cur = redis.call('HGET', KEYS[1], ARGV[1])
local version, birth = '', ARGV[4]
if cur then
  version, birth = string.match(cur, '^(%S+) (%S+) ')
  version, birth = version or '?', birth or ARGV[4]
end
if version == ARGV[3] then return {'OK', 'DONE'} end
if version ~= ARGV[2] then
  if ARGV[2] == '' then return {'OK', ARGV[10] == '1' and 'NOTFIRST' or 'EXISTS'} end
  return {'OK', cur and 'CHANGED' or 'NOTFOUND'}
end
if not cur then
  local n = redis.call('HLEN', KEYS[1])
  if ARGV[10] == '1' and n > 0 then return {'OK', 'NOTFIRST'} end
  if n >= tonumber(ARGV[9]) then return {'OK', 'FULL'} end
end
if ARGV[8] ~= '' then
  local owner = redis.call('HGET', KEYS[3], ARGV[8])
  if owner and owner ~= ARGV[1] then return {'OK', 'TAKEN'} end
end
unindex(ARGV[1])
if ARGV[8] ~= '' then redis.call('HSET', KEYS[3], ARGV[8], ARGV[1]) end
local secret = redis.call('HGET', KEYS[2], ARGV[1])
if not secret or string.match(secret, '^(%S+) ') ~= ARGV[6] then logout() end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[3] .. ' ' .. birth .. ' ' .. ARGV[5])
redis.call('HSET', KEYS[2], ARGV[1], ARGV[6] .. ' ' .. ARGV[7])
announce(KEYS[4], KEYS[5], ARGV[11], 'account')
return {'OK', 'DONE'}
`)

// KEYS: as for putAccountScript, and the tokens. ARGV: name, revision.
var removeAccountScript = newRightsScript(`
if redis.call('HDEL', KEYS[1], ARGV[1]) == 0 then return {'OK', 'NOTFOUND'} end
redis.call('HDEL', KEYS[2], ARGV[1])
unindex(ARGV[1])
logout()
local all = redis.call('HGETALL', KEYS[9])
for i = 1, #all, 2 do
  if string.match(all[i + 1], '^(%S+) ') == ARGV[1] then redis.call('HDEL', KEYS[9], all[i]) end
end
announce(KEYS[4], KEYS[5], ARGV[2], 'account')
return {'OK', 'DONE'}
`)

func accountKeys(name string) []string {
	return []string{accountsKey, secretsKey, accountExtsKey, rightsRevKey, rightsLogKey, loginsKey, loginTimesKey, loginsOf(name)}
}

// CreateAccount stores a new account and returns it with its version. Birth
// and, unless it is set, Epoch and Created are made here; Password and PIN follow
// from the hashes. With first it is stored only if there is no account at all
// (ErrNotFirst). Other errors: ErrExists, ErrExtensionTaken, ErrFull,
// wire.ErrBadRequest.
func (s *Store) CreateAccount(ctx context.Context, a Account, first bool) (Account, error) {
	a.Version, a.Birth = "", rand.Text()
	if a.Epoch == "" {
		a.Epoch = rand.Text()
	}
	if a.Created.IsZero() {
		a.Created = time.Now().UTC()
	}
	return s.putAccount(ctx, "create account", a, first)
}

// UpdateAccount stores an account as it is now, if it has not been changed since
// it was read (ErrChanged), and returns it with its new version. Another Epoch
// ends all its logins. Other errors: ErrNotFound, ErrExtensionTaken,
// wire.ErrBadRequest.
func (s *Store) UpdateAccount(ctx context.Context, a Account) (Account, error) {
	if a.Version == "" || a.Epoch == "" {
		return Account{}, fmt.Errorf("state: %w: account %.80q has not been read", wire.ErrBadRequest, a.Name)
	}
	return s.putAccount(ctx, "change account", a, false)
}

func (s *Store) putAccount(ctx context.Context, op string, a Account, first bool) (Account, error) {
	a.Changed = time.Now().UTC()
	a.Password, a.PIN = a.PasswordHash != "", a.PINHash != ""
	a.Account = tidyAccount(a.Account)
	if err := CheckAccount(a.Account); err != nil {
		return Account{}, err
	}
	text, err := encode("account", a.Account)
	if err != nil {
		return Account{}, err
	}
	secrets, err := encode("secrets", secretValue{Password: a.PasswordHash, PIN: a.PINHash})
	if err != nil {
		return Account{}, err
	}
	old, only := a.Version, "0"
	if first {
		only = "1"
	}
	a.Version = rand.Text()
	err = s.changeRights(ctx, op, a.Name, putAccountScript, accountKeys(a.Name),
		a.Name, old, a.Version, a.Birth, text, a.Epoch, secrets, foldExtension(a.Extension), maxAccounts, only, rand.Text())
	if err != nil {
		return Account{}, err
	}
	return a, nil
}

// RemoveAccount removes an account with its logins and tokens, even one that is
// not understood; ErrNotFound when there is none.
func (s *Store) RemoveAccount(ctx context.Context, name string) error {
	if err := checkName("account", name); err != nil {
		return err
	}
	return s.changeRights(ctx, "remove account", name, removeAccountScript, append(accountKeys(name), tokensKey), name, rand.Text())
}

// KEYS: secrets. ARGV: name, what is stored, what shall be.
var replaceSecretScript = newRightsScript(`
local cur = redis.call('HGET', KEYS[1], ARGV[1])
if not cur then return {'OK', 'NOTFOUND'} end
if cur == ARGV[3] then return {'OK', 'DONE'} end
if cur ~= ARGV[2] then return {'OK', 'CHANGED'} end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[3])
return {'OK', 'DONE'}
`)

// ReplaceHashes stores other hashes of the same password and PIN: logins go on.
// from is the account as it was read; ErrChanged when its hashes have been
// changed since.
func (s *Store) ReplaceHashes(ctx context.Context, from Account, passwordHash, pinHash string) error {
	before, err := encode("secrets", secretValue{Password: from.PasswordHash, PIN: from.PINHash})
	if err != nil {
		return err
	}
	after, err := encode("secrets", secretValue{Password: passwordHash, PIN: pinHash})
	if err != nil {
		return err
	}
	return s.changeRights(ctx, "replace hashes", from.Name, replaceSecretScript, []string{secretsKey}, from.Name, from.Epoch+" "+before, from.Epoch+" "+after)
}

// KEYS: accounts, secrets, extensions. ARGV: a name, or "" and extensions, the
// first of which that is somebody's counts.
var readAccountScript = newRightsScript(`
local name = ARGV[1]
for i = 2, #ARGV do
  if name == '' then name = redis.call('HGET', KEYS[3], ARGV[i]) or '' end
end
local account = redis.call('HGET', KEYS[1], name)
if name == '' or not account then return {'OK', 'NOTFOUND'} end
return {'OK', 'DONE', name, account, redis.call('HGET', KEYS[2], name) or ''}
`)

// Account returns an account with its hashes; ErrNotFound, or a *CorruptError.
func (s *Store) Account(ctx context.Context, name string) (Account, error) {
	if err := checkName("account", name); err != nil {
		return Account{}, err
	}
	return s.readAccount(ctx, name, name)
}

// AccountByExtension returns the account whose extension it is: user@domain,
// or user, is that account's which has it so, else the one that has the user part
// without a domain. The case of ASCII letters does not count.
func (s *Store) AccountByExtension(ctx context.Context, extension string) (Account, error) {
	if err := checkName("extension", extension); err != nil {
		return Account{}, err
	}
	full := foldExtension(extension)
	user, _, _ := strings.Cut(full, "@")
	return s.readAccount(ctx, extension, "", full, user)
}

func (s *Store) readAccount(ctx context.Context, what string, args ...any) (Account, error) {
	got, err := s.askRights(ctx, "read account", what, readAccountScript, []string{accountsKey, secretsKey, accountExtsKey}, args...)
	if err != nil {
		return Account{}, err
	}
	if len(got) != 3 {
		return Account{}, fault.New(fault.StoreUnavailable, "read account", "unexpected answer")
	}
	a, err := decodeAccount(got[0], got[1])
	if err != nil {
		return Account{}, &CorruptError{Key: accountsKey, Field: got[0], Err: err}
	}
	if err := a.readSecrets(got[2]); err != nil {
		return Account{}, &CorruptError{Key: secretsKey, Field: got[0], Err: err}
	}
	return a, nil
}
