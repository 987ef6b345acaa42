package state

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"livemon/internal/fault"
	"livemon/internal/wire"
)

const tokensKey = "livemon:{rights}:tokens" // hash: id -> "account birth hash used JSON"

const (
	maxTokens     = 5000
	maxTokensOf   = 32
	maxTokenName  = 128
	tokenUsedStep = time.Minute // how exactly it is known when a token was last used
)

var hexHash = regexp.MustCompile(`^[0-9a-f]{64}$`)

// StoredToken is a token with what its secret is checked against. It prints as
// its id only.
type StoredToken struct {
	wire.Token
	Hash  string `json:"-"` // of the secret: 64 hexadecimal digits
	birth string // of the account that it was made for
}

// Format keeps the hash from being printed.
func (t StoredToken) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(t.ID)) }

// KEYS: tokens, accounts. ARGV: id, account, birth, hash, JSON, how many an account
// may have, how many there may be.
var addTokenScript = newRightsScript(`
local account = redis.call('HGET', KEYS[2], ARGV[2])
if not account or select(2, string.match(account, '^(%S+) (%S+) ')) ~= ARGV[3] then return {'OK', 'NOTFOUND'} end
local cur = redis.call('HGET', KEYS[1], ARGV[1])
if cur then
  if select(3, string.match(cur, '^(%S+) (%S+) (%S+) ')) == ARGV[4] then return {'OK', 'DONE'} end
  return {'OK', 'EXISTS'}
end
local all, mine = redis.call('HGETALL', KEYS[1]), 0
for i = 2, #all, 2 do
  if string.match(all[i], '^(%S+) ') == ARGV[2] then mine = mine + 1 end
end
if mine >= tonumber(ARGV[6]) or #all / 2 >= tonumber(ARGV[7]) then return {'OK', 'FULL'} end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2] .. ' ' .. ARGV[3] .. ' ' .. ARGV[4] .. ' 0 ' .. ARGV[5])
return {'OK', 'DONE'}
`)

// AddToken stores a token for an account as it was read. hash is the SHA-256 of
// its secret, in hexadecimal. Errors: ErrNotFound when the account is gone,
// ErrExists, ErrFull, wire.ErrBadRequest.
func (s *Store) AddToken(ctx context.Context, a Account, t wire.Token, hash string) error {
	t.Account, t.LastUsed = a.Name, nil
	if err := asBadRequest(checkToken(t, hash)); err != nil {
		return err
	}
	text, err := encode("token", t)
	if err != nil {
		return err
	}
	return s.changeRights(ctx, "store token", t.ID, addTokenScript, []string{tokensKey, accountsKey}, t.ID, a.Name, a.Birth, hash, text, maxTokensOf, maxTokens)
}

func checkToken(t wire.Token, hash string) error {
	switch {
	case !mark.MatchString(t.ID):
		return errors.New("a token's id has 1 to 64 letters and digits")
	case !hexHash.MatchString(hash):
		return errors.New("a token's hash has 64 hexadecimal digits")
	case len(t.Name) > maxTokenName || !printable(t.Name):
		return fmt.Errorf("a token's name has at most %d bytes and no control characters", maxTokenName)
	}
	return nil
}

// decodeToken reads "account birth hash used JSON". The id is the one it is
// stored under.
func decodeToken(id, value string) (StoredToken, error) {
	parts := strings.SplitN(value, " ", 5)
	if len(parts) != 5 {
		return StoredToken{}, errors.New("no token")
	}
	var t StoredToken
	if err := decode(parts[4], &t.Token); err != nil {
		return StoredToken{}, err
	}
	t.ID, t.Account, t.birth, t.Hash, t.LastUsed = id, parts[0], parts[1], parts[2], nil
	used, err := strconv.ParseUint(parts[3], 10, 48)
	if err != nil || !accountName.MatchString(t.Account) || !mark.MatchString(t.birth) {
		return StoredToken{}, errors.New("no account, birth or time")
	}
	if used > 0 {
		last := time.UnixMilli(int64(used)).UTC()
		t.LastUsed = &last
	}
	return t, checkToken(t.Token, t.Hash)
}

