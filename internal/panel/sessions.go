package panel

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"livemon/internal/wire"
)

const sessionsPage = 50

// sessionsData is what the Sessions page shows.
type sessionsData struct {
	Page
	Filter filter
	List   []past
	Paging paging
	Total  int
	More   bool // there are others before those that were read
	Cut    bool // there are, and they cannot be reached by paging
	Now    time.Time
	CSV    string
	Own    bool // only one's own are shown
}

// pastSessions reads and groups what a filter selects. A session is shown when it
// began in the time that is asked for.
func (p *Panel) pastSessions(ctx context.Context, f filter, read func(wire.AuditFilter) ([]wire.AuditRecord, bool, error)) ([]past, bool, error) {
	a := f.audit()
	if !a.Until.IsZero() {
		a.Until = a.Until.AddDate(0, 0, 1) // sessions that go on past midnight
	}
	records, more, err := read(a)
	if err != nil {
		return nil, false, err
	}
	all, err := p.opts.Service.Sessions(ctx)
	if err != nil {
		return nil, false, err
	}
	actor, _ := wire.ActorOf(ctx)
	live := slices.DeleteFunc(slices.Clone(all), func(s wire.Session) bool {
		return !actor.Admin && s.Account != actor.Account || f.Session != "" && s.ID != f.Session || f.Agent != "" && s.Agent != f.Agent || f.Supervisor != "" && s.Supervisor != f.Supervisor
	})
	list := group(records, live)
	list = slices.DeleteFunc(list, func(x past) bool {
		return !x.Live && (x.Started.Before(f.since) || x.Cut && more) || !f.until.IsZero() && !x.Started.Before(f.until)
	})
	return list, more, nil
}

func (p *Panel) filter(r *http.Request) (filter, error) {
	return parseFilter(r.URL.Query(), p.opts.Location, time.Now())
}

func (p *Panel) sessions(w http.ResponseWriter, r *http.Request) error {
	f, err := p.filter(r)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(r.Context(), callTimeout)
	defer cancel()
	d := sessionsData{Page: p.mine(r, "Sessions"), Filter: f, Now: time.Now(), CSV: "/sessions.csv?" + f.Query()}
	d.Own = !d.Admin
	n := f.Page*sessionsPage + 1
	list, more, err := p.pastSessions(ctx, f, func(a wire.AuditFilter) ([]wire.AuditRecord, bool, error) {
		return p.collect(ctx, a, maxShown, counting(n, func(r wire.AuditRecord) bool {
			return begins(r) && (f.until.IsZero() || r.Time.Before(f.until))
		}))
	})
	if err != nil {
		return err
	}
	d.Total, d.More, d.Cut = len(list), more, more && len(list) < n
	d.List, d.Paging = slicePage(list, f, sessionsPage, more)
	return p.render(w, http.StatusOK, "sessions", d)
}

// tooMany refuses a file that would lack something.
func (p *Panel) tooMany() error {
	return pageError{http.StatusRequestEntityTooLarge, fmt.Sprintf("There are more than %d records, and a file without all of them would mislead. Choose fewer days, or use 'livemon audit export'.", p.most)}
}

func (p *Panel) sessionsCSV(w http.ResponseWriter, r *http.Request) error {
	f, err := p.filter(r)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(r.Context(), callTimeout)
	defer cancel()
	list, _, err := p.pastSessions(ctx, f, func(a wire.AuditFilter) ([]wire.AuditRecord, bool, error) {
		records, err := p.saved(ctx, a)
		return records, false, err
	})
	if err != nil {
		return err
	}
	return sendCSV(w, "livemon-sessions.csv", sessionRows(list, p.opts.Location, time.Now()))
}

func sessionRows(list []past, zone *time.Location, now time.Time) [][]string {
	stamp := func(t time.Time) string {
		if t.IsZero() {
			return ""
		}
		return t.In(zone).Format(time.RFC3339)
	}
	rows := [][]string{{"session", "supervisor", "telephone", "agents", "node", "calls", "customers", "requested", "listening since", "ended", "seconds listened",
		"roles", "refused changes", "outcome", "reason", "code", "via", "origin"}}
	for _, x := range list {
		var ids, users, roles []string
		for _, c := range x.Calls {
			ids = append(ids, c.ID)
			if c.User != "" {
				users = append(users, c.User)
			}
		}
		for _, s := range x.Roles {
			to := ""
			if !s.To.IsZero() {
				to = stamp(s.To)
			}
			roles = append(roles, roleWord(s.Role)+" "+stamp(s.From)+"/"+to)
		}
		code := ""
		if x.Code != 0 {
			code = strconv.Itoa(x.Code)
		}
		rows = append(rows, []string{x.ID, x.Supervisor, x.Phone, strings.Join(x.Agents, "; "), x.Node, strings.Join(ids, "; "), strings.Join(users, "; "),
			stamp(x.Started), stamp(x.Listened), stamp(x.Ended), strconv.FormatInt(int64(x.Lasted(now)/time.Second), 10),
			strings.Join(roles, "; "), strconv.Itoa(x.Refused), x.Outcome(), x.How, code, x.Via, x.Origin})
	}
	return rows
}
