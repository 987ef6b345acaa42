package panel

import (
	"bytes"
	"context"
	"encoding/csv"
	"fmt"
	"io"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"livemon/internal/wire"
)

func TestDefuse(t *testing.T) {
	for in, out := range map[string]string{"": "", "anna": "anna", "=1+1": "'=1+1", "+15550100": "'+15550100", "-1": "'-1", "@x": "'@x", "\tx": "'\tx", "\rx": "'\rx", " =x": "' =x", "\u00a0=x": "'\u00a0=x", "＝x": "'＝x", "a=b": "a=b", " x": " x"} {
		if got := defuse(in); got != out {
			t.Errorf("%q: %q", in, got)
		}
	}
}

func FuzzCSV(f *testing.F) {
	for _, s := range []string{"", "a,b", "a\"b", "a\r\nb", "=cmd", "\t=x", "\r", "'", "\u202e", "\xff", " ＠"} {
		f.Add(s, "x")
	}
	f.Fuzz(func(t *testing.T, a, b string) {
		data, err := encodeCSV([][]string{{"h1", "h2"}, {a, b}})
		if err != nil {
			t.Fatal(err)
		}
		r := csv.NewReader(bytes.NewReader(data))
		rows, err := r.ReadAll()
		if err != nil || len(rows) != 2 || len(rows[1]) != 2 {
			t.Fatalf("%q: %v %v", data, rows, err)
		}
		// Lines in a cell end with CRLF in the file, and a CR alone is left out.
		same := func(s string) string { return strings.ReplaceAll(s, "\r", "") }
		for i, cell := range []string{a, b} {
			if got := same(rows[1][i]); got != same(defuse(cell)) {
				t.Errorf("%q became %q", cell, got)
			}
			if got := rows[1][i]; got != "" && strings.ContainsAny(got[:1], "=+-@\t\r") {
				t.Errorf("%q is a formula", got)
			}
		}
	})
}

func FuzzFilter(f *testing.F) {
	for _, s := range []string{"", "agent=a&from=2026-03-01&to=2026-03-02&page=2", "page=1", "event=role&session=s1", "from=x", "a=b", "agent=a;b", "supervisor=%00"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		q, err := url.ParseQuery(s)
		if err != nil {
			return
		}
		got, err := parseFilter(q, time.UTC, noon)
		if err != nil {
			return
		}
		back, err := url.ParseQuery(got.query(got.Page))
		if err != nil {
			t.Fatalf("%q: %v", got.query(got.Page), err)
		}
		again, err := parseFilter(back, time.UTC, noon)
		if err != nil || again != got {
			t.Errorf("%q: %+v, then %+v, %v", s, got, again, err)
		}
		if _, g := slicePage(make([]int, 120), got, 50, false); g.Page < 1 || g.Page > 3 {
			t.Errorf("page %d", g.Page)
		}
	})
}

func TestFilterBeginsWithSomeDays(t *testing.T) {
	f, err := parseFilter(url.Values{}, time.UTC, noon)
	if err != nil || f.From != "2026-02-23" || !f.until.IsZero() {
		t.Errorf("%+v %v", f, err)
	}
	berlin := time.FixedZone("CET", 3600)
	f, err = parseFilter(url.Values{"from": {"2026-03-01"}, "to": {"2026-03-01"}}, berlin, noon)
	if err != nil || f.until.Sub(f.since) != 24*time.Hour || f.since.UTC().Hour() != 23 {
		t.Errorf("%v %v %v", f.since, f.until, err)
	}
}

func TestPaging(t *testing.T) {
	list := make([]int, 101)
	for i := range list {
		list[i] = i
	}
	for page, want := range map[int][]int{1: {0, 50}, 2: {50, 100}, 3: {100, 101}, 9: {100, 101}} {
		got, g := slicePage(list, filter{Page: page, Agent: "a b"}, 50, false)
		if got[0] != want[0] || got[len(got)-1] != want[1]-1 || g.Pages != 3 {
			t.Errorf("page %d: %d to %d, %+v", page, got[0], got[len(got)-1], g)
		}
		if page == 2 && (g.Newer != "?agent=a+b" || g.Older != "?agent=a+b&page=3") {
			t.Errorf("%+v", g)
		}
	}
	if got, g := slicePage([]int(nil), filter{Page: 1}, 50, false); len(got) != 0 || g.Pages != 1 || g.Newer+g.Older != "" {
		t.Errorf("%v %+v", got, g)
	}
}

