package browsertest

import (
	"strings"
	"testing"

	"github.com/chromedp/chromedp/kb"

	"livemon/internal/wire"
)

// Where telephones are registered one of them is chosen, and no other is rung.
func TestAuthorizedExtensions(t *testing.T) {
	t.Parallel()
	h := build(t)
	h.account("lead", func(c *wire.AccountChange) { c.Extension = ptr("1008") })
	for _, e := range []wire.Extension{{Number: "1007", Name: "training"}, {Number: "1008", Name: "desk"}} {
		_, err := h.svc.AddExtension(h.operator(), e)
		h.must(err)
	}
	h.call("5550100", "1001")
	b := h.login("lead")
	b.openPanel()
	b.choose("1001")
	b.use("button", "live monitoring")
	b.lacks("textbox", "telephone.*")
	n := b.tabTo("combobox", "authorized extension")
	if !strings.HasPrefix(n.value, "1008") {
		t.Errorf("his own telephone is not chosen: %q", n.value)
	}
	b.keys("1007")
	b.await("the other is chosen", `document.querySelector("#live-extension").value === "1007"`)
	b.use("button", "ok")
	b.await("the session is on the page", sessionShown("listening"))
	b.closeLive()
	s := h.session("listens", func(s wire.Session) bool { return s.Status == wire.Listening })
	h.allow(s.Channel, wire.Monitor)
	if s.Phone != "1007" || s.Coaching {
		t.Errorf("the session is %+v", s)
	}
	// Without coaching the page says why nothing else can be done, and the telephone refuses, too.
	coach := b.has("button", "coach", "cannot be used", func(n node) bool { return n.props["disabled"] == "true" })
	if !strings.Contains(coach.description, "Coaching was not enabled") {
		t.Errorf("the button says why: %q", coach.description)
	}
	b.use("button", "coach")
	h.must(h.sim.Press(s.Channel, "4#"))
	h.until("the telephone hears a refusal", func() bool { return len(h.sim.Played("1007")) > 0 })
	b.role("monitor")
	b.use("button", "leave")
	h.silent("1007")

	// What was done is on the pages, in CSV, too.
	b.visit("/sessions")
	b.shows("1001")
	b.shows("monitor")
	csv := eval[string](b, `fetch(document.querySelector("a[href*='.csv']").href).then(async (r) => r.headers.get("Content-Type") + "|" + r.headers.get("Content-Disposition") + "|" + await r.text())`)
	if !strings.HasPrefix(csv, "text/csv") || !strings.Contains(csv, "attachment") || !strings.Contains(csv, "1007") || !strings.Contains(csv, "lead") {
		t.Errorf("the list as CSV is %.300s", csv)
	}
	b.fill("agent", "1002")
	b.use("button", "show")
	b.await("only that agent's", `location.search.includes("agent=1002") && document.readyState === "complete"`)
	b.shows("Nothing in these days")
	b.visit("/audit")
	b.shows("(?i)refused")
	b.shows("(?i)listening")
}

// A session for the agent goes on from call to call, and the page says what it waits for.
func TestFollowingAnAgent(t *testing.T) {
	t.Parallel()
	h := build(t)
	h.account("lead", nil)
	c := h.call("5550100", "1001")
	b := h.login("lead")
	b.openPanel()
	b.choose("1001")
	b.use("button", "live monitoring")
	b.fill("telephone.*", "1008")
	b.tabTo("radio", "this call")
	b.keys(kb.ArrowDown + kb.ArrowDown)
	b.await("every call is chosen", `document.querySelector("#live-form").elements.follow.value === "agent"`)
	b.use("button", "ok")
	b.await("the session is on the page", sessionShown("listening"))
	b.closeLive()
	h.must(h.sim.Hangup(c.A, ""))
	b.await("the page says that he waits", sessionShown("waiting"))
	next := h.call("5550199", "1001")
	b.await("the page says that he listens", sessionShown("listening"))
	b.shows("5550199")
	leg := h.sim.Leg("1008")
	h.allow(leg, wire.Monitor)
	h.hears(leg, next.A, next.B)
	h.hears(next.A, next.B)
	b.tabTo("combobox", "listen to")
	b.keys("this call")
	h.session("is for this call only", func(s wire.Session) bool { return s.Follow == wire.FollowCall })
	h.must(h.sim.Hangup(next.A, ""))
	b.await("the session has ended on the page", sessionShown("ended"))
	h.silent("1008")
}

// Who changes his password is asked for it everywhere.
func TestChangingThePassword(t *testing.T) {
	t.Parallel()
	h := buildAround(t, newFake())
	h.account("lead", nil)
	elsewhere := h.login("lead")
	elsewhere.expect("401 (Unauthorized)")
	elsewhere.openPanel()
	b := h.login("lead")
	b.expect("401 (Unauthorized)", "400 (Bad Request)", "403 (Forbidden)", "422 (Unproc")
	b.visit("/account")
	fill := func(old, changed, again string) {
		b.fill("present password", old)
		b.fill("new password", changed)
		b.fill("new password, again", again)
		b.use("button", "change the password")
	}
	fill("wrong horse battery", "another horse battery", "another horse battery")
	b.find("alert", ".*")
	b.shows("(?i)password is wrong|wrong")
	fill(password, "another horse battery", "yet another horse battery")
	b.shows("(?i)not the same|differ|twice|match")
	fill(password, "another horse battery", "another horse battery")
	b.at("/login")
	b.shows("(?i)password has been changed")
	elsewhere.at("/login")
	b.typeLogin("lead", password)
	b.shows("(?i)wrong")
	b.typeLogin("lead", "another horse battery")
	b.at("/monitoring")
}
