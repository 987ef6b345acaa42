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
	return fmt.Sprintf("another controller on this Redis has another secret (its fingerprint is %s, that of %s is %s): copy its secret file here, or stop it and wait %v",
		e.Theirs, e.File, e.Mine, state.SecretTTL)
}

// begin announces the secret for the first time. A store that is away is no
// reason not to begin: nothing can be taken from it then, and it is asked again.
func (m *Monitor) begin(ctx context.Context) error {
	err := m.sameSecret(ctx)
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
		err := m.sameSecret(ctx)
		var other *OtherSecretError
		if errors.As(err, &other) && other.Theirs != before {
			m.log.Error("another controller has another secret", "error", err)
		}
		return nil
	})
}

// sameSecret announces the secret, and returns an *OtherSecretError if another
// one is.
func (m *Monitor) sameSecret(ctx context.Context) error {
	mine := m.cfg.Secret.Fingerprint()
	theirs, err := m.store.AnnounceSecret(ctx, mine)
	if err != nil {
		return err
	}
	if theirs == mine {
		theirs = ""
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
	if err := m.store.WithdrawSecret(ctx, m.cfg.Secret.Fingerprint()); err != nil {
		m.log.Warn("the secret's announcement could not be withdrawn; it expires by itself", "error", err)
	}
}

// secretFinding tells whether all controllers have the same secret.
func (m *Monitor) secretFinding(ctx context.Context) wire.Finding {
	f := wire.Finding{Check: "secret", OK: true, Detail: "fingerprint " + m.cfg.Secret.Fingerprint() + "; no controller announces another"}
	if err := m.sameSecret(ctx); err != nil {
		f.OK, f.Detail = false, err.Error()
		f.Do = "copy the secret file of one controller to all others, and restart these"
	}
	return f
}
