package fsconf

import (
	"context"
	"errors"
)

// ErrNotReady: the running switch lacks what a room of livemon's needs.
var ErrNotReady = errors.New("the switch is not ready for livemon's rooms")

// Ready asks a running switch whether a room made now would have livemon's
// profile and keys: to FreeSWITCH an unknown profile is no error, and its own
// defaults play music and let a customer mute himself. Keys that a room can do
// without (Say, Follow) may be missing: Check tells of them, but a switch that was
// installed before there were these is ready. The error is ErrNotReady
// (wrapped, with what is missing and what to do), a *SettingsError, or that of
// the connection.
func Ready(ctx context.Context, sw Switch, s Settings) error {
	if err := s.Validate(); err != nil {
		return err
	}
	c := &checker{sw: sw, s: s, lenient: true}
	if err := c.conference(ctx); err != nil {
		return err
	}
	for _, f := range c.found {
		if !f.OK {
			return &Error{Kind: ErrNotReady, Problem: f.Check + ": " + f.Detail, Do: f.Do}
		}
	}
	return nil
}
