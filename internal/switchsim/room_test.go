package switchsim_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"livemon/internal/switchsim"
)

// lab is a call that has been moved into a room of our own, and a supervisor in it, muted.
type lab struct {
	*client
	s               *switchsim.Switch
	t               *testing.T
	call            switchsim.Call
	user, pupil, me int
	sup             string
}

func newLab(t *testing.T) *lab {
	t.Helper()
	s := start(t, switchsim.Options{ConferenceXML: recordedConference})
	l := &lab{client: connect(t, s), s: s, t: t}
	l.call = call(t, s, "1000", "1001")
	l.want("+OK", "uuid_transfer %s -both conference:lm@livemon inline", l.call.B)
	r := l.api("originate {conference_controls=lm-sup,conference_member_flags=mute}user/1002 &conference(lm@livemon)")
	l.sup = strings.TrimPrefix(r, "+OK ")
	waitHears(t, s, "1002", "1000 1001")
	waitHears(t, s, "1000", "1001")
	waitHears(t, s, "1001", "1000")
	l.user, l.pupil, l.me = memberID(s, "1000"), memberID(s, "1001"), memberID(s, "1002")
	return l
}

func (l *lab) conf(format string, args ...any) string {
	l.t.Helper()
	return l.api("conference lm "+format, args...)
}

func (l *lab) ok(format string, args ...any) {
	l.t.Helper()
	if got := l.conf(format, args...); !strings.HasPrefix(got, "+OK") {
		l.t.Fatalf("conference lm %s: %s", sprintf(format, args...), got)
	}
}

func (l *lab) coach() {
	l.t.Helper()
	l.ok("relate %d %d nospeak", l.me, l.user)
	l.ok("unmute %d quiet", l.me)
	waitHears(l.t, l.s, "1001", "1000 1002")
}

// pass lets n frames go by.
func pass(t *testing.T, s *switchsim.Switch, n int) {
	t.Helper()
	wait(t, s, "frames", func() bool { n--; return n < 0 })
}

func TestRoles(t *testing.T) {
	l := newLab(t)
	for _, step := range []struct {
		commands          []string
		user, pupil, hear string
	}{
		{nil, "1001", "1000", "1000 1001"},
		{[]string{"deaf ME quiet"}, "1001", "1000", ""},
		{[]string{"undeaf ME quiet"}, "1001", "1000", "1000 1001"},
		{[]string{"relate ME USER nospeak", "unmute ME quiet"}, "1001", "1000 1002", "1000 1001"},
		{[]string{"relate ME USER clear"}, "1001 1002", "1000 1002", "1000 1001"},
		{[]string{"relate USER ME nohear"}, "1001", "1000 1002", "1000 1001"},
		{[]string{"relate USER ME clear", "relate ME USER nospeak"}, "1001", "1000 1002", "1000 1001"},
		{[]string{"mute ME quiet"}, "1001", "1000", "1000 1001"},
		{[]string{"tmute ME"}, "1001", "1000 1002", "1000 1001"},
		{[]string{"relate ME USER,PUPIL nospeak,nohear"}, "1001", "1000", ""},
		{[]string{"relate ME USER,PUPIL clear", "hold ME"}, "1001", "1000", ""},
		{[]string{"unhold ME"}, "1001 1002", "1000 1002", "1000 1001"},
		{[]string{"mute all"}, "", "", ""},
		{[]string{"unmute all"}, "1001 1002", "1000 1002", "1000 1001"},
	} {
		for _, cmd := range step.commands {
			r := strings.NewReplacer("ME", sprintf("%d", l.me), "USER", sprintf("%d", l.user), "PUPIL", sprintf("%d", l.pupil))
			l.ok("%s", r.Replace(cmd))
		}
		for n, want := range map[string]string{"1000": step.user, "1001": step.pupil, "1002": step.hear} {
			if got := hears(l.s, n); got != want {
				t.Errorf("after %v %s hears %q, want %q", step.commands, n, got, want)
			}
		}
	}
}

