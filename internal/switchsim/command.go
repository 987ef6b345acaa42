package switchsim

import (
	"strconv"
	"strings"
	"time"
)

// serve does one command of a connection, and answers it. It returns false when
// the connection is to read no more.
func (s *Switch) serve(c *conn, m *command) bool {
	s.lock()
	c.wakeUp()
	if !c.authed {
		ok := s.auth(c, m)
		s.unlock()
		return ok
	}
	text := m.whole()
	s.record(text)
	f := s.faultFor(text)
	line := m.line
	verb := strings.ToLower(line)
	full := c.full()
	isAPI := full && strings.HasPrefix(verb, "api ")
	if full && strings.HasPrefix(verb, "bgapi ") {
		s.background(c, m, f)
		s.unlock()
		return true
	}
	c.busy = isAPI
	if f.Before != nil || f.Delay > 0 || f.Drop {
		s.unlock()
		if !s.before(f, c) {
			c.close()
			return false
		}
		s.lock()
	}
	answer := f.Reply
	more := true
	if !f.skips() {
		if isAPI {
			done := make(chan string, 1)
			s.api(line[4:], func(r string) { done <- r })
			s.lose(f)
			select {
			case answer = <-done:
			default: // it takes its time
				s.unlock()
				select {
				case answer = <-done:
				case <-c.gone:
					return false
				}
				s.lock()
			}
		} else {
			answer, more = s.simple(c, m)
			s.lose(f)
		}
		if f.ExecuteButReply != "" {
			answer = f.ExecuteButReply
		}
	}
	if f.After != nil {
		s.unlock()
		f.After()
		s.lock()
	}
	defer s.unlock()
	if f.Drop {
		c.close()
		return false
	}
	if !f.Swallow {
		switch {
		case isAPI:
			c.apiReply(answer)
		case answer != "":
			c.reply(answer)
		}
	}
	c.busy = false
	c.wakeUp()
	if !more {
		c.disconnect()
	}
	return more
}

func (s *Switch) lose(f *Fault) {
	if f.LoseLeg == "" {
		return
	}
	s.after(loseAfter, func() {
		if ch := s.find(f.LoseLeg); ch != nil {
			s.hangup(ch, "NORMAL_CLEARING")
		}
	})
}

func (s *Switch) auth(c *conn, m *command) bool {
	pass, ok := strings.CutPrefix(m.line, "auth ")
	switch {
	case ok && pass == s.opt.Password:
		c.authed = true
		c.reply("+OK accepted")
		return true
	case ok:
		c.reply("-ERR invalid")
	case strings.HasPrefix(strings.ToLower(m.line), "exit"):
		c.reply("+OK bye")
	default:
		// A real switch says the same, and then hangs up too.
		c.reply("-ERR command not found")
	}
	c.disconnect()
	return false
}

// background is bgapi: the answer at once, the result as an event.
func (s *Switch) background(c *conn, m *command, f *Fault) {
	if f.Drop && !f.AfterDoing && f.Delay == 0 && f.Before == nil {
		c.close()
		return
	}
	job := m.get("Job-UUID")
	if job == "" {
		job = newUUID()
	}
	name, arg := cutCommand(m.line[6:])
	c.send([]byte("Content-Type: command/reply\nReply-Text: +OK Job-UUID: " + job + "\nJob-UUID: " + job + "\n\n"))
	finish := func(body string) {
		if f.ExecuteButReply != "" {
			body = f.ExecuteButReply
		}
		if f.Drop {
			c.close()
		}
		if f.Swallow {
			return
		}
		s.fire("BACKGROUND_JOB", "", "", fromJob, func(e *event) {
			e.add("Job-UUID", job)
			e.add("Job-Command", name)
			if arg != "" {
				e.add("Job-Command-Arg", arg)
			}
			e.body = body
		})
	}
	run := func() {
		switch {
		case f.Reply != "":
			finish(f.Reply)
		case !f.skips():
			s.api(m.line[6:], finish)
			s.lose(f)
		}
	}
	if f.Before == nil && f.Delay == 0 && f.After == nil {
		run()
		return
	}
	s.wg.Add(1)
	go func() {
		defer s.wg.Done()
		if !s.before(f, c) {
			c.close()
			return
		}
		s.lock()
		run()
		s.unlock()
		if f.After != nil {
			f.After()
		}
	}()
}

