package switchsim_test

import (
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"livemon/internal/switchsim"
)

// tapLab is a call that is left in its bridge, with a tap on the pupil's leg that
// brings it into a room with a supervisor, who is mute.
type tapLab struct {
	*client
	s           *switchsim.Switch
	user, pupil string // channels
	far         string // the tap's other end
	me          int    // the supervisor's member id
}

const (
	inbound  = "the pupil is called"
	outbound = "the pupil calls"
)

var directions = []string{inbound, outbound}

// tapOptions have livemon's room as it was recorded.
func tapOptions() switchsim.Options { return switchsim.Options{ConferenceXML: recordedConference} }

// newCall is a call without a tap: the user is 1000, the pupil 1001.
func newCall(t *testing.T, o switchsim.Options, direction string) *tapLab {
	t.Helper()
	s := start(t, o)
	l := &tapLab{s: s, client: connect(t, s)}
	if direction == outbound {
		k := call(t, s, "1001", "1000")
		l.pupil, l.user = k.A, k.B
	} else {
		k := call(t, s, "1000", "1001")
		l.user, l.pupil = k.A, k.B
	}
	return l
}

func newTapLab(t *testing.T, o switchsim.Options, direction string) *tapLab {
	t.Helper()
	l := newCall(t, o, direction)
	l.me = l.line("1002", "mute")
	l.tap("T", "lm")
	waitHears(t, l.s, "1002", "1000 1001")
	l.far = l.api("uuid_getvar T other_loopback_leg_uuid")
	return l
}

// line is a supervisor in the room lm; it returns his member id.
func (l *tapLab) line(number, flags string) int {
	l.t.Helper()
	l.want("+OK "+"line"+number, "originate {origination_uuid=line%s,conference_controls=lm-sup}user/%s 'conference:lm@livemon+flags{%s}' inline", number, number, flags)
	wait(l.t, l.s, number+" in the room", func() bool {
		return strings.Contains(l.api("conference lm list"), ";line"+number+";")
	})
	return memberID(l.s, number)
}

func tapOriginate(tap, pupil, room, vars string) string {
	return "originate {origination_uuid=" + tap + ",eavesdrop_enable_dtmf=true" + vars + "}loopback/app=eavesdrop:" + pupil + " 'conference:" + room + "@livemon+flags{skip-dtmf}' inline"
}

// tap puts a tap on the pupil's leg.
func (l *tapLab) tap(name, room string) {
	l.t.Helper()
	l.want("+OK "+name, "%s", tapOriginate(name, l.pupil, room, ""))
}

// reach sets how far the room is heard.
func (l *tapLab) reach(key string) {
	l.t.Helper()
	l.want("+OK "+l.far+" received DTMF "+key+".", "uuid_recv_dtmf %s %s", l.far, key)
}

func (l *tapLab) mute(on bool) {
	l.t.Helper()
	verb := map[bool]string{true: "mute", false: "unmute"}[on]
	l.want(sprintf("+OK %s %d", verb, l.me), "conference lm %s %d quiet", verb, l.me)
}

// hear waits until the user, the pupil and the supervisor hear whom they should.
func (l *tapLab) hear(user, pupil, supervisor string) {
	l.t.Helper()
	waitHears(l.t, l.s, "1000", user)
	waitHears(l.t, l.s, "1001", pupil)
	waitHears(l.t, l.s, "1002", supervisor)
}

// log records every frame of who hears whom, by telephone numbers.
type log struct {
	mu     sync.Mutex
	frames []map[string]bool
	remove func()
}

func record(t *testing.T, s *switchsim.Switch) *log {
	t.Helper()
	l := &log{}
	number := map[string]string{}
	for _, ch := range s.Channels() {
		number[ch.UUID] = ch.Number
	}
	l.remove = s.OnFrame(func(frame []switchsim.Pair) {
		heard := map[string]bool{}
		for _, p := range frame {
			heard[number[p.Listener]+"<"+number[p.Speaker]] = true
		}
		l.mu.Lock()
		defer l.mu.Unlock()
		l.frames = append(l.frames, heard)
	})
	t.Cleanup(l.remove)
	return l
}

// now is how many frames there are.
func (l *log) now() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.frames)
}

// missing is in how many frames a listener did not hear a speaker.
func (l *log) missing(pair string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := 0
	for _, f := range l.frames {
		if !f[pair] {
			n++
		}
	}
	return n
}

// since is after how many frames from one on a pair is as it should be, and stays so.
func (l *log) since(from int, pair string, heard bool) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := 0
	for i := from; i < len(l.frames); i++ {
		if l.frames[i][pair] != heard {
			n = i - from + 1
		}
	}
	return n
}

