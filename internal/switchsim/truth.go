package switchsim

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"time"
)

// Bounds on what the truth log keeps.
const (
	maxSpans  = 200_000
	maxPlayed = 5_000 // of channels and telephones, and of files for each
)

// truthLog computes who hears whom. It does not look at every channel in every
// frame: a change marks the listeners it may concern, and the next frame looks
// at those.
type truthLog struct {
	origin  time.Time // of frame 0
	every   time.Duration
	frame   int
	dirty   map[*channel]bool
	heard   map[*channel]bool // everybody who hears somebody
	closed  []Span
	since   int // the frame of the last Reset
	played  map[string][]string
	watch   map[int]func([]Pair)
	watchID int
	pairs   []Pair
	stale   bool          // pairs are not what is heard any more
	tick    chan struct{} // closed at the next frame, if somebody waits for it
}

func (t *truthLog) init(now time.Time, every time.Duration) {
	t.origin, t.every = now, every
	t.dirty, t.heard = map[*channel]bool{}, map[*channel]bool{}
	t.played, t.watch = map[string][]string{}, map[int]func([]Pair){}
}

func (t *truthLog) at(frame int) time.Time { return t.origin.Add(time.Duration(frame) * t.every) }

// schedule starts the frames, or starts them again after a restart.
func (t *truthLog) schedule(s *Switch) {
	s.after(t.at(t.frame+1).Sub(s.now), func() {
		t.frame++
		t.look(s)
		t.schedule(s)
	})
}

// touch marks a channel: what it hears may have changed.
func (s *Switch) touch(ch *channel) { s.truth.dirty[ch] = true }

// touchAround marks a channel and everybody who may hear it.
func (s *Switch) touchAround(ch *channel) {
	s.touch(ch)
	if ch.bridge != nil {
		s.touch(ch.bridge.a)
		s.touch(ch.bridge.b)
	}
	if ch.member != nil {
		s.touchRoom(ch.member.room)
	}
}

func (s *Switch) touchRoom(r *room) {
	for _, m := range r.members {
		s.touch(m.ch)
	}
}

// look is one frame.
func (t *truthLog) look(s *Switch) {
	s.runSpies()
	s.runTapes()
	if len(t.dirty) > 0 {
		list := bySeq(t.dirty)
		clear(t.dirty)
		for _, ch := range list {
			t.update(ch, s.hears(ch))
		}
	}
	s.unicastFrame()
	s.detectTones()
	if len(t.watch) > 0 {
		if t.stale {
			t.pairs, t.stale = t.current(), false
		}
		for _, id := range slices.Sorted(maps.Keys(t.watch)) {
			t.watch[id](t.pairs)
		}
	}
	if t.tick != nil {
		close(t.tick)
		t.tick = nil
	}
}

func (t *truthLog) update(ch *channel, now []*channel) {
	for sp, since := range ch.heard {
		if !slices.Contains(now, sp) {
			t.close(ch, sp, since)
			delete(ch.heard, sp)
			t.stale = true
		}
	}
	for _, sp := range now {
		if _, ok := ch.heard[sp]; !ok {
			ch.heard[sp] = t.frame
			t.stale = true
		}
	}
	if len(ch.heard) > 0 {
		t.heard[ch] = true
	} else {
		delete(t.heard, ch)
	}
}

func (t *truthLog) span(l, sp *channel, since int) (Span, bool) {
	since = max(since, t.since)
	return Span{Listener: l.uuid, Speaker: sp.uuid, From: t.at(since), To: t.at(t.frame), Frames: t.frame - since}, t.frame > since
}

func (t *truthLog) close(l, sp *channel, since int) {
	span, ok := t.span(l, sp, since)
	if !ok {
		return
	}
	if len(t.closed) >= maxSpans {
		t.closed = append(t.closed[:0:0], t.closed[maxSpans/2:]...)
	}
	t.closed = append(t.closed, span)
}

