package fsconf_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"livemon/fsconf"
)

func TestDefaultsAreValid(t *testing.T) {
	s := fsconf.Defaults()
	must(t, s.Validate())
	s.DialIn = ""
	must(t, s.Validate())
	s.Outbound = "[::1]:8084"
	must(t, s.Validate())
	s.Outbound = "livemon.shop.example:1"
	must(t, s.Validate())
}

func TestValidateRefuses(t *testing.T) {
	long := strings.Repeat("1", 2000)
	tests := map[string]struct {
		setting string
		change  func(*fsconf.Settings)
	}{
		"no key":               {"Keys.Coach", func(s *fsconf.Settings) { s.Keys.Coach = nil }},
		"empty sequence":       {"Keys.Barge", func(s *fsconf.Settings) { s.Keys.Barge = []string{"6#", ""} }},
		"long sequence":        {"Keys.Barge", func(s *fsconf.Settings) { s.Keys.Barge = []string{long} }},
		"many sequences":       {"Keys.Barge", func(s *fsconf.Settings) { s.Keys.Barge = make([]string, 100) }},
		"no telephone key":     {"Keys.Monitor", func(s *fsconf.Settings) { s.Keys.Monitor = []string{"5a"} }},
		"markup in a key":      {"Keys.Monitor", func(s *fsconf.Settings) { s.Keys.Monitor = []string{`5"/>`} }},
		"line break in a key":  {"Keys.Monitor", func(s *fsconf.Settings) { s.Keys.Monitor = []string{"5\n"} }},
		"used twice":           {"Keys.Barge", func(s *fsconf.Settings) { s.Keys.Barge = []string{"4#"} }},
		"one begins another":   {"Keys.TakeOver", func(s *fsconf.Settings) { s.Keys.TakeOver = []string{"4"} }},
		"another begins one":   {"Keys.TakeOver", func(s *fsconf.Settings) { s.Keys.TakeOver = []string{"4#1"} }},
		"inter-digit short":    {"InterDigit", func(s *fsconf.Settings) { s.InterDigit = 499 * time.Millisecond }},
		"inter-digit long":     {"InterDigit", func(s *fsconf.Settings) { s.InterDigit = time.Minute }},
		"inter-digit fraction": {"InterDigit", func(s *fsconf.Settings) { s.InterDigit = time.Second + 1 }},
		"dial-in letters":      {"DialIn", func(s *fsconf.Settings) { s.DialIn = "*8x" }},
		"dial-in markup":       {"DialIn", func(s *fsconf.Settings) { s.DialIn = `"><x` }},
		"dial-in long":         {"DialIn", func(s *fsconf.Settings) { s.DialIn = long }},
		"rate":                 {"Rate", func(s *fsconf.Settings) { s.Rate = 11025 }},
		"context empty":        {"Context", func(s *fsconf.Settings) { s.Context = "" }},
		"context up":           {"Context", func(s *fsconf.Settings) { s.Context = ".." }},
		"context path":         {"Context", func(s *fsconf.Settings) { s.Context = "a/b" }},
		"context variable":     {"Context", func(s *fsconf.Settings) { s.Context = "$${x}" }},
		"context long":         {"Context", func(s *fsconf.Settings) { s.Context = long }},
		"outbound empty":       {"Outbound", func(s *fsconf.Settings) { s.Outbound = "" }},
		"outbound no port":     {"Outbound", func(s *fsconf.Settings) { s.Outbound = "127.0.0.1" }},
		"outbound port 0":      {"Outbound", func(s *fsconf.Settings) { s.Outbound = "127.0.0.1:0" }},
		"outbound port +1":     {"Outbound", func(s *fsconf.Settings) { s.Outbound = "127.0.0.1:+1" }},
		"outbound every":       {"Outbound", func(s *fsconf.Settings) { s.Outbound = "0.0.0.0:8084" }},
		"outbound no host":     {"Outbound", func(s *fsconf.Settings) { s.Outbound = ":8084" }},
		"outbound two hosts":   {"Outbound", func(s *fsconf.Settings) { s.Outbound = "a|b:8084" }},
		"outbound space":       {"Outbound", func(s *fsconf.Settings) { s.Outbound = "a b:8084" }},
		"outbound markup":      {"Outbound", func(s *fsconf.Settings) { s.Outbound = `a"/><x:8084` }},
		"outbound line break":  {"Outbound", func(s *fsconf.Settings) { s.Outbound = "a\nb:8084" }},
		"outbound zone":        {"Outbound", func(s *fsconf.Settings) { s.Outbound = "[fe80::1%eth0]:8084" }},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			s := fsconf.Defaults()
			test.change(&s)
			err := s.Validate()
			var e *fsconf.SettingsError
			if !errors.As(err, &e) || e.Setting != test.setting {
				t.Fatalf("Validate: %v, want a *SettingsError for %s", err, test.setting)
			}
			if len(err.Error()) > 400 {
				t.Errorf("the message repeats %d bytes of the value", len(err.Error()))
			}
			if _, err := fsconf.Install(t.TempDir(), s, false); !errors.As(err, &e) {
				t.Errorf("Install: %v", err)
			}
			if _, err := fsconf.Files(s); !errors.As(err, &e) {
				t.Errorf("Files: %v", err)
			}
		})
	}
}
