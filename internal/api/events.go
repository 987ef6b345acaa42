package api

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"time"

	"livemon/internal/fault"
	"livemon/internal/wire"
)

// occupy takes one of the places for requests that wait.
func (s *server) occupy() (release func(), err error) {
	select {
	case s.waiting <- struct{}{}:
		return func() { <-s.waiting }, nil
	default:
		return nil, httpError{http.StatusServiceUnavailable, "too many event streams and long polls are open; try again later"}
	}
}

// whenStopping calls f once the server is about to stop, unless the function
// that it returns was called before; that one returns when nothing runs any more.
func (s *server) whenStopping(f func()) (stop func()) {
	over, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		select {
		case <-s.stopping:
			f()
		case <-over:
		}
	}()
	return func() { close(over); <-done }
}

// events streams whole lists rather than differences: whoever connects, or
// connects again, needs nothing from before. Changes that come faster than
// minInterval share one snapshot, and a list that reads as before is not sent.
func (s *server) events(w http.ResponseWriter, r *http.Request) error {
	only := r.URL.Query().Get("only")
	if only != "" && only != "agents" && only != "sessions" {
		return badRequest("only must be agents or sessions")
	}
	release, err := s.occupy()
	if err != nil {
		return err
	}
	defer release()

	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	stop := s.whenStopping(cancel)
	defer stop()

	st := &stream{s: s, w: w, only: only, sent: map[string][]byte{}}
	setDeadlines(w, time.Time{}, time.Now().Add(callTimeout+writeTimeout))
	changed, rights := s.svc.Changed(), s.rightsChanged()
	asker := ctx
	frames, err := st.frames(asker)
	if err != nil {
		return err // nothing was sent yet: the status can still say it
	}
	h := w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("X-Accel-Buffering", "no")
	frames = append([]byte("retry: 1000\n\n"), frames...)

	beat := time.NewTicker(heartbeat)
	defer beat.Stop()
	for {
		if err := st.send(frames); err != nil {
			return nil //nolint:nilerr // the reader is gone, and with it whoever could be told
		}
		pause := minInterval
		if st.failed {
			pause = retryAfter
		}
		if !rest(ctx, pause) {
			return nil
		}
		if !st.failed {
			select {
			case <-changed:
			case <-rights:
			case <-beat.C:
				frames = aliveFrame
				continue
			case <-ctx.Done():
				return nil
			}
		}
		changed = s.svc.Changed()
		select {
		case <-rights: // the token may be no good any more, or its account may do more, or less
			rights = s.rightsChanged()
			actor, err := s.auth.who(w, r)
			if err != nil && fault.Of(err) != fault.StoreUnavailable {
				return nil //nolint:nilerr // the stream ends, and whoever opens it again is told why
			}
			if err == nil {
				asker = wire.WithActor(ctx, actor)
			}
		default:
		}
		if frames, err = st.frames(asker); err != nil {
			frames = st.errorFrame(r, err)
		}
	}
}

// rightsChanged is closed at the next change of rights; nil, which never is,
// without accounts.
func (s *server) rightsChanged() <-chan struct{} {
	if s.accounts == nil {
		return nil
	}
	return s.accounts.Changed()
}

// rest waits for d and tells whether ctx still goes on.
func rest(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// aliveFrame is a comment, which readers skip.
var aliveFrame = []byte(":\n\n")

// stream is one reader of /v1/events.
type stream struct {
	s      *server
	w      http.ResponseWriter
	only   string
	sent   map[string][]byte // what the reader has, by event name
	failed bool              // the last reading of the lists failed
}

// frames reads the lists and returns the events that the reader lacks.
func (st *stream) frames(ctx context.Context) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	var out bytes.Buffer
	if st.only != "sessions" {
		list, err := st.s.svc.Agents(ctx)
		if err != nil {
			return nil, err
		}
		if err := st.add(&out, "agents", listAgents(list)); err != nil {
			return nil, err
		}
	}
	if st.only != "agents" {
		list, err := st.s.svc.Sessions(ctx)
		if err != nil {
			return nil, err
		}
		if err := st.add(&out, "sessions", orEmpty(list)); err != nil {
			return nil, err
		}
	}
	st.failed = false
	return out.Bytes(), nil
}

// errorFrame tells the reader, once, why there is nothing new; the lists follow
// whole when they can be read again.
func (st *stream) errorFrame(r *http.Request, err error) []byte {
	if st.failed {
		return aliveFrame
	}
	st.failed = true
	clear(st.sent)
	st.s.log.Warn("event stream has nothing to send", "path", r.URL.Path, "error", err)
	_, body := describe(err)
	var out bytes.Buffer
	if err := st.add(&out, "error", body); err != nil {
		return aliveFrame
	}
	clear(st.sent)
	return out.Bytes()
}

func (st *stream) add(out *bytes.Buffer, event string, v any) error {
	data, err := json.Marshal(v) // holds no line break
	if err != nil {
		return err
	}
	if bytes.Equal(st.sent[event], data) {
		return nil
	}
	st.sent[event] = data
	out.WriteString("event: " + event + "\ndata: ")
	out.Write(data)
	out.WriteString("\n\n")
	return nil
}

func (st *stream) send(frames []byte) error {
	if len(frames) == 0 {
		return nil
	}
	c := http.NewResponseController(st.w)
	_ = c.SetWriteDeadline(time.Now().Add(writeTimeout))
	if _, err := st.w.Write(frames); err != nil {
		return err
	}
	return c.Flush()
}
