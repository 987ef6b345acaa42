package switchsim

import (
	"regexp"
	"strconv"
	"strings"
	"time"
)

// legMedia is what a leg's audio is like.
type legMedia struct {
	ptime     int // milliseconds of a packet, 0 before there is media
	buffer    *jitterBuffer
	suspended bool // its partner consults somebody
	lastApp   step
	messages  []string // see CallRecord
}

// jitterBuffer is the one of a leg that receives packets.
type jitterBuffer struct {
	frames int // packets that it holds back
	paused bool
}

// bufferVariables are what a leg has from the moment on in which it got a jitter buffer,
// and still when that is gone.
var bufferVariables = strings.Fields(`rtp_jb_max_ms rtp_jb_size_ms rtp_jb_acceleration_ms rtp_jb_expand_ms rtp_jb_jitter_max_ms rtp_jb_jitter_ms
	rtp_jb_reset_count rtp_jb_reset_too_big rtp_jb_reset_missing_frames rtp_jb_reset_ts_jump rtp_jb_reset_error`)

// packetTimes is the packet time in a list of codecs, such as PCMU@40i.
var packetTimes = regexp.MustCompile(`@([0-9]+)i`)

// setPackets gives a leg that gets media its packet time, and the jitter buffer
// that its variable or its profile asks for.
func (s *Switch) setPackets(ch *channel) {
	if !ch.sip || ch.ptime != 0 {
		return
	}
	ch.ptime = 20
	if m := packetTimes.FindStringSubmatch(ch.value("absolute_codec_string")); m != nil {
		ch.ptime, _ = strconv.Atoi(m[1])
	} else if p := s.phones[ch.number].PacketTime; p > 0 {
		ch.ptime = int(p / time.Millisecond)
	}
	ch.ptime = min(max(ch.ptime, 10), 120)
	ch.set("rtp_use_codec_name", "PCMU")
	ch.set("rtp_use_codec_rate", "8000")
	ch.set("rtp_use_codec_ptime", strconv.Itoa(ch.ptime))
	if v := ch.value("jitterbuffer_msec"); v != "" {
		ch.setBuffer(v)
	} else if s.opt.JitterBuffer != "" {
		ch.setBuffer(s.opt.JitterBuffer)
	}
}

// setBuffer sets a leg's jitter buffer: milliseconds, or packets with a p behind
// them. What is no such number is one packet.
func (ch *channel) setBuffer(spec string) {
	if ch.ptime == 0 {
		return
	}
	first, _, _ := strings.Cut(spec, ":")
	ms := leadingInt(first)
	if strings.Contains(first, "p") {
		ms *= ch.ptime
	}
	if ms < 10 || ms > 10000 {
		ms = ch.ptime
	}
	if ch.buffer == nil {
		ch.buffer = &jitterBuffer{}
		for _, name := range bufferVariables {
			ch.set(name, "0")
		}
	}
	ch.buffer.frames = ms / ch.ptime
}

// pauseBuffer is what a bridge does with a jitter buffer that is there when it begins.
func (ch *channel) pauseBuffer(on bool) {
	if ch.buffer != nil && (!on || !truth(ch.value("rtp_jitter_buffer_during_bridge"))) {
		ch.buffer.paused = on
	}
}

// flushLag is for how long a telephone is not heard when something is put on its
// leg: the switch empties what it has received of it and not read yet. Measured but
// for 30 ms, and, where there is a buffer of more than a packet, between 20 and 120
// ms. A buffer of one packet keeps everything; one that a bridge has paused does not.
func (ch *channel) flushLag() time.Duration {
	ms := 0
	switch b := ch.buffer; {
	case b == nil && ch.ptime <= 10:
		ms = 20
	case b == nil && ch.ptime <= 20:
		ms = 40
	case b == nil:
		ms = 3 * ch.ptime
	case b.paused:
		ms = 20
	case b.frames != 1:
		ms = min(max(b.frames*ch.ptime, 20), 120)
	}
	return time.Duration(ms) * time.Millisecond
}

const jitterUsage = "-USAGE: <uuid> [0|<min_msec>[:<max_msec>]]\n"

// apiJitterBuffer is uuid_jitterbuffer. Only stop takes a buffer off: off and 0 are
// no valid sizes, and so one packet.
func (s *Switch) apiJitterBuffer(arg string) string {
	a := fields(arg, 2)
	if len(a) < 2 {
		return jitterUsage
	}
	ch := s.live(a[0])
	if ch == nil {
		return "-ERR Operation failed\n"
	}
	if ch.ptime == 0 {
		return "+OK Success\n"
	}
	switch verb := strings.ToLower(a[1]); {
	case verb == "pause", verb == "resume":
		if ch.buffer != nil {
			ch.buffer.paused = verb == "pause"
		}
	case verb == "stop":
		ch.buffer = nil
	case strings.HasPrefix(verb, "debug:"):
	default:
		ch.set("jitterbuffer_msec", a[1])
		ch.setBuffer(a[1])
	}
	return "+OK Success\n"
}

// sofiaXML is the switch's sofia.conf, as far as the simulation has one.
func (s *Switch) sofiaXML() string {
	param := ""
	if s.opt.JitterBuffer != "" {
		param = `<param name="auto-jitterbuffer-msec" value="` + escapeXML(s.opt.JitterBuffer) + `"></param>`
	}
	var b strings.Builder
	b.WriteString("<configuration name=\"sofia.conf\" description=\"sofia Endpoint\">\n  <profiles>\n")
	for _, name := range []string{"internal", "external"} {
		b.WriteString("    <profile name=\"" + name + "\">\n      <settings>" + param + "</settings>\n    </profile>\n")
	}
	b.WriteString("  </profiles>\n</configuration>\n")
	return b.String()
}
