package apitest

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"livemon/internal/wire"
)

// accounts are what a Fake keeps as wire.Accounts. Its zero value keeps none.
// The secret of a token is "token-" and its account's name. Nobody is refused
// anything but what Hide and Refuse say.
type accounts struct {
	accounts []wire.Account
	teams    []wire.Team
	tokens   []wire.Token
	hidden   func(wire.Actor, wire.Agent) bool
	refuse   func(wire.Actor, wire.Action, wire.Agent) error
}

// Hide says which agents accounts do not see.
func (f *Fake) Hide(hidden func(wire.Actor, wire.Agent) bool) {
	f.mu.Lock()
	f.kept.hidden = hidden
	f.mu.Unlock()
	f.Notify()
}

// Refuse says what is not allowed.
func (f *Fake) Refuse(refuse func(wire.Actor, wire.Action, wire.Agent) error) {
	f.mu.Lock()
	f.kept.refuse = refuse
	f.mu.Unlock()
	f.Notify()
}

func find[T any](list []T, is func(T) bool, what string) (*T, error) {
	i := slices.IndexFunc(list, is)
	if i < 0 {
		return nil, fmt.Errorf("%w: no %s", wire.ErrNotFound, what)
	}
	return &list[i], nil
}

// account is that of a name. f.mu is held.
func (f *Fake) account(name string) (*wire.Account, error) {
	return find(f.kept.accounts, func(a wire.Account) bool { return a.Name == name }, "account "+name)
}

func (f *Fake) team(name string) (*wire.Team, error) {
	return find(f.kept.teams, func(t wire.Team) bool { return t.Name == name }, "team "+name)
}

// Authenticate implements wire.Accounts. It is not among the Calls.
func (f *Fake) Authenticate(_ context.Context, secret, via, from string) (wire.Actor, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, t := range f.kept.tokens {
		if a, err := f.account(t.Account); err == nil && secret == "token-"+t.Account {
			return wire.Actor{Account: a.Name, Admin: a.Admin, Via: via, From: from, Token: t.ID}, nil
		}
	}
	return wire.Actor{}, wire.ErrDenied
}

// Check implements wire.Accounts. It is not among the Calls.
func (f *Fake) Check(ctx context.Context, action wire.Action, agent wire.Agent, _ string) error {
	actor, _ := wire.ActorOf(ctx)
	f.mu.Lock()
	refuse := f.kept.refuse
	f.mu.Unlock()
	if refuse == nil {
		return nil
	}
	return refuse(actor, action, agent)
}

// View implements wire.Accounts. It is not among the Calls.
func (f *Fake) View(ctx context.Context) (func(wire.Agent) (wire.Agent, bool), error) {
	actor, _ := wire.ActorOf(ctx)
	f.mu.Lock()
	hidden := f.kept.hidden
	f.mu.Unlock()
	return func(a wire.Agent) (wire.Agent, bool) {
		if hidden != nil && hidden(actor, a) {
			return wire.Agent{}, false
		}
		return a, true
	}, nil
}

// Login implements wire.Accounts.
func (f *Fake) Login(_ context.Context, name, _, _ string) (string, wire.Account, error) {
	if err := f.enter("Login", name); err != nil {
		return "", wire.Account{}, err
	}
	return "", wire.Account{}, wire.ErrDenied
}

// Logout implements wire.Accounts.
func (f *Fake) Logout(context.Context, string) error { return f.enter("Logout") }

// ChangePassword implements wire.Accounts.
func (f *Fake) ChangePassword(context.Context, string, string) error {
	return f.enter("ChangePassword")
}

// Accounts implements wire.Accounts.
func (f *Fake) Accounts(context.Context) ([]wire.Account, error) {
	if err := f.enter("Accounts"); err != nil {
		return nil, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.kept.accounts), nil
}

