package switchsim_test

import (
	"io"
	"net"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"livemon/internal/switchsim"
)

func TestWrongPasswordIsAnsweredAsRecorded(t *testing.T) {
	s := start(t, switchsim.Options{})
	nc, err := net.Dial("tcp", s.Addr())
	must(t, err)
	defer func() { _ = nc.Close() }()
	must(t, nc.SetDeadline(time.Now().Add(patience)))
	_, err = io.WriteString(nc, "auth wrong\n\n")
	must(t, err)
	got, err := io.ReadAll(nc)
	must(t, err)
	want, err := os.ReadFile("testdata/auth-rejected.txt")
	must(t, err)
	if string(got) != string(want) {
		t.Errorf("got %q\nwant %q", got, want)
	}
}

func TestCommandsBeforeAuthEndTheConnection(t *testing.T) {
	s := start(t, switchsim.Options{})
	c := dial(t, s)
	c.message()
	c.write("api status\n\n")
	if h, _ := c.message(); h["Reply-Text"] != "-ERR command not found" {
		t.Errorf("got %v", h)
	}
	if h, _ := c.message(); h["Content-Type"] != "text/disconnect-notice" {
		t.Errorf("got %v", h)
	}
	if _, _, err := c.next(); err == nil {
		t.Error("the connection is still there")
	}
}

func TestReplies(t *testing.T) {
	s := start(t, switchsim.Options{Hostname: "vm", ConferenceXML: recordedConference})
	c := connect(t, s)
	k := call(t, s, "1000", "1001")
	const nobody = "00000000-0000-0000-0000-000000000000"
	for _, test := range []struct{ command, want string }{
		{"nosuch", "-ERR command not found"},
		{"nixevent", "-ERR no keywords supplied"},
		{"event plain", "-ERR no keywords supplied"},
		{"event plain NOSUCH", "-ERR no keywords supplied"},
		{"noevents", "-ERR not listening for events"},
		{"event plain CHANNEL_CREATE CUSTOM conference::maintenance", "+OK event listener enabled plain"},
		{"nixevent CHANNEL_CREATE", "+OK events nixed"},
		{"noevents", "+OK no longer listening for events"},
		{"filter Unique-ID x", "+OK filter added. [Unique-ID]=[x]"},
		{"filter delete Unique-ID", "+OK filter deleted. [Unique-ID][]"},
		{"filter", "-ERR command not found"},
		{"linger", "-ERR not controlling a session"},
		{"divert_events on", "-ERR not controlling a session."},
		{"sendmsg " + nobody, "-ERR invalid session id [" + nobody + "]"},
		{"myevents " + nobody + " plain", "-ERR invalid uuid"},
	} {
		if got := c.command(test.command); got != test.want {
			t.Errorf("%s: %q, want %q", test.command, got, test.want)
		}
	}
	for _, test := range []struct{ command, want string }{
		{"", "-ERR  Command not found!"},
		{"nosuchcommand", "-ERR nosuchcommand Command not found!"},
		{"hostname", "vm"}, {"switchname", "vm"},
		{"conference list", "+OK No active conferences."},
		{"conference json_list", "[]"},
		{"conference xml_list", "<?xml version=\"1.0\"?>\n<conferences></conferences>"},
		{"conference nosuch list", "-ERR Conference nosuch not found"},
		{"show registrations as json", `{"row_count": 0}`},
		{"uuid_exists " + k.B, "true"},
		{"uuid_exists " + nobody, "false"},
		{"uuid_getvar " + k.B + " bridge_uuid", k.A},
		{"uuid_getvar " + k.B + " nope", "_undef_"},
		{"uuid_getvar " + nobody + " x", "-ERR No such channel!"},
		{"uuid_getvar " + k.A + " destination_number", "1001"},
		{"uuid_setvar " + k.A + " x 'a  b' c", "+OK"},
		{"uuid_getvar " + k.A + " x", "a  b c"},
		{"uuid_setvar " + k.A + " x", "+OK"},
		{"uuid_getvar " + k.A + " x", "_undef_"},
		{"uuid_setvar_multi " + k.A + " a=1;b=2 3", "+OK"},
		{"uuid_getvar " + k.A + " b", "2 3"},
		{"uuid_setvar " + nobody + " x y", "-ERR No such channel!"},
		{"uuid_transfer " + nobody + " -both conference:x@livemon inline", "-ERR No such channel!"},
		{"uuid_bridge x y", "-ERR Invalid uuid"},
		{"uuid_kill " + nobody, "-ERR No such channel!"},
		{"uuid_park " + nobody, "-ERR No such channel!"},
		{"callcenter_config agent list", "+OK"},
		{"module_exists mod_conference", "true"}, {"module_exists mod_nope", "false"},
		{"user_exists id 1000 127.0.0.1", "true"}, {"user_exists id 1099 127.0.0.1", "false"},
		{"global_getvar conf_dir", "/usr/local/freeswitch/conf"}, {"global_getvar nope", "-ERR no reply"},
		{"file_exists /usr/local/freeswitch/sounds/x.wav", "true"}, {"file_exists /nowhere/x.wav", "false"},
		{"xml_locate configuration configuration name conference.conf", recordedConference},
		{"xml_locate configuration configuration name nosuch.conf", "can't find anything"},
		{"xml_locate one two", "-ERR bad args"},
		{"originate {origination_caller_id_number=1,originate_timeout=3}user/1099@127.0.0.1 &park()", "-ERR SUBSCRIBER_ABSENT"},
		{"originate nosuch/1 &park()", "-ERR CHAN_NOT_IMPLEMENTED"},
		{"originate {unclosed user/1000 &park()", "-ERR DESTINATION_OUT_OF_ORDER"},
	} {
		c.want(test.want, "%s", test.command)
	}
	if got := c.api("strepoch"); len(got) != 10 {
		t.Errorf("strepoch: %s", got)
	}
	if got := c.api("version"); !strings.HasPrefix(got, "FreeSWITCH Version 1.10.12") {
		t.Errorf("version: %s", got)
	}
	if got := c.api("status"); !strings.Contains(got, "is ready") {
		t.Errorf("status: %s", got)
	}
	if got := c.api("uuid_dump %s json", k.A); !strings.HasPrefix(got, `{"Event-Name":"CHANNEL_DATA",`) || !strings.Contains(got, `"variable_uuid":"`+k.A+`"`) {
		t.Errorf("uuid_dump: %s", got)
	}
	if got := c.command("exit"); got != "+OK bye" {
		t.Errorf("exit: %q", got)
	}
	if h, body := c.message(); h["Content-Type"] != "text/disconnect-notice" || !strings.Contains(body, "goodbye") {
		t.Errorf("after exit: %v %q", h, body)
	}
}

