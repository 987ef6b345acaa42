package switchsim

import (
	"cmp"
	"strconv"
	"strings"
	"time"
)

// How long things take in a conference, as measured on a real switch.
const (
	// insertLag is between the add-member event and the member's being known to
	// commands and in the mix.
	insertLag = 5 * time.Millisecond
	// speechLag is between a member's being in the mix and his being heard.
	speechLag = 60 * time.Millisecond
	// talkLag is between a member's being able to speak and start-talking.
	talkLag = 20 * time.Millisecond
	// leaveLag is between the loss of a leaving member's relations and his
	// leaving the mix: the time in which he leaks.
	leaveLag = 30 * time.Millisecond
	// tail is for how long the buffers still hold what a member said before he
	// was muted.
	tail = 60 * time.Millisecond
)

// room is a conference.
type room struct {
	name, uuid string
	profile    string // as its events say
	domain     string
	conf       map[string]string // the profile's parameters, none if it does not exist
	groups     map[string][]control
	members    []*member // newest first; also those that commands do not know yet
	count      int
	ghosts     int
	locked     bool
	answered   bool
	destruct   bool
	floor      *member
	maxMembers int
	vars       []header
	sound      string
	started    time.Time
	keyTimeout time.Duration
	tail       time.Duration // for how long it mixes what one said who was muted
	fewest     int           // with fewer members it ends, once it has had so many
	full       bool          // it has had them
}

// relation is what one member set towards another.
type relation struct {
	id          int
	speak, hear bool
}

// member is a channel in a room.
type member struct {
	id   int
	room *room
	ch   *channel
	app  *app

	canHear, canSpeak, hold, talking, detect bool
	endconf, dist, skip, ghost, mod          bool
	relations                                []relation

	known    bool // commands find it, and it is in the mix
	kicked   bool
	leaving  bool
	leaks    bool // while it leaves, everybody hears it
	energy   int  // below it, nothing of it is mixed
	lastWord bool // it could be heard when its telephone hung up
	joined   time.Time
	speechAt time.Time
	talked   time.Time
	mutedAt  time.Time
	// leakTo are the members who hear the tail of a muted member, because a
	// relation that kept it from them was removed too early; by id, until when.
	leakTo map[int]time.Time

	files    int // files that were to be played to him
	stopped  int // those up to this one are not any more
	fileEnds time.Time

	controls []control
	keys     string
	keyTask  *task
}

// voice is the energy with which everybody speaks.
const voice = 4000

// hears lists whom a member hears.
func (m *member) hears(now time.Time) []*channel {
	r := m.room
	if !m.known || m.leaving || !m.canHear || m.hold || r.count < 2 {
		return nil
	}
	var out []*channel
	for _, o := range r.members {
		if o != m && o.heardBy(m, now) {
			out = append(out, o.ch)
		}
	}
	return out
}

func (m *member) heardBy(l *member, now time.Time) bool {
	if !m.known || m.hold || !m.ch.audible() || now.Before(m.speechAt) {
		return false
	}
	for _, r := range l.relations {
		if r.id == m.id && !r.hear {
			return false
		}
	}
	if m.leaving {
		return m.leaks
	}
	if !m.canSpeak && !now.Before(m.mutedAt.Add(m.room.tail)) {
		return now.Before(m.leakTo[l.id])
	}
	if m.energy > voice {
		return false
	}
	for _, r := range m.relations {
		if r.id == l.id {
			return r.speak
		}
	}
	return true
}

// alone tells whether the member hears the room's music.
func (m *member) alone() bool {
	return m.known && !m.leaving && m.room.conf["moh-sound"] != "" && m.room.count == 1 && !m.ghost && m.canHear
}

// maint fires a conference::maintenance event, of a member if there is one.
func (s *Switch) maint(r *room, m *member, action string, from origin, more ...header) {
	uuid := ""
	if m != nil {
		uuid = m.ch.uuid
	}
	s.fire("CUSTOM", "conference::maintenance", uuid, from, func(e *event) {
		r.data(e)
		if m != nil {
			m.data(e)
		}
		e.add("Action", action)
		e.headers = append(e.headers, more...)
	})
}

func (r *room) data(e *event) {
	e.add("Conference-Name", r.name)
	e.add("Conference-Domain", r.domain)
	e.addInt("Conference-Size", r.count)
	e.addInt("Conference-Ghosts", r.ghosts)
	e.add("Conference-Profile-Name", r.profile)
	e.add("Conference-Unique-ID", r.uuid)
	e.headers = append(e.headers, r.vars...)
}

