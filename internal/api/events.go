package api

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"reflect"
	"time"

	"livemon/internal/fault"
	"livemon/internal/guard"
	"livemon/internal/web"
	"livemon/internal/wire"
)

// occupy takes one of the places for requests that wait. No account can take so
// many that others find none.
func (s *server) occupy(ctx context.Context) (release func(), err error) {
	actor, _ := wire.ActorOf(ctx)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.waiting >= maxWaiting || actor.Account != "" && s.waitingOf[actor.Account] >= maxWaitingOf {
		return nil, httpError{http.StatusServiceUnavailable, "too many event streams and long polls are open; try again later"}
	}
	s.waiting++
	s.waitingOf[actor.Account]++
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.waiting--
		if s.waitingOf[actor.Account]--; s.waitingOf[actor.Account] == 0 {
			delete(s.waitingOf, actor.Account)
		}
	}, nil
}

// whenStopping calls f once the server is about to stop, unless the function
// that it returns was called before; that one returns when nothing runs any more.
func (s *server) whenStopping(f func()) (stop func()) {
	over, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		select {
		case <-s.stopping:
			f()
		case <-over:
		}
	}()
	return func() { close(over); <-done }
}

// events streams the lists of agents and sessions. Whoever connects, or connects
// again, needs nothing from before: each stream begins with whole lists. With
// changes=1 what follows of the agents is what has changed since; without, it is
// the whole list each time. A list that reads as before is not sent.
func (s *server) events(w http.ResponseWriter, r *http.Request) error {
	q := r.URL.Query()
	only, changes := q.Get("only"), q.Get("changes")
	if only != "" && only != "agents" && only != "sessions" {
		return badRequest("only must be agents or sessions")
	}
	if changes != "" && changes != "0" && changes != "1" {
		return badRequest("changes must be 0 or 1")
	}
	release, err := s.occupy(r.Context())
	if err != nil {
		return err
	}
	defer release()

	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	stop := s.whenStopping(cancel)
	defer stop()
	web.Deadlines(w, time.Time{}, time.Now().Add(callTimeout+writeTimeout))

	st := &stream{s: s, w: w, agents: only != "sessions", sessions: only != "agents", changes: changes == "1"}
	rights := s.rightsChanged()
	if st.look, err = s.svc.Look(ctx); err != nil {
		return err
	}
	leave := st.join()
	defer leave()
	if err := st.frames(ctx); err != nil {
		return err // nothing was sent yet: the status can still say it
	}
	h := w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("X-Accel-Buffering", "no")
	frames := append([]byte("retry: 1000\n\n"), st.out.Bytes()...)

	beat := time.NewTicker(heartbeat)
	defer beat.Stop()
	again := time.NewTicker(askAgain)
	defer again.Stop()
	for {
		if err := st.send(frames); err != nil {
			return nil //nolint:nilerr // the reader is gone, and with it whoever could be told
		}
		asked := false
		select {
		case <-st.agentsNews:
		case <-st.sessionsNews:
		case <-rights: // the token may be no good any more, or its account may do more, or less
			asked = true
		case <-again.C: // or has come to its end
			asked = true
		case <-beat.C:
			frames = aliveFrame
			continue
		case <-ctx.Done():
			return nil
		}
		if asked {
			if !rest(ctx, minInterval) {
				return nil
			}
			rights = s.rightsChanged()
			if !st.askAgain(ctx, r) {
				return nil // whoever opens it again is told why
			}
		}
		if err := st.frames(ctx); err != nil {
			st.errorFrame(r, err)
		}
		frames = st.out.Bytes()
	}
}

// rightsChanged is closed at the next change of rights; nil, which never is,
// without accounts.
func (s *server) rightsChanged() <-chan struct{} {
	if s.accounts == nil {
		return nil
	}
	return s.accounts.Changed()
}

// aliveFrame is a comment, which readers skip.
var aliveFrame = []byte(":\n\n")

// stream is one reader of /v1/events. What it remembers is bounded by the lists.
type stream struct {
	s                *server
	w                http.ResponseWriter
	agents, sessions bool // which lists it sends
	changes          bool // whether agents are sent as changes
	look             guard.Look

	agentsNews, sessionsNews <-chan struct{} // nil where the list is not needed
	out                      bytes.Buffer    // what is to be sent
	failed                   bool            // the last reading of the lists failed

	begun   bool                    // the reader has the whole list
	version int64                   // of the list that the reader has
	anew    bool                    // how the reader sees the agents may have changed
	has     map[AgentKey]*agentForm // what the reader has

	seen  [2]int64 // the versions of the sessions and of the agents' extensions that
	holds []byte   // the reader's sessions are of, and those
}

// join has the lists read that the stream needs, until leave. Whether an account
// sees a session depends on its agent's extension.
func (st *stream) join() (leave func()) {
	var leaves []func()
	if st.agents || !st.look.All() {
		leaves = append(leaves, st.s.agentFeed.join())
	}
	if st.sessions {
		leaves = append(leaves, st.s.sessionFeed.join())
	}
	st.has = map[AgentKey]*agentForm{}
	return func() {
		for _, leave := range leaves {
			leave()
		}
	}
}

// askAgain tells whether who reads is still let in, and looks at his rights anew.
// While that cannot be known the stream goes on as it is.
func (st *stream) askAgain(ctx context.Context, r *http.Request) bool {
	actor, err := st.s.auth.who(st.w, r)
	if err != nil {
		return fault.Of(err) == fault.StoreUnavailable
	}
	if look, err := st.s.svc.Look(wire.WithActor(ctx, actor)); err == nil {
		st.look, st.anew = look, true
	}
	return true
}

