package fsconf_test

import (
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
	"testing"

	"livemon/fsconf"
	"livemon/internal/fsapi"
	"livemon/internal/wire"
)

// answers is a switch: what it answers to a command line. Lines that are not
// there are answered by their first word, then as an unknown command.
type answers map[string]string

// errReply is how a connection may hand over an -ERR.
type errReply struct{ text string }

func (e errReply) Error() string { return "the switch answered with an error: " + e.text }

func (a answers) API(_ context.Context, l fsapi.Line) (string, error) {
	line := l.String()
	if strings.ContainsAny(line, "\r\n\x00") {
		return "", errors.New("argument cannot be sent")
	}
	name, _, _ := strings.Cut(line, " ")
	answer, ok := a[line]
	if !ok {
		answer, ok = a[name]
	}
	if !ok {
		answer = "-ERR " + name + " Command not found!"
	}
	if strings.HasPrefix(answer, "-ERR") || strings.HasPrefix(answer, "-USAGE") {
		return "", errReply{answer}
	}
	return answer, nil
}

const dialplan = `<context name="default">
  <extension name="unloop"><condition field="${unroll_loops}" expression="^true$"></condition></extension>
  <extension name="global" continue="true"><condition field="destination_number" expression="."/></extension>
  <extension name="perl only"><condition field="destination_number" expression="^(?!x).*$"/></extension>
  <extension name="livemon-dial-in"><condition field="destination_number" expression="^\*88(\d{1,20})$">
    <action application="socket" data="127.0.0.1:8084 async"></action>
    <action application="hangup" data="NORMAL_TEMPORARY_FAILURE"></action>
  </condition></extension>
  <extension name="all"><condition field="destination_number" expression="^(.*)$"/></extension>
</context>`

const (
	askConference = "xml_locate configuration configuration name conference.conf"
	askDialplan   = "xml_locate dialplan context name default"
	askApps       = "show application as json"
)

// healthy is a switch as Install and a reload leave it. The answers are those
// of FreeSWITCH 1.10.12.
func healthy() answers {
	a := answers{
		"version":       "FreeSWITCH Version 1.10.12-release~64bit ( 64bit)\n",
		"global_getvar": confDir,
		"module_exists": "true",
		"file_exists":   "true",
		"conference":    "+OK No active conferences.",
		"show":          "-USAGE: codec|endpoint|application|api",
		"uuid_exists":   "false",
		"uuid_park":     "-ERR No such channel!",
		"xml_locate":    "-ERR bad args",
		askConference:   fsconf.ConferenceXML(fsconf.Defaults()),
		askDialplan:     dialplan,
		askApps:         `{"row_count":11,"rows":[{"name":"answer"},{"name":"conference"},{"name":"eavesdrop"},{"name":"hangup"},{"name":"park"},{"name":"play_and_get_digits"},{"name":"playback"},{"name":"set"},{"name":"start_dtmf"},{"name":"unset"},{"name":"socket"}]}`,
	}
	for _, usage := range []string{"originate", "uuid_bridge", "uuid_broadcast", "uuid_dump", "uuid_getvar", "uuid_kill", "uuid_media", "uuid_setvar", "uuid_setvar_multi", "uuid_transfer"} {
		a[usage] = "-USAGE: <uuid> <more>"
	}
	return a
}

func check(t testing.TB, a answers, s fsconf.Settings) []wire.Finding {
	t.Helper()
	found, err := fsconf.Check(context.Background(), a, s)
	must(t, err)
	return found
}

func TestCheckOfAHealthySwitch(t *testing.T) {
	found := check(t, healthy(), fsconf.Defaults())
	var names []string
	for _, f := range found {
		names = append(names, f.Check)
		if !f.OK || f.Do != "" || f.Detail == "" {
			t.Errorf("%+v", f)
		}
	}
	want := []string{"version", "rights", "modules", "applications", "conference profile", "supervisor keys", "prompts", "dial-in extension"}
	if !slices.Equal(names, want) {
		t.Errorf("findings %q, want %q", names, want)
	}
}

func TestCheckWithoutDialIn(t *testing.T) {
	a, s := healthy(), fsconf.Defaults()
	s.DialIn = ""
	delete(a, askDialplan)
	a["module_exists mod_dialplan_xml"] = "false"
	for _, f := range check(t, a, s) {
		if !f.OK {
			t.Errorf("%+v", f)
		}
	}
}

