package tracker

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"livemon/internal/fsapi"
	"livemon/internal/identity"
	"livemon/internal/seal"
)

// Snapshot is a full read of the switch: the answers to SnapshotCommands, and
// SnapshotVars of every channel. An answer that begins with "-" (the module is
// not loaded) or is empty means that there is nothing of the kind; only
// Channels and Calls cannot be done without.
type Snapshot struct {
	Channels      []byte // show channels as json
	Calls         []byte // show calls as json
	Registrations []byte // show registrations as json
	Conferences   []byte // conference json_list
	CCAgents      string // callcenter_config agent list
	Users         string // list_users
	// Vars are channel variables by channel and name. A channel that is not in
	// it, or has nil, was not asked about or gave no answer, and keeps what is
	// known of it.
	Vars map[string]map[string]string
	Time time.Time // when the read began, by the switch's clock
}

// SnapshotCommands returns the api commands whose answers a Snapshot holds, in
// the order of its fields.
func SnapshotCommands() []fsapi.Line {
	return []fsapi.Line{fsapi.Channels(), fsapi.Calls(), fsapi.Registrations(), fsapi.Rooms(), fsapi.QueueAgents(), fsapi.Users()}
}

// SnapshotVars returns the variables of every channel that a Snapshot holds. See
// DumpVars, which returns headers of the channel's, too.
func SnapshotVars() []string {
	out := append([]string{"cc_agent", "cc_side", "cc_queue", "presence_id", "sip_gateway_name", "last_bridge_to", "answered_time"}, seal.Variable)
	for _, h := range identity.Headers() {
		if v, ok := strings.CutPrefix(h, variable); ok {
			out = append(out, v)
		}
	}
	return out
}

// plainHeaders returns the headers that are no variables. None of their names can
// be one in SnapshotVars.
func plainHeaders() []string {
	return slices.DeleteFunc(identity.Headers(), func(h string) bool { return strings.HasPrefix(h, variable) })
}

// createdTime stands, in what DumpVars returns, for the moment at which the switch
// made the channel. The table has it in whole seconds only.
const createdTime = "created_time"

// DumpVars returns SnapshotVars out of an answer to "uuid_dump CHANNEL json", and
// the headers that say whose telephone it is. It is nil where there is no such
// answer, as when the channel has gone.
func DumpVars(dump []byte) map[string]string {
	get := identity.Dump(dump)
	if get == nil {
		return nil
	}
	vars := map[string]string{}
	for _, k := range SnapshotVars() {
		if v := get(variable + k); v != "" {
			vars[k] = v
		}
	}
	for _, k := range plainHeaders() {
		if v := get(k); v != "" {
			vars[k] = v
		}
	}
	// Not a variable of the channel's own: uuid_getvar makes it up from this.
	if at := get("Caller-Channel-Answered-Time"); at != "" {
		vars["answered_time"] = at
	}
	// Neither is this, and a variable of that name does not count.
	if at := get("Caller-Channel-Created-Time"); at != "" {
		vars[createdTime] = at
	}
	return vars
}

// DumpRoom returns the conference that a channel was in last, out of an answer to
// "uuid_dump CHANNEL json", or "".
func DumpRoom(dump []byte) string {
	if get := identity.Dump(dump); get != nil {
		return get(variable + "conference_name")
	}
	return ""
}

// Load replaces everything that is known by a full read, and returns what that
// changed. On an error, which is a *ReadError, nothing was changed.
//
// Events that arrived since the read began are to be applied afterwards. The
// switch's tables are up to some 50 ms behind its events: subscribe, wait that
// long, then read.
func (t *Tracker) Load(s Snapshot) (Changes, error) {
	r, err := parseSnapshot(s)
	if err != nil {
		return Changes{}, err
	}
	if !s.Time.IsZero() {
		t.clock = s.Time
	}
	t.reading = true
	t.loadAgents(r)
	t.loadUsers(r)
	t.loadContacts(r)
	t.loadLegs(r)
	t.loadBridges(r)
	t.loadRooms(r)
	t.loadPairs(r)
	for range 2 { // a leg can link an agent and an extension, which then decides whose another leg is
		for _, l := range t.legs {
			t.identify(l)
		}
	}
	for _, a := range t.agents {
		if u := t.users[a.name]; !a.cc && (u == nil || !u.exists() || len(u.owners) > 0) {
			t.remove(a)
		}
	}
	for _, u := range t.users {
		t.release(u)
	}
	for _, a := range t.agents {
		t.mark(a)
	}
	slices.SortFunc(t.dirty, func(a, b *agent) int { return cmp.Compare(a.name, b.name) })
	out := t.flush()
	t.reading = false
	return out, nil
}

