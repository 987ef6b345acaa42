package esl

// The places of the headers that every event keeps.
const (
	atName = iota
	atSubclass
	atTimestamp
	atJob
)

var alwaysKept = []string{
	atName:      "Event-Name",
	atSubclass:  "Event-Subclass",
	atTimestamp: "Event-Date-Timestamp",
	atJob:       "Job-UUID",
}

// headerSet is a fixed set of header names, made to refuse a name that is not in
// it quickly: most of an event's headers are not. It is read-only once made.
type headerSet struct {
	names []string
	byLen [64][]int // places of the names of each length; the longer ones share the last

	// glance has a bit for each combination of three sampled bytes, of each the
	// low five bits, which a letter's cases share: at the beginning, at 3, which
	// tells "Caller-" from "Channel-", and at 9, just behind "variable_".
	glance [1 << 10]uint32
}

// newHeaderSet returns the set of the names, each once, after those that are
// always kept.
func newHeaderSet(names []string) *headerSet {
	s := new(headerSet)
	for _, list := range [2][]string{alwaysKept, names} {
		for _, name := range list {
			if s.find([]byte(name)) >= 0 {
				continue
			}
			slot := s.slot(len(name))
			s.byLen[slot] = append(s.byLen[slot], len(s.names))
			s.names = append(s.names, name)
			s.sample(name)
		}
	}
	s.sample(contentLength)
	return s
}

// sample makes a line that begins with the name pass mayHold.
func (s *headerSet) sample(name string) {
	line := name + ":"
	for value := range 1 << 10 { // where a short name leaves samples to the value
		sampled := [10]byte{3: byte(value >> 5), 9: byte(value)}
		copy(sampled[:], line)
		s.glance[slotOf(sampled[:])] |= 1 << (sampled[9] & 31)
	}
}

// slotOf is where in glance a line's first two samples lead.
func slotOf(line []byte) int { return int(line[0]&31)<<5 | int(line[3]&31) }

// mayHold tells at a glance that a line holds neither a header of the set nor
// Content-Length, or that it must be looked at.
func (s *headerSet) mayHold(line []byte) bool {
	return len(line) < 10 || s.glance[slotOf(line)]&(1<<(line[9]&31)) != 0
}

func (s *headerSet) slot(length int) int { return min(length, len(s.byLen)-1) }

// find returns the name's place, or -1.
func (s *headerSet) find(name []byte) int {
	for _, i := range s.byLen[s.slot(len(name))] {
		if foldedEqual(name, s.names[i]) {
			return i
		}
	}
	return -1
}

// foldedEqual compares without regard to the case of ASCII letters.
func foldedEqual(a []byte, b string) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if x, y := a[i], b[i]; x != y && lower(x) != lower(y) {
			return false
		}
	}
	return true
}

func lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c + ('a' - 'A')
	}
	return c
}