// TestTapReach: who hears whom at each reach, the supervisor speaking all the time,
// and that nobody hears him whom it does not name.
func TestTapReach(t *testing.T) {
	for _, d := range directions {
		t.Run(d, func(t *testing.T) {
			t.Parallel()
			l := newTapLab(t, tapOptions(), d)
			l.mute(false)
			pass(t, l.s, 10)
			never(t, l.s, "1000", "1002")
			never(t, l.s, "1001", "1002")
			frames := record(t, l.s)
			for _, step := range []struct{ key, user, pupil string }{
				{"0", "1001", "1000"}, {"2", "1001", "1000 1002"}, {"3", "1001 1002", "1000 1002"}, {"2", "1001", "1000 1002"}, {"3", "1001 1002", "1000 1002"},
				{"0", "1001", "1000"}, {"1", "1001 1002", "1000"}, {"9", "1001 1002", "1000"}, {"0", "1001", "1000"},
			} {
				l.reach(step.key)
				from := frames.now()
				pass(t, l.s, 6)
				l.hear(step.user, step.pupil, "1000 1001")
				for pair, heard := range map[string]bool{"1000<1002": strings.Contains(step.user, "1002"), "1001<1002": strings.Contains(step.pupil, "1002")} {
					if n := frames.since(from, pair, heard); n > 3 {
						t.Errorf("reach %s: %s is %v after %d frames", step.key, pair, heard, n)
					}
				}
			}
			for _, pair := range []string{"1000<1001", "1001<1000", "1002<1000", "1002<1001"} {
				if n := frames.missing(pair); n != 0 {
					t.Errorf("%s: %d frames are missing", pair, n)
				}
			}
			l.reach("*")
			wait(t, l.s, "the tap's end", func() bool { return uuidOf(l.s, "eavesdrop") == "" })
			l.hear("1001", "1000", "")
			l.want("<media-bugs>\n</media-bugs>", "uuid_buglist %s", l.pupil)
		})
	}
}

// TestTapLags: what is said in the room is heard 60 to 80 ms later, for as long after
// a mute; a change of reach empties what comes next, and not what is on its way.
func TestTapLags(t *testing.T) {
	l := newTapLab(t, tapOptions(), inbound)
	frames := record(t, l.s)
	l.reach("2")
	pass(t, l.s, 3)
	at := func(what string, pair string, heard bool, least, most int, do func()) {
		t.Helper()
		before := frames.now()
		do()
		after := frames.now() // what was done was done in between
		pass(t, l.s, 12)
		if first, last := frames.since(before, pair, heard), frames.since(after, pair, heard); first < least || last > most {
			t.Errorf("%s: %s is %v after %d to %d frames", what, pair, heard, last, first)
		}
	}
	at("unmute", "1001<1002", true, 3, 5, func() { l.mute(false) })
	at("mute", "1001<1002", false, 3, 5, func() { l.mute(true) })
	at("the pupil is silent", "1002<1001", false, 3, 5, func() { must(t, l.s.Quiet("1001", true)) })
	at("he talks", "1002<1001", true, 3, 5, func() { must(t, l.s.Quiet("1001", false)) })
	at("the line is deaf", "1002<1001", false, 0, 2, func() { l.api("conference lm deaf %d quiet", l.me) })
}

// TestWhatWasSaidBeforeTheKey: from coach to barge the customer hears what was on its way.
func TestWhatWasSaidBeforeTheKey(t *testing.T) {
	o := tapOptions()
	o.Lags.Tap = 400 * time.Millisecond
	l := newTapLab(t, o, inbound)
	l.reach("2")
	l.mute(false)
	l.hear("1001", "1000 1002", "1000 1001")
	must(t, l.s.Quiet("1002", true))
	l.reach("3")
	pass(t, l.s, 30)
	if n := ms(frames(l.s, "1000", "1002")); n < 20 || n > 400 {
		t.Errorf("the user heard %d ms of what was said before the key", n)
	}
}

func ms(frames int) int { return frames * 20 }

// TestTapLagsCanBeChosen: without a lag everything is heard at once.
func TestTapLagsCanBeChosen(t *testing.T) {
	o := tapOptions()
	o.Lags = switchsim.Lags{Tap: -1, MuteTail: 500 * time.Millisecond}
	l := newTapLab(t, o, inbound)
	l.reach("2")
	l.mute(false)
	l.hear("1001", "1000 1002", "1000 1001")
	log := record(t, l.s)
	before := log.now()
	l.mute(true)
	after := log.now()
	wait(t, l.s, "silence", func() bool { return hears(l.s, "1001") == "1000" })
	if first, last := ms(log.since(before, "1001<1002", false)), ms(log.since(after, "1001<1002", false)); first < 480 || last > 540 {
		t.Errorf("he was heard for %d to %d ms after the mute", last, first)
	}
	// The tail respects the reach, and relations.
	l.mute(false)
	l.hear("1001", "1000 1002", "1000 1001")
	l.mute(true)
	l.reach("0")
	waitHears(t, l.s, "1001", "1000")
}

