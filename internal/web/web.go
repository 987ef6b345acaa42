// Package web is what every answer over HTTP has in common, be it the API's or
// the panel's: an id, deadlines, a bound on what is sent with a request, a line in
// the log, and a net under it that keeps a panic to its own request.
//
// It knows no routes, no service and nobody who asks.
package web

import (
	"crypto/rand"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"runtime/debug"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"livemon/internal/fault"
)

// IDHeader is the header in which each answer has its id, as the log has it.
const IDHeader = "X-Request-Id"

// Net is what Wrap puts around a handler.
type Net struct {
	Log    *slog.Logger
	What   string        // what is served, for the log: "request" or "page"
	Body   int64         // the most bytes that may come with a request
	Read   time.Duration // for the request to come
	Answer time.Duration // for the answer to have gone, from the request's first byte
	Header http.Header   // what each answer begins with
	// Failed answers a request whose handler has panicked before it answered.
	Failed func(w http.ResponseWriter, r *http.Request, err error)
}

// recorder remembers what was answered.
type recorder struct {
	http.ResponseWriter
	status int
}

func (r *recorder) WriteHeader(status int) {
	if r.status == 0 {
		r.status = status
	}
	r.ResponseWriter.WriteHeader(status)
}

func (r *recorder) Write(b []byte) (int, error) {
	if r.status == 0 {
		r.status = http.StatusOK
	}
	return r.ResponseWriter.Write(b)
}

// Unwrap lets http.ResponseController reach the connection.
func (r *recorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }

// Wrap gives every request its id, deadlines, headers, log line and net.
func (n Net) Wrap(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		start := time.Now()
		rec, id := &recorder{ResponseWriter: w}, rand.Text()[:12]
		h := rec.Header()
		for name, values := range n.Header {
			h[name] = append([]string(nil), values...)
		}
		h.Set(IDHeader, id)
		h.Set("Cache-Control", "no-store")
		h.Set("X-Content-Type-Options", "nosniff")
		Deadlines(rec, start.Add(n.Read), start.Add(n.Answer))
		r.Body = http.MaxBytesReader(w, r.Body, n.Body)
		defer func() {
			if v := recover(); v != nil {
				if v == http.ErrAbortHandler { //nolint:errorlint // net/http compares it so
					panic(v)
				}
				n.Log.Error("panic in a "+n.What, "request", id, "method", r.Method, "path", r.URL.Path,
					"panic", fmt.Sprint(v), "stack", string(debug.Stack()))
				if rec.status != 0 {
					panic(http.ErrAbortHandler) // half an answer must not look like a whole one
				}
				n.Failed(rec, r, fmt.Errorf("panic: %v", v))
			}
			n.Log.Debug(n.What, "request", id, "method", r.Method, "path", r.URL.Path, "status", rec.status, "duration", time.Since(start))
		}()
		next.ServeHTTP(rec, r)
	})
}

// Deadlines sets the connection's deadlines; a zero time means none. Writers
// without a connection, as in tests, have none to set.
func Deadlines(w http.ResponseWriter, read, write time.Time) {
	c := http.NewResponseController(w)
	_ = c.SetReadDeadline(read)
	_ = c.SetWriteDeadline(write)
}

// Remote is the address that a request came from, without its port.
func Remote(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	return host
}

// Status is the HTTP status with which a code is answered.
func Status(c fault.Code) int {
	switch c {
	case fault.PupilGone, fault.UserGone, fault.PupilInConference, fault.NotAdded, fault.SpeakerBusy, fault.PhoneNoAnswer:
		return http.StatusConflict
	case fault.NotAllowed, fault.RoleNotAllowed:
		return http.StatusForbidden
	case fault.RoomNotCreated:
		return http.StatusBadGateway
	case fault.SwitchTimeout:
		return http.StatusGatewayTimeout
	case fault.StoreUnavailable:
		return http.StatusServiceUnavailable
	}
	return http.StatusInternalServerError
}

// Clip makes s fit to be shown: without control characters, and at most limit bytes.
func Clip(s string, limit int) string {
	s = strings.Map(func(r rune) rune {
		if r == utf8.RuneError || unicode.IsControl(r) || r == '\u2028' || r == '\u2029' {
			return ' '
		}
		return r
	}, s)
	if len(s) <= limit {
		return s
	}
	for limit > 0 && !utf8.RuneStart(s[limit]) {
		limit--
	}
	return s[:limit] + "…"
}
