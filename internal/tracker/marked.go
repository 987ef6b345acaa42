package tracker

import (
	"slices"
	"strings"

	"livemon/internal/seal"
)

// MarkedLegs returns the legs that livemon has marked, in the order of their
// channels: supervisors' legs, and the parties of calls that are monitored.
func (t *Tracker) MarkedLegs() []Leg {
	var out []Leg
	for _, l := range t.legs {
		if l.Mark != (seal.Mark{}) {
			out = append(out, l.Leg)
		}
	}
	slices.SortFunc(out, func(a, b Leg) int { return strings.Compare(a.Channel, b.Channel) })
	return out
}

// ChannelIDs returns the channels in an answer to "show channels as json": those
// whose variables a Snapshot needs. An answer that cannot be understood has none;
// Load says what is wrong with it.
func ChannelIDs(channels []byte) []string {
	var r read
	if r.parseChannels(channels) != nil {
		return nil
	}
	out := make([]string, 0, len(r.channels))
	for _, c := range r.channels {
		out = append(out, c.id)
	}
	return out
}
