package tracker

import (
	"slices"
	"strings"
	"time"

	"livemon/internal/identity"
	"livemon/internal/wire"
)

// agent is one agent.
type agent struct {
	name      string
	cc        bool   // mod_callcenter's; else a plain extension, whose name is its presence id
	ext       string // the extension's presence id, where it is known
	rings     string // what the contact names: the extension, or its user part only
	standby   bool   // a uuid-standby agent: his leg waits between calls
	loggedOut bool   // mod_callcenter's status
	wrapTime  time.Duration
	wrapFrom  time.Time
	wrapUntil time.Time
	changed   time.Time // when a full read says that he last changed while on no call

	legs  []*leg
	view  view
	shown bool // reported to the caller
	dirty bool
	gone  bool
}

// view is what others see of an agent, in a form that can be compared.
type view struct {
	ext, call, user, direction, queue string
	state                             wire.AgentState
	since                             time.Time
	unverified                        bool
}

// user is one presence id that is, or may be, a user of the directory.
type user struct {
	id         string
	listed     bool                 // in list_users
	confirmed  bool                 // by user_exists
	registered bool                 // seen registered, now or before
	regs       map[string]time.Time // registrations by call id, and when each runs out (zero: not known)
	asked      bool                 // its name was handed out by UnknownPresence
	queued     bool                 // it waits to be handed out
	owners     []*agent             // mod_callcenter's agents on this extension, by name
	legs       int
}

func (u *user) exists() bool { return u.listed || u.confirmed || u.registered }

// owner returns the agent who answers at the extension: where several share
// it, the one who is logged in, and of those the first by name.
func (u *user) owner() *agent {
	for _, a := range u.owners {
		if !a.loggedOut {
			return a
		}
	}
	if len(u.owners) > 0 {
		return u.owners[0]
	}
	return nil
}

// candidates are the agents that the extension's name can mean.
func (u *user) candidates(t *Tracker) []*agent {
	if len(u.owners) == 0 {
		if a := t.agents[u.id]; a != nil {
			return []*agent{a}
		}
		return nil
	}
	in := slices.DeleteFunc(slices.Clone(u.owners), func(a *agent) bool { return a.loggedOut })
	if len(in) == 0 {
		return u.owners
	}
	return in
}

// Standby tells whether an agent is one of mod_callcenter's whose leg waits
// between calls (type uuid-standby), and how long he wraps up, as far as the last
// full read of the switch and its events have said.
func (t *Tracker) Standby(name string) (wrapUp time.Duration, standby bool) {
	a := t.agents[name]
	if a == nil || !a.standby {
		return 0, false
	}
	return a.wrapTime, true
}

func (a *agent) wrap(at time.Time) {
	if a.wrapTime > 0 {
		a.wrapFrom, a.wrapUntil = at, at.Add(a.wrapTime)
	}
}

func (t *Tracker) mark(a *agent) {
	if a != nil && !a.dirty {
		a.dirty = true
		t.dirty = append(t.dirty, a)
	}
}

// ccAgent returns mod_callcenter's agent of a name, and makes it if need be.
func (t *Tracker) ccAgent(name string) *agent {
	a := t.agents[name]
	if a == nil {
		if len(t.agents) >= maxAgents {
			return nil
		}
		a = &agent{name: strings.Clone(name), cc: true}
		t.agents[a.name] = a
		t.mark(a)
	}
	if !a.cc { // an extension that became mod_callcenter's agent under the same name
		a.cc, a.ext = true, ""
		t.mark(a)
	}
	if a.ext == "" && a.rings == "" {
		if u := t.users[a.name]; u != nil && u.exists() {
			t.link(a, u)
		}
	}
	return a
}

// setContact takes what a mod_callcenter agent's contact rings.
func (t *Tracker) setContact(a *agent, dial string) {
	a.rings = contact(dial)
	switch {
	case strings.Contains(a.rings, "@"):
		t.link(a, t.userOf(a.rings))
	case a.rings != "":
		t.link(a, t.onlyUser(a.rings))
	default:
		if u := t.users[a.name]; u != nil && u.exists() {
			t.link(a, u)
		} else {
			t.link(a, nil)
		}
	}
}

// onlyUser returns the one user with this user part, or nil.
func (t *Tracker) onlyUser(part string) *user {
	var found *user
	for id, u := range t.users {
		if p, _, _ := strings.Cut(id, "@"); p == part && u.exists() {
			if found != nil {
				return nil
			}
			found = u
		}
	}
	return found
}

