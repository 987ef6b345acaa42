package api

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"livemon/internal/fault"
	"livemon/internal/web"
	"livemon/internal/wire"
)

// maxLine bounds one line of an export: a record of the store's greatest size,
// and what stands around it.
const maxLine = 256 << 10

// auditFilter reads what selects audit records, but After and Limit.
func auditFilter(q url.Values) (wire.AuditFilter, error) {
	f := wire.AuditFilter{Session: q.Get("session"), Agent: q.Get("agent"), Supervisor: q.Get("supervisor")}
	var errSince, errUntil, errSession error
	f.Since, errSince = parseTime("since", q.Get("since"))
	f.Until, errUntil = parseTime("until", q.Get("until"))
	if f.Session != "" {
		errSession = ValidateID("session", f.Session)
	}
	return f, firstError(errSince, errUntil, errSession, ValidateName("agent", f.Agent), ValidateName("supervisor", f.Supervisor))
}

func (s *server) audit(w http.ResponseWriter, r *http.Request) error {
	q := r.URL.Query()
	f, err := auditFilter(q)
	var errLimit, errAfter error
	f.Limit, errLimit = parseInt("limit", q.Get("limit"), 0, 1, 1000)
	if f.After = q.Get("after"); f.After != "" {
		errAfter = ValidateID("after", f.After)
	}
	if err := firstError(err, errLimit, errAfter); err != nil {
		return err
	}
	return answerList(w, r, func(ctx context.Context) ([]wire.AuditRecord, error) { return s.svc.Audit(ctx, f) })
}

func (s *server) auditHead(w http.ResponseWriter, r *http.Request) error {
	return answer(w, r, http.StatusOK, s.svc.AuditHead)
}

// exportAudit streams the records as they come from the store. Once some are on
// their way, a failure is told by the last line.
func (s *server) exportAudit(w http.ResponseWriter, r *http.Request) error {
	f, err := auditFilter(r.URL.Query())
	if err != nil {
		return err
	}
	release, err := s.occupy(r.Context())
	if err != nil {
		return err
	}
	defer release()
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	stop := s.whenStopping(cancel)
	defer stop()
	web.Deadlines(w, time.Time{}, time.Time{})

	out := &exportWriter{w: w}
	lines := bufio.NewWriterSize(out, 64<<10)
	if err = s.svc.ExportAudit(ctx, f, lines); err == nil {
		err = lines.Flush()
	}
	if err == nil || out.err != nil {
		return nil //nolint:nilerr // who asked is gone, and with him whoever could be told
	}
	if !out.begun {
		return err
	}
	if r.Context().Err() == nil {
		s.log.Warn("an export of the audit stream broke off", "request", w.Header().Get("X-Request-Id"), "error", err)
	}
	_, body := describe(err)
	data, err := json.Marshal(wire.AuditLine{Error: &body})
	if err != nil {
		return nil //nolint:nilerr // without its last line an export does not count as whole
	}
	_, _ = lines.Write(append(data, '\n'))
	_ = lines.Flush()
	return nil
}

// exportWriter sends parts of an export, each with a deadline of its own.
type exportWriter struct {
	w     http.ResponseWriter
	begun bool
	err   error // why nothing more can be sent
}

func (x *exportWriter) Write(p []byte) (int, error) {
	if !x.begun {
		x.begun = true
		x.w.Header().Set("Content-Type", "application/x-ndjson")
		x.w.Header().Set("X-Accel-Buffering", "no")
	}
	_ = http.NewResponseController(x.w).SetWriteDeadline(time.Now().Add(writeTimeout))
	n, err := x.w.Write(p)
	x.err = err
	return n, err
}

func filterQuery(f wire.AuditFilter) url.Values {
	q := url.Values{}
	for name, value := range map[string]string{"session": f.Session, "agent": f.Agent, "supervisor": f.Supervisor, "after": f.After} {
		if value != "" {
			q.Set(name, value)
		}
	}
	for name, t := range map[string]time.Time{"since": f.Since, "until": f.Until} {
		if !t.IsZero() {
			q.Set(name, t.UTC().Format(time.RFC3339Nano))
		}
	}
	return q
}

// Audit lists audit records.
func (c *Client) Audit(ctx context.Context, f wire.AuditFilter) (out []wire.AuditRecord, err error) {
	q := filterQuery(f)
	if f.Limit > 0 {
		q.Set("limit", strconv.Itoa(f.Limit))
	}
	return out, c.do(ctx, "GET", "/v1/audit", q, nil, &out)
}

// AuditHead returns the head of the audit stream's chain.
func (c *Client) AuditHead(ctx context.Context) (out wire.AuditHead, err error) {
	return out, c.do(ctx, "GET", "/v1/audit/head", nil, nil, &out)
}

// ExportAudit writes the audit records that f selects (After and Limit aside),
// an AuditLine each, as they come, until the last line or ctx's end. Of an
// export that breaks off what has come is written, and the error says so.
func (c *Client) ExportAudit(ctx context.Context, f wire.AuditFilter, w io.Writer) error {
	f.After = ""
	res, err := c.open(ctx, http.MethodGet, "/v1/audit/export", filterQuery(f), nil)
	if err != nil {
		return err
	}
	defer func() { _ = res.Body.Close() }()
	lines := bufio.NewReaderSize(res.Body, maxLine)
	for {
		line, err := lines.ReadSlice('\n')
		if err != nil {
			if cause := context.Cause(ctx); cause != nil {
				return cause
			}
			switch {
			case errors.Is(err, bufio.ErrBufferFull):
				return errors.New("the export has a line that is too long to be livemon's")
			case errors.Is(err, io.EOF):
				err = io.ErrUnexpectedEOF
			}
			return fmt.Errorf("%w: the export broke off: %w", ErrUnreachable, err)
		}
		if _, err := w.Write(line); err != nil {
			return err
		}
		if last, err := lastLine(line); last {
			return err
		}
	}
}

// lastLine tells whether a line ends an export, and with which error.
func lastLine(line []byte) (bool, error) {
	if bytes.HasPrefix(line, []byte(`{"end":`)) {
		return true, nil
	}
	if !bytes.HasPrefix(line, []byte(`{"error":`)) {
		return false, nil
	}
	var l wire.AuditLine
	if err := json.Unmarshal(line, &l); err != nil || l.Error == nil {
		return true, fmt.Errorf("the export broke off: %w", err)
	}
	if code := fault.Code(l.Error.Code); code.Known() {
		return true, fault.New(code, "", web.Clip(faultDetail(code, l.Error.Message), 1000))
	}
	return true, &StatusError{Status: l.Error.Code, Message: web.Clip(l.Error.Message, 1000)}
}
