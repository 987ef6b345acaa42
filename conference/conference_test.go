package conference_test

import (
	"fmt"
	"slices"
	"testing"

	"livemon/conference"
	"livemon/internal/fsapi"
	"livemon/internal/wire"
)

const (
	idUser = iota + 1
	idPupil
	idS1
	idS2
	idOther
)

var allRoles = []wire.Role{"", wire.Joining, wire.Monitor, wire.Coach, wire.Barge, wire.TakeOver}

// flags is everything that a supervisor's membership can be: deaf or not, mute
// or not, and closed by relation or not towards each of the others.
type flags struct {
	hear, speak bool
	closed      int // bit i: no relation-free way to the i-th other member
	whispers    bool
}

func supervisorFlags() []flags {
	var out []flags
	for i := range 4 * 16 {
		out = append(out, flags{hear: i&1 != 0, speak: i&2 != 0, closed: i >> 2})
	}
	for i := range 8 {
		out = append(out, flags{hear: i&1 != 0, speak: i&2 != 0, closed: i >> 2 * 15, whispers: true})
	}
	return out
}

func supervisor(id int, session string, f flags, others []int) conference.Member {
	m := conference.Member{ID: id, Channel: fmt.Sprint("chan-", id), Party: conference.Supervisor, Session: session, Hear: f.hear, Speak: f.speak, Whispers: f.whispers}
	for i, o := range others {
		if f.closed&(1<<i) != 0 {
			m.NoSpeak = append(m.NoSpeak, o)
		}
	}
	return m
}

// rooms calls f with every room there is: our own and the shop's, locked or not,
// with and without pupil, user, a third party and a second supervisor, in every
// combination of flags and relations (of the second supervisor: a few).
func rooms(t *testing.T, f func(*testing.T, conference.Room)) {
	for mask := range 16 { // user, pupil, second supervisor, other
		t.Run(fmt.Sprintf("members=%04b", mask), func(t *testing.T) {
			t.Parallel()
			roomsOf(mask, func(r conference.Room) { f(t, r) })
		})
	}
}

func roomsOf(mask int, f func(conference.Room)) {
	for _, f1 := range supervisorFlags() {
		if mask&4 != 0 && f1.closed%5 != 0 {
			continue // with a second supervisor a few of his relations are enough
		}
		second := []flags{{}}
		if mask&4 != 0 {
			second = []flags{{}, {hear: true, closed: 15}, {hear: true, speak: true}, {hear: true, speak: true, closed: 5}, {speak: true, closed: 9}, {hear: true, whispers: true, closed: 15}}
		}
		for _, f2 := range second {
			for _, kind := range []struct{ ours, locked bool }{{true, false}, {true, true}, {false, false}} {
				r := conference.Room{Name: "lm-1", Ours: kind.ours, Locked: kind.locked}
				if mask&1 != 0 {
					r.Members = append(r.Members, conference.Member{ID: idUser, Party: conference.User, Hear: true, Speak: true})
				}
				if mask&2 != 0 {
					r.Members = append(r.Members, conference.Member{ID: idPupil, Party: conference.Pupil, Hear: true, Speak: true})
				}
				r.Members = append(r.Members, supervisor(idS1, "s1", f1, []int{idUser, idPupil, idS2, idOther}))
				if mask&4 != 0 {
					r.Members = append(r.Members, supervisor(idS2, "s2", f2, []int{idUser, idPupil, idS1, idOther}))
				}
				if mask&8 != 0 {
					r.Members = append(r.Members, conference.Member{ID: idOther, Party: conference.Other, Hear: true, Speak: true})
				}
				f(r)
			}
		}
	}
}

// wishes calls f with everything that can be desired of a room's supervisors.
func wishes(r conference.Room, f func(conference.Desired)) {
	second, leaves := allRoles, 4
	if _, ok := r.BySession("s2"); !ok {
		second, leaves = []wire.Role{""}, 2
	}
	for _, r1 := range allRoles {
		for _, r2 := range second {
			for leave := range leaves {
				d := conference.Desired{Roles: map[string]wire.Role{}, Leave: map[string]bool{"s1": leave&1 != 0, "s2": leave&2 != 0}}
				if r1 != "" {
					d.Roles["s1"] = r1
				}
				if r2 != "" {
					d.Roles["s2"] = r2
				}
				f(d)
			}
		}
	}
}

