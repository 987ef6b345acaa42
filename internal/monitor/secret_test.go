package monitor_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"livemon/internal/monitor"
	"livemon/internal/seal"
	"livemon/internal/wire"
)

// secretFinding is what doctor says of the secret.
func (h *house) secretFinding() wire.Finding {
	h.t.Helper()
	found, err := h.svc.Doctor(h.t.Context())
	if err != nil {
		h.t.Fatal(err)
	}
	i := slices.IndexFunc(found, func(f wire.Finding) bool { return f.Check == "secret" })
	if i < 0 {
		h.t.Fatalf("nothing of the secret in %+v", found)
	}
	return found[i]
}

// Controllers that have different secrets would take each other's sessions for
// strangers' legs: the second one does not begin.
func TestControllersWithDifferentSecrets(t *testing.T) {
	h := build(t)
	if f := h.secretFinding(); !f.OK {
		t.Errorf("%+v", f)
	}
	other := h.cfg
	other.Secret, other.SecretFile = seal.Random(), "/var/lib/livemon/secret"
	second, err := monitor.New(other, h.store)
	if err != nil {
		t.Fatal(err)
	}
	err = second.Run(t.Context())
	var e *monitor.OtherSecretError
	if !errors.As(err, &e) || e.Theirs != h.cfg.Secret.Fingerprint() || !strings.Contains(err.Error(), "/var/lib/livemon/secret") || !strings.Contains(err.Error(), "copy that controller's file") {
		t.Errorf("%v", err)
	}
	if f := h.secretFinding(); !f.OK {
		t.Errorf("after another one tried: %+v", f)
	}
	// When the first one has stopped, one with another secret may begin at once.
	h.stop()
	h.cfg.Secret = other.Secret
	h.start()
	if f := h.secretFinding(); !f.OK || !strings.Contains(f.Detail, other.Secret.Fingerprint()) {
		t.Errorf("%+v", f)
	}
}

// A controller that finds another secret later goes on, and says so.
func TestAnotherSecretComesUp(t *testing.T) {
	h := build(t)
	h.call("5550100", "1001")
	s := h.listen("1001", "1002")
	theirs := seal.Random().Fingerprint()
	if _, err := h.redis.ZAdd("livemon:secret", float64(time.Now().Add(10*time.Second).UnixMilli()), theirs+":0123456789abcdef"); err != nil {
		t.Fatal(err)
	}
	if f := h.secretFinding(); f.OK || !strings.Contains(f.Detail, theirs) || f.Do == "" {
		t.Errorf("%+v", f)
	}
	h.press(s, "4#", wire.Coach)
	h.redis.Del("livemon:secret") // as it expires
	if f := h.secretFinding(); !f.OK {
		t.Errorf("when it has gone: %+v", f)
	}
}

// The key is needed: a fallback would lose every session at the next start.
func TestNoSecret(t *testing.T) {
	cfg := monitor.Config{Nodes: []monitor.NodeConfig{{Addr: "127.0.0.1:1"}}}
	if _, err := monitor.New(cfg, nil); err == nil || !strings.Contains(err.Error(), "--secret-file") {
		t.Errorf("%v", err)
	}
}

// A secret file that is lost takes livemon's control of the legs there are: the
// record and doctor say so, and nobody's leg is touched.
func TestLostSecret(t *testing.T) {
	h := build(t)
	h.call("5550100", "1001")
	s := h.listen("1001", "1002")
	h.stop()
	h.cfg.Secret = seal.Random()
	h.redis.Del("livemon:secret") // of a controller that was killed, it has expired
	h.leftAlone(h.start, s.Channel)
	s = h.await(s.ID, func(s wire.Session) bool { return s.Status == wire.Ended })
	if !strings.Contains(s.Reason, "no longer controls its leg") {
		t.Errorf("ended: %q", s.Reason)
	}
	legs := func() (found wire.Finding, ok bool) {
		all, err := h.svc.Doctor(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range all {
			if f.Check == "legs" {
				return f, true
			}
		}
		return wire.Finding{}, false
	}
	if f, ok := legs(); !ok || f.OK || !strings.Contains(f.Detail, s.Channel) || !strings.Contains(f.Do, "uuid_kill") {
		t.Errorf("%+v", f)
	}
	h.hangup(s.Channel)
	h.gone(s.Channel)
	h.until("doctor tells of no leg", func() bool { _, ok := legs(); return !ok })
}
