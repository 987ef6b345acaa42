package panel

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"livemon/internal/api/apitest"
	"livemon/internal/fault"
	"livemon/internal/wire"
)

func TestEveryAnswerHasItsHeaders(t *testing.T) {
	h := newHouse(t)
	in := h.browser(t).enter("anna")
	out := h.browser(t)
	for _, rt := range routes() {
		path := strings.NewReplacer("{$}", "", "{id}", "x", "{hash}", staticHash, "{file}", "panel.css").Replace(rt.path)
		for _, method := range []string{rt.method, "PUT", "HEAD"} {
			for _, b := range []*browser{in, out} {
				w := b.send(httptest.NewRequest(method, path, nil))
				for name, value := range map[string]string{"Content-Security-Policy": policy, "Referrer-Policy": "no-referrer", "X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY"} {
					if w.Header().Get(name) != value {
						t.Errorf("%s %s: %s is %q", method, path, name, w.Header().Get(name))
					}
				}
				static := strings.HasPrefix(path, "/static/") && w.Code == http.StatusOK
				if cache := w.Header().Get("Cache-Control"); (cache == "no-store") == static || w.Header().Get("X-Request-Id") == "" {
					t.Errorf("%s %s: cache %q", method, path, cache)
				}
			}
		}
	}
	if strings.Contains(policy, "unsafe") || strings.Contains(policy, "*") {
		t.Error(policy)
	}
}

func TestNoPageHasAnythingInline(t *testing.T) {
	h := newHouse(t)
	h.SetSession(wire.Session{ID: "s1", Account: "anna", Supervisor: "anna", Agent: "1001@example.com", Call: "call-1", Status: wire.Listening, Role: wire.Coach})
	in, out := h.browser(t).enter("anna"), h.browser(t)
	for _, path := range []string{"/monitoring", "/sessions", "/audit", "/account", "/fragment/hears/s1", "/nothing"} {
		body := in.get(path).Body.String()
		for _, bad := range []string{" style=", "<style", " onclick", " onload", "javascript:", "<script>", "http://", "https://"} {
			if strings.Contains(body, bad) {
				t.Errorf("%s has %q", path, bad)
			}
		}
	}
	if body := out.get("/login").Body.String(); strings.Contains(body, "<script") || strings.Contains(body, " style=") {
		t.Error(body)
	}
}

