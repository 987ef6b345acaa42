package accounts

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"livemon/internal/fault"
	"livemon/internal/wire"
	"livemon/state"
)

// Events that this package puts into the audit stream. Supervisor is the account
// that it is about, Actor who did it.
const (
	EventLogin          = "login"
	EventLoginRefused   = "login-refused"
	EventLogout         = "logout"
	EventAccountAdded   = "account-added"
	EventAccountChanged = "account-changed"
	EventAccountRemoved = "account-removed"
	EventUnlocked       = "account-unlocked"
	EventTeamAdded      = "team-added"
	EventTeamChanged    = "team-changed"
	EventTeamRemoved    = "team-removed"
	EventTokenAdded     = "token-added"
	EventTokenRemoved   = "token-removed"
)

// translate gives the store's errors the names that callers know.
func translate(err error) error {
	var corrupt *state.CorruptError
	switch {
	case err == nil, fault.Of(err) != 0, errors.Is(err, context.Canceled):
		return err
	case errors.Is(err, state.ErrExists):
		return fmt.Errorf("%w: one of this name exists", wire.ErrConflict)
	case errors.Is(err, state.ErrExtensionTaken):
		return fmt.Errorf("%w: the extension is another account's", wire.ErrConflict)
	case errors.Is(err, state.ErrNotFirst):
		return fmt.Errorf("%w: there is an account already", wire.ErrConflict)
	case errors.Is(err, state.ErrFull):
		return fmt.Errorf("%w: there are as many as there may be; remove one first", wire.ErrConflict)
	case errors.Is(err, state.ErrChanged):
		return fmt.Errorf("%w: somebody else has just changed it; look at it and try again", wire.ErrConflict)
	case errors.As(err, &corrupt):
		return fmt.Errorf("%w: what is stored is not understood; remove it and make it anew: %w", wire.ErrConflict, err)
	}
	return err
}

// record stores an audit record about the actor in ctx, unless it names one.
func (s *Service) record(ctx context.Context, r wire.AuditRecord) error {
	actor, _ := wire.ActorOf(ctx)
	if r.Actor == "" {
		r.Actor = actor.Name()
	}
	if r.Origin == "" {
		r.Origin = actor.From
	}
	r.Via = actor.Via
	_, err := s.store.AppendAudit(ctx, r)
	if err != nil {
		s.log.Error("a record could not be stored", slog.String("event", r.Event), slog.String("account", r.Supervisor), slog.Any("error", err))
	}
	return err
}

// change records a change, makes it, and knows it from then on. One that then
// could not be made is recorded as such.
func (s *Service) change(ctx context.Context, r wire.AuditRecord, do func() error) error {
	if err := s.record(ctx, r); err != nil {
		return err
	}
	if err := do(); err != nil {
		err = translate(err)
		r.Detail = fmt.Sprintf("%s did not happen: %v", r.Event, err)
		r.Event, r.Code = state.EventRefused, int(fault.Of(err))
		_ = s.record(context.WithoutCancel(ctx), r) // logged there
		return err
	}
	if err := s.refresh(ctx, time.Now()); err != nil {
		s.log.Warn("a change was stored, but cannot be read back yet", slog.Any("error", err))
	}
	return nil
}

// Administers tells whether the actor in ctx is an administrator, asking the
// store: nil, wire.ErrForbidden, or why that cannot be known.
func (s *Service) Administers(ctx context.Context) error {
	actor, _ := wire.ActorOf(ctx)
	if actor.Operator {
		return nil
	}
	if actor.Account == "" {
		return wire.ErrForbidden
	}
	a, err := s.store.Account(ctx, clipName(actor.Account))
	switch {
	case errors.Is(err, wire.ErrNotFound), err == nil && (!a.Admin || a.Disabled):
		return wire.ErrForbidden
	case err != nil:
		return translate(err)
	}
	return nil
}

