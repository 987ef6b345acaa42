package monitor

import (
	"log/slog"
	"net/netip"
	"path"
	"strings"
	"time"

	"livemon/fsconf"
	"livemon/internal/config"
	"livemon/internal/fault"
	"livemon/internal/seal"
)

// NodeConfig is one switch that this controller may act on.
type NodeConfig struct {
	Name     string // the same for every controller that shares the store; default: Addr
	Addr     string // host:port of the event socket
	Password string
}

// Config is what a Monitor needs to know. Zero values have sensible defaults,
// which New fills in.
type Config struct {
	Nodes    []NodeConfig
	Dial     *config.DialPlan // how supervisors' telephones are rung; default: that of config.Default
	Outbound string           // address that supervisors who dial in are sent to; "" is none
	Settings fsconf.Settings  // keys and feature code, as installed on the switches; default fsconf.Defaults()

	// NeverMonitor are agents whom nobody may listen to: names or patterns with *
	// and ?, matched against agent name, extension, and extension without domain.
	NeverMonitor []string
	// TrustCallerID lets supervisors who dial in be known by their caller id where
	// the switch has not authenticated them. Anybody can send any caller id.
	TrustCallerID bool
	// TrustedPresence are networks whose SIP telephones are believed to be who they
	// say although they have not authenticated themselves.
	TrustedPresence []netip.Prefix

	// Policy says who may do what; default: everything is allowed.
	Policy Policy

	// InBandKeys has the switch listen for keys in supervisors' audio, for telephones
	// and gateways that can send them in no other way.
	InBandKeys bool

	// Secret is what marks on legs and names of rooms are made with: the same at
	// every controller that shares the store.
	Secret     seal.Key
	SecretFile string // where it comes from, for messages

	Owner          string // this controller's name in leases; default: random
	DialInPIN      string // PINByAccount, the default, or PINAlways
	DialInAnywhere bool   // whether supervisors may dial in from telephones that are not theirs, with extension and PIN
	DialInCoaching bool   // whether supervisors who dial in may coach, barge in and take over

	// FollowTransfers lets a session follow a customer whom the agent transfers to
	// another agent, instead of ending. He is waited for for FollowTimeout.
	FollowTransfers bool
	FollowTimeout   time.Duration // default one minute

	RingTimeout time.Duration // how long a supervisor's telephone rings; default 30 s
	MoveTimeout time.Duration // for pupil and user to arrive in a room, or in a bridge again; default 1.5 s
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
	def(&c.MoveTimeout, 1500*time.Millisecond)
	def(&c.JoinTimeout, 3*time.Second)
	def(&c.FollowTimeout, time.Minute)
	def(&c.LeaseTTL, 5*time.Second)
	def(&c.DeadAfter, 30*time.Second)
	def(&c.SettleAfter, 700*time.Millisecond)
	def(&c.CommandTimeout, 5*time.Second)
	def(&c.Heartbeat, 5*time.Second)
	def(&c.BackoffMin, 100*time.Millisecond)
	def(&c.BackoffMax, 5*time.Second)
	if c.Dial == nil {
		c.Dial, _ = config.CompileDial(config.Default().Dial) // a test holds it to be valid
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

// numberChars are those of telephone numbers: nothing that could mean anything
// else in a dial string or a command.
const numberChars = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz+*#._@-"

// validNumber tells whether s can be a telephone number.
func validNumber(s string) bool {
	return s != "" && len(s) <= 64 && strings.Trim(s, numberChars) == ""
}

// never tells whether nobody may listen to an agent.
func (c *Config) never(agent, extension string) (string, bool) {
	user, _, _ := strings.Cut(extension, "@")
	short, _, _ := strings.Cut(agent, "@")
	for _, p := range c.NeverMonitor {
		for _, name := range []string{agent, short, extension, user} {
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
