package switchsim_test

import (
	"strings"
	"testing"

	"livemon/internal/switchsim"
)

// TestControlsWithExpressions: what a group with regular expressions in it fires, as
// a real switch had it.
func TestControlsWithExpressions(t *testing.T) {
	const (
		last  = "~. left"
		ended = "=~#$ unknown"
	)
	for _, tc := range []struct {
		name  string
		group []string // digits and data
		press string   // w is half a second
		want  string
	}{
		{"at once", []string{"=4# coach", "=6# barge", ended, last}, "4#46#6#", "4# coach, unknown, 6# barge"},
		{"each hash", []string{"=4# coach", ended, last}, "###4#", "unknown, unknown, unknown, 4# coach"},
		{"left over", []string{"=4# coach", ended, last}, "4wwwwwww4#", "left, 4# coach"},
		{"left over, in time", []string{"=4# coach", ended, last}, "4www4#", "unknown"},
		{"without a beginning it waits", []string{"4# coach", "=~x none"}, "4#wwwwwww", "4# coach"},
		{"the last expression wins the silence", []string{"4# coach", last}, "4#wwwwwww", "left"},
		{"a beginning that ends in #", []string{"=#4 coach", "=~^(?!(?:#|8##)$).*#$ unknown", last}, "#4#5#7#", "#4 coach, unknown, unknown"},
		{"the order counts", []string{ended, "=4# coach"}, "4#", "unknown"},
		{"no expression", []string{"4# coach"}, "46#4#", "4# coach"},
		{"not an expression", []string{"=4# coach", "=~( unknown"}, "5#wwwwwww4#", "4# coach"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			var conf strings.Builder
			conf.WriteString(`<configuration name="conference.conf"><caller-controls><group name="sup">`)
			for _, c := range append(tc.group, "=0** over") {
				digits, data, _ := strings.Cut(c, " ")
				conf.WriteString(`<control action="event" digits="` + digits + `" data="` + data + `"/>`)
			}
			conf.WriteString(`</group></caller-controls><profiles><profile name="p"><param name="ivr-dtmf-timeout" value="3000"/></profile></profiles></configuration>`)
			s := start(t, switchsim.Options{ConferenceXML: conf.String()})
			c := connect(t, s)
			ev := connect(t, s, "CUSTOM conference::maintenance")
			c.want("+OK sup", "originate {origination_uuid=sup,conference_controls=sup,conference_member_flags=mute|deaf}user/1002 &conference(r@p)")
			for !strings.Contains(c.api("conference r list"), ";sup;") {
				pass(t, s, 1)
			}
			must(t, s.Press("1002", tc.press+"0**"))
			var got []string
			for {
				e := ev.event()
				if e.label() != "dtmf" {
					continue
				}
				if e.get("Data") == "over" {
					break
				}
				if digits := strings.TrimPrefix(e.get("DTMF-Key"), "="); strings.HasPrefix(digits, "~") {
					got = append(got, e.get("Data"))
				} else {
					got = append(got, digits+" "+e.get("Data"))
				}
			}
			if got := strings.Join(got, ", "); got != tc.want {
				t.Errorf("got %q, want %q", got, tc.want)
			}
		})
	}
}
