package switchsim_test

import (
	"encoding/json"
	"errors"
	"net"
	"regexp"
	"strings"
	"testing"
	"time"

	"livemon/internal/switchsim"
)

func TestOriginate(t *testing.T) {
	s := start(t, switchsim.Options{})
	c := connect(t, s)
	s.SetPhone("1001", switchsim.Behaviour{Reject: "USER_BUSY"})
	s.SetPhone("1002", switchsim.Behaviour{NoAnswer: true})
	s.SetPhone("1003", switchsim.Behaviour{AnswerAfter: 100 * time.Millisecond})
	s.SetPhone("0170", switchsim.Behaviour{Reject: "CALL_REJECTED"})
	c.want("-ERR USER_BUSY", "originate {originate_timeout=5}user/1001@127.0.0.1 &park()")
	c.want("-ERR NO_ANSWER", "originate {originate_timeout=1}user/1002@127.0.0.1 &park()")
	c.want("-ERR CALL_REJECTED", "originate sofia/gateway/pstn/0170 &park()")
	c.want("-ERR INVALID_GATEWAY", "originate sofia/gateway/pstn &park()")
	c.want("-ERR NETWORK_OUT_OF_ORDER", "originate error/NETWORK_OUT_OF_ORDER &park()")
	c.want("+OK my-own-uuid", "originate {^^;origination_uuid=my-own-uuid;x=a,b;park_timeout=1:USER_BUSY}user/1003 &park()")
	c.want("a,b", "uuid_getvar my-own-uuid x")
	c.want("1003", "uuid_getvar my-own-uuid dialed_user")
	c.want("-ERR DESTINATION_OUT_OF_ORDER", "originate {origination_uuid=my-own-uuid}user/1003 &park()")
	ev := connect(t, s, "CHANNEL_HANGUP_COMPLETE")
	if e := ev.event(); e.get("Unique-ID") != "my-own-uuid" || e.get("Hangup-Cause") != "USER_BUSY" {
		t.Errorf("park_timeout: %s", e.get("Hangup-Cause"))
	}
	if got := c.api("originate loopback/777 &echo()"); !strings.HasPrefix(got, "+OK ") {
		t.Error(got)
	}
	c.want("+OK hangup all channels with cause MANAGER_REQUEST", "hupall")
	wait(t, s, "nobody", func() bool { return len(s.Channels()) == 0 })
}

func TestRingingAndKilledBeforeAnswer(t *testing.T) {
	s := start(t, switchsim.Options{})
	s.SetPhone("1002", switchsim.Behaviour{NoAnswer: true})
	ev := connect(t, s, "CHANNEL_PROGRESS CHANNEL_CALLSTATE BACKGROUND_JOB")
	c := connect(t, s)
	c.command("bgapi originate {origination_uuid=u}user/1002 &park()", "Job-UUID: j")
	ev.until("Event-Name=CHANNEL_PROGRESS", "Unique-ID=u")
	ev.until("Event-Name=CHANNEL_CALLSTATE", "Channel-Call-State=RINGING")
	c.want("+OK", "uuid_kill u ORIGINATOR_CANCEL")
	if e := ev.until("Event-Name=BACKGROUND_JOB"); e.get("Job-UUID") != "j" || e.body != "-ERR ORIGINATOR_CANCEL\n" {
		t.Errorf("job: %v %q", e.values, e.body)
	}
}

func TestEitherPartysHangupEndsACall(t *testing.T) {
	for _, who := range []string{"1000", "1001"} {
		s := start(t, switchsim.Options{})
		call(t, s, "1000", "1001")
		must(t, s.Hangup(who, ""))
		wait(t, s, "both are gone", func() bool { return len(s.Channels()) == 0 })
	}
}

func TestCallsThatFail(t *testing.T) {
	s := start(t, switchsim.Options{})
	s.SetPhone("1001", switchsim.Behaviour{Reject: "USER_BUSY"})
	if _, err := s.Call(ctx(t), "1000", "1001"); !errors.Is(err, switchsim.ErrFailed) || !strings.Contains(err.Error(), "USER_BUSY") {
		t.Errorf("busy: %v", err)
	}
	if _, err := s.Dial(ctx(t), "1000", "nowhere"); !errors.Is(err, switchsim.ErrFailed) {
		t.Errorf("no route: %v", err)
	}
	if _, err := s.CallFrom(ctx(t), "1000", "1001"); !errors.Is(err, switchsim.ErrFailed) {
		t.Errorf("an extension as outside number: %v", err)
	}
	if err := s.Hangup("nobody", ""); !errors.Is(err, switchsim.ErrNoChannel) {
		t.Errorf("nobody: %v", err)
	}
	k, err := s.CallFrom(ctx(t), "+491701234567", "1002")
	must(t, err)
	if s.Number(k.A) != "+491701234567" || s.Leg("1002") != k.B {
		t.Error("wrong legs")
	}
}

