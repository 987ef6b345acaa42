package fsconf

import (
	"regexp"
	"strconv"
	"strings"
)

// param is one parameter of the conference profile.
type param struct{ Name, Value string }

// profileParams are what the room's profile must hold, and nothing else: every
// sound, announcement and music of mod_conference is off unless it is named.
func profileParams(s Settings) []param {
	rate := "auto"
	if s.Rate != 0 {
		rate = strconv.Itoa(s.Rate)
	}
	return []param{
		// A name that nobody subscribes to, so that a room lights no lamp.
		{"domain", "livemon.invalid"},
		{"rate", rate},
		{"interval", "20"},
		// 0 lets every frame through: no word is clipped. The flag "talking" of a
		// member then only says that his line is not digitally silent.
		{"energy-level", "0"},
		{"comfort-noise", "false"},
		// The literal none: an unset or unknown group falls back to "default",
		// with which a customer who presses 0 mutes himself.
		{"caller-controls", "none"},
		{"moderator-controls", "none"},
		{"ivr-dtmf-timeout", strconv.FormatInt(s.InterDigit.Milliseconds(), 10)},
	}
}

// profileLines and controlsLines render the two blocks, one element a line,
// indented for their place in conference.conf.
func profileLines(s Settings) []string {
	lines := []string{`    <profile name="` + Profile + `">`}
	for _, p := range profileParams(s) {
		lines = append(lines, `      <param name="`+escape(p.Name)+`" value="`+escape(p.Value)+`"/>`)
	}
	return append(lines, `    </profile>`)
}

func controlsLines(s Settings) []string {
	lines := []string{`    <group name="` + Controls + `">`}
	for _, c := range s.Keys.controls() {
		lines = append(lines, `      <control action="event" digits="`+escape(c.Digits)+`" data="`+escape(c.Data)+`"/>`)
	}
	return append(lines, `    </group>`)
}

// ConferenceXML is the whole conference.conf of a switch on which nothing but
// livemon is configured, as 'xml_locate configuration configuration name
// conference.conf' answers it. The settings should be valid.
func ConferenceXML(s Settings) string {
	var b strings.Builder
	line := func(l ...string) {
		for _, l := range l {
			b.WriteString(l)
			b.WriteByte('\n')
		}
	}
	line(`<configuration name="conference.conf" description="Audio Conference">`, `  <caller-controls>`)
	line(controlsLines(s)...)
	line(`  </caller-controls>`, `  <profiles>`)
	line(profileLines(s)...)
	line(`  </profiles>`, `</configuration>`)
	return b.String()
}

// dialInName is the name of the dial-in extension in the dialplan.
const dialInName = "livemon-dial-in"

// dialInExpression matches the feature code and the agent's extension, which
// it captures. Empty when there is no dial-in.
func dialInExpression(s Settings) string {
	if s.DialIn == "" {
		return ""
	}
	return "^" + regexp.QuoteMeta(s.DialIn) + `(\d{1,20})$`
}

// dialplanXML is the dialplan file. <include> stands on a line of its own,
// because FreeSWITCH drops the whole line on which it finds it. When livemon
// cannot be reached the call is refused as "try again later" (503), without
// having been answered.
func dialplanXML(s Settings) string {
	return strings.Join([]string{
		`<include>`,
		`  <!-- ` + fileMark + ` -->`,
		`  <!-- A supervisor dials ` + escape(s.DialIn) + ` and an agent's extension to listen to the agent's call. -->`,
		`  <extension name="` + dialInName + `">`,
		`    <condition field="destination_number" expression="` + escape(dialInExpression(s)) + `">`,
		`      <action application="socket" data="` + escape(socketData(s)) + `"/>`,
		`      <action application="hangup" data="NORMAL_TEMPORARY_FAILURE"/>`,
		`    </condition>`,
		`  </extension>`,
		`</include>`,
		``,
	}, "\n")
}

// DialplanXML is the dialplan context of a switch on which nothing but livemon is
// configured, as 'xml_locate dialplan context name CONTEXT' answers it.
func DialplanXML(s Settings) string {
	body := strings.TrimSuffix(strings.TrimPrefix(dialplanXML(s), "<include>\n"), "</include>\n")
	if s.DialIn == "" {
		body = ""
	}
	return `<context name="` + escape(s.Context) + `">` + "\n" + body + "</context>\n"
}

var escaper = strings.NewReplacer(`&`, "&amp;", `<`, "&lt;", `>`, "&gt;", `"`, "&quot;", `'`, "&apos;")

func escape(s string) string { return escaper.Replace(s) }
