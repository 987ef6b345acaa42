package conformance

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	"livemon/esl"
	"livemon/internal/fsapi"
)

var socketFacts = []fact{
	{name: "api-holds-events-up",
		claim: "An `api` command delays the events of its own connection until it is done, and those of no other.",
		check: func(c *check) {
			w := c.raw()
			defer w.close()
			w.command("event plain CHANNEL_PARK")
			l := c.phone("late", Behaviour{After: 300 * time.Millisecond})
			at, began := c.events.now(), time.Now()
			c.must(c.client.BGAPI(c.ctx, newUUID(), fsapi.Unchecked("originate "+c.dial(l)+" &park()")))
			w.write("api msleep 2000\n\n")
			c.await(at, "event=CHANNEL_PARK", "Unique-ID="+l.uuid)
			c.want(time.Since(began) < 1500*time.Millisecond, "the other connection had to wait too")
			order := []string{w.next().kind(), w.next().kind()}
			c.want(slices.Contains(order, "api/response") && slices.Contains(order, "text/event-plain"), "received %v", order)
			took := time.Since(began)
			c.note("the park's event came after %d ms", ms(took))
			c.want(took >= 1900*time.Millisecond, "the event came after %v already", took)
		}},
	{name: "bgapi-own-id",
		claim: "`bgapi` takes a Job-UUID of ours and answers at once; the output is the body of the BACKGROUND_JOB event with that id.",
		check: func(c *check) {
			w := c.raw()
			defer w.close()
			w.command("event plain BACKGROUND_JOB")
			id := newUUID()
			w.write("bgapi msleep 300\nJob-UUID: " + id + "\n\n")
			reply := w.next()
			c.want(reply.kind() == "command/reply" && reply.head["Job-UUID"] == id, "answered %v", reply.head)
			e := w.next().event()
			c.want(e.head["Job-UUID"] == id && strings.HasPrefix(e.body, "+OK"), "the job's event is %v %q", e.head, e.body)
			n, _ := strconv.Atoi(e.head["Content-Length"])
			c.want(n == len(e.body), "Content-Length %d, but the body has %d bytes", n, len(e.body))
		}},
	{name: "pipelined",
		claim: "Commands may be pipelined: 1,000 `api` in flight are answered in order.",
		check: func(c *check) {
			w := c.raw()
			defer w.close()
			const n = 500
			for i := range n {
				w.write(fmt.Sprintf("api uuid_exists %d\n\napi nosuch%d\n\n", i, i))
			}
			for i := range n {
				exists, unknown := w.next().body, w.next().body
				c.want(strings.TrimSpace(exists) == "false" && strings.HasPrefix(unknown, fmt.Sprintf("-ERR nosuch%d ", i)), "answers %d are %q, %q", i, exists, unknown)
			}
		}},
	{name: "line-feed",
		claim: "A bare line feed is answered by nothing and keeps the protocol in step.",
		check: func(c *check) {
			w := c.raw()
			defer w.close()
			for range 20 {
				w.write("\n")
			}
			w.write("api uuid_exists x\n\n\n\napi uuid_exists y\n\n")
			for range 2 {
				m := w.next()
				c.want(m.kind() == "api/response" && strings.TrimSpace(m.body) == "false", "received %v %q", m.head, m.body)
			}
		}},
	{name: "half-a-command",
		claim: "Half a command in the switch's buffer stops that connection's events until the rest has come.",
		check: func(c *check) {
			w := c.raw()
			defer w.close()
			w.command("event plain CHANNEL_PARK")
			w.write("api uuid_exists x\n")
			at := c.events.now()
			l := c.parked("half")
			c.await(at, "event=CHANNEL_PARK", "Unique-ID="+l.uuid)
			c.want(!w.ready(300*time.Millisecond), "the event came all the same")
			w.write("\n")
			kinds := []string{w.next().kind(), w.next().kind()}
			c.want(slices.Contains(kinds, "api/response") && slices.Contains(kinds, "text/event-plain"), "received %v", kinds)
		}},
	{name: "unknown-application",
		claim: "`sendmsg … execute` of an application that does not exist is answered +OK and hangs up the call, with DESTINATION_OUT_OF_ORDER.",
		check: func(c *check) {
			l := c.parked("victim")
			at := c.events.now()
			c.must(c.client.Execute(c.ctx, channelOf(l.uuid), fsapi.UncheckedApp("nosuch"+c.id, "")))
			e := c.await(at, "event=CHANNEL_HANGUP", "Unique-ID="+l.uuid)
			c.want(e.Get("Hangup-Cause") == "DESTINATION_OUT_OF_ORDER", "the cause is %s", e.Get("Hangup-Cause"))
		}},
	{name: "encoded",
		claim: "Values in `plain` events are URL-encoded.",
		check: func(c *check) {
			w := c.raw()
			defer w.close()
			l := c.parked("named")
			const value = `a b%c:ü"<>`
			c.ok("uuid_setvar %s livemon_value %s", l.uuid, value)
			w.command("event plain CHANNEL_HANGUP")
			c.ok("uuid_kill %s", l.uuid)
			e := w.next().event()
			c.want(e.head["variable_livemon_value"] == "a%20b%25c%3A%C3%BC%22%3C%3E", "encoded as %q", e.head["variable_livemon_value"])
		}},
	{name: "wrong-password",
		claim: "A wrong password is answered `-ERR invalid` and ends the connection.",
		check: func(c *check) {
			w := c.dialRaw()
			defer w.close()
			w.next()
			w.write("auth wrong" + c.id + "\n\n")
			c.want(strings.HasPrefix(w.next().head["Reply-Text"], "-ERR invalid"), "another answer")
			if m := w.more(); m != nil {
				c.want(m.kind() == "text/disconnect-notice", "received %v", m.head)
				m = w.more()
				c.want(m == nil, "the connection is still open")
			}
		}},
	{name: "sequence-has-gaps",
		claim: "`Event-Sequence` grows along the wire and has gaps where events were not subscribed to.",
		check: func(c *check) {
			at := c.events.now()
			c.call("user", "pupil")
			last, gaps := 0, 0
			for _, e := range c.events.since(at) {
				n, err := strconv.Atoi(e.Get("Event-Sequence"))
				c.must(err)
				if last != 0 && n != last+1 {
					gaps++
				}
				last = n
			}
			c.want(gaps > 0, "there are no gaps")
		}},
	{name: "outbound",
		claim: "The application `socket HOST:PORT async` connects a call to us, which we can then steer; when we let go of it with a park behind, it stays.",
		check: func(c *check) {
			l := c.parked("caller")
			ln, err := net.Listen("tcp4", net.JoinHostPort(c.sw.Here(), "0"))
			c.must(err)
			ctx, cancel := context.WithCancel(c.ctx)
			defer cancel()
			steered := make(chan error, 1)
			served := make(chan error, 1)
			go func() {
				served <- esl.ServeOutbound(ctx, ln, esl.OutboundOptions{}, func(ctx context.Context, call *esl.OutboundCall) {
					if call.Channel() != l.uuid {
						steered <- errors.New("another call was connected: " + call.Channel())
						return
					}
					steered <- call.Execute(ctx, fsapi.Assign(fsapi.Set{Name: fsapi.Name("livemon_steered"), Value: fsapi.Const("yes")}))
				})
			}()
			c.ok("uuid_transfer %s 'socket:%s async,park' inline", l.uuid, ln.Addr())
			select {
			case err = <-steered:
			case <-c.ctx.Done():
				err = c.ctx.Err()
			}
			c.until("what was executed on the call", func() bool { return c.variable(l, "livemon_steered") == "yes" })
			cancel()
			c.must(errors.Join(err, <-served))
			c.stays(300*time.Millisecond, "we have let go of it", l)
		}},
	{name: "outbound-single",
		claim: "Without `full` that connection gets no command of the switch: `api`, `bgapi`, `sendevent`, `event`, `linger` and `log` are answered `-ERR command not found` and do nothing. `sendmsg` reaches other calls, whose id it has to name.",
		check: func(c *check) {
			l, other := c.parked("caller"), c.parked("other")
			ln, err := net.Listen("tcp4", net.JoinHostPort(c.sw.Here(), "0"))
			c.must(err)
			defer func() { _ = ln.Close() }()
			c.must(ln.(*net.TCPListener).SetDeadline(time.Now().Add(patience)))
			c.ok("uuid_transfer %s 'socket:%s async,park' inline", l.uuid, ln.Addr())
			nc, err := ln.Accept()
			c.must(err)
			c.must(nc.SetDeadline(time.Now().Add(3 * patience)))
			w := &rawConn{c: c, nc: nc, r: bufio.NewReader(nc)}
			defer w.close()
			w.write("connect\n\n")
			m := w.next()
			c.want(m.head["Control"] == "single-channel" && m.head["Unique-ID"] == l.uuid, "connect is answered %s, %s", m.head["Control"], m.head["Unique-ID"])
			w.command("myevents plain")
			for _, line := range []string{
				"api uuid_setvar " + other.uuid + " livemon_reached yes", "bgapi uuid_setvar " + other.uuid + " livemon_reached yes",
				"sendevent CUSTOM\nEvent-Subclass: livemon::reached", "event plain ALL", "linger", "nolinger", "log 7", "API status", "nosuch",
			} {
				w.write(line + "\n\n")
				for m = w.next(); m.kind() == "text/event-plain"; m = w.next() {
				}
				c.want(m.kind() == "command/reply" && m.head["Reply-Text"] == "-ERR command not found", "%s is answered %v", line, m.head)
			}
			c.want(c.variable(other, "livemon_reached") == "", "a command was carried out")
			w.write("sendmsg " + other.uuid + "\ncall-command: execute\nexecute-app-name: set\nexecute-app-arg: livemon_reached=yes\n\n")
			c.until("what was executed on the other call", func() bool { return c.variable(other, "livemon_reached") == "yes" })
			c.ok("uuid_transfer %s park inline", l.uuid)
		}},
	{name: "created-stays", room: true,
		claim: "`Caller-Channel-Created-Time`, in microseconds, is the same in a channel's first event and in `uuid_dump` ever after: through a bridge, a room and a transfer. No variable changes it or `Call-Direction`.",
		check: func(c *check) {
			at := c.events.now()
			a, b := c.call("user", "pupil")
			first := map[*leg]string{}
			for _, l := range []*leg{a, b} {
				first[l] = c.await(at, "event=CHANNEL_CREATE", "Unique-ID="+l.uuid).Get("Caller-Channel-Created-Time")
				c.want(len(first[l]) == 16, "it is %q", first[l])
			}
			same := func(when string) {
				for l, want := range first {
					dump := c.api("uuid_dump %s", l.uuid)
					for _, line := range []string{"Caller-Channel-Created-Time: " + want, "Call-Direction: outbound"} {
						c.want(strings.Contains(dump, "\n"+line+"\n"), "%s: %s has not %q", when, c.short(l), line)
					}
				}
			}
			same("in a bridge")
			for _, l := range []*leg{a, b} {
				for _, name := range []string{"created_time", "Caller-Channel-Created-Time", "direction", "Call-Direction"} {
					c.ok("uuid_setvar %s %s 1", l.uuid, name)
				}
			}
			same("with variables of these names")
			c.move(a, b)
			same("in a room")
			c.bridged(a, b)
			same("in a bridge again")
			c.ok("uuid_transfer %s -both park inline", a.uuid)
			same("parked")
		}},
	{name: "show-lags",
		claim: "`show channels` is behind the events, by less than a second.",
		check: func(c *check) {
			var lags []time.Duration
			for range c.rounds(20) {
				l := c.parked("shown")
				began := time.Now()
				for !strings.Contains(c.api("show channels as json"), l.uuid) {
					c.want(time.Since(began) < patience, "it is not shown")
				}
				lags = append(lags, time.Since(began))
				c.must(l.Hangup(c.ctx))
				c.gone(l)
			}
			c.note("median %d ms, at most %d ms after the answer to originate", ms(median(lags)), ms(slices.Max(lags)))
			c.want(slices.Max(lags) < time.Second, "it took %v", slices.Max(lags))
		}},
	{name: "line-feeds-hasten", real: "the simulation delivers events late only when it is told to",
		claim: "An idle event connection delivers late, by up to some 25 ms; a line feed every 2 ms wakes it.",
		check: func(c *check) {
			slow, fast := c.delays(), time.Duration(0)
			c.events.stream.Hasten(true)
			fast = c.delays()
			c.note("median delay %.1f ms idle, %.1f ms with line feeds", float64(slow.Microseconds())/1000, float64(fast.Microseconds())/1000)
			c.want(fast < slow, "line feeds do not hasten")
		}},
	{name: "originate-refused",
		claim: "`originate` of a telephone that is busy, declines or does not answer is answered -ERR USER_BUSY, CALL_REJECTED and NO_ANSWER.",
		check: func(c *check) {
			for i, o := range []struct {
				b    Behaviour
				want string
			}{{Behaviour{Busy: true}, "USER_BUSY"}, {Behaviour{Declines: true}, "CALL_REJECTED"}, {Behaviour{Rings: true}, "NO_ANSWER"}} {
				l := c.phone(fmt.Sprintf("p%d", i), o.b)
				reply := strings.TrimSpace(c.api("originate %s &park()", c.dial(l, "originate_timeout=1")))
				c.want(reply == "-ERR "+o.want, "answered %q, not -ERR %s", reply, o.want)
			}
		}},
	{name: "originate-unknown",
		claim: "`originate` of a user who is not in the directory, and of a dial string of no known kind, is answered -ERR.",
		check: func(c *check) {
			for _, to := range []string{"user/nosuch" + c.id + "@" + strings.TrimSpace(c.api("global_getvar domain")), "nosuch/" + c.id} {
				reply := strings.TrimSpace(c.api("originate %s &park()", to))
				c.want(strings.HasPrefix(reply, "-ERR "), "originate %s answered %q", to, reply)
				c.note("%s: %s", strings.ReplaceAll(to, c.id, ""), reply)
			}
		}},
	{name: "originate-own-id",
		claim: "`origination_uuid` is the channel's id; one that is in use is refused.",
		check: func(c *check) {
			l := c.parked("first")
			c.want(c.alive(l), "the channel does not have the id")
			other := c.phone("second", Behaviour{})
			taken := strings.Replace(c.dial(other), other.uuid, l.uuid, 1)
			reply := c.api("originate %s &park()", taken)
			c.want(strings.HasPrefix(reply, "-ERR"), "an id in use was answered %q", reply)
			c.want(c.alive(l), "the first channel has ended")
		}},
	{name: "tone-detect", room: true, needs: []string{"mod_loopback", "mod_tone_stream"},
		claim: "`tone_detect` on a leg in a room fires DETECTED_TONE with its key when that leg hears the tone alone.",
		check: func(c *check) {
			a, b := c.loopback(), c.loopback()
			room := c.newRoom()
			c.enter(room, a, "")
			c.enter(room, b, "")
			at := c.events.now()
			key := "k" + c.id
			c.ok("tone_detect %s %s 1330 w", a.uuid, key)
			far := c.variable(b, "other_loopback_leg_uuid")
			c.ok("uuid_broadcast %s tone_stream://%%(1000,0,1330) aleg", far)
			began := time.Now()
			c.await(at, "event=DETECTED_TONE", "Detected-Tone="+key)
			c.note("after %d ms", ms(time.Since(began)))
		}},
}