func TestHoldInABridge(t *testing.T) {
	s := start(t, switchsim.Options{})
	call(t, s, "1000", "1001")
	must(t, s.Hold("1001"))
	if hears(s, "1000") != "music" || hears(s, "1001") != "" {
		t.Errorf("1000 hears %q, 1001 %q", hears(s, "1000"), hears(s, "1001"))
	}
	must(t, s.Unhold("1001"))
	if hears(s, "1000") != "1001" {
		t.Errorf("1000 hears %q", hears(s, "1000"))
	}
}

func TestTransfersOfABridgedCall(t *testing.T) {
	t.Run("blind", func(t *testing.T) {
		s := start(t, switchsim.Options{})
		call(t, s, "1000", "1001")
		must(t, s.BlindTransfer("1001", "1002"))
		waitHears(t, s, "1000", "1002")
		wait(t, s, "1001 is out", func() bool { return s.Leg("1001") == "" })
	})
	t.Run("one leg alone", func(t *testing.T) {
		s := start(t, switchsim.Options{})
		k := call(t, s, "1000", "1001")
		c := connect(t, s)
		c.want("+OK", "uuid_transfer %s park inline", k.A)
		wait(t, s, "its partner is hung up", func() bool { return s.Leg("1001") == "" && s.Leg("1000") != "" })
	})
	t.Run("partner parks", func(t *testing.T) {
		s := start(t, switchsim.Options{})
		k := call(t, s, "1000", "1001")
		c := connect(t, s, "CHANNEL_PARK")
		c.want("+OK", "uuid_setvar %s park_after_bridge true", k.B)
		c.want("+OK", "uuid_transfer %s -bleg 7777", k.B) // the partner's partner: A
		c.until("Event-Name=CHANNEL_PARK", "Unique-ID="+k.A)
		c.until("Event-Name=CHANNEL_PARK", "Unique-ID="+k.B)
	})
	t.Run("no partner", func(t *testing.T) {
		s := start(t, switchsim.Options{})
		leg, err := s.Dial(ctx(t), "1000", "7777")
		must(t, err)
		c := connect(t, s)
		c.want("+OK", "uuid_transfer %s -both conference:r@default inline", leg)
		wait(t, s, "it is in the room", func() bool { return memberID(s, "1000") != 0 })
	})
	t.Run("a second way in", func(t *testing.T) {
		s := start(t, switchsim.Options{})
		k := call(t, s, "1000", "1001")
		c := connect(t, s)
		c.want("+OK", "uuid_setvar %s transfer_after_bridge '\\'conference:r@default\\':inline'", k.B)
		c.want("+OK", "uuid_transfer %s conference:r@default inline", k.A)
		wait(t, s, "both are in", func() bool { return memberID(s, "1000") != 0 && memberID(s, "1001") != 0 })
	})
	t.Run("too often", func(t *testing.T) {
		s := start(t, switchsim.Options{})
		k := call(t, s, "1000", "1001")
		c := connect(t, s)
		c.want("+OK", "uuid_setvar %s max_forwards 1", k.A)
		c.want("+OK", "uuid_transfer %s -both park inline", k.B) // as if the partner had come along
		wait(t, s, "1000 is lost", func() bool { return s.Leg("1000") == "" })
	})
}