// link makes an agent and an extension one. A nil user takes it from him.
func (t *Tracker) link(a *agent, u *user) {
	id := ""
	if u != nil {
		id = u.id
	}
	if a.ext == id {
		return
	}
	if old := t.users[a.ext]; old != nil {
		old.owners = slices.DeleteFunc(old.owners, func(x *agent) bool { return x == a })
		a.ext = ""
		t.settle(old)
	}
	a.ext = id
	t.mark(a)
	if u != nil {
		i, _ := slices.BinarySearchFunc(u.owners, a.name, func(x *agent, n string) int { return strings.Compare(x.name, n) })
		u.owners = slices.Insert(u.owners, i, a)
		t.settle(u)
	}
}

// userOf returns what is kept of a presence id, or nil if there is no room.
func (t *Tracker) userOf(id string) *user {
	u := t.users[id]
	if u == nil && len(t.users) < maxUsers {
		u = &user{id: strings.Clone(id)}
		t.users[u.id] = u
		t.noUser.remove(id)
	}
	return u
}

// settle makes a plain extension's agent appear, or go, as it should, and
// gives the extension's legs to whom they belong.
func (t *Tracker) settle(u *user) {
	if u.exists() {
		_, domain, _ := strings.Cut(u.id, "@")
		t.domains[domain] = true
	}
	a := t.agents[u.id]
	switch want := u.exists() && len(u.owners) == 0; {
	case want && a == nil && len(t.agents) < maxAgents:
		a = &agent{name: u.id, ext: u.id}
		t.agents[a.name] = a
		t.mark(a)
	case want && a != nil && !a.cc:
		a.ext = u.id
	case want && a != nil && a.ext == "" && a.rings == "":
		t.link(a, u)
		return
	case !want && a != nil && !a.cc:
		t.remove(a)
	}
	if t.reading { // every leg is looked at when everything has been taken over
		return
	}
	for _, l := range t.legs {
		if l.PresenceID == u.id {
			t.identify(l)
		}
	}
	t.release(u)
}

// release forgets a presence id that nothing speaks for any more.
func (t *Tracker) release(u *user) {
	if !u.exists() && len(u.owners) == 0 && u.legs == 0 {
		delete(t.users, u.id)
	}
}

func (t *Tracker) remove(a *agent) {
	delete(t.agents, a.name)
	a.gone = true
	for len(a.legs) > 0 {
		t.assign(a.legs[0], nil)
	}
	if a.cc {
		t.link(a, nil)
	}
	t.mark(a)
}

// identify finds out whose leg it is.
func (t *Tracker) identify(l *leg) {
	was := l.supervisor
	if l.supervisor = t.supervisor(l.Leg); l.supervisor != was {
		t.touch(l)
	}
	t.attach(l, t.presenceOwner(l))
	switch {
	case l.supervisor:
		t.assign(l, nil)
	case l.CCSide == "agent" && l.CCAgent != "":
		a := t.ccAgent(l.CCAgent)
		t.assign(l, a)
		if a != nil && a.ext == "" && l.user != nil && l.user.exists() && a.ringsAt(l.PresenceID) {
			t.link(a, l.user)
		}
	case l.gateway || l.user == nil:
		t.assign(l, nil)
	case len(l.user.owners) > 0:
		t.assign(l, l.user.owner())
	case l.user.exists():
		t.assign(l, t.agents[l.user.id])
	default:
		t.assign(l, nil)
	}
}

// ringsAt tells whether a leg at an extension can be where the agent's contact
// leads.
func (a *agent) ringsAt(id string) bool {
	part, _, _ := strings.Cut(id, "@")
	return a.rings == "" || a.rings == part
}

// presenceOwner returns the user of a leg's presence id. One of which nothing is
// known, but that it is on a leg, is put on the list of those to ask about.
func (t *Tracker) presenceOwner(l *leg) *user {
	switch {
	case l.PresenceID == "" || l.supervisor:
		return nil
	case l.Certain:
		u := t.userOf(l.PresenceID)
		if u != nil && !u.exists() {
			u.confirmed = true
			t.settle(u)
		}
		return u
	case t.noUser.has(l.PresenceID):
		return nil
	}
	if u := t.users[l.PresenceID]; u != nil && (u.exists() || len(u.owners) > 0 || u.asked || l.gateway) {
		return u
	}
	if l.gateway || !t.mayAsk(l.PresenceID) {
		return nil
	}
	u := t.userOf(l.PresenceID)
	if u != nil {
		t.ask(u)
	}
	return u
}

// mayAsk reports whether the directory is to be asked about a presence id of
// which nothing is known, and counts it. Whoever calls from outside can put any
// number, at any domain, into one.
func (t *Tracker) mayAsk(id string) bool {
	_, domain, _ := strings.Cut(id, "@")
	far := !t.domains[domain]
	if t.asked >= maxAsked || far && t.far >= maxFar {
		return false
	}
	t.asked++
	if far {
		t.far++
	}
	return true
}

