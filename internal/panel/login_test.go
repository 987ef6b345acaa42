package panel

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"livemon/internal/fault"
	"livemon/internal/wire"
)

func TestLoginLeadsToThePageThatWasAskedFor(t *testing.T) {
	b := newHouse(t).browser(t)
	w := b.get("/sessions?agent=1001")
	want(t, w, http.StatusSeeOther)
	if to := w.Header().Get("Location"); to != "/login?next=%2Fsessions%3Fagent%3D1001" {
		t.Fatalf("sent to %q", to)
	}
	w = b.try("anna", password, "/sessions?agent=1001")
	want(t, w, http.StatusSeeOther)
	if to := w.Header().Get("Location"); to != "/sessions?agent=1001" {
		t.Errorf("sent to %q", to)
	}
	want(t, b.get("/sessions"), http.StatusOK, "<h1>Sessions</h1>")
	if w := b.get("/login"); w.Code != http.StatusSeeOther || w.Header().Get("Location") != "/monitoring" {
		t.Errorf("who has logged in is asked again: %d %s", w.Code, w.Header())
	}
}

func TestRedirectionsStayHere(t *testing.T) {
	for _, next := range []string{"", "//evil.example/monitoring", "https://evil.example/", "/\\evil.example", "\\\\evil.example", "/monitoring\r\nX: y", "javascript:alert(1)",
		"/v1/agents", "/logout", "monitoring", "/monitoring/../logout", " /monitoring", "http:monitoring", "//user@/monitoring", "/%2f%2fevil.example", "/monitoring#x", strings.Repeat("/monitoring?a=", 300)} {
		w := newHouse(t).browser(t).try("anna", password, next)
		if to := w.Header().Get("Location"); w.Code != http.StatusSeeOther || to != "/monitoring" {
			t.Errorf("%q leads to %q (%d)", next, to, w.Code)
		}
	}
}

func FuzzLocalPath(f *testing.F) {
	for _, s := range []string{"/sessions?agent=a&to=b", "//x", "/\\x", "/monitoring?\r\n", "/audit?%zz", "/account#//x", "http://x/monitoring"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got := localPath(s)
		u, err := url.Parse(got)
		if err != nil || u.Host != "" || u.Scheme != "" || !slices.Contains([]string{"/monitoring", "/sessions", "/audit", "/account"}, u.Path) {
			t.Errorf("%q leads to %q", s, got)
		}
		if strings.ContainsAny(got, "\r\n\\") || localPath(got) != got {
			t.Errorf("%q: %q", s, got)
		}
	})
}

func TestCookiesAreWhatTheyMustBe(t *testing.T) {
	for _, secure := range []bool{false, true} {
		b := newHouse(t, func(o *Options) { o.Secure = secure }).browser(t)
		first := b.get("/login")
		w := b.try("anna", password, "")
		name := "livemon"
		if secure {
			name = "__Host-livemon"
		}
		seen := false
		for _, c := range append(first.Result().Cookies(), w.Result().Cookies()...) {
			seen = seen || c.Name == name
			if !strings.HasPrefix(c.Name, name) || !c.HttpOnly || c.SameSite != http.SameSiteStrictMode || c.Path != "/" || c.Domain != "" || c.Secure != secure {
				t.Errorf("secure %t: %s", secure, c)
			}
		}
		if !seen {
			t.Errorf("secure %t: no cookie %s in %v", secure, name, w.Header())
		}
	}
}

// TestALoginIsANewOne presents a secret that somebody has planted.
func TestALoginIsANewOne(t *testing.T) {
	h := newHouse(t)
	planted, _, err := h.Login(t.Context(), "bert", password, "")
	if err != nil {
		t.Fatal(err)
	}
	b := h.browser(t)
	f := form(b.get("/login"))
	b.cookies["livemon"] = planted
	f.Set("name", "anna")
	f.Set("password", password)
	want(t, b.post("/login", f), http.StatusSeeOther)
	if b.cookies["livemon"] == planted {
		t.Error("the planted login went on")
	}
	if !slices.Contains(h.ended, planted) {
		t.Error("the login before was not ended")
	}
	want(t, b.get("/account"), http.StatusOK, "anna")
}

