package monitor_test

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"livemon/esl"
	"livemon/internal/fsapi"
	"livemon/internal/seal"
	"livemon/internal/switchsim"
	"livemon/internal/wire"
)

// tell sends the switch a command as somebody else would.
func (h *house) tell(format string, args ...any) string {
	h.t.Helper()
	client := esl.NewClient(esl.Options{Addr: h.sim.Addr(), Password: "ClueCon", Logger: h.cfg.Logger})
	defer client.Close()
	reply, err := client.API(h.t.Context(), fsapi.Unchecked(fmt.Sprintf(format, args...)))
	if err != nil {
		h.t.Fatal(err)
	}
	return strings.TrimSpace(reply)
}

// mark is what a leg bears.
func (h *house) mark(channel string) string {
	return h.tell("uuid_getvar %s %s", channel, seal.Variable)
}

// leg describes a channel as a mark is bound to it.
func (h *house) leg(channel string) seal.Leg {
	h.t.Helper()
	var dump map[string]string
	if err := json.Unmarshal([]byte(h.tell("uuid_dump %s json", channel)), &dump); err != nil {
		h.t.Fatal(err)
	}
	var us int64
	if _, err := fmt.Sscan(dump["Caller-Channel-Created-Time"], &us); err != nil {
		h.t.Fatal(err)
	}
	return seal.Leg{Channel: channel, Inbound: dump["Call-Direction"] == "inbound", Created: time.UnixMicro(us)}
}

func (h *house) sign(n seal.Node, channel string, m seal.Mark) string {
	h.t.Helper()
	v, err := n.Sign(h.leg(channel), m)
	if err != nil {
		h.t.Fatal(err)
	}
	return v
}

var reads = regexp.MustCompile(`^api (uuid_dump|uuid_getvar|uuid_exists) `)

// leftAlone runs something and fails if a command then names one of the channels,
// but for those that read.
func (h *house) leftAlone(f func(), channels ...string) {
	h.t.Helper()
	before := len(h.sim.Commands())
	f()
	for _, line := range h.sim.Commands()[before:] {
		if !reads.MatchString(line) && slices.ContainsFunc(channels, func(c string) bool { return strings.Contains(line, c) }) {
			h.t.Errorf("a stranger's leg is told %q", line)
		}
	}
}

func (h *house) sessions() []wire.Session {
	h.t.Helper()
	list, err := h.svc.Sessions(h.t.Context())
	if err != nil {
		h.t.Fatal(err)
	}
	return list
}

// TestForgedMarksAtARestart puts what looks like livemon's own marks on the legs of
// a call, while no controller runs: nothing happens to it, and it does not become
// a session, nor invisible.
func TestForgedMarksAtARestart(t *testing.T) {
	for name, forge := range map[string]func(h *house, leg string, s wire.Session, seen string) [][2]string{
		"of a version before": func(_ *house, leg string, s wire.Session, _ string) [][2]string {
			return [][2]string{{"livemon_session", s.ID}, {"livemon_supervisor", "boss"}, {"livemon_account", "boss"}, {"livemon_agent", s.Agent},
				{"livemon_phone", "1002"}, {"livemon_coaching", "true"}, {"livemon_call", s.Call}, {"livemon_party", "user"}, {"livemon_whisper", s.ID}}
		},
		"copied": func(_ *house, _ string, _ wire.Session, seen string) [][2]string {
			return [][2]string{{seal.Variable, seen}}
		},
		"with another key": func(h *house, leg string, s wire.Session, _ string) [][2]string {
			m := seal.Mark{Session: s.ID, Supervisor: "boss", Agent: s.Agent, Phone: "1002", Coaching: true, Call: s.Call}
			return [][2]string{{seal.Variable, h.sign(seal.Random().On("sim"), leg, m)}}
		},
		"of another node": func(h *house, leg string, s wire.Session, _ string) [][2]string {
			m := seal.Mark{Session: s.ID, Supervisor: "boss", Agent: s.Agent, Phone: "1002", Coaching: true, Call: s.Call}
			return [][2]string{{seal.Variable, h.sign(h.cfg.Secret.On("other"), leg, m)}}
		},
		"a voice's, with another key": func(h *house, leg string, s wire.Session, _ string) [][2]string {
			return [][2]string{{seal.Variable, h.sign(seal.Random().On("sim"), leg, seal.Mark{Whisper: s.ID})}}
		},
		"a queue's, with another key": func(h *house, leg string, _ wire.Session, _ string) [][2]string {
			return [][2]string{{seal.Variable, h.sign(seal.Random().On("sim"), leg, seal.Mark{Queue: "1001"})}}
		},
		"garbage": func(*house, string, wire.Session, string) [][2]string {
			return [][2]string{{seal.Variable, "AQA.AAAA"}}
		},
	} {
		for _, whose := range []string{"customer", "agent"} {
			for _, goesOn := range []bool{true, false} {
				t.Run(fmt.Sprintf("%s, %s's, session goes on %v", name, whose, goesOn), func(t *testing.T) {
					t.Parallel()
					h := build(t)
					h.call("5550100", "1001")
					s := h.listen("1001", "1002")
					other := h.call("5550200", "1003")
					leg := other.A
					if whose == "agent" {
						leg = other.B
					}
					seen := h.mark(s.Channel)
					if !goesOn {
						h.leave(s)
						h.gone(s.Channel)
					}
					h.stop()
					for _, v := range forge(h, leg, s, seen) {
						h.tell("uuid_setvar %s %s %s", leg, v[0], v[1])
					}
					h.leftAlone(func() {
						h.start()
						if goesOn {
							h.await(s.ID, func(s wire.Session) bool { return s.Status == wire.Listening })
						}
						h.frames(30)
					}, other.A, other.B)
					h.bridged(other)
					list := h.sessions()
					if goesOn && (len(list) != 1 || list[0].Channel != s.Channel) || !goesOn && len(list) != 0 {
						t.Errorf("sessions %+v", list)
					}
					// It is as visible as any call, and can be listened to.
					again := h.listen("1003", "1004")
					h.hears(again.Channel, other.A, other.B)
				})
			}
		}
	}
}

