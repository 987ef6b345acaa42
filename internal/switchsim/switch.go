package switchsim

import (
	"context"
	"errors"
)

// Switch is a running simulated switch.
type Switch struct{}

var errTodo = errors.New("switchsim: not there yet")

// Start starts a switch. It runs until Close is called or ctx ends.
func Start(ctx context.Context, o Options) (*Switch, error) { return nil, errTodo }

// Addr is the address of the event socket, host:port.
func (s *Switch) Addr() string { return "" }

// Close stops the switch and waits for everything it started.
func (s *Switch) Close() error { return errTodo }

// Call makes the telephone 'from' call extension 'to', and returns when they are bridged.
func (s *Switch) Call(ctx context.Context, from, to string) (Call, error) { return Call{}, errTodo }

// CallFrom is Call for an outside number, which is in no directory.
func (s *Switch) CallFrom(ctx context.Context, number, to string) (Call, error) {
	return Call{}, errTodo
}

// CallQueue lets an outside number call a queue of mod_callcenter, which
// connects it with an agent; it returns when they are bridged.
func (s *Switch) CallQueue(ctx context.Context, number, queue, agent string) (Call, error) {
	return Call{}, errTodo
}

// Conference makes telephones dial into a conference of the shop's own,
// ROOM@default, and returns their channels once all are members.
func (s *Switch) Conference(ctx context.Context, room string, numbers ...string) ([]string, error) {
	return nil, errTodo
}

// Dial makes a telephone dial an extension that hits the dialplan, and returns its channel at once.
func (s *Switch) Dial(ctx context.Context, from, ext string) (string, error) { return "", errTodo }

// SetPhone says what a telephone does when it is called.
func (s *Switch) SetPhone(number string, b Behaviour) {}

// Press presses keys on the telephone of a channel (or on a telephone's newest channel).
func (s *Switch) Press(channel, digits string) error { return errTodo }

// Hangup hangs a telephone up. An empty cause is NORMAL_CLEARING.
func (s *Switch) Hangup(channel, cause string) error { return errTodo }

// Hold presses the telephone's hold key.
func (s *Switch) Hold(channel string) error { return errTodo }

// Unhold resumes a held call.
func (s *Switch) Unhold(channel string) error { return errTodo }

// BlindTransfer is a REFER from the telephone of a channel to an extension.
func (s *Switch) BlindTransfer(channel, ext string) error { return errTodo }

// AttendedTransfer is a REFER with Replaces: the telephone of channel, which
// also holds the channel consult, connects the two other parties.
func (s *Switch) AttendedTransfer(channel, consult string) error { return errTodo }

// Quiet stops a telephone's owner from talking, or lets him talk again. Everybody talks all the time otherwise.
func (s *Switch) Quiet(channel string, quiet bool) error { return errTodo }

// Channels lists the live channels, oldest first.
func (s *Switch) Channels() []ChannelInfo { return nil }

// Leg is the newest live channel of a telephone, or "".
func (s *Switch) Leg(number string) string { return "" }

// Number is the telephone of a channel, also after it has ended, or "".
func (s *Switch) Number(channel string) string { return "" }

// Hears lists the channels that a channel hears now, sorted.
func (s *Switch) Hears(listener string) []string { return nil }

// Sounds lists what is played to a channel now: file names, or "music" for music on hold.
func (s *Switch) Sounds(listener string) []string { return nil }

// Played lists the files that were played to a channel, or to a telephone, since the start or the last Reset.
func (s *Switch) Played(who string) []string { return nil }

// Truth lists who heard whom since the start or the last Reset, in the order in
// which it began; spans that have not ended have the present as their end.
func (s *Switch) Truth() []Span { return nil }

// Reset forgets what Truth, Played and Commands have to tell.
func (s *Switch) Reset() {}

// OnFrame calls f at every frame with all pairs, until remove is called. f must
// not keep the slice, and must not call the switch.
func (s *Switch) OnFrame(f func(frame []Pair)) (remove func()) { return func() {} }

// Until waits until cond is true, looking after every frame.
func (s *Switch) Until(ctx context.Context, cond func() bool) error { return errTodo }

// Inject adds a fault. Of several that match, the oldest applies.
func (s *Switch) Inject(f Fault) (remove func()) { return func() {} }

// Restart is the switch's death and return: all channels and connections are
// gone without an event, the core's UUID is new, member ids begin again.
func (s *Switch) Restart() {}

// DropConnections cuts every event socket connection.
func (s *Switch) DropConnections() {}

// Commands lists the commands received after auth, oldest first; the last 10,000.
func (s *Switch) Commands() []string { return nil }
