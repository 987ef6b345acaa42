package switchsim_test

import (
	"strings"
	"testing"

	"livemon/internal/switchsim"
)

// takeOverContext lets a customer into a room in which somebody speaks who is no
// loopback, and lets him go else.
const takeOverContext = `<context name="livemon">
  <extension name="takeover">
    <condition field="destination_number" expression="^lm[a-z0-9]*$"/>
    <condition field="${conference(${destination_number} list)}" expression="(^|\n)[0-9]+;sofia/[^;]*;[^;]*;[^;]*;[^;]*;[^;]*speak">
      <action application="conference" data="${destination_number}@livemon+flags{mintwo}"/>
      <anti-action application="hangup"/>
    </condition>
  </extension>
</context>`

func takeOverOptions() switchsim.Options {
	o := tapOptions()
	o.Contexts = []string{takeOverContext}
	return o
}

// barge is a call in which the supervisor barges.
func barge(t *testing.T, direction string) *tapLab {
	t.Helper()
	l := newTapLab(t, takeOverOptions(), direction)
	l.reach("3")
	l.mute(false)
	l.hear("1001 1002", "1000 1002", "1000 1001")
	return l
}

func (l *tapLab) arm() {
	l.t.Helper()
	l.want("+OK", "uuid_setvar %s transfer_after_bridge lm:XML:livemon", l.user)
}

// takenOver waits until the user and the supervisor are alone, and hear each other.
func (l *tapLab) takenOver() {
	l.t.Helper()
	wait(l.t, l.s, "the take-over", func() bool {
		return hears(l.s, "1000") == "1002" && hears(l.s, "1002") == "1000" && l.s.Leg("1001") == ""
	})
}

func (l *tapLab) lost() {
	l.t.Helper()
	wait(l.t, l.s, "the customer's end", func() bool { return l.s.Leg("1000") == "" })
}

// TestTakeOver: the customer is transferred out of the bridge; the bridge lets the
// agent go, and the tap ends with his leg.
func TestTakeOver(t *testing.T) {
	for _, d := range directions {
		for _, how := range []string{"lm XML livemon", "conference:lm@livemon inline"} {
			for _, more := range []string{"", "held", "park_after_bridge true", "transfer_after_bridge lm:XML:livemon", "hangup_after_bridge explicit"} {
				t.Run(d+", "+how+", "+more, func(t *testing.T) {
					t.Parallel()
					l := barge(t, d)
					switch more {
					case "":
					case "held":
						must(t, l.s.Hold("1001"))
						waitHears(t, l.s, "1000", "music")
					default:
						l.want("+OK", "uuid_setvar %s %s", l.user, more)
					}
					frames := record(t, l.s)
					l.want("+OK", "uuid_transfer %s %s", l.user, how)
					l.takenOver()
					if gap := ms(frames.missing("1000<1002")); more != "held" && gap > 240 {
						t.Errorf("the customer was without the supervisor for %d ms", gap)
					}
					wait(t, l.s, "the tap's end", func() bool { return l.s.Leg("eavesdrop") == "" })
					if got := strings.Contains(l.api("uuid_getvar %s transfer_after_bridge", l.user), "lm:XML"); got != strings.Contains(more, "lm:XML") {
						t.Errorf("the arm is still there: %v", got)
					}
					must(t, l.s.Hangup("1002", ""))
					if strings.Contains(how, "XML") { // mintwo
						l.lost()
					}
				})
			}
		}
	}
}

