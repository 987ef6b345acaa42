package config

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"livemon/fsconf"
	"livemon/internal/access"
)

// Embedded is the value of Redis that asks for a store inside the process.
const Embedded = "embedded"

// What a session may do when the agent transfers the customer to another agent.
const (
	TransferEnds   = "end"
	TransferFollow = "follow"
)

// Who is asked for a PIN when he dials in.
const (
	PINByAccount = "account" // whose account has one
	PINAlways    = "always"  // everybody: whose account has none cannot dial in
)

const (
	minRing = time.Second
	maxRing = 5 * time.Minute
)

// Node is one switch.
type Node struct {
	Name     string `yaml:"name"` // default: Addr
	Addr     string `yaml:"addr"` // host:port of its event socket
	Password string `yaml:"password,omitempty"`
}

// DialRule says how a supervisor's telephone is rung; see CompileDial.
type DialRule struct {
	Match string `yaml:"match"`
	To    string `yaml:"to"`
}

// Keys are the sequences that a supervisor may press in a room.
type Keys struct {
	Coach    []string `yaml:"coach"`
	Monitor  []string `yaml:"monitor"`
	Barge    []string `yaml:"barge"`
	TakeOver []string `yaml:"takeover"`
	Say      []string `yaml:"say"`    // may be empty; where it is left out, the default as far as no other action has it
	Follow   []string `yaml:"follow"` // the same
}

// FSConf is what goes into the switch's configuration besides the keys; see fsconf.Settings.
type FSConf struct {
	InterDigit time.Duration `yaml:"inter-digit"`
	DialIn     string        `yaml:"dial-in"`
	Socket     string        `yaml:"socket"` // Outbound as the switch reaches it; default: Outbound
	Context    string        `yaml:"context"`
	Rate       int           `yaml:"rate"`
}

// Config is everything that serve can be told. Its field names in YAML are the
// names of serve's flags.
type Config struct {
	FreeSWITCH []Node     `yaml:"freeswitch"`
	Password   string     `yaml:"password"` // of nodes that have none of their own
	Redis      string     `yaml:"redis"`    // a URL, or Embedded
	Listen     string     `yaml:"listen"`   // of the HTTP API and the panel
	Outbound   string     `yaml:"outbound"` // of the outbound event socket; empty is off
	Dial       []DialRule `yaml:"dial"`
	Keys       Keys       `yaml:"keys"`
	FSConf     FSConf     `yaml:"fsconf"`
	// TLSCert and TLSKey are PEM files, or both empty: then there is no TLS.
	TLSCert string `yaml:"tls-cert"`
	TLSKey  string `yaml:"tls-key"`
	// TrustedProxies are addresses, or networks as in 10.0.0.0/8, of proxies whose
	// X-Forwarded-For and X-Forwarded-Proto count.
	TrustedProxies []string `yaml:"trusted-proxies"`
	NeverMonitor   []string `yaml:"never-monitor"` // agents, as patterns with * ? [a-z]
	NeverNumbers   []string `yaml:"never-numbers"` // users' numbers, as patterns with * ?
	NeverMarks     []string `yaml:"never-marks"`   // channel variables that mark a call: NAME or NAME=PATTERN
	TrustCallerID  bool     `yaml:"trust-caller-id"`
	// TrustedPresence are addresses, or networks, of SIP telephones that are believed
	// to be who they say without a password.
	TrustedPresence []string `yaml:"trusted-presence"`
	// OperatorListens lets the machine's own token listen although there are accounts.
	OperatorListens bool `yaml:"operator-listens"`
	// DialInCoaching is whether supervisors who dial in may coach, barge in and take over.
	DialInCoaching bool          `yaml:"dial-in-coaching"`
	DialInPIN      string        `yaml:"dial-in-pin"`      // PINByAccount or PINAlways
	DialInAnywhere bool          `yaml:"dial-in-anywhere"` // whether supervisors may dial in from others' telephones, with extension and PIN
	InBandKeys     bool          `yaml:"inband-keys"`      // supervisors' keys may come as tones
	OnTransfer     string        `yaml:"on-transfer"`      // TransferEnds or TransferFollow: what a session does when the customer is transferred
	RingTimeout    time.Duration `yaml:"ring-timeout"`     // one second to five minutes
	AuditKeep      Age           `yaml:"audit-keep"`       // how old audit records become; 0 keeps them for ever
	LogLevel       string        `yaml:"log-level"`        // debug, info, warn or error
	LogJSON        bool          `yaml:"log-json"`
	TokenFile      string        `yaml:"token-file"`  // default: TokenPath
	SecretFile     string        `yaml:"secret-file"` // default: SecretPath
}

