package api_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"livemon/internal/api"
	"livemon/internal/api/apitest"
	"livemon/internal/fault"
	"livemon/internal/wire"
)

func newClient(t *testing.T) (*apitest.Fake, *api.Client) {
	t.Helper()
	fake, srv := newServer(t)
	c := api.NewClient(srv.URL+"/", token)
	t.Cleanup(c.Close)
	return fake, c
}

func TestClientSeesWhatTheServiceSays(t *testing.T) {
	fake, c := newClient(t)
	ctx := t.Context()
	agents, err := c.Agents(ctx)
	want, _ := fake.Agents(ctx)
	want[0].Supervisors, want[1].Supervisors = []wire.Supervisor{}, []wire.Supervisor{}
	if err != nil || !reflect.DeepEqual(agents, want) {
		t.Errorf("agents %+v %v", agents, err)
	}
	nodes, err := c.Nodes(ctx)
	if wantNodes, _ := fake.Nodes(ctx); err != nil || !reflect.DeepEqual(nodes, wantNodes) {
		t.Errorf("nodes %+v %v", nodes, err)
	}
	s, err := c.StartSession(ctx, wire.MonitorRequest{Agent: "1001", Phone: "1002", Coaching: true, Supervisor: "Ann"})
	if err != nil || s.Status != wire.Requested || s.Supervisor != "Ann" {
		t.Fatalf("start %+v %v", s, err)
	}
	for _, want := range []wire.Status{wire.Ringing, wire.Answered, wire.Listening} {
		if s, err = c.AwaitSession(ctx, s.ID, s.Status, s.Role); err != nil || s.Status != want {
			t.Fatalf("await %+v %v, want %s", s, err, want)
		}
	}
	if s, err = c.ChangeRole(ctx, s.ID, wire.Coach); err != nil || s.Role != wire.Coach {
		t.Errorf("role %+v %v", s, err)
	}
	if s, err = c.SetFollow(ctx, s.ID, wire.FollowAgent); err != nil || s.Follow != wire.FollowAgent {
		t.Errorf("follow %+v %v", s, err)
	}
	if s, err = c.TakeOver(ctx, s.ID); err != nil || s.Role != wire.TakeOver {
		t.Errorf("takeover %+v %v", s, err)
	}
	if list, err := c.Sessions(ctx); err != nil || len(list) != 1 || !reflect.DeepEqual(list[0], s) {
		t.Errorf("sessions %+v %v", list, err)
	}
	if s, err = c.StopSession(ctx, s.ID); err != nil || s.Status != wire.Ended || s.Ended == nil {
		t.Errorf("stop %+v %v", s, err)
	}
	if again, err := c.Session(ctx, s.ID); err != nil || !reflect.DeepEqual(s, again) {
		t.Errorf("session %+v %v", again, err)
	}
	if list, err := c.Audit(ctx, wire.AuditFilter{Session: s.ID, Agent: s.Agent, Since: apitest.Start, After: "0", Limit: 5}); err != nil || len(list) != 1 {
		t.Errorf("audit %+v %v", list, err)
	}
	if e, err := c.AddExtension(ctx, wire.Extension{Number: "1002", Name: "Ann"}); err != nil || e.Added.IsZero() {
		t.Errorf("add %+v %v", e, err)
	}
	if list, err := c.Extensions(ctx); err != nil || len(list) != 1 || list[0].Name != "Ann" {
		t.Errorf("extensions %+v %v", list, err)
	}
	if err := c.RemoveExtension(ctx, "1002"); err != nil {
		t.Errorf("remove %v", err)
	}
	if list, err := c.Doctor(ctx); err != nil || len(list) != 1 {
		t.Errorf("doctor %+v %v", list, err)
	}
	if v, err := c.Version(ctx); err != nil || v != "1.2.3" {
		t.Errorf("version %q %v", v, err)
	}
	if got := fake.Calls(); !strings.Contains(strings.Join(got, "\n"), "Audit s1 1001@example.com 2026-03-01T09:30:00Z 0 5") {
		t.Errorf("the filter was not passed on: %q", got)
	}
}

func TestClientReturnsCodesAsFaults(t *testing.T) {
	fake, c := newClient(t)
	for _, code := range fault.All() {
		for _, detail := range []string{"", "1001 hung up (at 9:31)"} {
			fake.FailWith(func(string) error { return fault.New(code, "op", detail) })
			_, err := c.Agents(t.Context())
			var f *fault.Error
			if !errors.As(err, &f) || f.Code != code || f.Detail != detail {
				t.Errorf("%d %q: %#v", code, detail, err)
			}
		}
	}
	for _, want := range []error{wire.ErrNotFound, wire.ErrBadRequest} {
		fake.FailWith(func(string) error { return want })
		if _, err := c.Agents(t.Context()); !errors.Is(err, want) {
			t.Errorf("%v became %v", want, err)
		}
	}
	fake.FailWith(func(string) error { return errors.New("boom") })
	var s *api.StatusError
	if _, err := c.Agents(t.Context()); !errors.As(err, &s) || s.Status != 500 {
		t.Errorf("%v", err)
	}
}

