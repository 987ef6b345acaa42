package conformance

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"livemon/esl"
	"livemon/fsconf"
	"livemon/internal/sipphone"
	"livemon/internal/switchsim"
)

// simulatedSwitch is internal/switchsim, with livemon's profile installed.
type simulatedSwitch struct {
	*switchsim.Switch
	cancel context.CancelFunc
	wg     sync.WaitGroup

	mu    sync.Mutex
	music map[string][]span // by channel: when it heard the hold music
}

// span is a time; its end is zero while it lasts.
type span struct{ from, to time.Time }

// stockControls are what a stock installation has beside livemon's group.
const stockControls = `<group name="default"><control action="mute" digits="0"/><control action="deaf mute" digits="*"/></group>`

func startSimulated(ctx context.Context) (*simulatedSwitch, error) {
	conf := strings.Replace(fsconf.ConferenceXML(fsconf.Defaults()), "<caller-controls>", "<caller-controls>"+stockControls, 1)
	sw, err := switchsim.Start(ctx, switchsim.Options{ConferenceXML: conf})
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	s := &simulatedSwitch{Switch: sw, cancel: cancel, music: map[string][]span{}}
	s.wg.Add(1)
	go func() {
		defer s.wg.Done()
		_ = sw.Until(ctx, func() bool { s.noteMusic(); return false }) // until it is closed
	}()
	return s, nil
}

func (s *simulatedSwitch) Close() error {
	s.cancel()
	s.wg.Wait()
	return s.Switch.Close()
}

// noteMusic looks who hears music in this frame. The simulation's own log has
// only who heard whom.
func (s *simulatedSwitch) noteMusic() {
	now := s.Clock(time.Now())
	for _, ch := range s.Channels() {
		heard := slices.ContainsFunc(s.Sounds(ch.UUID), func(sound string) bool { return sound == music || sound == s.Music() })
		s.mu.Lock()
		list := s.music[ch.UUID]
		switch playing := len(list) > 0 && list[len(list)-1].to.IsZero(); {
		case heard && !playing:
			s.music[ch.UUID] = append(list, span{from: now})
		case !heard && playing:
			list[len(list)-1].to = now
		}
		s.mu.Unlock()
	}
}

func (s *simulatedSwitch) Version() string { return "simulated" }
func (s *simulatedSwitch) Socket() esl.Options {
	return esl.Options{Addr: s.Addr(), Password: "ClueCon"}
}

func (s *simulatedSwitch) Here() string { return "127.0.0.1" }

func (s *simulatedSwitch) Dial(phone string) string {
	return "sofia/internal/sip:" + phone + "@127.0.0.1:5090"
}

func (s *simulatedSwitch) Install(phone string, b Behaviour) error {
	o := switchsim.Behaviour{NoAnswer: b.Rings, AnswerAfter: b.After}
	o.Keys = map[sipphone.Keys]switchsim.Keys{sipphone.KeysInfo: switchsim.KeysInfo, sipphone.KeysAudio: switchsim.KeysInBand}[b.Keys]
	switch {
	case b.Busy:
		o.Reject = "USER_BUSY"
	case b.Declines:
		o.Reject = "CALL_REJECTED"
	}
	s.SetPhone(phone, o)
	return nil
}

func (s *simulatedSwitch) Park() (string, []string) { return "7777", nil }
func (s *simulatedSwitch) Music() string            { return "local_stream://moh" }

// CallIn is a call from outside. The simulation gives all of them the same Max-Forwards.
func (s *simulatedSwitch) CallIn(ctx context.Context, phone string, _ int) (Telephone, string, string, error) {
	channel, err := s.Switch.Dial(ctx, phone, "7777")
	if err != nil {
		return nil, "", "", err
	}
	t, err := s.Answered(ctx, phone, channel)
	return t, channel, "", err
}

func (s *simulatedSwitch) Answered(ctx context.Context, phone, channel string) (Telephone, error) {
	err := s.Until(ctx, func() bool {
		return slices.ContainsFunc(s.Channels(), func(c switchsim.ChannelInfo) bool { return c.UUID == channel && c.Answered })
	})
	return &simulatedPhone{s: s, name: phone, channel: channel}, err
}

type simulatedPhone struct {
	s             *simulatedSwitch
	name, channel string
}

func (p *simulatedPhone) Hold(context.Context) error   { return p.s.Hold(p.channel) }
func (p *simulatedPhone) Resume(context.Context) error { return p.s.Unhold(p.channel) }
func (p *simulatedPhone) Talk(on bool) error           { return p.s.Quiet(p.channel, !on) }

func (p *simulatedPhone) Stall(time.Duration) bool { return false }

func (p *simulatedPhone) Hangup(context.Context) error {
	if err := p.s.Hangup(p.channel, ""); !errors.Is(err, switchsim.ErrNoChannel) {
		return err
	}
	return nil
}

func (p *simulatedPhone) Transfer(_ context.Context, extension string) (bool, error) {
	return done(p.s.BlindTransfer(p.channel, extension))
}

func (p *simulatedPhone) TransferTo(_ context.Context, consult Telephone) (bool, error) {
	return done(p.s.AttendedTransfer(p.channel, consult.(*simulatedPhone).channel))
}

func done(err error) (bool, error) {
	if errors.Is(err, switchsim.ErrForbidden) {
		return false, nil
	}
	return err == nil, err
}

// Press takes the time that a telephone takes for each key.
func (p *simulatedPhone) Press(ctx context.Context, keys string, gap time.Duration) error {
	for i := range len(keys) {
		if i > 0 {
			if err := pause(ctx, max(gap, 40*time.Millisecond)); err != nil {
				return err
			}
		}
		if err := p.s.Press(p.channel, keys[i:i+1]); err != nil {
			return err
		}
	}
	return nil
}

func (p *simulatedPhone) Keys() string {
	for _, c := range p.s.Channels() {
		if c.UUID == p.channel {
			return c.Received
		}
	}
	return ""
}

func (p *simulatedPhone) Heard(from, to time.Time) []Window {
	asked := from
	from, to = p.s.Clock(from), p.s.Clock(to)
	var heard []switchsim.Span
	for _, sp := range p.s.Truth() {
		if sp.Listener == p.channel && sp.To.After(from) && sp.From.Before(to) {
			heard = append(heard, sp)
		}
	}
	p.s.mu.Lock()
	tunes := slices.Clone(p.s.music[p.channel])
	p.s.mu.Unlock()
	var out []Window
	for at := from; at.Before(to); at = at.Add(20 * time.Millisecond) {
		w := Window{At: asked.Add(at.Sub(from))}
		for _, sp := range heard {
			if !at.Before(sp.From) && at.Before(sp.To) {
				w.Who = append(w.Who, strings.TrimSpace(p.s.Number(sp.Speaker)))
			}
		}
		if slices.ContainsFunc(tunes, func(s span) bool { return !at.Before(s.from) && (s.to.IsZero() || at.Before(s.to)) }) {
			w.Who = append(w.Who, music)
		}
		out = append(out, w)
	}
	return out
}
