package state

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"

	"github.com/redis/go-redis/v9"

	"livemon/internal/wire"
)

// KEYS: teams, revision, changes. ARGV: name, the version that is changed ("" makes
// one), the new version, JSON, how many there may be.
var putTeamScript = newRightsScript(`
local cur = redis.call('HGET', KEYS[1], ARGV[1])
local version = cur and (string.match(cur, '^(%S+) ') or '?') or ''
if version == ARGV[3] then return {'OK', 'DONE'} end
if version ~= ARGV[2] then
  if ARGV[2] == '' then return {'OK', 'EXISTS'} end
  return {'OK', cur and 'CHANGED' or 'NOTFOUND'}
end
if not cur and redis.call('HLEN', KEYS[1]) >= tonumber(ARGV[5]) then return {'OK', 'FULL'} end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[3] .. ' ' .. ARGV[4])
announce(KEYS[2], KEYS[3], ARGV[3], 'team')
return {'OK', 'DONE'}
`)

// KEYS: teams, revision, changes. ARGV: name, revision.
var removeTeamScript = newRightsScript(`
if redis.call('HDEL', KEYS[1], ARGV[1]) == 0 then return {'OK', 'NOTFOUND'} end
announce(KEYS[2], KEYS[3], ARGV[2], 'team')
return {'OK', 'DONE'}
`)

// PutTeam stores a team. version is the one that Team returned, or "" for a new
// team. Errors: ErrExists, ErrChanged, ErrNotFound, ErrFull, wire.ErrBadRequest.
func (s *Store) PutTeam(ctx context.Context, t wire.Team, version string) error {
	t.Agents = notNil(t.Agents)
	if err := CheckTeam(t); err != nil {
		return err
	}
	text, err := encode("team", t)
	if err != nil {
		return err
	}
	return s.changeRights(ctx, "store team", t.Name, putTeamScript, []string{teamsKey, rightsRevKey, rightsLogKey}, t.Name, version, rand.Text(), text, maxTeams)
}

// Team returns a team and its version; ErrNotFound, or a *CorruptError.
func (s *Store) Team(ctx context.Context, name string) (wire.Team, string, error) {
	c, cancel := s.bound(ctx)
	defer cancel()
	value, err := s.rdb.HGet(c, teamsKey, name).Result()
	if errors.Is(err, redis.Nil) {
		return wire.Team{}, "", fmt.Errorf("read team %.80q: %w", name, ErrNotFound)
	}
	if err != nil {
		return wire.Team{}, "", failure(ctx, "read team", teamsKey, err)
	}
	t, version, err := decodeTeam(name, value)
	if err != nil {
		return wire.Team{}, "", &CorruptError{Key: teamsKey, Field: name, Err: err}
	}
	return t, version, nil
}

// RemoveTeam removes a team, even one that is not understood; ErrNotFound when
// there is none. Accounts that name it keep naming it, to no effect.
func (s *Store) RemoveTeam(ctx context.Context, name string) error {
	return s.changeRights(ctx, "remove team", name, removeTeamScript, []string{teamsKey, rightsRevKey, rightsLogKey}, name, rand.Text())
}
