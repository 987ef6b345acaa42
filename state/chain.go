package state

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"strings"

	"livemon/internal/fault"
	"livemon/internal/wire"
)

// The audit stream is a chain. An entry has the record's bytes, its number, the
// hash of the entry before, and its own: SHA-256 over the chain's version, the
// number, the hash before, and the record's bytes. The head, SEQ:HASH of the
// newest entry, is kept beside the stream and moves on in the same script that
// adds an entry, so that writers who do not know of each other make one chain:
// who hashed against a head that is no longer the head is told the new one.
const (
	auditField = "r" // the record's bytes
	seqField   = "q"
	prevField  = "p"
	hashField  = "h"

	chainVersion = "livemon-audit-1"
	hashLen      = 2 * sha256.Size
	maxSeq       = 999_999_999_999_999 // fits a script's numbers, and nobody's records
	maxHead      = hashLen + 16        // bytes of the longest head
	headLookBack = 100                 // entries among which a lost head is looked for
)

// genesis stands for the hash before the first record.
var genesis = strings.Repeat("0", hashLen)

// errMoved says that the chain's head is another one; nothing was written.
var errMoved = errors.New("the audit stream's head has moved")

// Head names an entry of the audit stream's chain: its number and hash. Who has
// noted one elsewhere can tell later that nothing up to it was changed. The zero
// value stands for a chain without entries.
type Head struct {
	Seq  int64
	Hash string // 64 lower-case hexadecimal digits
}

// String is SEQ:HASH, or empty.
func (h Head) String() string {
	if h.Seq == 0 {
		return ""
	}
	return strconv.FormatInt(h.Seq, 10) + ":" + h.Hash
}

// ParseHead reads what String gives of a head that is not zero; the error wraps
// wire.ErrBadRequest.
func ParseHead(s string) (Head, error) {
	if len(s) <= maxHead {
		seq, hash, ok := strings.Cut(s, ":")
		if n, err := parseSeq(seq); ok && err == nil && isHash(hash) {
			return Head{n, hash}, nil
		}
	}
	return Head{}, fmt.Errorf("state: %w: %.100q is no head of an audit stream; it must be SEQ:HASH, as 'audit head' prints it", wire.ErrBadRequest, s)
}

// storedHead reads the head as it stands in Redis; ok is false where it is
// missing or not what this package writes.
func storedHead(s string) (h Head, ok bool) {
	h, err := ParseHead(s)
	return h, err == nil
}

func parseSeq(s string) (int64, error) {
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || n < 1 || n > maxSeq || strconv.FormatInt(n, 10) != s {
		return 0, fmt.Errorf("%.40q is no record's number", s)
	}
	return n, nil
}

func isHash(s string) bool {
	return len(s) == hashLen && strings.Trim(s, "0123456789abcdef") == ""
}

// link is an entry's place in the chain.
type link struct {
	before     Head
	seq        int64
	prev, hash string
}

// next is the link of a record that comes after h.
func (h Head) next(record string) link {
	l := link{before: h, seq: h.Seq + 1, prev: h.Hash}
	if h.Seq == 0 {
		l.prev = genesis
	}
	l.hash = linkHash(l.seq, l.prev, record)
	return l
}

func (l link) head() Head { return Head{l.seq, l.hash} }

// args are a script's arguments, which chainAdd takes.
func (l link) args(record string) []any {
	return []any{l.before.String(), l.head().String(), l.prev, record}
}

// linkHash is the hash of an entry.
func linkHash(seq int64, prev, record string) string {
	d := sha256.New()
	_, _ = fmt.Fprintf(d, "%s\n%d\n%s\n", chainVersion, seq, prev)
	_, _ = d.Write([]byte(record))
	return hex.EncodeToString(d.Sum(nil))
}

// chainScript defines, for scripts: chainHead(stream, head), the chain's head as
// text, found in the newest entries if the head is lost; and chainAdd, which
// adds an entry. ARGV from n on: those of link.args.
var chainScript = fmt.Sprintf(`
local function soundHead(h)
  local q, x = string.match(h, '^([1-9]%%d*):([0-9a-f]+)$')
  return q and #q <= 15 and #x == %d
end
local function chainHead(stream, head)
  local h = redis.call('GETRANGE', head, 0, %d)
  if soundHead(h) then return h end
  for _, e in ipairs(redis.call('XREVRANGE', stream, '+', '-', 'COUNT', %d)) do
    local f = {}
    for i = 1, #e[2], 2 do f[e[2][i]] = e[2][i + 1] end
    h = (f['%s'] or '') .. ':' .. (f['%s'] or '')
    if soundHead(h) then return h end
  end
  return ''
end
local function chainAdd(stream, head, n)
  local q, x = string.match(ARGV[n + 1], '^(%%d+):(%%x+)$')
  local id = redis.call('XADD', stream, '*', '%s', ARGV[n + 3], '%s', q, '%s', ARGV[n + 2], '%s', x)
  redis.call('SET', head, ARGV[n + 1])
  return id
end
`, hashLen, maxHead, headLookBack, seqField, hashField, auditField, seqField, prevField, hashField)