// TestTapTellsWhatItDoes has the events by which a tap is followed.
func TestTapTellsWhatItDoes(t *testing.T) {
	l := newCall(t, tapOptions(), inbound)
	ev := connect(t, l.s, "MEDIA_BUG_START MEDIA_BUG_STOP DTMF")
	l.tap("T", "lm")
	e := ev.event()
	if e.get("Event-Name") != "MEDIA_BUG_START" || e.get("Media-Bug-Function") != "eavesdrop" || e.get("Media-Bug-Target") != l.pupil || e.get("Unique-ID") != l.pupil {
		t.Errorf("%v", e.values)
	}
	far := l.api("uuid_getvar T other_loopback_leg_uuid")
	l.api("uuid_recv_dtmf %s 23", far)
	for _, key := range []string{"2", "3"} { // one a frame
		e = ev.event()
		if e.get("Event-Name") != "DTMF" || e.get("Unique-ID") != far || e.get("DTMF-Digit") != key || e.get("DTMF-Source") != "APP" {
			t.Errorf("%v", e.values)
		}
	}
	l.want("+OK", "uuid_kill T")
	e = ev.event()
	if e.get("Event-Name") != "MEDIA_BUG_STOP" || e.get("Media-Bug-Function") != "eavesdrop" || e.get("Unique-ID") != l.pupil {
		t.Errorf("%v", e.values)
	}
	l.hear("1001", "1000", "")
	// Without its keys nobody hears of them.
	l.want("+OK N", "%s", tapOriginate("N", l.pupil, "lm", ",eavesdrop_enable_dtmf=false"))
	ev.until("Event-Name=MEDIA_BUG_START")
	l.api("uuid_recv_dtmf %s 2", l.api("uuid_getvar N other_loopback_leg_uuid"))
	l.want("+OK", "uuid_kill N")
	if e = ev.event(); e.get("Event-Name") != "MEDIA_BUG_STOP" {
		t.Errorf("%v", e.values)
	}
}

// TestTapRefused: there is nothing to listen to.
func TestTapRefused(t *testing.T) {
	l := newCall(t, tapOptions(), inbound)
	l.want("-ERR NORMAL_CLEARING", "%s", tapOriginate("T", "nobody", "lm", ""))
	l.want("+OK", "uuid_setvar %s eavesdrop_group sales,support", l.pupil)
	l.want("-ERR NORMAL_CLEARING", "%s", tapOriginate("T2", l.pupil, "lm", ",eavesdrop_require_group=other"))
	l.want("+OK", "global_setvar eavesdrop_require_group=elsewhere")
	l.want("-ERR NORMAL_CLEARING", "%s", tapOriginate("T3", l.pupil, "lm", ""))
	l.want("+OK T4", "%s", tapOriginate("T4", l.pupil, "lm", ",eavesdrop_require_group=support"))
	wait(t, l.s, "a tap", func() bool { return strings.Contains(l.api("uuid_buglist %s", l.pupil), "eavesdrop") })
}

// TestTapRefusedLate is answered +OK, and is gone.
func TestTapRefusedLate(t *testing.T) {
	o := tapOptions()
	o.LateRefusals = true
	l := newCall(t, o, inbound)
	l.want("+OK T", "%s", tapOriginate("T", "nobody", "lm", ""))
	wait(t, l.s, "its end", func() bool { return len(l.s.Channels()) == 2 })
	l.want("false", "uuid_exists T")
}

// TestTapOfARingingLeg waits six seconds, and takes early media for an answer.
func TestTapOfARingingLeg(t *testing.T) {
	s := start(t, tapOptions())
	c := connect(t, s, "MEDIA_BUG_START")
	for name, ends := range map[string]bool{"answered": false, "never": true} {
		b := switchsim.Behaviour{AnswerAfter: 500 * time.Millisecond, NoAnswer: ends}
		s.SetPhone("1001", b)
		c.api("bgapi")
		leg := "ring" + name
		c.command("bgapi originate {origination_uuid=" + leg + "}user/1001 &park()")
		wait(t, s, "ringing", func() bool { return c.api("uuid_exists %s", leg) == "true" })
		began := time.Now()
		c.want("+OK T"+name, "%s", tapOriginate("T"+name, leg, "lm", ""))
		if !ends {
			c.until("Event-Name=MEDIA_BUG_START", "Unique-ID="+leg)
			continue
		}
		wait(t, s, "the tap gives up", func() bool { return c.api("uuid_exists Tnever") == "false" })
		if took := time.Since(began); took < 5900*time.Millisecond {
			t.Errorf("it gave up after %v", took)
		}
	}
}

