package api_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"livemon/internal/api"
	"livemon/internal/api/apitest"
	"livemon/internal/fault"
	"livemon/internal/wire"
)

// watch runs Watch until the test ends and hands over what it delivers.
func watch(t *testing.T, c *api.Client) (agents chan []wire.Agent, sessions chan []wire.Session, trouble chan error) {
	t.Helper()
	agents, sessions, trouble = make(chan []wire.Agent, 1000), make(chan []wire.Session, 1000), make(chan error, 1000)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() {
		done <- c.Watch(ctx, api.Watcher{
			Agents:   func(l []wire.Agent) error { agents <- l; return nil },
			Sessions: func(l []wire.Session) error { sessions <- l; return nil },
			Trouble:  func(err error) { trouble <- err },
		})
	}()
	t.Cleanup(func() {
		cancel()
		if err := receive(t, done); !errors.Is(err, context.Canceled) {
			t.Errorf("Watch ended with %v", err)
		}
	})
	return agents, sessions, trouble
}

func TestWatchDeliversEveryLastState(t *testing.T) {
	fake, c := newClient(t)
	agents, sessions, _ := watch(t, c)
	if l := receive(t, agents); len(l) != 2 || l[0].Supervisors == nil {
		t.Errorf("%+v", l)
	}
	if l := receive(t, sessions); l == nil || len(l) != 0 {
		t.Errorf("%+v", l)
	}
	fake.SetSession(wire.Session{ID: "s1", Agent: "1001@example.com", Status: wire.Listening, Role: wire.Coach})
	if l := receive(t, sessions); len(l) != 1 || l[0].Role != wire.Coach {
		t.Errorf("%+v", l)
	}
	if l := receive(t, agents); len(l[0].Supervisors) != 1 {
		t.Errorf("%+v", l)
	}
	for i := range 500 {
		fake.SetAgents([]wire.Agent{{Agent: strconv.Itoa(i)}})
	}
	for l := receive(t, agents); l[0].Agent != "499"; l = receive(t, agents) {
	}
	select {
	case l := <-sessions:
		t.Errorf("a list that did not change was sent again: %+v", l)
	default:
	}
}

func TestWatchSurvivesTheStoresAbsence(t *testing.T) {
	fake, c := newClient(t)
	agents, _, trouble := watch(t, c)
	before := receive(t, agents)
	fake.FailWith(func(string) error { return fault.New(fault.StoreUnavailable, "", "refused") })
	if err := receive(t, trouble); fault.Of(err) != fault.StoreUnavailable {
		t.Errorf("%v", err)
	}
	fake.FailWith(nil)
	if after := receive(t, agents); len(after) != len(before) {
		t.Errorf("%+v", after)
	}
	if len(trouble) > 0 {
		t.Errorf("told again: %v", <-trouble)
	}
}

func TestWatchConnectsAgain(t *testing.T) {
	fake, srv := newServer(t)
	c := api.NewClient(srv.URL, token)
	t.Cleanup(c.Close)
	agents, _, trouble := watch(t, c)
	receive(t, agents)
	srv.CloseClientConnections()
	if err := receive(t, trouble); !errors.Is(err, api.ErrUnreachable) {
		t.Errorf("%v", err)
	}
	fake.SetAgents(nil)
	for l := receive(t, agents); len(l) != 0; l = receive(t, agents) {
	}
}

