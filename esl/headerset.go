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
	byLen [64][]int   // places of the names of each length; the longer ones share the last
	first [256]uint32 // by the first byte of a line: which bytes at sampleAt, in their low five bits, a name of the set may have
}

// sampleAt is where a line is sampled beside its first byte: behind "variable_",
// which most names begin with.
const sampleAt = 9

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
	bits := ^uint32(0) // a name shorter than the sample leaves it to its value
	if len(name) > sampleAt {
		bits = 1 << (name[sampleAt] & 31)
	}
	if len(name) > 0 {
		s.first[name[0]] |= bits
		s.first[lower(name[0])] |= bits
		s.first[upper(name[0])] |= bits
	}
}

// mayHold tells at a glance that a line holds neither a header of the set nor
// Content-Length, or that it must be looked at.
func (s *headerSet) mayHold(line []byte) bool {
	return len(line) <= sampleAt || s.first[line[0]]&(1<<(line[sampleAt]&31)) != 0
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

func upper(c byte) byte {
	if 'a' <= c && c <= 'z' {
		return c - ('a' - 'A')
	}
	return c
}

func lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c + ('a' - 'A')
	}
	return c
}
