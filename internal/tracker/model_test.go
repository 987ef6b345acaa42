package tracker_test

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"livemon/esl"
	"livemon/internal/seal"
	"livemon/internal/tracker"
)

const domain = "example.com"

// ours says what is livemon's own in these tests, without a key.
var ours = tracker.Options{
	OurRoom: func(room string) bool { return strings.HasPrefix(room, "lm-") },
	OpenMark: func(_ tracker.Leg, value string) seal.Mark {
		session, _ := strings.CutPrefix(value, "session=")
		return seal.Mark{Session: session}
	},
}

var epoch = time.Date(2026, 11, 22, 14, 0, 0, 0, time.UTC)

// channel is one channel of the model.
type channel struct {
	id, dir, presence, number, dest string
	answered, held                  bool
	answeredAt                      time.Time
	partner, last, room             string
	member                          int
	vars                            map[string]string
	headers                         map[string]string // besides, and instead of, those that an honest channel has
}

// own are the headers that say whose the channel is. An inbound one with a presence
// id is a telephone that has authenticated itself as that.
func (c *channel) own() map[string]string {
	h := map[string]string{"Caller-Source": "mod_sofia", "Channel-Presence-ID": c.presence}
	if user, domain, ok := strings.Cut(c.presence, "@"); ok && c.dir == tracker.Inbound {
		h["variable_sip_authorized"], h["variable_sip_auth_username"], h["variable_requested_domain_name"] = "true", user, domain
	}
	maps.Copy(h, c.headers)
	return h
}

// model is as much of a switch as the tracker can see: it makes the events that
// a switch would send, in its order, and the answers to a full read.
type model struct {
	now      time.Time
	channels map[string]*channel
	users    []string
	agents   string // callcenter_config agent list
	regs     string
	members  int
	sent     []*esl.Event
	handle   func(*esl.Event)
}

func newModel(users ...string) *model {
	return &model{now: epoch, channels: map[string]*channel{}, users: users, agents: "+OK\n", regs: `{"row_count":0}`, handle: func(*esl.Event) {}}
}

func (m *model) send(name string, c *channel, more ...string) {
	m.now = m.now.Add(time.Second)
	h := map[string]string{"Event-Name": name, "Event-Date-Timestamp": strconv.FormatInt(m.now.UnixMicro(), 10)}
	if c != nil {
		h["Unique-ID"], h["Call-Direction"], h["Channel-Name"] = c.id, c.dir, "sofia/internal/"+c.number
		h["Caller-Caller-ID-Number"], h["Caller-Destination-Number"] = c.number, c.dest
		if c.dir == tracker.Outbound {
			h["Caller-Caller-ID-Number"], h["Caller-Destination-Number"] = c.dest, c.number
		}
		h["Answer-State"], h["Channel-Call-State"] = "ringing", "RINGING"
		if c.answered {
			h["Answer-State"], h["Channel-Call-State"] = "answered", "ACTIVE"
			h["Caller-Channel-Answered-Time"] = strconv.FormatInt(c.answeredAt.UnixMicro(), 10)
		}
		if c.held {
			h["Channel-Call-State"] = "HELD"
		}
		for k, v := range c.vars {
			h["variable_"+k] = v
		}
		maps.Copy(h, c.own())
	}
	for i := 0; i < len(more); i += 2 {
		h[more[i]] = more[i+1]
	}
	e := esl.NewEvent(h, "")
	m.sent = append(m.sent, e)
	m.handle(e)
}

// create makes a channel. number is its own telephone's, dest the other end's.
func (m *model) create(id, dir, presence, number, dest string, vars ...string) *channel {
	c := &channel{id: id, dir: dir, presence: presence, number: number, dest: dest, vars: map[string]string{}}
	for i := 0; i < len(vars); i += 2 {
		c.vars[vars[i]] = vars[i+1]
	}
	m.channels[id] = c
	m.send("CHANNEL_CREATE", c)
	return c
}

func (m *model) answer(c *channel) {
	if !c.answered {
		c.answered, c.answeredAt = true, m.now.Add(time.Second)
		m.send("CHANNEL_ANSWER", c)
	}
}