// first waits for a feed's first reading.
func first[T any](ctx context.Context, f *feed[T]) (T, <-chan struct{}, error) {
	for {
		now, known, news, err := f.get()
		if known {
			return now, news, err
		}
		select {
		case <-news:
		case <-ctx.Done():
			return now, nil, ctx.Err()
		}
	}
}

// frames puts the events that the reader lacks into st.out.
func (st *stream) frames(ctx context.Context) error {
	st.out.Reset()
	var agents *agentList
	var sessions sessionList
	var err, err2 error
	if st.agents || !st.look.All() {
		agents, st.agentsNews, err = first(ctx, st.s.agentFeed)
	}
	if st.sessions {
		sessions, st.sessionsNews, err2 = first(ctx, st.s.sessionFeed)
	}
	if err := firstError(err, err2); err != nil {
		return err
	}
	if st.agents {
		if err := st.addAgents(agents); err != nil {
			return err
		}
	}
	if st.sessions {
		if err := st.addSessions(sessions, agents); err != nil {
			return err
		}
	}
	st.failed, st.anew = false, false
	return nil
}

// addAgents adds what the reader lacks of the agents.
func (st *stream) addAgents(l *agentList) error {
	if st.begun && l.version == st.version && !st.anew {
		return nil
	}
	var changed []*agentForm
	removed := []AgentKey{}
	for _, e := range l.entries {
		if st.begun && e.since <= st.version && !st.anew {
			continue
		}
		seen, visible := st.look.Agent(e.agent)
		had := st.has[e.key]
		if !visible {
			if had != nil {
				delete(st.has, e.key)
				removed = append(removed, e.key)
			}
			continue
		}
		f, err := e.as(seen)
		if err != nil {
			return err
		}
		if had != f {
			st.has[e.key] = f
			changed = append(changed, f)
		}
	}
	if l.left > st.version || st.anew {
		for key := range st.has {
			if l.index[key] == nil {
				delete(st.has, key)
				removed = append(removed, key)
			}
		}
	}
	begun := st.begun
	st.begun, st.version = true, l.version
	switch {
	case !begun || !st.changes && len(changed)+len(removed) > 0:
		st.out.WriteString("event: agents\ndata: [")
		comma := ""
		for _, e := range l.entries {
			if f := st.has[e.key]; f != nil {
				st.out.WriteString(comma)
				st.out.Write(f.data)
				comma = ","
			}
		}
		st.out.WriteString("]\n\n")
	case len(changed)+len(removed) > 0:
		gone, err := json.Marshal(removed)
		if err != nil {
			return err
		}
		st.out.WriteString(`event: agents-changed` + "\n" + `data: {"changed":[`)
		for i, f := range changed {
			if i > 0 {
				st.out.WriteByte(',')
			}
			st.out.Write(f.data)
		}
		st.out.WriteString(`],"removed":`)
		st.out.Write(gone)
		st.out.WriteString("}\n\n")
	}
	return nil
}

// sessionList is the sessions at one time.
type sessionList struct {
	version int64
	list    []wire.Session
}

func readSessions(svc wire.Service) func(context.Context, sessionList) (sessionList, bool, error) {
	return func(ctx context.Context, before sessionList) (sessionList, bool, error) {
		list, err := svc.Sessions(ctx)
		if err != nil {
			return sessionList{}, false, err
		}
		if before.version > 0 && reflect.DeepEqual(list, before.list) {
			return before, false, nil
		}
		return sessionList{before.version + 1, list}, true, nil
	}
}

// addSessions adds the sessions, if they do not read as before.
func (st *stream) addSessions(l sessionList, agents *agentList) error {
	now := [2]int64{l.version}
	if agents != nil && !st.look.All() {
		now[1] = agents.moved
	}
	if st.holds != nil && now == st.seen && !st.anew {
		return nil
	}
	list := []wire.Session{}
	for _, x := range l.list {
		extension, known := agents.extension(x.Node, x.Agent)
		if v, visible := st.look.Session(x, extension, known); visible {
			list = append(list, v)
		}
	}
	data, err := json.Marshal(list) // holds no line break
	if err != nil {
		return err
	}
	st.seen = now
	if bytes.Equal(data, st.holds) {
		return nil
	}
	st.holds = data
	st.add("sessions", data)
	return nil
}

func (st *stream) add(event string, data []byte) {
	st.out.WriteString("event: " + event + "\ndata: ")
	st.out.Write(data)
	st.out.WriteString("\n\n")
}

// errorFrame tells the reader, once, why there is nothing new; the lists follow
// whole when they can be read again.
func (st *stream) errorFrame(r *http.Request, err error) {
	st.out.Reset()
	st.begun, st.version, st.holds = false, 0, nil
	clear(st.has)
	if st.failed {
		return
	}
	st.failed = true
	st.s.log.Warn("event stream has nothing to send", "path", r.URL.Path, "error", err)
	_, body := describe(err)
	if data, err := json.Marshal(body); err == nil {
		st.add("error", data)
	}
}

func (st *stream) send(frames []byte) error {
	if len(frames) == 0 {
		return nil
	}
	c := http.NewResponseController(st.w)
	_ = c.SetWriteDeadline(time.Now().Add(writeTimeout))
	if _, err := st.w.Write(frames); err != nil {
		return err
	}
	return c.Flush()
}
