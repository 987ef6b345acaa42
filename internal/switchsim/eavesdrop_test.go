package switchsim_test

import (
	"slices"
	"strings"
	"sync"
	"testing"

	"livemon/internal/switchsim"
)

// shopRoom is a conference of the shop's: 1000 and the pupil 1001 talk, the
// supervisor 1002 is muted. It returns the channels of the latter two.
func shopRoom(t *testing.T, s *switchsim.Switch, c *client) (pupil, supervisor string) {
	t.Helper()
	legs, err := s.Conference(ctx(t), "shop", "1000", "1001")
	must(t, err)
	c.want("+OK sup", "originate {origination_uuid=sup,conference_member_flags=mute}user/1002 &conference(shop@default)")
	waitHears(t, s, "1002", "1000 1001")
	return legs[1], "sup"
}

// whisperLine is the originate that was measured on a real switch: the pupil
// hears the supervisor at once.
func whisperLine(pupil, supervisor string) string {
	return "originate {origination_uuid=wh,loopback_bowout=false,eavesdrop_enable_dtmf=false,eavesdrop_bridge_bleg=true,eavesdrop_whisper_bleg=true}" +
		"loopback/app=eavesdrop:" + pupil + " 'unset:eavesdrop_bridge_bleg,unset:eavesdrop_whisper_bleg,set:eavesdrop_bridge_aleg=true,eavesdrop:" + supervisor + "' inline"
}

// tapLine is the same, but closed: keys at the pupil's end open it.
func tapLine(pupil, supervisor string) string {
	return "originate {origination_uuid=wh,loopback_bowout=false,eavesdrop_bridge_bleg=true}" +
		"loopback/app=eavesdrop:" + pupil + " 'unset:eavesdrop_bridge_bleg,set:eavesdrop_enable_dtmf=false,set:eavesdrop_bridge_aleg=true,eavesdrop:" + supervisor + "' inline"
}

// never fails when a telephone heard another one for as much as a frame.
func never(t *testing.T, s *switchsim.Switch, listener, speaker string) {
	t.Helper()
	if n := frames(s, listener, speaker); n != 0 {
		t.Errorf("%s heard %s for %d frames", listener, speaker, n)
	}
}

func TestWhisperReachesThePupilAlone(t *testing.T) {
	s := start(t, switchsim.Options{})
	c := connect(t, s)
	p, sup := shopRoom(t, s, c)
	ev := connect(t, s, "CHANNEL_CREATE CHANNEL_EXECUTE CHANNEL_PROGRESS_MEDIA CHANNEL_HANGUP MEDIA_BUG_START MEDIA_BUG_STOP")
	c.want("+OK wh", "%s", whisperLine(p, sup))
	waitHears(t, s, "1001", "1000 1002")
	waitHears(t, s, "1000", "1001")
	waitHears(t, s, "1002", "1000 1001")
	for _, number := range []string{"1003", "1004", "1005"} {
		_, err := s.Conference(ctx(t), "shop", number)
		must(t, err)
	}
	waitHears(t, s, "1001", "1000 1002 1003 1004 1005")
	c.want("+OK", "uuid_kill wh")
	waitHears(t, s, "1001", "1000 1003 1004 1005")
	for _, number := range []string{"1000", "1003", "1004", "1005"} {
		never(t, s, number, "1002")
	}
	// The events as a real switch fired them, as far as they tell of the whisper.
	var got []string
	for len(got) < 14 {
		e := ev.event()
		name, leg := e.get("Event-Name"), e.get("Unique-ID")
		switch leg {
		case "wh":
			leg = "wh-a"
		case p:
			leg = "pupil"
		case sup:
			leg = "supervisor"
		default:
			if !strings.HasSuffix(e.get("Channel-Name"), "-b") {
				continue
			}
			leg = "wh-b"
		}
		switch name {
		case "CHANNEL_EXECUTE":
			name = e.get("Application")
		case "MEDIA_BUG_START", "MEDIA_BUG_STOP":
			if e.get("Media-Bug-Function") != "eavesdrop" || e.get("Media-Bug-Target") != e.get("Unique-ID") {
				t.Errorf("%s: %s on %s", name, e.get("Media-Bug-Function"), e.get("Media-Bug-Target"))
			}
		}
		got = append(got, name+" "+leg)
	}
	want := []string{"CHANNEL_CREATE wh-a", "CHANNEL_CREATE wh-b", "pre_answer wh-b", "CHANNEL_PROGRESS_MEDIA wh-b", "eavesdrop wh-b", "MEDIA_BUG_START pupil",
		"CHANNEL_PROGRESS_MEDIA wh-a", "unset wh-a", "unset wh-a", "set wh-a", "eavesdrop wh-a", "MEDIA_BUG_START supervisor", "CHANNEL_HANGUP wh-a", "MEDIA_BUG_STOP supervisor"}
	if !slices.Equal(got, want) {
		t.Errorf("events\n got %v\nwant %v", got, want)
	}
	ev.until("Event-Name=MEDIA_BUG_STOP", "Unique-ID="+p)
	c.want("<media-bugs>\n</media-bugs>", "uuid_buglist %s", p)
}

