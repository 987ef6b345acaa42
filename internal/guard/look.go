package guard

import (
	"context"

	"livemon/internal/wire"
)

// Look is how somebody sees agents and sessions, as of when it was asked for. It
// is good until Accounts.Changed. It is safe for concurrent use.
type Look struct {
	account string
	view    func(wire.Agent) (wire.Agent, bool) // nil: he sees everything
}

// Look returns how who asks sees agents and sessions.
func (g *Guard) Look(ctx context.Context) (Look, error) {
	actor, restricted := g.restricted(ctx)
	if !restricted {
		return Look{}, nil
	}
	view, err := g.accounts.View(ctx)
	if err != nil {
		return Look{}, err
	}
	return Look{account: actor.Account, view: view}, nil
}

// All tells whether he sees everything as it is.
func (l Look) All() bool { return l.view == nil }

// Agent returns an agent as he sees him, and whether he does at all.
func (l Look) Agent(a wire.Agent) (wire.Agent, bool) {
	if l.view == nil {
		return a, true
	}
	return l.view(a)
}

// Session returns a session as he sees it, and whether he does at all. extension
// is that of the session's agent; where the agent is not known, it is not known
// either whether it is a superior's, and only his own sessions are seen.
func (l Look) Session(x wire.Session, extension string, known bool) (wire.Session, bool) {
	if l.view == nil {
		return x, true
	}
	v, visible := l.view(wire.Agent{Agent: x.Agent, Extension: extension, Node: x.Node, User: x.User})
	visible = visible && known
	own := l.own(x)
	switch {
	case visible:
		x.User = v.User
	case own:
		x.User = "" // whether he may see the number cannot be told any more
	}
	return x, visible || own
}

// session is Session by the extensions that are known.
func (l Look) session(x wire.Session, of extensionOf) (wire.Session, bool) {
	extension, known := of(x.Node, x.Agent)
	return l.Session(x, extension, known)
}

// own tells whether a session is his. Its supervisor's name does not count: whoever
// has the operator's token can give any.
func (l Look) own(x wire.Session) bool { return l.account != "" && x.Account == l.account }

type place struct{ node, agent string }

// extensionOf returns an agent's extension, and whether there is such an agent.
type extensionOf func(node, agent string) (extension string, known bool)

// looker returns how who asks sees sessions, and the extensions of their agents.
func (g *Guard) looker(ctx context.Context) (Look, extensionOf, error) {
	look, err := g.Look(ctx)
	if err != nil || look.All() {
		return look, func(string, string) (string, bool) { return "", false }, err
	}
	agents, err := g.svc.Agents(ctx)
	if err != nil {
		return look, nil, err
	}
	extensions := make(map[place]string, len(agents))
	for _, a := range agents {
		extensions[place{a.Node, a.Agent}] = a.Extension
	}
	return look, func(node, agent string) (string, bool) {
		extension, known := extensions[place{node, agent}]
		return extension, known
	}, nil
}
