package api_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"livemon/internal/api"
	"livemon/internal/api/apitest"
	"livemon/internal/fault"
	"livemon/internal/wire"
)

type event struct{ name, data string }

// events are those of a stream; closed at its end.
type events chan event

func (c events) next(t *testing.T) event {
	t.Helper()
	select {
	case e, open := <-c:
		if !open {
			t.Fatal("the stream is over")
		}
		return e
	case <-time.After(patience):
		t.Fatal("nothing came")
	}
	panic("unreachable")
}

// collect reads a stream until its end.
func collect(t *testing.T, res *http.Response) events {
	t.Helper()
	if res.StatusCode != 200 {
		t.Fatalf("%s", res.Status)
	}
	out := make(events, 10000)
	go func() {
		defer close(out)
		_ = api.ReadEvents(res.Body, func(name string, data []byte) error {
			out <- event{name, string(data)}
			return nil
		})
	}()
	return out
}

// open opens a stream until the test's end.
func open(t *testing.T, srv *httptest.Server, query, token string) events {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	r, err := http.NewRequestWithContext(ctx, "GET", srv.URL+"/v1/events?"+query, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+token)
	res, err := srv.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	out := collect(t, res)
	t.Cleanup(func() {
		cancel()
		_ = res.Body.Close()
		for range out { //nolint:revive // until it ends
		}
	})
	return out
}

// page holds agents as a reader of changes does.
type page map[api.AgentKey]wire.Agent

func (p page) take(t *testing.T, e event) {
	t.Helper()
	switch e.name {
	case "agents":
		var list []wire.Agent
		if err := json.Unmarshal([]byte(e.data), &list); err != nil {
			t.Fatal(err)
		}
		clear(p)
		for _, a := range list {
			p[api.AgentKey{Node: a.Node, Agent: a.Agent}] = a
		}
	case "agents-changed":
		var c api.AgentsChanged
		if err := json.Unmarshal([]byte(e.data), &c); err != nil || c.Changed == nil || c.Removed == nil || len(c.Changed)+len(c.Removed) == 0 {
			t.Fatalf("%v: %s", err, e.data)
		}
		for _, a := range c.Changed {
			p[api.AgentKey{Node: a.Node, Agent: a.Agent}] = a
		}
		for _, k := range c.Removed {
			if _, there := p[k]; !there {
				t.Errorf("%+v is removed, and was never there", k)
			}
			delete(p, k)
		}
	default:
		t.Fatalf("%+v", e)
	}
}

func TestChangesAreWhatHasChanged(t *testing.T) {
	fake, srv := newServer(t)
	agent := func(name string, state wire.AgentState) wire.Agent {
		return wire.Agent{Agent: name, Node: "pbx", State: state, Since: apitest.Start}
	}
	fake.SetAgents([]wire.Agent{agent("a", wire.Idle), agent("b", wire.Idle), agent("c", wire.Idle)})
	stream := open(t, srv, "changes=1", token)
	if e := stream.next(t); e.name != "agents" || strings.Count(e.data, `"agent"`) != 3 {
		t.Errorf("%+v", e)
	}
	if e := stream.next(t); e.name != "sessions" || e.data != "[]" {
		t.Errorf("%+v", e)
	}
	fake.SetAgents([]wire.Agent{agent("a", wire.Idle), agent("c", wire.OnCall), agent("d", wire.Idle)})
	e := stream.next(t)
	var got api.AgentsChanged
	if err := json.Unmarshal([]byte(e.data), &got); err != nil || e.name != "agents-changed" {
		t.Fatal(e, err)
	}
	if len(got.Changed) != 2 || got.Changed[0].Agent != "c" || got.Changed[0].State != wire.OnCall || got.Changed[0].Supervisors == nil || got.Changed[1].Agent != "d" ||
		!slices.Equal(got.Removed, []api.AgentKey{{Node: "pbx", Agent: "b"}}) {
		t.Errorf("%s", e.data)
	}
	fake.SetSession(wire.Session{ID: "s1", Agent: "c", Node: "pbx"}) // is with the agent, too
	names := []string{stream.next(t).name, stream.next(t).name}
	slices.Sort(names)
	if !slices.Equal(names, []string{"agents-changed", "sessions"}) {
		t.Errorf("%q", names)
	}
	fake.FailWith(func(string) error { return fault.New(fault.StoreUnavailable, "", "away") })
	if e := stream.next(t); e.name != "error" || !strings.Contains(e.data, "9026") {
		t.Errorf("%+v", e)
	}
	fake.FailWith(nil)
	if e := stream.next(t); e.name != "agents" || strings.Count(e.data, `"agent"`) != 3 {
		t.Errorf("after an error all is told again: %+v", e)
	}
}

