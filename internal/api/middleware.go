package api

import (
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"livemon/internal/web"
	"livemon/internal/wire"
)

// outermost gives every request its id, deadlines, headers, log line and net.
func (s *server) outermost(next http.Handler) http.Handler {
	return web.Net{Log: s.log, What: "request", Body: maxBody, Read: bodyTimeout, Answer: callTimeout + writeTimeout, Failed: s.writeError}.Wrap(next)
}

// operation wraps one route: origin, who asks, parameters, and the error it returns.
func (s *server) operation(rt route) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		err := checkOrigin(r)
		if err == nil && !rt.open {
			var actor wire.Actor
			if actor, err = s.auth.who(w, r); err == nil {
				r = r.WithContext(wire.WithActor(r.Context(), actor))
			}
		}
		if err == nil && rt.method != "" {
			err = checkQuery(r, rt.query)
		}
		if err == nil {
			err = rt.serve(s, w, r)
		}
		if err != nil {
			s.writeError(w, r, err)
		}
	})
}

type authorizer struct {
	want     [sha256.Size]byte
	empty    bool
	accounts wire.Accounts                           // nil: none
	login    func(*http.Request) (wire.Actor, error) // nil: none
}

func newAuthorizer(o ServerOptions) *authorizer {
	return &authorizer{want: sha256.Sum256([]byte(o.Token)), empty: o.Token == "", accounts: o.Accounts, login: o.Login}
}

// who returns whose token a request has: the operator's, or an account's. Hashes
// are compared, so that the time it takes tells neither the token nor its length.
// A request without any may have a login's cookie.
func (a *authorizer) who(w http.ResponseWriter, r *http.Request) (wire.Actor, error) {
	values := r.Header.Values("Authorization")
	if len(values) == 0 && a.login != nil {
		return a.byCookie(w, r)
	}
	if len(values) == 1 {
		scheme, token, found := strings.Cut(values[0], " ")
		got := sha256.Sum256([]byte(token))
		same := subtle.ConstantTimeCompare(got[:], a.want[:]) == 1
		bearer := found && strings.EqualFold(scheme, "Bearer")
		if bearer && same && !a.empty {
			return wire.Actor{Operator: true, Admin: true, Via: "api", From: web.Remote(r)}, nil
		}
		if bearer && a.accounts != nil {
			actor, err := a.accounts.Authenticate(r.Context(), token, "api", r.RemoteAddr)
			if err == nil && actor.Token != "" {
				return actor, nil
			}
			if err != nil && !errors.Is(err, wire.ErrDenied) {
				return wire.Actor{}, err
			}
		}
	}
	w.Header().Set("WWW-Authenticate", `Bearer realm="livemon"`)
	return wire.Actor{}, httpError{http.StatusUnauthorized,
		"the API token is missing or wrong; 'livemon serve' writes it to a file that only its user can read"}
}

// byCookie returns whose login a request has. What a page of the same site, but
// of another origin, made a browser send is refused: such a page's requests carry
// the cookie.
func (a *authorizer) byCookie(w http.ResponseWriter, r *http.Request) (wire.Actor, error) {
	switch r.Header.Get("Sec-Fetch-Site") {
	case "", "same-origin", "none":
	default:
		return wire.Actor{}, errForeign
	}
	actor, err := a.login(r)
	if err == nil && actor.Account == "" {
		err = wire.ErrDenied
	}
	if errors.Is(err, wire.ErrDenied) {
		w.Header().Set("WWW-Authenticate", `Bearer realm="livemon"`)
		err = httpError{http.StatusUnauthorized, "nobody is logged in, or the login has ended; programs need a token"}
	}
	if err != nil {
		return wire.Actor{}, err
	}
	return actor, nil
}

var errForeign = httpError{http.StatusForbidden, "requests from web pages of another origin are refused"}

// checkOrigin refuses what a web page of another origin sent. Browsers set
// Origin, pages cannot change it, and programs do not send it.
func checkOrigin(r *http.Request) error {
	if r.Header.Get("Sec-Fetch-Site") == "cross-site" {
		return errForeign
	}
	origins := r.Header.Values("Origin")
	if len(origins) == 0 {
		return nil
	}
	u, err := url.Parse(origins[0])
	if err != nil || len(origins) > 1 || Secure(r) && u.Scheme != "https" || (u.Scheme != "http" && u.Scheme != "https") || u.Host != r.Host {
		return errForeign
	}
	return nil
}

// checkQuery refuses parameters that the operation does not take: a misspelt
// filter would otherwise show more than was asked for.
func checkQuery(r *http.Request, allowed []string) error {
	values, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return badRequest("the query cannot be read: it must be name=value pairs joined by '&', percent-encoded")
	}
	for name, v := range values {
		if !slices.Contains(allowed, name) {
			return badRequest("unknown parameter %q", web.Clip(name, 64))
		}
		if len(v) > 1 {
			return badRequest("parameter %s is given more than once", name)
		}
	}
	return nil
}

// isTooLarge tells whether reading the body failed on its limit.
func isTooLarge(err error) bool {
	var e *http.MaxBytesError
	return errors.As(err, &e)
}
