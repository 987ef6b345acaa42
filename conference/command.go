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
	Relate    // Member is no longer heard by Others
	Unhear    // Member no longer hears Others: the same, kept on the other side
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

// SettleTime is how long a mute takes to be certain in every buffer: three
// frames of 20 ms.
const SettleTime = 60 * time.Millisecond

func (o Op) String() string {
	return [...]string{"lock", "relate", "unhear", "clear", "mute", "unmute", "deaf", "undeaf", "settle", "remove", "whisper", "hush"}[o]
}

// Command is one step of a plan.
type Command struct {
	Op     Op
	Member int
	Others []int // of Relate, Unhear and Clear
}

func (c Command) String() string {
	switch c.Op {
	case Lock, Settle:
		return c.Op.String()
	case Relate, Unhear, Clear:
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
		return fmt.Sprintf("%s relate %d %s nospeak", room, c.Member, ids(c.Others))
	case Unhear:
		return fmt.Sprintf("%s relate %d %s nohear", room, c.Member, ids(c.Others))
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
	case Relate, Unhear:
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
	case Relate:
		for _, o := range c.Others {
			if !slices.Contains(m.NoSpeak, o) {
				m.NoSpeak = append(m.NoSpeak, o)
			}
			m.NoHear = slices.DeleteFunc(m.NoHear, func(x int) bool { return x == o })
		}
	case Unhear:
		for _, o := range c.Others {
			if !slices.Contains(m.NoHear, o) {
				m.NoHear = append(m.NoHear, o)
			}
			m.NoSpeak = slices.DeleteFunc(m.NoSpeak, func(x int) bool { return x == o })
		}
	case Clear:
		m.NoSpeak = slices.DeleteFunc(m.NoSpeak, func(x int) bool { return slices.Contains(c.Others, x) })
		m.NoHear = slices.DeleteFunc(m.NoHear, func(x int) bool { return slices.Contains(c.Others, x) })
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

func ids(v []int) string {
	s := make([]string, len(v))
	for i, n := range v {
		s[i] = strconv.Itoa(n)
	}
	return strings.Join(s, ",")
}

// PlayLine plays a file to one member of a room and to nobody else. The file is
// a path or a stream without blanks.
func PlayLine(room, file string, member int) string {
	return fmt.Sprintf("conference %s play %s %d", room, file, member)
}
