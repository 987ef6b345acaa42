package conference

import (
	"slices"

	"livemon/internal/wire"
)

// Party is what a member of a room is to livemon.
type Party int

// Everyone who is neither the pupil nor a supervisor is treated as the user is:
// he never hears a coach. Other is a user whom livemon did not bring into the
// room: a third party in a conference of the shop's own, or an intruder.
const (
	Other Party = iota
	User
	Pupil
	Supervisor
)

func (p Party) String() string {
	return [...]string{"other", "user", "pupil", "supervisor"}[p]
}

// Member is one channel in a room.
type Member struct {
	ID      int    // mod_conference's member id
	Channel string // the channel's uuid
	Party   Party
	Session string // of a Supervisor: his session; empty for one whom nobody knows
	Hear    bool   // not deaf
	Speak   bool   // not mute
	NoSpeak []int  // members who do not hear him, by relation; 0 is everybody
	NoHear  []int  // members whom he does not hear, by relation; 0 is everybody

	// Whispers says that a leg of livemon's carries the supervisor's voice to the
	// pupil's leg, past the room: the pupil hears him, mute or not, and nobody else
	// hears him by it.
	Whispers bool
}

// Room is a conference as it is, or as it would be after some commands.
type Room struct {
	Name    string
	Ours    bool // made by livemon for one call; else it is the shop's and is never locked
	Locked  bool
	Members []Member
}

// Member returns the member with an id.
func (r Room) Member(id int) (Member, bool) {
	for _, m := range r.Members {
		if m.ID == id {
			return m, true
		}
	}
	return Member{}, false
}

// Of returns the first member who is p.
func (r Room) Of(p Party) (Member, bool) {
	for _, m := range r.Members {
		if m.Party == p {
			return m, true
		}
	}
	return Member{}, false
}

// BySession returns the member of a session.
func (r Room) BySession(id string) (Member, bool) {
	for _, m := range r.Members {
		if m.Party == Supervisor && id != "" && m.Session == id {
			return m, true
		}
	}
	return Member{}, false
}

// Hears tells whether listener hears speaker: because mod_conference mixes him
// into what listener hears, or because he whispers to the pupil.
func Hears(listener, speaker Member) bool {
	return speaker.Whispers && listener.Party == Pupil || listener.ID != speaker.ID && listener.Hear && speaker.Speak &&
		!Closed(speaker, listener)
}

// Closed tells whether a relation keeps listener from hearing speaker.
func Closed(speaker, listener Member) bool {
	return related(speaker.NoSpeak, listener.ID) || related(listener.NoHear, speaker.ID)
}

// Related returns the members whose relations have to be read: those of
// supervisors, for nobody else is given any.
func (r Room) Related() []int {
	var ids []int
	for _, m := range r.Members {
		if m.Party == Supervisor {
			ids = append(ids, m.ID)
		}
	}
	return ids
}

func related(ids []int, id int) bool {
	return slices.Contains(ids, id) || slices.Contains(ids, 0)
}

// Allowed is the table: whether listener may hear speaker when supervisors have
// the given roles, by session. A supervisor without a role is joining. The
// speech of those who are no supervisors is theirs to give: it is allowed to
// everybody but a supervisor who is still joining.
func Allowed(listener, speaker Member, roles map[string]wire.Role) bool {
	if listener.Party == Supervisor && !listens(roles[listener.Session]) {
		return false
	}
	if speaker.Party != Supervisor {
		return true
	}
	switch roles[speaker.Session] {
	case wire.Coach:
		return listener.Party == Pupil
	case wire.Barge, wire.TakeOver:
		return true
	default:
		return false
	}
}

func listens(r wire.Role) bool { return r == wire.Monitor || r.Speaks() }

// Pair is one direction of hearing, by member id.
type Pair struct{ Listener, Speaker int }

// Violations returns who hears whom against the table.
func Violations(r Room, roles map[string]wire.Role) []Pair {
	var out []Pair
	for _, l := range r.Members {
		for _, s := range r.Members {
			if Hears(l, s) && !Allowed(l, s, roles) {
				out = append(out, Pair{l.ID, s.ID})
			}
		}
	}
	return out
}

// Missing returns who does not hear whom although the table says he does, where
// a supervisor is involved: whether pupil and user hear each other (hold,
// mute buttons, the shop's own moderators) is not livemon's affair.
func Missing(r Room, roles map[string]wire.Role) []Pair {
	var out []Pair
	for _, l := range r.Members {
		for _, s := range r.Members {
			if l.ID == s.ID || (l.Party != Supervisor && s.Party != Supervisor) {
				continue
			}
			if !Allowed(l, s, roles) || Hears(l, s) {
				continue
			}
			if l.Party != Supervisor && !l.Hear || s.Party != Supervisor && !s.Speak {
				continue // deaf or mute by somebody else's will
			}
			out = append(out, Pair{l.ID, s.ID})
		}
	}
	return out
}

func (r Room) clone() Room {
	r.Members = slices.Clone(r.Members)
	for i := range r.Members {
		r.Members[i].NoSpeak = slices.Clone(r.Members[i].NoSpeak)
		r.Members[i].NoHear = slices.Clone(r.Members[i].NoHear)
	}
	return r
}