// TestTheWayBack: out of the room into a bridge, in either order, and again.
func TestTheWayBack(t *testing.T) {
	l := newLab(t)
	for i := range 4 {
		a, b := l.call.A, l.call.B
		if i%2 == 1 {
			a, b = b, a
		}
		l.want("+OK "+b, "uuid_bridge %s %s", a, b)
		wait(t, l.s, "the bridge", func() bool {
			return memberID(l.s, "1000") == 0 && hears(l.s, "1000") == "1001" && hears(l.s, "1001") == "1000"
		})
		l.want(b, "uuid_getvar %s bridge_to", a)
		l.want(a, "uuid_getvar %s signal_bond", b)
		l.want("+OK", "uuid_transfer %s -both conference:lm@livemon inline", l.call.B)
		wait(t, l.s, "the room", func() bool {
			return memberID(l.s, "1000") != 0 && hears(l.s, "1000") == "1001" && hears(l.s, "1001") == "1000"
		})
	}
	l.want("+OK "+l.call.B, "uuid_bridge %s %s", l.call.A, l.call.B)
	wait(t, l.s, "the bridge", func() bool { return memberID(l.s, "1000") == 0 && hears(l.s, "1000") == "1001" })
	must(t, l.s.Hangup("1000", ""))
	wait(t, l.s, "the end of the call", func() bool { return l.s.Leg("1001") == "" })
}

func TestALegThatDiesOnTheWayBack(t *testing.T) {
	l := newLab(t)
	l.want("+OK "+l.call.B, "uuid_bridge %s %s", l.call.A, l.call.B)
	must(t, l.s.Hangup("1001", ""))
	wait(t, l.s, "the other is lost too", func() bool { return l.s.Leg("1000") == "" })
}

func TestGapOfAMove(t *testing.T) {
	l := newLab(t)
	gap := func() time.Duration {
		var last time.Time
		var widest time.Duration
		for _, sp := range l.s.Truth() {
			if sp.Listener == l.call.A && sp.Speaker == l.call.B {
				if !last.IsZero() {
					widest = max(widest, sp.From.Sub(last))
				}
				last = sp.To
			}
		}
		return widest
	}
	pass(t, l.s, 2)
	if g := gap(); g < 40*time.Millisecond || g > 160*time.Millisecond {
		t.Errorf("into the room: %v", g)
	}
	l.s.Reset()
	pass(t, l.s, 2)
	l.want("+OK "+l.call.B, "uuid_bridge %s %s", l.call.A, l.call.B)
	wait(t, l.s, "the bridge", func() bool { return memberID(l.s, "1000") == 0 && hears(l.s, "1000") == "1001" })
	pass(t, l.s, 2)
	if g := gap(); g < 40*time.Millisecond || g > 140*time.Millisecond {
		t.Errorf("out of the room: %v", g)
	}
}

func TestShow(t *testing.T) {
	s := start(t, switchsim.Options{Hostname: "vm"})
	k := call(t, s, "1000", "1001")
	_, err := s.Dial(ctx(t), "1002", "7777")
	must(t, err)
	c := connect(t, s)
	type table struct {
		Count int                 `json:"row_count"`
		Rows  []map[string]string `json:"rows"`
	}
	show := func(what string) (out table) {
		t.Helper()
		must(t, json.Unmarshal([]byte(c.api("show %s as json", what)), &out))
		return out
	}
	// The tables are a little behind.
	wait(t, s, "the tables", func() bool { return show("channels").Count == 3 && show("bridged_calls").Count == 1 })
	rows := show("channels").Rows
	for name, want := range map[string]string{"uuid": k.A, "direction": "inbound", "name": "sofia/internal/1000@127.0.0.1", "state": "CS_EXECUTE",
		"cid_num": "1000", "dest": "1001", "application": "bridge", "application_data": "user/1001@127.0.0.1", "presence_id": "1000@127.0.0.1",
		"callstate": "ACTIVE", "callee_num": "1001", "call_uuid": k.A, "hostname": "vm", "read_codec": "PCMU"} {
		if got := rows[0][name]; got != want {
			t.Errorf("channels: %s is %q, want %q", name, got, want)
		}
	}
	if rows[1]["state"] != "CS_EXCHANGE_MEDIA" || rows[1]["call_uuid"] != k.A || rows[1]["application"] != "" {
		t.Errorf("second leg: %v", rows[1])
	}
	if r := show("bridged_calls").Rows[0]; r["uuid"] != k.A || r["b_uuid"] != k.B || r["b_dest"] != "1001" {
		t.Errorf("bridged_calls: %v", r)
	}
	if r := show("calls"); r.Count != 2 {
		t.Errorf("calls: %v", r)
	}
	want := regexp.MustCompile(`^\{"row_count":3,"rows":\[\{"uuid":"[^"]*","direction":"inbound","created":"[^"]*","created_epoch":"\d+","name":"[^"]*","state":"CS_EXECUTE","cid_name":"1000","cid_num":"1000","ip_addr":"127.0.0.1","dest":"1001","application":`)
	if got := c.api("show channels as json"); !want.MatchString(got) {
		t.Error(got)
	}
	if got := c.api("show channels count"); got != "\n3 total." {
		t.Errorf("count: %q", got)
	}
	c.api("hupall")
	wait(t, s, "the tables", func() bool { return show("channels").Count == 0 })
}

