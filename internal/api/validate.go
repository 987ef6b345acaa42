package api

import (
	"cmp"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"livemon/internal/wire"
)

const (
	maxName  = 256 // bytes of an agent's, supervisor's, node's or extension's name
	maxPhone = 64
	maxID    = 128
)

// ValidateName checks the name of an agent, supervisor or node: UTF-8 of at
// most 256 bytes without control characters. The error wraps wire.ErrBadRequest.
func ValidateName(field, s string) error {
	switch {
	case len(s) > maxName:
		return badRequest("%s is longer than %d bytes", field, maxName)
	case !utf8.ValidString(s):
		return badRequest("%s is not valid UTF-8", field)
	case strings.ContainsFunc(s, func(r rune) bool { return unicode.IsControl(r) || r == '\u2028' || r == '\u2029' }):
		return badRequest("%s holds a control character or a line break", field)
	}
	return nil
}

// ValidatePhone checks a telephone number: 1 to 64 of digits, letters and + * # . _ - @.
// The error wraps wire.ErrBadRequest.
func ValidatePhone(field, s string) error {
	if s == "" {
		return badRequest("%s is missing", field)
	}
	if len(s) > maxPhone {
		return badRequest("%s is longer than %d characters", field, maxPhone)
	}
	return onlyOf(field, s, "+*#._-@")
}

// ValidateID checks a session's id: 1 to 128 of digits, letters and . _ : -.
// The error wraps wire.ErrBadRequest.
func ValidateID(field, s string) error {
	if s == "" {
		return badRequest("%s is missing", field)
	}
	if len(s) > maxID {
		return badRequest("%s is longer than %d characters", field, maxID)
	}
	return onlyOf(field, s, "._:-")
}

// ValidateRole checks a role that a session can be asked to take. The error
// wraps wire.ErrBadRequest.
func ValidateRole(r wire.Role) error {
	switch r {
	case wire.Monitor, wire.Coach, wire.Barge:
		return nil
	}
	return badRequest("role must be monitor, coach or barge")
}

// ValidateFollow checks how long a session shall go on. The error wraps
// wire.ErrBadRequest.
func ValidateFollow(f wire.Follow) error {
	if !f.Known() {
		return badRequest("follow must be call, next or agent")
	}
	return nil
}

func onlyOf(field, s, marks string) error {
	for i := range len(s) {
		c := s[i]
		if !('0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || strings.IndexByte(marks, c) >= 0) {
			return badRequest("%s may hold digits, letters and %s only", field, strings.Join(strings.Split(marks, ""), " "))
		}
	}
	return nil
}

func firstError(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

func checkMonitorRequest(r wire.MonitorRequest) error {
	if r.Agent == "" {
		return badRequest("agent is missing")
	}
	return firstError(ValidateName("agent", r.Agent), ValidatePhone("phone", r.Phone),
		ValidateName("supervisor", r.Supervisor), ValidateName("node", r.Node), ValidateFollow(cmp.Or(r.Follow, wire.FollowCall)))
}

func checkStatus(s wire.Status) error {
	switch s {
	case wire.Requested, wire.Ringing, wire.Answered, wire.Listening, wire.Waiting, wire.Ended:
		return nil
	}
	return badRequest("status must be requested, ringing, answered, listening, waiting or ended")
}

func checkAnyRole(r wire.Role) error {
	switch r {
	case wire.Joining, wire.Monitor, wire.Coach, wire.Barge, wire.TakeOver:
		return nil
	}
	return badRequest("role must be joining, monitor, coach, barge or takeover")
}

// parseInt reads a decimal from lo to hi; an empty s is def.
func parseInt(field, s string, def, lo, hi int) (int, error) {
	if s == "" {
		return def, nil
	}
	n, err := strconv.Atoi(s)
	if err != nil || n < lo || n > hi {
		return 0, badRequest("%s must be a whole number from %d to %d", field, lo, hi)
	}
	return n, nil
}

func parseTime(field, s string) (time.Time, error) {
	if s == "" {
		return time.Time{}, nil
	}
	t, err := time.Parse(time.RFC3339, s)
	if err != nil {
		return time.Time{}, badRequest("%s must be a time as in 2006-01-02T15:04:05Z", field)
	}
	return t, nil
}
