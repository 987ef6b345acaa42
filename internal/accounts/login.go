package accounts

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"livemon/internal/fault"
	"livemon/internal/wire"
	"livemon/state"
)

// denied is the one answer to whatever is wrong with a name or a secret.
func denied() error { return fmt.Errorf("%w, or the account cannot log in", wire.ErrDenied) }

// Login implements wire.Accounts. from is where the attempt comes from: an
// address, which is counted besides the account.
func (s *Service) Login(ctx context.Context, name, password, from string) (string, wire.Account, error) {
	name = strings.ToLower(strings.TrimSpace(name))
	a, err := s.attempt(ctx, state.AttemptPassword, name, password, from, func() (state.Account, error) { return s.store.Account(ctx, clipName(name)) })
	if err != nil {
		return "", wire.Account{}, err
	}
	if err := s.record(ctx, wire.AuditRecord{Event: EventLogin, Actor: a.Name, Supervisor: a.Name, Origin: origin(from)}); err != nil {
		return "", wire.Account{}, err
	}
	secret := newSecret(loginPrefix)
	err = s.store.AddLogin(ctx, a, digest(secret), origin(from), s.opts.LoginIdle, s.opts.LoginMax)
	switch {
	case errors.Is(err, state.ErrNotFound): // removed, disabled or with another password since it was checked
		return "", wire.Account{}, denied()
	case err != nil:
		return "", wire.Account{}, translate(err)
	}
	return secret, a.Account, nil
}

// clipName keeps a name of any length from becoming a request that the store refuses.
func clipName(name string) string {
	const longest = 64
	if name == "" || len(name) > longest {
		return "?" // no account is called so
	}
	return name
}

// CheckPIN returns the account whose extension and PIN these are. from is the
// telephone that the attempt comes from. Errors are as those of Login.
func (s *Service) CheckPIN(ctx context.Context, extension, pin, from string) (wire.Account, error) {
	subject := "extension " + strings.ToLower(extension)
	a, err := s.byExtension(ctx, extension)
	if err != nil {
		return wire.Account{}, err
	}
	if a.Name != "" {
		subject = a.Name
	}
	a, err = s.attempt(ctx, state.AttemptPIN, subject, pin, from, func() (state.Account, error) { return a, nil })
	return a.Account, err
}

// ByExtension returns the account whose telephone it is, without asking for a
// PIN: wire.ErrNotFound when it is nobody's, or the account is disabled.
func (s *Service) ByExtension(ctx context.Context, extension string) (wire.Account, error) {
	a, err := s.byExtension(ctx, extension)
	if err == nil && (a.Name == "" || a.Disabled) {
		err = fmt.Errorf("extension %.80q is no account's: %w", extension, wire.ErrNotFound)
	}
	if err != nil {
		return wire.Account{}, err
	}
	return a.Account, nil
}

func (s *Service) byExtension(ctx context.Context, extension string) (state.Account, error) {
	if extension == "" || len(extension) > maxSecret {
		return state.Account{}, nil
	}
	a, err := s.store.AccountByExtension(ctx, extension)
	if errors.Is(err, wire.ErrNotFound) {
		return state.Account{}, nil
	}
	return a, translate(err)
}

// attempt counts an attempt and checks a secret. An account that is not there,
// is disabled, or has no such secret gives the same answer at the same cost as a
// wrong secret.
func (s *Service) attempt(ctx context.Context, kind state.AttemptKind, subject, secret, from string, read func() (state.Account, error)) (state.Account, error) {
	leave, err := s.hasher.reserve()
	if err != nil {
		return state.Account{}, err
	}
	defer leave()
	limits := s.opts.Passwords
	if kind == state.AttemptPIN {
		limits = s.opts.PINs
	}
	if len(subject) > maxSecret {
		subject = digest(subject)
	}
	from = origin(from)
	tried, err := s.store.TryAttempt(ctx, kind, subject, from, limits)
	if err != nil {
		return state.Account{}, translate(err)
	}
	if tried.Wait > 0 {
		s.log.Warn("an attempt was refused: too many have failed", slog.String("kind", string(kind)), slog.String("from", from), slog.Bool("byOrigin", tried.ByOrigin), slog.Duration("wait", tried.Wait))
		return state.Account{}, &wire.WaitError{Wait: tried.Wait}
	}
	a, err := read()
	var corrupt *state.CorruptError
	switch {
	case errors.Is(err, wire.ErrNotFound), errors.Is(err, wire.ErrBadRequest):
		a = state.Account{}
	case errors.As(err, &corrupt) && fault.Of(err) == 0:
		s.log.Error("an account cannot be read; an administrator can replace it", slog.Any("error", err))
		a = state.Account{}
	case err != nil:
		return state.Account{}, translate(err)
	}
	hashed := a.PasswordHash
	if kind == state.AttemptPIN {
		hashed = a.PINHash
	}
	if len(secret) > MaxPassword {
		secret, hashed = secret[:MaxPassword], ""
	}
	ok, renew, err := s.hasher.verify(ctx, hashed, secret)
	if err != nil {
		return state.Account{}, err
	}
	if !ok || a.Disabled {
		s.failed(ctx, kind, a, from, tried)
		return state.Account{}, denied()
	}
	if err := s.store.AttemptSucceeded(ctx, kind, subject, from); err != nil {
		return state.Account{}, translate(err)
	}
	if renew {
		s.renew(ctx, kind, a, secret)
	}
	return a, nil
}

