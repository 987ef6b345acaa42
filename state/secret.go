package state

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"regexp"
	"time"

	"github.com/redis/go-redis/v9"

	"livemon/internal/wire"
)

// secretKey holds, for each running controller, its name and the fingerprint of its
// secret, by the time at which that expires unless it is renewed.
const secretKey = "livemon:secret"

// SecretTTL is how long the announcement of a secret's fingerprint lasts.
const SecretTTL = 15 * time.Second

// maxAnnounced bounds what is believed to be announced.
const maxAnnounced = 1000

// What has another form, or would last longer than an announcement does, is none.
// KEYS: the announcements. ARGV: mine, ttl in ms, "1" to announce it whatever
// others do, bound. It answers with another fingerprint that is announced, if any.
var announceScript = redis.NewScript(serverNow + `
local ttl = tonumber(ARGV[2])
if redis.call('TYPE', KEYS[1]).ok ~= 'zset' or redis.call('ZCARD', KEYS[1]) > tonumber(ARGV[4]) then
	redis.call('DEL', KEYS[1])
end
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
redis.call('ZREMRANGEBYSCORE', KEYS[1], '(' .. string.format('%.0f', now + ttl), '+inf')
local other = ''
for _, m in ipairs(redis.call('ZRANGE', KEYS[1], 0, -1)) do
	if #m == #ARGV[1] and string.find(m, '^[0-9a-f]+:[0-9a-f]+$') and string.sub(m, 1, 16) ~= string.sub(ARGV[1], 1, 16) then
		other = string.sub(m, 1, 16)
	end
end
if other == '' or ARGV[3] == '1' then
	redis.call('ZADD', KEYS[1], string.format('%.0f', now + ttl), ARGV[1])
	redis.call('PEXPIRE', KEYS[1], ttl)
end
return {'OK', other}
`)

// KEYS: the announcements. ARGV: mine.
var withdrawScript = redis.NewScript(`
if redis.call('TYPE', KEYS[1]).ok == 'zset' then redis.call('ZREM', KEYS[1], ARGV[1]) end
return {'OK'}
`)

var fingerprintForm = regexp.MustCompile(`^[0-9a-f]{16}$`)

var errFingerprint = fmt.Errorf("state: %w: a fingerprint has 16 hex digits", wire.ErrBadRequest)

// announcement is what a controller says of its secret. Its name may be anything.
func announcement(controller, fingerprint string) string {
	sum := sha256.Sum256([]byte(controller))
	return fingerprint + ":" + hex.EncodeToString(sum[:8])
}

// AnnounceSecret says for SecretTTL that a controller runs whose secret has this
// fingerprint, and returns another one that a running controller announces, "" if
// there is none. One that begins announces nothing while there is another.
func (s *Store) AnnounceSecret(ctx context.Context, controller, fingerprint string, begins bool) (other string, err error) {
	if !fingerprintForm.MatchString(fingerprint) {
		return "", errFingerprint
	}
	anyway := "1"
	if begins {
		anyway = ""
	}
	got, err := s.run(ctx, "announce the secret", announceScript, []string{secretKey}, announcement(controller, fingerprint), SecretTTL.Milliseconds(), anyway, maxAnnounced)
	if err != nil {
		return "", err
	}
	if len(got) != 1 || got[0] != "" && !fingerprintForm.MatchString(got[0]) {
		return "", &CorruptError{Key: secretKey, Err: errors.New("no fingerprint")}
	}
	return got[0], nil
}

// WithdrawSecret takes a controller's announcement back, so that one with another
// secret can start as soon as no other controller runs.
func (s *Store) WithdrawSecret(ctx context.Context, controller, fingerprint string) error {
	if !fingerprintForm.MatchString(fingerprint) {
		return errFingerprint
	}
	_, err := s.run(ctx, "withdraw the secret", withdrawScript, []string{secretKey}, announcement(controller, fingerprint))
	return err
}