// Default is the configuration of a trial on one machine with a stock FreeSWITCH.
func Default() Config {
	s := fsconf.Defaults()
	return Config{
		FreeSWITCH:     []Node{{Addr: "127.0.0.1:8021"}},
		Password:       "ClueCon",
		Redis:          "redis://127.0.0.1:6379/0",
		Listen:         "127.0.0.1:8090",
		Outbound:       s.Outbound,
		Dial:           []DialRule{{Match: `\d{2,6}`, To: "user/$0"}},
		Keys:           Keys(s.Keys),
		FSConf:         FSConf{InterDigit: s.InterDigit, DialIn: s.DialIn, Context: s.Context, Rate: s.Rate},
		NeverMarks:     []string{access.DefaultMark},
		DialInCoaching: true,
		DialInPIN:      PINByAccount,
		OnTransfer:     TransferEnds,
		RingTimeout:    30 * time.Second,
		LogLevel:       "info",
	}
}

// Error says which setting is wrong, and why. It quotes no password.
type Error struct {
	Setting string // as in the file and among the flags
	Problem string
}

func (e *Error) Error() string { return e.Setting + ": " + e.Problem }

func bad(setting, format string, args ...any) error {
	return &Error{Setting: setting, Problem: fmt.Sprintf(format, args...)}
}

// Validate returns an *Error for the first setting that cannot be used, and
// fills in the names and passwords that nodes lack.
func (c *Config) Validate() error {
	if err := c.validateNodes(); err != nil {
		return err
	}
	if err := validateRedis(c.Redis); err != nil {
		return err
	}
	if err := validateAddr("listen", c.Listen, 0); err != nil {
		return err
	}
	if c.Outbound != "" {
		if err := validateAddr("outbound", c.Outbound, 0); err != nil {
			return err
		}
	}
	if _, err := CompileDial(c.Dial); err != nil {
		return err
	}
	for _, p := range c.NeverMonitor {
		if _, err := path.Match(p, ""); err != nil || p == "" {
			return bad("never-monitor", "%q is not a pattern; * stands for anything, ? for one character", p)
		}
	}
	if err := validateNever(c.NeverNumbers, c.NeverMarks); err != nil {
		return err
	}
	if (c.TLSCert == "") != (c.TLSKey == "") {
		return bad("tls-cert", "tls-cert and tls-key belong together")
	}
	if _, err := c.Proxies(); err != nil {
		return err
	}
	if _, err := c.Presence(); err != nil {
		return err
	}
	if c.DialInPIN != PINByAccount && c.DialInPIN != PINAlways {
		return bad("dial-in-pin", "%q is not %s or %s", c.DialInPIN, PINByAccount, PINAlways)
	}
	if c.OnTransfer != TransferEnds && c.OnTransfer != TransferFollow {
		return bad("on-transfer", "%q is not %s or %s", c.OnTransfer, TransferEnds, TransferFollow)
	}
	if c.RingTimeout < minRing || c.RingTimeout > maxRing {
		return bad("ring-timeout", "%v is not between %v and %v", c.RingTimeout, minRing, maxRing)
	}
	if err := c.validateAuditKeep(); err != nil {
		return err
	}
	if _, err := c.Level(); err != nil {
		return err
	}
	return c.validateSettings()
}

// validateSettings gives fsconf's errors the names that they have here.
func (c *Config) validateSettings() error {
	err := c.Settings().Validate()
	var s *fsconf.SettingsError
	if !errors.As(err, &s) {
		return err
	}
	names := map[string]string{"InterDigit": "fsconf: inter-digit", "DialIn": "fsconf: dial-in",
		"Outbound": "fsconf: socket", "Context": "fsconf: context", "Rate": "fsconf: rate"}
	if name, ok := names[s.Setting]; ok {
		return bad(name, "%s", s.Problem)
	}
	return bad(strings.ToLower(strings.Replace(s.Setting, ".", ": ", 1)), "%s", s.Problem)
}

func (c *Config) validateNodes() error {
	if len(c.FreeSWITCH) == 0 {
		return bad("freeswitch", "at least one switch is needed, as host:port of its event socket")
	}
	c.FreeSWITCH = slices.Clone(c.FreeSWITCH)
	names, addrs := map[string]bool{}, map[string]bool{}
	for i := range c.FreeSWITCH {
		n := &c.FreeSWITCH[i]
		if err := validateAddr("freeswitch", n.Addr, 1); err != nil {
			return err
		}
		if n.Name == "" {
			n.Name = n.Addr
		}
		if len(n.Name) > 64 || strings.ContainsFunc(n.Name, func(r rune) bool { return !isName(r) }) {
			return bad("freeswitch", "the name %q may have 64 letters, digits and . _ : - [ ] only", n.Name)
		}
		if names[n.Name] || addrs[n.Addr] {
			return bad("freeswitch", "%s is given twice", n.Name)
		}
		names[n.Name], addrs[n.Addr] = true, true
		if n.Password == "" {
			n.Password = c.Password
		}
		if n.Password == "" || strings.ContainsFunc(n.Password, unicode.IsControl) {
			return bad("password", "the password of %s is empty or holds a control character", n.Name)
		}
	}
	return nil
}