func TestQueue(t *testing.T) {
	s := start(t, switchsim.Options{Agents: []switchsim.CCAgent{{Name: "ag1", Contact: "[leg_timeout=10]user/1001@127.0.0.1"}, {Name: "standby", Contact: "user/1002", Type: "uuid-standby"}}})
	ev := connect(t, s, "ALL")
	c := connect(t, s)
	const caller = "+49 170 {1},2"
	k, err := s.CallQueue(ctx(t), caller, "support@default", "ag1")
	must(t, err)
	c.want("ag1", "uuid_getvar %s cc_agent", k.A)
	c.want("ag1", "uuid_getvar %s cc_agent", k.B)
	c.want("member", "uuid_getvar %s cc_side", k.A)
	c.want("agent", "uuid_getvar %s cc_side", k.B)
	c.want(caller, "uuid_getvar %s caller_id_number", k.B)
	if got := c.api("callcenter_config agent list"); !regexp.MustCompile(`(?m)^ag1\|single_box\|[0-9a-f-]{36}\|callback\|\[leg_timeout=10\]user/1001@127\.0\.0\.1\|Available\|In a queue call\|`).MatchString(got) {
		t.Error(got)
	}
	if _, err := s.CallQueue(ctx(t), "0171", "support", "ag1"); !errors.Is(err, switchsim.ErrFailed) {
		t.Errorf("a second call for the agent: %v", err)
	}
	// In a conference and back he stays in the call.
	c.want("+OK", "uuid_transfer %s -both conference:cc@default inline", k.A)
	wait(t, s, "the room", func() bool { return memberID(s, "1001") != 0 && memberID(s, caller) != 0 && hears(s, "1001") == caller })
	c.want("+OK "+k.B, "uuid_bridge %s %s", k.A, k.B)
	wait(t, s, "the bridge", func() bool { return memberID(s, "1001") == 0 && hears(s, "1001") == caller })
	if got := c.api("callcenter_config agent list ag1"); !strings.Contains(got, "|In a queue call|") {
		t.Error(got)
	}
	must(t, s.Hangup(caller, ""))
	var states []string
	for {
		e := ev.event()
		if e.label() == "agent-state-change" {
			states = append(states, e.get("CC-Agent-State"))
			if e.get("CC-Agent-State") == "Waiting" {
				break
			}
		}
	}
	if got := strings.Join(states, ", "); got != "Receiving, In a queue call, Waiting" {
		t.Errorf("states: %s", got)
	}

	k, err = s.CallQueue(ctx(t), "0171", "support", "standby")
	must(t, err)
	c.want("+OK", "uuid_transfer %s -both conference:cc@default inline", k.A)
	ev.until("CC-Action=agent-state-change", "CC-Agent=standby", "CC-Agent-State=Waiting")
	if s.Leg("1002") == "" {
		t.Error("the standby agent's leg is gone")
	}
	c.want("+OK", "callcenter_config agent set status ag1 'On Break'")
	ev.until("CC-Action=agent-status-change", "CC-Agent-Status=On Break")
	c.want("-ERR Agent not found!", "callcenter_config agent set status nobody Available")
	if got := c.api("callcenter_config queue list"); !strings.Contains(got, "support@default|longest-idle-agent|") {
		t.Error(got)
	}
	c.want("queue|agent|state|level|position\nsupport@default|ag1|Ready|1|1\nsupport@default|standby|Ready|1|1\n+OK", "callcenter_config tier list")
}

