package config_test

import (
	"errors"
	"testing"
	"time"

	"livemon/internal/config"
)

func TestAges(t *testing.T) {
	for in, want := range map[string]string{
		"0": "0", "0d": "0", "90d": "90d", "36500d": "36500d", "36h": "36h0m0s", "48h": "2d", "1h30m": "1h30m0s",
	} {
		a, err := config.ParseAge(in)
		if err != nil || a.String() != want {
			t.Errorf("%q: %v %v, want %s", in, a, err, want)
		}
		if again, err := config.ParseAge(a.String()); err != nil || again != a {
			t.Errorf("%q is read back as %v %v", a, again, err)
		}
	}
	for _, in := range []string{"", "d", "-1d", "-1h", "1.5d", "36501d", "99999999999999999999d", "soon", "90", "1w", "+5d", " 5d"} {
		if a, err := config.ParseAge(in); err == nil {
			t.Errorf("%q is taken as %v", in, a)
		}
	}
}

func TestAuditKeep(t *testing.T) {
	for in, want := range map[string]time.Duration{"0": 0, "90d": 90 * 24 * time.Hour, "1h": time.Hour, `"36500d"`: 36500 * 24 * time.Hour} {
		c, err := config.Load(write(t, "audit-keep: "+in))
		if err != nil || c.Validate() != nil || time.Duration(c.AuditKeep) != want {
			t.Errorf("%s: %v %v", in, time.Duration(c.AuditKeep), err)
			continue
		}
		text, err := c.YAML()
		if err != nil {
			t.Fatal(err)
		}
		if again, err := config.Load(write(t, string(text))); err != nil || again.AuditKeep != c.AuditKeep {
			t.Errorf("%s: printed it is %v %v", in, again.AuditKeep, err)
		}
	}
	for _, in := range []string{"soon", "[]", "{}", "-1d", "90"} {
		if c, err := config.Load(write(t, "audit-keep: "+in)); err == nil {
			t.Errorf("%s is taken as %v", in, c.AuditKeep)
		}
	}
	for _, in := range []string{"59m", "1ns", "876001h"} {
		c, err := config.Load(write(t, "audit-keep: "+in))
		var bad *config.Error
		if err == nil {
			err = c.Validate()
		}
		if !errors.As(err, &bad) || bad.Setting != "audit-keep" {
			t.Errorf("%s: %v", in, err)
		}
	}
}