// TestKickLeaks: a coach who is kicked while he can speak is heard by everybody
// for a moment; one who was muted long enough before is not.
func TestKickLeaks(t *testing.T) {
	out := map[string]func(*lab){
		"kick":        func(l *lab) { l.ok("kick %d", l.me) },
		"hup":         func(l *lab) { l.ok("hup %d", l.me) },
		"transfer":    func(l *lab) { l.want("+OK", "uuid_transfer %s park inline", l.sup) },
		"uuid_park":   func(l *lab) { l.want("+OK", "uuid_park %s", l.sup) },
		"uuid_bridge": func(l *lab) { l.want("+OK "+l.call.B, "uuid_bridge %s %s", l.sup, l.call.B) },
	}
	for name, leave := range out {
		for _, muted := range []int{-1, 0, 6} { // frames between mute and the rest; -1: not muted
			t.Run(sprintf("%s/%d", name, muted), func(t *testing.T) {
				t.Parallel()
				l := newLab(t)
				l.coach()
				l.s.Reset()
				if muted >= 0 {
					l.ok("mute %d quiet", l.me)
					pass(t, l.s, muted)
				}
				leave(l)
				wait(t, l.s, "he is out", func() bool { return memberID(l.s, "1002") == 0 })
				pass(t, l.s, 2)
				got := frames(l.s, "1000", "1002")
				switch {
				case muted < 0 && got == 0:
					t.Error("nothing leaked")
				case muted > 3 && got != 0:
					t.Errorf("%d frames leaked", got)
				}
			})
		}
	}
}

func TestHangupLeaks(t *testing.T) {
	for _, end := range []string{"telephone", "uuid_kill"} {
		l := newLab(t)
		l.coach()
		if end == "telephone" {
			must(t, l.s.Hangup("1002", ""))
		} else {
			l.want("+OK", "uuid_kill %s", l.sup)
		}
		wait(t, l.s, "he is out", func() bool { return l.s.Leg("1002") == "" })
		pass(t, l.s, 4)
		if n := frames(l.s, "1000", "1002"); n == 0 || n > 2 {
			t.Errorf("%s: %d frames leaked", end, n)
		}
	}
}

func TestARelationClearedTooSoonAfterMuteLeaks(t *testing.T) {
	l := newLab(t)
	// Where the machine is so late that 60 ms pass between two commands sent
	// together, there is no leak: then once more.
	for range 50 {
		l.coach()
		l.s.Reset()
		l.write(sprintf("api conference lm mute %d quiet\n\napi conference lm relate %d %d clear\n\n", l.me, l.me, l.user))
		l.answer()
		l.answer()
		pass(t, l.s, 6)
		if got := hears(l.s, "1000"); got != "1001" {
			t.Fatalf("the user still hears %q", got)
		}
		if frames(l.s, "1000", "1002") > 0 {
			return
		}
	}
	t.Error("nothing leaked")
}

// TestAJoinerHearsACoach: relations are open by default.
func TestAJoinerHearsACoach(t *testing.T) {
	l := newLab(t)
	l.coach()
	l.api("originate user/1003 &conference(lm@livemon)")
	waitHears(t, l.s, "1003", "1000 1001 1002")
}

// TestALockedRoom refuses inbound legs only, unless the leg says otherwise.
func TestALockedRoom(t *testing.T) {
	l := newLab(t)
	l.ok("lock")
	leg, err := l.s.Dial(ctx(t), "1003", "7777")
	must(t, err)
	wait(t, l.s, "1003 is parked", func() bool { return strings.Contains(l.api("uuid_dump %s", leg), "park") })
	l.want("+OK", "uuid_transfer %s conference:lm@livemon inline", leg)
	wait(t, l.s, "1003 is refused", func() bool { return l.s.Leg("1003") == "" })

	leg, err = l.s.Dial(ctx(t), "1004", "7777")
	must(t, err)
	l.want("+OK", "uuid_setvar %s conference_enforce_security false", leg)
	l.want("+OK", "uuid_transfer %s conference:lm@livemon inline", leg)
	waitHears(t, l.s, "1004", "1000 1001")

	l.api("originate user/1005 &conference(lm@livemon)")
	waitHears(t, l.s, "1005", "1000 1001 1004")

	l.api("originate {conference_enforce_security=true}user/1006 &conference(lm@livemon)")
	wait(t, l.s, "1006 is refused", func() bool { return l.s.Leg("1006") == "" })
}

