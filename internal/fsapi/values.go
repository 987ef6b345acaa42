package fsapi

import (
	"crypto/rand"
	"errors"
	"fmt"
	"path"
	"strings"
)

// ErrUnsafe says that a value cannot become part of a command. Each error of this
// package is a [*ValueError], for which errors.Is is true with it.
var ErrUnsafe = errors.New("cannot become part of a command to the switch")

// ValueError says which value was refused.
type ValueError struct {
	What  string // as in "channel id"
	Value string // as it came
}

// Error quotes the value and bounds it.
func (e *ValueError) Error() string {
	const most = 80
	v := e.Value
	if len(v) > most {
		v = v[:most] + "…"
	}
	return fmt.Sprintf("the %s %q %s", e.What, v, ErrUnsafe)
}

// Is reports whether the target is ErrUnsafe.
func (e *ValueError) Is(target error) bool { return target == ErrUnsafe }

const (
	letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	digits  = "0123456789"
)

// made reports whether s has 1 to most bytes, all of them in alphabet.
func made(s, alphabet string, most int) bool {
	return s != "" && len(s) <= most && strings.Trim(s, alphabet) == ""
}

func reserved(s string, words ...string) bool {
	for _, w := range words {
		if strings.EqualFold(s, w) {
			return true
		}
	}
	return false
}

// A Channel is a channel's id. UUIDs and most Call-IDs are; an id with anything
// else in it is not, because an end point may have chosen it.
type Channel struct{ s string }

// ParseChannel makes a Channel of an id with letters, digits and . _ @ - that has
// at most 128 bytes, does not begin with - and is none of the words that
// eavesdrop and uuid commands take for something else.
func ParseChannel(s string) (Channel, error) {
	if !made(s, letters+digits+"._@-", 128) || s[0] == '-' || reserved(s, "all", "off", "on", "last", "toggle", "undef") {
		return Channel{}, &ValueError{"channel id", s}
	}
	return Channel{s}, nil
}

// NewChannel returns a random id for a channel that is about to be made.
func NewChannel() Channel {
	var b [16]byte
	rand.Read(b[:]) // never fails: it ends the process instead
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return Channel{fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])}
}

// String returns the id.
func (c Channel) String() string { return c.s }

// A Room is a conference's name, without a profile.
type Room struct{ s string }

// ParseRoom makes a Room of a name with letters, digits and . _ @ - that has at
// most 128 bytes, does not begin with - and is none of mod_conference's own words.
// In an application's argument a + would begin a PIN, and a blank the next command.
func ParseRoom(s string) (Room, error) {
	if !made(s, letters+digits+"._@-", 128) || s[0] == '-' || reserved(s, "list", "count", "xml_list", "json_list", "help", "commands") {
		return Room{}, &ValueError{"conference name", s}
	}
	return Room{s}, nil
}

// String returns the name.
func (r Room) String() string { return r.s }

// A Var is the name of a channel or global variable.
type Var struct{ s string }

// ParseVar makes a Var of a name with letters, digits and _ - that begins with a
// letter or _ and has at most 64 bytes.
func ParseVar(s string) (Var, error) {
	if !made(s, letters+digits+"_-", 64) || !strings.Contains(letters+"_", s[:1]) {
		return Var{}, &ValueError{"variable name", s}
	}
	return Var{s}, nil
}

// Name is ParseVar for a name that stands in the program. It panics on any other.
func Name(s string) Var {
	v, err := ParseVar(s)
	if err != nil {
		panic(err)
	}
	return v
}

// String returns the name.
func (v Var) String() string { return v.s }

// A Value is what a variable is set to.
type Value struct{ s string }

// ParseValue makes a Value of letters, digits and + * # . _ : / @ - with 1 to
// 2,048 bytes. It has to survive the braces of a dial string, the semicolons of
// uuid_setvar_multi and the expansion of variables.
func ParseValue(s string) (Value, error) {
	if !made(s, letters+digits+"+*#._:/@-", 2048) {
		return Value{}, &ValueError{"value", s}
	}
	return Value{s}, nil
}

// Const is ParseValue for a value that stands in the program. It panics on any
// other.
func Const(s string) Value {
	v, err := ParseValue(s)
	if err != nil {
		panic(err)
	}
	return v
}

// Int is the value of a number.
func Int(n int) Value { return Value{fmt.Sprint(n)} }

// Bool is the value "true" or "false".
func Bool(b bool) Value { return Value{fmt.Sprint(b)} }

// String returns the value.
func (v Value) String() string { return v.s }

// A Set is an assignment of a variable.
type Set struct {
	Name  Var
	Value Value
}