// TestRecordedQueue compares the headers of mod_callcenter's events with those
// recorded: a call from a queue, moved into a room, where the caller hangs up.
func TestRecordedQueue(t *testing.T) {
	s := start(t, switchsim.Options{Agents: []switchsim.CCAgent{{Name: "ag1", Contact: "[leg_timeout=10]user/1001@127.0.0.1"}}})
	ev, c := connect(t, s, "CUSTOM callcenter::info"), connect(t, s)
	k, err := s.CallQueue(ctx(t), "1000", "support@default", "ag1")
	must(t, err)
	c.want("+OK", "uuid_transfer %s -both conference:lm-cc@livemon inline", k.A)
	wait(t, s, "the room", func() bool { return memberID(s, "1000") != 0 && memberID(s, "1001") != 0 })
	must(t, s.Hangup("1000", ""))
	wait(t, s, "1000 is gone", func() bool { return s.Leg("1000") == "" })
	must(t, s.Hangup("1001", ""))
	c.want("+OK", "callcenter_config agent add ag2 callback")
	c.want("+OK", "callcenter_config agent set contact ag2 user/1002")
	c.want("+OK", "callcenter_config agent set status ag2 Available")
	var all []*event
	for {
		e := ev.event()
		all = append(all, e)
		if e.label() == "agent-state-change" && e.get("CC-Agent-State") == "Waiting" {
			break
		}
	}
	checkHeaders(t, all)
	var actions []string
	for _, e := range all {
		if e.get("CC-Agent") != "ag2" {
			actions = append(actions, e.label())
		}
	}
	compare(t, "queue", actions, strings.Fields(`member-queue-start members-count agent-state-change agent-offering bridge-agent-start
		members-count agent-state-change bridge-agent-end member-queue-end agent-state-change`))
}

func TestAQueuesCallerHangsUpWhileTheAgentsTelephoneRings(t *testing.T) {
	s := start(t, switchsim.Options{Agents: []switchsim.CCAgent{{Name: "ag1", Contact: "user/1001"}}})
	s.SetPhone("1001", switchsim.Behaviour{NoAnswer: true})
	ev := connect(t, s, "CHANNEL_PROGRESS CUSTOM callcenter::info")
	done := make(chan error, 1)
	waiting := ctx(t)
	go func() {
		_, err := s.CallQueue(waiting, "0170", "support", "ag1")
		done <- err
	}()
	ev.until("Event-Name=CHANNEL_PROGRESS")
	must(t, s.Hangup("0170", ""))
	if err := <-done; !errors.Is(err, switchsim.ErrFailed) {
		t.Error(err)
	}
	ev.until("CC-Action=agent-state-change", "CC-Agent-State=Waiting")
	wait(t, s, "nobody", func() bool { return len(s.Channels()) == 0 })
}

func TestSendmsg(t *testing.T) {
	s := start(t, switchsim.Options{})
	c := connect(t, s, "CHANNEL_EXECUTE CHANNEL_EXECUTE_COMPLETE CHANNEL_HANGUP")
	leg, err := s.Dial(ctx(t), "1000", "7777")
	must(t, err)
	execute := func(app, arg string) {
		t.Helper()
		if got := c.command("sendmsg "+leg, "call-command: execute", "execute-app-name: "+app, "execute-app-arg: "+arg, "Event-UUID: id-"+app); got != "+OK" {
			t.Errorf("%s: %s", app, got)
		}
	}
	execute("set", "x=${caller_id_number}!")
	c.until("Event-Name=CHANNEL_EXECUTE_COMPLETE", "Application=set", "Application-UUID=id-set")
	c.want("1000!", "uuid_getvar %s x", leg)
	execute("playback", "/usr/local/freeswitch/sounds/hello.wav")
	c.until("Event-Name=CHANNEL_EXECUTE", "Application=playback")
	waitHears(t, s, "1000", "/usr/local/freeswitch/sounds/hello.wav")
	execute("nosuchapp", "")
	c.until("Event-Name=CHANNEL_EXECUTE_COMPLETE", "Application=playback")
	if e := c.until("Event-Name=CHANNEL_HANGUP"); e.get("Hangup-Cause") != "DESTINATION_OUT_OF_ORDER" {
		t.Errorf("cause %s", e.get("Hangup-Cause"))
	}
	leg, err = s.Dial(ctx(t), "1001", "7777")
	must(t, err)
	c.command("sendmsg "+leg, "call-command: hangup", "hangup-cause: CALL_REJECTED")
	if e := c.until("Event-Name=CHANNEL_HANGUP"); e.get("Hangup-Cause") != "CALL_REJECTED" {
		t.Errorf("cause %s", e.get("Hangup-Cause"))
	}
}