func (t *Tracker) loadAgents(r *read) {
	rows := map[string]*ccRow{}
	for i := range r.agents {
		rows[r.agents[i].name] = &r.agents[i]
	}
	for _, a := range t.agents {
		if a.cc && rows[a.name] == nil { // an extension of the same name, or a leg, may still speak for him
			a.cc = false
			if t.link(a, nil); a.gone {
				continue
			}
			*a = agent{name: a.name, ext: a.ext, legs: a.legs, view: a.view, shown: a.shown, dirty: a.dirty}
		}
	}
	for i := range r.agents {
		row := &r.agents[i]
		a := t.ccAgent(row.name)
		if a == nil {
			return
		}
		a.standby, a.wrapTime = row.standby, row.wrapTime
		t.setLoggedOut(a, row.loggedOut)
		a.wrapFrom, a.wrapUntil = row.bridgeEnd, time.Time{}
		if row.wrapTime > 0 && !row.bridgeEnd.IsZero() {
			a.wrapUntil = row.bridgeEnd.Add(row.wrapTime)
		}
		a.changed = row.statusChange
		if end := row.bridgeEnd; end.After(a.changed) && !row.loggedOut {
			a.changed = end
		}
		if a.wrapUntil.After(a.changed) && !a.wrapUntil.After(t.clock) && !row.loggedOut {
			a.changed = a.wrapUntil
		}
	}
}

// loadUsers takes over the directory and the registrations. A user who is in
// neither now is asked about again.
func (t *Tracker) loadUsers(r *read) {
	for _, u := range t.users {
		u.listed, u.asked = false, false
		u.regs = nil
	}
	clear(t.domains)
	t.asked, t.far = 0, 0
	for _, id := range r.users {
		if u := t.userOf(id); u != nil {
			u.listed = true
		}
	}
	for _, reg := range r.regs {
		if u := t.userOf(reg.id); u != nil {
			t.setRegistered(u, reg.token, reg.until)
		}
	}
	t.asks = nil
	var ask []string
	for id, u := range t.users {
		u.queued = false
		if u.exists() && !u.listed && len(u.regs) == 0 {
			ask = append(ask, id)
		}
	}
	slices.Sort(ask)
	for _, id := range ask {
		t.ask(t.users[id])
	}
	for _, u := range t.users {
		t.settle(u)
	}
}

// loadContacts links agents and extensions once all extensions are known.
func (t *Tracker) loadContacts(r *read) {
	parts := map[string]string{} // user part to presence id, "" where there are several
	for id, u := range t.users {
		if u.exists() {
			part, _, _ := strings.Cut(id, "@")
			if _, twice := parts[part]; twice {
				id = ""
			}
			parts[part] = id
		}
	}
	for i := range r.agents {
		a := t.agents[r.agents[i].name]
		if a == nil {
			continue
		}
		dial := r.agents[i].contact
		if part := contact(dial); part != "" && !strings.Contains(part, "@") {
			a.rings = part
			if u := t.users[parts[part]]; u != nil {
				t.link(a, u)
			} else if has, _, _ := strings.Cut(a.ext, "@"); has != part {
				t.link(a, nil)
			}
			continue
		}
		t.setContact(a, dial)
	}
}

func (t *Tracker) loadLegs(r *read) {
	live := make(map[string]bool, len(r.channels))
	for i := range r.channels {
		if c := &r.channels[i]; !t.dead.has(c.id) {
			live[c.id] = true
		}
	}
	for id, l := range t.legs {
		if !live[id] {
			t.forget(l)
		}
	}
	for i := range r.channels {
		c := &r.channels[i]
		if !live[c.id] {
			continue
		}
		l := t.legs[c.id]
		if l == nil {
			if l = t.newLeg(c.id); l == nil {
				return
			}
		}
		t.loadLeg(l, c, r.vars[c.id])
	}
	for again := true; again; { // legs may stand before the ones that they have their variables from
		again = false
		for _, l := range t.legs {
			again = t.inherit(l) || again
		}
	}
	for i := range r.channels {
		c := &r.channels[i]
		if l := t.legs[c.id]; l != nil && r.vars[c.id] != nil {
			t.loadWho(l, headerOf(c, r.vars[c.id]), r.serves[c.id])
		}
	}
}

