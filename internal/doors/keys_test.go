package doors_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"livemon/internal/wire"
)

// TestForgedKeys tries what is no key, or is one no longer, at the API and the page.
func TestForgedKeys(t *testing.T) {
	t.Parallel()
	h := build(t)
	h.account("sue", func(c *wire.AccountChange) {
		c.Rights, c.Agents = ptr([]wire.Action{wire.ActionListen}), ptr([]string{"1001"})
	})
	h.account("ada", func(c *wire.AccountChange) { c.Admin = ptr(true) })
	h.account("bob", nil)
	ctx := wire.WithActor(t.Context(), operator)
	tok, login, admin := h.token("sue"), h.login("sue"), h.login("ada")
	if a, b := h.ask(bearer(tok), "GET", "/v1/me", nil), h.ask(cookie(login), "GET", "/v1/me", nil); a.status != 200 || b.status != 200 {
		t.Fatal(a.whole(), b.whole())
	}

	soon := time.Now().Add(time.Second)
	expiring, err := h.people.AddToken(ctx, "sue", "soon over", &soon)
	h.must(err)
	removed, err := h.people.AddToken(ctx, "sue", "removed", nil)
	h.must(err)
	if a := h.ask(bearer(removed.Secret), "GET", "/v1/me", nil); a.status != 200 {
		t.Fatal(a.whole())
	}
	h.must(h.people.RemoveToken(ctx, "sue", removed.Token.ID))
	out := h.login("sue")
	if a := h.ask(cookie(out), "GET", "/v1/me", nil); a.status != 200 {
		t.Fatal(a.whole())
	}
	if a := h.send(key{"Cookie", "livemon=" + out}, "POST", "/logout", "application/x-www-form-urlencoded", "csrf="+csrf(out)); a.status != http.StatusSeeOther || !strings.Contains(a.header.Get("Set-Cookie"), "Max-Age=0") {
		t.Errorf("logging out: %s", a.whole())
	}
	other := h.token("bob")
	otherLogin := h.login("bob")
	h.must(h.people.RemoveAccount(ctx, "bob"))
	h.account("bob", func(c *wire.AccountChange) { c.Admin = ptr(true) }) // another bob
	changed := h.login("sue")
	if a := h.send(key{"Cookie", "livemon=" + changed}, "POST", "/account/password", "application/x-www-form-urlencoded",
		"csrf="+csrf(changed)+"&old="+strings.ReplaceAll(password, " ", "+")+"&changed=battery+staple+correct+7&again=battery+staple+correct+7"); a.status != http.StatusSeeOther {
		t.Errorf("changing the password: %s", a.whole())
	}
	timer := time.NewTimer(time.Until(soon))
	defer timer.Stop()
	<-timer.C

	id, _, _ := strings.Cut(strings.TrimPrefix(tok, "lmt_"), "_")
	for what, k := range map[string]key{
		"none":                              {},
		"an empty one":                      {"Authorization", ""},
		"no scheme":                         {"Authorization", tok},
		"another scheme":                    {"Authorization", "Basic " + tok},
		"two":                               {"Authorization", "Bearer " + tok, "Authorization", "Bearer " + tok},
		"his and the machine's":             {"Authorization", "Bearer " + tok, "Authorization", "Bearer " + machine},
		"both in one":                       {"Authorization", "Bearer " + machine + ", Bearer " + tok},
		"a truncated one":                   bearer(tok[:len(tok)-1]),
		"a longer one":                      bearer(tok + "a"),
		"one with a blank":                  bearer(" " + tok),
		"another case":                      bearer(strings.ToUpper(tok)),
		"its id alone":                      bearer("lmt_" + id + "_"),
		"the machine's, truncated":          bearer(machine[:len(machine)-1]),
		"the machine's as another's secret": bearer("lmt_" + id + "_" + machine),
		"an empty bearer":                   bearer(""),
		"a very long one":                   bearer(strings.Repeat("a", 4000)),
		"one that is over":                  bearer(expiring.Secret),
		"one that was removed":              bearer(removed.Secret),
		"one of a removed account":          bearer(other),
		"a login as a token":                bearer(admin),
		"a password":                        {"Authorization", "Basic YWRhOmNvcnJlY3QgaG9yc2UgYmF0dGVyeSA5"},
		"a token as a cookie":               cookie(tok),
		"the machine's token as a cookie":   cookie(machine),
		"a login of a removed account":      cookie(otherLogin),
		"a login that was ended":            cookie(out),
		"one from before a new password":    cookie(login),
		"the one that changed it":           cookie(changed),
		"a forged login":                    cookie("lml_" + strings.Repeat("A", 52)),
		"two logins":                        {"Cookie", "livemon=" + admin + "; livemon=" + admin, "X-CSRF-Token", csrf(admin)},
		"the name of TLS":                   {"Cookie", "__Host-livemon=" + admin, "X-CSRF-Token", csrf(admin)},
		"a cookie of another name":          {"Cookie", "LIVEMON=" + admin, "X-CSRF-Token", csrf(admin)},
		"a cookie in the wrong place":       {"Authorization", "Bearer livemon=" + admin},
		"a good cookie beside a bad token":  append(cookie(admin), bearer("no")...),
		"a proxy's word":                    {"X-Forwarded-User", "ada", "X-Remote-User", "ada", "Forwarded", "for=127.0.0.1", "X-Forwarded-For", "127.0.0.1"},
	} {
		for _, path := range []string{"/v1/me", "/v1/agents", "/v1/events", "/v1/sessions", "/v1/none", "/v1/accounts"} {
			if a := h.ask(k, "GET", path, nil); a.status != http.StatusUnauthorized || strings.Contains(a.body, "sue") {
				t.Errorf("%s, %s: %s", what, path, a.whole())
			}
		}
		h.quiet(what, func() {
			if a := h.ask(k, "POST", "/v1/sessions", wire.MonitorRequest{Agent: "1001", Phone: "1002"}); a.status != http.StatusUnauthorized {
				t.Errorf("%s, listening: %s", what, a.whole())
			}
		})
		for _, page := range []string{"/monitoring", "/sessions", "/audit", "/sessions.csv", "/audit.csv", "/account"} {
			if !strings.Contains(what, "cookie beside") {
				if a := h.ask(k, "GET", page, nil); a.status != http.StatusSeeOther || !strings.HasPrefix(a.header.Get("Location"), "/login") {
					t.Errorf("%s, %s: %s", what, page, a.whole())
				}
			}
		}
	}
	// Keys do not count where none is looked for.
	for _, path := range []string{"/v1/me?token=" + tok, "/v1/me?access_token=" + machine, "/v1/me?authorization=Bearer+" + machine, "/monitoring?livemon=" + admin} {
		if a := h.ask(nil, "GET", path, nil); a.status != http.StatusUnauthorized && a.status != http.StatusSeeOther {
			t.Errorf("%s: %s", path, a.whole())
		}
	}
	if a := h.ask(bearer(tok), "GET", "/v1/me", nil); a.status != http.StatusOK {
		t.Errorf("the token itself: %s", a.whole())
	}
	if strings.Contains(strings.Join(h.redis.Keys(), " "), machine) {
		t.Error("the machine's token is stored")
	}
}