// TestTapIsOpenedByKeys: 2 opens it towards the pupil, 0 closes it.
func TestTapIsOpenedByKeys(t *testing.T) {
	s := start(t, switchsim.Options{})
	c := connect(t, s, "DTMF")
	p, sup := shopRoom(t, s, c)
	c.want("+OK wh", "%s", tapLine(p, sup))
	far := c.api("uuid_getvar wh other_loopback_leg_uuid")
	pass(t, s, 10)
	never(t, s, "1001", "1002")
	for range 3 {
		c.want("+OK "+far+" received DTMF 2.", "uuid_recv_dtmf %s 2", far)
		waitHears(t, s, "1001", "1000 1002")
		c.api("uuid_recv_dtmf %s 0", far)
		waitHears(t, s, "1001", "1000")
	}
	never(t, s, "1000", "1002")
	// Keys of the supervisor's end do nothing, and nobody hears of them.
	c.api("uuid_recv_dtmf wh 2")
	c.api("uuid_recv_dtmf %s 9", far)
	for key := ""; key != "9"; {
		e := c.until("Event-Name=DTMF")
		if key = e.get("DTMF-Digit"); e.get("Unique-ID") != far {
			t.Errorf("key %s of %s", key, e.get("Unique-ID"))
		}
	}
	never(t, s, "1000", "1002")
	// 1 is the opposite: everybody but the pupil hears who is at that end. With
	// the write side alone there is nothing to be mixed into.
	c.api("uuid_recv_dtmf %s 1", far)
	pass(t, s, 5)
	never(t, s, "1000", "1002")
	c.api("uuid_recv_dtmf %s *", far)
	wait(t, s, "the tap's end", func() bool { return len(s.Channels()) == 3 })
}

// TestWhisperMixedIntoBothSides: eavesdropping without saying which side is both.
func TestWhisperMixedIntoBothSides(t *testing.T) {
	s := start(t, switchsim.Options{})
	k := call(t, s, "1000", "1001")
	c := connect(t, s)
	c.want("+OK spy", "originate {origination_uuid=spy}user/1002 &eavesdrop(%s)", k.B)
	waitHears(t, s, "1002", "1000 1001")
	for _, step := range []struct{ key, pupil, user string }{
		{"2", "1000 1002", "1001"}, {"1", "1000", "1001 1002"}, {"3", "1000 1002", "1001 1002"}, {"0", "1000", "1001"},
	} {
		must(t, s.Press("1002", step.key))
		waitHears(t, s, "1001", step.pupil)
		waitHears(t, s, "1000", step.user)
	}
	must(t, s.Hangup("1001", ""))
	wait(t, s, "the eavesdropper's end", func() bool { return len(s.Channels()) == 0 })
	c.want("+OK other", "originate {origination_uuid=other}user/1002 &eavesdrop(nobody)")
	wait(t, s, "the eavesdropper's end", func() bool { return len(s.Channels()) == 0 })
}

