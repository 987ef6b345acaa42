package browsertest

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp/kb"

	"livemon/internal/wire"
)

// shown is an expression for the names of the agents that can be seen, in their order.
const shown = `[...document.querySelectorAll("#rows tr")].filter((r) => r.checkVisibility()).map((r) => r.querySelector("th bdi").textContent)`

func (b *tab) showsAgents(names ...string) {
	b.t.Helper()
	b.await(fmt.Sprintf("the agents are %v", names), `JSON.stringify(`+shown+`) === `+quote(`["`+strings.Join(names, `","`)+`"]`))
}

func agent(name string, state wire.AgentState, user, queue string, since time.Duration) wire.Agent {
	a := wire.Agent{Agent: name, State: state, Node: "pbx", User: user, Queue: queue, Since: time.Now().Add(-since), Supervisors: []wire.Supervisor{}}
	if user != "" {
		a.Call, a.Direction = "call-"+name, "inbound"
	}
	return a
}

// Agents are found by typing, by state and by order; what is chosen and where
// the keyboard is stays so while everything moves.
func TestFindingAgents(t *testing.T) {
	t.Parallel()
	fake := newFake()
	list := []wire.Agent{
		agent("agent-2", wire.OnCall, "5550102", "sales", 50*time.Minute),
		agent("agent-10", wire.Idle, "", "support", 10*time.Second),
		agent("agent-1", wire.OnCall, "5550101", "support", 70*time.Minute),
		agent("agent-3", wire.WrapUp, "", "sales", time.Minute),
	}
	fake.SetAgents(list)
	h := buildAround(t, fake)
	h.account("lead", nil)
	b := h.login("lead")
	b.openPanel()
	b.showsAgents("agent-1", "agent-2", "agent-3", "agent-10") // as people count
	b.await("the time counts", `/^01:1\d:\d\d$/.test(document.querySelector("#rows time").textContent)`)
	was := eval[string](b, `document.querySelector("#rows time").textContent`)
	b.await("the time goes on", `document.querySelector("#rows time").textContent !== `+quote(was))

	b.fill("filter", "SALES")
	b.showsAgents("agent-2", "agent-3")
	b.await("a screen reader is told", `document.querySelector("[role=status]#announce").textContent === "2 of 4 agents"`)
	b.fill("filter", "5550101")
	b.showsAgents("agent-1")
	b.fill("filter", "nobody is called so")
	b.showsNone()
	b.shows("No agent matches")
	b.keys("a", ctrl)
	b.keys("\b")
	b.tabTo("combobox", "state")
	b.keys("idle") // as one chooses in a drop-down
	b.showsAgents("agent-10")
	b.keys(kb.Home)
	b.showsAgents("agent-1", "agent-2", "agent-3", "agent-10")

	b.tabTo("button", "since")
	b.keys(kb.Enter)
	b.showsAgents("agent-10", "agent-3", "agent-2", "agent-1")

	b.await("the order is told", `document.querySelector("th[data-sort=since]").ariaSort === "ascending" && document.querySelectorAll("th[aria-sort]").length === 1`)
	b.keys(" ")
	b.showsAgents("agent-1", "agent-2", "agent-3", "agent-10")
	b.await("the order is told", `document.querySelector("th[data-sort=since]").ariaSort === "descending"`)
	b.tabTo("button", "talking to")
	b.keys(kb.Enter)
	b.showsAgents("agent-1", "agent-2", "agent-3", "agent-10")
	b.keys(kb.Enter)
	b.showsAgents("agent-2", "agent-1", "agent-3", "agent-10") // who talks to nobody stays below
	b.tabTo("button", "since")
	b.keys(kb.Enter)

	// Arrow keys lead through the rows, and Enter opens the dialog for the one they led to.
	b.tabTo("checkbox", "select agent-10")
	b.keys(kb.ArrowDown)
	b.has("checkbox", "select agent-3", "has the keyboard", func(n node) bool { return n.props["focused"] == "true" })
	b.keys(kb.End)
	b.has("checkbox", "select agent-1", "has the keyboard", func(n node) bool { return n.props["focused"] == "true" })
	b.keys(kb.ArrowDown + kb.ArrowUp)
	b.has("checkbox", "select agent-2", "has the keyboard", func(n node) bool { return n.props["focused"] == "true" })
	b.keys(kb.Enter)
	b.find("dialog", "live monitoring.*")
	b.await("it is for that one", `document.querySelector(".live-who").innerText.includes("agent-2")`)
	b.closeLive()
	b.has("checkbox", "select agent-2", "is marked", func(n node) bool { return n.props["checked"] == "true" })

	// The chosen one moves from the end to the beginning.
	b.choose("agent-1")
	b.await("who is chosen is told", `document.querySelector("#selected").innerText.includes("agent-1")`)
	list[2] = agent("agent-1", wire.Idle, "", "support", 0)
	fake.SetAgents(list)
	b.showsAgents("agent-1", "agent-10", "agent-3", "agent-2")
	b.has("checkbox", "select agent-1", "is still marked, and has the keyboard", func(n node) bool { return n.props["checked"] == "true" && n.props["focused"] == "true" })
	// Gone, he is no longer chosen.
	fake.SetAgents([]wire.Agent{list[0], list[1], list[3]})
	b.showsAgents("agent-10", "agent-3", "agent-2")
	b.await("nobody is chosen", `!document.querySelector("#selected").innerText.includes("agent-1")`)
	b.await("the keyboard is not lost", `document.activeElement !== document.body`)
	calls := len(fake.Calls())
	b.tabTo("button", "live monitoring")
	b.keys(kb.Enter) // says what is missing, and asks for nothing
	b.lacks("dialog", ".*")
	for _, c := range fake.Calls()[calls:] {
		if strings.HasPrefix(c, "StartSession") {
			t.Errorf("without an agent: %s", c)
		}
	}
	list[0].Since, list[1].Since, list[3].Since = time.Now().Add(-99*time.Hour), time.Now().Add(-101*time.Hour), time.Now().Add(-100*24*time.Hour)
	fake.SetAgents([]wire.Agent{list[0], list[1], list[3]})
	b.await("long times are short", `[...document.querySelectorAll("#rows time")].every((e) => /^(99:00:\d\d|4 d 05 h|100 d)$/.test(e.textContent) && e.scrollWidth <= e.parentElement.clientWidth)`)
	fake.SetAgents(nil)
	b.shows("There are no agents")
}

