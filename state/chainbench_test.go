package state_test

import (
	"bytes"
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"livemon/internal/wire"
	"livemon/state"
)

// unchained adds a record once, as AppendAudit does, but to no chain.
var unchained = redis.NewScript(`
local id = redis.call('GET', KEYS[2])
if not id then
  id = redis.call('XADD', KEYS[1], '*', 'r', ARGV[1])
  redis.call('SET', KEYS[2], id, 'PX', 60000)
end
return {'OK', id}
`)

const benchRecord = `{"id":"","time":"2026-03-01T09:02:00.1Z","event":"role","session":"dfc7e7d381697c2d","supervisor":"1002","phone":"1002","agent":"anna@example.com",` +
	`"user":"+15550100","node":"east","call":"e63978ed-78b8-8111-a15b-56b7f3e67f02","room":"lm-74f9df458cdde54e","from":"monitor","to":"coach","via":"key"}`

// BenchmarkAppendAudit is a record added to the chain, in turns with one added
// to no chain: the ratio is what the chain costs.
func BenchmarkAppendAudit(b *testing.B) {
	eachBench(b, func(b *testing.B, s *state.Store, _ state.Lease) {
		ctx := context.Background()
		rec := wire.AuditRecord{Time: noon, Event: "role", Session: "dfc7e7d381697c2d", Supervisor: "1002", Phone: "1002", Agent: "anna@example.com", User: "+15550100",
			Node: "east", Call: "e63978ed-78b8-8111-a15b-56b7f3e67f02", Room: "lm-74f9df458cdde54e", From: wire.Monitor, To: wire.Coach, Via: "key"}
		var with, without time.Duration
		n := 0
		for b.Loop() {
			start := time.Now()
			value(s.AppendAudit(ctx, rec))(b)
			middle := time.Now()
			must(b, unchained.Run(ctx, s.Client(), []string{"livemon:{audit}:other", fmt.Sprint("livemon:{audit}:once:", n)}, benchRecord).Err())
			with, without = with+middle.Sub(start), without+time.Since(middle)
			n++
		}
		b.ReportMetric(float64(with.Nanoseconds())/float64(n), "ns/chained")
		b.ReportMetric(float64(without.Nanoseconds())/float64(n), "ns/unchained")
		b.ReportMetric(float64(with)/float64(without), "ratio")
	})
}

// BenchmarkAppendAuditParallel has many add at the same time in one process.
func BenchmarkAppendAuditParallel(b *testing.B) {
	eachBench(b, func(b *testing.B, s *state.Store, _ state.Lease) {
		b.RunParallel(func(p *testing.PB) {
			for p.Next() {
				value(s.AppendAudit(context.Background(), record("role")))(b)
			}
		})
		b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "records/s")
	})
}

// BenchmarkExportAudit reads 10,000 records, BenchmarkVerify checks what was read.
func BenchmarkExportAudit(b *testing.B) {
	s := open(b, all.url(b, "redis"))
	old(b, s, 10_000)
	var out bytes.Buffer
	for b.Loop() {
		out.Reset()
		must(b, s.ExportAudit(context.Background(), wire.AuditFilter{}, &out))
	}
	b.ReportMetric(float64(10_000*b.N)/b.Elapsed().Seconds(), "records/s")
}

func BenchmarkVerify(b *testing.B) {
	lines, head := chainOf(10_000)
	data := text(lines)
	b.SetBytes(int64(len(data)))
	for b.Loop() {
		if r := verify(b, data, head); !r.OK {
			b.Fatal(problems(r))
		}
	}
	b.ReportMetric(float64(10_000*b.N)/b.Elapsed().Seconds(), "records/s")
}