// Whatever happens to agents, and to what an account may see of them, a reader of
// changes ends with what the list would show him, and never learns of an agent
// whom he may not see.
func TestChangesAddUpToTheList(t *testing.T) {
	fake := apitest.New()
	op := t.Context()
	for _, name := range []string{"sue", "lou"} {
		if _, err := fake.AddAccount(op, name, wire.AccountChange{}, false); err != nil {
			t.Fatal(err)
		}
		if _, err := fake.AddToken(op, name, "", nil); err != nil {
			t.Fatal(err)
		}
	}
	srv := httptest.NewServer(handler(fake))
	t.Cleanup(srv.Close)
	r := rand.New(rand.NewPCG(1, 2))
	pages, streams := map[string]page{}, map[string]events{}
	for who, secret := range map[string]string{"operator": token, "sue": "token-sue", "lou": "token-lou"} {
		pages[who], streams[who] = page{}, open(t, srv, "only=agents&changes=1", secret)
	}
	clients := map[string]*api.Client{"operator": api.NewClient(srv.URL, token), "sue": api.NewClient(srv.URL, "token-sue"), "lou": api.NewClient(srv.URL, "token-lou")}
	for _, c := range clients {
		defer c.Close()
	}
	states := []wire.AgentState{wire.Idle, wire.OnCall, wire.WrapUp}
	for round := range 30 {
		var list []wire.Agent
		for i := range 30 {
			if r.IntN(4) > 0 {
				list = append(list, wire.Agent{Agent: fmt.Sprint(i), Node: "pbx", State: states[r.IntN(3)], User: fmt.Sprint(r.IntN(2)), Extension: fmt.Sprint("x", r.IntN(2)), Since: apitest.Start})
			}
		}
		list = append(list, wire.Agent{Agent: "round", Node: "pbx", Queue: fmt.Sprint(round)})
		hidden := fmt.Sprint("x", r.IntN(2))
		if r.IntN(3) == 0 { // rights change as well as agents
			fake.Hide(func(a wire.Actor, x wire.Agent) bool { return a.Account == "sue" && x.Extension == hidden })
		}
		fake.SetAgents(list)
		fake.Notify()
		for who, p := range pages {
			want := page{}
			for {
				now, err := clients[who].Agents(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				clear(want)
				for _, a := range now {
					want[api.AgentKey{Node: a.Node, Agent: a.Agent}] = a
				}
				if reflect.DeepEqual(p, want) {
					break
				}
				e := streams[who].next(t)
				p.take(t, e)
			}
		}
	}
}

// Many readers cost the service no more than one.
func TestTheListIsReadOnceForAllReaders(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := apitest.New()
		h := api.NewServer(fake, api.ServerOptions{Token: token})
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		const readers = 50
		for range readers {
			r := httptest.NewRequest("GET", "/v1/events?only=agents", nil).WithContext(ctx)
			r.Header.Set("Authorization", "Bearer "+token)
			go func() {
				h.ServeHTTP(httptest.NewRecorder(), r)
				done <- struct{}{}
			}()
		}
		synctest.Wait()
		tick := time.NewTicker(time.Millisecond)
		for i := range 1000 {
			<-tick.C
			fake.SetAgents([]wire.Agent{{Agent: fmt.Sprint(i)}})
		}
		tick.Stop()
		cancel()
		for range readers {
			<-done
		}
		if n := len(fake.Calls()); n < 5 || n > 15 {
			t.Errorf("the list was read %d times in a second", n)
		}
		n := len(fake.Calls())
		fake.Notify()
		synctest.Wait()
		<-time.After(time.Minute)
		if got := len(fake.Calls()); got != n {
			t.Errorf("it is read %d times more while nobody listens", got-n)
		}
	})
}

