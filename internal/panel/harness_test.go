package panel

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"livemon/fsconf"
	"livemon/internal/api/apitest"
	"livemon/internal/wire"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const password = "correct horse"

// people adds logins to a Fake: every account has the same password.
type people struct {
	*apitest.Fake

	mu     sync.Mutex
	logins map[string]wire.Actor // by secret
	ended  []string              // secrets that Logout was told
	refuse error                 // what Login returns, if not nil
}

func (p *people) Login(_ context.Context, name, pass, _ string) (string, wire.Account, error) {
	p.mu.Lock()
	refuse := p.refuse
	p.mu.Unlock()
	if refuse != nil {
		return "", wire.Account{}, refuse
	}
	a, err := p.Account(context.Background(), name)
	if err != nil || pass != password {
		return "", wire.Account{}, wire.ErrDenied
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	secret := "lms_" + rand.Text()
	p.logins[secret] = wire.Actor{Account: a.Name, Admin: a.Admin}
	return secret, a, nil
}

func (p *people) Authenticate(ctx context.Context, secret, via, from string) (wire.Actor, error) {
	p.mu.Lock()
	a, ok := p.logins[secret]
	p.mu.Unlock()
	if !ok {
		return p.Fake.Authenticate(ctx, secret, via, from)
	}
	a.Via, a.From = via, from
	return a, nil
}

func (p *people) Logout(_ context.Context, secret string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ended = append(p.ended, secret)
	delete(p.logins, secret)
	return nil
}

// house is a panel with an administrator, anna, and a supervisor, bert.
type house struct {
	*people
	panel   *Panel
	handler http.Handler
}

func newHouse(t testing.TB, change ...func(*Options)) *house {
	t.Helper()
	p := &people{Fake: apitest.New(), logins: map[string]wire.Actor{}}
	for _, name := range []string{"anna", "bert"} {
		if _, err := p.AddAccount(t.Context(), name, wire.AccountChange{}, name == "anna"); err != nil {
			t.Fatal(err)
		}
	}
	o := Options{Service: p, Accounts: p, Keys: fsconf.Defaults().Keys, Location: time.UTC, Version: "1.2.3"}
	for _, f := range change {
		f(&o)
	}
	panel, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	return &house{people: p, panel: panel, handler: panel.Handler()}
}

// browser keeps cookies as one does. It follows no redirection.
type browser struct {
	t       testing.TB
	h       http.Handler
	cookies map[string]string
}

func (h *house) browser(t testing.TB) *browser {
	return &browser{t: t, h: h.handler, cookies: map[string]string{}}
}

func (b *browser) send(r *http.Request) *httptest.ResponseRecorder {
	for name, value := range b.cookies {
		r.AddCookie(&http.Cookie{Name: name, Value: value})
	}
	w := httptest.NewRecorder()
	b.h.ServeHTTP(w, r)
	for _, c := range w.Result().Cookies() {
		b.cookies[c.Name] = c.Value
		if c.MaxAge < 0 {
			delete(b.cookies, c.Name)
		}
	}
	return w
}

func (b *browser) get(path string) *httptest.ResponseRecorder {
	return b.send(httptest.NewRequest(http.MethodGet, path, nil))
}

func (b *browser) post(path string, form url.Values, header ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodPost, path, strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	return b.send(r)
}

var hidden = regexp.MustCompile(`<input type="hidden" name="([a-z]+)" value="([^"]*)">`)

// form returns the hidden fields of a page.
func form(w *httptest.ResponseRecorder) url.Values {
	out := url.Values{}
	for _, m := range hidden.FindAllStringSubmatch(w.Body.String(), -1) {
		out.Set(m[1], m[2])
	}
	return out
}

// enter logs in.
func (b *browser) enter(name string) *browser {
	b.t.Helper()
	w := b.try(name, password, "")
	if w.Code != http.StatusSeeOther {
		b.t.Fatalf("login: %d %s", w.Code, w.Body)
	}
	return b
}

func (b *browser) try(name, pass, next string) *httptest.ResponseRecorder {
	f := form(b.get("/login?next=" + url.QueryEscape(next)))
	f.Set("name", name)
	f.Set("password", pass)
	return b.post("/login", f)
}

// csrf is the token of a page.
func (b *browser) csrf() string { return form(b.get("/account")).Get("csrf") }

func want(t testing.TB, w *httptest.ResponseRecorder, status int, parts ...string) {
	t.Helper()
	if w.Code != status {
		t.Fatalf("status %d, want %d: %.400s", w.Code, status, w.Body)
	}
	for _, p := range parts {
		if !strings.Contains(w.Body.String(), p) {
			t.Errorf("%q is not in the answer: %s", p, w.Body)
		}
	}
}

// export has the Fake export the records that it has.
func (h *house) export(t testing.TB) {
	t.Helper()
	list, err := h.Audit(t.Context(), wire.AuditFilter{})
	if err != nil {
		t.Fatal(err)
	}
	h.SetExport(exportLines(t, list), wire.AuditHead{})
}

func exportLines(t testing.TB, list []wire.AuditRecord) []byte {
	t.Helper()
	var out bytes.Buffer
	write := func(l wire.AuditLine) {
		if err := json.NewEncoder(&out).Encode(l); err != nil {
			t.Fatal(err)
		}
	}
	write(wire.AuditLine{Export: &wire.AuditExport{Version: 1}})
	for _, r := range list {
		id, seq, hash := r.ID, r.Seq, r.Hash
		r.ID, r.Seq, r.Hash = "", 0, ""
		data, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		write(wire.AuditLine{ID: id, Seq: seq, Hash: hash, Record: data})
	}
	write(wire.AuditLine{End: &wire.AuditEnd{Records: int64(len(list))}})
	return out.Bytes()
}
