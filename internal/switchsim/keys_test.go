package switchsim_test

import (
	"strings"
	"testing"

	"livemon/internal/switchsim"
)

// TestKeysByEveryWay: which keys of a muted member reach his caller controls, as a
// real switch had it.
func TestKeysByEveryWay(t *testing.T) {
	for _, tc := range []struct {
		name, vars string
		keys       switchsim.Keys
		source     string // of the keys, "" if there are none
	}{
		{"rfc 2833", "", switchsim.KeysRTP, "RTP"},
		{"info", "", switchsim.KeysInfo, ""},
		{"info, liberal", ",rtp_liberal_dtmf=true", switchsim.KeysInfo, "ENDPOINT"},
		{"info, by type", ",dtmf_type=info", switchsim.KeysInfo, "ENDPOINT"},
		{"rfc 2833, liberal", ",rtp_liberal_dtmf=true", switchsim.KeysRTP, "RTP"},
		{"rfc 2833, by type", ",dtmf_type=info", switchsim.KeysRTP, "ENDPOINT"},
		{"in-band", "", switchsim.KeysInBand, ""},
		{"in-band, detected", ",execute_on_answer=start_dtmf", switchsim.KeysInBand, "INBAND_AUDIO"},
		{"rfc 2833, detected", ",execute_on_answer=start_dtmf", switchsim.KeysRTP, "RTP"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			s := start(t, switchsim.Options{ConferenceXML: recordedConference})
			s.SetPhone("1002", switchsim.Behaviour{Keys: tc.keys})
			c := connect(t, s)
			_, err := s.Conference(ctx(t), "shop", "1000")
			must(t, err)
			c.want("+OK sup", "originate {origination_uuid=sup,conference_controls=lm-sup,conference_member_flags=mute%s}user/1002 &conference(shop@livemon)", tc.vars)
			waitHears(t, s, "1002", "1000")
			ev := connect(t, s, "DTMF CUSTOM conference::maintenance")
			must(t, s.Press("1002", "4#"))
			pass(t, s, 10)
			must(t, s.Hangup("1002", ""))
			var got []string
			for {
				e := ev.event()
				if e.label() == "del-member" {
					break
				}
				switch e.label() {
				case "DTMF":
					got = append(got, e.get("DTMF-Digit")+" "+e.get("DTMF-Source"))
				case "dtmf":
					got = append(got, e.get("Data"))
				}
			}
			want := ""
			if tc.source != "" {
				want = "4 " + tc.source + ", # " + tc.source + ", coach"
			}
			if got := strings.Join(got, ", "); got != want {
				t.Errorf("got %q, want %q", got, want)
			}
			never(t, s, "1000", "1002")
		})
	}
}

// TestStartDTMF has the events and answers as a real switch gave them.
func TestStartDTMF(t *testing.T) {
	s := start(t, switchsim.Options{})
	c := connect(t, s, "MEDIA_BUG_START MEDIA_BUG_STOP DTMF CHANNEL_ANSWER CHANNEL_EXECUTE CHANNEL_EXECUTE_COMPLETE")
	c.want("+OK sup", "originate {origination_uuid=sup,execute_on_answer=start_dtmf}user/1002 &park()")
	c.until("Event-Name=CHANNEL_EXECUTE", "Application=park")
	c.want("+OK Message sent", "uuid_broadcast sup start_dtmf:: aleg")
	c.until("Event-Name=CHANNEL_EXECUTE_COMPLETE", "Application=start_dtmf")
	c.want("<media-bugs>\n <media-bug>\n  <function>inband_dtmf</function>\n  <target>N/A</target>\n  <thread-locked>0</thread-locked>\n </media-bug>\n</media-bugs>", "uuid_buglist sup")
	c.want("+OK sup received DTMF 7.", "uuid_recv_dtmf sup 7")
	if e := c.until("Event-Name=DTMF"); e.get("DTMF-Source") != "APP" || e.get("DTMF-Duration") != "2000" {
		t.Errorf("%v", e.values)
	}
	c.want("+OK Message sent", "uuid_broadcast sup stop_dtmf:: aleg")
	if e := c.until("Event-Name=MEDIA_BUG_STOP"); e.get("Media-Bug-Function") != "inband_dtmf" || e.get("Media-Bug-Target") != "N/A" {
		t.Errorf("%v", e.values)
	}
	c.want("<media-bugs>\n</media-bugs>", "uuid_buglist sup")
}

// TestExecuteOnAnswer: it runs before anything else does.
func TestExecuteOnAnswer(t *testing.T) {
	s := start(t, switchsim.Options{})
	c := connect(t, s)
	ev := connect(t, s, "MEDIA_BUG_START CHANNEL_ANSWER CHANNEL_EXECUTE CHANNEL_EXECUTE_COMPLETE")
	c.want("+OK sup", "originate {origination_uuid=sup,execute_on_answer=start_dtmf}user/1002 &park()")
	for _, want := range []string{"CHANNEL_ANSWER ", "CHANNEL_EXECUTE start_dtmf", "MEDIA_BUG_START ", "CHANNEL_EXECUTE_COMPLETE start_dtmf", "CHANNEL_EXECUTE park"} {
		e := ev.event()
		if got := e.get("Event-Name") + " " + e.get("Application"); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
