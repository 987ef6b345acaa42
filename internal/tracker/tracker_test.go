package tracker_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"livemon/internal/seal"
	"livemon/internal/tracker"
	"livemon/internal/wire"
)

// outside brings a call from outside to an agent's telephone.
func (w *world) outside(user, agent string) (u, a *channel) {
	w.t.Helper()
	u = w.create("u-"+user, tracker.Inbound, "", user, "600")
	a = w.create("a-"+agent, tracker.Outbound, ext(agent), agent, user)
	w.answer(a)
	w.answer(u)
	w.bridge(u, a)
	return u, a
}

func TestStatesOfAnExtension(t *testing.T) {
	w := newWorld(t, "1001")
	me := ext("1001")
	w.is(me, "idle", "")
	u := w.create("u", tracker.Inbound, "", "555", "600")
	w.is(me, "idle", "")
	a := w.create("a", tracker.Outbound, me, "1001", "555")
	w.is(me, "ringing", "555")
	w.answer(a)
	w.is(me, "on-call", "555")
	w.bridge(u, a)
	c := w.on(me, "u", "")
	if c.Direction != tracker.Inbound || c.Pupil != "a" || c.UserNumber != "555" || c.Node != "node1" {
		t.Errorf("%+v", c)
	}
	since, _ := w.tr.Agent(me)
	w.hold(a, true)
	w.is(me, "on-hold", "555")
	if got, _ := w.tr.Agent(me); !got.Since.Equal(w.now) {
		t.Errorf("on hold since %v, not %v", got.Since, w.now)
	}
	if c := w.on(me, "u", ""); !c.OnHold {
		t.Error("the call is not on hold")
	}
	w.hold(a, false)
	w.hold(u, true)
	w.is(me, "on-hold", "555")
	w.hold(u, false)
	w.is(me, "on-call", "555")
	if got, _ := w.tr.Agent(me); !got.Since.After(since.Since) {
		t.Error("back on the call since before the hold")
	}
	w.hangup(a)
	w.is(me, "idle", "")
	if len(w.tr.Calls()) != 0 || w.tr.Legs() != 1 {
		t.Error(w.tr.Calls(), w.tr.Legs())
	}
}

func TestAgentDials(t *testing.T) {
	w := newWorld(t, "1001")
	a := w.create("a", tracker.Inbound, ext("1001"), "1001", "0044555")
	w.is(ext("1001"), "ringing", "0044555")
	b := w.create("b", tracker.Outbound, ext("1001"), "44555", "1001", "sip_gateway_name", "carrier")
	w.bridge(a, b)
	w.is(ext("1001"), "on-call", "44555")
	if c := w.on(ext("1001"), "b", ""); c.Direction != tracker.Outbound {
		t.Errorf("%+v", c)
	}
}

func TestTwoExtensionsAreBothAgents(t *testing.T) {
	w := newWorld(t, "1001", "1002")
	a := w.create("a", tracker.Inbound, ext("1001"), "1001", "1002")
	b := w.create("b", tracker.Outbound, ext("1002"), "1002", "1001")
	w.bridge(a, b)
	x, y := w.on(ext("1001"), "b", ""), w.on(ext("1002"), "a", "")
	if x.ID != y.ID || x.Direction != tracker.Outbound || y.Direction != tracker.Inbound || x.UserNumber != "1002" || y.UserNumber != "1001" {
		t.Errorf("%+v\n%+v", x, y)
	}
	w.hangup(b)
	if slices.Contains(w.last.RemovedCalls, x.ID) {
		t.Error("the call was removed although one agent is still on it")
	}
	w.on(ext("1001"), "", "")
	w.hangup(a)
	if w.mirror.calls[[2]string{x.ID, ext("1001")}] != (tracker.Call{}) {
		t.Error("the call stayed")
	}
}

