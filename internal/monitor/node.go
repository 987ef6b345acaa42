package monitor

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"livemon/esl"
	"livemon/internal/fault"
	"livemon/internal/seal"
	"livemon/internal/tracker"
	"livemon/internal/wire"
	"livemon/state"
)

var (
	errNodeAway  = errors.New("the switch cannot be reached, or another controller acts on it")
	errAmbiguous = errors.New("ambiguous")
)

// node is one switch and everything that is known of it.
type node struct {
	m       *Monitor
	name    string
	addr    string
	log     *slog.Logger
	opts    esl.Options
	seal    seal.Node
	journal *journal
	write   chan struct{} // the writer has something to store

	mu          sync.Mutex  // guards what follows, and every session.x
	client      *esl.Client // a new one each time the node is taken
	follower    *esl.Follower
	tracker     *tracker.Tracker
	lease       state.Lease
	holding     bool      // the lease is ours, or was and nobody can have taken it
	ready       bool      // connected and read: the tracker is true
	lostAt      time.Time // when the connection was lost, while it is
	lostWhy     string
	version     string
	core        string // the switch's own id; another one says that it was started anew
	confDir     string
	calls       map[string]*call    // by call id
	sessions    map[string]*session // live ones, by id
	recent      []wire.Session      // ended ones, newest last
	byChannel   map[string]*call    // legs that a call cares for
	byLeg       map[string]*session // supervisors' legs
	byRoom      map[string]*call
	disowned    []string                      // channels that the store's sessions had, and whose marks do not hold
	jobs        map[string]func(reply string) // originates under way: what to do with the answer, with mu held
	dirtyAgents map[string]*wire.Agent        // not stored yet; nil is a removal
	dirtyCalls  map[string]*tracker.Call
	replace     bool // store everything anew
	forged      forgeries
	actors      *errgroup.Group // the calls' goroutines
	actorCtx    context.Context
}

const keepEnded = time.Hour

func newNode(m *Monitor, nc NodeConfig) *node {
	log := m.log.With("node", nc.Name)
	n := &node{m: m, name: nc.Name, addr: nc.Addr, log: log, seal: m.cfg.Secret.On(nc.Name),
		opts: esl.Options{Addr: nc.Addr, Password: nc.Password, CommandTimeout: m.cfg.CommandTimeout, DialTimeout: m.cfg.CommandTimeout,
			Heartbeat: m.cfg.Heartbeat, BackoffMin: m.cfg.BackoffMin, BackoffMax: m.cfg.BackoffMax, Logger: log},
		write:    make(chan struct{}, 1),
		sessions: map[string]*session{},
	}
	n.client, n.journal = esl.NewClient(n.opts), newJournal(n)
	n.reset()
	return n
}

// reset forgets what was learnt from the switch.
func (n *node) reset() {
	n.tracker = tracker.New(n.name, tracker.Options{OurRoom: n.seal.IsRoom, OpenMark: n.openMark, TrustPresence: n.m.trusts})
	n.calls, n.byChannel, n.byRoom = map[string]*call{}, map[string]*call{}, map[string]*call{}
	n.jobs, n.byLeg = map[string]func(string){}, map[string]*session{}
	n.cleanUp()
}

// trusts reports whether SIP telephones at an address need not authenticate
// themselves to be believed.
func (m *Monitor) trusts(address string) bool {
	a, err := netip.ParseAddr(address)
	return err == nil && slices.ContainsFunc(m.cfg.TrustedPresence, func(p netip.Prefix) bool { return p.Contains(a.Unmap()) })
}