// allowed is the table as the test sees it: the roles that may be acted on.
func allowed(r conference.Room, d conference.Desired) map[string]wire.Role {
	out := map[string]wire.Role{}
	spoken := false
	for _, m := range r.Members {
		if m.Party != conference.Supervisor {
			continue
		}
		role := d.Roles[m.Session]
		if role == "" || d.Leave[m.Session] {
			role = wire.Joining
		}
		if role.Speaks() {
			if spoken {
				role = wire.Monitor
			}
			spoken = true
		}
		out[m.Session] = role
	}
	return out
}

// TestNobodyIsHeardWhoShouldNotBe interrupts every plan for every room and every
// wish after every command.
func TestNobodyIsHeardWhoShouldNotBe(t *testing.T) {
	rooms(t, func(t *testing.T, r conference.Room) {
		wishes(r, func(d conference.Desired) {
			was := conference.Violations(r, allowed(r, d))
			room := r
			for i, c := range conference.Plan(r, d) {
				if c.Op == conference.Remove {
					if m, _ := room.Member(c.Member); m.Party == conference.Supervisor && m.Speak {
						t.Fatalf("%+v\n%+v: %s removes a supervisor who is not muted", r, d, c)
					}
				}
				if c.Op == conference.Unmute {
					if m, _ := room.Member(c.Member); d.Roles[m.Session] == wire.Coach {
						t.Fatalf("%+v\n%+v: %s puts a coach into the mix", r, d, c)
					}
				}
				room = c.Apply(room)
				now := conference.Violations(room, allowed(r, d))
				for _, v := range now {
					if !slices.Contains(was, v) {
						t.Fatalf("%+v\n%+v: after command %d, %s: %d hears %d", r, d, i, c, v.Listener, v.Speaker)
					}
				}
				was = now
			}
			if len(was) > 0 {
				t.Fatalf("%+v\n%+v: at the end %v is still heard", r, d, was)
			}
		})
	})
}

// TestPlansEnd runs plan after plan until nothing is left to do and compares
// the room with the table.
func TestPlansEnd(t *testing.T) {
	rooms(t, func(t *testing.T, r conference.Room) {
		wishes(r, func(d conference.Desired) {
			room, had := r, r
			for n := 0; ; n++ {
				plan := conference.Plan(room, d)
				if len(plan) == 0 {
					break
				}
				if n > 3 {
					t.Fatalf("%+v\n%+v: still %v", r, d, plan)
				}
				for _, c := range plan {
					room = c.Apply(room)
				}
			}
			roles := allowed(had, d)
			if v := conference.Violations(room, roles); len(v) > 0 {
				t.Fatalf("%+v\n%+v: %v", r, d, v)
			}
			if m := conference.Missing(room, roles); len(m) > 0 {
				t.Fatalf("%+v\n%+v: %v should be heard", r, d, m)
			}
			for _, m := range room.Members {
				if m.Party == conference.Supervisor && (d.Roles[m.Session] == "" || d.Leave[m.Session]) {
					t.Fatalf("%+v\n%+v: %d has not left", r, d, m.ID)
				}
			}
			_, pupilWas := r.Of(conference.Pupil)
			_, pupil := room.Of(conference.Pupil)
			user, userIs := room.Of(conference.User)
			taker := conference.Member{}
			for _, s := range []string{"s1", "s2"} {
				if m, ok := room.BySession(s); ok && d.Roles[s] == wire.TakeOver && roles[s] == wire.TakeOver {
					taker = m
				}
			}
			third, thirdIs := room.Of(conference.Other)
			heard := userIs && conference.Hears(user, taker) || thirdIs && !r.Ours && conference.Hears(third, taker)
			if want := pupilWas && !(taker.ID != 0 && heard); pupil != want {
				t.Fatalf("%+v\n%+v: pupil in the room: %v, want %v", r, d, pupil, want)
			}
		})
	})
}