// headerOf reads what a full read says of a channel as if it were an event.
func headerOf(c *channelRow, vars map[string]string) identity.Header {
	return func(h string) string {
		v := ""
		switch key, isVar := strings.CutPrefix(h, variable); {
		case isVar:
			return vars[key]
		case h == "Call-Direction":
			return c.direction
		case h == "Channel-Presence-ID":
			v = cmp.Or(c.presence, vars["presence_id"])
		case h == "Channel-Name":
			v = c.name
		}
		return cmp.Or(v, vars[h])
	}
}

func (t *Tracker) loadLeg(l *leg, c *channelRow, vars map[string]string) {
	if l.Direction == "" && c.direction != "" {
		l.Direction, l.Name, l.Created = c.direction, c.name, c.created
		if l.Direction == Inbound {
			l.setNumbers(c.cid, c.dest)
		} else {
			l.setNumbers(c.dest, c.cid)
		}
		if l.Created.IsZero() {
			l.Created = t.clock
		}
	}
	if vars != nil {
		if !l.told {
			t.fillParent(l, headerOf(c, vars))
		}
		if at := micros(vars[createdTime]); !at.IsZero() {
			l.Created = at
		}
		t.openMark(l, vars[seal.Variable])
	}
	at := micros(vars["answered_time"])
	switch {
	case l.Answered && !at.IsZero():
		l.AnsweredAt = at
	case !l.Answered && (c.answered || !at.IsZero()):
		if at.IsZero() {
			at = l.Created // the table does not say when
		}
		l.Answered, l.AnsweredAt = true, at
	}
	l.Held = c.held
}

// loadWho takes whose leg it is from a full read. mod_callcenter's own table counts
// more than the leg's variables.
func (t *Tracker) loadWho(l *leg, get identity.Header, serves string) {
	switch {
	case serves != "":
		l.served = true
		t.setQueue(l, "agent", serves, get("variable_cc_queue"))
	case !l.served && !l.told:
		t.fillQueue(l, get)
	}
	if !l.told || l.session != "" {
		l.session = ""
		t.fillWho(l, get)
	}
}

func (t *Tracker) loadBridges(r *read) {
	partner := map[string]string{}
	for _, b := range r.bridges {
		if t.legs[b.a] != nil && t.legs[b.b] != nil && b.a != b.b && partner[b.a] == "" && partner[b.b] == "" {
			partner[b.a], partner[b.b] = b.b, b.a
		}
	}
	for id, l := range t.legs {
		if l.Partner != "" && l.Partner != partner[id] {
			t.unlink(l)
		}
	}
	for _, b := range r.bridges {
		if partner[b.a] != b.b {
			continue
		}
		l, p := t.legs[b.a], t.legs[b.b]
		l.supervisor, p.supervisor = t.supervisor(l.Leg), t.supervisor(p.Leg)
		fresh := l.last != p.Channel || p.last != l.Channel
		t.bridge(l, p)
		if fresh && !b.since.IsZero() && l.last == p.Channel {
			l.pairSince, p.pairSince = b.since, b.since
		}
	}
}

func (t *Tracker) loadRooms(r *read) {
	member := map[string]*memberRow{}
	for i := range r.members {
		member[r.members[i].channel] = &r.members[i]
	}
	for id, l := range t.legs {
		if m := member[id]; l.Room != "" && (m == nil || m.room != l.Room) {
			t.leaveRoom(l)
		}
	}
	for i := range r.members {
		m := &r.members[i]
		l := t.legs[m.channel]
		if l == nil || member[m.channel] != m {
			continue
		}
		l.supervisor = t.supervisor(l.Leg)
		fresh := l.Room != m.room
		t.joinRoom(l, m.room, m.id)
		if fresh && !t.clock.IsZero() {
			l.roomSince = t.clock.Add(-m.joined)
		}
	}
}

// loadPairs takes the parties of calls that are not in a bridge now from what
// the switch keeps on each channel.
func (t *Tracker) loadPairs(r *read) {
	for id, l := range t.legs {
		vars := r.vars[id]
		if vars == nil || l.Partner != "" || l.supervisor {
			continue
		}
		last := channelID(vars["last_bridge_to"])
		p := t.legs[last]
		switch {
		case last == l.last || last == id || p != nil && t.supervisor(p.Leg):
		case last != "":
			l.last, l.pairID, l.lastNumber = last, pairID(id, last), ""
			l.pairSince = l.AnsweredAt
			if p != nil && p.AnsweredAt.After(l.pairSince) {
				l.pairSince = p.AnsweredAt
			}
		case l.Room == "": // it never was in a bridge
			l.last, l.pairID, l.lastNumber, l.pairSince = "", "", "", time.Time{}
		}
	}
	for room := range t.rooms {
		if t.ourRoom(room) {
			t.pairInRoom(room)
		}
	}
}
