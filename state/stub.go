package state

import (
	"context"
	"log/slog"
	"time"

	"livemon/internal/wire"
)

type Options struct {
	Logger *slog.Logger
}
type Store struct{}
type Lease struct {
	Node, Owner string
	Token       int64
}
type Call struct {
	ID         string    `json:"id"`
	Node       string    `json:"node"`
	Agent      string    `json:"agent,omitempty"`
	Pupil      string    `json:"pupil,omitempty"` // channel uuid
	User       string    `json:"user,omitempty"`  // channel uuid
	UserNumber string    `json:"userNumber,omitempty"`
	Direction  string    `json:"direction,omitempty"`
	Queue      string    `json:"queue,omitempty"`
	Room       string    `json:"room,omitempty"`
	Ours       bool      `json:"ours,omitempty"`
	Since      time.Time `json:"since"`
}

func Open(ctx context.Context, url string, o Options) (*Store, error) { return nil, ErrURL }
func (s *Store) Ping(ctx context.Context) error                       { return nil }
func (s *Store) Close() error                                         { return nil }
func (s *Store) Embedded() bool                                       { return false }
func (s *Store) AcquireLease(ctx context.Context, node, owner string, ttl time.Duration) (Lease, bool, error) {
	return Lease{}, false, nil
}
func (s *Store) RenewLease(ctx context.Context, l Lease, ttl time.Duration) error { return nil }
func (s *Store) ReleaseLease(ctx context.Context, l Lease) error                  { return nil }

// LeaseHolder returns "" and 0, without an error, when nobody holds the lease.
func (s *Store) LeaseHolder(ctx context.Context, node string) (owner string, token int64, err error) {
	return "", 0, nil
}
func (s *Store) Nodes(ctx context.Context) ([]string, error) { return nil, nil }
func (s *Store) PutAgents(ctx context.Context, l Lease, changed []wire.Agent, removed []string) error {
	return nil
}
func (s *Store) ReplaceAgents(ctx context.Context, l Lease, all []wire.Agent) error { return nil }
func (s *Store) Agents(ctx context.Context, node string) ([]wire.Agent, error)      { return nil, nil }
func (s *Store) PutCalls(ctx context.Context, l Lease, changed []Call, removed []string) error {
	return nil
}
func (s *Store) ReplaceCalls(ctx context.Context, l Lease, all []Call) error { return nil }
func (s *Store) Calls(ctx context.Context, node string) ([]Call, error)      { return nil, nil }
func (s *Store) CreateSession(ctx context.Context, l Lease, x wire.Session, rec wire.AuditRecord) error {
	return nil
}

// SetSession never changes Desired; ChangeRole does.
func (s *Store) SetSession(ctx context.Context, l Lease, x wire.Session, rec *wire.AuditRecord) error {
	return nil
}
func (s *Store) ChangeRole(ctx context.Context, l Lease, id string, to wire.Role, rec wire.AuditRecord) (wire.Session, error) {
	return wire.Session{}, nil
}
func (s *Store) EndSession(ctx context.Context, l Lease, x wire.Session, rec wire.AuditRecord) error {
	return nil
}
func (s *Store) Session(ctx context.Context, id string) (wire.Session, error) {
	return wire.Session{}, nil
}
func (s *Store) Sessions(ctx context.Context, node string) ([]wire.Session, error) { return nil, nil }
func (s *Store) AppendAudit(ctx context.Context, rec wire.AuditRecord) (id string, err error) {
	return "", nil
}
func (s *Store) Audit(ctx context.Context, f wire.AuditFilter) ([]wire.AuditRecord, error) {
	return nil, nil
}
func (s *Store) AddExtension(ctx context.Context, e wire.Extension) (wire.Extension, error) {
	return wire.Extension{}, nil
}
func (s *Store) RemoveExtension(ctx context.Context, number string) error { return nil }
func (s *Store) Extensions(ctx context.Context) ([]wire.Extension, error) { return nil, nil }