// A reader who does not read holds up nobody, and then gets what is so, not all
// that was.
func TestASlowReaderGetsOneChangeOfMany(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := apitest.New()
		h := api.NewServer(fake, api.ServerOptions{Token: token})
		ctx, cancel := context.WithCancel(t.Context())
		slow := &stuck{ResponseRecorder: httptest.NewRecorder(), free: make(chan struct{})}
		quick := httptest.NewRecorder()
		done := make(chan struct{})
		for _, w := range []http.ResponseWriter{slow, quick} {
			r := httptest.NewRequest("GET", "/v1/events?only=agents&changes=1", nil).WithContext(ctx)
			r.Header.Set("Authorization", "Bearer "+token)
			go func() {
				h.ServeHTTP(w, r)
				done <- struct{}{}
			}()
		}
		synctest.Wait()
		tick := time.NewTicker(100 * time.Millisecond)
		for i := range 100 {
			<-tick.C
			fake.SetAgents([]wire.Agent{{Agent: "1001", Queue: fmt.Sprint(i)}})
		}
		tick.Stop()
		<-time.After(time.Second)
		synctest.Wait()
		if n := strings.Count(quick.Body.String(), "event: agents-changed"); n < 50 {
			t.Errorf("who reads at once was held up: %d changes", n)
		}
		close(slow.free)
		<-time.After(time.Second)
		cancel()
		<-done
		<-done
		got := slow.Body.String()
		if n := strings.Count(got, "event: agents-changed"); n != 1 || !strings.Contains(got, `"queue":"99"`) {
			t.Errorf("%d changes for who does not read: %s", n, got)
		}
	})
}

// stuck is a connection that takes nothing, until it is free.
type stuck struct {
	*httptest.ResponseRecorder
	free chan struct{}
}

func (s *stuck) Write(b []byte) (int, error) {
	<-s.free
	return s.ResponseRecorder.Write(b)
}

// A panic of the service ends no more than what it could not read.
func TestAPanicWhileAStreamReads(t *testing.T) {
	fake, srv := newServer(t)
	stream := open(t, srv, "only=agents&changes=1", token)
	if e := stream.next(t); e.name != "agents" {
		t.Fatalf("%+v", e)
	}
	fake.FailWith(func(string) error { panic("hunter2") })
	if e := stream.next(t); e.name != "error" || strings.Contains(e.data, "hunter2") {
		t.Errorf("%+v", e)
	}
	fake.FailWith(nil)
	if e := stream.next(t); e.name != "agents" {
		t.Errorf("%+v", e)
	}
}

// A token that comes to its end while nobody changes anything ends its streams.
func TestAStreamsReaderIsLookedAtAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ends := time.Now().Add(30 * time.Minute)
		login := func(*http.Request) (wire.Actor, error) {
			if time.Now().After(ends) {
				return wire.Actor{}, wire.ErrDenied
			}
			return wire.Actor{Account: "sue"}, nil
		}
		fake := apitest.New()
		h := api.NewServer(fake, api.ServerOptions{Accounts: fake, Login: login})
		h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/v1/events", nil))
		if over := time.Since(ends); over < 0 || over > 2*time.Minute {
			t.Errorf("it ended %v after the login", over)
		}
	})
}

// Each field of an agent, and each that an agent gets later, makes him another.
func TestEveryFieldOfAnAgentIsAChange(t *testing.T) {
	base := wire.Agent{Agent: "a", Node: "pbx", Since: apitest.Start}
	fields := reflect.TypeFor[wire.Agent]()
	for i := range fields.NumField() {
		name := fields.Field(i).Name
		changed := base
		switch v := reflect.ValueOf(&changed).Elem().Field(i).Addr().Interface().(type) {
		case *string:
			*v += "x"
		case *bool:
			*v = !*v
		case *wire.AgentState:
			*v += "x"
		case *time.Time:
			*v = v.Add(1)
		case *[]wire.Supervisor:
			*v = []wire.Supervisor{{Session: "s"}}
		default:
			t.Fatalf("%s is of a type that this test does not know", name)
		}
		if api.SameAgent(base, changed) {
			t.Errorf("%s does not count", name)
		}
	}
	if other := base; !api.SameAgent(base, other) {
		t.Error("an agent differs from himself")
	}
}

func TestWhatAStreamIsAskedFor(t *testing.T) {
	for _, q := range []string{"changes=2", "changes=true", "changes=1&changes=1", "only=agents&changes=x"} {
		fake := apitest.New()
		if w := ask(handler(fake), "GET", "/v1/events?"+q, ""); w.Code != 400 || len(fake.Calls()) > 0 {
			t.Errorf("%s: %d %q", q, w.Code, fake.Calls())
		}
	}
}