// TestJoinsAndLeavesInMidPlan lets somebody join or leave after every command
// of every plan; the next plan must put it right and leak nothing new.
func TestJoinsAndLeavesInMidPlan(t *testing.T) {
	newcomer := conference.Member{ID: 9, Party: conference.Other, Hear: true, Speak: true}
	rooms(t, func(t *testing.T, r conference.Room) {
		if r.Ours != r.Locked || len(r.Members) > 4 {
			return // half of the rooms is enough here
		}
		for _, role := range []wire.Role{wire.Monitor, wire.Coach, wire.Barge, wire.TakeOver} {
			d := conference.Desired{Roles: map[string]wire.Role{"s1": role, "s2": wire.Monitor}}
			plan := conference.Plan(r, d)
			for i := range plan {
				room := r
				for _, c := range plan[:i+1] {
					room = c.Apply(room)
				}
				events := []func(conference.Room) conference.Room{}
				if !room.Locked {
					events = append(events, func(r conference.Room) conference.Room {
						r.Members = append(slices.Clone(r.Members), newcomer)
						return r
					})
				}
				for _, m := range room.Members {
					events = append(events, func(r conference.Room) conference.Room {
						return conference.Command{Op: conference.Remove, Member: m.ID}.Apply(r)
					})
				}
				for _, e := range events {
					after := e(room)
					was := conference.Violations(after, allowed(after, d))
					for _, c := range conference.Plan(after, d) {
						after = c.Apply(after)
						now := conference.Violations(after, allowed(after, d))
						for _, v := range now {
							if !slices.Contains(was, v) {
								t.Fatalf("%+v\n%s: %v new after %s", r, role, v, c)
							}
						}
						was = now
					}
					if len(was) > 0 {
						t.Fatalf("%+v\n%s: %v", r, role, was)
					}
				}
			}
		}
	})
}

func TestPlansAreShort(t *testing.T) {
	// as is the usual room, ours or the shop's, as it is when its supervisor has a
	// role; "" is that he has just come, before anybody has any relation.
	as := func(role wire.Role, ours bool) conference.Room {
		r := conference.Room{Name: "lm-1", Ours: ours, Locked: ours, Members: []conference.Member{
			{ID: idUser, Party: conference.User, Hear: true, Speak: true},
			{ID: idPupil, Party: conference.Pupil, Hear: true, Speak: true},
			{ID: idS1, Party: conference.Supervisor, Session: "s1"}}}
		for role != "" {
			plan := conference.Plan(r, conference.Desired{Roles: map[string]wire.Role{"s1": role}})
			if len(plan) == 0 {
				break
			}
			for _, c := range plan {
				r = c.Apply(r)
			}
		}
		return r
	}
	for _, tc := range []struct {
		name     string
		ours     bool
		from, to wire.Role
		want     string
	}{
		{"the first one joins", true, "", wire.Monitor, "[relate 3 1,2 nospeak undeaf 3]"},
		{"monitor to coach", true, wire.Monitor, wire.Coach, "[whisper 3]"},
		{"coach to barge", true, wire.Coach, wire.Barge, "[hush 3 clear 3 1,2 unmute 3]"},
		{"barge to coach", true, wire.Barge, wire.Coach, "[relate 3 1,2 nospeak mute 3 whisper 3]"},
		{"barge to monitor", true, wire.Barge, wire.Monitor, "[relate 3 1,2 nospeak mute 3]"},
		{"coach to monitor", true, wire.Coach, wire.Monitor, "[hush 3]"},
		{"monitor to barge", true, wire.Monitor, wire.Barge, "[clear 3 1,2 unmute 3]"},
		{"take-over: barge first", true, wire.Coach, wire.TakeOver, "[hush 3 clear 3 1,2 unmute 3]"},
		{"take-over once heard", true, wire.Barge, wire.TakeOver, "[remove 2]"},
		{"nothing to do", true, wire.Coach, wire.Coach, "[]"},
		{"nobody wants him", true, wire.Barge, "", "[relate 3 1,2 nospeak mute 3 deaf 3 settle remove 3]"},

		{"shop: joins", false, "", wire.Monitor, "[relate 3 1,2 nospeak undeaf 3]"},
		{"shop: monitor to coach", false, wire.Monitor, wire.Coach, "[whisper 3]"},
		{"shop: coach to barge", false, wire.Coach, wire.Barge, "[hush 3 clear 3 1,2 unmute 3]"},
		{"shop: barge to coach", false, wire.Barge, wire.Coach, "[relate 3 1,2 nospeak mute 3 whisper 3]"},
		{"shop: coach to monitor", false, wire.Coach, wire.Monitor, "[hush 3]"},
		{"shop: nothing to do", false, wire.Coach, wire.Coach, "[]"},
		{"shop: take-over", false, wire.Coach, wire.TakeOver, "[hush 3 clear 3 1,2 unmute 3]"},
		{"shop: nobody wants him", false, wire.Coach, "", "[hush 3 deaf 3 settle remove 3]"},
	} {
		d := conference.Desired{Roles: map[string]wire.Role{"s1": tc.to}}
		if tc.to == "" {
			d = conference.Desired{}
		}
		if got := fmt.Sprint(conference.Plan(as(tc.from, tc.ours), d)); got != tc.want {
			t.Errorf("%s: %s, want %s", tc.name, got, tc.want)
		}
	}
	// Whoever comes while somebody coaches is kept from him, though he is mute.
	r := as(wire.Coach, true)
	r.Members = append(r.Members, conference.Member{ID: idS2, Party: conference.Supervisor, Session: "s2"})
	got := fmt.Sprint(conference.Plan(r, conference.Desired{Roles: map[string]wire.Role{"s1": wire.Coach, "s2": wire.Monitor}}))
	if want := "[relate 3 4 nospeak relate 4 1,2,3 nospeak undeaf 4]"; got != want {
		t.Errorf("a second one: %s, want %s", got, want)
	}
}

