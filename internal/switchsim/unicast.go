package switchsim

import (
	"cmp"
	"context"
	"encoding/binary"
	"math"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"
)

// What a loopback's audio is: 16 bit samples, 8 kHz, 20 ms a packet.
const (
	audioRate  = 8000
	audioFrame = audioRate / 50 // samples
)

const (
	mouthQueue = 3                     // frames, as in mod_loopback: one more, and all are dropped
	maxOwed    = 5                     // frames that are made up for what comes late
	tooLate    = 40 * time.Millisecond // a frame that is run so late cannot be answered in time
	plainTone  = 410                   // what a telephone says of which nothing is known, Hz
	plainLevel = 4000                  // its amplitude, and a tone_stream's
)

// unicast is sendmsg's: a parked channel's audio goes out by UDP, and what comes
// in is what it says. The real one has no more ado with the packets either: any
// sender's are taken, and it is told nowhere when it could not be set up.
type unicast struct {
	conn   *net.UDPConn
	remote *net.UDPAddr
	began  bool
	queue  [][]int16
	owed   int     // frames that were made up, and will come yet
	last   []int16 // what the channel says in this frame, nil for nothing
}

// unicast sets it up. Nothing is answered, as nothing is when it fails.
func (s *Switch) unicast(ch *channel, m *command) {
	or := func(name, otherwise string) string { return cmp.Or(m.get(name), otherwise) }
	local, err := netip.ParseAddrPort(net.JoinHostPort(or("local-ip", "127.0.0.1"), or("local-port", "8025")))
	remote, err2 := netip.ParseAddrPort(net.JoinHostPort(or("remote-ip", "127.0.0.1"), or("remote-port", "8026")))
	if err != nil || err2 != nil || !strings.EqualFold(or("transport", "udp"), "udp") || s.unicasts[ch] != nil {
		return
	}
	conn, err := net.ListenUDP("udp4", net.UDPAddrFromAddrPort(local))
	if err != nil {
		s.log.Info("unicast", "err", err)
		return
	}
	u := &unicast{conn: conn, remote: net.UDPAddrFromAddrPort(remote)}
	if s.unicasts == nil {
		s.unicasts = map[*channel]*unicast{}
	}
	s.unicasts[ch] = u
	s.wg.Add(1)
	go func() {
		defer s.wg.Done()
		defer context.AfterFunc(s.ctx, func() { _ = conn.Close() })()
		packet := make([]byte, 8192)
		for {
			n, err := conn.Read(packet)
			if err != nil {
				return
			}
			if frame, ok := audioPacket(packet[:n]); ok {
				s.lock()
				u.take(frame)
				s.unlock()
			}
		}
	}()
}

// audioPacket is the frame in a packet.
func audioPacket(packet []byte) ([]int16, bool) {
	if len(packet) != 2*audioFrame {
		return nil, false
	}
	frame := make([]int16, audioFrame)
	for i := range frame {
		frame[i] = int16(binary.LittleEndian.Uint16(packet[2*i:]))
	}
	return frame, true
}

// take queues a frame that has come. One that was made up already is what the next
// one is made up from, if that is late as well: else a tone that begins while all
// are a little late would never be heard.
func (u *unicast) take(frame []int16) {
	if u.owed > 0 {
		u.owed--
		u.last = frame
		return
	}
	if len(u.queue) >= mouthQueue {
		u.queue = nil
	}
	u.queue = append(u.queue, frame)
}

// next is what the channel says in the next frame. What is late is made up, so
// that the lateness of a busy machine is not heard as a gap.
func (u *unicast) next() []int16 {
	if len(u.queue) > 0 {
		frame := u.queue[0]
		u.queue = u.queue[1:]
		return frame
	}
	if u.last == nil || u.owed >= maxOwed {
		u.owed = 0
		return nil
	}
	u.owed++
	c, _ := recurrence(u.last)
	frame := make([]int16, audioFrame)
	a, b := float64(u.last[audioFrame-2]), float64(u.last[audioFrame-1])
	for i := range frame {
		a, b = b, c*b-a
		frame[i] = clip16(b)
	}
	return frame
}

