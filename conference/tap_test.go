package conference_test

import (
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"livemon/conference"
	"livemon/internal/fsapi"
	"livemon/internal/wire"
)

const idTap = 9

// tappedRooms calls f with every room with a tap and up to two lines: deaf or not,
// mute or not, with a relation to the other or not, each reach, and what was said
// before still in the mix or not.
func tappedRooms(f func(conference.Tapped)) {
	for lines := range 3 {
		for flags := range 1 << (3 * lines) {
			var t conference.Tapped
			for i := range lines {
				l := conference.Line{ID: i + 1, Session: fmt.Sprintf("s%d", i+1), Hear: flags>>(3*i)&1 != 0, Speak: flags>>(3*i)&2 != 0}
				if flags>>(3*i)&4 != 0 && lines == 2 {
					l.NoSpeak = []int{2 - i}
				}
				t.Lines = append(t.Lines, l)
			}
			for _, tap := range []struct {
				tap, user int
				reach     conference.Reach
			}{{0, 0, 0}, {0, 8, 0}, {idTap, 0, conference.ReachNobody}, {idTap, 0, conference.ReachPupil}, {idTap, 0, conference.ReachBoth}} {
				t.Tap, t.User, t.Reach = tap.tap, tap.user, tap.reach
				t.Tail, t.TailReach = 0, conference.ReachNobody
				f(t)
				for _, l := range t.Lines {
					for _, reach := range []conference.Reach{conference.ReachNobody, conference.ReachPupil, conference.ReachBoth} {
						if !l.Speak {
							t.Tail, t.TailReach = l.ID, reach
							f(t)
						}
					}
				}
			}
		}
	}
}

// tapWishes calls f with everything that can be desired of a room's lines.
func tapWishes(t conference.Tapped, f func(conference.TapWish)) {
	second := allRoles
	if len(t.Lines) < 2 {
		second = []wire.Role{""}
	}
	for _, r1 := range allRoles {
		for _, r2 := range second {
			for more := range 4 {
				w := conference.TapWish{Roles: map[string]wire.Role{}, Leave: map[string]bool{"s1": more&1 != 0}, Deaf: more&2 != 0}
				for session, role := range map[string]wire.Role{"s1": r1, "s2": r2} {
					if role != "" {
						w.Roles[session] = role
					}
				}
				f(w)
			}
		}
	}
}

// may is the table as the test sees it: the roles that may be acted on, by line.
func may(t conference.Tapped, w conference.TapWish) map[int]wire.Role {
	out := map[int]wire.Role{}
	spoken := false
	for _, l := range t.Lines {
		role := w.Roles[l.Session]
		if role == "" || w.Leave[l.Session] || w.Deaf {
			role = wire.Joining
		}
		if role.Speaks() && (spoken || t.Tap == 0 && t.User == 0 || t.Tap == 0 && role == wire.Coach) {
			role = wire.Monitor
		}
		spoken = spoken || role.Speaks()
		out[l.ID] = role
	}
	return out
}

// heard is one who hears a supervisor.
type heard struct {
	who     conference.Listener
	speaker int
}

func hearing(t conference.Tapped) map[heard]bool {
	out := map[heard]bool{}
	for _, s := range t.Lines {
		for _, l := range t.Listeners(s.ID) {
			if t.Hears(l, s.ID) {
				out[heard{l, s.ID}] = true
			}
		}
	}
	return out
}