func (m *member) data(e *event) {
	yes := strconv.FormatBool
	e.add("Floor", yes(m.room.floor == m))
	m.ch.basic(e)
	e.add("Video", "false")
	e.add("Hear", yes(m.canHear))
	e.add("See", "true")
	e.add("Speak", yes(m.canSpeak))
	e.add("Talking", yes(m.talking))
	e.add("Mute-Detect", yes(m.detect))
	e.add("Hold", yes(m.hold))
	e.addInt("Member-ID", m.id)
	kind := "member"
	if m.mod {
		kind = "moderator"
	}
	e.add("Member-Type", kind)
	e.add("Member-Ghost", yes(m.ghost))
	e.add("Energy-Level", cmp.Or(m.room.conf["energy-level"], "0"))
	energy := 0
	if m.talking {
		energy = 3200
	}
	e.addInt("Current-Energy", energy)
}

var (
	fromConfNew     = origin{"mod_conference.c", "conference_new", 3848}
	fromConfRun     = origin{"mod_conference.c", "conference_thread_run", 863}
	fromConfAdd     = origin{"conference_member.c", "conference_member_add", 962}
	fromConfDel     = origin{"conference_member.c", "conference_member_del", 1355}
	fromConfFloor   = origin{"conference_member.c", "conference_member_set_floor_holder", 1158}
	fromConfTalk    = origin{"conference_loop.c", "conference_loop_input", 1154}
	fromConfDetect  = origin{"conference_loop.c", "conference_loop_input", 1167}
	fromConfKey     = origin{"conference_loop.c", "conference_loop_event", 619}
	fromConfCommand = origin{"conference_api.c", "conference_api_dispatch", 4164}
)

// memberFlags reads a list of member flags.
func memberFlags(list string, m *member) {
	if list == "" {
		return
	}
	m.canSpeak, m.canHear = true, true
	for _, f := range strings.FieldsFunc(list, func(r rune) bool { return r == '|' || r == ',' }) {
		switch strings.ToLower(strings.TrimSpace(f)) {
		case "mute":
			m.canSpeak = false
		case "mute-detect":
			m.detect = true
		case "deaf":
			m.canHear = false
		case "dist-dtmf":
			m.dist = true
		case "skip-dtmf":
			m.skip = true
		case "mintwo":
			m.room.fewest = 2
		case "moderator":
			m.mod = true
		case "endconf":
			m.endconf = true
		case "ghost":
			m.ghost = true
		}
	}
}

// conference is the application. It ends at once when the room refuses the leg.
func (s *Switch) conference(ch *channel, a *app) {
	spec, flags := a.data, ""
	if i := strings.Index(spec, "+flags{"); i >= 0 {
		flags = spec[i+len("+flags{"):]
		spec = spec[:i]
		if j := strings.IndexByte(flags, '}'); j >= 0 {
			flags = flags[:j]
		}
	}
	if v := ch.value("conference_member_flags"); v != "" {
		flags = strings.TrimPrefix(flags+"|"+v, "|")
	}
	spec, _, _ = strings.Cut(spec, "+") // a PIN
	name, profileName := strings.TrimLeft(spec, " "), "default"
	if i := strings.LastIndexByte(name, '@'); i >= 0 {
		name, profileName = name[:i], name[i+1:]
	}
	if name == "" {
		s.finish(a)
		return
	}
	s.answer(ch)
	r := s.rooms[name]
	if r == nil {
		r = s.newRoom(name, profileName, ch)
	}
	ch.set("conference_name", name)
	ch.set("app_session_uuid", r.uuid)
	secure := ch.direction == "inbound"
	if v, ok := ch.get("conference_enforce_security"); ok {
		secure = truth(v)
	}
	if r.locked && secure || r.maxMembers > 0 && r.count >= r.maxMembers {
		s.finish(a)
		return
	}
	if ch.direction == "inbound" {
		r.answered = true
	}
	if ch.memberID == 0 {
		s.memberIDs++
		ch.memberID = s.memberIDs
	}
	m := &member{id: ch.memberID, room: r, ch: ch, app: a, canSpeak: true, canHear: true, joined: s.now}
	memberFlags(r.conf["member-flags"], m)
	memberFlags(flags, m)
	s.join(m)
}

