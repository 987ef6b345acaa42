package sipphone

import (
	"strings"
	"testing"
	"time"
)

func FuzzSDP(f *testing.F) {
	f.Add("v=0\r\nc=IN IP4 10.0.0.1\r\nm=audio 4000 RTP/AVP 0 101\r\na=rtpmap:101 telephone-event/8000\r\na=sendonly\r\n")
	f.Add("m=video 1 RTP/AVP 0\r\nc=IN IP4 1.2.3.4\r\nm=audio 0 RTP/AVP\r\n")
	f.Add("m=audio 70000 RTP/AVP 0\r\nc=IN IP4 x\r\n")
	f.Fuzz(func(t *testing.T, text string) {
		m, err := parseSDP([]byte(text))
		if err != nil {
			return
		}
		if m.addr.Port <= 0 || m.addr.Port > 65535 || m.addr.IP.To4() == nil || m.events != 0 && (m.events < 96 || m.events > 127) {
			t.Fatalf("%q gives %+v", text, m)
		}
		if !strings.Contains(text, m.direction) && m.direction != "sendrecv" {
			t.Fatalf("%q gives direction %s", text, m.direction)
		}
		again, err := parseSDP(describe(m.addr, 1, m.events, m.direction))
		if err != nil || again.addr.String() != m.addr.String() || again.events != m.events || again.direction != m.direction || !again.pcmu {
			t.Fatalf("%+v is described as %+v, %v", m, again, err)
		}
	})
}

func FuzzRTP(f *testing.F) {
	f.Add([]byte{0x80, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0x00})
	f.Add([]byte{0x9f, 101, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4})
	f.Fuzz(func(t *testing.T, packet []byte) {
		s := &stream{events: 101}
		s.take(time.Now(), packet, []float64{400})
		if len(s.windows) > 1 || s.received.Len() > 1 {
			t.Fatalf("one packet gave %d windows and %d keys", len(s.windows), s.received.Len())
		}
	})
}