// KEYS: tokens, accounts, secrets. ARGV: id.
var readTokenScript = newRightsScript(serverNow + `
local token = redis.call('HGET', KEYS[1], ARGV[1])
local name = token and string.match(token, '^(%S+) ')
local account = name and redis.call('HGET', KEYS[2], name)
if not account then return {'OK', 'NOTFOUND'} end
return {'OK', 'DONE', ms(now), token, name, account, redis.call('HGET', KEYS[3], name) or ''}
`)

// Token returns a token and the account it belongs to; ErrNotFound when there
// is none, it has expired, or the account it was made for is gone. Whether the
// account is disabled, and whether the secret is right, is for the caller to see.
func (s *Store) Token(ctx context.Context, id string) (StoredToken, Account, error) {
	got, err := s.askRights(ctx, "read token", id, readTokenScript, []string{tokensKey, accountsKey, secretsKey}, id)
	if err != nil {
		return StoredToken{}, Account{}, err
	}
	if len(got) != 5 {
		return StoredToken{}, Account{}, fault.New(fault.StoreUnavailable, "read token", "unexpected answer")
	}
	now, _ := strconv.ParseInt(got[0], 10, 64)
	t, err := decodeToken(id, got[1])
	if err != nil {
		return StoredToken{}, Account{}, &CorruptError{Key: tokensKey, Field: id, Err: err}
	}
	a, err := decodeAccount(got[2], got[3])
	if err == nil {
		err = a.readSecrets(got[4])
	}
	if err != nil {
		return StoredToken{}, Account{}, &CorruptError{Key: accountsKey, Field: got[2], Err: err}
	}
	if t.birth != a.Birth || t.Expires != nil && t.Expires.UnixMilli() <= now {
		return StoredToken{}, Account{}, fmt.Errorf("token %.80q: %w", id, ErrNotFound)
	}
	return t, a, nil
}

// KEYS: tokens. ARGV: id, how old the time must be to be renewed.
var touchTokenScript = newRightsScript(serverNow + `
local cur = redis.call('HGET', KEYS[1], ARGV[1])
if not cur then return {'OK', 'NOTFOUND'} end
local account, birth, hash, used, rest = string.match(cur, '^(%S+) (%S+) (%S+) (%d+) (.*)$')
if account and now - tonumber(used) >= tonumber(ARGV[2]) then
  redis.call('HSET', KEYS[1], ARGV[1], account .. ' ' .. birth .. ' ' .. hash .. ' ' .. ms(now) .. ' ' .. rest)
end
return {'OK', 'DONE'}
`)

// TouchToken notes that a token has been used.
func (s *Store) TouchToken(ctx context.Context, id string) error {
	return s.changeRights(ctx, "note use of token", id, touchTokenScript, []string{tokensKey}, id, tokenUsedStep.Milliseconds())
}

// KEYS: tokens, changes. ARGV: id, account ("" is whosever it is).
var removeTokenScript = newRightsScript(`
local cur = redis.call('HGET', KEYS[1], ARGV[1])
if not cur or ARGV[2] ~= '' and string.match(cur, '^(%S+) ') ~= ARGV[2] then return {'OK', 'NOTFOUND'} end
redis.call('HDEL', KEYS[1], ARGV[1])
announce('', KEYS[2], '', 'token')
return {'OK', 'DONE'}
`)

// RemoveToken removes a token of an account, or with "" whosever it is;
// ErrNotFound when there is none.
func (s *Store) RemoveToken(ctx context.Context, account, id string) error {
	return s.changeRights(ctx, "remove token", id, removeTokenScript, []string{tokensKey, rightsLogKey}, id, account)
}

// Tokens returns the tokens of an account, or with "" all, the oldest first.
// What is not understood is left out and logged: it opens nothing.
func (s *Store) Tokens(ctx context.Context, account string) ([]wire.Token, error) {
	all, err := hash(ctx, s, "read tokens", tokensKey, decodeToken, func(t StoredToken) string { return t.ID })
	if err != nil {
		return nil, err
	}
	out := []wire.Token{}
	for _, t := range all {
		if account == "" || t.Account == account {
			out = append(out, t.Token)
		}
	}
	slices.SortStableFunc(out, func(a, b wire.Token) int { return a.Created.Compare(b.Created) })
	return out, nil
}
