package switchsim

import (
	"bufio"
	"errors"
	"io"
	"net"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Bounds on what a connection may hold or send.
const (
	maxQueuedEvents = 100_000 // as in mod_event_socket: beyond this, events are lost
	maxQueuedBytes  = 64 << 20
	maxLostEvents   = 500     // then the connection is cut
	maxCommand      = 1 << 20 // of one command's header lines
	maxBody         = 10 << 20
)

const pollInterval = 20 * time.Millisecond

const goodbye = "Disconnected, goodbye.\nSee you at ClueCon! http://www.cluecon.com/\n"

// conn is one event socket connection, inbound or outbound.
type conn struct {
	s    *Switch
	id   int
	nc   net.Conn
	gone chan struct{} // closed when the connection is
	once sync.Once

	// What follows is guarded by the switch's lock.
	authed  bool
	format  string // plain or json
	events  map[string]bool
	all     bool
	custom  map[string]bool
	filters []header
	busy    bool // an api command runs: events wait for it, as they do on a real switch
	half    bool // a command has begun to come: events wait for the rest of it
	late    bool // events wait for the next poll
	polled  time.Time
	poll    *task
	held    []*event

	// For an outbound connection.
	leg       *channel
	app       *app // the socket application that it belongs to
	mine      bool // myevents
	lingering time.Duration
	linger    bool

	// The queue to the writer.
	qmu    sync.Mutex
	queue  [][]byte
	bytes  int
	lost   int
	ending bool // close once all is written
	ready  chan struct{}
}

func (s *Switch) newConn(nc net.Conn) *conn {
	s.connSeq++
	c := &conn{s: s, id: s.connSeq, nc: nc, gone: make(chan struct{}), ready: make(chan struct{}, 1),
		format: "plain", events: map[string]bool{}, custom: map[string]bool{}, polled: s.now}
	s.conns = append(s.conns, c)
	s.wg.Add(2)
	go c.write()
	go c.read()
	return c
}

// close cuts the connection. It may be called with the switch locked or not.
func (c *conn) close() {
	c.once.Do(func() {
		close(c.gone)
		_ = c.nc.Close() // there is nobody left to tell
	})
}

// send queues bytes for the writer.
func (c *conn) send(b []byte) {
	c.qmu.Lock()
	if !c.ending {
		c.queue = append(c.queue, b)
		c.bytes += len(b)
	}
	c.qmu.Unlock()
	c.kick()
}

// finish lets the connection be closed once everything queued is written.
func (c *conn) finish() {
	c.qmu.Lock()
	c.ending = true
	c.qmu.Unlock()
	c.kick()
}

func (c *conn) kick() {
	select {
	case c.ready <- struct{}{}:
	default:
	}
}

func (c *conn) write() {
	defer c.s.wg.Done()
	defer c.close()
	for {
		c.qmu.Lock()
		batch, ending := net.Buffers(c.queue), c.ending
		c.queue, c.bytes = nil, 0
		c.qmu.Unlock()
		if len(batch) > 0 {
			if _, err := batch.WriteTo(c.nc); err != nil {
				return
			}
			continue
		}
		if ending {
			return
		}
		select {
		case <-c.ready:
		case <-c.gone:
			return
		}
	}
}

// wants tells whether the connection has subscribed to such an event.
func (c *conn) wants(name, subclass, uuid string) bool {
	if !c.authed || c.mine && (c.leg == nil || uuid != c.leg.uuid) {
		return false
	}
	if c.all {
		return true
	}
	return c.events[name] && (name != "CUSTOM" || c.custom[subclass])
}

// passes tells whether the filters let an event through.
func (c *conn) passes(e *event) bool {
	if len(c.filters) == 0 {
		return true
	}
	send := false
	for _, f := range c.filters {
		have, ok := e.get(f.name)
		if !ok {
			continue
		}
		want, positive := f.value, true
		for want != "" && strings.IndexByte("+- ", want[0]) >= 0 {
			if want[0] != ' ' {
				positive = want[0] == '+'
			}
			want = want[1:]
		}
		if send && positive || want == "" {
			continue
		}
		match := strings.EqualFold(have, want)
		if strings.HasPrefix(want, "/") {
			re, err := regexp.Compile(strings.Trim(want, "/"))
			match = err == nil && re.MatchString(have)
		}
		if match && !positive {
			return false
		}
		send = send || match
	}
	return send
}

// deliver sends an event, or keeps it while the connection is busy or asleep.
func (c *conn) deliver(e *event) {
	if !c.busy && !c.late && !c.half {
		c.push(e)
		return
	}
	c.held = append(c.held, e)
	if c.late && c.poll == nil {
		wait := pollInterval - c.s.now.Sub(c.polled)%pollInterval
		c.poll = c.s.after(wait, func() { c.poll = nil; c.wakeUp() })
	}
}

// wakeUp is the listener thread looking at its event queue.
func (c *conn) wakeUp() {
	c.polled = c.s.now
	if c.busy || c.half {
		return
	}
	held := c.held
	c.held = nil
	for _, e := range held {
		c.push(e)
	}
}

func (c *conn) push(e *event) {
	c.qmu.Lock()
	full := len(c.queue) >= maxQueuedEvents || c.bytes >= maxQueuedBytes
	if full {
		c.lost++
	}
	cut := c.lost > maxLostEvents
	c.qmu.Unlock()
	switch {
	case cut:
		c.close()
	case !full:
		c.send(e.message(c.format))
	}
}

// reply answers a command.
func (c *conn) reply(text string) {
	c.send([]byte("Content-Type: command/reply\nReply-Text: " + text + "\n\n"))
}

func (c *conn) apiReply(body string) {
	c.send([]byte("Content-Type: api/response\nContent-Length: " + strconv.Itoa(len(body)) + "\n\n" + body))
}

// disconnect says goodbye and closes the connection.
func (c *conn) disconnect() {
	head := "Content-Type: text/disconnect-notice\n"
	if c.leg != nil {
		head += "Controlled-Session-UUID: " + c.leg.uuid + "\nContent-Disposition: disconnect\n"
	}
	c.send([]byte(head + "Content-Length: " + strconv.Itoa(len(goodbye)) + "\n\n" + goodbye))
	c.finish()
}

// command is one command as it was received.
type command struct {
	line    string // the first line
	headers []header
	body    string
}

func (m *command) get(name string) string {
	for _, h := range m.headers {
		if strings.EqualFold(h.name, name) {
			return h.value
		}
	}
	return ""
}

// whole is the command as faults match it and as Commands lists it.
func (m *command) whole() string {
	out := m.line
	for _, h := range m.headers {
		out += "\n" + h.name + ": " + h.value
	}
	if m.body != "" {
		out += "\n\n" + m.body
	}
	return out
}

var errTooLong = errors.New("switchsim: command too long")

// readCommand reads one command. idle is called for every line end in front of
// it: they are answered by nothing, but wake the connection. begun is called when
// the command's first byte has come.
func readCommand(r *bufio.Reader, idle, begun func()) (*command, error) {
	for {
		b, err := r.ReadByte()
		if err != nil {
			return nil, err
		}
		if b != '\n' && b != '\r' {
			if err := r.UnreadByte(); err != nil {
				return nil, err
			}
			break
		}
		idle()
	}
	begun()
	m := &command{}
	length, size := 0, 0
	for {
		line, err := readLine(r, maxCommand-size)
		if err != nil {
			return nil, err
		}
		size += len(line) + 1
		if line == "" {
			break
		}
		if m.line == "" {
			m.line = line
			continue
		}
		name, value, ok := strings.Cut(line, ":")
		if !ok {
			continue
		}
		value = strings.TrimLeft(value, " ")
		m.headers = append(m.headers, header{name, value})
		if strings.EqualFold(name, "content-length") {
			if n, err := strconv.Atoi(value); err == nil && n > 0 {
				length = n
			}
		}
	}
	if length > maxBody {
		return nil, errTooLong
	}
	if length > 0 {
		body := make([]byte, length)
		if _, err := io.ReadFull(r, body); err != nil {
			return nil, err
		}
		m.body = string(body)
	}
	return m, nil
}

func readLine(r *bufio.Reader, max int) (string, error) {
	var line []byte
	for {
		part, err := r.ReadSlice('\n')
		line = append(line, part...)
		if len(line) > max {
			return "", errTooLong
		}
		if err == nil {
			return strings.TrimRight(string(line), "\r\n"), nil
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			return "", err
		}
	}
}

func (c *conn) read() {
	defer c.s.wg.Done()
	defer c.left()
	r := bufio.NewReader(c.nc)
	idle := func() {
		c.s.lock()
		c.wakeUp()
		c.s.unlock()
	}
	half := func(on bool) {
		c.s.lock()
		if c.half = on; !on && !c.late {
			c.wakeUp()
		}
		c.s.unlock()
	}
	for {
		m, err := readCommand(r, idle, func() { half(true) })
		if err != nil {
			return
		}
		half(false)
		if !c.s.serve(c, m) {
			// What was answered last still has to reach the client.
			<-c.gone
			return
		}
	}
}

// left is called when nothing more can come from the connection.
func (c *conn) left() {
	c.close()
	s := c.s
	s.lock()
	defer s.unlock()
	for i, o := range s.conns {
		if o == c {
			s.conns = append(s.conns[:i:i], s.conns[i+1:]...)
			break
		}
	}
	s.forget(c.poll)
	c.held = nil
	if c.app != nil {
		s.socketLeft(c)
	}
}