func (b *tab) showsNone() {
	b.t.Helper()
	b.await("no agent is shown", shown+".length === 0")
}

// Numbers are masked for who may not see them, and other teams' agents are not there.
func TestWhoSeesWhat(t *testing.T) {
	t.Parallel()
	fake := newFake()
	fake.SetAgents([]wire.Agent{agent("ours-1", wire.OnCall, "+15550123456", "sales", 0), agent("theirs-1", wire.OnCall, "+15550199999", "support", 0)})
	h := buildAround(t, fake)
	h.account("lead", func(c *wire.AccountChange) { c.Agents, c.Numbers = &[]string{"ours-*"}, ptr(false) })
	b := h.login("lead")
	b.openPanel()
	b.showsAgents("ours-1")
	html := eval[string](b, `Promise.all(["/monitoring", "/v1/agents", "/sessions", "/audit"].map((p) => fetch(p).then((r) => r.text()))).then((a) => a.join() + document.documentElement.outerHTML)`)
	for _, secret := range []string{"15550123456", "theirs-1", "15550199999"} {
		if strings.Contains(html, secret) {
			t.Errorf("%s can be found in what the page was sent", secret)
		}
	}
	if !strings.Contains(html, "456") {
		t.Error("the last digits are not shown")
	}
	b.expect("404 (Not Found)", "403 (Forbidden)")
	// An agent whom he may not see is like one who does not exist, to the letter.
	answers := eval[[]string](b, `Promise.all(["theirs-1", "nobody-1"].map((agent) => fetch("/v1/sessions", {method: "POST",
		headers: {"Content-Type": "application/json", "X-CSRF-Token": document.querySelector("meta[name=csrf]").content}, body: JSON.stringify({agent, phone: "1008"})}).then(async (r) => r.status + await r.text())))`)
	if a, b := strings.ReplaceAll(answers[0], "theirs-1", "X"), strings.ReplaceAll(answers[1], "nobody-1", "X"); a != b {
		t.Errorf("%q, and %q", a, b)
	}
}
