package monitor

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"time"

	"livemon/conference"
	"livemon/esl"
	"livemon/internal/fault"
	"livemon/internal/fsapi"
	"livemon/internal/tracker"
	"livemon/internal/wire"
)

// Messages to a call.
type (
	newSession  struct{ s *session }
	roleRequest struct {
		s    *session
		to   wire.Role
		by   wire.Actor
		done chan<- error // has room for one
	}
	stopRequest struct {
		s    *session
		by   wire.Actor
		done chan<- error
	}
	followRequest struct {
		s    *session
		to   wire.Follow
		by   wire.Actor
		done chan<- error
	}
	keyPressed struct {
		s    *session
		data string
		at   time.Time
	}
	originated struct {
		s     *session
		reply string
	}
	legChanged    struct{}                 // something about a leg of the call: the tracker knows what
	holdChanged   struct{}                 // a telephone has held or resumed
	roomChanged   struct{}                 // something in the call's room
	rightsChanged struct{}                 // who may do what
	resynced      struct{ restarted bool } // the switch was read anew
	switchDead    struct{}                 // the switch has been away for too long
)

// call is a monitored call. One goroutine, run, owns everything below box.
type call struct {
	n     *node
	id    string
	agent string
	vigil bool // nobody to listen to: a session waits for the agent's next call
	log   *slog.Logger
	over  chan struct{} // closed when run has ended

	box mailbox

	pupil, user string // channels; guarded by the node's mutex, like firstGone
	firstGone   string // of pupil and user, the one that hung up first

	room     string // the room they are in, or are being moved to
	shop     bool
	sessions []*session
	actual   conference.Room
	fresh    bool // actual is the room as it is
	bonded   bool // signal_bond has been set

	place     [2]where  // where pupil and user were last seen
	placeAt   time.Time // since when
	moved     int       // attempts to move the call into a room that got lost
	returning bool      // it was sent back to its bridge, and has not been seen there
	failed    int       // attempts to return the call to a bridge that failed
	retryAt   time.Time // when to look again although nothing has happened

	holdLooks int                  // how often to ask who holds the call
	holdAt    time.Time            // when to ask next
	queue     string               // the uuid-standby agent whom his queue is kept from
	guardAt   time.Time            // when that has to be renewed
	letGo     map[string]time.Time // legs that were sent where the end of a bridge would have, and when
	followed  time.Time            // since when the sessions wait for a customer who was transferred
	strange   time.Time            // since when he is connected with somebody who is no agent
	unchecked bool                 // rights have changed, and could not be looked at
	notice    wire.Notice          // what the parties were given notice by
	told      map[string]bool      // channels that were given it; nil while it is not known what notice was given
	noticeAt  time.Time            // when that has to be repeated
	others    []string             // shop: who was in the room when rights were looked at
}

func newCall(n *node, tc tracker.Call) *call {
	c := &call{n: n, id: tc.ID, vigil: n.seal.IsWaitingRoom(tc.Room), agent: tc.Agent, pupil: tc.Pupil, user: tc.User,
		room: tc.Room, shop: n.isShop(tc.Room), queue: n.queueOf(tc.Pupil), over: make(chan struct{}), placeAt: time.Now(),
		log: n.log.With("call", tc.ID, "agent", tc.Agent)}
	c.box.wake = make(chan struct{}, 1)
	return c
}

// mailbox is an unbounded queue: its senders never wait. Events only leave a
// mark in it, so what it holds is bounded by requests and keys.
type mailbox struct {
	mu   sync.Mutex
	q    []any
	wake chan struct{}
}

func (b *mailbox) take() []any {
	b.mu.Lock()
	defer b.mu.Unlock()
	q := b.q
	b.q = nil
	return q
}

// post hands a message to the call. It never waits.
func (c *call) post(msg any) {
	c.box.mu.Lock()
	switch msg.(type) {
	case legChanged, roomChanged, holdChanged, rightsChanged:
		if !slices.Contains(c.box.q, msg) {
			c.box.q = append(c.box.q, msg)
		}
	default:
		c.box.q = append(c.box.q, msg)
	}
	c.box.mu.Unlock()
	select {
	case c.box.wake <- struct{}{}:
	default:
	}
}

