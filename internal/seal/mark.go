package seal

import (
	"crypto/hmac"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"time"
)

// Variable is the channel variable that holds a leg's mark.
const Variable = "livemon_mark"

// MaxValue bounds a mark's value.
const MaxValue = 2048

const (
	markLabel   = "livemon mark 1"
	markVersion = 1
	macSize     = 32
)

// A Leg is the channel that a mark is on, as the switch has made it.
type Leg struct {
	Channel string
	Inbound bool      // it called the switch; else the switch dialled it
	Created time.Time // when the switch made it; zero before it has
}

// A Party is which side of a call a leg is.
type Party byte

// The sides of a call that is listened to.
const (
	NoParty Party = iota
	Pupil
	User
)

// A Mark is what livemon notes on a leg.
type Mark struct {
	// Of a supervisor's leg: the session, whose it is, and what it may do.
	Session    string
	Supervisor string
	Account    string // empty for the machine's token
	Agent      string
	Phone      string
	Coaching   bool

	Call  string // the call that the leg belongs to
	Party Party  // as which side, if it is one

	Whisper string // the session whose supervisor's voice the leg carries
	Queue   string // mod_callcenter's agent who is kept from his queue

	// Early reports whether the mark was made before the leg was, and so is not
	// bound to the moment of its making. Sign sets it.
	Early bool
}

// field is one of a Mark's texts, with its bound.
type field struct {
	name string
	text *string
	most int
}

func (m *Mark) fields() []field {
	return []field{
		{"session", &m.Session, 64}, {"supervisor", &m.Supervisor, 256}, {"account", &m.Account, 64}, {"agent", &m.Agent, 256},
		{"phone", &m.Phone, 128}, {"call", &m.Call, 128}, {"whisper", &m.Whisper, 64}, {"queue", &m.Queue, 256},
	}
}

// The bits of a payload's second byte. The lowest two are the party.
const (
	flagCoaching = 1 << (2 + iota)
	flagsEnd
)

var errNoKey = errors.New("there is no key to seal with")

// TooLongError says which field of a mark does not fit.
type TooLongError struct {
	Field      string
	Size, Most int
}

func (e *TooLongError) Error() string {
	return fmt.Sprintf("the mark's %s has %d bytes, more than %d", e.Field, e.Size, e.Most)
}

// Sign returns the value of a leg's mark. It has only A-Z a-z 0-9 . _ - and at
// most MaxValue of them. The error is a *TooLongError, or that there is no key.
func (n Node) Sign(l Leg, m Mark) (string, error) {
	if n.key.IsZero() {
		return "", errNoKey
	}
	for _, f := range m.fields() {
		if len(*f.text) > f.most {
			return "", &TooLongError{f.name, len(*f.text), f.most}
		}
	}
	payload := m.payload(l.Created)
	return encoding.EncodeToString(payload) + "." + encoding.EncodeToString(n.markMAC(l, payload)), nil
}

// The decoder refuses whatever EncodeToString would not have written.
var encoding = base64.RawURLEncoding.Strict()

func (m Mark) payload(created time.Time) []byte {
	flags := byte(m.Party)
	if m.Coaching {
		flags |= flagCoaching
	}
	out := []byte{markVersion, flags}
	moment := uint64(0)
	if !created.IsZero() {
		moment = uint64(created.UnixMicro())
	}
	out = binary.AppendUvarint(out, moment)
	for _, f := range m.fields() {
		out = binary.AppendUvarint(out, uint64(len(*f.text)))
		out = append(out, *f.text...)
	}
	return out
}

func (n Node) markMAC(l Leg, payload []byte) []byte {
	direction := "outbound"
	if l.Inbound {
		direction = "inbound"
	}
	return n.key.mac(markLabel, n.name, l.Channel, direction, string(payload))
}

// Why a mark does not open.
var (
	ErrMalformed = errors.New("no mark of livemon's")
	ErrForged    = errors.New("a mark that was not made for this leg with this key")
	ErrReused    = errors.New("a mark of an earlier leg with the same id")
)

// Open returns the mark in a leg's variable, if Sign made it for that leg.
func (n Node) Open(l Leg, value string) (Mark, error) {
	if n.key.IsZero() {
		return Mark{}, errNoKey
	}
	if len(value) > MaxValue || strings.Trim(value, alphabet+".") != "" {
		return Mark{}, ErrMalformed
	}
	first, second, _ := strings.Cut(value, ".")
	payload, err := encoding.DecodeString(first)
	if err != nil {
		return Mark{}, ErrMalformed
	}
	sum, err := encoding.DecodeString(second)
	if err != nil || len(sum) != macSize {
		return Mark{}, ErrMalformed
	}
	if !hmac.Equal(sum, n.markMAC(l, payload)) {
		return Mark{}, ErrForged
	}
	m, moment, ok := decode(payload)
	switch {
	case !ok:
		return Mark{}, ErrMalformed
	case moment == 0:
		m.Early = true
	case l.Created.IsZero() || moment != uint64(l.Created.UnixMicro()):
		return Mark{}, ErrReused
	}
	return m, nil
}

const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"

// decode takes apart what payload has made, and nothing else.
func decode(b []byte) (m Mark, moment uint64, ok bool) {
	if len(b) < 2 || b[0] != markVersion || b[1] >= flagsEnd || Party(b[1]&3) > User {
		return Mark{}, 0, false
	}
	m.Party, m.Coaching = Party(b[1]&3), b[1]&flagCoaching != 0
	rest := b[2:]
	number := func() (uint64, bool) {
		v, n := binary.Uvarint(rest)
		if n <= 0 || n > 1 && rest[n-1] == 0 { // the latter is not the shortest form
			return 0, false
		}
		rest = rest[n:]
		return v, true
	}
	if moment, ok = number(); !ok {
		return Mark{}, 0, false
	}
	for _, f := range m.fields() {
		size, ok := number()
		if !ok || size > uint64(f.most) || size > uint64(len(rest)) {
			return Mark{}, 0, false
		}
		*f.text = string(rest[:size])
		rest = rest[size:]
	}
	return m, moment, len(rest) == 0
}
