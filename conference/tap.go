package conference

import (
	"slices"

	"livemon/internal/fsapi"
	"livemon/internal/wire"
)

// A Reach is how far a room is heard through its tap.
type Reach int

// The reaches, in the order of how many people hear the room. A tap begins with
// the first.
const (
	ReachNobody Reach = iota
	ReachPupil
	ReachBoth
)

// Line sets the reach of a tap, by a key that its far end is made to press. The
// answer says nothing: a DTMF event of that channel says that it is so.
func (r Reach) Line(far fsapi.Channel) fsapi.Line {
	return fsapi.PressKey(far, [...]byte{'0', '2', '3'}[r])
}

func (r Reach) String() string { return [...]string{"nobody", "pupil", "both"}[r] }

// A Line is a supervisor's leg in a room with a tap.
type Line struct {
	ID      int    // mod_conference's member id
	Session string // empty for a line that no session wants any more
	Hear    bool   // not deaf
	Speak   bool   // not mute
	NoSpeak []int  // members who do not hear this one, by relation; 0 is everybody
}

// A Tapped is a room of livemon's for one call: the supervisors' lines and, as a
// member, the tap on the pupil's leg, by which the call is in the room. After a
// take-over the user is a member instead of the tap.
type Tapped struct {
	Lines []Line // in the order of their member ids
	Tap   int    // the tap's member id; 0: there is none
	Reach Reach  // of the tap
	User  int    // the user's member id; 0: not in the room

	// Tail is the line that was muted less than SettleTime ago: the room still mixes
	// what was said on it. 0 is none.
	Tail      int
	TailReach Reach // how far it was heard when it spoke
}

// line returns the line with a member id.
func (t Tapped) line(id int) (Line, bool) {
	for _, l := range t.Lines {
		if l.ID == id {
			return l, true
		}
	}
	return Line{}, false
}

func (t Tapped) clone() Tapped {
	t.Lines = slices.Clone(t.Lines)
	for i := range t.Lines {
		t.Lines[i].NoSpeak = slices.Clone(t.Lines[i].NoSpeak)
	}
	return t
}

// A Listener is somebody who may hear a supervisor: a party of the call, or the
// supervisor of another line.
type Listener struct {
	Party Party // Pupil, User or Supervisor
	Line  int   // of a Supervisor: the line's member id
}

// Listeners returns everybody who may hear the line of a supervisor.
func (t Tapped) Listeners(speaker int) []Listener {
	out := []Listener{{Party: Pupil}, {Party: User}}
	for _, l := range t.Lines {
		if l.ID != speaker {
			out = append(out, Listener{Supervisor, l.ID})
		}
	}
	return out
}

// Hears reports whether a listener hears what is said on a line: now, or what was
// said before it was muted.
func (t Tapped) Hears(who Listener, speaker int) bool {
	s, ok := t.line(speaker)
	if !ok || !s.Speak && t.Tail != speaker {
		return false
	}
	switch who.Party {
	case Pupil:
		return t.Tap != 0 && t.Reach >= ReachPupil
	case User:
		return t.Tap != 0 && t.Reach == ReachBoth || t.User != 0 && !related(s.NoSpeak, t.User)
	case Supervisor:
		l, ok := t.line(who.Line)
		return ok && l.ID != speaker && l.Hear && !related(s.NoSpeak, l.ID)
	}
	return false
}

// Allows is the table: it reports whether a listener may hear a supervisor in a
// role. The supervisor of another line may hear no more than listens lets it.
func Allows(who Listener, speaker wire.Role) bool {
	switch speaker {
	case wire.Coach:
		return who.Party == Pupil
	case wire.Barge, wire.TakeOver:
		return who.Party == Pupil || who.Party == User || who.Party == Supervisor
	}
	return false
}

// TapWish is what a room with a tap should be.
type TapWish struct {
	Roles map[string]wire.Role // by session; a line whose session is not in it has to leave
	Leave map[string]bool      // sessions that have to leave although they still have a role
	Deaf  bool                 // nobody may hear the call now, nor be heard: it has lost its partner, or a moderator has muted the agent
}

