package state

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/url"

	"livemon/internal/wire"
)

// Keys that belong to no node. In a cluster each lives in a slot of its own;
// the audit keys share one.
const (
	nodesKey      = "livemon:nodes"
	extensionsKey = "livemon:extensions"
	auditKey      = "livemon:{audit}:stream"
	auditHeadKey  = "livemon:{audit}:head"  // SEQ:HASH of the stream's newest record
	auditOnceKey  = "livemon:{audit}:once:" // followed by a mark: what was stored under it
)

// longestEscaped keeps keys short: longer names are stored under their hash.
const longestEscaped = 200

// enc makes a name safe within a key: it can neither end the hash tag nor look
// like another key, and no two names give the same text (hashes are marked by
// a character that escaping never leaves).
func enc(name string) string {
	if e := url.QueryEscape(name); len(e) <= longestEscaped {
		return e
	}
	sum := sha256.Sum256([]byte(name))
	return "!" + hex.EncodeToString(sum[:])
}

// nodeKeys are the keys of one node: one hash tag, hence one slot.
type nodeKeys struct {
	lease    string // hash: who holds the lease, with which token; expires with it
	fence    string // the newest token; never expires, so that none is given out twice
	agents   string // hash: agent -> JSON
	calls    string // hash: call -> JSON
	live     string // set: escaped ids of sessions that have not ended
	speakers string // hash: call -> escaped id of the session that may speak on it
	session  string // prefix of session keys, followed by the escaped id
}

func keysOf(node string) nodeKeys {
	p := "livemon:{n:" + enc(node) + "}:"
	return nodeKeys{
		lease: p + "lease", fence: p + "fence", agents: p + "agents", calls: p + "calls",
		live: p + "live", speakers: p + "speakers", session: p + "s:",
	}
}

func checkName(what, name string) error {
	if name == "" {
		return fmt.Errorf("state: %w: empty %s", wire.ErrBadRequest, what)
	}
	if len(name) > maxName {
		return fmt.Errorf("state: %w: %s of %d bytes, more than %d", wire.ErrBadRequest, what, len(name), maxName)
	}
	return nil
}
