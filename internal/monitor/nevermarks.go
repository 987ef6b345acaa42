package monitor

import (
	"context"
	"slices"
	"strings"

	"livemon/internal/fault"
	"livemon/internal/fsapi"
	"livemon/internal/identity"
	"livemon/internal/tracker"
)

// marksOf returns the marks of a call's legs. They count where the switch's own
// configuration has set them. A client of mod_verto chooses the variables of its
// own legs and of those that they originate: for these the directory is asked.
// hidden says that a leg has an id which cannot be asked about.
func (n *node) marksOf(ctx context.Context, legs []tracker.Leg) (marks []mark, hidden, err error) {
	chosen := slices.ContainsFunc(legs, func(l tracker.Leg) bool { return l.Chosen })
	for _, name := range n.m.policy.MarkNames() {
		variable, err := fsapi.ParseVar(name)
		if err != nil {
			return nil, nil, fault.Wrap(fault.NotAllowed, "check rights", err)
		}
		for _, leg := range legs {
			channel, err := fsapi.ParseChannel(leg.Channel)
			if err != nil {
				hidden = err
				continue
			}
			v, err := n.markOf(ctx, leg, channel, variable, chosen)
			if err != nil {
				return nil, nil, n.switchError(fault.SwitchTimeout, "check rights", err)
			}
			if v != "" {
				marks = append(marks, mark{name, v})
			}
		}
	}
	return marks, hidden, nil
}

// markOf returns a variable of a leg's, "" where it has none that counts. Where a
// client of mod_verto is on the call, the leg may have it from there, as bridges
// and queues give their parties each other's variables.
func (n *node) markOf(ctx context.Context, leg tracker.Leg, channel fsapi.Channel, name fsapi.Var, chosen bool) (string, error) {
	if leg.Chosen {
		return n.userVar(ctx, leg, name)
	}
	v, err := n.answer(ctx, fsapi.Get(channel, name))
	if err != nil || v == "" || !chosen {
		return v, err
	}
	dump, err := n.answer(ctx, fsapi.DumpJSON(channel))
	if err != nil {
		return "", err
	}
	if get := identity.Dump([]byte(dump)); get != nil && identity.Exported(get, name.String()) {
		return n.userVar(ctx, leg, name)
	}
	return v, nil
}

// userVar returns a variable that the directory gives the owner of a leg.
func (n *node) userVar(ctx context.Context, leg tracker.Leg, name fsapi.Var) (string, error) {
	user, err := fsapi.ParseUser(leg.PresenceID)
	if err != nil {
		return "", nil // nobody's
	}
	return n.answer(ctx, fsapi.UserVar(user, name))
}

// answer asks the switch for one value, "" where it has none.
func (n *node) answer(ctx context.Context, line fsapi.Line) (string, error) {
	v, err := n.sw().API(ctx, line)
	if v = strings.TrimSpace(v); isRefusal(err) || v == "_undef_" {
		return "", nil
	}
	return v, err
}
