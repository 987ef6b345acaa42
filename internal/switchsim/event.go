package switchsim

import (
	"encoding/json"
	"strconv"
	"strings"
	"time"
)

type header struct{ name, value string }

// event is one event on its way to the connections. It is not changed once it
// has been fired, and serialized at most once for each format.
type event struct {
	name, subclass string
	uuid           string // of the channel it is about
	headers        []header
	body           string
	plain, json    []byte
}

func (e *event) add(name, value string) { e.headers = append(e.headers, header{name, value}) }

func (e *event) addInt(name string, v int) { e.add(name, strconv.Itoa(v)) }

// get returns the first header of that name; names are compared as the switch
// compares them, without regard to case.
func (e *event) get(name string) (string, bool) {
	for _, h := range e.headers {
		if strings.EqualFold(h.name, name) {
			return h.value, true
		}
	}
	return "", false
}

// origin is where in FreeSWITCH's source an event comes from, as its headers say.
type origin struct {
	file, function string
	line           int
}

var (
	fromState    = origin{"switch_channel.c", "switch_channel_perform_set_running_state", 2408}
	fromCall     = origin{"switch_channel.c", "switch_channel_perform_set_callstate", 301}
	fromCreate   = origin{"switch_core_state_machine.c", "switch_core_session_run", 626}
	fromOrig     = origin{"switch_core_state_machine.c", "switch_core_session_run", 632}
	fromOutgoing = origin{"switch_core_session.c", "switch_core_session_outgoing_channel", 768}
	fromRing     = origin{"switch_channel.c", "switch_channel_perform_mark_ring_ready_value", 3471}
	fromPre      = origin{"switch_channel.c", "switch_channel_perform_mark_pre_answered", 3560}
	fromAnswer   = origin{"switch_channel.c", "switch_channel_perform_mark_answered", 3846}
	fromExec     = origin{"switch_core_session.c", "switch_core_session_exec", 2944}
	fromExecDone = origin{"switch_core_session.c", "switch_core_session_exec", 2967}
	fromBridge   = origin{"switch_ivr_bridge.c", "switch_ivr_multi_threaded_bridge", 1689}
	fromUnbridge = origin{"switch_ivr_bridge.c", "switch_ivr_multi_threaded_bridge", 1879}
	fromUUIDBr   = origin{"switch_ivr_bridge.c", "uuid_bridge_on_soft_execute", 1236}
	fromPark     = origin{"switch_ivr.c", "switch_ivr_park", 1002}
	fromUnpark   = origin{"switch_ivr.c", "switch_ivr_park", 1213}
	fromHold     = origin{"switch_channel.c", "switch_channel_mark_hold", 875}
	fromDTMF     = origin{"switch_channel.c", "switch_channel_dequeue_dtmf", 677}
	fromHangup   = origin{"switch_channel.c", "switch_channel_perform_hangup", 3445}
	fromReport   = origin{"switch_core_state_machine.c", "switch_core_session_reporting_state", 943}
	fromDestroy  = origin{"switch_core_session.c", "switch_core_session_perform_destroy", 1584}
	fromAPI      = origin{"switch_loadable_module.c", "switch_api_execute", 2954}
	fromJob      = origin{"mod_event_socket.c", "api_exec", 1572}
	fromSend     = origin{"mod_event_socket.c", "parse_command", 2275}
	fromDump     = origin{"mod_commands.c", "uuid_dump_function", 6468}
	fromConnect  = origin{"mod_event_socket.c", "parse_command", 2021}
	fromBeat     = origin{"switch_core.c", "send_heartbeat", 95}
	fromTone     = origin{"switch_ivr_async.c", "tone_detect_callback", 4215}
	fromRegister = origin{"sofia_reg.c", "sofia_reg_handle_register_token", 2000}
)

// fire makes an event and gives it to every connection that wants it. fill is
// only called if there is one.
func (s *Switch) fire(name, subclass, uuid string, from origin, fill func(*event)) {
	s.sequence++
	var e *event
	for _, c := range s.conns {
		if !c.wants(name, subclass, uuid) {
			continue
		}
		if e == nil {
			e = s.newEvent(name, subclass, uuid, from)
			if fill != nil {
				fill(e)
			}
		}
		if c.passes(e) {
			c.deliver(e)
		}
	}
}

