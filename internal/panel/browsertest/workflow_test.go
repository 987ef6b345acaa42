package browsertest

import (
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp/kb"

	"livemon/internal/switchsim"
	"livemon/internal/wire"
)

// openPanel opens the Current Agent Status panel with the keyboard.
func (b *tab) openPanel() {
	b.t.Helper()
	b.use("button", ".*current agent status.*")
	b.has("button", ".*current agent status.*", "is open", func(n node) bool { return n.props["expanded"] == "true" })
}

// choose marks an agent in the panel.
func (b *tab) choose(agent string) {
	b.t.Helper()
	b.tabTo("checkbox", "select "+agent+"(@.*)?")
	b.keys(" ")
	b.has("checkbox", "select "+agent+"(@.*)?", "is marked", func(n node) bool { return n.props["checked"] == "true" })
}

// ask opens the dialog for an agent, types a telephone, and asks for coaching.
func (b *tab) ask(agent, phone string, coaching bool) {
	b.t.Helper()
	b.choose(agent)
	b.use("button", "live monitoring")
	b.find("dialog", "live monitoring.*")
	b.fill("telephone.*", phone)
	if got := b.find("checkbox", "coaching enabled").props["checked"] == "true"; got != coaching {
		b.tabTo("checkbox", "coaching enabled")
		b.keys(" ")
	}
	b.use("button", "ok")
}

// role waits until the page says in which role the supervisor is.
func (b *tab) role(name string) {
	b.t.Helper()
	b.has("button", name, "is pressed", func(n node) bool { return n.props["pressed"] == "true" })
}

// From the login to the end of a session, with the keyboard and the telephone.
func TestClickToCoach(t *testing.T) {
	t.Parallel()
	h := build(t)
	h.account("lead", func(c *wire.AccountChange) { c.Extension = ptr("1008") })
	h.sim.SetPhone("1008", switchsim.Behaviour{AnswerAfter: 700 * time.Millisecond})
	c := h.call("5550100", "1001")
	b := h.login("lead")

	if n := b.find("button", ".*current agent status.*"); n.props["expanded"] != "false" {
		t.Errorf("the panel is not collapsed at first: %v", n.props)
	}
	b.lacks("checkbox", ".*1001.*")
	b.openPanel()
	b.find("checkbox", ".*1001.*")
	b.shows("5550100")
	b.lacks("checkbox", ".*1008.*") // his own extension is no agent of his

	b.choose("1001")
	b.backTo("button", "live monitoring") // it stands before the agents
	b.keys(kb.Enter)
	b.find("dialog", "live monitoring.*")
	b.keys(kb.Escape)
	b.lacks("dialog", ".*")
	b.await("the keyboard is where it was", `document.activeElement.innerText?.includes("Live Monitoring")`)

	b.use("button", "live monitoring")
	b.fill("telephone.*", "1008")
	b.tabTo("checkbox", "coaching enabled")
	b.keys(" ")
	b.record("#live-status")
	b.use("button", "ok")
	b.recorded("Ringing 1008")
	b.recorded("Answered")
	b.recorded("You are listening. Nobody hears you")
	b.await("what comes next has the keyboard", `document.activeElement.id === "live-ok"`)
	b.keys(kb.Enter)
	b.await("the session has it now", `document.activeElement.matches("section.session")`)
	s := h.session("listens", func(s wire.Session) bool { return s.Status == wire.Listening })
	leg := s.Channel
	h.allow(leg, wire.Monitor)
	if s.Account != "lead" || !s.Coaching || s.Phone != "1008" || !strings.HasPrefix(s.Agent, "1001") {
		t.Errorf("the session is %+v", s)
	}
	h.hears(leg, c.A, c.B)
	h.hears(c.A, c.B)
	h.hears(c.B, c.A)

	h.allow(leg, wire.Monitor, wire.Coach)
	b.use("button", "coach")
	b.role("coach")
	h.hears(c.B, c.A, leg)
	h.hears(c.A, c.B) // the customer hears nothing of it
	h.allow(leg, wire.Coach)

	// The telephone moves the page.
	h.allow(leg, wire.Coach, wire.Barge)
	h.must(h.sim.Press(leg, "6#"))
	b.role("barge")
	h.hears(c.A, c.B, leg)
	h.must(h.sim.Press(leg, "5#"))
	b.role("monitor")
	h.hears(c.A, c.B)
	h.hears(c.B, c.A)
	h.allow(leg, wire.Monitor)

	// Hold is told, on the session and in the panel.
	row := `[...document.querySelectorAll("#rows tr")].find((r) => r.innerText.includes("1001")).innerText`
	b.await("the panel says who listens", `/lead\s+monitor/.test(`+row+`)`)
	h.must(h.sim.Hold(c.B))
	b.shows("The agent has put the customer on hold")
	b.await("the panel says so", row+`.includes("On hold")`)
	h.must(h.sim.Unhold(c.B))
	b.await("it is over", `!document.querySelector("section.session").innerText.includes("on hold") && `+row+`.includes("On a call")`)
	h.hears(c.A, c.B)

	// And the page the telephone.
	h.allow(leg, wire.Monitor, wire.Barge)
	b.use("button", "barge")
	b.role("barge")
	h.hears(c.A, c.B, leg)

	// To put the agent out asks once.
	h.allow(leg, wire.Barge, wire.TakeOver)
	b.use("button", "disconnect.*")
	b.find("dialog|alertdialog", ".*disconnect.*")
	b.keys(kb.Escape)
	b.lacks("dialog|alertdialog", ".*")
	h.hears(c.A, c.B, leg)
	b.use("button", "disconnect.*")
	b.find("dialog|alertdialog", ".*disconnect.*")
	b.tabTo("button", "disconnect.*|yes.*")
	b.keys(kb.Enter)
	h.session("is taken over", func(s wire.Session) bool { return s.Role == wire.TakeOver })
	b.shows("(?i)taken over")
	h.hears(c.A, leg)
	h.until("the agent is out", func() bool { return h.sim.Leg("1001") == "" })

	b.use("button", "leave")
	b.find("dialog|alertdialog", "leave the customer.*")
	b.tabTo("button", "leave")
	b.keys(kb.Enter)
	h.silent("1008")
	b.await("the session has ended on the page", sessionShown("ended"))
	b.use("button", "close")
	b.await("it is gone from the page", `!document.querySelector("section.session")`)
}

