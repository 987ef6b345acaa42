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
	"time"

	"livemon/internal/fault"
	"livemon/internal/web"
	"livemon/internal/wire"
)

const (
	silence      = 3 * heartbeat // after which a stream counts as dead
	firstBackoff = 500 * time.Millisecond
	lastBackoff  = 10 * time.Second
)

// Watcher receives what Watch reads. Only lists that it has a function for are
// asked for. An error that a function returns ends Watch.
type Watcher struct {
	Agents   func([]wire.Agent) error
	Sessions func([]wire.Session) error
	// Trouble is told, once a spell, that nothing new comes for the moment; the
	// next list says that it is over. May be nil.
	Trouble func(error)
}

// Watch reads the event stream until ctx ends, and connects again whenever it
// breaks. It returns ctx's error, the error of a function of w, or the first
// one where trying again would not help: the first connection failed, or the
// token is refused.
func (c *Client) Watch(ctx context.Context, w Watcher) error {
	q := url.Values{}
	switch {
	case w.Sessions == nil:
		q.Set("only", "agents")
	case w.Agents == nil:
		q.Set("only", "sessions")
	}
	st := &watchState{w: w}
	for pause := firstBackoff; ; pause = min(2*pause, lastBackoff) {
		err := c.watchOnce(ctx, q, st)
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case st.stopped != nil:
			return st.stopped
		case !st.connected || final(err):
			return err
		}
		if st.fresh {
			st.fresh, pause = false, firstBackoff
		}
		st.trouble(err)
		if !rest(ctx, pause) {
			return ctx.Err()
		}
	}
}

// final tells whether the service understood and said no.
func final(err error) bool {
	var s *StatusError
	return errors.Is(err, wire.ErrBadRequest) || errors.As(err, &s) && s.Status < 500
}

type watchState struct {
	w         Watcher
	connected bool  // at least once
	fresh     bool  // an event came over the present connection
	stopped   error // what a function of w returned
	troubled  bool
}

func (st *watchState) trouble(err error) {
	if !st.troubled && st.w.Trouble != nil {
		st.w.Trouble(err)
	}
	st.troubled = true
}

func (c *Client) watchOnce(ctx context.Context, q url.Values, st *watchState) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	// The stream sends something every heartbeat; a peer that died silently does not.
	dead := time.AfterFunc(silence, cancel)
	defer dead.Stop()
	res, err := c.open(ctx, http.MethodGet, "/v1/events", q, nil)
	if err != nil {
		return err
	}
	defer func() { _ = res.Body.Close() }()
	st.connected = true
	err = readEvents(res.Body, func() { dead.Reset(silence) }, st.event)
	if errors.Is(err, io.EOF) || ctx.Err() != nil {
		err = fmt.Errorf("%w: the event stream ended", ErrUnreachable)
	}
	return err
}

func (st *watchState) event(name string, data []byte) error {
	st.fresh = true
	switch {
	case name == "agents" && st.w.Agents != nil:
		return deliver(st, data, st.w.Agents)
	case name == "sessions" && st.w.Sessions != nil:
		return deliver(st, data, st.w.Sessions)
	case name == "error":
		var e wire.Error
		if err := json.Unmarshal(data, &e); err != nil {
			return fmt.Errorf("the event stream holds an error that cannot be read: %w", err)
		}
		if code := fault.Code(e.Code); code.Known() {
			st.trouble(fault.New(code, "", web.Clip(faultDetail(code, e.Message), 1000)))
		} else {
			st.trouble(&StatusError{Status: e.Code, Message: web.Clip(e.Message, 1000)})
		}
	}
	return nil
}

func deliver[T any](st *watchState, data []byte, f func([]T) error) error {
	list := []T{}
	if err := json.Unmarshal(data, &list); err != nil {
		return fmt.Errorf("the event stream holds a list that cannot be read: %w", err)
	}
	st.troubled = false
	st.stopped = f(list)
	return st.stopped
}

// readEvents parses a stream of server-sent events and calls event for each that
// has data, and alive for each line. It returns the first error of event, io.EOF
// at the end of the stream, and an ErrUnreachable if r fails. An event of more than 64 MiB is an error.
func readEvents(r io.Reader, alive func(), event func(name string, data []byte) error) error {
	lines := bufio.NewScanner(r)
	lines.Buffer(make([]byte, 64<<10), maxAnswer)
	var name string
	var data []byte
	for lines.Scan() {
		alive()
		line := lines.Bytes()
		if len(line) == 0 {
			if data != nil {
				if err := event(name, bytes.TrimSuffix(data, []byte("\n"))); err != nil {
					return err
				}
			}
			name, data = "", nil
			continue
		}
		field, value, _ := bytes.Cut(line, []byte(":"))
		value = bytes.TrimPrefix(value, []byte(" "))
		switch string(field) {
		case "event":
			name = string(value)
		case "data":
			if len(data)+len(value) > maxAnswer {
				return bufio.ErrTooLong
			}
			data = append(append(data, value...), '\n')
		}
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("%w: the event stream broke: %w", ErrUnreachable, err)
	}
	return io.EOF
}