// roles returns the role of each line by member id: leavers and lines that nobody
// wants are joining, and where nobody may hear the call all are. Of several speakers
// only the first speaks, and a coach only by a tap: the user in the room would hear
// what is said there. A take-over is a barge.
func (w TapWish) roles(t Tapped) map[int]wire.Role {
	roles := make(map[int]wire.Role, len(t.Lines))
	spoken := false
	for _, l := range t.Lines {
		role := w.Roles[l.Session]
		switch {
		case role == "" || l.Session == "" || w.Leave[l.Session] || w.Deaf:
			role = wire.Joining
		case role.Speaks() && (spoken || t.Tap == 0 && (t.User == 0 || role == wire.Coach)):
			role = wire.Monitor
		case role == wire.TakeOver:
			role = wire.Barge
		}
		spoken = spoken || role.Speaks()
		roles[l.ID] = role
	}
	return roles
}

// PlanTap returns the commands that lead from a room with a tap as it is towards
// what it should be. Mute and reach are two locks in a row. Towards less the reach
// goes first, because it acts at once; towards more it is opened while the line is
// still mute. It is empty when nothing is left to do. See the package's guarantees.
func PlanTap(t Tapped, w TapWish) []Command {
	p := &tapPlanner{room: t.clone(), roles: w.roles(t)}
	for _, l := range p.room.Lines {
		if p.roles[l.ID].Speaks() {
			p.speaker, p.role = l.ID, p.roles[l.ID]
		}
	}
	p.lower()
	p.raise()
	p.leave(w)
	return p.commands
}

type tapPlanner struct {
	room     Tapped // as it will be after commands
	roles    map[int]wire.Role
	speaker  int // the line that is to speak, 0 if none
	role     wire.Role
	commands []Command
}

func (p *tapPlanner) do(c Command) {
	p.commands = append(p.commands, c)
	p.room = c.ApplyTap(p.room)
}

// reach is how far the room may be heard once all is as it should be.
func (p *tapPlanner) reach() Reach {
	switch {
	case p.room.Tap == 0 || p.speaker == 0:
		return ReachNobody
	case p.role == wire.Coach:
		return ReachPupil
	}
	return ReachBoth
}

// lower takes away what the table does not allow: the reach first, then the
// speech, then the hearing.
func (p *tapPlanner) lower() {
	reach := p.reach()
	for _, l := range p.room.Lines {
		if l.Speak && l.ID != p.speaker {
			reach = ReachNobody // for as long as somebody else speaks
		}
	}
	if p.room.Tap != 0 && p.room.Reach > reach {
		p.do(Command{Op: SetReach, Member: p.room.Tap, Reach: reach})
	}
	for _, l := range p.room.Lines {
		if l.Speak && l.ID != p.speaker {
			p.do(Command{Op: Mute, Member: l.ID})
		}
	}
	for _, l := range p.room.Lines {
		if l.Hear && !listens(p.roles[l.ID]) {
			p.do(Command{Op: Deaf, Member: l.ID})
		}
	}
	if p.role == wire.Coach {
		s, _ := p.room.line(p.speaker)
		p.relate(s, true)
	}
}

// raise opens what the table allows. What was said before must not be heard by
// more than it was said to, so it settles first.
func (p *tapPlanner) raise() {
	s, speaks := p.room.line(p.speaker)
	reach := p.reach()
	if speaks {
		if p.role == wire.Barge {
			p.relate(s, false)
		}
		opens := !s.Speak || p.room.Reach < reach
		if t := p.room.Tail; opens && t != 0 && (t != p.speaker || p.room.TailReach < reach) {
			p.do(Command{Op: Settle})
		}
		if p.room.Reach < reach {
			p.do(Command{Op: SetReach, Member: p.room.Tap, Reach: reach})
		}
		if !s.Speak {
			p.do(Command{Op: Unmute, Member: s.ID})
		}
	}
	for _, l := range p.room.Lines {
		if !l.Hear && listens(p.roles[l.ID]) {
			if tail, ok := p.room.line(p.room.Tail); ok && tail.ID != l.ID && !related(tail.NoSpeak, l.ID) {
				p.do(Command{Op: Settle})
			}
			p.do(Command{Op: Undeaf, Member: l.ID})
		}
	}
}

