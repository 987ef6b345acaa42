package state

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"livemon/internal/fault"
	"livemon/internal/wire"
)

// Rights are all accounts, without their secrets, and all teams, as they were
// at one moment, both sorted by name.
type Rights struct {
	Accounts []wire.Account
	Teams    []wire.Team

	revision string // of accounts and teams
	place    string // in the stream of changes
}

// Announced tells whether anything was announced between the reading of before
// and that of r, be it of accounts and teams or not.
func (r Rights) Announced(before Rights) bool { return r.place != before.place }

// KEYS: accounts, teams, revision, changes. ARGV: the revision that is known,
// how many accounts and teams there may be.
var rightsReadScript = newRightsScript(`
local rev = redis.call('GET', KEYS[3]) or ''
local last = redis.call('XREVRANGE', KEYS[4], '+', '-', 'COUNT', 1)
local place = last[1] and last[1][1] or '0-0'
if rev == ARGV[1] then return {'OK', 'DONE', rev, place} end
if redis.call('HLEN', KEYS[1]) > tonumber(ARGV[2]) or redis.call('HLEN', KEYS[2]) > tonumber(ARGV[3]) then return {'OK', 'FULL'} end
local accounts, teams = redis.call('HGETALL', KEYS[1]), redis.call('HGETALL', KEYS[2])
local out = {'OK', 'DONE', rev, place, tostring(#accounts)}
for _, v in ipairs(accounts) do out[#out + 1] = v end
for _, v in ipairs(teams) do out[#out + 1] = v end
return out
`)

// Rights reads all accounts and teams, and false if they are those known (the
// zero Rights never are). One that is not understood
// fails the whole, with a *CorruptError that names it: were it left out, an
// account could see its superiors, or the list be empty, and an empty list
// allows everything. Removing or replacing it heals.
func (s *Store) Rights(ctx context.Context, known Rights) (Rights, bool, error) {
	const op = "read rights"
	if known.place == "" {
		known.revision = "!" // none is
	}
	got, err := s.askRights(ctx, op, "", rightsReadScript, []string{accountsKey, teamsKey, rightsRevKey, rightsLogKey}, known.revision, maxAccounts, maxTeams)
	if errors.Is(err, ErrFull) {
		return Rights{}, false, &CorruptError{Key: accountsKey, Err: fmt.Errorf("more than %d accounts, or more than %d teams", maxAccounts, maxTeams)}
	}
	if err != nil {
		return Rights{}, false, err
	}
	if len(got) == 2 {
		known.place = got[1]
		return known, false, nil
	}
	n := 0
	if len(got) > 2 {
		n, err = strconv.Atoi(got[2])
	}
	if err != nil || len(got) < 3 || n < 0 || n%2 != 0 || (len(got)-3)%2 != 0 || n > len(got)-3 {
		return Rights{}, false, fault.New(fault.StoreUnavailable, op, "unexpected answer")
	}
	out := Rights{Accounts: []wire.Account{}, Teams: []wire.Team{}, revision: got[0], place: got[1]}
	accounts, teams := got[3:3+n], got[3+n:]
	for i := 0; i < len(accounts); i += 2 {
		a, err := decodeAccount(accounts[i], accounts[i+1])
		if err != nil {
			return Rights{}, false, &CorruptError{Key: accountsKey, Field: accounts[i], Err: err}
		}
		out.Accounts = append(out.Accounts, a.Account)
	}
	for i := 0; i < len(teams); i += 2 {
		t, _, err := decodeTeam(teams[i], teams[i+1])
		if err != nil {
			return Rights{}, false, &CorruptError{Key: teamsKey, Field: teams[i], Err: err}
		}
		out.Teams = append(out.Teams, t)
	}
	slices.SortFunc(out.Accounts, func(a, b wire.Account) int { return strings.Compare(a.Name, b.Name) })
	slices.SortFunc(out.Teams, func(a, b wire.Team) int { return strings.Compare(a.Name, b.Name) })
	return out, true, nil
}

var streamPlace = regexp.MustCompile(`^[0-9]{1,20}-[0-9]{1,20}$`)

// AwaitRights returns once anything has been changed since r was read, tokens
// and ended logins included, or after atMost, with whether it was. A change that
// was made behind Redis' back, or lost by it, is not seen: rights have to be read
// anew from time to time.
//
// A context that is cancelled is noticed after atMost only, as the client waits
// for the answer of a request that has been sent.
func (s *Store) AwaitRights(ctx context.Context, r Rights, atMost time.Duration) (bool, error) {
	const op = "wait for changed rights"
	if !streamPlace.MatchString(r.place) {
		return false, fmt.Errorf("state: %w: rights that have not been read", wire.ErrBadRequest)
	}
	c, cancel := context.WithTimeout(ctx, atMost+s.opts.OpTimeout)
	defer cancel()
	got, err := s.rdb.XRead(c, &redis.XReadArgs{Streams: []string{rightsLogKey, r.place}, Count: 1, Block: max(atMost, time.Millisecond)}).Result()
	switch {
	case errors.Is(err, redis.Nil):
		return false, nil
	case err != nil:
		return false, failure(ctx, op, rightsLogKey, err)
	}
	return len(got) > 0, nil
}
