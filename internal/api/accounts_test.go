package api_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"livemon/internal/access"
	"livemon/internal/accounts"
	"livemon/internal/api"
	"livemon/internal/api/apitest"
	"livemon/internal/wire"
	"livemon/state"
)

func ptr[T any](v T) *T { return &v }

// kept serves a Fake with real accounts, and returns a client with the
// operator's token and what makes one with an account's.
func kept(t *testing.T, c access.Config) (fake *apitest.Fake, operator *api.Client, as func(name string) *api.Client) {
	t.Helper()
	st, err := state.Open(t.Context(), state.EmbeddedURL, state.Options{})
	if err != nil {
		t.Fatal(err)
	}
	svc, err := accounts.New(st, accounts.Options{Access: c, Hash: accounts.HashParams{Memory: 64, Time: 1, Threads: 1}, Wait: 50 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- svc.Run(ctx) }()
	fake = apitest.New()
	srv := httptest.NewServer(api.NewServer(fake, api.ServerOptions{Token: token, Accounts: svc}))
	t.Cleanup(func() {
		srv.Close()
		cancel()
		if err := errors.Join(<-done, st.Close()); err != nil {
			t.Error(err)
		}
	})
	client := func(token string) *api.Client {
		c := api.NewClient(srv.URL, token)
		t.Cleanup(c.Close)
		return c
	}
	operator = client(token)
	return fake, operator, func(name string) *api.Client {
		t.Helper()
		tok, err := operator.AddToken(t.Context(), name, "test", nil)
		if err != nil {
			t.Fatal(err)
		}
		return client(tok.Secret)
	}
}

// crew are agents whom sue sees (1001), does not see (1003), her peer's extension
// (1005), and two who share a name, of whom she sees one.
func crew(fake *apitest.Fake) {
	on := wire.Agent{State: wire.OnCall, Since: apitest.Start, Node: "pbx", Call: "c", User: "+15550100"}
	var list []wire.Agent
	for _, name := range []string{"1001@example.com", "1003@example.com", "1005@example.com", "anna@example.com", "anna@other.example"} {
		a := on
		a.Agent, a.Call = name, "call of "+name
		list = append(list, a)
	}
	fake.SetAgents(list)
}

func addSue(t *testing.T, operator *api.Client, rights ...wire.Action) {
	t.Helper()
	ctx := t.Context()
	_, err := operator.AddTeam(ctx, wire.Team{Name: "support", Agents: []string{"1001", "1005", "anna@example.com"}, Notice: wire.Notice{Kind: wire.NoticeAll, Every: 30}})
	if err == nil {
		_, err = operator.AddAccount(ctx, "sue", wire.AccountChange{Rank: ptr(50), Rights: &rights, Teams: ptr([]string{"support"}), Password: ptr("correct horse"), PIN: ptr("4711")}, false)
	}
	if err == nil {
		_, err = operator.AddAccount(ctx, "peer", wire.AccountChange{Rank: ptr(50), Extension: ptr("1005"), Rights: &rights, Agents: ptr([]string{"*"})}, false)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func names(list []wire.Agent) string {
	var out []string
	for _, a := range list {
		out = append(out, a.Agent)
	}
	return strings.Join(out, " ")
}

func TestAnAccountSeesItsOwn(t *testing.T) {
	ctx := t.Context()
	fake, operator, as := kept(t, access.Config{})
	crew(fake)
	addSue(t, operator, wire.ActionListen)
	sue := as("sue")
	list, err := sue.Agents(ctx)
	if err != nil || names(list) != "1001@example.com anna@example.com" || list[0].User != "******100" {
		t.Errorf("she sees %+v, %v", list, err)
	}
	if all, err := operator.Agents(ctx); err != nil || len(all) != 5 || all[0].User != "+15550100" {
		t.Errorf("the operator sees %+v, %v", all, err)
	}
	for id, s := range map[string]wire.Session{
		"visible": {Agent: "1001@example.com", Supervisor: "peer"}, "hidden": {Agent: "1003@example.com", Supervisor: "peer"},
		"of a peer": {Agent: "1005@example.com", Supervisor: "chief"}, "own": {Agent: "1003@example.com", Supervisor: "sue", Account: "sue"}, "in her name": {Agent: "1003@example.com", Supervisor: "sue"},
	} {
		s.ID, s.Status, s.Role, s.Node, s.User = strings.ReplaceAll(id, " ", "-"), wire.Listening, wire.Monitor, "pbx", "+15550100"
		fake.SetSession(s)
	}
	sessions, err := sue.Sessions(ctx)
	if err != nil || len(sessions) != 2 || sessions[0].ID != "own" || sessions[0].User != "" || sessions[1].ID != "visible" || sessions[1].User != "******100" {
		t.Errorf("she sees sessions %+v, %v", sessions, err)
	}

	// What she may not see reads, to the letter, as what does not exist, at every door.
	doors := map[string]func(id string) error{
		"look":   func(id string) error { _, err := sue.Session(ctx, id); return err },
		"await":  func(id string) error { _, err := sue.AwaitSession(ctx, id, wire.Listening, wire.Monitor); return err },
		"role":   func(id string) error { _, err := sue.ChangeRole(ctx, id, wire.Coach); return err },
		"less":   func(id string) error { _, err := sue.ChangeRole(ctx, id, wire.Monitor); return err },
		"take":   func(id string) error { _, err := sue.TakeOver(ctx, id); return err },
		"follow": func(id string) error { _, err := sue.SetFollow(ctx, id, wire.FollowAgent); return err },
		"stop":   func(id string) error { _, err := sue.StopSession(ctx, id); return err },
	}
	for door, open := range doors {
		for _, id := range []string{"hidden", "of-a-peer", "in-her-name"} {
			err, none := open(id), open("nobody")
			if !errors.Is(err, wire.ErrNotFound) || strings.ReplaceAll(err.Error(), id, "nobody") != none.Error() {
				t.Errorf("%s %s: %v, but of one that is not there: %v", door, id, err, none)
			}
		}
	}
	for _, agent := range []string{"1003@example.com", "1005@example.com", "1005", "anna@other.example", "<b>"} {
		_, err := sue.StartSession(ctx, wire.MonitorRequest{Agent: agent, Phone: "1"})
		_, none := sue.StartSession(ctx, wire.MonitorRequest{Agent: "nobody", Phone: "1"})
		if !errors.Is(err, wire.ErrNotFound) || strings.ReplaceAll(err.Error(), agent, "nobody") != none.Error() {
			t.Errorf("%s: %v, but of one who is not there: %v", agent, err, none)
		}
	}
	if calls := fake.Calls(); slices.ContainsFunc(calls, func(c string) bool {
		return strings.HasPrefix(c, "StartSession") || strings.HasPrefix(c, "ChangeRole") || strings.HasPrefix(c, "TakeOver") || strings.HasPrefix(c, "StopSession") || strings.HasPrefix(c, "SetFollow") ||
			strings.HasPrefix(c, "AwaitSession hidden") || strings.HasPrefix(c, "AwaitSession of-a-peer") // how long one has to wait tells
	}) {
		t.Errorf("it reached the service: %q", calls)
	}

	// Her own, under her own name: what she may do is the service's to say.
	x, err := sue.StartSession(ctx, wire.MonitorRequest{Agent: "anna", Phone: "1", Supervisor: "peer", Coaching: true})
	if err != nil || x.Supervisor != "sue" || x.Account != "sue" || x.Agent != "anna@example.com" {
		t.Fatalf("%+v, %v", x, err)
	}
	if _, err := sue.StopSession(ctx, x.ID); err != nil {
		t.Errorf("stopping her own: %v", err)
	}
}

func TestWhoAdministers(t *testing.T) {
	ctx := t.Context()
	_, operator, as := kept(t, access.Config{})
	addSue(t, operator, wire.ActionListen)
	if _, err := operator.AddAccount(ctx, "admin", wire.AccountChange{Admin: ptr(true)}, false); err != nil {
		t.Fatal(err)
	}
	sue, admin := as("sue"), as("admin")
	doors := map[string]func(c *api.Client) error{
		"accounts":   func(c *api.Client) error { _, err := c.Accounts(ctx); return err },
		"account":    func(c *api.Client) error { _, err := c.Account(ctx, "peer"); return err },
		"edit":       func(c *api.Client) error { _, err := c.EditAccount(ctx, "sue", wire.AccountChange{}); return err },
		"locked":     func(c *api.Client) error { _, err := c.Locked(ctx, "sue"); return err },
		"unlock":     func(c *api.Client) error { return c.Unlock(ctx, "sue") },
		"teams":      func(c *api.Client) error { _, err := c.Teams(ctx); return err },
		"edit team":  func(c *api.Client) error { _, err := c.EditTeam(ctx, "support", wire.TeamChange{}); return err },
		"tokens":     func(c *api.Client) error { _, err := c.Tokens(ctx, "peer"); return err },
		"audit":      func(c *api.Client) error { _, err := c.Audit(ctx, wire.AuditFilter{Supervisor: "peer"}); return err },
		"audit head": func(c *api.Client) error { _, err := c.AuditHead(ctx); return err },
		"doctor":     func(c *api.Client) error { _, err := c.Doctor(ctx); return err },
		"extension":  func(c *api.Client) error { _, err := c.AddExtension(ctx, wire.Extension{Number: "1"}); return err },
		"add": func(c *api.Client) error {
			_, err := c.AddAccount(ctx, "x", wire.AccountChange{}, false)
			if err == nil {
				err = c.RemoveAccount(ctx, "x")
			}
			return err
		},
		"add team": func(c *api.Client) error {
			_, err := c.AddTeam(ctx, wire.Team{Name: "x"})
			if err == nil {
				err = c.RemoveTeam(ctx, "x")
			}
			return err
		},
		"add token": func(c *api.Client) error {
			tok, err := c.AddToken(ctx, "sue", "", nil)
			if err == nil {
				err = c.RemoveToken(ctx, "sue", tok.Token.ID)
			}
			return err
		},
	}
	var no *api.StatusError
	if err := sue.ExportAudit(ctx, wire.AuditFilter{}, io.Discard); !errors.As(err, &no) || no.Status != http.StatusForbidden {
		t.Errorf("the export is open to her: %v", err)
	}
	for door, open := range doors {
		var status *api.StatusError
		if err := open(sue); !errors.As(err, &status) || status.Status != http.StatusForbidden {
			t.Errorf("%s is open to her: %v", door, err)
		}
		for _, c := range []*api.Client{admin, operator} {
			if err := open(c); err != nil {
				t.Errorf("%s is closed: %v", door, err)
			}
		}
	}
	if me, err := sue.Me(ctx); err != nil || me.Account != "sue" || me.Operator || me.Admin || me.Via != "api" || me.From != "127.0.0.1" || me.Token == "" {
		t.Errorf("she is %+v, %v", me, err)
	}
	if me, err := operator.Me(ctx); err != nil || !me.Operator || me.Account != "" {
		t.Errorf("the operator is %+v, %v", me, err)
	}
	if a, err := sue.Account(ctx, "sue"); err != nil || !a.Password || !a.PIN {
		t.Errorf("her own account: %+v, %v", a, err)
	}
	if list, err := sue.Tokens(ctx, "sue"); err != nil || len(list) != 1 {
		t.Errorf("her own tokens: %+v, %v", list, err)
	}
	for what, err := range map[string]error{
		"a name twice": second(operator.AddAccount(ctx, "sue", wire.AccountChange{}, false)),
		"not first":    second(operator.AddAccount(ctx, "other", wire.AccountChange{}, true)),
		"team in use":  operator.RemoveTeam(ctx, "support"),
	} {
		var status *api.StatusError
		if !errors.As(err, &status) || status.Status != http.StatusConflict {
			t.Errorf("%s: %v", what, err)
		}
	}
	for what, err := range map[string]error{
		"a bad name":  second(operator.AddAccount(ctx, "Sue!", wire.AccountChange{}, false)),
		"a short PIN": second(operator.EditAccount(ctx, "sue", wire.AccountChange{PIN: ptr("1")})),
		"no name":     second(operator.AddAccount(ctx, "", wire.AccountChange{}, false)),
		"no team":     second(operator.AddTeam(ctx, wire.Team{})),
		"a bad token": operator.RemoveToken(ctx, "sue", "a/b"),
		"no account":  second(operator.Account(ctx, "")),
	} {
		if !errors.Is(err, wire.ErrBadRequest) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if err := operator.RemoveAccount(ctx, "a/../b"); !errors.Is(err, wire.ErrNotFound) {
		t.Errorf("a name with slashes: %v", err)
	}
}

func second[T any](_ T, err error) error { return err }

// TestATokenThatIsTakenAway ends what was opened with it, at once.
func TestATokenThatIsTakenAway(t *testing.T) {
	ctx := t.Context()
	fake, operator, as := kept(t, access.Config{})
	crew(fake)
	addSue(t, operator, wire.ActionListen)
	sue := as("sue")
	seen, over := make(chan string, 100), make(chan error, 1)
	watching, stop := context.WithCancel(ctx)
	defer stop()
	go func() {
		over <- sue.Watch(watching, api.Watcher{Agents: func(list []wire.Agent) error {
			seen <- names(list)
			return nil
		}})
	}()
	next := func(want string) {
		t.Helper()
		deadline := time.After(patience)
		for {
			select {
			case got := <-seen:
				if got == want {
					return
				}
			case err := <-over:
				t.Fatalf("the stream is over: %v", err)
			case <-deadline:
				t.Fatalf("%q is never seen", want)
			}
		}
	}
	next("1001@example.com anna@example.com")
	if _, err := operator.EditTeam(ctx, "support", wire.TeamChange{Agents: ptr([]string{"1003"})}); err != nil {
		t.Fatal(err)
	}
	next("1003@example.com")
	list, err := sue.Tokens(ctx, "sue")
	if err != nil || len(list) != 1 {
		t.Fatal(list, err)
	}
	if err := operator.RemoveToken(ctx, "sue", list[0].ID); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-over:
		if !errors.Is(err, api.ErrUnauthorized) {
			t.Errorf("the stream ends with %v", err)
		}
	case <-time.After(patience):
		t.Fatal("the stream goes on")
	}
	if _, err := sue.Agents(ctx); !errors.Is(err, api.ErrUnauthorized) {
		t.Errorf("afterwards: %v", err)
	}
}

// TestNothingSecretIsAnswered reads every answer about accounts.
func TestNothingSecretIsAnswered(t *testing.T) {
	_, operator, _ := kept(t, access.Config{})
	addSue(t, operator, wire.ActionListen)
	ctx := t.Context()
	tok, err := operator.AddToken(ctx, "sue", "x", ptr(time.Now().Add(time.Hour)))
	if err != nil || len(tok.Secret) < 50 {
		t.Fatal(tok, err)
	}
	accounts, err1 := operator.Accounts(ctx)
	account, err2 := operator.Account(ctx, "sue")
	tokens, err3 := operator.Tokens(ctx, "sue")
	_, err4 := operator.EditAccount(ctx, "sue", wire.AccountChange{Password: ptr("hunter2")})
	data, err5 := json.Marshal([]any{accounts, account, tokens})
	if err := errors.Join(err1, err2, err3, err5); err != nil || err4 == nil {
		t.Fatal(err, err4)
	}
	text := string(data) + err4.Error()
	for _, s := range []string{"argon2", "correct horse", "4711", "hunter2", tok.Secret, tok.Secret[15:]} {
		if strings.Contains(text, s) {
			t.Errorf("%q is answered: %s", s, text)
		}
	}
}

func TestAServiceWithoutAccounts(t *testing.T) {
	h := api.NewServer(apitest.New(), api.ServerOptions{Token: token})
	if w := ask(h, "GET", "/v1/accounts", ""); w.Code != http.StatusNotFound {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if w := ask(h, "GET", "/v1/me", ""); w.Code != http.StatusOK || !strings.Contains(w.Body.String(), `"operator":true`) {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if w := ask(h, "GET", "/v1/agents", "", "Authorization", "Bearer lmt_aaaaaaaaaa_x"); w.Code != http.StatusUnauthorized {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

// TestALoginIsNoToken presents the secret of a panel's login as a token.
func TestALoginIsNoToken(t *testing.T) {
	st, err := state.Open(t.Context(), state.EmbeddedURL, state.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = st.Close() }()
	svc, err := accounts.New(st, accounts.Options{Hash: accounts.HashParams{Memory: 64, Time: 1, Threads: 1}})
	if err != nil {
		t.Fatal(err)
	}
	operator := wire.WithActor(t.Context(), wire.Actor{Operator: true})
	if _, err := svc.AddAccount(operator, "sue", wire.AccountChange{Password: ptr("correct horse")}, true); err != nil {
		t.Fatal(err)
	}
	secret, _, err := svc.Login(t.Context(), "sue", "correct horse", "127.0.0.1")
	if err != nil {
		t.Fatal(err)
	}
	h := api.NewServer(apitest.New(), api.ServerOptions{Token: token, Accounts: svc})
	if w := ask(h, "GET", "/v1/agents", "", "Authorization", "Bearer "+secret); w.Code != http.StatusUnauthorized {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}
