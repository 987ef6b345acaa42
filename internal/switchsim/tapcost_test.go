package switchsim_test

import (
	"strings"
	"testing"
	"time"

	"livemon/internal/switchsim"
)

// gap is for how many milliseconds the user misses the pupil, and the pupil the
// user, while something is done.
func (l *tapLab) gap(do func()) (user, pupil int) {
	l.t.Helper()
	pass(l.t, l.s, 2)
	frames := record(l.t, l.s)
	do()
	pass(l.t, l.s, 15)
	frames.remove()
	return ms(frames.missing("1000<1001")), ms(frames.missing("1001<1000"))
}

// TestWhatATapCosts: in milliseconds of the pupil's voice, by his packets' time and
// his leg's jitter buffer. Taking it off costs nothing, and the pupil misses nothing.
func TestWhatATapCosts(t *testing.T) {
	for _, tc := range []struct {
		name        string
		packets     time.Duration
		profile     string // its jitter buffer
		vars        string // of the shop's on the leg
		before      []string
		least, most int
	}{
		{"20 ms", 0, "", "", nil, 20, 40},
		{"10 ms", 10 * time.Millisecond, "", "", nil, 20, 20},
		{"40 ms", 40 * time.Millisecond, "", "", nil, 120, 120},
		{"60 ms", 60 * time.Millisecond, "", "", nil, 180, 180},
		{"20 ms, one packet", 0, "", "", []string{"20"}, 0, 0},
		{"10 ms, one packet", 10 * time.Millisecond, "", "", []string{"10"}, 0, 0},
		{"30 ms, one packet", 30 * time.Millisecond, "", "", []string{"30"}, 0, 0},
		{"40 ms, one packet", 40 * time.Millisecond, "", "", []string{"40"}, 0, 0},
		{"60 ms, one packet", 60 * time.Millisecond, "", "", []string{"1p"}, 0, 0},
		{"20 ms, three packets", 0, "", "", []string{"60"}, 20, 120},
		{"20 ms, many packets", 0, "", "", []string{"500"}, 20, 120},
		{"off leaves it on", 0, "", "", []string{"40", "off"}, 0, 0},
		{"0 leaves it on", 0, "", "", []string{"20", "0"}, 0, 0},
		{"stop ends it", 0, "", "", []string{"20", "stop"}, 20, 40},
		{"the shop's, paused in the bridge", 0, "", "jitterbuffer_msec=60", nil, 10, 20},
		{"the shop's, and ours", 0, "", "jitterbuffer_msec=60", []string{"20"}, 10, 20},
		{"the shop's, kept in the bridge", 0, "", "jitterbuffer_msec=20,rtp_jitter_buffer_during_bridge=true", nil, 0, 0},
		{"the profile's", 0, "60", "", nil, 10, 20},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			o := tapOptions()
			o.JitterBuffer = tc.profile
			s := start(t, o)
			s.SetPhone("1001", switchsim.Behaviour{PacketTime: tc.packets})
			l := &tapLab{s: s, client: connect(t, s), pupil: "P"}
			l.want("+OK U", "originate {origination_uuid=U}user/1000 &bridge({%s}user/1001)", "origination_uuid=P,"+tc.vars)
			waitHears(t, s, "1000", "1001")
			waitHears(t, s, "1001", "1000")
			l.me = l.line("1002", "mute")
			for _, size := range tc.before {
				l.want("+OK Success", "uuid_jitterbuffer P %s", size)
			}
			user, pupil := l.gap(func() { l.tap("T", "lm"); waitHears(t, s, "1002", "1000 1001") })
			if user < tc.least-10 || user > tc.most+20 || tc.most == 0 && user != 0 || pupil != 0 {
				t.Errorf("the user missed %d ms, the pupil %d", user, pupil)
			}
			user, pupil = l.gap(func() {
				l.want("+OK Success", "uuid_jitterbuffer P stop")
				l.want("+OK", "uuid_setvar P jitterbuffer_msec")
				l.want("+OK", "uuid_kill T")
			})
			if user != 0 || pupil != 0 {
				t.Errorf("at the end the user missed %d ms, the pupil %d", user, pupil)
			}
		})
	}
}