// simple does every command but api and bgapi. more is false after exit.
func (s *Switch) simple(c *conn, m *command) (answer string, more bool) {
	line := m.line
	verb := strings.ToLower(line)
	arg := func(n int) string { return strings.TrimSpace(line[n:]) }
	switch {
	case strings.HasPrefix(verb, "exit"), strings.HasPrefix(verb, "..."):
		return "+OK bye", false
	case strings.HasPrefix(verb, "filter "):
		return c.filter(arg(7)), true
	case c.app != nil && strings.HasPrefix(verb, "connect"):
		s.connect(c)
		return "", true
	case c.app != nil && strings.HasPrefix(verb, "getvar"):
		v, _ := s.variable(c.leg, arg(6))
		return v, true
	case c.app != nil && strings.HasPrefix(verb, "resume"):
		c.leg.set("socket_resume", "true")
		return "+OK", true
	case strings.HasPrefix(verb, "myevents"):
		return s.myEvents(c, arg(8)), true
	case strings.HasPrefix(verb, "divert_events"):
		return c.divert(arg(13)), true
	case strings.HasPrefix(verb, "sendmsg"):
		return s.sendmsg(c, arg(7), m), true
	case !c.full():
		return "-ERR command not found", true
	case strings.HasPrefix(verb, "sendevent"):
		return s.sendevent(arg(9), m), true
	case strings.HasPrefix(verb, "nolinger"):
		if c.app == nil {
			return "-ERR not controlling a session", true
		}
		c.linger = false
		return "+OK will not linger", true
	case strings.HasPrefix(verb, "linger"):
		return c.setLinger(arg(6)), true
	case strings.HasPrefix(verb, "event"):
		return c.subscribe(arg(5)), true
	case strings.HasPrefix(verb, "nixevent"):
		return c.unsubscribe(arg(8)), true
	case strings.HasPrefix(verb, "noevents"):
		if !c.all && len(c.events) == 0 {
			return "-ERR not listening for events", true
		}
		c.all, c.events, c.custom, c.held = false, map[string]bool{}, map[string]bool{}, nil
		return "+OK no longer listening for events", true
	case strings.HasPrefix(verb, "nolog"):
		return "-ERR not loging", true // sic
	case strings.HasPrefix(verb, "log"):
		return "+OK log level " + arg(3) + " [7]", true
	}
	return "-ERR command not found", true
}

// eventNames are the events that can be subscribed to by name.
var eventNames = func() map[string]bool {
	m := map[string]bool{}
	for _, n := range strings.Fields(`CUSTOM CLONE CHANNEL_CREATE CHANNEL_DESTROY CHANNEL_STATE CHANNEL_CALLSTATE CHANNEL_ANSWER
		CHANNEL_HANGUP CHANNEL_HANGUP_COMPLETE CHANNEL_EXECUTE CHANNEL_EXECUTE_COMPLETE CHANNEL_HOLD CHANNEL_UNHOLD CHANNEL_BRIDGE
		CHANNEL_UNBRIDGE CHANNEL_PROGRESS CHANNEL_PROGRESS_MEDIA CHANNEL_OUTGOING CHANNEL_PARK CHANNEL_UNPARK CHANNEL_APPLICATION
		CHANNEL_ORIGINATE CHANNEL_UUID API LOG INBOUND_CHAN OUTBOUND_CHAN STARTUP SHUTDOWN PUBLISH UNPUBLISH TALK NOTALK
		SESSION_CRASH MODULE_LOAD MODULE_UNLOAD DTMF MESSAGE PRESENCE_IN NOTIFY_IN PRESENCE_OUT PRESENCE_PROBE MESSAGE_WAITING
		MESSAGE_QUERY ROSTER CODEC BACKGROUND_JOB DETECTED_SPEECH DETECTED_TONE PRIVATE_COMMAND HEARTBEAT TRAP ADD_SCHEDULE
		DEL_SCHEDULE EXE_SCHEDULE RE_SCHEDULE RELOADXML NOTIFY PHONE_FEATURE SEND_MESSAGE RECV_MESSAGE REQUEST_PARAMS CHANNEL_DATA
		GENERAL COMMAND SESSION_HEARTBEAT CLIENT_DISCONNECTED SERVER_DISCONNECTED SEND_INFO RECV_INFO RECV_RTCP_MESSAGE CALL_SECURE
		NAT RECORD_START RECORD_STOP PLAYBACK_START PLAYBACK_STOP CALL_UPDATE FAILURE SOCKET_DATA MEDIA_BUG_START MEDIA_BUG_STOP ALL`) {
		m[n] = true
	}
	return m
}()

func (c *conn) subscribe(arg string) string {
	keys, custom := 0, false
	for i, w := range strings.Fields(arg) {
		if i == 0 {
			switch strings.ToLower(w) {
			case "plain", "json":
				c.format = strings.ToLower(w)
				continue
			}
		}
		name := strings.ToUpper(w)
		switch {
		case custom:
			c.custom[w] = true
		case !eventNames[name]:
		case name == "ALL":
			keys++
			c.all = true
		default:
			keys++
			c.events[name] = true
			custom = name == "CUSTOM"
		}
	}
	if keys == 0 {
		return "-ERR no keywords supplied"
	}
	return "+OK event listener enabled " + c.format
}

func (c *conn) unsubscribe(arg string) string {
	keys, custom := 0, false
	for _, w := range strings.Fields(arg) {
		name := strings.ToUpper(w)
		switch {
		case custom:
			delete(c.custom, w)
		case !eventNames[name]:
		case name == "CUSTOM":
			keys++
			custom = true
		case name == "ALL":
			keys++
			c.all, c.events = false, map[string]bool{}
		default:
			keys++
			if c.all {
				c.all = false
				for n := range eventNames {
					c.events[n] = true
				}
			}
			delete(c.events, name)
		}
	}
	if keys == 0 {
		return "-ERR no keywords supplied"
	}
	return "+OK events nixed"
}

