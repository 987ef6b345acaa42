package api

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"

	"livemon/internal/fault"
	"livemon/internal/wire"
)

// remote is the address that a request came from.
func remote(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	return host
}

// restricted tells whether who asks is an account, which sees and does only
// what it may. The operator, and a service without accounts, see everything.
func (s *server) restricted(ctx context.Context) (wire.Actor, bool) {
	actor, _ := wire.ActorOf(ctx)
	return actor, s.accounts != nil && !actor.Operator
}

// adminOnly refuses accounts that do not administer.
func (s *server) adminOnly(ctx context.Context) error {
	if actor, restricted := s.restricted(ctx); restricted && !actor.Admin {
		return wire.ErrForbidden
	}
	return nil
}

// visibleAgents returns the agents as who asks may see them.
func (s *server) visibleAgents(ctx context.Context) ([]wire.Agent, error) {
	list, err := s.svc.Agents(ctx)
	if err != nil {
		return nil, err
	}
	list = listAgents(list)
	if _, restricted := s.restricted(ctx); !restricted {
		return list, nil
	}
	view, err := s.accounts.View(ctx)
	if err != nil {
		return nil, err
	}
	seen := list[:0]
	for _, a := range list {
		if v, ok := view(a); ok {
			seen = append(seen, v)
		}
	}
	return seen, nil
}

// visibleSessions returns the sessions that who asks may see: an account's own,
// and those of agents whom it sees.
func (s *server) visibleSessions(ctx context.Context) ([]wire.Session, error) {
	list, err := s.svc.Sessions(ctx)
	if err != nil {
		return nil, err
	}
	if _, restricted := s.restricted(ctx); !restricted {
		return orEmpty(list), nil
	}
	look, err := s.looker(ctx)
	if err != nil {
		return nil, err
	}
	seen := []wire.Session{}
	for _, x := range list {
		if v, ok := look(x); ok {
			seen = append(seen, v)
		}
	}
	return seen, nil
}

// looker returns how an account sees sessions.
func (s *server) looker(ctx context.Context) (func(wire.Session) (wire.Session, bool), error) {
	actor, _ := wire.ActorOf(ctx)
	view, err := s.accounts.View(ctx)
	if err != nil {
		return nil, err
	}
	agents, err := s.svc.Agents(ctx)
	if err != nil {
		return nil, err
	}
	type place struct{ node, agent string }
	extensions := map[place]string{}
	for _, a := range agents {
		extensions[place{a.Node, a.Agent}] = a.Extension
	}
	return func(x wire.Session) (wire.Session, bool) {
		v, visible := view(wire.Agent{Agent: x.Agent, Extension: extensions[place{x.Node, x.Agent}], Node: x.Node, User: x.User})
		own := x.Supervisor == actor.Account
		switch {
		case visible:
			x.User = v.User
		case own:
			x.User = ""
		}
		return x, visible || own
	}, nil
}

func noSession(id string) error {
	return fmt.Errorf("%w: there is no session %q; 'livemon sessions' lists those that are on", wire.ErrNotFound, clip(id, 80))
}

// lookAt returns a session as who asks may see it. One that he may not see reads
// exactly as one that does not exist.
func (s *server) lookAt(ctx context.Context, x wire.Session, err error) (wire.Session, error) {
	if _, restricted := s.restricted(ctx); !restricted {
		return x, err
	}
	if errors.Is(err, wire.ErrNotFound) {
		return wire.Session{}, noSession(x.ID)
	}
	if err != nil {
		return wire.Session{}, err
	}
	look, err := s.looker(ctx)
	if err != nil {
		return wire.Session{}, err
	}
	if v, ok := look(x); ok {
		return v, nil
	}
	return wire.Session{}, noSession(x.ID)
}