func TestMoveIntoOurRoomAndBack(t *testing.T) {
	for _, pupilFirst := range []bool{true, false} {
		w := newWorld(t, "1001")
		me := ext("1001")
		u, a := w.outside("555", "1001")
		before, _ := w.tr.Agent(me)
		call := w.on(me, "u-555", "")
		first, second := u, a
		if pupilFirst {
			first, second = a, u
		}
		steady := func(room string) {
			t.Helper()
			if now, _ := w.tr.Agent(me); now.State != before.State || !now.Since.Equal(before.Since) || now.Call != before.Call {
				t.Fatalf("%+v became %+v", before, now)
			}
			c := w.on(me, "u-555", room)
			if c.ID != call.ID || !c.Since.Equal(call.Since) {
				t.Fatalf("%+v became %+v", call, c)
			}
		}
		w.part(u)
		steady("")
		w.join("lm-1", first)
		w.join("lm-1", second)
		steady("lm-1")
		s := w.create("s", tracker.Outbound, ext("1009"), "1009", "livemon", seal.Variable, "session=s1")
		w.join("lm-1", s)
		steady("lm-1")
		if got := len(w.tr.RoomMembers("lm-1")); got != 3 {
			t.Fatal(got, "members")
		}
		w.load()
		steady("lm-1")
		w.hangup(s)
		w.leave(u)
		w.leave(a)
		steady("")
		w.bridge(u, a)
		steady("")
		if len(w.tr.RoomMembers("lm-1")) != 0 {
			t.Error("the room is not empty")
		}
	}
}

func TestPupilDisconnectedInOurRoom(t *testing.T) {
	w := newWorld(t, "1001")
	u, a := w.outside("555", "1001")
	call := w.on(ext("1001"), "u-555", "")
	w.join("lm-1", u, a)
	w.hangup(a)
	w.is(ext("1001"), "idle", "")
	if _, ok := w.tr.CallOf(ext("1001")); ok || len(w.mirror.calls) != 0 && w.mirror.calls[[2]string{call.ID, ext("1001")}] != (tracker.Call{}) {
		t.Error("the call stayed")
	}
	if _, ok := w.tr.Leg("u-555"); !ok {
		t.Error("the user's leg is gone")
	}
}

func TestUserHangsUpInOurRoom(t *testing.T) {
	w := newWorld(t, "1001")
	u, a := w.outside("555", "1001")
	id := w.on(ext("1001"), "u-555", "").ID
	w.join("lm-1", u, a)
	w.hangup(u)
	if c := w.on(ext("1001"), "", "lm-1"); c.ID != id || c.UserNumber != "555" {
		t.Errorf("%+v", c)
	}
	w.is(ext("1001"), "on-call", "555")
}

func TestShopConference(t *testing.T) {
	w := newWorld(t, "1001")
	me := ext("1001")
	u, a := w.outside("555", "1001")
	plain := w.on(me, "u-555", "")
	w.join("sales", u, a)
	w.is(me, "in-conference", "555")
	c := w.on(me, "", "sales")
	if c.ID == plain.ID || !slices.Contains(w.mirrorIDs(), c.ID) {
		t.Errorf("%+v", c)
	}
	w.load()
	if got := w.on(me, "", "sales"); got != c {
		t.Errorf("%+v became %+v", c, got)
	}
	w.bridge(u, a)
	w.is(me, "on-call", "555")
	if got := w.on(me, "u-555", ""); got.ID != plain.ID {
		t.Errorf("%+v came back as %+v", plain, got)
	}
	w.join("sales", a)
	w.send("CUSTOM", nil, "Event-Subclass", "conference::maintenance", "Action", "conference-destroy", "Conference-Name", "sales")
	w.is(me, "on-call", "555")
}

func (w *world) mirrorIDs() (ids []string) {
	for k := range w.mirror.calls {
		ids = append(ids, k[0])
	}
	return ids
}

func TestOptionsSayWhatIsOurs(t *testing.T) {
	tr := tracker.New("n", tracker.Options{
		OurRoom:         func(room string) bool { return room == "ours" },
		IsSupervisorLeg: func(l tracker.Leg) bool { return l.Number == "1009" },
	})
	tr.SetUser(ext("1001"), true)
	tr.SetUser(ext("1009"), true)
	m := newModel()
	m.handle = func(e *event) { tr.Apply(e) }
	m.join("lm-1", m.create("a", tracker.Inbound, ext("1001"), "1001", "1"))
	m.join("ours", m.create("s", tracker.Inbound, ext("1009"), "1009", "1"))
	if a, _ := tr.Agent(ext("1001")); a.State != wire.InConference {
		t.Error(a)
	}
	if a, _ := tr.Agent(ext("1009")); a.State != wire.Idle {
		t.Error(a)
	}
}

