package browsertest

import (
	"context"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/chromedp/cdproto/accessibility"
	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/dom"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// node is a part of the page as a screen reader tells it.
type node struct {
	role, name, value, description string
	props                          map[string]string
	id                             cdp.BackendNodeID
}

func (n node) String() string { return fmt.Sprintf("%s %q", n.role, n.name) }

// is tells whether the node has a role ("" is any, "a|b" is one of them) and a
// name that a pattern describes.
func (n node) is(role string, name *regexp.Regexp) bool {
	return (role == "" || slices.Contains(strings.Split(role, "|"), n.role)) && name.MatchString(n.name)
}

// says compiles the pattern of a name, which has to match the whole of it.
func says(pattern string) *regexp.Regexp { return regexp.MustCompile("(?is)^(?:" + pattern + ")$") }

func text(v *accessibility.Value) string {
	if v == nil || len(v.Value) == 0 {
		return ""
	}
	var s string
	if json.Unmarshal(v.Value, &s) == nil {
		return s
	}
	return string(v.Value)
}

func toNode(n *accessibility.Node) node {
	out := node{role: text(n.Role), name: strings.TrimSpace(text(n.Name)), value: text(n.Value), description: text(n.Description), props: map[string]string{}, id: n.BackendDOMNodeID}
	for _, p := range n.Properties {
		out.props[string(p.Name)] = text(p.Value)
	}
	return out
}

// object returns a handle of what an expression gives in the page, or "".
func (b *tab) object(ctx context.Context, js string) (runtime.RemoteObjectID, error) {
	r, err := chromedp.Run(ctx, chromedp.Evaluate[*runtime.RemoteObject](js))
	if err != nil {
		return "", err
	}
	return r.ObjectID, nil
}

// nodes lists what the accessibility tree has of a role (or several, "a|b"), in
// the order of the page.
func (b *tab) nodes(ctx context.Context, role string) ([]node, error) {
	doc, err := b.object(ctx, "document")
	if err != nil {
		return nil, err
	}
	var out []node
	for _, one := range strings.Split(role, "|") {
		r, err := chromedp.Call(ctx, accessibility.QueryAXTree, accessibility.QueryAXTreeParams{ObjectID: doc, Role: one})
		if err != nil {
			return nil, err
		}
		for _, n := range r.Nodes {
			if !n.Ignored {
				out = append(out, toNode(n))
			}
		}
	}
	return out, nil
}

// find waits for the one node of a role with a name that a pattern describes.
func (b *tab) find(role, name string) node {
	b.t.Helper()
	re := says(name)
	var found node
	b.until(fmt.Sprintf("there is one %s %q", role, name), func(ctx context.Context) (bool, error) {
		all, err := b.nodes(ctx, role)
		n := 0
		for _, x := range all {
			if x.is(role, re) {
				found = x
				n++
			}
		}
		if n > 1 {
			err = fmt.Errorf("there are %d", n)
		}
		return n == 1, err
	})
	return found
}

// has waits until a node of a role and name is as it has to be.
func (b *tab) has(role, name, what string, ok func(node) bool) node {
	b.t.Helper()
	re := says(name)
	var last node
	b.until(fmt.Sprintf("%s %q %s (last: %v %v)", role, name, what, last, last.props), func(ctx context.Context) (bool, error) {
		all, err := b.nodes(ctx, role)
		for _, x := range all {
			if x.is(role, re) {
				if last = x; ok(x) {
					return true, err
				}
			}
		}
		return false, err
	})
	return last
}

// lacks waits until there is no node of a role with such a name.
func (b *tab) lacks(role, name string) {
	b.t.Helper()
	re := says(name)
	b.until(fmt.Sprintf("there is no %s %q", role, name), func(ctx context.Context) (bool, error) {
		all, err := b.nodes(ctx, role)
		for _, x := range all {
			if x.is(role, re) {
				return false, err
			}
		}
		return true, err
	})
}

// markup returns the beginning of a node's HTML.
func (b *tab) markup(n node) string {
	b.t.Helper()
	if n.id == 0 {
		return ""
	}
	html := call(b, dom.GetOuterHTML, dom.GetOuterHTMLParams{BackendNodeID: n.id}).OuterHTML
	return html[:min(len(html), 160)]
}

// keys presses keys; see the package kb for those without a character.
func (b *tab) keys(keys string, with ...chromedp.Modifier) {
	b.t.Helper()
	b.do(chromedp.KeyEvent(keys, chromedp.KeyModifiers(with...)))
}

// tabTo presses the Tab key until something of a role and name has the
// keyboard, as who has no mouse must.
func (b *tab) tabTo(role, name string) node {
	b.t.Helper()
	return b.tabWith(role, name)
}

// backTo is tabTo with Shift+Tab.
func (b *tab) backTo(role, name string) node {
	b.t.Helper()
	return b.tabWith(role, name, chromedp.ModifierShift)
}

func (b *tab) tabWith(role, name string, with ...chromedp.Modifier) node {
	b.t.Helper()
	n := b.find(role, name)
	target := call(b, dom.ResolveNode, dom.ResolveNodeParams{BackendNodeID: n.id}).Object.ObjectID
	call(b, runtime.CallFunctionOn, runtime.CallFunctionOnParams{ObjectID: target, FunctionDeclaration: "function() { window.tabTarget = this; }"})
	var passed []string
	for range 150 {
		if eval[bool](b, "document.activeElement === window.tabTarget") {
			return n
		}
		passed = append(passed, eval[string](b, `document.activeElement.outerHTML.split(">")[0]`))
		b.keys(kb.Tab, with...)
	}
	b.t.Fatalf("the Tab key does not reach %s %q, but %s", role, name, strings.Join(passed, ", "))
	return node{}
}

// use goes to a control with the Tab key and presses Enter, or Space where
// that is what one presses.
func (b *tab) use(role, name string) {
	b.t.Helper()
	b.tabTo(role, name)
	switch role {
	case "checkbox", "switch", "radio":
		b.keys(" ")
	default:
		b.keys(kb.Enter)
	}
}

// fill goes to a field with the Tab key and puts a text into it, as pasting does.
func (b *tab) fill(name, value string) {
	b.t.Helper()
	b.tabTo("textbox|searchbox", name)
	b.keys("a", chromedp.ModifierCtrl)
	call(b, input.InsertText, input.InsertTextParams{Text: value})
}

// click clicks into the middle of a control.
func (b *tab) click(role, name string) {
	b.t.Helper()
	n := b.find(role, name)
	call(b, dom.ScrollIntoViewIfNeeded, dom.ScrollIntoViewIfNeededParams{BackendNodeID: n.id})
	q := call(b, dom.GetContentQuads, dom.GetContentQuadsParams{BackendNodeID: n.id}).Quads
	if len(q) == 0 || len(q[0]) < 6 {
		b.t.Fatalf("%v cannot be seen", n)
	}
	b.do(chromedp.MouseClickXY((q[0][0]+q[0][4])/2, (q[0][1]+q[0][5])/2))
}

func quoteInt(n int) string { return fmt.Sprint(n) }

const ctrl = chromedp.ModifierCtrl