// loopback is a leg whose far end is parked, as the self-test makes it.
func (c *check) loopback() *leg {
	l := &leg{name: "loopback", uuid: newUUID()}
	c.legs = append(c.legs, l)
	c.ok("originate {origination_uuid=%s,%s=%s,loopback_bowout=false}loopback/app=park &park()", l.uuid, mark, c.id)
	c.ok("uuid_answer %s", c.variable(l, "other_loopback_leg_uuid"))
	return l
}

// delays is how long events take in median: from a command to the event that says
// that it was done.
func (c *check) delays() time.Duration {
	var all []time.Duration
	for i := range 40 {
		c.pause(time.Duration(10+i) * time.Millisecond) // not in step with the switch
		at, began, id := c.events.now(), time.Now(), newUUID()
		c.must(c.client.BGAPI(c.ctx, id, fsapi.Exists(channelOf("x"))))
		c.await(at, "event=BACKGROUND_JOB", "Job-UUID="+id)
		all = append(all, time.Since(began))
	}
	return median(all)
}

// rawConn is an event socket connection without a client: to see what is sent.
type rawConn struct {
	c  *check
	nc net.Conn
	r  *bufio.Reader
}

// message is one message of the event socket.
type message struct {
	head map[string]string
	body string
}

func (m *message) kind() string { return m.head["Content-Type"] }