func TestAFullRoom(t *testing.T) {
	s := start(t, switchsim.Options{ConferenceXML: recordedConference})
	c := connect(t, s)
	for _, n := range []string{"1000", "1001", "1002"} {
		c.api("originate user/%s &conference(r@small)", n)
	}
	waitHears(t, s, "1000", "1001")
	wait(t, s, "the third is refused", func() bool { return s.Leg("1002") == "" })
}

// TestAddMemberComesBeforeTheMemberIsKnown.
func TestAddMemberComesBeforeTheMemberIsKnown(t *testing.T) {
	l := newLab(t)
	ev := connect(t, l.s, "CUSTOM conference::maintenance")
	hit := make(chan string, 1)
	// Both are done in one write, so that the command comes as soon as it can.
	l.write("bgapi originate user/1003 &conference(lm@livemon)\n\n")
	l.answer()
	go func() {
		id := ev.until("Action=add-member").get("Member-ID")
		ev.write("api conference lm mute " + id + "\n\n")
		_, body, err := ev.next()
		if err != nil {
			body = err.Error()
		}
		hit <- body
	}()
	select {
	case got := <-hit:
		// A machine that is late may ask late.
		if !strings.HasPrefix(got, "-ERR Non-Existant ID ") && !strings.HasPrefix(got, "+OK mute ") {
			t.Errorf("got %q", got)
		}
	case <-time.After(patience):
		t.Fatal("no answer")
	}
}

func TestMemberIDsAreTheChannels(t *testing.T) {
	l := newLab(t)
	l.want("+OK "+l.call.B, "uuid_bridge %s %s", l.call.A, l.call.B)
	wait(t, l.s, "the call is bridged", func() bool { return memberID(l.s, "1000") == 0 && hears(l.s, "1000") == "1001" })
	l.want("+OK", "uuid_transfer %s -both conference:lm@livemon inline", l.call.A)
	wait(t, l.s, "the call is in the room", func() bool { return memberID(l.s, "1000") != 0 && memberID(l.s, "1001") != 0 })
	if memberID(l.s, "1000") != l.user || memberID(l.s, "1001") != l.pupil {
		t.Error("the ids have changed")
	}
}

func TestLeavingWipesRelations(t *testing.T) {
	l := newLab(t)
	l.ok("relate %d %d nospeak", l.user, l.pupil)
	waitHears(t, l.s, "1001", "")
	l.want("+OK", "uuid_transfer %s conference:lm@livemon inline", l.call.A)
	waitHears(t, l.s, "1001", "1000")
	wait(t, l.s, "1000 is back", func() bool { return memberID(l.s, "1000") == l.user && hears(l.s, "1000") == "1001" })
	if got := l.conf("relate"); got != "+OK No relationships" {
		t.Errorf("relations: %s", got)
	}
}

func TestUnknownProfile(t *testing.T) {
	s := start(t, switchsim.Options{ConferenceXML: recordedConference})
	c := connect(t, s, "CUSTOM conference::maintenance")
	c.api("originate {conference_controls=lm-sup}user/1000 &conference(r@nosuch)")
	c.api("originate user/1001 &conference(r@nosuch)")
	if e := c.until("Action=conference-create"); e.get("Conference-Profile-Name") != "none" {
		t.Errorf("profile: %s", e.get("Conference-Profile-Name"))
	}
	waitHears(t, s, "1000", "1001")
	// The built-in defaults: caller controls of the group "default".
	must(t, s.Press("1001", "0"))
	waitHears(t, s, "1000", "")
}