// A Sound is what can be played: a file's path, or a stream such as
// tone_stream://%(160,60,330).
type Sound struct{ s string }

// ParseSound makes a Sound of printable ASCII without blanks, quotes, backslashes,
// dollar signs, braces, brackets, bars and ^, with 1 to 4,096 bytes. It must not
// begin with - or with what the "conference … play" command takes for an option.
func ParseSound(s string) (Sound, error) {
	if !printable(s, " '\"\\$`{}[]|^<>", 4096) || strings.HasPrefix(s, "-") || strings.HasPrefix(s, "+") {
		return Sound{}, &ValueError{"sound", s}
	}
	return Sound{s}, nil
}

// Stream is ParseSound for a stream that stands in the program. It panics on any
// other.
func Stream(s string) Sound {
	v, err := ParseSound(s)
	if err != nil {
		panic(err)
	}
	return v
}

// String returns the path or stream.
func (s Sound) String() string { return s.s }

// printable reports whether s is printable ASCII without any of the characters
// in but, and has 1 to most bytes.
func printable(s, but string, most int) bool {
	if s == "" || len(s) > most {
		return false
	}
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' || strings.IndexByte(but, s[i]) >= 0 {
			return false
		}
	}
	return true
}

// A Path is an absolute path on the switch's machine.
type Path struct{ s string }

// ParsePath makes a Path of a clean absolute path of what a Sound may hold.
func ParsePath(s string) (Path, error) {
	if !path.IsAbs(s) || path.Clean(s) != s || !printable(s, " '\"\\$`{}[]|^<>!,;", 1024) {
		return Path{}, &ValueError{"path", s}
	}
	return Path{s}, nil
}

// String returns the path.
func (p Path) String() string { return p.s }

// A User is a user of the switch's directory, with the domain.
type User struct{ id, domain string }

// ParseUser makes a User of user@domain: letters, digits and + * # . _ ~ - on the
// left, letters, digits and . _ - (or an IPv6 address with its colons) on the
// right; neither may begin with -.
func ParseUser(s string) (User, error) {
	id, domain, ok := strings.Cut(s, "@")
	if !ok || !made(id, letters+digits+"+*#._~-", 128) || !made(domain, letters+digits+"._:-", 128) || id[0] == '-' || domain[0] == '-' {
		return User{}, &ValueError{"user", s}
	}
	return User{id, domain}, nil
}

// String returns user@domain.
func (u User) String() string { return u.id + "@" + u.domain }

// An Agent is mod_callcenter's name of an agent.
type Agent struct{ s string }

// ParseAgent makes an Agent of a name of 1 to 128 bytes without quotes,
// backslashes, dollar signs and control characters. Blanks may stand within it.
func ParseAgent(s string) (Agent, error) {
	if s == "" || len(s) > 128 || strings.TrimSpace(s) != s || strings.HasPrefix(s, "^^") ||
		strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f || r == 0xfffd || strings.ContainsRune("'\"\\$`", r) }) {
		return Agent{}, &ValueError{"agent's name", s}
	}
	return Agent{s}, nil
}

// String returns the name.
func (a Agent) String() string { return a.s }

// A Dial is a dial string. Its form is the operator's, by the configuration; only
// numbers are put into it, and they are checked there.
type Dial struct{ s string }

// ParseDial makes a Dial of a dial string that is one word of a line: without
// blanks, quotes, backslashes and control characters.
func ParseDial(s string) (Dial, error) {
	if !printable(s, " '\"\\`", 1024) || strings.HasPrefix(s, "^^") || strings.EqualFold(s, "undef") {
		return Dial{}, &ValueError{"dial string", s}
	}
	return Dial{s}, nil
}

// String returns the dial string.
func (d Dial) String() string { return d.s }

// An Extension is where a transfer goes to: a number in a dialplan's context, or
// what another dialplan takes for one.
type Extension struct{ number, dialplan, context string }

// ParseExtension makes an Extension. The number is printable ASCII without quotes
// and backslashes, of at most 512 bytes; dialplan and context, which may be empty,
// have letters, digits and . _ -. None begins with - or ^.
func ParseExtension(number, dialplan, context string) (Extension, error) {
	ok := printable(number, "'\"\\`", 512) && strings.TrimSpace(number) == number && !strings.ContainsAny(number[:1], "-^")
	for _, w := range []string{dialplan, context} {
		ok = ok && (w == "" || made(w, letters+digits+"._-", 128) && w[0] != '-')
	}
	if !ok || dialplan == "" && context != "" {
		return Extension{}, &ValueError{"extension", number + ":" + dialplan + ":" + context}
	}
	return Extension{number, dialplan, context}, nil
}