func TestPipelinedCommandsAreAnsweredInOrder(t *testing.T) {
	s := start(t, switchsim.Options{})
	c := connect(t, s)
	const n = 2000
	var b strings.Builder
	for i := range n {
		b.WriteString(sprintf("\napi nosuch%d\n\n\r\n", i)) // with stray line ends, which mean nothing
	}
	c.write(b.String())
	for i := range n {
		if _, body := c.message(); body != sprintf("-ERR nosuch%d Command not found!\n", i) {
			t.Fatalf("answer %d: %q", i, body)
		}
	}
}

func TestBackgroundJob(t *testing.T) {
	s := start(t, switchsim.Options{})
	c := connect(t, s, "BACKGROUND_JOB")
	if got := c.command("bgapi status", "Job-UUID: my-own"); got != "+OK Job-UUID: my-own" {
		t.Errorf("reply: %q", got)
	}
	e := c.event()
	if e.get("Job-UUID") != "my-own" || e.get("Job-Command") != "status" || !strings.HasPrefix(e.body, "UP ") {
		t.Errorf("event: %v %q", e.values, e.body)
	}
	checkHeadersOf(t, e)
	if got := c.command("bgapi nosuch"); !strings.HasPrefix(got, "+OK Job-UUID: ") {
		t.Errorf("reply: %q", got)
	}
	if e = c.event(); e.body != "-ERR nosuch Command not found!\n" {
		t.Errorf("body: %q", e.body)
	}
}

func checkHeadersOf(t *testing.T, e *event) {
	t.Helper()
	if i := slices.Index(e.names, "Job-Command"); i < 0 || e.names[i-1] != "Job-UUID" {
		t.Errorf("headers: %v", e.names)
	}
}

func TestSubscriptionsAndFilters(t *testing.T) {
	s := start(t, switchsim.Options{})
	custom := connect(t, s, "CUSTOM conference::maintenance")
	only := connect(t, s, "CHANNEL_HANGUP_COMPLETE")
	filtered := connect(t, s, "ALL")
	filtered.command("filter Caller-Caller-ID-Number 1002")
	filtered.command("filter Event-Name -CHANNEL_STATE")
	call(t, s, "1000", "1001")
	_, err := s.Conference(ctx(t), "room", "1002", "1003")
	must(t, err)
	if e := custom.event(); e.label() != "conference-create" {
		t.Errorf("custom: %s", e.label())
	}
	must(t, s.Hangup("1000", "USER_BUSY"))
	if e := only.event(); e.label() != "CHANNEL_HANGUP_COMPLETE" || e.get("Hangup-Cause") != "USER_BUSY" || e.get("variable_hangup_cause_q850") != "17" {
		t.Errorf("only: %v", e.values)
	}
	must(t, s.Hangup("1002", ""))
	for {
		e := filtered.event()
		if e.get("Caller-Caller-ID-Number") != "1002" || e.label() == "CHANNEL_STATE" {
			t.Fatalf("filtered: %s %s", e.label(), e.get("Channel-Name"))
		}
		if e.label() == "CHANNEL_HANGUP_COMPLETE" {
			break
		}
	}
}

