package state

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"livemon/internal/wire"
)

// putScript changes a hash in one step. Arguments are handed on in slices,
// because Lua can unpack only so many at once. KEYS: fence, hash. ARGV: token,
// ttl, "1" to empty the hash first, the number of field and value arguments,
// those, and then the fields to remove.
var putScript = fencedScript(`
local last = 4 + tonumber(ARGV[4])
local function each(command, from, to)
  for i = from, to, 200 do
    redis.call(command, KEYS[2], unpack(ARGV, i, math.min(i + 199, to)))
  end
end
if ARGV[3] == '1' then redis.call('DEL', KEYS[2]) end
each('HDEL', last + 1, #ARGV)
each('HSET', 5, last)
redis.call('PEXPIRE', KEYS[2], ARGV[2])
return {'OK'}
`)

// put writes pairs of field and value into one hash of the lease's node.
func (s *Store) put(ctx context.Context, op string, l Lease, hash string, replace bool, pairs, removed []string) error {
	args := make([]any, 0, 4+len(pairs)+len(removed))
	flag := "0"
	if replace {
		flag = "1"
	}
	args = append(args, l.token(), dataTTL.Milliseconds(), flag, len(pairs))
	for _, v := range pairs {
		args = append(args, v)
	}
	for _, v := range removed {
		args = append(args, v)
	}
	_, err := s.run(ctx, op, putScript, []string{keysOf(l.Node).fence, hash}, args...)
	return err
}

// hash reads a hash of a node. What cannot be understood is left out and
// logged: the next full read of the switch overwrites it.
func hash[T any](ctx context.Context, s *Store, op, key string, read func(field, value string) (T, error), name func(T) string) ([]T, error) {
	c, cancel := s.bound(ctx)
	defer cancel()
	all, err := s.rdb.HGetAll(c, key).Result()
	if err != nil {
		return nil, failure(ctx, op, key, err)
	}
	out := make([]T, 0, len(all))
	for field, value := range all {
		v, err := read(field, value)
		if err != nil {
			s.skipped(&CorruptError{Key: key, Field: field, Err: err})
			continue
		}
		out = append(out, v)
	}
	slices.SortFunc(out, func(a, b T) int { return strings.Compare(name(a), name(b)) })
	return out, nil
}

// PutAgents stores agents that have changed and removes others, in one step.
// An agent both changed and removed is stored. Their Node is set to the lease's.
func (s *Store) PutAgents(ctx context.Context, l Lease, changed []wire.Agent, removed []string) error {
	return s.putAgents(ctx, l, false, changed, removed)
}

// ReplaceAgents makes all the node's agents, in one step: whatever else was
// stored, stale or not understood, is gone.
func (s *Store) ReplaceAgents(ctx context.Context, l Lease, all []wire.Agent) error {
	return s.putAgents(ctx, l, true, all, nil)
}

func (s *Store) putAgents(ctx context.Context, l Lease, replace bool, changed []wire.Agent, removed []string) error {
	if err := l.check(); err != nil {
		return err
	}
	pairs := make([]string, 0, 2*len(changed))
	for _, a := range changed {
		a.Node = l.Node
		if err := checkAgent(a); err != nil {
			return fmt.Errorf("state: %w: agent %.200q: %w", wire.ErrBadRequest, a.Agent, err)
		}
		v, err := encode("agent", a)
		if err != nil {
			return err
		}
		pairs = append(pairs, a.Agent, v)
	}
	return s.put(ctx, "store agents", l, keysOf(l.Node).agents, replace, pairs, removed)
}

// Agents returns the node's agents, sorted by name.
func (s *Store) Agents(ctx context.Context, node string) ([]wire.Agent, error) {
	return hash(ctx, s, "read agents", keysOf(node).agents, func(field, value string) (wire.Agent, error) {
		return decodeAgent(node, field, value)
	}, func(a wire.Agent) string { return a.Agent })
}
