package guard

import (
	"context"
	"fmt"

	"livemon/internal/fault"
	"livemon/internal/wire"
)

// refused is the event of records of what was refused.
const refused = "refused"

// Audit implements wire.Service. Who does not administer reads the records of his
// own sessions, and only those: users' numbers as he may see them; nothing of what
// was refused to him because he must not know of the agent; and of what else was
// not allowed to him no more than that.
func (g *Guard) Audit(ctx context.Context, f wire.AuditFilter) ([]wire.AuditRecord, error) {
	actor, restricted := g.restricted(ctx)
	if !restricted || actor.Admin {
		return g.svc.Audit(ctx, f)
	}
	if actor.Account == "" {
		return nil, wire.ErrForbidden
	}
	if f.Supervisor != "" && f.Supervisor != actor.Account {
		return nil, fmt.Errorf("%w: what others did", wire.ErrForbidden)
	}
	f.Supervisor = actor.Account
	look, extension, err := g.looker(ctx)
	if err != nil {
		return nil, err
	}
	list, err := g.svc.Audit(ctx, f)
	if err != nil {
		return nil, err
	}
	seen := make([]wire.AuditRecord, 0, len(list))
	for _, rec := range list {
		ext, known := extension(rec.Node, rec.Agent)
		v, visible := look.Agent(wire.Agent{Agent: rec.Agent, Extension: ext, Node: rec.Node, User: rec.User})
		if rec.Event == refused && !(visible && known) {
			continue
		}
		rec.User = v.User // none, if the agent is not visible any more
		if fault.Code(rec.Code) == fault.NotAllowed {
			rec.Detail = ""
		}
		seen = append(seen, rec)
	}
	return seen, nil
}
