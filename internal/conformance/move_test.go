package conformance

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"livemon/conference"
	"livemon/fsconf"
)

var moveFacts = []fact{
	{name: "move", room: true,
		claim: "uuid_transfer -both inline brings both legs of a bridge into a room; each hears the other there, from whichever leg it is sent",
		check: func(c *check) {
			for i, from := range []int{0, 1} {
				a, b := c.call(fmt.Sprintf("user%d", i), fmt.Sprintf("pupil%d", i))
				began := time.Now()
				r := c.move([]*leg{a, b}[from], a, b)
				c.hears("in the room", heard{a: {b}, b: {a}})
				c.note("gap into the room: %d ms for the first leg, %d ms for the second", ms(a.gap(b, began.Add(-time.Second), time.Now())), ms(b.gap(a, began.Add(-time.Second), time.Now())))
				c.want(c.members(r, a, b), "the room's list lacks a party")
			}
		}},
}

func ms(d time.Duration) int64 { return d.Milliseconds() }

// move sends both legs of a bridge into a new room of livemon's, and waits for
// them to be in its list.
func (c *check) move(by, a, b *leg) string {
	room := c.id + "-room" + randomHex(2)
	c.ok("uuid_transfer %s -both 'conference:%s@%s+flags{dist-dtmf}' inline", by.uuid, room, fsconf.Profile)
	c.until("both parties in the room", func() bool { return c.members(room, a, b) })
	return room
}

// members tells whether legs are in a room's list.
func (c *check) members(room string, legs ...*leg) bool {
	r, err := conference.ParseList(c.api("conference %s json_list", room), func(string) (conference.Party, string) { return conference.Other, "" })
	if err != nil && strings.Contains(err.Error(), "no such room") {
		return false
	}
	c.must(err)
	return !slices.ContainsFunc(legs, func(l *leg) bool {
		return !slices.ContainsFunc(r.Members, func(m conference.Member) bool { return m.Channel == l.uuid })
	})
}
