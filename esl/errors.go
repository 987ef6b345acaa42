package esl

import (
	"errors"
	"strconv"
	"strings"
)

// What can go wrong. Each error that this package returns is an [*Error] for
// which errors.Is is true with one of these, and with the context's error where
// a context ended.
var (
	ErrUnreachable = errors.New("the switch cannot be reached")
	ErrPassword    = errors.New("the switch refused the password")
	ErrRejected    = errors.New("the switch refused the connection (its access list)")
	ErrTimeout     = errors.New("no answer in time")
	ErrClosed      = errors.New("the connection has ended")
	ErrArgument    = errors.New("argument cannot be sent")
	ErrReply       = errors.New("the switch answered with an error")
	ErrGap         = errors.New("events were not read fast enough and some are lost")
	ErrProtocol    = errors.New("the peer does not speak the event socket's protocol")
)

// Error is a failed operation on one event socket.
type Error struct {
	Op    string // what was being done: "dial", "api uuid_getvar", "subscribe"; never arguments or passwords
	Addr  string // the peer; empty where there was none yet
	Reply string // what the switch answered, where that is the failure (ErrReply, ErrPassword, ErrRejected)
	Kind  error  // one of this package's sentinels
	Err   error  // the cause, if there is one
}

// maxShown is how many bytes of a reply an error message shows.
const maxShown = 200

// Error gives operation, peer, kind, reply and cause on one line.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString("esl: ")
	b.WriteString(e.Op)
	if e.Addr != "" {
		b.WriteString(" (" + e.Addr + ")")
	}
	if e.Kind != nil {
		b.WriteString(": " + e.Kind.Error())
	}
	if e.Reply != "" {
		b.WriteString(": " + strconv.Quote(e.Reply[:min(len(e.Reply), maxShown)]))
	}
	if e.Err != nil {
		b.WriteString(": " + e.Err.Error())
	}
	return b.String()
}

// Unwrap returns Kind and Err, those that are set.
func (e *Error) Unwrap() []error {
	var all []error
	if e.Kind != nil {
		all = append(all, e.Kind)
	}
	if e.Err != nil {
		all = append(all, e.Err)
	}
	return all
}

// maxLine is the longest command line in bytes that is sent.
const maxLine = 64 << 10

// CheckLine tells whether s can be part of one command line. It refuses carriage
// return, line feed and NUL, which would end the command and begin another one,
// and anything longer than 64 KiB, with an error of kind [ErrArgument].
func CheckLine(s string) error {
	switch {
	case strings.ContainsAny(s, "\r\n\x00"):
		return &Error{Op: "check", Kind: ErrArgument, Err: errors.New("line break or NUL")}
	case len(s) > maxLine:
		return &Error{Op: "check", Kind: ErrArgument, Err: errors.New("longer than 64 KiB")}
	}
	return nil
}
