package api

import (
	"context"
	_ "embed"
	"encoding/json"
	"net/http"
	"net/url"
	"time"

	"livemon/internal/web"
	"livemon/internal/wire"
)

// RoleRequest is the body of POST /v1/sessions/{id}/role.
type RoleRequest struct {
	Role wire.Role `json:"role"`
}

// FollowRequest is the body of PUT /v1/sessions/{id}/follow.
type FollowRequest struct {
	Follow wire.Follow `json:"follow"`
}

// ExtensionRequest is the body of POST /v1/extensions.
type ExtensionRequest struct {
	Number string `json:"number"`
	Name   string `json:"name,omitempty"`
}

// VersionInfo is the answer of GET /v1/version.
type VersionInfo struct {
	Version string `json:"version"`
}

// Health is the answer of GET /healthz. Status is always "ok": the process
// answers. Whether switch and store do is told by /v1/doctor.
type Health struct {
	Status string `json:"status"`
}

//go:embed openapi.yaml
var openAPIFile []byte

func write(w http.ResponseWriter, status int, contentType string, data []byte) {
	w.Header().Set("Content-Type", contentType)
	w.WriteHeader(status)
	_, _ = w.Write(data) // who asked may be gone
}

func writeJSON(w http.ResponseWriter, status int, v any) error {
	data, err := json.Marshal(v)
	if err != nil {
		return err
	}
	write(w, status, "application/json", append(data, '\n'))
	return nil
}

// orEmpty makes a list that is encoded as [] rather than null.
func orEmpty[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}

// listAgents copies before it changes: the service may hand out a list it keeps.
func listAgents(list []wire.Agent) []wire.Agent {
	out := make([]wire.Agent, len(list))
	copy(out, list)
	for i := range out {
		out[i].Supervisors = orEmpty(out[i].Supervisors)
	}
	return out
}

// call bounds a call of the service. The request has been read by then, so
// nothing more is expected from the connection but its end.
func call(w http.ResponseWriter, r *http.Request, limit time.Duration) (context.Context, context.CancelFunc) {
	web.Deadlines(w, time.Time{}, time.Now().Add(limit+writeTimeout))
	return context.WithTimeout(r.Context(), limit)
}

// answer calls the service and encodes what it returns.
func answer[T any](w http.ResponseWriter, r *http.Request, status int, f func(context.Context) (T, error)) error {
	ctx, cancel := call(w, r, callTimeout)
	defer cancel()
	v, err := f(ctx)
	if err != nil {
		return err
	}
	return writeJSON(w, status, v)
}

func answerList[T any](w http.ResponseWriter, r *http.Request, f func(context.Context) ([]T, error)) error {
	return answer(w, r, http.StatusOK, func(ctx context.Context) ([]T, error) {
		list, err := f(ctx)
		return orEmpty(list), err
	})
}

func (s *server) health(w http.ResponseWriter, _ *http.Request) error {
	return writeJSON(w, http.StatusOK, Health{Status: "ok"})
}

func (s *server) getVersion(w http.ResponseWriter, _ *http.Request) error {
	return writeJSON(w, http.StatusOK, VersionInfo{Version: s.version})
}

func (s *server) openAPI(w http.ResponseWriter, _ *http.Request) error {
	write(w, http.StatusOK, "application/yaml", openAPIFile)
	return nil
}

func (s *server) agents(w http.ResponseWriter, r *http.Request) error {
	return answer(w, r, http.StatusOK, func(ctx context.Context) ([]wire.Agent, error) {
		list, err := s.svc.Agents(ctx)
		return listAgents(list), err
	})
}

func (s *server) nodes(w http.ResponseWriter, r *http.Request) error {
	return answerList(w, r, s.svc.Nodes)
}

func (s *server) sessions(w http.ResponseWriter, r *http.Request) error {
	return answerList(w, r, s.svc.Sessions)
}

func (s *server) extensions(w http.ResponseWriter, r *http.Request) error {
	return answerList(w, r, s.svc.Extensions)
}

func (s *server) doctor(w http.ResponseWriter, r *http.Request) error {
	return answerList(w, r, s.svc.Doctor)
}

