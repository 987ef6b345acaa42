package switchsim

import "time"

// loseAfter is how long after the command a leg is lost: in the middle of a move.
const loseAfter = 10 * time.Millisecond

type fault struct {
	Fault
	left int // how many commands it still applies to, -1 for all
}

// Inject adds a fault. Of several that match a command, the oldest applies.
func (s *Switch) Inject(f Fault) (remove func()) {
	in := &fault{Fault: f, left: f.Times}
	if f.Times <= 0 {
		in.left = -1
	}
	s.lock()
	s.faults = append(s.faults, in)
	s.unlock()
	return func() {
		s.lock()
		defer s.unlock()
		s.dropFault(in)
	}
}

func (s *Switch) dropFault(in *fault) {
	for i, o := range s.faults {
		if o == in {
			s.faults = append(s.faults[:i:i], s.faults[i+1:]...)
			return
		}
	}
}

// faultFor returns the fault that applies to a command, or one that does nothing.
func (s *Switch) faultFor(text string) *Fault {
	for _, f := range s.faults {
		if f.Match != nil && !f.Match.MatchString(text) {
			continue
		}
		if f.left > 0 {
			f.left--
			if f.left == 0 {
				s.dropFault(f)
			}
		}
		return &f.Fault
	}
	return &Fault{}
}

// before does what a fault does before its command. It returns false if the
// connection is to be cut.
func (s *Switch) before(f *Fault, c *conn) bool {
	if f.Before != nil {
		f.Before()
	}
	if f.Delay > 0 && !s.sleep(f.Delay, c.gone) {
		return false
	}
	return !f.Drop || f.AfterDoing
}

// skips tells whether the command is not done at all.
func (f *Fault) skips() bool { return f.Reply != "" || f.Swallow && !f.AfterDoing }