// TestForeignPages sends what a page of another site, or of another origin of
// this one, could have a browser send, with the cookie of somebody who has logged in.
func TestForeignPages(t *testing.T) {
	t.Parallel()
	h := build(t)
	h.account("ada", func(c *wire.AccountChange) {
		c.Admin, c.Rights, c.Agents = ptr(true), ptr(wire.Actions()), ptr([]string{"1001"})
	})
	h.account("sue", nil)
	h.call("5550100", "1001")
	ada, other := h.login("ada"), h.login("sue")
	x := h.listens("ada", "1001", "1002")
	h.rest()
	own := h.web.URL
	form := "application/x-www-form-urlencoded"
	posts := []struct {
		method, path, kind string
		body               any
	}{
		{"POST", "/v1/sessions", "application/json", `{"agent":"1001","phone":"1003"}`},
		{"POST", "/v1/sessions", "text/plain", `{"agent":"1001","phone":"1003"}`},
		{"POST", "/v1/sessions/" + x.ID + "/role", "application/json", `{"role":"barge"}`},
		{"POST", "/v1/sessions/" + x.ID + "/takeover", "application/json", nil},
		{"PUT", "/v1/sessions/" + x.ID + "/follow", "application/json", `{"follow":"agent"}`},
		{"DELETE", "/v1/sessions/" + x.ID, "", nil},
		{"POST", "/v1/accounts", "application/json", `{"name":"eve","admin":true}`},
		{"PATCH", "/v1/accounts/sue", "application/json", `{"admin":true}`},
		{"POST", "/v1/extensions", "application/json", `{"number":"1003"}`},
		{"POST", "/logout", form, "csrf=" + csrf(other)},
		{"POST", "/logout", form, ""},
		{"POST", "/account/password", form, "old=a&changed=b&again=b"},
		{"POST", "/account/tokens/none/remove", form, ""},
	}
	h.quiet("foreign pages", func() {
		for what, more := range map[string]key{
			"without the second secret":     {},
			"with an empty one":             {"X-CSRF-Token", ""},
			"with another login's":          {"X-CSRF-Token", csrf(other)},
			"with the cookie as it":         {"X-CSRF-Token", ada},
			"with two":                      {"X-CSRF-Token", csrf(ada), "X-CSRF-Token", csrf(ada)},
			"with an upper-case one":        {"X-CSRF-Token", strings.ToUpper(csrf(ada))},
			"from another origin":           {"X-CSRF-Token", csrf(ada), "Origin", "https://evil.example"},
			"from one that looks like it":   {"X-CSRF-Token", csrf(ada), "Origin", own + ".evil.example"},
			"from two":                      {"X-CSRF-Token", csrf(ada), "Origin", own, "Origin", "https://evil.example"},
			"from another site":             {"X-CSRF-Token", csrf(ada), "Sec-Fetch-Site", "cross-site"},
			"from another origin of a site": {"X-CSRF-Token", csrf(ada), "Sec-Fetch-Site", "same-site"},
			"as another method":             {"X-HTTP-Method-Override", "GET", "X-Method-Override", "GET"},
		} {
			for _, c := range posts {
				a := h.send(append(key{"Cookie", "livemon=" + ada}, more...), c.method, c.path, c.kind, c.body)
				if a.status != http.StatusUnauthorized && a.status != http.StatusForbidden {
					t.Errorf("%s: %s %s: %s", what, c.method, c.path, a.whole())
				}
			}
		}
		// What a form or a picture could ask for changes nothing either.
		for _, path := range []string{"/logout", "/v1/sessions/" + x.ID + "/takeover", "/v1/sessions/" + x.ID + "/role?role=barge", "/v1/sessions/" + x.ID + "/role", "/account/password", "/login?name=ada&password=x"} {
			for _, method := range []string{"GET", "HEAD", "OPTIONS", "TRACE", "get", "POSt"} {
				if a := h.send(key{"Cookie", "livemon=" + ada}, method, path, "", nil); a.status < 400 && !(path == "/login?name=ada&password=x" && (method == "GET" || method == "HEAD")) {
					t.Errorf("%s %s: %s", method, path, a.whole())
				}
			}
		}
		// Nobody's origin is allowed to read anything.
		for _, path := range []string{"/v1/agents", "/monitoring", "/v1/events?only=sessions"} {
			if a := h.ask(key{"Cookie", "livemon=" + ada, "Origin", "https://evil.example", "Sec-Fetch-Site", "cross-site"}, "GET", path, nil); a.header.Get("Access-Control-Allow-Origin") != "" || strings.HasPrefix(path, "/v1") && a.status != http.StatusForbidden {
				t.Errorf("%s: %s", path, a.whole())
			}
		}
	})
	if now, err := h.svc.Session(t.Context(), x.ID); err != nil || now.Status != wire.Listening || now.Role != wire.Monitor || now.Follow != wire.FollowCall {
		t.Errorf("%+v, %v", now, err)
	}
	if a := h.ask(cookie(ada), "GET", "/v1/me", nil); a.status != http.StatusOK {
		t.Errorf("the login itself: %s", a.whole())
	}

	// A login form is good for the browser alone that was given it.
	page := h.ask(nil, "GET", "/login", nil)
	if page.status != http.StatusOK || !strings.Contains(page.header.Get("Set-Cookie"), "livemon-form=") || !strings.Contains(page.header.Get("Set-Cookie"), "SameSite=Strict") {
		t.Fatal(page.whole())
	}
	value := strings.TrimPrefix(strings.Split(page.header.Get("Set-Cookie"), ";")[0], "livemon-form=")
	_, after, _ := strings.Cut(page.body, `name="token" value="`)
	formToken, _, _ := strings.Cut(after, `"`)
	fields := "name=ada&password=" + strings.ReplaceAll(password, " ", "+") + "&token=" + formToken
	for what, k := range map[string]key{
		"without its cookie":        {},
		"with another's":            {"Cookie", "livemon-form=" + strings.Repeat("A", len(value))},
		"with two":                  {"Cookie", "livemon-form=" + value + "; livemon-form=x"},
		"from another site":         {"Cookie", "livemon-form=" + value, "Sec-Fetch-Site", "cross-site"},
		"from another origin":       {"Cookie", "livemon-form=" + value, "Origin", "https://evil.example"},
		"from a neighbour's origin": {"Cookie", "livemon-form=" + value, "Sec-Fetch-Site", "same-site"},
	} {
		if a := h.send(k, "POST", "/login", form, fields); a.status != http.StatusForbidden || strings.Contains(a.header.Get("Set-Cookie"), "livemon=") {
			t.Errorf("a login form %s: %s", what, a.whole())
		}
	}
	for _, next := range []string{"https://evil.example/", "//evil.example/monitoring", `/\evil.example`, "/monitoring/../../evil", "javascript:alert(1)", "/logout", "\r\nX: y", "http:/monitoring", "/%2fevil.example", "///evil.example/audit"} {
		a := h.send(key{"Cookie", "livemon-form=" + value, "Origin", own}, "POST", "/login", form, fields+"&next="+strings.NewReplacer("/", "%2f", ":", "%3a", "\\", "%5c", "\r", "%0d", "\n", "%0a").Replace(next))
		if a.status != http.StatusSeeOther || a.header.Get("Location") != "/monitoring" {
			t.Errorf("next=%q: %d to %q", next, a.status, a.header.Get("Location"))
		}
	}
}

