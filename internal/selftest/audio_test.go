package selftest

import (
	"encoding/binary"
	"math"
	"net/netip"
	"strings"
	"testing"
	"time"
)

// say appends so many milliseconds of tones, none of which is silence.
func say(to []int16, ms int, tones ...tone) []int16 {
	for range ms * rate / 1000 {
		var v float64
		for _, f := range tones {
			v += loudness * math.Sin(2*math.Pi*float64(f)*float64(len(to))/rate)
		}
		to = append(to, int16(v))
	}
	return to
}

func TestGapIsMeasured(t *testing.T) {
	for _, ms := range []int{0, 20, 40, 60, 75, 100, 120, 2000} {
		for _, offset := range []int{0, 1, 7, 13} {
			audio := say(nil, 200+offset, 620, 1327)
			audio = say(audio, ms, 1327)
			audio = say(audio, 250, 620, 1327)
			got := tone(620).gap(audio).Milliseconds()
			if d := got - int64(ms); d < -3 || d > 3 {
				t.Errorf("%d ms: %d", ms, got)
			}
			if !tone(620).back(audio) {
				t.Errorf("%d ms: it is not back", ms)
			}
		}
	}
	if audio := say(say(nil, 300, 620), 20, 883); tone(620).back(audio) {
		t.Error("it is back")
	}
	if tone(620).back(say(nil, 100, 620)) {
		t.Error("back after 100 ms already")
	}
}

// A frame of a tone is found wherever it stands, and half a frame too, with all
// the others at once around it. What others do is not taken for it.
func TestLeakIsFound(t *testing.T) {
	others := []tone{620, 883, 1753, 2251}
	for _, ms := range []int{5, 10, 20, 40} {
		for offset := range 25 {
			audio := say(nil, 100+offset, others...)
			audio = say(audio, ms, append(others, 1327)...)
			audio = say(audio, 100, others...)
			got, found := tone(1327).leak(audio)
			if !found || got > time.Duration(ms+5)*time.Millisecond {
				t.Errorf("%d ms after %d: %v %v", ms, offset, found, got)
			}
		}
	}
	for offset := range 40 {
		audio := say(nil, 50+offset)
		for i := range others {
			audio = say(audio, 33, others[:i+1]...) // one after the other begins
		}
		audio = say(audio, 20+offset)
		audio = say(audio, 20, others...) // all together, for a frame
		audio = say(audio, 60)
		if _, found := tone(1327).leak(audio); found {
			t.Errorf("others are taken for it (%d)", offset)
		}
	}
}

func TestSounds(t *testing.T) {
	if !tone(620).sounds(say(say(nil, 100), 300, 620)) || tone(620).sounds(say(say(nil, 300), 200, 620)) || tone(620).sounds(say(nil, 400, 883)) || tone(620).sounds(nil) {
		t.Error("what sounds for most of the time is not told from what does not")
	}
}

// On a busy switch frames get lost, so that all that is heard jumps at once.
func TestLostFramesAreNoLeak(t *testing.T) {
	for cut := range 400 {
		whole := say(nil, 400, 620, 883, 1753, 2251)
		at := 1000 + cut
		lost := append(whole[:at:at], whole[at+frame*(1+cut%3):]...)
		if _, found := tone(1327).leak(lost); found {
			t.Errorf("others are taken for it when %d frames are lost at %d", 1+cut%3, at)
		}
	}
}