// event reads an event that is the message's body.
func (m *message) event() *message {
	head, body, _ := strings.Cut(m.body, "\n\n")
	return &message{head: headers(head), body: body}
}

func headers(text string) map[string]string {
	h := map[string]string{}
	for line := range strings.SplitSeq(text, "\n") {
		if name, value, ok := strings.Cut(line, ": "); ok {
			h[name] = value
		}
	}
	return h
}

func (c *check) dialRaw() *rawConn {
	nc, err := (&net.Dialer{}).DialContext(c.ctx, "tcp", c.sw.Socket().Addr)
	c.must(err)
	c.must(nc.SetDeadline(time.Now().Add(3 * patience)))
	return &rawConn{c: c, nc: nc, r: bufio.NewReader(nc)}
}

// raw is a connection that has authenticated.
func (c *check) raw() *rawConn {
	w := c.dialRaw()
	w.next()
	w.command("auth " + c.sw.Socket().Password)
	return w
}

func (w *rawConn) close() { _ = w.nc.Close() } // what was to be seen was seen

func (w *rawConn) write(text string) {
	_, err := io.WriteString(w.nc, text)
	w.c.must(err)
}

// command sends a command that must be accepted.
func (w *rawConn) command(line string) {
	w.write(line + "\n\n")
	m := w.next()
	w.c.want(strings.HasPrefix(m.head["Reply-Text"], "+OK"), "%s was answered %v", strings.Fields(line)[0], m.head)
}

// more is the next message, nil when the connection has ended.
func (w *rawConn) more() *message {
	var text strings.Builder
	for {
		line, err := w.r.ReadString('\n')
		if err != nil {
			return nil
		}
		if line == "\n" {
			break
		}
		text.WriteString(line)
	}
	m := &message{head: headers(text.String())}
	n, _ := strconv.Atoi(m.head["Content-Length"])
	body := make([]byte, n)
	if _, err := io.ReadFull(w.r, body); err != nil {
		return nil
	}
	m.body = string(body)
	return m
}

func (w *rawConn) next() *message {
	m := w.more()
	w.c.want(m != nil, "the connection has ended")
	return m
}

// ready tells whether anything is sent within a while.
func (w *rawConn) ready(d time.Duration) bool {
	w.c.must(w.nc.SetReadDeadline(time.Now().Add(d)))
	_, err := w.r.Peek(1)
	w.c.must(w.nc.SetReadDeadline(time.Now().Add(3 * patience)))
	return err == nil
}