// run takes the node's lease whenever it can be had, and controls the node
// while it holds it.
func (n *node) run(ctx context.Context) error {
	for ctx.Err() == nil {
		lease, ok, err := n.m.store.AcquireLease(ctx, n.name, n.m.cfg.Owner, n.m.cfg.LeaseTTL)
		if err != nil || !ok {
			n.mu.Lock()
			n.lostWhy = "another controller acts on this node"
			if err != nil {
				n.lostWhy = "the state store cannot be reached: " + err.Error()
			}
			n.mu.Unlock()
			pause(ctx, n.m.cfg.LeaseTTL/5, nil)
			continue
		}
		n.log.Info("acting on this node", "lease", lease.Token)
		err = n.hold(ctx, lease)
		if ctx.Err() != nil {
			break
		}
		n.log.Warn("no longer acting on this node", "error", err)
	}
	return ctx.Err()
}

// hold controls the node until ctx ends or the lease is lost.
func (n *node) hold(ctx context.Context, lease state.Lease) error {
	hctx, cancel := context.WithCancel(ctx)
	defer cancel()
	actors, actorCtx := errgroup.WithContext(hctx)
	n.mu.Lock()
	n.reset()
	n.lease, n.holding, n.lostAt, n.lostWhy = lease, true, time.Now(), "connecting"
	n.sessions = map[string]*session{}
	n.actors, n.actorCtx = actors, actorCtx
	follower := esl.NewFollower(n.opts, esl.Subscription{Events: subscribedEvents(), Headers: subscribedHeaders()}, n)
	client := esl.NewClient(n.opts)
	n.follower, n.client = follower, client
	n.mu.Unlock()

	g, gctx := errgroup.WithContext(hctx)
	g.Go(func() error { return client.Run(gctx) })
	g.Go(func() error { return follower.Run(gctx) })
	g.Go(func() error { return n.keepLease(gctx, lease) })
	g.Go(func() error { return n.storeChanges(gctx) })
	g.Go(func() error { return n.watchDeath(gctx) })
	g.Go(func() error { return n.tick(gctx) })
	g.Go(func() error { return n.journal.run(gctx) })
	g.Go(func() error { return n.watchRights(gctx) })
	err := g.Wait()
	cancel()
	n.mu.Lock()
	n.holding, n.ready = false, false
	n.mu.Unlock()
	_ = actors.Wait() // the calls' goroutines return nothing but nil
	n.mu.Lock()
	n.follower, n.client = nil, esl.NewClient(n.opts) // it dials only if somebody asks, such as doctor
	n.mu.Unlock()
	if ctx.Err() != nil {
		// Let the next controller in at once, also where the records take their time.
		last := context.WithoutCancel(ctx)
		dctx, done := context.WithTimeout(last, time.Second)
		_ = n.journal.drain(dctx) // logged there
		done()
		if rerr := n.m.store.ReleaseLease(last, lease); rerr != nil {
			n.log.Warn("the lease could not be given back; it expires by itself", "error", rerr)
		}
	}
	n.m.touch()
	return err
}

// sw is the connection for commands.
func (n *node) sw() *esl.Client {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.client
}

func subscribedEvents() []string {
	return slices.Concat(tracker.Events(), []string{"BACKGROUND_JOB", "CUSTOM conference::maintenance", "CHANNEL_HANGUP", "CHANNEL_PARK"})
}

func subscribedHeaders() []string {
	return slices.Concat(tracker.Headers(), []string{"Action", "Data", "DTMF-Key", "Conference-Name", "Member-ID", "Unique-ID", "Job-UUID", "Hangup-Cause"})
}

// keepLease renews the lease. While the store is away nobody else can take it
// from there, so the node is kept: sessions go on, and may become less.
func (n *node) keepLease(ctx context.Context, lease state.Lease) error {
	return every(ctx, n.m.cfg.LeaseTTL/3, func() error {
		err := n.m.store.RenewLease(ctx, lease, n.m.cfg.LeaseTTL)
		switch {
		case errors.Is(err, state.ErrFenced):
			// A store that lost its memory has no newer holder: begin anew with it.
			return fmt.Errorf("the lease was lost: %w", err)
		case err != nil && ctx.Err() == nil:
			n.log.Warn("the lease cannot be renewed", "error", err)
		}
		return nil
	})
}

