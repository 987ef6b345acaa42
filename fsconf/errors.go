package fsconf

import "errors"

// What can be wrong with a configuration folder. The errors that Install and
// Uninstall return wrap one of these in an *Error, unless the file system or
// the settings are at fault.
var (
	// ErrNotConfiguration: no conference.conf that a switch would read was found.
	ErrNotConfiguration = errors.New("not a FreeSWITCH configuration folder")
	// ErrForeign: something that is not livemon's already bears its name.
	ErrForeign = errors.New("the name is taken")
	// ErrNoContext: the dialplan context is not there, or includes no folder.
	ErrNoContext = errors.New("no place for the dial-in extension")
	// ErrMalformed: the XML, or livemon's own marks in it, are broken.
	ErrMalformed = errors.New("the configuration is malformed")
	// ErrUnsafe: a link leads out of the folder, or a file is not a plain one.
	ErrUnsafe = errors.New("not safe to write")
	// ErrBusy: another Install or Uninstall is at work in the folder.
	ErrBusy = errors.New("another installation is at work in this folder")
)

// Error says what was found in which file, and what to do about it.
type Error struct {
	Kind    error  // one of the errors above
	Path    string // inside the configuration folder; may be empty
	Problem string
	Do      string
}

func (e *Error) Error() string {
	s := e.Kind.Error()
	if e.Path != "" {
		s = e.Path + ": " + s
	}
	if e.Problem != "" {
		s += ": " + e.Problem
	}
	if e.Do != "" {
		s += ". " + e.Do
	}
	return s
}

// Unwrap returns Kind.
func (e *Error) Unwrap() error { return e.Kind }