func TestEndConf(t *testing.T) {
	s := start(t, switchsim.Options{ConferenceXML: recordedConference})
	c := connect(t, s)
	k := call(t, s, "1000", "1001")
	c.want("+OK", "uuid_setvar %s conference_member_flags endconf", k.A)
	c.want("+OK", "uuid_transfer %s -both conference:lm@livemon inline", k.A)
	wait(t, s, "both are in", func() bool { return memberID(s, "1000") != 0 && memberID(s, "1001") != 0 && hears(s, "1000") == "1001" })
	// The way back loses the one who leaves last.
	c.want("+OK "+k.B, "uuid_bridge %s %s", k.A, k.B)
	wait(t, s, "the call is lost", func() bool { return s.Leg("1001") == "" })
}

func TestKickedPupilIsHungUpAndOthersStay(t *testing.T) {
	l := newLab(t)
	l.ok("unmute %d", l.me)
	l.ok("kick %d", l.pupil)
	wait(t, l.s, "the pupil is gone", func() bool { return l.s.Leg("1001") == "" })
	waitHears(t, l.s, "1000", "1002")
	waitHears(t, l.s, "1002", "1000")
}

func TestKeys(t *testing.T) {
	for _, test := range []struct{ press, want string }{
		{"4#", "4#"}, {"5#", "5#"}, {"0#", "0#"}, {"4#6#", "4#6#"},
		{"46#", ""},
		{"46#4#", "4#"},      // a wrong sequence is silent, and forgotten
		{"4w#", "4#"},        // slowly, but within the profile's 3 s
		{"4wwwwwww6#", "6#"}, // a lone 4 is forgotten after 3 s
		{"7", ""},
	} {
		t.Run(test.press, func(t *testing.T) {
			t.Parallel()
			l := newLab(t)
			ev := connect(t, l.s, "DTMF CUSTOM conference::maintenance")
			must(t, l.s.Press("1002", test.press))
			keys := strings.ReplaceAll(test.press, "w", "")
			got, seen := "", ""
			for {
				e := ev.event()
				switch e.label() {
				case "DTMF":
					if seen += e.get("DTMF-Digit"); seen == keys {
						l.command("sendevent CUSTOM", "Event-Subclass: conference::maintenance", "Action: the end")
					}
				case "dtmf":
					got += e.get("DTMF-Key")
				case "the end":
					if got != test.want {
						t.Errorf("got %q, want %q", got, test.want)
					}
					return
				}
			}
		})
	}
}

func TestDistDTMF(t *testing.T) {
	l := newLab(t)
	l.want("+OK", "uuid_setvar %s conference_member_flags dist-dtmf", l.call.A)
	l.want("+OK", "uuid_setvar %s conference_controls lm-sup", l.call.A)
	l.want("+OK", "uuid_transfer %s conference:lm@livemon inline", l.call.A)
	wait(t, l.s, "1000 is back", func() bool { return strings.Contains(l.conf("json_list compact"), `"pass_digits":true`) })
	ev := connect(t, l.s, "CUSTOM conference::maintenance")
	must(t, l.s.Press("1000", "4#"))
	received := func(number string) string {
		for _, ch := range l.s.Channels() {
			if ch.Number == number {
				return ch.Received
			}
		}
		return ""
	}
	wait(t, l.s, "keys", func() bool { return received("1001") == "4#" && received("1002") == "4#" })
	if received("1000") != "" {
		t.Error("the presser got his own keys")
	}
	l.ok("lock")
	for {
		e := ev.event()
		if e.label() == "dtmf" {
			t.Error("the member still has caller controls")
		}
		if e.label() == "lock" {
			return
		}
	}
}