// TestPaths asks for the API's and the page's addresses in other spellings,
// without a key: none of them answers with anything.
func TestPaths(t *testing.T) {
	t.Parallel()
	h := build(t)
	h.account("sue", nil)
	h.call("5550100", "1001")
	for _, path := range []string{"//v1/agents", "/v1//agents", "/v1/agents/", "/v1/./agents", "/v1/x/../agents", "/V1/agents", "/v1/Agents", "/v1%2fagents", "/%76%31/agents", "/v1/agents%00", "/v1/agents;x=y",
		"/v1/agents%20", "/v1/agents?", "/v1/agents#x", "/healthz/../v1/agents", "/healthz/v1/agents", "/static/../v1/agents", "/static/..%2f..%2fv1/agents", "/static/x/..%2f..%2f..%2fetc%2fpasswd", "/static/x/panel.css", "/v1",
		"/v1/sessions/%2e%2e/agents", "/login/../monitoring", "/login/%2e%2e/monitoring", "/monitoring/", "/MONITORING", "/monitoring%2f", "/fragment/hears/..%2f..%2faudit.csv", "/fragment/hears/", "/fragment/hears/x%00y", "/audit.csv/", "/debug/pprof/", "/debug/vars", "/metrics", "/.git/config"} {
		for _, method := range []string{"GET", "HEAD", "POST", "PUT", "DELETE", "PATCH"} {
			a := h.ask(nil, method, path, nil)
			if a.status < 300 && method != "OPTIONS" || strings.Contains(a.body, "1001") || strings.Contains(a.body, "5550100") || strings.Contains(a.header.Get("Location"), "evil") {
				t.Errorf("%s %s: %s", method, path, a.whole())
			}
		}
	}
}
