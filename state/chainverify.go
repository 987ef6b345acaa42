package state

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"

	"livemon/internal/fault"
	"livemon/internal/wire"
)

// ErrNoExport says that something is not an export of the audit stream.
var ErrNoExport = errors.New("state: this is no export of the audit stream")

// What a Verifier keeps at most, however much is wrong.
const (
	maxExportLine = 256 << 10 // bytes: a record and what stands around it
	maxProblems   = 100
	maxGaps       = 1000
	maxRivals     = 16
)

// Verifier checks an export, which is written to it, against itself and against
// heads that were noted elsewhere. It needs no Redis, and memory that does not
// grow with the export. Not for concurrent use.
//
// An unfiltered export is checked as a chain: a record that is missing, changed,
// moved or inserted is found. Of a filtered one each record is checked against
// its own hash, and against its neighbour where that is there. Without a head
// from elsewhere, neither says anything against somebody who has written the
// whole chain anew.
type Verifier struct {
	partial []byte // a line whose end has not come yet
	begin   *wire.AuditExport
	end     *wire.AuditEnd
	broke   error // with which the export ended

	report wire.AuditReport
	lines  int64 // of records
	placed int64 // records that stand in a row

	last   int64   // the newest number so far
	rivals []rival // the entries of that number: more than one where somebody has inserted another
	ahead  *place  // a record that came before its turn: the next one shows whether others are missing
	strays []place // records that came before their turn, while others did not
	gaps   []gap   // numbers that were left out
	watch  []watch
	anchor Head   // up to where retention has removed records
	first  string // the hash before the first record
}

type rival struct{ id, hash string }

// place is a record's place.
type place struct {
	id         string
	seq        int64
	prev, hash string
}

// gap is a range of numbers that were left out.
type gap struct {
	from, to int64
	prev     string // the hash that the record after it names
	before   int64  // how many records stand before it
}

// watch is a head to be met.
type watch struct {
	Head
	what  string
	noted bool // elsewhere; otherwise kept beside the stream
	seen  bool
	met   bool
}

// NewVerifier returns a Verifier of one export, which must hold the noted heads.
func NewVerifier(noted ...Head) *Verifier {
	v := &Verifier{rivals: []rival{{hash: genesis}}}
	for _, h := range noted {
		v.watch = append(v.watch, watch{Head: h, what: "the noted head " + h.String(), noted: true})
	}
	return v
}

// Write takes the next part of the export. It fails, with an ErrNoExport, on
// what is none; everything else is for Report to say.
func (v *Verifier) Write(p []byte) (int, error) {
	n := len(p)
	for {
		i := bytes.IndexByte(p, '\n')
		if i < 0 {
			if len(v.partial)+len(p) > maxExportLine {
				return 0, fmt.Errorf("%w: line %d is longer than %d bytes", ErrNoExport, v.lines+1, maxExportLine)
			}
			v.partial = append(v.partial, p...)
			return n, nil
		}
		line := p[:i]
		if len(v.partial) > 0 {
			v.partial = append(v.partial, line...)
			line = v.partial
		}
		if err := v.line(line); err != nil {
			return 0, err
		}
		v.partial, p = v.partial[:0], p[i+1:]
	}
}

// Verify reads an export to its end.
func (v *Verifier) Verify(r io.Reader) (wire.AuditReport, error) {
	if _, err := io.Copy(v, r); err != nil {
		return wire.AuditReport{}, err
	}
	return v.Report()
}

func (v *Verifier) line(text []byte) error {
	if len(text) > maxExportLine {
		return fmt.Errorf("%w: line %d is longer than %d bytes", ErrNoExport, v.lines+1, maxExportLine)
	}
	var l wire.AuditLine
	err := json.Unmarshal(text, &l)
	if v.begin == nil {
		if err != nil || l.Export == nil || l.Export.Version != exportVersion {
			return fmt.Errorf("%w: its first line does not say so", ErrNoExport)
		}
		v.header(*l.Export)
		return nil
	}
	if v.end != nil || v.broke != nil {
		v.problem("inserted", 0, 0, l.ID, "there is something after the last line of the export")
		return nil
	}
	v.lines++
	again, merr := json.Marshal(l)
	switch {
	case err != nil || merr != nil || !bytes.Equal(again, text) || l.Export != nil || (l.Record == nil) == (l.Raw == nil) && l.End == nil && l.Error == nil:
		v.problem("changed", l.Seq, 0, l.ID, fmt.Sprintf("line %d is not as it was exported", v.lines+1))
		if err == nil && l.Seq > 0 && l.Export == nil && l.End == nil && l.Error == nil {
			v.chain(l, false)
		}
	case l.End != nil:
		v.lines--
		v.end = l.End
	case l.Error != nil:
		v.lines--
		v.broke = fmt.Errorf("state: the export broke off: %s", l.Error.Message)
		if code := fault.Code(l.Error.Code); code.Known() {
			v.broke = fault.New(code, "export audit records", "the export broke off")
		}
	default:
		v.record(l)
	}
	return nil
}

