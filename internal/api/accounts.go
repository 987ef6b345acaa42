package api

import (
	"context"
	"net/http"
	"net/url"
	"time"

	"livemon/internal/wire"
)

// AccountRequest is the body of POST and PATCH /v1/accounts. What is left out
// stays as it is, or empty where the account is new. An empty password or PIN
// takes it away.
type AccountRequest struct {
	Name      string         `json:"name,omitempty"`  // POST only
	First     bool           `json:"first,omitempty"` // POST only: make it only if there is no account yet, as an administrator's
	FullName  *string        `json:"fullName,omitempty"`
	Extension *string        `json:"extension,omitempty"`
	Rank      *int           `json:"rank,omitempty"`
	Admin     *bool          `json:"admin,omitempty"`
	Rights    *[]wire.Action `json:"rights,omitempty"`
	Teams     *[]string      `json:"teams,omitempty"`
	Agents    *[]string      `json:"agents,omitempty"`
	Numbers   *bool          `json:"numbers,omitempty"`
	Disabled  *bool          `json:"disabled,omitempty"`
	Password  *string        `json:"password,omitempty"`
	PIN       *string        `json:"pin,omitempty"`
}

func accountRequest(name string, c wire.AccountChange, first bool) AccountRequest {
	return AccountRequest{Name: name, First: first, FullName: c.FullName, Extension: c.Extension, Rank: c.Rank, Admin: c.Admin, Rights: listed(c.Rights),
		Teams: listed(c.Teams), Agents: listed(c.Agents), Numbers: c.Numbers, Disabled: c.Disabled, Password: c.Password, PIN: c.PIN}
}

// listed makes a list that is to be empty one that is encoded as [].
func listed[T any](list *[]T) *[]T {
	if list == nil {
		return nil
	}
	out := orEmpty(*list)
	return &out
}

func (r AccountRequest) change() wire.AccountChange {
	return wire.AccountChange{FullName: r.FullName, Extension: r.Extension, Rank: r.Rank, Admin: r.Admin, Rights: r.Rights,
		Teams: r.Teams, Agents: r.Agents, Numbers: r.Numbers, Disabled: r.Disabled, Password: r.Password, PIN: r.PIN}
}

// TeamRequest is the body of POST and PATCH /v1/teams.
type TeamRequest struct {
	Name   string           `json:"name,omitempty"` // POST only
	Agents *[]string        `json:"agents,omitempty"`
	Kind   *wire.NoticeKind `json:"kind,omitempty"`
	Every  *int             `json:"every,omitempty"`
}

// TokenRequest is the body of POST /v1/accounts/{account}/tokens.
type TokenRequest struct {
	Name    string     `json:"name,omitempty"`
	Expires *time.Time `json:"expires,omitempty"`
}

// accountRoutes are those of accounts, teams and tokens. Who may use them is
// decided by what is behind them, anew for every request.
func accountRoutes() []route {
	return []route{
		{method: "GET", path: "/v1/me", serve: (*server).me},
		{method: "GET", path: "/v1/accounts", serve: keeping((*server).listAccounts)},
		{method: "POST", path: "/v1/accounts", serve: keeping((*server).addAccount)},
		{method: "GET", path: "/v1/accounts/{account}", serve: keeping((*server).account)},
		{method: "PATCH", path: "/v1/accounts/{account}", serve: keeping((*server).editAccount)},
		{method: "DELETE", path: "/v1/accounts/{account}", serve: keeping((*server).removeAccount)},
		{method: "GET", path: "/v1/accounts/{account}/lock", serve: keeping((*server).locked)},
		{method: "DELETE", path: "/v1/accounts/{account}/lock", serve: keeping((*server).unlock)},
		{method: "GET", path: "/v1/accounts/{account}/tokens", serve: keeping((*server).tokens)},
		{method: "POST", path: "/v1/accounts/{account}/tokens", serve: keeping((*server).addToken)},
		{method: "DELETE", path: "/v1/accounts/{account}/tokens/{id}", serve: keeping((*server).removeToken)},
		{method: "GET", path: "/v1/teams", serve: keeping((*server).teams)},
		{method: "POST", path: "/v1/teams", serve: keeping((*server).addTeam)},
		{method: "PATCH", path: "/v1/teams/{team}", serve: keeping((*server).editTeam)},
		{method: "DELETE", path: "/v1/teams/{team}", serve: keeping((*server).removeTeam)},
	}
}

