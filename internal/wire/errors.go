package wire

import "errors"

// Sentinel errors of Service that carry no fault code. They are wrapped with
// what was asked for and what to do.
var (
	ErrNotFound   = errors.New("not found")
	ErrBadRequest = errors.New("bad request")
)
