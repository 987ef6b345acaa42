package state

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"

	"livemon/internal/wire"
)

// Lease is the right to act on a node, until it expires or a newer one is
// given out. Tokens of a node only ever increase.
type Lease struct {
	Node  string
	Owner string // who holds it; unique to one process
	Token int64
}

func (l Lease) token() string { return strconv.FormatInt(l.Token, 10) }

func (l Lease) check() error {
	if l.Token <= 0 {
		return fmt.Errorf("no lease: %w", ErrFenced)
	}
	return checkName("node", l.Node)
}

var errHeld = errors.New("held by somebody else")

// Tokens are never below the server's clock in milliseconds: a Redis that has
// lost its data, or was replaced by a replica that lags behind, still gives out
// higher ones. KEYS: lease, fence. ARGV: owner, ttl in ms.
var acquireScript = redis.NewScript(serverNow + `
local owner = redis.call('HGET', KEYS[1], 'owner')
if owner and owner ~= ARGV[1] then return {'HELD'} end
if redis.call('INCR', KEYS[2]) < now then redis.call('SET', KEYS[2], string.format('%.0f', now)) end
local token = redis.call('GET', KEYS[2])
redis.call('DEL', KEYS[1])
redis.call('HSET', KEYS[1], 'owner', ARGV[1], 'token', token)
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return {'OK', token}
`)

// KEYS: fence, lease, agents, calls, live, speakers. ARGV: token, owner, ttl,
// TTL of agents and calls, TTL of sessions.
var renewScript = fencedScript(`
redis.call('HSET', KEYS[2], 'owner', ARGV[2], 'token', ARGV[1])
redis.call('PEXPIRE', KEYS[2], ARGV[3])
redis.call('PEXPIRE', KEYS[3], ARGV[4])
redis.call('PEXPIRE', KEYS[4], ARGV[4])
redis.call('PEXPIRE', KEYS[5], ARGV[5])
redis.call('PEXPIRE', KEYS[6], ARGV[5])
return {'OK'}
`)

// Giving out a token to nobody fences whoever goes on with a released lease.
// KEYS: fence, lease.
var releaseScript = fencedScript(`
redis.call('DEL', KEYS[2])
redis.call('INCR', KEYS[1])
return {'OK'}
`)

// KEYS: the set of nodes. ARGV: node, ttl in ms.
var seenScript = redis.NewScript(serverNow + `
redis.call('ZADD', KEYS[1], now, ARGV[1])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', string.format('%.0f', now - tonumber(ARGV[2])))
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return {'OK'}
`)

// AcquireLease takes the lease of a node for ttl. It returns false, without an
// error, while somebody else holds it. An owner who holds it already gets a new
// one, and his old one is fenced.
func (s *Store) AcquireLease(ctx context.Context, node, owner string, ttl time.Duration) (Lease, bool, error) {
	const op = "acquire the node's lease"
	if err := errors.Join(checkName("node", node), checkName("owner", owner), checkTTL(ttl)); err != nil {
		return Lease{}, false, err
	}
	if err := s.seen(ctx, node); err != nil {
		return Lease{}, false, err
	}
	k := keysOf(node)
	got, err := s.run(ctx, op, acquireScript, []string{k.lease, k.fence}, owner, ttl.Milliseconds())
	if errors.Is(err, errHeld) {
		return Lease{}, false, nil
	}
	if err != nil {
		return Lease{}, false, err
	}
	token, err := parseToken(k.fence, got)
	if err != nil {
		return Lease{}, false, err
	}
	return Lease{Node: node, Owner: owner, Token: token}, true, nil
}

// RenewLease holds the lease for another ttl from now, and the node's data
// with it. A lease that has expired but that nobody has taken since is renewed;
// otherwise the error is ErrFenced, and the owner must stop acting on the node.
func (s *Store) RenewLease(ctx context.Context, l Lease, ttl time.Duration) error {
	if err := errors.Join(l.check(), checkTTL(ttl)); err != nil {
		return err
	}
	if err := s.seen(ctx, l.Node); err != nil {
		return err
	}
	k := keysOf(l.Node)
	_, err := s.run(ctx, "renew the node's lease", renewScript,
		[]string{k.fence, k.lease, k.agents, k.calls, k.live, k.speakers},
		l.token(), l.Owner, ttl.Milliseconds(), dataTTL.Milliseconds(), sessionTTL.Milliseconds())
	return err
}

// ReleaseLease gives the lease back, so that others need not wait for it to
// expire. It returns ErrFenced when it was not held any more.
func (s *Store) ReleaseLease(ctx context.Context, l Lease) error {
	if err := l.check(); err != nil {
		return err
	}
	k := keysOf(l.Node)
	_, err := s.run(ctx, "release the node's lease", releaseScript, []string{k.fence, k.lease}, l.token())
	return err
}

// LeaseHolder returns who holds the node's lease; "" and 0 when nobody does.
func (s *Store) LeaseHolder(ctx context.Context, node string) (owner string, token int64, err error) {
	if err := checkName("node", node); err != nil {
		return "", 0, err
	}
	k := keysOf(node)
	c, cancel := s.bound(ctx)
	defer cancel()
	v, err := s.rdb.HMGet(c, k.lease, "owner", "token").Result()
	if err != nil {
		return "", 0, failure(ctx, "read the node's lease", k.lease, err)
	}
	owner, held := v[0].(string)
	if !held {
		return "", 0, nil
	}
	text, _ := v[1].(string)
	token, err = parseToken(k.lease, []string{text})
	if err != nil {
		return "", 0, err
	}
	return owner, token, nil
}

// Nodes returns the names of all nodes that a controller has acted on within
// the last day, sorted.
func (s *Store) Nodes(ctx context.Context) ([]string, error) {
	c, cancel := s.bound(ctx)
	defer cancel()
	names, err := s.rdb.ZRevRange(c, nodesKey, 0, maxNodes-1).Result()
	if err != nil {
		return nil, failure(ctx, "list nodes", nodesKey, err)
	}
	slices.Sort(names)
	return names, nil
}

func (s *Store) seen(ctx context.Context, node string) error {
	_, err := s.run(ctx, "register the node", seenScript, []string{nodesKey}, node, nodeTTL.Milliseconds())
	return err
}

func parseToken(key string, got []string) (int64, error) {
	text := ""
	if len(got) > 0 {
		text = got[0]
	}
	token, err := strconv.ParseInt(text, 10, 64)
	if err != nil || token <= 0 {
		return 0, &CorruptError{Key: key, Field: "token", Err: fmt.Errorf("%.40q is no token", text)}
	}
	return token, nil
}

func checkTTL(ttl time.Duration) error {
	if ttl < time.Millisecond {
		return fmt.Errorf("state: %w: a lease of %v", wire.ErrBadRequest, ttl)
	}
	return nil
}
