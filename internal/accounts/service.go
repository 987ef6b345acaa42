package accounts

import (
	"context"
	"errors"
	"log/slog"
	"reflect"
	"sync"
	"time"

	"livemon/internal/access"
	"livemon/internal/fault"
	"livemon/internal/wire"
	"livemon/state"
)

// Options are what does not change while livemon runs. Zero values are defaults.
type Options struct {
	Access access.Config

	Hash             HashParams // default DefaultHashParams
	Hashing, Waiting int        // how many are hashed at once, and how many more may wait; default by the processors, and 32

	Passwords, PINs state.Limits // default DefaultPasswordLimits, DefaultPINLimits

	LoginIdle time.Duration // a login ends when it is not used for so long; default 30 minutes
	LoginMax  time.Duration // and after so long in any case; default 12 hours

	// Fresh is how long what was confirmed with the store counts without asking
	// it again; default 3 seconds. Reread is how often everything is read anew even
	// though no change was announced; default 30 seconds. Wait is how long one waits
	// for an announcement at a time, and so how long Run may need to end; default
	// half a second.
	Fresh, Reread, Wait time.Duration
	// Stale is how long a token or login that was checked counts while the store
	// is away; default 15 minutes. Nothing new can be begun with it even so.
	Stale time.Duration

	Logger *slog.Logger // default: discards
}

func (o Options) withDefaults() Options {
	def := func(d *time.Duration, v time.Duration) {
		if *d <= 0 {
			*d = v
		}
	}
	def(&o.LoginIdle, 30*time.Minute)
	def(&o.LoginMax, 12*time.Hour)
	def(&o.Fresh, 3*time.Second)
	def(&o.Reread, 30*time.Second)
	def(&o.Wait, 500*time.Millisecond)
	def(&o.Stale, 15*time.Minute)
	if o.Passwords == (state.Limits{}) {
		o.Passwords = DefaultPasswordLimits()
	}
	if o.PINs == (state.Limits{}) {
		o.PINs = DefaultPINLimits()
	}
	if o.LoginIdle > o.LoginMax {
		o.LoginIdle = o.LoginMax
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return o
}

// Service is accounts, teams, logins and rights. It is safe for concurrent use.
// It works without Run, too; then it learns of changes that others have made
// within Fresh, when it is asked.
type Service struct {
	store  *state.Store
	opts   Options
	hasher *hasher
	log    *slog.Logger

	reading chan struct{} // held by who reads rights from the store

	mu        sync.Mutex
	rights    state.Rights
	rules     *access.Rules // nil until they have been read once
	confirmed time.Time     // when the store was last asked, and they were true
	reread    time.Time     // when they were last read as a whole
	changed   chan struct{}
	known     known
}

var _ wire.Accounts = (*Service)(nil)

// New returns a service over a store, which stays the caller's to close. It asks
// the store nothing yet. An error is about the options.
func New(st *state.Store, o Options) (*Service, error) {
	o = o.withDefaults()
	h, err := newHasher(o.Hash, o.Hashing, o.Waiting)
	if err != nil {
		return nil, err
	}
	return &Service{store: st, opts: o, hasher: h, log: o.Logger, reading: make(chan struct{}, 1),
		changed: make(chan struct{}), known: known{entries: map[string]entry{}}}, nil
}

// Changed returns a channel that is closed at the next change of rights, or when
// a token or login is taken away: ask Allowed and Authenticate again.
func (s *Service) Changed() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.changed
}

// touch tells whoever waits, and forgets what was known of tokens and logins.
// The caller holds mu.
func (s *Service) touch() {
	s.known.clear()
	close(s.changed)
	s.changed = make(chan struct{})
}

// Run waits for changes, whoever makes them, until ctx ends. While the store is
// away it tries again and again.
func (s *Service) Run(ctx context.Context) error {
	const shortest, longest = 100 * time.Millisecond, 2 * time.Second
	pause, away := shortest, false
	for ctx.Err() == nil {
		err := s.follow(ctx)
		if err == nil {
			if away {
				s.log.Info("accounts and rights can be read again")
			}
			pause, away = shortest, false
			continue
		}
		if ctx.Err() != nil {
			break
		}
		if !away {
			s.log.Error("accounts and rights cannot be read: nothing new is allowed until they can", slog.Any("error", err))
			away = true
		}
		t := time.NewTimer(pause)
		select {
		case <-t.C:
		case <-ctx.Done():
			t.Stop()
		}
		pause = min(2*pause, longest)
	}
	return nil
}

// follow waits for one change, for Wait at most, and reads it.
func (s *Service) follow(ctx context.Context) error {
	if err := s.refresh(ctx, time.Now()); err != nil {
		return err
	}
	s.mu.Lock()
	rights := s.rights
	s.mu.Unlock()
	changed, err := s.store.AwaitRights(ctx, rights, s.opts.Wait)
	if err != nil || !changed {
		return err
	}
	return s.refresh(ctx, time.Now())
}

// refresh makes sure that the rights were confirmed with the store at since or later.
func (s *Service) refresh(ctx context.Context, since time.Time) error {
	select {
	case s.reading <- struct{}{}:
		defer func() { <-s.reading }()
	case <-ctx.Done():
		return ctx.Err()
	}
	s.mu.Lock()
	done := s.rules != nil && !s.confirmed.Before(since)
	from := s.rights
	if s.rules == nil || time.Since(s.reread) >= s.opts.Reread {
		from = state.Rights{}
	}
	s.mu.Unlock()
	if done {
		return nil
	}
	asked := time.Now()
	got, read, err := s.store.Rights(ctx, from)
	if err != nil {
		return unavailable(ctx, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.confirmed = asked
	news := s.rules == nil || got.Announced(s.rights)
	if read {
		s.reread = asked
		if s.rules == nil || !reflect.DeepEqual(got.Accounts, s.rights.Accounts) || !reflect.DeepEqual(got.Teams, s.rights.Teams) {
			s.rules, news = access.Compile(got.Accounts, got.Teams, s.opts.Access), true
		}
	}
	s.rights = got
	if news {
		s.touch()
	}
	return nil
}

// unavailable makes rights that cannot be read, for whatever reason, the store's
// failure: who is allowed what is not known.
func unavailable(ctx context.Context, err error) error {
	if fault.Of(err) != 0 || errors.Is(err, context.Canceled) && ctx.Err() != nil {
		return err
	}
	return fault.Wrap(fault.StoreUnavailable, "read rights", err)
}

// current returns the rules. With an error they are those known last, which may
// be none.
func (s *Service) current(ctx context.Context) (*access.Rules, error) {
	s.mu.Lock()
	rules, fresh := s.rules, s.rules != nil && time.Since(s.confirmed) < s.opts.Fresh
	s.mu.Unlock()
	if fresh {
		return rules, nil
	}
	err := s.refresh(ctx, time.Now().Add(-s.opts.Fresh))
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.rules, err
}
