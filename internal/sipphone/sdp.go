package sipphone

import (
	"fmt"
	"net"
	"strconv"
	"strings"
)

// media is what a session description says of its first audio stream.
type media struct {
	addr      *net.UDPAddr
	pcmu      bool
	events    int    // the payload type of telephone events, 0 if there are none
	direction string // sendrecv, sendonly, recvonly or inactive
}

// parseSDP reads a session description. It fails without an audio stream that
// has an IPv4 address and a port.
func parseSDP(body []byte) (media, error) {
	m := media{direction: "sendrecv"}
	var ip net.IP
	port := 0
	inAudio, session := false, true
	for line := range strings.Lines(string(body)) {
		key, value, ok := strings.Cut(strings.TrimRight(line, "\r\n"), "=")
		if !ok {
			continue
		}
		if key == "m" {
			if inAudio {
				break // the first audio stream is the call's
			}
			session = false
			f := strings.Fields(value)
			if len(f) < 4 || f[0] != "audio" {
				continue
			}
			inAudio = true
			port, _ = strconv.Atoi(f[1])
			for _, pt := range f[3:] {
				m.pcmu = m.pcmu || pt == "0"
			}
			continue
		}
		if !session && !inAudio {
			continue
		}
		switch {
		case key == "c":
			if f := strings.Fields(value); len(f) == 3 && f[1] == "IP4" {
				ip = net.ParseIP(f[2]).To4()
			}
		case key == "a" && (value == "sendrecv" || value == "sendonly" || value == "recvonly" || value == "inactive"):
			m.direction = value
		case key == "a" && inAudio:
			rest, ok := strings.CutPrefix(value, "rtpmap:")
			pt, codec, _ := strings.Cut(rest, " ")
			if n, err := strconv.Atoi(pt); ok && err == nil && n >= 96 && n <= 127 && strings.EqualFold(codec, "telephone-event/8000") {
				m.events = n
			}
		}
	}
	if ip == nil || port <= 0 || port > 65535 {
		return media{}, fmt.Errorf("sipphone: no audio stream in %.200q", body)
	}
	m.addr = &net.UDPAddr{IP: ip, Port: port}
	return m, nil
}

// describe is a telephone's own session description.
func describe(local *net.UDPAddr, version int, events int, direction string) []byte {
	formats, maps := "0", "a=rtpmap:0 PCMU/8000\r\n"
	if events != 0 {
		formats += " " + strconv.Itoa(events)
		maps += fmt.Sprintf("a=rtpmap:%d telephone-event/8000\r\na=fmtp:%d 0-15\r\n", events, events)
	}
	return fmt.Appendf(nil, "v=0\r\no=- %d %d IN IP4 %s\r\ns=-\r\nc=IN IP4 %s\r\nt=0 0\r\nm=audio %d RTP/AVP %s\r\n%sa=ptime:20\r\na=%s\r\n",
		local.Port, version, local.IP, local.IP, local.Port, formats, maps, direction)
}

// answering is the direction that answers an offered one, for a telephone that
// itself wants to hold or not.
func answering(offered string, hold bool) string {
	switch {
	case offered == "inactive", hold && offered == "sendonly":
		return "inactive"
	case offered == "sendonly":
		return "recvonly"
	case hold, offered == "recvonly":
		return "sendonly"
	}
	return "sendrecv"
}