// TestForgedMarksWhileAControllerRuns: the tracker learns them from events.
func TestForgedMarksWhileAControllerRuns(t *testing.T) {
	h := build(t)
	h.call("5550100", "1001")
	s := h.listen("1001", "1002")
	seen := h.mark(s.Channel)
	ch, err := h.sim.DialFrom(t.Context(), switchsim.Telephone{Number: "1003", Login: "1003", Verto: true, Vars: []switchsim.Variable{
		{Name: seal.Variable, Value: seen}, {Name: "livemon_session", Value: s.ID}, {Name: "livemon_whisper", Value: s.ID}}}, "1004")
	if err != nil {
		t.Fatal(err)
	}
	h.until("the agent who forged it is seen on his call", func() bool {
		agents, _ := h.svc.Agents(t.Context())
		return slices.ContainsFunc(agents, func(a wire.Agent) bool { return a.Agent == "1003@127.0.0.1" && a.State == wire.OnCall })
	})
	again := h.listen("1003", "1005")
	h.until("he is heard", func() bool { return slices.Contains(h.sim.Hears(again.Channel), ch) })
}

// TestChannelIDsAreReused: a client of mod_verto gives its leg the id of a
// supervisor's that has gone, and that one's mark.
func TestChannelIDsAreReused(t *testing.T) {
	for name, forget := range map[string]bool{"with the store": false, "when the store has lost its memory": true} {
		t.Run(name, func(t *testing.T) {
			o := buildOffice(t)
			o.add("sue", extension("1002"))
			o.call("5550100", "1001")
			ch := o.dial("1002", "1001") // inbound, as the impostor's will be
			s := o.of(ch, listening)
			seen := o.mark(ch)
			o.hangup(ch)
			o.ended(s.ID, 0)
			o.gone(ch)
			o.until("the switch's tables have forgotten it", func() bool { return !strings.Contains(o.tell("show channels as json"), ch) })
			o.stop()
			if forget {
				o.redis.FlushAll()
			}
			again, err := o.sim.DialFrom(t.Context(), switchsim.Telephone{Number: "1003", Login: "1003", Verto: true, Channel: ch, Vars: []switchsim.Variable{{Name: seal.Variable, Value: seen}}}, "7777")
			if err != nil || again != ch {
				t.Fatal(again, err)
			}
			o.until("the switch's tables have it", func() bool { return strings.Contains(o.tell("show channels as json"), ch) })
			o.leftAlone(func() {
				o.start()
				o.frames(30)
			}, ch)
			if !o.alive(ch) || len(o.sessions()) != 0 {
				t.Errorf("sessions %+v", o.sessions())
			}
		})
	}
}

const sessionKey = "livemon:{n:sim}:s:"

// forge changes what the store has of a session.
func (h *house) forge(id string, change func(map[string]any)) {
	h.t.Helper()
	v := map[string]any{}
	if err := json.Unmarshal([]byte(h.redis.HGet(sessionKey+id, "v")), &v); err != nil {
		h.t.Fatal(err)
	}
	change(v)
	data, err := json.Marshal(v)
	if err != nil {
		h.t.Fatal(err)
	}
	h.redis.HSet(sessionKey+id, "v", string(data))
}