// ownOrAdmin allows an account what is its own.
func (s *Service) ownOrAdmin(ctx context.Context, account string) error {
	if actor, _ := wire.ActorOf(ctx); actor.Account != "" && actor.Account == account && !actor.Operator {
		return nil
	}
	return s.Administers(ctx)
}

// Accounts implements wire.Accounts.
func (s *Service) Accounts(ctx context.Context) ([]wire.Account, error) {
	if err := s.Administers(ctx); err != nil {
		return nil, err
	}
	r, _, err := s.store.Rights(ctx, state.Rights{})
	return r.Accounts, translate(err)
}

// Account implements wire.Accounts. An account may look at itself.
func (s *Service) Account(ctx context.Context, name string) (wire.Account, error) {
	if err := s.ownOrAdmin(ctx, name); err != nil {
		return wire.Account{}, err
	}
	a, err := s.store.Account(ctx, clipName(name))
	return a.Account, translate(err)
}

// AddAccount implements wire.Accounts.
func (s *Service) AddAccount(ctx context.Context, name string, c wire.AccountChange, first bool) (wire.Account, error) {
	if err := s.Administers(ctx); err != nil {
		return wire.Account{}, err
	}
	a := state.Account{Account: wire.Account{Name: name}}
	if first {
		admin := true
		c.Admin = &admin
	}
	if err := s.apply(ctx, &a, c); err != nil {
		return wire.Account{}, err
	}
	err := s.change(ctx, wire.AuditRecord{Event: EventAccountAdded, Supervisor: name, Detail: describe(c)}, func() (err error) {
		a, err = s.store.CreateAccount(ctx, a, first)
		return err
	})
	if err != nil {
		return wire.Account{}, err
	}
	return a.Account, nil
}

// EditAccount implements wire.Accounts. Another password, and disabling the
// account, end its logins.
func (s *Service) EditAccount(ctx context.Context, name string, c wire.AccountChange) (wire.Account, error) {
	if err := s.Administers(ctx); err != nil {
		return wire.Account{}, err
	}
	a, err := s.store.Account(ctx, clipName(name))
	if err != nil {
		return wire.Account{}, translate(err)
	}
	if err := s.apply(ctx, &a, c); err != nil {
		return wire.Account{}, err
	}
	err = s.change(ctx, wire.AuditRecord{Event: EventAccountChanged, Supervisor: name, Detail: describe(c)}, func() (err error) {
		a, err = s.store.UpdateAccount(ctx, a)
		return err
	})
	if err != nil {
		return wire.Account{}, err
	}
	return a.Account, nil
}

// apply changes an account in memory.
func (s *Service) apply(ctx context.Context, a *state.Account, c wire.AccountChange) error {
	set(&a.FullName, c.FullName)
	set(&a.Extension, c.Extension)
	set(&a.Rank, c.Rank)
	set(&a.Admin, c.Admin)
	set(&a.Rights, c.Rights)
	set(&a.Teams, c.Teams)
	set(&a.Agents, c.Agents)
	set(&a.Numbers, c.Numbers)
	if c.Disabled != nil {
		if *c.Disabled && !a.Disabled {
			a.Epoch = rand.Text()
		}
		a.Disabled = *c.Disabled
	}
	if err := state.CheckAccount(a.Account); err != nil {
		return err
	}
	if c.Teams != nil {
		if err := s.teamsExist(ctx, a.Teams); err != nil {
			return err
		}
	}
	if c.Password != nil {
		hashed, err := s.newHash(ctx, *c.Password, CheckPassword(a.Name, *c.Password))
		if err != nil {
			return err
		}
		a.PasswordHash, a.Epoch = hashed, rand.Text()
	}
	if c.PIN != nil {
		hashed, err := s.newHash(ctx, *c.PIN, CheckPIN(a.Extension, *c.PIN))
		if err != nil {
			return err
		}
		a.PINHash = hashed
	}
	return nil
}

func set[T any](to *T, from *T) {
	if from != nil {
		*to = *from
	}
}

