package switchsim_test

import (
	"encoding/binary"
	"fmt"
	"math"
	"net"
	"strings"
	"testing"
	"time"

	"livemon/internal/switchsim"
)

// farEnd is who exchanges audio with a channel: as often as something comes, it
// says its tone.
type farEnd struct {
	t      *testing.T
	conn   *net.UDPConn
	freq   float64
	n      int
	heard  []int16 // the last frame
	silent bool
	mute   int // so many of its next answers are not sent
}

func newFarEnd(t *testing.T, freq float64) *farEnd {
	t.Helper()
	conn, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return &farEnd{t: t, conn: conn, freq: freq}
}

func (f *farEnd) port() int { return f.conn.LocalAddr().(*net.UDPAddr).Port }

// exchange takes frames until cond holds for one, answering each.
func (f *farEnd) exchange(what string, cond func() bool) {
	f.t.Helper()
	_ = f.conn.SetReadDeadline(time.Now().Add(patience))
	for {
		packet := make([]byte, 1000)
		n, from, err := f.conn.ReadFromUDP(packet)
		if err != nil {
			f.t.Fatalf("%s: %v", what, err)
		}
		if n != 320 {
			f.t.Fatalf("a packet of %d bytes", n)
		}
		f.heard = f.heard[:0]
		for i := 0; i < n; i += 2 {
			f.heard = append(f.heard, int16(binary.LittleEndian.Uint16(packet[i:])))
		}
		out := make([]byte, 0, 320)
		for range 160 {
			v := 5000 * math.Sin(2*math.Pi*f.freq*float64(f.n)/8000)
			if f.n++; f.silent {
				v = 0
			}
			out = binary.LittleEndian.AppendUint16(out, uint16(int16(v)))
		}
		if f.mute > 0 {
			f.mute--
		} else {
			_, _ = f.conn.WriteToUDP(out, from)
		}
		if cond() {
			return
		}
	}
}

// hears tells whether the last frame is full of a tone.
func (f *farEnd) hears(freq float64) bool {
	var x, y float64
	for i, v := range f.heard {
		sin, cos := math.Sincos(2 * math.Pi * freq * float64(i) / 8000)
		x, y = x+float64(v)*cos, y+float64(v)*sin
	}
	return math.Hypot(x, y)/80 > 3000
}

// leg makes a loopback whose far end's audio goes to and comes from end.
func (c *client) leg(uuid string, end *farEnd) (far string) {
	c.t.Helper()
	c.want("+OK "+uuid, "originate {origination_uuid=%s,park_timeout=60}loopback/app=park &park()", uuid)
	far = c.api("uuid_getvar %s other_loopback_leg_uuid", uuid)
	c.want("+OK", "uuid_answer %s", far)
	reply := c.command("sendmsg "+far, "call-command: unicast", "local-ip: 127.0.0.1", "local-port: 0", "remote-ip: 127.0.0.1",
		fmt.Sprintf("remote-port: %d", end.port()), "transport: udp")
	if reply != "+OK" {
		c.t.Fatal(reply)
	}
	return far
}

func TestUnicastAudio(t *testing.T) {
	s := start(t, switchsim.Options{})
	c := connect(t, s)
	ev := connect(t, s, "DETECTED_TONE")
	first, second := newFarEnd(t, 620), newFarEnd(t, 883)
	c.leg("a", first)
	far := c.leg("b", second)
	first.exchange("comfort noise while nobody is there", func() bool { return first.heard[7] == -1 })
	c.want("+OK b", "uuid_bridge a b")
	if got := c.api("tone_detect b b-a 620 w"); !strings.HasPrefix(got, "+OK Enabling") {
		t.Fatal(got)
	}
	one := func() bool { return true }
	for both := 0; both < 40; {
		first.exchange("the second one's tone", one)
		second.exchange("the first one's tone", one)
		if first.hears(883) && second.hears(620) {
			both++
		}
	}
	if e := ev.until("Event-Name=DETECTED_TONE"); e.get("Detected-Tone") != "b-a" {
		t.Errorf("%v", e.values)
	}
	// Who is silent is not heard.
	second.silent = true
	wait(t, s, "silence", func() bool {
		second.exchange("a frame", one)
		return len(s.Hears("a")) == 0
	})
	// With the leg the exchange ends.
	c.want("+OK", "uuid_kill %s", far)
	wait(t, s, "nobody", func() bool { return len(s.Channels()) == 0 })
}

// TestWhoIsAlwaysLateIsHeard: an answer that comes when its frame was made up
// already, and so on from there. Whether a tone begins or ends is noticed all the same.
func TestWhoIsAlwaysLateIsHeard(t *testing.T) {
	s := start(t, switchsim.Options{})
	c := connect(t, s)
	first, second := newFarEnd(t, 620), newFarEnd(t, 883)
	first.silent, second.silent = true, true
	c.leg("a", first)
	c.leg("b", second)
	c.want("+OK b", "uuid_bridge a b")
	one := func() bool { return true }
	for range 5 {
		first.exchange("a frame", one)
		second.exchange("a frame", one)
	}
	for i := range 6 {
		second.silent, second.mute = i%2 == 1, 1
		first.exchange(fmt.Sprintf("whether a tone sounds, %d", i), func() bool {
			second.exchange("a frame", one)
			if second.silent {
				return first.heard[7] == -1
			}
			return first.hears(883)
		})
	}
}
