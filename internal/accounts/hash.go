package accounts

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"regexp"
	"runtime"
	"strconv"

	"golang.org/x/crypto/argon2"

	"livemon/internal/wire"
)

// HashParams are those of argon2id.
type HashParams struct {
	Memory  uint32 // KiB
	Time    uint32 // passes
	Threads uint8
}

// DefaultHashParams are above what OWASP recommends as the least, and cost some
// 100 ms on a small machine.
func DefaultHashParams() HashParams { return HashParams{Memory: 64 << 10, Time: 2, Threads: 1} }

// Limits on what is read back: parameters from outside must not be able to eat
// the machine.
const (
	maxHashMemory  = 256 << 10 // KiB
	maxHashTime    = 16
	maxHashThreads = 8
	saltLen        = 16
	keyLen         = 32
)

var errHash = errors.New("this is no argon2id hash that is taken")

// hasher makes and checks argon2id hashes, a bounded number at a time.
type hasher struct {
	params HashParams
	slots  chan struct{} // one for each that may run
	queue  chan struct{} // one for each that may run or wait
	dummy  string        // a hash of something nobody knows
}

// newHasher returns a hasher. running and waiting bound how many are hashed at
// the same time, and how many more may wait for that; 0 is a default.
func newHasher(p HashParams, running, waiting int) (*hasher, error) {
	if p == (HashParams{}) {
		p = DefaultHashParams()
	}
	if err := p.check(); err != nil {
		return nil, err
	}
	if running <= 0 {
		running = min(max(1, runtime.GOMAXPROCS(0)/2), 4)
	}
	if waiting <= 0 {
		waiting = 32
	}
	h := &hasher{params: p, slots: make(chan struct{}, running), queue: make(chan struct{}, running+waiting)}
	h.dummy = p.encode(random(saltLen), random(keyLen))
	return h, nil
}

func random(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.Read(b) // it never fails
	return b
}

func (p HashParams) check() error {
	if p.Time < 1 || p.Time > maxHashTime || p.Threads < 1 || p.Threads > maxHashThreads ||
		p.Memory < 8*uint32(p.Threads) || p.Memory > maxHashMemory {
		return errHash
	}
	return nil
}

// encode writes a hash as the password hashing competition has it.
func (p HashParams) encode(salt, key []byte) string {
	b64 := base64.RawStdEncoding
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, p.Memory, p.Time, p.Threads, b64.EncodeToString(salt), b64.EncodeToString(key))
}

var hashForm = regexp.MustCompile(`^\$argon2id\$v=19\$m=([0-9]{1,7}),t=([0-9]{1,3}),p=([0-9]{1,3})\$([A-Za-z0-9+/]{11,86})\$([A-Za-z0-9+/]{22,86})$`)

// parseHash reads what encode writes.
func parseHash(s string) (p HashParams, salt, key []byte, err error) {
	m := hashForm.FindStringSubmatch(s)
	if m == nil {
		return p, nil, nil, errHash
	}
	memory, err1 := strconv.ParseUint(m[1], 10, 32)
	time, err2 := strconv.ParseUint(m[2], 10, 32)
	threads, err3 := strconv.ParseUint(m[3], 10, 8)
	salt, err4 := base64.RawStdEncoding.Strict().DecodeString(m[4])
	key, err5 := base64.RawStdEncoding.Strict().DecodeString(m[5])
	if errors.Join(err1, err2, err3, err4, err5) != nil {
		return p, nil, nil, errHash
	}
	p = HashParams{Memory: uint32(memory), Time: uint32(time), Threads: uint8(threads)}
	if err := p.check(); err != nil {
		return HashParams{}, nil, nil, err
	}
	return p, salt, key, nil
}

// reserve takes a place among those that run or wait, or fails with wire.ErrBusy.
// The place is given back with the function that is returned.
func (h *hasher) reserve() (func(), error) {
	select {
	case h.queue <- struct{}{}:
		return func() { <-h.queue }, nil
	default:
		return nil, wire.ErrBusy
	}
}

// run waits until there is a slot and hashes. The caller has a place.
func (h *hasher) run(ctx context.Context, secret string, p HashParams, salt []byte, n int) ([]byte, error) {
	select {
	case h.slots <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	defer func() { <-h.slots }()
	return argon2.IDKey([]byte(secret), salt, p.Time, p.Memory, p.Threads, uint32(n)), nil
}

// hash hashes a secret under a salt of its own. The caller has a place.
func (h *hasher) hash(ctx context.Context, secret string) (string, error) {
	salt := random(saltLen)
	key, err := h.run(ctx, secret, h.params, salt, keyLen)
	if err != nil {
		return "", err
	}
	return h.params.encode(salt, key), nil
}

// verify tells whether a secret is the one hashed, and whether the hash should
// be made anew because the parameters have changed. A hash that is empty or not
// understood costs as much as a wrong secret. The caller has a place.
func (h *hasher) verify(ctx context.Context, hashed, secret string) (ok, renew bool, err error) {
	p, salt, key, perr := parseHash(hashed)
	if perr != nil {
		p, salt, key, _ = parseHash(h.dummy)
	}
	got, err := h.run(ctx, secret, p, salt, len(key))
	if err != nil {
		return false, false, err
	}
	ok = subtle.ConstantTimeCompare(got, key) == 1 && perr == nil
	return ok, ok && (p != h.params || len(salt) != saltLen || len(key) != keyLen), nil
}