func (s *server) startSession(w http.ResponseWriter, r *http.Request) error {
	var req wire.MonitorRequest
	if err := decodeBody(r, &req); err != nil {
		return err
	}
	if err := checkMonitorRequest(req); err != nil {
		return err
	}
	return answer(w, r, http.StatusCreated, func(ctx context.Context) (wire.Session, error) {
		sess, err := s.svc.StartSession(ctx, req)
		if err == nil {
			w.Header().Set("Location", "/v1/sessions/"+url.PathEscape(sess.ID))
		}
		return sess, err
	})
}

// session answers at once, or with wait= once the session is no longer as the
// asker last saw it.
func (s *server) session(w http.ResponseWriter, r *http.Request) error {
	id, q := r.PathValue("id"), r.URL.Query()
	seconds, err := parseInt("wait", q.Get("wait"), 0, 0, int(maxWait/time.Second))
	if err := firstError(err, ValidateID("session", id)); err != nil {
		return err
	}
	status, role := wire.Status(q.Get("status")), wire.Role(q.Get("role"))
	if seconds == 0 {
		if q.Has("status") || q.Has("role") {
			return badRequest("status and role are taken together with wait only")
		}
		return answer(w, r, http.StatusOK, func(ctx context.Context) (wire.Session, error) {
			return s.svc.Session(ctx, id)
		})
	}
	if err := firstError(checkStatus(status), checkAnyRole(role)); err != nil {
		return err
	}
	release, err := s.occupy(r.Context())
	if err != nil {
		return err
	}
	defer release()

	web.Deadlines(w, time.Time{}, time.Now().Add(maxWait+callTimeout+writeTimeout))
	ctx, cancel := context.WithTimeout(r.Context(), time.Duration(seconds)*time.Second)
	defer cancel()
	stop := s.whenStopping(cancel)
	defer stop()
	sess, err := s.svc.AwaitSession(ctx, id, status, role)
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, sess)
}

func (s *server) changeRole(w http.ResponseWriter, r *http.Request) error {
	id := r.PathValue("id")
	var req RoleRequest
	if err := decodeBody(r, &req); err != nil {
		return err
	}
	if err := firstError(ValidateID("session", id), ValidateRole(req.Role)); err != nil {
		return err
	}
	return answer(w, r, http.StatusOK, func(ctx context.Context) (wire.Session, error) {
		return s.svc.ChangeRole(ctx, id, req.Role)
	})
}

func (s *server) setFollow(w http.ResponseWriter, r *http.Request) error {
	id := r.PathValue("id")
	var req FollowRequest
	if err := decodeBody(r, &req); err != nil {
		return err
	}
	if err := firstError(ValidateID("session", id), ValidateFollow(req.Follow)); err != nil {
		return err
	}
	return answer(w, r, http.StatusOK, func(ctx context.Context) (wire.Session, error) {
		return s.svc.SetFollow(ctx, id, req.Follow)
	})
}

func (s *server) takeOver(w http.ResponseWriter, r *http.Request) error {
	id := r.PathValue("id")
	if err := firstError(ValidateID("session", id), noBody(r)); err != nil {
		return err
	}
	return answer(w, r, http.StatusOK, func(ctx context.Context) (wire.Session, error) {
		return s.svc.TakeOver(ctx, id)
	})
}

func (s *server) stopSession(w http.ResponseWriter, r *http.Request) error {
	id := r.PathValue("id")
	if err := firstError(ValidateID("session", id), noBody(r)); err != nil {
		return err
	}
	return answer(w, r, http.StatusOK, func(ctx context.Context) (wire.Session, error) {
		return s.svc.StopSession(ctx, id)
	})
}

func (s *server) addExtension(w http.ResponseWriter, r *http.Request) error {
	var req ExtensionRequest
	if err := decodeBody(r, &req); err != nil {
		return err
	}
	if err := firstError(ValidatePhone("number", req.Number), ValidateName("name", req.Name)); err != nil {
		return err
	}
	return answer(w, r, http.StatusCreated, func(ctx context.Context) (wire.Extension, error) {
		return s.svc.AddExtension(ctx, wire.Extension{Number: req.Number, Name: req.Name})
	})
}

func (s *server) removeExtension(w http.ResponseWriter, r *http.Request) error {
	number := r.PathValue("number")
	if err := firstError(ValidatePhone("number", number), noBody(r)); err != nil {
		return err
	}
	ctx, cancel := call(w, r, callTimeout)
	defer cancel()
	if err := s.svc.RemoveExtension(ctx, number); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}