func TestClientRefusesBadValuesItself(t *testing.T) {
	fake, c := newClient(t)
	ctx := t.Context()
	for name, call := range map[string]func() error{
		"phone":     func() error { _, err := c.StartSession(ctx, wire.MonitorRequest{Agent: "1", Phone: "a b"}); return err },
		"agent":     func() error { _, err := c.StartSession(ctx, wire.MonitorRequest{Phone: "1"}); return err },
		"role":      func() error { _, err := c.ChangeRole(ctx, "s1", "x"); return err },
		"follow":    func() error { _, err := c.SetFollow(ctx, "s1", "x"); return err },
		"follow of": func() error { _, err := c.SetFollow(ctx, "", wire.FollowNext); return err },
		"follow from": func() error {
			_, err := c.StartSession(ctx, wire.MonitorRequest{Agent: "1", Phone: "1", Follow: "x"})
			return err
		},
		"session": func() error { _, err := c.Session(ctx, "../agents"); return err },
		"await":   func() error { _, err := c.AwaitSession(ctx, "", wire.Ringing, wire.Joining); return err },
		"stop":    func() error { _, err := c.StopSession(ctx, ""); return err },
		"take":    func() error { _, err := c.TakeOver(ctx, "a b"); return err },
		"number":  func() error { return c.RemoveExtension(ctx, "") },
		"add":     func() error { _, err := c.AddExtension(ctx, wire.Extension{Number: "1\n"}); return err },
		"base":    func() error { _, err := api.NewClient("ftp://x", "").Agents(ctx); return err },
		"no base": func() error { _, err := api.NewClient("127.0.0.1:8090", "").Agents(ctx); return err },
	} {
		if err := call(); !errors.Is(err, wire.ErrBadRequest) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if len(fake.Calls()) > 0 {
		t.Errorf("%v", fake.Calls())
	}
}

func TestClientTellsWhyThereIsNoAnswer(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := ln.Addr().String()
	_ = ln.Close()
	c := api.NewClient("http://"+addr, token)
	if _, err := c.Agents(t.Context()); !errors.Is(err, api.ErrUnreachable) || !strings.Contains(err.Error(), addr) {
		t.Errorf("nothing listens: %v", err)
	}
	_, srv := newServer(t)
	if _, err := api.NewClient(srv.URL, "wrong").Agents(t.Context()); !errors.Is(err, api.ErrUnauthorized) {
		t.Errorf("wrong token: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := api.NewClient(srv.URL, token).Agents(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("given up: %v", err)
	}
}

func TestClientSendsItsTokenToNobodyElse(t *testing.T) {
	got := make(chan string, 1)
	other := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { got <- r.Header.Get("Authorization") }))
	defer other.Close()
	srv := httptest.NewServer(http.RedirectHandler(other.URL, http.StatusTemporaryRedirect))
	defer srv.Close()
	c := api.NewClient(srv.URL, token)
	defer c.Close()
	if _, err := c.Agents(t.Context()); err == nil {
		t.Error("a redirection is no answer")
	}
	select {
	case h := <-got:
		t.Errorf("the redirection was followed with %q", h)
	default:
	}
}

func TestClientSurvivesStrangeAnswers(t *testing.T) {
	for name, answer := range map[string]struct {
		status int
		body   string
	}{
		"not JSON":       {200, "<html>"},
		"wrong type":     {200, `{"agents":[]}`},
		"half":           {200, `[{"agent":`},
		"error page":     {502, "<html>bad gateway"},
		"unknown code":   {409, `{"code":9999,"message":"\u001b[2Jx"}`},
		"empty":          {500, ""},
		"odd sentence":   {409, `{"code":9013,"message":"Else."}`},
		"endless detail": {409, `{"code":9013,"message":"` + strings.Repeat("x", 10000) + `"}`},
	} {
		srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(answer.status)
			_, _ = w.Write([]byte(answer.body))
		}))
		c := api.NewClient(srv.URL, token)
		_, err := c.Agents(t.Context())
		if err == nil || len(err.Error()) > 2000 || strings.ContainsRune(err.Error(), '\x1b') {
			t.Errorf("%s: %.100q", name, err)
		}
		c.Close()
		srv.Close()
	}
}

// hurried is a context with little time left, at every moment.
type hurried struct{ context.Context }

func (hurried) Deadline() (time.Time, bool) { return time.Now().Add(time.Second), true }

func TestAwaitSessionReturnsWhatItLastReadWhenTimeIsUp(t *testing.T) {
	fake := apitest.New()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var polls atomic.Int32
	all := handler(fake)
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if polls.Add(1) == 2 {
			cancel()
		}
		all.ServeHTTP(w, r)
	}))
	t.Cleanup(srv.Close)
	c := api.NewClient(srv.URL, token)
	t.Cleanup(c.Close)
	s := wire.Session{ID: "s1", Phone: "never", Status: wire.Ringing, Role: wire.Joining}
	fake.SetSession(s)
	// The first poll takes a second, the next one is cut off.
	got, err := c.AwaitSession(hurried{ctx}, "s1", wire.Ringing, wire.Joining)
	if err != nil || got.ID != "s1" || got.Status != wire.Ringing {
		t.Errorf("%+v %v", got, err)
	}
	s.Status = wire.Ended
	fake.SetSession(s)
	if got, err := c.AwaitSession(t.Context(), "s1", wire.Ended, wire.Joining); err != nil || got.Status != wire.Ended {
		t.Errorf("a session that has ended is not waited for: %+v %v", got, err)
	}
}
