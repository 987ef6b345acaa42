package access

import (
	"path"
	"strings"

	"livemon/internal/wire"
)

// DefaultMark is the channel variable that marks a call as not to be monitored,
// where nothing else is configured.
const DefaultMark = "livemon_never"

// Never names what nobody may listen to.
type Never struct {
	// Agents are patterns of agents; these may hold classes as in [a-z], too.
	Agents []string
	// Numbers are patterns of users' numbers. Blanks, dashes, dots, slashes and
	// brackets do not count, on either side; 0049… and +49… are two numbers, so
	// that a pattern best begins with *.
	Numbers []string
	// Marks are channel variables of the call: NAME for any value but an empty
	// one, 0, false, no and off; NAME=PATTERN for values that match. None is
	// DefaultMark.
	Marks []string
}

// Call is what is known of the call that somebody wants to listen to.
type Call struct {
	User  string            // the user's number, "" where it is not known
	Marks map[string]string // channel variables of either leg, of those that MarkNames asks for
	// Others are who else is on the call, besides the agent who is asked about, as
	// far as they are telephones of the house: they would be heard as well.
	Others []wire.Agent
}

type mark struct{ name, pattern string }

type never struct {
	agents, numbers patterns
	marks           []mark
}

func newNever(n Never) never {
	out := never{agents: newPatterns(n.Agents)}
	for _, s := range n.Numbers {
		if s = cleanNumber(s); s != "" {
			out.numbers = append(out.numbers, s)
		}
	}
	if len(n.Marks) == 0 {
		n.Marks = []string{DefaultMark}
	}
	for _, s := range n.Marks {
		name, pattern, _ := strings.Cut(s, "=")
		if name != "" {
			out.marks = append(out.marks, mark{name, fold(pattern)})
		}
	}
	return out
}

func (m mark) of(values map[string]string) bool {
	v := fold(values[m.name])
	if m.pattern != "" {
		return v != "" && match(m.pattern, v)
	}
	switch strings.TrimSpace(v) {
	case "", "0", "false", "no", "off":
		return false
	}
	return true
}

// check refuses what nobody may listen to.
func (n never) check(a wire.Agent, c Call) error {
	for _, who := range append([]wire.Agent{a}, c.Others...) {
		names := namesOf(who)
		if _, found := n.agents.find(names); found || n.class(names) {
			return refuse(RuleNeverAgent)
		}
	}
	if n.number(c.User) {
		return refuse(RuleNeverNumber)
	}
	for _, m := range n.marks {
		if m.of(c.Marks) {
			return refuse(RuleNeverMark)
		}
	}
	return nil
}

// class tells whether one of the patterns, read as one that may hold [a-z],
// describes one of the names.
func (n never) class(names []string) bool {
	for _, p := range n.agents {
		for _, s := range names {
			if ok, err := path.Match(p, s); ok && err == nil {
				return true
			}
		}
	}
	return false
}

func (n never) number(user string) bool {
	number := cleanNumber(user)
	if number == "" {
		return false
	}
	texts := []string{number}
	if local, _, cut := strings.Cut(number, "@"); cut && local != "" {
		texts = append(texts, local)
	}
	_, found := n.numbers.find(texts)
	return found
}

// MarkNames returns the channel variables that Call.Marks should have, where
// the call has them.
func (r *Rules) MarkNames() []string {
	var out []string
	for _, m := range r.never.marks {
		out = append(out, m.name)
	}
	return out
}
