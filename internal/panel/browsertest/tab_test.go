package browsertest

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// patience is how long a test waits for something that has to happen.
const patience = time.Minute

// tab is a page in a profile, and what went wrong in it.
type tab struct {
	t    *testing.T
	ctx  context.Context
	base string // of the product under test

	mu       sync.Mutex
	problems []string
	expected []string // parts of problems that the test brings about
}

// open opens an empty tab in a new profile, for the product at base.
func open(t *testing.T, base string) *tab {
	t.Helper()
	return newTab(t, browser(t), base, chromedp.WithNewBrowserContext())
}

// beside opens another tab in the same profile.
func (b *tab) beside() *tab {
	b.t.Helper()
	return newTab(b.t, chromium.ctx, b.base, chromedp.WithExistingBrowserContext(chromedp.FromContext(b.ctx).BrowserContextID))
}

func newTab(t *testing.T, parent context.Context, base string, profile chromedp.ContextOption) *tab {
	t.Helper()
	b := &tab{t: t, base: base}
	ctx, cancel := chromedp.NewContext(parent, profile, chromedp.WithListener(b.hear))
	b.ctx = ctx
	t.Cleanup(func() {
		if t.Failed() {
			b.describe()
		}
		cancel()
		b.mu.Lock()
		defer b.mu.Unlock()
		for _, p := range b.problems {
			t.Errorf("the page: %s", p)
		}
	})
	b.must(chromedp.Do(ctx))
	call(b, page.Enable, page.EnableParams{})
	call(b, network.Enable, network.EnableParams{})
	b.size(1280, 800)
	return b
}

// call runs a command of the browser's protocol in the tab.
func call[P, R any](b *tab, c cdp.Command[P, R], p P) R {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	r, err := chromedp.Call(ctx, c, p)
	if err != nil {
		b.t.Fatalf("%s: %v", c.Method, err)
	}
	return r
}

func (b *tab) must(err error) {
	b.t.Helper()
	if err != nil {
		b.t.Fatal(err)
	}
}

// do runs actions.
func (b *tab) do(actions ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	b.must(chromedp.Do(ctx, actions...))
}

// hear collects what must not happen in any page. It runs in the loop that
// reads from the browser.
func (b *tab) hear(ev any) {
	switch ev := ev.(type) {
	case *runtime.EventExceptionThrown:
		text := ev.ExceptionDetails.Text
		if ev.ExceptionDetails.Exception != nil {
			text += " " + ev.ExceptionDetails.Exception.Description
		}
		b.problem("a script threw: %s", text)
	case *runtime.EventConsoleAPICalled:
		switch ev.Type {
		case runtime.ConsoleAPICalledTypeError, runtime.ConsoleAPICalledTypeWarning, runtime.ConsoleAPICalledTypeAssert:
			var parts []string
			for _, a := range ev.Args {
				parts = append(parts, string(a.Value)+a.Description)
			}
			b.problem("console.%s: %s", ev.Type, strings.Join(parts, " "))
		}
	case *log.EventEntryAdded:
		if ev.Entry.Level == log.EntryLevelError || ev.Entry.Level == log.EntryLevelWarning {
			b.problem("%s %s: %s %s", ev.Entry.Source, ev.Entry.Level, ev.Entry.Text, ev.Entry.URL)
		}
	case *page.EventJavascriptDialogOpening:
		b.problem("a dialog of the browser: %s %q", ev.Type, ev.Message)
	case *network.EventRequestWillBeSent:
		if u, err := url.Parse(ev.Request.URL); err != nil || u.Scheme != "data" && u.Scheme != "blob" && u.Scheme+"://"+u.Host != b.base {
			b.problem("a request to somewhere else: %.200s", ev.Request.URL)
		}
	}
}

func (b *tab) problem(format string, args ...any) {
	p := fmt.Sprintf(format, args...)
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, e := range b.expected {
		if strings.Contains(p, e) {
			return
		}
	}
	b.problems = append(b.problems, p)
}

// expect names a part of problems that the test itself brings about from here on.
func (b *tab) expect(parts ...string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.expected = append(b.expected, parts...)
}

// describe logs what the page shows, after a failure, and leaves a picture of it
// in the folder that LIVEMON_SCREENSHOTS names.
func (b *tab) describe() {
	ctx, cancel := context.WithTimeout(b.ctx, 5*time.Second)
	defer cancel()
	text, err := chromedp.Run(ctx, chromedp.Evaluate[string](`location.href + "\n" + document.body.innerText.slice(0, 4000)`))
	b.t.Logf("the page shows (%v): %s", err, text)
	if dir := os.Getenv("LIVEMON_SCREENSHOTS"); dir != "" {
		if png, err := chromedp.Run(ctx, chromedp.CaptureScreenshot()); err == nil {
			_ = os.WriteFile(filepath.Join(dir, "failed-"+strings.ReplaceAll(b.t.Name(), "/", "-")+".png"), png, 0o600)
		}
	}
}

// size makes the window so large, in CSS pixels.
func (b *tab) size(width, height int64) {
	b.t.Helper()
	call(b, emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{Width: width, Height: height, DeviceScaleFactor: 1})
}

// scheme makes the page's preferred colours "light" or "dark".
func (b *tab) scheme(name string) {
	b.t.Helper()
	call(b, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{
		{Name: "prefers-color-scheme", Value: name}, {Name: "prefers-reduced-motion", Value: "reduce"}}})
}

// visit goes to a path and waits until the page has loaded.
func (b *tab) visit(path string) {
	b.t.Helper()
	b.do(chromedp.Navigate(b.base + path))
}

// eval evaluates an expression in the page; a promise is waited for.
func eval[T any](b *tab, js string) T {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	v, err := chromedp.Run(ctx, chromedp.Evaluate[T](js, chromedp.EvalAwaitPromise))
	if err != nil {
		b.t.Fatalf("%.300s: %v", js, err)
	}
	return v
}

// quote makes a string a literal of the page's script.
func quote(s string) string {
	out, _ := json.Marshal(s)
	return string(out)
}

// until waits until something is so. A page that goes away while it is asked
// is asked again.
func (b *tab) until(what string, ok func(ctx context.Context) (bool, error)) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	tick := time.NewTicker(25 * time.Millisecond)
	defer tick.Stop()
	for {
		done, err := ok(ctx)
		if done && err == nil {
			return
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			b.t.Fatalf("%s: not within %s (%v)", what, patience, err)
		}
	}
}

// await waits until an expression is true in the page.
func (b *tab) await(what, js string) {
	b.t.Helper()
	b.until(what, func(ctx context.Context) (bool, error) {
		return chromedp.Run(ctx, chromedp.Evaluate[bool]("Boolean("+js+")", chromedp.EvalAwaitPromise))
	})
}

// at waits until the page of a path has loaded.
func (b *tab) at(path string) {
	b.t.Helper()
	b.await("the page is "+path, "location.pathname === "+quote(path)+` && document.readyState === "complete"`)
}

// shows waits until a person can read a text that a pattern describes.
func (b *tab) shows(pattern string) {
	b.t.Helper()
	re := regexp.MustCompile(pattern)
	var text string
	b.until("the page shows "+pattern, func(ctx context.Context) (ok bool, err error) {
		text, err = chromedp.Run(ctx, chromedp.Evaluate[string]("document.body.innerText"))
		return re.MatchString(text), err
	})
}

// picture takes a picture of what can be seen.
func (b *tab) picture() []byte {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	png, err := chromedp.Run(ctx, chromedp.CaptureScreenshot())
	b.must(err)
	return bytes.Clone(png)
}