// newHash hashes a new password or PIN; "" takes it away.
func (s *Service) newHash(ctx context.Context, secret string, flaw error) (string, error) {
	if secret == "" {
		return "", nil
	}
	if flaw != nil {
		return "", flaw
	}
	leave, err := s.hasher.reserve()
	if err != nil {
		return "", err
	}
	defer leave()
	return s.hasher.hash(ctx, secret)
}

func (s *Service) teamsExist(ctx context.Context, names []string) error {
	if len(names) == 0 {
		return nil
	}
	r, _, err := s.store.Rights(ctx, state.Rights{})
	if err != nil {
		return translate(err)
	}
	for _, name := range names {
		if !slices.ContainsFunc(r.Teams, func(t wire.Team) bool { return t.Name == name }) {
			return bad("there is no team %q; make it first", clip(name))
		}
	}
	return nil
}

// describe says what a change is of, for the record: never a password or PIN.
func describe(c wire.AccountChange) string {
	var out []string
	add := func(format string, args ...any) { out = append(out, fmt.Sprintf(format, args...)) }
	if c.FullName != nil {
		add("full name %q", *c.FullName)
	}
	if c.Extension != nil {
		add("extension %q", *c.Extension)
	}
	if c.Rank != nil {
		add("rank %d", *c.Rank)
	}
	if c.Admin != nil {
		add("administrator %v", *c.Admin)
	}
	if c.Rights != nil {
		add("rights %v", *c.Rights)
	}
	if c.Teams != nil {
		add("teams %q", *c.Teams)
	}
	if c.Agents != nil {
		add("agents %q", *c.Agents)
	}
	if c.Numbers != nil {
		add("numbers %v", *c.Numbers)
	}
	if c.Disabled != nil {
		add("disabled %v", *c.Disabled)
	}
	secret := func(what string, s *string) {
		switch {
		case s == nil:
		case *s == "":
			add("no %s", what)
		default:
			add("another %s", what)
		}
	}
	secret("password", c.Password)
	secret("PIN", c.PIN)
	text := strings.Join(out, ", ")
	const most = 4000
	if len(text) > most {
		text = strings.ToValidUTF8(text[:most], "") + "…"
	}
	return text
}

// clip bounds a name that has not been checked yet.
func clip(s string) string {
	const most = 80
	if len(s) > most {
		return strings.ToValidUTF8(s[:most], "") + "…"
	}
	return s
}

// ChangePassword implements wire.Accounts. A wrong old password counts as one
// at login.
func (s *Service) ChangePassword(ctx context.Context, old, changed string) error {
	actor, _ := wire.ActorOf(ctx)
	if actor.Account == "" || actor.Operator {
		return fmt.Errorf("%w: the operator has no password", wire.ErrForbidden)
	}
	if changed == "" {
		return bad("a password is missing")
	}
	if err := CheckPassword(actor.Account, changed); err != nil {
		return err
	}
	a, err := s.attempt(ctx, state.AttemptPassword, actor.Account, old, actor.From, func() (state.Account, error) {
		return s.store.Account(ctx, clipName(actor.Account))
	})
	if err != nil {
		return err
	}
	if a, err = s.store.Account(ctx, a.Name); err != nil { // its hash may have been renewed
		return translate(err)
	}
	if err := s.apply(ctx, &a, wire.AccountChange{Password: &changed}); err != nil {
		return err
	}
	return s.change(ctx, wire.AuditRecord{Event: EventAccountChanged, Supervisor: a.Name, Detail: "another password, by himself"}, func() error {
		_, err := s.store.UpdateAccount(ctx, a)
		return err
	})
}

// RemoveAccount implements wire.Accounts: its logins and tokens go with it.
func (s *Service) RemoveAccount(ctx context.Context, name string) error {
	if err := s.Administers(ctx); err != nil {
		return err
	}
	return s.change(ctx, wire.AuditRecord{Event: EventAccountRemoved, Supervisor: clip(name)}, func() error {
		return s.store.RemoveAccount(ctx, name)
	})
}

