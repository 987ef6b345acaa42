package switchsim

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"sync"
	"time"
)

// version is what the switch claims to be: the release whose behaviour it has.
const version = "1.10.12"

// Of how many received commands how much is kept for Commands.
const (
	maxCommands    = 10_000
	maxCommandText = 4_096
)

// Switch is a running simulated switch. All its methods may be called from any goroutine.
type Switch struct {
	opt    Options
	log    *slog.Logger
	ln     net.Listener
	ctx    context.Context
	cancel context.CancelFunc
	wg     sync.WaitGroup
	wake   chan struct{}

	mu sync.Mutex // guards all that follows; taken with lock, see there

	now     time.Time     // by the switch's own clock
	lag     time.Duration // how far that is behind the machine's
	pauses  []pause
	seen    time.Time // when the switch was run last, by the machine's clock
	armed   time.Time // when the loop will look again, by the machine's clock
	tasks   taskHeap
	taskSeq uint64

	started   time.Time
	coreUUID  string
	sequence  uint64 // of events
	sessions  int    // since the start
	memberIDs int
	conns     []*conn
	connSeq   int
	commands  []string
	faults    []*fault

	channels map[string]*channel
	order    []*channel // the live channels, oldest first
	numbers  map[string]string
	rooms    map[string]*room
	phones   map[string]Behaviour
	verto    map[string]Client // clients of mod_verto, by their users' numbers
	conf     *conferenceConf
	rows     table
	cc       callcenter
	regs     []*registration
	globals  []header
	contexts map[string]*dialContext

	scheduled []*scheduled
	schedules uint64 // how many there were

	truth truthLog

	detecting map[*channel]bool     // who listens for tones
	unicasts  map[*channel]*unicast // whose audio goes by UDP
	spies     map[*channel]bool     // who eavesdrops
	recorded  map[*channel]bool     // who is recorded
	tapes     map[string]*tape      // what is recorded, by file
	records   map[string]CallRecord // of legs that have ended
}

// Start starts a switch. It runs until Close is called or ctx ends.
func Start(ctx context.Context, o Options) (*Switch, error) {
	o = o.withDefaults()
	conf, err := parseConferenceConf(o.ConferenceXML)
	if err != nil {
		return nil, fmt.Errorf("switchsim: conference.conf: %w", err)
	}
	contexts := map[string]*dialContext{}
	for _, text := range o.Contexts {
		c, err := parseContext(text)
		if err != nil {
			return nil, fmt.Errorf("switchsim: %w", err)
		}
		contexts[c.Name] = c
	}
	ln, err := new(net.ListenConfig).Listen(ctx, "tcp", o.Listen)
	if err != nil {
		return nil, fmt.Errorf("switchsim: %w", err)
	}
	s := &Switch{opt: o, log: o.Logger, ln: ln, wake: make(chan struct{}, 1), conf: conf, contexts: contexts,
		phones: map[string]Behaviour{}, verto: map[string]Client{}, now: time.Now()}
	s.seen = s.now
	s.ctx, s.cancel = context.WithCancel(ctx)
	s.truth.init(s.now, o.Frame)
	s.boot()
	s.wg.Add(3)
	go s.loop()
	go s.accept()
	go func() {
		defer s.wg.Done()
		<-s.ctx.Done()
		_ = s.ln.Close() // it may be closed already
		s.DropConnections()
	}()
	return s, nil
}