func (v *Verifier) header(x wire.AuditExport) {
	v.begin = &x
	v.report.Filtered = x.Filtered()
	if h, ok := storedHead(x.Head); ok {
		v.watch = append(v.watch, watch{Head: h, what: "the head beside the stream"})
	}
}

// record checks one record by itself before its place.
func (v *Verifier) record(l wire.AuditLine) {
	switch {
	case l.Seq == 0 && l.Prev == "" && l.Hash == "":
		if v.last > 0 {
			v.problem("inserted", 0, 0, l.ID, fmt.Sprintf("a record without a link stands after record %d", v.last))
			return
		}
		v.report.Unprotected++
	case l.Seq < 1 || l.Seq > maxSeq || !isHash(l.Prev) || !isHash(l.Hash):
		v.problem("changed", 0, 0, l.ID, "the link of this record is not understood")
	default:
		text := string(l.Record)
		if l.Record == nil {
			text = string(l.Raw)
		}
		sound := linkHash(l.Seq, l.Prev, text) == l.Hash
		if !sound {
			v.problem("changed", l.Seq, 0, l.ID, fmt.Sprintf("record %d is not what its hash says", l.Seq))
		}
		v.chain(l, sound)
		if sound {
			v.trimmed(l.Seq, text)
		}
	}
}

// trimmed takes note of what retention has removed.
func (v *Verifier) trimmed(seq int64, text string) {
	rec, err := decodeAudit("", text)
	if err != nil || rec.Event != EventTrimmed {
		return
	}
	if h, ok := storedHead(rec.Anchor); ok && h.Seq < seq && h.Seq > v.anchor.Seq {
		v.anchor = h
	}
}

// chain checks a record's place. The number of one that is not what its hash
// says is only believed where it fits.
func (v *Verifier) chain(l wire.AuditLine, sound bool) {
	v.report.Records++
	p := place{l.ID, l.Seq, l.Prev, l.Hash}
	for i := range v.watch {
		if w := &v.watch[i]; w.Seq == p.seq {
			w.seen = true
			w.met = w.met || sound && w.Hash == p.hash
		}
	}
	if a := v.ahead; a != nil && p.seq > v.last {
		v.ahead = nil
		switch {
		case p.seq == v.last+1:
			v.follow(p, sound)
			v.early(*a)
			return
		case sound && p.seq < a.seq:
			v.early(*a) // the smaller step is the likelier one
		default:
			v.jump(*a)
		}
	}
	switch {
	case p.seq == v.last+1:
		v.follow(p, sound)
	case !sound:
	case p.seq > v.last && v.report.Filtered:
		v.jump(p)
	case p.seq > v.last:
		v.ahead = &p
	case p.seq == v.last && len(v.rivals) < maxRivals:
		v.rivals = append(v.rivals, rival{p.id, p.hash})
	case v.report.Filtered || v.found(p.seq):
		v.problem("reordered", p.seq, 0, p.id, fmt.Sprintf("record %d stands after record %d", p.seq, v.last))
	default:
		v.problem("inserted", p.seq, 0, p.id, fmt.Sprintf("there is a second record %d, after record %d", p.seq, v.last))
	}
}

// follow takes the record whose turn it is.
func (v *Verifier) follow(p place, sound bool) {
	if sound {
		v.settle(p.prev)
	} else {
		v.settle("")
	}
	v.newest(p)
}

// jump takes a record although others before it are missing.
func (v *Verifier) jump(p place) {
	v.settle("")
	v.leaveOut(gap{v.last + 1, p.seq - 1, p.prev, v.placed})
	v.newest(p)
}

