package monitor

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"livemon/fsconf"
	"livemon/internal/fault"
	"livemon/internal/fsapi"
	"livemon/internal/tracker"
	"livemon/internal/wire"
	"livemon/state"
)

// session is a supervisor on a call. x is guarded by the node's mutex; the rest
// belongs to the call's goroutine.
type session struct {
	call *call
	x    wire.Session

	dial      fsapi.Dial // of a telephone that has to be rung; zero if there is none
	dialing   bool       // asked for, and neither seen nor refused yet
	until     time.Time  // when dialing is given up
	parked    bool       // his leg waits for us; guarded by the node's mutex. Until then its originate would undo what we do with it
	joining   bool       // has been sent to the call's room
	wasIn     bool       // has been in the call's room
	waits     bool       // for the customer to be connected with an agent again
	recorded  bool       // that he listens is in the audit stream
	dialledIn bool       // he has dialled in
	last      string     // the call that is not the next one: it was there before
	adopted   bool       // taken over from another controller, and not compared with the room yet
	leaving   bool       // has to leave, with leave
	leave     step
	via       string     // how its end was asked for
	by        wire.Actor // and by whom
	ended     bool
	waiting   []waiter // requests that wait for a role to be reached
	tries     int      // joins that failed
	taps      []string // whispering legs that were asked for, until they are known to be gone
	whispers  int      // whispering legs made since he was last raised
}

// waiter waits until the session's role is to.
type waiter struct {
	to   wire.Role
	done chan<- error
}

func (s *session) answer(err error) {
	for _, w := range s.waiting {
		w.done <- err // has room for one
	}
	s.waiting = nil
}

// record makes an audit record about the session.
func record(x wire.Session, event, via string) wire.AuditRecord {
	return wire.AuditRecord{Time: time.Now().UTC(), Event: event, Session: x.ID, Supervisor: x.Supervisor, Phone: x.Phone, Agent: x.Agent,
		User: x.User, Node: x.Node, Call: x.Call, Room: x.Room, Via: via}
}

// start begins a session. channel is the leg of a supervisor who dialled in;
// else his telephone is rung.
func (n *node) start(ctx context.Context, agent string, r wire.MonitorRequest, dial fsapi.Dial, channel string) (wire.Session, error) {
	by := asker(ctx)
	r.Follow = cmp.Or(r.Follow, wire.FollowCall)
	a := n.agent(agent)
	// Who may not know of the agent must not learn of him by how long it takes.
	early := n.m.allowed(ctx, by, wire.ActionListen, unseenCall(a))
	var tc tracker.Call
	onCall := false
	if early == nil {
		a, tc, onCall = n.settledCall(ctx, agent)
	}
	ctx = context.WithoutCancel(ctx) // whoever asks and goes must not end the connection that all commands take
	x := wire.Session{ID: newID(), Supervisor: r.Supervisor, Account: by.Account, Phone: r.Phone, Agent: agent, Status: wire.Requested, Role: wire.Joining, Desired: wire.Monitor,
		Coaching: r.Coaching, Follow: r.Follow, Since: time.Now().UTC(), Node: n.name, Call: tc.ID, Room: tc.Room, Channel: channel, User: tc.UserNumber}
	if x.Channel == "" {
		x.Channel = newUUID()
	}
	err := early
	if err == nil {
		err = n.permitted(ctx, a, r, channel != "", by)
	}
	if err == nil && onCall && r.Follow == wire.FollowCall {
		err = n.addressable(tc) // rights cannot be looked at where a leg cannot be asked
	}
	if err == nil {
		err = n.listenTo(ctx, by, tc)
	}
	waits := r.Follow == wire.FollowNext
	if err == nil && !waits {
		err = n.reachable(a, tc, onCall)
		waits = err != nil && r.Follow == wire.FollowAgent
	}
	last := ""
	if waits {
		last, err = tc.ID, nil
		tc = n.vigilOf(x)
		x.Call, x.Room, x.User = "", "", ""
	}
	if err == nil {
		err = n.profileReady(ctx, tc.Room)
	}
	if err != nil {
		n.refused(x, by, err)
		if errors.Is(err, wire.ErrNotFound) {
			return wire.Session{}, noAgent(r.Agent)
		}
		return wire.Session{}, err
	}
	rec := record(x, "requested", by.Via)
	rec.Actor, rec.Origin = by.Name(), by.From
	if err := n.m.store.CreateSession(ctx, n.fence(), x, rec); err != nil {
		return wire.Session{}, err
	}
	s := &session{x: x, last: last, dial: dial, dialledIn: channel != "", dialing: channel == "", parked: channel != "", until: time.Now().Add(n.m.cfg.RingTimeout + 5*time.Second)}
	err = fault.New(fault.SwitchTimeout, "start session", "the switch cannot be reached, or another controller acts on it")
	if n.isReady() {
		err = n.attach(s, tc)
	}
	if err != nil {
		x.Status, x.Reason, x.Code = wire.Ended, err.Error(), int(fault.Of(err))
		lease := n.fence()
		n.journal.add(endRecord(x, by.Via, by), func(ctx context.Context, rec wire.AuditRecord) error {
			return n.m.store.EndSession(ctx, lease, x, rec)
		})
		return wire.Session{}, err
	}
	n.m.touch()
	return x, nil
}

