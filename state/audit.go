package state

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"livemon/internal/fault"
	"livemon/internal/wire"
)

// Events that this package itself puts into the audit stream.
const (
	EventRole    = "role"    // a desired role was granted
	EventRefused = "refused" // a change was not made; Code and Detail say why
	EventTrimmed = "trimmed" // records older than they are kept for are about to be removed, up to Anchor

	// EventUnreadable stands, in what Audit returns, for a record that is not
	// understood, so that it is not silently missing.
	EventUnreadable = "unreadable"
)

const (
	auditLimit   = 1000
	auditPage    = 500
	auditOnceTTL = time.Minute
	// clockSkew is by how much a record's Time may lie after its place in the
	// stream, which the server's clock gives.
	clockSkew = 24 * time.Hour
)

// appendScript adds a record once, however often the client, having lost the
// answer, sends it. KEYS: stream, head, the mark that this record was stored.
// ARGV: those of link.args, how long the mark is kept.
var appendScript = redis.NewScript(chainScript + `
local id = redis.call('GET', KEYS[3])
local h = chainHead(KEYS[1], KEYS[2])
if id then return {'OK', id, h} end
if h ~= ARGV[1] then return {'MOVED', h} end
id = chainAdd(KEYS[1], KEYS[2], 1)
redis.call('SET', KEYS[3], id, 'PX', ARGV[5])
return {'OK', id, ARGV[2]}
`)

// AppendAudit adds a record to the audit stream, chained to the one before, and
// returns its place. Event is required; a zero Time becomes now; an empty Actor
// and Origin become those of ctx; ID, Seq and Hash are ignored.
func (s *Store) AppendAudit(ctx context.Context, rec wire.AuditRecord) (id string, err error) {
	const op = "store audit record"
	rec = asked(ctx, rec)
	if rec.Time.IsZero() {
		rec.Time = time.Now().UTC()
	}
	if err := checkAudit(rec); err != nil {
		return "", fmt.Errorf("state: %w: audit record: %w", wire.ErrBadRequest, err)
	}
	v, err := encodeAudit(rec)
	if err != nil {
		return "", err
	}
	keys := []string{auditKey, auditHeadKey, auditOnceKey + rand.Text()}
	err = s.chained(ctx, op, v, func(ctx context.Context, l link) (Head, error) {
		got, err := s.run(ctx, op, appendScript, keys, append(l.args(v), auditOnceTTL.Milliseconds())...)
		if errors.Is(err, errMoved) {
			return moved(op, got)
		}
		if err != nil {
			return Head{}, err
		}
		if len(got) != 2 {
			return Head{}, fault.New(fault.StoreUnavailable, op, "no id")
		}
		id = got[0]
		return headIn(op, got[1])
	})
	if err != nil {
		return "", err
	}
	return id, nil
}

// asked fills in who asked, and from where, if ctx knows and the record does not.
func asked(ctx context.Context, rec wire.AuditRecord) wire.AuditRecord {
	if a, ok := wire.ActorOf(ctx); ok && rec.Actor == "" {
		rec.Actor = a.Name()
		rec.Origin = cmp.Or(rec.Origin, a.From)
	}
	return rec
}

// refuse records that what rec says did not happen after all. It is called when
// that is already certain, so a failure is only logged.
func (s *Store) refuse(ctx context.Context, rec wire.AuditRecord, cause error) {
	rec.Detail = fmt.Sprintf("%s was not stored: %v", rec.Event, cause)
	rec.Event = EventRefused
	rec.Code = int(fault.Of(cause))
	if _, err := s.AppendAudit(context.WithoutCancel(ctx), rec); err != nil {
		s.opts.Logger.Warn("a refusal was not recorded", slog.String("session", rec.Session), slog.Any("cause", cause), slog.Any("error", err))
	}
}

var streamID = regexp.MustCompile(`^[0-9]{1,19}(-[0-9]{1,19})?$`)

// Audit returns the newest records that f selects, oldest first, at most Limit
// (0, or more than 1000, means 1000).
func (s *Store) Audit(ctx context.Context, f wire.AuditFilter) ([]wire.AuditRecord, error) {
	if f.After != "" && !streamID.MatchString(f.After) {
		return nil, fmt.Errorf("state: %w: %.40q is no audit record's id", wire.ErrBadRequest, f.After)
	}
	if f.Limit <= 0 || f.Limit > auditLimit {
		f.Limit = auditLimit
	}
	oldest := oldestOf(f)
	if f.After != "" {
		oldest = "(" + f.After
	}
	out := []wire.AuditRecord{}
	newest := "+"
	for len(out) < f.Limit {
		page, err := s.auditPage(ctx, newest, oldest)
		if err != nil {
			return nil, err
		}
		for _, m := range page {
			if rec := s.auditRecord(m); selects(f, rec) && len(out) < f.Limit {
				out = append(out, rec)
			}
		}
		if len(page) < auditPage {
			break
		}
		newest = "(" + page[len(page)-1].ID
	}
	slices.Reverse(out)
	return out, nil
}

// oldestOf is the place from which on records can be that f selects by time.
func oldestOf(f wire.AuditFilter) string {
	if from := f.Since.Add(-clockSkew).UnixMilli(); !f.Since.IsZero() && from > 0 {
		return strconv.FormatInt(from, 10)
	}
	return "-"
}

func (s *Store) auditPage(ctx context.Context, newest, oldest string) ([]redis.XMessage, error) {
	c, cancel := s.bound(ctx)
	defer cancel()
	page, err := s.rdb.XRevRangeN(c, auditKey, newest, oldest, auditPage).Result()
	return page, failure(ctx, "read audit records", auditKey, err)
}

func (s *Store) auditRecord(m redis.XMessage) wire.AuditRecord {
	e := entryOf(m.ID, m.Values)
	rec, err := decodeAudit(e.id, e.record)
	if err != nil {
		s.skipped(&CorruptError{Key: auditKey, Field: m.ID, Err: err})
		rec = wire.AuditRecord{ID: m.ID, Time: placeTime(m.ID), Event: EventUnreadable, Detail: "this record is not understood"}
	}
	rec.Seq, rec.Hash = e.seq, e.hash
	return rec
}

// placeTime is when the server stored the record with this id.
func placeTime(id string) time.Time {
	text, _, _ := strings.Cut(id, "-")
	ms, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}

func selects(f wire.AuditFilter, r wire.AuditRecord) bool {
	return (f.Session == "" || f.Session == r.Session) &&
		(f.Agent == "" || f.Agent == r.Agent) &&
		(f.Supervisor == "" || f.Supervisor == r.Supervisor) &&
		(f.Since.IsZero() || !r.Time.Before(f.Since)) &&
		(f.Until.IsZero() || r.Time.Before(f.Until))
}
