package conformance

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"time"

	"livemon/esl"
	"livemon/internal/fsapi"
	"livemon/internal/sipphone"
)

// tones are the telephones' voices, in Hz, at least 275 from one another; the
// last one is the hold music.
var tones = []float64{425, 700, 1000, 1375, 1800, 2250, 2700}

// audible is the level, in dB below a telephone's own loudness, from which it
// counts as heard in a window: a tone that fills 2 ms of it is above.
const audible = -20

// realSwitch is a FreeSWITCH, with telephones in this process.
type realSwitch struct {
	version string
	socket  esl.Options
	profile string // the SIP profile that calls the telephones
	inbound string // what a telephone dials to be answered and parked; "" if there is no such number
	sip     string // the profile's own address
	farm    *sipphone.Farm

	mu     sync.Mutex
	voices map[string]int // of the telephones, an index of tones
}

// dialReal reaches a switch and starts the telephones at the address from which
// this machine reaches it, or at phones where that is not empty.
func dialReal(ctx context.Context, socket esl.Options, profile, phones string) (*realSwitch, error) {
	if phones == "" {
		conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", socket.Addr)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", esl.ErrUnreachable, err)
		}
		phones = conn.LocalAddr().(*net.TCPAddr).IP.String()
		_ = conn.Close() // it said what it was asked for
	}
	farm, err := sipphone.Start(sipphone.Options{IP: phones, Tones: tones})
	if err != nil {
		return nil, err
	}
	r := &realSwitch{socket: socket, profile: profile, farm: farm, voices: map[string]int{}}
	client := esl.NewClient(socket)
	r.version, err = client.API(ctx, fsapi.Version())
	return r, errors.Join(err, client.Close())
}

func (r *realSwitch) Close() error        { return r.farm.Close() }
func (r *realSwitch) Version() string     { return strings.TrimSpace(r.version) }
func (r *realSwitch) Socket() esl.Options { return r.socket }

func (r *realSwitch) Here() string {
	host, _, _ := net.SplitHostPort(r.farm.Addr())
	return host
}

func (r *realSwitch) Dial(phone string) string {
	return "sofia/" + r.profile + "/sip:" + phone + "@" + r.farm.Addr()
}

func (r *realSwitch) Install(phone string, b Behaviour) error {
	group, _, _ := strings.Cut(phone, "-")
	r.mu.Lock()
	defer r.mu.Unlock()
	voice, known := r.voices[phone]
	if !known {
		for other := range r.voices {
			if strings.HasPrefix(other, group+"-") {
				voice++
			}
		}
		if voice >= len(tones)-1 {
			return errors.New("a case may have six telephones")
		}
		r.voices[phone] = voice
	}
	p := sipphone.Phone{Tone: tones[voice], Ring: b.Rings, After: b.After, Keys: b.Keys}
	switch {
	case b.Busy:
		p.Reject = 486
	case b.Declines:
		p.Reject = 603
	}
	r.farm.Set(phone, p)
	return nil
}

func (r *realSwitch) Park() (string, []string) {
	return "park", []string{"force_transfer_dialplan=inline"}
}

func (r *realSwitch) Music() string {
	return fmt.Sprintf("tone_stream://%%(1000,0,%g);loops=-1", tones[len(tones)-1])
}

func (r *realSwitch) CallIn(ctx context.Context, phone string, forwards int) (Telephone, string, string, error) {
	leg, err := r.farm.Call(ctx, phone, "sip:"+r.inbound+"@"+r.sip, forwards)
	if err != nil {
		return nil, "", "", err
	}
	return &realPhone{leg: leg, sw: r}, "", leg.CallID(), nil
}

func (r *realSwitch) Answered(ctx context.Context, phone, _ string) (Telephone, error) {
	leg, err := r.farm.Answered(ctx, phone)
	if err != nil {
		return nil, err
	}
	return &realPhone{leg: leg, sw: r}, nil
}

// speakers are the names of a case's telephones, by voice.
func (r *realSwitch) speakers(phone string) []string {
	group, _, _ := strings.Cut(phone, "-")
	names := make([]string, len(tones))
	names[len(tones)-1] = music
	r.mu.Lock()
	defer r.mu.Unlock()
	for other, voice := range r.voices {
		if strings.HasPrefix(other, group+"-") {
			names[voice] = other
		}
	}
	return names
}

type realPhone struct {
	leg *sipphone.Leg
	sw  *realSwitch
}

func (p *realPhone) Hold(ctx context.Context) error   { return p.leg.Hold(ctx) }
func (p *realPhone) Resume(ctx context.Context) error { return p.leg.Resume(ctx) }
func (p *realPhone) Keys() string                     { return p.leg.Keys() }
func (p *realPhone) Hangup(ctx context.Context) error { return p.leg.Hangup(ctx) }

func (p *realPhone) Talk(on bool) error {
	p.leg.Talk(on)
	return nil
}

func (p *realPhone) Stall(d time.Duration) bool {
	p.leg.Stall(d)
	return true
}

func (p *realPhone) Press(ctx context.Context, keys string, pause time.Duration) error {
	return p.leg.Press(ctx, keys, pause)
}

func (p *realPhone) Transfer(ctx context.Context, extension string) (bool, error) {
	status, err := p.leg.Refer(ctx, "sip:"+extension+"@"+p.sw.farm.Addr())
	return status == 200, err
}

func (p *realPhone) TransferTo(ctx context.Context, consult Telephone) (bool, error) {
	status, err := p.leg.ReferReplacing(ctx, consult.(*realPhone).leg)
	return status == 200, err
}

func (p *realPhone) Heard(from, to time.Time) []Window {
	received, names := p.leg.Windows(from, to), p.sw.speakers(p.leg.Name)
	out := make([]Window, len(received))
	for i, w := range received {
		out[i].At = w.At
		for k, level := range w.Levels {
			if level > audible && names[k] != "" {
				out[i].Who = append(out[i].Who, names[k])
			}
		}
	}
	return out
}