// What may be heard at first must end, and not come again.
func TestLeakAfterEnd(t *testing.T) {
	for name, c := range map[string]struct {
		audio []int16
		leaks bool
	}{
		"it ends":              {say(say(nil, 300, 620, 1327), 300, 620), false},
		"it was not there":     {say(nil, 600, 620), false},
		"it does not end":      {say(nil, 600, 620, 1327), true},
		"it comes again":       {say(say(say(say(nil, 100, 1327), 60), 20, 1327), 300), true},
		"with a hole":          {say(say(say(say(nil, 100, 1327), 30), 60, 1327), 300), false},
		"there was no audio":   {nil, false},
		"it begins afterwards": {say(say(nil, 300, 620), 20, 1327), true},
	} {
		if _, got := tone(1327).leakAfterEnd(c.audio); got != c.leaks {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func FuzzPacket(f *testing.F) {
	f.Add([]byte{}, uint16(1))
	f.Add(make([]byte, frameSize), uint16(4000))
	f.Add(make([]byte, frameSize+1), uint16(4000))
	f.Add(make([]byte, maxPacket), uint16(0))
	f.Fuzz(func(t *testing.T, packet []byte, port uint16) {
		m, err := openMedia(netip.AddrPort{}, netip.MustParseAddr("127.0.0.1"), []netip.Addr{netip.MustParseAddr("127.0.0.1")})
		if err != nil {
			t.Skip(err)
		}
		defer m.close()
		known := netip.MustParseAddrPort("127.0.0.1:9")
		l := m.expect(620)
		m.take(known, make([]byte, frameSize))
		if l.now() != frame {
			t.Fatal("the first packet is not heard")
		}
		m.take(known, packet)
		want := frame
		if len(packet) == frameSize {
			want += frame
			got := l.between(frame, 2*frame)
			if uint16(got[3]) != binary.LittleEndian.Uint16(packet[6:]) {
				t.Fatalf("%v", got)
			}
		}
		if l.now() != want {
			t.Fatalf("%d bytes: %d samples", len(packet), l.now())
		}
		// Others are not listened to.
		m.take(netip.AddrPortFrom(netip.MustParseAddr("127.0.0.2"), port), make([]byte, frameSize))
		if port != known.Port() {
			m.take(netip.AddrPortFrom(known.Addr(), port), make([]byte, frameSize))
		}
		if l.now() != want || len(m.lines) != 1 {
			t.Fatal("somebody else was listened to")
		}
	})
}

// What is kept is bounded, and so is what is remembered of strangers.
func TestMediaIsBounded(t *testing.T) {
	m, err := openMedia(netip.AddrPort{}, netip.MustParseAddr("127.0.0.1"), []netip.Addr{netip.MustParseAddr("127.0.0.1")})
	if err != nil {
		t.Fatal(err)
	}
	defer m.close()
	packet := make([]byte, frameSize)
	for port := range uint16(3 * maxStrangers) {
		m.take(netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), 1000+port), packet)
	}
	if len(m.strangers) > maxStrangers || len(m.lines) > 0 {
		t.Errorf("%d strangers, %d lines", len(m.strangers), len(m.lines))
	}
	// Who sent before he was waited for is not the one who was waited for.
	l := m.expect(620)
	m.take(netip.MustParseAddrPort("127.0.0.1:1000"), packet)
	if l.now() != 0 {
		t.Error("a stranger was taken for the leg")
	}
	m.take(netip.MustParseAddrPort("127.0.0.1:9"), packet)
	for range 3 * maxHeard / frame {
		m.take(netip.MustParseAddrPort("127.0.0.1:9"), packet)
	}
	if len(l.heard) > maxHeard || l.now() != frame+3*maxHeard/frame*frame {
		t.Errorf("%d samples are kept of %d", len(l.heard), l.now())
	}
	if got := l.between(0, l.now()); len(got) != len(l.heard) {
		t.Errorf("%d", len(got))
	}
}

// Whoever looks for the reason why nothing came is told what came instead.
func TestMediaSaysWhatCameInstead(t *testing.T) {
	m, err := openMedia(netip.AddrPort{}, netip.MustParseAddr("127.0.0.1"), []netip.Addr{netip.MustParseAddr("127.0.0.1")})
	if err != nil {
		t.Fatal(err)
	}
	defer m.close()
	for _, c := range []struct {
		from string
		size int
		want string
	}{{"", 0, "no audio came"}, {"192.0.2.1:5000", frameSize, "came by UDP from 192.0.2.1,"}, {"127.0.0.1:5000", 640, "packets of 640 bytes"}} {
		m.expect(620)
		if c.from != "" {
			m.take(netip.MustParseAddrPort(c.from), make([]byte, c.size))
		}
		if err := m.giveUp(); !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v, want %q", err, c.want)
		}
	}
}

func TestMediaWantsIPv4(t *testing.T) {
	for _, ours := range []string{"::1", ""} {
		a, _ := netip.ParseAddr(ours)
		if m, err := openMedia(netip.AddrPort{}, a, nil); err == nil {
			m.close()
			t.Errorf("%q is listened at", ours)
		}
	}
	m, err := openMedia(netip.MustParseAddrPort("0.0.0.0:0"), netip.MustParseAddr("127.0.0.1"), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer m.close()
	if m.told.Addr().String() != "127.0.0.1" || m.told.Port() == 0 {
		t.Errorf("the switch is told %s", m.told)
	}
}