// change has the switch give its answer to a line with another text in it.
func change(line, from, to string) func(answers) {
	return func(a answers) {
		if !strings.Contains(a[line], from) {
			panic(line + " does not hold " + from)
		}
		a[line] = strings.Replace(a[line], from, to, 1)
	}
}

func answer(line, text string) func(answers) { return func(a answers) { a[line] = text } }

func TestCheckFinds(t *testing.T) {
	tests := map[string]struct {
		check  string
		detail string // what the finding's detail must hold
		do     string // and what to do about it
		change func(answers)
	}{
		"old version":        {"version", "1.8", "Upgrade", answer("version", "FreeSWITCH Version 1.8.7~64bit")},
		"no version":         {"version", `"what?"`, "1.10", answer("version", "what?")},
		"denied":             {"rights", "not allowed: originate", "esl-allowed-api", answer("originate", "-ERR permission denied")},
		"unknown command":    {"rights", "not known to the switch: uuid_bridge", "mod_commands", func(a answers) { delete(a, "uuid_bridge") }},
		"module":             {"modules", "not loaded: mod_tone_stream", "load mod_tone_stream", answer("module_exists mod_tone_stream", "false")},
		"application":        {"applications", "missing: park", "mod_dptools", change(askApps, `"park"`, `"nark"`)},
		"no questions":       {"applications", "missing: play_and_get_digits", "mod_dptools", change(askApps, `"play_and_get_digits"`, `"x"`)},
		"no list":            {"applications", "permission denied", "esl-allowed-api", answer(askApps, "-ERR permission denied")},
		"no profile":         {"conference profile", "there is no profile", "fsconf install " + confDir, change(askConference, `<profile name="livemon">`, `<profile name="other">`)},
		"no conference.conf": {"conference profile", "no such configuration", "reloadxml", answer(askConference, "can't find anything")},
		"another answer":     {"conference profile", "no conference.conf", "reloadxml", answer(askConference, "<configuration name='x'></configuration>")},
		"broken answer":      {"conference profile", "cannot be read", "reloadxml", answer(askConference, "<configuration name='conference.conf'><")},
		"denied xml":         {"conference profile", "permission denied", "reloadxml", answer(askConference, "-ERR permission denied")},
		"energy":             {"conference profile", `energy-level is "100", not "0"`, "reloadxml", change(askConference, `"energy-level" value="0"`, `"energy_level" value="100"`)},
		"music":              {"conference profile", `moh-sound is set, to "x"`, "reloadxml", change(askConference, `<param name="rate"`, `<param name="moh-sound" value="x"/><param name="rate"`)},
		"callers' controls":  {"conference profile", "caller-controls is missing", "reloadxml", change(askConference, `<param name="caller-controls" value="none"/>`, "")},
		"too fast":           {"conference profile", "ivr-dtmf-timeout", "reloadxml", change(askConference, `value="3000"`, `value="500"`)},
		"second profile":     {"conference profile", "domain is missing", "reloadxml", change(askConference, `<profile name="livemon">`, `<profile name="LIVEMON"/><profile name="livemon">`)},
		"no group":           {"supervisor keys", "there is no group", "reloadxml", change(askConference, `<group name="livemon">`, `<group name="default">`)},
		"no controls":        {"supervisor keys", "there is no group", "reloadxml", func(a answers) { a[askConference] = strings.ReplaceAll(a[askConference], "caller-controls>", "x>") }},
		"other keys":         {"supervisor keys", "4# does not ask for coach", "reloadxml", change(askConference, `"=4#"`, `"=44"`)},
		"keys that wait":     {"supervisor keys", "4# does not ask for coach", "reloadxml", change(askConference, `"=4#"`, `"4#"`)},
		"silent mistakes":    {"supervisor keys", "does not ask for unknown", "reloadxml", change(askConference, `"=~#$"`, `"=8#"`)},
		"one key more":       {"supervisor keys", `9 asks for "barge"`, "reloadxml", change(askConference, "</group>", `<control action="event" digits="9" data="barge"/></group>`)},
		"a key that mutes":   {"supervisor keys", `0 does "mute"`, "reloadxml", change(askConference, "</group>", `<control action="mute" digits="0"/></group>`)},
		"prompt":             {"prompts", "9.wav", "read that folder", answer("file_exists "+path.Join(confDir, "livemon/prompts/9.wav"), "false")},
		"no folder":          {"prompts", "does not tell", "esl-allowed-api", answer("global_getvar", "")},
		"folder with spaces": {"prompts", "cannot stand in a command", "freeswitch -conf", answer("global_getvar", "/etc/my switch")},
		"hostile folder":     {"prompts", `\x1b`, "freeswitch -conf", answer("global_getvar", "/etc/\x1b[2J")},
		"no dialplan":        {"dial-in extension", "no such configuration", "mod_xml_curl", answer(askDialplan, "can't find anything")},
		"other context":      {"dial-in extension", `no context "default"`, "reloadxml", change(askDialplan, `name="default"`, `name="x"`)},
		"no extension":       {"dial-in extension", "no extension", "reloadxml", change(askDialplan, `name="livemon-dial-in"`, `name="x"`)},
		"other address":      {"dial-in extension", "127.0.0.1:9999", "reloadxml", change(askDialplan, "8084", "9999")},
		"full": {"dial-in extension", "it calls 127.0.0.1:8084 with 'full': whoever listens there may send the switch any command", "fsconf install " + confDir,
			change(askDialplan, "8084 async", "8084 async full")},
		"full, in capitals": {"dial-in extension", "with 'full'", "reloadxml", change(askDialplan, "8084 async", "8084 FULL async")},
		"full behind it": {"dial-in extension", "it calls 10.0.0.9:1 with 'full'", "reloadxml",
			change(askDialplan, `<action application="hangup"`, `<action application="socket" data="10.0.0.9:1 async full"/><action application="hangup"`)},
		"full, and another address": {"dial-in extension", "it calls 127.0.0.1:9999 with 'full'", "reloadxml", change(askDialplan, "8084 async", "9999 async full")},
		"full, by an extension of the shop's": {"dial-in extension", `"all" is not livemon's: it calls 127.0.0.1:8084 with 'full'`, "Take 'full' out", change(askDialplan,
			`expression="^(.*)$"/>`, `expression="^(.*)$"><anti-action application="Socket" data="10.0.0.9|127.0.0.1:8084 full"/></condition>`)},
		"other code":     {"dial-in extension", `^\\*89`, "reloadxml", change(askDialplan, `^\*88`, `^\*89`)},
		"two conditions": {"dial-in extension", "exactly one condition", "reloadxml", change(askDialplan, `<action application="hangup" data="NORMAL_TEMPORARY_FAILURE"></action>`, `</condition><condition>`)},
		"no action": {"dial-in extension", "it does nothing", "reloadxml",
			answer(askDialplan, `<context name="default"><extension name="livemon-dial-in"><condition field="destination_number" expression="^\*88(\d{1,20})$"/></extension></context>`)},
		"shadowed": {"dial-in extension", `"all" comes first`, "Move the include", func(a answers) {
			all := `<extension name="all"><condition field="destination_number" expression="^(.*)$"/></extension>`
			a[askDialplan] = strings.Replace(a[askDialplan], `<extension name="unloop">`, all+`<extension name="unloop">`, 1)
		}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			a := healthy()
			test.change(a)
			found := check(t, a, fsconf.Defaults())
			i := slices.IndexFunc(found, func(f wire.Finding) bool { return !f.OK && f.Check == test.check })
			if i < 0 {
				t.Fatalf("no finding on %s among %+v", test.check, found)
			}
			if f := found[i]; !strings.Contains(f.Detail, test.detail) || !strings.Contains(f.Do, test.do) {
				t.Errorf("%+v, want a detail with %q and an advice with %q", f, test.detail, test.do)
			}
		})
	}
}

