package browsertest

import (
	"context"
	_ "embed"
	"fmt"
	"slices"
	"strings"

	"github.com/chromedp/chromedp/kb"
)

//go:embed testdata/audit.js
var auditJS string

// leastContrast is what WCAG 2.2 AA asks of text of any size; leastTarget are
// the CSS pixels it asks of each side of a control.
const (
	leastContrast = 4.5
	leastTarget   = 24
)

// inspect evaluates one function of audit.js.
func inspect[T any](b *tab, call string) T {
	b.t.Helper()
	return eval[T](b, "("+strings.TrimSpace(auditJS)+")."+call)
}

// fits looks at the width of everything and the size of controls.
func (b *tab) fits(what string) {
	b.t.Helper()
	for _, w := range slices.Concat(inspect[[]string](b, "layout()"), inspect[[]string](b, fmt.Sprintf("targets(%d)", leastTarget))) {
		b.t.Errorf("%s: %s", what, w)
	}
}

// audit looks at contrast, structure, and the names of parts.
func (b *tab) audit(what string) {
	b.t.Helper()
	b.readable(what)
	wrong := slices.Concat(inspect[[]string](b, "structure()"), b.nameless())
	for _, w := range wrong {
		b.t.Errorf("%s: %s", what, w)
	}
}

// readable looks at the contrast of every text.
func (b *tab) readable(what string) {
	b.t.Helper()
	c := inspect[struct {
		Wrong  []string
		Texts  int
		Lowest float64
	}](b, fmt.Sprintf("contrast(%v)", leastContrast))
	if c.Texts < 3 {
		b.t.Errorf("%s: there are only %d texts", what, c.Texts)
	}
	for _, w := range c.Wrong {
		b.t.Errorf("%s: %s", what, w)
	}
}

// named are the roles of parts that a screen reader tells by their names.
var named = []string{"button", "link", "checkbox", "radio", "switch", "textbox", "searchbox", "combobox", "listbox", "spinbutton", "slider", "tab", "menuitem",
	"dialog", "alertdialog", "img", "image", "graphics-document", "DisclosureTriangle", "region", "navigation", "progressbar", "Date", "InputTime", "DateTime"}

// nameless finds parts without a name in the accessibility tree.
func (b *tab) nameless() (wrong []string) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	all, err := b.nodes(ctx, "")
	b.must(err)
	if len(all) < 5 {
		wrong = append(wrong, fmt.Sprintf("the accessibility tree has only %d parts", len(all)))
	}
	for _, n := range all {
		if n.name == "" && (slices.Contains(named, n.role) || n.props["focusable"] == "true" && !slices.Contains([]string{"RootWebArea", "generic", "main"}, n.role)) {
			wrong = append(wrong, fmt.Sprintf("a %s has no name (%s)", n.role, b.markup(n)))
		}
	}
	return wrong
}

// reachAll presses the Tab key until it has been everywhere, and finds controls
// where it has not been, and those whose focus cannot be seen.
func (b *tab) reachAll(what string) {
	b.t.Helper()
	const mark = "data-reached-by-tab"
	eval[bool](b, "(document.activeElement.blur(), true)")
	all := inspect[int](b, "controls().length")
	seen := map[string]bool{}
	for range 6*all + 3 { // a field for a date has several stops
		b.keys(kb.Tab)
		for _, w := range inspect[[]string](b, "focus()") {
			seen[w] = true
		}
		if eval[bool](b, "(() => { const e = document.activeElement, been = e.hasAttribute("+quote(mark)+") && e !== window.lastStop; window.lastStop = e; if (e !== document.body) e.setAttribute("+quote(mark)+`, ""); return been; })()`) {
			break // round
		}
	}
	for w := range seen {
		b.t.Errorf("%s: %s", what, w)
	}
	// A group of radio buttons is one stop.
	missed := inspect[[]string](b, "controls().filter((e) => !e.hasAttribute("+quote(mark)+") && e.type !== 'radio').map((e) => e.outerHTML.slice(0, 200))")
	for _, m := range missed {
		b.t.Errorf("%s: the Tab key does not reach %s", what, m)
	}
	eval[bool](b, "(document.querySelectorAll("+quote("["+mark+"]")+").forEach((e) => e.removeAttribute("+quote(mark)+")), true)")
}
