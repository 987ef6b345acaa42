package api_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"livemon/internal/accounts"
	"livemon/internal/api"
	"livemon/internal/api/apitest"
	"livemon/internal/fault"
	"livemon/internal/wire"
	"livemon/state"
)

// cookies is a login hook as a panel has one, over accounts.
func cookies(acc wire.Accounts) func(*http.Request) (wire.Actor, error) {
	return func(r *http.Request) (wire.Actor, error) {
		c, err := r.Cookie("livemon")
		if err != nil {
			return wire.Actor{}, wire.ErrDenied
		}
		actor, err := acc.Authenticate(r.Context(), c.Value, "panel", r.RemoteAddr)
		if err != nil {
			return wire.Actor{}, err
		}
		if r.Method != http.MethodGet && r.Method != http.MethodHead && r.Header.Get("X-CSRF-Token") != "csrf of "+c.Value {
			return wire.Actor{}, wire.ErrForbidden
		}
		return actor, nil
	}
}

// loggedIn serves a Fake with real accounts, one of which has logged in.
func loggedIn(t *testing.T) (fake *apitest.Fake, acc *accounts.Service, h http.Handler, secret string) {
	t.Helper()
	st, err := state.Open(t.Context(), state.EmbeddedURL, state.Options{})
	if err != nil {
		t.Fatal(err)
	}
	acc, err = accounts.New(st, accounts.Options{Hash: accounts.HashParams{Memory: 64, Time: 1, Threads: 1}, Wait: 50 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- acc.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := errors.Join(<-done, st.Close()); err != nil {
			t.Error(err)
		}
	})
	op := wire.WithActor(t.Context(), wire.Actor{Operator: true, Admin: true})
	change := wire.AccountChange{Rank: ptr(50), Rights: ptr(wire.Actions()), Agents: ptr([]string{"*"}), Password: ptr("correct horse")}
	if _, err := acc.AddAccount(op, "sue", change, false); err != nil {
		t.Fatal(err)
	}
	secret, _, err = acc.Login(t.Context(), "sue", "correct horse", "192.0.2.1")
	if err != nil {
		t.Fatal(err)
	}
	fake = apitest.New()
	return fake, acc, api.NewServer(fake, api.ServerOptions{Token: token, Accounts: acc, Login: cookies(acc)}), secret
}

func TestAskingByCookie(t *testing.T) {
	fake, _, h, secret := loggedIn(t)
	fake.SetSession(wire.Session{ID: "s1", Agent: "1001@example.com", Node: "pbx", Account: "sue", Supervisor: "sue", Coaching: true})
	mine, csrf := "livemon="+secret, "csrf of "+secret
	forged := mine[:len(mine)-4] + "AAAA"
	const role, body = "/v1/sessions/s1/role", `{"role":"coach"}`
	for name, c := range map[string]struct {
		method, target, body string
		header               []string
		status               int
	}{
		"reads":                        {"GET", "/v1/agents", "", []string{"Cookie", mine}, 200},
		"reads, from its own page":     {"GET", "/v1/agents", "", []string{"Cookie", mine, "Sec-Fetch-Site", "same-origin", "Origin", "http://example.com"}, 200},
		"acts":                         {"POST", role, body, []string{"Cookie", mine, "X-CSRF-Token", csrf, "Origin", "http://example.com", "Sec-Fetch-Site", "same-origin"}, 200},
		"follows":                      {"PUT", "/v1/sessions/s1/follow", `{"follow":"agent"}`, []string{"Cookie", mine, "X-CSRF-Token", csrf}, 200},
		"no cookie":                    {"GET", "/v1/agents", "", nil, 401},
		"no cookie, but the CSRF":      {"POST", role, body, []string{"X-CSRF-Token", csrf}, 401},
		"forged":                       {"GET", "/v1/agents", "", []string{"Cookie", forged}, 401},
		"forged, and acts":             {"POST", role, body, []string{"Cookie", forged, "X-CSRF-Token", csrf}, 401},
		"the machine's token":          {"GET", "/v1/agents", "", []string{"Cookie", "livemon=" + token}, 401},
		"long":                         {"GET", "/v1/agents", "", []string{"Cookie", "livemon=" + strings.Repeat("a", 8000)}, 401},
		"an account's name":            {"GET", "/v1/agents", "", []string{"Cookie", "livemon=sue"}, 401},
		"acts without CSRF":            {"POST", role, body, []string{"Cookie", mine}, 403},
		"acts with another's CSRF":     {"POST", role, body, []string{"Cookie", mine, "X-CSRF-Token", "csrf of " + forged}, 403},
		"stops without CSRF":           {"DELETE", "/v1/sessions/s1", "", []string{"Cookie", mine}, 403},
		"from another origin":          {"POST", role, body, []string{"Cookie", mine, "X-CSRF-Token", csrf, "Origin", "http://evil.example"}, 403},
		"from another port":            {"POST", role, body, []string{"Cookie", mine, "X-CSRF-Token", csrf, "Origin", "http://example.com:8080"}, 403},
		"from nowhere":                 {"POST", role, body, []string{"Cookie", mine, "X-CSRF-Token", csrf, "Origin", "null"}, 403},
		"from another site":            {"GET", "/v1/agents", "", []string{"Cookie", mine, "Sec-Fetch-Site", "cross-site"}, 403},
		"from a sibling":               {"GET", "/v1/agents", "", []string{"Cookie", mine, "Sec-Fetch-Site", "same-site"}, 403},
		"with what is no site":         {"GET", "/v1/agents", "", []string{"Cookie", mine, "Sec-Fetch-Site", "elsewhere"}, 403},
		"a wrong token does not count": {"GET", "/v1/agents", "", []string{"Cookie", mine, "Authorization", "Bearer wrong"}, 401},
		"nor another scheme":           {"GET", "/v1/agents", "", []string{"Cookie", mine, "Authorization", "Basic c3VlOg=="}, 401},
	} {
		before := len(fake.Calls())
		w := ask(h, c.method, c.target, c.body, append([]string{"Authorization", ""}, c.header...)...)
		if w.Code != c.status {
			t.Errorf("%s: %d %s, want %d", name, w.Code, w.Body, c.status)
		}
		if c.status != 200 && len(fake.Calls()) != before {
			t.Errorf("%s: it reached the service", name)
		}
		if strings.Contains(w.Body.String(), secret) || strings.Contains(w.Body.String(), token) {
			t.Errorf("%s: the answer holds a secret: %s", name, w.Body)
		}
	}
	w := ask(h, "GET", "/v1/me", "", "Authorization", "", "Cookie", mine)
	if w.Code != 200 || !strings.Contains(w.Body.String(), `"account":"sue"`) || !strings.Contains(w.Body.String(), `"via":"panel"`) {
		t.Errorf("she is %d %s", w.Code, w.Body)
	}
	if w := ask(h, "GET", "/v1/agents", ""); w.Code != 200 {
		t.Errorf("a token: %d", w.Code)
	}
}

