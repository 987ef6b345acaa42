package switchsim

import (
	"regexp"
	"strings"
)

// control is one key binding of a caller-controls group.
type control struct {
	action, digits, data string         // as configured
	keys                 string         // the sequence, without what its beginning means
	atOnce               bool           // '=': fires as soon as it matches
	expr                 *regexp.Regexp // '~': what the keys must match
	not                  *regexp.Regexp // and what they must not
}

func newControl(action, digits, data string) control {
	c := control{action: action, digits: digits, data: data}
	c.keys, c.atOnce = strings.CutPrefix(digits, "=")
	if expr, ok := strings.CutPrefix(c.keys, "~"); ok {
		c.expr, c.not = expression(expr)
	}
	return c
}

// expression compiles a regular expression; of what Go's have not got, it knows a
// first look-ahead for what the whole must not be. One that cannot be compiled
// matches nothing.
func expression(text string) (must, not *regexp.Regexp) {
	if rest, ok := strings.CutPrefix(text, "^(?!"); ok {
		if but, after, ok := strings.Cut(rest, "$)"); ok {
			not, _ = regexp.Compile("^(?:" + but + ")$")
			text = "^" + after
		}
	}
	must, err := regexp.Compile(text)
	if err != nil {
		must = regexp.MustCompile(`[^\s\S]`)
	}
	return must, not
}

func (c *control) matches(keys string) bool {
	return c.expr.MatchString(keys) && (c.not == nil || !c.not.MatchString(keys))
}

// match is what the keys pressed so far are bound to; when nothing, whether a next
// key could change that. silence says that the time for one is over. The order of
// the bindings counts, and one regular expression among them makes every sequence
// wait for the silence that does not begin with '='.
func match(controls []control, keys string, silence bool) (hit *control, open bool) {
	expressions, begun := false, false
	for i := range controls {
		c := &controls[i]
		expressions = expressions || c.expr != nil
		begun = begun || c.expr != nil || strings.HasPrefix(c.keys, keys)
	}
	if !begun {
		return nil, false
	}
	var exact *control
	wait := true
	for i := range controls {
		c := &controls[i]
		switch {
		case c.expr != nil:
			if !c.matches(keys) {
				continue
			}
			if c.atOnce || silence || len(controls) == 1 {
				return c, false
			}
			wait = true
		case c.keys == keys:
			if exact != nil || expressions && !c.atOnce && !silence {
				continue
			}
			if exact, wait = c, false; c.atOnce {
				return c, false
			}
		case strings.HasPrefix(c.keys, keys):
			wait = true
		}
	}
	if exact != nil && (!wait || silence) {
		return exact, false
	}
	return nil, true
}
