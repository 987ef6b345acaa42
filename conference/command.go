package conference

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Op is what a Command does.
type Op int

// The commands a plan is made of.
const (
	Lock   Op = iota
	Relate    // Member's relations towards Others become NoSpeak, NoHear or both
	Clear     // Member's relations towards Others are removed
	Mute
	Unmute
	Deaf
	Undeaf
	Settle  // no command: let SettleTime pass
	Remove  // Member leaves the room; how is the caller's choice
	Whisper // the pupil's leg is given Member's voice, past the room; how is the caller's choice
	Hush    // Member's whispering ends
)

// SettleTime is how long what a member said before he was muted may still be
// mixed: three frames mostly, but his buffer holds half a second.
const SettleTime = 520 * time.Millisecond

func (o Op) String() string {
	return [...]string{"lock", "relate", "clear", "mute", "unmute", "deaf", "undeaf", "settle", "remove", "whisper", "hush"}[o]
}

// Command is one step of a plan.
type Command struct {
	Op     Op
	Member int
	Others []int // of Relate and Clear

	NoSpeak bool // of Relate: Others do not hear Member
	NoHear  bool // of Relate: Member does not hear Others
}

func (c Command) String() string {
	switch c.Op {
	case Lock, Settle:
		return c.Op.String()
	case Relate:
		return fmt.Sprintf("%s %d %s %s", c.Op, c.Member, ids(c.Others), c.relation())
	case Clear:
		return fmt.Sprintf("%s %d %s", c.Op, c.Member, ids(c.Others))
	default:
		return fmt.Sprintf("%s %d", c.Op, c.Member)
	}
}

// Line is the command as mod_conference's api takes it, without the leading
// "conference". Settle, Whisper and Hush have none.
func (c Command) Line(room string) string {
	switch c.Op {
	case Lock:
		return room + " lock"
	case Relate:
		return fmt.Sprintf("%s relate %d %s %s", room, c.Member, ids(c.Others), c.relation())
	case Clear:
		return fmt.Sprintf("%s relate %d %s clear", room, c.Member, ids(c.Others))
	case Mute, Unmute, Deaf, Undeaf:
		return fmt.Sprintf("%s %s %d quiet", room, c.Op, c.Member)
	case Remove:
		return fmt.Sprintf("%s kick %d", room, c.Member)
	default:
		return ""
	}
}

// Done tells whether mod_conference's reply to the command says that it took
// effect for everybody it names.
func (c Command) Done(reply string) bool {
	switch c.Op {
	case Settle, Whisper, Hush:
		return true
	case Relate:
		return strings.Count(reply, "+OK") == len(c.Others) && !strings.Contains(reply, "-ERR")
	default:
		return strings.HasPrefix(reply, "+OK") && !strings.Contains(reply, "-ERR")
	}
}

// Apply is the room as it is after the command took effect.
func (c Command) Apply(r Room) Room {
	r = r.clone()
	if c.Op == Lock {
		r.Locked = true
		return r
	}
	i := slices.IndexFunc(r.Members, func(m Member) bool { return m.ID == c.Member })
	if i < 0 {
		return r
	}
	m := &r.Members[i]
	switch c.Op {
	case Relate, Clear:
		for _, o := range c.Others {
			m.NoSpeak = with(m.NoSpeak, o, c.Op == Relate && c.NoSpeak)
			m.NoHear = with(m.NoHear, o, c.Op == Relate && c.NoHear)
		}
	case Mute:
		m.Speak = false
	case Unmute:
		m.Speak = true
	case Deaf:
		m.Hear = false
	case Undeaf:
		m.Hear = true
	case Whisper:
		m.Whispers = true
	case Hush:
		m.Whispers = false
	case Remove:
		r.Members = slices.Delete(r.Members, i, i+1)
		for j := range r.Members {
			o := &r.Members[j]
			o.NoSpeak = slices.DeleteFunc(o.NoSpeak, func(x int) bool { return x == c.Member })
			o.NoHear = slices.DeleteFunc(o.NoHear, func(x int) bool { return x == c.Member })
		}
	}
	return r
}

// relation is what mod_conference calls it. A relation replaces the one before.
func (c Command) relation() string {
	switch {
	case c.NoSpeak && c.NoHear:
		return "nospeak,nohear"
	case c.NoHear:
		return "nohear"
	}
	return "nospeak"
}

// with returns the ids with or without id.
func with(ids []int, id int, in bool) []int {
	if has := slices.Contains(ids, id); has == in {
		return ids
	}
	if in {
		return append(ids, id)
	}
	return slices.DeleteFunc(ids, func(x int) bool { return x == id })
}

func ids(v []int) string {
	s := make([]string, len(v))
	for i, n := range v {
		s[i] = strconv.Itoa(n)
	}
	return strings.Join(s, ",")
}

// WhisperLine makes the leg that carries a supervisor's voice to the pupil, past
// the room: a loopback, one end of which taps what his telephone says, while the
// other gives it to the pupil's telephone, and to nobody else. It is an "originate"
// that is answered once both ends are in place; whoever hangs the leg up ends it.
// vars are set on both ends. The arguments must be channels' ids and variables
// that need no quoting.
func WhisperLine(leg, pupil, supervisor string, vars ...string) string {
	vars = append([]string{
		"origination_uuid=" + leg,
		"origination_caller_id_name=livemon",
		"loopback_bowout=false",
		"loopback_bowout_on_execute=false",
		"eavesdrop_enable_dtmf=false",
		"eavesdrop_bridge_bleg=true",
		"eavesdrop_whisper_bleg=true",
	}, vars...)
	// The variables reach both ends. Those that the pupil's end needs are taken off
	// the supervisor's, which is to read what he says and nothing else.
	tap := []string{"unset:eavesdrop_bridge_bleg", "unset:eavesdrop_whisper_bleg", "set:eavesdrop_bridge_aleg=true", "eavesdrop:" + supervisor}
	return fmt.Sprintf("originate {%s}loopback/app=eavesdrop:%s '%s' inline", strings.Join(vars, ","), pupil, strings.Join(tap, ","))
}

// PlayLine plays a file to one member of a room and to nobody else. The file is
// a path or a stream without blanks.
func PlayLine(room, file string, member int) string {
	return fmt.Sprintf("conference %s play %s %d", room, file, member)
}
