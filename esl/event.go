package esl

import (
	"bytes"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Event is one event of the switch, with the headers that were asked for. It is
// never changed after it was made and may be read by any number of goroutines.
type Event struct {
	Name     string    // Event-Name, as in "CHANNEL_ANSWER"
	Subclass string    // Event-Subclass of a CUSTOM event, as in "conference::maintenance"
	Time     time.Time // Event-Date-Timestamp: the switch's clock, in microseconds; zero if there was none
	Body     string    // the event's own body, as it stands on the wire

	set   *headerSet
	text  string // the values and the body, one after the other
	spans []span // where in text each header's value lies, by its place in set
	size  int    // bytes of memory, roughly
}

// span is a part of a text.
type span struct{ from, to uint32 }

func (s span) of(text string) string { return text[s.from:s.to] }

// Get returns a header's value, URL-decoded, or "" where the event has none, has
// an empty one, or the header was not asked for. Names are compared without
// regard to case, as the switch does.
func (e *Event) Get(header string) string {
	if e.set == nil {
		return ""
	}
	if i := e.set.find([]byte(header)); i >= 0 {
		return e.spans[i].of(e.text)
	}
	return ""
}

// NewEvent makes an event of headers (with plain, not URL-encoded, values) and a
// body: for tests of whoever consumes events.
func NewEvent(headers map[string]string, body string) *Event {
	names := make([]string, 0, len(headers))
	for name := range headers {
		names = append(names, name)
	}
	p := newParser(names)
	for name, value := range headers {
		p.keep(p.set.find([]byte(name)), append(p.text, value...))
	}
	return p.event([]byte(body))
}

// ParseEvent parses the body of one text/event-plain message and keeps the named
// headers beside Event-Name, Event-Subclass, Event-Date-Timestamp and Job-UUID.
//
// A header name may hold any characters. A value with a bad escape is kept as it
// stands, one that the switch wrote as "_undef_" is empty, a line without a
// colon is passed over. The error is of kind [ErrProtocol]: there is no
// Event-Name, or less body than its Content-Length says.
func ParseEvent(plain []byte, headers []string) (*Event, error) {
	e, err := newParser(headers).parse(plain)
	if err != nil {
		return nil, &Error{Op: "parse event", Kind: ErrProtocol, Err: err}
	}
	return e, nil
}

// parser parses events that all keep the same headers. Its buffers are reused;
// what it returns shares nothing with them.
type parser struct {
	set   *headerSet
	text  []byte // the values kept of one event, decoded, one after the other, and its body
	spans []span // where in text each header's value lies
}

func newParser(headers []string) *parser {
	set := newHeaderSet(headers)
	return &parser{set: set, spans: make([]span, len(set.names))}
}

// eventOverhead is what an event takes beside its text and values, in bytes.
const eventOverhead = 160

// parse makes three allocations: the event, its text, and where in it what lies.
func (p *parser) parse(plain []byte) (*Event, error) {
	p.text = p.text[:0]
	clear(p.spans)

	body, length := plain, -1
	for len(body) > 0 {
		line := body
		if end := bytes.IndexByte(body, '\n'); end >= 0 {
			line, body = body[:end], body[end+1:]
		} else {
			body = nil
		}
		if n := len(line); n > 0 && line[n-1] == '\r' {
			line = line[:n-1]
		}
		if len(line) == 0 {
			break
		}
		if !p.set.mayHold(line) {
			continue
		}
		name, value, ok := cutHeader(line)
		if !ok {
			continue
		}
		i := p.set.find(name)
		switch {
		case i >= 0 && p.spans[i] == span{} && string(value) != undefined:
			p.keep(i, appendDecoded(p.text, value))
		case i < 0 && foldedEqual(name, contentLength):
			if n, err := strconv.ParseUint(string(value), 10, 31); err == nil {
				length = int(n)
			}
		}
	}
	switch {
	case length > len(body):
		return nil, errMalformed("%d bytes of event body, %d announced", len(body), length)
	case length >= 0:
		body = body[:length]
	}
	e := p.event(body)
	if cap(p.text) > keptBody {
		p.text = nil
	}
	if e.Name == "" {
		return nil, errMalformed("an event without Event-Name")
	}
	return e, nil
}

// keep notes that what text has more than p.text is the value at place i.
func (p *parser) keep(i int, text []byte) {
	p.spans[i] = span{uint32(len(p.text)), uint32(len(text))}
	p.text = text
}

// event makes an event of the values kept and a body.
func (p *parser) event(body []byte) *Event {
	bodyAt := len(p.text)
	p.text = append(p.text, body...)
	text := string(p.text)
	e := &Event{
		Name:     p.spans[atName].of(text),
		Subclass: p.spans[atSubclass].of(text),
		Body:     text[bodyAt:],

		set:   p.set,
		text:  text,
		spans: slices.Clone(p.spans),
		size:  eventOverhead + len(text) + 8*len(p.spans),
	}
	if µs, err := strconv.ParseInt(p.spans[atTimestamp].of(text), 10, 64); err == nil && µs > 0 {
		e.Time = time.UnixMicro(µs)
	}
	return e
}

const contentLength = "Content-Length"

// undefined is what the switch writes for an empty value.
const undefined = "_undef_"

// cutHeader parts a header line of an event. Values are URL-encoded and so hold
// no colon, but a name may; the switch puts a blank behind the one that counts.
func cutHeader(line []byte) (name, value []byte, ok bool) {
	at := bytes.IndexByte(line, ':')
	if at < 0 {
		return nil, nil, false
	}
	if at+1 < len(line) && line[at+1] == ' ' {
		return line[:at], line[at+2:], true
	}
	if i := bytes.Index(line, colonBlank); i >= 0 {
		return line[:i], line[i+2:], true
	}
	return line[:at], line[at+1:], true
}

var colonBlank = []byte(": ")

// appendDecoded appends v with its URL escapes decoded: those that the switch can
// have written. It leaves a %XX that was in a value as it is, so whoever chooses a
// channel's id could else choose another one's, by an escape for what needs none.
func appendDecoded(dst, v []byte) []byte {
	for {
		i := bytes.IndexByte(v, '%')
		if i < 0 {
			return append(dst, v...)
		}
		dst, v = append(dst, v[:i]...), v[i:]
		if len(v) >= 3 && unhex[v[1]] < 16 && unhex[v[2]] < 16 {
			if c := unhex[v[1]]<<4 | unhex[v[2]]; c < ' ' || c > '~' || strings.IndexByte(escaped, c) >= 0 {
				dst, v = append(dst, c), v[3:]
				continue
			}
		}
		dst, v = append(dst, '%'), v[1:]
	}
}

// escaped is what the switch escapes besides control characters and what is not
// ASCII.
const escaped = " #%&+:;<=>?@[\\]^`{|}\""

// unhex is the value of each hexadecimal digit that the switch writes, and 16 for
// everything else.
var unhex = func() (t [256]byte) {
	for c := range t {
		t[c] = 16
	}
	for c := byte('0'); c <= '9'; c++ {
		t[c] = c - '0'
	}
	for c := byte(0); c < 6; c++ {
		t['A'+c] = 10 + c
	}
	return t
}()
