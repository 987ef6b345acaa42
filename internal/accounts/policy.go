package accounts

import (
	"context"
	"errors"

	"livemon/internal/access"
	"livemon/internal/wire"
	"livemon/state"
)

// Allowed tells whether an actor may do something to an agent's call, of which
// this is known (for its marks see MarkNames). The answers:
//
//   - nil: yes, as confirmed with the store within the last seconds.
//   - an *access.Refusal (fault.NotAllowed, fault.RoleNotAllowed): no. What that
//     had allowed before must end. With fault.RoleNotAllowed listening is allowed
//     still, only not in this role. It is a wire.ErrNotFound where the agent must
//     not be told apart from one who does not exist.
//   - fault.StoreUnavailable, or ctx's error: it cannot be known now. Nothing new
//     may begin; what is going on may go on, as it was allowed by what was known
//     last. (If what was known last refuses it, that is the answer, even now.)
func (s *Service) Allowed(ctx context.Context, actor wire.Actor, action wire.Action, agent wire.Agent, c access.Call) error {
	rules, err := s.current(ctx)
	if rules == nil {
		return err
	}
	if refusal := rules.May(actor, action, agent, c); refusal != nil {
		return refusal
	}
	return err
}

// Check implements wire.Accounts: it is Allowed for the actor in ctx, by what is
// known of the agent's call without asking its switch.
func (s *Service) Check(ctx context.Context, action wire.Action, agent wire.Agent, session string) error {
	actor, _ := wire.ActorOf(ctx)
	err := s.Allowed(ctx, actor, action, agent, access.Call{User: agent.User})
	var r *access.Refusal
	if errors.As(err, &r) {
		// It has been refused; that it cannot be recorded changes nothing.
		_ = s.record(ctx, wire.AuditRecord{Event: state.EventRefused, Session: session, Supervisor: actor.Account, Agent: agent.Agent, User: agent.User,
			Node: agent.Node, Call: agent.Call, Code: int(r.Code()), Detail: string(action) + ": " + r.Why})
	}
	return err
}

// View implements wire.Accounts. Lists are shown from what was known last while
// the store is away; only if nothing was known yet there is an error.
func (s *Service) View(ctx context.Context) (func(wire.Agent) (wire.Agent, bool), error) {
	actor, _ := wire.ActorOf(ctx)
	rules, err := s.current(ctx)
	if rules == nil {
		return nil, err
	}
	return func(a wire.Agent) (wire.Agent, bool) { return rules.View(actor, a) }, nil
}

// Notice returns how an agent, and whoever he talks to, are told that somebody
// listens. While the store is away it is what was known last; with an error
// nothing was known yet, and nobody may listen.
func (s *Service) Notice(ctx context.Context, agent wire.Agent) (wire.Notice, error) {
	rules, err := s.current(ctx)
	if rules == nil {
		return wire.Notice{}, err
	}
	return rules.Notice(agent), nil
}

// MarkNames returns the channel variables whose values Allowed wants as marks,
// where the call has them.
func (s *Service) MarkNames() []string {
	return access.Compile(nil, nil, s.opts.Access).MarkNames()
}

// Known tells whether there is any account. While the store is away it is what
// was known last; with an error nothing was known yet.
func (s *Service) Known(ctx context.Context) (bool, error) {
	rules, err := s.current(ctx)
	if rules == nil {
		return false, err
	}
	return !rules.Empty(), nil
}
