package tracker

import (
	"errors"
	"slices"
	"strings"
	"time"

	"livemon/internal/identity"
	"livemon/internal/seal"
	"livemon/internal/wire"
)

// Errors of FindAgent.
var (
	ErrUnknown   = errors.New("no such agent on this node")
	ErrAmbiguous = errors.New("several agents go by this name: give the full name, or user@domain")
)

// Directions of a leg as the switch sees it: inbound is a telephone that
// called the switch. A call's direction is the agent's: he was called
// (inbound), or he dialled (outbound).
const (
	Inbound  = "inbound"
	Outbound = "outbound"
)

// Leg is one channel of the switch.
type Leg struct {
	Channel    string
	Number     string // whose telephone it is: the caller's number on an inbound leg, the number called on an outbound one
	PresenceID string // user@domain: whose telephone it is by the switch's own word, or says so from a trusted address
	Certain    bool   // the switch itself has named PresenceID: by a login, or because it dialled that user
	Name       string // the channel's name, as in sofia/internal/1001@example.com
	Direction  string // Inbound or Outbound
	Answered   bool
	Held       bool   // the telephone on this leg has put the other side on hold
	CCAgent    string // mod_callcenter's agent, on the agent's leg
	CCSide     string // agent, on the agent's leg
	Chosen     bool   // a client of mod_verto may have chosen its variables
	Queue      string
	Partner    string // the channel it is bridged with, empty when it is not
	Room       string // the conference it is a member of, empty when of none
	Member     int    // its member id there
	Created    time.Time
	AnsweredAt time.Time
	Mark       seal.Mark // what livemon has noted on it, as far as Options.OpenMark believes it
}

// Sealed is the leg as a mark is bound to it.
func (l Leg) Sealed() seal.Leg {
	return seal.Leg{Channel: l.Channel, Inbound: l.Direction == Inbound, Created: l.Created}
}

// Call is an agent's call. See the package's documentation for its id.
type Call struct {
	ID         string
	Node       string
	Agent      string
	Pupil      string // the agent's channel
	User       string // the user's channel, empty when he has gone, or in a conference of the shop's
	UserNumber string
	Direction  string
	Queue      string
	Room       string // empty in a plain bridge
	Since      time.Time
	OnHold     bool // either party has put the other on hold
}

// Changes is what became different. Agents and calls are whole values that
// replace what was reported before. An id is in RemovedCalls when no agent has
// that call any more.
type Changes struct {
	Agents        []wire.Agent
	RemovedAgents []string
	Calls         []Call
	RemovedCalls  []string
}

// Empty tells whether nothing changed.
func (c Changes) Empty() bool {
	return len(c.Agents) == 0 && len(c.RemovedAgents) == 0 && len(c.Calls) == 0 && len(c.RemovedCalls) == 0
}

// Options say what is livemon's own on the switch. The zero value will do.
type Options struct {
	// OurRoom reports whether a room is livemon's, and not the shop's. By default
	// none is.
	OurRoom func(room string) bool
	// OpenMark returns the mark that a leg's variable holds, or none if livemon has
	// not put it there. By default there are none.
	OpenMark func(l Leg, value string) seal.Mark
	// IsSupervisorLeg reports whether a leg is a supervisor's. By default its mark
	// names a session, or one whose supervisor's voice the leg carries.
	IsSupervisorLeg func(l Leg) bool
	// TrustPresence reports whether SIP telephones that do not authenticate
	// themselves are believed to be who they say, at an address. By default no
	// address is trusted.
	TrustPresence func(address string) bool
}

// Bounds. A switch that goes beyond them is not followed further.
const (
	maxLegs   = 100_000
	maxAgents = 100_000
	maxUsers  = 200_000
	maxRegs   = 64   // registrations of one user
	maxDead   = 4096 // channels remembered as hung up
	maxNoUser = 4096 // presence ids remembered as nobody's
	maxAsked  = 256  // presence ids asked about between two full reads
	maxFar    = 8    // of these, in domains of which the switch knows no user
)

// Tracker holds what is known of one node.
type Tracker struct {
	node       string
	ourRoom    func(string) bool
	open       func(Leg, string) seal.Mark
	supervisor func(Leg) bool
	trusts     func(string) bool

	legs    map[string]*leg            // by channel
	rooms   map[string]map[string]*leg // by room and channel
	agents  map[string]*agent          // by name
	users   map[string]*user           // by presence id
	noUser  *recent                    // presence ids that are no users
	dead    *recent                    // channels that hung up lately
	asks    []string                   // presence ids to ask about
	domains map[string]bool            // of the users that there are, or were since the last full read
	verto   []VertoLeg                 // legs whose client's user is to be asked for
	asked   int                        // presence ids handed out since the last full read
	far     int                        // of these, in domains of which no user is known

	calls     map[string]int // how many agents' legs have a call of this id
	dirty     []*agent
	callTouch []string // ids whose count fell to zero since the last flush
	out       Changes
	clock     time.Time // of the last event or read
	reading   bool      // a full read is being taken over
	seq       uint64    // counts legs, to put them in the order they were learnt
}