func TestHoldInARoom(t *testing.T) {
	for _, bond := range []bool{false, true} {
		l := newLab(t)
		if bond {
			l.want("+OK", "uuid_setvar %s signal_bond %s", l.call.A, l.call.B)
			l.want("+OK", "uuid_setvar %s signal_bond %s", l.call.B, l.call.A)
		}
		ev := connect(t, l.s, "CHANNEL_HOLD CHANNEL_UNHOLD")
		must(t, l.s.Hold("1001"))
		ev.until("Event-Name=CHANNEL_HOLD", "Channel-Call-State=HELD")
		want := ""
		if bond {
			want = "music"
		}
		if got := hears(l.s, "1000"); got != want {
			t.Errorf("bond %v: the user hears %q", bond, got)
		}
		if got := hears(l.s, "1001"); got != "" {
			t.Errorf("the holder hears %q", got)
		}
		must(t, l.s.Unhold("1001"))
		ev.until("Event-Name=CHANNEL_UNHOLD")
		waitHears(t, l.s, "1000", "1001")
	}
}

func TestReferOutOfARoom(t *testing.T) {
	l := newLab(t)
	if err := l.s.BlindTransfer("1001", "1003"); !errors.Is(err, switchsim.ErrForbidden) {
		t.Errorf("without a bond: %v", err)
	}
	l.want("+OK", "uuid_setvar %s signal_bond %s", l.call.A, l.call.B)
	l.want("+OK", "uuid_setvar %s signal_bond %s", l.call.B, l.call.A)
	must(t, l.s.BlindTransfer("1001", "1003"))
	waitHears(t, l.s, "1000", "1003")
	wait(t, l.s, "the pupil has hung up", func() bool { return l.s.Leg("1001") == "" })
}

func TestAttendedTransferOutOfARoom(t *testing.T) {
	l := newLab(t)
	l.want("+OK", "uuid_setvar %s signal_bond %s", l.call.A, l.call.B)
	l.want("+OK", "uuid_setvar %s signal_bond %s", l.call.B, l.call.A)
	consult := call(t, l.s, "1001", "1003")
	must(t, l.s.AttendedTransfer(l.call.B, consult.A))
	waitHears(t, l.s, "1000", "1003")
	waitHears(t, l.s, "1003", "1000")
	wait(t, l.s, "the pupil has hung up", func() bool { return l.s.Leg("1001") == "" })
}

func TestPlay(t *testing.T) {
	l := newLab(t)
	const file = "/usr/local/freeswitch/sounds/9022.wav"
	l.ok("play %s %d", file, l.me)
	waitHears(t, l.s, "1002", file+" 1000 1001")
	waitHears(t, l.s, "1002", "1000 1001")
	if got := l.s.Played("1002"); len(got) != 1 || got[0] != file {
		t.Errorf("played: %v", got)
	}
	if got := l.conf("play /nowhere.wav %d", l.me); got != "-ERR (play) File: /nowhere.wav not found." {
		t.Error(got)
	}
	l.ok("stop all %d", l.me)
}

func TestShopsConference(t *testing.T) {
	s := start(t, switchsim.Options{})
	legs, err := s.Conference(ctx(t), "sales", "1000", "1001", "1002")
	must(t, err)
	if len(legs) != 3 {
		t.Fatal(legs)
	}
	waitHears(t, s, "1000", "1001 1002")
	c := connect(t, s)
	if got := c.api("conference list"); !strings.HasPrefix(got, "+OK Conference sales (3 members rate: 8000 flags: running|") {
		t.Error(got)
	}
	must(t, s.Hangup("1000", ""))
	must(t, s.Hangup("1001", ""))
	waitHears(t, s, "1002", "music") // the stock profile's, for whoever is alone
	must(t, s.Hangup("1002", ""))
	wait(t, s, "the room is gone", func() bool { return c.api("conference list") == "+OK No active conferences." })
}

func TestSilentEntry(t *testing.T) {
	l := newLab(t)
	ev := connect(t, l.s, "CUSTOM conference::maintenance")
	l.api("originate {conference_silent_entry=true}user/1003 &conference(lm@livemon)")
	waitHears(t, l.s, "1003", "1000 1001")
	l.ok("lock")
	for {
		e := ev.event()
		if e.label() == "add-member" {
			t.Error("add-member was fired")
		}
		if e.label() == "lock" {
			return
		}
	}
}
