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
	Cut    bool
	CSV    string
	Own    bool
	Events []string
}

// auditEvents are the events that can be asked for by name.
func auditEvents() []string {
	return []string{"requested", "listening", "role", "refused", "waiting", "followed", "follow", "ended", "adopted", "login", "login-refused", "logout",
		"account-added", "account-changed", "account-removed", "account-unlocked", "team-added", "team-changed", "team-removed", "token-added", "token-removed", "trimmed", "unreadable"}
}

// eventWord is an event as people read it.
func eventWord(e string) string { return strings.ReplaceAll(e, "-", " ") }

// records returns what a filter selects, newest first.
func (p *Panel) records(ctx context.Context, f filter, limit int) ([]wire.AuditRecord, bool, error) {
	list, more, err := p.collect(ctx, f.audit(), limit)
	if err != nil {
		return nil, false, err
	}
	if f.Event != "" {
		list = slices.DeleteFunc(list, func(r wire.AuditRecord) bool { return r.Event != f.Event })
	}
	slices.Reverse(list)
	return list, more, nil
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
	list, more, err := p.records(ctx, f, maxShown)
	if err != nil {
		return err
	}
	d.Total, d.Cut = len(list), more
	d.List, d.Paging = slicePage(list, f, recordsPage)
	return p.render(w, http.StatusOK, "audit", d)
}

func (p *Panel) auditCSV(w http.ResponseWriter, r *http.Request) error {
	f, err := p.filter(r)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(r.Context(), callTimeout)
	defer cancel()
	list, more, err := p.records(ctx, f, maxSaved)
	if err != nil {
		return err
	}
	if more {
		return tooMany()
	}
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
