package switchsim

import (
	"context"
	"fmt"
	"time"
)

// keyGap is between two keys that Press presses; a 'w' among them is a pause.
const (
	keyGap   = 40 * time.Millisecond
	keyPause = 500 * time.Millisecond
)

// until waits for cond, which is called with the switch locked, and turns the
// death of a leg into an error.
func (s *Switch) until(ctx context.Context, ch *channel, what string, cond func() bool) error {
	dead := false
	err := s.Until(ctx, func() bool {
		s.lock()
		defer s.unlock()
		dead = ch.dead
		return dead || cond()
	})
	if err == nil && dead {
		err = fmt.Errorf("%w: %s: %s", ErrFailed, what, ch.cause)
	}
	if err != nil {
		s.lock()
		s.hangup(ch, "ORIGINATOR_CANCEL")
		s.unlock()
	}
	return err
}

// Call makes the telephone 'from' call extension 'to', and returns when they
// are bridged. The error is ErrFailed if they never are, or the context's.
func (s *Switch) Call(ctx context.Context, from, to string) (Call, error) {
	s.lock()
	dial := "user/" + to + "@" + s.opt.Domain
	if !s.inDirectory(to) {
		dial = "sofia/gateway/pstn/" + to
	}
	a := s.inbound(from, to)
	a.plan = []step{{app: "bridge", data: dial}}
	s.proceed(a)
	s.unlock()
	c := Call{A: a.uuid}
	err := s.until(ctx, a, from+" calls "+to, func() bool {
		if a.bridge != nil && a.bridge.up {
			c.B = a.bridge.peer(a).uuid
		}
		return c.B != ""
	})
	return c, err
}

// CallFrom is Call for an outside number, which is in no directory.
func (s *Switch) CallFrom(ctx context.Context, number, to string) (Call, error) {
	if s.inDirectory(number) {
		return Call{}, fmt.Errorf("%w: %s is an extension", ErrFailed, number)
	}
	return s.Call(ctx, number, to)
}

// Conference makes telephones dial into a conference of the shop's own,
// ROOM@default, and returns their channels once all are members and talk.
func (s *Switch) Conference(ctx context.Context, room string, numbers ...string) ([]string, error) {
	var legs []*channel
	s.lock()
	for _, n := range numbers {
		ch := s.inbound(n, "c-"+room)
		ch.plan = s.extension("c-" + room)
		s.proceed(ch)
		legs = append(legs, ch)
	}
	s.unlock()
	var out []string
	for _, ch := range legs {
		err := s.until(ctx, ch, ch.number+" joins "+room, func() bool {
			return ch.member != nil && ch.member.known && !s.now.Before(ch.member.speechAt)
		})
		if err != nil {
			return out, err
		}
		out = append(out, ch.uuid)
	}
	return out, nil
}

// Dial makes a telephone dial an extension that hits the dialplan, and returns its channel at once.
func (s *Switch) Dial(_ context.Context, from, ext string) (string, error) {
	s.lock()
	defer s.unlock()
	if s.ctx.Err() != nil {
		return "", ErrClosed
	}
	ch := s.inbound(from, ext)
	if ch.plan = s.extension(ext); len(ch.plan) == 0 {
		s.hangup(ch, "NO_ROUTE_DESTINATION")
		return ch.uuid, fmt.Errorf("%w: %s is no extension", ErrFailed, ext)
	}
	s.proceed(ch)
	return ch.uuid, nil
}

// SetPhone says what a telephone does when it is called.
func (s *Switch) SetPhone(number string, b Behaviour) {
	s.lock()
	defer s.unlock()
	if len(s.phones) >= maxNumbers {
		clear(s.phones)
	}
	s.phones[number] = b
}

// with does something to a live channel, or to a telephone's newest one.
func (s *Switch) with(who string, f func(ch *channel) error) error {
	s.lock()
	defer s.unlock()
	ch := s.find(who)
	if ch == nil {
		return fmt.Errorf("%w: %s", ErrNoChannel, who)
	}
	return f(ch)
}

// Press presses keys on the telephone of a channel (or of a telephone's newest
// channel), 40 ms apart; a 'w' is a pause of half a second. The first key has
// been pressed when Press returns.
func (s *Switch) Press(who, digits string) error {
	return s.with(who, func(ch *channel) error {
		wait := time.Duration(0)
		for i := range len(digits) {
			key := digits[i]
			if key == 'w' {
				wait += keyPause
				continue
			}
			if wait == 0 {
				s.keyOf(ch, key)
			} else {
				s.after(wait, func() { s.keyOf(ch, key) })
			}
			wait += keyGap
		}
		return nil
	})
}

