package switchsim

import (
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	// toneLag is for how long a tone is heard before it is detected, as measured.
	toneLag = 200 * time.Millisecond
	// loopLag is until a loopback's first end knows of the second one's early media.
	loopLag = 2 * time.Millisecond
	// maxTones is how many tones are listened for on one channel.
	maxTones = 16
)

// toneDetect is what listens for tones on a channel.
type toneDetect struct {
	own   bool // it listens to what the channel says, not to what it hears
	tones []*tone
}

// tone is one that is listened for.
type tone struct {
	key, freq string
	up        bool // it has not been detected since it was last asked for
	heard     int  // for how many frames it has been heard
	app, data string
}

// openLoop is the originate of loopback/app=APP[:DATA]: its other end answers
// with early media and runs the application.
func (s *Switch) openLoop(a *channel, o *originate, run string, vars []header, timeout time.Duration) {
	name, data, _ := strings.Cut(run, ":")
	b := s.newChannel("", "loopback/"+a.number+"-b", a.number, "inbound")
	a.loop, b.loop = b, a
	a.set("other_loopback_leg_uuid", b.uuid)
	for _, v := range vars {
		b.set(v.name, v.value)
	}
	b.set("other_loopback_leg_uuid", a.uuid)
	b.p.dest, b.p.source, b.dialplan = a.number, "mod_loopback", true
	s.setState(b, "NEW")
	s.setState(b, "INIT")
	b.stateNum = channelStates["ROUTING"]
	s.tell(b, "CHANNEL_CREATE", fromCreate)
	b.state = "ROUTING"
	s.setCallState(b, "RINGING")
	s.setState(b, "ROUTING")
	s.setState(b, "EXECUTE")
	b.plan = []step{{app: "pre_answer"}, {app: name, data: data}}
	s.proceed(b)
	if a.orig != o { // the application has ended already
		return
	}
	o.tasks = append(o.tasks, s.after(timeout, func() { s.hangup(a, "NO_ANSWER") }), s.after(loopLag, func() {
		if a.orig != o || truth(a.value("ignore_early_media")) {
			return
		}
		a.orig = nil
		for _, t := range o.tasks {
			s.forget(t)
		}
		s.preAnswer(a)
		o.done(a, "")
	}))
}

// loopAnswered lets the first end of a loopback know that the second was answered.
func (s *Switch) loopAnswered(b *channel) {
	a := b.loop
	switch {
	case a == nil || b.direction != "inbound" || a.answered || a.dead:
	case a.orig != nil:
		s.answered(a)
	default:
		s.markAnswered(a)
	}
}

// loopSounds is told when a sound begins or ends at an end of a loopback: the
// other end is heard, or not any more.
func (s *Switch) loopSounds(ch *channel) {
	end := ch.loop
	if end == nil {
		return
	}
	s.touchAround(end)
	switch m := end.member; {
	case m == nil:
	case end.audible():
		s.talkSoon(m)
	default:
		s.hush(m, true)
	}
}

// toneParts are the numbers of %(ON,OFF,FREQUENCY...), nil if it is none.
func toneParts(spec string) []string {
	_, spec, ok := strings.Cut(spec, "%(")
	spec, _, end := strings.Cut(spec, ")")
	parts := strings.Split(spec, ",")
	if !ok || !end || len(parts) < 3 {
		return nil
	}
	return parts
}

// toneLength is how long a tone_stream plays that is played once.
func toneLength(spec string) time.Duration {
	parts := toneParts(spec)
	if parts == nil {
		return fileLength
	}
	return millis(parts[0]) + millis(parts[1])
}

// sounding is the one frequency that comes from a channel, "" if there is none.
func (ch *channel) sounding() string {
	if ch.loop == nil || !ch.audible() {
		return ""
	}
	if ch.loop.speaks {
		return ch.loop.toneSaid
	}
	kind, spec, _ := strings.Cut(ch.loop.sound, "://")
	if parts := toneParts(spec); kind == "tone_stream" && len(parts) == 3 {
		return parts[2]
	}
	return ""
}

// listenFor is tone_detect. A key that is known already is asked for anew, with
// its old frequency; what is listened to is what the first one said.
func (s *Switch) listenFor(ch *channel, key, spec, flags, app, data string) {
	if ch.ears == nil {
		ch.ears = &toneDetect{own: strings.Contains(flags, "r") || !strings.Contains(flags, "w")}
	}
	for _, t := range ch.ears.tones {
		if strings.EqualFold(t.key, key) {
			t.up, t.heard = true, 0
			return
		}
	}
	if f, err := strconv.ParseFloat(strings.TrimSpace(spec), 64); err != nil || f <= 0 || len(ch.ears.tones) >= maxTones {
		return
	}
	ch.ears.tones = append(ch.ears.tones, &tone{key: key, freq: strings.TrimSpace(spec), up: true, app: app, data: data})
	s.detecting[ch] = true
}

func (s *Switch) stopToneDetect(ch *channel) {
	ch.ears = nil
	delete(s.detecting, ch)
}

// detectTones is one frame of all that listen. A tone in a mix is not found.
func (s *Switch) detectTones() {
	for _, ch := range bySeq(s.detecting) {
		freq := ch.sounding()
		if !ch.ears.own {
			freq = ""
			for speaker := range ch.heard {
				if freq = speaker.sounding(); len(ch.heard) > 1 {
					freq = ""
				}
			}
		}
		for _, t := range ch.ears.tones {
			if !t.up || t.freq != freq {
				t.heard = 0
				continue
			}
			if t.heard++; time.Duration(t.heard)*s.truth.every < toneLag {
				continue
			}
			t.up = false
			if t.app != "" {
				s.enqueue(ch, step{app: t.app, data: t.data})
			}
			// The event that reaches listeners says nothing of the channel.
			s.fire("DETECTED_TONE", "", "", fromTone, func(e *event) { e.add("Detected-Tone", t.key) })
		}
	}
}

func (s *Switch) apiToneDetect(arg string) string {
	if arg == "" {
		return "-USAGE: <uuid> <key> <tone_spec> [<flags> <timeout> <app> <args> <hits>]\n"
	}
	a := fields(arg, 8)
	if len(a) < 3 {
		return ""
	}
	ch := s.live(a[0])
	if ch == nil {
		return "-ERR Cannot locate session!\n"
	}
	a = slices.Concat(a, make([]string, 8))
	s.listenFor(ch, a[1], a[2], a[3], a[5], a[6])
	return "+OK Enabling tone detection '" + a[1] + "' '" + a[2] + "' '" + a[3] + "'\n"
}

func (s *Switch) appToneDetect(ch *channel, a *app) {
	if f := fields(a.data, 7); len(f) >= 2 {
		f = slices.Concat(f, make([]string, 7))
		s.listenFor(ch, f[0], f[1], f[2], f[4], f[5])
	}
	s.finish(a)
}
