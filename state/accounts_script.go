package state

import (
	"context"
	"fmt"

	"github.com/redis/go-redis/v9"

	"livemon/internal/fault"
)

// rightsScript has what the scripts of this part share. They answer OK and a
// word of their own, which answerOf turns into an error.
const rightsScript = `
-- announce tells every controller of a change. With a revision it is one of
-- accounts or teams.
local function announce(revision, changes, rev, what)
  if rev ~= '' then redis.call('SET', revision, rev) end
  redis.call('XADD', changes, 'MAXLEN', 256, '*', 'what', what)
end
-- unindex takes an account out of the index, under whichever extension it is.
local function unindex(name)
  local all = redis.call('HGETALL', KEYS[3])
  for i = 1, #all, 2 do
    if all[i + 1] == name then redis.call('HDEL', KEYS[3], all[i]) end
  end
end
-- logout ends all logins of an account.
local function logout()
  for _, field in ipairs(redis.call('ZRANGE', KEYS[8], 0, -1)) do
    redis.call('HDEL', KEYS[6], field)
    redis.call('ZREM', KEYS[7], field)
  end
  redis.call('DEL', KEYS[8])
end
local function ms(n) return string.format('%.0f', n) end
`

func newRightsScript(body string) *redis.Script { return redis.NewScript(rightsScript + body) }

// askRights runs a script of this part and returns what it answers after the
// word, which becomes the error. what is what was asked for.
func (s *Store) askRights(ctx context.Context, op, what string, sc *redis.Script, keys []string, args ...any) ([]string, error) {
	got, err := s.run(ctx, op, sc, keys, args...)
	if err != nil {
		return nil, err
	}
	if len(got) == 0 {
		return nil, fault.New(fault.StoreUnavailable, op, "unexpected answer")
	}
	switch got[0] {
	case "DONE":
		return got[1:], nil
	case "NOTFOUND":
		err = ErrNotFound
	case "EXISTS":
		err = ErrExists
	case "NOTFIRST":
		err = ErrNotFirst
	case "CHANGED":
		err = ErrChanged
	case "TAKEN":
		err = ErrExtensionTaken
	case "FULL":
		err = ErrFull
	default:
		return nil, fault.New(fault.StoreUnavailable, op, fmt.Sprintf("unexpected answer %.40q", got[0]))
	}
	return nil, fmt.Errorf("%s %.80q: %w", op, what, err)
}

func (s *Store) changeRights(ctx context.Context, op, what string, sc *redis.Script, keys []string, args ...any) error {
	_, err := s.askRights(ctx, op, what, sc, keys, args...)
	return err
}