// TestNoTakeOver where the shop executes something after the bridge: a customer who was
// called hears that, one who called is left in silence; and where the context is missing.
func TestNoTakeOver(t *testing.T) {
	l := barge(t, outbound)
	l.want("+OK", "uuid_setvar %s exec_after_bridge_app endless_playback", l.user)
	l.want("+OK", "uuid_setvar %s exec_after_bridge_arg tone_stream://%%(10000,0,1000);loops=-1", l.user)
	l.want("+OK", "uuid_transfer %s lm XML livemon", l.user)
	wait(t, l.s, "the tone", func() bool {
		return hears(l.s, "1000") == "tone_stream://%(10000,0,1000);loops=-1" && l.s.Leg("1001") == ""
	})
	l = barge(t, inbound)
	l.want("+OK", "uuid_setvar %s exec_after_bridge_app endless_playback", l.user)
	l.want("+OK", "uuid_transfer %s lm XML livemon", l.user)
	wait(t, l.s, "the agent's end", func() bool { return l.s.Leg("1001") == "" && hears(l.s, "1002") == "" })
	pass(t, l.s, 10)
	if got := hears(l.s, "1000"); got != "" || appOf(l.s, "1000") != "" || l.s.Leg("1000") == "" {
		t.Errorf("the customer hears %q", got)
	}
	l = barge(t, inbound)
	ev := connect(t, l.s, "CHANNEL_HANGUP")
	l.want("can't find anything", "xml_locate dialplan context name nosuch")
	l.want(takeOverContext, "xml_locate dialplan context name livemon")
	l.want("+OK", "uuid_transfer %s lm XML nosuch", l.user)
	if e := ev.until("Event-Name=CHANNEL_HANGUP", "Unique-ID="+l.user); e.get("Hangup-Cause") != "NO_ROUTE_DESTINATION" {
		t.Error(e.get("Hangup-Cause"))
	}
}

// TestTheExtensionLooks before it lets the customer in.
func TestTheExtensionLooks(t *testing.T) {
	for _, d := range directions {
		for _, tc := range []struct {
			name  string
			do    func(l *tapLab)
			taken bool
		}{
			{"the supervisor barges", func(*tapLab) {}, true},
			{"he is mute", func(l *tapLab) { l.mute(true) }, false},
			{"the tap alone", func(l *tapLab) { must(l.t, l.s.Hangup("1002", "")); pass(l.t, l.s, 6) }, false},
			{"another tap speaks", func(l *tapLab) { l.mute(true); l.tap("T2", "lm"); pass(l.t, l.s, 10) }, false},
			{"no such room", func(l *tapLab) { l.want("+OK", "uuid_setvar %s transfer_after_bridge lmx:XML:livemon", l.user) }, false},
			{"no such name", func(l *tapLab) { l.want("+OK", "uuid_setvar %s transfer_after_bridge c-shop:XML:livemon", l.user) }, false},
		} {
			t.Run(tc.name+", "+d, func(t *testing.T) {
				t.Parallel()
				l := barge(t, d)
				l.arm()
				tc.do(l)
				must(t, l.s.Hangup("1001", ""))
				if !tc.taken {
					l.lost()
					return
				}
				l.takenOver()
				l.want("2", "conference lm list count")
			})
		}
	}
}

// TestTheArm: what becomes of an armed customer when the agent hangs up, with what
// the shop has set besides.
func TestTheArm(t *testing.T) {
	const taken, lost, parked = "taken over", "lost", "parked"
	for _, tc := range []struct {
		more    string
		in, out string // of a customer who calls, and one who is called
	}{
		{"", taken, taken},
		{"held", lost, lost},
		{"park_after_bridge true", parked, parked},
		{"hangup_after_bridge explicit", lost, taken},
		{"hangup_after_bridge true", taken, taken},
	} {
		for i, d := range directions {
			t.Run(tc.more+", "+d, func(t *testing.T) {
				t.Parallel()
				l := barge(t, d)
				l.arm()
				switch tc.more {
				case "":
				case "held":
					must(t, l.s.Hold("1001"))
				default:
					l.want("+OK", "uuid_setvar %s %s", l.user, tc.more)
				}
				must(t, l.s.Hangup("1001", ""))
				switch []string{tc.in, tc.out}[i] {
				case taken:
					l.takenOver()
				case lost:
					l.lost()
				case parked:
					wait(t, l.s, "the park", func() bool { return hears(l.s, "1000") == "" && appOf(l.s, "1000") == "park" })
				}
			})
		}
	}
}

func appOf(s *switchsim.Switch, number string) string {
	for _, ch := range s.Channels() {
		if ch.Number == number {
			return ch.App
		}
	}
	return ""
}