func (s *Switch) newRoom(name, profileName string, ch *channel) *room {
	r := &room{name: name, uuid: newUUID(), profile: profileName, conf: s.conf.profiles[profileName], groups: s.conf.groups, started: s.now,
		tail: max(s.opt.Lags.MuteTail, 0)}
	if r.conf == nil {
		// This is no error to the switch: the room has its built-in defaults.
		r.profile = "none"
	}
	r.domain = r.conf["domain"]
	if r.domain == "" {
		_, r.domain, _ = strings.Cut(ch.presence, "@")
		r.domain = cmp.Or(r.domain, "cluecon.com")
	}
	r.maxMembers, _ = strconv.Atoi(cmp.Or(ch.value("conference_max_members"), r.conf["max-members"]))
	r.keyTimeout = keyTimeout(r.conf)
	s.rooms[name] = r
	s.maint(r, nil, "conference-create", fromConfNew)
	return r
}

func (s *Switch) join(m *member) {
	r, ch := m.room, m.ch
	if m.ghost {
		r.ghosts++
	} else {
		r.count++
	}
	r.full = r.full || r.fewest > 0 && r.count >= r.fewest
	r.members = append([]*member{m}, r.members...)
	ch.member = m
	ch.set("conference_member_id", strconv.Itoa(m.id))
	ch.set("conference_moderator", strconv.FormatBool(m.mod))
	ch.set("conference_ghost", strconv.FormatBool(m.ghost))
	ch.set("conference_uuid", r.uuid)
	m.controls = s.controlsOf(m)
	if ch.silent || !truth(ch.value("conference_silent_entry")) {
		s.maint(r, m, "add-member", fromConfAdd)
	}
	ch.silent = true
	s.after(insertLag, func() {
		if m.leaving || ch.member != m {
			return
		}
		m.known = true
		if r.count > 1 {
			s.roomSound(r, ch.value("conference_enter_sound"), r.conf["enter-sound"])
		}
		m.speechAt = s.now.Add(speechLag)
		s.touchRoom(r)
		if r.floor == nil && r.count > 1 && m.canSpeak {
			s.setFloor(r, m)
		}
		s.after(speechLag, func() { s.touchRoom(r); s.talk(m) })
	})
}

// roomSound plays to a room what tells of a member's coming or going: his own
// sound, or that of the profile.
func (s *Switch) roomSound(r *room, own, profile string) {
	file := cmp.Or(own, profile)
	if file == "" || strings.HasPrefix(file, "silence_stream://") {
		return
	}
	for _, m := range r.members {
		if m.known && m.canHear {
			s.notePlayed(m.ch, file)
		}
	}
}

// controlsOf is the group of key bindings that a member gets; none of one called none.
func (s *Switch) controlsOf(m *member) []control {
	name := cmp.Or(m.ch.value("conference_controls"), m.room.conf["caller-controls"], "default")
	if strings.EqualFold(name, "none") {
		return nil
	}
	group, ok := m.room.groups[name]
	if !ok {
		group = m.room.groups["default"]
	}
	return group
}

// talk is the detection of a member's speech, if there is any.
func (s *Switch) talk(m *member) {
	if m.talking || m.leaving || !m.known || !m.canSpeak && !m.detect || m.hold || !m.ch.audible() || s.now.Before(m.speechAt) {
		return
	}
	m.talking, m.talked = true, s.now
	if !m.canSpeak {
		s.maint(m.room, m, "mute-detect", fromConfDetect)
		return
	}
	s.maint(m.room, m, "start-talking", fromConfTalk)
	if f := m.room.floor; f == nil || !f.talking {
		s.setFloor(m.room, m)
	}
}

// talkSoon looks for speech a moment later.
func (s *Switch) talkSoon(m *member) { s.after(talkLag, func() { s.talk(m) }) }

// hush is the end of a member's speech. Only if he stops by himself an event says
// so. Of one who is muted, and whose speech is detected all the same, the switch
// does not notice that.
func (s *Switch) hush(m *member, event bool) {
	if !m.talking || event && !m.canSpeak {
		return
	}
	m.talking, m.talked = false, s.now
	if event {
		s.maint(m.room, m, "stop-talking", fromConfTalk)
	}
}

