package state

import (
	"strings"

	"github.com/redis/go-redis/v9"

	"livemon/internal/wire"
)

// A session is a hash: v, its JSON; desired; call, whose speaker it may be;
// ended, when it has; and pending, until when (ms) it has reserved the right to
// speak on its call while the audit record of that is being stored.
//
// sessionScript defines, for session scripts: speaks; me, the session's escaped
// id; stored, the fields v, desired, call and ended; taken(call), whether
// somebody else may speak on the call; claim and unclaim. A claim holds no
// longer than the session that made it: one that has expired or ended, is on
// another call, or neither speaks nor has reserved, blocks nobody.
// KEYS: fence, session, live, speakers. ARGV: token, prefix of session keys,
// escaped id.
func sessionScript(body string) *redis.Script {
	var roles []string
	for _, r := range []wire.Role{wire.Joining, wire.Monitor, wire.Coach, wire.Barge, wire.TakeOver} {
		if r.Speaks() {
			roles = append(roles, "['"+string(r)+"']=true")
		}
	}
	return fencedScript(serverNow + `
local speaks = {` + strings.Join(roles, ",") + `}
local me = ARGV[3]
local stored = redis.call('HMGET', KEYS[2], 'v', 'desired', 'call', 'ended')
local function taken(call)
  local other = redis.call('HGET', KEYS[4], call)
  if not other or other == me then return false end
  local o = redis.call('HMGET', ARGV[2] .. other, 'desired', 'call', 'ended', 'pending')
  if not o[1] or o[2] ~= call or o[3] then return false end
  return speaks[o[1]] or (tonumber(o[4] or '0') or 0) > now
end
local function claim(call)
  redis.call('HSET', KEYS[4], call, me)
end
local function unclaim()
  if stored[3] and redis.call('HGET', KEYS[4], stored[3]) == me then
    redis.call('HDEL', KEYS[4], stored[3])
  end
end
local function keep(ttl)
  redis.call('PEXPIRE', KEYS[2], ttl)
  redis.call('PEXPIRE', KEYS[3], ttl)
  redis.call('PEXPIRE', KEYS[4], ttl)
end
` + body)
}

// mustLive ends a script about a session that is not there or has ended.
const mustLive = `
if not stored[1] then return {'NOTFOUND'} end
if stored[4] then return {'ENDED'} end
`

var (
	// lookScript answers with JSON and desired role of a session that lives.
	lookScript = sessionScript(mustLive + `
return {'OK', stored[1], stored[2] or ''}
`)

	// createScript. ARGV 4-: JSON, desired role, call, ttl. Creating the very
	// same session again is no error: the answer may have been lost.
	createScript = sessionScript(`
if stored[1] then
  if stored[1] == ARGV[4] and not stored[4] then return {'OK'} end
  return {'EXISTS'}
end
redis.call('DEL', KEYS[2])
redis.call('HSET', KEYS[2], 'v', ARGV[4], 'desired', ARGV[5], 'call', ARGV[6])
redis.call('SADD', KEYS[3], me)
keep(ARGV[7])
return {'OK'}
`)

	// setScript stores progress. ARGV 4-: JSON, call, ttl. A claim follows the
	// session to another call.
	setScript = sessionScript(mustLive + `
if stored[3] ~= ARGV[5] then
  if speaks[stored[2]] then
    if taken(ARGV[5]) then return {'BUSY'} end
    unclaim()
    claim(ARGV[5])
  else
    unclaim()
    redis.call('HDEL', KEYS[2], 'pending')
  end
end
redis.call('HSET', KEYS[2], 'v', ARGV[4], 'call', ARGV[5])
redis.call('SADD', KEYS[3], me)
keep(ARGV[6])
return {'OK'}
`)

	// reserveScript comes before the audit record of a role change: it finds out
	// whether the change is possible, and keeps it so for a while, without
	// making it. ARGV 4-: role, how long (ms).
	reserveScript = sessionScript(mustLive + `
if speaks[ARGV[4]] then
  if taken(stored[3]) then return {'BUSY', stored[1], stored[2] or ''} end
  claim(stored[3])
  redis.call('HSET', KEYS[2], 'pending', string.format('%.0f', now + tonumber(ARGV[5])))
end
return {'OK', stored[1], stored[2] or ''}
`)

	// commitScript comes after it. ARGV 4-: role, ttl.
	commitScript = sessionScript(mustLive + `
if speaks[ARGV[4]] then
  if taken(stored[3]) then return {'BUSY'} end
  claim(stored[3])
else
  unclaim()
end
redis.call('HSET', KEYS[2], 'desired', ARGV[4])
redis.call('HDEL', KEYS[2], 'pending')
keep(ARGV[5])
return {'OK'}
`)

	// atOnceScript is all three in one, for a server that holds every key. ARGV
	// 4-: role, role before, ttl, those of link.args. KEYS 5-: the audit stream,
	// its head. It answers with JSON and desired role, or with nothing if the
	// change is not simply possible; then nothing was changed.
	atOnceScript = sessionScript(chainScript + mustLive + `
if stored[2] ~= ARGV[5] or (speaks[ARGV[4]] and taken(stored[3])) then return {'OK'} end
local h = chainHead(KEYS[5], KEYS[6])
if h ~= ARGV[7] then return {'MOVED', h} end
chainAdd(KEYS[5], KEYS[6], 7)
if speaks[ARGV[4]] then claim(stored[3]) else unclaim() end
redis.call('HSET', KEYS[2], 'desired', ARGV[4])
redis.call('HDEL', KEYS[2], 'pending')
keep(ARGV[6])
return {'OK', stored[1], ARGV[4]}
`)

	// forgoScript gives a reservation back.
	forgoScript = sessionScript(mustLive + `
redis.call('HDEL', KEYS[2], 'pending')
if not speaks[stored[2]] then unclaim() end
return {'OK'}
`)

	// endScript ends a session, also one that Redis has lost. ARGV 4-: JSON,
	// desired role if it has none, call, ttl of ended sessions.
	endScript = sessionScript(`
if stored[4] then return {'OK'} end
unclaim()
redis.call('HSET', KEYS[2], 'v', ARGV[4], 'desired', stored[2] or ARGV[5], 'call', stored[3] or ARGV[6], 'ended', '1')
redis.call('HDEL', KEYS[2], 'pending')
redis.call('PEXPIRE', KEYS[2], ARGV[7])
redis.call('SREM', KEYS[3], me)
return {'OK'}
`)
)

// listScript answers with escaped id, JSON and desired role of every live
// session. KEYS: live. ARGV: prefix of session keys.
var listScript = redis.NewScript(`
local out = {'OK'}
for _, id in ipairs(redis.call('SMEMBERS', KEYS[1])) do
  local x = redis.call('HMGET', ARGV[1] .. id, 'v', 'desired', 'ended')
  if not x[1] or x[3] then
    redis.call('SREM', KEYS[1], id)
  else
    out[#out + 1] = id
    out[#out + 1] = x[1]
    out[#out + 1] = x[2] or ''
  end
end
return out
`)