func TestLogoutEndsTheLogin(t *testing.T) {
	h := newHouse(t)
	b := h.browser(t).enter("anna")
	secret := b.cookies["livemon"]
	w := b.post("/logout", url.Values{"csrf": {b.csrf()}})
	if want(t, w, http.StatusSeeOther); w.Header().Get("Location") != "/login?why=out" || !strings.Contains(w.Header().Get("Clear-Site-Data"), "cache") {
		t.Errorf("%v", w.Header())
	}
	if b.cookies["livemon"] != "" {
		t.Error("the cookie is still there")
	}
	b.cookies["livemon"] = secret
	for _, path := range []string{"/monitoring", "/sessions", "/audit", "/account", "/sessions.csv", "/audit.csv"} {
		if w := b.get(path); w.Code != http.StatusSeeOther || !strings.HasPrefix(w.Header().Get("Location"), "/login") {
			t.Errorf("%s with a secret from before: %d", path, w.Code)
		}
	}
	want(t, b.get("/fragment/hears/s1"), http.StatusUnauthorized)
	r := httptest.NewRequest(http.MethodGet, "/v1/agents", nil)
	r.AddCookie(&http.Cookie{Name: "livemon", Value: secret})
	if _, err := h.panel.Login(r); !errors.Is(err, wire.ErrDenied) {
		t.Errorf("the API takes a login that has ended: %v", err)
	}
	want(t, b.get("/login?why=out"), http.StatusOK, "You have logged out.")
	if w := b.get("/login?why=%3Cscript%3E"); strings.Contains(w.Body.String(), "script>") {
		t.Error("the address writes the page")
	}
}

func TestForgedCookies(t *testing.T) {
	h := newHouse(t)
	if _, err := h.AddToken(t.Context(), "anna", "x", nil); err != nil {
		t.Fatal(err)
	}
	good := h.browser(t).enter("anna").cookies["livemon"]
	for name, cookie := range map[string]string{
		"none": "", "made up": "livemon=lms_made_up", "of a token": "livemon=token-anna", "another name": "Livemon=" + good,
		"two": "livemon=" + good + "; livemon=lms_other", "cut": "livemon=" + good[:len(good)-1], "longer": "livemon=" + good + strings.Repeat("a", 300),
		"of TLS": "__Host-livemon=" + good,
	} {
		r := httptest.NewRequest(http.MethodGet, "/monitoring", nil)
		r.Header.Set("Cookie", cookie)
		w := httptest.NewRecorder()
		h.handler.ServeHTTP(w, r)
		if w.Code != http.StatusSeeOther {
			t.Errorf("%s: %d", name, w.Code)
		}
		if _, err := h.panel.Login(r); !errors.Is(err, wire.ErrDenied) {
			t.Errorf("%s: the API takes it: %v", name, err)
		}
	}
}

func TestWhyALoginIsRefused(t *testing.T) {
	for name, tc := range map[string]struct {
		err    error
		status int
		retry  string
		says   string
	}{
		"wrong":  {nil, http.StatusUnauthorized, "", "The name or the password is wrong"},
		"locked": {&wire.WaitError{Wait: 90*time.Second - time.Millisecond}, http.StatusTooManyRequests, "90", "Wait for 90 seconds"},
		"long":   {&wire.WaitError{Wait: 14*time.Minute + time.Second}, http.StatusTooManyRequests, "841", "Wait for 15 minutes"},
		"busy":   {wire.ErrBusy, http.StatusServiceUnavailable, "5", "Too many passwords"},
		"store":  {fault.New(fault.StoreUnavailable, "login", "redis://secret@host"), http.StatusServiceUnavailable, "", "9026"},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t)
			h.refuse = tc.err
			b := h.browser(t)
			w := b.try("anna", "wrong password", "")
			want(t, w, tc.status, tc.says)
			if w.Header().Get("Retry-After") != tc.retry || b.cookies["livemon"] != "" || strings.Contains(w.Body.String(), "secret") || strings.Contains(w.Body.String(), "wrong password") {
				t.Errorf("%v %s", w.Header(), w.Body)
			}
		})
	}
}

