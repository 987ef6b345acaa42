package panel

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"net/http"
	"slices"
	"strings"

	"livemon/conference"
	"livemon/internal/web"
	"livemon/internal/wire"
)

// maxDrawn is how many supervisors are drawn; further ones are in words only.
const maxDrawn = 4

// party is somebody on a call, as seen by who looks at it.
type party struct {
	Word   string // "you", "the customer"; empty where Name says it
	Name   string
	Role   wire.Role // of a supervisor
	member conference.Member
	drawn  bool
	X, Y   int // the middle of his box
}

// hearing is who hears whom in a session.
type hearing struct {
	ID      string // for the ids of the drawing's parts
	Note    string // why it is not as one might think
	Parties []party
	Lines   []line
	Edges   []edge
	Hidden  int // supervisors who are not drawn
	Width   int
	Height  int
}

// line says whom somebody hears.
type line struct {
	Who  party
	Whom []party
}

// edge is a line of the drawing, from one box to another.
type edge struct {
	Path  string
	Heads []string  // the points of its arrowheads
	Role  wire.Role // of the supervisor who is heard by it; empty if none is
}

// hears answers with a fragment of a page: who hears whom in a session right
// now, by the table, drawn and in words.
func (p *Panel) hears(w http.ResponseWriter, r *http.Request) error {
	id := r.PathValue("id")
	if len(id) > 128 {
		return pageError{http.StatusNotFound, "There is no such session."}
	}
	ctx, cancel := context.WithTimeout(r.Context(), callTimeout)
	defer cancel()
	s, err := p.opts.Service.Session(ctx, id)
	if err != nil {
		return err
	}
	all, err := p.opts.Service.Sessions(ctx)
	if err != nil {
		return err
	}
	actor, _ := wire.ActorOf(ctx)
	return p.render(w, http.StatusOK, "hears", whoHears(s, all, actor.Account))
}

// whoHears applies the table to a session's call and every session on it.
// account is who looks.
func whoHears(s wire.Session, all []wire.Session, account string) hearing {
	h := hearing{ID: hexHash(s.ID)[:12]}
	name := func(x wire.Session) party {
		if x.Account == account && account != "" {
			return party{Word: "you", Role: x.Role}
		}
		return party{Name: web.Clip(cmp.Or(x.Supervisor, x.Phone), 80), Role: x.Role}
	}
	switch s.Status {
	case wire.Ended:
		h.Note = "The session has ended."
		return h
	case wire.Waiting:
		h.Note = "There is no call to listen to at the moment."
		return h
	case wire.Requested, wire.Ringing:
		h.Note = "The telephone has not been answered: nobody listens yet."
	case wire.Answered:
		h.Note = "The telephone has been answered: nobody listens yet."
	}
	if s.Call == "" {
		return h
	}
	roles := map[string]wire.Role{}
	var on []wire.Session
	takenOver := false
	for _, x := range all {
		if x.Call != s.Call || x.Node != s.Node || x.Status != wire.Listening && x.Status != wire.Answered {
			continue
		}
		if x.Status == wire.Answered {
			x.Role = wire.Joining
		}
		on = append(on, x)
		roles[x.ID] = x.Role
		takenOver = takenOver || x.Role == wire.TakeOver
	}
	slices.SortStableFunc(on, func(a, b wire.Session) int {
		switch { // the session itself comes first
		case a.ID == s.ID:
			return -1
		case b.ID == s.ID:
			return 1
		}
		return a.Since.Compare(b.Since)
	})
	if !takenOver {
		h.Parties = append(h.Parties, party{Name: web.Clip(s.Agent, 80), member: conference.Member{ID: 1, Party: conference.Pupil}, drawn: true})
	}
	h.Parties = append(h.Parties, party{Word: "the customer", member: conference.Member{ID: 2, Party: conference.User}, drawn: true})
	for i, x := range on {
		q := name(x)
		q.Role = x.Role
		q.member, q.drawn = conference.Member{ID: 3 + i, Party: conference.Supervisor, Session: x.ID}, i < maxDrawn
		h.Parties = append(h.Parties, q)
	}
	h.Hidden = max(len(on)-maxDrawn, 0)
	switch s.Hold {
	case wire.HeldByAgent:
		h.Note = "The agent has put the customer on hold."
	case wire.HeldByCustomer:
		h.Note = "The customer has put the agent on hold."
	}
	heard := func(listener, speaker party) bool {
		parties := listener.member.Party != conference.Supervisor && speaker.member.Party != conference.Supervisor
		return listener.member.ID != speaker.member.ID && (!parties || s.Hold == wire.HeldByNobody) &&
			conference.Allowed(listener.member, speaker.member, roles)
	}
	for _, who := range h.Parties {
		l := line{Who: who}
		for _, whom := range h.Parties {
			if heard(who, whom) {
				l.Whom = append(l.Whom, whom)
			}
		}
		h.Lines = append(h.Lines, l)
	}
	h.draw(heard)
	return h
}

const (
	boxWidth, boxHeight = 124, 40
	leastWidth          = 440 // of a drawing
	headLength          = 9.0
)

