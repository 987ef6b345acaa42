package selftest

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"
)

const (
	maxHeard     = 60 * rate // samples that a line keeps
	maxStrangers = 1_000     // sources that are remembered as nobody's
	socketBuffer = 1 << 20   // bytes: what comes while this machine is busy elsewhere
	maxPacket    = 2048      // bytes; a frame has 320
	maxFailures  = 100       // to read, one after the other
)

// media is the test's end of its legs' audio: a UDP socket to which the switch
// sends what each leg hears, a packet every 20 ms, and from which each packet is
// answered with 20 ms of what the leg says. So the switch's clock is the only one.
type media struct {
	conn  *net.UDPConn
	told  netip.AddrPort // what the switch is told
	peers []netip.Addr   // who may send
	done  chan struct{}

	mu        sync.Mutex
	lines     map[netip.AddrPort]*line // by where the switch sends from
	waiting   *line                    // whose source is not known yet
	strangers map[netip.AddrPort]bool  // who sent before he was waited for
	odd       int                      // size of the last packet that was no frame
	ignored   netip.Addr               // of the last one who is no peer
}

// line is one leg's audio.
type line struct {
	m      *media
	source netip.AddrPort
	saying bool
	sound  []byte  // a second of the tone
	said   int     // bytes of it that were sent
	heard  []int16 // the last of what was heard
	count  int     // samples heard in all
}

// openMedia listens at an address, port 0 for any. Where it is no certain one the
// switch is told ours as it sees it. Packets of others than the peers are ignored.
func openMedia(listen netip.AddrPort, ours netip.Addr, peers []netip.Addr) (*media, error) {
	if !listen.IsValid() {
		listen = netip.AddrPortFrom(ours, 0)
	}
	if !listen.Addr().Is4() {
		return nil, errors.New("the switch's unicast knows IPv4 only")
	}
	conn, err := net.ListenUDP("udp4", net.UDPAddrFromAddrPort(listen))
	if err != nil {
		return nil, err
	}
	_ = conn.SetReadBuffer(socketBuffer) // what there is by default is enough mostly
	m := &media{conn: conn, peers: peers, done: make(chan struct{}), lines: map[netip.AddrPort]*line{}, strangers: map[netip.AddrPort]bool{}}
	m.told = conn.LocalAddr().(*net.UDPAddr).AddrPort()
	if m.told.Addr().IsUnspecified() {
		m.told = netip.AddrPortFrom(ours, m.told.Port())
	}
	if !m.told.Addr().Is4() {
		_ = conn.Close() // nothing has come yet
		return nil, errors.New("the switch's unicast knows IPv4 only")
	}
	go m.run()
	return m, nil
}

func (m *media) close() {
	_ = m.conn.Close() // the test is over
	<-m.done
}

func (m *media) run() {
	defer close(m.done)
	packet := make([]byte, maxPacket)
	for failures := 0; failures < maxFailures; {
		n, from, err := m.conn.ReadFromUDPAddrPort(packet)
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			failures++ // most likely an ICMP error of a packet that we sent
			continue
		}
		failures = 0
		m.take(netip.AddrPortFrom(from.Addr().Unmap(), from.Port()), packet[:n])
	}
}

// take takes one packet, and answers it.
func (m *media) take(from netip.AddrPort, packet []byte) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !slices.Contains(m.peers, from.Addr()) {
		m.ignored = from.Addr()
		return
	}
	l := m.lines[from]
	first := l == nil
	if first {
		if l = m.waiting; l == nil || m.strangers[from] {
			if len(m.strangers) < maxStrangers {
				m.strangers[from] = true
			}
			return
		}
	}
	heard, ok := parsePacket(packet, l.heard)
	if !ok {
		m.odd = len(packet)
		return
	}
	if len(heard) > maxHeard {
		heard = append(heard[:0], heard[len(heard)-maxHeard/2:]...)
	}
	l.heard = heard
	l.count += frame
	if first {
		l.source, m.waiting = from, nil
		m.lines[from] = l
		l.answer() // one ahead, for when the next packet is late
	}
	l.answer()
}

var silence [frameSize]byte

// answer sends a frame. One that is not sent is a gap that will be seen.
func (l *line) answer() {
	say := silence[:]
	if l.saying {
		say = l.sound[l.said : l.said+frameSize]
		l.said = (l.said + frameSize) % len(l.sound)
	}
	_, _ = l.m.conn.WriteToUDPAddrPort(say, l.source)
}

// expect takes the next source that is new for a leg's.
func (m *media) expect(f tone) *line {
	m.mu.Lock()
	defer m.mu.Unlock()
	l := &line{m: m, sound: f.second()}
	m.waiting = l
	return l
}

// giveUp tells why nothing came for the leg that was waited for.
func (m *media) giveUp() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.waiting = nil
	if m.odd > 0 {
		return fmt.Errorf("the switch sends packets of %d bytes, not of %d as for 8 kHz and 20 ms", m.odd, frameSize)
	}
	if m.ignored.IsValid() {
		return fmt.Errorf("packets came by UDP from %s, and none from %v, which is where the switch is known to be", m.ignored, m.peers)
	}
	return fmt.Errorf("no audio came from the switch by UDP to %s", m.told)
}

// say has the leg sound its tone, or be silent.
func (l *line) say(on bool) {
	l.m.mu.Lock()
	defer l.m.mu.Unlock()
	l.saying = on
}

// now is how much the leg has heard by now, in samples.
func (l *line) now() int {
	l.m.mu.Lock()
	defer l.m.mu.Unlock()
	return l.count
}

// between is what the leg heard between two times of now, as far as it is kept.
func (l *line) between(from, to int) []int16 {
	l.m.mu.Lock()
	defer l.m.mu.Unlock()
	base := l.count - len(l.heard)
	from, to = max(from, base), min(to, l.count)
	if from >= to {
		return nil
	}
	return slices.Clone(l.heard[from-base : to-base])
}

// inSamples is a time in samples.
func inSamples(d time.Duration) int { return int(d * rate / time.Second) }

func inMS(samples int) int { return samples * 1000 / rate }
