// Package guard stands between a wire.Service and whoever asks it for something:
// the HTTP API and the panel. It shows an account what it may see, and nothing
// else.
//
// It guarantees that
//   - agents and sessions that an account may not see are in none of its lists, and
//     asking for one of them by name is answered, to the letter and as soon, like
//     asking for one that does not exist, whatever it is asked for;
//   - users' numbers are as the account may see them, in lists and in records;
//   - an account asks under its own name, and only for agents whom it sees: names
//     are looked up among those alone;
//   - what is for administrators (the whole audit stream, the registered telephones,
//     what the switches lack) is refused to everybody else. The audit of his own
//     sessions is anybody's.
//
// Whether somebody may do what he asks for is decided behind it, by the service,
// which also records it. What the service never learns of, because the account
// must not, is recorded here.
//
// Who asks is in the context (wire.WithActor). Where nobody said so it is nobody
// in particular, who sees nothing once there are accounts. The operator, and
// everybody where no accounts are kept, sees everything.
package guard

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"livemon/internal/fault"
	"livemon/internal/wire"
)

// Guard is a wire.Service for who is in the context. It is safe for concurrent use.
type Guard struct {
	svc      wire.Service
	accounts wire.Accounts // nil: none
}

var _ wire.Service = (*Guard)(nil)

// New returns a guard of a service. With accounts nil there are none, and it lets
// everything pass.
func New(svc wire.Service, accounts wire.Accounts) *Guard {
	return &Guard{svc: svc, accounts: accounts}
}

// restricted tells whether who asks is an account, which sees only what it may.
func (g *Guard) restricted(ctx context.Context) (wire.Actor, bool) {
	actor, _ := wire.ActorOf(ctx)
	return actor, g.accounts != nil && !actor.Operator
}

// administers refuses accounts that do not administer.
func (g *Guard) administers(ctx context.Context) error {
	if actor, restricted := g.restricted(ctx); restricted && !actor.Admin {
		return wire.ErrForbidden
	}
	return nil
}

// Agents implements wire.Service.
func (g *Guard) Agents(ctx context.Context) ([]wire.Agent, error) {
	look, err := g.Look(ctx)
	if err != nil {
		return nil, err
	}
	list, err := g.svc.Agents(ctx)
	if err != nil {
		return nil, err
	}
	seen := make([]wire.Agent, 0, len(list))
	for _, a := range list {
		if v, ok := look.Agent(a); ok {
			seen = append(seen, v)
		}
	}
	return seen, nil
}

// Nodes implements wire.Service. Where their event sockets are is for
// administrators.
func (g *Guard) Nodes(ctx context.Context) ([]wire.Node, error) {
	list, err := g.svc.Nodes(ctx)
	if err != nil || g.administers(ctx) == nil {
		return list, err
	}
	list = slices.Clone(list)
	for i := range list {
		list[i].Addr, list[i].Detail = "", ""
	}
	return list, nil
}

// Sessions implements wire.Service: an account's own, and those of agents whom it
// sees.
func (g *Guard) Sessions(ctx context.Context) ([]wire.Session, error) {
	look, extension, err := g.looker(ctx)
	if err != nil {
		return nil, err
	}
	list, err := g.svc.Sessions(ctx)
	if err != nil {
		return nil, err
	}
	seen := make([]wire.Session, 0, len(list))
	for _, x := range list {
		if v, ok := look.session(x, extension); ok {
			seen = append(seen, v)
		}
	}
	return seen, nil
}

// Session implements wire.Service.
func (g *Guard) Session(ctx context.Context, id string) (wire.Session, error) {
	return g.see(ctx, id, g.svc.Session)
}

// see reads a session as who asks may see it. One that he may not see reads
// exactly as one that does not exist, and what there is to do for the one is done
// for the other.
func (g *Guard) see(ctx context.Context, id string, read func(context.Context, string) (wire.Session, error)) (wire.Session, error) {
	if _, restricted := g.restricted(ctx); !restricted {
		return read(ctx, id)
	}
	look, extension, err := g.looker(ctx)
	if err != nil {
		return wire.Session{}, err
	}
	x, err := read(ctx, id)
	if err != nil {
		return wire.Session{}, hidden(err, noSession(id))
	}
	if v, ok := look.session(x, extension); ok {
		return v, nil
	}
	return wire.Session{}, noSession(id)
}

// lookTime is for looking at a session that was waited for until the end of the
// asker's time.
const lookTime = 10 * time.Second

// AwaitSession implements wire.Service. A session that may not be seen is not
// waited for: how long that takes would tell that there is one.
func (g *Guard) AwaitSession(ctx context.Context, id string, status wire.Status, role wire.Role) (wire.Session, error) {
	if _, restricted := g.restricted(ctx); !restricted {
		return g.svc.AwaitSession(ctx, id, status, role)
	}
	if _, err := g.Session(ctx, id); err != nil {
		return wire.Session{}, err
	}
	x, err := g.svc.AwaitSession(ctx, id, status, role)
	last, over := context.WithTimeout(context.WithoutCancel(ctx), lookTime)
	defer over()
	return g.see(last, id, func(context.Context, string) (wire.Session, error) { return x, err })
}

