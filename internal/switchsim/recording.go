package switchsim

import "maps"

// maxFiles is of how many recordings it is known what they have.
const maxFiles = 5_000

// Recording is what a file has.
type Recording struct {
	Frames int            // of 20 ms, or what Options.Frame says
	Heard  map[string]int // in how many of them whom or what: channels, and names as in Sounds
}

// tape is a recording of a leg.
type tape struct {
	Recording
	bridged     bool // only while the leg is in a bridge
	reads, both bool // what the leg says alone, or what it hears alone, or both
	masked      bool
}

// newTape is a recording as the leg's variables want it at its beginning.
func (s *Switch) newTape(ch *channel, file string) *tape {
	on := func(name string) bool {
		v, _ := s.variable(ch, name)
		return truth(v)
	}
	t := &tape{Recording: Recording{Heard: map[string]int{}}, bridged: on("RECORD_BRIDGE_REQ"), reads: !on("RECORD_WRITE_ONLY")}
	t.both = t.reads && !on("RECORD_READ_ONLY")
	if len(s.tapes) >= maxFiles {
		clear(s.tapes)
	}
	s.tapes[file] = t
	return t
}

// runTapes is one frame of all recordings. What a leg says is recorded with all that
// taps mix into it, what it hears with what those mix in that were there before.
func (s *Switch) runTapes() {
	for _, ch := range bySeq(s.recorded) {
		if ch.dead {
			delete(s.recorded, ch)
			continue
		}
		for _, b := range ch.bugs {
			t := b.tape
			if t == nil || t.bridged && (ch.bridge == nil || !ch.bridge.up && !ch.suspended) {
				continue
			}
			t.Frames++
			if t.masked {
				continue
			}
			var heard []source
			if t.reads {
				heard = s.voiceOf(ch, nil, &walk{})
			}
			if t.both || !t.reads {
				heard = join(heard, s.hearing(ch, b, &walk{}))
			}
			for _, src := range heard {
				name := src.sound
				if src.voice != nil {
					name = src.voice.uuid
				}
				t.Heard[name]++
			}
		}
	}
}

// Recording is what has been recorded into a file, so far or until the recording
// ended. A file into which nothing was recorded has nothing.
func (s *Switch) Recording(file string) Recording {
	s.lock()
	defer s.unlock()
	if t := s.tapes[file]; t != nil {
		return Recording{Frames: t.Frames, Heard: maps.Clone(t.Heard)}
	}
	return Recording{}
}
