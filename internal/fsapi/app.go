package fsapi

import (
	"strconv"
	"strings"
	"time"
)

// An App is a dialplan application with its argument.
type App struct{ name, arg string }

// UncheckedApp is an App of any name and argument. Only tests use it; 'make lint'
// holds that.
func UncheckedApp(name, arg string) App { return App{name, arg} }

// Name returns the application's name.
func (a App) Name() string { return a.name }

// Arg returns the application's argument.
func (a App) Arg() string { return a.arg }

// ParseApp makes an App of an application that a variable names. The argument is
// printable ASCII without quotes, backslashes and ^.
func ParseApp(name, arg string) (App, error) {
	if !made(name, letters+digits+"_", 64) || arg != "" && !printable(arg, "'\"\\^`", 1024) || strings.TrimSpace(arg) != arg {
		return App{}, &ValueError{"application", name + ":" + arg}
	}
	return App{name, arg}, nil
}

// inline is the inline dialplan of applications: divided by commas, or by ^ where
// an argument holds a comma. It is empty if one of them is not checked.
func inline(apps []App) string {
	s := make([]string, len(apps))
	sep := ","
	for i, a := range apps {
		if a.name == "" {
			return ""
		}
		s[i] = a.name
		if a.arg != "" {
			s[i] += ":" + a.arg
		}
		if strings.Contains(a.arg, ",") {
			sep = "^"
		}
	}
	out := strings.Join(s, sep)
	if sep == "^" {
		out = "m:^:" + out
	}
	return out
}

// Answer answers a call.
func Answer() App { return App{name: "answer"} }

// Park parks a call.
func Park() App { return App{name: "park"} }

// Hangup ends a call.
func Hangup() App { return App{name: "hangup"} }

// StartDTMF listens for keys in a call's audio.
func StartDTMF() App { return App{name: "start_dtmf"} }

// FlushDTMF forgets keys that nobody asked for.
func FlushDTMF() App { return App{name: "flush_dtmf"} }

// Playback plays a sound to a call.
func Playback(s Sound) App { return with("playback", s.s) }

// Eavesdrop listens to a channel.
func Eavesdrop(c Channel) App { return with("eavesdrop", c.s) }

// Assign sets a variable of the call's.
func Assign(v Set) App { return with("set", sets([]Set{v}, "")) }

// Unassign takes a variable of the call's away.
func Unassign(v Var) App { return with("unset", v.s) }

// A Flag is a flag that a member of a conference joins with.
type Flag string

// The flags that livemon uses.
const (
	FlagMute Flag = "mute"
	FlagDeaf Flag = "deaf"
	FlagDTMF Flag = "dist-dtmf" // the member's keys go to all other members

	FlagSkipDTMF Flag = "skip-dtmf" // the member gets no keys of others
)

// Join brings a call into a room that has, or is to have, a profile. The name is
// always given with one: without it mod_conference would take what stands behind
// a name's last @ for the profile.
func Join(r Room, profile Var, flags ...Flag) App {
	if r.s == "" || profile.s == "" {
		return App{}
	}
	arg := r.s + "@" + profile.s
	for i, f := range flags {
		switch f {
		case FlagMute, FlagDeaf, FlagDTMF, FlagSkipDTMF:
		default:
			return App{}
		}
		if i == 0 {
			arg += "+flags{"
		} else {
			arg += "|"
		}
		arg += string(f)
	}
	if len(flags) > 0 {
		arg += "}"
	}
	return App{"conference", arg}
}

// Digits asks a caller for keys.
type Digits struct {
	Sound      Sound         // what is played
	Most       int           // keys, at least one
	Timeout    time.Duration // for the first key, and between two
	Terminator byte          // one of 0-9 * #, or 0 for none
	Keys       string        // the keys that are wanted, of 0-9 * #
	Silence    Sound         // what is played for keys that are not wanted
	Result     Var           // where the keys are put
}

// GetDigits is play_and_get_digits: one try.
func GetDigits(d Digits) App {
	const keys = digits + "*#"
	end := "none"
	if d.Terminator != 0 {
		end = string(d.Terminator)
	}
	if d.Sound.s == "" || d.Silence.s == "" || d.Result.s == "" || d.Most < 1 || d.Timeout <= 0 || !made(d.Keys, keys, len(keys)) ||
		d.Terminator != 0 && strings.IndexByte(keys, d.Terminator) < 0 {
		return App{}
	}
	return App{"play_and_get_digits", strings.Join([]string{"1", strconv.Itoa(d.Most), "1", strconv.FormatInt(d.Timeout.Milliseconds(), 10),
		end, d.Sound.s, d.Silence.s, d.Result.s, "^[" + d.Keys + "]+$"}, " ")}
}

// with is an application with an argument, which must not be empty.
func with(name, arg string) App {
	if arg == "" {
		return App{}
	}
	return App{name, arg}
}
