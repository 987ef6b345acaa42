package switchsim_test

import (
	"slices"
	"testing"

	"livemon/internal/switchsim"
)

// TestAfterBridge: what a leg does when its partner hangs up, in the bridge and
// after a move into a room and back, as a real switch did it. It is the leg's own
// variable that counts, on either side.
func TestAfterBridge(t *testing.T) {
	const (
		gone = "gone"
		park = "park"
		echo = "echo"
		tone = "endless_playback"
	)
	both := func(app string) [2]string { return [2]string{app, app} }
	for _, tc := range []struct {
		name string
		set  []string
		// What the caller and the called one do, and the same as first and as
		// second leg of the bridge that uuid_bridge made.
		plain, back [2]string
	}{
		{"nothing", nil, [2]string{gone, gone}, both(gone)},
		{"park", []string{"park_after_bridge true"}, both(park), both(park)},
		{"transfer", []string{"transfer_after_bridge 7778:XML:default"}, both(echo), both(echo)},
		{"hangup", []string{"hangup_after_bridge true"}, both(gone), both(gone)},
		{"exec", []string{"exec_after_bridge_app endless_playback", "exec_after_bridge_arg tone_stream://%(1000,0,300);loops=-1"}, both(tone), both(tone)},
		{"hangup and transfer", []string{"hangup_after_bridge true", "transfer_after_bridge 7778"}, both(echo), both(echo)},
		{"exec and transfer", []string{"exec_after_bridge_app endless_playback", "transfer_after_bridge 7778"}, [2]string{echo, tone}, [2]string{echo, tone}},
	} {
		for side, number := range []string{"1000", "1001"} {
			peer := []string{"1001", "1000"}[side]
			check := func(phase, want string, order func(k switchsim.Call) (string, string)) {
				t.Run(tc.name+" "+phase+" "+number, func(t *testing.T) {
					t.Parallel()
					s := start(t, switchsim.Options{ConferenceXML: recordedConference})
					c := connect(t, s)
					k := call(t, s, "1000", "1001")
					leg := []string{k.A, k.B}[side]
					for _, v := range tc.set {
						c.want("+OK", "uuid_setvar %s %s", leg, v)
					}
					if order != nil {
						c.want("+OK", "uuid_transfer %s -both conference:lm@livemon inline", k.A)
						waitRoom(t, s, "lm")
						a, b := order(k)
						c.want("+OK "+b, "uuid_bridge %s %s", a, b)
						wait(t, s, "a bridge", func() bool { return s.Channels()[0].Room == "" && s.Channels()[0].Partner != "" })
					}
					must(t, s.Hangup(peer, ""))
					wait(t, s, want, func() bool {
						all := s.Channels()
						if want == gone {
							return len(all) == 0
						}
						return len(all) == 1 && all[0].Number == number && all[0].App == want
					})
					if want == echo && c.api("uuid_getvar %s transfer_after_bridge", leg) != "_undef_" {
						t.Error("the variable is still there")
					}
				})
			}
			check("in the bridge", tc.plain[side], nil)
			check("as first leg", tc.back[0], func(k switchsim.Call) (string, string) {
				return []string{k.A, k.B}[side], []string{k.B, k.A}[side]
			})
			check("as second leg", tc.back[1], func(k switchsim.Call) (string, string) {
				return []string{k.B, k.A}[side], []string{k.A, k.B}[side]
			})
		}
	}
}

// waitRoom waits until everybody is in a room and hears somebody.
func waitRoom(t *testing.T, s *switchsim.Switch, room string) {
	t.Helper()
	wait(t, s, "everybody in "+room, func() bool {
		return !slices.ContainsFunc(s.Channels(), func(ch switchsim.ChannelInfo) bool {
			return ch.Room != room || len(s.Hears(ch.UUID)) == 0
		})
	})
}

// TestInTheRoomNothingGoesOn: a variable says nothing to a leg in a room.
func TestInTheRoomNothingGoesOn(t *testing.T) {
	s := start(t, switchsim.Options{ConferenceXML: recordedConference})
	c := connect(t, s)
	k := call(t, s, "1000", "1001")
	c.want("+OK", "uuid_setvar %s transfer_after_bridge 7778", k.A)
	c.want("+OK", "uuid_transfer %s -both conference:lm@livemon inline", k.A)
	waitRoom(t, s, "lm")
	must(t, s.Hangup("1001", ""))
	wait(t, s, "the caller alone", func() bool { return len(s.Channels()) == 1 })
	pass(t, s, 5)
	if all := s.Channels(); len(all) != 1 || all[0].App != "conference" {
		t.Errorf("%+v", all)
	}
}

// TestParkingTellsByItsState: parking by a command or a variable executes no application.
func TestParkingTellsByItsState(t *testing.T) {
	s := start(t, switchsim.Options{})
	c := connect(t, s, "CHANNEL_STATE CHANNEL_EXECUTE CHANNEL_EXECUTE_COMPLETE CHANNEL_PARK CHANNEL_UNPARK")
	leg, err := s.Dial(ctx(t), "1000", "7777")
	must(t, err)
	c.until("Event-Name=CHANNEL_PARK", "Channel-State=CS_EXECUTE")
	c.want("+OK", "uuid_park %s", leg)
	c.want("+OK", "uuid_transfer %s 7778", leg)
	for _, want := range []string{"CHANNEL_UNPARK CS_EXECUTE ", "CHANNEL_EXECUTE_COMPLETE CS_EXECUTE park", "CHANNEL_STATE CS_PARK ", "CHANNEL_PARK CS_PARK ",
		"CHANNEL_UNPARK CS_PARK ", "CHANNEL_STATE CS_ROUTING ", "CHANNEL_STATE CS_EXECUTE ", "CHANNEL_EXECUTE CS_EXECUTE answer"} {
		e := c.event()
		if got := e.get("Event-Name") + " " + e.get("Channel-State") + " " + e.get("Application"); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
