package monitor

import (
	"context"
	"io"

	"livemon/internal/wire"
)

// Audit implements wire.Service.
func (m *Monitor) Audit(ctx context.Context, f wire.AuditFilter) ([]wire.AuditRecord, error) {
	return m.store.Audit(ctx, f)
}

// ExportAudit implements wire.Service.
func (m *Monitor) ExportAudit(ctx context.Context, f wire.AuditFilter, w io.Writer) error {
	return m.store.ExportAudit(ctx, f, w)
}

// AuditHead implements wire.Service.
func (m *Monitor) AuditHead(ctx context.Context) (wire.AuditHead, error) {
	return m.store.AuditHead(ctx)
}
