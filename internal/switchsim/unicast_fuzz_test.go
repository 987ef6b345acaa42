package switchsim

import (
	"bytes"
	"encoding/binary"
	"testing"
)

// FuzzAudioPacket lets a channel say anything: what is late is made up from it,
// and what it says is told apart from a tone.
func FuzzAudioPacket(f *testing.F) {
	for _, seed := range [][]byte{nil, {1}, bytes.Repeat([]byte{0xff}, 2*audioFrame), bytes.Repeat([]byte{0, 0x80, 0xff, 0x7f}, audioFrame/2), make([]byte, 2*audioFrame)} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, packet []byte) {
		frame, ok := audioPacket(packet)
		if ok != (len(packet) == 2*audioFrame) {
			t.Fatalf("%d bytes: %v", len(packet), ok)
		}
		if !ok {
			return
		}
		if got := int16(binary.LittleEndian.Uint16(packet[2:])); frame[1] != got {
			t.Fatalf("sample %d, want %d", frame[1], got)
		}
		frequency(frame)
		u := &unicast{}
		u.take(frame)
		for range maxOwed + 1 {
			if u.last = u.next(); u.last == nil {
				t.Fatal("what was late was not made up")
			}
		}
		if u.last = u.next(); u.last != nil {
			t.Fatal("it is made up for ever")
		}
		for range 10 * mouthQueue {
			u.take(frame)
		}
		if len(u.queue) > mouthQueue {
			t.Fatalf("%d frames are kept", len(u.queue))
		}
	})
}
