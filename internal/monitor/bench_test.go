package monitor

import (
	"context"
	"log/slog"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"livemon/esl"
	"livemon/fsconf"
	"livemon/internal/fsapi"
	"livemon/internal/switchsim"
	"livemon/internal/wire"
	"livemon/state"
)

// benchHouse is a simulated switch with one call that is listened to.
type benchHouse struct {
	sim   *switchsim.Switch
	svc   *Monitor
	s     wire.Session
	close func()
}

func newBenchHouse(b *testing.B) *benchHouse {
	b.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	log := slog.New(slog.DiscardHandler)
	sim, err := switchsim.Start(ctx, switchsim.Options{ConferenceXML: fsconf.ConferenceXML(fsconf.Defaults()), Logger: log})
	if err != nil {
		b.Fatal(err)
	}
	store, err := state.Open(ctx, benchRedis(b), state.Options{Logger: log})
	if err != nil {
		b.Fatal(err)
	}
	svc, err := New(Config{Nodes: []NodeConfig{{Name: "bench", Addr: sim.Addr(), Password: "ClueCon"}}, Logger: log}, store)
	if err != nil {
		b.Fatal(err)
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := svc.Run(ctx); err != nil {
			b.Error(err)
		}
	})
	h := &benchHouse{sim: sim, svc: svc, close: func() {
		cancel()
		wg.Wait()
		store.Close()
		sim.Close()
	}}
	h.until(b, func() bool { return svc.nodes[0].isReady() })
	return h
}

// benchRedis is a real redis-server where there is one, else the embedded one.
func benchRedis(b *testing.B) string {
	path, err := exec.LookPath("redis-server")
	if err != nil {
		b.Log("no redis-server here: the embedded one, which is slower, stands in")
		return state.EmbeddedURL
	}
	socket := filepath.Join(b.TempDir(), "redis.sock")
	cmd := exec.Command(path, "--port", "0", "--unixsocket", socket, "--save", "", "--appendonly", "no")
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	return "unix://" + socket
}

func (h *benchHouse) until(b *testing.B, ok func() bool) {
	b.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	if err := h.sim.Until(ctx, ok); err != nil {
		b.Fatal(err)
	}
}

// BenchmarkKey is the time from a key event that was read to the last reply of
// the switch commands that it causes, beside the bare round trips of the very
// same commands, in the same run.
func BenchmarkKey(b *testing.B) {
	h := newBenchHouse(b)
	defer h.close()
	if _, err := h.sim.CallFrom(b.Context(), "5550100", "1001"); err != nil {
		b.Fatal(err)
	}
	var err error
	h.until(b, func() bool {
		h.s, err = h.svc.StartSession(b.Context(), wire.MonitorRequest{Agent: "1001", Phone: "1002", Coaching: true})
		return err == nil
	})
	h.until(b, func() bool { h.s, _ = h.svc.Session(b.Context(), h.s.ID); return h.s.Status == wire.Listening })
	n := h.svc.nodes[0]
	roles := []struct{ data, role string }{{fsconf.DataBarge, "barge"}, {fsconf.DataMonitor, "monitor"}}
	press := func(i int) time.Duration {
		key := esl.NewEvent(map[string]string{"Event-Name": "CUSTOM", "Event-Subclass": "conference::maintenance", "Action": "dtmf",
			"Conference-Name": h.s.Room, "Unique-ID": h.s.Channel, "Data": roles[i%2].data}, "")
		began := time.Now()
		n.Event(b.Context(), key)
		for {
			changed := h.svc.Changed()
			if x, _ := n.session(h.s.ID); string(x.Role) == roles[i%2].role {
				break
			}
			<-changed
		}
		return time.Since(began)
	}
	press(0)
	press(1)
	h.sim.Reset()
	press(0)
	h.until(b, func() bool { return len(h.sim.Commands()) >= 3 })
	commands := map[bool][]string{}
	commands[true] = slices.Clone(h.sim.Commands())
	h.sim.Reset()
	press(1)
	h.until(b, func() bool { return len(h.sim.Commands()) >= 3 })
	commands[false] = slices.Clone(h.sim.Commands())

	bare := esl.NewClient(n.opts)
	defer bare.Close()
	var ours, wire2 []time.Duration
	for i := 0; b.Loop(); i++ {
		ours = append(ours, press(i))
		began := time.Now()
		for _, line := range commands[i%2 == 0] {
			if _, err := bare.API(b.Context(), fsapi.Unchecked(line[len("api "):])); err != nil {
				b.Fatal(err)
			}
		}
		wire2 = append(wire2, time.Since(began))
	}
	more, less := split2(ours)
	moreBare, lessBare := split2(wire2)
	ratio := float64(sum(ours)) / float64(sum(wire2))
	b.ReportMetric(float64(median(more).Microseconds()), "µs/more")
	b.ReportMetric(float64(median(less).Microseconds()), "µs/less")
	b.ReportMetric(float64(median(wire2).Microseconds()), "µs/bare")
	b.ReportMetric(ratio, "ratio")
	b.Logf("from a key to the last reply: %v for monitor to barge, which is recorded first, %v for barge to monitor; the same commands alone %v and %v; in all %.2f times as long (%q)",
		median(more), median(less), median(moreBare), median(lessBare), ratio, commands[true])
}

func split2(d []time.Duration) (even, odd []time.Duration) {
	for i, v := range d {
		if i%2 == 0 {
			even = append(even, v)
		} else {
			odd = append(odd, v)
		}
	}
	return even, odd
}

func sum(d []time.Duration) (total time.Duration) {
	for _, v := range d {
		total += v
	}
	return total
}

func median(d []time.Duration) time.Duration {
	d = slices.Sorted(slices.Values(d))
	return d[len(d)/2]
}