// An extension that an earlier installation has left behind is told of, too,
// where nobody is to dial in.
func TestCheckOfWhatIsLeftOfDialIn(t *testing.T) {
	s := fsconf.Defaults()
	s.DialIn = ""
	for name, test := range map[string]struct {
		change func(a answers)
		detail string
	}{
		"nothing is left":         {answer(askDialplan, `<context name="default"></context>`), ""},
		"no such context":         {answer(askDialplan, "can't find anything"), ""},
		"an extension of the new": {func(answers) {}, ""},
		"one with full":           {change(askDialplan, "8084 async", "8084 async full"), "none is wanted, and there is one: it calls 127.0.0.1:8084 with 'full'"},
		"one of the shop's": {change(askDialplan, `expression="^(.*)$"/>`, `expression="^(.*)$"><action application="socket" data="127.0.0.1:8084 full"/></condition>`),
			`"all" is not livemon's`},
	} {
		t.Run(name, func(t *testing.T) {
			a := healthy()
			test.change(a)
			found := check(t, a, s)
			f := found[len(found)-1]
			if f.Check != "dial-in extension" || f.OK != (test.detail == "") || !strings.Contains(f.Detail, test.detail) {
				t.Errorf("%+v, want a detail with %q", f, test.detail)
			}
		})
	}
}

