package sipphone

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strconv"
	"sync"
	"time"

	"github.com/emiago/sipgo"
	"github.com/emiago/sipgo/sip"
)

// Options say where the telephones are. The zero value is on the loopback, with
// any free port for SIP and the ports 14000 to 15999 for RTP.
type Options struct {
	IP             string // the telephones' IPv4 address, at which the switch reaches them; default 127.0.0.1
	Port           int    // of SIP; 0 is any that is free
	RTPMin, RTPMax int    // ports of RTP; default 14000 and 15999
	// Tones are the frequencies in Hz that are looked for in what is received, at
	// least 250 Hz from one another and below 3400 Hz.
	Tones  []float64
	Logger *slog.Logger // default: none
}

// Phone is what a telephone is like. The zero value answers at once and is silent.
type Phone struct {
	Tone   float64       // what it speaks, in Hz; 0 is silence
	Reject int           // the SIP status with which it refuses calls, such as 486
	Ring   bool          // it rings until the caller gives up
	After  time.Duration // for how long it rings before it answers
	Keys   Keys
}

// Keys is how a telephone sends its keys.
type Keys int

// The ways of sending keys.
const (
	KeysRTP   Keys = iota // telephone events in RTP: RFC 4733
	KeysInfo              // SIP INFO, beside the telephone events that it offers
	KeysAudio             // the two tones, as part of what is said
)

// Farm is a set of telephones behind one SIP address. It must be closed.
type Farm struct {
	opt    Options
	ua     *sipgo.UserAgent
	client *sipgo.Client
	conn   *net.UDPConn
	ctx    context.Context
	cancel context.CancelFunc
	wg     sync.WaitGroup // of what runs as long as the Farm
	calls  sync.WaitGroup // of the handlers of requests

	mu      sync.Mutex
	closed  bool
	nextRTP int
	phones  map[string]Phone
	legs    map[string]*Leg // by Call-ID
	byName  map[string]*Leg // the newest answered one
	changed chan struct{}   // closed when a leg was answered
}

// ErrEnded says that a telephone's call has ended, or the Farm was closed.
var ErrEnded = errors.New("sipphone: the call has ended")

// hushLibrary keeps sipgo, which has one logger for all that is below its server
// and client, from writing to the process's own.
var hushLibrary = sync.OnceFunc(func() { sip.SetDefaultLogger(slog.New(slog.DiscardHandler)) })

// Start opens the telephones' sockets.
func Start(o Options) (*Farm, error) {
	if o.IP == "" {
		o.IP = "127.0.0.1"
	}
	if o.RTPMin == 0 {
		o.RTPMin, o.RTPMax = 14000, 15999
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	hushLibrary()
	conn, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.ParseIP(o.IP), Port: o.Port})
	if err != nil {
		return nil, fmt.Errorf("sipphone: %w", err)
	}
	f := &Farm{opt: o, conn: conn, nextRTP: o.RTPMin, phones: map[string]Phone{}, legs: map[string]*Leg{}, byName: map[string]*Leg{}, changed: make(chan struct{})}
	f.ctx, f.cancel = context.WithCancel(context.Background())
	if err := f.serve(); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

func (f *Farm) serve() error {
	var err error
	if f.ua, err = sipgo.NewUA(sipgo.WithUserAgent("sipphone"), sipgo.WithUserAgentHostname(f.opt.IP)); err != nil {
		return fmt.Errorf("sipphone: %w", err)
	}
	server, err := sipgo.NewServer(f.ua, sipgo.WithServerLogger(f.opt.Logger))
	if err != nil {
		return fmt.Errorf("sipphone: %w", err)
	}
	f.client, err = sipgo.NewClient(f.ua, sipgo.WithClientLogger(f.opt.Logger), sipgo.WithClientHostname(f.opt.IP), sipgo.WithClientPort(f.port()),
		sipgo.WithClientConnectionAddr(f.Addr()))
	if err != nil {
		return fmt.Errorf("sipphone: %w", err)
	}
	server.OnInvite(f.handle(f.onInvite))
	server.OnAck(f.handle(f.onAck))
	server.OnBye(f.handle(f.onBye))
	server.OnNotify(f.handle(f.onNotify))
	for _, method := range []sip.RequestMethod{sip.INFO, sip.OPTIONS, sip.UPDATE, sip.MESSAGE} {
		server.OnRequest(method, f.handle(func(req *sip.Request, tx sip.ServerTransaction) { f.respond(req, tx, 200, "OK") }))
	}
	f.wg.Add(2)
	go func() {
		defer f.wg.Done()
		_ = server.ServeUDP(f.conn) // ends when the connection is closed
	}()
	go func() {
		defer f.wg.Done()
		f.speak()
	}()
	// Until the library serves the socket it would open another one to send from.
	for tick, end := time.Tick(time.Millisecond), time.Now().Add(5*time.Second); ; <-tick {
		if _, err = f.ua.TransportLayer().GetConnection("udp", f.Addr()); err == nil {
			return nil
		}
		if time.Now().After(end) {
			return fmt.Errorf("sipphone: the socket is not served: %w", err)
		}
	}
}

