package web_test

import (
	"bytes"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"livemon/internal/fault"
	"livemon/internal/web"
)

func serve(t *testing.T, h http.HandlerFunc) (*httptest.ResponseRecorder, string, any) {
	t.Helper()
	var log bytes.Buffer
	n := web.Net{Log: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug})), What: "request", Body: 8, Read: time.Second, Answer: time.Second,
		Header: http.Header{"X-Frame-Options": {"DENY"}},
		Failed: func(w http.ResponseWriter, _ *http.Request, err error) {
			http.Error(w, "failed", http.StatusInternalServerError)
		}}
	w := httptest.NewRecorder()
	r := httptest.NewRequest(http.MethodPost, "/x", strings.NewReader("123456789"))
	var caught any
	func() {
		defer func() { caught = recover() }()
		n.Wrap(h).ServeHTTP(w, r)
	}()
	return w, log.String(), caught
}

func TestNet(t *testing.T) {
	w, log, _ := serve(t, func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(http.StatusTeapot) })
	id := w.Header().Get(web.IDHeader)
	if len(id) != 12 || w.Code != http.StatusTeapot || w.Header().Get("X-Frame-Options") != "DENY" || w.Header().Get("Cache-Control") != "no-store" {
		t.Errorf("%d %v", w.Code, w.Header())
	}
	if !strings.Contains(log, "request="+id) || !strings.Contains(log, "status=418") {
		t.Errorf("log %s", log)
	}
	w, _, _ = serve(t, func(w http.ResponseWriter, r *http.Request) {
		if _, err := new(bytes.Buffer).ReadFrom(r.Body); err == nil {
			t.Error("a body of any length")
		}
	})
	if w.Header().Get(web.IDHeader) == id {
		t.Error("two requests have one id")
	}
}

func TestPanics(t *testing.T) {
	w, log, caught := serve(t, func(http.ResponseWriter, *http.Request) { panic("oh") })
	if caught != nil || w.Code != http.StatusInternalServerError || !strings.Contains(log, "panic=oh") || strings.Contains(w.Body.String(), "oh") {
		t.Errorf("%v %d %s %s", caught, w.Code, w.Body, log)
	}
	if _, _, caught = serve(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("half")); panic("oh") }); caught != http.ErrAbortHandler {
		t.Errorf("half an answer looks like a whole one: %v", caught)
	}
	if _, _, caught = serve(t, func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }); caught != http.ErrAbortHandler {
		t.Errorf("%v", caught)
	}
}

func TestStatus(t *testing.T) {
	for _, c := range fault.All() {
		if s := web.Status(c); s < 400 || s == http.StatusInternalServerError {
			t.Errorf("%d is answered with %d", c, s)
		}
	}
}

func FuzzClip(f *testing.F) {
	f.Add("a\x00b\r\nc", 3)
	f.Add("äöü", 1)
	f.Add("\xff\u2028", 0)
	f.Fuzz(func(t *testing.T, s string, limit int) {
		if limit < 0 || limit > 1000 {
			return
		}
		got := web.Clip(s, limit)
		if !utf8.ValidString(got) || len(got) > limit+len("…") || strings.ContainsAny(got, "\r\n\x00\u2028") {
			t.Errorf("%q", got)
		}
	})
}
