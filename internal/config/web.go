package config

import (
	"net/netip"
	"regexp"
	"strings"
	"unicode"
)

// Proxies are TrustedProxies as networks. The error is an *Error.
func (c *Config) Proxies() ([]netip.Prefix, error) {
	return networks("trusted-proxies", c.TrustedProxies, "anybody could say where he comes from")
}

// Presence is TrustedPresence as networks. The error is an *Error.
func (c *Config) Presence() ([]netip.Prefix, error) {
	return networks("trusted-presence", c.TrustedPresence, "every telephone could say whose it is")
}

func networks(setting string, list []string, danger string) ([]netip.Prefix, error) {
	var out []netip.Prefix
	for _, s := range list {
		p, err := netip.ParsePrefix(s)
		if err != nil {
			var a netip.Addr
			if a, err = netip.ParseAddr(s); err == nil && a.Zone() == "" {
				a = a.Unmap()
				p = netip.PrefixFrom(a, a.BitLen())
			}
		}
		switch {
		case err != nil || !p.IsValid() || p.Addr().Is4In6():
			return nil, bad(setting, "%q is neither an address nor a network, as in 10.1.2.3 or 10.0.0.0/8", s)
		case p.Bits() == 0:
			return nil, bad(setting, "%q is everybody: then %s", s, danger)
		}
		out = append(out, p.Masked())
	}
	return out, nil
}

// maxPattern bounds a pattern, in bytes.
const maxPattern = 128

// markName is that of a channel variable: nothing that could mean anything else
// in a command to a switch.
var markName = regexp.MustCompile(`^[A-Za-z0-9_.-]{1,64}$`)

func validateNever(numbers, marks []string) error {
	for _, p := range numbers {
		if len(p) > maxPattern || strings.ContainsFunc(p, unicode.IsControl) || !strings.ContainsFunc(p, func(r rune) bool { return unicode.IsDigit(r) || unicode.IsLetter(r) }) {
			return bad("never-numbers", "%.80q is not a pattern of numbers, as in *5550100; * stands for anything, ? for one character", p)
		}
	}
	for _, m := range marks {
		name, pattern, given := strings.Cut(m, "=")
		if !markName.MatchString(name) || given && pattern == "" || len(pattern) > maxPattern || strings.ContainsFunc(pattern, unicode.IsControl) {
			return bad("never-marks", "%.80q is not NAME or NAME=PATTERN of a channel variable", m)
		}
		if strings.HasPrefix(strings.ToLower(name), "sip_") {
			return bad("never-marks", "%.80q begins with sip_: a SIP telephone can set such a variable itself, by a header", m)
		}
	}
	return nil
}
