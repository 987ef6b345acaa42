package wire

import "context"

// Action is what somebody wants to do to an agent's call, and the right to it.
type Action string

// The actions. Each but Listen is possible only for who may listen, too.
const (
	ActionListen   Action = "listen"   // hear both parties, heard by nobody
	ActionCoach    Action = "coach"    // be heard by the agent only
	ActionBarge    Action = "barge"    // be heard by both
	ActionTakeOver Action = "takeover" // put the agent out and go on with the user
)

// Actions returns every action, the weakest first.
func Actions() []Action {
	return []Action{ActionListen, ActionCoach, ActionBarge, ActionTakeOver}
}

// ActionOf returns the action that leads to a role.
func ActionOf(r Role) Action {
	switch r {
	case Coach:
		return ActionCoach
	case Barge:
		return ActionBarge
	case TakeOver:
		return ActionTakeOver
	}
	return ActionListen
}

// OperatorName is what the operator is called in records. No account can be.
const OperatorName = "operator"

// Actor is who asks for something: an account, or the operator, who holds the
// token of the machine. The zero Actor is nobody in particular.
type Actor struct {
	Account  string `json:"account,omitempty"` // the account's name
	Operator bool   `json:"operator,omitempty"`
	Admin    bool   `json:"admin,omitempty"` // whether the account administered others when it was authenticated
	Via      string `json:"via,omitempty"`   // by which door: api, panel, telephone
	From     string `json:"from,omitempty"`  // from where: an address, or a telephone
	Token    string `json:"token,omitempty"` // the id (not the secret) of the account's token that was used
}

// Name is what the actor is called in records; "" for nobody in particular.
func (a Actor) Name() string {
	if a.Operator {
		return OperatorName
	}
	return a.Account
}

type actorKey struct{}

// WithActor returns a context that says who asks.
func WithActor(ctx context.Context, a Actor) context.Context {
	return context.WithValue(ctx, actorKey{}, a)
}

// ActorOf returns who asks. It is the zero Actor, and false, where nobody said so.
func ActorOf(ctx context.Context) (Actor, bool) {
	a, ok := ctx.Value(actorKey{}).(Actor)
	return a, ok
}
