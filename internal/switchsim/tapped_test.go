package switchsim_test

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"livemon/internal/switchsim"
)

// TestHoldWithATap: the supervisor hears what the pupil's leg hears, and whoever is
// held does not hear him.
func TestHoldWithATap(t *testing.T) {
	for _, d := range directions {
		for _, tc := range []struct {
			who               string
			user, pupil, hear string // in coach
		}{
			{"1001", "music", "", ""},
			{"1000", "", "1002 music", "1001 music"},
		} {
			for _, how := range []string{"telephone", "uuid_hold"} {
				t.Run(d+", "+tc.who+", "+how, func(t *testing.T) {
					t.Parallel()
					l := newTapLab(t, tapOptions(), d)
					ev := connect(t, l.s, "CHANNEL_HOLD CHANNEL_UNHOLD")
					l.reach("2")
					l.mute(false)
					l.hear("1001", "1000 1002", "1000 1001")
					leg := map[string]string{"1000": l.user, "1001": l.pupil}[tc.who]
					if how == "telephone" {
						must(t, l.s.Hold(tc.who))
					} else {
						l.want("+OK Success", "uuid_hold %s", leg)
					}
					l.hear(tc.user, tc.pupil, tc.hear)
					ev.until("Event-Name=CHANNEL_HOLD", "Unique-ID="+leg, "Channel-Call-State=HELD")
					if how == "telephone" {
						must(t, l.s.Unhold(tc.who))
					} else {
						l.want("+OK Success", "uuid_hold off %s", leg)
					}
					l.hear("1001", "1000 1002", "1000 1001")
					ev.until("Event-Name=CHANNEL_UNHOLD", "Unique-ID="+leg)
					never(t, l.s, "1000", "1002")
				})
			}
		}
	}
}

// TestConsultation by att_xfer: the customer waits, the tap hears whoever the
// pupil's leg has for its partner, and the events tell.
func TestConsultation(t *testing.T) {
	for _, d := range directions {
		t.Run(d, func(t *testing.T) {
			t.Parallel()
			l := newTapLab(t, tapOptions(), d)
			ev := connect(t, l.s, "CHANNEL_BRIDGE CHANNEL_UNBRIDGE CHANNEL_HANGUP")
			l.reach("3")
			l.mute(false)
			l.hear("1001 1002", "1000 1002", "1000 1001")
			l.want("+OK Message sent", "uuid_broadcast %s att_xfer::user/1004@127.0.0.1 aleg", l.pupil)
			l.hear("", "1002 1004", "1001 1004")
			waitHears(t, l.s, "1004", "1001 1002")
			ev.until("Event-Name=CHANNEL_BRIDGE", "Bridge-A-Unique-ID="+l.pupil, "Bridge-B-Unique-ID="+l.s.Leg("1004"))
			l.want(l.s.Leg("1004"), "uuid_getvar %s bridge_to", l.pupil)
			l.want(l.pupil, "uuid_getvar %s bridge_to", l.user)
			must(t, l.s.Hangup("1004", ""))
			l.hear("1001 1002", "1000 1002", "1000 1001")
			ev.until("Event-Name=CHANNEL_UNBRIDGE", "Bridge-A-Unique-ID="+l.pupil)
			ev.until("Event-Name=CHANNEL_UNBRIDGE")
			ev.until("Event-Name=CHANNEL_BRIDGE", "Bridge-A-Unique-ID="+l.pupil, "Bridge-B-Unique-ID="+l.user)
			// It is a bridge as any other then.
			must(t, l.s.Hangup("1001", ""))
			wait(t, l.s, "the end", func() bool { return l.s.Leg("1000") == "" && l.s.Leg("eavesdrop") == "" })
		})
	}
}