// draw places the boxes, the call's parties above and supervisors below, and
// joins those who hear one another.
func (h *hearing) draw(heard func(listener, speaker party) bool) {
	var above, below []*party
	for i := range h.Parties {
		q := &h.Parties[i]
		switch {
		case !q.drawn:
		case q.member.Party == conference.Supervisor:
			below = append(below, q)
		default:
			above = append(above, q)
		}
	}
	h.Height, h.Width = 60, max(leastWidth, len(below)*(boxWidth+12))
	place := func(row []*party, y int) {
		for i, q := range row {
			q.X, q.Y = h.Width*(2*i+1)/(2*len(row)), y
		}
	}
	place(above, 30)
	if len(below) > 0 {
		place(below, 150)
		h.Height = 180
	}
	for i, a := range h.Parties {
		for _, b := range h.Parties[i+1:] {
			there, back := heard(b, a), heard(a, b) // a is heard by b, b by a
			if a.drawn && b.drawn && (there || back) {
				e := join(a, b, there, back)
				switch {
				case there && a.Role.Speaks():
					e.Role = a.Role
				case back && b.Role.Speaks():
					e.Role = b.Role
				}
				h.Edges = append(h.Edges, e)
				if a.Y == b.Y && a.member.Party == conference.Supervisor {
					h.Height = 205 // it goes below them
				}
			}
		}
	}
}

// join is the line from a's box to b's, with a head at each end that hears.
func join(a, b party, there, back bool) edge {
	var e edge
	if a.Y == b.Y && a.member.Party == conference.Supervisor {
		// Beside one another there may be others in between: below them.
		bottom, low := float64(a.Y+boxHeight/2+3), float64(a.Y+boxHeight/2+42)
		ax, bx := float64(a.X), float64(b.X)
		e.Path = fmt.Sprintf("M%.0f %.0f C%.0f %.0f %.0f %.0f %.0f %.0f", ax, bottom, ax, low, bx, low, bx, bottom)
		if there {
			e.Heads = append(e.Heads, head(bx, bottom, 0, -1))
		}
		if back {
			e.Heads = append(e.Heads, head(ax, bottom, 0, -1))
		}
		return e
	}
	ax, ay := border(a, b)
	bx, by := border(b, a)
	e.Path = fmt.Sprintf("M%.1f %.1f L%.1f %.1f", ax, ay, bx, by)
	if there {
		e.Heads = append(e.Heads, head(bx, by, bx-ax, by-ay))
	}
	if back {
		e.Heads = append(e.Heads, head(ax, ay, ax-bx, ay-by))
	}
	return e
}

// border is where the line from the middle of one box to that of another leaves
// the first.
func border(from, to party) (x, y float64) {
	dx, dy := float64(to.X-from.X), float64(to.Y-from.Y)
	scale := 1.0
	if dx != 0 {
		scale = min(scale, (boxWidth/2+3)/math.Abs(dx))
	}
	if dy != 0 {
		scale = min(scale, (boxHeight/2+3)/math.Abs(dy))
	}
	return float64(from.X) + dx*scale, float64(from.Y) + dy*scale
}

// head is an arrowhead whose point is at x, y, in the direction dx, dy.
func head(x, y, dx, dy float64) string {
	length := math.Hypot(dx, dy)
	if length == 0 {
		length = 1
	}
	ux, uy := dx/length, dy/length
	bx, by := x-ux*headLength, y-uy*headLength
	return fmt.Sprintf("%.1f,%.1f %.1f,%.1f %.1f,%.1f", x, y, bx-uy*4.5, by+ux*4.5, bx+uy*4.5, by-ux*4.5)
}

// isolate keeps a name from turning the direction of what stands around it.
func isolate(s string) string { return "\u2068" + s + "\u2069" }

// Text is how somebody is called.
func (q party) Text() string {
	if q.Word != "" {
		return q.Word
	}
	return isolate(q.Name)
}

// Kind is what somebody is, for the style of his box.
func (q party) Kind() string {
	switch q.member.Party {
	case conference.Pupil:
		return "agent"
	case conference.User:
		return "customer"
	}
	return "supervisor"
}

// Short is how somebody is called in his box.
func (q party) Short() string {
	const most = 14
	if r := []rune(q.Name); q.Word == "" && len(r) > most {
		return isolate(string(r[:most-1]) + "…")
	}
	return q.Text()
}

// Under is what somebody is, below his name.
func (q party) Under() string {
	switch q.member.Party {
	case conference.Pupil:
		return "agent"
	case conference.User:
		return ""
	}
	return roleWord(q.Role)
}

// Left and Top are those of the box.
func (q party) Left() int { return q.X - boxWidth/2 }

// Top is the upper edge of the box.
func (q party) Top() int { return q.Y - boxHeight/2 }

// Drawn tells whether he has a box.
func (q party) Drawn() bool { return q.drawn }

// Hears is the verb that belongs to him.
func (q party) Hears() string {
	if q.Word == "you" {
		return "hear"
	}
	return "hears"
}

// First is how somebody is called at the beginning of a sentence.
func (q party) First() party {
	if q.Word != "" {
		q.Word = strings.ToUpper(q.Word[:1]) + q.Word[1:]
	}
	return q
}

// between is what stands before the one at i in a list of n.
func between(i, n int) string {
	switch {
	case i == 0:
		return ""
	case i == n-1:
		return " and "
	}
	return ", "
}

// Words says who hears whom, for who cannot see the drawing.
func (h hearing) Words() string {
	var out []string
	for _, l := range h.Lines {
		whom := ""
		for i, q := range l.Whom {
			whom += between(i, len(l.Whom)) + q.Text()
		}
		out = append(out, l.Who.First().Text()+" "+l.Who.Hears()+" "+cmp.Or(whom, "nobody")+".")
	}
	return strings.Join(out, " ")
}