// TestTapVariables: what is set on the tap, or globally, says where it begins.
func TestTapVariables(t *testing.T) {
	for _, tc := range []struct {
		set               []string
		user, pupil, hear string
	}{
		{nil, "1001", "1000", "1000 1001"},
		{[]string{"eavesdrop_whisper_bleg=true"}, "1001", "1000 1002", "1000 1001"},
		{[]string{"eavesdrop_whisper_aleg=true"}, "1001 1002", "1000", "1000 1001"},
		{[]string{"eavesdrop_whisper_aleg=true", "eavesdrop_whisper_bleg=true"}, "1001 1002", "1000 1002", "1000 1001"},
		{[]string{"eavesdrop_bridge_aleg=true"}, "1001", "1000", "1001"},
		{[]string{"eavesdrop_bridge_bleg=true"}, "1001", "1000", "1000"},
		{[]string{"eavesdrop_bridge_bleg=true", "eavesdrop_whisper_aleg=true"}, "1001", "1000", "1000"}, // nothing to be mixed into
	} {
		for _, global := range []bool{false, true} {
			t.Run(sprintf("%v %v", tc.set, global), func(t *testing.T) {
				t.Parallel()
				l := newCall(t, tapOptions(), inbound)
				l.me = l.line("1002", "")
				vars := ""
				for _, v := range tc.set {
					if global {
						l.want("+OK", "global_setvar %s", v)
					} else {
						vars += "," + v
					}
				}
				l.want("+OK T", "%s", tapOriginate("T", l.pupil, "lm", vars))
				pass(t, l.s, 12)
				l.hear(tc.user, tc.pupil, tc.hear)
			})
		}
	}
}

// TestTapIsAnnounced where the pupil's leg asks for it: to the room, before it is on.
func TestTapIsAnnounced(t *testing.T) {
	l := newCall(t, tapOptions(), inbound)
	l.me = l.line("1002", "mute")
	l.want("+OK", "uuid_setvar %s eavesdrop_announce_id 1001", l.pupil)
	l.tap("T", "lm")
	waitHears(t, l.s, "1002", "phrase:eavesdrop_announce:1001")
	l.want("<media-bugs>\n</media-bugs>", "uuid_buglist %s", l.pupil)
	waitHears(t, l.s, "1002", "1000 1001")
}

// TestTapOfAll: a channel that is called all is everybody.
func TestTapOfAll(t *testing.T) {
	l := newCall(t, tapOptions(), inbound)
	l.want("+OK all", "originate {origination_uuid=all}user/1003 &park()")
	l.me = l.line("1002", "mute")
	pass(t, l.s, 5) // the table is late
	l.pupil = "ALL"
	l.tap("T", "lm")
	waitHears(t, l.s, "1002", "1000 1001")
	far := l.api("uuid_getvar T other_loopback_leg_uuid")
	l.api("uuid_recv_dtmf %s *", far) // the next one: the same call from its other side
	pass(t, l.s, 8)
	l.api("uuid_recv_dtmf %s *", far)
	waitHears(t, l.s, "1002", "1003")
}

// TestTapEnds: what ends a tap ends both its ends, and nobody hears a coach by it.
func TestTapEnds(t *testing.T) {
	for name, end := range map[string]func(l *tapLab){
		"the tap is killed":       func(l *tapLab) { l.want("+OK", "uuid_kill T") },
		"its other end is killed": func(l *tapLab) { l.want("+OK", "uuid_kill %s", l.far) },
		"the tap is kicked":       func(l *tapLab) { l.api("conference lm kick %d", memberID(l.s, "eavesdrop")) },
		"the pupil hangs up":      func(l *tapLab) { must(l.t, l.s.Hangup("1001", "")) },
		"the user hangs up":       func(l *tapLab) { must(l.t, l.s.Hangup("1000", "")) },
		"the supervisor hangs up": func(l *tapLab) { must(l.t, l.s.Hangup("1002", "")) },
	} {
		for _, d := range directions {
			t.Run(name+", "+d, func(t *testing.T) {
				t.Parallel()
				l := newTapLab(t, tapOptions(), d)
				l.reach("2")
				l.mute(false)
				l.hear("1001", "1000 1002", "1000 1001")
				end(l)
				left := "1000 1001 1002"
				switch {
				case strings.Contains(name, "the user"), strings.Contains(name, "the pupil"):
					left = "1002"
				case strings.Contains(name, "supervisor"):
					left = "1000 1001 eavesdrop eavesdrop"
				}
				wait(t, l.s, "the end", func() bool {
					var numbers []string
					for _, ch := range l.s.Channels() {
						numbers = append(numbers, ch.Number)
					}
					slices.Sort(numbers)
					return strings.Join(numbers, " ") == left
				})
				pass(t, l.s, 5)
				never(t, l.s, "1000", "1002")
				if l.s.Leg("1001") != "" {
					l.hear("1001", "1000", "")
				}
			})
		}
	}
}