// command tells whether who asks may change a session. Accounts change their
// own; to stop one that an administrator sees he may as well. to "" is to stop it.
func (s *server) command(ctx context.Context, id string, to wire.Role) error {
	actor, restricted := s.restricted(ctx)
	if s.accounts == nil {
		return nil
	}
	agent := wire.Agent{}
	if restricted {
		x, err := s.svc.Session(ctx, id)
		x.ID = id
		if x, err = s.lookAt(ctx, x, err); err != nil {
			return err
		}
		if x.Supervisor != actor.Account && !(to == "" && actor.Admin) {
			return fmt.Errorf("%w: the session is %q's", wire.ErrForbidden, clip(x.Supervisor, 80))
		}
		if agent, err = s.agentOf(ctx, x); err != nil {
			return err
		}
	}
	if to == "" || to == wire.Monitor {
		return nil // towards less
	}
	err := s.accounts.Check(ctx, wire.ActionOf(to), agent, id)
	if fault.Of(err) == fault.StoreUnavailable {
		return nil // the service refuses what it cannot record; towards less it need not
	}
	return hidden(err, func() error { return noSession(id) })
}

// agentOf is the agent of a session, as the service knows him.
func (s *server) agentOf(ctx context.Context, x wire.Session) (wire.Agent, error) {
	list, err := s.svc.Agents(ctx)
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

// hidden replaces a refusal that must not be told apart from what does not exist.
func hidden(err error, missing func() error) error {
	if errors.Is(err, wire.ErrNotFound) {
		return missing()
	}
	return err
}

func noAgent(name string) error {
	return fmt.Errorf("%w: no agent is called %q; 'livemon agents' lists them", wire.ErrNotFound, clip(name, 80))
}

// request checks a request for a session, and makes it that of the one who asks:
// an account listens under its own name, and to agents whom it sees.
func (s *server) request(ctx context.Context, req wire.MonitorRequest) (wire.MonitorRequest, error) {
	actor, restricted := s.restricted(ctx)
	if s.accounts == nil {
		return req, nil
	}
	if !restricted {
		return req, s.accounts.Check(ctx, wire.ActionListen, wire.Agent{Agent: req.Agent}, "")
	}
	view, err := s.accounts.View(ctx)
	if err != nil {
		return req, err
	}
	agents, err := s.svc.Agents(ctx)
	if err != nil {
		return req, err
	}
	var hits []wire.Agent
	hiding := wire.Agent{Agent: req.Agent}
	for _, a := range agents {
		if req.Node != "" && req.Node != a.Node || !called(a, req.Agent) {
			continue
		}
		if _, visible := view(a); visible {
			hits = append(hits, a)
		} else {
			hiding = a
		}
	}
	if len(hits) > 1 {
		if exact := named(hits, req.Agent); len(exact) == 1 {
			hits = exact
		}
	}
	if len(hits) > 1 {
		var on []wire.Agent
		for _, a := range hits {
			if a.Call != "" {
				on = append(on, a)
			}
		}
		if len(on) == 1 {
			hits = on
		}
	}
	switch {
	case len(hits) == 0:
		// Whether there is such an agent is for the record, and for nobody else.
		if err := s.accounts.Check(ctx, wire.ActionListen, hiding, ""); fault.Of(err) == fault.StoreUnavailable {
			return req, err
		}
		return req, noAgent(req.Agent)
	case len(hits) > 1:
		return req, badRequest("several agents are called %q; give the whole name, and the node", clip(req.Agent, 80))
	}
	a := hits[0]
	if err := s.accounts.Check(ctx, wire.ActionListen, a, ""); err != nil {
		return req, hidden(err, func() error { return noAgent(req.Agent) })
	}
	req.Agent, req.Node, req.Supervisor = a.Agent, a.Node, actor.Account
	return req, nil
}

// called tells whether an agent can be asked for by a name: his own, his
// extension, or either without its domain.
func called(a wire.Agent, name string) bool {
	for _, full := range []string{a.Agent, a.Extension} {
		user, _, _ := strings.Cut(full, "@")
		if full != "" && (name == full || name == user) {
			return true
		}
	}
	return false
}

func named(list []wire.Agent, name string) []wire.Agent {
	var out []wire.Agent
	for _, a := range list {
		if a.Agent == name {
			out = append(out, a)
		}
	}
	return out
}
