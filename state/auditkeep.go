package state

import (
	"context"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"time"

	"livemon/internal/fault"
	"livemon/internal/wire"
)

const (
	// auditCheck is how often KeepAudit looks after the stream.
	auditCheck = time.Hour
	auditRetry = time.Minute
	// trimBatch is how many records are removed at a time, so that others do not
	// wait for it.
	trimBatch = 10_000
	// trimLook is how many of the oldest records are looked at to see whether
	// there is more to remove than the traces of earlier removals.
	trimLook = 100
)

// KeepAudit looks after the audit stream until ctx ends, whose error it returns:
// at once and then every hour it removes what is older than keep (0 keeps
// everything), and logs the chain's head, which with the log is then noted
// outside of Redis. Several controllers may do so at the same time.
func (s *Store) KeepAudit(ctx context.Context, keep time.Duration) error {
	logged := ""
	for {
		pause := auditCheck
		head, err := s.keepOnce(ctx, keep)
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case err != nil:
			pause = auditRetry
			s.opts.Logger.Warn("the audit stream was not looked after", slog.Any("error", err))
		case head != logged:
			logged = head
			s.opts.Logger.Info("the audit stream's head", slog.String("head", head))
		}
		t := time.NewTimer(pause)
		select {
		case <-t.C:
		case <-ctx.Done():
			t.Stop()
			return ctx.Err()
		}
	}
}

func (s *Store) keepOnce(ctx context.Context, keep time.Duration) (head string, err error) {
	if keep > 0 {
		n, err := s.TrimAudit(ctx, keep)
		if err != nil {
			return "", err
		}
		if n > 0 {
			s.opts.Logger.Info("old audit records were removed", slog.Int64("records", n), slog.String("older than", keep.String()))
		}
	}
	h, err := s.readHead(ctx)
	return h.String(), err
}

// TrimAudit removes the records that were stored longer ago than keep, by the
// server's clock and by this machine's, and returns how many. Before it removes
// any it adds a record of that, EventTrimmed, whose Anchor is the last one to be
// removed: from there on the chain can still be verified. Nothing but the old
// end is ever removed. One that is interrupted is gone on with at the next time.
func (s *Store) TrimAudit(ctx context.Context, keep time.Duration) (removed int64, err error) {
	const op = "remove old audit records"
	if keep <= 0 {
		return 0, fmt.Errorf("state: %w: audit records are to be kept for %v", wire.ErrBadRequest, keep)
	}
	c, cancel := s.bound(ctx)
	defer cancel()
	before, err := s.rdb.Time(c).Result()
	if err != nil {
		return 0, failure(ctx, op, "", err)
	}
	if now := time.Now(); now.Before(before) {
		before = now // a clock that is wrong must not remove everything
	}
	before = before.Add(-keep).UTC()
	last, anchor, err := s.oldEnd(ctx, before)
	if err != nil || last == "" {
		return 0, err
	}
	first, err := after(last)
	if err != nil {
		return 0, fault.Wrap(fault.StoreUnavailable, op, err)
	}
	rec := wire.AuditRecord{Event: EventTrimmed, Via: "controller", Anchor: anchor.String(),
		Detail: "records stored before " + before.Format(time.RFC3339) + " are removed"}
	if _, err := s.AppendAudit(ctx, rec); err != nil {
		return 0, err
	}
	for exact := false; ; {
		n, err := s.trim(ctx, first, exact)
		if err != nil {
			return removed, failure(ctx, op, auditKey, err)
		}
		removed += n
		if exact {
			return removed, nil
		}
		exact = n == 0
	}
}

// trim removes a batch of what stands before first in whole pieces, as the server
// holds them, or all of the rest.
func (s *Store) trim(ctx context.Context, first string, exact bool) (int64, error) {
	c, cancel := s.bound(ctx)
	defer cancel()
	if exact {
		return s.rdb.XTrimMinID(c, auditKey, first).Result()
	}
	return s.rdb.XTrimMinIDApprox(c, auditKey, first, trimBatch).Result()
}

// oldEnd is the place of the last entry stored before a time, and the newest link
// up to there. Both are empty if there is nothing to remove but traces of
// earlier removals.
func (s *Store) oldEnd(ctx context.Context, before time.Time) (last string, anchor Head, err error) {
	const op = "look for old audit records"
	ms := before.UnixMilli()
	if ms <= 0 {
		return "", Head{}, nil
	}
	newest := "(" + strconv.FormatInt(ms, 10)
	c, cancel := s.bound(ctx)
	defer cancel()
	oldest, err := s.rdb.XRangeN(c, auditKey, "-", newest, trimLook).Result()
	if err != nil {
		return "", Head{}, failure(ctx, op, auditKey, err)
	}
	only := len(oldest) < trimLook
	for _, m := range oldest {
		only = only && s.auditRecord(m).Event == EventTrimmed
	}
	if only {
		return "", Head{}, nil
	}
	back, err := s.rdb.XRevRangeN(c, auditKey, newest, "-", trimLook).Result()
	if err != nil || len(back) == 0 {
		return "", Head{}, failure(ctx, op, auditKey, err)
	}
	for _, m := range back {
		if e := entryOf(m.ID, m.Values); e.seq > 0 {
			anchor = Head{e.seq, e.hash}
			break
		}
	}
	return back[0].ID, anchor, nil
}

// after is the place that comes next after an entry's.
func after(id string) (string, error) {
	ms, n, _ := strings.Cut(id, "-")
	seq, err := strconv.ParseUint(n, 10, 64)
	if err != nil || seq+1 == 0 {
		return "", fmt.Errorf("%.40q is no place in a stream", id)
	}
	return ms + "-" + strconv.FormatUint(seq+1, 10), nil
}