func TestInlineDialplans(t *testing.T) {
	s := start(t, switchsim.Options{})
	c := connect(t, s, "CHANNEL_HANGUP")
	for _, plan := range []string{
		"'set:a=1,set:b=2,playback:silence_stream://20,sleep:20,hangup:USER_BUSY'",
		"'m:^:set:a=1,2^sleep:20^hangup:USER_BUSY'",
	} {
		leg, err := s.Dial(ctx(t), "1000", "7777")
		must(t, err)
		c.want("+OK", "uuid_transfer %s %s inline", leg, plan)
		if e := c.event(); e.get("Hangup-Cause") != "USER_BUSY" || !strings.HasPrefix(e.get("variable_a"), "1") {
			t.Errorf("%s: %s", plan, e.get("Hangup-Cause"))
		}
	}
}

func TestOutboundSocket(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer func() { _ = ln.Close() }()
	s := start(t, switchsim.Options{Dialplan: []switchsim.DialplanEntry{{Prefix: "88", Outbound: ln.Addr().String(), Full: true}}})
	accept := func(from string) (*client, string) {
		t.Helper()
		leg, err := s.Dial(ctx(t), from, "8800")
		must(t, err)
		nc, err := ln.Accept()
		must(t, err)
		c := attach(t, nc)
		c.write("connect\n\n")
		h, _ := c.message()
		if h["Unique-ID"] != leg || h["Reply-Text"] != "%2BOK%0A" || h["Control"] != "full" || h["Channel-Caller-ID-Number"] != from {
			t.Fatalf("connect: %v", h)
		}
		return c, leg
	}
	c, leg := accept("1000")
	if got := c.command("linger 1"); got != "+OK will linger 1 seconds" {
		t.Error(got)
	}
	if got := c.command("myevents plain"); got != "+OK Events Enabled" {
		t.Error(got)
	}
	execute := func(app, arg string) {
		t.Helper()
		if got := c.command("sendmsg", "call-command: execute", "execute-app-name: "+app, "execute-app-arg: "+arg); got != "+OK" {
			t.Errorf("%s: %s", app, got)
		}
	}
	execute("answer", "")
	c.until("Event-Name=CHANNEL_EXECUTE_COMPLETE", "Application=answer")
	execute("play_and_get_digits", `1 6 1 5000 # silence_stream://250 silence_stream://250 pin \d+`)
	c.until("Event-Name=CHANNEL_EXECUTE", "Application=play_and_get_digits")
	must(t, s.Press("1000", "1234#"))
	c.until("Event-Name=CHANNEL_EXECUTE_COMPLETE", "Application=play_and_get_digits")
	c.want("1234", "uuid_getvar %s pin", leg)
	call(t, s, "1002", "1003") // whose events do not come
	execute("nosuchapp", "")
	if e := c.until("Event-Name=CHANNEL_HANGUP"); e.get("Hangup-Cause") != "DESTINATION_OUT_OF_ORDER" || e.get("Unique-ID") != leg {
		t.Errorf("%v", e.values)
	}
	if h, _ := c.answer(); h["Content-Disposition"] != "linger" || h["Linger-Time"] != "1" || h["Controlled-Session-UUID"] != leg {
		t.Errorf("linger: %v", h)
	}
	if h, _ := c.answer(); h["Content-Disposition"] != "disconnect" {
		t.Errorf("disconnect: %v", h)
	}

	// A server that goes away ends the call, for its dialplan has nothing more.
	c, _ = accept("1001")
	must(t, c.nc.Close())
	wait(t, s, "the call is over", func() bool { return s.Leg("1001") == "" })

	// Without linger the connection ends with the call.
	c, _ = accept("1004")
	must(t, s.Hangup("1004", ""))
	if h, _ := c.answer(); h["Content-Type"] != "text/disconnect-notice" {
		t.Errorf("%v", h)
	}

	// A leg can be sent on from here.
	c, leg = accept("1005")
	c.want("+OK", "uuid_transfer %s conference:r@default inline", leg)
	wait(t, s, "the room", func() bool { return memberID(s, "1005") != 0 })
}

func TestAnOutboundServerThatIsNotThere(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	addr := ln.Addr().String()
	must(t, ln.Close())
	s := start(t, switchsim.Options{Dialplan: []switchsim.DialplanEntry{{Prefix: "88", Outbound: addr}}})
	_, err = s.Dial(ctx(t), "1000", "8800")
	must(t, err)
	wait(t, s, "the call is over", func() bool { return s.Leg("1000") == "" })
}