// TestOtherThingsCostAsMuch: a recording, and a telephone that eavesdrops.
func TestOtherThingsCostAsMuch(t *testing.T) {
	l := newCall(t, tapOptions(), outbound)
	for name, do := range map[string]func(){
		"recording":    func() { l.want("+OK Success", "uuid_record %s start /r.wav", l.pupil) },
		"eavesdropper": func() { l.want("+OK E", "originate {origination_uuid=E}user/1003 &eavesdrop(%s)", l.pupil) },
	} {
		if user, pupil := l.gap(do); user < 20 || user > 60 || pupil != 0 {
			t.Errorf("%s: the user missed %d ms, the pupil %d", name, user, pupil)
		}
	}
}

// TestJitterBufferAnswers has what uuid_jitterbuffer says, and where a buffer shows.
func TestJitterBufferAnswers(t *testing.T) {
	o := tapOptions()
	o.JitterBuffer = "60"
	l := newCall(t, o, inbound)
	l.want("20", "uuid_getvar %s rtp_use_codec_ptime", l.pupil)
	l.want("_undef_", "uuid_getvar %s jitterbuffer_msec", l.pupil) // the profile's shows in no variable
	if got := l.api("xml_locate configuration configuration name sofia.conf"); !strings.Contains(got, `name="auto-jitterbuffer-msec" value="60"`) {
		t.Error(got)
	}
	l.want("-USAGE: <uuid> [0|<min_msec>[:<max_msec>]]", "uuid_jitterbuffer %s", l.pupil)
	l.want("-ERR Operation failed", "uuid_jitterbuffer nobody 20")
	for _, tc := range [][2]string{{"20", "20"}, {"stop", "20"}, {"off", "off"}, {"pause", "off"}, {"resume", "off"}, {"debug:10", "off"}} {
		l.want("+OK Success", "uuid_jitterbuffer %s %s", l.pupil, tc[0])
		l.want(tc[1], "uuid_getvar %s jitterbuffer_msec", l.pupil)
	}
	l.want("+OK", "uuid_setvar %s jitterbuffer_msec", l.pupil)
	l.want("_undef_", "uuid_getvar %s jitterbuffer_msec", l.pupil)
}

// TestRecordings: what recordings of the legs have, of a coach and of one who barges.
func TestRecordings(t *testing.T) {
	for _, d := range directions {
		t.Run(d, func(t *testing.T) {
			t.Parallel()
			l := newCall(t, tapOptions(), d)
			l.want("+OK", "uuid_setvar %s RECORD_BRIDGE_REQ true", l.user)
			l.want("+OK Success", "uuid_record %s start /user.wav", l.user)
			l.want("+OK Success", "uuid_record %s start /before.wav", l.pupil)
			l.me = l.line("1002", "")
			l.tap("T", "lm")
			waitHears(t, l.s, "1002", "1000 1001")
			l.far = l.api("uuid_getvar T other_loopback_leg_uuid")
			l.want("+OK Success", "uuid_record %s start /after.wav", l.pupil)
			has := func(file, who string, want bool) {
				t.Helper()
				r := l.s.Recording(file)
				if got := r.Heard[who] > 0; got != want || r.Frames == 0 {
					t.Errorf("%s has %s: %v, in %v", file, who, got, r)
				}
			}
			l.reach("2")
			l.hear("1001", "1000 1002", "1000 1001")
			pass(t, l.s, 3)
			for _, file := range []string{"/user.wav", "/before.wav", "/after.wav"} {
				has(file, l.user, true)
				has(file, l.pupil, true)
				has(file, "line1002", file == "/after.wav")
			}
			l.reach("3")
			l.hear("1001 1002", "1000 1002", "1000 1001")
			pass(t, l.s, 3)
			has("/user.wav", "line1002", true)
			has("/before.wav", "line1002", true) // what the leg says is recorded behind all taps
			l.want("+OK Success", "uuid_record %s mask /before.wav", l.pupil)
			masked := l.s.Recording("/before.wav").Heard[l.user]
			pass(t, l.s, 5)
			if got := l.s.Recording("/before.wav"); got.Heard[l.user] > masked+1 {
				t.Errorf("%v after the mask, %d before", got, masked)
			}
			l.want("+OK Success", "uuid_record %s stop /after.wav", l.pupil)
			ended := l.s.Recording("/after.wav").Frames
			pass(t, l.s, 5)
			if got := l.s.Recording("/after.wav").Frames; got != ended {
				t.Errorf("%d frames more after its end", got-ended)
			}
		})
	}
}