// connectTime is how long an agent who has answered may take to be connected.
const connectTime = time.Second

// settledCall returns an agent's call. One who has just answered is waited for.
func (n *node) settledCall(ctx context.Context, agent string) (wire.Agent, tracker.Call, bool) {
	ctx, cancel := context.WithTimeout(ctx, connectTime)
	defer cancel()
	for {
		changed := n.m.Changed()
		n.mu.Lock()
		a, _ := n.tracker.Agent(agent)
		tc, onCall := n.tracker.CallOf(agent)
		n.mu.Unlock()
		if onCall || a.State != wire.OnCall {
			return a, tc, onCall
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return a, tc, onCall
		}
	}
}

// listenTo tells whether somebody may listen to a call. One that is not there yet
// is looked at when it is.
func (n *node) listenTo(ctx context.Context, by wire.Actor, tc tracker.Call) error {
	if tc.ID == "" {
		return nil
	}
	sub, err := n.subjectOf(ctx, tc.Agent, tc.Pupil, tc.User, tc.Room)
	if err != nil {
		return err
	}
	return n.m.allowed(ctx, by, wire.ActionListen, sub)
}

// permitted tells whether the supervisor's telephone may listen to the agent. One
// that an account has dialled in from is that account's.
func (n *node) permitted(ctx context.Context, a wire.Agent, r wire.MonitorRequest, dialledIn bool, by wire.Actor) error {
	if pattern, never := n.m.cfg.never(a.Agent, a.Extension); never {
		return notAllowed(fmt.Sprintf("nobody may listen to agents like %q", pattern))
	}
	if sameTelephone(r.Phone, a.Agent, a.Extension) {
		return notAllowed("nobody can listen to himself")
	}
	if dialledIn && by.Account != "" {
		return nil
	}
	exts, err := n.m.store.Extensions(ctx)
	if err != nil {
		return err
	}
	registered := slices.ContainsFunc(exts, func(e wire.Extension) bool { return e.Number == r.Phone })
	if !registered && (len(exts) > 0 || dialledIn) {
		return notAllowed("the telephone " + r.Phone + " is not registered for live monitoring; 'livemon extensions add' registers it")
	}
	return nil
}

// reachable tells whether there is a call to listen to.
func (n *node) reachable(a wire.Agent, tc tracker.Call, onCall bool) error {
	switch {
	case !onCall || tc.Pupil == "":
		return fault.New(fault.PupilGone, "start session", "the agent is "+string(a.State))
	case tc.User == "" && !n.isShop(tc.Room):
		return fault.New(fault.UserGone, "start session", "nobody is connected with the agent")
	}
	n.mu.Lock()
	pupil, _ := n.tracker.Leg(tc.Pupil)
	n.mu.Unlock()
	if !pupil.Answered {
		return fault.New(fault.PupilGone, "start session", "the agent has not answered yet")
	}
	return n.addressable(tc)
}