func TestValuesAreEscaped(t *testing.T) {
	s := start(t, switchsim.Options{})
	c := connect(t, s, "CHANNEL_PARK")
	c.command("bgapi originate {origination_caller_id_name='<b>\"x\" & y; z%0A%zz é'}user/1000 &park()")
	e := c.until("Event-Name=CHANNEL_PARK")
	// What looks like an escape with capital digits is not escaped again.
	if got, want := e.get("Caller-Caller-ID-Name"), "<b>\"x\" & y; z\n%zz é"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestJSONEvents(t *testing.T) {
	s := start(t, switchsim.Options{})
	c := connect(t, s)
	if got := c.command("event json BACKGROUND_JOB"); got != "+OK event listener enabled json" {
		t.Fatal(got)
	}
	c.write("bgapi create_uuid\n\n")
	c.message()
	h, body := c.message()
	if h["Content-Type"] != "text/event-json" || !regexp.MustCompile(`^\{"Event-Name":"BACKGROUND_JOB",.*"_body":"[0-9a-f-]{36}"\}$`).MatchString(body) {
		t.Errorf("%v %s", h, body)
	}
}

// TestAnAPICommandHoldsUpItsEvents: a real switch runs it in the thread that
// sends the connection's events.
func TestAnAPICommandHoldsUpItsEvents(t *testing.T) {
	s := start(t, switchsim.Options{})
	c, other := connect(t, s, "CHANNEL_CREATE"), connect(t, s, "CHANNEL_CREATE")
	c.write("api msleep 300\n\n")
	wait(t, s, "the command", func() bool { return len(s.Commands()) == 3 })
	call(t, s, "1000", "1001")
	other.event()
	if h, _ := c.message(); h["Content-Type"] != "api/response" {
		t.Errorf("first: %v", h)
	}
	c.event()
}

func TestLateEvents(t *testing.T) {
	s := start(t, switchsim.Options{LateEvents: true})
	c := connect(t, s, "CHANNEL_CREATE")
	call(t, s, "1000", "1001")
	c.event() // at the poll
	c.write("\n")
	call(t, s, "1002", "1003")
	c.event()
	c.event()
}

func TestSendEvent(t *testing.T) {
	s := start(t, switchsim.Options{})
	c := connect(t, s, "CUSTOM my::own")
	if got := c.command("sendevent CUSTOM", "Event-Subclass: my::own", "X-N: 1"); !strings.HasPrefix(got, "+OK ") {
		t.Error(got)
	}
	if e := c.event(); e.get("Event-Subclass") != "my::own" || e.get("X-N") != "1" {
		t.Errorf("%v", e.values)
	}
}

func TestHeartbeat(t *testing.T) {
	s := start(t, switchsim.Options{Heartbeat: 50 * time.Millisecond})
	c := connect(t, s, "HEARTBEAT")
	for range 3 {
		if e := c.event(); e.get("Event-Info") != "System Ready" {
			t.Errorf("%v", e.values)
		}
	}
}

func TestRegistrations(t *testing.T) {
	s := start(t, switchsim.Options{})
	c := connect(t, s, "CUSTOM sofia::register sofia::unregister")
	s.Register("1000")
	if e := c.event(); e.get("Event-Subclass") != "sofia::register" || e.get("from-user") != "1000" {
		t.Errorf("%v", e.values)
	}
	if got := c.api("show registrations as json"); !strings.HasPrefix(got, `{"row_count":1,"rows":[{"reg_user":"1000","realm":"127.0.0.1",`) {
		t.Error(got)
	}
	if got := c.api("list_users"); !strings.Contains(got, "1000|default|127.0.0.1|default|sofia/internal/sip:1000@") || !strings.Contains(got, "1001|default|127.0.0.1|default|error/user_not_registered|") {
		t.Error(got)
	}
	s.Unregister("1000")
	if e := c.event(); e.get("Event-Subclass") != "sofia::unregister" {
		t.Errorf("%v", e.values)
	}
}

func TestTooLongACommandEndsTheConnection(t *testing.T) {
	s := start(t, switchsim.Options{})
	c := connect(t, s)
	c.write("api uuid_setvar x ")
	go func() { _, _ = io.WriteString(c.nc, strings.Repeat("x", 2<<20)) }()
	for {
		if _, _, err := c.next(); err != nil {
			return
		}
	}
}
