package browsertest

import (
	"strings"
	"testing"

	"livemon/internal/api/apitest"
	"livemon/internal/wire"
)

// hostile are names and numbers that would be something else if a page took
// them for more than text.
var hostile = []string{
	`<img src=x onerror="window.taken=1">`,
	`<svg/onload=window.taken=2>`,
	`</script><script>window.taken=3</script>`,
	`"><a href="javascript:window.taken=4" autofocus onfocus="window.taken=5">x</a>`,
	`' onmouseover='window.taken=6`,
	`javascript:window.taken=7`,
	`{{constructor.constructor('window.taken=8')()}}`,
	"\u202egnp.1001\u202c moc.elpmaxe@", // turns what follows around
	"\u2066\u2067isolates that nobody ends",
	"<!--", "&lt;b&gt;&amp;", "`${window.taken=9}`", "</template></title></textarea>",
	"=HYPERLINK(\"http://example.invalid\")", "__proto__", "constructor", "toString", "#main", "a\tb\nc",
	strings.Repeat("W", 256), strings.Repeat("\U0001f469\u200d", 60), "e" + strings.Repeat("\u0301", 100),
}

// Whatever agents, callers, queues and supervisors are called is only ever text.
func TestHostileNames(t *testing.T) {
	t.Parallel()
	fake := newFake()
	var agents []wire.Agent
	for i, name := range hostile {
		agents = append(agents, wire.Agent{Agent: name, Extension: name, State: wire.OnCall, Since: apitest.Start, Node: name, Call: "call", User: name, Direction: name, Queue: name,
			Supervisors: []wire.Supervisor{{Session: name, Supervisor: name, Role: wire.Coach}}})
		if i%2 == 0 {
			agents[i].State = wire.AgentState(name)
		}
	}
	fake.SetAgents(agents)
	ended := apitest.Start
	fake.SetSession(wire.Session{ID: "s1", Supervisor: hostile[0], Phone: hostile[1], Agent: hostile[2], Status: wire.Listening, Role: wire.Monitor, Desired: wire.Monitor, Account: "lead", Coaching: true, Follow: wire.FollowCall, Since: apitest.Start, Node: hostile[3], Call: "call", User: hostile[7]})
	fake.SetSession(wire.Session{ID: "s2", Supervisor: hostile[3], Phone: hostile[0], Agent: hostile[6], Status: wire.Ended, Ended: &ended, Reason: hostile[2], Role: wire.Monitor, Account: "lead", Since: apitest.Start})
	h := buildAround(t, fake)
	h.account("lead", nil)
	b := h.login("lead")
	b.openPanel()
	b.await("every agent is there", `document.querySelectorAll("tbody tr").length >= `+quoteInt(len(hostile)))
	for _, name := range []string{hostile[0], hostile[2], hostile[6], hostile[10], hostile[11], hostile[13]} {
		b.await("the page shows "+name, "document.body.textContent.includes("+quote(name)+")")
	}
	// A name that turns the writing around turns nothing outside of itself.
	b.await("names stand for themselves", `[...document.querySelectorAll("tbody tr th bdi")].every((e) => ["isolate", "isolate-override", "plaintext"].includes(getComputedStyle(e).unicodeBidi))`)
	if wrong := inspect[[]string](b, "layout()"); len(wrong) > 0 {
		t.Errorf("names make the page too wide: %s", strings.Join(wrong, "; "))
	}
	b.size(360, 740)
	if wrong := inspect[[]string](b, "layout()"); len(wrong) > 0 {
		t.Errorf("names make the narrow page too wide: %s", strings.Join(wrong, "; "))
	}
	b.size(1280, 800)
	for _, m := range b.nameless() {
		t.Error(m)
	}
	b.tabTo("checkbox", ".*onerror.*")
	b.keys(" ")
	b.use("button", "live monitoring")
	b.find("dialog", "live monitoring")
	for _, s := range sizes {
		b.size(s[0], s[1])
		b.fits("hostile names in the dialog")
	}
	b.size(1280, 800)
	for _, path := range []string{"/monitoring", "/sessions", "/audit", "/login?next=" + `javascript:window.taken=1`, `/sessions?agent="><script>window.taken=1</script>`, `/audit?session=<img src=x onerror=window.taken=1>`, `/<script>window.taken=1</script>`} {
		if strings.HasPrefix(path, "/<") {
			b.expect("404 (Not Found)")
		}
		b.await("nothing of it ran at "+path, `window.taken === undefined && document.querySelectorAll("img, script:not([src]), iframe, [onerror], [onload], [onfocus], [onmouseover], a[href^='javascript' i]").length === 0`)
		b.visit(path)
	}
	b.await("nothing of it ran", `window.taken === undefined && !document.querySelector("img, script:not([src])")`)
}
