package monitor

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"

	"livemon/internal/fsapi"
	"livemon/internal/wire"
)

// newID returns 64 random bits: the ids of sessions cannot be guessed.
func newID() string {
	var b [8]byte
	rand.Read(b[:]) // never fails: it ends the process instead
	return hex.EncodeToString(b[:])
}

// newUUID returns a random channel uuid.
func newUUID() string {
	var b [16]byte
	rand.Read(b[:])
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

func badRequest(format string, args ...any) error {
	return fmt.Errorf("%w: %s", wire.ErrBadRequest, fmt.Sprintf(format, args...))
}

func noAgent(name string) error {
	return notFound("no agent is called %q; 'livemon agents' lists them", short(name))
}

func notFound(format string, args ...any) error {
	return fmt.Errorf("%w: %s", wire.ErrNotFound, fmt.Sprintf(format, args...))
}

// What cannot become part of a command is the zero value here, and makes a line
// that is not sent: it is refused, with a sentence, before it comes that far.

func channelOf(id string) fsapi.Channel { c, _ := fsapi.ParseChannel(id); return c }

func roomOf(name string) fsapi.Room { r, _ := fsapi.ParseRoom(name); return r }

func valueOf(s string) fsapi.Value { v, _ := fsapi.ParseValue(s); return v }

func soundOf(s string) fsapi.Sound { v, _ := fsapi.ParseSound(s); return v }

func agentOf(name string) fsapi.Agent { a, _ := fsapi.ParseAgent(name); return a }
