package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/urfave/cli/v2"

	"livemon/internal/api"
	"livemon/internal/config"
	"livemon/internal/fault"
	"livemon/internal/wire"
)

const (
	exitFailure = 1
	exitUsage   = 2
)

// errUnsound ends a command that has printed everything there is to say, but
// found something that is not as it must be.
var errUnsound = errors.New("something is not as it must be")

// report tells of an error and returns the exit status.
func report(err error, asJSON bool, stdout, stderr io.Writer) int {
	if err == nil {
		return 0
	}
	if errors.Is(err, errUnsound) {
		return exitFailure
	}
	status, body := explain(err)
	text := clean(body.Message)
	if code := fault.Code(body.Code); code.Known() {
		text = code.Digits() + " " + text
	}
	_, _ = fmt.Fprintf(stderr, "livemon: %s\n", text)
	if asJSON {
		if data, err := json.Marshal(body); err == nil {
			_, _ = stdout.Write(append(escapeControls(data), '\n'))
		}
	}
	return status
}

// explain returns the exit status, and the code and sentence to show.
func explain(err error) (int, wire.Error) {
	var (
		usage  usageError
		exit   cli.ExitCoder // what the library makes of an unknown help topic
		f      *fault.Error
		cfg    *config.Error
		status *api.StatusError
	)
	switch {
	case errors.As(err, &f) && f.Code.Known():
		message := f.Code.Sentence()
		if f.Detail != "" {
			message += " (" + f.Detail + ")"
		}
		return f.Code.ExitStatus(), wire.Error{Code: int(f.Code), Message: message}
	case errors.As(err, &usage), errors.As(err, &cfg), errors.As(err, &exit):
		return exitUsage, wire.Error{Code: exitUsage, Message: err.Error()}
	case errors.As(err, &status):
		code := exitFailure
		if errors.Is(err, wire.ErrBadRequest) {
			code = exitUsage
		}
		return code, wire.Error{Code: status.Status, Message: err.Error()}
	case errors.Is(err, wire.ErrBadRequest):
		return exitUsage, wire.Error{Code: exitUsage, Message: err.Error()}
	case errors.Is(err, api.ErrUnreachable):
		return exitFailure, wire.Error{Code: exitFailure, Message: err.Error() + "; is 'livemon serve' running there?"}
	case errors.Is(err, context.Canceled):
		return exitFailure, wire.Error{Code: exitFailure, Message: "interrupted"}
	}
	return exitFailure, wire.Error{Code: exitFailure, Message: err.Error()}
}
