package guard

import (
	"context"
	"fmt"

	"livemon/internal/fault"
	"livemon/internal/wire"
)

// StartSession implements wire.Service. Whom a name means is decided among the
// agents whom the account sees, so that others neither answer to it nor make it
// ambiguous.
func (g *Guard) StartSession(ctx context.Context, req wire.MonitorRequest) (wire.Session, error) {
	actor, restricted := g.restricted(ctx)
	if !restricted {
		return g.svc.StartSession(ctx, req)
	}
	asked := req.Agent
	a, err := g.find(ctx, asked, req.Node)
	if err != nil {
		return wire.Session{}, err
	}
	req.Agent, req.Node, req.Supervisor = a.Agent, a.Node, actor.Account
	x, err := g.svc.StartSession(ctx, req)
	if err != nil {
		return wire.Session{}, hidden(err, noAgent(asked))
	}
	look, err := g.Look(ctx)
	if err != nil {
		x.User = "" // the session is on all the same
		return x, nil
	}
	x, _ = look.Session(x, a.Extension, true)
	return x, nil
}

func noAgent(name string) error {
	return fmt.Errorf("%w: no agent is called %q; 'livemon agents' lists them", wire.ErrNotFound, short(name))
}

// find returns the one agent whom an account sees and that is called so. That it
// asked for one whom it does not see, or for nobody, is recorded: whether there is
// such an agent is for the record, and for nobody else.
func (g *Guard) find(ctx context.Context, name, node string) (wire.Agent, error) {
	look, err := g.Look(ctx)
	if err != nil {
		return wire.Agent{}, err
	}
	agents, err := g.svc.Agents(ctx)
	if err != nil {
		return wire.Agent{}, err
	}
	var hits []wire.Agent
	unseen := wire.Agent{Agent: name}
	for _, a := range agents {
		if node != "" && node != a.Node || !a.Called(name) {
			continue
		}
		if _, visible := look.Agent(a); visible {
			hits = append(hits, a)
		} else {
			unseen = a
		}
	}
	hits = narrow(hits, func(a wire.Agent) bool { return a.Agent == name })
	hits = narrow(hits, func(a wire.Agent) bool { return a.Call != "" })
	switch len(hits) {
	case 0:
		if err := g.accounts.Check(ctx, wire.ActionListen, unseen, ""); fault.Of(err) == fault.StoreUnavailable {
			return wire.Agent{}, err
		}
		return wire.Agent{}, noAgent(name)
	case 1:
		return hits[0], nil
	}
	return wire.Agent{}, fmt.Errorf("%w: several agents are called %q; give the whole name, and the node", wire.ErrBadRequest, short(name))
}

// narrow reduces several to the one that is so, if it is exactly one.
func narrow(hits []wire.Agent, so func(wire.Agent) bool) []wire.Agent {
	if len(hits) < 2 {
		return hits
	}
	var one []wire.Agent
	for _, a := range hits {
		if so(a) {
			one = append(one, a)
		}
	}
	if len(one) == 1 {
		return one
	}
	return hits
}
