// Package wire holds the JSON values that livemon's service, its HTTP API, its
// command line and its panel exchange. It has no behaviour beyond naming the
// values that a field may take; field names are the API's contract.
package wire

import (
	"context"
	"io"
	"slices"
	"strings"
	"time"
)

// Role is what a supervisor may be heard as; see the table in docs/architecture.md.
type Role string

// The roles a session can be asked to take, and Joining, in which it starts.
const (
	Joining  Role = "joining"  // mute and deaf
	Monitor  Role = "monitor"  // hears both, heard by nobody
	Coach    Role = "coach"    // heard by the pupil only
	Barge    Role = "barge"    // heard by everybody
	TakeOver Role = "takeover" // the pupil is out; supervisor and user talk
)

// Speaks tells whether somebody hears the supervisor in this role.
func (r Role) Speaks() bool { return r == Coach || r == Barge || r == TakeOver }

// Status is how far a session has come.
type Status string

// A session goes through these in order, and may go to Ended from any of them.
// From Waiting it goes on to Answered, with another call.
const (
	Requested Status = "requested" // accepted and recorded; nothing has rung yet
	Ringing   Status = "ringing"   // the supervisor's telephone is being called
	Answered  Status = "answered"  // he has answered and is being joined
	Listening Status = "listening" // he hears the call
	Waiting   Status = "waiting"   // he is on the line, and nobody is there to be listened to for now
	Ended     Status = "ended"     // over; Reason and, if it failed, Code say why
)

// AgentState is what an agent is doing.
type AgentState string

// The states of an agent.
const (
	Idle         AgentState = "idle"
	AgentRinging AgentState = "ringing"
	OnCall       AgentState = "on-call"
	OnHold       AgentState = "on-hold"
	InConference AgentState = "in-conference" // in a conference of the shop's own
	WrapUp       AgentState = "wrap-up"
	LoggedOut    AgentState = "logged-out"
)

// Agent is one agent on one node, as last learnt from the switch.
type Agent struct {
	Agent       string       `json:"agent"`               // mod_callcenter's agent name, or user@domain of an extension
	Extension   string       `json:"extension,omitempty"` // user@domain, where it is known and differs from Agent
	State       AgentState   `json:"state"`
	Since       time.Time    `json:"since"` // when State began, by the switch's clock
	Node        string       `json:"node"`
	Call        string       `json:"call"`                // the call's id, empty when on none
	User        string       `json:"user"`                // the user's number
	Direction   string       `json:"direction,omitempty"` // of the call as the agent sees it: inbound or outbound
	Queue       string       `json:"queue,omitempty"`
	Unverified  bool         `json:"unverified,omitempty"` // the telephone on the call has not authenticated itself
	Supervisors []Supervisor `json:"supervisors"`          // who is on this agent's call; never null
}

// Called tells whether an agent can be asked for by a name: his own, his
// extension, or either without its domain.
func (a Agent) Called(name string) bool {
	for _, full := range []string{a.Agent, a.Extension} {
		user, _, _ := strings.Cut(full, "@")
		if full != "" && (name == full || name == user) {
			return true
		}
	}
	return false
}

// Supervisor is one session on an agent's call, as shown with the agent.
type Supervisor struct {
	Session    string `json:"session"`
	Supervisor string `json:"supervisor"`
	Role       Role   `json:"role"`
}

// Session is one supervisor on one call, from the request until he has left.
type Session struct {
	ID         string     `json:"id"`
	Supervisor string     `json:"supervisor"`
	Phone      string     `json:"phone"`
	Agent      string     `json:"agent"`
	Status     Status     `json:"status"`
	Role       Role       `json:"role"`              // the role he is in now, as seen in the room
	Desired    Role       `json:"desired"`           // the role he asked for last and was granted
	Account    string     `json:"account,omitempty"` // whose session it is; empty: whoever had the machine's token
	Coaching   bool       `json:"coaching"`
	Follow     Follow     `json:"follow"`
	Since      time.Time  `json:"since"`
	Node       string     `json:"node"`
	Call       string     `json:"call"` // empty while nobody is there to be listened to
	Room       string     `json:"room"`
	Channel    string     `json:"channel,omitempty"` // the supervisor's leg on the switch
	User       string     `json:"user,omitempty"`
	Hold       Hold       `json:"hold,omitempty"` // who of the two has put the other on hold
	Ended      *time.Time `json:"ended,omitempty"`
	Reason     string     `json:"reason,omitempty"` // why it ended, for people
	Code       int        `json:"code,omitempty"`   // the error code it ended with, 0 if none
}