// keeping answers for a service that keeps no accounts.
func keeping(serve func(*server, http.ResponseWriter, *http.Request) error) func(*server, http.ResponseWriter, *http.Request) error {
	return func(s *server, w http.ResponseWriter, r *http.Request) error {
		if s.accounts == nil {
			return httpError{http.StatusNotFound, "this service keeps no accounts"}
		}
		return serve(s, w, r)
	}
}

// pathName is a name in the request's path.
func pathName(r *http.Request, field string) (string, error) {
	name := r.PathValue(field)
	return name, ValidateName(field, name)
}

// done calls the service for what has nothing to answer.
func done(w http.ResponseWriter, r *http.Request, f func(context.Context) error) error {
	ctx, cancel := call(w, r, callTimeout)
	defer cancel()
	if err := f(ctx); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

func (s *server) me(w http.ResponseWriter, r *http.Request) error {
	actor, _ := wire.ActorOf(r.Context())
	return writeJSON(w, http.StatusOK, actor)
}

func (s *server) listAccounts(w http.ResponseWriter, r *http.Request) error {
	return answerList(w, r, s.accounts.Accounts)
}

func (s *server) addAccount(w http.ResponseWriter, r *http.Request) error {
	var req AccountRequest
	if err := decodeBody(r, &req); err != nil {
		return err
	}
	if req.Name == "" {
		return badRequest("name is missing")
	}
	if err := ValidateName("name", req.Name); err != nil {
		return err
	}
	return answer(w, r, http.StatusCreated, func(ctx context.Context) (wire.Account, error) {
		return s.accounts.AddAccount(ctx, req.Name, req.change(), req.First)
	})
}

func (s *server) account(w http.ResponseWriter, r *http.Request) error {
	name, err := pathName(r, "account")
	if err != nil {
		return err
	}
	return answer(w, r, http.StatusOK, func(ctx context.Context) (wire.Account, error) { return s.accounts.Account(ctx, name) })
}

func (s *server) editAccount(w http.ResponseWriter, r *http.Request) error {
	name, err := pathName(r, "account")
	if err != nil {
		return err
	}
	var req AccountRequest
	if err := decodeBody(r, &req); err != nil {
		return err
	}
	if req.Name != "" || req.First {
		return badRequest("an account's name cannot be changed; name and first are for new accounts only")
	}
	return answer(w, r, http.StatusOK, func(ctx context.Context) (wire.Account, error) {
		return s.accounts.EditAccount(ctx, name, req.change())
	})
}

func (s *server) removeAccount(w http.ResponseWriter, r *http.Request) error {
	name, err := pathName(r, "account")
	if err := firstError(err, noBody(r)); err != nil {
		return err
	}
	return done(w, r, func(ctx context.Context) error { return s.accounts.RemoveAccount(ctx, name) })
}

func (s *server) locked(w http.ResponseWriter, r *http.Request) error {
	name, err := pathName(r, "account")
	if err != nil {
		return err
	}
	return answer(w, r, http.StatusOK, func(ctx context.Context) (wire.Lock, error) { return s.accounts.Locked(ctx, name) })
}

func (s *server) unlock(w http.ResponseWriter, r *http.Request) error {
	name, err := pathName(r, "account")
	if err := firstError(err, noBody(r)); err != nil {
		return err
	}
	return done(w, r, func(ctx context.Context) error { return s.accounts.Unlock(ctx, name) })
}

func (s *server) tokens(w http.ResponseWriter, r *http.Request) error {
	name, err := pathName(r, "account")
	if err != nil {
		return err
	}
	return answerList(w, r, func(ctx context.Context) ([]wire.Token, error) { return s.accounts.Tokens(ctx, name) })
}

func (s *server) addToken(w http.ResponseWriter, r *http.Request) error {
	name, err := pathName(r, "account")
	if err != nil {
		return err
	}
	var req TokenRequest
	if err := decodeBody(r, &req); err != nil {
		return err
	}
	if err := ValidateName("name", req.Name); err != nil {
		return err
	}
	return answer(w, r, http.StatusCreated, func(ctx context.Context) (wire.NewToken, error) {
		return s.accounts.AddToken(ctx, name, req.Name, req.Expires)
	})
}

func (s *server) removeToken(w http.ResponseWriter, r *http.Request) error {
	name, err := pathName(r, "account")
	id := r.PathValue("id")
	if err := firstError(err, ValidateID("id", id), noBody(r)); err != nil {
		return err
	}
	return done(w, r, func(ctx context.Context) error { return s.accounts.RemoveToken(ctx, name, id) })
}

func (s *server) teams(w http.ResponseWriter, r *http.Request) error {
	return answerList(w, r, s.accounts.Teams)
}

func (s *server) addTeam(w http.ResponseWriter, r *http.Request) error {
	var req TeamRequest
	if err := decodeBody(r, &req); err != nil {
		return err
	}
	if req.Name == "" {
		return badRequest("name is missing")
	}
	t := wire.Team{Name: req.Name}
	if req.Agents != nil {
		t.Agents = *req.Agents
	}
	if req.Kind != nil {
		t.Notice.Kind = *req.Kind
	}
	if req.Every != nil {
		t.Notice.Every = *req.Every
	}
	return answer(w, r, http.StatusCreated, func(ctx context.Context) (wire.Team, error) { return s.accounts.AddTeam(ctx, t) })
}

func (s *server) editTeam(w http.ResponseWriter, r *http.Request) error {
	name, err := pathName(r, "team")
	if err != nil {
		return err
	}
	var req TeamRequest
	if err := decodeBody(r, &req); err != nil {
		return err
	}
	if req.Name != "" {
		return badRequest("a team's name cannot be changed")
	}
	return answer(w, r, http.StatusOK, func(ctx context.Context) (wire.Team, error) {
		return s.accounts.EditTeam(ctx, name, wire.TeamChange{Agents: req.Agents, Kind: req.Kind, Every: req.Every})
	})
}

func (s *server) removeTeam(w http.ResponseWriter, r *http.Request) error {
	name, err := pathName(r, "team")
	if err := firstError(err, noBody(r)); err != nil {
		return err
	}
	return done(w, r, func(ctx context.Context) error { return s.accounts.RemoveTeam(ctx, name) })
}

// Me returns who the client is to the service.
func (c *Client) Me(ctx context.Context) (out wire.Actor, err error) {
	return out, c.do(ctx, "GET", "/v1/me", nil, nil, &out)
}

func accountPath(name string) string { return "/v1/accounts/" + url.PathEscape(name) }

func needed(field, s string) error {
	if s == "" {
		return badRequest("%s is missing", field)
	}
	return ValidateName(field, s)
}

// Accounts lists the accounts.
func (c *Client) Accounts(ctx context.Context) (out []wire.Account, err error) {
	return out, c.do(ctx, "GET", "/v1/accounts", nil, nil, &out)
}

// Account returns one account.
func (c *Client) Account(ctx context.Context, name string) (out wire.Account, err error) {
	if err := needed("account", name); err != nil {
		return out, err
	}
	return out, c.do(ctx, "GET", accountPath(name), nil, nil, &out)
}

// AddAccount makes an account; with first only if there is none yet, and as an
// administrator's.
func (c *Client) AddAccount(ctx context.Context, name string, change wire.AccountChange, first bool) (out wire.Account, err error) {
	if err := needed("name", name); err != nil {
		return out, err
	}
	return out, c.do(ctx, "POST", "/v1/accounts", nil, accountRequest(name, change, first), &out)
}

// EditAccount changes an account.
func (c *Client) EditAccount(ctx context.Context, name string, change wire.AccountChange) (out wire.Account, err error) {
	if err := needed("account", name); err != nil {
		return out, err
	}
	return out, c.do(ctx, "PATCH", accountPath(name), nil, accountRequest("", change, false), &out)
}

// RemoveAccount removes an account with its tokens and logins.
func (c *Client) RemoveAccount(ctx context.Context, name string) error {
	if err := needed("account", name); err != nil {
		return err
	}
	return c.do(ctx, "DELETE", accountPath(name), nil, nil, nil)
}

// Locked returns for how long an account's password and PIN are refused.
func (c *Client) Locked(ctx context.Context, name string) (out wire.Lock, err error) {
	if err := needed("account", name); err != nil {
		return out, err
	}
	return out, c.do(ctx, "GET", accountPath(name)+"/lock", nil, nil, &out)
}

// Unlock forgets an account's wrong passwords and PINs.
func (c *Client) Unlock(ctx context.Context, name string) error {
	if err := needed("account", name); err != nil {
		return err
	}
	return c.do(ctx, "DELETE", accountPath(name)+"/lock", nil, nil, nil)
}

// Tokens lists an account's tokens.
func (c *Client) Tokens(ctx context.Context, account string) (out []wire.Token, err error) {
	if err := needed("account", account); err != nil {
		return out, err
	}
	return out, c.do(ctx, "GET", accountPath(account)+"/tokens", nil, nil, &out)
}

// AddToken makes a token; expires nil is never.
func (c *Client) AddToken(ctx context.Context, account, name string, expires *time.Time) (out wire.NewToken, err error) {
	if err := firstError(needed("account", account), ValidateName("name", name)); err != nil {
		return out, err
	}
	return out, c.do(ctx, "POST", accountPath(account)+"/tokens", nil, TokenRequest{Name: name, Expires: expires}, &out)
}

// RemoveToken revokes a token.
func (c *Client) RemoveToken(ctx context.Context, account, id string) error {
	if err := firstError(needed("account", account), ValidateID("token", id)); err != nil {
		return err
	}
	return c.do(ctx, "DELETE", accountPath(account)+"/tokens/"+url.PathEscape(id), nil, nil, nil)
}

// Teams lists the teams.
func (c *Client) Teams(ctx context.Context) (out []wire.Team, err error) {
	return out, c.do(ctx, "GET", "/v1/teams", nil, nil, &out)
}

// AddTeam makes a team.
func (c *Client) AddTeam(ctx context.Context, t wire.Team) (out wire.Team, err error) {
	if err := needed("name", t.Name); err != nil {
		return out, err
	}
	req := TeamRequest{Name: t.Name, Agents: listed(&t.Agents), Every: &t.Notice.Every}
	if t.Notice.Kind != "" {
		req.Kind = &t.Notice.Kind
	}
	return out, c.do(ctx, "POST", "/v1/teams", nil, req, &out)
}

// EditTeam changes a team.
func (c *Client) EditTeam(ctx context.Context, name string, change wire.TeamChange) (out wire.Team, err error) {
	if err := needed("team", name); err != nil {
		return out, err
	}
	return out, c.do(ctx, "PATCH", "/v1/teams/"+url.PathEscape(name), nil, TeamRequest{Agents: listed(change.Agents), Kind: change.Kind, Every: change.Every}, &out)
}

// RemoveTeam removes a team that no account has.
func (c *Client) RemoveTeam(ctx context.Context, name string) error {
	if err := needed("team", name); err != nil {
		return err
	}
	return c.do(ctx, "DELETE", "/v1/teams/"+url.PathEscape(name), nil, nil, nil)
}
