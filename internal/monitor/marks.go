package monitor

import (
	"context"
	"crypto/rand"
	"errors"
	"strings"
	"time"

	"livemon/internal/fsapi"
	"livemon/internal/seal"
	"livemon/internal/tracker"
	"livemon/internal/wire"
)

// varMark is the one variable that says, on the switch alone, what a leg is to
// livemon.
var varMark = fsapi.Name(seal.Variable)

// supervisorMark is what a supervisor's leg says of its session.
func supervisorMark(x wire.Session, call string) seal.Mark {
	return seal.Mark{Session: x.ID, Supervisor: x.Supervisor, Account: x.Account, Agent: x.Agent, Phone: x.Phone, Coaching: x.Coaching, Call: call}
}

// sign makes the assignment of a channel's mark. A channel that is not there yet
// is one that the switch is about to dial.
func (n *node) sign(channel string, m seal.Mark) (fsapi.Set, error) {
	leg := seal.Leg{Channel: channel}
	n.mu.Lock()
	if l, ok := n.tracker.Leg(channel); ok {
		leg = l.Sealed()
	}
	n.mu.Unlock()
	text, err := n.seal.Sign(leg, m)
	if err != nil {
		return fsapi.Set{}, err
	}
	value, err := fsapi.ParseValue(text)
	return fsapi.Set{Name: varMark, Value: value}, err
}

// setMark puts a mark on a leg, or takes it away.
func (n *node) setMark(ctx context.Context, channel string, m seal.Mark) error {
	line := fsapi.Unset(channelOf(channel), varMark)
	if m != (seal.Mark{}) {
		set, err := n.sign(channel, m)
		if err != nil {
			return err
		}
		line = fsapi.SetVar(channelOf(channel), set.Name, set.Value)
	}
	_, err := n.sw().API(ctx, line)
	return err
}

var errNotAsked = errors.New("a mark for a leg that this controller did not ask for")

// openMark believes a leg's mark, or takes the leg for a stranger's. A mark that
// was made before its leg holds for a leg that was just asked for, or that another
// controller may have asked for: then adopt looks at it. n.mu is held.
func (n *node) openMark(l tracker.Leg, value string) seal.Mark {
	m, err := n.seal.Open(l.Sealed(), value)
	if err == nil && m.Early && n.ready && n.byChannel[l.Channel] == nil {
		err = errNotAsked
	}
	if err != nil {
		n.forged.log(n, l, err)
		return seal.Mark{}
	}
	return m
}

const (
	maxForged  = 10          // marks that do not hold are logged
	forgedTime = time.Minute // in this time
)

// forgeries bounds what strangers can have written into the log.
type forgeries struct {
	since time.Time
	count int
}

func (f *forgeries) log(n *node, l tracker.Leg, err error) {
	if strings.HasPrefix(l.Name, "loopback/") {
		return // the far end of a whispering leg bears a copy of the near one's
	}
	if time.Since(f.since) > forgedTime {
		f.since, f.count = time.Now(), 0
	}
	if f.count++; f.count <= maxForged {
		n.log.Warn("a mark does not hold: the leg is taken for a stranger's", "channel", l.Channel, "name", l.Name, "error", err)
	}
}

// random is for a new room's name.
func random() (b [16]byte) {
	_, _ = rand.Read(b[:]) // it never fails
	return b
}