// Follow says how long a session goes on.
type Follow string

// What a session may be for.
const (
	FollowCall  Follow = "call"  // the agent's call of now; the session ends with it
	FollowNext  Follow = "next"  // the agent's next call: the session waits for it, and ends with it
	FollowAgent Follow = "agent" // each call of the agent, from that of now on: between them the session waits
)

// Follows returns all of them.
func Follows() []Follow { return []Follow{FollowCall, FollowNext, FollowAgent} }

// Known tells whether f is one of them.
func (f Follow) Known() bool { return slices.Contains(Follows(), f) }

// Hold says who holds the call.
type Hold string

// The parties that can hold a call.
const (
	HeldByNobody   Hold = ""
	HeldByAgent    Hold = "agent"
	HeldByCustomer Hold = "customer"
)

// MonitorRequest asks for a session.
type MonitorRequest struct {
	Agent      string `json:"agent"`
	Phone      string `json:"phone"`
	Coaching   bool   `json:"coaching"`
	Supervisor string `json:"supervisor,omitempty"` // defaults to Phone
	Node       string `json:"node,omitempty"`       // only needed where an agent's name is on several nodes
	Follow     Follow `json:"follow,omitempty"`     // defaults to FollowCall
}

// Extension is a telephone number registered for live monitoring. While there
// is at least one, only registered numbers can be rung.
type Extension struct {
	Number string    `json:"number"`
	Name   string    `json:"name,omitempty"`
	Added  time.Time `json:"added"`
}

// Finding is one thing that 'doctor' or 'fsconf check' looked at.
type Finding struct {
	Node   string `json:"node,omitempty"`
	Check  string `json:"check"`  // short name, as in "conference profile"
	OK     bool   `json:"ok"`     // whether it is as it must be
	Detail string `json:"detail"` // what was found
	Do     string `json:"do,omitempty"`
}

// Node is one switch as its controller sees it.
type Node struct {
	Node       string `json:"node"`
	Addr       string `json:"addr"`
	Connected  bool   `json:"connected"`
	Controller bool   `json:"controller"` // whether this process holds the node's lease
	Version    string `json:"version,omitempty"`
	Detail     string `json:"detail,omitempty"` // why not, when not
}

// Error is the body of every answer that is not a success.
type Error struct {
	Code    int    `json:"code"` // livemon's code where there is one, else the HTTP status
	Message string `json:"message"`
}

// Service is what the HTTP API serves and the monitor package implements.
// Errors carry a fault code where one applies; ErrNotFound and ErrBadRequest
// (wrapped) tell unknown things and bad input apart from failures.
type Service interface {
	Agents(ctx context.Context) ([]Agent, error)
	Nodes(ctx context.Context) ([]Node, error)
	Sessions(ctx context.Context) ([]Session, error)
	// Session returns a live session, or one that ended within the last hour.
	Session(ctx context.Context, id string) (Session, error)
	// AwaitSession returns once the session's status or role differs from those
	// given, or has ended, or ctx ends (then it returns it as it is, without error).
	AwaitSession(ctx context.Context, id string, status Status, role Role) (Session, error)
	StartSession(ctx context.Context, r MonitorRequest) (Session, error)
	// ChangeRole asks for monitor, coach or barge and returns once the room is seen to be so.
	ChangeRole(ctx context.Context, id string, to Role) (Session, error)
	TakeOver(ctx context.Context, id string) (Session, error)
	StopSession(ctx context.Context, id string) (Session, error)
	// SetFollow changes how long a session goes on.
	SetFollow(ctx context.Context, id string, f Follow) (Session, error)
	Audit(ctx context.Context, f AuditFilter) ([]AuditRecord, error)
	// ExportAudit writes the records that f selects (After and Limit aside) as
	// lines, each an AuditLine and written whole, oldest first.
	ExportAudit(ctx context.Context, f AuditFilter, w io.Writer) error
	AuditHead(ctx context.Context) (AuditHead, error)
	Extensions(ctx context.Context) ([]Extension, error)
	AddExtension(ctx context.Context, e Extension) (Extension, error)
	RemoveExtension(ctx context.Context, number string) error
	Doctor(ctx context.Context) ([]Finding, error)
	// Changed returns a channel that is closed at the next change of any agent or
	// session: read the lists, wait for it, read them again.
	Changed() <-chan struct{}
}