func TestCheckAgreesWithInstall(t *testing.T) {
	s := fsconf.Defaults()
	s.Keys.Barge = []string{"*1", "*2"}
	s.Rate = 48000
	a := healthy()
	for _, f := range check(t, a, s) {
		if (f.Check == "conference profile" || f.Check == "supervisor keys") && f.OK {
			t.Errorf("other settings are in force, and %+v", f)
		}
	}
	a[askConference] = fsconf.ConferenceXML(s)
	for _, f := range check(t, a, s) {
		if !f.OK {
			t.Errorf("%+v", f)
		}
	}
}

// broken is a connection that fails after a number of commands.
type broken struct {
	answers
	left int
}

var errGone = errors.New("the connection has ended")

func (b *broken) API(ctx context.Context, line fsapi.Line) (string, error) {
	if b.left--; b.left < 0 {
		return "", errGone
	}
	return b.answers.API(ctx, line)
}

func TestCheckOverAConnectionThatFails(t *testing.T) {
	most := -1
	for n := 0; ; n++ {
		found, err := fsconf.Check(context.Background(), &broken{healthy(), n}, fsconf.Defaults())
		if err == nil {
			break
		}
		if !errors.Is(err, errGone) {
			t.Fatalf("after %d commands: %v", n, err)
		}
		if len(found) < most {
			t.Errorf("after %d commands there are %d findings, fewer than before", n, len(found))
		}
		most = len(found)
		if n > 1000 {
			t.Fatal("it never ends")
		}
	}
}

func TestCheckOfHugeAnswers(t *testing.T) {
	a := healthy()
	a[askConference] = `<configuration name="conference.conf"><profiles><profile name="livemon">` +
		strings.Repeat(`<param name="x" value="y"/>`, 100_000)
	a[askDialplan] = strings.Repeat("<a>", 100_000)
	a["xml_locate dialplan context name x"] = `<context name="` + strings.Repeat("&", 8<<20) + `"></context>`
	s := fsconf.Defaults()
	s.Context = "x"
	check(t, a, s)
	for i := range 100 {
		a[askApps] += fmt.Sprint(i)
	}
	for _, f := range check(t, a, fsconf.Defaults()) {
		if len(f.Detail)+len(f.Do) > 2000 {
			t.Errorf("a finding of %d bytes on %s", len(f.Detail)+len(f.Do), f.Check)
		}
	}
}

func FuzzCheck(f *testing.F) {
	f.Add(fsconf.ConferenceXML(fsconf.Defaults()), dialplan)
	f.Add("-ERR x", "can't find anything")
	f.Add("<configuration name=\"conference.conf\"><profiles><profile name=\"livemon\"><param/></profile>", "<context name=\"default\"><extension name=\"(\"><condition field=\"destination_number\" expression=\"(\"/></extension></context>")
	f.Fuzz(func(t *testing.T, conf, plan string) {
		a := healthy()
		a[askConference], a[askDialplan], a["global_getvar"] = conf, plan, conf
		for _, finding := range check(t, a, fsconf.Defaults()) {
			if finding.OK == (finding.Do != "") || len(finding.Detail)+len(finding.Do) > 4000 {
				t.Errorf("%+v", finding)
			}
		}
	})
}

func TestReady(t *testing.T) {
	ctx, s := context.Background(), fsconf.Defaults()
	must(t, fsconf.Ready(ctx, healthy(), s))
	a := healthy()
	a[askConference] = strings.ReplaceAll(a[askConference], "livemon", "other")
	if err := fsconf.Ready(ctx, a, s); !errors.Is(err, fsconf.ErrNotReady) || !strings.Contains(err.Error(), "reloadxml") {
		t.Errorf("without the profile: %v", err)
	}
	if err := fsconf.Ready(ctx, &broken{healthy(), 0}, s); !errors.Is(err, errGone) {
		t.Errorf("without a connection: %v", err)
	}
	s.Rate = 1
	var e *fsconf.SettingsError
	if err := fsconf.Ready(ctx, healthy(), s); !errors.As(err, &e) {
		t.Errorf("with bad settings: %v", err)
	}
}