func (t *Tracker) ask(u *user) {
	u.asked = true
	if !u.queued {
		u.queued = true
		t.asks = append(t.asks, u.id)
	}
}

// attach keeps count of the legs that speak for a presence id.
func (t *Tracker) attach(l *leg, u *user) {
	if l.user == u {
		return
	}
	old := l.user
	l.user = u
	if u != nil {
		u.legs++
	}
	if old != nil {
		old.legs--
		t.release(old)
	}
}

func (t *Tracker) assign(l *leg, a *agent) {
	if l.agent == a {
		return
	}
	if old := l.agent; old != nil {
		old.legs = slices.DeleteFunc(old.legs, func(x *leg) bool { return x == l })
		t.unreport(l)
		t.mark(old)
	}
	l.agent = a
	if a != nil {
		a.legs = append(a.legs, l)
	}
	t.touch(l)
}

// setLoggedOut takes mod_callcenter's status.
func (t *Tracker) setLoggedOut(a *agent, out bool) {
	if a.loggedOut == out {
		return
	}
	a.loggedOut = out
	t.mark(a)
	if u := t.users[a.ext]; u != nil && len(u.owners) > 1 {
		t.settle(u)
	}
}

// UnknownPresence returns the presence ids (user@domain) that were seen for the
// first time, or were not in the last full read, and about which the caller
// must ask the switch ("user_exists id USER DOMAIN"). It hands out each one
// once, until the next full read. Tell the answer with SetUser.
func (t *Tracker) UnknownPresence() []string {
	var out []string
	for _, id := range t.asks {
		if u := t.users[id]; u != nil && u.queued {
			u.queued = false
			out = append(out, id)
		}
	}
	t.asks = nil
	return out
}

// Asks reports whether UnknownPresence or VertoLegs has anything.
func (t *Tracker) Asks() bool { return len(t.asks) > 0 || len(t.verto) > 0 }

// VertoLeg is a leg that leads to a client of mod_verto. Everything that the leg
// says of its owner may be the client's choice.
type VertoLeg struct {
	Channel string
	Session string   // the client's login, as printable and short as a name; not to be part of a command
	Claims  []string // the users (user@domain) that the leg names, of whom one may be the owner
}

// VertoLegs returns the legs whose owners the caller must ask the switch for
// ("verto_contact USER@DOMAIN", see identity.Serves), each one once. Tell the
// answer with SetOwner.
func (t *Tracker) VertoLegs() []VertoLeg {
	out := t.verto
	t.verto = nil
	return out
}

func (t *Tracker) askVerto(l *leg, session string, get identity.Header) {
	if session = name(session); session == l.session {
		return
	}
	l.session = strings.Clone(session)
	q := VertoLeg{Channel: l.Channel, Session: l.session}
	for _, claim := range []string{get("variable_dialed_user") + "@" + get("variable_dialed_domain"), get("Channel-Presence-ID")} {
		if id := identity.User(claim); id != "" && !slices.Contains(q.Claims, id) {
			q.Claims = append(q.Claims, strings.Clone(id))
		}
	}
	t.verto = append(t.verto, q)
}

// SetOwner tells whose client of mod_verto a leg leads to.
func (t *Tracker) SetOwner(q VertoLeg, owner string) Changes {
	if l := t.legs[q.Channel]; l != nil && l.session == q.Session && t.own(l, identity.User(owner), true, false) {
		t.identify(l)
	}
	return t.flush()
}

// SetUser tells whether a presence id is a user of the switch's directory. The
// switch's own word on a leg that there is counts more.
func (t *Tracker) SetUser(id string, exists bool) Changes {
	if id = identity.User(id); id == "" {
		return Changes{}
	}
	if exists {
		if u := t.userOf(id); u != nil && !u.confirmed {
			u.confirmed = true
			t.settle(u)
		}
		return t.flush()
	}
	if u := t.users[id]; u != nil && !t.certain(u) {
		u.confirmed, u.listed = false, false
		u.registered = len(u.regs) > 0
		if !u.registered && len(u.owners) == 0 {
			t.noUser.add(u.id)
		}
		t.settle(u)
	}
	return t.flush()
}

// certain reports whether the switch has named a user on a leg that there is.
func (t *Tracker) certain(u *user) bool {
	if u.legs == 0 {
		return false
	}
	for _, l := range t.legs {
		if l.user == u && l.Certain {
			return true
		}
	}
	return false
}
