package browsertest

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/security"
	"github.com/chromedp/chromedp"
)

// cookieName is that of a login without TLS.
const cookieName = "livemon"

// cookie returns the login's cookie, or nil.
func (b *tab) cookie() *network.Cookie {
	b.t.Helper()
	for _, c := range call(b, network.GetCookies, network.GetCookiesParams{URLs: []string{b.base + "/"}}).Cookies {
		if c.Name == cookieName {
			return c
		}
	}
	return nil
}

func (b *tab) setCookie(value string) {
	b.t.Helper()
	call(b, network.SetCookie, network.SetCookieParams{Name: cookieName, Value: value, URL: b.base + "/", Path: "/", HTTPOnly: ptr(true), SameSite: network.CookieSameSiteStrict})
}

// typeLogin fills the login form in, with the keyboard.
func (b *tab) typeLogin(name, pass string) {
	b.t.Helper()
	b.at("/login")
	b.fill("name", name)
	b.fill("password", pass)
	b.keys("\r")
}

func TestLogin(t *testing.T) {
	t.Parallel()
	h := buildAround(t, newFake())
	h.account("lead", nil)
	b := open(t, h.base())
	b.visit("/sessions")
	b.at("/login")
	if n := b.tabTo("textbox", "name"); n.props["required"] != "true" {
		t.Errorf("the name is not required: %v", n.props)
	}
	b.audit("login")
	b.fits("login")
	b.reachAll("login")

	b.expect("401 (Unauthorized)", "429 (Too Many Requests)")
	b.typeLogin("lead", "wrong horse battery")
	b.find("alert", ".*")
	b.shows("name or the password is wrong")
	if name := eval[string](b, `document.querySelector("input[name=name]").value`); name != "lead" {
		t.Errorf("the name is forgotten: %q", name)
	}
	if strings.Contains(eval[string](b, "document.documentElement.outerHTML"), "wrong horse") {
		t.Error("the wrong password is in the page")
	}
	b.audit("login, refused")
	b.typeLogin("lead", password)
	b.at("/sessions") // where he wanted to go

	c := b.cookie()
	if c == nil || !c.HTTPOnly || c.SameSite != network.CookieSameSiteStrict || !c.Session || c.Path != "/" {
		t.Fatalf("the cookie is %+v", c)
	}
	for _, js := range []string{"document.cookie", "JSON.stringify(localStorage) + JSON.stringify(sessionStorage)", "document.documentElement.outerHTML", "location.href"} {
		if strings.Contains(eval[string](b, js), c.Value) {
			t.Errorf("a script can read the login's secret in %s", js)
		}
	}

	b.use("button", "log out")
	b.at("/login")
	b.shows("logged out")
	if c := b.cookie(); c != nil {
		t.Errorf("after the logout there is a cookie: %+v", c)
	}
	eval[bool](b, "(setTimeout(() => history.back()), true)")
	b.await("the page before is not shown from the browser's memory", `location.pathname === "/login" && !location.search.includes("why=out") && document.readyState === "complete"`)
}

func TestLoginIsLocked(t *testing.T) {
	t.Parallel()
	h := buildAround(t, newFake())
	h.account("lead", nil)
	b := open(t, h.base())
	b.visit("/login")
	b.expect("401 (Unauthorized)", "429 (Too Many Requests)")
	for range 4 {
		b.typeLogin("lead", "wrong horse battery")
		b.await("the password is refused", `document.querySelector("[role=alert]")?.innerText.includes("wrong") && document.querySelector("input[name=password]").value === ""`)
	}
	b.typeLogin("lead", password) // the right one
	b.shows("[Tt]oo many attempts")
	b.audit("login, locked")
	if b.cookie() != nil {
		t.Fatal("a locked account has logged in")
	}
	h.must(h.people.Unlock(h.operator(), "lead"))
	b.typeLogin("lead", password)
	b.at("/monitoring")
}

