package conference

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"livemon/internal/fsapi"
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

	SetReach // the room is heard through the tap, which is Member, as far as Reach
)

// SettleTime is how long what a member said before he was muted may still be
// mixed: three frames mostly, but his buffer holds half a second.
const SettleTime = 520 * time.Millisecond

func (o Op) String() string {
	return [...]string{"lock", "relate", "clear", "mute", "unmute", "deaf", "undeaf", "settle", "remove", "whisper", "hush", "reach"}[o]
}

// Command is one step of a plan.
type Command struct {
	Op     Op
	Member int
	Others []int // of Relate and Clear

	NoSpeak bool // of Relate: Others do not hear Member
	NoHear  bool // of Relate: Member does not hear Others

	Reach Reach // of SetReach
}

func (c Command) String() string {
	switch c.Op {
	case Lock, Settle:
		return c.Op.String()
	case Relate:
		return fmt.Sprintf("%s %d %s %s", c.Op, c.Member, ids(c.Others), c.relation())
	case Clear:
		return fmt.Sprintf("%s %d %s", c.Op, c.Member, ids(c.Others))
	case SetReach:
		return fmt.Sprintf("%s %s", c.Op, c.Reach)
	default:
		return fmt.Sprintf("%s %d", c.Op, c.Member)
	}
}

// Line is the command for a room. Settle, Whisper, Hush and SetReach have none: it
// is zero.
func (c Command) Line(room fsapi.Room) fsapi.Line {
	switch c.Op {
	case Lock:
		return fsapi.Lock(room)
	case Relate:
		return fsapi.Relate(room, c.Member, c.Others, c.relation())
	case Clear:
		return fsapi.Relate(room, c.Member, c.Others, fsapi.Unrelated)
	case Mute:
		return fsapi.Mute(room, c.Member)
	case Unmute:
		return fsapi.Unmute(room, c.Member)
	case Deaf:
		return fsapi.Deaf(room, c.Member)
	case Undeaf:
		return fsapi.Undeaf(room, c.Member)
	case Remove:
		return fsapi.Kick(room, c.Member)
	default:
		return fsapi.Line{}
	}
}

// Done tells whether mod_conference's reply to the command says that it took
// effect for everybody it names.
func (c Command) Done(reply string) bool {
	switch c.Op {
	case Settle, Whisper, Hush, SetReach:
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
func (c Command) relation() fsapi.Relation {
	switch {
	case c.NoSpeak && c.NoHear:
		return fsapi.NoSpeakNoHear
	case c.NoHear:
		return fsapi.NoHear
	}
	return fsapi.NoSpeak
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
// vars are set on both ends.
func WhisperLine(leg, pupil, supervisor fsapi.Channel, vars ...fsapi.Set) fsapi.Line {
	uuid, err := fsapi.ParseValue(leg.String())
	if err != nil {
		return fsapi.Line{}
	}
	yes, no := fsapi.Bool(true), fsapi.Bool(false)
	toPupil, fromPupil := fsapi.Name("eavesdrop_bridge_bleg"), fsapi.Name("eavesdrop_bridge_aleg")
	whisper := fsapi.Name("eavesdrop_whisper_bleg")
	vars = append([]fsapi.Set{
		{Name: fsapi.Name("origination_uuid"), Value: uuid},
		{Name: fsapi.Name("origination_caller_id_name"), Value: fsapi.Const("livemon")},
		{Name: fsapi.Name("loopback_bowout"), Value: no},
		{Name: fsapi.Name("loopback_bowout_on_execute"), Value: no},
		{Name: fsapi.Name("eavesdrop_enable_dtmf"), Value: no},
		{Name: toPupil, Value: yes},
		{Name: whisper, Value: yes},
	}, vars...)
	// The variables reach both ends. Those that the pupil's end needs are taken off
	// the supervisor's, which is to read what he says and nothing else.
	tap := []fsapi.App{fsapi.Unassign(toPupil), fsapi.Unassign(whisper), fsapi.Assign(fsapi.Set{Name: fromPupil, Value: yes}), fsapi.Eavesdrop(supervisor)}
	return fsapi.OriginateInto(fsapi.Eavesdrop(pupil), tap, vars...)
}
