package panel

import (
	"cmp"
	"slices"
	"time"

	"livemon/internal/wire"
)

// past is one session as the audit stream tells it, or a request for one that
// was refused.
type past struct {
	ID         string // empty for a refused request
	Supervisor string
	Phone      string
	Agents     []string // whom he listened to, in order
	Node       string
	Calls      []heardCall
	Via        string // through which door it was asked for
	Origin     string
	Started    time.Time // the first that is known of it
	Listened   time.Time // when he began to listen; zero if he never did
	Ended      time.Time // zero while it is on, or where its end is not among the records
	Roles      []span
	Refused    int // changes that were refused
	How        string
	Code       int
	Live       bool
	Status     wire.Status // while it is live
	Cut        bool        // its beginning is not among the records
}

// heardCall is a call that a session was on.
type heardCall struct {
	ID, Agent, User string
	From            time.Time
}

// span is a time in one role.
type span struct {
	Role     wire.Role
	From, To time.Time // To is zero while it lasts
	Via      string
}

// Agent is whom he listened to last.
func (p past) Agent() string {
	if len(p.Agents) == 0 {
		return ""
	}
	return p.Agents[len(p.Agents)-1]
}

// Lasted is how long he was able to listen, up to now where he still is; what
// ended nobody knows when does not count.
func (p past) Lasted(now time.Time) time.Duration {
	var sum time.Duration
	for _, s := range p.Roles {
		switch {
		case !s.To.IsZero():
			sum += s.To.Sub(s.From)
		case p.Live:
			sum += max(now.Sub(s.From), 0)
		}
	}
	return sum
}

// Outcome is how it ended, in a few words.
func (p past) Outcome() string {
	switch {
	case p.Live:
		return string(p.Status) + " now"
	case p.ID == "":
		return "refused"
	case p.Ended.IsZero():
		return "its end is not recorded"
	case p.Listened.IsZero():
		return "ended before anybody listened"
	}
	return "ended"
}

// group makes sessions of audit records, whatever their order, newest first.
// Records of other things, as logins, are left out. live are the sessions that are
// on: they need not be over because nothing says so.
func group(records []wire.AuditRecord, live []wire.Session) []past {
	records = slices.Clone(records)
	slices.SortStableFunc(records, func(a, b wire.AuditRecord) int {
		return cmp.Or(a.Time.Compare(b.Time), cmp.Compare(a.Seq, b.Seq))
	})
	byID := map[string]*past{}
	var list []*past
	for _, r := range records {
		if r.Session == "" {
			if begins(r) {
				list = append(list, &past{Supervisor: nameOf(r), Phone: r.Phone, Agents: []string{r.Agent}, Node: r.Node, Via: r.Via, Origin: r.Origin,
					Started: r.Time, Ended: r.Time, How: r.Detail, Code: r.Code, Calls: calls(r)})
			}
			continue
		}
		p := byID[r.Session]
		if p == nil {
			p = &past{ID: r.Session, Started: r.Time, Cut: !begins(r), Via: r.Via, Origin: r.Origin}
			byID[r.Session] = p
			list = append(list, p)
		}
		p.add(r)
	}
	for _, s := range live {
		p := byID[s.ID]
		if p == nil {
			p = &past{ID: s.ID, Supervisor: cmp.Or(s.Account, s.Supervisor), Phone: s.Phone, Agents: []string{s.Agent}, Node: s.Node, Started: s.Since}
			byID[s.ID] = p
			list = append(list, p)
		}
		if s.Status != wire.Ended {
			p.Live, p.Status, p.Ended, p.How, p.Code = true, s.Status, time.Time{}, "", 0
		}
	}
	out := make([]past, len(list))
	for i, p := range list {
		out[i] = *p
	}
	slices.SortStableFunc(out, func(a, b past) int {
		return cmp.Or(b.Started.Compare(a.Started), cmp.Compare(b.ID, a.ID))
	})
	return out
}

// begins tells whether a record is the first of a session, or all of one.
func begins(r wire.AuditRecord) bool {
	return r.Session != "" && (r.Event == "requested" || r.Event == "adopted") || r.Session == "" && r.Event == "refused" && r.Agent != ""
}

// nameOf is whose doing a record is.
func nameOf(r wire.AuditRecord) string { return cmp.Or(r.Supervisor, r.Actor, r.Phone) }

func calls(r wire.AuditRecord) []heardCall {
	if r.Call == "" {
		return nil
	}
	return []heardCall{{r.Call, r.Agent, r.User, r.Time}}
}

// add takes in one record of the session, the next in time.
func (p *past) add(r wire.AuditRecord) {
	for _, f := range []struct {
		to   *string
		from string
	}{{&p.Supervisor, nameOf(r)}, {&p.Phone, r.Phone}, {&p.Node, r.Node}, {&p.Via, r.Via}, {&p.Origin, r.Origin}} {
		if *f.to == "" {
			*f.to = f.from
		}
	}
	if r.Agent != "" && r.Agent != p.Agent() {
		p.Agents = append(p.Agents, r.Agent)
	}
	if n := len(p.Calls); r.Call != "" && (n == 0 || p.Calls[n-1].ID != r.Call) {
		p.Calls = append(p.Calls, calls(r)...)
	}
	switch r.Event {
	case "listening":
		if p.Listened.IsZero() {
			p.Listened = r.Time
		}
		p.role(cmp.Or(r.To, wire.Monitor), r)
	case "role":
		if p.Listened.IsZero() {
			p.Listened = r.Time // what came before is not among the records
		}
		p.role(r.To, r)
	case "left", "followed", "waiting": // he hears nobody until he listens to another call
		p.role("", r)
	case "refused":
		p.Refused++
	case "ended":
		p.role("", r)
		p.Ended, p.How, p.Code = r.Time, r.Detail, r.Code
	}
}

// role ends the time in the role before and begins that in another; "" is none.
func (p *past) role(role wire.Role, r wire.AuditRecord) {
	if n := len(p.Roles); n > 0 && p.Roles[n-1].To.IsZero() {
		if p.Roles[n-1].Role == role {
			return
		}
		p.Roles[n-1].To = r.Time
	}
	if role != "" {
		p.Roles = append(p.Roles, span{Role: role, From: r.Time, Via: r.Via})
	}
}
