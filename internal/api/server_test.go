package api_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"livemon/internal/api"
	"livemon/internal/api/apitest"
	"livemon/internal/fault"
	"livemon/internal/wire"
)

const token = "0123456789abcdef"

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// newServer serves a Fake over real HTTP.
func newServer(t *testing.T) (*apitest.Fake, *httptest.Server) {
	t.Helper()
	fake := apitest.New()
	srv := httptest.NewServer(handler(fake))
	t.Cleanup(srv.Close)
	return fake, srv
}

// ask sends one request to a handler without a network.
func ask(h http.Handler, method, target, body string, header ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	r.Header.Set("Authorization", "Bearer "+token)
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
		if header[i+1] == "" {
			r.Header.Del(header[i])
		}
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func handler(fake *apitest.Fake) http.Handler {
	return api.NewServer(fake, api.ServerOptions{Token: token, Accounts: fake, Version: "1.2.3"})
}

func errorOf(t *testing.T, w *httptest.ResponseRecorder) wire.Error {
	t.Helper()
	var e wire.Error
	if err := json.Unmarshal(w.Body.Bytes(), &e); err != nil || e.Message == "" || e.Code == 0 {
		t.Fatalf("status %d with a body that is no error: %q", w.Code, w.Body)
	}
	return e
}

func TestOnlyTheTokenOpensTheDoor(t *testing.T) {
	for name, header := range map[string][]string{
		"none":         {"Authorization", ""},
		"wrong":        {"Authorization", "Bearer 0123456789abcdee"},
		"empty":        {"Authorization", "Bearer "},
		"longer":       {"Authorization", "Bearer " + token + "0"},
		"other scheme": {"Authorization", "Basic " + token},
		"no scheme":    {"Authorization", token},
	} {
		for _, route := range append(api.RouteTable(), "GET /", "GET /v1/nothing", "PUT /v1/agents") {
			method, path, _ := strings.Cut(route, " ")
			if path == "/healthz" {
				continue
			}
			fake := apitest.New()
			w := ask(handler(fake), method, path, "", header...)
			if w.Code != http.StatusUnauthorized || w.Header().Get("WWW-Authenticate") == "" || errorOf(t, w).Code != 401 {
				t.Errorf("%s with %s token: %d %s", route, name, w.Code, w.Body)
			}
			if strings.Contains(w.Body.String(), token) {
				t.Errorf("%s: the answer holds the token", route)
			}
			if len(fake.Calls()) > 0 {
				t.Errorf("%s with %s token reached the service: %v", route, name, fake.Calls())
			}
		}
	}
	w := ask(handler(apitest.New()), "GET", "/healthz", "", "Authorization", "")
	if w.Code != http.StatusOK {
		t.Errorf("/healthz without a token: %d", w.Code)
	}
	if w := ask(handler(apitest.New()), "GET", "/v1/agents", "", "Authorization", "bearer "+token); w.Code != http.StatusOK {
		t.Errorf("a scheme in small letters is the same scheme, but: %d", w.Code)
	}
}

func TestAServerWithoutATokenIsClosed(t *testing.T) {
	h := api.NewServer(apitest.New(), api.ServerOptions{})
	for _, auth := range []string{"", "Bearer ", "Bearer"} {
		if w := ask(h, "GET", "/v1/agents", "", "Authorization", auth); w.Code != http.StatusUnauthorized {
			t.Errorf("%q: %d", auth, w.Code)
		}
	}
}

func TestTwoAuthorizationHeadersAreRefused(t *testing.T) {
	r := httptest.NewRequest("GET", "/v1/agents", nil)
	r.Header["Authorization"] = []string{"Bearer wrong", "Bearer " + token}
	w := httptest.NewRecorder()
	handler(apitest.New()).ServeHTTP(w, r)
	if w.Code != http.StatusUnauthorized {
		t.Errorf("%d", w.Code)
	}
}

func TestForeignWebPagesAreRefusedEvenWithTheToken(t *testing.T) {
	for _, c := range []struct {
		name, value string
		want        int
	}{
		{"Origin", "http://evil.example", 403},
		{"Origin", "http://example.com:8090", 403},
		{"Origin", "null", 403},
		{"Origin", "file://example.com", 403},
		{"Origin", "%zz", 403},
		{"Sec-Fetch-Site", "cross-site", 403},
		{"Sec-Fetch-Site", "same-origin", 200},
		{"Origin", "http://example.com", 200}, // what httptest calls the host
	} {
		fake := apitest.New()
		w := ask(handler(fake), "GET", "/v1/agents", "", c.name, c.value)
		if w.Code != c.want {
			t.Errorf("%s: %s is answered %d, want %d", c.name, c.value, w.Code, c.want)
		}
		if c.want == 403 && len(fake.Calls()) > 0 {
			t.Errorf("%s: %s reached the service", c.name, c.value)
		}
	}
}

func TestBadInputChangesNothingAndSaysWhy(t *testing.T) {
	long := func(n int) string { return strings.Repeat("a", n) }
	for _, c := range []struct {
		name, method, target, body, want string
		status                           int
		header                           []string
	}{
		{name: "no body", method: "POST", target: "/v1/sessions", want: "JSON", status: 415},
		{name: "a form", method: "POST", target: "/v1/sessions", body: "agent=1001", header: []string{"Content-Type", "application/x-www-form-urlencoded"}, want: "JSON", status: 415},
		{name: "plain text", method: "POST", target: "/v1/sessions", body: `{"agent":"1001","phone":"1"}`, header: []string{"Content-Type", "text/plain"}, want: "JSON", status: 415},
		{name: "not JSON", method: "POST", target: "/v1/sessions", body: `{"agent":`, want: "JSON"},
		{name: "a list", method: "POST", target: "/v1/sessions", body: `[]`, want: "object"},
		{name: "null", method: "POST", target: "/v1/sessions", body: `null`, want: "object"},
		{name: "null field", method: "POST", target: "/v1/sessions", body: `{"agent":null}`, want: "null"},
		{name: "two objects", method: "POST", target: "/v1/sessions", body: `{"agent":"1001","phone":"1"}{}`, want: "after"},
		{name: "unknown field", method: "POST", target: "/v1/sessions", body: `{"agent":"1001","phone":"1","role":"barge"}`, want: "unknown field"},
		{name: "field in capitals", method: "POST", target: "/v1/sessions", body: `{"Agent":"1001","phone":"1"}`, want: "unknown field"},
		{name: "field twice", method: "POST", target: "/v1/sessions", body: `{"agent":"1001","agent":"1003","phone":"1"}`, want: "more than once"},
		{name: "wrong type", method: "POST", target: "/v1/sessions", body: `{"agent":"1001","phone":"1","coaching":"yes"}`, want: "coaching must be a boolean"},
		{name: "invalid UTF-8", method: "POST", target: "/v1/sessions", body: "{\"agent\":\"\xff\",\"phone\":\"1\"}", want: "UTF-8"},
		{name: "agent missing", method: "POST", target: "/v1/sessions", body: `{"phone":"1"}`, want: "agent is missing"},
		{name: "agent too long", method: "POST", target: "/v1/sessions", body: `{"agent":"` + long(257) + `","phone":"1"}`, want: "256"},
		{name: "agent with line break", method: "POST", target: "/v1/sessions", body: `{"agent":"1001\nhangup","phone":"1"}`, want: "control"},
		{name: "agent with NUL", method: "POST", target: "/v1/sessions", body: `{"agent":"1001\u0000","phone":"1"}`, want: "control"},
		{name: "agent with C1 control", method: "POST", target: "/v1/sessions", body: `{"agent":"1001\u009b","phone":"1"}`, want: "control"},
		{name: "agent with line separator", method: "POST", target: "/v1/sessions", body: `{"agent":"1001\u2028","phone":"1"}`, want: "control"},
		{name: "phone missing", method: "POST", target: "/v1/sessions", body: `{"agent":"1001"}`, want: "phone is missing"},
		{name: "phone too long", method: "POST", target: "/v1/sessions", body: `{"agent":"1001","phone":"` + long(65) + `"}`, want: "64"},
		{name: "phone with comma", method: "POST", target: "/v1/sessions", body: `{"agent":"1001","phone":"1002,user/1003"}`, want: "phone may hold"},
		{name: "phone with braces", method: "POST", target: "/v1/sessions", body: `{"agent":"1001","phone":"{a=b}1002"}`, want: "phone may hold"},
		{name: "phone with variable", method: "POST", target: "/v1/sessions", body: `{"agent":"1001","phone":"${system(reboot)}"}`, want: "phone may hold"},
		{name: "phone with space", method: "POST", target: "/v1/sessions", body: `{"agent":"1001","phone":"1002 &park"}`, want: "phone may hold"},
		{name: "phone not ASCII", method: "POST", target: "/v1/sessions", body: `{"agent":"1001","phone":"١٢٣"}`, want: "phone may hold"},
		{name: "supervisor with escape", method: "POST", target: "/v1/sessions", body: `{"agent":"1001","phone":"1","supervisor":"\u001b[2J"}`, want: "supervisor"},
		{name: "node with bell", method: "POST", target: "/v1/sessions", body: `{"agent":"1001","phone":"1","node":"\u0007"}`, want: "node"},
		{name: "too large", method: "POST", target: "/v1/sessions", body: `{"agent":"` + long(65<<10) + `"}`, want: "64 KiB", status: 413},
		{name: "unknown parameter", method: "GET", target: "/v1/audit?agnet=1001", want: "agnet"},
		{name: "parameter twice", method: "GET", target: "/v1/audit?agent=1&agent=2", want: "more than once"},
		{name: "broken query", method: "GET", target: "/v1/audit?agent=%zz", want: "query"},
		{name: "query with semicolon", method: "GET", target: "/v1/audit?agent=1;limit=2", want: "query"},
		{name: "audit time", method: "GET", target: "/v1/audit?since=yesterday", want: "since"},
		{name: "audit limit", method: "GET", target: "/v1/audit?limit=1001", want: "limit"},
		{name: "audit limit 0", method: "GET", target: "/v1/audit?limit=0", want: "limit"},
		{name: "audit session", method: "GET", target: "/v1/audit?session=a/b", want: "session"},
		{name: "audit place", method: "GET", target: "/v1/audit?after=*", want: "after"},
		{name: "audit agent", method: "GET", target: "/v1/audit?agent=a%0ab", want: "agent"},
		{name: "session id", method: "GET", target: "/v1/sessions/a%2Fb", want: "session may hold"},
		{name: "session id too long", method: "DELETE", target: "/v1/sessions/" + long(129), want: "128"},
		{name: "wait", method: "GET", target: "/v1/sessions/s1?wait=61&status=ringing&role=joining", want: "wait"},
		{name: "wait without status", method: "GET", target: "/v1/sessions/s1?wait=1&role=joining", want: "status"},
		{name: "wait without role", method: "GET", target: "/v1/sessions/s1?wait=1&status=ringing", want: "role"},
		{name: "status without wait", method: "GET", target: "/v1/sessions/s1?status=ringing", want: "wait"},
		{name: "role", method: "POST", target: "/v1/sessions/s1/role", body: `{"role":"takeover"}`, want: "role must be"},
		{name: "role missing", method: "POST", target: "/v1/sessions/s1/role", body: `{}`, want: "role must be"},
		{name: "follow", method: "PUT", target: "/v1/sessions/s1/follow", body: `{"follow":"him"}`, want: "follow must be"},
		{name: "follow missing", method: "PUT", target: "/v1/sessions/s1/follow", body: `{}`, want: "follow must be"},
		{name: "follow of a session", method: "PUT", target: "/v1/sessions/a%2Fb/follow", body: `{"follow":"next"}`, want: "session may hold"},
		{name: "request's follow", method: "POST", target: "/v1/sessions", body: `{"agent":"1001","phone":"1","follow":"Agent"}`, want: "follow must be"},
		{name: "takeover with a body", method: "POST", target: "/v1/sessions/s1/takeover", body: `{"role":"barge"}`, want: "no body"},
		{name: "stop with a body", method: "DELETE", target: "/v1/sessions/s1", body: `x`, want: "no body"},
		{name: "number", method: "POST", target: "/v1/extensions", body: `{"number":"1|2"}`, want: "number may hold"},
		{name: "number missing", method: "POST", target: "/v1/extensions", body: `{}`, want: "number is missing"},
		{name: "extension's time", method: "POST", target: "/v1/extensions", body: `{"number":"1","added":"2026-01-01T00:00:00Z"}`, want: "unknown field"},
		{name: "number removed", method: "DELETE", target: "/v1/extensions/1%2C2", want: "number may hold"},
		{name: "which list", method: "GET", target: "/v1/events?only=calls", want: "only"},
	} {
		t.Run(c.name, func(t *testing.T) {
			fake := apitest.New()
			w := ask(handler(fake), c.method, c.target, c.body, c.header...)
			if c.status == 0 {
				c.status = 400
			}
			e := errorOf(t, w)
			if w.Code != c.status || e.Code != c.status || !strings.Contains(e.Message, c.want) {
				t.Errorf("%d %q, want %d with %q", w.Code, e.Message, c.status, c.want)
			}
			if len(fake.Calls()) > 0 {
				t.Errorf("it reached the service: %v", fake.Calls())
			}
			if strings.ContainsAny(e.Message, "\x00\x1b\n\r\u009b") {
				t.Errorf("the message holds control characters: %q", e.Message)
			}
		})
	}
}

func TestGoodInputReachesTheServiceAsItIs(t *testing.T) {
	for _, c := range []struct {
		method, target, body, want string
		status                     int
	}{
		{"POST", "/v1/sessions", `{"agent":"<b>Zoë</b> \"x\"","phone":"+49*12#3","coaching":true}`, `StartSession <b>Zoë</b> "x" +49*12#3`, 404},
		{"POST", "/v1/sessions/s%3A1/role", `{"role":"coach"}`, "ChangeRole s:1 coach", 404},
		{"POST", "/v1/sessions", `{"agent":"nobody","phone":"1","follow":"next"}`, `StartSession nobody 1 next`, 404},
		{"PUT", "/v1/sessions/s1/follow", `{"follow":"agent"}`, "SetFollow s1 agent", 404},
		{"POST", "/v1/sessions/s1/takeover", "", "TakeOver s1", 404},
		{"POST", "/v1/sessions/s1/takeover", " {} ", "TakeOver s1", 404},
		{"DELETE", "/v1/sessions/s1", "", "StopSession s1", 404},
		{"GET", "/v1/sessions/s1", "", "Session s1", 404},
		{"GET", "/v1/sessions/s1?wait=1&status=ringing&role=joining", "", "AwaitSession s1 ringing joining", 404},
		{"DELETE", "/v1/extensions/%2349%2A1@example.com", "", "RemoveExtension #49*1@example.com", 404},
		{"GET", "/v1/audit?session=s1&agent=A%20B&since=2026-03-01T10:00:00%2B01:00&after=5-1&limit=7", "", "Audit s1 A B 2026-03-01T10:00:00+01:00 5-1 7", 200},
	} {
		fake := apitest.New()
		w := ask(handler(fake), c.method, c.target, c.body)
		if calls := fake.Calls(); w.Code != c.status || len(calls) != 1 || calls[0] != c.want {
			t.Errorf("%s %s: %d, calls %q, want %d %q", c.method, c.target, w.Code, calls, c.status, c.want)
		}
	}
}

func TestListsAreNeverNull(t *testing.T) {
	fake := apitest.New()
	fake.SetAgents(nil)
	fake.SetFindings(nil)
	h := handler(fake)
	for _, path := range []string{"agents", "sessions", "audit", "extensions", "doctor"} {
		if w := ask(h, "GET", "/v1/"+path, ""); w.Code != 200 || strings.TrimSpace(w.Body.String()) != "[]" {
			t.Errorf("%s: %d %s", path, w.Code, w.Body)
		}
	}
	fake.SetAgents([]wire.Agent{{Agent: "1001"}})
	if w := ask(h, "GET", "/v1/agents", ""); !strings.Contains(w.Body.String(), `"supervisors":[]`) {
		t.Errorf("an agent without supervisors: %s", w.Body)
	}
}

func TestCodesKeepTheirNumberSentenceAndDetail(t *testing.T) {
	want := map[fault.Code]int{
		fault.RoomNotCreated: 502, fault.PupilInConference: 409, fault.PupilGone: 409, fault.UserGone: 409, fault.NotAdded: 409,
		fault.NotAllowed: 403, fault.SpeakerBusy: 409, fault.SwitchTimeout: 504, fault.PhoneNoAnswer: 409,
		fault.RoleNotAllowed: 403, fault.StoreUnavailable: 503,
	}
	for _, code := range fault.All() {
		fake := apitest.New()
		cause := errors.New("dial redis://:hunter2@10.0.0.1: refused")
		fake.FailWith(func(string) error {
			return &fault.Error{Code: code, Op: "inner operation", Detail: "1001\r\nis \x1b[31mred", Err: cause}
		})
		w := ask(handler(fake), "GET", "/v1/agents", "")
		e := errorOf(t, w)
		if w.Code != want[code] || e.Code != int(code) || e.Message != code.Sentence()+" (1001  is  [31mred)" {
			t.Errorf("%d: %d %+v", code, w.Code, e)
		}
		if strings.Contains(w.Body.String(), "hunter2") || strings.Contains(w.Body.String(), "inner operation") {
			t.Errorf("%d: the answer holds the cause: %s", code, w.Body)
		}
	}
}

func TestOtherFailures(t *testing.T) {
	for _, c := range []struct {
		err    error
		status int
	}{
		{errors.New("secret hunter2"), 500},
		{fault.New(9999, "", "secret hunter2"), 500},
		{context.DeadlineExceeded, 504},
		{context.Canceled, 503},
		{wire.ErrBadRequest, 400},
		{wire.ErrNotFound, 404},
	} {
		var log bytes.Buffer
		fake := apitest.New()
		fake.FailWith(func(string) error { return c.err })
		h := api.NewServer(fake, api.ServerOptions{Token: token, Logger: slog.New(slog.NewTextHandler(&log, nil))})
		w := ask(h, "GET", "/v1/nodes", "")
		e := errorOf(t, w)
		if w.Code != c.status || e.Code != c.status || strings.Contains(e.Message, "hunter2") {
			t.Errorf("%v: %d %+v", c.err, w.Code, e)
		}
		if c.status >= 500 && !strings.Contains(log.String(), c.err.Error()) {
			t.Errorf("%v is not in the log: %s", c.err, log.String())
		}
		if c.status == 500 && !strings.Contains(e.Message, w.Header().Get("X-Request-Id")) {
			t.Errorf("%q does not name the request %s", e.Message, w.Header().Get("X-Request-Id"))
		}
	}
}

func TestAPanicEndsItsRequestOnly(t *testing.T) {
	var log bytes.Buffer
	fake := apitest.New()
	h := api.NewServer(fake, api.ServerOptions{Token: token, Logger: slog.New(slog.NewTextHandler(&log, nil))})
	fake.FailWith(func(string) error { panic("secret hunter2") })
	w := ask(h, "GET", "/v1/agents", "")
	if w.Code != 500 || strings.Contains(w.Body.String(), "hunter2") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if !strings.Contains(log.String(), "hunter2") || !strings.Contains(log.String(), "stack=") {
		t.Errorf("the log does not say what happened: %s", log.String())
	}
	if strings.Contains(log.String(), token) {
		t.Error("the log holds the token")
	}
	fake.FailWith(nil)
	if w := ask(h, "GET", "/v1/agents", ""); w.Code != 200 {
		t.Errorf("afterwards: %d", w.Code)
	}
}

func TestUnknownAddressesAndMethodsAreAnsweredInJSON(t *testing.T) {
	h := handler(apitest.New())
	if w := ask(h, "GET", "/v2/agents", ""); w.Code != 404 || errorOf(t, w).Code != 404 {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	w := ask(h, "PATCH", "/v1/sessions/s1", "")
	if w.Code != 405 || errorOf(t, w).Code != 405 || w.Header().Get("Allow") != "DELETE, GET" {
		t.Errorf("%d %s %v", w.Code, w.Body, w.Header())
	}
}

func TestStartSessionSaysWhereItIs(t *testing.T) {
	h := handler(apitest.New())
	w := ask(h, "POST", "/v1/sessions", `{"agent":"1001","phone":"1002","coaching":true,"supervisor":"Ann"}`)
	var s wire.Session
	if err := json.Unmarshal(w.Body.Bytes(), &s); err != nil || w.Code != 201 || w.Header().Get("Location") != "/v1/sessions/"+s.ID {
		t.Fatalf("%d %s %v", w.Code, w.Body, w.Header())
	}
	if s.Supervisor != "Ann" || !s.Coaching || s.Phone != "1002" {
		t.Errorf("%+v", s)
	}
	if w := ask(h, "GET", w.Header().Get("Location"), ""); w.Code != 200 {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if w.Header().Get("Cache-Control") != "no-store" || w.Header().Get("X-Content-Type-Options") != "nosniff" {
		t.Errorf("%v", w.Header())
	}
}

func TestServeStopsInspiteOfWaitingRequests(t *testing.T) {
	fake := apitest.New()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	h := api.NewServer(fake, api.ServerOptions{Token: token, Stopping: ctx.Done()})
	go func() { done <- api.Serve(ctx, ln, nil, h, slog.New(slog.DiscardHandler)) }()

	c := api.NewClient("http://"+ln.Addr().String(), token)
	defer c.Close()
	s, err := c.StartSession(t.Context(), wire.MonitorRequest{Agent: "1001", Phone: "never"})
	if err != nil {
		t.Fatal(err)
	}
	if s, err = c.AwaitSession(t.Context(), s.ID, s.Status, s.Role); err != nil || s.Status != wire.Ringing {
		t.Fatal(s, err)
	}
	polled := make(chan error, 1)
	go func() {
		_, err := c.AwaitSession(t.Context(), s.ID, wire.Ringing, wire.Joining)
		polled <- err
	}()
	watched, snapshot := make(chan error, 1), make(chan struct{}, 16)
	watchCtx, stopWatch := context.WithCancel(t.Context())
	defer stopWatch()
	go func() {
		watched <- c.Watch(watchCtx, api.Watcher{Agents: func([]wire.Agent) error { snapshot <- struct{}{}; return nil }})
	}()
	receive(t, snapshot)
	waitForCall(t, fake, "AwaitSession s1 ringing joining")
	cancel()
	if err := receive(t, done); err != nil {
		t.Errorf("Serve: %v", err)
	}
	if err := receive(t, polled); !errors.Is(err, api.ErrUnreachable) {
		t.Errorf("the long poll: %v", err)
	}
	stopWatch()
	if err := receive(t, watched); !errors.Is(err, context.Canceled) {
		t.Errorf("Watch: %v", err)
	}
}

func TestServeSaysThatTheListenerFailed(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = ln.Close()
	if err := api.Serve(t.Context(), ln, nil, http.NotFoundHandler(), slog.New(slog.DiscardHandler)); err == nil {
		t.Error("no error")
	}
}

func TestWaitingRequestsAreBounded(t *testing.T) {
	fake, srv := newServer(t)
	ctx, cancel := context.WithCancel(t.Context())
	s, err := api.NewClient(srv.URL, token).StartSession(ctx, wire.MonitorRequest{Agent: "1001", Phone: "never"})
	if err != nil {
		t.Fatal(err)
	}
	s.Status = wire.Ringing
	fake.SetSession(s)

	var bodies []io.Closer
	for range api.MaxWaiting {
		r, _ := http.NewRequestWithContext(ctx, "GET", srv.URL+"/v1/events?only=sessions", nil)
		r.Header.Set("Authorization", "Bearer "+token)
		res, err := srv.Client().Do(r)
		if err != nil || res.StatusCode != 200 {
			t.Fatal(res, err)
		}
		bodies = append(bodies, res.Body)
	}
	for _, target := range []string{"/v1/events", "/v1/sessions/" + s.ID + "?wait=1&status=ringing&role=joining"} {
		if w := do(t, srv, "GET", target); w.StatusCode != 503 {
			t.Errorf("%s: %d", target, w.StatusCode)
		}
	}
	if w := do(t, srv, "GET", "/v1/agents"); w.StatusCode != 200 {
		t.Errorf("what does not wait is answered: %d", w.StatusCode)
	}
	cancel()
	for _, b := range bodies {
		_ = b.Close()
	}
}

func do(t *testing.T, srv *httptest.Server, method, target string) *http.Response {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, srv.URL+target, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+token)
	res, err := srv.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	_, _ = io.Copy(io.Discard, res.Body)
	_ = res.Body.Close()
	return res
}

// patience is how long a test waits for something that has to happen.
const patience = time.Minute

func receive[T any](t *testing.T, c <-chan T) T {
	t.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(patience):
		t.Fatal("nothing came")
		panic("unreachable")
	}
}

// waitForCall waits until the service has been asked for something.
func waitForCall(t *testing.T, f *apitest.Fake, call string) {
	t.Helper()
	deadline := time.After(patience)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		for _, c := range f.Calls() {
			if c == call {
				return
			}
		}
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("%s was not called: %v", call, f.Calls())
		}
	}
}