func TestWhisperEnds(t *testing.T) {
	for _, tc := range []struct {
		name, user, pupil string // whom they hear in the end
		end               func(s *switchsim.Switch, c *client)
		tap               bool // whether it goes on
	}{
		{"the pupil hangs up", "", "", func(s *switchsim.Switch, _ *client) { _ = s.Hangup("1001", "") }, false},
		{"the supervisor hangs up", "1001", "1000", func(s *switchsim.Switch, _ *client) { _ = s.Hangup("1002", "") }, false},
		{"the user hangs up", "", "1002", func(s *switchsim.Switch, _ *client) { _ = s.Hangup("1000", "") }, true},
		{"the pupil is kicked", "", "", func(s *switchsim.Switch, c *client) { c.api("conference shop kick %d", memberID(s, "1001")) }, false},
		{"the supervisor is kicked", "1001", "1000", func(s *switchsim.Switch, c *client) { c.api("conference shop kick %d", memberID(s, "1002")) }, false},
		{"the supervisor is parked", "1001", "1000 1002", func(_ *switchsim.Switch, c *client) { c.api("uuid_transfer sup park inline") }, true},
		{"the parties are bridged", "1001", "1000 1002", func(s *switchsim.Switch, c *client) {
			c.api("uuid_bridge %s %s", uuidOf(s, "1000"), uuidOf(s, "1001"))
		}, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := start(t, switchsim.Options{})
			c := connect(t, s)
			p, sup := shopRoom(t, s, c)
			c.want("+OK wh", "%s", whisperLine(p, sup))
			waitHears(t, s, "1001", "1000 1002")
			tc.end(s, c)
			wait(t, s, "the end", func() bool {
				return hears(s, "1000") == tc.user && hears(s, "1001") == tc.pupil && (uuidOf(s, "eavesdrop") != "") == tc.tap
			})
			never(t, s, "1000", "1002")
		})
	}
}

func uuidOf(s *switchsim.Switch, number string) string {
	for _, ch := range s.Channels() {
		if ch.Number == number {
			return ch.UUID
		}
	}
	return ""
}

// TestTapCostsTheTappedALittle: what is put on a leg makes its telephone
// inaudible for a moment; taking it off does not.
func TestTapCostsTheTappedALittle(t *testing.T) {
	s := start(t, switchsim.Options{})
	c := connect(t, s)
	p, sup := shopRoom(t, s, c)
	user := uuidOf(s, "1000")
	var mu sync.Mutex
	missing := 0
	remove := s.OnFrame(func(frame []switchsim.Pair) {
		mu.Lock()
		defer mu.Unlock()
		if !slices.Contains(frame, switchsim.Pair{Listener: user, Speaker: p}) {
			missing++
		}
	})
	defer remove()
	count := func() int {
		mu.Lock()
		defer mu.Unlock()
		return missing
	}
	c.want("+OK wh", "%s", whisperLine(p, sup))
	waitHears(t, s, "1001", "1000 1002")
	added := count()
	if added < 1 || added > 3 {
		t.Errorf("the user missed %d frames of the pupil", added)
	}
	c.want("+OK", "uuid_kill wh")
	waitHears(t, s, "1001", "1000")
	if got := count(); got != added {
		t.Errorf("%d more frames were missed when it ended", got-added)
	}
}

func TestMuteDetect(t *testing.T) {
	s := start(t, switchsim.Options{})
	c := connect(t, s)
	_, err := s.Conference(ctx(t), "shop", "1000")
	must(t, err)
	ev := connect(t, s, "CUSTOM conference::maintenance")
	c.want("+OK sup", "originate {origination_uuid=sup,conference_member_flags=mute|mute-detect}user/1002 &conference(shop@default)")
	e := ev.until("Action=mute-detect", "Unique-ID=sup")
	if e.get("Mute-Detect") != "true" || e.get("Talking") != "true" || e.get("Speak") != "false" {
		t.Errorf("%v", e.values)
	}
	if got := c.api("conference shop json_list compact"); !strings.Contains(got, `"can_speak":false,"hold":false,"mute_detect":true,"talking":true`) {
		t.Error(got)
	}
	never(t, s, "1000", "1002")
	id := memberID(s, "1002")
	c.api("conference shop mute %d quiet", id) // it is detected anew
	ev.until("Action=mute-member", "Unique-ID=sup")
	ev.until("Action=mute-detect", "Unique-ID=sup")
	c.api("conference shop unmute %d quiet", id)
	waitHears(t, s, "1000", "1002")
}

