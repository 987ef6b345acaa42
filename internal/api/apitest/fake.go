// Package apitest has a wire.Service, which is a wire.Accounts, too, for tests of what stands in front of one:
// the HTTP API and the command line. It keeps everything in memory, decides
// nothing about rights or calls, and does only what a test tells it to.
package apitest

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"livemon/internal/fault"
	"livemon/internal/wire"
)

// Start is the time at which everything in a Fake began.
var Start = time.Date(2026, 3, 1, 9, 30, 0, 0, time.UTC)

// Fake is a wire.Service. The zero value is not usable; see New.
//
// A session that it starts takes one step (ringing, answered, listening) each
// time that AwaitSession finds it unchanged, so that who waits sees every step.
// A session for the next call of an agent who is on none waits on its way. The
// telephone decides how it goes on: "never" rings until the session is
// stopped, and a telephone named like an error code, as in "9024", ends the
// session with that code once it rings.
type Fake struct {
	mu         sync.Mutex
	agents     []wire.Agent
	nodes      []wire.Node
	sessions   map[string]wire.Session
	audit      []wire.AuditRecord
	export     []byte
	head       wire.AuditHead
	extensions []wire.Extension
	findings   []wire.Finding
	changed    chan struct{}
	calls      []string
	fail       func(call string) error
	kept       accounts
}

var (
	_ wire.Service  = (*Fake)(nil)
	_ wire.Accounts = (*Fake)(nil)
)

// New returns a Fake with two agents, one of them on a call, on one node.
func New() *Fake {
	return &Fake{
		agents: []wire.Agent{
			{Agent: "1001@example.com", State: wire.OnCall, Since: Start, Node: "pbx", Call: "call-1", User: "+15550100", Direction: "inbound"},
			{Agent: "1003@example.com", State: wire.Idle, Since: Start, Node: "pbx"},
		},
		nodes:    []wire.Node{{Node: "pbx", Addr: "127.0.0.1:8021", Connected: true, Controller: true, Version: "1.10.12"}},
		sessions: map[string]wire.Session{},
		findings: []wire.Finding{{Node: "pbx", Check: "conference profile", OK: true, Detail: "livemon is loaded"}},
		changed:  make(chan struct{}),
	}
}

// Calls lists the calls so far, as in "StartSession 1001@example.com 1002".
func (f *Fake) Calls() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.calls)
}

// FailWith makes every call from now on return what fail returns for it, if
// that is not nil. A nil function ends that. fail may panic or block.
func (f *Fake) FailWith(fail func(call string) error) {
	f.mu.Lock()
	f.fail = fail
	f.mu.Unlock()
	f.Notify()
}

// SetAgents replaces the agents.
func (f *Fake) SetAgents(list []wire.Agent) {
	f.mu.Lock()
	f.agents = list
	f.mu.Unlock()
	f.Notify()
}

// SetSession adds or replaces a session.
func (f *Fake) SetSession(s wire.Session) {
	f.mu.Lock()
	f.sessions[s.ID] = s
	f.mu.Unlock()
	f.Notify()
}

// SetFindings replaces what Doctor finds.
func (f *Fake) SetFindings(list []wire.Finding) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.findings = list
}

// Notify tells whoever waits that something has changed.
func (f *Fake) Notify() {
	f.mu.Lock()
	defer f.mu.Unlock()
	close(f.changed)
	f.changed = make(chan struct{})
}

func (f *Fake) enter(name string, args ...string) error {
	call := strings.Join(append([]string{name}, args...), " ")
	f.mu.Lock()
	f.calls = append(f.calls, call)
	fail := f.fail
	f.mu.Unlock()
	if fail != nil {
		return fail(call)
	}
	return nil
}

