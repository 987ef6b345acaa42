package panel

import (
	"context"
	"slices"
	"time"

	"livemon/internal/wire"
)

const (
	maxReports = 2      // reports that are made at a time
	maxShown   = 10_000 // records that a page reads
	maxSaved   = 50_000 // records that a file is made of
	auditPage  = 1000   // records that the service returns at a time
)

// report waits for its turn to read the audit stream.
func (p *Panel) report(ctx context.Context) (done func(), err error) {
	select {
	case p.reports <- struct{}{}:
		return func() { <-p.reports }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// collect reads the newest records that f selects, oldest first, until enough
// says so of those that came with an answer, or there are limit. more says that
// there are others before them.
//
// The service returns the newest ones before a time, in the order in which they
// were stored. So each next question ends where the oldest quarter of the answer
// before did, and what comes twice is dropped: records that were stored late, or
// by clocks that differ a little, are not missed. Who does not administer gets
// fewer than there are, for some are not for him: how many came says nothing then.
func (p *Panel) collect(ctx context.Context, f wire.AuditFilter, limit int, enough func([]wire.AuditRecord) bool) (out []wire.AuditRecord, more bool, err error) {
	done, err := p.report(ctx)
	if err != nil {
		return nil, false, err
	}
	defer done()
	actor, _ := wire.ActorOf(ctx)
	seen := map[string]bool{}
	var parts [][]wire.AuditRecord // the newest first
	defer func() {
		slices.Reverse(parts)
		all := slices.Concat(parts...)
		out = all[max(len(all)-limit, 0):]
	}()
	f.Limit = auditPage
	for total := 0; ; {
		page, err := p.opts.Service.Audit(ctx, f)
		if err != nil {
			return nil, false, err
		}
		fresh := make([]wire.AuditRecord, 0, len(page))
		for _, r := range page {
			if !seen[r.ID] {
				seen[r.ID] = true
				fresh = append(fresh, r)
			}
		}
		parts, total = append(parts, fresh), total+len(fresh)
		last := len(page) == 0 || actor.Admin && len(page) < auditPage
		if total > limit || enough(fresh) && !last {
			return nil, true, nil
		}
		if last {
			return nil, false, nil
		}
		until := latest(page[:(len(page)+3)/4]).Add(1)
		if len(fresh) == 0 || !f.Until.IsZero() && !until.Before(f.Until) {
			return nil, len(page) > auditPage*3/4, nil // more records at one time than one answer has, or all are here
		}
		f.Until = until
	}
}

func latest(list []wire.AuditRecord) time.Time {
	return slices.MaxFunc(list, func(a, b wire.AuditRecord) int { return a.Time.Compare(b.Time) }).Time
}

// everything is never enough.
func everything([]wire.AuditRecord) bool { return false }

// counting is enough once n of the records are of a kind.
func counting(n int, kind func(wire.AuditRecord) bool) func([]wire.AuditRecord) bool {
	return func(list []wire.AuditRecord) bool {
		for _, r := range list {
			if kind(r) {
				n--
			}
		}
		return n <= 0
	}
}
