package state

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/redis/go-redis/v9"

	"livemon/internal/wire"
)

// runSession runs a session script on one session of the lease's node.
func (s *Store) runSession(ctx context.Context, op string, sc *redis.Script, l Lease, id string, args ...any) ([]string, error) {
	k, me := keysOf(l.Node), enc(id)
	return s.run(ctx, op, sc, []string{k.fence, k.session + me, k.live, k.speakers},
		append([]any{l.token(), k.session, me}, args...)...)
}

// checkOwn checks a session to be written under a lease and sets its node.
func checkOwn(l Lease, x *wire.Session) error {
	if err := l.check(); err != nil {
		return err
	}
	if x.Node != "" && x.Node != l.Node {
		return fmt.Errorf("state: %w: session is on node %.200q, lease on %.200q", wire.ErrBadRequest, x.Node, l.Node)
	}
	x.Node = l.Node
	if x.Desired == "" {
		x.Desired = wire.Monitor
	}
	err := checkSession(*x)
	if x.Call != "" { // empty while it waits for one
		err = errors.Join(err, checkName("call", x.Call))
	}
	if err == nil && !(utf8.ValidString(x.ID) && utf8.ValidString(x.Call)) {
		err = errors.New("its id or call is no UTF-8")
	}
	if err != nil {
		return fmt.Errorf("state: %w: session %.200q: %w", wire.ErrBadRequest, x.ID, err)
	}
	return nil
}

// about fills in what an audit record leaves out of its session.
func about(rec wire.AuditRecord, x wire.Session) wire.AuditRecord {
	rec.Session = x.ID
	for _, f := range []struct {
		to   *string
		from string
	}{
		{&rec.Supervisor, x.Supervisor}, {&rec.Phone, x.Phone}, {&rec.Agent, x.Agent}, {&rec.User, x.User},
		{&rec.Node, x.Node}, {&rec.Call, x.Call}, {&rec.Room, x.Room},
	} {
		if *f.to == "" {
			*f.to = f.from
		}
	}
	return rec
}

// CreateSession stores a new session and, before it, its audit record; without
// the record there is no session. Desired may be empty (monitor) but must not
// speak: that takes ChangeRole. ErrExists when the id is taken; creating the
// same session again does nothing. What rec leaves empty comes from x.
func (s *Store) CreateSession(ctx context.Context, l Lease, x wire.Session, rec wire.AuditRecord) error {
	const op = "create session"
	if err := checkOwn(l, &x); err != nil {
		return err
	}
	if x.Desired.Speaks() || x.Status == wire.Ended {
		return fmt.Errorf("state: %w: a new session may neither speak nor have ended", wire.ErrBadRequest)
	}
	v, err := encode("session", x)
	if err != nil {
		return err
	}
	back, err := s.turn(ctx, x.ID)
	if err != nil {
		return err
	}
	defer back()
	switch got, err := s.runSession(ctx, op, lookScript, l, x.ID); {
	case errors.Is(err, ErrEnded):
		return fmt.Errorf("%s: %w", op, ErrExists)
	case errors.Is(err, ErrNotFound):
	case err != nil:
		return err
	case len(got) == 2 && got[0] == v:
		return nil
	default:
		return fmt.Errorf("%s: %w", op, ErrExists)
	}
	rec = about(rec, x)
	if _, err := s.AppendAudit(ctx, rec); err != nil {
		return err
	}
	if _, err = s.runSession(ctx, op, createScript, l, x.ID, v, string(x.Desired), x.Call, sessionTTL.Milliseconds()); err != nil {
		s.refuse(ctx, rec, err)
	}
	return err
}

