package switchsim

import (
	"slices"
	"strings"
	"time"
)

const (
	// mediaWait is how long eavesdrop waits for a leg without media, and mediaPoll how often it looks.
	mediaWait = 6 * time.Second
	mediaPoll = 10 * time.Millisecond
	// attachLag is between the application's beginning and its bug's being on the leg. (A
	// connection on which events are late tells of it some 15 ms later.)
	attachLag = time.Millisecond
	// idleWait is how long 'eavesdrop all' waits when there is nobody.
	idleWait = 2 * time.Second
	// maxTapKeys is how many keys a tap holds that it has not come to yet.
	maxTapKeys = 64
)

// spy is the application eavesdrop: by listens to target, and may be mixed into
// what target says (the read side) or hears (the write side). It is told so by
// the variables of by, and later by keys.
type spy struct {
	by, target     *channel
	app            *app
	bug            *mediaBug
	reads, writes  bool // which sides of target it hears, and may be mixed into
	toRead, toHear bool // whether it is mixed into them
	ready          bool
	hears, says    pipe // what comes from target to by, and the other way round
	input          [2][]source
	keys           []tapKey
}

// tapKey is a key that has come to a tap.
type tapKey struct {
	digit  byte
	source string
}

// pipe is audio on its way.
type pipe struct {
	frames [][]source
	out    []source // what comes out in this frame
}

// push puts in what is said in this frame, and lets out what was said some frames
// ago. Where there is nothing to let out yet nothing comes out.
func (p *pipe) push(in []source, frames int) {
	p.frames = append(p.frames, in)
	p.out = nil
	if len(p.frames) > frames {
		p.out = p.frames[0]
		p.frames = slices.Delete(p.frames, 0, len(p.frames)-frames)
	}
}

func (s *Switch) appEavesdrop(ch *channel, a *app) {
	if !ch.hasMedia() {
		s.finish(a)
		return
	}
	sp := s.newSpy(ch, a)
	if isAll(a.data) {
		s.spyOnAll(sp)
		return
	}
	target := s.live(a.data)
	if target == nil || target == ch {
		s.finish(a)
		return
	}
	s.spyOn(sp, target, func() { s.finish(a) })
}

// newSpy is an eavesdropper with what its leg's variables say, or global ones of those names.
func (s *Switch) newSpy(ch *channel, a *app) *spy {
	value := func(name string) string {
		v, _ := s.variable(ch, "eavesdrop_"+name)
		return v
	}
	sp := &spy{by: ch, app: a, reads: truth(value("bridge_aleg")), writes: truth(value("bridge_bleg")),
		toRead: truth(value("whisper_aleg")), toHear: truth(value("whisper_bleg"))}
	if !sp.reads && !sp.writes {
		sp.reads, sp.writes = true, true
	}
	if v := value("enable_dtmf"); v != "" && !truth(v) {
		a.noKeys = true
	} else {
		a.take = func(key byte, from string) {
			if len(sp.keys) < maxTapKeys {
				sp.keys = append(sp.keys, tapKey{key, from})
			}
		}
	}
	return sp
}

// spyOn waits for a leg's media, announces itself if the leg asks for that, and
// listens to it. done is called when the leg is gone, or cannot be listened to.
func (s *Switch) spyOn(sp *spy, target *channel, done func()) {
	var t *task
	sp.app.stop = func() { s.forget(t) }
	later := func(d time.Duration, f func()) { t = s.after(d, f) }
	var look func(left time.Duration)
	look = func(left time.Duration) {
		switch {
		case target.dead || left <= 0 || len(target.bugs) >= maxBugs || !s.admits(sp, target):
			done()
		case !target.hasMedia():
			later(mediaPoll, func() { look(left - mediaPoll) })
		default:
			later(s.announce(sp, target)+attachLag, func() {
				if target.dead {
					done()
					return
				}
				s.attach(sp, target, done)
			})
		}
	}
	look(mediaWait)
}

// admits reports whether a leg is of the group that the eavesdropper requires, if
// it requires any.
func (s *Switch) admits(sp *spy, target *channel) bool {
	group, _ := s.variable(sp.by, "eavesdrop_require_group")
	if group == "" {
		return true
	}
	groups, _ := s.variable(target, "eavesdrop_group")
	return slices.Contains(split(groups, ','), group)
}

// announce plays to the eavesdropper what the leg wants announced, and returns how
// long that takes.
func (s *Switch) announce(sp *spy, target *channel) time.Duration {
	id, _ := s.variable(target, "eavesdrop_announce_id")
	if id == "" {
		return 0
	}
	macro, _ := s.variable(target, "eavesdrop_announce_macro")
	if macro == "" {
		macro = "eavesdrop_announce"
	}
	phrase := "phrase:" + macro + ":" + id
	s.startSound(sp.by, phrase, false)
	if sp.by.loop != nil {
		s.notePlayed(sp.by.loop, phrase)
	}
	s.after(fileLength, func() {
		if sp.by.sound == phrase {
			sp.by.endSound()
			s.loopSounds(sp.by)
		}
	})
	return fileLength
}

