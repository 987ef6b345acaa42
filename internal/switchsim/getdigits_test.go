package switchsim_test

import (
	"strings"
	"testing"

	"livemon/internal/switchsim"
)

// TestGetDigits: what play_and_get_digits leaves in the channel, as a real switch had it.
func TestGetDigits(t *testing.T) {
	const number = `1 8 1 1000 # silence_stream://100 silence_stream://20 pin ^\d+$`
	for _, tc := range []struct {
		name, args string
		press      string // when it has begun; w is half a second
		want       string // pin, pin_invalid, read_result, read_terminator_used
	}{
		{"in time", number, "1234#", "1234  success #"},
		{"after the prompt", number, "w1234#", "1234  success #"},
		{"without an end", number, "1234", "1234  timeout "},
		{"nothing", number, "", "  failure "},
		{"the end alone", number, "#", "  failure #"},
		{"wrong", number, "12*4#", " 12*4 success #"},
		{"the most", number, "12345678", "12345678  success "},
		{"too few", `4 8 1 1000 # silence_stream://100 silence_stream://20 pin ^\d+$`, "12#", "12  failure #"},
		{"one", `1 1 1 1000 # silence_stream://100 silence_stream://20 pin ^[*]$`, "*", "*  success "},
		{"another", `1 1 1 1000 # silence_stream://100 silence_stream://20 pin ^[*]$`, "5", " 5 success "},
		{"second try", `1 8 2 1000 # silence_stream://100 silence_stream://20 pin ^\d+$`, "*#12#", "12 * success #"},
		{"no prompt", `1 8 1 1000 # /no/such.wav silence_stream://20 pin ^\d+$`, "", "   "},
		{"short between keys", number + " 300", "1", "1  timeout "},
		{"no expression", `1 8 1 1000 # silence_stream://100 silence_stream://20 pin`, "1*#", "1*  success #"},
	} {
		for _, sensitive := range []bool{false, true} {
			t.Run(tc.name, func(t *testing.T) {
				t.Parallel()
				s := start(t, switchsim.Options{ConferenceXML: recordedConference})
				c := connect(t, s)
				ev := connect(t, s, "DTMF CHANNEL_EXECUTE CHANNEL_EXECUTE_COMPLETE CHANNEL_HANGUP_COMPLETE")
				c.want("+OK leg", "originate {origination_uuid=leg%s}user/1002 &park()", map[bool]string{true: ",sensitive_dtmf=true"}[sensitive])
				c.want("+OK", "uuid_transfer leg 'm:|:play_and_get_digits:%s|park' inline", tc.args)
				ev.until("Event-Name=CHANNEL_EXECUTE", "Application=play_and_get_digits")
				must(t, s.Press("1002", tc.press))
				events, keys := "", strings.ReplaceAll(tc.press, "w", "")
				var e *event
				for e = ev.event(); e.label() != "CHANNEL_EXECUTE_COMPLETE" || e.get("Application") != "play_and_get_digits"; e = ev.event() {
					events += e.get("DTMF-Digit")
				}
				got := strings.Join([]string{e.get("variable_pin"), e.get("variable_pin_invalid"), e.get("variable_read_result"), e.get("variable_read_terminator_used")}, " ")
				if got != tc.want {
					t.Errorf("got %q, want %q", got, tc.want)
				}
				must(t, s.Hangup("1002", ""))
				dialed := ev.until("Event-Name=CHANNEL_HANGUP_COMPLETE").get("variable_digits_dialed")
				switch {
				case sensitive && (events != "" || dialed != "none"):
					t.Errorf("sensitive keys were told: %q, digits_dialed %q", events, dialed)
				case !sensitive && (events != keys || keys != "" && dialed != keys):
					t.Errorf("events of the keys %q, digits_dialed %q", events, dialed)
				}
			})
		}
	}
}

// TestGetDigitsCutOff: what had been pressed stays in the variable.
func TestGetDigitsCutOff(t *testing.T) {
	s := start(t, switchsim.Options{ConferenceXML: recordedConference})
	c := connect(t, s)
	ev := connect(t, s, "DTMF CHANNEL_EXECUTE CHANNEL_HANGUP_COMPLETE")
	c.want("+OK leg", "originate {origination_uuid=leg}user/1002 &park()")
	c.want("+OK", `uuid_transfer leg 'play_and_get_digits:1 8 1 9000 # silence_stream://100 silence_stream://20 pin' inline`)
	ev.until("Event-Name=CHANNEL_EXECUTE", "Application=play_and_get_digits")
	must(t, s.Press("1002", "12"))
	ev.until("Event-Name=DTMF", "DTMF-Digit=2")
	must(t, s.Hangup("1002", ""))
	if got := ev.until("Event-Name=CHANNEL_HANGUP_COMPLETE").get("variable_pin"); got != "12" {
		t.Errorf("got %q", got)
	}
}
