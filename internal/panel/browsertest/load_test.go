package browsertest

import (
	"fmt"
	"testing"
	"time"

	"github.com/chromedp/cdproto/heapprofiler"
	"github.com/chromedp/cdproto/performance"

	"livemon/internal/wire"
)

// meter counts frames, and measures the gaps between them and the tasks that
// held the page up, by the page's own clock.
const meter = `(() => {
	const m = window.meter = {frames: 0, gaps: [], long: [], began: performance.now(), last: performance.now(), on: true};
	new PerformanceObserver((l) => { for (const e of l.getEntries()) m.long.push(e.duration); }).observe({type: "longtask"});
	const step = (now) => { m.frames++; m.gaps.push(now - m.last); m.last = now; if (m.on) requestAnimationFrame(step); };
	requestAnimationFrame(step);
	return true;
})()`

const readMeter = `(() => {
	const m = window.meter, sorted = (a) => a.slice().sort((x, y) => x - y), g = sorted(m.gaps), l = sorted(m.long);
	m.on = false;
	return {seconds: (performance.now() - m.began) / 1000, frames: m.frames, median: g[g.length >> 1] || 0, p95: g[Math.floor(g.length * 0.95)] || 0, longest: g.at(-1) || 0,
		longTasks: l.length, longestTask: l.at(-1) || 0, blocked: l.reduce((a, b) => a + b, 0)};
})()`

type measured struct {
	Seconds, Median, P95, Longest, LongestTask, Blocked float64
	Frames, LongTasks                                   int
}

// Two thousand agents that change ten times a second: the page ends with what
// the service says, goes on answering the keyboard, and its memory does not grow.
func TestTwoThousandAgents(t *testing.T) {
	if testing.Short() {
		t.Skip("takes ten seconds")
	}
	const agents, each, rounds = 2000, 100, 50
	fake := newFake()
	list := crowd(agents)
	fake.SetAgents(list)
	h := buildAround(t, fake)
	h.account("lead", nil)
	b := h.login("lead")
	began := time.Now()
	b.openPanel()
	b.await("all agents are there", fmt.Sprintf(`document.querySelectorAll("#rows tr").length === %d`, agents))
	t.Logf("%d agents are on the page %.1f s after it was opened", agents, time.Since(began).Seconds())

	next := func(round int) {
		list = append([]wire.Agent(nil), list...)
		for i := range each {
			a := &list[(round*each*7+i*17)%agents]
			a.Since = time.Now()
			if a.State == wire.OnCall {
				a.State, a.Call, a.User, a.Direction, a.Queue = wire.WrapUp, "", "", "", ""
			} else {
				a.State, a.Call, a.User, a.Direction, a.Queue = wire.OnCall, fmt.Sprintf("call-%d-%d", round, i), fmt.Sprintf("+1666%03d%04d", round, i), "outbound", "sales"
			}
		}
		list[0].User, list[0].State, list[0].Call = fmt.Sprintf("round-%d", round), wire.OnCall, "marked"
		fake.SetAgents(list)
	}
	run := func(from, to int) {
		tick := time.NewTicker(100 * time.Millisecond)
		defer tick.Stop()
		for round := from; round < to; round++ {
			next(round)
			<-tick.C
		}
		b.await("the last change is on the page", fmt.Sprintf(`document.querySelector("#rows").textContent.includes("round-%d")`, to-1))
	}
	memory := func() (heap, nodes float64) {
		call(b, heapprofiler.CollectGarbage, struct{}{})
		for _, m := range call(b, performance.GetMetrics, struct{}{}).Metrics {
			switch m.Name {
			case "JSHeapUsedSize":
				heap = m.Value
			case "Nodes":
				nodes = m.Value
			}
		}
		return heap, nodes
	}
	call(b, performance.Enable, performance.EnableParams{})
	run(0, 10)
	heap, nodes := memory()
	eval[bool](b, meter)
	done := make(chan struct{})
	go func() {
		defer close(done)
		tick := time.NewTicker(100 * time.Millisecond)
		defer tick.Stop()
		for round := 10; round < 10+rounds; round++ {
			next(round)
			<-tick.C
		}
	}()
	// Meanwhile somebody looks for an agent.
	b.fill("filter", "agent-0007")
	b.await("the filter is followed", `[...document.querySelectorAll("#rows tr")].filter((r) => r.checkVisibility()).length === 1`)
	b.fill("filter", "x")
	b.keys("\b")
	<-done
	b.await("the last change is on the page", fmt.Sprintf(`document.querySelector("#rows").textContent.includes("round-%d")`, 10+rounds-1))
	m := eval[measured](b, readMeter)
	heapAfter, nodesAfter := memory()
	t.Logf("%d changes in %.1f s: %d frames, gaps: median %.0f ms, 95 %% below %.0f ms, longest %.0f ms; %d long tasks, longest %.0f ms, %.0f %% of the time; heap %.1f MB, then %.1f MB; %.0f nodes, then %.0f",
		each*rounds, m.Seconds, m.Frames, m.Median, m.P95, m.Longest, m.LongTasks, m.LongestTask, m.Blocked/m.Seconds/10, heap/1e6, heapAfter/1e6, nodes, nodesAfter)
	if heapAfter > 2*heap+8e6 || nodesAfter > 1.2*nodes+1000 {
		t.Errorf("memory grows: %.1f MB and %.0f nodes, then %.1f MB and %.0f nodes", heap/1e6, nodes, heapAfter/1e6, nodesAfter)
	}
	if float64(m.Frames) < m.Seconds {
		t.Errorf("the page stands still: %d frames in %.1f s", m.Frames, m.Seconds)
	}

	// What the page shows is what the service says, of every agent.
	want := map[string]string{}
	for _, a := range list {
		want[a.Agent] = a.User
	}
	shown := eval[map[string]string](b, `Object.fromEntries([...document.querySelectorAll("#rows tr")].map((r) => [r.querySelector("th bdi").textContent, r.querySelector(".c-user bdi").textContent]))`)
	if len(shown) != len(want) {
		t.Errorf("%d agents are shown", len(shown))
	}
	for name, user := range want {
		if got := shown[name]; got != user && (user != "" || got != "–" && got != "") {
			t.Errorf("%s talks to %q, and is shown with %q", name, user, got)
		}
	}
}
