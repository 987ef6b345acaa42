package panel

import (
	"context"
	"errors"
	"net/http"

	"livemon/internal/fault"
	"livemon/internal/web"
	"livemon/internal/wire"
)

// pageError is a failure that HTTP has a status for. Its message is for people.
type pageError struct {
	status  int
	message string
}

func (e pageError) Error() string { return e.message }

// errorData is what an error page shows.
type errorData struct {
	Page
	Status  int
	Code    int // livemon's, 0 if none
	Message string
	Request string
}

// describe returns status, code and message of an error. The message never holds
// a cause: causes may name addresses or, in a URL, a password.
func describe(err error) (status, code int, message string) {
	var e pageError
	var f *fault.Error
	switch {
	case errors.As(err, &e):
		return e.status, 0, e.message
	case errors.As(err, &f) && f.Code.Known():
		return web.Status(f.Code), int(f.Code), f.Code.Sentence()
	case errors.Is(err, wire.ErrForbidden):
		return http.StatusForbidden, 0, "This takes an administrator."
	case errors.Is(err, wire.ErrNotFound):
		return http.StatusNotFound, 0, "There is no such thing, or you may not see it."
	case errors.Is(err, wire.ErrBusy):
		return http.StatusServiceUnavailable, 0, "Too many passwords are being checked at the moment. Try again in a few seconds."
	case errors.Is(err, wire.ErrConflict):
		return http.StatusConflict, 0, "This cannot be as things are."
	case errors.Is(err, wire.ErrBadRequest):
		return http.StatusBadRequest, 0, "livemon does not understand this request."
	case errors.Is(err, context.DeadlineExceeded):
		return http.StatusGatewayTimeout, 0, "livemon did not finish in time; 'livemon doctor' may say why."
	case errors.Is(err, context.Canceled):
		return http.StatusServiceUnavailable, 0, "The request was given up before it was finished."
	}
	return http.StatusInternalServerError, 0, "Something went wrong inside livemon; its log says what."
}

func (p *Panel) writeError(w http.ResponseWriter, r *http.Request, err error) {
	status, code, message := describe(err)
	id := w.Header().Get("X-Request-Id")
	if status >= http.StatusInternalServerError && r.Context().Err() == nil {
		p.log.Error("page failed", "request", id, "method", r.Method, "path", r.URL.Path, "status", status, "error", err)
	} else {
		p.log.Debug("page refused", "request", id, "method", r.Method, "path", r.URL.Path, "status", status, "error", err)
	}
	d := errorData{Page: p.blank(http.StatusText(status)), Status: status, Code: code, Message: message, Request: id}
	if err := p.render(w, status, "error", d); err != nil {
		p.log.Error("the error page failed", "request", id, "error", err)
		http.Error(w, http.StatusText(http.StatusInternalServerError), http.StatusInternalServerError)
	}
}
