package switchsim

import "slices"

// maxSteps bounds how far voices are followed through loopbacks, who may go round in circles.
const maxSteps = 30

// source is one thing that is heard: a telephone's voice, or something that the
// switch plays, by the name that Sounds has for it.
type source struct {
	voice *channel
	sound string
}

// walk is one computation of who is heard.
type walk struct{ steps int }

func (w *walk) step() bool {
	w.steps++
	return w.steps <= maxSteps
}

// join adds to a list what it does not have yet.
func join(list, more []source) []source {
	for _, src := range more {
		if !slices.Contains(list, src) {
			list = append(list, src)
		}
	}
	return list
}

// hears lists the channels whose voices a channel hears at this moment.
func (s *Switch) hears(l *channel) []*channel {
	var out []*channel
	for _, src := range s.hearing(l, nil, &walk{}) {
		if src.voice != nil {
			out = append(out, src.voice)
		}
	}
	return out
}

// hearing is what is sent to a channel at this moment, as the media bug before
// receives it: with what earlier ones have mixed in, without what it and later ones
// do. For a nil bug it is what reaches the telephone.
func (s *Switch) hearing(l *channel, before *mediaBug, w *walk) []source {
	if l.dead || l.held || !w.step() {
		return nil
	}
	var out []source
	if l.music() || l.member != nil && l.member.alone() {
		out = append(out, source{sound: "music"})
	}
	if l.sound != "" {
		out = append(out, source{sound: l.sound})
	}
	if m := l.member; m != nil && m.room.sound != "" && m.canHear {
		out = join(out, []source{{sound: m.room.sound}})
	}
	switch {
	case l.spy != nil:
		out = join(out, l.spy.hears.out)
	case l.music() || l.sound != "" && !l.soundMix || l.suspended:
	case l.bridge != nil && l.bridge.up:
		out = join(out, s.voiceOf(l.bridge.peer(l), nil, w))
	case l.member != nil:
		for _, sp := range l.member.hears(s.now) {
			out = join(out, s.voiceOf(sp, nil, w))
		}
	}
	if !l.sentTo() {
		return out
	}
	for _, b := range l.bugs {
		if b == before {
			break
		}
		if sp := b.spy; sp != nil && sp.ready && sp.writes && sp.toHear {
			out = join(out, sp.says.out)
		}
	}
	return out
}

// sentTo reports whether the switch sends anything to a channel's telephone: what
// nothing is sent to cannot be mixed into.
func (ch *channel) sentTo() bool {
	return ch.bridge != nil && ch.bridge.up || ch.member != nil && ch.member.known || ch.music() || ch.sound != ""
}

// voiceOf is what comes from a channel at this moment, with what taps mix into it: all
// of them, in whatever order they were put on, but for the one that asks.
func (s *Switch) voiceOf(ch *channel, but *spy, w *walk) []source {
	out := s.spoken(ch, w)
	if !ch.sends() {
		return out
	}
	for _, b := range ch.bugs {
		if sp := b.spy; sp != nil && sp != but && sp.ready && sp.reads && sp.toRead {
			out = join(out, sp.says.out)
		}
	}
	return out
}

// spoken is what comes from a channel without any tap: its owner's voice, or what
// a loopback's other end hears.
func (s *Switch) spoken(ch *channel, w *walk) []source {
	end := ch.loop
	switch {
	case !ch.audible() || !w.step():
		return nil
	case end == nil || end.speaks || end.plays():
		return []source{{voice: ch}}
	}
	return s.hearing(end, nil, w)
}

// plays reports whether an end of a loopback does nothing but play something: then
// the other end has that for its voice.
func (ch *channel) plays() bool {
	return ch.sound != "" && ch.member == nil && (ch.top() == nil || ch.top().app != "eavesdrop")
}

// sends reports whether packets come from a channel's telephone, silent or not.
func (ch *channel) sends() bool {
	if ch.loop != nil {
		return ch.audible()
	}
	return !ch.dead && !ch.held && ch.flushing == 0 && ch.hasMedia()
}

// audible reports whether anything but silence comes from a telephone.
func (ch *channel) audible() bool {
	if m := ch.member; m != nil && m.leaving && m.lastWord {
		return true // what it said last is still in its room's buffer
	}
	if end := ch.loop; end != nil && (end.dead || !end.busy()) {
		return false // nothing is played or heard at its other end
	}
	return !ch.dead && !ch.held && !ch.quiet && ch.flushing == 0 && ch.hasMedia()
}

// busy reports whether anything can be heard at an end of a loopback.
func (ch *channel) busy() bool {
	if ch.spy != nil {
		return len(ch.spy.hears.out) > 0
	}
	return ch.sound != "" || ch.speaks || ch.sentTo()
}

func (ch *channel) hasMedia() bool { return ch.answered || ch.early }

// music reports whether a channel hears music because its partner is on hold.
func (ch *channel) music() bool { return ch.musicBy != nil && ch.musicBy.held && !ch.musicBy.dead }