// relate keeps the other lines from hearing a coach, or lets them hear. Nobody else
// in the room is given a relation: the tap has to hear the speaker.
func (p *tapPlanner) relate(s Line, closed bool) {
	var others []int
	for _, l := range p.room.Lines {
		if l.ID != s.ID && slices.Contains(s.NoSpeak, l.ID) != closed {
			others = append(others, l.ID)
		}
	}
	if len(others) == 0 {
		return
	}
	if closed {
		p.do(Command{Op: Relate, Member: s.ID, Others: others, NoSpeak: true})
	} else {
		p.do(Command{Op: Clear, Member: s.ID, Others: others})
	}
}

// leave removes lines that have to go: mute, and settled, because a member who
// leaves while speaking is heard for some frames by those with a relation.
func (p *tapPlanner) leave(w TapWish) {
	for _, l := range slices.Clone(p.room.Lines) {
		if _, wanted := w.Roles[l.Session]; wanted && l.Session != "" && !w.Leave[l.Session] {
			continue
		}
		if p.room.Tail == l.ID {
			p.do(Command{Op: Settle})
		}
		p.do(Command{Op: Remove, Member: l.ID})
	}
}

// ApplyTap is a room with a tap as it is after the command took effect.
func (c Command) ApplyTap(t Tapped) Tapped {
	t = t.clone()
	switch c.Op {
	case SetReach:
		t.Reach = c.Reach
		return t
	case Settle:
		t.Tail, t.TailReach = 0, ReachNobody
		return t
	}
	i := slices.IndexFunc(t.Lines, func(l Line) bool { return l.ID == c.Member })
	if i < 0 {
		return t
	}
	l := &t.Lines[i]
	switch c.Op {
	case Relate, Clear:
		for _, o := range c.Others {
			l.NoSpeak = with(l.NoSpeak, o, c.Op == Relate && c.NoSpeak)
		}
	case Mute:
		l.Speak = false
		t.Tail, t.TailReach = l.ID, ReachNobody // the reach was lowered before
	case Unmute:
		l.Speak = true
		if t.Tail == l.ID {
			t.Tail, t.TailReach = 0, ReachNobody
		}
	case Deaf:
		l.Hear = false
	case Undeaf:
		l.Hear = true
	case Remove:
		t.Lines = slices.Delete(t.Lines, i, i+1)
		for j := range t.Lines {
			t.Lines[j].NoSpeak = slices.DeleteFunc(t.Lines[j].NoSpeak, func(x int) bool { return x == c.Member })
		}
	}
	return t
}

// TapLine makes the tap on a pupil's leg: a loopback whose near end joins a room,
// and whose far end eavesdrops on the leg. It is heard by nobody until its reach is
// set, and takes no keys of the room's members. Every variable that a shop may have
// set for all eavesdropping is set here. The answer comes at once; MEDIA_BUG_START
// on the pupil's leg says that the tap is on.
func TapLine(tap, pupil fsapi.Channel, room fsapi.Room, profile fsapi.Var, marks ...fsapi.Set) fsapi.Line {
	uuid, err := fsapi.ParseValue(tap.String())
	if err != nil {
		return fsapi.Line{}
	}
	vars := []fsapi.Set{
		{Name: fsapi.Name("origination_uuid"), Value: uuid},
		{Name: fsapi.Name("origination_caller_id_name"), Value: fsapi.Const("livemon")},
		{Name: fsapi.Name("eavesdrop_enable_dtmf"), Value: fsapi.Bool(true)},
	}
	for _, name := range []string{
		"loopback_bowout", "loopback_bowout_on_execute", "eavesdrop_bridge_aleg", "eavesdrop_bridge_bleg",
		"eavesdrop_whisper_aleg", "eavesdrop_whisper_bleg", "eavesdrop_concat_video",
	} {
		vars = append(vars, fsapi.Set{Name: fsapi.Name(name), Value: fsapi.Bool(false)})
	}
	for _, name := range []string{"eavesdrop_indicate_failed", "eavesdrop_indicate_new", "eavesdrop_indicate_idle"} {
		vars = append(vars, fsapi.Set{Name: fsapi.Name(name), Value: fsapi.Const("silence_stream://20")})
	}
	return fsapi.OriginateInto(fsapi.Eavesdrop(pupil), []fsapi.App{fsapi.Join(room, profile, fsapi.FlagSkipDTMF)}, append(vars, marks...)...)
}
