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
		}
	}
	return s
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