// run sees to the call until no session is left on it and it needs nothing more.
func (c *call) run(ctx context.Context) {
	defer close(c.over)
	defer c.forget()
	for ctx.Err() == nil {
		for _, msg := range c.box.take() {
			c.handle(ctx, msg)
		}
		if c.reconcile(ctx) {
			return
		}
		c.wait(ctx)
	}
}

// wait waits for the next message, or until it is time to look again.
func (c *call) wait(ctx context.Context) {
	at := c.retryAt
	for _, s := range c.sessions {
		if s.dialing && (at.IsZero() || s.until.Before(at)) {
			at = s.until
		}
	}
	if at.IsZero() {
		select {
		case <-c.box.wake:
		case <-ctx.Done():
		}
		return
	}
	pause(ctx, max(time.Until(at), time.Millisecond), c.box.wake)
}

// lookAgain makes run look again after d, whatever happens.
func (c *call) lookAgain(d time.Duration) {
	at := time.Now().Add(d)
	if c.retryAt.IsZero() || at.Before(c.retryAt) {
		c.retryAt = at
	}
}

// await waits until cond holds, or d has passed; it tells which. Messages stay
// in the mailbox but for the marks that events leave.
func (c *call) await(ctx context.Context, d time.Duration, cond func() bool) bool {
	deadline := time.NewTimer(d)
	defer deadline.Stop()
	for !cond() {
		select {
		case <-c.box.wake:
		case <-deadline.C:
			return cond()
		case <-ctx.Done():
			return false
		}
	}
	c.fresh = false
	// The marks are still there, and so may be requests: run has to look.
	select {
	case c.box.wake <- struct{}{}:
	default:
	}
	return true
}

func (c *call) handle(ctx context.Context, msg any) {
	if c.forward(msg) {
		return
	}
	switch m := msg.(type) {
	case newSession:
		c.sessions = append(c.sessions, m.s)
		if m.s.dialing {
			c.originate(ctx, m.s)
		}
		c.checkRights(ctx) // what changed since it was asked for was told to the call before
	case rightsChanged:
		c.checkRights(ctx)
		c.repeatNotice(ctx, true)
	case roleRequest:
		if err := c.changeRole(ctx, m.s, m.to, m.by, m.by.Via); err != nil {
			m.done <- err
			return
		}
		m.s.waiting = append(m.s.waiting, waiter{m.to, m.done})
	case stopRequest:
		if m.s.ended {
			m.done <- notFound("the session %q has ended", m.s.x.ID)
			return
		}
		if err := mine(m.s.x, m.by, m.by.Admin); err != nil {
			c.n.refusedRole(m.s.x, "", m.by.Via, m.by, err)
			m.done <- err
			return
		}
		m.s.via, m.s.by = m.by.Via, m.by
		c.dismiss(ctx, m.s, 0, reasonStopped)
		if m.s.ended {
			m.done <- nil
			return
		}
		m.s.waiting = append(m.s.waiting, waiter{"", m.done})
	case followRequest:
		if m.s.ended {
			m.done <- notFound("the session %q has ended", m.s.x.ID)
			return
		}
		err := mine(m.s.x, m.by, false)
		if err == nil {
			err = c.setFollow(m.s, m.to, m.by, m.by.Via)
		} else {
			c.n.refusedRole(m.s.x, "", m.by.Via, m.by, err)
		}
		m.done <- err
	case keyPressed:
		c.key(ctx, m.s, m.data)
	case originated:
		c.answered(m.s, m.reply)
	case roomChanged:
		c.fresh = false
	case holdChanged:
		c.holdLooks, c.holdAt = 2, time.Time{} // the description may come after the event
	case resynced:
		c.fresh, c.holdLooks, c.holdAt = false, 1, time.Time{}
		c.seeLegs()
		if m.restarted {
			for _, s := range c.sessions {
				c.end(s, 0, reasonRestarted)
			}
		}
	case switchDead:
		for _, s := range c.sessions {
			c.end(s, fault.SwitchTimeout, "the switch died, or cannot be reached any more")
		}
	}
}

