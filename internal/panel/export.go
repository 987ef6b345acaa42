package panel

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"

	"livemon/internal/wire"
)

// errFull stops an export that has too many records.
var errFull = errors.New("too many records")

// saved reads every record that f selects, oldest first, for a file: an error if
// there are more than it may have. Administrators' come in one pass.
func (p *Panel) saved(ctx context.Context, f wire.AuditFilter) ([]wire.AuditRecord, error) {
	if actor, _ := wire.ActorOf(ctx); !actor.Admin {
		list, more, err := p.collect(ctx, f, p.most, everything)
		if err == nil && more {
			err = p.tooMany()
		}
		return list, err
	}
	done, err := p.report(ctx)
	if err != nil {
		return nil, err
	}
	defer done()
	lines := &exported{limit: p.most}
	err = p.opts.Service.ExportAudit(ctx, f, lines)
	switch {
	case errors.Is(err, errFull):
		return nil, p.tooMany()
	case err != nil:
		return nil, err
	case lines.failed || !lines.ended:
		return nil, errors.New("the export of the audit stream broke off")
	}
	return lines.list, nil
}

// exported takes the lines of an export, each written whole.
type exported struct {
	limit         int
	list          []wire.AuditRecord
	ended, failed bool
}

func (x *exported) Write(data []byte) (int, error) {
	for line := range bytes.Lines(data) {
		if err := x.line(line); err != nil {
			return 0, err
		}
	}
	return len(data), nil
}

func (x *exported) line(data []byte) error {
	var l wire.AuditLine
	if err := json.Unmarshal(data, &l); err != nil {
		return err
	}
	switch {
	case l.Error != nil:
		x.failed = true
	case l.End != nil:
		x.ended = true
	case l.Export != nil:
	case len(x.list) == x.limit:
		return errFull
	default:
		r := wire.AuditRecord{Event: "unreadable", Detail: "this record is not understood"}
		var known wire.AuditRecord
		if json.Unmarshal(l.Record, &known) == nil && known.Event != "" {
			r = known
		}
		r.ID, r.Seq, r.Hash = l.ID, l.Seq, l.Hash
		x.list = append(x.list, r)
	}
	return nil
}