func TestTable(t *testing.T) {
	user := conference.Member{ID: 1, Party: conference.User}
	pupil := conference.Member{ID: 2, Party: conference.Pupil}
	s := conference.Member{ID: 3, Party: conference.Supervisor, Session: "s"}
	s2 := conference.Member{ID: 4, Party: conference.Supervisor, Session: "s2"}
	for _, tc := range []struct {
		role                         wire.Role
		byPupil, byUser, byS2, hears bool
	}{
		{wire.Joining, false, false, false, false},
		{wire.Monitor, false, false, false, true},
		{wire.Coach, true, false, false, true},
		{wire.Barge, true, true, true, true},
		{wire.TakeOver, true, true, true, true},
	} {
		roles := map[string]wire.Role{"s": tc.role, "s2": wire.Monitor}
		for _, c := range []struct {
			l, s conference.Member
			want bool
		}{{pupil, s, tc.byPupil}, {user, s, tc.byUser}, {s2, s, tc.byS2}, {s, pupil, tc.hears}, {s, user, tc.hears}, {user, pupil, true}, {pupil, user, true}, {s2, user, true}, {s, s2, false}} {
			if got := conference.Allowed(c.l, c.s, roles); got != c.want {
				t.Errorf("%s: %s hears %s: %v", tc.role, c.l.Party, c.s.Party, got)
			}
		}
	}
}

func TestCommandLines(t *testing.T) {
	room, err := fsapi.ParseRoom("lm-1")
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		c           conference.Command
		line, reply string
		done        bool
	}{
		{conference.Command{Op: conference.Lock}, "conference lm-1 lock", "+OK lm-1 locked", true},
		{conference.Command{Op: conference.Mute, Member: 7}, "conference lm-1 mute 7 quiet", "+OK mute 7", true},
		{conference.Command{Op: conference.Mute, Member: 7}, "conference lm-1 mute 7 quiet", "-ERR Non-Existant ID 7", false},
		{conference.Command{Op: conference.Relate, Member: 7, Others: []int{8, 9}, NoSpeak: true}, "conference lm-1 relate 7 8,9 nospeak", "+OK 7->8 nospeak set\n+OK 7->9 nospeak set", true},
		{conference.Command{Op: conference.Relate, Member: 7, Others: []int{8, 9}, NoSpeak: true}, "conference lm-1 relate 7 8,9 nospeak", "+OK 7->8 nospeak set\n-ERR relationship 7->9 not found.", false},
		{conference.Command{Op: conference.Relate, Member: 8, Others: []int{7}, NoSpeak: true, NoHear: true}, "conference lm-1 relate 8 7 nospeak,nohear", "+OK 8->7 nospeak,nohear set", true},
		{conference.Command{Op: conference.Relate, Member: 8, Others: []int{7}, NoHear: true}, "conference lm-1 relate 8 7 nohear", "+OK 8->7 nohear set", true},
		{conference.Command{Op: conference.Clear, Member: 7, Others: []int{8}}, "conference lm-1 relate 7 8 clear", "+OK relationship 7->8 cleared.", true},
		{conference.Command{Op: conference.Remove, Member: 7}, "conference lm-1 kick 7", "+OK kicked 7", true},
		{conference.Command{Op: conference.Settle}, "", "", true},
	} {
		if got := tc.c.Line(room).String(); got != tc.line {
			t.Errorf("%s: %q, want %q", tc.c, got, tc.line)
		}
		if got := tc.c.Done(tc.reply); got != tc.done {
			t.Errorf("%s: done after %q: %v", tc.c, tc.reply, got)
		}
	}
}
