package switchsim

import "strings"

// press is one key of a telephone, as the switch receives it.
func (s *Switch) press(ch *channel, key byte, source string) {
	if ch.dead || !ch.answered && !ch.early {
		return
	}
	if a := ch.top(); a != nil && a.noKeys {
		return
	}
	if a := ch.top(); a != nil && a.take != nil {
		a.take(key, source)
		return
	}
	s.tellKey(ch, key, source)
	if a := ch.top(); a != nil && a.onKey != nil {
		a.onKey(key)
		return
	}
	switch {
	case ch.member != nil:
		s.feed(ch.member, key)
	case ch.bridge != nil:
		s.sendKeys(ch.bridge.peer(ch), string(key))
	}
}

// tellKey reports a key, and keeps it for the channel's digits_dialed, unless the
// channel's keys are secret.
func (s *Switch) tellKey(ch *channel, key byte, source string) {
	if v, _ := ch.get("sensitive_dtmf"); truth(v) {
		return
	}
	if len(ch.digits) < 1024 {
		ch.digits += string(key)
	}
	s.fire("DTMF", "", ch.uuid, fromDTMF, func(e *event) {
		ch.basic(e)
		e.add("DTMF-Digit", string(key))
		if source == fromApp {
			e.add("DTMF-Duration", "2000")
		} else {
			e.add("DTMF-Duration", "2080")
		}
		e.add("DTMF-Source", source)
	})
}

// sendKeys sends keys to a channel's telephone. To a loopback's other end they are
// as if its own telephone had pressed them.
func (s *Switch) sendKeys(ch *channel, keys string) {
	if len(ch.received) < 1024 {
		ch.received += keys
	}
	if end := ch.loop; end != nil {
		s.after(loopLag, func() {
			for i := range len(keys) {
				s.press(end, keys[i], fromNowhere)
			}
		})
	}
}

// feed gives a key to a member's caller controls, or to everybody else in the
// room if the member has dist-dtmf.
func (s *Switch) feed(m *member, key byte) {
	if m.leaving || !m.known {
		return
	}
	if m.dist {
		for _, o := range m.room.members {
			if o != m && !o.skip {
				s.sendKeys(o.ch, string(key))
			}
		}
		return
	}
	if len(m.controls) == 0 {
		return
	}
	s.forget(m.keyTask)
	m.keyTask = nil
	if len(m.keys) < maxKeys {
		m.keys += string(key)
	}
	hit, open := match(m.controls, m.keys, false)
	switch {
	case hit != nil:
		s.control(m, *hit)
	case open:
		// The next key decides, or the silence after this one.
		m.keyTask = s.after(m.room.keyTimeout, func() {
			if hit, _ := match(m.controls, m.keys, true); hit != nil {
				s.control(m, *hit)
				return
			}
			m.keys = ""
		})
	default:
		m.keys = ""
	}
}

// maxKeys is how many keys of one sequence the switch holds.
const maxKeys = 511

// control does what a key sequence is bound to.
func (s *Switch) control(m *member, c control) {
	m.ch.set("conference_last_matching_digits", m.keys)
	m.keys = ""
	switch strings.ToLower(c.action) {
	case "event":
		s.maint(m.room, m, "dtmf", fromConfKey, header{"DTMF-Key", c.digits}, header{"Data", c.data})
	case "mute":
		if !m.hold {
			s.setMute(m, m.canSpeak)
		}
	case "mute on":
		s.setMute(m, true)
	case "mute off":
		s.setMute(m, false)
	case "deaf":
		s.setDeaf(m, m.canHear)
	case "deaf on":
		s.setDeaf(m, true)
	case "deaf off":
		s.setDeaf(m, false)
	case "deaf mute":
		on := m.canSpeak
		s.setMute(m, on)
		s.setDeaf(m, on)
	case "lock":
		s.setLock(m.room, !m.room.locked)
	case "floor":
		if m.room.floor == m {
			s.setFloor(m.room, nil)
		} else if m.room.floor == nil {
			s.setFloor(m.room, m)
		}
	case "hangup":
		s.kick(m)
	}
}