func (m *model) part(c *channel) {
	if p := m.channels[c.partner]; p != nil {
		c.partner, p.partner = "", ""
		m.send("CHANNEL_UNBRIDGE", c, "Bridge-A-Unique-ID", c.id, "Bridge-B-Unique-ID", p.id)
	}
}

func (m *model) leave(c *channel) {
	if c.room != "" {
		room := c.room
		c.room = ""
		m.send("CUSTOM", c, "Event-Subclass", "conference::maintenance", "Action", "del-member", "Conference-Name", room, "Member-ID", strconv.Itoa(c.member))
	}
}

func (m *model) bridge(a, b *channel) {
	m.answer(a)
	m.answer(b)
	for _, c := range []*channel{a, b} {
		m.part(c)
		m.leave(c)
	}
	a.partner, a.last, b.partner, b.last = b.id, b.id, a.id, a.id
	m.send("CHANNEL_BRIDGE", a, "Bridge-A-Unique-ID", a.id, "Bridge-B-Unique-ID", b.id)
}

func (m *model) join(room string, cs ...*channel) {
	for _, c := range cs {
		m.answer(c)
		m.part(c)
		m.leave(c)
	}
	for _, c := range cs {
		m.members++
		c.room, c.member = room, m.members
		m.send("CUSTOM", c, "Event-Subclass", "conference::maintenance", "Action", "add-member", "Conference-Name", room, "Member-ID", strconv.Itoa(c.member))
		m.send("CUSTOM", c, "Event-Subclass", "conference::maintenance", "Action", "start-talking", "Conference-Name", room, "Member-ID", strconv.Itoa(c.member))
	}
}

func (m *model) hold(c *channel, on bool) {
	if c.held != on && c.answered {
		c.held = on
		if on {
			m.send("CHANNEL_HOLD", c)
		} else {
			m.send("CHANNEL_UNHOLD", c, "Channel-Call-State", "UNHELD")
		}
	}
}

func (m *model) hangup(c *channel) {
	end := []string{"Answer-State", "hangup", "Channel-Call-State", "HANGUP"}
	m.send("CHANNEL_HANGUP", c, end...)
	if c.room != "" {
		m.send("CUSTOM", c, append(end, "Event-Subclass", "conference::maintenance", "Action", "del-member", "Conference-Name", c.room)...)
	}
	if p := m.channels[c.partner]; p != nil {
		p.partner = ""
		m.send("CHANNEL_UNBRIDGE", p, "Bridge-A-Unique-ID", p.id, "Bridge-B-Unique-ID", c.id)
	}
	delete(m.channels, c.id)
	m.send("CHANNEL_HANGUP_COMPLETE", c, end...)
}

// bySorted returns the channels in a fixed order.
func (m *model) all() []*channel {
	var out []*channel
	for _, id := range slices.Sorted(maps.Keys(m.channels)) {
		out = append(out, m.channels[id])
	}
	return out
}

