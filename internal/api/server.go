package api

import (
	"log/slog"
	"net/http"
	"sort"
	"strings"
	"sync"
	"time"

	"livemon/internal/guard"
	"livemon/internal/wire"
)

const (
	maxBody      = 64 << 10         // bytes of a request's body
	bodyTimeout  = 10 * time.Second // to send a request's body
	callTimeout  = 60 * time.Second // for one call of the service
	writeTimeout = 15 * time.Second // for one write of an answer
	maxWait      = 60 * time.Second // of a long poll
	maxWaiting   = 256              // event streams and long polls at a time
	maxWaitingOf = 32               // those of one account
	heartbeat    = 15 * time.Second // between two lines of an event stream, at most
	askAgain     = time.Minute      // after which an event stream's reader is looked at again
	minInterval  = 100 * time.Millisecond
	retryAfter   = time.Second // between two tries to read a list that cannot be read
)

// ServerOptions are what NewServer needs besides the service.
type ServerOptions struct {
	// Token is what clients must present. While it is empty every request but
	// /healthz is refused.
	Token string
	// Accounts knows whose tokens are good besides, and who may see and do what.
	// Nil is none: then there is the one token only, and it opens everything.
	Accounts wire.Accounts
	// Login tells who asks with a request that has no Authorization header, by a
	// login's cookie. Browsers send cookies whoever made them ask: so for every
	// method but GET and HEAD it must ask for more than the cookie, that no other
	// page can know. wire.ErrDenied is nobody (401), wire.ErrForbidden a request
	// that lacks that (403). It is asked again while an event stream goes on. Nil
	// is nobody.
	Login func(*http.Request) (wire.Actor, error)
	// Logger receives one debug line a request, and each failure with its cause. Nil discards.
	Logger *slog.Logger
	// Version is what /v1/version answers.
	Version string
	// Stopping ends event streams and long polls when it is closed, so that a
	// graceful shutdown need not wait for them. Nil never ends them.
	Stopping <-chan struct{}
}

type server struct {
	svc      *guard.Guard
	accounts wire.Accounts // nil: none
	auth     *authorizer
	log      *slog.Logger
	version  string
	stopping <-chan struct{}

	agentFeed   *feed[*agentList]
	sessionFeed *feed[sessionList]

	mu        sync.Mutex
	waiting   int            // event streams and long polls
	waitingOf map[string]int // those of each account
}

// route is one operation. Every route is in openapi.yaml and the reverse.
type route struct {
	method, path string
	open         bool     // answered without a token
	query        []string // the parameters it takes
	serve        func(*server, http.ResponseWriter, *http.Request) error
}

func routes() []route {
	return append([]route{
		{method: "GET", path: "/healthz", open: true, serve: (*server).health},
		{method: "GET", path: "/v1/version", serve: (*server).getVersion},
		{method: "GET", path: "/v1/openapi.yaml", serve: (*server).openAPI},
		{method: "GET", path: "/v1/agents", serve: (*server).agents},
		{method: "GET", path: "/v1/nodes", serve: (*server).nodes},
		{method: "GET", path: "/v1/sessions", serve: (*server).sessions},
		{method: "POST", path: "/v1/sessions", serve: (*server).startSession},
		{method: "GET", path: "/v1/sessions/{id}", query: []string{"status", "role", "wait"}, serve: (*server).session},
		{method: "DELETE", path: "/v1/sessions/{id}", serve: (*server).stopSession},
		{method: "POST", path: "/v1/sessions/{id}/role", serve: (*server).changeRole},
		{method: "PUT", path: "/v1/sessions/{id}/follow", serve: (*server).setFollow},
		{method: "POST", path: "/v1/sessions/{id}/takeover", serve: (*server).takeOver},
		{method: "GET", path: "/v1/audit", query: []string{"session", "agent", "supervisor", "since", "until", "after", "limit"}, serve: (*server).audit},
		{method: "GET", path: "/v1/audit/export", query: []string{"session", "agent", "supervisor", "since", "until"}, serve: (*server).exportAudit},
		{method: "GET", path: "/v1/audit/head", serve: (*server).auditHead},
		{method: "GET", path: "/v1/extensions", serve: (*server).extensions},
		{method: "POST", path: "/v1/extensions", serve: (*server).addExtension},
		{method: "DELETE", path: "/v1/extensions/{number}", serve: (*server).removeExtension},
		{method: "GET", path: "/v1/doctor", serve: (*server).doctor},
		{method: "GET", path: "/v1/events", query: []string{"only", "changes"}, serve: (*server).events},
	}, accountRoutes()...)
}

// NewServer returns the handler of the whole API. Serve it with Serve, whose
// limits on headers and idle connections belong to it.
func NewServer(svc wire.Service, o ServerOptions) http.Handler {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	s := &server{svc: guard.New(svc, o.Accounts), accounts: o.Accounts, auth: newAuthorizer(o), log: o.Logger, version: o.Version, stopping: o.Stopping, waitingOf: map[string]int{},
		agentFeed: newFeed(svc.Changed, readAgents(svc)), sessionFeed: newFeed(svc.Changed, readSessions(svc))}

	mux := http.NewServeMux()
	allowed := map[string][]string{}
	for _, rt := range routes() {
		allowed[rt.path] = append(allowed[rt.path], rt.method)
		mux.Handle(rt.method+" "+rt.path, s.operation(rt))
	}
	for path, methods := range allowed {
		mux.Handle(path, s.operation(route{serve: methodNotAllowed(methods)}))
	}
	mux.Handle("/", s.operation(route{serve: func(*server, http.ResponseWriter, *http.Request) error {
		return httpError{http.StatusNotFound, "there is nothing here; GET /v1/openapi.yaml says what there is"}
	}}))
	return s.outermost(mux)
}

func methodNotAllowed(methods []string) func(*server, http.ResponseWriter, *http.Request) error {
	sort.Strings(methods)
	allow := strings.Join(methods, ", ")
	return func(_ *server, w http.ResponseWriter, _ *http.Request) error {
		w.Header().Set("Allow", allow)
		return httpError{http.StatusMethodNotAllowed, "this address takes " + allow + " only"}
	}
}