func checkTapPlan(t interface{ Fatalf(string, ...any) }, room conference.Tapped, w conference.TapWish) {
	roles := may(room, w)
	before := hearing(room)
	now := room
	reachBefore := room.Reach
	plan := conference.PlanTap(room, w)
	for i, c := range plan {
		if c.Op == conference.Remove {
			for _, l := range now.Lines {
				if l.ID == c.Member && (l.Speak || now.Tail == l.ID) {
					t.Fatalf("%+v, wanted %+v: %v removes a line that speaks", room, w, plan)
				}
			}
		}
		now = c.ApplyTap(now)
		for h := range hearing(now) {
			allowed := conference.Allows(h.who, roles[h.speaker]) && (h.who.Party != conference.Supervisor || roles[h.who.Line] != wire.Joining)
			if !allowed && !before[h] {
				t.Fatalf("%+v, wanted %+v: after %v, which is %d of %v, %v hears line %d", room, w, c, i, plan, h.who, h.speaker)
			}
		}
		for h := range before {
			if !hearing(now)[h] {
				delete(before, h) // what was taken away does not come back
			}
		}
		// What was said to fewer is not heard by more.
		if now.Tail != 0 && now.Reach > reachBefore && (roles[now.Tail] == "" || !roles[now.Tail].Speaks() || now.TailReach < now.Reach) {
			t.Fatalf("%+v, wanted %+v: after %v of %v the tail of line %d is heard", room, w, c, plan, now.Tail)
		}
		reachBefore = now.Reach
		if t := now; t.Tap == 0 && c.Op == conference.SetReach {
			panic("a reach without a tap")
		}
	}
	if again := conference.PlanTap(now, w); len(again) > 0 {
		t.Fatalf("%+v, wanted %+v: after %v there is still %v to do", room, w, plan, again)
	}
	for _, s := range now.Lines {
		for _, l := range now.Listeners(s.ID) {
			want := conference.Allows(l, roles[s.ID])
			switch l.Party {
			case conference.Pupil:
				want = want && now.Tap != 0
			case conference.User:
				want = want && (now.Tap != 0 || now.User != 0)
			case conference.Supervisor:
				want = want && roles[l.Line] != wire.Joining
			}
			if s.Speak && roles[s.ID].Speaks() && now.Hears(l, s.ID) != want {
				t.Fatalf("%+v, wanted %+v: after %v, %v hears line %d: %v", room, w, plan, l, s.ID, !want)
			}
		}
		if s.Speak != roles[s.ID].Speaks() || s.Hear != (roles[s.ID] != wire.Joining) {
			t.Fatalf("%+v, wanted %+v: after %v line %+v is %s", room, w, plan, s, roles[s.ID])
		}
	}
}

// TestTapPlans interrupts every plan for every room with up to two lines after each
// of its commands.
func TestTapPlans(t *testing.T) {
	tappedRooms(func(room conference.Tapped) {
		tapWishes(room, func(w conference.TapWish) { checkTapPlan(t, room, w) })
	})
}

// TestTapPlansOfMany does so for some of the rooms with more.
func TestTapPlansOfMany(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		room := conference.Tapped{Reach: conference.ReachNobody}
		n := rapid.IntRange(1, 5).Draw(t, "lines")
		w := conference.TapWish{Roles: map[string]wire.Role{}, Leave: map[string]bool{}, Deaf: rapid.IntRange(0, 5).Draw(t, "deaf") == 0}
		for i := range n {
			l := conference.Line{ID: i + 1, Session: fmt.Sprintf("s%d", i), Hear: rapid.Bool().Draw(t, "hear"), Speak: rapid.Bool().Draw(t, "speak")}
			for o := 1; o <= n; o++ {
				if o != l.ID && rapid.Bool().Draw(t, "related") {
					l.NoSpeak = append(l.NoSpeak, o)
				}
			}
			room.Lines = append(room.Lines, l)
			if role := rapid.SampledFrom(allRoles).Draw(t, "role"); role != "" {
				w.Roles[l.Session] = role
			}
			w.Leave[l.Session] = rapid.IntRange(0, 4).Draw(t, "leave") == 0
		}
		if rapid.Bool().Draw(t, "tap") {
			room.Tap, room.Reach = idTap, rapid.SampledFrom([]conference.Reach{conference.ReachNobody, conference.ReachPupil, conference.ReachBoth}).Draw(t, "reach")
		} else if rapid.Bool().Draw(t, "user") {
			room.User = 8
		}
		checkTapPlan(t, room, w)
	})
}

// TestTapRoleChanges shows the commands of each change of role.
func TestTapRoleChanges(t *testing.T) {
	for _, tc := range []struct {
		from, to wire.Role
		want     string
	}{
		{wire.Joining, wire.Monitor, "[undeaf 1]"},
		{wire.Monitor, wire.Coach, "[relate 1 2,3 nospeak reach pupil unmute 1]"},
		{wire.Monitor, wire.Barge, "[reach both unmute 1]"},
		{wire.Coach, wire.Barge, "[clear 1 2,3 reach both]"},
		{wire.Barge, wire.Coach, "[reach pupil relate 1 2,3 nospeak]"},
		{wire.Coach, wire.Monitor, "[reach nobody mute 1]"},
		{wire.Barge, wire.Monitor, "[reach nobody mute 1]"},
		{wire.Barge, "", "[reach nobody mute 1 deaf 1 settle remove 1]"},
		{wire.Monitor, "", "[deaf 1 remove 1]"},
	} {
		room := conference.Tapped{Tap: idTap, Lines: []conference.Line{{ID: 1, Session: "s1"}, {ID: 2, Session: "s2"}, {ID: 3, Session: "s3"}}}
		wish := func(role wire.Role) conference.TapWish {
			w := conference.TapWish{Roles: map[string]wire.Role{"s2": wire.Monitor, "s3": wire.Monitor}}
			if role != "" {
				w.Roles["s1"] = role
			}
			return w
		}
		for _, c := range conference.PlanTap(room, wish(tc.from)) {
			room = c.ApplyTap(room)
		}
		got := conference.PlanTap(room, wish(tc.to))
		if fmt.Sprint(got) != tc.want {
			t.Errorf("%s to %q: %v, want %s", tc.from, tc.to, got, tc.want)
		}
		if tc.to != "" && len(got) > 4 {
			t.Errorf("%s to %q takes %d commands", tc.from, tc.to, len(got))
		}
	}
}

