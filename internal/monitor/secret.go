package monitor

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"livemon/internal/wire"
	"livemon/state"
)

// secretRenewal is how often the secret's fingerprint is announced.
const secretRenewal = state.SecretTTL / 3

// OtherSecretError refuses to control switches together with controllers that
// have another secret: each would take the other's sessions for a stranger's legs.
type OtherSecretError struct {
	File         string // this controller's
	Mine, Theirs string // fingerprints
}

func (e *OtherSecretError) Error() string {
	return fmt.Sprintf("another controller on this Redis uses another secret file (fingerprint %s; %s has %s): copy that controller's file to %[2]s, "+
		"owned by this user and with mode 0600, and start again; 'livemon doctor' on each machine shows its fingerprint", e.Theirs, e.File, e.Mine)
}

// CheckSecret announces the secret for the first time, and returns an
// *OtherSecretError if a running controller has another. Run begins with it. A store
// that is away is no reason not to begin: nothing can be taken from it then, and it
// is asked again.
func (m *Monitor) CheckSecret(ctx context.Context) error {
	err := m.sameSecret(ctx, true)
	var other *OtherSecretError
	if errors.As(err, &other) {
		return err
	}
	return nil
}

// announce keeps the announcement alive.
func (m *Monitor) announce(ctx context.Context) error {
	return every(ctx, secretRenewal, func() error {
		m.mu.Lock()
		before := m.otherSecret
		m.mu.Unlock()
		err := m.sameSecret(ctx, false)
		var other *OtherSecretError
		if errors.As(err, &other) && other.Theirs != before {
			m.log.Error("another controller has another secret", "error", err)
		}
		return nil
	})
}

// sameSecret announces the secret, and returns an *OtherSecretError if another
// one is announced, too.
func (m *Monitor) sameSecret(ctx context.Context, begins bool) error {
	mine := m.cfg.Secret.Fingerprint()
	theirs, err := m.store.AnnounceSecret(ctx, m.cfg.Owner, mine, begins)
	if err != nil {
		return err
	}
	m.mu.Lock()
	m.otherSecret = theirs
	m.mu.Unlock()
	if theirs != "" {
		return &OtherSecretError{File: m.secretFile(), Mine: mine, Theirs: theirs}
	}
	return nil
}

func (m *Monitor) secretFile() string { return cmp.Or(m.cfg.SecretFile, "this controller's") }

// withdraw lets a controller with another secret begin at once.
func (m *Monitor) withdraw(ctx context.Context) {
	ctx, done := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer done()
	if err := m.store.WithdrawSecret(ctx, m.cfg.Owner, m.cfg.Secret.Fingerprint()); err != nil {
		m.log.Warn("the secret's announcement could not be withdrawn; it expires by itself", "error", err)
	}
}

// secretFinding reports whether all controllers have the same secret.
func (m *Monitor) secretFinding(ctx context.Context) wire.Finding {
	f := wire.Finding{Check: "secret", OK: true, Detail: "fingerprint " + m.cfg.Secret.Fingerprint() + "; no controller announces another"}
	err := m.sameSecret(ctx, false)
	var other *OtherSecretError
	switch {
	case errors.As(err, &other):
		f.OK, f.Detail = false, fmt.Sprintf("another controller uses another secret file: its fingerprint is %s, that of %s is %s", other.Theirs, other.File, other.Mine)
		f.Do = "do not replace a file while sessions run; stop the controller that was added last, copy this one's file to it, and start it again"
	case err != nil:
		f.OK, f.Detail = false, err.Error()
		f.Do = "see what is said of the state store"
	}
	return f
}
