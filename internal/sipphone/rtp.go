package sipphone

import (
	"crypto/rand"
	"encoding/binary"
	"net"
	"strings"
	"sync"
	"time"
)

const (
	// keyFrames is how long a key is pressed, in frames of 20 ms.
	keyFrames = 5
	// maxWindows bounds what a leg remembers: twenty minutes.
	maxWindows = 60_000
	keyNames   = "0123456789*#ABCD"
)

// Window is one received packet of 20 ms.
type Window struct {
	At     time.Time // when it came
	Levels []float32 // of Options.Tones: dB below a telephone's loudness
}

// stream is a leg's media.
type stream struct {
	conn *net.UDPConn

	mu       sync.Mutex
	to       *net.UDPAddr
	events   int // payload type of the keys that are sent
	osc      oscillator
	quiet    bool
	hold     bool
	seq      uint16
	ts       uint32
	ssrc     uint32
	marker   bool // the next packet begins talk
	inBand   bool // keys are tones
	pressing []key
	frame    int // of the key that is being pressed
	windows  []Window
	received strings.Builder // keys
	lastKey  uint32          // the timestamp of the last one
	heldKey  bool            // a key was received
	stalled  int             // for so many frames more, packets are held back
	late     [][]byte        // those
}

// key is one key to be pressed, or a pause.
type key struct {
	event byte
	pause int           // frames of silence instead
	done  chan struct{} // closed when it was sent, if anybody waits
}

func newStream(conn *net.UDPConn, frequency float64) *stream {
	var b [10]byte
	_, _ = rand.Read(b[:]) // never fails
	return &stream{conn: conn, osc: oscillator{frequency: frequency}, marker: true,
		seq: binary.BigEndian.Uint16(b[:]), ts: binary.BigEndian.Uint32(b[2:]), ssrc: binary.BigEndian.Uint32(b[6:])}
}

// tick sends what is due in one frame.
func (s *stream) tick() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.to == nil {
		return
	}
	if s.stalled--; s.stalled <= 0 {
		s.stalled = 0
		for _, packet := range s.late {
			s.write(packet)
		}
		s.late = nil
	}
	for len(s.pressing) > 0 && s.pressing[0].pause == 0 && s.events == 0 && !s.inBand {
		s.next() // keys cannot be sent
	}
	var payload [frameSamples]byte
	switch {
	case len(s.pressing) > 0 && s.pressing[0].pause == 0 && s.inBand:
		keyTones(payload[:], s.pressing[0].event, s.frame)
		if s.frame++; s.frame >= keyFrames+1 { // 120 ms
			s.next()
		}
	case len(s.pressing) > 0 && s.pressing[0].pause == 0:
		s.pressFrame()
		return
	case len(s.pressing) > 0:
		if s.frame++; s.frame >= s.pressing[0].pause {
			s.next()
		}
		payload = silence
	case s.quiet || s.hold:
		payload = silence
	default:
		s.osc.frame(payload[:])
	}
	s.send(0, s.marker, s.ts, payload[:])
	s.marker = false
	s.ts += frameSamples
}

// pressFrame sends one frame of a key; its last frame is sent three times, as
// RFC 4733 has it.
func (s *stream) pressFrame() {
	k := s.pressing[0]
	s.frame++
	duration := uint16(s.frame * frameSamples)
	begin := s.ts
	last := s.frame == keyFrames
	payload := []byte{k.event, 10, byte(duration >> 8), byte(duration)}
	times := 1
	if last {
		payload[1] |= 0x80
		times = 3
	}
	for range times {
		s.send(s.events, s.frame == 1, begin, payload)
	}
	if last {
		s.ts += keyFrames * frameSamples
		s.marker = true
		s.next()
	}
}

func (s *stream) next() {
	if done := s.pressing[0].done; done != nil {
		close(done)
	}
	s.pressing, s.frame = s.pressing[1:], 0
}

func (s *stream) send(payloadType int, marker bool, ts uint32, payload []byte) {
	packet := make([]byte, 12, 12+len(payload))
	packet[0], packet[1] = 0x80, byte(payloadType)
	if marker {
		packet[1] |= 0x80
	}
	binary.BigEndian.PutUint16(packet[2:], s.seq)
	binary.BigEndian.PutUint32(packet[4:], ts)
	binary.BigEndian.PutUint32(packet[8:], s.ssrc)
	s.seq++
	packet = append(packet, payload...)
	if s.stalled > 0 {
		s.late = append(s.late, packet)
		return
	}
	s.write(packet)
}

func (s *stream) write(packet []byte) {
	// What is lost on the way is lost, as on any network.
	_, _ = s.conn.WriteToUDP(packet, s.to)
}

// press queues keys, with a pause in frames between them, and returns a channel
// that is closed when the last one has been sent.
func (s *stream) press(keys string, pause int) <-chan struct{} {
	done := make(chan struct{})
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range len(keys) {
		if i > 0 {
			s.pressing = append(s.pressing, key{pause: max(pause, 2)})
		}
		k := key{event: byte(max(strings.IndexByte(keyNames, keys[i]), 0))}
		if i == len(keys)-1 {
			k.done = done
		}
		s.pressing = append(s.pressing, k)
	}
	if len(keys) == 0 {
		close(done)
	}
	return done
}

// listen takes what is received until the connection is closed.
func (s *stream) listen(tones []float64) {
	buf := make([]byte, 2048)
	for {
		n, from, err := s.conn.ReadFromUDPAddrPort(buf)
		if err != nil {
			return
		}
		at := time.Now()
		s.mu.Lock()
		known := s.to != nil && s.to.AddrPort().Port() == from.Port() && s.to.AddrPort().Addr().Unmap() == from.Addr().Unmap()
		s.mu.Unlock()
		if known { // what else comes belongs to a call that had this port before
			s.take(at, buf[:n], tones)
		}
	}
}

// take notes one packet.
func (s *stream) take(at time.Time, packet []byte, tones []float64) {
	if len(packet) < 12 || packet[0]>>6 != 2 {
		return
	}
	payloadType := int(packet[1] & 0x7f)
	head := 12 + 4*int(packet[0]&0x0f)
	if packet[0]&0x10 != 0 && len(packet) >= head+4 {
		head += 4 + 4*int(binary.BigEndian.Uint16(packet[head+2:]))
	}
	if len(packet) < head {
		return
	}
	payload := packet[head:]
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case payloadType == 0 && len(payload) > 0:
		if len(s.windows) >= maxWindows {
			s.windows = append(s.windows[:0:0], s.windows[maxWindows/2:]...)
		}
		s.windows = append(s.windows, Window{At: at, Levels: levels(payload, tones)})
	case payloadType == s.events && payloadType != 0 && len(payload) >= 4:
		ts := binary.BigEndian.Uint32(packet[4:])
		if (!s.heldKey || ts != s.lastKey) && int(payload[0]) < len(keyNames) && s.received.Len() < maxWindows {
			s.heldKey, s.lastKey = true, ts
			s.received.WriteByte(keyNames[payload[0]])
		}
	}
}