// What is refused says so, with its code, and what to do.
func TestRefusals(t *testing.T) {
	t.Parallel()
	h := build(t)
	h.account("lead", nil)
	h.account("second", nil)
	h.sim.SetPhone("1007", switchsim.Behaviour{NoAnswer: true})
	h.call("5550100", "1001")
	b := h.login("lead")
	b.openPanel()
	b.expect("409 (Conflict)")

	// The call ends while he types.
	c := h.call("5550199", "1002")
	b.choose("1002")
	b.use("button", "live monitoring")
	b.fill("telephone.*", "1008")
	h.must(h.sim.Hangup(c.A, ""))
	h.until("the agent is idle", func() bool { a, _ := h.agent("1002@" + domain); return a.Call == "" })
	b.use("button", "ok")
	b.await("the code is shown", `/^9013: .{10}/.test(document.querySelector("#live-problem").innerText)`)
	b.closeLive()

	b.ask("1001", "1007", true) // rings, and rings
	b.await("it rings", `/Ringing 1007/.test(document.querySelector("#live-status").innerText)`)
	b.await("the code is shown", `/^9024: .{10}/.test(document.querySelector("#live-problem").innerText)`)
	b.use("button", "try again")
	b.has("textbox", "telephone.*", "is asked for once more", func(n node) bool { return n.value == "1007" })
	b.closeLive()
	h.silent("1007")

	b.use("button", "live monitoring")
	b.fill("telephone.*", "not a number!")
	b.use("button", "ok")
	b.await("it is refused before anything rings", `document.querySelector("#live-phone").getAttribute("aria-invalid") === "true" && document.activeElement.id === "live-phone" && document.querySelector("#live-problem").innerText !== ""`)
	b.fill("telephone.*", "1008")
	b.tabTo("checkbox", "coaching enabled")
	b.keys(" ")
	b.use("button", "ok")
	b.await("the session is on the page", sessionShown("listening"))
	b.closeLive()
	b.use("button", "coach")
	b.role("coach")
	other := h.login("second")
	other.openPanel()
	other.expect("409 (Conflict)")
	other.ask("1001", "1009", true)
	other.await("the session is on the page", sessionShown("listening"))
	other.closeLive()
	b.await("each sees the other", `document.querySelector(".f-hears").innerText.includes("second")`)
	other.await("each sees the other", `document.querySelector(".f-hears").innerText.includes("lead")`)
	other.use("button", "coach")
	other.shows("9022")
	other.role("monitor")
}

// sessionShown is a condition of the page: a session is on it, in a status.
func sessionShown(status string) string {
	return `document.querySelector('section.session[data-status="' + ` + quote(status) + ` + '"]')`
}

// record keeps every text that a part of the page has from now on: it may be
// too short there to be waited for.
func (b *tab) record(selector string) {
	b.t.Helper()
	eval[bool](b, `(() => {
		const e = document.querySelector(`+quote(selector)+`);
		window.recorded = [e.innerText];
		new MutationObserver(() => window.recorded.push(e.innerText)).observe(e, {subtree: true, childList: true, characterData: true});
		return true;
	})()`)
}

// recorded waits until a text has been there that a pattern describes.
func (b *tab) recorded(pattern string) {
	b.t.Helper()
	b.await("it has said "+pattern, "window.recorded.some((x) => new RegExp("+quote(pattern)+").test(x))")
}

// closeLive closes the dialog if it is open.
func (b *tab) closeLive() {
	b.t.Helper()
	if eval[bool](b, `document.querySelector("#live").open`) {
		b.keys(kb.Escape)
	}
	b.await("the dialog is closed", `!document.querySelector("#live").open`)
}