// TestTapNextSpeaker keeps the next speaker from being heard by means of a reach
// through which the last one's words would come, too.
func TestTapNextSpeaker(t *testing.T) {
	room := conference.Tapped{Tap: idTap, Reach: conference.ReachPupil, Lines: []conference.Line{
		{ID: 1, Session: "s1", Hear: true, Speak: true, NoSpeak: []int{2}}, {ID: 2, Session: "s2", Hear: true}}}
	got := conference.PlanTap(room, conference.TapWish{Roles: map[string]wire.Role{"s1": wire.Monitor, "s2": wire.Barge}})
	if want := "[reach nobody mute 1 settle reach both unmute 2]"; fmt.Sprint(got) != want {
		t.Errorf("%v, want %s", got, want)
	}
	// The same speaker, who was heard by the agent a moment ago.
	room = conference.Tapped{Tap: idTap, Tail: 1, TailReach: conference.ReachPupil, Lines: []conference.Line{{ID: 1, Session: "s1", Hear: true}}}
	for to, want := range map[wire.Role]string{wire.Coach: "[reach pupil unmute 1]", wire.Barge: "[settle reach both unmute 1]"} {
		if got := conference.PlanTap(room, conference.TapWish{Roles: map[string]wire.Role{"s1": to}}); fmt.Sprint(got) != want {
			t.Errorf("%s: %v, want %s", to, got, want)
		}
	}
}

func TestTapLines(t *testing.T) {
	pupil, err := fsapi.ParseChannel("pupil-1")
	if err != nil {
		t.Fatal(err)
	}
	room, err := fsapi.ParseRoom("lm-1")
	if err != nil {
		t.Fatal(err)
	}
	tap := fsapi.NewChannel()
	got := conference.TapLine(tap, pupil, room, fsapi.Name("livemon"), fsapi.Set{Name: fsapi.Name("livemon_mark"), Value: fsapi.Const("x.y")}).String()
	want := "originate {origination_uuid=" + tap.String() + ",origination_caller_id_name=livemon,eavesdrop_enable_dtmf=true," +
		"loopback_bowout=false,loopback_bowout_on_execute=false,eavesdrop_bridge_aleg=false,eavesdrop_bridge_bleg=false," +
		"eavesdrop_whisper_aleg=false,eavesdrop_whisper_bleg=false,eavesdrop_concat_video=false," +
		"eavesdrop_indicate_failed=silence_stream://20,eavesdrop_indicate_new=silence_stream://20,eavesdrop_indicate_idle=silence_stream://20," +
		"livemon_mark=x.y}loopback/app=eavesdrop:pupil-1 'conference:lm-1@livemon+flags{skip-dtmf}' inline"
	if got != want {
		t.Errorf("%s\nwant %s", got, want)
	}
	var lines []string
	for _, r := range []conference.Reach{conference.ReachNobody, conference.ReachPupil, conference.ReachBoth} {
		lines = append(lines, r.Line(pupil).String())
	}
	if want := []string{"uuid_recv_dtmf pupil-1 0", "uuid_recv_dtmf pupil-1 2", "uuid_recv_dtmf pupil-1 3"}; !slices.Equal(lines, want) {
		t.Errorf("%q, want %q", lines, want)
	}
	if !(conference.TapLine(fsapi.Channel{}, pupil, room, fsapi.Name("livemon"))).IsZero() || !(conference.TapLine(tap, fsapi.Channel{}, room, fsapi.Name("livemon"))).IsZero() {
		t.Error("a line was made of a channel that nobody has checked")
	}
}
