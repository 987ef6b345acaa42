package esl

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
)

// The limits of one message. Whatever exceeds them is not a switch's.
const (
	maxHeaderLine = 64 << 10 // bytes of one header line
	maxHeaders    = 1 << 20  // bytes of one header block (the answer to "connect" holds a whole channel)
	maxBody       = 16 << 20 // bytes of one body (an api command may list every channel)
	keptBody      = 1 << 20  // bytes of body buffer kept for the next message
)

// frameKind is what a message is, by its Content-Type.
type frameKind uint8

const (
	frameOther      frameKind = iota // well formed, but nothing that was asked for
	frameAuth                        // auth/request
	frameReply                       // command/reply
	frameAPI                         // api/response
	frameEvent                       // text/event-plain
	frameDisconnect                  // text/disconnect-notice
	frameRejection                   // text/rude-rejection
)

// frame is one message of the switch.
type frame struct {
	kind      frameKind
	lingering bool   // a disconnect notice after which the connection stays open
	reply     string // Reply-Text, as it stands on the wire
	body      []byte // valid until the next call of frameReader.next
}

// text is the reply to a command, wherever in the message it stands.
func (f *frame) text() string {
	if f.kind == frameReply {
		return f.reply
	}
	return string(f.body)
}

// frameReader cuts a connection's bytes into messages, within limits. It is not
// for concurrent use.
type frameReader struct {
	br     *bufio.Reader
	src    *source
	body   []byte                   // for bodies too long for br's buffer
	unread int                      // bytes of the last body that still lie in br's buffer
	header func(name, value []byte) // called for each header line, if set
}

// source is where a frameReader's bytes come from.
type source struct {
	io.Reader
	idle func() // called before a read that may block, if set
}

// Read calls idle, then reads.
func (s *source) Read(p []byte) (int, error) {
	if s.idle != nil {
		s.idle()
	}
	return s.Reader.Read(p)
}

func newFrameReader(r io.Reader) *frameReader {
	src := &source{Reader: r}
	return &frameReader{src: src, br: bufio.NewReaderSize(src, maxHeaderLine)}
}

// errMalformed is ErrProtocol with what was wrong.
func errMalformed(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrProtocol, fmt.Sprintf(format, args...))
}

// next returns the next message: io.EOF at a clean end, io.ErrUnexpectedEOF at
// one in mid-message, ErrProtocol (wrapped) when what came cannot be a message.
// After any error the reader cannot be used further.
func (r *frameReader) next() (frame, error) {
	if _, err := r.br.Discard(r.unread); err != nil {
		return frame{}, err
	}
	r.unread = 0

	f, length, err := r.head()
	if err != nil {
		return frame{}, err
	}
	if length > 0 {
		if f.body, err = r.take(length); err != nil {
			return frame{}, err
		}
	}
	return f, nil
}

// head reads one header block and returns the message without its body, and the
// body's length.
func (r *frameReader) head() (f frame, length int, err error) {
	typed, length := false, -1
	for total := 0; ; {
		raw, err := r.br.ReadSlice('\n')
		if total += len(raw); err != nil {
			return f, 0, headError(err, total)
		}
		if total > maxHeaders {
			return f, 0, errMalformed("more than %d bytes of headers", maxHeaders)
		}
		line := bytes.TrimRight(raw, "\r\n")
		if len(line) == 0 {
			if total > len(raw) {
				break
			}
			total = 0 // a blank line between messages
			continue
		}
		name, value, ok := bytes.Cut(line, colon)
		if !ok {
			return f, 0, errMalformed("a header line without a colon")
		}
		value = bytes.TrimLeft(value, " ")
		if r.header != nil {
			r.header(name, value)
		}
		switch {
		case foldedEqual(name, "Content-Type"):
			f.kind, typed = kindOf(value), true
		case foldedEqual(name, contentLength):
			n, err := strconv.ParseUint(string(value), 10, 31)
			if err != nil || n > maxBody || (length >= 0 && int(n) != length) {
				return f, 0, errMalformed("Content-Length %.40q", value)
			}
			length = int(n)
		case f.reply == "" && foldedEqual(name, "Reply-Text"):
			f.reply = string(value)
		case foldedEqual(name, "Content-Disposition"):
			f.lingering = string(value) == "linger"
		}
	}
	if !typed {
		return f, 0, errMalformed("a message without Content-Type")
	}
	return f, max(length, 0), nil
}

// headError is the error of a header line that could not be read; total is how
// many bytes of the block had come.
func headError(err error, total int) error {
	switch {
	case errors.Is(err, bufio.ErrBufferFull):
		return errMalformed("a header line longer than %d bytes", maxHeaderLine)
	case errors.Is(err, io.EOF) && total > 0:
		return io.ErrUnexpectedEOF
	}
	return err
}

// take returns the next n bytes: out of the read buffer where they fit, so that
// an ordinary event is not copied, else in a buffer that grows only as fast as
// the bytes really arrive.
func (r *frameReader) take(n int) ([]byte, error) {
	if n <= r.br.Size() {
		b, err := r.br.Peek(n)
		if err != nil {
			return nil, cutOff(err)
		}
		r.unread = n
		return b, nil
	}
	if cap(r.body) > keptBody {
		r.body = nil
	}
	r.body = r.body[:0]
	for len(r.body) < n {
		step := min(n-len(r.body), max(len(r.body), maxHeaderLine))
		at := len(r.body)
		r.body = append(r.body, make([]byte, step)...)
		if _, err := io.ReadFull(r.br, r.body[at:]); err != nil {
			return nil, cutOff(err)
		}
	}
	return r.body, nil
}

// cutOff makes the end of the connection in mid-message recognisable as such.
func cutOff(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

var colon = []byte{':'}

// kindOf tells what a Content-Type stands for.
func kindOf(value []byte) frameKind {
	switch string(value) {
	case "text/event-plain":
		return frameEvent
	case "command/reply":
		return frameReply
	case "api/response":
		return frameAPI
	case "auth/request":
		return frameAuth
	case "text/disconnect-notice":
		return frameDisconnect
	case "text/rude-rejection":
		return frameRejection
	}
	return frameOther
}
