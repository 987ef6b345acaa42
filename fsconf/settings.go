package fsconf

import (
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Profile is the name of the conference profile of livemon's rooms, and
// Controls that of the caller-controls group with a supervisor's keys.
const (
	Profile  = "livemon"
	Controls = "livemon"
)

// What a key sequence asks for, as the switch reports it: the Data header of
// the conference event with Action "dtmf".
const (
	DataCoach    = "coach"
	DataMonitor  = "monitor"
	DataBarge    = "barge"
	DataTakeOver = "takeover"
	// DataSay: say which role he has.
	DataSay = "say"
	// DataFollow: go on with the agent's next calls after this one, or no longer.
	DataFollow = "follow"
	// DataUnknown: what he pressed asks for nothing. It is reported with the '#' that
	// ends it, or when no key has followed for the time between two keys.
	DataUnknown = "unknown"
)

// Limits of what Validate accepts.
const (
	maxSequence   = 8 // keys in one sequence
	maxSequences  = 8 // sequences for one action
	minInterDigit = 500 * time.Millisecond
	maxInterDigit = 10 * time.Second
	maxDialIn     = 16 // keys
	maxContext    = 64 // bytes
	maxHost       = 253
)

// rates are those that mod_conference accepts for a room.
var rates = []int{8000, 12000, 16000, 24000, 32000, 44100, 48000}

// Keys are the sequences a supervisor may press in a room. Each role has at
// least one; Say and Follow may have none: then no key asks for it.
type Keys struct {
	Coach    []string
	Monitor  []string
	Barge    []string
	TakeOver []string
	Say      []string
	Follow   []string
}

// WithDefaults gives Say and Follow their default sequences where they are nil
// (an empty list stays none), but for those that another action has, or that begin
// like one of another's: keys which were chosen before there were these two stay
// valid.
func (k Keys) WithDefaults() Keys {
	d := Defaults().Keys
	for _, o := range []struct{ have, def *[]string }{{&k.Say, &d.Say}, {&k.Follow, &d.Follow}} {
		if *o.have != nil {
			continue
		}
		taken := k.bindings()
		*o.have = slices.DeleteFunc(*o.def, func(digits string) bool {
			return slices.ContainsFunc(taken, func(b binding) bool {
				return strings.HasPrefix(b.Digits, digits) || strings.HasPrefix(digits, b.Digits)
			})
		})
	}
	return k
}

// binding is one key sequence and what it asks for.
type binding struct{ Digits, Data string }

// bindings lists all sequences in a fixed order.
func (k Keys) bindings() []binding {
	var out []binding
	for _, a := range k.actions() {
		for _, d := range a.digits {
			out = append(out, binding{d, a.data})
		}
	}
	return out
}

type action struct {
	data    string
	setting string
	digits  []string
}

func (k Keys) actions() []action {
	return []action{
		{DataCoach, "Keys.Coach", k.Coach},
		{DataMonitor, "Keys.Monitor", k.Monitor},
		{DataBarge, "Keys.Barge", k.Barge},
		{DataTakeOver, "Keys.TakeOver", k.TakeOver},
		{DataSay, "Keys.Say", k.Say},
		{DataFollow, "Keys.Follow", k.Follow},
	}
}

// Settings are what a shop may change. The zero value is not valid; start from
// Defaults.
type Settings struct {
	Keys Keys
	// InterDigit is the time a supervisor has between two keys of one sequence,
	// 500 ms (the least that FreeSWITCH accepts) to 10 s, in whole milliseconds.
	InterDigit time.Duration
	// DialIn is the feature code by which a supervisor dials in: DialIn followed
	// by the agent's extension. Empty means that there is no such extension.
	DialIn string
	// Outbound is the host:port of livemon's listener for dial-in calls, as the
	// switch reaches it.
	Outbound string
	// Context is the dialplan context of the supervisors' telephones.
	Context string
	// Rate is the sample rate of rooms in Hz. 0 takes that of the first party to
	// enter, so that a wideband call stays one; the others are resampled.
	Rate int
}

// Defaults are the settings of a stock installation.
func Defaults() Settings {
	return Settings{
		Keys: Keys{
			Coach:    []string{"4#"},
			Monitor:  []string{"5#"},
			Barge:    []string{"6#", "0#"},
			TakeOver: []string{"1#"},
			Say:      []string{"9#"},
			Follow:   []string{"7#"},
		},
		InterDigit: 3 * time.Second,
		DialIn:     "*88",
		Outbound:   "127.0.0.1:8084",
		Context:    "default",
	}
}

// SettingsError says which setting is not acceptable, and why.
type SettingsError struct {
	Setting string // the field, as in "Keys.Coach"
	Problem string
}

func (e *SettingsError) Error() string { return "setting " + e.Setting + ": " + e.Problem }

func badSetting(name, format string, args ...any) error {
	return &SettingsError{Setting: name, Problem: fmt.Sprintf(format, args...)}
}

// Validate returns a *SettingsError for the first setting that cannot be
// installed, and nil when all can.
func (s Settings) Validate() error {
	if err := s.Keys.validate(); err != nil {
		return err
	}
	switch {
	case s.InterDigit < minInterDigit || s.InterDigit > maxInterDigit:
		return badSetting("InterDigit", "%v is not between %v and %v", s.InterDigit, minInterDigit, maxInterDigit)
	case s.InterDigit%time.Millisecond != 0:
		return badSetting("InterDigit", "%v is not a whole number of milliseconds", s.InterDigit)
	case len(s.DialIn) > maxDialIn:
		return badSetting("DialIn", "longer than %d keys", maxDialIn)
	case !onlyKeys(s.DialIn):
		return badSetting("DialIn", "%q holds something that is not a telephone key (0-9 * #)", clip(s.DialIn))
	case s.Rate != 0 && !slices.Contains(rates, s.Rate):
		return badSetting("Rate", "%d is not one of 0 (that of the first party) or %v", s.Rate, rates)
	}
	if err := validateContext(s.Context); err != nil {
		return err
	}
	_, err := s.socketAddress()
	return err
}

func (k Keys) validate() error {
	setting := map[string]string{}
	for _, a := range k.actions() {
		setting[a.data] = a.setting
		switch {
		case len(a.digits) == 0 && !optional(a.data):
			return badSetting(a.setting, "has no key sequence")
		case len(a.digits) > maxSequences:
			return badSetting(a.setting, "has more than %d key sequences", maxSequences)
		}
		for _, d := range a.digits {
			switch {
			case d == "":
				return badSetting(a.setting, "holds an empty key sequence")
			case len(d) > maxSequence:
				return badSetting(a.setting, "holds a sequence of more than %d keys", maxSequence)
			case !onlyKeys(d):
				return badSetting(a.setting, "%q holds something that is not a telephone key (0-9 * #)", clip(d))
			}
		}
	}
	all := k.bindings()
	for i, a := range all {
		for _, b := range all[i+1:] {
			switch {
			case a.Digits == b.Digits:
				return badSetting(setting[b.Data], "%q is used twice", b.Digits)
			case strings.HasPrefix(a.Digits, b.Digits), strings.HasPrefix(b.Digits, a.Digits):
				return badSetting(setting[b.Data], "%q and %q begin alike: the switch could not tell them apart", a.Digits, b.Digits)
			}
		}
	}
	return nil
}

func validateContext(c string) error {
	switch {
	case c == "" || len(c) > maxContext:
		return badSetting("Context", "must have 1 to %d characters", maxContext)
	case c[0] == '.' || c[0] == '-' || !onlyOf(c, alnum+"_.-"):
		return badSetting("Context", "%q is not a name of letters, digits, '_', '.' and '-'", clip(c))
	}
	return nil
}

// socketAddress is Outbound as the socket application takes it: an IPv6
// address stands there without brackets.
func (s Settings) socketAddress() (string, error) {
	host, port, err := net.SplitHostPort(s.Outbound)
	if err != nil {
		return "", badSetting("Outbound", "%q is not host:port", clip(s.Outbound))
	}
	n, err := strconv.Atoi(port)
	if err != nil || n < 1 || n > 65535 || !onlyOf(port, "0123456789") {
		return "", badSetting("Outbound", "%q is not a port", clip(port))
	}
	addr, err := netip.ParseAddr(host)
	switch {
	case err == nil && addr.IsUnspecified(), host == "":
		return "", badSetting("Outbound", "%q is no address that the switch could call: say which one of this machine's it is", clip(s.Outbound))
	case err == nil && addr.Zone() == "":
		return host + ":" + strconv.Itoa(n), nil
	case len(host) > maxHost || host[0] == '-' || !onlyOf(host, alnum+".-"):
		return "", badSetting("Outbound", "%q is neither an address nor a host name", clip(host))
	}
	return host + ":" + strconv.Itoa(n), nil
}

const alnum = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"

func onlyKeys(s string) bool { return onlyOf(s, "0123456789*#") }

func onlyOf(s, set string) bool {
	for i := 0; i < len(s); i++ {
		if strings.IndexByte(set, s[i]) < 0 {
			return false
		}
	}
	return true
}

// clip bounds what a message repeats of a value from outside.
func clip(s string) string {
	const most = 80
	if len(s) > most {
		return s[:most] + "..."
	}
	return s
}