// TestBuglistAndRecordings has the answers as a real switch gave them.
func TestBuglistAndRecordings(t *testing.T) {
	s := start(t, switchsim.Options{})
	k := call(t, s, "1000", "1001")
	c := connect(t, s, "RECORD_START RECORD_STOP MEDIA_BUG_START MEDIA_BUG_STOP")
	c.want("<media-bugs>\n</media-bugs>", "uuid_buglist %s", k.B)
	c.want("+OK Success", "uuid_record %s start /rec/x.wav", k.B)
	c.want("+OK Success", "uuid_record %s start /rec/x.wav", k.B)
	c.want("+OK Success", "uuid_record %s mask /rec/x.wav", k.B)
	c.want("<media-bugs>\n <media-bug>\n  <function>session_record</function>\n  <target>/rec/x.wav</target>\n"+
		"  <thread-locked>0</thread-locked>\n </media-bug>\n</media-bugs>", "uuid_buglist %s", k.B)
	c.want("+OK Success", "uuid_record %s stop /rec/x.wav", k.B)
	c.want("-ERR Cannot stop record session!", "uuid_record %s stop /rec/x.wav", k.B)
	c.want("-ERR Cannot mask recording session!", "uuid_record %s mask x", k.B)
	usage := "-USAGE: <uuid> [start|stop|mask|unmask] <path> [<limit>] [<recording_vars>]"
	c.want(usage, "uuid_record %s", k.B)
	c.want(usage, "uuid_record %s other x", k.B)
	c.want("-ERR Cannot locate session!", "uuid_record nobody start x")
	c.want("-USAGE: <uuid>", "uuid_buglist")
	c.want("-ERR no reply", "uuid_buglist nobody")
	c.want("+OK Message sent", "uuid_broadcast %s record_session::/rec/y.wav aleg", k.B)
	for _, want := range []string{"RECORD_START /rec/x.wav", "MEDIA_BUG_START /rec/x.wav", "RECORD_STOP /rec/x.wav", "MEDIA_BUG_STOP /rec/x.wav",
		"RECORD_START /rec/y.wav", "MEDIA_BUG_START /rec/y.wav"} {
		e := c.event()
		if got := e.get("Event-Name") + " " + e.get("Record-File-Path") + e.get("Media-Bug-Target"); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
	must(t, s.Hangup("1001", ""))
	c.until("Event-Name=RECORD_STOP", "Record-File-Path=/rec/y.wav")
	c.until("Event-Name=MEDIA_BUG_STOP", "Media-Bug-Target=/rec/y.wav")
}

// TestWhisperRefused has the answers of a real switch where something is missing.
func TestWhisperRefused(t *testing.T) {
	s := start(t, switchsim.Options{})
	c := connect(t, s)
	p, sup := shopRoom(t, s, c)
	c.want("-ERR NORMAL_CLEARING", "%s", whisperLine("nobody", sup))
	wait(t, s, "its end", func() bool { return len(s.Channels()) == 3 })
	c.want("+OK wh1", "%s", strings.Replace(whisperLine(p, "nobody"), "uuid=wh", "uuid=wh1", 1))
	wait(t, s, "its end", func() bool { return len(s.Channels()) == 3 })
	never(t, s, "1001", "1002")
	// An id that is in use does not keep a loopback from being made.
	c.want("+OK wh2", "%s", strings.Replace(whisperLine(p, sup), "uuid=wh", "uuid=wh2", 1))
	got := c.api("%s", strings.Replace(whisperLine(p, sup), "uuid=wh", "uuid=sup", 1))
	if !strings.HasPrefix(got, "+OK ") || got == "+OK sup" {
		t.Error(got)
	}
	wait(t, s, "both", func() bool { return len(s.Channels()) == 7 })
}

// TestEavesdroppersInCircles: whoever listens to whom, every frame is computed in time.
func TestEavesdroppersInCircles(t *testing.T) {
	s := start(t, switchsim.Options{})
	c := connect(t, s)
	const n = 12
	for i := range n {
		c.want(sprintf("+OK leg%d", i), "originate {origination_uuid=leg%d,eavesdrop_whisper_aleg=true,eavesdrop_whisper_bleg=true}user/%d &park()", i, 1000+i%10)
	}
	for i := range n {
		c.want("+OK", "uuid_transfer leg%d eavesdrop:leg%d inline", i, (i+1)%n)
	}
	for i := range n {
		c.api("originate {loopback_bowout=false,eavesdrop_whisper_aleg=true,eavesdrop_whisper_bleg=true}loopback/app=eavesdrop:leg%d eavesdrop:leg%d inline", i, (i+5)%n)
	}
	pass(t, s, 20)
	c.want("+OK hangup all channels with cause NORMAL_CLEARING", "hupall NORMAL_CLEARING")
	wait(t, s, "nobody", func() bool { return len(s.Channels()) == 0 })
}
