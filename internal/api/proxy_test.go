package api_test

import (
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"

	"livemon/internal/api"
	"livemon/internal/api/apitest"
)

// through returns as whom a handler behind the proxies sees a request.
func through(peer string, header http.Header) (from string, secure bool) {
	proxies := []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32"), netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("fd00::/8")}
	h := api.TrustProxies(proxies, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { from, secure = r.RemoteAddr, api.Secure(r) }))
	r := httptest.NewRequest("GET", "/", nil)
	r.RemoteAddr, r.Header = peer, header
	h.ServeHTTP(httptest.NewRecorder(), r)
	return from, secure
}

func TestWhoIsBehindAProxy(t *testing.T) {
	const loop = "127.0.0.1:4711"
	for name, c := range map[string]struct {
		peer      string
		forwarded []string
		want      string
	}{
		"a client of his own":                      {"192.0.2.7:1", []string{"198.51.100.1"}, "192.0.2.7:1"},
		"one who claims to be the proxy":           {"192.0.2.7:1", []string{"198.51.100.1, 127.0.0.1"}, "192.0.2.7:1"},
		"through the proxy":                        {loop, []string{"198.51.100.1"}, "198.51.100.1:0"},
		"what the client wrote himself":            {loop, []string{"203.0.113.9, 198.51.100.1"}, "198.51.100.1:0"},
		"what he wrote in a header of his own":     {loop, []string{"203.0.113.9", "198.51.100.1"}, "198.51.100.1:0"},
		"through two":                              {loop, []string{"203.0.113.9, 198.51.100.1, 10.1.2.3"}, "198.51.100.1:0"},
		"a client who claims to be a proxy":        {loop, []string{"10.9.9.9, 198.51.100.1"}, "198.51.100.1:0"},
		"all of them proxies":                      {loop, []string{"10.1.1.1, 10.2.2.2"}, "10.1.1.1:0"},
		"with a port":                              {loop, []string{"198.51.100.1:80"}, "198.51.100.1:0"},
		"IPv6":                                     {loop, []string{"2001:db8::1"}, "[2001:db8::1]:0"},
		"IPv6 in brackets":                         {loop, []string{"[2001:db8::1]"}, "[2001:db8::1]:0"},
		"IPv6 with a port":                         {loop, []string{"[2001:db8::1]:443"}, "[2001:db8::1]:0"},
		"IPv6 through IPv6":                        {"[fd00::5]:9", []string{"2001:db8::1"}, "[2001:db8::1]:0"},
		"a zone":                                   {loop, []string{"fe80::1%eth0"}, "[fe80::1]:0"},
		"IPv4 as IPv6":                             {loop, []string{"::ffff:198.51.100.1"}, "198.51.100.1:0"},
		"a proxy that is IPv4 as IPv6":             {"[::ffff:127.0.0.1]:5", []string{"198.51.100.1"}, "198.51.100.1:0"},
		"no header":                                {loop, nil, loop},
		"an empty one":                             {loop, []string{""}, loop},
		"no address":                               {loop, []string{"unknown"}, loop},
		"no address before one":                    {loop, []string{"unknown, 198.51.100.1"}, "198.51.100.1:0"},
		"no address behind one":                    {loop, []string{"198.51.100.1, _hidden"}, loop},
		"no address behind a proxy":                {loop, []string{"198.51.100.1, evil, 10.1.1.1"}, "10.1.1.1:0"},
		"a line break":                             {loop, []string{"198.51.100.1\r\nX: y"}, loop},
		"a peer that is no address":                {"@", []string{"198.51.100.1"}, "@"},
		"more than anybody has":                    {loop, []string{"198.51.100.1, " + strings.Repeat("10.1.1.1, ", 100) + "10.2.2.2"}, "10.1.1.1:0"},
		"a forged client behind more than anybody": {loop, []string{"198.51.100.1, " + strings.Repeat("10.1.1.1,", 5000) + "203.0.113.1"}, "203.0.113.1:0"},
	} {
		got, _ := through(c.peer, http.Header{"X-Forwarded-For": c.forwarded, "Forwarded": {"for=192.0.2.99"}, "X-Real-Ip": {"192.0.2.98"}})
		if got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

func TestWhetherAProxyWasAskedOverTLS(t *testing.T) {
	for name, c := range map[string]struct {
		peer  string
		proto []string
		want  bool
	}{
		"said":                {"127.0.0.1:1", []string{"https"}, true},
		"said loudly":         {"127.0.0.1:1", []string{" HTTPS "}, true},
		"said by all":         {"127.0.0.1:1", []string{"https, https"}, true},
		"not said":            {"127.0.0.1:1", nil, false},
		"denied":              {"127.0.0.1:1", []string{"http"}, false},
		"denied by one":       {"127.0.0.1:1", []string{"https, http"}, false},
		"denied in another":   {"127.0.0.1:1", []string{"http", "https"}, false},
		"nonsense":            {"127.0.0.1:1", []string{"httpss"}, false},
		"said by anybody":     {"192.0.2.1:1", []string{"https"}, false},
		"said by nobody":      {"", []string{"https"}, false},
		"empty":               {"127.0.0.1:1", []string{""}, false},
		"said, then nothing ": {"127.0.0.1:1", []string{"https,"}, false},
	} {
		if _, got := through(c.peer, http.Header{"X-Forwarded-Proto": c.proto}); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// A page that came without TLS is of another origin than one that came with it.
func TestOriginsBehindAProxy(t *testing.T) {
	h := api.TrustProxies([]netip.Prefix{netip.MustParsePrefix("192.0.2.1/32")}, handler(apitest.New())) // httptest's peer
	for origin, want := range map[string]int{"https://example.com": 200, "http://example.com": 403, "https://evil.example": 403} {
		if w := ask(h, "GET", "/v1/agents", "", "Origin", origin, "X-Forwarded-Proto", "https"); w.Code != want {
			t.Errorf("%s: %d", origin, w.Code)
		}
	}
	if w := ask(h, "GET", "/v1/me", "", "X-Forwarded-For", "198.51.100.7"); !strings.Contains(w.Body.String(), `"from":"198.51.100.7"`) {
		t.Errorf("%s", w.Body)
	}
}

func TestWithoutProxiesNothingIsBelieved(t *testing.T) {
	h := api.TrustProxies(nil, handler(apitest.New()))
	if w := ask(h, "GET", "/v1/me", "", "X-Forwarded-For", "198.51.100.7"); !strings.Contains(w.Body.String(), `"from":"192.0.2.1"`) {
		t.Errorf("%s", w.Body)
	}
}

func FuzzForwardedFor(f *testing.F) {
	for _, s := range []string{"198.51.100.1", "a, b", "[::1]:5, 10.1.1.1", ",,,", "unknown", "::ffff:10.0.0.1", "fe80::1%eth0", "1.2.3.4:99999", "10.0.0.1, 198.51.100.1, 10.0.0.2", "\x00", "[", "[]"} {
		f.Add("127.0.0.1:1", s, "https")
		f.Add("198.51.100.1:1", s, "http")
	}
	f.Fuzz(func(t *testing.T, peer, forwarded, proto string) {
		from, secure := through(peer, http.Header{"X-Forwarded-For": {forwarded}, "X-Forwarded-Proto": {proto}})
		ap, err := netip.ParseAddrPort(peer)
		own := false
		if err == nil {
			a := ap.Addr().Unmap().WithZone("")
			own = a == netip.MustParseAddr("127.0.0.1") || netip.MustParsePrefix("10.0.0.0/8").Contains(a) || netip.MustParsePrefix("fd00::/8").Contains(a)
		} else if a, err := netip.ParseAddr(strings.Trim(peer, "[]")); err == nil {
			a = a.Unmap().WithZone("")
			own = a == netip.MustParseAddr("127.0.0.1") || netip.MustParsePrefix("10.0.0.0/8").Contains(a) || netip.MustParsePrefix("fd00::/8").Contains(a)
		}
		if !own && (from != peer || secure) {
			t.Fatalf("%q is believed %q: %q %v", peer, forwarded, from, secure)
		}
		if from != peer {
			if _, err := netip.ParseAddrPort(from); err != nil {
				t.Fatalf("%q makes it %q", forwarded, from)
			}
		}
	})
}
