package switchsim_test

import (
	"encoding/json"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"livemon/internal/switchsim"
)

func TestFaults(t *testing.T) {
	s := start(t, switchsim.Options{})
	match := regexp.MustCompile(`^api uuid_setvar .* broken`)
	leg, err := s.Dial(ctx(t), "1000", "7777")
	must(t, err)
	value := func(c *client) string { return c.api("uuid_getvar %s broken", leg) }
	set := "uuid_setvar " + leg + " broken "

	t.Run("reply", func(t *testing.T) {
		c := connect(t, s)
		defer s.Inject(switchsim.Fault{Match: match, Times: 1, Reply: "-ERR refused\n"})()
		c.want("-ERR refused", "%s", set+"1")
		c.want("_undef_", "uuid_getvar %s broken", leg)
		c.want("+OK", "%s", set+"2")
	})
	t.Run("execute but reply", func(t *testing.T) {
		c := connect(t, s)
		defer s.Inject(switchsim.Fault{Match: match, ExecuteButReply: "-ERR no\n"})()
		c.want("-ERR no", "%s", set+"3")
		if got := value(c); got != "3" {
			t.Error(got)
		}
	})
	t.Run("drop before", func(t *testing.T) {
		c := connect(t, s)
		defer s.Inject(switchsim.Fault{Match: match, Times: 1, Drop: true})()
		c.write("api " + set + "4\n\n")
		if _, _, err := c.next(); err == nil {
			t.Error("answered")
		}
		if got := value(connect(t, s)); got != "3" {
			t.Error(got)
		}
	})
	t.Run("drop after", func(t *testing.T) {
		c := connect(t, s)
		defer s.Inject(switchsim.Fault{Match: match, Times: 1, Drop: true, AfterDoing: true})()
		c.write("api " + set + "5\n\n")
		if _, _, err := c.next(); err == nil {
			t.Error("answered")
		}
		if got := value(connect(t, s)); got != "5" {
			t.Error(got)
		}
	})
	t.Run("swallow", func(t *testing.T) {
		c := connect(t, s)
		defer s.Inject(switchsim.Fault{Match: match, Times: 1, Swallow: true})()
		c.write("api " + set + "6\n\n")
		if got := value(c); got != "5" { // the answer to the next command
			t.Error(got)
		}
	})
	t.Run("delay, before and after", func(t *testing.T) {
		c := connect(t, s)
		var before, after atomic.Bool
		defer s.Inject(switchsim.Fault{Match: match, Delay: 30 * time.Millisecond,
			Before: func() { before.Store(s.Leg("1000") == leg) },
			After:  func() { after.Store(value(connect(t, s)) == "7") }})()
		begun := time.Now()
		c.want("+OK", "%s", set+"7")
		if !before.Load() || !after.Load() || time.Since(begun) < 30*time.Millisecond {
			t.Errorf("before %v, after %v, %v", before.Load(), after.Load(), time.Since(begun))
		}
	})
	t.Run("bgapi", func(t *testing.T) {
		c := connect(t, s, "BACKGROUND_JOB")
		defer s.Inject(switchsim.Fault{Match: regexp.MustCompile(`^bgapi status`), Times: 2, Reply: "-ERR refused\n", Delay: time.Millisecond})()
		c.command("bgapi status", "Job-UUID: 1")
		if e := c.event(); e.body != "-ERR refused\n" || e.get("Job-UUID") != "1" {
			t.Errorf("%v %q", e.values, e.body)
		}
		defer s.Inject(switchsim.Fault{Match: regexp.MustCompile(`Job-UUID: 3`), Swallow: true})()
		c.command("bgapi version", "Job-UUID: 3")
		c.command("bgapi version", "Job-UUID: 4")
		if e := c.event(); e.get("Job-UUID") != "4" {
			t.Errorf("%v", e.values)
		}
	})
	t.Run("simple commands", func(t *testing.T) {
		c := connect(t, s)
		defer s.Inject(switchsim.Fault{Match: regexp.MustCompile(`^event`), Times: 1, Reply: "-ERR no"})()
		if got := c.command("event plain ALL"); got != "-ERR no" {
			t.Error(got)
		}
		if got := c.command("event plain ALL"); !strings.HasPrefix(got, "+OK") {
			t.Error(got)
		}
	})
}

func TestALegLostInMidMove(t *testing.T) {
	for _, who := range []string{"1000", "1001"} {
		s := start(t, switchsim.Options{ConferenceXML: recordedConference})
		c := connect(t, s)
		k := call(t, s, "1000", "1001")
		s.Inject(switchsim.Fault{Match: regexp.MustCompile("uuid_transfer"), LoseLeg: who})
		c.want("+OK", "uuid_transfer %s -both conference:lm@livemon inline", k.B)
		wait(t, s, "it is lost", func() bool { return s.Leg(who) == "" })
		wait(t, s, "the other is in the room", func() bool { return memberID(s, "1000")+memberID(s, "1001") == 1 })
	}
}

