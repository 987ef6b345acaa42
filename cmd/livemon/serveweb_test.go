package main

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"livemon/internal/accounts"
	"livemon/internal/api"
	"livemon/internal/api/apitest"
	"livemon/internal/config"
	"livemon/internal/wire"
	"livemon/state"
)

// TestPageAndAPI asks the one address for what is the API's and what is the
// panel's, with and without TLS.
func TestPageAndAPI(t *testing.T) {
	t.Parallel()
	st, err := state.Open(t.Context(), state.EmbeddedURL, state.Options{})
	if err != nil {
		t.Fatal(err)
	}
	people, err := accounts.New(st, accounts.Options{Hash: accounts.HashParams{Memory: 64, Time: 1, Threads: 1}})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- people.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := errors.Join(<-done, st.Close()); err != nil {
			t.Error(err)
		}
	})
	password, all := "correct horse", []string{"*"}
	if _, err := people.AddAccount(wire.WithActor(t.Context(), wire.Actor{Operator: true, Admin: true}), "sue", wire.AccountChange{Password: &password, Agents: &all}, false); err != nil {
		t.Fatal(err)
	}
	secret, _, err := people.Login(t.Context(), "sue", password, "192.0.2.7")
	if err != nil {
		t.Fatal(err)
	}
	cfg := config.Default()
	cfg.TrustedProxies = []string{"192.0.2.1"} // whom httptest's requests come from
	const token = "0123456789abcdef"
	h, err := web(apitest.New(), people, cfg, api.ServerOptions{Token: token, Version: "1.2.3"}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	ask := func(target string, header ...string) *httptest.ResponseRecorder {
		r := httptest.NewRequest("GET", target, nil)
		for i := 0; i < len(header); i += 2 {
			r.Header.Set(header[i], header[i+1])
			if header[i] == "TLS" {
				r.TLS = &tls.ConnectionState{}
			}
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		return w
	}
	const plain, host = "livemon=", "__Host-livemon="
	for name, c := range map[string]struct {
		target string
		header []string
		status int
		holds  string
	}{
		"health":                                {"/healthz", nil, 200, `"ok"`},
		"a token":                               {"/v1/me", []string{"Authorization", "Bearer " + token}, 200, `"operator":true`},
		"a token from behind a proxy":           {"/v1/me", []string{"Authorization", "Bearer " + token, "X-Forwarded-For", "198.51.100.1"}, 200, `"from":"198.51.100.1"`},
		"nobody":                                {"/v1/me", nil, 401, `"code":401`},
		"no such operation":                     {"/v1/none", []string{"Authorization", "Bearer " + token}, 404, `"code":404`},
		"a login":                               {"/v1/me", []string{"Cookie", plain + secret}, 200, `"via":"panel"`},
		"a login over TLS":                      {"/v1/me", []string{"Cookie", host + secret, "TLS", ""}, 200, `"account":"sue"`},
		"a login over TLS to the proxy":         {"/v1/me", []string{"Cookie", host + secret, "X-Forwarded-Proto", "https"}, 200, `"account":"sue"`},
		"a cookie that may come from elsewhere": {"/v1/me", []string{"Cookie", plain + secret, "TLS", ""}, 401, ""},
		"a cookie of TLS without it":            {"/v1/me", []string{"Cookie", host + secret}, 401, ""},
		"the page":                              {"/login", nil, 200, "<html"},
		"the page of agents, without a login":   {"/monitoring", nil, 303, ""},
		"the page of agents":                    {"/monitoring", []string{"Cookie", plain + secret}, 200, "sue"},
		"no such page":                          {"/none", nil, 404, "<html"},
		"a page that is the API's, nearly":      {"/v1", nil, 307, ""},
	} {
		w := ask(c.target, c.header...)
		if w.Code != c.status || !strings.Contains(w.Body.String(), c.holds) {
			t.Errorf("%s: %d %.300s", name, w.Code, w.Body)
		}
		if strings.Contains(w.Body.String(), secret) {
			t.Errorf("%s: the answer holds the login's secret", name)
		}
	}
	if w := ask("/login", "TLS", ""); w.Header().Get("Strict-Transport-Security") == "" || !strings.Contains(w.Header().Get("Content-Security-Policy"), "default-src 'none'") {
		t.Errorf("%v", w.Header())
	}
	for _, c := range ask("/login", "X-Forwarded-Proto", "https").Result().Cookies() {
		if !c.Secure || !c.HttpOnly || c.SameSite != http.SameSiteStrictMode || !strings.HasPrefix(c.Name, "__Host-") {
			t.Errorf("behind TLS: %+v", c)
		}
	}
}
