package browsertest

import (
	"testing"

	"github.com/chromedp/cdproto/dom"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"

	"livemon/internal/wire"
)

// tap touches the middle of a control, where nothing else may lie above it.
func (b *tab) tap(role, name string) {
	b.t.Helper()
	n := b.find(role, name)
	call(b, dom.ScrollIntoViewIfNeeded, dom.ScrollIntoViewIfNeededParams{BackendNodeID: n.id})
	q := call(b, dom.GetContentQuads, dom.GetContentQuadsParams{BackendNodeID: n.id}).Quads
	if len(q) == 0 || len(q[0]) < 6 {
		b.t.Fatalf("%v cannot be seen", n)
	}
	b.do(chromedp.TapXY((q[0][0]+q[0][4])/2, (q[0][1]+q[0][5])/2))
}

// The whole way on a telephone, with a finger.
func TestOnATelephone(t *testing.T) {
	t.Parallel()
	h := build(t)
	h.account("lead", nil)
	c := h.call("5550100", "1009") // the last one of the list
	b := h.login("lead")
	call(b, emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{Width: 360, Height: 740, DeviceScaleFactor: 2, Mobile: true})
	call(b, emulation.SetTouchEmulationEnabled, emulation.SetTouchEmulationEnabledParams{Enabled: true})
	b.tap("button", ".*current agent status.*")
	b.tap("checkbox", "select 1009.*")
	b.has("checkbox", "select 1009.*", "is marked", func(n node) bool { return n.props["checked"] == "true" })
	// Far down in the list the button is at hand.
	b.await("the button is in the window", `(() => { const r = document.querySelector("#monitor").getBoundingClientRect(); return scrollY > 100 && r.top > 0 && r.bottom <= innerHeight; })()`)
	b.tap("button", "live monitoring")
	b.tap("textbox", "telephone.*")
	b.keys("1008")
	b.tap("checkbox", "coaching enabled")
	b.tap("button", "ok")
	b.await("the session is on the page", sessionShown("listening"))
	b.tap("button", "go to the session")
	b.await("the session is in the window", `(() => { const r = document.querySelector("section.session h2").getBoundingClientRect(); return r.top >= 0 && r.bottom <= innerHeight; })()`)
	s := h.session("listens", func(s wire.Session) bool { return s.Status == wire.Listening })
	h.allow(s.Channel, wire.Monitor, wire.Coach)
	b.tap("button", "coach")
	b.role("coach")
	h.hears(c.A, c.B)
	h.hears(c.B, c.A, s.Channel)
	b.tap("button", "disconnect.*")
	b.find("dialog|alertdialog", "disconnect.*")
	b.tap("button", "cancel")
	b.lacks("dialog|alertdialog", ".*")
	b.tap("button", "leave")
	h.silent("1008")
	b.await("it has ended", sessionShown("ended"))
	for _, w := range inspect[[]string](b, "layout()") {
		t.Error(w)
	}
}