// ChangeRole implements wire.Service.
func (g *Guard) ChangeRole(ctx context.Context, id string, to wire.Role) (wire.Session, error) {
	return g.change(ctx, id, wire.ActionOf(to), func() (wire.Session, error) { return g.svc.ChangeRole(ctx, id, to) })
}

// TakeOver implements wire.Service.
func (g *Guard) TakeOver(ctx context.Context, id string) (wire.Session, error) {
	return g.change(ctx, id, wire.ActionTakeOver, func() (wire.Session, error) { return g.svc.TakeOver(ctx, id) })
}

// SetFollow implements wire.Service.
func (g *Guard) SetFollow(ctx context.Context, id string, f wire.Follow) (wire.Session, error) {
	return g.change(ctx, id, wire.ActionListen, func() (wire.Session, error) { return g.svc.SetFollow(ctx, id, f) })
}

// StopSession implements wire.Service.
func (g *Guard) StopSession(ctx context.Context, id string) (wire.Session, error) {
	return g.change(ctx, id, wire.ActionListen, func() (wire.Session, error) { return g.svc.StopSession(ctx, id) })
}

// change lets a change of a session through to whoever sees the session, and
// shows him what comes of it as he may see it. Who tries it on one that he does
// not see is recorded, whether there is one or not.
func (g *Guard) change(ctx context.Context, id string, action wire.Action, change func() (wire.Session, error)) (wire.Session, error) {
	if _, restricted := g.restricted(ctx); !restricted {
		return change()
	}
	if _, err := g.Session(ctx, id); err != nil {
		if errors.Is(err, wire.ErrNotFound) {
			x, _ := g.svc.Session(ctx, id) // its agent is for the record, and for nobody else
			if err := g.accounts.Check(ctx, action, wire.Agent{Agent: x.Agent, Node: x.Node, Call: x.Call}, short(id)); fault.Of(err) == fault.StoreUnavailable {
				return wire.Session{}, err
			}
		}
		return wire.Session{}, err
	}
	x, err := change()
	if err != nil {
		return wire.Session{}, err // he knows that there is the session
	}
	return g.see(ctx, id, func(context.Context, string) (wire.Session, error) { return x, nil })
}

// hidden replaces a refusal that must not be told apart from what does not exist.
func hidden(err, missing error) error {
	if errors.Is(err, wire.ErrNotFound) {
		return missing
	}
	return err
}

func noSession(id string) error {
	return fmt.Errorf("%w: there is no session %q; 'livemon sessions' lists those that are on", wire.ErrNotFound, short(id))
}

// short cuts what somebody sent for an error message.
func short(s string) string {
	if len(s) > 80 {
		return s[:80] + "…"
	}
	return s
}

// Extensions implements wire.Service.
func (g *Guard) Extensions(ctx context.Context) ([]wire.Extension, error) {
	return g.svc.Extensions(ctx)
}

// AddExtension implements wire.Service. For administrators.
func (g *Guard) AddExtension(ctx context.Context, e wire.Extension) (wire.Extension, error) {
	if err := g.administers(ctx); err != nil {
		return wire.Extension{}, err
	}
	return g.svc.AddExtension(ctx, e)
}

// RemoveExtension implements wire.Service. For administrators.
func (g *Guard) RemoveExtension(ctx context.Context, number string) error {
	if err := g.administers(ctx); err != nil {
		return err
	}
	return g.svc.RemoveExtension(ctx, number)
}

// Doctor implements wire.Service. For administrators.
func (g *Guard) Doctor(ctx context.Context) ([]wire.Finding, error) {
	if err := g.administers(ctx); err != nil {
		return nil, err
	}
	return g.svc.Doctor(ctx)
}

// ExportAudit implements wire.Service. For administrators: what is exported is
// what is stored, and cannot be shown in part.
func (g *Guard) ExportAudit(ctx context.Context, f wire.AuditFilter, w io.Writer) error {
	if err := g.administers(ctx); err != nil {
		return err
	}
	return g.svc.ExportAudit(ctx, f, w)
}

// AuditHead implements wire.Service. For administrators.
func (g *Guard) AuditHead(ctx context.Context) (wire.AuditHead, error) {
	if err := g.administers(ctx); err != nil {
		return wire.AuditHead{}, err
	}
	return g.svc.AuditHead(ctx)
}

// Changed implements wire.Service. What changes need not be anything that the
// reader sees.
func (g *Guard) Changed() <-chan struct{} { return g.svc.Changed() }
