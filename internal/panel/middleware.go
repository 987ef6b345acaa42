package panel

import (
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	"livemon/internal/web"
	"livemon/internal/wire"
)

const (
	maxBody      = 16 << 10         // bytes of a form
	bodyTimeout  = 10 * time.Second // to send one
	callTimeout  = 30 * time.Second // for one page
	writeTimeout = 30 * time.Second // for writing it
)

// policy lets a page load livemon's own files and talk to livemon. Nothing inline runs.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
	"form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

// outermost gives every request its id, deadlines, headers, log line and net.
func (p *Panel) outermost(next http.Handler) http.Handler {
	return web.Net{Log: p.log, What: "page", Body: maxBody, Read: bodyTimeout, Answer: callTimeout + writeTimeout, Failed: p.writeError,
		Header: http.Header{
			"Content-Security-Policy":      {policy},
			"Referrer-Policy":              {"no-referrer"},
			"X-Frame-Options":              {"DENY"},
			"Cross-Origin-Opener-Policy":   {"same-origin"},
			"Cross-Origin-Resource-Policy": {"same-origin"},
			"Permissions-Policy":           {"camera=(), display-capture=(), geolocation=(), microphone=(), payment=(), usb=()"},
		},
	}.Wrap(next)
}

// page wraps one route: where the request comes from, who asks, and the error it
// returns.
func (p *Panel) page(rt route) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var err error
		if changes(r) {
			err = checkOrigin(r)
		}
		switch {
		case err != nil:
		case rt.open:
			err = rt.serve(p, w, r)
		default:
			err = p.private(rt, w, r)
		}
		if err != nil {
			p.writeError(w, r, err)
		}
	})
}

// private serves a route to who has a login. Who has none is sent to get one, and back.
func (p *Panel) private(rt route, w http.ResponseWriter, r *http.Request) error {
	secret, actor, err := p.who(r)
	switch {
	case errors.Is(err, wire.ErrDenied) && fromAfar(r):
		return p.render(w, http.StatusOK, "again", againData{p.blank("One moment"), loginPath(r)})
	case errors.Is(err, wire.ErrDenied):
		p.toLogin(w, r)
		return nil
	case err != nil:
		return err
	}
	if changes(r) {
		if err := readForm(r); err != nil {
			return err
		}
		if !sameToken(r.PostForm.Get("csrf"), csrfToken(secret)) {
			return pageError{http.StatusForbidden, "This form is from another login. Go back, reload the page and try again."}
		}
	}
	return rt.serve(p, w, r.WithContext(withLogin(wire.WithActor(r.Context(), actor), secret)))
}

func changes(r *http.Request) bool { return r.Method != http.MethodGet && r.Method != http.MethodHead }

// fromAfar tells whether a link on another site has led here. A browser sends no
// cookie of ours along with that, but does when the page that it gets leads on: to
// the login page, which sends who has a login back.
func fromAfar(r *http.Request) bool {
	return r.Method == http.MethodGet && r.Header.Get("Sec-Fetch-Site") == "cross-site" && r.Header.Get("Sec-Fetch-Mode") == "navigate" &&
		!strings.HasPrefix(r.URL.Path, "/fragment/")
}

// checkOrigin refuses what another site's page has sent. Browsers set these
// headers, pages cannot change them. The origin is "null" for a form of a page
// that sends no referrer, as ours are: such a request stands or falls with its token.
func checkOrigin(r *http.Request) error {
	foreign := pageError{http.StatusForbidden, "Requests from pages of another site are refused."}
	switch r.Header.Get("Sec-Fetch-Site") {
	case "", "same-origin", "none":
	default:
		return foreign
	}
	origins := r.Header.Values("Origin")
	if len(origins) == 0 || len(origins) == 1 && origins[0] == "null" {
		return nil
	}
	u, err := url.Parse(origins[0])
	if err != nil || len(origins) > 1 || (u.Scheme != "http" && u.Scheme != "https") || u.Host != r.Host {
		return foreign
	}
	return nil
}

// readForm reads a form that was posted. Files are not taken.
func readForm(r *http.Request) error {
	err := r.ParseForm()
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		return pageError{http.StatusRequestEntityTooLarge, "The form is larger than 16 KiB."}
	case err != nil:
		return pageError{http.StatusBadRequest, "The form cannot be read."}
	}
	return nil
}