func TestAFormOfAnotherSiteLogsNobodyIn(t *testing.T) {
	h := newHouse(t)
	right := url.Values{"name": {"bert"}, "password": {password}, "next": {"/monitoring"}}
	for name, tc := range map[string]struct {
		form   func(*browser) url.Values
		header []string
	}{
		"without a token":  {func(*browser) url.Values { return right }, nil},
		"without a cookie": {func(b *browser) url.Values { f := form(b.get("/login")); delete(b.cookies, "livemon-form"); return f }, nil},
		"another cookie":   {func(b *browser) url.Values { f := form(b.get("/login")); b.cookies["livemon-form"] = "other"; return f }, nil},
		"another site":     {func(b *browser) url.Values { return form(b.get("/login")) }, []string{"Sec-Fetch-Site", "cross-site"}},
		"a neighbour":      {func(b *browser) url.Values { return form(b.get("/login")) }, []string{"Sec-Fetch-Site", "same-site"}},
		"another origin":   {func(b *browser) url.Values { return form(b.get("/login")) }, []string{"Origin", "https://evil.example"}},
		"another port":     {func(b *browser) url.Values { return form(b.get("/login")) }, []string{"Origin", "http://example.com:81"}},
	} {
		b := h.browser(t)
		f := tc.form(b)
		for k, v := range right {
			f[k] = v
		}
		w := b.post("/login", f, tc.header...)
		if w.Code != http.StatusForbidden || b.cookies["livemon"] != "" {
			t.Errorf("%s: %d %v", name, w.Code, w.Header())
		}
	}
	// Our own pages send no referrer: then browsers say that the origin is null.
	for _, header := range [][]string{nil, {"Origin", "null"}, {"Origin", "http://example.com", "Sec-Fetch-Site", "same-origin"}} {
		b := h.browser(t)
		f := form(b.get("/login"))
		for k, v := range right {
			f[k] = v
		}
		want(t, b.post("/login", f, header...), http.StatusSeeOther)
	}
}

func TestNothingChangesWithoutTheToken(t *testing.T) {
	h := newHouse(t)
	bert := h.browser(t).enter("bert").csrf()
	for _, path := range []string{"/logout", "/account/password", "/account/tokens/t1/remove"} {
		for name, token := range map[string]string{"none": "", "made up": strings.Repeat("0", 64), "somebody else's": bert} {
			b := h.browser(t).enter("anna")
			before := len(h.Calls())
			w := b.post(path, url.Values{"csrf": {token}, "old": {"a"}, "changed": {"b"}, "again": {"b"}})
			if w.Code != http.StatusForbidden || len(h.Calls()) != before {
				t.Errorf("%s, token %s: %d %v", path, name, w.Code, h.Calls()[before:])
			}
			want(t, b.get("/account"), http.StatusOK)
		}
		b := h.browser(t).enter("anna")
		want(t, b.post(path, url.Values{"csrf": {b.csrf()}}, "Sec-Fetch-Site", "cross-site"), http.StatusForbidden)
	}
}

func TestTheAPITakesALogin(t *testing.T) {
	h := newHouse(t)
	b := h.browser(t).enter("bert")
	page := b.get("/monitoring")
	_, rest, _ := strings.Cut(page.Body.String(), `<meta name="csrf" content="`)
	token, _, _ := strings.Cut(rest, `"`)
	if len(token) != 64 || strings.Contains(page.Body.String(), b.cookies["livemon"]) {
		t.Fatalf("token %q", token)
	}
	for _, tc := range []struct {
		method string
		token  []string
		ok     bool
	}{
		{"GET", nil, true}, {"HEAD", nil, true}, {"POST", nil, false}, {"DELETE", []string{"x"}, false}, {"PUT", []string{token, token}, false},
		{"POST", []string{token}, true}, {"DELETE", []string{token}, true}, {"OPTIONS", nil, false},
	} {
		r := httptest.NewRequest(tc.method, "/v1/sessions", nil)
		r.RemoteAddr = "192.0.2.7:1234"
		r.AddCookie(&http.Cookie{Name: "livemon", Value: b.cookies["livemon"]})
		for _, x := range tc.token {
			r.Header.Add("X-CSRF-Token", x)
		}
		actor, err := h.panel.Login(r)
		if tc.ok != (err == nil) || !tc.ok && !errors.Is(err, wire.ErrDenied) {
			t.Errorf("%s %v: %v", tc.method, tc.token, err)
		}
		if tc.ok && actor != (wire.Actor{Account: "bert", Via: "panel", From: "192.0.2.7"}) {
			t.Errorf("%+v", actor)
		}
	}
}

