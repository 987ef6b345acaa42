package monitor

import "strings"

// holding tells whether a telephone that describes its session so holds the other
// party: its audio is sendonly or inactive or, as old telephones have it, is to
// be sent nowhere. What it says of video does not count, and without audio
// nobody is held.
func holding(sdp string) bool {
	audio, inAudio, session := false, false, true
	held, nowhere := false, false
	for line := range strings.Lines(sdp) {
		line = strings.TrimRight(line, "\r\n")
		if strings.HasPrefix(line, "m=") {
			if audio {
				break // the first audio section is the call's
			}
			session, inAudio = false, strings.HasPrefix(line, "m=audio ")
			audio = inAudio
			continue
		}
		if !session && !inAudio {
			continue
		}
		switch {
		case line == "a=sendonly", line == "a=inactive":
			held = true
		case line == "a=sendrecv", line == "a=recvonly":
			held = false
		case strings.HasPrefix(line, "c=IN IP4 "):
			nowhere = strings.TrimPrefix(line, "c=IN IP4 ") == "0.0.0.0"
		}
	}
	return audio && (held || nowhere)
}