func isName(r rune) bool {
	return r < unicode.MaxASCII && (unicode.IsLetter(r) || unicode.IsDigit(r) || strings.ContainsRune("._:-[]", r))
}

// validateAddr checks host:port. A port of 0 lets the system choose.
func validateAddr(setting, addr string, minPort int) error {
	host, port, err := net.SplitHostPort(addr)
	n, perr := strconv.Atoi(port)
	if err != nil || perr != nil || n < minPort || n > 65535 {
		return bad(setting, "%q is not host:port, as in 127.0.0.1:8021", addr)
	}
	if strings.ContainsFunc(host, func(r rune) bool { return r <= ' ' || r == 0x7f || strings.ContainsRune(`/@,;"'<>`, r) }) {
		return bad(setting, "%q has no usable host", addr)
	}
	if minPort > 0 && host == "" {
		return bad(setting, "%q lacks the host", addr)
	}
	return nil
}

// validateRedis checks what can be checked without the client that will use it.
func validateRedis(s string) error {
	if s == Embedded {
		return nil
	}
	scheme, rest, ok := strings.Cut(s, "://")
	known := []string{"redis", "rediss", "unix", "redis+sentinel", "rediss+sentinel", "redis+cluster", "rediss+cluster"}
	if !ok || rest == "" || !slices.Contains(known, scheme) || strings.ContainsFunc(s, unicode.IsControl) {
		return bad("redis", "it must be a URL as in redis://127.0.0.1:6379/0 (also rediss, unix, redis+sentinel, redis+cluster), or the word embedded")
	}
	return nil
}

// Level is LogLevel as log/slog knows it.
func (c *Config) Level() (slog.Level, error) {
	switch c.LogLevel {
	case "debug":
		return slog.LevelDebug, nil
	case "info":
		return slog.LevelInfo, nil
	case "warn":
		return slog.LevelWarn, nil
	case "error":
		return slog.LevelError, nil
	}
	return 0, bad("log-level", "%q is not one of debug, info, warn and error", c.LogLevel)
}

// Settings is what the switches must be configured with. Without Outbound there
// is no dial-in extension.
func (c *Config) Settings() fsconf.Settings {
	s := fsconf.Settings{
		Keys:       fsconf.Keys(c.Keys),
		InterDigit: c.FSConf.InterDigit, DialIn: c.FSConf.DialIn, Outbound: c.FSConf.Socket,
		Context: c.FSConf.Context, Rate: c.FSConf.Rate,
	}
	if s.Outbound == "" {
		s.Outbound = c.Outbound
	}
	if c.Outbound == "" {
		s.DialIn, s.Outbound = "", fsconf.Defaults().Outbound
	}
	return s
}

const hidden = "xxxxx" // what net/url puts for a password

// Redacted is c without its passwords.
func (c Config) Redacted() Config {
	hide := func(s *string) {
		if *s != "" {
			*s = hidden
		}
	}
	hide(&c.Password)
	c.FreeSWITCH = slices.Clone(c.FreeSWITCH)
	for i := range c.FreeSWITCH {
		hide(&c.FreeSWITCH[i].Password)
	}
	c.Redis = redactURL(c.Redis)
	return c
}

// redactURL hides whatever a URL holds before its last @, and passwords among
// its options. net/url alone would refuse lists of hosts and odd passwords.
func redactURL(s string) string {
	scheme, rest, ok := strings.Cut(s, "://")
	if !ok {
		return s
	}
	if at := strings.LastIndex(rest, "@"); at >= 0 {
		rest = hidden + rest[at:]
	}
	rest, query, hasQuery := strings.Cut(rest, "?")
	if hasQuery {
		rest += "?" + redactQuery(query)
	}
	return scheme + "://" + rest
}

func redactQuery(query string) string {
	values, err := url.ParseQuery(query)
	if err != nil {
		return hidden
	}
	for name := range values {
		if strings.Contains(strings.ToLower(name), "password") {
			values[name] = []string{hidden}
		}
	}
	return values.Encode()
}
