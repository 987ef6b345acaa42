package monitor

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"livemon/internal/fault"
	"livemon/internal/wire"
	"livemon/state"
)

// journal records, in order and off the path of the calls, what has already
// happened and took something away: a role lowered, a session ended, a request
// refused. A store that is slow or away holds none of it up. What gives somebody
// a voice or an ear is never left to it: that is stored first, and drain makes
// sure that it is stored after everything that came before it.
type journal struct {
	n    *node
	wake chan struct{}

	write sync.Mutex // held while entries are being recorded
	mu    sync.Mutex // guards later
	later []entry
}

// entry is something to record. A record that could not be stored at once says so.
type entry struct {
	rec   wire.AuditRecord
	store func(context.Context, wire.AuditRecord) error
}

// eventProgress marks entries that change a session's state and are no audit records.
const eventProgress = "progress"

const (
	maxJournal   = 100_000     // what is kept while the store is away
	journalRetry = time.Second // between attempts while it is
)

func newJournal(n *node) *journal { return &journal{n: n, wake: make(chan struct{}, 1)} }

// add records something soon. It never waits.
func (j *journal) add(rec wire.AuditRecord, store func(context.Context, wire.AuditRecord) error) {
	j.mu.Lock()
	full := len(j.later) >= maxJournal
	if !full {
		rec.Late = len(j.later) > 0 && j.later[0].rec.Late
		j.later = append(j.later, entry{rec, store})
	}
	j.mu.Unlock()
	if full {
		j.n.log.Error("the journal is full: this will not be in the store", "record", fmt.Sprintf("%+v", rec))
		return
	}
	select {
	case j.wake <- struct{}{}:
	default:
	}
}

// run records what is added until ctx ends. What is left then stays for drain.
func (j *journal) run(ctx context.Context) error {
	for {
		err := j.drain(ctx)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			pause(ctx, journalRetry, nil)
			continue
		}
		select {
		case <-j.wake:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// drain records everything added so far. The error is that of a store which is away.
func (j *journal) drain(ctx context.Context) error {
	j.write.Lock()
	defer j.write.Unlock()
	for {
		j.mu.Lock()
		if len(j.later) == 0 {
			j.mu.Unlock()
			return nil
		}
		e := j.later[0]
		j.mu.Unlock()
		err := e.store(ctx, e.rec)
		j.mu.Lock()
		if fault.Of(err) == fault.StoreUnavailable || ctx.Err() != nil {
			if !j.later[0].rec.Late {
				j.n.log.Warn("not recorded yet: the store is away", "event", e.rec.Event, "session", e.rec.Session, "error", err)
			}
			for i := range j.later {
				j.later[i].rec.Late = true
			}
			j.mu.Unlock()
			return err
		}
		j.later = j.later[1:]
		j.mu.Unlock()
		if errors.Is(err, state.ErrFenced) && e.rec.Event != eventProgress {
			_, err = j.n.m.store.AppendAudit(ctx, e.rec) // the state is somebody else's by now, what happened is not
		}
		if err != nil && !errors.Is(err, state.ErrNotFound) {
			j.n.log.Error("the store refused a record", "event", e.rec.Event, "session", e.rec.Session, "error", err)
		}
	}
}
