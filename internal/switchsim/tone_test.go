package switchsim_test

import (
	"strings"
	"testing"

	"livemon/internal/switchsim"
)

func TestLoopbackTonesAreHeardAndDetected(t *testing.T) {
	s := start(t, switchsim.Options{})
	c := connect(t, s)
	ev := connect(t, s, "DETECTED_TONE PLAYBACK_STOP CHANNEL_HANGUP_COMPLETE")
	leg := func(uuid string) (far string) {
		c.want("+OK "+uuid, "originate {origination_uuid=%s,park_timeout=60,mark=m}loopback/app=park &park()", uuid)
		far = c.api("uuid_getvar %s other_loopback_leg_uuid", uuid)
		c.want("m", "uuid_getvar %s mark", far)
		c.want("+OK", "uuid_answer %s", far)
		return far
	}
	a, b := leg("a"), leg("b")
	c.want("+OK b", "uuid_bridge a b")
	wait(t, s, "a bridge", func() bool { return s.Channels()[0].Partner != "" })
	for _, key := range []string{"b-a 440", "b-x 555"} {
		if got := c.api("tone_detect b %s w", key); !strings.HasPrefix(got, "+OK Enabling") {
			t.Fatal(got)
		}
	}
	for range 2 { // a detected tone has to be asked for again
		c.want("+OK Message sent", "uuid_broadcast %s tone_stream://%%(400,0,440) aleg", a)
		e := ev.until("Event-Name=DETECTED_TONE")
		if e.get("Detected-Tone") != "b-a" || e.get("Unique-ID") != "" {
			t.Errorf("%v", e.values)
		}
		ev.until("Event-Name=PLAYBACK_STOP", "Unique-ID="+a)
		c.api("tone_detect b b-a 440 w")
	}
	if got := s.Hears("b"); len(got) != 0 {
		t.Errorf("b hears %v although nothing is played", got)
	}
	c.want("-ERR Cannot locate session!", "tone_detect nobody k 440 w")
	c.want("-ERR no reply", "tone_detect nobody k")
	// The far end takes the near one with it.
	c.want("+OK", "uuid_kill %s", b)
	ev.until("Event-Name=CHANNEL_HANGUP_COMPLETE", "Unique-ID=b")
	c.api("hupall NORMAL_CLEARING mark m")
	wait(t, s, "nobody", func() bool { return len(s.Channels()) == 0 })
}

func TestLoopbackNeedsItsModule(t *testing.T) {
	s := start(t, switchsim.Options{Modules: []string{"mod_commands"}})
	connect(t, s).want("-ERR CHAN_NOT_IMPLEMENTED", "originate loopback/app=park &park()")
}