// TestStoredSessionsMoveNobody has sessions in the store name channels, calls and
// rooms that are not theirs.
func TestStoredSessionsMoveNobody(t *testing.T) {
	type victims struct {
		call, other switchsim.Call
		otherID     string
		room        string
	}
	for name, change := range map[string]func(v map[string]any, w victims){
		"the customer's channel":         func(v map[string]any, w victims) { v["channel"] = w.call.A },
		"the agent's channel":            func(v map[string]any, w victims) { v["channel"] = w.call.B },
		"the channel of somebody else":   func(v map[string]any, w victims) { v["channel"] = w.other.A },
		"everybody's channel":            func(v map[string]any, _ victims) { v["channel"] = "all" },
		"no channel":                     func(v map[string]any, _ victims) { v["channel"] = "" },
		"another call":                   func(v map[string]any, w victims) { v["call"] = w.otherID },
		"another call, and its agent":    func(v map[string]any, w victims) { v["call"], v["agent"] = w.otherID, "1003@127.0.0.1" },
		"another room":                   func(v map[string]any, w victims) { v["room"] = w.room },
		"another call, room and channel": func(v map[string]any, w victims) { v["call"], v["room"], v["channel"] = w.otherID, w.room, w.other.B },
		"another node":                   func(v map[string]any, _ victims) { v["node"] = "elsewhere" },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := build(t)
			w := victims{call: h.call("5550100", "1001"), room: "meeting"}
			s := h.listen("1001", "1002")
			w.other = h.call("5550200", "1003")
			if _, err := h.sim.Conference(t.Context(), w.room, "1004", "1005"); err != nil {
				t.Fatal(err)
			}
			agents, _ := h.svc.Agents(t.Context())
			for _, a := range agents {
				if a.Agent == "1003@127.0.0.1" {
					w.otherID = a.Call
				}
			}
			if w.otherID == "" {
				t.Fatal("the other call has no id")
			}
			h.stop()
			h.forge(s.ID, func(v map[string]any) { change(v, w) })
			h.leftAlone(func() {
				h.start()
				h.await(s.ID, func(s wire.Session) bool { return s.Status == wire.Listening })
				h.frames(30)
			}, w.other.A, w.other.B, h.sim.Leg("1004"), h.sim.Leg("1005"))
			now := h.session(s.ID)
			if now.Channel != s.Channel || now.Call != s.Call || now.Agent != s.Agent || now.Room != s.Room || now.Node != s.Node {
				t.Errorf("it was %+v\nand is %+v", s, now)
			}
			h.bridged(w.other)
			h.hears(s.Channel, w.call.A, w.call.B)
			h.press(now, "6#", wire.Barge)
			h.hears(w.call.A, w.call.B, s.Channel)
			h.leave(now)
			h.bridged(w.call)
		})
	}
}

// TestMadeUpSessions are in the store and on no leg: they are ended on record, and
// whomever they name is left alone.
func TestMadeUpSessions(t *testing.T) {
	h := build(t)
	c := h.call("5550100", "1001")
	h.stop()
	at := time.Now().UTC().Format(time.RFC3339Nano)
	for id, channel := range map[string]string{"customer": c.A, "agent": c.B, "all": "all", "nobody": "nobody"} {
		h.redis.SAdd("livemon:{n:sim}:live", id)
		h.redis.HSet(sessionKey+id, "v", fmt.Sprintf(`{"id":%q,"supervisor":"boss","phone":"1002","agent":"1001@127.0.0.1","status":"listening","role":"takeover","coaching":true,"follow":"agent","since":%q,"node":"sim","call":"x","room":"y","channel":%q}`, id, at, channel),
			"desired", "takeover")
	}
	h.leftAlone(func() {
		h.start()
		for _, id := range []string{"customer", "agent", "all", "nobody"} {
			if s := h.ended(id, 0); s.Ended == nil {
				t.Errorf("%+v", s)
			}
			if recs := h.audit(id); len(recs) != 1 || recs[0].Event != "ended" {
				t.Errorf("%s: %+v", id, recs)
			}
		}
		h.frames(30)
	}, c.A, c.B)
	h.bridged(c)
}