func (t *truthLog) current() []Pair {
	var out []Pair
	for _, l := range bySeq(t.heard) {
		for _, sp := range bySeq(l.heard) {
			out = append(out, Pair{l.uuid, sp.uuid})
		}
	}
	return out
}

// bySeq lists the channels of a set, oldest first.
func bySeq[V any](set map[*channel]V) []*channel {
	list := make([]*channel, 0, len(set))
	for ch := range set {
		list = append(list, ch)
	}
	slices.SortFunc(list, func(a, b *channel) int { return a.seq - b.seq })
	return list
}

// Hears lists the channels that a channel hears now, sorted.
func (s *Switch) Hears(listener string) []string {
	s.lock()
	defer s.unlock()
	var out []string
	if ch := s.find(listener); ch != nil {
		for _, sp := range s.hears(ch) {
			out = append(out, sp.uuid)
		}
	}
	slices.Sort(out)
	return out
}

// Sounds lists what a channel hears now that the switch plays, to it or to somebody
// whom it hears through a loopback: file names, or "music" for music on hold.
func (s *Switch) Sounds(listener string) []string {
	s.lock()
	defer s.unlock()
	ch := s.find(listener)
	if ch == nil || ch.held {
		return nil
	}
	var out []string
	for _, src := range s.hearing(ch, nil, &walk{}) {
		if src.sound != "" {
			out = append(out, src.sound)
		}
	}
	return out
}

func (s *Switch) notePlayed(ch *channel, file string) {
	if len(s.truth.played) > maxPlayed {
		clear(s.truth.played)
	}
	for _, who := range []string{ch.uuid, ch.number} {
		if list := s.truth.played[who]; len(list) < maxPlayed {
			s.truth.played[who] = append(list, file)
		}
	}
}

// Played lists the files that were played to a channel, or to a telephone, since
// the start or the last Reset.
func (s *Switch) Played(who string) []string {
	s.lock()
	defer s.unlock()
	return slices.Clone(s.truth.played[who])
}

// Truth lists who heard whom since the start or the last Reset, in the order in
// which it began; spans that have not ended have the present as their end.
func (s *Switch) Truth() []Span {
	s.lock()
	defer s.unlock()
	t := &s.truth
	out := slices.Clone(t.closed)
	for l := range t.heard {
		for sp, since := range l.heard {
			if span, ok := t.span(l, sp, since); ok {
				out = append(out, span)
			}
		}
	}
	slices.SortFunc(out, func(a, b Span) int {
		return cmp.Or(a.From.Compare(b.From), a.To.Compare(b.To), cmp.Compare(a.Listener, b.Listener), cmp.Compare(a.Speaker, b.Speaker))
	})
	return out
}

// Reset forgets what Truth, Played and Commands have to tell.
func (s *Switch) Reset() {
	s.lock()
	defer s.unlock()
	s.truth.closed, s.truth.since = nil, s.truth.frame
	s.truth.played = map[string][]string{}
	s.commands = nil
}

// OnFrame calls f at every frame with all pairs, until remove is called. f must
// not keep the slice, and must not call the switch.
func (s *Switch) OnFrame(f func(frame []Pair)) (remove func()) {
	s.lock()
	defer s.unlock()
	s.truth.watchID++
	id := s.truth.watchID
	s.truth.watch[id] = f
	s.truth.stale = true
	return func() {
		s.lock()
		defer s.unlock()
		delete(s.truth.watch, id)
	}
}

// Until waits until cond is true, looking after every frame. cond is called
// without a lock, and may call the switch.
func (s *Switch) Until(ctx context.Context, cond func() bool) error {
	for {
		s.lock()
		if s.truth.tick == nil {
			s.truth.tick = make(chan struct{})
		}
		tick := s.truth.tick
		s.unlock()
		if cond() {
			return nil
		}
		select {
		case <-tick:
		case <-ctx.Done():
			return ctx.Err()
		case <-s.ctx.Done():
			return ErrClosed
		}
	}
}
