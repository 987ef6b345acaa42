package panel

import (
	"bytes"
	"fmt"
	"html/template"
	"net/http"
	"strings"
	"time"

	"livemon/internal/wire"
)

// Page is what every page shows around its own content.
type Page struct {
	Title   string
	Here    string // the path of the page, for the navigation
	Static  string // where its files are
	Account string // whose login it is; empty without one
	Admin   bool
	CSRF    string
	Version string
	Zone    string // in which times are shown
}

// blank is a page for nobody in particular.
func (p *Panel) blank(title string) Page {
	return Page{Title: title, Static: "/static/" + staticHash, Version: p.opts.Version}
}

// mine is a page for whoever has logged in.
func (p *Panel) mine(r *http.Request, title string) Page {
	actor, _ := wire.ActorOf(r.Context())
	d := p.blank(title)
	d.Here, d.Account, d.Admin, d.CSRF = r.URL.Path, actor.Account, actor.Admin, csrfToken(loginOf(r.Context()))
	if d.Zone = time.Now().In(p.opts.Location).Format("MST"); d.Zone != "UTC" {
		d.Zone = time.Now().In(p.opts.Location).Format("MST (UTC-07:00)")
	}
	return d
}

// pages are the parsed templates, by name. Each but a fragment is set into the layout.
type pages struct {
	byName map[string]*template.Template
}

func parsePages(zone *time.Location) (*pages, error) {
	out := &pages{byName: map[string]*template.Template{}}
	funcs := template.FuncMap{
		"when":  func(t time.Time) string { return t.In(zone).Format("2006-01-02 15:04:05") },
		"clock": func(t time.Time) string { return t.In(zone).Format("15:04:05") },
		"after": func(from, t time.Time) string { // the day is left out where it is the same
			const day = "2006-01-02 "
			from, t = from.In(zone), t.In(zone)
			return strings.TrimPrefix(t.Format(day), from.Format(day)) + t.Format("15:04:05")
		},
		"iso":     func(t time.Time) string { return t.UTC().Format(time.RFC3339) },
		"hms":     hms,
		"role":    roleWord,
		"event":   eventWord,
		"between": between,
	}
	for name, files := range map[string][]string{
		"login": {"layout", "login"}, "error": {"layout", "error"}, "again": {"layout", "again"}, "monitoring": {"layout", "monitoring"},
		"sessions": {"layout", "list", "sessions"}, "audit": {"layout", "list", "audit"}, "account": {"layout", "account"},
		"hears": {"hears"},
	} {
		t := template.New(name).Funcs(funcs).Option("missingkey=error")
		for _, f := range files {
			text, err := templateFiles.ReadFile("templates/" + f + ".html")
			if err != nil {
				return nil, err
			}
			if t, err = t.New(f).Parse(string(text)); err != nil {
				return nil, err
			}
		}
		out.byName[name] = t.Lookup(files[0])
	}
	return out, nil
}

// render makes the whole page before it sends any of it.
func (p *Panel) render(w http.ResponseWriter, status int, name string, data any) error {
	var out bytes.Buffer
	if err := p.pages.byName[name].Execute(&out, data); err != nil {
		return fmt.Errorf("page %s: %w", name, err)
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_, _ = out.WriteTo(w) // who asked may be gone
	return nil
}

// hms is a duration as hours, minutes and seconds.
func hms(d time.Duration) string {
	s := max(int64(d/time.Second), 0)
	return fmt.Sprintf("%02d:%02d:%02d", s/3600, s/60%60, s%60)
}

// roleWord is a role as people say it.
func roleWord(r wire.Role) string {
	if r == wire.TakeOver {
		return "taken over"
	}
	return string(r)
}