// SetSession stores a session's progress: everything but Desired, which only
// ChangeRole changes, and Ended, which takes EndSession. With rec, that record
// is stored first, and without it nothing is. A speaking session that moves to
// another call takes its right to speak along, or gets fault.SpeakerBusy.
// ErrNotFound when there is no such session, ErrEnded when it is over.
func (s *Store) SetSession(ctx context.Context, l Lease, x wire.Session, rec *wire.AuditRecord) error {
	const op = "store session"
	if err := checkOwn(l, &x); err != nil {
		return err
	}
	if x.Status == wire.Ended {
		return fmt.Errorf("state: %w: EndSession ends a session", wire.ErrBadRequest)
	}
	v, err := encode("session", x)
	if err != nil {
		return err
	}
	set := func() error {
		_, err := s.runSession(ctx, op, setScript, l, x.ID, v, x.Call, sessionTTL.Milliseconds())
		return err
	}
	if rec == nil {
		return set()
	}
	back, err := s.turn(ctx, x.ID)
	if err != nil {
		return err
	}
	defer back()
	if _, err := s.runSession(ctx, op, lookScript, l, x.ID); err != nil {
		return err
	}
	full := about(*rec, x)
	if _, err := s.AppendAudit(ctx, full); err != nil {
		return err
	}
	if err := set(); err != nil {
		s.refuse(ctx, full, err)
		return err
	}
	return nil
}

// EndSession ends a session, after storing its audit record; it can be read for
// one more hour. Status and, if not given, Ended are set. Ending it again does
// nothing; one that Redis has lost is recorded and stored as ended.
func (s *Store) EndSession(ctx context.Context, l Lease, x wire.Session, rec wire.AuditRecord) error {
	const op = "end session"
	if err := checkOwn(l, &x); err != nil {
		return err
	}
	x.Status = wire.Ended
	if x.Ended == nil {
		now := time.Now().UTC()
		x.Ended = &now
	}
	v, err := encode("session", x)
	if err != nil {
		return err
	}
	back, err := s.turn(ctx, x.ID)
	if err != nil {
		return err
	}
	defer back()
	switch _, err := s.runSession(ctx, op, lookScript, l, x.ID); {
	case errors.Is(err, ErrEnded):
		return nil
	case err != nil && !errors.Is(err, ErrNotFound):
		return err
	}
	if _, err := s.AppendAudit(ctx, about(rec, x)); err != nil {
		return err
	}
	_, err = s.runSession(ctx, op, endScript, l, x.ID, v, string(x.Desired), x.Call, endedTTL.Milliseconds())
	return err
}

// Session returns a live session, or one that ended within the last hour, of
// any node; ErrNotFound when there is none.
func (s *Store) Session(ctx context.Context, id string) (wire.Session, error) {
	const op = "read session"
	if err := checkName("session", id); err != nil {
		return wire.Session{}, err
	}
	nodes, err := s.Nodes(ctx)
	if err != nil {
		return wire.Session{}, err
	}
	c, cancel := s.bound(ctx)
	defer cancel()
	pipe := s.rdb.Pipeline()
	replies := make([]*redis.SliceCmd, len(nodes))
	for i, node := range nodes {
		replies[i] = pipe.HMGet(c, keysOf(node).session+enc(id), "v", "desired")
	}
	var missing error
	if len(nodes) > 0 {
		_, missing = pipe.Exec(c)
	}
	for i, node := range nodes {
		got, err := replies[i].Result()
		if err != nil || len(got) != 2 || got[0] == nil {
			continue
		}
		value, _ := got[0].(string)
		desired, _ := got[1].(string)
		x, err := decodeSession(node, enc(id), value, desired)
		if err != nil {
			return wire.Session{}, &CorruptError{Key: keysOf(node).session + enc(id), Err: err}
		}
		return x, nil
	}
	if missing != nil {
		return wire.Session{}, failure(ctx, op, "livemon:*:s:"+enc(id), missing)
	}
	return wire.Session{}, fmt.Errorf("session %.200q: %w", id, ErrNotFound)
}

// Sessions returns the node's live sessions, oldest first. One that is not
// understood is left out and logged.
func (s *Store) Sessions(ctx context.Context, node string) ([]wire.Session, error) {
	k := keysOf(node)
	got, err := s.run(ctx, "list sessions", listScript, []string{k.live}, k.session)
	if err != nil {
		return nil, err
	}
	out := make([]wire.Session, 0, len(got)/3)
	for row := range slices.Chunk(got[:len(got)/3*3], 3) {
		x, err := decodeSession(node, row[0], row[1], row[2])
		if err != nil {
			s.skipped(&CorruptError{Key: k.session + row[0], Err: err})
			continue
		}
		out = append(out, x)
	}
	slices.SortFunc(out, func(a, b wire.Session) int {
		if c := a.Since.Compare(b.Since); c != 0 {
			return c
		}
		return strings.Compare(a.ID, b.ID)
	})
	return out, nil
}
