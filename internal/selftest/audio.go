package selftest

import (
	"encoding/binary"
	"math"
	"time"
)

// What a loopback leg's audio is: 16 bit samples in the byte order of the
// switch's machine, which is taken for little endian.
const (
	rate      = 8000
	frame     = rate / 50 // samples in the 20 ms of one packet
	frameSize = 2 * frame // bytes
)

// tone is the frequency of a party, in Hz. The switch's detector overlooks tones
// that look the same in most of its blocks of 102 samples: so none is a round number.
type tone int

// loudness is the amplitude of a tone: five of them at once stay within range.
const loudness = 5000

const (
	hop       = frame / 8    // samples between the windows that are looked at: 2.5 ms
	present   = loudness / 2 // a tone that strong fills half of the window: there it begins or ends
	suspected = loudness / 5 // more than what others' tones are heard as when they begin or end
	steady    = rate / 5     // so many samples of a tone say that it is there again
	ended     = 2 * frame    // and so many without that it has ended
)

// parsePacket appends the samples of a packet to those before. A packet that does
// not hold one frame is refused.
func parsePacket(packet []byte, to []int16) ([]int16, bool) {
	if len(packet) != frameSize {
		return to, false
	}
	for i := 0; i < len(packet); i += 2 {
		to = append(to, int16(binary.LittleEndian.Uint16(packet[i:])))
	}
	return to, true
}

// second is a second of the tone, as it is sent, which goes on without a seam
// where it begins again.
func (f tone) second() []byte {
	out := make([]byte, 0, 2*rate)
	for i := range rate {
		s := int16(loudness * math.Sin(2*math.Pi*float64(f)*float64(i)/rate))
		out = binary.LittleEndian.AppendUint16(out, uint16(s))
	}
	return out
}

// window is what each stretch of 20 ms is weighed with, so that the tones of
// others, 300 Hz away and more, do not count.
var window = func() (w [frame]float64) {
	for i := range w {
		w[i] = (1 - math.Cos(2*math.Pi*(float64(i)+0.5)/frame)) / frame
	}
	return w
}()

// levels are the tone's amplitudes in windows of 20 ms, one every 2.5 ms.
func (f tone) levels(audio []int16) []float64 {
	if len(audio) < frame {
		return nil
	}
	var re, im [frame]float64
	for i := range frame {
		sin, cos := math.Sincos(2 * math.Pi * float64(f) * float64(i) / rate)
		re[i], im[i] = 2*window[i]*cos, 2*window[i]*sin
	}
	out := make([]float64, 0, (len(audio)-frame)/hop+1)
	for at := 0; at+frame <= len(audio); at += hop {
		var x, y float64
		for i, s := range audio[at : at+frame] {
			x += float64(s) * re[i]
			y += float64(s) * im[i]
		}
		out = append(out, math.Hypot(x, y))
	}
	return out
}

// gap is for how long the tone is not in the audio, in all.
func (f tone) gap(audio []int16) time.Duration {
	n := 0
	for _, v := range f.levels(audio) {
		if v < present {
			n++
		}
	}
	return hops(n)
}

// back tells whether the audio ends with the tone.
func (f tone) back(audio []int16) bool {
	if len(audio) < steady {
		return false
	}
	for _, v := range f.levels(audio[len(audio)-steady:]) {
		if v < present {
			return false
		}
	}
	return true
}

// sounds tells whether the tone is there for most of the audio.
func (f tone) sounds(audio []int16) bool {
	levels := f.levels(audio)
	n := 0
	for _, v := range levels {
		if v >= present {
			n++
		}
	}
	return 2*n > len(levels)
}

// leak tells whether the tone is in any window of the audio, and for about how long.
func (f tone) leak(audio []int16) (time.Duration, bool) {
	found, n := false, 0
	for _, v := range f.levels(audio) {
		found = found || v >= suspected
		if v >= present {
			n++
		}
	}
	return hops(max(n, 1)), found
}

// leakAfterEnd tells whether the tone, which may be there at first, does not end,
// or is there again.
func (f tone) leakAfterEnd(audio []int16) (time.Duration, bool) {
	quiet := 0
	for i, v := range f.levels(audio) {
		if quiet++; v >= suspected {
			quiet = 0
		}
		if quiet*hop >= ended {
			return f.leak(audio[i*hop:])
		}
	}
	return f.leak(audio)
}

func hops(n int) time.Duration { return time.Duration(n) * hop * time.Second / rate }