func TestBlindTransferByThePupil(t *testing.T) {
	w := newWorld(t, "1001", "1002")
	u, a := w.outside("555", "1001")
	call := w.on(ext("1001"), "u-555", "")
	w.part(u)
	w.hangup(a)
	b := w.create("b", tracker.Outbound, ext("1002"), "1002", "555")
	w.bridge(u, b)
	w.is(ext("1001"), "idle", "")
	if c := w.on(ext("1002"), "u-555", ""); c.ID == call.ID {
		t.Error("a new partner is the same call")
	}
}

func TestConsultationAndAttendedTransfer(t *testing.T) {
	w := newWorld(t, "1001", "1002")
	me := ext("1001")
	u, a := w.outside("555", "1001")
	call := w.on(me, "u-555", "")
	w.hold(a, true)
	a2 := w.create("a2", tracker.Inbound, me, "1001", "1002")
	w.is(me, "on-hold", "555")
	c := w.create("c", tracker.Outbound, ext("1002"), "1002", "1001")
	w.bridge(a2, c)
	w.is(me, "on-call", "1002")
	if got := w.on(me, "c", ""); got.ID == call.ID {
		t.Error("the consultation is the held call")
	}
	if !slices.Contains(w.mirrorIDs(), call.ID) {
		t.Error("the held call was removed")
	}
	w.part(a)
	w.part(a2)
	w.bridge(u, c)
	w.hangup(a)
	w.hangup(a2)
	w.is(me, "idle", "")
	w.is(ext("1002"), "on-call", "555")
	w.on(ext("1002"), "u-555", "")
}

func TestConsultationGivenUp(t *testing.T) {
	w := newWorld(t, "1001")
	me := ext("1001")
	_, a := w.outside("555", "1001")
	call := w.on(me, "u-555", "")
	w.hold(a, true)
	a2 := w.create("a2", tracker.Inbound, me, "1001", "777")
	w.answer(a2)
	w.is(me, "on-call", "777")
	w.hangup(a2)
	w.is(me, "on-hold", "555")
	if w.on(me, "u-555", "").ID != call.ID {
		t.Error("another call")
	}
}

func TestSupervisorsAreNeitherAgentsNorUsers(t *testing.T) {
	w := newWorld(t, "1001", "1009")
	u, a := w.outside("555", "1001")
	s := w.create("s", tracker.Outbound, ext("1009"), "1009", "0", seal.Variable, "session=abc")
	w.answer(s)
	w.is(ext("1009"), "idle", "")
	if got := w.tr.MarkedLegs(); len(got) != 1 || got[0].Channel != "s" || got[0].Mark.Session != "abc" {
		t.Error(got)
	}
	w.join("lm-1", u, a, s)
	w.hangup(a)
	w.bridge(u, s)
	w.is(ext("1009"), "idle", "")
	w.load()
	w.is(ext("1009"), "idle", "")

	// One who dials in is marked when he is already on the line.
	d := w.create("d", tracker.Inbound, ext("1009"), "1009", "*77")
	w.answer(d)
	w.is(ext("1009"), "on-call", "*77")
	d.vars[seal.Variable] = "session=def"
	w.send("CHANNEL_PARK", d)
	w.is(ext("1009"), "idle", "")
}

