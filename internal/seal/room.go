package seal

import (
	"crypto/hmac"
	"encoding/hex"
	"strings"
)

// What the names of livemon's rooms begin with.
const (
	roomPrefix    = "lm-"
	waitingPrefix = "lmw-"
)

// The lengths of a name's parts, in bytes before they are written in hex.
const (
	roomSize  = 8  // tells rooms apart
	proofSize = 12 // proves that the name is one of ours
)

// Room returns the name of a new room for a call. Whoever sees it learns nothing
// of the call, and nobody without the key can make one.
func (n Node) Room(call string, random [16]byte) string {
	return n.newRoom(roomPrefix, "livemon room 1", call, random)
}

// WaitingRoom returns the name of a new room in which a supervisor waits between
// two calls.
func (n Node) WaitingRoom(session string, random [16]byte) string {
	return n.newRoom(waitingPrefix, "livemon waiting room 1", session, random)
}

func (n Node) newRoom(prefix, label, of string, random [16]byte) string {
	if n.key.IsZero() {
		return ""
	}
	r := hex.EncodeToString(n.key.mac(label, n.name, of, string(random[:]))[:roomSize])
	return prefix + r + "-" + n.proof(prefix, r)
}

func (n Node) proof(prefix, r string) string {
	return hex.EncodeToString(n.key.mac("livemon room name 1", n.name, prefix, r)[:proofSize])
}

// IsRoom reports whether a name is that of a room of livemon's on this node, for a
// call or to wait in.
func (n Node) IsRoom(name string) bool {
	return n.isRoom(roomPrefix, name) || n.IsWaitingRoom(name)
}

// IsWaitingRoom reports whether a name is that of a room to wait in.
func (n Node) IsWaitingRoom(name string) bool { return n.isRoom(waitingPrefix, name) }

func (n Node) isRoom(prefix, name string) bool {
	r, ok := strings.CutPrefix(name, prefix)
	if !ok || n.key.IsZero() || len(r) != 2*roomSize+1+2*proofSize {
		return false
	}
	r, proof, ok := strings.Cut(r, "-")
	return ok && hmac.Equal([]byte(proof), []byte(n.proof(prefix, r)))
}
