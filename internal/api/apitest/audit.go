package apitest

import (
	"bytes"
	"context"
	"io"
	"strconv"
	"time"

	"livemon/internal/wire"
)

// SetExport replaces what ExportAudit writes, line by line, whatever it is asked
// for, and what AuditHead answers.
func (f *Fake) SetExport(lines []byte, head wire.AuditHead) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.export, f.head = lines, head
}

// SetAudit replaces the audit records.
func (f *Fake) SetAudit(list []wire.AuditRecord) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.audit = list
}

// Audit implements wire.Service.
func (f *Fake) Audit(_ context.Context, flt wire.AuditFilter) ([]wire.AuditRecord, error) {
	args := []string{flt.Session, flt.Agent, timeArg("", flt.Since), flt.After, strconv.Itoa(flt.Limit)}
	if err := f.enter("Audit", append(args, newArgs(flt)...)...); err != nil {
		return nil, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	var out []wire.AuditRecord
	for _, r := range f.audit {
		if (flt.Session == "" || r.Session == flt.Session) && (flt.Agent == "" || r.Agent == flt.Agent) && (flt.Supervisor == "" || r.Supervisor == flt.Supervisor) {
			out = append(out, r)
		}
	}
	return out, nil
}

// ExportAudit implements wire.Service.
func (f *Fake) ExportAudit(_ context.Context, flt wire.AuditFilter, w io.Writer) error {
	args := []string{flt.Session, flt.Agent, timeArg("", flt.Since)}
	if err := f.enter("ExportAudit", append(args, newArgs(flt)...)...); err != nil {
		return err
	}
	f.mu.Lock()
	lines := f.export
	f.mu.Unlock()
	for line := range bytes.Lines(lines) {
		if _, err := w.Write(line); err != nil {
			return err
		}
	}
	return f.enter("ExportedAudit")
}

// AuditHead implements wire.Service.
func (f *Fake) AuditHead(context.Context) (wire.AuditHead, error) {
	if err := f.enter("AuditHead"); err != nil {
		return wire.AuditHead{}, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.head, nil
}

// newArgs are the filter's rarer fields, where they are set.
func newArgs(f wire.AuditFilter) []string {
	var args []string
	if f.Supervisor != "" {
		args = append(args, "supervisor="+f.Supervisor)
	}
	if !f.Until.IsZero() {
		args = append(args, timeArg("until=", f.Until))
	}
	return args
}

func timeArg(name string, t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return name + t.Format(time.RFC3339Nano)
}