// certificate is one that nobody has signed.
func certificate(t *testing.T) *tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}
	der, err := x509.CreateCertificate(rand.Reader, &template, &template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// Behind TLS the cookie goes back over TLS only, belongs to this host alone, and
// events come over the same connection as everything else.
func TestLoginOverTLS(t *testing.T) {
	t.Parallel()
	fake := newFake()
	h := buildWith(t, fake, certificate(t))
	h.account("lead", nil)
	b := open(t, h.base())
	call(b, security.SetIgnoreCertificateErrors, security.SetIgnoreCertificateErrorsParams{Ignore: true})
	b.visit("/")
	b.typeLogin("lead", password)
	b.at("/monitoring")
	cookies := call(b, network.GetCookies, network.GetCookiesParams{URLs: []string{b.base + "/"}}).Cookies
	if len(cookies) != 1 || cookies[0].Name != "__Host-livemon" || !cookies[0].Secure || !cookies[0].HTTPOnly || cookies[0].SameSite != network.CookieSameSiteStrict {
		t.Errorf("the cookies are %+v", cookies)
	}
	b.openPanel()
	b.showsAgents("1001@example.com", "1003@example.com")
	fake.SetAgents(crowd(3))
	b.showsAgents("agent-0000@example.com", "agent-0001@example.com", "agent-0002@example.com")
	b.await("it is HTTP/2", `performance.getEntriesByType("navigation")[0].nextHopProtocol === "h2"`)
	b.use("button", "log out")
	b.at("/login")
}

// A login that somebody makes up, or that has ended, opens nothing.
func TestForgedAndReplayedLogin(t *testing.T) {
	t.Parallel()
	h := buildAround(t, newFake())
	h.account("lead", nil)
	h.account("other", nil)
	b := h.login("lead")
	b.expect("400 (Bad Request)", "401 (Unauthorized)", "403 (Forbidden)")
	was := b.cookie().Value
	other, _, err := h.people.Login(t.Context(), "other", password, "127.0.0.1")
	h.must(err)

	api := func(method, path, csrf string) int {
		return eval[int](b, fmt.Sprintf(`fetch(%s, {method: %s, headers: {"X-CSRF-Token": %s, "Content-Type": "application/json"}, body: %s === "GET" ? undefined : "{}"}).then((r) => r.status)`, quote(path), quote(method), quote(csrf), quote(method)))
	}
	csrf := eval[string](b, `document.querySelector("meta[name=csrf]").content`)
	if got := api("GET", "/v1/agents", ""); got != 200 {
		t.Fatalf("with the login agents are answered with %d", got)
	}
	if got := api("POST", "/v1/sessions", csrf); got != 400 {
		t.Errorf("an empty request with login and token is answered with %d", got)
	}
	for _, forged := range []string{"", "x", strings.Repeat("0", 64)} {
		if got := api("POST", "/v1/sessions", forged); got != 401 && got != 403 {
			t.Errorf("a request with the token %q is answered with %d", forged, got)
		}
	}
	b.setCookie(other)
	if got := api("POST", "/v1/sessions", csrf); got != 401 && got != 403 {
		t.Errorf("a request with another login's token is answered with %d", got)
	}
	last := "A"
	if strings.HasSuffix(was, last) {
		last = "B"
	}
	for _, forged := range []string{"x", token, was[:len(was)-1] + last, was + "A", strings.ToUpper(was), "lead", strings.Repeat("a", 3000)} {
		b.setCookie(forged)
		if got := api("GET", "/v1/agents", csrf); got != 401 {
			t.Errorf("with the cookie %.20q agents are answered with %d", forged, got)
		}
		b.visit("/monitoring")
		b.at("/login")
	}
	b.setCookie(was)
	b.visit("/monitoring")
	b.at("/monitoring")
	b.use("button", "log out")
	b.at("/login")
	b.setCookie(was) // kept by somebody
	b.visit("/monitoring")
	b.at("/login")
	if got := api("GET", "/v1/agents", csrf); got != 401 {
		t.Errorf("with a login that was logged out agents are answered with %d", got)
	}
}

// A page of somebody else, on another port of the same machine so that cookies
// are sent along, can change nothing, log nobody out, and show nothing in a frame.
func TestForeignPage(t *testing.T) {
	t.Parallel()
	fake := newFake()
	h := buildAround(t, fake)
	h.account("lead", nil)
	b := h.login("lead")
	csrf := eval[string](b, `document.querySelector("meta[name=csrf]").content`)
	evil := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		_, _ = fmt.Fprintf(w, `<!doctype html><title>foreign</title><link rel=icon href="data:,"><h1>foreign</h1>
<form method=post action="%[1]s/logout"><input name=csrf value="%[2]s"><button>go</button></form><iframe src="%[1]s/monitoring"></iframe>`, h.base(), csrf)
	}))
	defer evil.Close()
	b.expect("a request to somewhere else", "Failed to load resource", "frame-ancestors", "blocked by CORS", "403 (Forbidden)", "chrome-error:", "Unsafe attempt", "Permissions-Policy")
	b.do(chromedp.Navigate(evil.URL))
	for _, js := range []string{
		// Even with a token that it cannot have.
		`fetch(%[1]s + "/v1/sessions", {method: "POST", mode: "no-cors", credentials: "include", body: '{"agent":"1001@example.com","phone":"1008"}'})`,
		`fetch(%[1]s + "/v1/sessions", {method: "POST", credentials: "include", headers: {"X-CSRF-Token": %[2]s, "Content-Type": "application/json"}, body: '{"agent":"1001@example.com","phone":"1008"}'})`,
		`fetch(%[1]s + "/v1/agents", {credentials: "include"}).then((r) => r.text())`,
		`fetch(%[1]s + "/monitoring", {credentials: "include"}).then((r) => r.text())`,
	} {
		got := eval[string](b, fmt.Sprintf("("+js+`).then((r) => "read " + (r.type || r), (e) => "no")`, quote(h.base()), quote(csrf)))
		if got != "no" && got != "read opaque" {
			t.Errorf("a foreign page has read %.100s with %s", got, js)
		}
	}
	for _, c := range fake.Calls() {
		if strings.HasPrefix(c, "StartSession") {
			t.Errorf("a foreign page had a session started: %s", c)
		}
	}
	framed := false
	for _, f := range call(b, page.GetFrameTree, struct{}{}).FrameTree.ChildFrames {
		framed = framed || strings.HasPrefix(f.Frame.URL, h.base()) && f.Frame.UnreachableURL == ""
	}
	if framed {
		t.Error("a foreign page shows the panel in a frame")
	}
	b.click("button", "go")
	b.await("the form is answered", `location.port === `+quote(strings.TrimPrefix(h.base(), "http://127.0.0.1:"))+` && document.readyState === "complete"`)
	b.visit("/monitoring")
	b.at("/monitoring") // still logged in
}

// Who logs out in one tab is logged out in all.
func TestLogoutInAnotherTab(t *testing.T) {
	t.Parallel()
	h := buildAround(t, newFake())
	h.account("lead", nil)
	b := h.login("lead")
	b.openPanel()
	b.expect("401 (Unauthorized)")
	other := b.beside()
	other.visit("/account")
	other.use("button", "log out")
	other.at("/login")
	b.until("the first tab says so", func(ctx context.Context) (bool, error) {
		return chromedp.Run(ctx, chromedp.Evaluate[bool](`location.pathname === "/login" || /log(ged)? (in|out)|login has ended/i.test(document.querySelector("main").innerText)`))
	})
}