func (o Options) withDefaults() Options {
	if o.Listen == "" {
		o.Listen = "127.0.0.1:0"
	}
	if o.Password == "" {
		o.Password = "ClueCon"
	}
	if o.Hostname == "" {
		o.Hostname = "switchsim"
	}
	if o.Domain == "" {
		o.Domain = "127.0.0.1"
	}
	if o.Users == nil {
		for i := 1000; i < 1010; i++ {
			o.Users = append(o.Users, fmt.Sprint(i))
		}
	}
	if o.ConferenceXML == "" {
		o.ConferenceXML = stockConference
	}
	if o.ConfDir == "" {
		o.ConfDir = "/usr/local/freeswitch/conf"
	}
	if o.Modules == nil {
		o.Modules = []string{"mod_commands", "mod_conference", "mod_callcenter", "mod_dptools", "mod_event_socket", "mod_sofia",
			"mod_loopback", "mod_sndfile", "mod_tone_stream", "mod_local_stream", "mod_dialplan_xml", "mod_hash", "mod_db", "mod_expr"}
	}
	if o.Frame <= 0 {
		o.Frame = 20 * time.Millisecond
	}
	if o.Heartbeat <= 0 {
		o.Heartbeat = 20 * time.Second
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return o
}

// boot makes everything that a starting switch has. What was there before is
// forgotten, the truth log apart.
func (s *Switch) boot() {
	s.tasks = nil
	s.started = s.now
	s.coreUUID = newUUID()
	s.sequence, s.sessions, s.memberIDs = 0, 0, 0
	s.channels, s.order = map[string]*channel{}, nil
	s.detecting, s.spies, s.recorded = map[*channel]bool{}, map[*channel]bool{}, map[*channel]bool{}
	if s.tapes == nil {
		s.tapes, s.records = map[string]*tape{}, map[string]CallRecord{}
	}
	if s.numbers == nil {
		s.numbers = map[string]string{}
	}
	s.rooms = map[string]*room{}
	s.scheduled, s.schedules = nil, 0
	s.rows = table{}
	s.regs = nil
	s.globals = s.initialGlobals()
	s.cc = newCallcenter(s.opt.Agents, s.now)
	s.truth.schedule(s)
	s.after(s.opt.Heartbeat, s.heartbeat)
}

// Addr is the address of the event socket, host:port.
func (s *Switch) Addr() string { return s.ln.Addr().String() }

// Close stops the switch and waits for everything it started. It may be called more than once.
func (s *Switch) Close() error {
	s.cancel()
	s.wg.Wait()
	return nil
}

// Restart is the switch's death and return: all channels and connections are
// gone without an event, the core's UUID is new, member ids begin again. The
// port goes on being served.
func (s *Switch) Restart() {
	s.lock()
	for _, c := range s.conns {
		c.close()
	}
	for _, ch := range s.order {
		ch.vanish(s)
	}
	s.boot()
	s.unlock()
	s.log.Info("restarted")
}

// DropConnections cuts every event socket connection.
func (s *Switch) DropConnections() {
	s.lock()
	defer s.unlock()
	for _, c := range s.conns {
		c.close()
	}
}

// Commands lists the commands received after auth, oldest first: of the last
// 10,000 the first 4 kB each.
func (s *Switch) Commands() []string {
	s.lock()
	defer s.unlock()
	return append([]string(nil), s.commands...)
}

func (s *Switch) record(text string) {
	text = strings.Clone(text[:min(len(text), maxCommandText)])
	if len(s.commands) >= maxCommands {
		s.commands = append(s.commands[:0:0], s.commands[maxCommands/10:]...)
	}
	s.commands = append(s.commands, text)
}

func (s *Switch) accept() {
	defer s.wg.Done()
	for {
		nc, err := s.ln.Accept()
		if err != nil {
			if !errors.Is(err, net.ErrClosed) {
				s.log.Error("accept", "err", err)
			}
			return
		}
		s.lock()
		if s.ctx.Err() != nil {
			s.unlock()
			_ = nc.Close() // nobody has used it
			return
		}
		c := s.newConn(nc)
		c.late = s.opt.LateEvents
		c.send([]byte("Content-Type: auth/request\n\n"))
		s.unlock()
	}
}

// sleep waits for d, or until the connection or the switch is gone.
func (s *Switch) sleep(d time.Duration, gone <-chan struct{}) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-gone:
	case <-s.ctx.Done():
	}
	return false
}
