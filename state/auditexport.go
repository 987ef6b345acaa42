package state

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"livemon/internal/wire"
)

// exportVersion is the version of the lines that ExportAudit writes.
const exportVersion = 1

// AuditHead returns the head of the audit stream's chain as it stands in Redis,
// which is empty while it is missing or not understood, and how many records
// there are.
func (s *Store) AuditHead(ctx context.Context) (wire.AuditHead, error) {
	const op = "read the audit stream's head"
	h, err := s.readHead(ctx)
	if err != nil {
		return wire.AuditHead{}, err
	}
	c, cancel := s.bound(ctx)
	defer cancel()
	n, err := s.rdb.XLen(c, auditKey).Result()
	if err != nil {
		return wire.AuditHead{}, failure(ctx, op, auditKey, err)
	}
	return wire.AuditHead{Head: h.String(), Records: n}, nil
}

func (s *Store) readHead(ctx context.Context) (Head, error) {
	c, cancel := s.bound(ctx)
	defer cancel()
	text, err := s.rdb.GetRange(c, auditHeadKey, 0, maxHead).Result()
	if err != nil && strings.Contains(err.Error(), "WRONGTYPE") {
		return Head{}, nil
	}
	if err != nil {
		return Head{}, failure(ctx, "read the audit stream's head", auditHeadKey, err)
	}
	h, _ := storedHead(text)
	return h, nil
}

// ExportAudit writes the audit records that f selects (After and Limit aside) as
// they are stored, oldest first: an AuditLine each, written whole, with one
// before and one after. It reads some hundreds of records at a time and ends
// with the record that was the newest when it began, or later. An error of w is returned
// as it is.
func (s *Store) ExportAudit(ctx context.Context, f wire.AuditFilter, w io.Writer) error {
	head, err := s.readHead(ctx)
	if err != nil {
		return err
	}
	c, cancel := s.bound(ctx)
	newest, err := s.rdb.XRevRangeN(c, auditKey, "+", "-", 1).Result()
	cancel()
	if err != nil {
		return failure(ctx, "export audit records", auditKey, err)
	}
	begin := wire.AuditExport{Version: exportVersion, Time: time.Now().UTC(), Head: head.String(),
		Session: f.Session, Agent: f.Agent, Supervisor: f.Supervisor, Since: setTime(f.Since), Until: setTime(f.Until)}
	if err := writeLine(w, wire.AuditLine{Export: &begin}); err != nil {
		return err
	}
	end := wire.AuditEnd{}
	if len(newest) > 0 {
		if end.Records, err = s.exportUpTo(ctx, f, begin.Filtered(), newest[0].ID, w); err != nil {
			return err
		}
	}
	if head, err = s.readHead(ctx); err != nil {
		return err
	}
	end.Head = head.String()
	return writeLine(w, wire.AuditLine{End: &end})
}

// exportUpTo writes records up to a place. Where retention overtakes it, it goes
// on to the newest record, so that the one of the removal is among them.
func (s *Store) exportUpTo(ctx context.Context, f wire.AuditFilter, filtered bool, newest string, w io.Writer) (n int64, err error) {
	last, lastSeq := "", int64(0)
	for oldest := oldestOf(f); ; oldest = "(" + last {
		c, cancel := s.bound(ctx)
		page, err := s.rdb.XRangeN(c, auditKey, oldest, newest, auditPage).Result()
		cancel()
		if err != nil {
			return n, failure(ctx, "export audit records", auditKey, err)
		}
		more := len(page) == auditPage
		if last != "" && !continues(page, lastSeq) {
			further, err := s.overtaken(ctx, last)
			if err != nil {
				return n, err
			}
			if further != "" {
				newest, more = further, true
			}
		}
		for _, m := range page {
			e := entryOf(m.ID, m.Values)
			last, lastSeq = m.ID, max(lastSeq, e.seq)
			if filtered && !selects(f, s.auditRecord(m)) {
				continue
			}
			data, err := e.line()
			if err != nil {
				return n, err
			}
			if _, err := w.Write(append(data, '\n')); err != nil {
				return n, err
			}
			n++
		}
		if !more || last == newest {
			return n, nil
		}
	}
}

// continues tells whether a page begins with the record after number seq.
func continues(page []redis.XMessage, seq int64) bool {
	for _, m := range page {
		if e := entryOf(m.ID, m.Values); e.seq > 0 {
			return e.seq == seq+1
		}
	}
	return false
}

// overtaken returns the newest place of the stream if everything up to a place
// has been removed from it, and else nothing.
func (s *Store) overtaken(ctx context.Context, last string) (newest string, err error) {
	c, cancel := s.bound(ctx)
	defer cancel()
	left, err := s.rdb.XRangeN(c, auditKey, "-", last, 1).Result()
	if err != nil || len(left) > 0 {
		return "", failure(ctx, "export audit records", auditKey, err)
	}
	end, err := s.rdb.XRevRangeN(c, auditKey, "+", "-", 1).Result()
	if err != nil || len(end) == 0 {
		return "", failure(ctx, "export audit records", auditKey, err)
	}
	return end[0].ID, nil
}

func writeLine(w io.Writer, l wire.AuditLine) error {
	data, err := json.Marshal(l)
	if err != nil {
		return fmt.Errorf("state: export audit records: %w", err)
	}
	_, err = w.Write(append(data, '\n'))
	return err
}

func setTime(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC()
	return &t
}
