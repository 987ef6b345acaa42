package sipphone

import "math"

const (
	rate         = 8000 // samples a second
	frameSamples = 160  // of 20 ms

	// loudness of a telephone's tone, of full scale: four of them in one mix are
	// still undistorted.
	loudness = 0.2
)

// ulawDecode has the linear value of each byte of G.711 µ-law, -1 to 1.
var ulawDecode = func() (t [256]float64) {
	for i := range t {
		u := ^byte(i)
		v := (int(u&0x0f)<<3+0x84)<<(u>>4&7) - 0x84
		if u&0x80 != 0 {
			v = -v
		}
		t[i] = float64(v) / 32768
	}
	return t
}()

// ulawEncode is a sample of -1 to 1 in G.711 µ-law.
func ulawEncode(x float64) byte {
	const clip, bias = 32635, 0x84
	v := int(math.Round(x * 32768))
	sign := byte(0)
	if v < 0 {
		v, sign = -v, 0x80
	}
	v = min(v, clip) + bias
	exponent := byte(7)
	for mask := 0x4000; v&mask == 0 && exponent > 0; mask >>= 1 {
		exponent--
	}
	return ^(sign | exponent<<4 | byte(v>>(exponent+3)&0x0f))
}

// silence is a frame without sound.
var silence = func() (f [frameSamples]byte) {
	for i := range f {
		f[i] = 0xff
	}
	return f
}()

// oscillator makes a tone, frame by frame without a step between them.
type oscillator struct{ frequency, phase float64 }

func (o *oscillator) frame(to []byte) {
	step := 2 * math.Pi * o.frequency / rate
	for i := range to {
		to[i] = ulawEncode(loudness * math.Sin(o.phase))
		o.phase = math.Mod(o.phase+step, 2*math.Pi)
	}
}

// The frequencies of keys, by row and column of a keypad with A to D.
var (
	keyRows    = [4]float64{697, 770, 852, 941}
	keyColumns = [4]float64{1209, 1336, 1477, 1633}
	keyPlaces  = [16]int{13, 0, 1, 2, 4, 5, 6, 8, 9, 10, 12, 14, 3, 7, 11, 15} // of the events 0-9, *, #, A-D
)

// keyTones is one frame of a key as it sounds.
func keyTones(to []byte, event byte, frame int) {
	place := keyPlaces[event%16]
	for i := range to {
		t := 2 * math.Pi * float64(frame*frameSamples+i) / rate
		to[i] = ulawEncode(loudness * (math.Sin(t*keyRows[place/4]) + math.Sin(t*keyColumns[place%4])))
	}
}

// levels measures tones in a packet: for each frequency the level in dB below
// the loudness at which a telephone speaks it. A Hann window keeps tones of 250
// Hz distance apart, also where one begins or ends in the middle of the packet.
func levels(payload []byte, frequencies []float64) []float32 {
	out := make([]float32, len(frequencies))
	n := len(payload)
	for k, f := range frequencies {
		coefficient := 2 * math.Cos(2*math.Pi*f/rate)
		var s1, s2 float64
		for i, b := range payload {
			w := 0.5 - 0.5*math.Cos(2*math.Pi*(float64(i)+0.5)/float64(n))
			s1, s2 = w*ulawDecode[b]+coefficient*s1-s2, s1
		}
		power := s1*s1 + s2*s2 - coefficient*s1*s2
		amplitude := 4 * math.Sqrt(max(power, 0)) / float64(max(n, 1))
		out[k] = float32(max(20*math.Log10(max(amplitude/loudness, 1e-6)), -99))
	}
	return out
}
