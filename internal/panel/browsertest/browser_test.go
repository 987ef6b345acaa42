package browsertest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"

	"github.com/chromedp/chromedp"
	"go.uber.org/goleak"
)

// chromium is the one browser of all tests: each has a profile of its own in it.
var chromium struct {
	start  sync.Once
	err    error
	ctx    context.Context
	cancel []func()
	home   string
}

func TestMain(m *testing.M) {
	code := m.Run()
	for i := len(chromium.cancel) - 1; i >= 0; i-- {
		chromium.cancel[i]()
	}
	if chromium.home != "" {
		_ = os.RemoveAll(chromium.home)
	}
	if code == 0 {
		if err := goleak.Find(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	os.Exit(code)
}

// findChromium returns the path of a Chromium, or "".
func findChromium() string {
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	return ""
}

// browser returns the context of the running browser. Where there is none that
// can be run the test is skipped.
func browser(t *testing.T) context.Context {
	t.Helper()
	chromium.start.Do(func() {
		path := findChromium()
		if path == "" {
			chromium.err = errors.New("there is no chromium (apt-get install --no-install-recommends chromium)")
		} else if err := startChromium(path); err != nil {
			chromium.err = fmt.Errorf("%s does not start: %w", path, err)
		}
	})
	switch {
	case chromium.err == nil:
	case os.Getenv("LIVEMON_BROWSER") == "required":
		t.Fatal(chromium.err)
	default:
		t.Skipf("the panel is not tested: %v", chromium.err)
	}
	return chromium.ctx
}

func startChromium(path string) error {
	home, err := os.MkdirTemp("", "panel")
	if err != nil {
		return err
	}
	chromium.home = home
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(path),
		chromedp.UserDataDir(filepath.Join(home, "profile")),
		chromedp.NoInheritEnv,
		chromedp.Env("HOME="+home, "XDG_CONFIG_HOME="+home, "XDG_CACHE_HOME="+home, "PATH="+os.Getenv("PATH"), "LANG=C.UTF-8", "TZ=UTC"),
		// Nothing but the test's own servers: no proxy, and no other name or address.
		chromedp.Flag("no-proxy-server", true),
		chromedp.Flag("host-resolver-rules", "MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"),
		chromedp.Flag("lang", "en-GB"),
		chromedp.Flag("disable-component-update", true),
		chromedp.Flag("disable-gpu", true),
		chromedp.NoSandbox, // root and most containers have none; it sees the test's own pages only
	)
	allocator, stop := chromedp.NewExecAllocator(context.Background(), options...)
	ctx, cancel := chromedp.NewContext(allocator, chromedp.WithErrorf(func(string, ...any) {}))
	chromium.ctx, chromium.cancel = ctx, []func(){stop, cancel}
	return chromedp.Do(ctx)
}