// TestAMoveEmptiesARecordingThatWantsABridge, and a tap does not.
func TestAMoveEmptiesARecordingThatWantsABridge(t *testing.T) {
	for _, wants := range []bool{true, false} {
		l := newCall(t, tapOptions(), inbound)
		l.want("+OK", "uuid_setvar %s RECORD_BRIDGE_REQ %v", l.user, wants)
		l.want("+OK Success", "uuid_record %s start /user.wav", l.user)
		l.tap("T", "lm")
		pass(t, l.s, 10)
		if r := l.s.Recording("/user.wav"); r.Heard[l.pupil] < 5 {
			t.Errorf("tapped: %v", r)
		}
		l.want("+OK", "uuid_transfer %s -both conference:moved@livemon inline", l.user)
		wait(t, l.s, "both in the room", func() bool { return memberID(l.s, "1000") != 0 && hears(l.s, "1000") == "1001" })
		moved := l.s.Recording("/user.wav").Frames
		pass(t, l.s, 10)
		if more := l.s.Recording("/user.wav").Frames - moved; (more > 0) == wants {
			t.Errorf("RECORD_BRIDGE_REQ %v: %d frames more in the room", wants, more)
		}
	}
}

// TestOneSideIsRecorded where the leg's variables say so.
func TestOneSideIsRecorded(t *testing.T) {
	l := newCall(t, tapOptions(), inbound)
	for variable, want := range map[string][2]bool{"RECORD_READ_ONLY": {true, false}, "RECORD_WRITE_ONLY": {false, true}} {
		l.want("+OK", "uuid_setvar %s %s true", l.pupil, variable)
		l.want("+OK Success", "uuid_record %s start /%s.wav", l.pupil, variable)
		l.want("+OK", "uuid_setvar %s %s", l.pupil, variable)
		pass(t, l.s, 10)
		r := l.s.Recording("/" + variable + ".wav")
		if got := [2]bool{r.Heard[l.pupil] > 0, r.Heard[l.user] > 0}; got != want {
			t.Errorf("%s: %v", variable, r)
		}
	}
}

// TestOrderOfTaps: a later tap, or one that eavesdrops, hears a coach who speaks
// through an earlier one, and not the other way round.
func TestOrderOfTaps(t *testing.T) {
	l := newCall(t, tapOptions(), inbound)
	l.me = l.line("1002", "")
	l.want("+OK S2", "originate {origination_uuid=S2}user/1003 conference:other@livemon inline")
	l.tap("T1", "lm")
	waitHears(t, l.s, "1002", "1000 1001")
	l.tap("T2", "other")
	waitHears(t, l.s, "1003", "1000 1001")
	far := map[string]string{}
	for _, name := range []string{"T1", "T2"} {
		far[name] = l.api("uuid_getvar %s other_loopback_leg_uuid", name)
	}
	l.api("uuid_recv_dtmf %s 2", far["T1"])
	waitHears(t, l.s, "1001", "1000 1002")
	waitHears(t, l.s, "1003", "1000 1001 1002")
	l.api("uuid_recv_dtmf %s 0", far["T1"])
	l.api("uuid_recv_dtmf %s 2", far["T2"])
	waitHears(t, l.s, "1001", "1000 1003")
	pass(t, l.s, 8)
	l.hear("1001", "1000 1003", "1000 1001")
	never(t, l.s, "1002", "1003")
	// One who barges is heard by both: what the leg says is heard behind all taps.
	l.api("uuid_recv_dtmf %s 3", far["T2"])
	l.hear("1001 1003", "1000 1003", "1000 1001 1003")
}
