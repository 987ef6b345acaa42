package switchsim

import (
	"bufio"
	"context"
	"net/url"
	"strings"
	"testing"
)

func FuzzReadCommand(f *testing.F) {
	for _, seed := range []string{"api status\n\n", "\n\r\n\nbgapi x\nJob-UUID: 1\n\n", "sendmsg\ncall-command: execute\ncontent-length: 3\n\nabc",
		"sendevent CUSTOM\nContent-Length: -1\n\n", "x\nContent-Length: 99999999999\n\n", "a\x00b\r\n\r\n", ":\n:\n\n", "auth ClueCon"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		r := bufio.NewReader(strings.NewReader(text))
		for range 100 {
			m, err := readCommand(r, func() {}, func() {})
			if err != nil {
				return
			}
			if m.line == "" {
				t.Fatalf("an empty command from %q", text)
			}
			if strings.ContainsAny(m.line, "\n") {
				t.Fatalf("a line break in %q", m.line)
			}
		}
	})
}

// FuzzAPI lets a switch with a call, a room and a parked leg do any command.
func FuzzAPI(f *testing.F) {
	for _, seed := range []string{"conference r list", "conference r relate 1,2 2,1 nospeak", "conference r kick all", "conference r json_list",
		"conference r mute 1 quiet", "uuid_transfer a -both conference:r@default inline", "uuid_transfer a 'm:^:set:a=b^park' inline", "uuid_bridge a b",
		"uuid_kill a", "uuid_setvar a x y", "uuid_setvar_multi a x=1;y=2", "uuid_dump a json", "originate {a=b,c='d'}user/1003 &park()",
		"originate {^^:a=b:c=d}[x=y]<z=1>sofia/gateway/g/1 &conference(r@x+flags{mute|deaf})", "show calls as json", "callcenter_config agent list",
		"uuid_broadcast a play both", "uuid_park b", "uuid_hold toggle a", "sim press a 12w", "sim fail x refuse", "conference r transfer s 1 2",
		"conference r play /x 1", "conference s dial user/1004 1 2", "uuid_send_dtmf a 1", "uuid_getvar a b", "xml_locate a b c d", "msleep 1", "hupall", "",
		"uuid_buglist a", "uuid_record a start /x 1", "uuid_record a stop all", "uuid_recv_dtmf b 3*", "callcenter_config agent set ready_time ag 9",
		"callcenter_config agent set state ag 'In a queue call'", "uuid_broadcast a start_dtmf:: aleg", "uuid_transfer b eavesdrop:a inline",
		"originate {eavesdrop_whisper_bleg=true}loopback/app=eavesdrop:a 'unset:x,eavesdrop:b' inline", "originate {execute_on_answer=eavesdrop a}user/1003 &eavesdrop(b)",
		"originate {eavesdrop_enable_dtmf=true}loopback/app=eavesdrop:all 'conference:r@default+flags{skip-dtmf}' inline", "uuid_jitterbuffer b 20:40", "uuid_jitterbuffer b -3p",
		"sched_api +1 g hupall normal_clearing a b", "sched_api @0 g sched_api @0 g status", "sched_del g", "unsched_api 1", "hupall x a b c",
		"uuid_transfer b 'att_xfer:user/1003' inline", "uuid_transfer b 'intercept:-bleg a' inline", "uuid_transfer a ${conference(r list)} XML ${${x}}", "uuid_hold b"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, line string) {
		s, err := Start(context.Background(), Options{Agents: []CCAgent{{Name: "ag", Contact: "user/1005"}}})
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = s.Close() }()
		s.lock()
		a := s.inbound("1000", "c-r")
		delete(s.channels, a.uuid)
		a.uuid = "a"
		s.channels["a"] = a
		a.plan = s.extension("c-r")
		s.proceed(a)
		b := s.dial(nil, "{origination_uuid=b}user/1001", nil, 1e9, func(ch *channel, _ string) {
			if ch != nil {
				s.park(ch)
			}
		})
		s.advance(s.now.Add(100e6))
		if a.member == nil || b.dead {
			t.Fatal("the legs are not where they should be")
		}
		answers := 0
		s.api(line, func(reply string) {
			answers++
			if reply == "" {
				t.Errorf("nothing was answered to %q", line)
			}
		})
		s.advance(s.now.Add(2e9))
		if answers > 1 {
			t.Errorf("%d answers to %q", answers, line)
		}
		s.unlock()
	})
}

func FuzzArguments(f *testing.F) {
	for _, seed := range []string{"a b c", "'a b' c", `a\ b 'c`, `\'a\' b`, "  ", "a=b,c='d,e'", "^^:a=b:c", "{a=b}[c=d]rest", "{{}", "\\"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if got := fields(text, 3); len(got) > 3 {
			t.Fatalf("%q", got)
		}
		split(text, ',')
		variables(text)
		inlinePlan(text)
		if _, rest, ok := braces(text); ok && len(rest) > len(text) {
			t.Fatal(rest)
		}
	})
}

func TestFields(t *testing.T) {
	for _, test := range []struct {
		text string
		max  int
		want []string
	}{
		{"a b c d", 3, []string{"a", "b", "c d"}},
		{"  a   b  ", 5, []string{"a", "b"}},
		{"a 'b c' d", 5, []string{"a", "b c", "d"}},
		{`a b\sc \'d`, 5, []string{"a", "b c", "'d"}},
		{"", 5, nil},
	} {
		if got := fields(test.text, test.max); strings.Join(got, "|") != strings.Join(test.want, "|") || len(got) != len(test.want) {
			t.Errorf("fields(%q, %d) = %q, want %q", test.text, test.max, got, test.want)
		}
	}
}

// FuzzEscape: what is escaped can be told from everything else, and read back.
func FuzzEscape(f *testing.F) {
	for _, seed := range []string{"plain", "a b", "\r\n: =", "é\x00\xff", "100%", "%zz"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, value string) {
		var b strings.Builder
		escape(&b, value)
		out := b.String()
		for i := range len(out) {
			if out[i] <= ' ' || out[i] > '~' || out[i] == ':' {
				t.Fatalf("%q has a bad byte", out)
			}
		}
		if back, err := url.PathUnescape(out); !strings.Contains(value, "%") && (err != nil || back != value) {
			t.Fatalf("%q became %q", value, back)
		}
	})
}
