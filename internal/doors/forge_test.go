package doors_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/textproto"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"livemon/internal/switchsim"
)

// switchImpostor is a program that connects to the socket for supervisors who
// dial in, and says what a switch would say of a leg.
type switchImpostor struct {
	conn net.Conn
	done chan struct{}
}

// impersonate connects with what a switch would say of a leg. It obeys, and tells
// that everything was done, until the other side ends the connection.
func (h *house) impersonate(leg string, headers map[string]string) *switchImpostor {
	h.t.Helper()
	conn, err := new(net.Dialer).DialContext(h.t.Context(), "tcp", h.cfg.Outbound)
	h.must(err)
	s := &switchImpostor{conn: conn, done: make(chan struct{})}
	h.t.Cleanup(func() { conn.Close(); <-s.done })
	go func() {
		defer close(s.done)
		defer conn.Close()
		s.talk(leg, headers)
	}()
	return s
}

func (s *switchImpostor) talk(leg string, headers map[string]string) {
	r := bufio.NewReader(s.conn)
	for {
		first, err := r.ReadString('\n')
		if err != nil {
			return
		}
		mime, err := textproto.NewReader(r).ReadMIMEHeader()
		if err != nil && err != io.EOF {
			// a command without headers ends with an empty line
			return
		}
		if n, _ := strconv.Atoi(mime.Get("Content-Length")); n > 0 {
			if _, err := io.CopyN(io.Discard, r, int64(n)); err != nil {
				return
			}
		}
		command := strings.TrimSpace(first)
		switch {
		case command == "connect":
			var b strings.Builder
			b.WriteString("Event-Name: CHANNEL_DATA\nUnique-ID: " + leg + "\nContent-Type: command/reply\nReply-Text: %2BOK%0A\nSocket-Mode: async\nControl: single-channel\n")
			for k, v := range headers {
				b.WriteString(k + ": " + url.PathEscape(v) + "\n")
			}
			fmt.Fprint(s.conn, b.String()+"\n")
		case strings.HasPrefix(command, "sendmsg"):
			fmt.Fprint(s.conn, "Content-Type: command/reply\nReply-Text: +OK\n\n")
			if mime.Get("Call-Command") == "hangup" {
				return
			}
			event := "Event-Name: CHANNEL_EXECUTE_COMPLETE\nUnique-ID: " + leg + "\nApplication-UUID: " + mime.Get("Event-Uuid") + "\n\n"
			fmt.Fprintf(s.conn, "Content-Length: %d\nContent-Type: text/event-plain\n\n%s", len(event), event)
		default:
			fmt.Fprint(s.conn, "Content-Type: command/reply\nReply-Text: +OK\n\n")
			if command == "exit" {
				return
			}
		}
	}
}

// bridgedWith tells whether two legs are bridged.
func (h *house) bridgedWith(c switchsim.Call) bool {
	return slices.ContainsFunc(h.sim.Channels(), func(i switchsim.ChannelInfo) bool { return i.UUID == c.A && i.Partner == c.B })
}

// over waits until livemon has done with the impostor.
func (s *switchImpostor) over() { <-s.done }