// TestConsultationEnds: whoever leaves first.
func TestConsultationEnds(t *testing.T) {
	for _, tc := range []struct {
		name, direction, phone, press string
		left, customer                string // who is left, and whom the customer hears
	}{
		{"the agent, of a customer who called", inbound, "1001", "", "1004", ""},
		{"the agent, of a customer who was called", outbound, "1001", "", "1000 1004", "1004"},
		{"the agent, by key", outbound, "", "*", "1000 1004", "1004"},
		{"the colleague, by the agent's key", inbound, "", "#", "1000 1001", "1001"},
		{"the customer who called", inbound, "1000", "", "1001 1004", ""},
		{"the customer who was called", outbound, "1000", "", "1001 1004", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			l := newCall(t, tapOptions(), tc.direction)
			l.want("+OK", "uuid_setvar %s transfer_after_bridge 7778", l.user)
			l.want("+OK Message sent", "uuid_broadcast %s att_xfer::user/1004@127.0.0.1 aleg", l.pupil)
			waitHears(t, l.s, "1004", "1001")
			if tc.press != "" {
				must(t, l.s.Press("1001", "1"+tc.press))
			} else {
				must(t, l.s.Hangup(tc.phone, ""))
			}
			wait(t, l.s, tc.left, func() bool {
				var left []string
				for _, ch := range l.s.Channels() {
					left = append(left, ch.Number)
				}
				slices.Sort(left)
				return strings.Join(left, " ") == tc.left && (tc.customer == "" || hears(l.s, "1000") == tc.customer)
			})
			switch {
			case tc.phone == "1000":
				must(t, l.s.Hangup("1004", ""))
				wait(t, l.s, "the agent's end", func() bool { return len(l.s.Channels()) == 0 })
			case tc.customer != "":
				l.want("7778", "uuid_getvar %s transfer_after_bridge", l.user) // it has not acted yet
			}
		})
	}
	// One who is busy brings the customer back, and so does a customer's absence.
	l := newCall(t, tapOptions(), inbound)
	l.s.SetPhone("1004", switchsim.Behaviour{Reject: "USER_BUSY"})
	l.want("+OK Message sent", "uuid_broadcast %s att_xfer::user/1004@127.0.0.1 aleg", l.pupil)
	wait(t, l.s, "the consultation's end", func() bool { return appOf(l.s, "1001") == "" && hears(l.s, "1000") == "1001" })
	leg, err := l.s.Dial(ctx(t), "1005", "7777")
	must(t, err)
	ev := connect(t, l.s, "CHANNEL_EXECUTE_COMPLETE")
	l.want("+OK", "uuid_transfer %s 'att_xfer:user/1006,park' inline", leg)
	ev.until("Application=att_xfer")
}

// TestIntercept: another agent takes the customer; the arm stays with him.
func TestIntercept(t *testing.T) {
	for _, d := range directions {
		for _, bleg := range []bool{false, true} {
			l := newTapLab(t, tapOptions(), d)
			ev := connect(t, l.s, "CHANNEL_HANGUP")
			l.want("+OK", "uuid_setvar %s transfer_after_bridge 7778", l.user)
			leg, err := l.s.Dial(ctx(t), "1004", "7777")
			must(t, err)
			pass(t, l.s, 2)
			data := l.user
			if bleg {
				data = "-bleg " + l.pupil
			}
			l.want("+OK", "uuid_transfer %s 'intercept:%s' inline", leg, data)
			waitHears(t, l.s, "1000", "1004")
			if e := ev.until("Unique-ID=" + l.pupil); e.get("Hangup-Cause") != "PICKED_OFF" {
				t.Error(e.get("Hangup-Cause"))
			}
			wait(t, l.s, "the tap's end", func() bool { return l.s.Leg("eavesdrop") == "" })
			l.want("7778", "uuid_getvar %s transfer_after_bridge", l.user)
		}
	}
}

// TestAStandbyAgentsTap hears the next call on the same leg, if nobody ends it.
func TestAStandbyAgentsTap(t *testing.T) {
	o := tapOptions()
	o.Agents = []switchsim.CCAgent{{Name: "ag1", Contact: "user/1001@127.0.0.1", Type: "uuid-standby"}}
	s := start(t, o)
	l := &tapLab{s: s, client: connect(t, s)}
	ev := connect(t, s, "CHANNEL_BRIDGE CHANNEL_UNBRIDGE")
	k, err := s.CallQueue(ctx(t), "0171", "", "ag1")
	must(t, err)
	l.pupil = k.B
	l.me = l.line("1002", "mute")
	l.tap("T", "lm")
	waitHears(t, s, "1002", "0171 1001")
	must(t, s.Hangup("0171", ""))
	ev.until("Event-Name=CHANNEL_UNBRIDGE")
	k2, err := s.CallQueue(ctx(t), "0172", "", "ag1")
	must(t, err)
	if k2.B != k.B {
		t.Errorf("the agent's leg is %s, not %s", k2.B, k.B)
	}
	waitHears(t, s, "1002", "0172 1001")
}