// recurrence is the factor by which each sample of a pure tone, less the one
// before it, gives the next; pure is false if it is none.
func recurrence(frame []int16) (factor float64, pure bool) {
	var num, energy float64
	for i := 1; i+1 < len(frame); i++ {
		x := float64(frame[i])
		num += x * (float64(frame[i-1]) + float64(frame[i+1]))
		energy += x * x
	}
	if energy == 0 {
		return 0, false
	}
	factor = max(-2, min(2, num/energy))
	var rest float64
	for i := 1; i+1 < len(frame); i++ {
		d := float64(frame[i-1]) + float64(frame[i+1]) - factor*float64(frame[i])
		rest += d * d
	}
	return factor, rest < energy/1000
}

// frequency is that of a pure tone in whole Hz, "" if it is none.
func frequency(frame []int16) string {
	factor, pure := recurrence(frame)
	if !pure {
		return ""
	}
	return strconv.Itoa(int(math.Round(math.Acos(factor/2) * audioRate / (2 * math.Pi))))
}

// says is what comes by UDP for a channel to say in this frame, nil for nothing.
func (s *Switch) says(ch *channel) []int16 {
	if u := s.unicasts[ch]; u != nil && u.last != nil && slices.ContainsFunc(u.last, func(v int16) bool { return v != 0 }) {
		return u.last
	}
	return nil
}

// unicastFrame is one frame of all channels whose audio goes by UDP.
func (s *Switch) unicastFrame() {
	for _, ch := range bySeq(s.unicasts) {
		u := s.unicasts[ch]
		parked := slices.ContainsFunc(ch.apps, func(a *app) bool { return a.app == "park" })
		if ch.dead || u.began && !parked {
			_ = u.conn.Close() // its reader ends with it
			delete(s.unicasts, ch)
			ch.speaks = false
			s.loopSounds(ch)
			continue
		}
		// While something else is executed on top, the park does not look after it.
		if top := ch.top(); top == nil || top.app != "park" || time.Since(s.now.Add(s.lag)) > tooLate {
			continue
		}
		u.began = true
		was := ch.speaks // what came late has changed u.last since
		u.last = u.next()
		ch.speaks, ch.toneSaid = s.says(ch) != nil, frequency(u.last)
		if was != ch.speaks {
			s.loopSounds(ch)
		}
	}
	for _, ch := range bySeq(s.unicasts) {
		if u := s.unicasts[ch]; u.began && ch.top().app == "park" && time.Since(s.now.Add(s.lag)) <= tooLate {
			_, _ = u.conn.WriteToUDP(s.earOf(ch), u.remote)
		}
	}
}

// earOf is what a loopback's end receives in this frame: what the other end hears.
func (s *Switch) earOf(ch *channel) []byte {
	var mix [audioFrame]int
	heard := false
	if ch.loop != nil {
		for sp := range ch.loop.heard {
			heard = true
			for i, v := range s.speech(sp) {
				mix[i] += int(v)
			}
		}
	}
	out := make([]byte, 0, 2*audioFrame)
	for _, v := range mix {
		if !heard {
			v = -1 // comfort noise, as it is sent
		}
		out = binary.LittleEndian.AppendUint16(out, uint16(clip16(float64(v))))
	}
	return out
}

// speech is a frame of what an audible channel says.
func (s *Switch) speech(ch *channel) []int16 {
	f := float64(plainTone)
	if ch.loop != nil {
		if frame := s.says(ch.loop); frame != nil {
			return frame
		}
		_, spec, _ := strings.Cut(ch.loop.sound, "://")
		parts := toneParts(spec)
		if len(parts) != 3 {
			return nil
		}
		var err error
		if f, err = strconv.ParseFloat(parts[2], 64); err != nil {
			return nil
		}
	}
	out := make([]int16, audioFrame)
	for i := range out {
		n := float64((s.truth.frame*audioFrame + i) % (60 * audioRate))
		out[i] = int16(plainLevel * math.Sin(2*math.Pi*f*n/audioRate))
	}
	return out
}

func clip16(v float64) int16 {
	return int16(max(math.MinInt16, min(math.MaxInt16, math.Round(v))))
}
