// Package fault is livemon's one list of error codes: the numbers a supervisor
// hears on the telephone, the command line turns into an exit status, the API
// and the panel show, and the audit record keeps.
//
// It knows nothing of where an error comes from. It guarantees that every Code
// has one sentence that says what happened and what to do next, and that an
// *Error keeps its code through any number of wrappings (Of).
package fault

import (
	"errors"
	"fmt"
	"strconv"
)

// Code is one of livemon's error codes. 9011 to 9015 are those of the product
// that livemon follows; 9021 and up are livemon's own.
type Code int

// The codes. Each has its sentence in Sentence.
const (
	RoomNotCreated    Code = 9011 // the conference could not be created
	PupilInConference Code = 9012 // the pupil is in a conference and the supervisor could not be added to it
	PupilGone         Code = 9013 // the pupil is no longer on the call or conference
	UserGone          Code = 9014 // the user is no longer on the call or conference
	NotAdded          Code = 9015 // the pupil is not in a conference and the supervisor could not be added
	NotAllowed        Code = 9021 // not allowed to monitor this agent
	SpeakerBusy       Code = 9022 // somebody else already speaks on this call
	SwitchTimeout     Code = 9023 // the switch did not answer in time
	PhoneNoAnswer     Code = 9024 // the supervisor's telephone did not answer
	RoleNotAllowed    Code = 9025 // this session may not change roles
	StoreUnavailable  Code = 9026 // the state store cannot be reached, so nothing could be recorded
)

var sentences = map[Code]string{
	RoomNotCreated:    "The conference for this call could not be created. Run 'livemon doctor' to see what the switch lacks, then try again.",
	PupilInConference: "The agent is in a conference and you could not be added to it. It may be locked or full; try again when the agent has left it.",
	PupilGone:         "The agent is no longer on the call or conference. Choose the agent again when a call is shown.",
	UserGone:          "The customer is no longer on the call or conference. Choose the agent again when a call is shown.",
	NotAdded:          "You could not be added to the agent's call. The call goes on as before; try again.",
	NotAllowed:        "You are not allowed to monitor this agent. Ask whoever administers livemon for the right.",
	SpeakerBusy:       "Somebody else already speaks on this call. You may go on listening; try again when they have stopped.",
	SwitchTimeout:     "The switch did not answer in time. Check that it is up with 'livemon doctor', then try again.",
	PhoneNoAnswer:     "Your telephone did not answer. Check the number, and that it is free, then try again.",
	RoleNotAllowed:    "This session may not change roles. Start it with coaching enabled to coach, barge in or take over.",
	StoreUnavailable:  "The state store cannot be reached, so nothing could be recorded. Check Redis with 'livemon doctor', then try again.",
}

// All returns every code, in ascending order.
func All() []Code {
	return []Code{RoomNotCreated, PupilInConference, PupilGone, UserGone, NotAdded,
		NotAllowed, SpeakerBusy, SwitchTimeout, PhoneNoAnswer, RoleNotAllowed, StoreUnavailable}
}

// Sentence says what the code means and what to do next.
func (c Code) Sentence() string {
	if s, ok := sentences[c]; ok {
		return s
	}
	return "Unknown error " + strconv.Itoa(int(c)) + "."
}

// Known tells whether c is one of livemon's codes.
func (c Code) Known() bool { _, ok := sentences[c]; return ok }

// ExitStatus is the command line's exit status for the code: the code minus 9000.
func (c Code) ExitStatus() int { return int(c) - 9000 }

// Digits are the prompts, one a digit, that speak the code to a supervisor.
func (c Code) Digits() string { return strconv.Itoa(int(c)) }

// Error is a failure with one of livemon's codes.
type Error struct {
	Code   Code
	Op     string // what was being done, as in "move call into room"
	Detail string // what is known of this case: for people, not for programs
	Err    error  // the cause, if there is one
}

// New returns an *Error for an operation that failed with a code. detail may be empty.
func New(code Code, op, detail string) *Error { return &Error{Code: code, Op: op, Detail: detail} }

// Wrap returns an *Error with a cause. A nil cause is allowed.
func Wrap(code Code, op string, err error) *Error { return &Error{Code: code, Op: op, Err: err} }

// Error gives operation, code, detail and cause, for logs.
func (e *Error) Error() string {
	s := fmt.Sprintf("%d", int(e.Code))
	if e.Op != "" {
		s = e.Op + ": " + s
	}
	if e.Detail != "" {
		s += " (" + e.Detail + ")"
	}
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Is makes errors.Is(err, &fault.Error{Code: c}) true for any error with that code.
func (e *Error) Is(target error) bool {
	var t *Error
	return errors.As(target, &t) && t.Code == e.Code && t.Op == "" && t.Err == nil
}

// Of returns the code that err carries, or 0 if it carries none.
func Of(err error) Code {
	var e *Error
	if errors.As(err, &e) {
		return e.Code
	}
	return 0
}