func (c *conn) filter(arg string) string {
	name, value := word(arg)
	if strings.EqualFold(name, "delete") && value != "" {
		name, value = word(value)
		var left []header
		for _, f := range c.filters {
			if !strings.EqualFold(name, "all") && !(strings.EqualFold(f.name, name) && (value == "" || f.value == value)) {
				left = append(left, f)
			}
		}
		c.filters = left
		return "+OK filter deleted. [" + name + "][" + value + "]"
	}
	if strings.EqualFold(name, "add") {
		name, value = word(value)
	}
	if value == "" {
		return "-ERR invalid syntax"
	}
	c.filters = append(c.filters, header{name, value})
	return "+OK filter added. [" + name + "]=[" + value + "]"
}

func (c *conn) divert(onoff string) string {
	switch {
	case c.leg == nil:
		return "-ERR not controlling a session."
	case onoff == "":
		return "-ERR missing value."
	case strings.EqualFold(onoff, "on"):
		return "+OK events diverted"
	}
	return "+OK events not diverted"
}

func (c *conn) setLinger(arg string) string {
	if c.app == nil {
		return "-ERR not controlling a session"
	}
	c.linger = true
	if n, err := strconv.Atoi(arg); err == nil {
		c.lingering = time.Duration(n) * time.Second
		return "+OK will linger " + strconv.Itoa(n) + " seconds"
	}
	c.lingering = -1
	return "+OK will linger"
}

// ofMyEvents are the events that 'myevents' subscribes to.
var ofMyEvents = strings.Fields(`CHANNEL_ANSWER CHANNEL_APPLICATION CHANNEL_BRIDGE CHANNEL_CREATE CHANNEL_DATA CHANNEL_DESTROY
	CHANNEL_EXECUTE CHANNEL_EXECUTE_COMPLETE CHANNEL_HANGUP CHANNEL_HANGUP_COMPLETE CHANNEL_ORIGINATE CHANNEL_UUID CHANNEL_OUTGOING
	CHANNEL_PARK CHANNEL_PROGRESS CHANNEL_PROGRESS_MEDIA CHANNEL_STATE CHANNEL_UNBRIDGE CHANNEL_UNPARK DETECTED_SPEECH DTMF NOTALK TALK`)

func (s *Switch) myEvents(c *conn, arg string) string {
	if c.mine {
		return "-ERR aready enabled." // sic
	}
	if c.app == nil {
		uuid, format := word(arg)
		ch := s.channels[uuid]
		if ch == nil {
			return "-ERR invalid uuid"
		}
		c.leg, arg = ch, format
	}
	if strings.Contains(strings.ToLower(arg), "json") {
		c.format = "json"
	}
	for _, n := range ofMyEvents {
		c.events[n] = true
	}
	c.mine = true
	return "+OK Events Enabled"
}

func (s *Switch) sendevent(name string, m *command) string {
	id := newUUID()
	name = strings.ToUpper(name)
	subclass := ""
	if name == "CUSTOM" {
		subclass = m.get("Event-Subclass")
	}
	if !eventNames[name] {
		name = "CLONE"
	}
	s.fire(name, subclass, m.get("Unique-ID"), fromSend, func(e *event) {
		e.add("Command", m.line)
		for _, h := range m.headers {
			if !strings.EqualFold(h.name, "Event-Subclass") && !strings.EqualFold(h.name, "Content-Length") {
				e.add(h.name, h.value)
			}
		}
		e.add("Event-UUID", id)
		e.body = m.body
	})
	return "+OK " + id
}

func (s *Switch) sendmsg(c *conn, uuid string, m *command) string {
	if uuid == "" {
		uuid = m.get("session-id")
	}
	ch := c.leg
	if uuid != "" {
		ch = s.live(uuid)
	}
	if ch == nil {
		return "-ERR invalid session id [" + uuid + "]"
	}
	if ch.dead {
		return "+OK" // the message is queued, and never read
	}
	switch strings.ToLower(m.get("call-command")) {
	case "execute":
		data := m.get("execute-app-arg")
		if data == "" {
			data = m.body
		}
		loops, _ := strconv.Atoi(m.get("loops"))
		for range min(max(loops, 1), 100) {
			s.enqueue(ch, step{app: m.get("execute-app-name"), data: data, id: m.get("Event-UUID")})
		}
	case "hangup":
		cause := m.get("hangup-cause")
		s.after(legLag, func() { s.hangup(ch, cause) })
	case "unicast":
		s.unicast(ch, m)
	}
	return "+OK"
}

// cutCommand splits an api command from its arguments.
func cutCommand(line string) (name, arg string) {
	name, arg, _ = strings.Cut(line, " ")
	return name, arg
}
