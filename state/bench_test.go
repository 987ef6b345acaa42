package state_test

import (
	"context"
	"fmt"
	"testing"

	"livemon/internal/wire"
	"livemon/state"
)

// eachBench runs a benchmark against every kind of Redis.
func eachBench(b *testing.B, f func(b *testing.B, s *state.Store, l state.Lease)) {
	for _, name := range []string{"embedded", "redis", "cluster"} {
		b.Run(name, func(b *testing.B) {
			s := open(b, all.url(b, name))
			f(b, s, lease(b, s, "fs1", "a"))
		})
	}
}

func busyAgents(n int) []wire.Agent {
	agents := make([]wire.Agent, n)
	for i := range agents {
		agents[i] = wire.Agent{Agent: fmt.Sprintf("agent%04d@example.com", i), Extension: fmt.Sprintf("%04d@example.com", i), State: wire.OnCall, Since: noon,
			Call: fmt.Sprintf("4a6f2b1e-0000-4000-8000-%012d", i), User: "+493012345678", Direction: "inbound", Queue: "support", Supervisors: []wire.Supervisor{}}
	}
	return agents
}

// BenchmarkPutAgents stores batches of 100 changes among 2,000 agents.
func BenchmarkPutAgents(b *testing.B) {
	eachBench(b, func(b *testing.B, s *state.Store, l state.Lease) {
		ctx, agents := context.Background(), busyAgents(2000)
		must(b, s.ReplaceAgents(ctx, l, agents))
		b.ReportAllocs()
		n := 0
		for b.Loop() {
			at := n * 100 % len(agents)
			must(b, s.PutAgents(ctx, l, agents[at:at+100], nil))
			n++
		}
		b.ReportMetric(float64(100*n)/b.Elapsed().Seconds(), "agents/s")
	})
}

// BenchmarkAgents reads all of 2,000 agents.
func BenchmarkAgents(b *testing.B) {
	eachBench(b, func(b *testing.B, s *state.Store, l state.Lease) {
		ctx := context.Background()
		must(b, s.ReplaceAgents(ctx, l, busyAgents(2000)))
		b.ReportAllocs()
		for b.Loop() {
			if got := value(s.Agents(ctx, "fs1"))(b); len(got) != 2000 {
				b.Fatal(len(got))
			}
		}
	})
}

// BenchmarkChangeRole is one recorded change of role.
func BenchmarkChangeRole(b *testing.B) {
	eachBench(b, func(b *testing.B, s *state.Store, l state.Lease) {
		ctx := context.Background()
		create(b, s, l, "s1", "c1")
		to := []wire.Role{wire.Coach, wire.Barge}
		n := 0
		for b.Loop() {
			value(s.ChangeRole(ctx, l, "s1", to[n%2], wire.AuditRecord{}))(b)
			n++
		}
	})
}