func FuzzDecodeRequest(f *testing.F) {
	for _, s := range []string{
		`{"agent":"1001","phone":"1002","coaching":true}`, `{"agent":"a","agent":"b"}`, `{"AGENT":"a"}`, `{}`, `[]`, `null`, ``,
		`{"agent":{"agent":1}}`, "{\"agent\":\"\xff\"}", `{"coaching":null}`, `{"agent":"x"} {}`, `{"agent":"\ud800"}`, `{"a\u0067ent":"x"}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		var r, again wire.MonitorRequest
		if err := api.Decode(body, &r); err != nil {
			if !errors.Is(err, wire.ErrBadRequest) {
				t.Fatalf("%q: %v is no bad request", body, err)
			}
			return
		}
		// What is accepted means the same to any other reader.
		var m map[string]any
		if err := json.Unmarshal(body, &m); err != nil {
			t.Fatalf("%q is accepted, but not JSON: %v", body, err)
		}
		for name := range m {
			switch name {
			case "agent", "phone", "coaching", "supervisor", "node", "follow":
			default:
				t.Fatalf("%q: field %q is accepted", body, name)
			}
		}
		data, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		if err := api.Decode(data, &again); err != nil || !reflect.DeepEqual(r, again) {
			t.Fatalf("%+v comes back as %+v: %v", r, again, err)
		}
	})
}