// forward passes on what is about a session that has been handed over to
// another call.
func (c *call) forward(msg any) bool {
	var s *session
	switch m := msg.(type) {
	case roleRequest:
		s = m.s
	case stopRequest:
		s = m.s
	case followRequest:
		s = m.s
	case keyPressed:
		s = m.s
	case originated:
		s = m.s
	default:
		return false
	}
	c.n.mu.Lock()
	to := s.call
	c.n.mu.Unlock()
	if to == c || s.ended {
		return false
	}
	to.post(msg)
	return true
}

// wasParked tells whether a supervisor's leg ever waited for us.
func (c *call) wasParked(s *session) bool {
	c.n.mu.Lock()
	defer c.n.mu.Unlock()
	return s.parked
}

// seeLegs puts right what events would have said of supervisors' telephones,
// after some may have been missed.
func (c *call) seeLegs() {
	c.n.mu.Lock()
	defer c.n.mu.Unlock()
	for _, s := range c.sessions {
		if l, alive := c.n.tracker.Leg(s.x.Channel); !alive {
			s.dialing = false
		} else if l.Answered {
			s.parked = true
		}
	}
}

// view gathers what decide looks at.
func (c *call) view() callView {
	c.n.mu.Lock()
	defer c.n.mu.Unlock()
	v := callView{shop: c.shop, follow: c.n.m.cfg.FollowTransfers, followed: !c.followed.IsZero(), pupilFirst: c.firstGone != "" && c.firstGone == c.pupil}
	v.vigil, v.returning = c.vigil, c.returning
	v.pupil, v.user = c.whereIs(c.pupil, c.user), c.whereIs(c.user, c.pupil)
	if now := [2]where{v.pupil, v.user}; now != c.place {
		c.place, c.placeAt, c.bonded = now, time.Now(), false
	}
	v.settled = time.Since(c.placeAt) >= c.n.m.cfg.SettleAfter
	if c.shop {
		for _, l := range c.n.tracker.RoomMembers(c.room) {
			if l.Channel != c.pupil && l.Mark.Session == "" {
				v.others = true
			}
		}
	}
	for _, s := range c.sessions {
		leg, alive := c.n.tracker.Leg(s.x.Channel)
		if s.parked {
			s.dialing = false
		}
		l := legView{session: s.x.ID, desired: s.x.Desired, dialing: s.dialing, alive: alive, answered: alive && leg.Answered && s.parked,
			joined: alive && c.room != "" && leg.Room == c.room, leaving: s.leaving, ended: s.ended}
		if l.joined {
			s.wasIn = true
		}
		l.was = s.wasIn
		l.speaks = l.joined && (s.x.Role == wire.Barge || s.x.Role == wire.TakeOver)
		v.legs = append(v.legs, l)
	}
	return v
}

// whereIs tells where a leg is. The node's mutex is held.
func (c *call) whereIs(channel, partner string) where {
	l, ok := c.n.tracker.Leg(channel)
	switch {
	case !ok:
		return gone
	case c.room != "" && l.Room == c.room:
		return inRoom
	case l.Partner != "" && l.Partner == partner:
		return bridged
	default:
		return elsewhere
	}
}

