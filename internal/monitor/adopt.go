package monitor

import (
	"context"
	"fmt"
	"strings"
	"time"

	"livemon/internal/fault"
	"livemon/internal/fsapi"
	"livemon/internal/tracker"
	"livemon/internal/wire"
)

// adopt takes over what is on the switch and in the store from whoever
// controlled the node before: after a start, a takeover, or a lost connection.
// The switch says what is, the store what was wanted. A leg whose session the
// store does not know - it was an embedded one, or lost its data - becomes a
// session of its own again, with the least that does not lose the call.
func (n *node) adopt(ctx context.Context) error {
	known := map[string]wire.Session{}
	live, storeErr := n.m.store.Sessions(ctx, n.name)
	if storeErr != nil {
		n.log.Warn("the store cannot say which sessions there were", "error", storeErr)
	}
	for _, x := range live {
		known[x.ID] = x
	}
	seen := map[string]bool{}
	for _, leg := range n.legs() {
		id := leg.Vars[varSession]
		if id == "" {
			continue
		}
		seen[id] = true
		if n.has(id) {
			continue
		}
		if storeErr != nil && leg.Room != "" {
			return storeErr // what was wanted of him may well be known: ask again
		}
		x, ok := known[id]
		if !ok && n.endedBefore(ctx, id) && leg.Room != "" {
			x = n.rebuilt(id, leg)
			n.letGo(x, leg)
			continue
		}
		if !ok && leg.Room == "" {
			// Nobody knows what he was waiting for.
			if _, err := n.sw().API(ctx, fsapi.Kill(channelOf(leg.Channel))); err != nil && !isRefusal(err) {
				n.log.Warn("a supervisor's leg without a session could not be hung up", "channel", leg.Channel, "error", err)
			}
			continue
		}
		if !ok {
			x = n.rebuilt(id, leg)
		} else {
			x = n.believeLeg(x, leg)
		}
		n.readopt(ctx, x, leg, ok)
	}
	for id, x := range known {
		if seen[id] || n.has(id) {
			continue
		}
		now := time.Now().UTC()
		x.Status, x.Ended, x.Reason = wire.Ended, &now, reasonRestarted
		if n.callLives(x) {
			x.Reason = reasonHungUp
		}
		lease := n.fence()
		n.journal.add(endRecord(x, "controller", wire.Actor{}), func(ctx context.Context, rec wire.AuditRecord) error {
			return n.m.store.EndSession(ctx, lease, x, rec)
		})
	}
	n.hushStrays(ctx)
	n.adoptRooms()
	n.adoptGuards(ctx)
	return nil
}

// believeLeg puts right whose session it is, by the marks that livemon put on its
// leg: whoever can write to the store must not lend it somebody else's rights.
func (n *node) believeLeg(x wire.Session, leg tracker.Leg) wire.Session {
	if leg.Vars[varPhone] == "" {
		return x // not marked yet
	}
	coaching := leg.Vars[varCoaching] == "true"
	if x.Account == leg.Vars[varAccount] && x.Coaching == coaching {
		return x
	}
	n.log.Error("the stored session is not the one that was begun: its leg is believed", "session", x.ID, "account", leg.Vars[varAccount], "stored", short(x.Account))
	rec := record(x, "adopted", "controller")
	rec.Detail = fmt.Sprintf("the store said account %q and coaching %t, the leg says %q and %t", short(x.Account), x.Coaching, leg.Vars[varAccount], coaching)
	n.journal.add(rec, func(ctx context.Context, rec wire.AuditRecord) error {
		_, err := n.m.store.AppendAudit(ctx, rec)
		return err
	})
	x.Account, x.Coaching = leg.Vars[varAccount], coaching
	return x
}

// hushStrays ends whispering that belongs to no session.
func (n *node) hushStrays(ctx context.Context) {
	for _, leg := range n.legs() {
		if id := leg.Vars[varWhisper]; id != "" && !n.has(id) {
			if _, err := n.sw().API(ctx, fsapi.Kill(channelOf(leg.Channel))); err != nil && !isRefusal(err) {
				n.log.Warn("a whispering leg without a session could not be hung up", "channel", leg.Channel, "error", err)
			}
		}
	}
}

// legs returns every leg that livemon has marked.
func (n *node) legs() []tracker.Leg {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.tracker.MarkedLegs()
}

// endedBefore tells whether the store knows that a session has ended.
func (n *node) endedBefore(ctx context.Context, id string) bool {
	x, err := n.m.store.Session(ctx, id)
	return err == nil && x.Status == wire.Ended
}

// letGo sees to a leg whose session has ended already: it was given up while the
// switch was away, and the switch did not end it. It leaves as every supervisor
// does, muted first.
func (n *node) letGo(x wire.Session, leg tracker.Leg) {
	s := &session{x: x, parked: true, leaving: true, leave: step{code: fault.SwitchTimeout, reason: reasonSwitch}}
	if err := n.attach(s, n.callParties(x, leg)); err != nil {
		n.log.Warn("a supervisor whose session has ended could not be let go", "session", x.ID, "error", err)
	}
}

// callLives tells whether the call of a session goes on.
func (n *node) callLives(x wire.Session) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	tc, ok := n.tracker.CallOf(x.Agent)
	return ok && tc.ID == x.Call
}