// TestRestartWhileHisTelephoneRings: a mark that was made before the leg is
// believed of a leg that the store says is being rung, and of no other.
func TestRestartWhileHisTelephoneRings(t *testing.T) {
	for name, forged := range map[string]bool{"as it was": false, "when the store says that he listened": true} {
		t.Run(name, func(t *testing.T) {
			h := build(t)
			c := h.call("5550100", "1001")
			h.sim.SetPhone("1002", switchsim.Behaviour{AnswerAfter: 2 * time.Second})
			s, err := h.request("1001", "1002", true)
			if err != nil {
				t.Fatal(err)
			}
			h.until("it rings", func() bool { return h.sim.Leg("1002") == s.Channel })
			h.stop()
			if forged {
				h.forge(s.ID, func(v map[string]any) { v["status"] = "listening" })
			}
			h.start()
			if forged {
				h.gone(s.Channel)
				h.ended(s.ID, 0)
			} else {
				h.await(s.ID, func(s wire.Session) bool { return s.Status == wire.Listening })
				h.leave(s)
			}
			h.bridged(c)
		})
	}
}

// TestRoomsThatLookLikeOurs are the shop's: nobody who chooses a conference's name
// has livemon treat it as its own.
func TestRoomsThatLookLikeOurs(t *testing.T) {
	h := build(t)
	other := seal.Random().On("sim")
	for _, room := range []string{"lm-victim", "lm-w-victim", "lm-0123456789abcdef", other.Room("c", [16]byte{}), other.WaitingRoom("s", [16]byte{})} {
		legs, err := h.sim.Conference(t.Context(), room, "1001", "1003")
		if err != nil {
			t.Fatal(err)
		}
		h.until("the agent is in the conference", func() bool {
			agents, _ := h.svc.Agents(t.Context())
			return slices.ContainsFunc(agents, func(a wire.Agent) bool { return a.Agent == "1001@127.0.0.1" && a.State == wire.InConference })
		})
		s := h.listen("1001", "1002")
		if s.Room != room {
			t.Errorf("he is in %q", s.Room)
		}
		for _, line := range h.sim.Commands() {
			if strings.Contains(line, "conference "+room+" lock") {
				t.Errorf("%q", line)
			}
		}
		h.leave(s)
		h.gone(s.Channel)
		for _, leg := range legs {
			h.hangup(leg)
		}
		h.gone(legs...)
		h.until("the agent is idle", func() bool {
			agents, _ := h.svc.Agents(t.Context())
			return slices.ContainsFunc(agents, func(a wire.Agent) bool { return a.Agent == "1001@127.0.0.1" && a.State == wire.Idle })
		})
	}
}

// TestWhatIsMarked reads every mark of a call on its way, and of its room.
func TestWhatIsMarked(t *testing.T) {
	h := build(t)
	n := h.cfg.Secret.On("sim")
	opened := func(channel string) seal.Mark {
		t.Helper()
		m, err := n.Open(h.leg(channel), h.mark(channel))
		if err != nil {
			t.Errorf("%s: %v", h.sim.Number(channel), err)
		}
		return m
	}
	c := h.call("5550100", "1001")
	s := h.role(h.listen("1001", "1002"), wire.Coach)
	if !n.IsRoom(s.Room) || n.IsWaitingRoom(s.Room) {
		t.Errorf("the room is %q", s.Room)
	}
	if got, want := opened(c.A), (seal.Mark{Call: s.Call, Party: seal.User}); got != want {
		t.Errorf("the customer's: %+v", got)
	}
	if got, want := opened(c.B), (seal.Mark{Call: s.Call, Party: seal.Pupil}); got != want {
		t.Errorf("the agent's: %+v", got)
	}
	if got, want := opened(s.Channel), (seal.Mark{Session: s.ID, Supervisor: s.Supervisor, Agent: s.Agent, Phone: "1002", Coaching: true, Call: s.Call}); got != want {
		t.Errorf("the supervisor's: %+v", got)
	}
	for _, i := range h.sim.Channels() {
		if strings.Contains(h.tell("uuid_dump %s", i.UUID), "variable_livemon_session") {
			t.Errorf("%s says in clear whose it is", h.sim.Number(i.UUID))
		}
	}
	h.leave(s)
	h.bridged(c)
	for _, leg := range []string{c.A, c.B} {
		h.until("nothing is left on a party's leg", func() bool { return h.mark(leg) == "_undef_" })
	}
	w := h.waits(h.follow("1003", "1002", wire.FollowNext))
	if !n.IsWaitingRoom(h.roomOf(w.Channel)) {
		t.Errorf("he waits in %q", h.roomOf(w.Channel))
	}
}

func (h *house) roomOf(channel string) string {
	for _, i := range h.sim.Channels() {
		if i.UUID == channel {
			return i.Room
		}
	}
	return ""
}
