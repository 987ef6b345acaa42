package state

import (
	"context"
	"fmt"
	"time"

	"livemon/internal/wire"
)

// Call is an agent's call on one node.
type Call struct {
	ID         string    `json:"id"`
	Node       string    `json:"node"`
	Agent      string    `json:"agent,omitempty"`
	Pupil      string    `json:"pupil,omitempty"` // the agent's channel
	User       string    `json:"user,omitempty"`  // the other party's channel
	UserNumber string    `json:"userNumber,omitempty"`
	Direction  string    `json:"direction,omitempty"` // as the agent sees it: inbound or outbound
	Queue      string    `json:"queue,omitempty"`
	Room       string    `json:"room,omitempty"` // the conference it is in, empty for a plain bridge
	Ours       bool      `json:"ours,omitempty"` // whether livemon made that room
	Since      time.Time `json:"since"`
}

// PutCalls stores calls that have changed and removes others, in one step. A
// call both changed and removed is stored. Their Node is set to the lease's.
func (s *Store) PutCalls(ctx context.Context, l Lease, changed []Call, removed []string) error {
	return s.putCalls(ctx, l, false, changed, removed)
}

// ReplaceCalls makes all the node's calls, in one step.
func (s *Store) ReplaceCalls(ctx context.Context, l Lease, all []Call) error {
	return s.putCalls(ctx, l, true, all, nil)
}

func (s *Store) putCalls(ctx context.Context, l Lease, replace bool, changed []Call, removed []string) error {
	if err := l.check(); err != nil {
		return err
	}
	pairs := make([]string, 0, 2*len(changed))
	for _, c := range changed {
		c.Node = l.Node
		if err := checkName("call", c.ID); err != nil {
			return fmt.Errorf("state: %w: %w", wire.ErrBadRequest, err)
		}
		v, err := encode("call", c)
		if err != nil {
			return err
		}
		pairs = append(pairs, c.ID, v)
	}
	return s.put(ctx, "store calls", l, keysOf(l.Node).calls, replace, pairs, removed)
}

// Calls returns the node's calls, sorted by id.
func (s *Store) Calls(ctx context.Context, node string) ([]Call, error) {
	return hash(ctx, s, "read calls", keysOf(node).calls, func(field, value string) (Call, error) {
		return decodeCall(node, field, value)
	}, func(c Call) string { return c.ID })
}