func (m *model) snapshot() tracker.Snapshot {
	type row = map[string]any
	var channels, calls []row
	rooms := map[string][]row{}
	vars := map[string]map[string]string{}
	for _, c := range m.all() {
		r := row{"uuid": c.id, "direction": c.dir, "name": cmp.Or(c.own()["Channel-Name"], "sofia/internal/"+c.number), "created_epoch": strconv.FormatInt(epoch.Unix(), 10),
			"state": "CS_EXECUTE", "presence_id": c.own()["Channel-Presence-ID"], "callstate": "RINGING", "initial_cid_num": c.number, "initial_dest": c.dest}
		if c.dir == tracker.Outbound {
			r["initial_cid_num"], r["initial_dest"] = c.dest, c.number
		}
		v := maps.Clone(c.vars)
		for k, x := range c.own() {
			v[strings.TrimPrefix(k, "variable_")] = x
		}
		v["last_bridge_to"] = "_undef_"
		if c.last != "" {
			v["last_bridge_to"] = c.last
		}
		if c.answered {
			r["callstate"] = "ACTIVE"
			v["answered_time"] = strconv.FormatInt(c.answeredAt.UnixMicro(), 10)
		}
		if c.held {
			r["callstate"] = "HELD"
		}
		vars[c.id] = v
		channels = append(channels, r)
		switch p := m.channels[c.partner]; {
		case p == nil:
			calls = append(calls, row{"uuid": c.id, "b_uuid": ""})
		case c.id < p.id:
			calls = append(calls, row{"uuid": c.id, "b_uuid": p.id, "call_created_epoch": strconv.FormatInt(m.now.Unix(), 10)})
		}
		if c.room != "" {
			rooms[c.room] = append(rooms[c.room], row{"type": "caller", "id": c.member, "uuid": c.id, "join_time": 1})
		}
	}
	var conferences []row
	for room, members := range rooms {
		conferences = append(conferences, row{"conference_name": room, "members": append(members, row{"type": "recording_node"})})
	}
	users := "userid|context|domain|group|contact|callgroup|effective_caller_id_name|effective_caller_id_number\n"
	for _, u := range m.users {
		users += fmt.Sprintf("%s|default|%s|sales|sofia/internal/sip:%s@192.0.2.7|techsupport|A, B|1\n", u, domain, u)
	}
	return tracker.Snapshot{
		Channels:      table2json(channels),
		Calls:         table2json(calls),
		Registrations: []byte(m.regs),
		Conferences:   mustJSON(append([]row{}, conferences...)),
		CCAgents:      m.agents,
		Users:         users + "\n+OK\n",
		Vars:          vars,
		Time:          m.now,
	}
}

func table2json(rows []map[string]any) []byte {
	if len(rows) == 0 {
		return []byte(`{"row_count":0}`)
	}
	return mustJSON(map[string]any{"row_count": len(rows), "rows": rows})
}

func mustJSON(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return b
}

const agentColumns = "name|instance_id|uuid|type|contact|status|state|max_no_answer|wrap_up_time|reject_delay_time|busy_delay_time|no_answer_delay_time|last_bridge_start|last_bridge_end|last_offered_call|last_status_change|no_answer_count|calls_answered|talk_time|ready_time|external_calls_count\n"

func agentRow(name, contact, status string, wrap int, bridgeEnd int64) string {
	return fmt.Sprintf("%s|single_box||callback|%s|%s|Waiting|3|%d|0|0|0|0|%d|0|%d|0|0|0|0|0\n", name, contact, status, wrap, bridgeEnd, epoch.Unix())
}

func ext(user string) string { return user + "@" + domain }

// world is a tracker that follows a model, with a mirror of its changes.
type world struct {
	*model
	t      *testing.T
	tr     *tracker.Tracker
	mirror *mirror
	last   tracker.Changes
}

func newWorld(t *testing.T, users ...string) *world {
	w := &world{model: newModel(users...), t: t, tr: tracker.New("node1", ours), mirror: newMirror()}
	w.load()
	w.handle = func(e *esl.Event) { w.took(w.tr.Apply(e)) }
	return w
}

func (w *world) took(c tracker.Changes) {
	w.t.Helper()
	w.last = c
	w.mirror.apply(w.t, c)
	w.mirror.check(w.t, w.tr)
}

func (w *world) load() {
	w.t.Helper()
	c, err := w.tr.Load(w.snapshot())
	if err != nil {
		w.t.Fatal(err)
	}
	w.took(c)
}

// is checks an agent's state and the other end's number.
func (w *world) is(agent, state, user string) {
	w.t.Helper()
	a, ok := w.tr.Agent(agent)
	if !ok || string(a.State) != state || a.User != user {
		w.t.Fatalf("%s is %s with %q (%v), not %s with %q", agent, a.State, a.User, ok, state, user)
	}
}

// on checks an agent's current call.
func (w *world) on(agent, user, room string) tracker.Call {
	w.t.Helper()
	c, ok := w.tr.CallOf(agent)
	if !ok || c.User != user || c.Room != room {
		w.t.Fatalf("%s has the call %+v (%v), not one with %q in room %q", agent, c, ok, user, room)
	}
	return c
}
