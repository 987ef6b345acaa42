package panel

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"fmt"
	"net/http"

	"livemon/internal/web"
	"livemon/internal/wire"
)

// maxCookie bounds the secret in a cookie, in bytes.
const maxCookie = 256

// cookieName is that of a login's cookie. A browser takes one called __Host-… only
// over TLS, from the host itself, for all its paths: no neighbour can plant one.
func (p *Panel) cookieName() string {
	if p.opts.Secure {
		return "__Host-livemon"
	}
	return "livemon"
}

// formCookie is the name of the cookie that a login form belongs to.
func (p *Panel) formCookie() string { return p.cookieName() + "-form" }

// setCookie sets a cookie that ends with the browser, or, with "", takes it away.
func (p *Panel) setCookie(w http.ResponseWriter, name, value string) {
	c := &http.Cookie{Name: name, Value: value, Path: "/", HttpOnly: true, Secure: p.opts.Secure, SameSite: http.SameSiteStrictMode}
	if value == "" {
		c.MaxAge = -1
	}
	http.SetCookie(w, c)
}

// cookie returns the value of the one cookie of a name, "" where there is none.
// Of two nobody can say which is ours: then there is none.
func cookie(r *http.Request, name string) string {
	all := r.CookiesNamed(name)
	if len(all) != 1 || len(all[0].Value) > maxCookie {
		return ""
	}
	return all[0].Value
}

// csrfToken is what pages of a login send along with what they change. Who has
// not the cookie's value, which no script can read, cannot know it.
func csrfToken(secret string) string { return hexHash("csrf:" + secret) }

func hexHash(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:])
}

func sameToken(got, want string) bool {
	return subtle.ConstantTimeCompare([]byte(got), []byte(want)) == 1
}

// who returns whose login a request has, and its secret: wire.ErrDenied where it has none.
func (p *Panel) who(r *http.Request) (string, wire.Actor, error) {
	secret := cookie(r, p.cookieName())
	if secret == "" {
		return "", wire.Actor{}, wire.ErrDenied
	}
	actor, err := p.opts.Accounts.Authenticate(r.Context(), secret, "panel", web.Remote(r))
	if err != nil {
		return "", wire.Actor{}, err
	}
	if actor.Account == "" || actor.Token != "" || actor.Operator {
		return "", wire.Actor{}, fmt.Errorf("%w: this is no login", wire.ErrDenied)
	}
	return secret, actor, nil
}

// Login returns whose login a request to the API has, for package api: wire.ErrDenied
// where it has none, or where it changes something and lacks the header
// X-CSRF-Token with the token of the page's meta element "csrf". Other errors say
// that it cannot be known now.
func (p *Panel) Login(r *http.Request) (wire.Actor, error) {
	secret, actor, err := p.who(r)
	if err != nil {
		return wire.Actor{}, err
	}
	if r.Method == http.MethodGet || r.Method == http.MethodHead {
		return actor, nil
	}
	got := r.Header.Values("X-CSRF-Token")
	if len(got) != 1 || !sameToken(got[0], csrfToken(secret)) {
		return wire.Actor{}, fmt.Errorf("%w: the header X-CSRF-Token is missing or wrong", wire.ErrDenied)
	}
	return actor, nil
}

type loginKey struct{}

// withLogin remembers the secret of the login that a page is made for.
func withLogin(ctx context.Context, secret string) context.Context {
	return context.WithValue(ctx, loginKey{}, secret)
}

func loginOf(ctx context.Context) string {
	s, _ := ctx.Value(loginKey{}).(string)
	return s
}
