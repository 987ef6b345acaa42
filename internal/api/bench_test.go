package api_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"livemon/internal/api"
	"livemon/internal/api/apitest"
	"livemon/internal/wire"
)

// counting is a reader who counts what it is sent.
type counting struct {
	header http.Header
	bytes  atomic.Int64
	told   chan struct{}
}

func (c *counting) Header() http.Header { return c.header }
func (c *counting) WriteHeader(int)     {}
func (c *counting) Flush()              {}
func (c *counting) Write(b []byte) (int, error) {
	c.bytes.Add(int64(len(b)))
	if len(b) > 10 { // no sign of life
		c.told <- struct{}{}
	}
	return len(b), nil
}

func cpu() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkEvents has 20 accounts watch 2,000 agents, of whom some change ten
// times a second: what one such change costs all the readers together, in the
// processor's time and in bytes for each of them, when lists are sent whole and
// when changes are, and the ratio of the two.
func BenchmarkEvents(b *testing.B) {
	for _, changing := range []int{1, 20, 200, 2000} {
		b.Run(fmt.Sprintf("changing=%d", changing), func(b *testing.B) {
			whole := watched(b, "only=agents", changing)
			changes := watched(b, "only=agents&changes=1", changing)
			b.ReportMetric(0, "ns/op") // that is the pace, not the work
			b.ReportMetric(whole.cpu, "whole-cpu-ms/change")
			b.ReportMetric(changes.cpu, "changes-cpu-ms/change")
			b.ReportMetric(whole.cpu/changes.cpu, "cpu-ratio")
			b.ReportMetric(whole.bytes, "whole-bytes/reader")
			b.ReportMetric(changes.bytes, "changes-bytes/reader")
			b.ReportMetric(whole.bytes/changes.bytes, "bytes-ratio")
		})
	}
}

type cost struct{ cpu, bytes float64 }

func watched(b *testing.B, query string, changing int) cost {
	const agents, readers = 2000, 20
	fake := apitest.New()
	list := make([]wire.Agent, agents)
	for i := range list {
		list[i] = wire.Agent{Agent: fmt.Sprintf("%d@pbx.example.com", 1000+i), State: wire.Idle, Since: apitest.Start, Node: "pbx", User: "+15550100", Queue: "support"}
	}
	fake.SetAgents(list)
	h := api.NewServer(fake, api.ServerOptions{Accounts: masking{fake}, Login: func(r *http.Request) (wire.Actor, error) {
		return wire.Actor{Account: r.Header.Get("X-Name")}, nil
	}})
	ctx, cancel := context.WithCancel(b.Context())
	var running sync.WaitGroup
	var out []*counting
	for i := range readers {
		r := httptest.NewRequest("GET", "/v1/events?"+query, nil).WithContext(ctx)
		r.Header.Set("X-Name", fmt.Sprint("s", i))
		w := &counting{header: http.Header{}, told: make(chan struct{}, 1000)}
		out = append(out, w)
		running.Go(func() { h.ServeHTTP(w, r) })
	}
	for _, w := range out {
		<-w.told
		w.bytes.Store(0)
	}
	states := []wire.AgentState{wire.OnCall, wire.WrapUp}
	before := cpu()
	for i := range b.N {
		list = slices.Clone(list)
		for k := range changing {
			list[(i*changing+k)%agents].State = states[i%2]
			list[(i*changing+k)%agents].Since = apitest.Start.Add(time.Duration(i+1) * time.Second)
		}
		fake.SetAgents(list)
		for _, w := range out {
			<-w.told
		}
	}
	used := cpu() - before
	cancel()
	running.Wait()
	var total int64
	for _, w := range out {
		total += w.bytes.Load()
	}
	return cost{float64(used) / 1e6 / float64(b.N), float64(total) / float64(readers) / float64(b.N)}
}

// masking are accounts some of which do not see numbers.
type masking struct{ *apitest.Fake }

func (m masking) View(ctx context.Context) (func(wire.Agent) (wire.Agent, bool), error) {
	actor, _ := wire.ActorOf(ctx)
	mask := strings.HasSuffix(actor.Account, "1") || strings.HasSuffix(actor.Account, "3")
	return func(a wire.Agent) (wire.Agent, bool) {
		if mask {
			a.User = "*****" + a.User[len(a.User)-3:]
		}
		return a, true
	}, nil
}

// Changed is never: a Fake's own tells of its agents, too.
func (masking) Changed() <-chan struct{} { return nil }
