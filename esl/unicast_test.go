package esl_test

import (
	"errors"
	"net/netip"
	"strings"
	"testing"

	"livemon/esl"
)

func TestClientUnicast(t *testing.T) {
	f := newFake(t)
	c := newClient(t, f.options())
	any0, ours := netip.MustParseAddrPort("0.0.0.0:0"), netip.MustParseAddrPort("192.0.2.7:4000")

	done := startErr(func() error { return c.Unicast(t.Context(), "chan-1", any0, ours) })
	l := f.login()
	got := l.command()
	for _, want := range []string{"sendmsg chan-1|", "Call-Command: unicast", "Local-Ip: 0.0.0.0", "Local-Port: 0", "Remote-Ip: 192.0.2.7", "Remote-Port: 4000", "Transport: udp"} {
		if !strings.Contains(got, want) {
			t.Errorf("%q lacks %q", got, want)
		}
	}
	l.reply("+OK")
	if r := await(t, done); r.err != nil {
		t.Error(r.err)
	}

	for name, err := range map[string]error{
		"no channel":    c.Unicast(t.Context(), "", any0, ours),
		"blank channel": c.Unicast(t.Context(), "a b", any0, ours),
		"line break":    c.Unicast(t.Context(), "a\nexit", any0, ours),
		"IPv6 here":     c.Unicast(t.Context(), "a", any0, netip.MustParseAddrPort("[::1]:4000")),
		"IPv6 there":    c.Unicast(t.Context(), "a", netip.MustParseAddrPort("[::1]:0"), ours),
		"no address":    c.Unicast(t.Context(), "a", netip.AddrPort{}, ours),
	} {
		if !errors.Is(err, esl.ErrArgument) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