// trail is a service whose audit stream answers as the store does.
type trail struct {
	wire.Service
	records []wire.AuditRecord // oldest first
	hide    func(wire.AuditRecord) bool
	asked   int
	export  []byte
}

func (s *trail) Audit(_ context.Context, f wire.AuditFilter) ([]wire.AuditRecord, error) {
	s.asked++
	var out []wire.AuditRecord
	for _, r := range slices.Backward(s.records) {
		if len(out) == f.Limit || r.Time.Before(f.Since) {
			break
		}
		if f.Until.IsZero() || r.Time.Before(f.Until) {
			out = append(out, r)
		}
	}
	slices.Reverse(out)
	if s.hide != nil {
		out = slices.DeleteFunc(out, s.hide)
	}
	return out, nil
}

func TestCollect(t *testing.T) {
	list := func(n int, at func(i int) time.Time) []wire.AuditRecord {
		var out []wire.AuditRecord
		for i := range n {
			out = append(out, wire.AuditRecord{ID: fmt.Sprintf("%d-0", i), Time: at(i), Event: "role", Session: "s"})
		}
		return out
	}
	steady := func(i int) time.Time { return noon.Add(time.Duration(i) * time.Second) }
	late := func(i int) time.Time {
		if i%7 == 0 {
			return noon.Add(time.Duration(max(i-50, 0)) * time.Second) // stored later than it happened
		}
		return steady(i)
	}
	odd := func(r wire.AuditRecord) bool { return r.Time.Second()%2 == 1 }
	for name, tc := range map[string]struct {
		records []wire.AuditRecord
		limit   int
		hide    func(wire.AuditRecord) bool
		n       int
		more    bool
	}{
		"none":              {nil, 100, nil, 0, false},
		"one":               {list(1, steady), 100, nil, 1, false},
		"few":               {list(999, steady), 10_000, nil, 999, false},
		"exactly one page":  {list(1000, steady), 10_000, nil, 1000, false},
		"several pages":     {list(5321, steady), 10_000, nil, 5321, false},
		"late ones":         {list(5321, late), 10_000, nil, 5321, false},
		"more than wanted":  {list(5321, steady), 2000, nil, 2000, true},
		"as many as wanted": {list(2000, steady), 2000, nil, 2000, false},
		"all at once":       {list(3000, func(int) time.Time { return noon }), 10_000, nil, 1000, true},
		"some are hidden":   {list(5000, steady), 10_000, odd, 2500, false},
	} {
		s := &trail{records: tc.records, hide: tc.hide}
		p, err := New(Options{Service: s, Accounts: newHouse(t).people})
		if err != nil {
			t.Fatal(err)
		}
		ctx := wire.WithActor(t.Context(), wire.Actor{Account: "anna", Admin: tc.hide == nil})
		got, more, err := p.collect(ctx, wire.AuditFilter{}, tc.limit, everything)
		if err != nil || len(got) != tc.n || more != tc.more {
			t.Errorf("%s: %d records, more %t, %v; want %d, %t", name, len(got), more, err, tc.n, tc.more)
		}
		seen := map[string]bool{}
		for _, r := range got {
			if seen[r.ID] {
				t.Fatalf("%s: %s comes twice", name, r.ID)
			}
			seen[r.ID] = true
		}
		if len(tc.records) > 0 && tc.hide == nil && got[len(got)-1].ID != tc.records[len(tc.records)-1].ID {
			t.Errorf("%s: the newest is missing", name)
		}
		if s.asked > tc.n/750*2+4 {
			t.Errorf("%s: asked %d times", name, s.asked)
		}
	}
}