// TestANewPartnerIsUnheard if the line is made deaf before what the tap brings of him
// has come through.
func TestANewPartnerIsUnheard(t *testing.T) {
	o := tapOptions()
	o.Lags.Tap = 600 * time.Millisecond
	for _, late := range []int{0, 2, 5} {
		l := newTapLab(t, o, inbound)
		ev := connect(t, l.s, "CHANNEL_BRIDGE")
		l.want("+OK Message sent", "uuid_broadcast %s att_xfer::user/1004@127.0.0.1 aleg", l.pupil)
		ev.until("Event-Name=CHANNEL_BRIDGE")
		pass(t, l.s, late)
		l.api("conference lm deaf %d quiet", l.me)
		pass(t, l.s, 35)
		never(t, l.s, "1002", "1004")
		l.api("conference lm undeaf %d quiet", l.me)
		waitHears(t, l.s, "1002", "1001 1004")
	}
}

// TestSeveralSupervisors share one tap: a relation keeps a coach from another one; in
// barge he hears him.
func TestSeveralSupervisors(t *testing.T) {
	l := newTapLab(t, tapOptions(), inbound)
	other := l.line("1003", "mute|deaf")
	l.want(sprintf("+OK %d->%d nospeak set", l.me, other), "conference lm relate %d %d nospeak", l.me, other)
	l.want(sprintf("+OK undeaf %d", other), "conference lm undeaf %d quiet", other)
	l.reach("2")
	l.mute(false)
	l.hear("1001", "1000 1002", "1000 1001")
	pass(t, l.s, 6)
	waitHears(t, l.s, "1003", "1000 1001")
	never(t, l.s, "1003", "1002")
	l.reach("3")
	l.want(sprintf("+OK relationship %d->%d cleared.", l.me, other), "conference lm relate %d %d clear", l.me, other)
	waitHears(t, l.s, "1003", "1000 1001 1002")
	l.reach("2")
	l.want(sprintf("+OK %d->%d nospeak set", l.me, other), "conference lm relate %d %d nospeak", l.me, other)
	waitHears(t, l.s, "1003", "1000 1001")
	pass(t, l.s, 6)
	l.s.Reset()
	l.want(sprintf("+OK kicked %d", l.me), "conference lm kick %d", l.me)
	wait(t, l.s, "he is out", func() bool { return l.s.Leg("1002") == "" })
	pass(t, l.s, 6)
	if n := ms(frames(l.s, "1003", "1002")); n < 20 || n > 60 { // his relation goes before he does
		t.Errorf("the other supervisor heard him for %d ms", n)
	}
	never(t, l.s, "1000", "1002")
}

// TestANotice: what is played to the tap is heard by whom the reach names, and by no
// supervisor.
func TestANotice(t *testing.T) {
	const tone = "tone_stream://%(300,0,1700)"
	for key, want := range map[string][2]bool{"0": {false, false}, "2": {false, true}, "3": {true, true}} {
		t.Run(key, func(t *testing.T) {
			t.Parallel()
			o := tapOptions()
			o.Modules = []string{"mod_commands", "mod_conference", "mod_dptools", "mod_sofia", "mod_loopback", "mod_tone_stream"}
			l := newTapLab(t, o, inbound)
			l.reach(key)
			pass(t, l.s, 3)
			ev := connect(t, l.s, "CUSTOM conference::maintenance")
			id := memberID(l.s, "eavesdrop")
			l.want(sprintf("+OK (play) Playing file %s to member %d", tone, id), "conference lm play %s %d", tone, id)
			heard := map[string]bool{}
			wait(t, l.s, "the end", func() bool {
				for _, n := range []string{"1000", "1001", "1002"} {
					heard[n] = heard[n] || slices.Contains(l.s.Sounds(n), tone)
				}
				return strings.Contains(strings.Join(l.s.Played("eavesdrop"), " "), tone) && !slices.Contains(l.s.Sounds("T"), tone)
			})
			if heard["1000"] != want[0] || heard["1001"] != want[1] || heard["1002"] {
				t.Errorf("heard by %v", heard)
			}
			ev.until("Action=play-file-member-done")
			pass(t, l.s, 6)
			l.hear("1001", "1000", "1000 1001")
		})
	}
}

