package main

import (
	"strings"

	"github.com/urfave/cli/v2"

	"livemon/internal/config"
)

// The flags that say what serve does. Their defaults are not given to the
// library: whether one is set decides over what the file says.

func configFlag() cli.Flag {
	return &cli.StringFlag{Name: "config", Aliases: []string{"c"}, Usage: "a YAML `FILE` with settings of the flags' names, and more", EnvVars: []string{"LIVEMON_CONFIG"}}
}

func switchFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringSliceFlag{Name: "freeswitch", Usage: "the event socket of a switch: `[NAME=]HOST:PORT`; repeatable", DefaultText: "127.0.0.1:8021", EnvVars: []string{"LIVEMON_FREESWITCH"}},
		&cli.StringFlag{Name: "password", Usage: "the event socket's `PASSWORD`; better in the file or the environment, where other users do not see it", DefaultText: "ClueCon", EnvVars: []string{"LIVEMON_PASSWORD"}},
	}
}

func outboundFlag() cli.Flag {
	return &cli.StringFlag{Name: "outbound", Usage: "`ADDRESS` for supervisors who dial in; \"\" is off", DefaultText: "127.0.0.1:8084", EnvVars: []string{"LIVEMON_OUTBOUND"}}
}

func serveFlags() []cli.Flag {
	return append(append([]cli.Flag{configFlag()}, switchFlags()...),
		&cli.StringFlag{Name: "redis", Usage: "`URL` of Redis, or embedded for a trial without one", DefaultText: "redis://127.0.0.1:6379/0", EnvVars: []string{"LIVEMON_REDIS"}},
		&cli.StringFlag{Name: "listen", Usage: "`ADDRESS` of the page and the HTTP API", DefaultText: "127.0.0.1:8090", EnvVars: []string{"LIVEMON_LISTEN"}},
		&cli.StringFlag{Name: "tls-cert", Usage: "a PEM `FILE` with the certificate, for TLS; read again when it changes", EnvVars: []string{"LIVEMON_TLS_CERT"}},
		&cli.StringFlag{Name: "tls-key", Usage: "a PEM `FILE` with the certificate's key", EnvVars: []string{"LIVEMON_TLS_KEY"}},
		&cli.StringSliceFlag{Name: "trusted-presence", Usage: "`ADDRESS` or network of SIP telephones whose From header counts without a password; repeatable", EnvVars: []string{"LIVEMON_TRUSTED_PRESENCE"}},
		&cli.StringSliceFlag{Name: "trusted-proxies", Usage: "`ADDRESS` or network of a proxy that says from where requests come; repeatable", EnvVars: []string{"LIVEMON_TRUSTED_PROXIES"}},
		outboundFlag(),
		&cli.StringSliceFlag{Name: "dial", Usage: "how to ring numbers: `REGEXP=DIALSTRING` with $0 for the number; repeatable, the first that matches counts", DefaultText: "\\d{2,6}=user/$0", EnvVars: []string{"LIVEMON_DIAL"}},
		&cli.StringSliceFlag{Name: "never-monitor", Usage: "agents whom nobody may listen to: a `PATTERN` with * and ?; repeatable", EnvVars: []string{"LIVEMON_NEVER_MONITOR"}},
		&cli.StringSliceFlag{Name: "never-numbers", Usage: "users whose calls nobody may listen to: a `PATTERN` of numbers with * and ?; repeatable", EnvVars: []string{"LIVEMON_NEVER_NUMBERS"}},
		&cli.StringSliceFlag{Name: "never-marks", Usage: "channel variables that mark a call nobody may listen to: `NAME[=PATTERN]`; repeatable", DefaultText: "livemon_never", EnvVars: []string{"LIVEMON_NEVER_MARKS"}},
		&cli.BoolFlag{Name: "operator-listens", Usage: "let the machine's own token listen although there are accounts", EnvVars: []string{"LIVEMON_OPERATOR_LISTENS"}},
		&cli.BoolFlag{Name: "trust-caller-id", Usage: "know supervisors who dial in by their caller id, which anybody can forge", EnvVars: []string{"LIVEMON_TRUST_CALLER_ID"}},
		&cli.BoolFlag{Name: "dial-in-coaching", Usage: "let supervisors who dial in coach, barge in and take over; --dial-in-coaching=false lets them only listen", DefaultText: "true", EnvVars: []string{"LIVEMON_DIAL_IN_COACHING"}},
		&cli.StringFlag{Name: "dial-in-pin", Usage: "which supervisors need a PIN to dial in: those whose `account` has one, or always", DefaultText: "account", EnvVars: []string{"LIVEMON_DIAL_IN_PIN"}},
		&cli.BoolFlag{Name: "dial-in-anywhere", Usage: "let supervisors dial in from telephones that are not theirs, with their extension and PIN", EnvVars: []string{"LIVEMON_DIAL_IN_ANYWHERE"}},
		&cli.BoolFlag{Name: "inband-keys", Usage: "listen for supervisors' keys in their audio too, for telephones that send them in no other way", EnvVars: []string{"LIVEMON_INBAND_KEYS"}},
		&cli.StringFlag{Name: "on-transfer", Usage: "what a session does when the agent transfers the customer to another agent: `end` or follow", DefaultText: "end", EnvVars: []string{"LIVEMON_ON_TRANSFER"}},
		&cli.DurationFlag{Name: "ring-timeout", Usage: "how long a supervisor's telephone rings", DefaultText: "30s", EnvVars: []string{"LIVEMON_RING_TIMEOUT"}},
		&cli.StringFlag{Name: "audit-keep", Usage: "how long to keep audit records: an `AGE` as in 90d; 0 keeps them for ever", DefaultText: "0", EnvVars: []string{"LIVEMON_AUDIT_KEEP"}},
		&cli.StringFlag{Name: "secret-file", Usage: "`FILE` with the key of livemon's marks on the switch, made if missing; the same for every controller", DefaultText: "/var/lib/livemon/secret for root, else ~/.local/state/livemon/secret", EnvVars: []string{"LIVEMON_SECRET_FILE"}},
		&cli.StringFlag{Name: "log-level", Usage: "debug, info, warn or error", DefaultText: "info", EnvVars: []string{"LIVEMON_LOG_LEVEL"}},
		&cli.BoolFlag{Name: "log-json", Usage: "log JSON lines", EnvVars: []string{"LIVEMON_LOG_JSON"}},
		&cli.BoolFlag{Name: "check-config", Usage: "print the resulting configuration, without passwords, and exit"},
	)
}

