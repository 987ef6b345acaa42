package selftest

import (
	"context"
	"crypto/rand"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"livemon/conference"
	"livemon/internal/fsapi"
)

// mark is the channel variable by which the test finds its legs again.
const mark = "livemon_selftest"

// leg is one party: a loopback whose near end is in the call, and whose far end
// plays the tones that the others are to hear.
type leg struct {
	name    string
	party   conference.Party
	session string // of a supervisor
	tone    tone   // far from the others', and no multiple of one
	near    string
	far     string
	line    *line // its audio, nil where none comes
	gone    bool
}

func (l *leg) member() conference.Member {
	return conference.Member{Party: l.party, Session: l.session}
}

// dial makes a leg, parked and answered.
func (t *test) dial(ctx context.Context, name string, f tone, party conference.Party) (*leg, error) {
	l := &leg{name: name, party: party, tone: f, near: newUUID()}
	if party == conference.Supervisor {
		l.session = l.near
	}
	t.legs = append(t.legs, l)
	// The far end stays parked for the whole test: when its time is up it ends,
	// and takes the near one along.
	vars := []fsapi.Set{
		{Name: fsapi.Name("origination_uuid"), Value: valueOf(l.near)},
		{Name: fsapi.Name(mark), Value: valueOf(t.run)},
		{Name: fsapi.Name("park_timeout"), Value: fsapi.Int(int(t.cfg.Life / time.Second))},
		{Name: fsapi.Name("originate_timeout"), Value: fsapi.Int(10)},
		{Name: fsapi.Name("loopback_bowout"), Value: fsapi.Bool(false)},
		{Name: fsapi.Name("origination_caller_id_name"), Value: fsapi.Const("livemon-selftest")},
	}
	// An interruption in the middle of it would leave a leg that comes later.
	if _, err := t.api(context.WithoutCancel(ctx), fsapi.Loopback(vars...)); err != nil {
		t.unsure = t.unsure || !refused(err)
		return nil, fmt.Errorf("a leg for the %s could not be made: %w", name, err)
	}
	far, err := t.api(ctx, fsapi.Get(channelOf(l.near), fsapi.Name("other_loopback_leg_uuid")))
	if err != nil {
		return nil, err
	}
	if l.far = strings.TrimSpace(far); !plainUUID(l.far) {
		return nil, fmt.Errorf("the far end of the %s's leg is not known: the switch says %q", name, clip(far))
	}
	if _, err := t.api(ctx, fsapi.AnswerChannel(channelOf(l.far))); err != nil {
		return nil, fmt.Errorf("the %s's leg was not answered: %w", name, err)
	}
	if t.media == nil {
		return l, nil
	}
	why, err := t.connect(ctx, l)
	switch {
	case err != nil:
		return nil, err
	case why == nil:
		return l, nil
	case len(t.here()) > 1:
		return nil, fmt.Errorf("the audio of the %s's leg: %w", name, why)
	}
	// Nothing plays well to a leg that was told to send its audio away.
	t.unmeasured(why)
	if err := t.hangup(ctx, l); err != nil {
		return nil, err
	}
	return t.dial(ctx, name, f, party)
}

// connect has a leg's far end exchange its audio with us. If that does not work
// it says why.
func (t *test) connect(ctx context.Context, l *leg) (why, err error) {
	line := t.media.expect(l.tone)
	if err := t.client.Unicast(ctx, l.far, netip.AddrPortFrom(netip.IPv4Unspecified(), 0), t.media.told); err != nil {
		if refused(err) {
			return err, nil
		}
		return nil, err
	}
	begun := t.until(ctx, "its first packet", func() (bool, error) { return line.now() > 0, nil })
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if begun != nil {
		return t.media.giveUp(), nil
	}
	l.line = line
	return nil, nil
}

// here are the legs that are still there.
func (t *test) here() []*leg {
	return slices.DeleteFunc(slices.Clone(t.legs), func(l *leg) bool { return l.gone })
}

// hangup ends a leg and returns once the switch knows it no more.
func (t *test) hangup(ctx context.Context, l *leg) error {
	if _, err := t.api(ctx, fsapi.Kill(channelOf(l.near))); err != nil && !refused(err) {
		return err
	}
	return t.ended(ctx, l)
}

func (t *test) ended(ctx context.Context, l *leg) error {
	err := t.until(ctx, "the end of the "+l.name+"'s leg", func() (bool, error) {
		near, err := t.exists(ctx, l.near)
		return !near, err
	})
	l.gone = l.gone || err == nil
	return err
}

func (t *test) exists(ctx context.Context, channel string) (bool, error) {
	reply, err := t.api(ctx, fsapi.Exists(channelOf(channel)))
	return strings.TrimSpace(reply) != "false", err
}

// newUUID is a random one, version 4. The random source of crypto/rand never fails.
func newUUID() string {
	var b [16]byte
	_, _ = rand.Read(b[:])
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// plainUUID tells whether what the switch sent may stand in a command.
func plainUUID(s string) bool {
	return len(s) == 36 && strings.Trim(s, "0123456789abcdefABCDEF-") == ""
}

// clip keeps what a switch says short enough to be shown.
func clip(s string) string {
	const most = 200
	if s = strings.TrimSpace(s); len(s) > most {
		return s[:most] + "..."
	}
	return s
}
