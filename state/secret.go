package state

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"time"

	"github.com/redis/go-redis/v9"

	"livemon/internal/wire"
)

// secretKey holds the fingerprint of the secret that the running controllers
// share. It expires unless one of them renews it.
const secretKey = "livemon:secret"

// SecretTTL is how long the announcement of a secret's fingerprint lasts.
const SecretTTL = 15 * time.Second

// What has another form, or would last longer than an announcement does, is none:
// it is overwritten. KEYS: the announcement. ARGV: fingerprint, ttl in ms.
var announceScript = redis.NewScript(`
if redis.call('TYPE', KEYS[1]).ok == 'string' and redis.call('STRLEN', KEYS[1]) == #ARGV[1] then
	local other, left = redis.call('GET', KEYS[1]), redis.call('PTTL', KEYS[1])
	if other ~= ARGV[1] and not string.find(other, '[^0-9a-f]') and left > 0 and left <= tonumber(ARGV[2]) then
		return {'OK', other}
	end
end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return {'OK', ARGV[1]}
`)

// KEYS: the announcement. ARGV: fingerprint.
var withdrawScript = redis.NewScript(`
if redis.call('TYPE', KEYS[1]).ok == 'string' and redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('DEL', KEYS[1]) end
return {'OK'}
`)

var fingerprintForm = regexp.MustCompile(`^[0-9a-f]{16}$`)

var errFingerprint = fmt.Errorf("state: %w: a fingerprint has 16 hex digits", wire.ErrBadRequest)

// AnnounceSecret says for SecretTTL that a controller runs whose secret has this
// fingerprint, and returns the one that is announced: this one, or, while
// controllers run that have another secret, theirs.
func (s *Store) AnnounceSecret(ctx context.Context, fingerprint string) (announced string, err error) {
	if !fingerprintForm.MatchString(fingerprint) {
		return "", errFingerprint
	}
	got, err := s.run(ctx, "announce the secret", announceScript, []string{secretKey}, fingerprint, SecretTTL.Milliseconds())
	if err != nil {
		return "", err
	}
	if len(got) != 1 || !fingerprintForm.MatchString(got[0]) {
		return "", &CorruptError{Key: secretKey, Err: errors.New("no fingerprint")}
	}
	return got[0], nil
}

// WithdrawSecret takes an announcement back, so that a controller with another
// secret can start at once. Others with the same one announce it again.
func (s *Store) WithdrawSecret(ctx context.Context, fingerprint string) error {
	if !fingerprintForm.MatchString(fingerprint) {
		return errFingerprint
	}
	_, err := s.run(ctx, "withdraw the secret", withdrawScript, []string{secretKey}, fingerprint)
	return err
}