// encodeAudit gives the bytes that are stored and hashed. They hold nothing that
// a terminal acts on.
func encodeAudit(rec wire.AuditRecord) (string, error) {
	rec.ID, rec.Seq, rec.Hash = "", 0, ""
	v, err := encode("audit record", rec)
	if err != nil {
		return "", err
	}
	v = escapeControls(v)
	if len(v) > maxValue {
		return "", fmt.Errorf("state: %w: audit record of %d bytes, more than %d", wire.ErrBadRequest, len(v), maxValue)
	}
	return v, nil
}

// escapeControls escapes, within JSON, what encoding/json leaves as it is: DEL
// and the C1 controls.
func escapeControls(v string) string {
	if strings.IndexFunc(v, isC1) < 0 {
		return v
	}
	var out strings.Builder
	for _, r := range v {
		if isC1(r) {
			_, _ = fmt.Fprintf(&out, `\u%04x`, r)
		} else {
			out.WriteRune(r)
		}
	}
	return out.String()
}

func isC1(r rune) bool { return r >= 0x7f && r <= 0x9f }

// chained adds record to the chain by write, which is given the link to use and
// answers with the head after it, or with errMoved and the head as it is. Writers
// of one process take turns, those of others are caught up with.
func (s *Store) chained(ctx context.Context, op, record string, write func(context.Context, link) (Head, error)) error {
	c, cancel := s.bound(ctx)
	defer cancel()
	select {
	case s.chain <- struct{}{}:
		defer func() { <-s.chain }()
	case <-c.Done():
		return failure(ctx, op, auditKey, c.Err())
	}
	for {
		if s.chainHead.Seq >= maxSeq {
			s.chainHead = Head{}
			return fault.New(fault.StoreUnavailable, op, "the audit stream's chain is full")
		}
		h, err := write(c, s.chainHead.next(record))
		if err != nil && !errors.Is(err, errMoved) {
			return err
		}
		if h.Seq < s.chainHead.Seq {
			s.opts.Logger.Error("the newest audit records are gone: the stream's head has gone back",
				slog.String("was", s.chainHead.String()), slog.String("is", h.String()))
		}
		s.chainHead = h
		if err == nil {
			return nil
		}
	}
}

// headIn reads the head that a script has answered with.
func headIn(op, text string) (Head, error) {
	h, ok := storedHead(text)
	if !ok && text != "" {
		return Head{}, fault.New(fault.StoreUnavailable, op, fmt.Sprintf("unexpected head %.100q", text))
	}
	return h, nil
}

// moved is the answer of a script whose expected head was not the head.
func moved(op string, got []string) (Head, error) {
	if len(got) != 1 {
		return Head{}, fault.New(fault.StoreUnavailable, op, "unexpected answer")
	}
	h, err := headIn(op, got[0])
	if err != nil {
		return Head{}, err
	}
	return h, errMoved
}

// entry is one entry of the stream as it was found.
type entry struct {
	id         string
	seq        int64 // 0 without a link that is understood
	prev, hash string
	record     string
	broken     bool // it has a link, but one that is not understood
}

func entryOf(id string, values map[string]any) entry {
	text := func(field string) (string, bool) { v, ok := values[field].(string); return v, ok }
	e := entry{id: id}
	if !streamID.MatchString(id) {
		e.id = "" // no Redis says such a thing
	}
	e.record, _ = text(auditField)
	q, hasSeq := text(seqField)
	p, hasPrev := text(prevField)
	h, hasHash := text(hashField)
	if !hasSeq && !hasPrev && !hasHash {
		return e
	}
	seq, err := parseSeq(q)
	if err != nil || !isHash(p) || !isHash(h) {
		e.broken = true
		return e
	}
	e.seq, e.prev, e.hash = seq, p, h
	return e
}

// plain tells whether a record can stand in a line of an export as it is: a JSON
// object as encoding/json writes it, fit for a terminal.
func plain(record string) bool {
	if len(record) > maxValue || record == "" || record[0] != '{' || strings.IndexFunc(record, isC1) >= 0 {
		return false
	}
	again, err := json.Marshal(json.RawMessage(record))
	return err == nil && string(again) == record
}

// line is the entry as an export has it, without its line break.
func (e entry) line() ([]byte, error) {
	l := wire.AuditLine{ID: e.id, Seq: e.seq, Prev: e.prev, Hash: e.hash}
	if e.broken {
		l.Hash = brokenLink
	}
	if plain(e.record) {
		l.Record = json.RawMessage(e.record)
	} else {
		l.Raw = []byte(e.record)
	}
	return json.Marshal(l)
}

const brokenLink = "?" // in an AuditLine, for a link that is not understood