func (v *Verifier) newest(p place) {
	v.placed++
	v.last, v.rivals = p.seq, []rival{{p.id, p.hash}}
	if v.report.First == 0 {
		v.report.First, v.first = p.seq, p.prev
	}
}

// early deals with a record that stands before the newest one, whose turn was
// before it.
func (v *Verifier) early(p place) {
	switch {
	case p.seq == v.last+1:
		v.problem("reordered", p.seq, 0, p.id, fmt.Sprintf("record %d stands before record %d", p.seq, v.last))
		v.follow(p, true)
	case len(v.strays) < maxRivals:
		v.strays = append(v.strays, p)
	default:
		v.stray(p)
	}
}

func (v *Verifier) stray(p place) {
	v.problem("inserted", p.seq, 0, p.id, fmt.Sprintf("there is a record %d among those of other numbers", p.seq))
}

// settle decides, by the hash that the next record or a head names, which of the
// entries of the newest number is the record. An empty hash cannot tell.
func (v *Verifier) settle(hash string) {
	real := slices.IndexFunc(v.rivals, func(r rival) bool { return r.hash == hash })
	if hash != "" && real < 0 {
		if v.last == 0 {
			v.problem("changed", 1, 0, "", "record 1 is not the beginning of a chain")
			return
		}
		v.problem("changed", v.last, 0, v.rivals[0].id,
			fmt.Sprintf("record %d is not the one that record %d was chained to: one of them was replaced", v.last, v.last+1))
	}
	for i, r := range v.rivals {
		if i != max(real, 0) {
			v.problem("inserted", v.last, 0, r.id, fmt.Sprintf("there is a second record %d", v.last))
		}
	}
}

func (v *Verifier) leaveOut(g gap) {
	if v.report.Filtered {
		return
	}
	if len(v.gaps) == maxGaps {
		v.missing(v.gaps[0])
		v.gaps = slices.Delete(v.gaps, 0, 1)
	}
	v.gaps = append(v.gaps, g)
	v.strays = slices.DeleteFunc(v.strays, func(p place) bool {
		there := v.found(p.seq)
		if there {
			v.problem("reordered", p.seq, 0, p.id, fmt.Sprintf("record %d stands before record %d", p.seq, g.from-1))
		}
		return there
	})
}

// found takes a number out of the gaps and tells whether it was in one.
func (v *Verifier) found(seq int64) bool {
	i := slices.IndexFunc(v.gaps, func(g gap) bool { return g.from <= seq && seq <= g.to })
	if i < 0 {
		return false
	}
	g, rest := v.gaps[i], []gap(nil)
	if g.from < seq {
		rest = append(rest, gap{from: g.from, to: seq - 1, before: g.before})
	}
	if seq < g.to {
		rest = append(rest, gap{seq + 1, g.to, g.prev, g.before})
	}
	v.gaps = slices.Replace(v.gaps, i, i+1, rest...)
	return true
}

// missing tells of numbers that are not there, but for those that retention has
// removed.
func (v *Verifier) missing(g gap) {
	g.from = max(g.from, v.anchor.Seq+1)
	switch {
	case g.from > g.to:
	case g.from == g.to:
		v.problem("missing", g.from, g.to, "", fmt.Sprintf("record %d is missing", g.from))
	default:
		v.problem("missing", g.from, g.to, "", fmt.Sprintf("records %d to %d are missing", g.from, g.to))
	}
}

func (v *Verifier) problem(kind string, seq, to int64, id, detail string) {
	if kind == "changed" && seq > 0 && slices.ContainsFunc(v.report.Problems, func(p wire.AuditProblem) bool { return p.Kind == kind && p.Seq == seq }) {
		return
	}
	if len(v.report.Problems) >= maxProblems {
		v.report.More++
		return
	}
	v.report.Problems = append(v.report.Problems, wire.AuditProblem{Kind: kind, Seq: seq, To: to, ID: id, Detail: detail})
}