func TestUnknownPresence(t *testing.T) {
	w := newWorld(t)
	in := w.create("x", tracker.Outbound, "bob@Example.COM", "bob", "600")
	if _, ok := w.tr.Agent("bob@example.com"); ok {
		t.Fatal("an agent before anybody knows him")
	}
	if got := w.tr.UnknownPresence(); !slices.Equal(got, []string{"bob@example.com"}) {
		t.Fatal(got)
	}
	if got := w.tr.UnknownPresence(); len(got) != 0 {
		t.Fatal("asked twice:", got)
	}
	w.took(w.tr.SetUser("bob@example.com", true))
	w.is("bob@example.com", "ringing", "600")
	w.took(w.tr.SetUser("bob@example.com", false))
	if len(w.tr.Agents()) != 0 {
		t.Fatal(w.tr.Agents())
	}
	w.hangup(in)
	w.create("y", tracker.Outbound, "bob@example.com", "bob", "600")
	if got := w.tr.UnknownPresence(); len(got) != 0 {
		t.Fatal("asked again about a stranger:", got)
	}
	// Somebody made him a user: his registration says so.
	w.send("CUSTOM", nil, "Event-Subclass", "sofia::register", "from-user", "bob", "from-host", "example.com", "call-id", "r1", "expires", "60")
	if _, ok := w.tr.Agent("bob@example.com"); !ok {
		t.Fatal("a registered user is no agent")
	}
	for _, hostile := range []string{"a b@example.com", "a@b@c", "@x", "x@", "a\n@b", "a'@b", strings.Repeat("x", 200) + "@y"} {
		w.create("h-"+string(rune('0'+len(hostile)%10)), tracker.Outbound, hostile, "1", "2")
		if got := w.tr.UnknownPresence(); len(got) != 0 {
			t.Errorf("asks about %q", got)
		}
	}
}

func TestConfirmedUsersAreAskedAboutAgain(t *testing.T) {
	w := newWorld(t, "1001")
	w.took(w.tr.SetUser(ext("2001"), true))
	w.load()
	if got := w.tr.UnknownPresence(); !slices.Equal(got, []string{ext("2001")}) {
		t.Fatal(got)
	}
	w.is(ext("2001"), "idle", "")
	w.took(w.tr.SetUser(ext("2001"), false))
	if _, ok := w.tr.Agent(ext("2001")); ok {
		t.Error("still there")
	}
}

func TestRegistrations(t *testing.T) {
	w := newWorld(t, "1001", "1002")
	reg := func(sub, id string) {
		w.send("CUSTOM", nil, "Event-Subclass", "sofia::"+sub, "from-user", "1001", "from-host", domain, "user", "1001", "host", domain, "call-id", id, "expires", "60")
	}
	reg("register", "r1")
	reg("register", "r1")
	reg("register", "r2")
	w.is(ext("1001"), "idle", "")
	reg("unregister", "r1")
	w.is(ext("1001"), "idle", "")
	reg("expire", "r2")
	w.is(ext("1001"), "logged-out", "")
	w.is(ext("1002"), "idle", "") // never seen registered: it may have a fixed contact
	a := w.create("a", tracker.Inbound, ext("1001"), "1001", "5")
	w.is(ext("1001"), "ringing", "5")
	w.hangup(a)
	w.is(ext("1001"), "logged-out", "")
	reg("register", "r3")
	w.is(ext("1001"), "idle", "")
	w.took(w.tr.Tick(w.now.Add(time.Minute)))
	w.is(ext("1001"), "idle", "")
	w.took(w.tr.Tick(w.now.Add(time.Hour)))
	w.is(ext("1001"), "logged-out", "")
	w.regs = `{"row_count":1,"rows":[{"reg_user":"1002","realm":"example.com","token":"t","url":"sip:x","expires":"1795360000"}]}`
	w.load()
	w.regs = `{"row_count": 0}`
	w.load()
	w.is(ext("1002"), "logged-out", "")
}

func TestFindAgent(t *testing.T) {
	w := newWorld(t, "1001", "1002", "1003")
	w.agents = agentColumns + agentRow("alice", "user/1001@example.com", "Available", 0, 0) +
		agentRow("day", "user/1003@example.com", "Logged Out", 0, 0) + agentRow("night", "user/1003@example.com", "Available", 0, 0)
	w.load()
	w.took(w.tr.SetUser("1002@other.example", true))
	for in, want := range map[string]string{
		"alice": "alice", "1001@example.com": "alice", "1001@EXAMPLE.com": "alice", "1001": "alice", "1002@example.com": "1002@example.com",
		"1003@example.com": "night",
	} {
		if got, err := w.tr.FindAgent(in); got != want || err != nil {
			t.Errorf("%s: %q, %v", in, got, err)
		}
	}
	for in, want := range map[string]error{
		"1002": tracker.ErrAmbiguous, "1003": tracker.ErrAmbiguous, "": tracker.ErrUnknown, "bob": tracker.ErrUnknown,
		"1009@example.com": tracker.ErrUnknown, "@example.com": tracker.ErrUnknown, "a@b@c": tracker.ErrUnknown,
	} {
		if got, err := w.tr.FindAgent(in); !errors.Is(err, want) {
			t.Errorf("%s: %q, %v", in, got, err)
		}
	}
}