// TestKeysReachTheTap of a member with dist-dtmf, unless the tap has skip-dtmf.
func TestKeysReachTheTap(t *testing.T) {
	for _, skips := range []bool{false, true} {
		l := newCall(t, tapOptions(), inbound)
		ev := connect(t, l.s, "DTMF")
		l.me = l.line("1002", "")
		l.line("1003", "dist-dtmf|mute")
		line := tapOriginate("T", l.pupil, "lm", "")
		if !skips {
			line = strings.Replace(line, "+flags{skip-dtmf}", "", 1)
		}
		l.want("+OK T", "%s", line)
		waitHears(t, l.s, "1002", "1000 1001")
		far := l.api("uuid_getvar T other_loopback_leg_uuid")
		must(t, l.s.Press("1003", "3"))
		if skips {
			pass(t, l.s, 10)
			never(t, l.s, "1000", "1002")
			continue
		}
		waitHears(t, l.s, "1000", "1001 1002")
		if e := ev.until("Unique-ID=" + far); e.get("DTMF-Digit") != "3" || e.get("DTMF-Source") == "APP" {
			t.Errorf("%v", e.values)
		}
	}
}

// TestHop: a line goes to another room; nobody else hears of it.
func TestHop(t *testing.T) {
	l := newTapLab(t, tapOptions(), inbound)
	k2 := call(t, l.s, "1003", "1004")
	frames := record(t, l.s)
	l.want("+OK", "uuid_transfer line1002 'conference:lm2@livemon+flags{mute|deaf}' inline")
	l.pupil = k2.B
	l.tap("T2", "lm2")
	wait(t, l.s, "the line in its new room", func() bool { return strings.Contains(l.api("conference lm2 list"), "line1002") })
	if got := hears(l.s, "1002"); got != "" {
		t.Errorf("a deaf line hears %q", got)
	}
	l.api("conference lm2 undeaf %d quiet", memberID(l.s, "1002"))
	waitHears(t, l.s, "1002", "1003 1004")
	for _, pair := range []string{"1000<1001", "1001<1000", "1004<1003"} {
		if n := frames.missing(pair); n != 0 {
			t.Errorf("%s: %d frames are missing", pair, n)
		}
	}
	never(t, l.s, "1003", "1002")
}

// TestTapInTheShopsConference: 2 is heard by the pupil alone, 3 by everybody, and not
// while a moderator has muted him, whom supervisors hear all the same.
func TestTapInTheShopsConference(t *testing.T) {
	s := start(t, tapOptions())
	l := &tapLab{s: s, client: connect(t, s)}
	legs, err := s.Conference(ctx(t), "3000", "1000", "1001", "1003")
	must(t, err)
	l.pupil = legs[1]
	l.me = l.line("1002", "mute")
	l.tap("T", "lm")
	waitHears(t, s, "1002", "1000 1001 1003")
	l.far = l.api("uuid_getvar T other_loopback_leg_uuid")
	if n := len(strings.Split(strings.TrimSpace(l.api("conference 3000 list")), "\n")); n != 3 {
		t.Errorf("%d members", n)
	}
	l.mute(false)
	l.reach("2")
	l.hear("1001 1003", "1000 1002 1003", "1000 1001 1003")
	waitHears(t, s, "1003", "1000 1001")
	l.reach("3")
	l.hear("1001 1002 1003", "1000 1002 1003", "1000 1001 1003")
	waitHears(t, s, "1003", "1000 1001 1002")
	l.api("conference 3000 mute %d quiet", memberID(s, "1001"))
	l.hear("1003", "1000 1002 1003", "1000 1001 1003")
	l.reach("0")
	l.api("conference 3000 unmute %d quiet", memberID(s, "1001"))
	l.hear("1001 1003", "1000 1003", "1000 1001 1003")
}