func TestListsReadNoMoreThanTheyShow(t *testing.T) {
	s := &trail{}
	for i := range maxShown + 5000 {
		s.records = append(s.records, wire.AuditRecord{ID: fmt.Sprintf("%d-0", i), Time: noon.Add(time.Duration(i) * time.Second), Event: []string{"requested", "ended"}[i%2],
			Session: fmt.Sprint("s", i/2), Agent: "eve", Supervisor: "anna"})
	}
	b := newHouse(t, func(o *Options) { o.Service = s }).browser(t).enter("anna")
	for path, tc := range map[string]struct {
		asked int
		says  []string
	}{
		"/audit?page=1":           {1, []string{"Newest first.", `rel="next" href="?page=2"`, "<span>Page 1</span>"}},
		"/audit?page=30":          {5, []string{"Newest first.", `rel="next" href="?page=31"`}},
		"/audit?page=100":         {14, []string{"older ones are missing", "Page 100"}},
		"/audit?event=ended":      {1, []string{`rel="next" href="?event=ended&amp;page=2"`}},
		"/sessions?page=1":        {1, []string{"Newest first.", `rel="next" href="?page=2"`}},
		"/sessions?page=20":       {3, []string{"Newest first.", "Page 20"}},
		"/sessions?page=300":      {14, []string{"older sessions are missing"}},
		"/sessions?to=2026-03-01": {15, []string{"Newest first."}},
	} {
		s.asked = 0
		want(t, b.get(path), 200, tc.says...)
		if s.asked > tc.asked {
			t.Errorf("%s: asked %d times", path, s.asked)
		}
	}
}

func (s *trail) ExportAudit(_ context.Context, _ wire.AuditFilter, w io.Writer) error {
	_, err := w.Write(s.export)
	return err
}

func (s *trail) Sessions(context.Context) ([]wire.Session, error) { return nil, nil }

func TestAFileHasEverythingOrIsRefused(t *testing.T) {
	one := wire.AuditRecord{Seq: 7, ID: "7-0", Hash: "abc", Time: noon, Event: "ended", Session: "s1", Supervisor: "anna", Agent: "eve"}
	broken := func(lines ...string) []byte { return []byte(strings.Join(lines, "\n") + "\n") }
	for name, tc := range map[string]struct {
		export []byte
		status int
		says   string
	}{
		"whole":             {exportLines(t, []wire.AuditRecord{one}), 200, "7-0,7,abc,2026-03-01T12:00:00Z,ended,s1,anna"},
		"not understood":    {broken(`{"id":"8-0","raw":"AAA="}`, `{"end":{"records":1,"head":""}}`), 200, "8-0,,,0001-01-01T00:00:00Z,unreadable"},
		"broken off":        {broken(`{"id":"8-0","record":{}}`), 500, "Something went wrong"},
		"failed":            {broken(`{"error":{"code":9026,"message":"x"}}`, `{"end":{"records":0,"head":""}}`), 500, "Something went wrong"},
		"no lines":          {broken(`{`), 500, "Something went wrong"},
		"too many for that": {exportLines(t, slices.Repeat([]wire.AuditRecord{one}, 3001)), 413, "Choose fewer days"},
	} {
		h := newHouse(t, func(o *Options) { o.Service = &trail{export: tc.export} })
		h.panel.most = 3000
		w := h.browser(t).enter("anna").get("/audit.csv?page=1")
		if want(t, w, tc.status, tc.says); tc.status != 200 && strings.Contains(w.Header().Get("Content-Type"), "csv") {
			t.Errorf("%s: %v", name, w.Header())
		}
	}
	s := &trail{}
	for i := range 3001 {
		s.records = append(s.records, wire.AuditRecord{ID: fmt.Sprintf("%d-0", i), Time: noon.Add(time.Duration(i) * time.Millisecond), Event: "role"})
	}
	h := newHouse(t, func(o *Options) { o.Service = s })
	h.panel.most = 3000
	want(t, h.browser(t).enter("bert").get("/audit.csv?page=1"), 413, "Choose fewer days")
}

func FuzzExport(f *testing.F) {
	f.Add(exportLines(f, []wire.AuditRecord{{ID: "1-0", Event: "role", Time: noon}}))
	f.Add([]byte(`{"record":[]}`))
	f.Add([]byte("{\"record\":{\"event\":\"x\"}}\n{\"end\":{}}\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		x := &exported{limit: 3}
		n, err := x.Write(data)
		if len(x.list) > 3 || err == nil && n != len(data) {
			t.Errorf("%d records, %d of %d bytes, %v", len(x.list), n, len(data), err)
		}
		for _, r := range x.list {
			if r.Event == "" {
				t.Errorf("%+v", r)
			}
		}
	})
}
