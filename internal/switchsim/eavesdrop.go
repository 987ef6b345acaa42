package switchsim

import (
	"slices"
	"time"
)

const (
	// tapLag is between an eavesdropper's being on a leg and his hearing it, and
	// being heard, as measured.
	tapLag = 40 * time.Millisecond
	// tapKeyLag is between a key and what it changes.
	tapKeyLag = 20 * time.Millisecond
	// mediaWait is how long eavesdrop waits for a leg without media, and mediaPoll how often it looks.
	mediaWait = 6 * time.Second
	mediaPoll = 10 * time.Millisecond
	// maxSteps bounds how far voices are followed through eavesdroppers, who may go round in circles.
	maxSteps = 30
)

// spy is the application eavesdrop: by listens to target, and may be mixed into
// what target says (the read side) or hears (the write side). It is told so by
// the variables of by, and later by keys.
type spy struct {
	by, target     *channel
	app            *app
	reads, writes  bool // which sides of target it hears, and may be mixed into
	toRead, toHear bool // whether it is mixed into them
	ready          bool
}

func (s *Switch) appEavesdrop(ch *channel, a *app) {
	target := s.live(a.data)
	if target == nil || target == ch || !ch.hasMedia() {
		s.finish(a)
		return
	}
	var look func(left time.Duration)
	look = func(left time.Duration) {
		switch {
		case target.dead || left <= 0 || len(target.bugs) >= maxBugs:
			s.finish(a)
		case target.hasMedia():
			s.eavesdrop(ch, a, target)
		default:
			t := s.after(mediaPoll, func() { look(left - mediaPoll) })
			a.stop = func() { s.forget(t) }
		}
	}
	look(mediaWait)
}

func (s *Switch) eavesdrop(ch *channel, a *app, target *channel) {
	on := func(name string) bool { return truth(ch.value("eavesdrop_" + name)) }
	sp := &spy{by: ch, target: target, app: a, reads: on("bridge_aleg"), writes: on("bridge_bleg"),
		toRead: on("whisper_aleg"), toHear: on("whisper_bleg")}
	if !sp.reads && !sp.writes {
		sp.reads, sp.writes = true, true
	}
	bug := &mediaBug{function: bugEavesdrop, target: target.uuid, spy: sp}
	ch.spy = sp
	s.spies[ch] = true
	s.addBug(target, bug)
	t := s.after(tapLag, func() { sp.ready = true })
	a.stop = func() {
		s.forget(t)
		ch.spy = nil
		delete(s.spies, ch)
		s.removeBug(target, bug)
		s.touchAround(ch)
		if ch.loop != nil {
			s.touchAround(ch.loop)
		}
	}
	if v, ok := ch.get("eavesdrop_enable_dtmf"); ok && !truth(v) {
		a.noKeys = true
		return
	}
	a.onKey = func(key byte) {
		s.after(tapKeyLag, func() { sp.press(s, key) })
	}
}

// press is a key of the eavesdropper's.
func (sp *spy) press(s *Switch, key byte) {
	if sp.app.over {
		return
	}
	switch key {
	case '0':
		sp.toRead, sp.toHear = false, false
	case '1':
		sp.toRead, sp.toHear = true, false
	case '2':
		sp.toRead, sp.toHear = false, true
	case '3':
		sp.toRead, sp.toHear = true, true
	case '*':
		s.finish(sp.app)
	}
}

func (ch *channel) hasMedia() bool { return ch.answered || ch.early }

// touchSpies marks everybody who may hear something because of an eavesdropper.
func (s *Switch) touchSpies() {
	for by := range s.spies {
		s.touchAround(by)
		s.touchAround(by.spy.target)
		if by.loop != nil {
			s.touchAround(by.loop)
		}
	}
}

// walk is one computation of who is heard.
type walk struct{ steps int }

func (w *walk) step() bool {
	w.steps++
	return w.steps <= maxSteps
}

// heard is what the eavesdropper hears.
func (sp *spy) heard(s *Switch, w *walk) []*channel {
	if !sp.ready || sp.target.dead || !w.step() {
		return nil
	}
	var out []*channel
	if sp.reads && sp.target.audible() {
		out = append(out, sp.target)
	}
	if sp.writes {
		out = join(out, s.hearsBut(sp.target, sp, w))
	}
	return out
}

// whispered is what eavesdroppers mix into what a channel hears. It needs
// something to be mixed into.
func (s *Switch) whispered(l *channel, but *spy, w *walk) []*channel {
	var out []*channel
	for _, b := range l.bugs {
		if sp := b.spy; sp != nil && sp != but && sp.ready && sp.writes && sp.toHear && l.sentTo() && w.step() {
			out = join(out, s.voices(sp.by, w))
		}
	}
	return out
}

// sentTo tells whether the switch sends anything to a channel's telephone.
func (ch *channel) sentTo() bool {
	return ch.bridge != nil && ch.bridge.up || ch.member != nil && ch.member.known || ch.music() || ch.sound != ""
}

// voices lists whose voices come from a channel: its own; or those that are heard
// at a loopback's other end; and those of eavesdroppers who are mixed into it.
func (s *Switch) voices(ch *channel, w *walk) []*channel {
	if !ch.audible() {
		return nil
	}
	var out []*channel
	if end := ch.loop; end != nil && end.spy != nil {
		out = end.spy.heard(s, w)
	} else {
		out = []*channel{ch}
	}
	for _, b := range ch.bugs {
		if sp := b.spy; sp != nil && sp.ready && sp.reads && sp.toRead && w.step() {
			out = join(out, s.voices(sp.by, w))
		}
	}
	return out
}

// join adds to a list what it does not have yet.
func join(list, more []*channel) []*channel {
	for _, ch := range more {
		if !slices.Contains(list, ch) {
			list = append(list, ch)
		}
	}
	return list
}