func (s *Switch) newEvent(name, subclass, uuid string, from origin) *event {
	e := &event{name: name, subclass: subclass, uuid: uuid, headers: make([]header, 0, 128)}
	if subclass != "" {
		e.add("Event-Subclass", subclass)
	}
	local, gmt := s.now.Local(), s.now.UTC()
	e.add("Event-Name", name)
	e.add("Core-UUID", s.coreUUID)
	e.add("FreeSWITCH-Hostname", s.opt.Hostname)
	e.add("FreeSWITCH-Switchname", s.opt.Hostname)
	e.add("FreeSWITCH-IPv4", "127.0.0.1")
	e.add("FreeSWITCH-IPv6", "::1")
	e.add("Event-Date-Local", local.Format("2006-01-02 15:04:05"))
	e.add("Event-Date-GMT", gmt.Format("Mon, 02 Jan 2006 15:04:05 GMT"))
	e.add("Event-Date-Timestamp", micros(s.now))
	e.add("Event-Calling-File", from.file)
	e.add("Event-Calling-Function", from.function)
	e.addInt("Event-Calling-Line-Number", from.line)
	e.add("Event-Sequence", strconv.FormatUint(s.sequence, 10))
	return e
}

// micros is a time as the switch writes it: microseconds since 1970, 0 for never.
func micros(t time.Time) string {
	if t.IsZero() {
		return "0"
	}
	return strconv.FormatInt(t.UnixMicro(), 10)
}

// unsafeURL are the bytes that the switch escapes besides those outside of ' ' to '~'.
const unsafeURL = "\r\n #%&+:;<=>?@[\\]^`{|}\""

const upperHex = "0123456789ABCDEF"

// escape encodes a header's value as 'plain' events do. What already is a %XX
// with capital digits stays as it is: so does the switch.
func escape(b *strings.Builder, v string) {
	for i := 0; i < len(v); i++ {
		c := v[i]
		ok := c >= ' ' && c <= '~' && strings.IndexByte(unsafeURL, c) < 0
		if c == '%' && i+2 < len(v) && strings.IndexByte(upperHex, v[i+1]) >= 0 && strings.IndexByte(upperHex, v[i+2]) >= 0 {
			ok = true
		}
		if ok {
			b.WriteByte(c)
			continue
		}
		b.WriteByte('%')
		b.WriteByte(upperHex[c>>4])
		b.WriteByte(upperHex[c&15])
	}
}

// text is the event as it stands in a 'plain' message's body. Values are
// escaped, or put into brackets as 'uuid_dump UUID txt' has them.
func (e *event) text(escaped bool) string {
	var b strings.Builder
	b.Grow(len(e.headers)*48 + len(e.body))
	for _, h := range e.headers {
		b.WriteString(h.name)
		b.WriteString(": ")
		if escaped {
			escape(&b, h.value)
		} else {
			b.WriteString("[" + h.value + "]")
		}
		b.WriteByte('\n')
	}
	if e.body != "" {
		b.WriteString("Content-Length: " + strconv.Itoa(len(e.body)) + "\n\n" + e.body)
	} else {
		b.WriteByte('\n')
	}
	return b.String()
}

// object is the event as a JSON object. As the switch does, it repeats a header
// that was added twice.
func (e *event) object() string {
	var b strings.Builder
	b.WriteByte('{')
	for i, h := range e.headers {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(quote(h.name) + ":" + quote(h.value))
	}
	if e.body != "" {
		b.WriteString(`,"Content-Length":` + quote(strconv.Itoa(len(e.body))) + `,"_body":` + quote(e.body))
	}
	b.WriteByte('}')
	return b.String()
}

// quote is a JSON string without the escaping of markup that json.Marshal adds.
func quote(v string) string {
	var b strings.Builder
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return `""` // a string can always be encoded
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// message is the event as it goes over the wire.
func (e *event) message(format string) []byte {
	if format == "json" {
		if e.json == nil {
			e.json = frame("text/event-json", e.object())
		}
		return e.json
	}
	if e.plain == nil {
		e.plain = frame("text/event-plain", e.text(true))
	}
	return e.plain
}

func frame(contentType, body string) []byte {
	return []byte("Content-Length: " + strconv.Itoa(len(body)) + "\nContent-Type: " + contentType + "\n\n" + body)
}
