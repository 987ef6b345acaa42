package conformance

import (
	"context"
	"time"

	"livemon/esl"
	"livemon/internal/sipphone"
)

// Switch is what the cases run against.
type Switch interface {
	// Version is what the switch says of itself.
	Version() string
	// Socket is where its event socket is.
	Socket() esl.Options
	// Here is this process's address, as the switch reaches it.
	Here() string
	// Dial is what originate is given to ring a telephone.
	Dial(phone string) string
	// Install makes a telephone that speaks, or changes what it does with calls.
	// Of the telephones of one case each has a voice of its own.
	Install(phone string, b Behaviour) error
	// Answered waits until a telephone has answered, and returns its newest call.
	Answered(ctx context.Context, phone, channel string) (Telephone, error)
	// CallIn lets a telephone call the switch, where it is answered and parked. It
	// returns the call's channel or, where only the switch knows that, its SIP Call-ID.
	CallIn(ctx context.Context, phone string, forwards int) (t Telephone, channel, callID string, err error)
	// Park is an extension to which a telephone can transfer its partner, who is
	// parked there then. Force are channel variables that the partner needs for it.
	Park() (extension string, force []string)
	// Music is what a leg can be given as its hold_music, so that it is known when
	// it is heard.
	Music() string
}

// Behaviour is what a telephone does when it is called. The zero value answers at once.
type Behaviour struct {
	Busy, Declines, Rings bool
	After                 time.Duration // how long it rings before it answers
	Keys                  sipphone.Keys // how it sends keys
}

// Telephone is one call of a telephone.
type Telephone interface {
	Hold(ctx context.Context) error
	Resume(ctx context.Context) error
	// Transfer is a blind transfer of the telephone's partner: whether the switch has done it.
	Transfer(ctx context.Context, extension string) (bool, error)
	// TransferTo connects the partners of two calls: an attended transfer.
	TransferTo(ctx context.Context, consult Telephone) (bool, error)
	// Press presses keys with a pause between them.
	Press(ctx context.Context, keys string, pause time.Duration) error
	// Keys are the keys that the telephone was sent.
	Keys() string
	// Talk lets the telephone speak or be silent. It speaks from the beginning.
	Talk(on bool) error
	// Stall holds what the telephone sends back for a while, and then sends all of it
	// at once, as a network does that was blocked. It tells whether that is possible.
	Stall(d time.Duration) bool
	Hangup(ctx context.Context) error
	// Heard is what the telephone heard between two times, window by window.
	Heard(from, to time.Time) []Window
}

// Window is 20 ms of what a telephone received.
type Window struct {
	At  time.Time
	Who []string // the telephones that were heard, and "music"
}

// music is what Window.Who says of a switch's hold music.
const music = "music"