func TestMissedCreationAndUnknownHangup(t *testing.T) {
	w := newWorld(t, "1001")
	u := &channel{id: "u", dir: tracker.Inbound, number: "555", dest: "600", answered: true}
	a := &channel{id: "a", dir: tracker.Outbound, presence: ext("1001"), number: "1001", dest: "555", answered: true}
	w.channels["u"], w.channels["a"] = u, a
	w.bridge(u, a) // only u's own events are seen
	w.hold(a, true)
	w.is(ext("1001"), "on-hold", "555")
	w.on(ext("1001"), "u", "")
	w.hangup(&channel{id: "stranger"})
	if !w.last.Empty() || w.tr.Legs() != 2 {
		t.Error(w.last, w.tr.Legs())
	}
	// Nothing that arrives late brings a channel back, except its being made anew.
	w.hangup(a)
	w.send("CUSTOM", a, "Event-Subclass", "conference::maintenance", "Action", "floor-change", "Conference-Name", "x")
	w.send("CHANNEL_BRIDGE", u, "Bridge-A-Unique-ID", "u", "Bridge-B-Unique-ID", "a")
	w.is(ext("1001"), "idle", "")
	w.create("a", tracker.Outbound, ext("1001"), "1001", "555")
	w.is(ext("1001"), "ringing", "555")
}

// A leg that was moved has its numbers swapped, and a pair whose bridge was
// missed is known by meeting in a room of ours.
func TestLegsFirstSeenInOurRoom(t *testing.T) {
	w := newWorld(t, "1001")
	add := []string{"Event-Subclass", "conference::maintenance", "Action", "add-member", "Conference-Name", "lm-1", "Member-ID", "1"}
	u := &channel{id: "u", dir: tracker.Inbound, number: "555", dest: "conference:lm-1@livemon", answered: true}
	a := &channel{id: "a", dir: tracker.Outbound, presence: ext("1001"), number: "1001", dest: "555", answered: true}
	s := &channel{id: "s", dir: tracker.Outbound, number: "1009", answered: true, vars: map[string]string{seal.Variable: "session=x"}}
	w.send("CUSTOM", s, add...)
	w.send("CUSTOM", a, append(add, "Channel-HIT-Dialplan", "true",
		"Caller-Caller-ID-Number", "1001", "Caller-Callee-ID-Number", "555", "Caller-Destination-Number", "1001")...)
	w.is(ext("1001"), "on-call", "555")
	w.send("CUSTOM", u, add...)
	w.is(ext("1001"), "on-call", "555")
	w.on(ext("1001"), "u", "lm-1")
	if l, _ := w.tr.Leg("a"); l.Number != "1001" {
		t.Errorf("%+v", l)
	}
}

func TestRenamedChannel(t *testing.T) {
	w := newWorld(t, "1001")
	u, a := w.outside("555", "1001")
	delete(w.channels, a.id)
	a.id = "renamed"
	w.channels[a.id] = a
	u.partner, u.last = a.id, a.id
	w.send("CHANNEL_UUID", a, "Old-Unique-ID", "a-1001")
	if c := w.on(ext("1001"), "u-555", ""); c.Pupil != "renamed" {
		t.Errorf("%+v", c)
	}
	w.load()
	if !w.last.Empty() {
		t.Errorf("%+v", w.last)
	}
}

func TestUnbridgeWithoutNames(t *testing.T) {
	w := newWorld(t, "1001")
	u, a := w.outside("555", "1001")
	w.send("CHANNEL_UNBRIDGE", u)
	if l, _ := w.tr.Leg(a.id); l.Partner != "" {
		t.Errorf("%+v", l)
	}
	w.on(ext("1001"), "u-555", "")
}