// New returns a Tracker that knows nothing yet.
func New(node string, o Options) *Tracker {
	t := &Tracker{
		node:       node,
		ourRoom:    o.OurRoom,
		open:       o.OpenMark,
		supervisor: o.IsSupervisorLeg,
		trusts:     o.TrustPresence,
		legs:       map[string]*leg{},
		rooms:      map[string]map[string]*leg{},
		agents:     map[string]*agent{},
		users:      map[string]*user{},
		domains:    map[string]bool{},
		calls:      map[string]int{},
		noUser:     newRecent(maxNoUser),
		dead:       newRecent(maxDead),
	}
	if t.ourRoom == nil {
		t.ourRoom = func(string) bool { return false }
	}
	if t.supervisor == nil {
		t.supervisor = func(l Leg) bool { return l.Mark.Session != "" || l.Mark.Whisper != "" }
	}
	if t.trusts == nil {
		t.trusts = func(string) bool { return false }
	}
	return t
}

// Agents returns all agents, by name.
func (t *Tracker) Agents() []wire.Agent {
	out := make([]wire.Agent, 0, len(t.agents))
	for _, a := range t.agents {
		out = append(out, t.wire(a))
	}
	slices.SortFunc(out, func(a, b wire.Agent) int { return strings.Compare(a.Agent, b.Agent) })
	return out
}

// Agent returns one agent.
func (t *Tracker) Agent(name string) (wire.Agent, bool) {
	a, ok := t.agents[name]
	if !ok {
		return wire.Agent{}, false
	}
	return t.wire(a), true
}

// FindAgent returns the name of the agent that a person means: an agent's
// name, the extension user@domain, or its user part alone. The error is
// ErrUnknown or ErrAmbiguous.
func (t *Tracker) FindAgent(name string) (string, error) {
	if _, ok := t.agents[name]; ok {
		return name, nil
	}
	if p := identity.User(name); p != "" {
		if u := t.users[p]; u != nil {
			return only(u.candidates(t))
		}
		return "", ErrUnknown
	}
	if name == "" || strings.Contains(name, "@") {
		return "", ErrUnknown
	}
	var found []*agent
	for _, a := range t.agents {
		id := a.ext
		if id == "" {
			id = a.name
		}
		if user, _, ok := strings.Cut(id, "@"); ok && user == name {
			found = append(found, a)
		}
	}
	return only(found)
}

func only(found []*agent) (string, error) {
	switch len(found) {
	case 0:
		return "", ErrUnknown
	case 1:
		return found[0].name, nil
	}
	return "", ErrAmbiguous
}

// CallOf returns an agent's current call.
func (t *Tracker) CallOf(name string) (Call, bool) {
	a := t.agents[name]
	if a == nil {
		return Call{}, false
	}
	if best := t.current(a); best != nil && best.reported {
		return best.call, true
	}
	return Call{}, false
}

// Calls returns every agent's calls, in the order of their ids and agents.
func (t *Tracker) Calls() []Call {
	out := make([]Call, 0, len(t.calls))
	for _, l := range t.legs {
		if l.reported {
			out = append(out, l.call)
		}
	}
	sortCalls(out)
	return out
}

func sortCalls(calls []Call) {
	slices.SortFunc(calls, func(a, b Call) int {
		if c := strings.Compare(a.ID, b.ID); c != 0 {
			return c
		}
		return strings.Compare(a.Agent, b.Agent)
	})
}

// Leg returns a channel that has not hung up.
func (t *Tracker) Leg(channel string) (Leg, bool) {
	l, ok := t.legs[channel]
	if !ok {
		return Leg{}, false
	}
	return l.Leg, true
}

// InHouse returns whoever of the house a leg's telephone belongs to: its agent, or
// the user of the directory, also while the directory has not answered yet.
func (t *Tracker) InHouse(channel string) (wire.Agent, bool) {
	l, ok := t.legs[channel]
	switch {
	case !ok || l.gateway:
		return wire.Agent{}, false
	case l.agent != nil:
		return wire.Agent{Agent: l.agent.name, Extension: l.PresenceID, Node: t.node}, true
	case l.user != nil:
		return wire.Agent{Agent: l.PresenceID, Node: t.node}, true
	}
	return wire.Agent{}, false
}

// RoomMembers returns the legs in a conference, by member id.
func (t *Tracker) RoomMembers(room string) []Leg {
	members := t.rooms[room]
	out := make([]Leg, 0, len(members))
	for _, l := range members {
		out = append(out, l.Leg)
	}
	slices.SortFunc(out, func(a, b Leg) int {
		if a.Member != b.Member {
			return a.Member - b.Member
		}
		return strings.Compare(a.Channel, b.Channel)
	})
	return out
}

// Legs returns how many channels are known.
func (t *Tracker) Legs() int { return len(t.legs) }