// failed records a wrong secret of an account that exists. Those of others are
// logged without the name, which may be a password in the wrong field.
func (s *Service) failed(ctx context.Context, kind state.AttemptKind, a state.Account, from string, tried state.Attempt) {
	if a.Name == "" {
		s.log.Warn("an attempt failed: there is no such account", slog.String("kind", string(kind)), slog.String("from", from))
		return
	}
	detail := "wrong " + string(kind)
	if a.Disabled {
		detail = "the account is disabled"
	}
	if tried.Next > 0 {
		detail += fmt.Sprintf("; %d in a row, locked for %v", tried.Count, tried.Next)
	}
	s.log.Warn("an attempt failed", slog.String("account", a.Name), slog.String("kind", string(kind)), slog.String("from", from), slog.String("detail", detail))
	// It has been refused; that it cannot be recorded changes nothing.
	_ = s.record(context.WithoutCancel(ctx), wire.AuditRecord{Event: EventLoginRefused, Supervisor: a.Name, Origin: from, Detail: detail})
}

// renew stores the same secret under today's parameters.
func (s *Service) renew(ctx context.Context, kind state.AttemptKind, a state.Account, secret string) {
	hashed, err := s.hasher.hash(ctx, secret)
	if err == nil {
		password, pin := hashed, a.PINHash
		if kind == state.AttemptPIN {
			password, pin = a.PasswordHash, hashed
		}
		err = s.store.ReplaceHashes(ctx, a, password, pin)
	}
	if err != nil {
		s.log.Warn("a hash could not be renewed; that is tried again at the next login", slog.String("account", a.Name), slog.Any("error", err))
	}
}

// Logout implements wire.Accounts. A login that has ended already is no error.
func (s *Service) Logout(ctx context.Context, secret string) error {
	key := digest(secret)
	account, err := s.store.EndLogin(ctx, key)
	s.mu.Lock()
	delete(s.known.entries, key)
	s.known.generation++ // whoever is reading it now has read too early
	s.mu.Unlock()
	if errors.Is(err, wire.ErrNotFound) {
		return nil
	}
	if err != nil {
		return translate(err)
	}
	actor, _ := wire.ActorOf(ctx)
	return s.record(ctx, wire.AuditRecord{Event: EventLogout, Actor: account, Supervisor: account, Origin: actor.From})
}

// Authenticate implements wire.Accounts. While the store is away a secret counts
// that was right within the last minutes (Options.Stale).
func (s *Service) Authenticate(ctx context.Context, secret, via, from string) (wire.Actor, error) {
	if len(secret) > maxSecret {
		return wire.Actor{}, denied()
	}
	key, now := digest(secret), time.Now()
	s.mu.Lock()
	e, there := s.known.entries[key]
	generation := s.known.generation
	s.mu.Unlock()
	door := func(a wire.Actor) wire.Actor { a.Via, a.From = via, origin(from); return a }
	if there && e.fresh(now) {
		return door(e.actor), nil
	}
	var err error
	fresh := entry{checked: now}
	switch {
	case strings.HasPrefix(secret, tokenPrefix):
		fresh.actor, fresh.ends, err = s.token(ctx, secret)
	case strings.HasPrefix(secret, loginPrefix):
		fresh.actor, fresh.ends, err = s.login(ctx, key)
	default:
		return wire.Actor{}, denied()
	}
	if err == nil {
		s.mu.Lock()
		s.known.put(key, fresh, generation)
		s.mu.Unlock()
		return door(fresh.actor), nil
	}
	if fault.Of(err) == fault.StoreUnavailable && there && e.lasts(now) && now.Sub(e.checked) < s.opts.Stale {
		return door(e.actor), nil
	}
	if errors.Is(err, wire.ErrDenied) {
		s.mu.Lock()
		delete(s.known.entries, key)
		s.mu.Unlock()
	}
	return wire.Actor{}, err
}

