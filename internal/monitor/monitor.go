package monitor

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"livemon/esl"
	"livemon/fsconf"
	"livemon/internal/fault"
	"livemon/internal/fsapi"
	"livemon/internal/wire"
	"livemon/state"
)

// Monitor is one controller. It implements wire.Service.
type Monitor struct {
	cfg   Config
	store *state.Store
	nodes []*node
	log   *slog.Logger

	policy Policy

	mu          sync.Mutex
	changed     chan struct{}
	otherSecret string // the fingerprint that other controllers announce, if it is not ours
}

var _ wire.Service = (*Monitor)(nil)

// New returns a controller for the configured nodes. It does nothing until Run.
// The store stays the caller's to close. Errors are about the configuration.
func New(cfg Config, st *state.Store) (*Monitor, error) {
	cfg.setDefaults()
	if len(cfg.Nodes) == 0 {
		return nil, errors.New("no switch is configured: give at least one --freeswitch host:port")
	}
	if err := cfg.Settings.Validate(); err != nil {
		return nil, err
	}
	if cfg.Secret.IsZero() {
		return nil, errors.New("there is no secret to mark legs with: give --secret-file")
	}
	m := &Monitor{cfg: cfg, store: st, log: cfg.Logger, policy: cfg.Policy, changed: make(chan struct{})}
	if m.policy == nil {
		m.policy = open{}
	}
	seen := map[string]bool{}
	for _, nc := range cfg.Nodes {
		if nc.Name == "" {
			nc.Name = nc.Addr
		}
		if nc.Addr == "" || seen[nc.Name] {
			return nil, fmt.Errorf("switch %q is configured twice, or without an address", nc.Name)
		}
		seen[nc.Name] = true
		m.nodes = append(m.nodes, newNode(m, nc))
	}
	return m, nil
}

// Run controls the nodes until ctx ends. Sessions go on when it returns: they
// live on the switch and in the store, and the next controller takes them over.
// It does not begin while controllers run that have another secret.
func (m *Monitor) Run(ctx context.Context) error {
	if err := m.CheckSecret(ctx); err != nil {
		return err
	}
	defer m.withdraw(ctx)
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return m.announce(ctx) })
	for _, n := range m.nodes {
		g.Go(func() error { return n.run(ctx) })
	}
	if m.cfg.Outbound != "" {
		g.Go(func() error { return m.serveOutbound(ctx) })
	}
	err := g.Wait()
	if errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

// touch tells whoever waits that an agent or a session has changed.
func (m *Monitor) touch() {
	m.mu.Lock()
	close(m.changed)
	m.changed = make(chan struct{})
	m.mu.Unlock()
}

// Changed implements wire.Service.
func (m *Monitor) Changed() <-chan struct{} {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.changed
}

// Agents implements wire.Service: those of the nodes that this controller
// follows as it knows them, those of others as the store has them.
func (m *Monitor) Agents(ctx context.Context) ([]wire.Agent, error) {
	out := []wire.Agent{}
	for _, n := range m.nodes {
		if agents, ok := n.agents(); ok {
			out = append(out, agents...)
			continue
		}
		agents, err := m.store.Agents(ctx, n.name)
		if err != nil {
			return nil, err
		}
		sessions, err := m.store.Sessions(ctx, n.name)
		if err != nil {
			return nil, err
		}
		out = append(out, withSupervisors(agents, sessions)...)
	}
	return out, nil
}

// withSupervisors notes with each agent who is on his call.
func withSupervisors(agents []wire.Agent, sessions []wire.Session) []wire.Agent {
	on := map[string][]wire.Supervisor{}
	for _, x := range sessions {
		if x.Status != wire.Ended {
			on[x.Agent] = append(on[x.Agent], wire.Supervisor{Session: x.ID, Supervisor: x.Supervisor, Role: x.Role})
		}
	}
	for i := range agents {
		agents[i].Supervisors = on[agents[i].Agent]
		if agents[i].Supervisors == nil {
			agents[i].Supervisors = []wire.Supervisor{}
		}
	}
	return agents
}

