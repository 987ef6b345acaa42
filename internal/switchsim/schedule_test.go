package switchsim_test

import (
	"strings"
	"testing"
	"time"

	"livemon/internal/switchsim"
)

// TestTheSwitchEndsATapByItself when nobody renews the group's task any more; the call
// and the line stay.
func TestTheSwitchEndsATapByItself(t *testing.T) {
	o := tapOptions()
	o.Lags.Second = 300 * time.Millisecond
	l := newCall(t, o, inbound)
	l.me = l.line("1002", "mute")
	ev := connect(t, l.s, "ADD_SCHEDULE DEL_SCHEDULE")
	l.want("+OK T", "%s", tapOriginate("T", l.pupil, "lm", ",livemon_tap=n1"))
	waitHears(t, l.s, "1002", "1000 1001")
	renew := func() {
		t.Helper()
		if got := l.api("sched_del livemon-n1"); !strings.HasPrefix(got, "+OK Deleted: ") {
			t.Error(got)
		}
		if got := l.api("sched_api +5 livemon-n1 hupall normal_clearing livemon_tap n1"); !strings.HasPrefix(got, "+OK Added: ") {
			t.Error(got)
		}
	}
	for range 5 { // every two seconds
		renew()
		pass(t, l.s, 10)
	}
	if l.s.Leg("eavesdrop") == "" {
		t.Fatal("the tap has ended although its task was renewed")
	}
	wait(t, l.s, "the tap's end", func() bool { return l.s.Leg("eavesdrop") == "" })
	l.hear("1001", "1000", "")
	e := ev.until("Event-Name=ADD_SCHEDULE")
	if e.get("Task-Group") != "livemon-n1" || e.get("Task-Desc") != "sched_api_function" || e.get("Task-ID") == "" {
		t.Errorf("%v", e.values)
	}
	ev.until("Event-Name=DEL_SCHEDULE", "Task-Group=livemon-n1")
}

func TestSchedule(t *testing.T) {
	o := switchsim.Options{Lags: switchsim.Lags{Second: 40 * time.Millisecond}}
	s := start(t, o)
	c := connect(t, s)
	usage := "-ERR Invalid syntax. USAGE: [+@]<time> <group_name> <command_string>[&]"
	c.want(usage, "sched_api")
	c.want(usage, "sched_api +5 group")
	c.want("-ERR Invalid syntax", "sched_del")
	c.want("-ERR No such id", "unsched_api 77")
	c.want("+OK Added: 1", "sched_api +3 g global_setvar once=yes")
	c.want("+OK Added: 2", "sched_api +1000 g global_setvar never=yes")
	c.want("+OK Added: 3", "sched_api @1 h global_setvar again=yes&")
	wait(t, s, "both", func() bool { return c.api("global_getvar once") == "yes" && c.api("global_getvar again") == "yes" })
	c.want("+OK", "global_setvar again=no")
	wait(t, s, "again", func() bool { return c.api("global_getvar again") == "yes" })
	c.want("+OK", "unsched_api 3")
	c.want("+OK Deleted: 1", "sched_del g") // the first one is done
	c.want("+OK Deleted: 0", "sched_del g")
	c.want("+OK Deleted: 0", "sched_del 1")
	c.want("-ERR no reply", "global_getvar never")
}

// TestHupall: all channels, or those with all of the variables.
func TestHupall(t *testing.T) {
	s := start(t, switchsim.Options{})
	c := connect(t, s)
	for _, leg := range []string{"a=1,b=1", "a=1,b=2", "a=2"} {
		c.api("originate {%s}user/1000 &park()", leg)
	}
	c.want("+OK hangup all channels matching [a]=[1]... with cause: NORMAL_CLEARING", "hupall normal_clearing a 1 b 2")
	wait(t, s, "two", func() bool { return len(s.Channels()) == 2 })
	c.want("+OK hangup all channels matching [a]=[1] with cause: NORMAL_CLEARING", "hupall normal_clearing a 1")
	wait(t, s, "one", func() bool { return len(s.Channels()) == 1 })
	c.want("+OK hangup all channels with cause MANAGER_REQUEST", "hupall")
	wait(t, s, "none", func() bool { return len(s.Channels()) == 0 })
}
