package access

import "livemon/internal/wire"

// Stricter returns a notice that is at least as strict as both: to whoever one
// of them tells, as often as one of them repeats it.
func Stricter(a, b wire.Notice) wire.Notice {
	a, b = tidy(a), tidy(b)
	if severity(b.Kind) > severity(a.Kind) {
		a.Kind = b.Kind
	}
	if a.Every == 0 || b.Every != 0 && b.Every < a.Every {
		a.Every = b.Every
	}
	return a
}

// severity orders the kinds. One that is unknown counts as the strictest.
func severity(k wire.NoticeKind) int {
	switch k {
	case wire.NoticeNone, "":
		return 0
	case wire.NoticeAgent:
		return 1
	}
	return 2
}

func tidy(n wire.Notice) wire.Notice {
	switch severity(n.Kind) {
	case 0:
		return wire.Notice{Kind: wire.NoticeNone}
	case 2:
		n.Kind = wire.NoticeAll
	}
	n.Every = max(n.Every, 0)
	return n
}

// Notice returns how an agent, and whoever he talks to, are told that somebody
// listens: the strictest that his teams ask for.
func (r *Rules) Notice(a wire.Agent) wire.Notice {
	out := wire.Notice{Kind: wire.NoticeNone}
	names := namesOf(a)
	for _, t := range r.teams {
		if _, in := t.agents.find(names); in {
			out = Stricter(out, t.notice)
		}
	}
	return out
}

// TeamsOf returns the names of the teams that an agent is in.
func (r *Rules) TeamsOf(a wire.Agent) []string {
	out := []string{}
	names := namesOf(a)
	for _, t := range r.teams {
		if _, in := t.agents.find(names); in {
			out = append(out, t.name)
		}
	}
	return out
}
