package switchsim

// Keys is how a telephone sends the keys that its owner presses.
type Keys string

// A telephone that sends RFC 2833 is heard always. SIP INFO from one that could
// have sent RFC 2833 is ignored unless the leg was made with rtp_liberal_dtmf=true
// or dtmf_type=info; tones in the audio are keys only while start_dtmf runs on the
// leg, be it muted or not.
const (
	KeysRTP    Keys = "" // RFC 2833
	KeysInfo   Keys = "info"
	KeysInBand Keys = "inband"
)

// The DTMF-Source of keys.
const (
	fromRTP      = "RTP"
	fromEndpoint = "ENDPOINT"
	fromInBand   = "INBAND_AUDIO"
	fromApp      = "APP"
	fromNowhere  = "UNKNOWN" // of keys that another channel was sent
)

const bugInBand = "inband_dtmf"

// keyOf is a key that is pressed on a channel's telephone.
func (s *Switch) keyOf(ch *channel, key byte) {
	switch s.phones[ch.number].Keys {
	case KeysInfo:
		if ch.takesInfo {
			s.press(ch, key, fromEndpoint)
		}
	case KeysInBand:
		if ch.inBand() != nil {
			s.press(ch, key, fromInBand)
		}
	default:
		if ch.value("dtmf_type") == "info" { // it was offered nothing else
			s.press(ch, key, fromEndpoint)
			return
		}
		s.press(ch, key, fromRTP)
	}
}

func (ch *channel) inBand() *mediaBug {
	for _, b := range ch.bugs {
		if b.function == bugInBand {
			return b
		}
	}
	return nil
}

func (s *Switch) appStartDTMF(ch *channel, a *app) {
	if ch.inBand() == nil && len(ch.bugs) < maxBugs {
		if !ch.hasMedia() {
			s.preAnswer(ch)
		}
		s.addBug(ch, &mediaBug{function: bugInBand, target: "N/A"})
	}
	s.finish(a)
}

func (s *Switch) appStopDTMF(ch *channel, a *app) {
	if b := ch.inBand(); b != nil {
		s.removeBug(ch, b)
	}
	s.finish(a)
}
