package monitor

import (
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
	"livemon/internal/fault"
	"livemon/internal/tracker"
	"livemon/internal/wire"
	"livemon/state"
)

var (
	errNodeAway  = errors.New("the switch cannot be reached, or another controller acts on it")
	errAmbiguous = errors.New("ambiguous")
)

// roomPrefix begins the name of every room of ours.
const roomPrefix = "lm-"

// Channel variables that livemon sets, so that it can be seen from the switch
// alone who is who.
const (
	varSession    = "livemon_session"    // a supervisor's leg: his session
	varSupervisor = "livemon_supervisor" // and who he is
	varAgent      = "livemon_agent"      // and whom he listens to
	varPhone      = "livemon_phone"
	varCoaching   = "livemon_coaching"
	varCall       = "livemon_call"  // every leg of a call that is, or was, monitored
	varParty      = "livemon_party" // pupil or user
)

// node is one switch and everything that is known of it.
type node struct {
	m       *Monitor
	name    string
	addr    string
	log     *slog.Logger
	opts    esl.Options
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
	jobs        map[string]*session    // originates under way
	dirtyAgents map[string]*wire.Agent // not stored yet; nil is a removal
	dirtyCalls  map[string]*tracker.Call
	replace     bool            // store everything anew
	actors      *errgroup.Group // the calls' goroutines
	actorCtx    context.Context
}

const keepEnded = time.Hour

func newNode(m *Monitor, nc NodeConfig) *node {
	log := m.log.With("node", nc.Name)
	n := &node{m: m, name: nc.Name, addr: nc.Addr, log: log,
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
	n.tracker = tracker.New(n.name, tracker.Options{OurRoom: func(room string) bool { return strings.HasPrefix(room, roomPrefix) }})
	n.calls, n.byChannel, n.byRoom = map[string]*call{}, map[string]*call{}, map[string]*call{}
	n.jobs, n.byLeg = map[string]*session{}, map[string]*session{}
	n.cleanUp()
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
		// Let the next controller in at once.
		rctx, done := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer done()
		_ = n.journal.drain(rctx) // logged there
		if rerr := n.m.store.ReleaseLease(rctx, lease); rerr != nil {
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
	t := time.NewTicker(n.m.cfg.LeaseTTL / 3)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-t.C:
		}
		err := n.m.store.RenewLease(ctx, lease, n.m.cfg.LeaseTTL)
		switch {
		case err == nil:
		case errors.Is(err, state.ErrFenced):
			// A store that lost its memory has no newer holder: begin anew with it.
			return fmt.Errorf("the lease was lost: %w", err)
		case ctx.Err() == nil:
			n.log.Warn("the lease cannot be renewed", "error", err)
		}
	}
}

// tick lets the tracker notice what only time changes, such as the end of a
// wrap-up.
func (n *node) tick(ctx context.Context) error {
	t := time.NewTicker(time.Second)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-t.C:
		}
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
	}
}

// watchDeath gives up the sessions of a switch that stays away.
func (n *node) watchDeath(ctx context.Context) error {
	t := time.NewTicker(max(n.m.cfg.DeadAfter/10, 50*time.Millisecond))
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-t.C:
		}
		n.mu.Lock()
		dead := !n.ready && !n.lostAt.IsZero() && time.Since(n.lostAt) > n.m.cfg.DeadAfter
		var calls []*call
		if dead {
			for _, c := range n.calls {
				calls = append(calls, c)
			}
		}
		n.mu.Unlock()
		for _, c := range calls {
			c.post(switchDead{})
		}
	}
}

