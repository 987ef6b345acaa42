package panel

import (
	"context"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"livemon/internal/wire"
)

const recordsPage = 100

// auditData is what the Audit page shows.
type auditData struct {
	Page
	Filter filter
	List   []wire.AuditRecord // newest first
	Paging paging
	Total  int
	More   bool // there are others before those that were read
	Cut    bool // there are, and they cannot be reached by paging
	CSV    string
	Own    bool
	Events []string
}

// auditEvents are the events that can be asked for by name.
func auditEvents() []string {
	return []string{"requested", "listening", "role", "refused", "left", "followed", "waiting", "follow", "ended", "adopted", "login", "login-refused", "logout",
		"account-added", "account-changed", "account-removed", "account-unlocked", "team-added", "team-changed", "team-removed", "token-added", "token-removed", "trimmed", "unreadable"}
}

// eventWord is an event as people read it.
func eventWord(e string) string { return strings.ReplaceAll(e, "-", " ") }

// selects tells whether a record is of the event that is asked for.
func (f filter) selects(r wire.AuditRecord) bool { return f.Event == "" || r.Event == f.Event }

// newestFirst are those of a list, oldest first, that a filter selects.
func newestFirst(list []wire.AuditRecord, f filter) []wire.AuditRecord {
	list = slices.DeleteFunc(list, func(r wire.AuditRecord) bool { return !f.selects(r) })
	slices.Reverse(list)
	return list
}

func (p *Panel) audit(w http.ResponseWriter, r *http.Request) error {
	f, err := p.filter(r)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(r.Context(), callTimeout)
	defer cancel()
	d := auditData{Page: p.mine(r, "Audit"), Filter: f, CSV: "/audit.csv?" + f.Query(), Events: auditEvents()}
	d.Own = !d.Admin
	n := f.Page*recordsPage + 1
	list, more, err := p.collect(ctx, f.audit(), maxShown, counting(n, f.selects))
	if err != nil {
		return err
	}
	list = newestFirst(list, f)
	d.Total, d.More, d.Cut = len(list), more, more && len(list) < n
	d.List, d.Paging = slicePage(list, f, recordsPage, more)
	return p.render(w, http.StatusOK, "audit", d)
}

func (p *Panel) auditCSV(w http.ResponseWriter, r *http.Request) error {
	f, err := p.filter(r)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(r.Context(), callTimeout)
	defer cancel()
	list, err := p.saved(ctx, f.audit())
	if err != nil {
		return err
	}
	list = newestFirst(list, f)
	rows := [][]string{{"id", "number", "hash", "time", "event", "session", "supervisor", "actor", "telephone", "agent", "customer", "node", "call", "room",
		"from", "to", "via", "origin", "code", "detail", "late", "anchor"}}
	for _, x := range list {
		code, late, seq := "", "", ""
		if x.Code != 0 {
			code = strconv.Itoa(x.Code)
		}
		if x.Late {
			late = "late"
		}
		if x.Seq != 0 {
			seq = strconv.FormatInt(x.Seq, 10)
		}
		rows = append(rows, []string{x.ID, seq, x.Hash, x.Time.In(p.opts.Location).Format(time.RFC3339Nano), x.Event, x.Session, x.Supervisor, x.Actor, x.Phone, x.Agent,
			x.User, x.Node, x.Call, x.Room, string(x.From), string(x.To), x.Via, x.Origin, code, x.Detail, late, x.Anchor})
	}
	return sendCSV(w, "livemon-audit.csv", rows)
}