// loadConfig lays flags over environment over file over defaults, as far as the
// command has them, and validates the result.
func loadConfig(c *cli.Context) (config.Config, error) {
	cfg, err := config.Load(c.String("config"))
	if err != nil {
		return cfg, usageError{err.Error()}
	}
	for name, to := range map[string]*string{
		"password": &cfg.Password, "redis": &cfg.Redis, "listen": &cfg.Listen, "outbound": &cfg.Outbound, "log-level": &cfg.LogLevel,
		"on-transfer": &cfg.OnTransfer, "tls-cert": &cfg.TLSCert, "tls-key": &cfg.TLSKey, "dial-in-pin": &cfg.DialInPIN, "secret-file": &cfg.SecretFile,
	} {
		if c.IsSet(name) {
			*to = c.String(name)
		}
	}
	for name, to := range map[string]*bool{"operator-listens": &cfg.OperatorListens, "trust-caller-id": &cfg.TrustCallerID, "dial-in-coaching": &cfg.DialInCoaching, "dial-in-anywhere": &cfg.DialInAnywhere, "inband-keys": &cfg.InBandKeys, "log-json": &cfg.LogJSON} {
		if c.IsSet(name) {
			*to = c.Bool(name)
		}
	}
	if c.IsSet("ring-timeout") {
		cfg.RingTimeout = c.Duration("ring-timeout")
	}
	if s := c.String("audit-keep"); s != "" {
		if err := cfg.AuditKeep.UnmarshalText([]byte(s)); err != nil {
			return cfg, usageErrorf("audit-keep: %v", err)
		}
	}
	if c.IsSet("freeswitch") {
		cfg.FreeSWITCH = nil
		for _, s := range several(c, "freeswitch", ",\n") {
			cfg.FreeSWITCH = append(cfg.FreeSWITCH, config.ParseNode(s))
		}
	}
	if c.IsSet("dial") {
		cfg.Dial = nil
		for _, s := range several(c, "dial", "\n") {
			rule, err := config.ParseDialRule(s)
			if err != nil {
				return cfg, err
			}
			cfg.Dial = append(cfg.Dial, rule)
		}
	}
	for name, to := range map[string]*[]string{"never-monitor": &cfg.NeverMonitor, "never-numbers": &cfg.NeverNumbers, "never-marks": &cfg.NeverMarks} {
		if c.IsSet(name) {
			*to = several(c, name, "\n")
		}
	}
	for name, to := range map[string]*[]string{"trusted-proxies": &cfg.TrustedProxies, "trusted-presence": &cfg.TrustedPresence} {
		if c.IsSet(name) {
			*to = several(c, name, ", \n")
		}
	}
	return cfg, cfg.Validate()
}

// several returns the values of a repeatable flag; one value may hold several,
// as in the environment, divided by any of the separators.
func several(c *cli.Context, name, separators string) []string {
	var out []string
	for _, value := range c.StringSlice(name) {
		for _, s := range strings.FieldsFunc(value, func(r rune) bool { return strings.ContainsRune(separators, r) }) {
			if s = strings.TrimSpace(s); s != "" {
				out = append(out, s)
			}
		}
	}
	return out
}