func TestTheFirstAccount(t *testing.T) {
	h := newHouse(t)
	for _, name := range []string{"anna", "bert"} {
		if err := h.RemoveAccount(t.Context(), name); err != nil {
			t.Fatal(err)
		}
	}
	want(t, h.browser(t).get("/login"), http.StatusOK, "livemon supervisors add NAME --first --set-password")
	if _, err := h.AddAccount(t.Context(), "carl", wire.AccountChange{}, true); err != nil {
		t.Fatal(err)
	}
	if w := h.browser(t).get("/login"); strings.Contains(w.Body.String(), "--first") {
		t.Error("it is said although there is an account")
	}
}

func TestALongFormIsRefused(t *testing.T) {
	b := newHouse(t).browser(t)
	f := form(b.get("/login"))
	f.Set("password", strings.Repeat("x", 20<<10))
	want(t, b.post("/login", f), http.StatusRequestEntityTooLarge)
	r := httptest.NewRequest(http.MethodPost, "/login", strings.NewReader("a=%zz"))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	want(t, b.send(r), http.StatusBadRequest)
}

func TestChangePassword(t *testing.T) {
	h := newHouse(t)
	b := h.browser(t).enter("bert")
	csrf := b.csrf()
	want(t, b.post("/account/password", url.Values{"csrf": {csrf}, "old": {"a"}, "changed": {"b"}, "again": {"c"}}), http.StatusBadRequest, "differ")
	for _, tc := range []struct {
		err    error
		status int
		says   string
	}{
		{wire.ErrDenied, http.StatusForbidden, "present password is wrong"},
		{&wire.WaitError{Wait: time.Minute}, http.StatusTooManyRequests, "60 seconds"},
		{errors.Join(wire.ErrBadRequest), http.StatusBadRequest, "was not taken"},
	} {
		h.FailWith(func(call string) error {
			if strings.HasPrefix(call, "ChangePassword") {
				return tc.err
			}
			return nil
		})
		want(t, b.post("/account/password", url.Values{"csrf": {csrf}, "old": {"a"}, "changed": {"b"}, "again": {"b"}}), tc.status, tc.says)
	}
	h.FailWith(nil)
	w := b.post("/account/password", url.Values{"csrf": {csrf}, "old": {"a"}, "changed": {"b"}, "again": {"b"}})
	if want(t, w, http.StatusSeeOther); w.Header().Get("Location") != "/login?why=password" || b.cookies["livemon"] != "" {
		t.Errorf("%v", w.Header())
	}
}

func TestRemoveAToken(t *testing.T) {
	h := newHouse(t)
	token, err := h.AddToken(t.Context(), "bert", "<b>script</b>", nil)
	if err != nil {
		t.Fatal(err)
	}
	b := h.browser(t).enter("bert")
	want(t, b.get("/account"), http.StatusOK, "&lt;b&gt;script")
	csrf := b.csrf()
	want(t, b.post("/account/tokens/"+token.Token.ID+"/remove", url.Values{"csrf": {csrf}}), http.StatusSeeOther)
	if !slices.Contains(h.Calls(), "RemoveToken bert "+token.Token.ID) {
		t.Errorf("%v", h.Calls())
	}
	want(t, b.post("/account/tokens/gone/remove", url.Values{"csrf": {csrf}}), http.StatusSeeOther)
}

func TestInWords(t *testing.T) {
	for d, words := range map[time.Duration]string{0: "0 seconds", time.Millisecond: "1 second", 90 * time.Second: "90 seconds", 91 * time.Second: "2 minutes",
		89*time.Minute + time.Second: "90 minutes", 24 * time.Hour: "24 hours"} {
		if got := inWords(d); got != words {
			t.Errorf("%v: %q", d, got)
		}
	}
}

// TestALinkOnAnotherSite has a browser that leaves the cookie out of what another
// site's link asks for, as SameSite=Strict says.
func TestALinkOnAnotherSite(t *testing.T) {
	b := newHouse(t).browser(t)
	r := httptest.NewRequest(http.MethodGet, "/audit?agent=a\"b", nil)
	r.Header.Set("Sec-Fetch-Site", "cross-site")
	r.Header.Set("Sec-Fetch-Mode", "navigate")
	want(t, b.send(r), http.StatusOK, `<meta http-equiv="refresh" content="0; url=/login?next=%2Faudit%3Fagent%3Da%2522b">`)
	b.enter("anna")
	w := b.get("/login?next=%2Faudit%3Fagent%3Da")
	if want(t, w, http.StatusSeeOther); w.Header().Get("Location") != "/audit?agent=a" {
		t.Errorf("%v", w.Header())
	}
}
