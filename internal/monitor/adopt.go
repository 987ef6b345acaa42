package monitor

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"livemon/internal/fault"
	"livemon/internal/fsapi"
	"livemon/internal/seal"
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
	for _, leg := range n.sessionLegs(known) {
		id := leg.Mark.Session
		x, ok := known[id]
		if leg.Mark.Early && !(ok && beginning(x, leg)) {
			n.dropStray(ctx, leg)
			continue
		}
		if seen[id] || n.has(id) {
			seen[id] = true
			continue
		}
		seen[id] = true
		if storeErr != nil && leg.Room != "" {
			return storeErr // what was wanted of him may well be known: ask again
		}
		if !ok && n.endedBefore(ctx, id) && leg.Room != "" {
			n.letGo(n.rebuilt(leg), leg)
			continue
		}
		if !ok && leg.Room == "" {
			n.dropStray(ctx, leg) // nobody knows what he was waiting for
			continue
		}
		n.readopt(ctx, n.fromLeg(leg, x, ok), leg, ok)
	}
	for id, x := range known {
		if seen[id] || n.has(id) {
			continue
		}
		now := time.Now().UTC()
		x.Status, x.Ended, x.Reason = wire.Ended, &now, reasonRestarted
		switch {
		case n.disown(x):
			x.Reason = reasonNotOurs
		case n.callLives(x):
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

// disown notes that the leg which the store names for a session is on the switch,
// and reports whether it is. It is left alone: somebody who writes to the store
// could name a customer's.
func (n *node) disown(x wire.Session) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	l, ok := n.tracker.Leg(x.Channel)
	if !ok {
		return false
	}
	n.log.Error("a session's leg does not bear a mark that holds: livemon no longer controls it", "session", x.ID, "channel", l.Channel, "name", l.Name)
	n.disowned = append(slices.DeleteFunc(n.disowned, func(ch string) bool {
		_, there := n.tracker.Leg(ch)
		return !there || ch == l.Channel
	}), l.Channel)
	return true
}

// disownedFinding tells of legs that listen, as far as the store knows, and that
// livemon does not control.
func (n *node) disownedFinding() (f wire.Finding, ok bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	var names []string
	for _, ch := range n.disowned {
		if l, there := n.tracker.Leg(ch); there {
			names = append(names, fmt.Sprintf("%s (%s)", l.Channel, l.Name))
		}
	}
	if len(names) == 0 {
		return wire.Finding{}, false
	}
	return wire.Finding{Node: n.name, Check: "legs", Detail: "sessions' legs whose marks do not hold, and which may still listen: " + strings.Join(names, ", "),
		Do: "was the secret file changed? Put the former one back and restart, or look whose legs they are and hang up supervisors' with 'fs_cli -x \"uuid_kill CHANNEL\"'"}, true
}

// sessionLegs returns the legs that are supervisors' by their marks. Of two that
// name one session the one that the store names comes first.
func (n *node) sessionLegs(known map[string]wire.Session) []tracker.Leg {
	legs := slices.DeleteFunc(n.legs(), func(l tracker.Leg) bool { return l.Mark.Session == "" })
	slices.SortStableFunc(legs, func(a, b tracker.Leg) int {
		switch isA, isB := known[a.Mark.Session].Channel == a.Channel, known[b.Mark.Session].Channel == b.Channel; {
		case isA == isB:
			return 0
		case isA:
			return -1
		}
		return 1
	})
	return legs
}

// beginning reports whether a session is one whose telephone is being rung on that
// leg. Its mark was made before the leg was, so anybody who has seen it and could
// choose a channel's id could have made the leg since.
func beginning(x wire.Session, leg tracker.Leg) bool {
	return x.Channel == leg.Channel && leg.Room == "" &&
		(x.Status == wire.Requested || x.Status == wire.Ringing || x.Status == wire.Answered)
}

// dropStray hangs up a supervisor's leg that nobody waits for.
func (n *node) dropStray(ctx context.Context, leg tracker.Leg) {
	if leg.Room != "" {
		n.log.Warn("a leg with a mark of livemon's is where livemon has not sent it: it is left alone", "channel", leg.Channel, "room", leg.Room)
		return
	}
	if _, err := n.sw().API(ctx, fsapi.Kill(channelOf(leg.Channel))); err != nil && !isRefusal(err) {
		n.log.Warn("a supervisor's leg without a session could not be hung up", "channel", leg.Channel, "error", err)
	}
}

// fromLeg is a session as it goes on. What it is, its leg says; the store adds
// what was wanted of it and since when. So somebody who can write to the store can
// lend it neither somebody else's rights nor another leg, call or room.
func (n *node) fromLeg(leg tracker.Leg, stored wire.Session, ok bool) wire.Session {
	x := n.rebuilt(leg)
	if !ok {
		if x.Call == "" {
			x.Follow = wire.FollowNext
		}
		return x
	}
	x.Status, x.Role, x.Desired, x.Follow, x.Since, x.Hold = stored.Status, stored.Role, stored.Desired, stored.Follow, stored.Since, stored.Hold
	var other []string
	for _, f := range []struct{ name, stored, leg string }{
		{"account", stored.Account, x.Account}, {"supervisor", stored.Supervisor, x.Supervisor}, {"phone", stored.Phone, x.Phone},
		{"channel", stored.Channel, x.Channel}, {"coaching", fmt.Sprint(stored.Coaching), fmt.Sprint(x.Coaching)},
	} {
		if f.stored != f.leg {
			other = append(other, fmt.Sprintf("%s %q (not %q)", f.name, short(f.stored), short(f.leg)))
		}
	}
	if len(other) == 0 {
		return x
	}
	n.log.Error("the stored session is not the one that was begun: its leg is believed", "session", x.ID, "stored", strings.Join(other, ", "))
	rec := record(x, "adopted", "controller")
	rec.Detail = "its leg was believed, where the store said " + strings.Join(other, ", ")
	lease := n.fence()
	n.journal.add(rec, func(ctx context.Context, rec wire.AuditRecord) error {
		return n.m.store.SetSession(ctx, lease, x, &rec)
	})
	return x
}

// hushStrays ends whispering that belongs to no session.
func (n *node) hushStrays(ctx context.Context) {
	for _, leg := range n.legs() {
		if id := leg.Mark.Whisper; id != "" && !n.has(id) {
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
func (n *node) rebuilt(leg tracker.Leg) wire.Session {
	m := leg.Mark
	x := wire.Session{ID: m.Session, Supervisor: m.Supervisor, Account: m.Account, Phone: m.Phone, Agent: m.Agent, Call: m.Call,
		Coaching: m.Coaching, Status: wire.Answered, Role: wire.Joining, Desired: wire.Monitor, Follow: wire.FollowCall, Since: time.Now().UTC(),
		Node: n.name, Room: leg.Room, Channel: leg.Channel}
	if x.Call == vigilID(x.ID) {
		x.Call = ""
	}
	return x
}

// readopt puts a session back on its call.
func (n *node) readopt(ctx context.Context, x wire.Session, leg tracker.Leg, stored bool) {
	tc := n.callParties(x, leg)
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
	if n.seal.IsWaitingRoom(tc.Room) {
		tc.Room = "" // he is not in the call's room yet, or not any more
	}
	for _, l := range n.tracker.MarkedLegs() {
		if x.Call == "" || l.Mark.Call != x.Call || l.Mark.Session != "" {
			continue
		}
		switch l.Mark.Party {
		case seal.Pupil:
			tc.Pupil = l.Channel
		case seal.User:
			tc.User = l.Channel
			if tc.UserNumber == "" {
				tc.UserNumber = l.Number
			}
		}
		if n.seal.IsRoom(l.Room) && tc.Room == "" {
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
		id := l.Mark.Call
		if id == "" || n.calls[id] != nil || l.Mark.Session != "" || !n.seal.IsRoom(l.Room) {
			continue
		}
		tc := calls[id]
		if tc == nil {
			tc = &tracker.Call{ID: id, Node: n.name, Room: l.Room}
			calls[id] = tc
		}
		if l.Mark.Party == seal.Pupil {
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