// Resync implements esl.Handler: the switch is read as a whole, and everything
// known of it is put right. Events that fired meanwhile are applied afterwards.
func (n *node) Resync(ctx context.Context) error {
	snap, err := n.read(ctx)
	if err != nil {
		n.log.Warn("the switch could not be read", "error", err)
		return err
	}
	version, err := n.sw().API(ctx, "version")
	if err != nil {
		return err
	}
	confDir, err := n.sw().API(ctx, "global_getvar conf_dir")
	if err != nil {
		return err
	}
	core, err := n.sw().API(ctx, "global_getvar core_uuid")
	if err != nil {
		return err
	}
	n.mu.Lock()
	if _, err := n.tracker.Load(snap); err != nil {
		n.mu.Unlock()
		n.log.Error("what the switch says of itself could not be understood", "error", err)
		return err
	}
	n.version, n.confDir = strings.TrimSpace(version), strings.TrimSpace(confDir)
	n.cleanUp()
	n.replace = true
	n.mu.Unlock()
	if err := n.askUsers(ctx); err != nil {
		return err
	}
	if err := n.adopt(ctx); err != nil {
		return err
	}
	n.mu.Lock()
	restarted := n.core != "" && n.core != core
	n.ready, n.core, n.lostAt, n.lostWhy = true, core, time.Time{}, ""
	for _, c := range n.calls {
		c.post(resynced{restarted})
	}
	n.mu.Unlock()
	n.wantWrite()
	n.m.touch()
	n.log.Info("the switch has been read", "version", n.version)
	return nil
}

// tableLag is how far the switch's tables may be behind its events.
const tableLag = 60 * time.Millisecond

// read asks the switch for everything the tracker needs.
func (n *node) read(ctx context.Context) (tracker.Snapshot, error) {
	pause(ctx, tableLag, nil)
	snap := tracker.Snapshot{Time: time.Now(), Vars: map[string]map[string]string{}}
	ask := func(line string) (string, error) {
		reply, err := n.sw().API(ctx, line)
		var e *esl.Error
		if errors.As(err, &e) && errors.Is(err, esl.ErrReply) {
			return e.Reply, nil // a module that is not loaded is an answer too
		}
		return reply, err
	}
	for i, line := range tracker.SnapshotCommands() {
		reply, err := ask(line)
		if err != nil {
			return tracker.Snapshot{}, err
		}
		switch i {
		case 0:
			snap.Channels = []byte(reply)
		case 1:
			snap.Calls = []byte(reply)
		case 2:
			snap.Registrations = []byte(reply)
		case 3:
			snap.Conferences = []byte(reply)
		case 4:
			snap.CCAgents = reply
		case 5:
			snap.Users = reply
		}
	}
	for _, ch := range tracker.ChannelIDs(snap.Channels) {
		dump, err := ask("uuid_dump " + ch + " json")
		if err != nil {
			return tracker.Snapshot{}, err
		}
		snap.Vars[ch] = tracker.DumpVars([]byte(dump))
	}
	return snap, nil
}

// askUsers asks the directory about presence ids that were seen for the first time.
func (n *node) askUsers(ctx context.Context) error {
	n.mu.Lock()
	unknown := n.tracker.UnknownPresence()
	n.mu.Unlock()
	for _, p := range unknown {
		user, domain, _ := strings.Cut(p, "@")
		reply, err := n.sw().API(ctx, "user_exists id "+user+" "+domain)
		if err != nil && !errors.Is(err, esl.ErrReply) && !errors.Is(err, esl.ErrArgument) {
			return err
		}
		n.mu.Lock()
		n.changed(n.tracker.SetUser(p, err == nil && strings.TrimSpace(reply) == "true"))
		n.mu.Unlock()
	}
	return nil
}

// Event implements esl.Handler. It never waits.
func (n *node) Event(_ context.Context, e *esl.Event) {
	n.mu.Lock()
	changes := n.tracker.Apply(e)
	n.changed(changes)
	channel, room := e.Get("Unique-ID"), e.Get("Conference-Name")
	c := n.byChannel[channel]
	if c == nil && room != "" {
		c = n.byRoom[room]
	}
	var s *session
	switch {
	case e.Name == "BACKGROUND_JOB":
		if s = n.jobs[e.Get("Job-UUID")]; s != nil {
			delete(n.jobs, e.Get("Job-UUID"))
			c = s.call
		}
	case c != nil:
		if s = n.byLeg[channel]; s != nil && e.Name == "CHANNEL_PARK" {
			s.parked = true
		}
		if e.Name == "CHANNEL_HANGUP" && c.firstGone == "" && (channel == c.pupil || channel == c.user) {
			c.firstGone = channel
		}
	}
	n.mu.Unlock()
	if !changes.Empty() {
		n.m.touch()
		n.wantWrite()
	}
	if c == nil {
		return
	}
	switch {
	case e.Name == "BACKGROUND_JOB":
		c.post(originated{s, strings.TrimSpace(e.Body)})
	case s != nil && e.Get("Action") == "dtmf":
		c.post(keyPressed{s, e.Get("Data"), e.Time})
	case room != "":
		c.post(roomChanged{})
	default:
		c.post(legChanged{})
	}
}

