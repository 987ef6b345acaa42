package state

import (
	"encoding/json"
	"errors"
	"fmt"

	"livemon/internal/wire"
)

func knownRole(r wire.Role) bool {
	switch r {
	case wire.Joining, wire.Monitor, wire.Coach, wire.Barge, wire.TakeOver:
		return true
	}
	return false
}

func knownStatus(x wire.Status) bool {
	switch x {
	case wire.Requested, wire.Ringing, wire.Answered, wire.Listening, wire.Waiting, wire.Ended:
		return true
	}
	return false
}

func knownState(a wire.AgentState) bool {
	switch a {
	case wire.Idle, wire.AgentRinging, wire.OnCall, wire.OnHold, wire.InConference, wire.WrapUp, wire.LoggedOut:
		return true
	}
	return false
}

// encode writes one value, refusing what decode would not take back.
func encode(what string, v any) (string, error) {
	b, err := json.Marshal(v)
	if err != nil {
		return "", fmt.Errorf("state: %w: %s: %w", wire.ErrBadRequest, what, err)
	}
	if len(b) > maxValue {
		return "", fmt.Errorf("state: %w: %s of %d bytes, more than %d", wire.ErrBadRequest, what, len(b), maxValue)
	}
	return string(b), nil
}

// decode reads one value: a JSON object of bounded size.
func decode(value string, into any) error {
	if len(value) > maxValue {
		return fmt.Errorf("%d bytes, more than %d", len(value), maxValue)
	}
	if value == "" || value[0] != '{' {
		return errors.New("no JSON object")
	}
	return json.Unmarshal([]byte(value), into)
}

// decodeAgent reads an agent. Its name and node are those it is stored under.
func decodeAgent(node, name, value string) (wire.Agent, error) {
	var a wire.Agent
	if err := decode(value, &a); err != nil {
		return wire.Agent{}, err
	}
	a.Agent, a.Node = name, node
	if a.Supervisors == nil {
		a.Supervisors = []wire.Supervisor{}
	}
	return a, checkAgent(a)
}

func checkAgent(a wire.Agent) error {
	if err := checkName("agent", a.Agent); err != nil {
		return err
	}
	if !knownState(a.State) {
		return fmt.Errorf("unknown agent state %.40q", string(a.State))
	}
	for _, v := range a.Supervisors {
		if !knownRole(v.Role) {
			return fmt.Errorf("unknown role %.40q", string(v.Role))
		}
	}
	return nil
}

// decodeCall reads a call. Its id and node are those it is stored under.
func decodeCall(node, id, value string) (Call, error) {
	var c Call
	if err := decode(value, &c); err != nil {
		return Call{}, err
	}
	c.ID, c.Node = id, node
	return c, checkName("call", id)
}

// decodeSession reads a session, stored under an escaped id that must be its
// own. Its desired role is stored beside it, so that progress and role changes
// cannot undo each other.
func decodeSession(node, me, value, desired string) (wire.Session, error) {
	var x wire.Session
	if err := decode(value, &x); err != nil {
		return wire.Session{}, err
	}
	if enc(x.ID) != me {
		return wire.Session{}, fmt.Errorf("it is session %.200q", x.ID)
	}
	x.Node, x.Desired = node, wire.Role(desired)
	return x, checkSession(x)
}

func checkSession(x wire.Session) error {
	if err := checkName("session", x.ID); err != nil {
		return err
	}
	if !knownStatus(x.Status) {
		return fmt.Errorf("unknown status %.40q", string(x.Status))
	}
	if !knownRole(x.Role) {
		return fmt.Errorf("unknown role %.40q", string(x.Role))
	}
	if !knownRole(x.Desired) {
		return fmt.Errorf("unknown desired role %.40q", string(x.Desired))
	}
	if x.Follow != "" && !x.Follow.Known() { // empty in sessions from before there was a choice
		return fmt.Errorf("unknown follow %.40q", string(x.Follow))
	}
	return nil
}

// decodeAudit reads a record. Its id is its place in the stream.
func decodeAudit(id, value string) (wire.AuditRecord, error) {
	var r wire.AuditRecord
	if err := decode(value, &r); err != nil {
		return wire.AuditRecord{}, err
	}
	r.ID, r.Seq, r.Hash = id, 0, "" // those are its entry's
	return r, checkAudit(r)
}

func checkAudit(r wire.AuditRecord) error {
	if r.Event == "" {
		return errors.New("no event")
	}
	for _, role := range []wire.Role{r.From, r.To} {
		if role != "" && !knownRole(role) {
			return fmt.Errorf("unknown role %.40q", string(role))
		}
	}
	return nil
}

// decodeExtension reads an extension. Its number is the one it is stored under.
func decodeExtension(number, value string) (wire.Extension, error) {
	var e wire.Extension
	if err := decode(value, &e); err != nil {
		return wire.Extension{}, err
	}
	e.Number = number
	return e, checkName("extension", number)
}
