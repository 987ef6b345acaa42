package panel

import (
	"errors"
	"log/slog"
	"net/http"
	"sort"
	"strings"
	"sync/atomic"
	"time"

	"livemon/fsconf"
	"livemon/internal/wire"
)

// Options are what New needs.
type Options struct {
	// Service answers for whoever is in the context, and shows him what he may
	// see. Required.
	Service wire.Service
	// Accounts checks passwords and logins. Required.
	Accounts wire.Accounts
	// Secure says that browsers reach the panel over TLS only: cookies are sent
	// back over TLS only, then, and belong to this host alone.
	Secure bool
	// Keys are those of the supervisors' telephones, shown as a reminder. None are
	// shown where there are none.
	Keys fsconf.Keys
	// Location is where dates and times are shown and read. Default time.Local.
	Location *time.Location
	// Logger receives one debug line a request, and each failure with its cause.
	// Nil discards.
	Logger *slog.Logger
	// Version is shown on the page. May be empty.
	Version string
}

// Panel is the web page. It is safe for concurrent use and has nothing to close.
type Panel struct {
	opts    Options
	log     *slog.Logger
	pages   *pages
	reports chan struct{} // held by who reads the audit stream
	most    int           // records that a file may have
	peopled atomic.Bool   // there is an account: one that is not goes unnoticed, and harms nothing
}

// New returns the panel. An error says which option is missing.
func New(o Options) (*Panel, error) {
	if o.Service == nil || o.Accounts == nil {
		return nil, errors.New("panel: a service and accounts are required")
	}
	if o.Location == nil {
		o.Location = time.Local
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	p, err := parsePages(o.Location)
	if err != nil {
		return nil, err
	}
	return &Panel{opts: o, log: o.Logger, pages: p, reports: make(chan struct{}, maxReports), most: maxSaved}, nil
}

// route is one page.
type route struct {
	method, path string
	open         bool // answered without a login
	serve        func(*Panel, http.ResponseWriter, *http.Request) error
}

func routes() []route {
	return []route{
		{method: "GET", path: "/{$}", open: true, serve: (*Panel).root},
		{method: "GET", path: "/login", open: true, serve: (*Panel).loginPage},
		{method: "POST", path: "/login", open: true, serve: (*Panel).login},
		{method: "POST", path: "/logout", serve: (*Panel).logout},
		{method: "GET", path: "/monitoring", serve: (*Panel).monitoring},
		{method: "GET", path: "/fragment/hears/{id}", serve: (*Panel).hears},
		{method: "GET", path: "/sessions", serve: (*Panel).sessions},
		{method: "GET", path: "/sessions.csv", serve: (*Panel).sessionsCSV},
		{method: "GET", path: "/audit", serve: (*Panel).audit},
		{method: "GET", path: "/audit.csv", serve: (*Panel).auditCSV},
		{method: "GET", path: "/account", serve: (*Panel).account},
		{method: "POST", path: "/account/password", serve: (*Panel).changePassword},
		{method: "POST", path: "/account/tokens/{id}/remove", serve: (*Panel).removeToken},
		{method: "GET", path: "/static/{hash}/{file}", open: true, serve: (*Panel).static},
	}
}

// Handler answers everything but /v1/ and /healthz, which are the API's.
func (p *Panel) Handler() http.Handler {
	mux := http.NewServeMux()
	allowed := map[string][]string{}
	for _, rt := range routes() {
		allowed[rt.path] = append(allowed[rt.path], rt.method)
		if rt.method == "GET" {
			allowed[rt.path] = append(allowed[rt.path], "HEAD")
		}
		mux.Handle(rt.method+" "+rt.path, p.page(rt))
	}
	for path, methods := range allowed {
		sort.Strings(methods)
		allow := strings.Join(methods, ", ")
		mux.Handle(path, p.page(route{open: true, serve: func(_ *Panel, w http.ResponseWriter, _ *http.Request) error {
			w.Header().Set("Allow", allow)
			return pageError{http.StatusMethodNotAllowed, "This address takes " + allow + " only."}
		}}))
	}
	mux.Handle("/", p.page(route{open: true, serve: func(*Panel, http.ResponseWriter, *http.Request) error {
		return pageError{http.StatusNotFound, "There is no such page."}
	}}))
	return p.outermost(mux)
}

func (p *Panel) root(w http.ResponseWriter, r *http.Request) error {
	http.Redirect(w, r, "/monitoring", http.StatusSeeOther)
	return nil
}
