package guard

import (
	"context"
	"fmt"

	"livemon/internal/fault"
	"livemon/internal/wire"
)

// stop is what StopSession does to a session: no right is needed for it.
const stop wire.Action = "stop"

// mayStart tells whether who asks may listen to an agent.
func (g *Guard) mayStart(ctx context.Context, a wire.Agent) error {
	if g.accounts == nil {
		return nil
	}
	return g.accounts.Check(ctx, wire.ActionListen, a, "")
}

// mayChange tells whether who asks may do something to a session. Accounts change
// their own; an administrator may stop those that he sees.
func (g *Guard) mayChange(ctx context.Context, id string, action wire.Action) error {
	actor, restricted := g.restricted(ctx)
	if g.accounts == nil {
		return nil
	}
	agent := wire.Agent{}
	if restricted {
		x, err := g.svc.Session(ctx, id)
		if err != nil {
			return hidden(err, noSession(id))
		}
		if x.Account != actor.Account && !(action == stop && actor.Admin) {
			return fmt.Errorf("%w: the session is %q's", wire.ErrForbidden, short(x.Supervisor))
		}
		if agent, err = g.agentOf(ctx, x); err != nil {
			return err
		}
	}
	if action == stop || action == "" {
		return nil // towards less
	}
	err := g.accounts.Check(ctx, action, agent, id)
	if fault.Of(err) == fault.StoreUnavailable {
		return nil // the service refuses what it cannot record; towards less it need not
	}
	return hidden(err, noSession(id))
}

// agentOf is the agent of a session, as the service knows him.
func (g *Guard) agentOf(ctx context.Context, x wire.Session) (wire.Agent, error) {
	list, err := g.svc.Agents(ctx)
	if err != nil {
		return wire.Agent{}, err
	}
	for _, a := range list {
		if a.Agent == x.Agent && a.Node == x.Node {
			return a, nil
		}
	}
	return wire.Agent{Agent: x.Agent, Node: x.Node, User: x.User}, nil
}