// Close hangs nothing up: it closes the sockets and waits for every goroutine.
func (f *Farm) Close() error {
	f.mu.Lock()
	f.closed = true
	legs := make([]*Leg, 0, len(f.legs))
	for _, l := range f.legs {
		legs = append(legs, l)
	}
	f.mu.Unlock()
	f.cancel()
	for _, l := range legs {
		l.end()
	}
	// Whatever is sent after the library was closed would open another socket.
	f.calls.Wait()
	var err error
	if f.ua != nil {
		err = f.ua.Close()
	}
	if e := f.conn.Close(); !errors.Is(e, net.ErrClosed) {
		err = errors.Join(err, e)
	}
	f.wg.Wait()
	return err
}

func (f *Farm) port() int { return f.conn.LocalAddr().(*net.UDPAddr).Port }

// Addr is the host:port of SIP.
func (f *Farm) Addr() string { return net.JoinHostPort(f.opt.IP, strconv.Itoa(f.port())) }

// Set installs a telephone, or changes what it does with the next call.
func (f *Farm) Set(name string, p Phone) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.phones[name] = p
}

// Answered returns a telephone's newest call, as soon as there is one and the
// switch has acknowledged it.
func (f *Farm) Answered(ctx context.Context, name string) (*Leg, error) {
	for {
		f.mu.Lock()
		l, changed := f.byName[name], f.changed
		f.mu.Unlock()
		if l != nil {
			return l, nil
		}
		select {
		case <-changed:
		case <-f.ctx.Done():
			return nil, ErrEnded
		case <-ctx.Done():
			return nil, fmt.Errorf("sipphone: %s was not called: %w", name, ctx.Err())
		}
	}
}

// speak sends every leg's frames, at the times at which they are due.
func (f *Farm) speak() {
	next := time.Now()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-f.ctx.Done():
			return
		case <-timer.C:
		}
		f.mu.Lock()
		legs := make([]*Leg, 0, len(f.legs))
		for _, l := range f.legs {
			legs = append(legs, l)
		}
		f.mu.Unlock()
		for _, l := range legs {
			l.stream.tick()
		}
		next = next.Add(20 * time.Millisecond)
		if late := time.Since(next); late > time.Second {
			next = next.Add(late) // the machine stood still: nobody wants to hear that now
		}
		timer.Reset(time.Until(next))
	}
}

// openRTP opens a socket for a leg's media, on an even port.
func (f *Farm) openRTP() (*net.UDPConn, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for range (f.opt.RTPMax - f.opt.RTPMin + 1) / 2 {
		port := f.nextRTP
		if f.nextRTP += 2; f.nextRTP > f.opt.RTPMax {
			f.nextRTP = f.opt.RTPMin
		}
		if conn, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.ParseIP(f.opt.IP), Port: port}); err == nil {
			return conn, nil
		}
	}
	return nil, fmt.Errorf("sipphone: no RTP port is free between %d and %d", f.opt.RTPMin, f.opt.RTPMax)
}

// handle counts a handler, so that Close can wait for it.
func (f *Farm) handle(h sipgo.RequestHandler) sipgo.RequestHandler {
	return func(req *sip.Request, tx sip.ServerTransaction) {
		f.mu.Lock()
		closed := f.closed
		if !closed {
			f.calls.Add(1)
		}
		f.mu.Unlock()
		if !closed {
			defer f.calls.Done()
			h(req, tx)
		}
	}
}

func (f *Farm) respond(req *sip.Request, tx sip.ServerTransaction, status int, reason string) {
	if tx == nil {
		return
	}
	// An answer that cannot be sent is asked for again, or missed, by the switch.
	_ = tx.Respond(sip.NewResponseFromRequest(req, status, reason, nil))
}

func (f *Farm) legOf(req *sip.Request) *Leg {
	id := req.CallID()
	if id == nil {
		return nil
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.legs[id.Value()]
}

// forget ends a leg: from then on nobody is given it.
func (f *Farm) forget(l *Leg) {
	f.mu.Lock()
	defer f.mu.Unlock()
	close(l.ended)
	delete(f.legs, l.callID)
	if f.byName[l.Name] == l {
		delete(f.byName, l.Name)
	}
}