func TestRestart(t *testing.T) {
	l := newLab(t)
	core := l.api("global_getvar core_uuid")
	l.s.Restart()
	if _, _, err := l.next(); err == nil {
		t.Error("the connection is still there")
	}
	if got := l.s.Channels(); len(got) != 0 {
		t.Errorf("channels: %v", got)
	}
	c := connect(t, l.s)
	if got := c.api("global_getvar core_uuid"); got == core || got == "" {
		t.Errorf("core uuid %q", got)
	}
	c.want("+OK No active conferences.", "conference list")
	c.want("false", "uuid_exists %s", l.call.A)
	pass(t, l.s, 2)
	if n := frames(l.s, "1000", "1001"); n == 0 {
		t.Error("the truth is forgotten")
	}
	c.api("originate user/1000 &conference(r@default)")
	wait(t, l.s, "member ids begin again", func() bool { return memberID(l.s, "1000") == 1 })
}

func TestRestartDuringACall(t *testing.T) {
	s := start(t, switchsim.Options{})
	s.SetPhone("1001", switchsim.Behaviour{NoAnswer: true})
	c := connect(t, s)
	done := make(chan error, 1)
	waiting := ctx(t)
	go func() {
		_, err := s.Call(waiting, "1000", "1001")
		done <- err
	}()
	wait(t, s, "it rings", func() bool { return s.Leg("1001") != "" })
	c.write("api originate user/1001 &park()\n\n")
	wait(t, s, "both ring", func() bool { return len(s.Channels()) == 3 })
	s.Restart()
	if err := <-done; err == nil {
		t.Error("the call succeeded")
	}
}

func TestCloseEndsEverything(t *testing.T) {
	s := start(t, switchsim.Options{})
	s.SetPhone("1001", switchsim.Behaviour{NoAnswer: true})
	c := connect(t, s, "ALL")
	c.write("api originate user/1001 &park()\n\n")
	sim := connect(t, s)
	sim.write("api sim call 1000 1001\n\n")
	wait(t, s, "it rings", func() bool { return len(s.Channels()) == 3 })
	must(t, s.Close())
	must(t, s.Close())
	if _, err := s.Call(ctx(t), "1000", "1002"); err == nil {
		t.Error("a call on a closed switch")
	}
	for {
		if _, _, err := c.next(); err != nil {
			return
		}
	}
}

func TestDropConnections(t *testing.T) {
	s := start(t, switchsim.Options{})
	c := connect(t, s)
	s.DropConnections()
	if _, _, err := c.next(); err == nil {
		t.Error("the connection is still there")
	}
	connect(t, s)
}

func TestSimCommand(t *testing.T) {
	s := start(t, switchsim.Options{Agents: []switchsim.CCAgent{{Name: "ag1", Contact: "user/1003"}}})
	c := connect(t, s)
	sim := func(format string, args ...any) string {
		t.Helper()
		got := c.api("sim "+format, args...)
		if strings.HasPrefix(got, "-") {
			t.Fatalf("sim %s: %s", sprintf(format, args...), got)
		}
		return got
	}
	legs := strings.Fields(sim("call 1000 1001"))
	if len(legs) != 3 || s.Leg("1001") != legs[2] {
		t.Fatal(legs)
	}
	heard := func() map[string][]string {
		t.Helper()
		out := map[string][]string{}
		must(t, json.Unmarshal([]byte(sim("hears")), &out))
		return out
	}
	if got := heard()["1000"]; len(got) != 1 || got[0] != "1001" {
		t.Error(got)
	}
	sim("hold 1001")
	if got := heard()["1000"]; len(got) != 1 || got[0] != "music" {
		t.Error(got)
	}
	sim("unhold 1001")
	sim("press 1001 12")
	sim("quiet 1001")
	if got := heard()["1000"]; len(got) != 0 {
		t.Error(got)
	}
	sim("talk 1001")
	sim("transfer 1001 1002")
	waitHears(t, s, "1000", "1002")
	sim("hangup 1000")
	sim("queue 0170 ag1")
	sim("conference room 1005 1006")
	sim("phone 1007 busy")
	if got := c.api("sim call 1000 1007"); !strings.HasPrefix(got, "-ERR ") || !strings.Contains(got, "USER_BUSY") {
		t.Error(got)
	}
	sim("phone 1007 answer 10")
	sim("register 1000")
	sim("truth")
	sim("played 1000")
	sim("fail uuid_kill refuse")
	c.want("-ERR refused", "uuid_kill x")
	sim("fail uuid_exists delay 1")
	c.want("false", "uuid_exists x")
	sim("heal")
	c.want("-ERR No such channel!", "uuid_kill x")
	for _, wrong := range []string{"", "nosuch", "call 1000", "fail ( refuse", "fail x nosuch", "phone 1000 dances", "hangup nobody"} {
		if got := c.api("sim %s", wrong); !strings.HasPrefix(got, "-") {
			t.Errorf("sim %s: %s", wrong, got)
		}
	}
	if got := len(s.Commands()); got < 20 {
		t.Errorf("%d commands", got)
	}
	c.write("api sim drop\n\n")
	if _, _, err := c.next(); err == nil {
		t.Error("the connection is still there")
	}
}