// TestScriptsMakeNoMarkup looks for what would make markup, or code, of text.
func TestScriptsMakeNoMarkup(t *testing.T) {
	for name, kind := range staticTypes {
		if !strings.HasPrefix(kind, "text/javascript") {
			continue
		}
		data, err := staticFiles.ReadFile("static/" + name)
		if err != nil {
			t.Fatal(err)
		}
		for _, bad := range []string{"innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "new Function", "setAttribute('style'", "setAttribute('on", "createContextualFragment", "localStorage", "http:", "https:", "//cdn"} {
			if bytes.Contains(data, []byte(bad)) {
				t.Errorf("%s has %s", name, bad)
			}
		}
	}
}

func TestOtherMethodsAreRefused(t *testing.T) {
	h := newHouse(t)
	b := h.browser(t).enter("anna")
	for path, allow := range map[string]string{"/login": "GET, HEAD, POST", "/logout": "POST", "/monitoring": "GET, HEAD", "/account/password": "POST", "/sessions.csv": "GET, HEAD"} {
		w := b.send(httptest.NewRequest(http.MethodDelete, path, nil))
		if want(t, w, http.StatusMethodNotAllowed); w.Header().Get("Allow") != allow {
			t.Errorf("%s: %q", path, w.Header().Get("Allow"))
		}
	}
	want(t, b.get("/logout"), http.StatusMethodNotAllowed)
	want(t, b.get("/nothing"), http.StatusNotFound, "There is no such page")
	if w := b.get("/"); w.Code != http.StatusSeeOther || w.Header().Get("Location") != "/monitoring" {
		t.Errorf("%d %v", w.Code, w.Header())
	}
}

func TestStaticFiles(t *testing.T) {
	b := newHouse(t).browser(t)
	for name, kind := range map[string]string{"panel.css": "text/css", "monitoring.js": "text/javascript", "icon.svg": "image/svg+xml"} {
		w := b.get("/static/" + staticHash + "/" + name)
		if want(t, w, http.StatusOK); !strings.HasPrefix(w.Header().Get("Content-Type"), kind) || !strings.Contains(w.Header().Get("Cache-Control"), "immutable") {
			t.Errorf("%s: %v", name, w.Header())
		}
	}
	for _, path := range []string{"/static/0000000000000000/panel.css", "/static/" + staticHash + "/nothing.js", "/static/" + staticHash + "/..%2fdoc.go", "/static/" + staticHash + "/", "/static/"} {
		if w := b.get(path); w.Code != http.StatusNotFound {
			t.Errorf("%s: %d", path, w.Code)
		}
	}
}

func TestErrorsSayNoCause(t *testing.T) {
	var log bytes.Buffer
	h := newHouse(t, func(o *Options) { o.Logger = slog.New(slog.NewTextHandler(&log, nil)) })
	b := h.browser(t).enter("anna")
	const cause = "redis://user:pass@10.0.0.1 refused"
	for _, tc := range []struct {
		err    error
		status int
		says   string
	}{
		{fault.Wrap(fault.StoreUnavailable, "read", errors.New(cause)), http.StatusServiceUnavailable, "Error 9026"},
		{errors.New(cause), http.StatusInternalServerError, "Something went wrong"},
		{fmt.Errorf("%w: %s", wire.ErrForbidden, cause), http.StatusForbidden, "administrator"},
		{fmt.Errorf("%w: %s", wire.ErrNotFound, cause), http.StatusNotFound, "no such thing"},
		{fmt.Errorf("%w: %s", wire.ErrBadRequest, cause), http.StatusBadRequest, "does not understand"},
	} {
		h.FailWith(func(call string) error {
			if strings.HasPrefix(call, "Audit") {
				return tc.err
			}
			return nil
		})
		log.Reset()
		w := b.get("/audit")
		want(t, w, tc.status, tc.says, w.Header().Get("X-Request-Id"))
		if strings.Contains(w.Body.String(), "redis") {
			t.Errorf("%s", w.Body)
		}
		if tc.status >= 500 && (!strings.Contains(log.String(), cause) || !strings.Contains(log.String(), w.Header().Get("X-Request-Id"))) {
			t.Errorf("the log has not the cause: %s", &log)
		}
	}
	h.FailWith(func(call string) error {
		if strings.HasPrefix(call, "Audit") {
			panic(cause)
		}
		return nil
	})
	w := b.get("/audit")
	if want(t, w, http.StatusInternalServerError); strings.Contains(w.Body.String(), "redis") || !strings.Contains(log.String(), "panic in a page") {
		t.Errorf("%s", w.Body)
	}
}

// hostile are names as somebody might choose them.
var hostile = []string{
	`<script>alert(1)</script>`, `"><img src=x onerror=alert(1)>`, `=HYPERLINK("http://evil.example")`, "\u202etxt.exe", `{{.}}`, `' onmouseover='x`, `@SUM(A1)`, "-1+1", "+1", strings.Repeat("W", 256),
}

func TestHostileNamesAreText(t *testing.T) {
	h := newHouse(t)
	b := h.browser(t).enter("anna")
	for _, name := range hostile {
		h.SetAgents([]wire.Agent{{Agent: name, State: wire.OnCall, Node: "pbx", Call: "c", User: name}})
		s, err := h.StartSession(t.Context(), wire.MonitorRequest{Agent: name, Phone: "1002", Supervisor: name})
		if err != nil {
			t.Fatal(err)
		}
		s.Status, s.Role, s.Account = wire.Listening, wire.Barge, ""
		h.SetSession(s)
	}
	for _, path := range []string{"/sessions?page=1", "/audit?page=1", "/fragment/hears/s1", "/fragment/hears/s2", "/fragment/hears/s4"} {
		w := b.get(path)
		want(t, w, http.StatusOK)
		for _, bad := range []string{"<script>alert", "<img", "onmouseover='"} {
			if strings.Contains(w.Body.String(), bad) {
				t.Errorf("%s has %q", path, bad)
			}
		}
	}
	h.export(t)
	for _, path := range []string{"/sessions.csv?page=1", "/audit.csv?page=1"} {
		w := b.get(path)
		want(t, w, http.StatusOK)
		if d := w.Header().Get("Content-Disposition"); !strings.HasPrefix(d, "attachment;") {
			t.Errorf("%s: %q", path, d)
		}
		rows, err := csv.NewReader(w.Body).ReadAll()
		if err != nil || len(rows) != len(hostile)+1 {
			t.Fatalf("%s: %d rows, %v", path, len(rows), err)
		}
		for _, row := range rows {
			for _, cell := range row {
				if cell != "" && strings.ContainsAny(cell[:1], "=+-@") {
					t.Errorf("%s: a cell begins with %q: %q", path, cell[:1], cell)
				}
			}
		}
	}
}

func TestListsRefuseWhatTheyDoNotUnderstand(t *testing.T) {
	b := newHouse(t).browser(t).enter("anna")
	for _, q := range []string{"supervisr=anna", "from=yesterday", "to=2026-02-30", "from=2026-03-02&to=2026-03-01", "page=0", "page=-1", "page=x", "page=99999", "agent=a&agent=b", "agent=a%00b", "agent=" + strings.Repeat("x", 300)} {
		for _, path := range []string{"/sessions", "/audit", "/sessions.csv", "/audit.csv"} {
			if w := b.get(path + "?" + q); w.Code != http.StatusBadRequest {
				t.Errorf("%s?%s: %d", path, q, w.Code)
			}
		}
	}
}

func TestFiltersReachTheService(t *testing.T) {
	h := newHouse(t)
	b := h.browser(t).enter("anna")
	want(t, b.get("/audit?supervisor=bert&agent=1001&session=s1&from=2026-03-01&to=2026-03-02"), http.StatusOK, `value="bert"`, `value="2026-03-02"`)
	calls := h.Calls()
	if last := calls[len(calls)-1]; last != "Audit s1 1001 2026-03-01T00:00:00Z  1000 supervisor=bert until=2026-03-03T00:00:00Z" {
		t.Errorf("%q", last)
	}
}

func TestLiveAndEndedSessions(t *testing.T) {
	h := newHouse(t)
	b := h.browser(t).enter("anna")
	s, err := h.StartSession(t.Context(), wire.MonitorRequest{Agent: "1001@example.com", Phone: "1002", Supervisor: "anna"})
	if err != nil {
		t.Fatal(err)
	}
	all := fmt.Sprintf("/sessions?from=%s", apitest.Start.Format(dateLayout))
	want(t, b.get(all), http.StatusOK, "requested now", "1 session,")
	if _, err := h.StopSession(t.Context(), s.ID); err != nil {
		t.Fatal(err)
	}
	want(t, b.get(all), http.StatusOK, "its end is not recorded")
	want(t, b.get("/sessions?to="+apitest.Start.AddDate(0, 0, -1).Format(dateLayout)), http.StatusOK, "0 sessions", "Nothing in these days")
}

func TestHearsInAPage(t *testing.T) {
	h := newHouse(t)
	b := h.browser(t).enter("anna")
	h.SetSession(wire.Session{ID: "s1", Account: "anna", Supervisor: "anna", Agent: "1001@example.com", Node: "pbx", Call: "call-1", Status: wire.Listening, Role: wire.Coach})
	w := b.get("/fragment/hears/s1")
	want(t, w, http.StatusOK, "<title id=", "<desc id=", "You hear", "role=\"img\"", `class="edge voice coach"`)
	want(t, b.get("/fragment/hears/none"), http.StatusNotFound)
	want(t, b.get("/fragment/hears/"+strings.Repeat("x", 200)), http.StatusNotFound)
}

// TestReportsAreBounded has more of them asked for than are made at a time.
func TestReportsAreBounded(t *testing.T) {
	h := newHouse(t)
	b := h.browser(t).enter("anna")
	entered, release := make(chan struct{}, 100), make(chan struct{})
	h.FailWith(func(call string) error {
		if strings.HasPrefix(call, "Audit") {
			entered <- struct{}{}
			<-release
		}
		return nil
	})
	done := make(chan int, 5)
	for range cap(done) {
		go func() {
			r := httptest.NewRequest(http.MethodGet, "/audit", nil)
			r.AddCookie(&http.Cookie{Name: "livemon", Value: b.cookies["livemon"]})
			w := httptest.NewRecorder()
			h.handler.ServeHTTP(w, r)
			done <- w.Code
		}()
	}
	for range maxReports {
		<-entered
	}
	if len(entered) > 0 {
		t.Error("more are made than may be")
	}
	close(release)
	for range cap(done) {
		select {
		case code := <-done:
			if code != http.StatusOK {
				t.Errorf("status %d", code)
			}
		case <-time.After(time.Minute):
			t.Fatal("a report never came")
		}
	}
}

func TestOptionsAreChecked(t *testing.T) {
	if _, err := New(Options{}); err == nil {
		t.Error("a panel of nothing")
	}
}

// TestOverHTTP goes through a real server: deadlines, cookies, HEAD.
func TestOverHTTP(t *testing.T) {
	srv := httptest.NewServer(newHouse(t).handler)
	defer srv.Close()
	c := srv.Client()
	c.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	for _, method := range []string{http.MethodGet, http.MethodHead} {
		r, err := http.NewRequestWithContext(t.Context(), method, srv.URL+"/login", nil)
		if err != nil {
			t.Fatal(err)
		}
		res, err := c.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		n, _ := io.Copy(io.Discard, res.Body)
		_ = res.Body.Close()
		if res.StatusCode != http.StatusOK || (n == 0) != (method == http.MethodHead) {
			t.Errorf("%s: %d, %d bytes", method, res.StatusCode, n)
		}
	}
}