// Locked implements wire.Accounts.
func (s *Service) Locked(ctx context.Context, name string) (wire.Lock, error) {
	if err := s.Administers(ctx); err != nil {
		return wire.Lock{}, err
	}
	password, pin, err := s.store.Locked(ctx, name)
	up := func(d time.Duration) int { return int((d + time.Second - 1) / time.Second) }
	return wire.Lock{Password: up(password), PIN: up(pin)}, translate(err)
}

// Unlock implements wire.Accounts: the account's wrong passwords and PINs are
// forgotten. Those of the places they came from are not.
func (s *Service) Unlock(ctx context.Context, name string) error {
	if err := s.Administers(ctx); err != nil {
		return err
	}
	if _, err := s.store.Account(ctx, clipName(name)); err != nil {
		return translate(err)
	}
	return s.change(ctx, wire.AuditRecord{Event: EventUnlocked, Supervisor: name}, func() error { return s.store.Unlock(ctx, name) })
}

// Teams implements wire.Accounts.
func (s *Service) Teams(ctx context.Context) ([]wire.Team, error) {
	if err := s.Administers(ctx); err != nil {
		return nil, err
	}
	r, _, err := s.store.Rights(ctx, state.Rights{})
	return r.Teams, translate(err)
}

// AddTeam implements wire.Accounts. No notice is one of none.
func (s *Service) AddTeam(ctx context.Context, t wire.Team) (wire.Team, error) {
	if err := s.Administers(ctx); err != nil {
		return wire.Team{}, err
	}
	if t.Notice.Kind == "" {
		t.Notice.Kind = wire.NoticeNone
	}
	if t.Agents == nil {
		t.Agents = []string{}
	}
	if err := state.CheckTeam(t); err != nil {
		return wire.Team{}, err
	}
	return t, s.change(ctx, wire.AuditRecord{Event: EventTeamAdded, Detail: describeTeam(t)}, func() error { return s.store.PutTeam(ctx, t, "") })
}

// EditTeam implements wire.Accounts.
func (s *Service) EditTeam(ctx context.Context, name string, c wire.TeamChange) (wire.Team, error) {
	if err := s.Administers(ctx); err != nil {
		return wire.Team{}, err
	}
	t, version, err := s.store.Team(ctx, name)
	if err != nil {
		return wire.Team{}, translate(err)
	}
	set(&t.Agents, c.Agents)
	set(&t.Notice.Kind, c.Kind)
	set(&t.Notice.Every, c.Every)
	if t.Notice.Kind == wire.NoticeNone && c.Every == nil {
		t.Notice.Every = 0
	}
	if err := state.CheckTeam(t); err != nil {
		return wire.Team{}, err
	}
	return t, s.change(ctx, wire.AuditRecord{Event: EventTeamChanged, Detail: describeTeam(t)}, func() error { return s.store.PutTeam(ctx, t, version) })
}

// RemoveTeam implements wire.Accounts. A team that accounts have stays, unless
// what is stored is not understood.
func (s *Service) RemoveTeam(ctx context.Context, name string) error {
	if err := s.Administers(ctx); err != nil {
		return err
	}
	r, _, err := s.store.Rights(ctx, state.Rights{})
	var corrupt *state.CorruptError
	if err != nil && (fault.Of(err) != 0 || !errors.As(err, &corrupt)) {
		return translate(err)
	}
	for _, a := range r.Accounts {
		if slices.Contains(a.Teams, name) {
			return fmt.Errorf("%w: %s has the team; take it away from him first", wire.ErrConflict, a.Name)
		}
	}
	return s.change(ctx, wire.AuditRecord{Event: EventTeamRemoved, Detail: fmt.Sprintf("team %q", clip(name))}, func() error { return s.store.RemoveTeam(ctx, name) })
}

func describeTeam(t wire.Team) string {
	text := fmt.Sprintf("team %q, notice %s every %d s, agents %q", clip(t.Name), t.Notice.Kind, t.Notice.Every, t.Agents)
	const most = 4000
	if len(text) > most {
		text = strings.ToValidUTF8(text[:most], "") + "…"
	}
	return text
}