// tick sees to what only time brings about: the end of a wrap-up, and rooms that
// nobody cares for.
func (n *node) tick(ctx context.Context) error {
	return every(ctx, time.Second, func() error {
		n.mu.Lock()
		changes := n.tracker.Tick(time.Now())
		n.changed(changes)
		ready := n.ready
		n.mu.Unlock()
		if ready {
			n.adoptRooms()
		}
		if !changes.Empty() {
			n.m.touch()
			n.wantWrite()
		}
		return nil
	})
}

// watchDeath gives up the sessions of a switch that stays away.
func (n *node) watchDeath(ctx context.Context) error {
	return every(ctx, max(n.m.cfg.DeadAfter/10, 50*time.Millisecond), func() error {
		n.mu.Lock()
		defer n.mu.Unlock()
		if n.ready || n.lostAt.IsZero() || time.Since(n.lostAt) <= n.m.cfg.DeadAfter {
			return nil
		}
		for _, c := range n.calls {
			c.post(switchDead{})
		}
		return nil
	})
}

// every calls f at intervals until it fails or ctx ends.
func every(ctx context.Context, d time.Duration, f func() error) error {
	t := time.NewTicker(d)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-t.C:
		}
		if err := f(); err != nil {
			return err
		}
	}
}

// agents returns the node's agents if this controller follows it.
func (n *node) agents() ([]wire.Agent, bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if !n.holding || !n.ready && n.version == "" {
		return nil, false
	}
	agents := n.tracker.Agents()
	live := make([]wire.Session, 0, len(n.sessions))
	for _, s := range n.sessions {
		live = append(live, s.x)
	}
	slices.SortFunc(live, func(a, b wire.Session) int { return a.Since.Compare(b.Since) })
	return withSupervisors(agents, live), true
}

func (n *node) liveSessions() ([]wire.Session, bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if !n.holding {
		return nil, false
	}
	out := make([]wire.Session, 0, len(n.sessions))
	for _, s := range n.sessions {
		out = append(out, s.x)
	}
	return out, true
}

// session returns a session that is live here, or ended here lately.
func (n *node) session(id string) (wire.Session, bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if s := n.sessions[id]; s != nil {
		return s.x, true
	}
	for _, x := range slices.Backward(n.recent) {
		if x.ID == id {
			return x, true
		}
	}
	return wire.Session{}, false
}

// callOf returns the call of a live session, or nil if it is not here.
func (n *node) callOf(id string) (*call, *session, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	s := n.sessions[id]
	if s == nil || !n.holding {
		return nil, nil, nil
	}
	if !n.ready {
		return nil, nil, fault.New(fault.SwitchTimeout, "change session", n.lostWhy)
	}
	return s.call, s, nil
}

// findAgent finds an agent by what a person calls him.
func (n *node) findAgent(name string) (agent string, onCall bool, err error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if !n.holding || !n.ready {
		return "", false, errNodeAway
	}
	agent, err = n.tracker.FindAgent(name)
	if errors.Is(err, tracker.ErrAmbiguous) {
		return "", false, fmt.Errorf("%w: %w", errAmbiguous, err)
	}
	if err != nil {
		return "", false, err
	}
	_, onCall = n.tracker.CallOf(agent)
	return agent, onCall, nil
}

func (n *node) describe() wire.Node {
	n.mu.Lock()
	defer n.mu.Unlock()
	return wire.Node{Node: n.name, Addr: n.addr, Connected: n.holding && n.ready, Controller: n.holding, Version: n.version, Detail: n.lostWhy}
}

// update changes a session and tells whoever waits for it.
func (n *node) update(s *session, f func(x *wire.Session)) wire.Session {
	n.mu.Lock()
	f(&s.x)
	x := s.x
	n.mu.Unlock()
	n.m.touch()
	return x
}

// pause waits, but not beyond the end of ctx or a wake-up.
func pause(ctx context.Context, d time.Duration, wake <-chan struct{}) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-wake:
	case <-ctx.Done():
	}
}

func (n *node) conf() string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.confDir
}