// attach puts the eavesdropper on the leg.
func (s *Switch) attach(sp *spy, target *channel, done func()) {
	sp.target = target
	sp.bug = &mediaBug{function: bugEavesdrop, target: target.uuid, spy: sp, gone: done}
	sp.hears, sp.says, sp.ready = pipe{}, pipe{}, true
	sp.by.spy = sp
	s.spies[sp.by] = true
	s.addBug(target, sp.bug)
	sp.app.stop = func() { s.detach(sp) }
}

// detach takes the eavesdropper off again.
func (s *Switch) detach(sp *spy) {
	sp.ready = false
	if sp.by.spy == sp {
		sp.by.spy = nil
		delete(s.spies, sp.by)
	}
	s.removeBug(sp.target, sp.bug)
	s.touchSpy(sp)
	s.loopSounds(sp.by)
}

// spyOnAll listens to everybody, one after the other.
func (s *Switch) spyOnAll(sp *spy) {
	a := sp.app
	var round func()
	round = func() {
		var legs []*channel
		for _, r := range s.sortedRows() {
			if ch := s.live(r.pos["uuid"]); ch != nil && ch != sp.by {
				legs = append(legs, ch)
			}
		}
		if len(legs) == 0 {
			s.indicate(sp, "eavesdrop_indicate_idle")
			t := s.after(idleWait, round)
			a.stop = func() { s.forget(t) }
			return
		}
		var next func()
		next = func() {
			if a.over {
				return
			}
			if sp.ready {
				s.detach(sp)
			}
			for len(legs) > 0 && legs[0].dead {
				legs = legs[1:]
			}
			if len(legs) == 0 {
				t := s.after(mediaPoll, round)
				a.stop = func() { s.forget(t) }
				return
			}
			leg := legs[0]
			legs = legs[1:]
			s.indicate(sp, "eavesdrop_indicate_new")
			s.spyOn(sp, leg, next)
		}
		next()
	}
	round()
}

func isAll(name string) bool { return strings.EqualFold(name, "all") }

// indicate plays a file to one who listens to everybody, if it has one.
func (s *Switch) indicate(sp *spy, variable string) {
	if file, _ := s.variable(sp.by, variable); file != "" {
		s.notePlayed(sp.by, file)
	}
}

// press is a key of the eavesdropper's. Whatever it opens or closes empties what
// is on its way to the leg by then, from the room's side of it; what is still in the
// loopback is not emptied.
func (sp *spy) press(key byte) (emptied bool) {
	switch key {
	case '0':
		sp.toRead, sp.toHear = false, false
	case '1':
		sp.toRead, sp.toHear = true, false
	case '2':
		sp.toRead, sp.toHear = false, true
	case '3':
		sp.toRead, sp.toHear = true, true
	case '4', '5', '6': // of video
	case '*':
		sp.bug.gone()
		return false
	default:
		return false
	}
	return true
}

// runSpies is one frame of all eavesdroppers.
func (s *Switch) runSpies() {
	if len(s.spies) == 0 {
		return
	}
	list := bySeq(s.spies)
	emptied := map[*spy]bool{}
	for _, by := range list {
		sp := by.spy
		if sp == nil || len(sp.keys) == 0 {
			continue
		}
		key := sp.keys[0]
		sp.keys = sp.keys[1:]
		s.tellKey(by, key.digit, key.source)
		emptied[sp] = sp.press(key.digit)
	}
	for _, by := range list {
		if sp := by.spy; sp != nil {
			sp.input = [2][]source{s.fromLeg(sp), s.voiceOf(by, nil, &walk{})}
		}
	}
	for _, by := range list {
		sp := by.spy
		if sp == nil {
			continue
		}
		heard := len(sp.hears.out) > 0
		frames := s.tapFrames(by)
		sp.hears.push(sp.input[0], frames)
		sp.says.push(sp.input[1], frames)
		if emptied[sp] {
			sp.says.out = nil
		}
		s.touchSpy(sp)
		if heard != (len(sp.hears.out) > 0) {
			s.loopSounds(by)
		}
	}
}

// fromLeg is what an eavesdropper receives of a leg in this frame. He does not hear
// himself.
func (s *Switch) fromLeg(sp *spy) []source {
	var out []source
	if sp.reads {
		out = s.voiceOf(sp.target, sp, &walk{})
	}
	if sp.writes {
		out = join(out, s.hearing(sp.target, sp.bug, &walk{}))
	}
	return out
}

// tapFrames is for how many frames audio is on its way between a leg and who
// eavesdrops on it: some more where that is a loopback out of a room.
func (s *Switch) tapFrames(by *channel) int {
	lag := min(directLag, s.opt.Lags.tap())
	if by.loop != nil && by.loop.member != nil {
		lag = s.opt.Lags.tap()
	}
	return int(lag / s.truth.every)
}

// touchSpy marks everybody who may hear something because of an eavesdropper.
func (s *Switch) touchSpy(sp *spy) {
	s.touchAround(sp.by)
	s.touchAround(sp.target)
	if sp.by.loop != nil {
		s.touchAround(sp.by.loop)
	}
}