// Lost implements esl.Handler.
func (n *node) Lost(err error) {
	n.mu.Lock()
	if n.ready || n.lostAt.IsZero() {
		n.lostAt = time.Now()
	}
	n.ready, n.lostWhy = false, err.Error()
	n.mu.Unlock()
	n.m.touch()
	n.log.Warn("the event connection is lost", "error", err)
}

// changed notes what has to be stored. n.mu is held.
func (n *node) changed(c tracker.Changes) {
	for _, name := range c.RemovedAgents {
		n.dirtyAgents[name] = nil
	}
	for _, a := range c.Agents {
		n.dirtyAgents[a.Agent] = &a
	}
	for _, id := range c.RemovedCalls {
		n.dirtyCalls[id] = nil
	}
	for _, x := range c.Calls {
		n.dirtyCalls[x.ID] = &x
	}
	if len(n.dirtyAgents)+len(n.dirtyCalls) > maxDirty {
		n.cleanUp()
		n.replace = true // the store is away: one full write will do when it is back
	}
}

// maxDirty is how many changes are gathered while the store is away.
const maxDirty = 50_000

// cleanUp forgets what would have to be stored. n.mu is held.
func (n *node) cleanUp() {
	n.dirtyAgents, n.dirtyCalls, n.replace = map[string]*wire.Agent{}, map[string]*tracker.Call{}, false
}

func (n *node) wantWrite() {
	select {
	case n.write <- struct{}{}:
	default:
	}
}

// storeInterval is how long changes of agents and calls are gathered before
// they are stored together.
const storeInterval = 20 * time.Millisecond

// storeChanges writes agents and calls to the store, in batches, and asks the
// directory about presence ids that turned up.
func (n *node) storeChanges(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-n.write:
		}
		pause(ctx, storeInterval, nil)
		if err := n.askUsers(ctx); err != nil && ctx.Err() == nil {
			n.log.Debug("the directory could not be asked", "error", err)
		}
		n.mu.Lock()
		dirtyAgents, dirtyCalls, replace, lease := n.dirtyAgents, n.dirtyCalls, n.replace, n.lease
		n.cleanUp()
		var agents []wire.Agent
		var calls []tracker.Call
		if replace {
			agents, calls = n.tracker.Agents(), n.tracker.Calls()
		}
		n.mu.Unlock()
		var err error
		if replace {
			err = errors.Join(n.m.store.ReplaceAgents(ctx, lease, agents), n.m.store.ReplaceCalls(ctx, lease, stored(calls)))
		} else {
			changed, removed := split(dirtyAgents)
			changedCalls, removedCalls := split(dirtyCalls)
			err = errors.Join(n.m.store.PutAgents(ctx, lease, changed, removed), n.m.store.PutCalls(ctx, lease, stored(changedCalls), removedCalls))
		}
		if err != nil && ctx.Err() == nil {
			n.log.Warn("agents and calls could not be stored", "error", err)
			n.mu.Lock()
			n.replace = true
			n.mu.Unlock()
			if !errors.Is(err, state.ErrFenced) {
				pause(ctx, time.Second, nil)
				n.wantWrite()
			}
		}
	}
}

func split[T any](dirty map[string]*T) (changed []T, removed []string) {
	for k, v := range dirty {
		if v == nil {
			removed = append(removed, k)
		} else {
			changed = append(changed, *v)
		}
	}
	return changed, removed
}

func stored(calls []tracker.Call) []state.Call {
	out := make([]state.Call, 0, len(calls))
	for _, c := range calls {
		out = append(out, state.Call{ID: c.ID, Node: c.Node, Agent: c.Agent, Pupil: c.Pupil, User: c.User, UserNumber: c.UserNumber,
			Direction: c.Direction, Queue: c.Queue, Room: c.Room, Ours: strings.HasPrefix(c.Room, roomPrefix), Since: c.Since})
	}
	return out
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