// Nodes implements wire.Service.
func (m *Monitor) Nodes(context.Context) ([]wire.Node, error) {
	out := []wire.Node{}
	for _, n := range m.nodes {
		out = append(out, n.describe())
	}
	return out, nil
}

// Sessions implements wire.Service.
func (m *Monitor) Sessions(ctx context.Context) ([]wire.Session, error) {
	out := []wire.Session{}
	for _, n := range m.nodes {
		live, ok := n.liveSessions()
		if !ok {
			var err error
			if live, err = m.store.Sessions(ctx, n.name); err != nil {
				return nil, err
			}
		}
		out = append(out, live...)
	}
	slices.SortFunc(out, func(a, b wire.Session) int { return a.Since.Compare(b.Since) })
	return out, nil
}

// Session implements wire.Service.
func (m *Monitor) Session(ctx context.Context, id string) (wire.Session, error) {
	for _, n := range m.nodes {
		if x, ok := n.session(id); ok {
			return x, nil
		}
	}
	x, err := m.store.Session(ctx, id)
	if errors.Is(err, state.ErrNotFound) {
		return wire.Session{}, notFound("there is no session %q; 'livemon sessions' lists those that are on", short(id))
	}
	return x, err
}

// AwaitSession implements wire.Service.
func (m *Monitor) AwaitSession(ctx context.Context, id string, status wire.Status, role wire.Role) (wire.Session, error) {
	for {
		changed := m.Changed()
		x, err := m.Session(ctx, id)
		if err != nil || x.Status == wire.Ended || x.Status != status || role != "" && x.Role != role {
			return x, err
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return x, nil
		}
	}
}

// StartSession implements wire.Service.
func (m *Monitor) StartSession(ctx context.Context, r wire.MonitorRequest) (wire.Session, error) {
	if err := checkName("agent", r.Agent); err != nil {
		return wire.Session{}, err
	}
	r.Supervisor = cmp.Or(asker(ctx).Account, r.Supervisor, r.Phone)
	if err := checkName("supervisor", r.Supervisor); err != nil {
		return wire.Session{}, err
	}
	if r.Follow != "" && !r.Follow.Known() {
		return wire.Session{}, badRequest("%q is not call, next or agent", short(string(r.Follow)))
	}
	dialString, err := m.dialString(r.Phone)
	if err != nil {
		return wire.Session{}, err
	}
	n, agent, err := m.findAgent(r.Agent, r.Node)
	if err != nil {
		return wire.Session{}, err
	}
	return n.start(ctx, agent, r, dialString, "")
}

// dialString is the dial string for a supervisor's telephone.
func (m *Monitor) dialString(number string) (fsapi.Dial, error) {
	if !validNumber(number) {
		return fsapi.Dial{}, badRequest("the telephone number %.70q has characters that no number has; use digits, letters and + * # . _ @ -", number)
	}
	s, err := m.cfg.Dial.DialString(number)
	if err != nil {
		return fsapi.Dial{}, badRequest("%s", err)
	}
	d, err := fsapi.ParseDial(s)
	if err != nil {
		return fsapi.Dial{}, badRequest("%s: change the dial rule", err)
	}
	return d, nil
}

// findAgent finds the node that an agent is on: the one named, or the only one
// that knows him, or the only one where he has a call.
func (m *Monitor) findAgent(name, nodeName string) (*node, string, error) {
	type hit struct {
		n      *node
		agent  string
		onCall bool
	}
	var hits []hit
	away := 0
	for _, n := range m.nodes {
		if nodeName != "" && n.name != nodeName {
			continue
		}
		agent, onCall, err := n.findAgent(name)
		switch {
		case err == nil:
			hits = append(hits, hit{n, agent, onCall})
		case errors.Is(err, errNodeAway):
			away++
		case errors.Is(err, errAmbiguous):
			return nil, "", badRequest("%s", err)
		}
	}
	if len(hits) > 1 {
		if on := slices.DeleteFunc(slices.Clone(hits), func(h hit) bool { return !h.onCall }); len(on) == 1 {
			hits = on
		}
	}
	switch {
	case len(hits) == 1:
		return hits[0].n, hits[0].agent, nil
	case len(hits) > 1:
		return nil, "", badRequest("the agent %q is on several nodes; say which with --node", short(name))
	case away > 0:
		return nil, "", fault.New(fault.SwitchTimeout, "find agent", "the switch cannot be reached, or another controller acts on it")
	default:
		return nil, "", noAgent(name)
	}
}

