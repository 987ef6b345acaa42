package fsconf_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"livemon/fsconf"
	"livemon/internal/wire"
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

func TestSayAndFollowMayHaveNoKey(t *testing.T) {
	for _, none := range [][]string{nil, {}} {
		s := fsconf.Defaults()
		s.Keys.Say, s.Keys.Follow = none, none
		must(t, s.Validate())
		if xml := fsconf.ConferenceXML(s); strings.Contains(xml, fsconf.DataSay) || strings.Contains(xml, fsconf.DataFollow) || !strings.Contains(xml, fsconf.DataCoach) {
			t.Error(xml)
		}
	}
	xml := fsconf.ConferenceXML(fsconf.Defaults())
	for _, line := range []string{`<control action="event" digits="=9#" data="say"/>`, `<control action="event" digits="=7#" data="follow"/>`} {
		if !strings.Contains(xml, line) {
			t.Errorf("%s is not in\n%s", line, xml)
		}
	}
}

func TestKeysFromBefore(t *testing.T) {
	tests := map[string]struct {
		change      func(*fsconf.Keys)
		say, follow []string
	}{
		"said nothing":         {func(*fsconf.Keys) {}, []string{"9#"}, []string{"7#"}},
		"none":                 {func(k *fsconf.Keys) { k.Say, k.Follow = []string{}, []string{} }, []string{}, []string{}},
		"own":                  {func(k *fsconf.Keys) { k.Say, k.Follow = []string{"8#"}, []string{"9#"} }, []string{"8#"}, []string{"9#"}},
		"coach has it":         {func(k *fsconf.Keys) { k.Coach = []string{"9#"} }, nil, []string{"7#"}},
		"barge begins like it": {func(k *fsconf.Keys) { k.Barge = []string{"9", "7#1"} }, nil, nil},
		"follow has it":        {func(k *fsconf.Keys) { k.Follow = []string{"9#"} }, nil, []string{"9#"}},
	}
	for name, test := range tests {
		s := fsconf.Defaults()
		s.Keys.Say, s.Keys.Follow = nil, nil
		test.change(&s.Keys)
		s.Keys = s.Keys.WithDefaults()
		if err := s.Validate(); err != nil || !slices.Equal(s.Keys.Say, test.say) || !slices.Equal(s.Keys.Follow, test.follow) {
			t.Errorf("%s: %v, say %q, follow %q", name, err, s.Keys.Say, s.Keys.Follow)
		}
	}
	if k := fsconf.Defaults().Keys; !slices.Equal(k.Say, []string{"9#"}) || !slices.Equal(k.Follow, []string{"7#"}) {
		t.Errorf("the defaults were changed: %+v", k)
	}
}

// Every exact sequence fires at once and comes before the expressions, which catch
// what is no beginning of one.
func TestUnknownSequencesAreReported(t *testing.T) {
	tests := map[string]struct {
		barge []string
		want  string
	}{
		"none goes on after #": {[]string{"6#", "0#"}, `digits="=~#$"`},
		"one does":             {[]string{"#6"}, `digits="=~^(?!(?:#)$).*#$"`},
		"several do":           {[]string{"#6", "8*##*", "#0#"}, `digits="=~^(?!(?:#|8[*]#|8[*]##)$).*#$"`},
	}
	for name, test := range tests {
		s := fsconf.Defaults()
		s.Keys.Barge = test.barge
		must(t, s.Validate())
		_, group, _ := strings.Cut(fsconf.ConferenceXML(s), `<group name="livemon">`)
		group, _, _ = strings.Cut(group, "</group>")
		lines := strings.Split(strings.TrimSpace(group), "\n")
		n := len(lines)
		if n < 8 || !strings.Contains(lines[n-2], test.want+` data="unknown"`) || !strings.Contains(lines[n-1], `digits="~." data="unknown"`) {
			t.Errorf("%s:\n%s", name, group)
			continue
		}
		for _, l := range lines[:n-2] {
			if !strings.Contains(l, `digits="=`) || strings.Contains(l, "~") {
				t.Errorf("%s: %s", name, l)
			}
		}
	}
}

// A switch that was installed before there were these keys is ready; Check says what it lacks.
func TestReadyAsInstalledBefore(t *testing.T) {
	whole := fsconf.ConferenceXML(fsconf.Defaults())
	without := func(text string, data ...string) string {
		var out []string
		for l := range strings.Lines(text) {
			if !slices.ContainsFunc(data, func(d string) bool { return strings.Contains(l, `data="`+d+`"`) }) {
				out = append(out, l)
			}
		}
		return strings.Join(out, "")
	}
	plain := func(text string) string { return strings.ReplaceAll(text, `digits="=`, `digits="`) }
	tests := map[string]struct {
		conf    string
		ready   bool
		missing string
	}{
		"as now":                  {whole, true, ""},
		"without the new ones":    {plain(without(whole, "say", "follow", "unknown")), true, "=4# does not ask for coach"},
		"without say":             {without(whole, "say"), true, "9# does not ask for say"},
		"without unknown":         {without(whole, "unknown"), true, "does not ask for unknown"},
		"mistakes delay the keys": {plain(whole), false, "=4# does not ask for coach"},
		"without a role":          {without(whole, "coach"), false, "=4# does not ask for coach"},
		"a key of another":        {strings.Replace(whole, `data="say"`, `data="barge"`, 1), false, `9# asks for "barge"`},
	}
	for name, test := range tests {
		a := healthy()
		a[askConference] = test.conf
		if err := fsconf.Ready(t.Context(), a, fsconf.Defaults()); (err == nil) != test.ready || err != nil && !errors.Is(err, fsconf.ErrNotReady) {
			t.Errorf("%s: Ready: %v", name, err)
		}
		found := check(t, a, fsconf.Defaults())
		i := slices.IndexFunc(found, func(f wire.Finding) bool { return f.Check == "supervisor keys" })
		if i < 0 || found[i].OK != (test.missing == "") || test.missing != "" && (!strings.Contains(found[i].Detail, test.missing) || !strings.Contains(found[i].Do, "fsconf install")) {
			t.Errorf("%s: %+v", name, found)
		}
	}
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
		"say used twice":       {"Keys.Say", func(s *fsconf.Settings) { s.Keys.Coach = []string{"9#"} }},
		"follow begins alike":  {"Keys.Follow", func(s *fsconf.Settings) { s.Keys.Follow = []string{"9#1"} }},
		"say empty sequence":   {"Keys.Say", func(s *fsconf.Settings) { s.Keys.Say = []string{""} }},
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