// addressable reports why a call's legs or room cannot be named in commands. An end
// point, or the caller of a conference, may have chosen what they are called.
func (n *node) addressable(tc tracker.Call) error {
	if n.isShop(tc.Room) {
		if _, err := fsapi.ParseRoom(tc.Room); err != nil {
			return unmonitored(fault.PupilInConference, err)
		}
	}
	for _, id := range []string{tc.Pupil, tc.User} {
		if id == "" {
			continue
		}
		if _, err := fsapi.ParseChannel(id); err != nil {
			code := fault.NotAdded
			if n.isShop(tc.Room) {
				code = fault.PupilInConference
			}
			return unmonitored(code, err)
		}
	}
	return nil
}

// unmonitored is the refusal of a call that is shown only.
func unmonitored(code fault.Code, cause error) error {
	return &fault.Error{Code: code, Op: "start session", Detail: "livemon shows this call and cannot monitor it: whoever made the call chose a name that a command must not hold", Err: cause}
}

// profileReady tells whether a room of ours could be made.
func (n *node) profileReady(ctx context.Context, room string) error {
	if n.isShop(room) {
		return nil
	}
	// A profile that is missing is no error to the switch: it would build a room
	// with music and with keys that mute a customer.
	if err := fsconf.Ready(ctx, n.sw(), n.m.cfg.Settings); err != nil {
		return n.switchError(fault.RoomNotCreated, "start session", err)
	}
	return nil
}

func (n *node) isShop(room string) bool { return room != "" && !n.seal.IsRoom(room) }

// refused records that a request was refused.
func (n *node) refused(x wire.Session, by wire.Actor, err error) {
	rec := record(x, "refused", by.Via)
	rec.Actor, rec.Origin, rec.Session, rec.Code, rec.Detail = by.Name(), by.From, "", int(fault.Of(err)), why(err)
	n.journal.add(rec, func(ctx context.Context, rec wire.AuditRecord) error {
		_, err := n.m.store.AppendAudit(ctx, rec)
		return err
	})
}

func endRecord(x wire.Session, via string, by wire.Actor) wire.AuditRecord {
	rec := record(x, "ended", via)
	rec.Actor, rec.Origin = by.Name(), by.From
	rec.From, rec.Code, rec.Detail = x.Role, x.Code, x.Reason
	return rec
}

// attach puts a session on its call and starts the call's goroutine if this is
// its first.
func (n *node) attach(s *session, tc tracker.Call) error {
	if err := n.addressable(tc); err != nil {
		return err
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if !n.holding {
		return fault.New(fault.SwitchTimeout, "start session", "another controller acts on the switch")
	}
	c := n.calls[tc.ID]
	begins := c == nil
	if begins {
		c = newCall(n, tc)
		n.calls[tc.ID] = c
		n.watch(c, tc.Pupil, tc.User)
		if tc.Room != "" {
			n.byRoom[tc.Room] = c
		}
	} else if c.agent != s.x.Agent {
		return fault.New(fault.NotAdded, "start session", "the call is being monitored with "+c.agent+" as the agent")
	}
	s.call = c
	n.sessions[s.x.ID], n.byLeg[s.x.Channel] = s, s
	n.watch(c, s.x.Channel)
	n.follower.Hasten(true)
	c.post(newSession{s})
	if begins {
		// Only now: a call that finds itself without a session goes back to its bridge.
		n.actors.Go(func() error { c.run(n.actorCtx); return nil })
	}
	return nil
}

// watch sends events of channels to a call. n.mu is held.
func (n *node) watch(c *call, channels ...string) {
	for _, ch := range channels {
		if ch != "" {
			n.byChannel[ch] = c
		}
	}
}

// fence is the lease that writes are made with.
func (n *node) fence() state.Lease {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.lease
}

// switchError gives an error of the event socket a code: 9023 if the switch did
// not answer, else the one that says what could not be done.
func (n *node) switchError(code fault.Code, op string, err error) error {
	if err == nil {
		return nil
	}
	if fault.Of(err) != 0 {
		return err
	}
	if isRefusal(err) || errors.Is(err, fsconf.ErrNotReady) {
		return fault.Wrap(code, op, err)
	}
	return fault.Wrap(fault.SwitchTimeout, op, err)
}
