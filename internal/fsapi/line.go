package fsapi

import (
	"strconv"
	"strings"
)

// A Line is one api command line, as in "uuid_exists 1234". The zero Line is what
// a builder makes of a zero value: nothing that could be sent.
type Line struct{ s string }

// String returns the line. It may name people and numbers: logs show Op.
func (l Line) String() string { return l.s }

// Op returns the command's name, without its arguments.
func (l Line) Op() string {
	op, _, _ := strings.Cut(l.s, " ")
	return op
}

// IsZero reports whether there is nothing to send.
func (l Line) IsZero() bool { return l.s == "" }

// Unchecked is a Line of any text. Only tests use it, to say to a switch what
// livemon never would; 'make lint' holds that.
func Unchecked(s string) Line { return Line{s} }

// words makes a Line of words, none of which may be empty.
func words(w ...string) Line {
	for _, s := range w {
		if s == "" {
			return Line{}
		}
	}
	return Line{strings.Join(w, " ")}
}

// quoted puts a word with blanks or commas into single quotes. It holds none.
func quoted(s string) string {
	if s == "" {
		return ""
	}
	return "'" + s + "'"
}

// members are mod_conference's member ids, divided by commas. It is empty, and so
// makes the zero Line, if there are none or one is no id.
func members(ids []int) string {
	s := make([]string, len(ids))
	for i, n := range ids {
		if n <= 0 {
			return ""
		}
		s[i] = strconv.Itoa(n)
	}
	return strings.Join(s, ",")
}

// sets are assignments, divided by sep. It is empty if one is not checked.
func sets(vars []Set, sep string) string {
	s := make([]string, len(vars))
	for i, v := range vars {
		if v.Name.s == "" || v.Value.s == "" {
			return ""
		}
		s[i] = v.Name.s + "=" + v.Value.s
	}
	return strings.Join(s, sep)
}
