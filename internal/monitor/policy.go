package monitor

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"livemon/conference"
	"livemon/internal/access"
	"livemon/internal/fault"
	"livemon/internal/tracker"
	"livemon/internal/wire"
)

// Policy says who may do what, and who has to be told. Package accounts
// implements it. Without one everything is allowed to whoever asks.
type Policy interface {
	// Allowed answers nil, a fault.NotAllowed, a fault.RoleNotAllowed (listening is
	// allowed still, only not in this role), or fault.StoreUnavailable: nothing new
	// may begin, and what is going on may go on.
	Allowed(ctx context.Context, actor wire.Actor, action wire.Action, agent wire.Agent, c access.Call) error
	// MarkNames are the channel variables that Allowed wants as marks.
	MarkNames() []string
	// Notice says how those who are listened to are told of it.
	Notice(ctx context.Context, agent wire.Agent) (wire.Notice, error)
	// Changed is closed at the next change of any of this.
	Changed() <-chan struct{}
	// Known tells whether there are accounts at all: then who dials in must have one.
	Known(ctx context.Context) (bool, error)
	// ByExtension returns the account whose telephone it is, wire.ErrNotFound if it
	// is nobody's.
	ByExtension(ctx context.Context, extension string) (wire.Account, error)
	// CheckPIN returns the account with an extension and a PIN: wire.ErrDenied, or a
	// *wire.WaitError after too many that were wrong.
	CheckPIN(ctx context.Context, extension, pin, from string) (wire.Account, error)
}

// open is the policy where there is none.
type open struct{}

func (open) Allowed(context.Context, wire.Actor, wire.Action, wire.Agent, access.Call) error {
	return nil
}
func (open) MarkNames() []string                                     { return nil }
func (open) Notice(context.Context, wire.Agent) (wire.Notice, error) { return wire.Notice{}, nil }
func (open) Changed() <-chan struct{}                                { return nil }
func (open) Known(context.Context) (bool, error)                     { return false, nil }
func (open) ByExtension(context.Context, string) (wire.Account, error) {
	return wire.Account{}, wire.ErrNotFound
}
func (open) CheckPIN(context.Context, string, string, string) (wire.Account, error) {
	return wire.Account{}, wire.ErrDenied
}

// owner is a session's supervisor as somebody who asks for something.
func owner(x wire.Session) wire.Actor {
	return wire.Actor{Account: x.Account, Operator: x.Account == "", Via: "telephone", From: x.Phone}
}

// subject is what somebody may, or may not, listen to.
type subject struct {
	agent  wire.Agent
	users  []string // their numbers; at least one, which may be empty
	others []wire.Agent
	marks  []mark
	hidden error // why the marks of one of its legs cannot be read
}

// mark is a channel variable of one of the call's legs.
type mark struct{ name, value string }

// subjectOf gathers what the policy has to know of an agent's call. The error is
// that of a switch which does not answer.
func (n *node) subjectOf(ctx context.Context, agent, pupil, user, room string) (subject, error) {
	s := subject{agent: n.agent(agent)}
	n.mu.Lock()
	var legs []tracker.Leg
	see := func(channel string) {
		if l, ok := n.tracker.Leg(channel); ok {
			legs = append(legs, l)
			if channel != pupil {
				s.users = append(s.users, l.Number)
				if other, ok := n.tracker.InHouse(channel); ok {
					s.others = append(s.others, other)
				}
			}
		}
	}
	see(pupil)
	see(user)
	if n.isShop(room) {
		for _, l := range n.tracker.RoomMembers(room) {
			if l.Channel != pupil && l.Channel != user && l.Mark.Session == "" {
				see(l.Channel)
			}
		}
	}
	if tc, ok := n.tracker.CallOf(agent); ok && tc.Pupil == pupil && tc.UserNumber != "" {
		s.users = append(s.users, tc.UserNumber)
	}
	n.mu.Unlock()
	if len(s.users) == 0 {
		s.users = []string{""}
	}
	var err error
	s.marks, s.hidden, err = n.marksOf(ctx, legs)
	return s, err
}

// agent is an agent as the policy knows him, also one whom the switch no longer shows.
func (n *node) agent(name string) wire.Agent {
	n.mu.Lock()
	defer n.mu.Unlock()
	if a, ok := n.tracker.Agent(name); ok {
		return a
	}
	return wire.Agent{Agent: name, Node: n.name}
}

// unseenCall is all that there is to ask about an agent before there is a call.
func unseenCall(a wire.Agent) subject { return subject{agent: a, users: []string{""}} }

