package browsertest

import (
	"fmt"
	"testing"

	"livemon/internal/wire"
)

// sizes are those of a window that is enlarged four times, a telephone's, the
// narrowest one with a table, and a small laptop's.
var sizes = [][2]int64{{320, 568}, {360, 740}, {900, 600}, {1280, 800}}

// Every page fits into every window, can be read in both colour schemes, and
// tells a screen reader what is there.
func TestPagesAreAccessible(t *testing.T) {
	t.Parallel()
	h := build(t)
	h.account("lead", nil)
	h.call("5550100", "1001")
	h.call("5550123456789012", "1002")
	b := h.login("lead")
	everywhere := func(what string) {
		t.Helper()
		for _, s := range sizes {
			b.size(s[0], s[1])
			b.fits(fmt.Sprintf("%s, %d wide", what, s[0]))
			if s[0] == 360 || s[0] == 1280 {
				b.audit(fmt.Sprintf("%s, %d wide", what, s[0]))
			}
		}
		b.scheme("dark")
		b.readable(what + ", dark")
		b.scheme("light")
	}
	everywhere("Monitoring, collapsed")
	b.openPanel()
	b.find("checkbox", ".*1001.*")
	everywhere("Monitoring, open")
	b.reachAll("Monitoring, wide")
	b.size(360, 740)
	b.reachAll("Monitoring, narrow")
	b.size(1280, 800)

	b.choose("1001")
	b.use("button", "live monitoring")
	b.find("dialog", "live monitoring.*")
	everywhere("the dialog")
	b.reachAll("the dialog")
	b.fill("telephone.*", "1008")
	b.tabTo("checkbox", "coaching enabled")
	b.keys(" ")
	b.use("button", "ok")
	b.await("the session is on the page", sessionShown("listening"))
	everywhere("the dialog, listening")
	b.closeLive()
	s := h.session("listens", func(s wire.Session) bool { return s.Status == wire.Listening })
	h.allow(s.Channel, wire.Monitor, wire.Coach)
	everywhere("a session, monitor")
	b.use("button", "coach")
	b.role("coach")
	b.find("img|image|graphics-document", "who hears whom.*")
	everywhere("a session")
	b.reachAll("a session, wide")
	b.size(360, 740)
	b.reachAll("a session, narrow")
	b.size(1280, 800)
	b.use("button", "disconnect.*")
	b.find("dialog|alertdialog", "disconnect.*")
	everywhere("the question")
	b.use("button", "cancel")
	b.use("button", "leave")
	h.silent("1008")
	everywhere("a session that has ended")

	for _, path := range []string{"/sessions", "/audit", "/account"} {
		b.visit(path)
		b.at(path)
		everywhere(path)
		b.size(1280, 800)
		b.reachAll(path)
	}
	b.expect("404 (Not Found)")
	b.visit("/nowhere")
	everywhere("an error page")
}
