package state

import (
	"errors"
	"fmt"

	"livemon/internal/wire"
)

// Errors of this package that carry no fault code.
var (
	// ErrFenced refuses a write whose lease has been lost: a newer one has been
	// given out, or this one has been released. Nothing was written.
	ErrFenced = errors.New("state: the node's lease is no longer held")
	// ErrNotFound says that there is no such thing; it is a wire.ErrNotFound.
	ErrNotFound = fmt.Errorf("state: %w", wire.ErrNotFound)
	// ErrEnded refuses a change to a session that has ended; it is an ErrNotFound.
	ErrEnded = fmt.Errorf("session has ended: %w", ErrNotFound)
	// ErrExists refuses to create a session whose id is taken.
	ErrExists = errors.New("state: a session with this id exists")
	// ErrURL says that a store's URL cannot be used. It never quotes the URL,
	// which may hold a password.
	ErrURL = errors.New("state: bad store URL")
)

// CorruptError says that a value in Redis is not what this package writes.
type CorruptError struct {
	Key   string // the Redis key
	Field string // the field or entry within it, if it has any
	Err   error  // what is wrong with it
}

// Error names the key and field, quoted.
func (e *CorruptError) Error() string {
	if e.Field == "" {
		return fmt.Sprintf("state: value of %q is not understood: %v", e.Key, e.Err)
	}
	return fmt.Sprintf("state: value of %.200q in %q is not understood: %v", e.Field, e.Key, e.Err)
}

// Unwrap returns what is wrong with the value.
func (e *CorruptError) Unwrap() error { return e.Err }
