package monitor

import (
	"strings"
	"testing"
)

func TestHolding(t *testing.T) {
	const head, audio, video = "v=0|s=-|c=IN IP4 192.0.2.1|t=0 0|", "m=audio 4000 RTP/AVP 0|a=rtpmap:0 PCMU/8000|", "m=video 0 RTP/AVP 31|"
	for _, tc := range []struct {
		sdp  string
		want bool
	}{
		{head + audio, false},
		{head + audio + "a=sendrecv|", false},
		{head + audio + "a=sendonly|", true},
		{head + audio + "a=inactive|", true},
		{head + audio + "a=recvonly|", false},
		{head + "a=sendonly|" + audio, true},
		{head + "a=sendonly|" + audio + "a=sendrecv|", false},
		{head + audio + video + "a=inactive|", false},
		{head + video + "a=inactive|" + audio, false},
		{head + audio + "a=sendonly|" + video + "a=sendrecv|", true},
		{strings.Replace(head, "192.0.2.1", "0.0.0.0", 1) + audio, true},
		{strings.Replace(head, "192.0.2.1", "0.0.0.0", 1) + audio + "c=IN IP4 192.0.2.1|", false},
		{head + video + "a=sendonly|", false},
		{"_undef_", false},
		{"", false},
	} {
		for _, end := range []string{"\r\n", "\n"} {
			if got := holding(strings.ReplaceAll(tc.sdp, "|", end)); got != tc.want {
				t.Errorf("%s: %v", tc.sdp, got)
			}
		}
	}
}

func FuzzHolding(f *testing.F) {
	f.Add("v=0\r\nm=audio 1 RTP/AVP 0\r\na=sendonly\r\n")
	f.Fuzz(func(t *testing.T, sdp string) {
		if holding(sdp) && !strings.Contains(sdp, "m=audio ") {
			t.Fatalf("%q holds nobody", sdp)
		}
	})
}
