package switchsim_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"livemon/internal/switchsim"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience is how long a test waits for something that has to happen.
const patience = time.Minute

func start(t *testing.T, o switchsim.Options) *switchsim.Switch {
	t.Helper()
	s, err := switchsim.Start(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func ctx(t *testing.T) context.Context {
	t.Helper()
	c, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	return c
}

// event is a received event; names has its headers in order.
type event struct {
	names  []string
	values map[string]string
	body   string
}

func (e *event) get(n string) string { return e.values[n] }

// label is what tells events of a channel apart.
func (e *event) label() string {
	name := e.get("Event-Name")
	if name == "CUSTOM" {
		name = e.get("Action") + e.get("CC-Action")
	}
	return name
}

// client is a plain event socket client.
type client struct {
	t      *testing.T
	nc     net.Conn
	r      *bufio.Reader
	events []*event // received while something else was waited for
}

func dial(t *testing.T, s *switchsim.Switch) *client {
	t.Helper()
	nc, err := net.Dial("tcp", s.Addr())
	if err != nil {
		t.Fatal(err)
	}
	return attach(t, nc)
}

func attach(t *testing.T, nc net.Conn) *client {
	t.Helper()
	t.Cleanup(func() { _ = nc.Close() })
	return &client{t: t, nc: nc, r: bufio.NewReader(nc)}
}

func connect(t *testing.T, s *switchsim.Switch, subscribe ...string) *client {
	t.Helper()
	c := dial(t, s)
	if h, _ := c.message(); h["Content-Type"] != "auth/request" {
		t.Fatalf("greeting: %v", h)
	}
	if got := c.command("auth ClueCon"); got != "+OK accepted" {
		t.Fatalf("auth: %q", got)
	}
	for _, names := range subscribe {
		if got := c.command("event plain " + names); got != "+OK event listener enabled plain" {
			t.Fatalf("event: %q", got)
		}
	}
	return c
}

func (c *client) write(text string) {
	c.t.Helper()
	if _, err := io.WriteString(c.nc, text); err != nil {
		c.t.Fatal(err)
	}
}

// next reads one message.
func (c *client) next() (map[string]string, string, error) {
	if err := c.nc.SetReadDeadline(time.Now().Add(patience)); err != nil {
		return nil, "", err
	}
	h := map[string]string{}
	for {
		line, err := c.r.ReadString('\n')
		if err != nil {
			return nil, "", err
		}
		line = strings.TrimSuffix(line, "\n")
		if line == "" {
			break
		}
		name, value, _ := strings.Cut(line, ": ")
		h[name] = value
	}
	n, _ := strconv.Atoi(h["Content-Length"])
	body := make([]byte, n)
	_, err := io.ReadFull(c.r, body)
	return h, string(body), err
}

func (c *client) message() (map[string]string, string) {
	c.t.Helper()
	h, body, err := c.next()
	if err != nil {
		c.t.Fatal(err)
	}
	return h, body
}

func parseEvent(body string) *event {
	e := &event{values: map[string]string{}}
	head, rest, _ := strings.Cut(body, "\n\n")
	for _, line := range strings.Split(head, "\n") {
		name, value, _ := strings.Cut(line, ": ")
		value, err := url.PathUnescape(value)
		if err != nil {
			value = "bad escape: " + value
		}
		e.names = append(e.names, name)
		e.values[name] = value
	}
	e.body = rest
	return e
}

// answer reads until a message that is no event.
func (c *client) answer() (map[string]string, string) {
	c.t.Helper()
	for {
		h, body := c.message()
		if h["Content-Type"] != "text/event-plain" {
			return h, body
		}
		c.events = append(c.events, parseEvent(body))
	}
}

func (c *client) command(lines ...string) string {
	c.t.Helper()
	c.write(strings.Join(lines, "\n") + "\n\n")
	h, _ := c.answer()
	return h["Reply-Text"]
}

func (c *client) api(format string, args ...any) string {
	c.t.Helper()
	c.write("api " + fmt.Sprintf(format, args...) + "\n\n")
	h, body := c.answer()
	if h["Content-Type"] != "api/response" {
		c.t.Fatalf("answer to api %s: %v", fmt.Sprintf(format, args...), h)
	}
	return strings.TrimSuffix(body, "\n")
}

// want is api, with an answer that must be.
func (c *client) want(answer, format string, args ...any) {
	c.t.Helper()
	if got := c.api(format, args...); got != answer {
		c.t.Errorf("api %s\n got %q\nwant %q", fmt.Sprintf(format, args...), got, answer)
	}
}

// event is the next event.
func (c *client) event() *event {
	c.t.Helper()
	if len(c.events) > 0 {
		e := c.events[0]
		c.events = c.events[1:]
		return e
	}
	for {
		h, body := c.message()
		if h["Content-Type"] == "text/event-plain" {
			return parseEvent(body)
		}
		c.t.Fatalf("no event, but %v %q", h, body)
	}
}

// until returns the first event with all of these header values; name=value.
func (c *client) until(want ...string) *event {
	c.t.Helper()
	for {
		e := c.event()
		if !slices.ContainsFunc(want, func(w string) bool {
			name, value, _ := strings.Cut(w, "=")
			return e.get(name) != value
		}) {
			return e
		}
	}
}

// wait waits for a condition of the switch.
func wait(t *testing.T, s *switchsim.Switch, what string, cond func() bool) {
	t.Helper()
	if err := s.Until(ctx(t), cond); err != nil {
		t.Fatalf("%s: %v\n%v", what, err, s.Channels())
	}
}

// hears is whom a telephone hears, by numbers.
func hears(s *switchsim.Switch, number string) string {
	var out []string
	for _, uuid := range s.Hears(number) {
		out = append(out, s.Number(uuid))
	}
	out = append(out, s.Sounds(number)...)
	slices.Sort(out)
	return strings.Join(out, " ")
}

func waitHears(t *testing.T, s *switchsim.Switch, number, want string) {
	t.Helper()
	if err := s.Until(ctx(t), func() bool { return hears(s, number) == want }); err != nil {
		t.Fatalf("%s hears %q, want %q", number, hears(s, number), want)
	}
}

// frames is for how many frames a telephone heard another one.
func frames(s *switchsim.Switch, listener, speaker string) int {
	n := 0
	for _, sp := range s.Truth() {
		if s.Number(sp.Listener) == listener && s.Number(sp.Speaker) == speaker {
			n += sp.Frames
		}
	}
	return n
}

func call(t *testing.T, s *switchsim.Switch, from, to string) switchsim.Call {
	t.Helper()
	c, err := s.Call(ctx(t), from, to)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// memberID is a telephone's member id.
func memberID(s *switchsim.Switch, number string) int {
	for _, ch := range s.Channels() {
		if ch.Number == number {
			return ch.Member
		}
	}
	return 0
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func sprintf(format string, args ...any) string { return fmt.Sprintf(format, args...) }