// allowed asks the policy about every user and, one by one, every mark: a leg
// with a value that matters must not be hidden by one with another.
func (m *Monitor) allowed(ctx context.Context, actor wire.Actor, action wire.Action, s subject) error {
	if s.hidden != nil {
		return &fault.Error{Code: fault.NotAllowed, Op: "check rights", Detail: "somebody on this call has a channel whose id a command must not hold, so the switch cannot be asked whether nobody may listen to him", Err: s.hidden}
	}
	for _, user := range s.users {
		if err := m.policy.Allowed(ctx, actor, action, s.agent, access.Call{User: user, Others: s.others}); err != nil {
			return err
		}
	}
	for _, k := range s.marks {
		if err := m.policy.Allowed(ctx, actor, action, s.agent, access.Call{User: s.users[0], Marks: map[string]string{k.name: k.value}}); err != nil {
			return err
		}
	}
	return nil
}

// why is an error as the audit says it: it may tell more than whoever was
// refused may know.
func why(err error) string {
	var r *access.Refusal
	if errors.As(err, &r) {
		return r.Why
	}
	return err.Error()
}

// subject is what the sessions on a call listen to.
func (c *call) subject(ctx context.Context) (subject, error) {
	c.n.mu.Lock()
	pupil, user := c.pupil, c.user
	c.n.mu.Unlock()
	return c.n.subjectOf(ctx, c.agent, pupil, user, c.room)
}

// mayRaise tells whether a session may be given a role that is heard by more:
// whoever asks for it, and the supervisor whose voice it is, must both be allowed.
func (c *call) mayRaise(ctx context.Context, s *session, to wire.Role, actor wire.Actor) error {
	sub, err := c.subject(ctx)
	if err != nil {
		return err
	}
	who := owner(s.x)
	if err := c.n.m.allowed(ctx, who, wire.ActionOf(to), sub); err != nil {
		return err
	}
	if actor.Account != who.Account {
		return c.n.m.allowed(ctx, actor, wire.ActionOf(to), sub)
	}
	return nil
}

// checkRights ends, or lowers, what is no longer allowed. While that cannot be
// known, what is going on goes on.
func (c *call) checkRights(ctx context.Context) {
	if len(c.sessions) == 0 {
		return
	}
	sub, err := c.subject(ctx)
	if err != nil {
		c.log.Warn("rights could not be looked at again", "error", err)
		c.lookAgain(rightsRetry)
		c.unchecked = true
		return
	}
	c.unchecked = false
	for _, s := range slices.Clone(c.sessions) {
		if s.ended || s.leaving {
			continue
		}
		who := owner(s.x)
		action := wire.ActionListen
		if s.x.Desired == wire.Coach || s.x.Desired == wire.Barge {
			action = wire.ActionOf(s.x.Desired) // a take-over is a call of his own by now
		}
		err := c.n.m.allowed(ctx, who, action, sub)
		switch fault.Of(err) {
		case fault.NotAllowed:
			c.n.refusedRole(s.x, s.x.Desired, "controller", wire.Actor{}, err)
			c.dismiss(ctx, s, fault.NotAllowed, reasonNotAllowed)
		case fault.RoleNotAllowed:
			c.n.refusedRole(s.x, s.x.Desired, "controller", wire.Actor{}, err)
			c.lower(s, wire.Monitor, "controller", "no longer allowed: "+why(err))
			c.refuse(ctx, s, err)
		}
	}
}

// seeOthers looks at rights again when somebody else has come into a conference
// of the shop's own: there may be those whom nobody may listen to.
func (c *call) seeOthers(ctx context.Context) {
	if !c.shop {
		return
	}
	var others []string
	for _, m := range c.actual.Members {
		if m.Party != conference.Supervisor {
			others = append(others, m.Channel)
		}
	}
	slices.Sort(others)
	if !slices.Equal(others, c.others) {
		c.others = others
		c.checkRights(ctx)
		c.tellNewcomers(ctx)
	}
}

// rightsRetry is when rights that could not be looked at are looked at again.
const rightsRetry = time.Second

// watchRights has every call look at its sessions' rights whenever any has changed.
func (n *node) watchRights(ctx context.Context) error {
	for {
		changed := n.m.policy.Changed()
		n.mu.Lock()
		for _, c := range n.calls {
			c.post(rightsChanged{})
		}
		n.mu.Unlock()
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// asker is who asks, by the context. Whoever says nothing of himself comes by
// the API.
func asker(ctx context.Context) wire.Actor {
	a, _ := wire.ActorOf(ctx)
	if a.Via == "" {
		a.Via = "api"
	}
	return a
}

// presser is who pressed a key on a session's telephone.
func presser(x wire.Session) wire.Actor { return wire.Actor{Account: x.Account, From: x.Phone} }

// mine tells whether somebody may change a session: its own supervisor, whoever
// has the machine's token, and an administrator where he may, too.
func mine(x wire.Session, by wire.Actor, admin bool) error {
	if by.Operator || admin || by.Account == x.Account {
		return nil
	}
	return fmt.Errorf("%w: the session is %q's", wire.ErrForbidden, short(x.Supervisor))
}
