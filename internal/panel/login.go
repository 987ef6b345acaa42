package panel

import (
	"context"
	"crypto/rand"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"livemon/internal/web"
	"livemon/internal/wire"
)

// loginData is what the login page shows.
type loginData struct {
	Page
	Next  string
	Token string
	Name  string
	Error string
	First bool   // there is no account at all yet
	Note  string // why one is asked again
}

// localPath returns where to go after a login: a page of livemon's, never
// somewhere else.
func localPath(s string) string {
	const start = "/monitoring"
	if len(s) > 2000 {
		return start
	}
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "" || u.Host != "" || u.User != nil || u.Opaque != "" {
		return start
	}
	switch u.Path {
	case "/monitoring", "/sessions", "/audit", "/account":
		return (&url.URL{Path: u.Path, RawQuery: u.Query().Encode()}).RequestURI()
	}
	return start
}

// againData is what leads on who has come from another site.
type againData struct {
	Page
	To string
}

// loginPath is where to get a login, and to come back from.
func loginPath(r *http.Request) string {
	if next := localPath(r.URL.RequestURI()); r.Method == http.MethodGet && next != "/monitoring" {
		return "/login?next=" + url.QueryEscape(next)
	}
	return "/login"
}

// toLogin sends who has no login to get one, and back to the page he wanted.
func (p *Panel) toLogin(w http.ResponseWriter, r *http.Request) {
	if strings.HasPrefix(r.URL.Path, "/fragment/") {
		p.writeError(w, r, pageError{http.StatusUnauthorized, "The login has ended."})
		return
	}
	http.Redirect(w, r, loginPath(r), http.StatusSeeOther)
}

var loginNotes = map[string]string{
	"out":      "You have logged out.",
	"ended":    "Your login has ended. Log in again to go on.",
	"password": "Your password has been changed. Log in with the new one.",
}

func (p *Panel) loginPage(w http.ResponseWriter, r *http.Request) error {
	q := r.URL.Query()
	next := localPath(q.Get("next"))
	_, _, err := p.who(r)
	if err == nil {
		http.Redirect(w, r, next, http.StatusSeeOther)
		return nil
	}
	if !errors.Is(err, wire.ErrDenied) {
		return err
	}
	return p.showLogin(w, r, http.StatusOK, loginData{Next: next, Note: loginNotes[q.Get("why")]})
}

// showLogin shows the form, which belongs to a cookie: nobody can have a browser
// log in with a form of his own.
func (p *Panel) showLogin(w http.ResponseWriter, r *http.Request, status int, d loginData) error {
	ctx, cancel := context.WithTimeout(r.Context(), callTimeout)
	defer cancel()
	if !p.peopled.Load() {
		list, err := p.opts.Accounts.Accounts(wire.WithActor(ctx, wire.Actor{Operator: true, Admin: true, Via: "panel", From: web.Remote(r)}))
		if err != nil {
			return err
		}
		d.First = len(list) == 0
		p.peopled.Store(!d.First)
	}
	form := cookie(r, p.formCookie())
	if len(form) != len(rand.Text()) {
		form = rand.Text()
		p.setCookie(w, p.formCookie(), form)
	}
	d.Token = formToken(form)
	d.Page = p.blank("Log in")
	return p.render(w, status, "login", d)
}

func formToken(form string) string { return hexHash("login:" + form) }

func (p *Panel) login(w http.ResponseWriter, r *http.Request) error {
	if err := readForm(r); err != nil {
		return err
	}
	d := loginData{Next: localPath(r.PostForm.Get("next")), Name: web.Clip(r.PostForm.Get("name"), 64)}
	form := cookie(r, p.formCookie())
	if form == "" || !sameToken(r.PostForm.Get("token"), formToken(form)) {
		d.Error = "This form has expired, or cookies are switched off. Try again."
		return p.showLogin(w, r, http.StatusForbidden, d)
	}
	ctx, cancel := context.WithTimeout(r.Context(), callTimeout)
	defer cancel()
	secret, account, err := p.opts.Accounts.Login(ctx, r.PostForm.Get("name"), r.PostForm.Get("password"), web.Remote(r))
	var wait *wire.WaitError
	switch {
	case errors.As(err, &wait):
		seconds := int((wait.Wait + time.Second - 1) / time.Second)
		w.Header().Set("Retry-After", strconv.Itoa(seconds))
		d.Error = "Too many attempts have failed. Wait for " + inWords(wait.Wait) + ", or ask an administrator to unlock the account."
		return p.showLogin(w, r, http.StatusTooManyRequests, d)
	case errors.Is(err, wire.ErrDenied):
		d.Error = "The name or the password is wrong, or the account cannot log in."
		return p.showLogin(w, r, http.StatusUnauthorized, d)
	case errors.Is(err, wire.ErrBusy):
		w.Header().Set("Retry-After", "5")
		d.Error = "Too many passwords are being checked at the moment. Try again in a few seconds."
		return p.showLogin(w, r, http.StatusServiceUnavailable, d)
	case err != nil:
		return err
	}
	p.peopled.Store(true)
	if old := cookie(r, p.cookieName()); old != "" && old != secret {
		// Who logs in again leaves the login before: nobody else holds on to it.
		if err := p.opts.Accounts.Logout(wire.WithActor(ctx, wire.Actor{Account: account.Name, Via: "panel", From: web.Remote(r)}), old); err != nil {
			p.log.Warn("the login before could not be ended", "error", err)
		}
	}
	p.setCookie(w, p.cookieName(), secret)
	p.setCookie(w, p.formCookie(), "")
	http.Redirect(w, r, d.Next, http.StatusSeeOther)
	return nil
}

func (p *Panel) logout(w http.ResponseWriter, r *http.Request) error {
	ctx, cancel := context.WithTimeout(r.Context(), callTimeout)
	defer cancel()
	// The cookie goes in any case; a login that could not be ended says so.
	p.setCookie(w, p.cookieName(), "")
	if err := p.opts.Accounts.Logout(ctx, loginOf(ctx)); err != nil {
		return err
	}
	w.Header().Set("Clear-Site-Data", `"cache", "storage"`)
	http.Redirect(w, r, "/login?why=out", http.StatusSeeOther)
	return nil
}

// inWords says how long to wait, rounded up.
func inWords(d time.Duration) string {
	n, unit := int((d+time.Second-1)/time.Second), "second"
	if n > 90 {
		n, unit = (n+59)/60, "minute"
	}
	if n > 90 && unit == "minute" {
		n, unit = (n+59)/60, "hour"
	}
	if n == 1 {
		return "1 " + unit
	}
	return strconv.Itoa(n) + " " + unit + "s"
}