func TestWatchEndsWhereTryingAgainWouldNotHelp(t *testing.T) {
	fake, srv := newServer(t)
	ignore := func([]wire.Agent) error { return nil }
	if err := api.NewClient(srv.URL, "wrong").Watch(t.Context(), api.Watcher{Agents: ignore}); !errors.Is(err, api.ErrUnauthorized) {
		t.Errorf("wrong token: %v", err)
	}
	stop := errors.New("enough")
	c := api.NewClient(srv.URL, token)
	defer c.Close()
	if err := c.Watch(t.Context(), api.Watcher{Sessions: func([]wire.Session) error { return stop }}); !errors.Is(err, stop) {
		t.Errorf("stopped by its reader: %v", err)
	}
	fake.FailWith(func(string) error { return fault.New(fault.StoreUnavailable, "", "") })
	if err := c.Watch(t.Context(), api.Watcher{Agents: ignore}); fault.Of(err) != fault.StoreUnavailable {
		t.Errorf("nothing to begin with: %v", err)
	}
	srv.Close()
	if err := c.Watch(t.Context(), api.Watcher{Agents: ignore}); !errors.Is(err, api.ErrUnreachable) {
		t.Errorf("nobody there: %v", err)
	}
}

func TestOnlyTheListAskedForIsRead(t *testing.T) {
	fake, c := newClient(t)
	stop := errors.New("enough")
	_ = c.Watch(t.Context(), api.Watcher{Agents: func([]wire.Agent) error { return stop }})
	if calls := strings.Join(fake.Calls(), " "); calls != "Agents" {
		t.Errorf("%s", calls)
	}
}

// The pace is measured in a bubble with a clock of its own.
func TestSnapshotsAreAtMostTenASecondAndSilenceIsFilled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := apitest.New()
		h := api.NewServer(fake, api.ServerOptions{Token: token})
		ctx, cancel := context.WithCancel(t.Context())
		r := httptest.NewRequest("GET", "/v1/events?only=agents", nil).WithContext(ctx)
		r.Header.Set("Authorization", "Bearer "+token)
		w := httptest.NewRecorder()
		done := make(chan struct{})
		go func() { defer close(done); h.ServeHTTP(w, r) }()

		tick := time.NewTicker(time.Millisecond)
		for i := range 2000 {
			<-tick.C
			fake.SetAgents([]wire.Agent{{Agent: strconv.Itoa(i)}})
		}
		tick.Stop()
		<-time.After(61 * time.Second) // silence, by the bubble's clock
		cancel()
		<-done
		body := w.Body.String()
		if n := strings.Count(body, "event: agents"); n < 15 || n > 22 {
			t.Errorf("%d snapshots of 2000 changes in 2 s", n)
		}
		if !strings.Contains(body, `"agent":"1999"`) {
			t.Error("the last change is missing")
		}
		if n := strings.Count(body, "\n:\n"); n < 3 {
			t.Errorf("%d signs of life in a minute", n)
		}
		if ct := w.Header().Get("Content-Type"); ct != "text/event-stream" {
			t.Errorf("%s", ct)
		}
	})
}

func FuzzReadEvents(f *testing.F) {
	for _, s := range []string{
		"event: agents\ndata: []\n\n", ":\n\n", "data: a\ndata: b\n\n", "data\n\n", "event: x\r\ndata: y\r\n\r\n", "retry: 5\n\n", "data: half", "\x00\n\n", "id: 1\nfoo\n:c\n\n",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		err := api.ReadEvents(bytes.NewReader(in), func(name string, data []byte) error {
			if strings.ContainsAny(name, "\n") || len(data) > len(in) {
				t.Fatalf("%q gives event %q with %q", in, name, data)
			}
			return nil
		})
		if !errors.Is(err, io.EOF) {
			t.Fatalf("%q: %v", in, err)
		}
	})
}

func TestReadEvents(t *testing.T) {
	var got []string
	in := "retry: 1000\n\nevent: agents\ndata: [1,\ndata:2]\n\n:\n\ndata: plain\n\nevent: nothing\n\nevent: late\ndata: lost"
	err := api.ReadEvents(strings.NewReader(in), func(name string, data []byte) error {
		got = append(got, name+"|"+string(data))
		return nil
	})
	want := []string{"agents|[1,\n2]", "|plain"}
	if !errors.Is(err, io.EOF) || strings.Join(got, ";") != strings.Join(want, ";") {
		t.Errorf("%q %v", got, err)
	}
}
