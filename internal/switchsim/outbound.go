package switchsim

import (
	"net"
	"slices"
	"strconv"
	"strings"
	"time"
)

// dialTimeout bounds the connection to an outbound event socket.
const dialTimeout = 5 * time.Second

// appSocket is the socket application, 'socket HOST:PORT async [full]': a
// connection to a server that controls the leg, which is parked meanwhile. With
// full the server may control the switch as well.
func (s *Switch) appSocket(ch *channel, a *app) {
	a.open = true
	addr, _ := word(a.data)
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		host, port = addr, "8084"
	}
	ch.set("socket_host", host)
	s.wg.Add(1)
	go func() {
		defer s.wg.Done()
		d := net.Dialer{Timeout: dialTimeout}
		nc, err := d.DialContext(s.ctx, "tcp", net.JoinHostPort(host, port))
		s.lock()
		defer s.unlock()
		switch {
		case err != nil:
			s.log.Warn("outbound socket", "addr", addr, "err", err)
			if !a.over {
				s.finish(a)
			}
		case a.over || s.ctx.Err() != nil:
			_ = nc.Close() // the caller is gone
		default:
			c := s.newConn(nc)
			c.authed, c.leg, c.app = true, ch, a
			a.sock = c
			s.tell(ch, "CHANNEL_PARK", fromPark)
		}
	}()
}

// connect answers the server's first command with all that is known of the leg.
func (s *Switch) connect(c *conn) {
	ch := c.leg
	e := s.newEvent("CHANNEL_DATA", "", ch.uuid, fromConnect)
	ch.profileHeaders(e, "Channel-", &ch.p)
	ch.data(e)
	e.add("Content-Type", "command/reply")
	e.add("Reply-Text", "+OK\n")
	e.add("Socket-Mode", "async")
	control := "single-channel"
	if c.full() {
		control = "full"
	}
	e.add("Control", control)
	c.send([]byte(e.text(true)))
}

// full reports whether a connection may do more than steer its own leg.
func (c *conn) full() bool {
	if c.app == nil {
		return true
	}
	words := strings.Fields(c.app.data)
	return len(words) > 1 && slices.ContainsFunc(words[1:], func(w string) bool { return strings.EqualFold(w, "full") })
}

// socketLeft is the end of an outbound connection: the leg's dialplan goes on.
func (s *Switch) socketLeft(c *conn) {
	if !c.app.over && !c.leg.dead {
		s.finish(c.app)
	}
}

// socketLegGone tells an outbound connection that its leg is gone.
func (s *Switch) socketLegGone(ch *channel) {
	for _, c := range s.conns {
		if c.app == nil || c.leg != ch {
			continue
		}
		if !c.linger {
			c.disconnect()
			continue
		}
		notice := "Content-Type: text/disconnect-notice\nControlled-Session-UUID: " + ch.uuid +
			"\nContent-Disposition: linger\nChannel-Name: " + ch.name + "\n"
		if c.lingering >= 0 {
			notice += "Linger-Time: " + strconv.Itoa(int(c.lingering/time.Second)) + "\n"
			s.after(c.lingering, c.disconnect)
		}
		c.send([]byte(notice + "Content-Length: 0\n\n"))
	}
}