// reconcile does what the call needs, step by step, until there is nothing to do
// for now. It returns true when the call can be forgotten.
func (c *call) reconcile(ctx context.Context) bool {
	c.retryAt = time.Time{}
	if c.unchecked {
		c.checkRights(ctx)
	}
	for range 100 {
		if ctx.Err() != nil || !c.n.isReady() {
			return false // resynced, switchDead or the end of the node will wake us
		}
		c.dialTimeouts()
		v := c.view()
		if c.vigil && len(c.sessions) > 0 {
			_, v.next = c.n.nextCall(c.agent, c.sessions[0].last)
		}
		guarded := c.keepGuard(ctx, v)
		st := decide(v)
		if st.action != await && st.action != plan {
			c.log.Debug("step", "action", st.action, "session", st.session, "reason", st.reason, "pupil", v.pupil, "user", v.user)
		}
		switch st.action {
		case endLeg:
			s := c.find(st.session)
			switch {
			case s.leaving:
				c.end(s, s.leave.code, s.leave.reason)
			case !c.wasParked(s):
				c.end(s, fault.PhoneNoAnswer, reasonNoAnswer)
			case c.shop && s.joining && !s.wasIn:
				// A conference that asks for a PIN hangs up whoever gives none.
				c.end(s, fault.PupilInConference, "the conference did not let the supervisor in")
			default:
				c.end(s, 0, st.reason)
			}
		case dismiss:
			c.dismiss(ctx, c.find(st.session), st.code, st.reason)
		case move:
			c.move(ctx)
		case join:
			c.join(ctx, c.find(st.session))
		case goOn:
			c.goOn(ctx, c.find(st.session))
		case takenOver:
			c.noteTakenOver(c.find(st.session))
		case returned:
			if !c.giveBack(ctx) {
				return c.failed >= maxGiveBack
			}
		case follow:
			if c.follow(ctx) {
				continue
			}
			return false
		case stranded:
			if c.endStranded(ctx) {
				continue
			}
			return false
		case hangUser:
			c.endOther(ctx, c.user)
			return false
		case hangPupil:
			c.endOther(ctx, c.pupil)
			return false
		case plan:
			c.seeHold(ctx)
			if c.reconcileRoom(ctx) {
				continue
			}
			c.repeatNotice(ctx, false)
			if c.vigil {
				c.keepVigil()
				return false
			}
			if !v.settled {
				c.lookAgain(c.n.m.cfg.SettleAfter)
			}
			return false
		case release:
			return !guarded && c.mayRelease()
		default:
			if !v.settled {
				c.lookAgain(c.n.m.cfg.SettleAfter)
			}
			return false
		}
	}
	c.log.Error("the call does not come to rest")
	c.lookAgain(time.Second)
	return false
}

func (c *call) find(id string) *session {
	if s := c.sessionOf(id); s != nil {
		return s
	}
	panic("monitor: decide named a session that it was not given")
}

// mayRelease tells whether the call can be forgotten: not while something
// waits in the mailbox.
func (c *call) mayRelease() bool {
	c.n.mu.Lock()
	defer c.n.mu.Unlock()
	c.box.mu.Lock()
	defer c.box.mu.Unlock()
	for _, m := range c.box.q {
		switch m.(type) {
		case legChanged, roomChanged, holdChanged, rightsChanged, resynced, switchDead:
		default:
			return false
		}
	}
	c.remove()
	return true
}

// forget removes the call from the node and answers whoever still waits.
func (c *call) forget() {
	c.n.mu.Lock()
	c.remove()
	c.n.mu.Unlock()
	for _, msg := range c.box.take() {
		switch m := msg.(type) {
		case roleRequest:
			m.done <- fault.New(fault.SwitchTimeout, "change role", "the controller is stopping")
		case stopRequest:
			m.done <- fault.New(fault.SwitchTimeout, "stop session", "the controller is stopping")
		case followRequest:
			m.done <- fault.New(fault.SwitchTimeout, "change session", "the controller is stopping")
		}
	}
}

// remove takes the call out of the node's tables. The node's mutex is held.
func (c *call) remove() {
	if c.n.calls[c.id] == c {
		delete(c.n.calls, c.id)
	}
	for k, v := range c.n.byChannel {
		if v == c {
			delete(c.n.byChannel, k)
		}
	}
	for k, v := range c.n.byRoom {
		if v == c {
			delete(c.n.byRoom, k)
		}
	}
	if len(c.n.calls) == 0 && c.n.follower != nil {
		c.n.follower.Hasten(false)
	}
}

func (n *node) isReady() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.ready && n.holding
}

// api sends one command to the switch.
func (c *call) api(ctx context.Context, line fsapi.Line) (string, error) {
	return c.n.sw().API(ctx, line)
}

// isRefusal tells whether the switch answered, and said no.
func isRefusal(err error) bool { return errors.Is(err, esl.ErrReply) }

// leg returns what the tracker knows of a channel.
func (c *call) leg(channel string) (legInfo, bool) {
	c.n.mu.Lock()
	defer c.n.mu.Unlock()
	l, ok := c.n.tracker.Leg(channel)
	return legInfo{Answered: l.Answered, Room: l.Room}, ok
}

type legInfo struct {
	Answered bool
	Room     string
}
