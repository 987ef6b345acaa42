package state

import (
	"context"
	"fmt"
	"strings"

	"github.com/redis/go-redis/v9"

	"livemon/internal/fault"
)

// The first word of every script's answer.
const (
	replyOK       = "OK"
	replyFenced   = "FENCED"
	replyNotFound = "NOTFOUND"
	replyEnded    = "ENDED"
	replyExists   = "EXISTS"
	replyBusy     = "BUSY"
	replyHeld     = "HELD"
	replyMoved    = "MOVED"
)

// fencedWrite begins every script that writes to a node's data. KEYS[1] is the
// fence, ARGV[1] the writer's token. Tokens are compared as text: equal, or the
// lease is not the newest (or Redis has lost its data, and nobody holds one).
const fencedWrite = `
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return {'FENCED'} end
`

// serverNow defines now, in milliseconds, by the server's clock: controllers'
// clocks may differ.
const serverNow = `
local t = redis.call('TIME')
local now = tonumber(t[1]) * 1000 + math.floor(tonumber(t[2]) / 1000)
`

func fencedScript(body string) *redis.Script { return redis.NewScript(fencedWrite + body) }

// run runs a script and returns what it answers after the first word, which
// becomes the error. With an error of that kind the rest is returned too.
func (s *Store) run(ctx context.Context, op string, sc *redis.Script, keys []string, args ...any) ([]string, error) {
	c, cancel := s.bound(ctx)
	defer cancel()
	answer, err := sc.Run(c, s.rdb, keys, args...).Slice()
	if err != nil {
		return nil, failure(ctx, op, strings.Join(keys, " "), err)
	}
	rest := make([]string, len(answer))
	for i, v := range answer {
		switch v := v.(type) {
		case string:
			rest[i] = v
		case nil:
		default:
			return nil, fault.New(fault.StoreUnavailable, op, fmt.Sprintf("unexpected answer %T", v))
		}
	}
	word := ""
	if len(rest) > 0 {
		word, rest = rest[0], rest[1:]
	}
	switch word {
	case replyOK:
		return rest, nil
	case replyFenced:
		err = ErrFenced
	case replyNotFound:
		err = ErrNotFound
	case replyEnded:
		err = ErrEnded
	case replyExists:
		err = ErrExists
	case replyHeld:
		err = errHeld
	case replyMoved:
		return rest, errMoved
	case replyBusy:
		return rest, fault.New(fault.SpeakerBusy, op, "")
	default:
		return nil, fault.New(fault.StoreUnavailable, op, fmt.Sprintf("unexpected answer %.40q", word))
	}
	return rest, fmt.Errorf("%s: %w", op, err)
}