// Hangup hangs a telephone up. An empty cause is NORMAL_CLEARING.
func (s *Switch) Hangup(who, cause string) error {
	return s.with(who, func(ch *channel) error {
		ch.set("proto_specific_hangup_cause", "sip:200")
		s.hangup(ch, cause)
		return nil
	})
}

// sdp is what a telephone says of its media: sendrecv, or sendonly while it holds.
func sdp(direction string) string {
	return "v=0\r\ns=phone\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 40000 RTP/AVP 0 101\r\na=rtpmap:0 PCMU/8000\r\na=" + direction + "\r\n"
}

// Hold presses the telephone's hold key: see hold.
func (s *Switch) Hold(who string) error {
	return s.with(who, func(ch *channel) error {
		s.hold(ch, "sendonly")
		return nil
	})
}

// Unhold resumes a held call.
func (s *Switch) Unhold(who string) error {
	return s.with(who, func(ch *channel) error {
		s.unhold(ch)
		return nil
	})
}

// referLag is between the acceptance of a REFER and the telephone's hanging up.
const referLag = 60 * time.Millisecond

// BlindTransfer is a REFER from the telephone of a channel to an extension. The
// error is ErrForbidden if the switch refuses it: the channel has no partner,
// that is, no signal_bond.
func (s *Switch) BlindTransfer(who, ext string) error {
	return s.with(who, func(ch *channel) error {
		other := s.live(ch.value("signal_bond"))
		if other == nil {
			return ErrForbidden
		}
		ch.held = false
		s.transfer(other, ext, "XML", "default")
		s.after(referLag, func() { s.hangup(ch, "NORMAL_CLEARING") })
		return nil
	})
}

// AttendedTransfer is a REFER with Replaces: the telephone of channel, which
// also holds the channel consult, connects the two other parties. Where a
// partner is missing the switch connects the wrong legs, as a real one does.
func (s *Switch) AttendedTransfer(who, consult string) error {
	s.lock()
	defer s.unlock()
	a, b := s.find(who), s.find(consult)
	if a == nil || b == nil {
		return fmt.Errorf("%w: %s or %s", ErrNoChannel, who, consult)
	}
	ofA, ofB := s.live(a.value("signal_bond")), s.live(b.value("signal_bond"))
	a.held, b.held = false, false
	switch {
	case ofA != nil && ofB != nil:
		s.uuidBridge(ofA, ofB)
	case ofA == nil && ofB == nil:
		return ErrForbidden
	case ofA != nil:
		s.transfer(ofA, b.p.dest, "", "")
	default:
		s.transfer(ofB, a.p.dest, "", "")
	}
	for _, ch := range []*channel{a, b} {
		s.after(referLag, func() { s.hangup(ch, "ATTENDED_TRANSFER") })
	}
	return nil
}

// Quiet stops a telephone's owner from talking, or lets him talk again.
// Everybody talks all the time otherwise.
func (s *Switch) Quiet(who string, quiet bool) error {
	return s.with(who, func(ch *channel) error {
		ch.quiet = quiet
		s.touchAround(ch)
		if m := ch.member; m != nil {
			if quiet {
				s.hush(m, true)
			} else {
				s.talkSoon(m)
			}
		}
		return nil
	})
}

// Register registers a telephone with the switch, or registers it anew.
func (s *Switch) Register(number string) {
	s.lock()
	defer s.unlock()
	s.register(number)
}

// Unregister ends a telephone's registration.
func (s *Switch) Unregister(number string) {
	s.lock()
	defer s.unlock()
	s.unregister(number)
}

// Channels lists the live channels, oldest first.
func (s *Switch) Channels() []ChannelInfo {
	s.lock()
	defer s.unlock()
	out := make([]ChannelInfo, 0, len(s.order))
	for _, ch := range s.order {
		if ch.dead {
			continue
		}
		i := ChannelInfo{UUID: ch.uuid, Name: ch.name, Number: ch.number, Direction: ch.direction, State: "CS_" + ch.state,
			CallState: ch.callState, Answered: ch.answered, Held: ch.held, Received: ch.received}
		if ch.bridge != nil {
			i.Partner = ch.bridge.peer(ch).uuid
		}
		if m := ch.member; m != nil {
			i.Room, i.Member = m.room.name, m.id
		}
		if a := ch.top(); a != nil {
			i.App = a.app
		}
		out = append(out, i)
	}
	return out
}

// Leg is the newest live channel of a telephone, or "".
func (s *Switch) Leg(number string) string {
	s.lock()
	defer s.unlock()
	if ch := s.find(number); ch != nil {
		return ch.uuid
	}
	return ""
}

// Number is the telephone of a channel, also after it has ended, or "".
func (s *Switch) Number(channel string) string {
	s.lock()
	defer s.unlock()
	return s.numbers[channel]
}
