package conference

import (
	"slices"

	"livemon/internal/wire"
)

// Desired is what a room should be.
type Desired struct {
	Roles map[string]wire.Role // by session; a supervisor who is not in it has to leave
	Leave map[string]bool      // sessions that have to leave although they still have a role
}

// effective returns the roles the table is to be applied with: leavers and
// unknown supervisors are joining, a take-over is a barge until the pupil has
// gone, and of several speakers only the first in the order of member ids speaks.
func (d Desired) effective(r Room) map[string]wire.Role {
	roles := make(map[string]wire.Role, len(d.Roles))
	members := slices.Clone(r.Members)
	slices.SortFunc(members, func(a, b Member) int { return a.ID - b.ID })
	spoken := false
	for _, m := range members {
		if m.Party != Supervisor || m.Session == "" {
			continue
		}
		role := d.Roles[m.Session]
		switch {
		case role == "" || d.Leave[m.Session]:
			role = wire.Joining
		case role.Speaks() && spoken:
			role = wire.Monitor
		case role.Speaks():
			spoken = true
		}
		roles[m.Session] = role
	}
	return roles
}

// Plan returns the commands that lead from the room as it is towards the room as
// it is wanted. It is empty when nothing is left to do. A plan may be one of
// several: read the room again after it and plan again.
func Plan(r Room, d Desired) []Command {
	p := planner{room: r, roles: d.effective(r)}
	p.restrict()
	p.lock()
	p.grant()
	p.takeOver(d)
	p.leave(d)
	return p.commands
}

type planner struct {
	room     Room // as it will be after commands
	roles    map[string]wire.Role
	commands []Command
}

func (p *planner) do(c Command) {
	p.commands = append(p.commands, c)
	p.room = c.Apply(p.room)
}

// supervisors calls f for each of them, as the room is by then.
func (p *planner) supervisors(f func(Member, wire.Role)) {
	for _, m := range slices.Clone(p.room.Members) {
		if m.Party != Supervisor {
			continue
		}
		if now, ok := p.room.Member(m.ID); ok {
			f(now, p.roles[m.Session])
		}
	}
}

// mixed tells whether a supervisor in a role is heard through the room's mix. A
// coach is not: he stays mute, and whispers past it. A relation could keep him
// from the others only as long as he stays: when he is kicked or hangs up, the mix
// loses his voice some frames before it stops subtracting it for those who have a
// relation with him, and they hear just that. And whoever joins a room hears a coach
// before any relation can be set.
func mixed(role wire.Role) bool { return role == wire.Barge || role == wire.TakeOver }

// whispers tells whether a supervisor in a role is heard by the pupil past the mix.
func (p *planner) whispers(role wire.Role) bool {
	_, pupil := p.room.Of(Pupil)
	return role == wire.Coach && pupil
}

// relate brings supervisors' relations to what their roles want: who is not in the
// mix keeps one towards everybody, as a second lock behind the mute. With keep it
// takes none away. Nobody else is given any.
func (p *planner) relate(keep bool) {
	for _, m := range p.room.Members {
		if m.Party != Supervisor {
			continue
		}
		closed := !mixed(p.roles[m.Session])
		for _, how := range [...][2]bool{{true, true}, {true, false}, {false, true}, {false, false}} {
			var others []int
			for _, o := range p.room.Members {
				speaksNot, hearsNot := slices.Contains(m.NoSpeak, o.ID), slices.Contains(m.NoHear, o.ID)
				want := [2]bool{closed || keep && speaksNot, keep && hearsNot}
				if o.ID != m.ID && how == want && want != [2]bool{speaksNot, hearsNot} {
					others = append(others, o.ID)
				}
			}
			switch {
			case len(others) == 0:
			case how == [2]bool{}:
				p.do(Command{Op: Clear, Member: m.ID, Others: others})
			default:
				p.do(Command{Op: Relate, Member: m.ID, Others: others, NoSpeak: how[0], NoHear: how[1]})
			}
		}
	}
}

// restrict takes away everything that the table does not allow, the quickest
// first: a relation counts from the next frame on, while what a muted member said
// before is mixed until his buffers are empty, for half a second at the most.
func (p *planner) restrict() {
	p.relate(true)
	p.supervisors(func(m Member, role wire.Role) {
		if m.Speak && !mixed(role) {
			p.do(Command{Op: Mute, Member: m.ID})
		}
	})
	p.supervisors(func(m Member, role wire.Role) {
		if m.Whispers && !p.whispers(role) {
			p.do(Command{Op: Hush, Member: m.ID})
		}
	})
	p.supervisors(func(m Member, role wire.Role) {
		if m.Hear && !listens(role) {
			p.do(Command{Op: Deaf, Member: m.ID})
		}
	})
}

// lock keeps newcomers, who would hear a coach before any relation could be
// set, out of a room of ours.
func (p *planner) lock() {
	if p.room.Ours && !p.room.Locked && len(p.room.Members) > 0 {
		p.do(Command{Op: Lock})
	}
}

// grant opens what the table allows and is not open yet.
func (p *planner) grant() {
	p.relate(false)
	p.supervisors(func(m Member, role wire.Role) {
		if mixed(role) && !m.Speak {
			p.do(Command{Op: Unmute, Member: m.ID})
		}
		if p.whispers(role) && !m.Whispers {
			p.do(Command{Op: Whisper, Member: m.ID})
		}
	})
	p.supervisors(func(m Member, role wire.Role) {
		if listens(role) && !m.Hear {
			p.do(Command{Op: Undeaf, Member: m.ID})
		}
	})
}

// takeOver removes the pupil, but only in a room that needed no other command:
// then it was seen, not expected, that the user hears the supervisor.
func (p *planner) takeOver(d Desired) {
	if len(p.commands) > 0 {
		return
	}
	pupil, ok := p.room.Of(Pupil)
	if !ok {
		return
	}
	p.supervisors(func(m Member, role wire.Role) {
		if d.Roles[m.Session] != wire.TakeOver || role != wire.TakeOver || len(p.commands) > 0 {
			return
		}
		for _, o := range p.room.Members {
			if (o.Party == User || o.Party == Other && !p.room.Ours) && Hears(o, m) {
				p.do(Command{Op: Remove, Member: pupil.ID})
				return
			}
		}
	})
}

// leave removes supervisors who have to go: they are muted by now, and SettleTime
// later nothing of them is left in any buffer.
func (p *planner) leave(d Desired) {
	settled := false
	p.supervisors(func(m Member, _ wire.Role) {
		if _, wanted := d.Roles[m.Session]; wanted && m.Session != "" && !d.Leave[m.Session] {
			return
		}
		if !settled {
			p.do(Command{Op: Settle})
			settled = true
		}
		p.do(Command{Op: Remove, Member: m.ID})
	})
}
