package seal

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"log/slog"
)

// keySize is the length of a key's secret.
const keySize = 32

// A Key is the secret that all controllers of a store share. The zero Key signs
// and opens nothing. The secret is behind a function, because package fmt looks
// through pointers and unexported fields.
type Key struct{ secret func() []byte }

// NewKey makes a Key of random bytes.
func NewKey(random [keySize]byte) Key { return Key{func() []byte { return random[:] }} }

// Random makes a Key that nobody else has, and that ends with the process.
func Random() Key {
	var secret [keySize]byte
	_, _ = rand.Read(secret[:]) // it never fails
	return NewKey(secret)
}

// IsZero reports whether there is no key.
func (k Key) IsZero() bool { return k.secret == nil }

const hidden = "(secret)"

// Format keeps the secret out of whatever is printed, with any verb.
func (k Key) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(hidden)) }

// LogValue keeps the secret out of logs.
func (k Key) LogValue() slog.Value { return slog.StringValue(hidden) }

// FingerprintSize is the length of a fingerprint.
const FingerprintSize = 16

// Fingerprint tells keys apart, and says nothing of the secret.
func (k Key) Fingerprint() string {
	if k.IsZero() {
		return ""
	}
	return hex.EncodeToString(k.mac("livemon fingerprint 1"))[:FingerprintSize]
}

// mac is the keyed hash of what a label names. No two lists of fields give the
// same bytes, as each is preceded by its length.
func (k Key) mac(label string, fields ...string) []byte {
	h := hmac.New(sha256.New, k.secret())
	var n [4]byte
	for _, f := range append([]string{label}, fields...) {
		binary.BigEndian.PutUint32(n[:], uint32(len(f)))
		h.Write(n[:])
		h.Write([]byte(f))
	}
	return h.Sum(nil)
}

// A Node seals what belongs to one switch.
type Node struct {
	key  Key
	name string
}

// On returns the key as it is used on one node.
func (k Key) On(node string) Node { return Node{k, node} }