func (s *Switch) setFloor(r *room, m *member) {
	old := r.floor
	if old == m {
		return
	}
	r.floor = m
	oldID, newID := "none", "none"
	if old != nil && !old.leaving {
		oldID = strconv.Itoa(old.id)
	}
	uuid := ""
	if m != nil {
		newID, uuid = strconv.Itoa(m.id), m.ch.uuid
	}
	s.fire("CUSTOM", "conference::maintenance", uuid, fromConfFloor, func(e *event) {
		r.data(e)
		e.add("Action", "floor-change")
		e.add("Old-ID", oldID)
		if m != nil {
			r.data(e)
			m.data(e)
		}
		e.add("New-ID", newID)
	})
}

// leaveRoom takes a member out of his room; then is called when he is out. A
// member who could be heard a moment ago leaks: his relations are gone before he
// is. That he has hung up makes no difference: what he said last is in his buffer.
func (s *Switch) leaveRoom(m *member, then func()) {
	if m.leaving {
		return
	}
	m.leaving = true
	m.leaks = m.known && (m.canSpeak || s.now.Sub(m.mutedAt) < tail) && m.ch.audible()
	m.relations = nil
	s.touchRoom(m.room)
	s.after(leaveLag, func() {
		s.removeMember(m)
		then()
	})
}

func (s *Switch) removeMember(m *member) {
	r, ch := m.room, m.ch
	s.touchRoom(r)
	for i, o := range r.members {
		if o == m {
			r.members = append(r.members[:i:i], r.members[i+1:]...)
			break
		}
	}
	s.forget(m.keyTask)
	if m.ghost {
		r.ghosts--
	} else {
		r.count--
	}
	had := r.floor == m
	if had {
		s.setFloor(r, nil)
	}
	s.maint(r, m, "del-member", fromConfDel)
	s.roomSound(r, ch.value("conference_exit_sound"), r.conf["exit-sound"])
	if ch.member == m {
		ch.member = nil
	}
	s.touch(ch)
	switch {
	case r.count+r.ghosts == 0:
		r.destruct = true
		if s.rooms[r.name] == r {
			delete(s.rooms, r.name)
		}
		s.maint(r, nil, "conference-destroy", fromConfRun)
	case r.destruct:
	case m.endconf, r.full && r.count+r.ghosts < r.fewest:
		s.endRoom(r)
	case had:
		for i := len(r.members) - 1; i >= 0; i-- {
			if o := r.members[i]; o.talking && o.canSpeak && !o.leaving {
				s.setFloor(r, o)
				break
			}
		}
	}
}

// endRoom hangs up everybody who has not left the room yet.
func (s *Switch) endRoom(r *room) {
	r.destruct = true
	delete(s.rooms, r.name)
	for _, m := range append([]*member(nil), r.members...) {
		if v, ok := m.ch.get("hangup_after_conference"); ok && denied(v) {
			s.kick(m)
			continue
		}
		s.hangup(m.ch, "NORMAL_CLEARING")
	}
}

// kick makes a member leave; his application ends, and his dialplan goes on.
func (s *Switch) kick(m *member) {
	m.kicked = true
	a := m.app
	s.leaveRoom(m, func() { s.finish(a) })
}

// relate sets a relation of one member towards another.
func (s *Switch) relate(m *member, id int, speak, hear bool) {
	found := false
	for i := range m.relations {
		if m.relations[i].id == id {
			m.relations[i] = relation{id, speak, hear}
			found = true
		}
	}
	if !found {
		m.relations = append([]relation{{id, speak, hear}}, m.relations...)
	}
	if !speak {
		s.hush(m, false)
		s.talkSoon(m)
	}
	s.touchRoom(m.room)
}

// unrelate removes a relation. What the member said just before he was muted is
// still in the buffers: without the relation it is heard.
func (s *Switch) unrelate(m *member, id int) {
	for i, r := range m.relations {
		if r.id != id {
			continue
		}
		m.relations = append(m.relations[:i:i], m.relations[i+1:]...)
		if until := m.mutedAt.Add(tail); !r.speak && !m.canSpeak && s.now.Before(until) {
			if m.leakTo == nil {
				m.leakTo = map[int]time.Time{}
			}
			m.leakTo[id] = until
			s.after(until.Sub(s.now), func() { delete(m.leakTo, id); s.touchRoom(m.room) })
		}
		break
	}
	s.touchRoom(m.room)
}
