package access

import (
	"errors"

	"livemon/internal/fault"
	"livemon/internal/wire"
)

// Rule is what refused.
type Rule string

// The rules that refuse.
const (
	RuleAction      Rule = "action"       // there is no such action
	RuleOperator    Rule = "operator"     // accounts exist, and the operator asked
	RuleAccount     Rule = "account"      // nobody in particular asked, or an account that is unknown or disabled
	RuleUnseen      Rule = "unseen"       // the agent is neither in the account's teams nor on its list
	RuleRank        Rule = "rank"         // the agent's extension is that of an account of the same or a higher rank
	RuleOther       Rule = "other"        // somebody else on the call is an account's owner of the same or a higher rank
	RuleListen      Rule = "listen"       // the account may not listen
	RuleRole        Rule = "role"         // it may listen, but not in this role
	RuleNeverAgent  Rule = "never-agent"  // nobody may listen to this agent
	RuleNeverNumber Rule = "never-number" // nobody may listen to calls with this user
	RuleNeverMark   Rule = "never-mark"   // nobody may listen to this call
)

// Refusal says that something is not allowed, and by which rule. It carries
// fault.RoleNotAllowed for RuleRole, and fault.NotAllowed for all others.
//
// errors.Is(err, wire.ErrNotFound) is true of a refusal that must not be told
// apart from an agent who does not exist (RuleUnseen, RuleRank): whoever answers
// people answers it in the same words as that.
type Refusal struct { //nolint:errname // it is a decision before it is an error
	Rule Rule
	Why  string // for the audit record: it may tell more than the one refused may know
}

var whys = map[Rule]string{
	RuleAction:      "there is no such action",
	RuleOperator:    "there are accounts: listen with one that has the right, not with the operator's token",
	RuleAccount:     "the account is unknown or disabled",
	RuleUnseen:      "the agent is neither in the account's teams nor on its list",
	RuleRank:        "the agent's extension is that of an account of the same or a higher rank",
	RuleOther:       "somebody on the call is an account's owner of the same or a higher rank",
	RuleListen:      "the account has no right to listen",
	RuleNeverAgent:  "nobody may listen to this agent",
	RuleNeverNumber: "nobody may listen to calls with this number",
	RuleNeverMark:   "this call is marked as not to be listened to",
}

func refuse(rule Rule) error { return &Refusal{Rule: rule, Why: whys[rule]} }

func refuseRole(a wire.Action) error {
	return &Refusal{Rule: RuleRole, Why: "the account has no right to " + string(a)}
}

// Code is the error code that the refusal carries.
func (r *Refusal) Code() fault.Code {
	if r.Rule == RuleRole {
		return fault.RoleNotAllowed
	}
	return fault.NotAllowed
}

// Unseen tells whether the refusal must not be told apart from an agent who
// does not exist.
func (r *Refusal) Unseen() bool { return r.Rule == RuleUnseen || r.Rule == RuleRank }

// Error is for logs.
func (r *Refusal) Error() string { return r.Unwrap().Error() }

// Unwrap returns the refusal as a *fault.Error. Its detail, which is shown to
// the one refused, says nothing about an agent whom he may not see.
func (r *Refusal) Unwrap() error {
	detail := r.Why
	if r.Unseen() {
		detail = ""
	}
	return fault.New(r.Code(), "check rights", detail)
}

// Is makes an unseen agent one that is not found.
func (r *Refusal) Is(target error) bool { return r.Unseen() && target == wire.ErrNotFound } //nolint:errorlint // this is what errors.Is calls

// RuleOf returns the rule that an error carries, or "".
func RuleOf(err error) Rule {
	var r *Refusal
	if errors.As(err, &r) {
		return r.Rule
	}
	return ""
}