// ChangeRole implements wire.Service.
func (m *Monitor) ChangeRole(ctx context.Context, id string, to wire.Role) (wire.Session, error) {
	switch to {
	case wire.Monitor, wire.Coach, wire.Barge:
		return m.changeRole(ctx, id, to)
	default:
		return wire.Session{}, badRequest("%q is no role that can be asked for; ask for monitor, coach or barge", short(string(to)))
	}
}

// TakeOver implements wire.Service.
func (m *Monitor) TakeOver(ctx context.Context, id string) (wire.Session, error) {
	return m.changeRole(ctx, id, wire.TakeOver)
}

func (m *Monitor) changeRole(ctx context.Context, id string, to wire.Role) (wire.Session, error) {
	return m.ask(ctx, id, func(c *call, s *session, done chan<- error) {
		c.post(roleRequest{s, to, asker(ctx), done})
	})
}

// SetFollow implements wire.Service.
func (m *Monitor) SetFollow(ctx context.Context, id string, f wire.Follow) (wire.Session, error) {
	if !f.Known() {
		return wire.Session{}, badRequest("%q is not call, next or agent", short(string(f)))
	}
	return m.ask(ctx, id, func(c *call, s *session, done chan<- error) {
		c.post(followRequest{s, f, asker(ctx), done})
	})
}

// StopSession implements wire.Service.
func (m *Monitor) StopSession(ctx context.Context, id string) (wire.Session, error) {
	return m.ask(ctx, id, func(c *call, s *session, done chan<- error) {
		c.post(stopRequest{s, asker(ctx), done})
	})
}

// ask hands a request to the call of a session and waits for its outcome.
func (m *Monitor) ask(ctx context.Context, id string, post func(*call, *session, chan<- error)) (wire.Session, error) {
	for _, n := range m.nodes {
		c, s, err := n.callOf(id)
		if err != nil {
			return wire.Session{}, err
		}
		if s == nil {
			continue
		}
		done := make(chan error, 1)
		post(c, s, done)
		select {
		case err = <-done:
		case <-c.over:
			// The call may have answered before it ended.
			select {
			case err = <-done:
			default:
				if again, _, _ := n.callOf(id); again != nil && again != c {
					return m.ask(ctx, id, post) // the session has gone on to another one
				}
				err = notFound("the session %q has ended", short(id))
			}
		case <-ctx.Done():
			return wire.Session{}, fault.Wrap(fault.SwitchTimeout, "change session", ctx.Err())
		}
		if err != nil {
			return wire.Session{}, err
		}
		x, _ := n.session(id)
		return x, nil
	}
	x, err := m.Session(ctx, id)
	if err != nil {
		return wire.Session{}, err
	}
	if x.Status == wire.Ended {
		return wire.Session{}, notFound("the session %q has ended: %s", short(id), x.Reason)
	}
	return wire.Session{}, fault.New(fault.SwitchTimeout, "change session", "the session's switch cannot be reached, or another controller acts on it")
}

// Extensions implements wire.Service.
func (m *Monitor) Extensions(ctx context.Context) ([]wire.Extension, error) {
	return m.store.Extensions(ctx)
}

// AddExtension implements wire.Service.
func (m *Monitor) AddExtension(ctx context.Context, e wire.Extension) (wire.Extension, error) {
	if _, err := m.dialString(e.Number); err != nil {
		return wire.Extension{}, err
	}
	if e.Name != "" {
		if err := checkName("name", e.Name); err != nil {
			return wire.Extension{}, err
		}
	}
	e.Added = time.Now().UTC()
	return m.store.AddExtension(ctx, e)
}

