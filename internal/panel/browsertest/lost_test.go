package browsertest

import (
	"strings"
	"testing"
	"time"

	"livemon/internal/monitor"
	"livemon/internal/switchsim"
	"livemon/internal/wire"
)

// listens has who is logged in listen to 1001 from 1008, with coaching enabled.
func (h *house) listens(b *tab) wire.Session {
	h.t.Helper()
	b.openPanel()
	b.ask("1001", "1008", true)
	b.await("the session is on the page", sessionShown("listening"))
	s := h.session("listens", func(s wire.Session) bool { return s.Status == wire.Listening })
	h.allow(s.Channel, wire.Monitor, wire.Coach)
	b.closeLive()
	return s
}

// The page says when what it shows is old, and goes on by itself when livemon is
// there again.
func TestLostConnection(t *testing.T) {
	t.Parallel()
	h := build(t)
	h.account("lead", nil)
	c := h.call("5550100", "1001")
	b := h.login("lead")
	b.expect("net::ERR_", "503 (Service")
	s := h.listens(b)
	eval[bool](b, "(window.notReloaded = true)")

	h.door.shut()
	b.await("a banner says so", `!document.querySelector("#connection").hidden && /connect/i.test(document.querySelector("#connection").innerText)`)
	b.audit("lost connection")
	before := eval[string](b, `document.querySelector("#agents").innerText`)
	// What cannot be done now says so, and is not done later.
	b.use("button", "barge")
	b.await("the page says that it cannot be done", `/cannot be reached/.test(document.querySelector("section.session .problem").innerText)`)
	// Meanwhile the world goes on: another call, and a key on the telephone.
	h.call("5550199", "1002")
	h.must(h.sim.Press(s.Channel, "4#"))
	h.session("coaches", func(s wire.Session) bool { return s.Role == wire.Coach })
	if now := eval[string](b, `document.querySelector("#agents").innerText`); now == "" || before == "" {
		t.Error("what was known last is no longer shown")
	}

	h.door.open()
	b.await("the banner is gone", `document.querySelector("#connection").hidden`)
	b.shows("5550199")
	b.role("coach")
	h.hears(c.A, c.B)
	if !eval[bool](b, "window.notReloaded === true") {
		t.Error("the page was loaded again")
	}
	b.use("button", "leave")
	h.silent("1008")
}

// A right that is taken away ends what it allowed, and the page says so.
func TestRightsTakenAway(t *testing.T) {
	t.Parallel()
	h := build(t)
	h.account("lead", nil)
	c := h.call("5550100", "1001")
	b := h.login("lead")
	b.expect("401 (Unauthorized)", "403 (Forbidden)")
	s := h.listens(b)
	b.use("button", "coach")
	b.role("coach")

	// Without the right to coach he goes on listening.
	h.edit("lead", func(c *wire.AccountChange) { c.Rights = &[]wire.Action{wire.ActionListen} })
	b.role("monitor")
	h.hears(c.B, c.A)
	h.hears(c.A, c.B)
	h.allow(s.Channel, wire.Monitor)
	b.use("button", "coach")
	b.has("button", "coach", "cannot be used, and says why", func(n node) bool {
		return n.props["disabled"] == "true" && strings.Contains(n.description, "no right to coach")
	})
	h.hears(c.B, c.A)

	// Without any he is out.
	h.edit("lead", func(c *wire.AccountChange) { c.Rights = &[]wire.Action{} })
	h.silent("1008")
	b.shows("9021|(?i)not allowed")
	h.hears(c.A, c.B)

	// And without agents he sees none.
	b.find("checkbox", ".*1001.*")
	h.edit("lead", func(c *wire.AccountChange) { c.Agents = &[]string{} })
	b.lacks("checkbox", ".*1001.*")

	// Who may no longer log in is out of the page, too.
	h.edit("lead", func(c *wire.AccountChange) { c.Disabled = ptr(true) })
	b.shows("(?i)log in|login has ended")
}

// A session is the account's, not the page's: whoever loads the page anew, comes
// back to it or opens a second one finds it there, as it is.
func TestSessionOutlivesThePage(t *testing.T) {
	t.Parallel()
	h := build(t, func(_ *switchsim.Options, m *monitor.Config) { m.RingTimeout = time.Minute })
	h.account("lead", nil)
	c := h.call("5550100", "1001")
	h.sim.SetPhone("1007", switchsim.Behaviour{NoAnswer: true})
	b := h.login("lead")
	b.openPanel()

	// Ringing, he thinks better of it.
	b.ask("1001", "1007", true)
	b.await("it rings", `/Ringing 1007/.test(document.querySelector("#live-status").innerText)`)
	b.use("button", "stop.*")
	b.await("it is over", `!document.querySelector("#live-hangup").checkVisibility() && document.querySelector("#live-problem").innerText !== ""`)
	b.closeLive()
	h.silent("1007")

	// Escape closes the dialog and not the session.
	b.use("button", "live monitoring")
	b.fill("telephone.*", "1008")
	b.tabTo("checkbox", "coaching enabled")
	b.keys(" ")
	b.use("button", "ok")
	b.await("it is asked for", `document.querySelector("#live-steps").checkVisibility()`)
	b.closeLive()
	b.await("the session is on the page", sessionShown("listening"))
	s := h.session("listens", func(s wire.Session) bool { return s.Status == wire.Listening })
	h.allow(s.Channel, wire.Monitor, wire.Coach)

	b.visit("/monitoring") // anew
	b.await("the session is on the page again", sessionShown("listening"))
	b.has("button", ".*current agent status.*", "is as it was", func(n node) bool { return n.props["expanded"] == "true" })
	second := b.beside()
	second.visit("/monitoring")
	second.await("the session is on the second page", sessionShown("listening"))
	second.use("button", "coach")
	second.role("coach")
	b.role("coach")
	h.allow(s.Channel, wire.Coach)

	b.visit("/sessions")
	b.shows("(?i)listening now")
	eval[bool](b, "(setTimeout(() => history.back()), true)")
	b.at("/monitoring")
	b.role("coach")
	h.allow(s.Channel, wire.Monitor, wire.Coach)
	second.use("button", "monitor")
	b.role("monitor") // and goes on

	h.must(h.sim.Hangup(c.A, ""))
	b.await("the session has ended on the page", sessionShown("ended"))
	second.await("the session has ended on the page", sessionShown("ended"))
	b.await("it says why", `document.querySelector("section.session .session-state").innerText.length > 5`)
	h.silent("1008")
}