// Report says what was found, once everything is written. The error is that with
// which the export itself ended, or an ErrNoExport.
func (v *Verifier) Report() (wire.AuditReport, error) {
	if v.begin == nil {
		return wire.AuditReport{}, fmt.Errorf("%w: it is empty", ErrNoExport)
	}
	if v.broke != nil {
		return wire.AuditReport{}, v.broke
	}
	if v.ahead != nil {
		v.jump(*v.ahead)
		v.ahead = nil
	}
	if len(v.partial) > 0 || v.end == nil {
		v.problem("incomplete", 0, 0, "", "the export ends before its last line: it was cut off")
	} else {
		v.ending(*v.end)
	}
	v.lastRivals()
	for _, p := range v.strays {
		v.stray(p)
	}
	for _, g := range v.gaps {
		v.missing(g)
	}
	v.removed()
	beyond := v.last
	for _, w := range v.watch {
		v.meet(w)
		beyond = max(beyond, w.Seq)
	}
	if !v.report.Filtered {
		v.missing(gap{from: v.last + 1, to: beyond})
	}
	r := v.report
	r.Last = v.last
	if v.last > 0 {
		r.Head = Head{v.last, v.rivals[0].hash}.String()
	}
	r.OK = len(r.Problems) == 0
	if r.Problems == nil {
		r.Problems = []wire.AuditProblem{}
	}
	return r, nil
}

// removed takes the newest gap that retention explains for the old end: what is
// left before it, where reading was overtaken by a removal, is linked to nothing
// and does not count.
func (v *Verifier) removed() {
	g := gap{}
	for _, x := range v.gaps {
		if x.to <= v.anchor.Seq && x.to > g.to {
			g = x
		}
	}
	if g.to == 0 {
		return
	}
	v.report.First, v.first = g.to+1, g.prev
	v.report.Records -= g.before
	v.report.Anchor = v.anchor.String()
	if v.anchor.Seq == g.to && g.prev != "" && v.anchor.Hash != g.prev {
		v.problem("changed", v.report.First, 0, "", fmt.Sprintf("record %d is not the one that came after the records which were removed", v.report.First))
	}
}

// ending checks what the export itself says of its end.
func (v *Verifier) ending(end wire.AuditEnd) {
	if end.Records != v.lines {
		v.problem("incomplete", 0, 0, "", fmt.Sprintf("%d records were exported, but %d are here", end.Records, v.lines))
	}
	if v.last == 0 {
		return
	}
	h, ok := storedHead(end.Head)
	switch _, before := storedHead(v.begin.Head); {
	case !ok && !before:
		v.problem("head", 0, 0, "", "the head beside the stream is gone, or not understood: whether records are missing at the end cannot be told")
	case ok && h.Seq < v.last:
		v.problem("head", h.Seq, 0, "", fmt.Sprintf("the head beside the stream stands at record %d, but there are records up to %d", h.Seq, v.last))
	}
}

// lastRivals decides between entries of the very last number: a head may tell.
func (v *Verifier) lastRivals() {
	if len(v.rivals) < 2 {
		return
	}
	hash := ""
	for _, w := range v.watch {
		if w.Seq == v.last && w.met && (hash == "" || w.noted) {
			hash = w.Hash
		}
	}
	v.settle(hash)
}

// meet tells of a head that was not met, unless its record is missing.
func (v *Verifier) meet(w watch) {
	before := w.Seq < v.report.First && !v.report.Filtered
	switch {
	case w.met && !before || v.report.First > 0 && w.Seq == v.report.First-1 && w.Hash == v.first:
		if w.noted {
			v.report.Confirmed = append(v.report.Confirmed, w.String())
		}
	case before && !w.noted: // it was read before the records were removed
	case before && w.Seq == v.report.First-1 && v.first != "":
		v.problem("changed", v.report.First, 0, "", fmt.Sprintf("record %d was not chained to %s", v.report.First, w.what))
	case before && w.Seq <= v.anchor.Seq:
		v.problem("head", w.Seq, 0, "", fmt.Sprintf("%s cannot be checked any more: records up to %d have been removed by retention", w.what, v.anchor.Seq))
	case w.seen:
		v.problem("changed", w.Seq, 0, "", fmt.Sprintf("record %d is not the one that %s names", w.Seq, w.what))
	case v.report.Filtered && w.noted:
		v.problem("head", w.Seq, 0, "", fmt.Sprintf("%s cannot be checked against a filtered export without record %d", w.what, w.Seq))
	}
}