// Account implements wire.Accounts.
func (f *Fake) Account(_ context.Context, name string) (wire.Account, error) {
	if err := f.enter("Account", name); err != nil {
		return wire.Account{}, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	a, err := f.account(name)
	if err != nil {
		return wire.Account{}, err
	}
	return *a, nil
}

// AddAccount implements wire.Accounts.
func (f *Fake) AddAccount(_ context.Context, name string, c wire.AccountChange, first bool) (wire.Account, error) {
	if err := f.enter("AddAccount", name, strconv.FormatBool(first), secrets(c)); err != nil {
		return wire.Account{}, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if _, err := f.account(name); err == nil || first && len(f.kept.accounts) > 0 {
		return wire.Account{}, fmt.Errorf("%w: it exists", wire.ErrConflict)
	}
	a := wire.Account{Name: name, Admin: first, Rights: []wire.Action{}, Teams: []string{}, Agents: []string{}, Created: Start}
	apply(&a, c)
	f.kept.accounts = append(f.kept.accounts, a)
	return a, nil
}

// EditAccount implements wire.Accounts.
func (f *Fake) EditAccount(_ context.Context, name string, c wire.AccountChange) (wire.Account, error) {
	if err := f.enter("EditAccount", name, secrets(c)); err != nil {
		return wire.Account{}, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	a, err := f.account(name)
	if err != nil {
		return wire.Account{}, err
	}
	apply(a, c)
	return *a, nil
}

// secrets says which password and PIN a change has, so that tests can see what arrives.
func secrets(c wire.AccountChange) string {
	var out []string
	if c.Password != nil {
		out = append(out, "password="+*c.Password)
	}
	if c.PIN != nil {
		out = append(out, "pin="+*c.PIN)
	}
	return strings.Join(out, " ")
}

func apply(a *wire.Account, c wire.AccountChange) {
	set(&a.FullName, c.FullName)
	set(&a.Extension, c.Extension)
	set(&a.Rank, c.Rank)
	set(&a.Admin, c.Admin)
	set(&a.Rights, c.Rights)
	set(&a.Teams, c.Teams)
	set(&a.Agents, c.Agents)
	set(&a.Numbers, c.Numbers)
	set(&a.Disabled, c.Disabled)
	if c.Password != nil {
		a.Password = *c.Password != ""
	}
	if c.PIN != nil {
		a.PIN = *c.PIN != ""
	}
	a.Changed = Start
}

func set[T any](to *T, from *T) {
	if from != nil {
		*to = *from
	}
}

// RemoveAccount implements wire.Accounts.
func (f *Fake) RemoveAccount(_ context.Context, name string) error {
	if err := f.enter("RemoveAccount", name); err != nil {
		return err
	}
	f.mu.Lock()
	_, err := f.account(name)
	f.kept.accounts = slices.DeleteFunc(f.kept.accounts, func(a wire.Account) bool { return a.Name == name })
	f.mu.Unlock()
	f.Notify()
	return err
}

// Locked implements wire.Accounts.
func (f *Fake) Locked(_ context.Context, name string) (wire.Lock, error) {
	return wire.Lock{PIN: 30}, f.enter("Locked", name)
}

// Unlock implements wire.Accounts.
func (f *Fake) Unlock(_ context.Context, name string) error {
	if err := f.enter("Unlock", name); err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	_, err := f.account(name)
	return err
}

// Teams implements wire.Accounts.
func (f *Fake) Teams(context.Context) ([]wire.Team, error) {
	if err := f.enter("Teams"); err != nil {
		return nil, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.kept.teams), nil
}

// AddTeam implements wire.Accounts.
func (f *Fake) AddTeam(_ context.Context, t wire.Team) (wire.Team, error) {
	if err := f.enter("AddTeam", t.Name); err != nil {
		return wire.Team{}, err
	}
	if t.Notice.Kind == "" {
		t.Notice.Kind = wire.NoticeNone
	}
	if t.Agents == nil {
		t.Agents = []string{}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.kept.teams = append(f.kept.teams, t)
	return t, nil
}

// EditTeam implements wire.Accounts.
func (f *Fake) EditTeam(_ context.Context, name string, c wire.TeamChange) (wire.Team, error) {
	if err := f.enter("EditTeam", name); err != nil {
		return wire.Team{}, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	t, err := f.team(name)
	if err != nil {
		return wire.Team{}, err
	}
	set(&t.Agents, c.Agents)
	set(&t.Notice.Kind, c.Kind)
	set(&t.Notice.Every, c.Every)
	return *t, nil
}

// RemoveTeam implements wire.Accounts.
func (f *Fake) RemoveTeam(_ context.Context, name string) error {
	if err := f.enter("RemoveTeam", name); err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	_, err := f.team(name)
	f.kept.teams = slices.DeleteFunc(f.kept.teams, func(t wire.Team) bool { return t.Name == name })
	return err
}

// Tokens implements wire.Accounts.
func (f *Fake) Tokens(_ context.Context, account string) ([]wire.Token, error) {
	if err := f.enter("Tokens", account); err != nil {
		return nil, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	var out []wire.Token
	for _, t := range f.kept.tokens {
		if t.Account == account {
			out = append(out, t)
		}
	}
	return out, nil
}

// AddToken implements wire.Accounts.
func (f *Fake) AddToken(_ context.Context, account, name string, expires *time.Time) (wire.NewToken, error) {
	if err := f.enter("AddToken", account, name); err != nil {
		return wire.NewToken{}, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if _, err := f.account(account); err != nil {
		return wire.NewToken{}, err
	}
	t := wire.Token{ID: "t" + strconv.Itoa(len(f.kept.tokens)+1), Account: account, Name: name, Created: Start, Expires: expires}
	f.kept.tokens = append(f.kept.tokens, t)
	return wire.NewToken{Token: t, Secret: "token-" + account}, nil
}

// RemoveToken implements wire.Accounts.
func (f *Fake) RemoveToken(_ context.Context, account, id string) error {
	if err := f.enter("RemoveToken", account, id); err != nil {
		return err
	}
	f.mu.Lock()
	_, err := find(f.kept.tokens, func(t wire.Token) bool { return t.ID == id && t.Account == account }, "token "+id)
	f.kept.tokens = slices.DeleteFunc(f.kept.tokens, func(t wire.Token) bool { return t.ID == id && t.Account == account })
	f.mu.Unlock()
	f.Notify()
	return err
}