// One account's streams leave places for others'.
func TestOneAccountCannotTakeAllPlaces(t *testing.T) {
	_, _, h, secret := loggedIn(t)
	srv := httptest.NewServer(h)
	t.Cleanup(srv.Close)
	ctx, cancel := context.WithCancel(t.Context())
	ask := func(header, value string) *http.Response {
		r, _ := http.NewRequestWithContext(ctx, "GET", srv.URL+"/v1/events?only=agents", nil)
		r.Header.Set(header, value)
		res, err := srv.Client().Do(r)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = res.Body.Close() })
		return res
	}
	for range api.MaxWaitingOf {
		if res := ask("Cookie", "livemon="+secret); res.StatusCode != 200 {
			t.Fatal(res.Status)
		}
	}
	if res := ask("Cookie", "livemon="+secret); res.StatusCode != 503 {
		t.Errorf("one more: %s", res.Status)
	}
	if res := ask("Authorization", "Bearer "+token); res.StatusCode != 200 {
		t.Errorf("somebody else: %s", res.Status)
	}
	cancel()
}

// What a hook answers is not trusted to be somebody.
func TestAHookThatFindsNobody(t *testing.T) {
	for name, c := range map[string]struct {
		err    error
		status int
	}{"nobody": {nil, 401}, "denied": {wire.ErrDenied, 401}, "lacking": {wire.ErrForbidden, 403}, "busy": {wire.ErrBusy, 503}, "away": {fault.New(fault.StoreUnavailable, "", ""), 503}, "broken": {errors.New("hunter2"), 500}} {
		h := api.NewServer(apitest.New(), api.ServerOptions{Login: func(*http.Request) (wire.Actor, error) { return wire.Actor{Operator: c.err != nil}, c.err }})
		if w := ask(h, "GET", "/v1/agents", "", "Authorization", ""); w.Code != c.status || strings.Contains(w.Body.String(), "hunter2") {
			t.Errorf("%s: %d %s", name, w.Code, w.Body)
		}
	}
	h := api.NewServer(apitest.New(), api.ServerOptions{Token: token, Login: func(*http.Request) (wire.Actor, error) { return wire.Actor{Operator: true, Admin: true}, nil }})
	if w := ask(h, "GET", "/v1/agents", "", "Authorization", ""); w.Code != 401 {
		t.Errorf("an operator by cookie: %d", w.Code)
	}
}

// A stream that was opened with a login ends with it, and shows less at once when
// the account may see less.
func TestAStreamByCookieEndsWithTheLogin(t *testing.T) {
	_, acc, h, secret := loggedIn(t)
	srv := httptest.NewServer(h)
	defer srv.Close()
	r, err := http.NewRequestWithContext(t.Context(), "GET", srv.URL+"/v1/events?only=agents&changes=1", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.AddCookie(&http.Cookie{Name: "livemon", Value: secret})
	res, err := srv.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	events := collect(t, res)
	if e := events.next(t); e.name != "agents" || !strings.Contains(e.data, "1003@example.com") {
		t.Fatalf("%+v", e)
	}
	op := wire.WithActor(t.Context(), wire.Actor{Operator: true, Admin: true})
	if _, err := acc.EditAccount(op, "sue", wire.AccountChange{Agents: ptr([]string{"1001"})}); err != nil {
		t.Fatal(err)
	}
	// She may not see numbers, and never could: nothing but the other agent has changed.
	if e := events.next(t); e.name != "agents-changed" || e.data != `{"changed":[],"removed":[{"node":"pbx","agent":"1003@example.com"}]}` {
		t.Fatalf("%+v", e)
	}
	if err := acc.Logout(t.Context(), secret); err != nil {
		t.Fatal(err)
	}
	if e, open := <-events; open {
		t.Errorf("it goes on with %+v", e)
	}
	if w := ask(h, "GET", "/v1/events", "", "Authorization", "", "Cookie", "livemon="+secret); w.Code != 401 {
		t.Errorf("afterwards: %d", w.Code)
	}
}
