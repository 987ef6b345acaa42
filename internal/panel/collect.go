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

// collect reads the newest records that f selects, oldest first, up to limit.
// more says that there are others before them.
//
// The service returns the newest ones before a time, in the order in which they
// were stored. So each next question ends where the older half of the answer
// before did, and what comes twice is dropped: records that were stored late, or
// by clocks that differ a little, are not missed. Who does not administer gets
// fewer than there are, for some are not for him: how many came says nothing then.
func (p *Panel) collect(ctx context.Context, f wire.AuditFilter, limit int) ([]wire.AuditRecord, bool, error) {
	select {
	case p.reports <- struct{}{}:
		defer func() { <-p.reports }()
	case <-ctx.Done():
		return nil, false, ctx.Err()
	}
	actor, _ := wire.ActorOf(ctx)
	seen := map[string]bool{}
	var parts [][]wire.AuditRecord // the newest first
	total := 0
	all := func() []wire.AuditRecord {
		slices.Reverse(parts)
		out := slices.Concat(parts...)
		return out[max(len(out)-limit, 0):]
	}
	f.Limit = auditPage
	for {
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
		if total > limit {
			return all(), true, nil
		}
		if len(page) == 0 || actor.Admin && len(page) < auditPage {
			return all(), false, nil
		}
		until := latest(page[:(len(page)+1)/2]).Add(1)
		if len(fresh) == 0 || !f.Until.IsZero() && !until.Before(f.Until) {
			return all(), len(page) > auditPage*3/4, nil // more records at one time than one answer has, or all are here
		}
		f.Until = until
	}
}

func latest(list []wire.AuditRecord) time.Time {
	return slices.MaxFunc(list, func(a, b wire.AuditRecord) int { return a.Time.Compare(b.Time) }).Time
}
