package fsapi

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Kill hangs a channel up, as NORMAL_CLEARING.
func Kill(c Channel) Line { return words("uuid_kill", c.s, "NORMAL_CLEARING") }

// KillMarked hangs up every channel with a variable of that value.
func KillMarked(v Var, value Value) Line { return words("hupall", "NORMAL_CLEARING", v.s, value.s) }

// ParkChannel parks a channel.
func ParkChannel(c Channel) Line { return words("uuid_park", c.s) }

// AnswerChannel answers a channel.
func AnswerChannel(c Channel) Line { return words("uuid_answer", c.s) }

// Bridge connects two channels with each other.
func Bridge(a, b Channel) Line { return words("uuid_bridge", a.s, b.s) }

// Media brings the media of a call in bypass-media mode back to the switch.
func Media(c Channel) Line { return words("uuid_media", c.s) }

// SetVar sets a channel's variable.
func SetVar(c Channel, v Var, value Value) Line { return words("uuid_setvar", c.s, v.s, value.s) }

// Unset takes a channel's variable away.
func Unset(c Channel, v Var) Line { return words("uuid_setvar", c.s, v.s) }

// SetVars sets several variables of a channel.
func SetVars(c Channel, vars ...Set) Line { return words("uuid_setvar_multi", c.s, sets(vars, ";")) }

// ClearVars empties several variables of a channel.
func ClearVars(c Channel, vars ...Var) Line {
	s := ""
	for _, v := range vars {
		if v.s == "" {
			return Line{}
		}
		s += v.s + "=;"
	}
	return words("uuid_setvar_multi", c.s, s)
}

// PressKey has a channel take a key as if its telephone had sent it. It is the zero
// Line for anything but 0-9 * #.
func PressKey(c Channel, key byte) Line {
	if !made(string(rune(key)), digits+"*#", 1) {
		return Line{}
	}
	return words("uuid_recv_dtmf", c.s, string(rune(key)))
}

// Broadcast plays a sound to a channel: to its own party alone.
func Broadcast(c Channel, s Sound) Line { return words("uuid_broadcast", c.s, s.s, "aleg") }

// DetectTone reports a tone that a channel hears, by a DETECTED_TONE event.
func DetectTone(c Channel, key Value, hz int) Line {
	if hz <= 0 {
		return Line{}
	}
	return words("tone_detect", c.s, key.s, strconv.Itoa(hz), "w")
}

// Transfer sends a channel to applications, one after the other.
func Transfer(c Channel, apps ...App) Line {
	return words("uuid_transfer", c.s, quoted(inline(apps)), "inline")
}

// TransferBoth sends a channel and the one that it is bridged with to the same
// applications.
func TransferBoth(c Channel, apps ...App) Line {
	return words("uuid_transfer", c.s, "-both", quoted(inline(apps)), "inline")
}

// TransferTo sends a channel to an extension.
func TransferTo(c Channel, e Extension) Line {
	number := e.number
	if strings.ContainsAny(number, " ,") {
		number = quoted(number)
	}
	w := []string{"uuid_transfer", c.s, number}
	for _, part := range []string{e.dialplan, e.context} {
		if part != "" {
			w = append(w, part)
		}
	}
	return words(w...)
}

// Originate dials, and parks the channel that answers. The variables are set on
// every channel that it makes.
func Originate(d Dial, vars ...Set) Line {
	s := sets(vars, ",")
	if d.s == "" || s == "" {
		return Line{}
	}
	return words("originate", "{"+s+"}"+d.s, "&park()")
}

// Loopback makes a loopback, and parks both its ends. The variables are set on both.
func Loopback(vars ...Set) Line {
	s := sets(vars, ",")
	if s == "" {
		return Line{}
	}
	return words("originate", "{"+s+"}loopback/app=park", "&park()")
}

// OriginateInto makes a loopback: its far end executes an application, and its
// near end others, one after the other. The variables are set on both ends.
func OriginateInto(far App, near []App, vars ...Set) Line {
	s, in := sets(vars, ","), inline(near)
	if far.name == "" || s == "" || in == "" {
		return Line{}
	}
	app := far.name
	if far.arg != "" {
		app += ":" + far.arg
	}
	return words("originate", "{"+s+"}loopback/app="+app, quoted(in), "inline")
}

// NotReady keeps mod_callcenter's agent from calls until then.
func NotReady(a Agent, until time.Time) Line {
	return words("callcenter_config", "agent", "set", "ready_time", quoted(a.s), fmt.Sprint(until.Unix()))
}

// An AgentState is one of mod_callcenter's states of an agent.
type AgentState string

// The states that livemon sets.
const (
	AgentWaiting AgentState = "Waiting"
	AgentIdle    AgentState = "Idle"
	AgentInCall  AgentState = "In a queue call"
)

// SetAgentState sets the state of mod_callcenter's agent.
func SetAgentState(a Agent, s AgentState) Line {
	switch s {
	case AgentWaiting, AgentIdle, AgentInCall:
		return words("callcenter_config", "agent", "set", "state", quoted(a.s), quoted(string(s)))
	}
	return Line{}
}