// login checks the secret of a login by its digest, and lets the login go on.
func (s *Service) login(ctx context.Context, key string) (wire.Actor, time.Time, error) {
	l, a, err := s.store.Login(ctx, key)
	if err != nil || a.Disabled {
		return wire.Actor{}, time.Time{}, s.unknown(err)
	}
	if err := s.store.TouchLogin(ctx, key, l, s.opts.LoginIdle); err != nil {
		s.log.Warn("a login could not be renewed", slog.String("account", a.Name), slog.Any("error", err))
	}
	return wire.Actor{Account: a.Name, Admin: a.Admin}, l.Ends, nil
}

// token checks the secret of a token: prefix, id, and what nobody can guess.
func (s *Service) token(ctx context.Context, secret string) (wire.Actor, time.Time, error) {
	id, _, ok := strings.Cut(strings.TrimPrefix(secret, tokenPrefix), "_")
	if !ok || id == "" {
		return wire.Actor{}, time.Time{}, denied()
	}
	t, a, err := s.store.Token(ctx, id)
	if err != nil {
		return wire.Actor{}, time.Time{}, s.unknown(err)
	}
	if subtle.ConstantTimeCompare([]byte(t.Hash), []byte(digest(secret))) != 1 || a.Disabled {
		return wire.Actor{}, time.Time{}, denied()
	}
	if t.LastUsed == nil || time.Since(*t.LastUsed) > time.Minute {
		if err := s.store.TouchToken(ctx, id); err != nil {
			s.log.Warn("the use of a token could not be noted", slog.String("token", id), slog.Any("error", err))
		}
	}
	actor := wire.Actor{Account: a.Name, Admin: a.Admin, Token: id}
	if t.Expires != nil {
		return actor, *t.Expires, nil
	}
	return actor, time.Time{}, nil
}

// unknown makes everything but a failure of the store a denial.
func (s *Service) unknown(err error) error {
	if err == nil || errors.Is(err, wire.ErrNotFound) {
		return denied()
	}
	var corrupt *state.CorruptError
	if errors.As(err, &corrupt) && fault.Of(err) == 0 {
		s.log.Error("a token or login cannot be read", slog.Any("error", err))
		return denied()
	}
	return translate(err)
}

// AddToken implements wire.Accounts: an account's own tokens, or anybody's for
// an administrator. expires nil is never.
func (s *Service) AddToken(ctx context.Context, account, name string, expires *time.Time) (wire.NewToken, error) {
	if actor, _ := wire.ActorOf(ctx); actor.Token != "" {
		// A token that expires must not be able to outlive itself.
		if err := s.Administers(ctx); err != nil {
			return wire.NewToken{}, fmt.Errorf("%w, or somebody who has logged in: a token cannot make another", err)
		}
	}
	if err := s.ownOrAdmin(ctx, account); err != nil {
		return wire.NewToken{}, err
	}
	a, err := s.store.Account(ctx, clipName(account))
	if err != nil {
		return wire.NewToken{}, translate(err)
	}
	now := time.Now().UTC()
	if expires != nil {
		at := expires.UTC()
		if expires = &at; !at.After(now) {
			return wire.NewToken{}, bad("a token expires in the future, or never")
		}
	}
	id := strings.ToLower(rand.Text()[:10])
	out := wire.NewToken{Token: wire.Token{ID: id, Account: a.Name, Name: name, Created: now, Expires: expires}, Secret: newSecret(tokenPrefix + id + "_")}
	err = s.change(ctx, wire.AuditRecord{Event: EventTokenAdded, Supervisor: a.Name, Detail: fmt.Sprintf("token %s %q", id, name)}, func() error {
		return s.store.AddToken(ctx, a, out.Token, digest(out.Secret))
	})
	if err != nil {
		return wire.NewToken{}, err
	}
	return out, nil
}

// RemoveToken implements wire.Accounts.
func (s *Service) RemoveToken(ctx context.Context, account, id string) error {
	if err := s.ownOrAdmin(ctx, account); err != nil {
		return err
	}
	return s.change(ctx, wire.AuditRecord{Event: EventTokenRemoved, Supervisor: account, Detail: fmt.Sprintf("token %.80q", id)}, func() error {
		return s.store.RemoveToken(ctx, account, id)
	})
}

// Tokens implements wire.Accounts.
func (s *Service) Tokens(ctx context.Context, account string) ([]wire.Token, error) {
	if err := s.ownOrAdmin(ctx, account); err != nil {
		return nil, err
	}
	if _, err := s.store.Account(ctx, clipName(account)); err != nil {
		return nil, translate(err)
	}
	list, err := s.store.Tokens(ctx, account)
	return list, translate(err)
}