// TestAForgottenArm acts at the end of the next bridge.
func TestAForgottenArm(t *testing.T) {
	for _, d := range directions {
		t.Run(d, func(t *testing.T) {
			t.Parallel()
			l := barge(t, d)
			l.arm()
			must(t, l.s.BlindTransfer("1001", "1004"))
			waitHears(t, l.s, "1000", "1004")
			l.want("lm:XML:livemon", "uuid_getvar %s transfer_after_bridge", l.user)
			wait(t, l.s, "the tap's end", func() bool { return l.s.Leg("eavesdrop") == "" })
			must(t, l.s.Hangup("1004", ""))
			l.takenOver() // by a supervisor who has nothing to do with that call
		})
	}
}

// TestEndconfOnTheLines ends the room, tap and all, when the first of them leaves.
func TestEndconfOnTheLines(t *testing.T) {
	l := newCall(t, tapOptions(), inbound)
	l.me = l.line("1002", "mute|endconf")
	l.line("1003", "mute|endconf")
	l.tap("T", "lm")
	waitHears(t, l.s, "1003", "1000 1001")
	must(t, l.s.Hangup("1002", ""))
	wait(t, l.s, "the room's end", func() bool { return l.s.Leg("1003") == "" && l.s.Leg("eavesdrop") == "" })
	waitHears(t, l.s, "1000", "1001")
	waitHears(t, l.s, "1001", "1000")
}

// TestARoomOfTwo: a room that a member has joined with mintwo ends when one is left.
func TestARoomOfTwo(t *testing.T) {
	s := start(t, tapOptions())
	c := connect(t, s)
	c.want("+OK a", "originate {origination_uuid=a}user/1000 'conference:lm@livemon+flags{mintwo}' inline")
	wait(t, s, "one", func() bool { return memberID(s, "1000") != 0 })
	pass(t, s, 5)
	c.want("1", "conference lm list count")
	c.want("+OK b", "originate {origination_uuid=b}user/1001 'conference:lm@livemon' inline")
	waitHears(t, s, "1000", "1001")
	must(t, s.Hangup("1001", ""))
	wait(t, s, "the end", func() bool { return len(s.Channels()) == 0 })
}

func TestContextsAreRead(t *testing.T) {
	for _, text := range []string{"", "<context/>", "<context name='x'", `<context name="x"><extension><condition field="a" expression="(?!b)"/></extension></context>`} {
		s, err := switchsim.Start(t.Context(), switchsim.Options{Contexts: []string{text}})
		if err == nil {
			t.Errorf("%q is taken", text)
			must(t, s.Close())
		}
	}
}

// TestDialplan: conditions, what they find, continue and break.
func TestDialplan(t *testing.T) {
	o := tapOptions()
	o.Contexts = []string{`<context name="shop">
  <extension name="first" continue="true"><condition field="destination_number" expression="^(\d)(\d+)$"><action application="set" data="first=$1"/><action application="set" data="early=$2" inline="true"/></condition></extension>
  <extension name="never"><condition field="destination_number" expression="^9" break="never"><action application="set" data="nine=yes"/><anti-action application="set" data="nine=no"/></condition>
    <condition field="${early}" expression="^00$"/><condition field="caller_id_number" expression="^1000$"><action application="park"/></condition></extension>
  <extension name="rest"><condition><action application="set" data="rest=${uuid_exists(${uuid})} ${nosuch} ${early}"/><action application="park"/></condition></extension>
</context>`}
	s := start(t, o)
	c := connect(t, s)
	leg, err := s.Dial(ctx(t), "1000", "7777")
	must(t, err)
	for _, tc := range []struct{ ext, first, nine, rest string }{{"800", "8", "no", "_undef_"}, {"900", "9", "yes", "_undef_"}, {"812", "8", "no", "true  12"}} {
		c.want("+OK", "uuid_setvar_multi %s first=;nine=;rest=", leg)
		c.want("+OK", "uuid_transfer %s %s XML shop", leg, tc.ext)
		wait(t, s, "a park", func() bool {
			return c.api("uuid_getvar %s first", leg) == tc.first && appOf(s, "1000") == "park"
		})
		c.want(tc.nine, "uuid_getvar %s nine", leg)
		c.want(tc.rest, "uuid_getvar %s rest", leg)
	}
}
