package api

import (
	"context"
	"net"
	"net/http"
	"net/netip"
	"strings"
)

// maxHops bounds how far back a request is followed through proxies.
const maxHops = 32

type secureKey struct{}

// TrustProxies returns a handler that sees requests which come through one of the
// proxies as if they came from the client: RemoteAddr is the client's address, and
// Secure tells whether the proxy says that the client used TLS. What anybody else
// says of himself in such headers does not count, and neither does the header
// Forwarded.
//
// The client is the last address in X-Forwarded-For that is no proxy's: whatever
// stands before it the client himself may have written. Where what a proxy has
// passed on is no address, the client is that proxy.
func TrustProxies(proxies []netip.Prefix, next http.Handler) http.Handler {
	if len(proxies) == 0 {
		return next
	}
	trusted := func(a netip.Addr) bool {
		for _, p := range proxies {
			if p.Contains(a) {
				return true
			}
		}
		return false
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		peer, ok := parseHop(r.RemoteAddr)
		if !ok || !trusted(peer) {
			next.ServeHTTP(w, r)
			return
		}
		r2 := r.WithContext(context.WithValue(r.Context(), secureKey{}, saysHTTPS(r.Header.Values("X-Forwarded-Proto"))))
		if client := clientOf(peer, r.Header.Values("X-Forwarded-For"), trusted); client != peer {
			r2.RemoteAddr = net.JoinHostPort(client.String(), "0")
		}
		next.ServeHTTP(w, r2)
	})
}

// Secure tells whether a request came over TLS: to this process, or, as one of
// the trusted proxies says, to that proxy.
func Secure(r *http.Request) bool {
	said, _ := r.Context().Value(secureKey{}).(bool)
	return said || r.TLS != nil
}

// clientOf walks the addresses from the last, which the peer has written, to the
// first.
func clientOf(peer netip.Addr, forwarded []string, trusted func(netip.Addr) bool) netip.Addr {
	client := peer
	hops := strings.Split(strings.Join(forwarded, ","), ",")
	for i := len(hops) - 1; i >= max(0, len(hops)-maxHops) && trusted(client); i-- {
		hop, ok := parseHop(strings.TrimSpace(hops[i]))
		if !ok {
			break
		}
		client = hop
	}
	return client
}

// parseHop reads an address, with or without a port.
func parseHop(s string) (netip.Addr, bool) {
	if ap, err := netip.ParseAddrPort(s); err == nil {
		return plain(ap.Addr()), true
	}
	s = strings.TrimSuffix(strings.TrimPrefix(s, "["), "]")
	a, err := netip.ParseAddr(s)
	return plain(a), err == nil
}

// plain is an address without what does not tell machines apart.
func plain(a netip.Addr) netip.Addr { return a.Unmap().WithZone("") }

// saysHTTPS tells whether all that is said is https.
func saysHTTPS(values []string) bool {
	said := false
	for _, v := range values {
		for _, s := range strings.Split(v, ",") {
			if said = strings.EqualFold(strings.TrimSpace(s), "https"); !said {
				return false
			}
		}
	}
	return said
}