// RemoveExtension implements wire.Service.
func (m *Monitor) RemoveExtension(ctx context.Context, number string) error {
	err := m.store.RemoveExtension(ctx, number)
	if errors.Is(err, state.ErrNotFound) {
		return notFound("no extension %q is registered; 'livemon extensions list' lists them", short(number))
	}
	return err
}

// Doctor implements wire.Service.
func (m *Monitor) Doctor(ctx context.Context) ([]wire.Finding, error) {
	ctx = context.WithoutCancel(ctx) // whoever asks and goes must not end the connection that all commands take
	var out []wire.Finding
	redis := wire.Finding{Check: "state store", OK: true, Detail: "Redis answers"}
	if m.store.Embedded() {
		redis.Detail = "embedded: for trials on one machine; nothing survives the end of 'serve'"
	}
	if err := m.store.Ping(ctx); err != nil {
		redis.OK, redis.Detail = false, err.Error()
		redis.Do = "start Redis, or give 'serve' its address with --redis; until then nobody can begin to listen or be given a voice"
	}
	out = append(out, redis)
	if redis.OK {
		out = append(out, m.secretFinding(ctx))
	}
	for _, n := range m.nodes {
		out = append(out, n.doctor(ctx)...)
	}
	return out, nil
}

// doctor checks one node.
func (n *node) doctor(ctx context.Context) []wire.Finding {
	d := n.describe()
	f := wire.Finding{Node: n.name, Check: "event socket", OK: d.Connected, Detail: "connected to " + d.Addr}
	switch {
	case !d.Controller:
		f.OK, f.Detail = false, d.Detail
		f.Do = "ask the controller that acts on this node, or stop it: this one takes over within seconds"
	case !d.Connected:
		f.Detail = d.Detail
		f.Do = "check that FreeSWITCH runs, that mod_event_socket listens on " + d.Addr + ", the password, and its access list"
	}
	out := []wire.Finding{f}
	if _, err := n.sw().API(ctx, fsapi.Status()); err != nil {
		if d.Connected {
			out = append(out, wire.Finding{Node: n.name, Check: "commands", Detail: err.Error(), Do: "see the log of 'serve'"})
		}
		return out
	}
	if f, ok := n.disownedFinding(); ok {
		out = append(out, f)
	}
	found, err := fsconf.Check(ctx, n.sw(), n.m.cfg.Settings)
	if err != nil {
		out = append(out, wire.Finding{Node: n.name, Check: "configuration", Detail: err.Error(), Do: "run 'livemon fsconf check' against this switch"})
	}
	for i := range found {
		found[i].Node = n.name
	}
	return append(out, found...)
}

// serveOutbound serves supervisors who dial in.
func (m *Monitor) serveOutbound(ctx context.Context) error {
	ln, err := listen(ctx, m.cfg.Outbound)
	if err != nil {
		return fmt.Errorf("listen for supervisors who dial in: %w (choose another address with --outbound, or none with --outbound '')", err)
	}
	return esl.ServeOutbound(ctx, ln, esl.OutboundOptions{Logger: m.log}, m.dialIn)
}

// checkName refuses what no name has: control characters, or more than 256 bytes.
func checkName(what, s string) error {
	switch {
	case s == "":
		return badRequest("no %s is given", what)
	case len(s) > 256:
		return badRequest("the %s has %d bytes; 256 is the most", what, len(s))
	case strings.ContainsFunc(s, func(r rune) bool {
		return r < ' ' || r == 0x7f || r == 0xfffd || r >= 0x80 && r < 0xa0 || r == 0x2028 || r == 0x2029
	}):
		return badRequest("the %s %.80q has line breaks or control characters", what, s)
	}
	return nil
}

// short cuts what somebody sent for an error message.
func short(s string) string {
	if len(s) > 80 {
		return s[:80] + "…"
	}
	return s
}