func (n *node) has(id string) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.sessions[id] != nil
}

// rebuilt is a session as far as its leg tells.
func (n *node) rebuilt(id string, leg tracker.Leg) wire.Session {
	return wire.Session{ID: id, Supervisor: leg.Vars[varSupervisor], Account: leg.Vars[varAccount], Phone: leg.Vars[varPhone], Agent: leg.Vars[varAgent], Call: leg.Vars[varCall],
		Coaching: leg.Vars[varCoaching] == "true", Status: wire.Answered, Role: wire.Joining, Desired: wire.Monitor, Follow: wire.FollowCall, Since: time.Now().UTC(),
		Node: n.name, Room: leg.Room, Channel: leg.Channel}
}

// readopt puts a session back on its call.
func (n *node) readopt(ctx context.Context, x wire.Session, leg tracker.Leg, stored bool) {
	tc := n.callParties(x, leg)
	if isVigil(x.Call) { // read from the leg
		x.Call, x.Follow = "", wire.FollowNext
	}
	if x.Call == "" {
		tc = n.vigilOf(x)
	}
	if x.User == "" {
		x.User = tc.UserNumber
	}
	s := &session{x: x, parked: leg.Answered, adopted: true, recorded: stored && x.Status == wire.Listening}
	if !stored {
		n.mu.Lock()
		_, pupil := n.tracker.Leg(tc.Pupil)
		n.mu.Unlock()
		if !pupil && tc.User != "" && x.Coaching {
			s.x.Desired, s.x.Role = wire.TakeOver, wire.TakeOver
		}
		err := n.m.store.CreateSession(ctx, n.fence(), x, record(x, "adopted", "controller"))
		if err == nil && s.x.Desired == wire.TakeOver {
			rec := record(x, "role", "controller")
			rec.From, rec.To, rec.Detail = wire.Monitor, wire.TakeOver, "found alone with the user"
			_, err = n.m.store.ChangeRole(ctx, n.fence(), x.ID, wire.TakeOver, rec)
		}
		if err != nil {
			n.log.Warn("a session that was found on the switch cannot be recorded", "session", x.ID, "error", err)
		}
	}
	if err := n.attach(s, tc); err != nil {
		n.log.Warn("a session could not be put back on its call", "session", x.ID, "error", err)
		return
	}
	n.log.Info("session taken over", "session", x.ID, "role", s.x.Desired, "stored", stored)
}

// callParties finds the parties of a session's call: by the marks on their
// legs or, in a conference of the shop's own, by the agent.
func (n *node) callParties(x wire.Session, leg tracker.Leg) tracker.Call {
	n.mu.Lock()
	defer n.mu.Unlock()
	tc := tracker.Call{ID: x.Call, Node: n.name, Agent: x.Agent, Room: leg.Room, UserNumber: x.User}
	if isVigil(tc.Room) {
		tc.Room = "" // he is not in the call's room yet, or not any more
	}
	for _, l := range n.tracker.MarkedLegs() {
		if l.Vars[varCall] != x.Call || l.Vars[varSession] != "" {
			continue
		}
		switch l.Vars[varParty] {
		case "pupil":
			tc.Pupil = l.Channel
		case "user":
			tc.User = l.Channel
			if tc.UserNumber == "" {
				tc.UserNumber = l.Number
			}
		}
		if strings.HasPrefix(l.Room, roomPrefix) && tc.Room == "" {
			tc.Room = l.Room
		}
	}
	if cur, ok := n.tracker.CallOf(x.Agent); ok && cur.ID == x.Call {
		tc.UserNumber = cur.UserNumber
		if tc.Pupil == "" && tc.User == "" {
			tc.Pupil, tc.User = cur.Pupil, cur.User
			if tc.Room == "" {
				tc.Room = cur.Room
			}
		}
	}
	return tc
}

// adoptRooms sees to rooms of ours that nobody cares for: a controller died
// before it could give the call back, or a command was carried out although the
// connection ended before it was answered.
func (n *node) adoptRooms() {
	n.mu.Lock()
	defer n.mu.Unlock()
	calls := map[string]*tracker.Call{}
	for _, l := range n.tracker.MarkedLegs() {
		id := l.Vars[varCall]
		if !strings.HasPrefix(l.Room, roomPrefix) || id == "" || n.calls[id] != nil || l.Vars[varSession] != "" {
			continue
		}
		tc := calls[id]
		if tc == nil {
			tc = &tracker.Call{ID: id, Node: n.name, Room: l.Room}
			calls[id] = tc
		}
		if l.Vars[varParty] == "pupil" {
			tc.Pupil = l.Channel
		} else {
			tc.User = l.Channel
		}
	}
	for id, tc := range calls {
		c := newCall(n, *tc)
		n.calls[id], n.byRoom[tc.Room] = c, c
		n.watch(c, tc.Pupil, tc.User)
		n.actors.Go(func() error { c.run(n.actorCtx); return nil })
		n.log.Info("a call was left in a room", "call", id, "room", tc.Room, "parties", fmt.Sprint(tc.Pupil != "", tc.User != ""))
	}
}