// Agents implements wire.Service.
func (f *Fake) Agents(context.Context) ([]wire.Agent, error) {
	if err := f.enter("Agents"); err != nil {
		return nil, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	out := slices.Clone(f.agents)
	for i := range out {
		for _, s := range f.live() {
			if s.Agent == out[i].Agent {
				out[i].Supervisors = append(slices.Clip(out[i].Supervisors), wire.Supervisor{Session: s.ID, Supervisor: s.Supervisor, Role: s.Role})
			}
		}
	}
	return out, nil
}

// Nodes implements wire.Service.
func (f *Fake) Nodes(context.Context) ([]wire.Node, error) {
	if err := f.enter("Nodes"); err != nil {
		return nil, err
	}
	return f.nodes, nil
}

// live returns the sessions that have not ended, by id. f.mu is held.
func (f *Fake) live() []wire.Session {
	var out []wire.Session
	for _, s := range f.sessions {
		if s.Status != wire.Ended {
			out = append(out, s)
		}
	}
	slices.SortFunc(out, func(a, b wire.Session) int { return cmp.Compare(a.ID, b.ID) })
	return out
}

// Sessions implements wire.Service.
func (f *Fake) Sessions(context.Context) ([]wire.Session, error) {
	if err := f.enter("Sessions"); err != nil {
		return nil, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.live(), nil
}

// Session implements wire.Service.
func (f *Fake) Session(_ context.Context, id string) (wire.Session, error) {
	if err := f.enter("Session", id); err != nil {
		return wire.Session{}, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.session(id)
}

func (f *Fake) session(id string) (wire.Session, error) {
	s, ok := f.sessions[id]
	if !ok {
		return s, fmt.Errorf("%w: no session %s", wire.ErrNotFound, id)
	}
	return s, nil
}

// AwaitSession implements wire.Service.
func (f *Fake) AwaitSession(ctx context.Context, id string, status wire.Status, role wire.Role) (wire.Session, error) {
	if err := f.enter("AwaitSession", id, string(status), string(role)); err != nil {
		return wire.Session{}, err
	}
	for {
		f.mu.Lock()
		s, err := f.session(id)
		if err == nil && s.Status == status && s.Role == role {
			s = step(s)
			f.sessions[id] = s
		}
		changed := f.changed
		f.mu.Unlock()
		if err != nil || s.Status != status || s.Role != role || s.Status == wire.Ended {
			return s, err
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return s, nil
		}
	}
}

func step(s wire.Session) wire.Session {
	code, _ := strconv.Atoi(s.Phone)
	switch {
	case s.Status == wire.Requested:
		s.Status = wire.Ringing
	case s.Status == wire.Ringing && fault.Code(code).Known():
		s.Status, s.Code, s.Reason = wire.Ended, code, "the telephone said so"
	case s.Status == wire.Ringing && s.Phone != "never":
		s.Status = wire.Answered
	case s.Status == wire.Answered && s.Call == "":
		s.Status = wire.Waiting
	case s.Status == wire.Answered || s.Status == wire.Waiting:
		s.Status, s.Role = wire.Listening, wire.Monitor
	}
	return s
}

// StartSession implements wire.Service. It knows the agents by the part before
// the @ too.
func (f *Fake) StartSession(ctx context.Context, r wire.MonitorRequest) (wire.Session, error) {
	if err := f.enter("StartSession", append([]string{r.Agent, r.Phone}, asked(r)...)...); err != nil {
		return wire.Session{}, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	i := slices.IndexFunc(f.agents, func(a wire.Agent) bool {
		user, _, _ := strings.Cut(a.Agent, "@")
		return (a.Agent == r.Agent || user == r.Agent) && (r.Node == "" || r.Node == a.Node)
	})
	if i < 0 {
		return wire.Session{}, fmt.Errorf("%w: no agent %s", wire.ErrNotFound, r.Agent)
	}
	a := f.agents[i]
	if a.Call == "" && (r.Follow == "" || r.Follow == wire.FollowCall) {
		return wire.Session{}, fault.New(fault.PupilGone, "start session", a.Agent+" is on no call")
	}
	by, _ := wire.ActorOf(ctx)
	s := wire.Session{
		Account: by.Account,
		ID:      "s" + strconv.Itoa(len(f.sessions)+1), Supervisor: cmp.Or(r.Supervisor, r.Phone), Phone: r.Phone, Agent: a.Agent,
		Status: wire.Requested, Role: wire.Joining, Desired: wire.Monitor, Coaching: r.Coaching, Follow: cmp.Or(r.Follow, wire.FollowCall), Since: Start,
		Node: a.Node, Call: a.Call, Room: "livemon-" + a.Call, User: a.User,
	}
	f.sessions[s.ID] = s
	f.audit = append(f.audit, wire.AuditRecord{ID: strconv.Itoa(len(f.audit) + 1), Time: Start, Event: "requested",
		Session: s.ID, Supervisor: s.Supervisor, Phone: s.Phone, Agent: s.Agent, Node: s.Node, Call: s.Call, Via: "api"})
	return s, nil
}

// asked is what a request has beyond what each has.
func asked(r wire.MonitorRequest) []string {
	if r.Follow == "" {
		return nil
	}
	return []string{string(r.Follow)}
}

func (f *Fake) change(id string, change func(*wire.Session) error) (wire.Session, error) {
	f.mu.Lock()
	s, err := f.session(id)
	if err == nil {
		err = change(&s)
	}
	if err == nil {
		f.sessions[id] = s
	}
	f.mu.Unlock()
	f.Notify()
	return s, err
}

// ChangeRole implements wire.Service.
func (f *Fake) ChangeRole(_ context.Context, id string, to wire.Role) (wire.Session, error) {
	if err := f.enter("ChangeRole", id, string(to)); err != nil {
		return wire.Session{}, err
	}
	return f.change(id, func(s *wire.Session) error {
		if to.Speaks() && !s.Coaching {
			return fault.New(fault.RoleNotAllowed, "change role", "")
		}
		s.Role, s.Desired = to, to
		return nil
	})
}

// TakeOver implements wire.Service.
func (f *Fake) TakeOver(_ context.Context, id string) (wire.Session, error) {
	if err := f.enter("TakeOver", id); err != nil {
		return wire.Session{}, err
	}
	return f.change(id, func(s *wire.Session) error {
		s.Role, s.Desired = wire.TakeOver, wire.TakeOver
		return nil
	})
}

// SetFollow implements wire.Service.
func (f *Fake) SetFollow(_ context.Context, id string, follow wire.Follow) (wire.Session, error) {
	if err := f.enter("SetFollow", id, string(follow)); err != nil {
		return wire.Session{}, err
	}
	return f.change(id, func(s *wire.Session) error {
		s.Follow = follow
		return nil
	})
}

// StopSession implements wire.Service.
func (f *Fake) StopSession(_ context.Context, id string) (wire.Session, error) {
	if err := f.enter("StopSession", id); err != nil {
		return wire.Session{}, err
	}
	return f.change(id, func(s *wire.Session) error {
		ended := Start.Add(time.Minute)
		s.Status, s.Ended, s.Reason = wire.Ended, &ended, "stopped"
		return nil
	})
}

// Extensions implements wire.Service.
func (f *Fake) Extensions(context.Context) ([]wire.Extension, error) {
	if err := f.enter("Extensions"); err != nil {
		return nil, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.extensions), nil
}

// AddExtension implements wire.Service.
func (f *Fake) AddExtension(_ context.Context, e wire.Extension) (wire.Extension, error) {
	if err := f.enter("AddExtension", e.Number, e.Name); err != nil {
		return wire.Extension{}, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	e.Added = Start
	f.extensions = append(f.extensions, e)
	return e, nil
}

// RemoveExtension implements wire.Service.
func (f *Fake) RemoveExtension(_ context.Context, number string) error {
	if err := f.enter("RemoveExtension", number); err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	n := len(f.extensions)
	f.extensions = slices.DeleteFunc(f.extensions, func(e wire.Extension) bool { return e.Number == number })
	if len(f.extensions) == n {
		return fmt.Errorf("%w: no extension %s", wire.ErrNotFound, number)
	}
	return nil
}

// Doctor implements wire.Service.
func (f *Fake) Doctor(context.Context) ([]wire.Finding, error) {
	if err := f.enter("Doctor"); err != nil {
		return nil, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.findings, nil
}

// Changed implements wire.Service.
func (f *Fake) Changed() <-chan struct{} {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.changed
}

var _ wire.Service = (*Fake)(nil)