// TestNothingChanges: the call records of a call that was tapped are those of one
// that was not, and no telephone was told anything; after a move all that differs.
func TestNothingChanges(t *testing.T) {
	run := func(do func(l *tapLab)) (user, pupil switchsim.CallRecord) {
		l := newCall(t, tapOptions(), inbound)
		do(l)
		must(t, l.s.Hangup("1001", ""))
		wait(t, l.s, "the end", func() bool { return l.s.Leg("1000") == "" })
		pass(t, l.s, 3)
		user, ok := l.s.CallRecord(l.user)
		pupil, ok2 := l.s.CallRecord(l.pupil)
		if !ok || !ok2 {
			t.Error("no records")
		}
		return user, pupil
	}
	user, pupil := run(func(*tapLab) {})
	differ := func(a, b switchsim.CallRecord) []string {
		var out []string
		for name := range maps.Keys(a.Fields) {
			if a.Fields[name] != b.Fields[name] {
				out = append(out, name)
			}
		}
		for name := range maps.Keys(b.Fields) {
			if _, ok := a.Fields[name]; !ok {
				out = append(out, name)
			}
		}
		slices.Sort(out)
		return slices.Compact(out)
	}
	tapUser, tapPupil := run(func(l *tapLab) {
		l.me = l.line("1002", "mute")
		l.want("+OK Success", "uuid_jitterbuffer %s 20", l.pupil)
		l.tap("T", "lm")
		waitHears(t, l.s, "1002", "1000 1001")
		l.far = l.api("uuid_getvar T other_loopback_leg_uuid")
		l.want("+OK Success", "uuid_jitterbuffer %s stop", l.pupil)
		l.want("+OK", "uuid_setvar_multi %s jitterbuffer_msec=;rtp_jb_max_ms=;rtp_jb_size_ms=;rtp_jb_acceleration_ms=;rtp_jb_expand_ms=;rtp_jb_jitter_max_ms=;"+
			"rtp_jb_jitter_ms=;rtp_jb_reset_count=;rtp_jb_reset_too_big=;rtp_jb_reset_missing_frames=;rtp_jb_reset_ts_jump=;rtp_jb_reset_error=", l.pupil)
		l.reach("3")
		l.mute(false)
		l.hear("1001 1002", "1000 1002", "1000 1001")
		l.want("+OK", "uuid_kill T")
		must(t, l.s.Hangup("1002", ""))
	})
	if d := append(differ(user, tapUser), differ(pupil, tapPupil)...); len(d) != 0 || len(tapUser.Messages)+len(tapPupil.Messages) != 0 {
		t.Errorf("a tap changes %v, and tells %v %v", d, tapUser.Messages, tapPupil.Messages)
	}
	movedUser, movedPupil := run(func(l *tapLab) {
		l.want("+OK", "uuid_transfer %s -both conference:moved@livemon inline", l.pupil)
		waitRoom(t, l.s, "moved")
		l.want("+OK "+l.pupil, "uuid_bridge %s %s", l.user, l.pupil)
		wait(t, l.s, "a bridge", func() bool { return memberID(l.s, "1000") == 0 && hears(l.s, "1000") == "1001" })
	})
	for name, d := range map[string][]string{"user": differ(user, movedUser), "pupil": differ(pupil, movedPupil)} {
		for _, field := range []string{"variable_last_app", "variable_last_arg", "Caller-Dialplan", "variable_transfer_history", "variable_original_destination_number",
			"variable_conference_name"} {
			if !slices.Contains(d, field) {
				t.Errorf("a move leaves the %s's %s as it is: %v", name, field, d)
			}
		}
	}
	if !slices.Contains(differ(pupil, movedPupil), "Caller-Callee-ID-Number") {
		t.Error("a move leaves the callee's number as it is")
	}
	if !slices.Equal(movedUser.Messages, []string{"display 1000"}) || len(movedPupil.Messages) != 0 {
		t.Errorf("a move tells %v %v", movedUser.Messages, movedPupil.Messages)
	}
}
