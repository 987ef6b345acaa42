package monitor

import (
	"context"
	"errors"
	"time"

	"livemon/internal/tracker"
	"livemon/internal/wire"
	"livemon/state"
)

// changed notes what has to be stored. n.mu is held.
func (n *node) changed(c tracker.Changes) {
	for _, name := range c.RemovedAgents {
		n.dirtyAgents[name] = nil
	}
	for _, a := range c.Agents {
		n.dirtyAgents[a.Agent] = &a
	}
	for _, id := range c.RemovedCalls {
		n.dirtyCalls[id] = nil
	}
	for _, x := range c.Calls {
		n.dirtyCalls[x.ID] = &x
	}
	if len(n.dirtyAgents)+len(n.dirtyCalls) > maxDirty {
		n.cleanUp()
		n.replace = true // the store is away: one full write will do when it is back
	}
}

// maxDirty is how many changes are gathered while the store is away.
const maxDirty = 50_000

// cleanUp forgets what would have to be stored. n.mu is held.
func (n *node) cleanUp() {
	n.dirtyAgents, n.dirtyCalls, n.replace = map[string]*wire.Agent{}, map[string]*tracker.Call{}, false
}

func (n *node) wantWrite() {
	select {
	case n.write <- struct{}{}:
	default:
	}
}

// storeInterval is how long changes of agents and calls are gathered before
// they are stored together.
const storeInterval = 20 * time.Millisecond

// storeChanges writes agents and calls to the store, in batches, and asks the
// directory about presence ids that turned up.
func (n *node) storeChanges(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-n.write:
		}
		pause(ctx, storeInterval, nil)
		if err := n.askUsers(ctx); err != nil && ctx.Err() == nil {
			n.log.Debug("the directory could not be asked", "error", err)
		}
		n.mu.Lock()
		dirtyAgents, dirtyCalls, replace, lease := n.dirtyAgents, n.dirtyCalls, n.replace, n.lease
		n.cleanUp()
		var agents []wire.Agent
		var calls []tracker.Call
		if replace {
			agents, calls = n.tracker.Agents(), n.tracker.Calls()
		}
		n.mu.Unlock()
		var err error
		if replace {
			err = errors.Join(n.m.store.ReplaceAgents(ctx, lease, agents), n.m.store.ReplaceCalls(ctx, lease, n.stored(calls)))
		} else {
			changed, removed := split(dirtyAgents)
			changedCalls, removedCalls := split(dirtyCalls)
			err = errors.Join(n.m.store.PutAgents(ctx, lease, changed, removed), n.m.store.PutCalls(ctx, lease, n.stored(changedCalls), removedCalls))
		}
		if err != nil && ctx.Err() == nil {
			n.log.Warn("agents and calls could not be stored", "error", err)
			n.mu.Lock()
			n.replace = true
			n.mu.Unlock()
			if !errors.Is(err, state.ErrFenced) {
				pause(ctx, time.Second, nil)
				n.wantWrite()
			}
		}
	}
}

func split[T any](dirty map[string]*T) (changed []T, removed []string) {
	for k, v := range dirty {
		if v == nil {
			removed = append(removed, k)
		} else {
			changed = append(changed, *v)
		}
	}
	return changed, removed
}

func (n *node) stored(calls []tracker.Call) []state.Call {
	out := make([]state.Call, 0, len(calls))
	for _, c := range calls {
		out = append(out, state.Call{ID: c.ID, Node: c.Node, Agent: c.Agent, Pupil: c.Pupil, User: c.User, UserNumber: c.UserNumber,
			Direction: c.Direction, Queue: c.Queue, Room: c.Room, Ours: n.seal.IsRoom(c.Room), Since: c.Since})
	}
	return out
}
