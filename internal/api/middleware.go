package api

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"livemon/internal/wire"
)

// recorder remembers what was answered, for the log and for the recovery of panics.
type recorder struct {
	http.ResponseWriter
	id     string
	status int
}

func (r *recorder) WriteHeader(status int) {
	if r.status == 0 {
		r.status = status
	}
	r.ResponseWriter.WriteHeader(status)
}

func (r *recorder) Write(b []byte) (int, error) {
	if r.status == 0 {
		r.status = http.StatusOK
	}
	return r.ResponseWriter.Write(b)
}

// Unwrap lets http.ResponseController reach the connection.
func (r *recorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }

// outermost gives every request its id, deadlines, headers, log line and net.
func (s *server) outermost(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		start := time.Now()
		rec := &recorder{ResponseWriter: w, id: rand.Text()[:12]}
		h := rec.Header()
		h.Set("X-Request-Id", rec.id)
		h.Set("Cache-Control", "no-store")
		h.Set("X-Content-Type-Options", "nosniff")
		setDeadlines(rec, start.Add(bodyTimeout), start.Add(callTimeout+writeTimeout))
		r.Body = http.MaxBytesReader(w, r.Body, maxBody)
		defer func() {
			if v := recover(); v != nil {
				if v == http.ErrAbortHandler { //nolint:errorlint // net/http compares it so
					panic(v)
				}
				s.log.Error("panic in a handler", "request", rec.id, "method", r.Method, "path", r.URL.Path,
					"panic", fmt.Sprint(v), "stack", string(debug.Stack()))
				if rec.status != 0 {
					panic(http.ErrAbortHandler) // half an answer must not look like a whole one
				}
				s.writeError(rec, r, fmt.Errorf("panic: %v", v))
			}
			s.log.Debug("request", "request", rec.id, "method", r.Method, "path", r.URL.Path,
				"status", rec.status, "duration", time.Since(start))
		}()
		next.ServeHTTP(rec, r)
	})
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

// remote is the address that a request came from.
func remote(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	return host
}

// setDeadlines sets the connection's deadlines; a zero time means none. Writers
// without a connection, as in tests, have none to set.
func setDeadlines(w http.ResponseWriter, read, write time.Time) {
	c := http.NewResponseController(w)
	_ = c.SetReadDeadline(read)
	_ = c.SetWriteDeadline(write)
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
			return wire.Actor{Operator: true, Admin: true, Via: "api", From: remote(r)}, nil
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
			return badRequest("unknown parameter %q", clip(name, 64))
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
