package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"livemon/internal/fault"
	"livemon/internal/web"
	"livemon/internal/wire"
)

// httpError is a failure that HTTP itself has a status for.
type httpError struct {
	status  int
	message string
}

func (e httpError) Error() string { return e.message }

func badRequest(format string, args ...any) error {
	return fmt.Errorf("%w: "+format, append([]any{wire.ErrBadRequest}, args...)...)
}

// describe returns status and body for an error. The body never holds a cause:
// causes may name addresses or, in a URL, a password.
func describe(err error) (int, wire.Error) {
	var h httpError
	var f *fault.Error
	status, message := http.StatusInternalServerError, "something went wrong inside livemon; its log says what"
	switch {
	case errors.As(err, &h):
		status, message = h.status, h.message
	case errors.As(err, &f) && f.Code.Known():
		return web.Status(f.Code), wire.Error{Code: int(f.Code), Message: faultMessage(f.Code, f.Detail)}
	case errors.Is(err, wire.ErrForbidden):
		status, message = http.StatusForbidden, err.Error()
	case errors.Is(err, wire.ErrConflict):
		status, message = http.StatusConflict, err.Error()
	case errors.Is(err, wire.ErrBusy):
		status, message = http.StatusServiceUnavailable, err.Error()
	case errors.Is(err, wire.ErrBadRequest):
		status, message = http.StatusBadRequest, err.Error()
	case errors.Is(err, wire.ErrNotFound):
		status, message = http.StatusNotFound, err.Error()
	case errors.Is(err, context.DeadlineExceeded):
		status, message = http.StatusGatewayTimeout, "livemon did not finish in time; 'livemon doctor' may say why"
	case errors.Is(err, context.Canceled):
		status, message = http.StatusServiceUnavailable, "the request was given up before it was finished"
	}
	return status, wire.Error{Code: status, Message: web.Clip(message, 1000)}
}

// faultMessage is the code's sentence, and in brackets what is known of this case.
func faultMessage(c fault.Code, detail string) string {
	if detail = web.Clip(detail, 300); detail == "" {
		return c.Sentence()
	}
	return c.Sentence() + " (" + detail + ")"
}

// faultDetail is the reverse of faultMessage.
func faultDetail(c fault.Code, message string) string {
	d, ok := strings.CutPrefix(message, c.Sentence())
	if !ok {
		return message
	}
	return strings.TrimSuffix(strings.TrimPrefix(d, " ("), ")")
}

func (s *server) writeError(w http.ResponseWriter, r *http.Request, err error) {
	status, body := describe(err)
	id := w.Header().Get("X-Request-Id")
	switch {
	case status >= 500 && r.Context().Err() == nil:
		s.log.Error("request failed", "request", id, "method", r.Method, "path", r.URL.Path, "status", status, "error", err)
	default:
		s.log.Debug("request refused", "request", id, "method", r.Method, "path", r.URL.Path, "status", status, "error", err)
	}
	if status == http.StatusInternalServerError {
		body.Message += " (request " + id + ")"
	}
	data, merr := json.Marshal(body)
	if merr != nil {
		data = []byte(`{"code":500,"message":"the error cannot be encoded"}`)
	}
	write(w, status, "application/json", append(data, '\n'))
}
