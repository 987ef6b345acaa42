package state

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/redis/go-redis/v9"

	"livemon/internal/fault"
	"livemon/internal/wire"
)

// ChangeRole sets a session's desired role and returns the session with it.
//
// On one server it is one step, which stores the audit record first. In a cluster,
// and whenever that step finds something unusual, it goes in three: the change is found possible and, towards a role that
// speaks, the right to speak on the call is reserved; the audit record is
// stored; the role is stored. A crash after any of them leaves no role that is
// not recorded, and a reservation that lapses by itself. Asking for the role
// that is desired already changes and records nothing.
//
// Errors: ErrFenced, ErrNotFound, ErrEnded; fault.SpeakerBusy when somebody
// else may speak on the call, which is recorded too (Event "refused"). To, From
// and Session of the record are set; what else it leaves empty comes from the
// session, Event being "role". A change that was recorded but could then not be
// stored gets a "refused" record after it, as far as that is possible.
func (s *Store) ChangeRole(ctx context.Context, l Lease, id string, to wire.Role, rec wire.AuditRecord) (wire.Session, error) {
	const op = "change role"
	if err := errors.Join(l.check(), checkName("session", id)); err != nil {
		return wire.Session{}, err
	}
	if !knownRole(to) {
		return wire.Session{}, fmt.Errorf("state: %w: unknown role %.40q", wire.ErrBadRequest, string(to))
	}
	back, err := s.turn(ctx, id)
	if err != nil {
		return wire.Session{}, err
	}
	defer back()
	if x, done, err := s.changeAtOnce(ctx, l, id, to, rec); done {
		return x, err
	}

	// Long enough for the audit record, with its retries, and the last step.
	reserve := 3 * s.opts.OpTimeout
	got, refusal := s.runSession(ctx, op, reserveScript, l, id, string(to), reserve.Milliseconds())
	if refusal != nil && fault.Of(refusal) != fault.SpeakerBusy {
		return wire.Session{}, refusal
	}
	if len(got) != 2 {
		return wire.Session{}, fault.New(fault.StoreUnavailable, op, "unexpected answer")
	}
	x, err := decodeSession(l.Node, enc(id), got[0], got[1])
	if err != nil {
		s.forgo(ctx, l, id)
		return wire.Session{}, &CorruptError{Key: keysOf(l.Node).session + enc(id), Err: err}
	}
	rec = about(rec, x)
	rec.From, rec.To = x.Desired, to
	if refusal != nil {
		rec.Event, rec.Code = EventRefused, int(fault.SpeakerBusy)
		if _, err := s.AppendAudit(ctx, rec); err != nil {
			return wire.Session{}, errors.Join(refusal, err)
		}
		return wire.Session{}, refusal
	}
	if x.Desired == to {
		s.forgo(ctx, l, id)
		return x, nil
	}
	if rec.Event == "" {
		rec.Event = EventRole
	}
	if _, err := s.AppendAudit(ctx, rec); err != nil {
		s.forgo(ctx, l, id)
		return wire.Session{}, err
	}
	if _, err := s.runSession(ctx, op, commitScript, l, id, string(to), sessionTTL.Milliseconds()); err != nil {
		s.refuse(ctx, rec, err)
		return wire.Session{}, err
	}
	x.Desired = to
	return x, nil
}

// forgo gives the reservation back at once. If that fails it lapses by itself.
func (s *Store) forgo(ctx context.Context, l Lease, id string) {
	if _, err := s.runSession(context.WithoutCancel(ctx), "give back reservation", forgoScript, l, id); err != nil {
		s.opts.Logger.Debug("a reservation was left to lapse", slog.String("session", id), slog.Any("error", err))
	}
}

// changeAtOnce makes a change of role and its audit record one step. That takes a
// server which holds every key, and a record that is complete and right about
// the role before; done is false, and nothing was changed, where one is missing
// or the change is not simply possible.
func (s *Store) changeAtOnce(ctx context.Context, l Lease, id string, to wire.Role, rec wire.AuditRecord) (x wire.Session, done bool, err error) {
	if _, cluster := s.rdb.(*redis.ClusterClient); cluster || rec.Session != id || rec.From == "" || rec.From == to || rec.Event != EventRole || rec.Time.IsZero() {
		return wire.Session{}, false, nil
	}
	const op = "change role"
	rec = asked(ctx, rec)
	rec.To = to
	if checkAudit(rec) != nil {
		return wire.Session{}, false, nil
	}
	v, err := encodeAudit(rec)
	if err != nil {
		return wire.Session{}, true, err
	}
	k, me := keysOf(l.Node), enc(id)
	keys := []string{k.fence, k.session + me, k.live, k.speakers, auditKey, auditHeadKey}
	var got []string
	err = s.chained(ctx, op, v, func(ctx context.Context, a link) (Head, error) {
		var err error
		got, err = s.run(ctx, op, atOnceScript, keys,
			append([]any{l.token(), k.session, me, string(to), string(rec.From), sessionTTL.Milliseconds()}, a.args(v)...)...)
		switch {
		case errors.Is(err, errMoved):
			return moved(op, got)
		case len(got) != 2:
			return a.before, err
		}
		return a.head(), err
	})
	if err != nil {
		return wire.Session{}, true, err
	}
	if len(got) != 2 {
		return wire.Session{}, false, nil
	}
	x, err = decodeSession(l.Node, me, got[0], got[1])
	if err != nil {
		return wire.Session{}, true, &CorruptError{Key: k.session + me, Err: err}
	}
	return x, true, nil
}
