package monitor

import (
	"fmt"
	"log/slog"
	"path"
	"regexp"
	"strings"
	"time"

	"livemon/fsconf"
	"livemon/internal/fault"
)

// NodeConfig is one switch that this controller may act on.
type NodeConfig struct {
	Name     string // the same for every controller that shares the store; default: Addr
	Addr     string // host:port of the event socket
	Password string
}

// DialRule turns a supervisor's telephone number into a dial string.
type DialRule struct {
	Match string // regular expression that the whole number must match
	To    string // dial string; $0 is the number, $1 and on the expression's groups
}

// Config is what a Monitor needs to know. Zero values have sensible defaults,
// which New fills in.
type Config struct {
	Nodes    []NodeConfig
	Dial     []DialRule      // the first that matches; default: two to six digits are user/NUMBER
	Outbound string          // address that supervisors who dial in are sent to; "" is none
	Settings fsconf.Settings // keys and feature code, as installed on the switches; default fsconf.Defaults()

	// NeverMonitor are agents whom nobody may listen to: names or patterns with *
	// and ?, matched against agent name, extension, and extension without domain.
	NeverMonitor []string
	// TrustCallerID lets supervisors who dial in be known by their caller id where
	// the switch has not authenticated them. Anybody can send any caller id.
	TrustCallerID bool

	Owner          string // this controller's name in leases; default: random
	DialInCoaching bool   // whether supervisors who dial in may coach, barge in and take over

	RingTimeout time.Duration // how long a supervisor's telephone rings; default 30 s
	MoveTimeout time.Duration // for pupil and user to arrive in a room, or in a bridge again; default 2 s
	JoinTimeout time.Duration // for a supervisor to arrive in a room; default 3 s
	LeaseTTL    time.Duration // how long a dead controller's nodes stay its own; default 5 s
	DeadAfter   time.Duration // how long a switch may be away before its sessions are given up; default 30 s
	SettleAfter time.Duration // how long a party must have been away before the call is ended for the other; default 700 ms

	// ESL are the event socket's timeouts. Addr and Password are not used.
	CommandTimeout time.Duration // default 5 s
	Heartbeat      time.Duration // default 5 s
	BackoffMin     time.Duration // default 100 ms
	BackoffMax     time.Duration // default 5 s

	Logger *slog.Logger
}

func (c *Config) setDefaults() {
	def := func(d *time.Duration, v time.Duration) {
		if *d <= 0 {
			*d = v
		}
	}
	def(&c.RingTimeout, 30*time.Second)
	def(&c.MoveTimeout, 2*time.Second)
	def(&c.JoinTimeout, 3*time.Second)
	def(&c.LeaseTTL, 5*time.Second)
	def(&c.DeadAfter, 30*time.Second)
	def(&c.SettleAfter, 700*time.Millisecond)
	def(&c.CommandTimeout, 5*time.Second)
	def(&c.Heartbeat, 5*time.Second)
	def(&c.BackoffMin, 100*time.Millisecond)
	def(&c.BackoffMax, 5*time.Second)
	if len(c.Dial) == 0 {
		c.Dial = DefaultDial()
	}
	if len(c.Settings.Keys.Coach) == 0 {
		c.Settings = fsconf.Defaults()
	}
	if c.Owner == "" {
		c.Owner = "livemon-" + newID()
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
}

// DefaultDial rings extensions of two to six digits, and nothing else: calling
// out through a gateway costs money and must be asked for.
func DefaultDial() []DialRule {
	return []DialRule{{Match: `\d{2,6}`, To: "user/$0"}}
}

// dialPlan is the compiled form of the dial rules.
type dialPlan []struct {
	match *regexp.Regexp
	to    string
}

func compileDial(rules []DialRule) (dialPlan, error) {
	var p dialPlan
	for _, r := range rules {
		re, err := regexp.Compile(`^(?:` + r.Match + `)$`)
		if err != nil {
			return nil, fmt.Errorf("dial rule %q: %w", r.Match, err)
		}
		if strings.TrimSpace(r.To) == "" || strings.ContainsAny(r.To, "\r\n\x00") {
			return nil, fmt.Errorf("dial rule %q: the dial string is empty or has a line break", r.Match)
		}
		p = append(p, struct {
			match *regexp.Regexp
			to    string
		}{re, r.To})
	}
	return p, nil
}

// validNumber allows only what cannot mean anything else in a dial string: no
// comma, brace, bracket, bar, blank or dollar sign.
var validNumber = regexp.MustCompile(`^[0-9A-Za-z+*#._@-]{1,64}$`)

// dialString returns the dial string for a number.
func (p dialPlan) dialString(number string) (string, error) {
	if !validNumber.MatchString(number) {
		return "", badRequest("the telephone number %.70q has characters that no number has; use digits, letters and + * # . _ @ -", number)
	}
	for _, r := range p {
		m := r.match.FindStringSubmatchIndex(number)
		if m == nil {
			continue
		}
		return string(r.match.ExpandString(nil, expandable(r.to), number, m)), nil
	}
	return "", badRequest("no dial rule matches the number %q; give 'serve' a --dial rule for numbers like it", number)
}

var plainGroup = regexp.MustCompile(`\$(\d+)`)

// expandable turns $1 into ${1}, so that "$1@domain" means group 1, and leaves
// FreeSWITCH's own ${variables} alone.
func expandable(to string) string {
	to = strings.ReplaceAll(to, "${", "\x00")
	to = plainGroup.ReplaceAllString(to, "$${$1}")
	return strings.ReplaceAll(to, "\x00", "$${")
}

// never tells whether nobody may listen to an agent.
func (c *Config) never(agent, extension string) (string, bool) {
	user, _, _ := strings.Cut(extension, "@")
	for _, p := range c.NeverMonitor {
		for _, name := range []string{agent, extension, user} {
			if ok, err := path.Match(p, name); err == nil && ok && name != "" {
				return p, true
			}
		}
	}
	return "", false
}

// sameTelephone tells whether a supervisor's number is an agent's own extension:
// nobody listens to himself.
func sameTelephone(phone, agent, extension string) bool {
	for _, x := range []string{agent, extension} {
		user, _, _ := strings.Cut(x, "@")
		if x != "" && (phone == x || phone == user) {
			return true
		}
	}
	return false
}

func notAllowed(detail string) error { return fault.New(fault.NotAllowed, "start session", detail) }
