package api_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"livemon/internal/api"
	"livemon/internal/api/apitest"
	"livemon/internal/fault"
	"livemon/internal/wire"
)

const (
	exportBegin = `{"export":{"version":1,"time":"2026-03-01T09:30:00Z","head":""}}` + "\n"
	exportEnd   = `{"end":{"records":1,"head":""}}` + "\n"
)

func exportOf(size int) []byte {
	var b bytes.Buffer
	b.WriteString(exportBegin)
	for b.Len() < size {
		b.WriteString(`{"id":"1-0","record":{"id":"","time":"2026-03-01T09:30:00Z","event":"requested"}}` + "\n")
	}
	b.WriteString(exportEnd)
	return b.Bytes()
}

func TestExportPassesFilterAndLines(t *testing.T) {
	fake, c := newClient(t)
	want := exportOf(300_000)
	fake.SetExport(want, wire.AuditHead{Head: "7:x", Records: 9})
	var got bytes.Buffer
	f := wire.AuditFilter{Session: "s1", Agent: "A B", Supervisor: "boss", Since: apitest.Start, Until: apitest.Start.AddDate(0, 0, 1), After: "5-1", Limit: 7}
	if err := c.ExportAudit(t.Context(), f, &got); err != nil || !bytes.Equal(got.Bytes(), want) {
		t.Errorf("%d bytes of %d, %v", got.Len(), len(want), err)
	}
	if _, err := c.Audit(t.Context(), f); err != nil {
		t.Error(err)
	}
	if h, err := c.AuditHead(t.Context()); err != nil || h.Head != "7:x" || h.Records != 9 {
		t.Errorf("head %+v %v", h, err)
	}
	calls := strings.Join(fake.Calls(), "\n")
	for _, call := range []string{
		"ExportAudit s1 A B 2026-03-01T09:30:00Z supervisor=boss until=2026-03-02T09:30:00Z",
		"Audit s1 A B 2026-03-01T09:30:00Z 5-1 7 supervisor=boss until=2026-03-02T09:30:00Z",
	} {
		if !strings.Contains(calls, call) {
			t.Errorf("no %q in\n%s", call, calls)
		}
	}
}

func TestBadExportsAreRefused(t *testing.T) {
	for _, q := range []string{"since=yesterday", "until=tomorrow", "session=a/b", "agent=a%0ab", "supervisor=a%0ab", "limit=5", "after=1-1", "agent=" + strings.Repeat("x", 300)} {
		fake := apitest.New()
		if w := ask(handler(fake), "GET", "/v1/audit/export?"+q, ""); w.Code != 400 || len(fake.Calls()) > 0 {
			t.Errorf("%s: %d %q", q, w.Code, fake.Calls())
		}
	}
}

// TestAnExportThatFails: before anything is sent the status says it, then the
// last line does, and nothing that broke off looks whole.
func TestAnExportThatFails(t *testing.T) {
	for _, size := range []int{1, 500_000} {
		fake, c := newClient(t)
		fake.SetExport(bytes.TrimSuffix(exportOf(size), []byte(exportEnd)), wire.AuditHead{})
		for _, want := range []error{fault.New(fault.StoreUnavailable, "op", ""), errors.New("redis://:hunter2@10.0.0.1 is gone")} {
			fake.FailWith(func(call string) error {
				if call == "ExportedAudit" {
					return want
				}
				return nil
			})
			var got bytes.Buffer
			err := c.ExportAudit(t.Context(), wire.AuditFilter{}, &got)
			var s *api.StatusError
			if fault.Of(want) != fault.Of(err) || fault.Of(want) == 0 && (!errors.As(err, &s) || s.Status != 500) {
				t.Errorf("%d bytes: %v became %v", size, want, err)
			}
			if strings.Contains(got.String(), "hunter2") || strings.Contains(got.String(), `{"end":`) {
				t.Errorf("%d bytes: %s", size, got.Bytes()[max(0, got.Len()-300):])
			}
			if (got.Len() > 0) != (size > 1) {
				t.Errorf("%d bytes came of %d", got.Len(), size)
			}
		}
	}
}

type exporter struct {
	*apitest.Fake
	export func(context.Context, io.Writer) error
}

func (e exporter) ExportAudit(ctx context.Context, _ wire.AuditFilter, w io.Writer) error {
	return e.export(ctx, w)
}

// TestAnExportEndsWithItsReader, with the service, and with the connection.
func TestAnExportEndsWithItsReader(t *testing.T) {
	endless := func(over chan<- error) func(context.Context, io.Writer) error {
		return func(ctx context.Context, w io.Writer) error {
			var err error
			for err == nil && ctx.Err() == nil {
				_, err = w.Write([]byte(exportBegin))
			}
			over <- ctx.Err()
			return errors.Join(err, ctx.Err())
		}
	}
	t.Run("reader", func(t *testing.T) {
		over := make(chan error, 1)
		srv := httptest.NewServer(api.NewServer(exporter{apitest.New(), endless(over)}, api.ServerOptions{Token: token}))
		defer srv.Close()
		c := api.NewClient(srv.URL, token)
		defer c.Close()
		enough := errors.New("enough")
		if err := c.ExportAudit(t.Context(), wire.AuditFilter{}, failingWriter{enough}); !errors.Is(err, enough) {
			t.Errorf("%v", err)
		}
		<-over
	})
	t.Run("service", func(t *testing.T) {
		over := make(chan error, 1)
		stopping := make(chan struct{})
		srv := httptest.NewServer(api.NewServer(exporter{apitest.New(), endless(over)}, api.ServerOptions{Token: token, Stopping: stopping}))
		defer srv.Close()
		c := api.NewClient(srv.URL, token)
		defer c.Close()
		w := &signalling{begun: make(chan struct{})}
		done := make(chan error, 1)
		go func() { done <- c.ExportAudit(t.Context(), wire.AuditFilter{}, w) }()
		<-w.begun
		close(stopping)
		var s *api.StatusError
		if err := <-done; !errors.As(err, &s) || s.Status != http.StatusServiceUnavailable {
			t.Errorf("%v", err)
		}
		<-over
	})
	for name, body := range map[string]string{
		"no last line": exportBegin, "half a line": exportBegin + `{"end":`, "nothing": "", "a line without end": exportBegin + strings.Repeat("x", 300<<10),
		"an error that is none": exportBegin + `{"error":7}` + "\n",
	} {
		t.Run(name, func(t *testing.T) {
			srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, body) }))
			defer srv.Close()
			c := api.NewClient(srv.URL, token)
			defer c.Close()
			if err := c.ExportAudit(t.Context(), wire.AuditFilter{}, io.Discard); err == nil {
				t.Error("it counts as whole")
			}
		})
	}
}

type failingWriter struct{ err error }

func (f failingWriter) Write([]byte) (int, error) { return 0, f.err }

type signalling struct {
	begun chan struct{}
	once  bool
}

func (s *signalling) Write(p []byte) (int, error) {
	if !s.once {
		s.once = true
		close(s.begun)
	}
	return len(p), nil
}
