package state

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

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
// with the record that was the newest when it began. An error of w is returned
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

func (s *Store) exportUpTo(ctx context.Context, f wire.AuditFilter, filtered bool, newest string, w io.Writer) (n int64, err error) {
	for oldest := oldestOf(f); ; {
		c, cancel := s.bound(ctx)
		page, err := s.rdb.XRangeN(c, auditKey, oldest, newest, auditPage).Result()
		cancel()
		if err != nil {
			return n, failure(ctx, "export audit records", auditKey, err)
		}
		for _, m := range page {
			if filtered && !selects(f, s.auditRecord(m)) {
				continue
			}
			data, err := entryOf(m.ID, m.Values).line()
			if err != nil {
				return n, err
			}
			if _, err := w.Write(append(data, '\n')); err != nil {
				return n, err
			}
			n++
		}
		if len(page) < auditPage {
			return n, nil
		}
		oldest = "(" + page[len(page)-1].ID
	}
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
