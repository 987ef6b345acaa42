package state_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"

	"livemon/internal/fault"
	"livemon/internal/wire"
	"livemon/state"
)

// stored is the stream as somebody sees and writes it who has Redis.
type stored []redis.XMessage

func readStream(tb testing.TB, s *state.Store) stored {
	tb.Helper()
	return value(s.Client().XRange(context.Background(), state.AuditKey(), "-", "+").Result())(tb)
}

// write replaces the stream; the places are kept, but in order.
func (x stored) write(tb testing.TB, s *state.Store) {
	tb.Helper()
	ctx := context.Background()
	must(tb, s.Client().Del(ctx, state.AuditKey()).Err())
	for i, m := range x {
		must(tb, s.Client().XAdd(ctx, &redis.XAddArgs{Stream: state.AuditKey(), ID: strconv.Itoa(i+1) + "-0", Values: m.Values}).Err())
	}
}

// relink makes one entry look as if it had been written after the one before it.
func (x stored) relink(i int, before state.Head) state.Head {
	m := redis.XMessage{ID: x[i].ID, Values: maps.Clone(x[i].Values)}
	prev, h := state.Link(before, m.Values["r"].(string))
	m.Values["q"], m.Values["p"], m.Values["h"] = strconv.FormatInt(h.Seq, 10), prev, h.Hash
	x[i] = m
	return h
}

func (x stored) head(i int) state.Head {
	seq, _ := strconv.ParseInt(x[i].Values["q"].(string), 10, 64)
	return state.Head{Seq: seq, Hash: x[i].Values["h"].(string)}
}

// set changes a field of one entry, and of that alone.
func (x stored) set(i int, field, text string) {
	v := maps.Clone(x[i].Values)
	v[field] = text
	x[i].Values = v
}

func export(tb testing.TB, s *state.Store, f wire.AuditFilter) []byte {
	tb.Helper()
	var b bytes.Buffer
	must(tb, s.ExportAudit(context.Background(), f, &b))
	return b.Bytes()
}

func verify(tb testing.TB, data []byte, noted ...state.Head) wire.AuditReport {
	tb.Helper()
	r, err := state.NewVerifier(noted...).Verify(bytes.NewReader(data))
	must(tb, err)
	if r.OK != (len(r.Problems) == 0) {
		tb.Errorf("ok is %v with %d problems", r.OK, len(r.Problems))
	}
	return r
}

// problems are the report's, as in "missing 5" or "missing 5-7".
func problems(r wire.AuditReport) string {
	var out []string
	for _, p := range r.Problems {
		text := p.Kind
		if p.Seq > 0 {
			text += fmt.Sprint(" ", p.Seq)
		}
		if p.To > p.Seq {
			text += fmt.Sprint("-", p.To)
		}
		out = append(out, text)
	}
	return strings.Join(out, ", ")
}

func appendMany(tb testing.TB, s *state.Store, n int) {
	tb.Helper()
	for i := range n {
		rec := record("requested")
		rec.Session, rec.Agent, rec.Supervisor = fmt.Sprint("s", i), fmt.Sprint("a", i%2), "boss"
		value(s.AppendAudit(context.Background(), rec))(tb)
	}
}

// TestTampering has somebody who can write to Redis damage a stream of ten
// records. What he did is found and named.
func TestTampering(t *testing.T) {
	ctx := context.Background()
	for name, c := range map[string]struct {
		do    func(t *testing.T, s *state.Store, x stored) stored // nil leaves the stream alone
		want  string
		noted string // what is found besides by whom has noted the head, if that differs
	}{
		"nothing": {want: ""},
		"one is removed": {want: "missing 5", do: func(_ *testing.T, _ *state.Store, x stored) stored {
			return slices.Delete(x, 4, 5)
		}},
		"several are removed": {want: "missing 2-3, missing 7-8", do: func(_ *testing.T, _ *state.Store, x stored) stored {
			return slices.Delete(slices.Delete(x, 6, 8), 1, 3)
		}},
		"the first is removed": {want: "missing 1", do: func(_ *testing.T, _ *state.Store, x stored) stored { return x[1:] }},
		"the last is removed":  {want: "missing 10", do: func(_ *testing.T, _ *state.Store, x stored) stored { return x[:9] }},
		"everything is removed": {want: "missing 1-10", do: func(_ *testing.T, _ *state.Store, x stored) stored {
			return x[:0]
		}},
		"the last are removed, and the head set back": {want: "", noted: "missing 8-10", do: func(t *testing.T, s *state.Store, x stored) stored {
			must(t, s.Client().Set(ctx, state.AuditHeadKey(), x.head(6).String(), 0).Err())
			return x[:7]
		}},
		"everything, and the head": {want: "", noted: "missing 1-10", do: func(t *testing.T, s *state.Store, x stored) stored {
			must(t, s.Client().Del(ctx, state.AuditHeadKey()).Err())
			return x[:0]
		}},
		"one is changed": {want: "changed 5", do: func(_ *testing.T, _ *state.Store, x stored) stored {
			x.set(4, "r", strings.Replace(x[4].Values["r"].(string), "boss", "bess", 1))
			return x
		}},
		"one is changed, and its hash": {want: "changed 5", do: func(_ *testing.T, _ *state.Store, x stored) stored {
			x.set(4, "r", strings.Replace(x[4].Values["r"].(string), "boss", "bess", 1))
			x.relink(4, x.head(3))
			return x
		}},
		"the last is changed, and its hash": {want: "changed 10", do: func(_ *testing.T, _ *state.Store, x stored) stored {
			x.set(9, "r", `{"event":"nothing"}`)
			x.relink(9, x.head(8))
			return x
		}},
		"the last is changed, its hash and the head": {want: "", noted: "changed 10", do: func(t *testing.T, s *state.Store, x stored) stored {
			x.set(9, "r", `{"event":"nothing"}`)
			must(t, s.Client().Set(ctx, state.AuditHeadKey(), x.relink(9, x.head(8)).String(), 0).Err())
			return x
		}},
		"the whole chain is written anew": {want: "", noted: "changed 10", do: func(t *testing.T, s *state.Store, x stored) stored {
			x.set(4, "r", `{"event":"nothing"}`)
			for i := 4; i < 10; i++ {
				must(t, s.Client().Set(ctx, state.AuditHeadKey(), x.relink(i, x.head(i-1)).String(), 0).Err())
			}
			return x
		}},
		"the first is changed, and its hash": {want: "changed 1", do: func(_ *testing.T, _ *state.Store, x stored) stored {
			x.set(0, "r", `{"event":"nothing"}`)
			x.relink(0, state.Head{})
			return x
		}},
		"the first is another chain's": {want: "changed 1", do: func(_ *testing.T, _ *state.Store, x stored) stored {
			_, h := state.Link(x.head(3), x[0].Values["r"].(string))
			x.set(0, "p", h.Hash)
			x.set(0, "h", h.Hash)
			return x
		}},
		"two neighbours are swapped": {want: "reordered 6", do: func(_ *testing.T, _ *state.Store, x stored) stored {
			x[4], x[5] = x[5], x[4]
			return x
		}},
		"two others are swapped": {want: "reordered 3, reordered 8", do: func(_ *testing.T, _ *state.Store, x stored) stored {
			x[2], x[7] = x[7], x[2]
			return x
		}},
		"one is moved forward": {want: "reordered 9", do: func(_ *testing.T, _ *state.Store, x stored) stored {
			m := x[8]
			return slices.Insert(slices.Delete(x, 8, 9), 3, m)
		}},
		"one is moved back": {want: "reordered 3", do: func(_ *testing.T, _ *state.Store, x stored) stored {
			m := x[2]
			return slices.Insert(slices.Delete(x, 2, 3), 6, m)
		}},
		"one without a link is inserted": {want: "inserted", do: func(_ *testing.T, _ *state.Store, x stored) stored {
			return slices.Insert(x, 4, redis.XMessage{Values: map[string]any{"r": `{"event":"requested"}`}})
		}},
		"one without a link is added": {want: "inserted", do: func(_ *testing.T, _ *state.Store, x stored) stored {
			return append(x, redis.XMessage{Values: map[string]any{"r": `{"event":"requested"}`}})
		}},
		"a forged one is inserted before": {want: "inserted 5", do: func(_ *testing.T, _ *state.Store, x stored) stored {
			x = slices.Insert(x, 4, redis.XMessage{Values: map[string]any{"r": `{"event":"requested"}`}})
			x.relink(4, x.head(3))
			return x
		}},
		"a forged one is inserted after": {want: "inserted 5", do: func(_ *testing.T, _ *state.Store, x stored) stored {
			x = slices.Insert(x, 5, redis.XMessage{Values: map[string]any{"r": `{"event":"requested"}`}})
			x.relink(5, x.head(3))
			return x
		}},
		"a forged one is inserted elsewhere": {want: "inserted 5", do: func(_ *testing.T, _ *state.Store, x stored) stored {
			x = slices.Insert(x, 8, redis.XMessage{Values: map[string]any{"r": `{"event":"requested"}`}})
			x.relink(8, x.head(3))
			return x
		}},
		"a forged one of a far number is inserted": {want: "inserted 900001", do: func(_ *testing.T, _ *state.Store, x stored) stored {
			x = slices.Insert(x, 5, redis.XMessage{Values: map[string]any{"r": `{"event":"requested"}`}})
			x.relink(5, state.Head{Seq: 900000, Hash: strings.Repeat("a", 64)})
			return x
		}},
		"a forged one is added": {want: "head 10", do: func(_ *testing.T, _ *state.Store, x stored) stored {
			x = append(x, redis.XMessage{Values: map[string]any{"r": `{"event":"requested"}`}})
			x.relink(10, x.head(9))
			return x
		}},
		"a forged one stands beside the last": {want: "inserted 10", do: func(_ *testing.T, _ *state.Store, x stored) stored {
			x = slices.Insert(x, 9, redis.XMessage{Values: map[string]any{"r": `{"event":"requested"}`}})
			x.relink(9, x.head(8))
			return x
		}},
		"one is there twice": {want: "inserted 5", do: func(_ *testing.T, _ *state.Store, x stored) stored { return slices.Insert(x, 5, x[4]) }},
		"one is replaced by another": {want: "inserted 3, missing 5", do: func(_ *testing.T, _ *state.Store, x stored) stored {
			x[4] = x[2]
			return x
		}},
		"a number is changed": {want: "changed 9, missing 5", do: func(_ *testing.T, _ *state.Store, x stored) stored {
			x.set(4, "q", "9")
			return x
		}},
		"a hash is changed": {want: "changed 5", do: func(_ *testing.T, _ *state.Store, x stored) stored {
			x.set(4, "h", strings.Repeat("0", 64))
			return x
		}},
		"a hash before is changed": {want: "changed 5", do: func(_ *testing.T, _ *state.Store, x stored) stored {
			x.set(4, "p", strings.Repeat("0", 64))
			return x
		}},
		"a link is no link": {want: "changed, missing 5", do: func(_ *testing.T, _ *state.Store, x stored) stored {
			x.set(4, "q", "05")
			return x
		}},
		"a link is taken away": {want: "inserted, missing 5", do: func(_ *testing.T, _ *state.Store, x stored) stored {
			x[4].Values = map[string]any{"r": x[4].Values["r"]}
			return x
		}},
		"the head is removed": {want: "head", do: func(t *testing.T, s *state.Store, _ stored) stored {
			must(t, s.Client().Del(ctx, state.AuditHeadKey()).Err())
			return nil
		}},
		"the head is nonsense": {want: "head", do: func(t *testing.T, s *state.Store, _ stored) stored {
			must(t, s.Client().Set(ctx, state.AuditHeadKey(), strings.Repeat("x", 1<<16), 0).Err())
			return nil
		}},
		"the head is of another kind": {want: "head", do: func(t *testing.T, s *state.Store, _ stored) stored {
			must(t, s.Client().Del(ctx, state.AuditHeadKey()).Err())
			must(t, s.Client().SAdd(ctx, state.AuditHeadKey(), "x").Err())
			return nil
		}},
		"the head is set back": {want: "head 7", do: func(t *testing.T, s *state.Store, x stored) stored {
			must(t, s.Client().Set(ctx, state.AuditHeadKey(), x.head(6).String(), 0).Err())
			return nil
		}},
		"the head is another one": {want: "changed 10", do: func(t *testing.T, s *state.Store, _ stored) stored {
			must(t, s.Client().Set(ctx, state.AuditHeadKey(), "10:"+strings.Repeat("a", 64), 0).Err())
			return nil
		}},
	} {
		t.Run(name, func(t *testing.T) {
			each(t, func(t *testing.T, s *state.Store) {
				appendMany(t, s, 10)
				noted := value(state.ParseHead(value(s.AuditHead(ctx))(t).Head))(t)
				if c.do != nil {
					if x := c.do(t, s, readStream(t, s)); x != nil {
						x.write(t, s)
					}
				}
				data := export(t, s, wire.AuditFilter{})
				if got := problems(verify(t, data)); got != c.want {
					t.Errorf("found %q, want %q", got, c.want)
				}
				r := verify(t, data, noted)
				if c.noted != "" && problems(r) != c.noted {
					t.Errorf("by the head found %q, want %q", problems(r), c.noted)
				}
				if (c.want != "" || c.noted != "") == r.OK {
					t.Errorf("by the head ok is %v: %+v", r.OK, r)
				}
			})
		})
	}
}

// chainOf is an export without a Redis, of n records, and its last head.
func chainOf(n int) ([]string, state.Head) {
	lines := []string{""}
	var h state.Head
	for i := range n {
		rec := fmt.Sprintf(`{"id":"","time":"2026-03-01T09:30:00Z","event":"requested","session":"s%d"}`, i)
		var prev string
		prev, h = state.Link(h, rec)
		lines = append(lines, fmt.Sprintf(`{"id":"%d-0","seq":%d,"prev":"%s","hash":"%s","record":%s}`, i+1, h.Seq, prev, h.Hash, rec))
	}
	lines[0] = fmt.Sprintf(`{"export":{"version":1,"time":"2026-03-01T09:30:00Z","head":"%s"}}`, h)
	return append(lines, fmt.Sprintf(`{"end":{"records":%d,"head":"%s"}}`, n, h)), h
}

func text(lines []string) []byte { return []byte(strings.Join(lines, "\n") + "\n") }

// TestEveryLineCounts takes every line of an export away, puts it everywhere
// else, doubles it, and changes every byte of it that is not its place.
func TestEveryLineCounts(t *testing.T) {
	lines, head := chainOf(7)
	if r := verify(t, text(lines), head); !r.OK || r.Records != 7 || r.First != 1 || r.Last != 7 || r.Head != head.String() || !slices.Equal(r.Confirmed, []string{head.String()}) {
		t.Fatalf("%+v", r)
	}
	bad := func(what string, lines []string) {
		t.Helper()
		r, err := state.NewVerifier(head).Verify(bytes.NewReader(text(lines)))
		if err == nil && r.OK {
			t.Errorf("%s is not found", what)
		}
		if err != nil && !errors.Is(err, state.ErrNoExport) && fault.Of(err) == 0 && !strings.Contains(err.Error(), "broke off") {
			t.Errorf("%s: %v", what, err)
		}
	}
	for i := range lines {
		rest := slices.Delete(slices.Clone(lines), i, i+1)
		bad(fmt.Sprintf("without line %d", i), rest)
		for j := range lines {
			if moved := slices.Insert(slices.Clone(rest), j, lines[i]); !slices.Equal(moved, lines) {
				bad(fmt.Sprintf("with line %d at %d", i, j), moved)
			}
			bad(fmt.Sprintf("with line %d again at %d", i, j), slices.Insert(slices.Clone(lines), j, lines[i]))
		}
	}
	for i := 1; i <= 7; i++ {
		from := strings.Index(lines[i], `"seq"`)
		for at := from; at < len(lines[i]); at++ {
			for _, x := range []byte{0x01, 0x20, 0x80} {
				b := []byte(lines[i])
				b[at] ^= x
				changed := slices.Clone(lines)
				changed[i] = string(b)
				bad(fmt.Sprintf("line %d with %s", i, b), changed)
			}
		}
	}
}

func TestWhatIsNoExport(t *testing.T) {
	lines, _ := chainOf(3)
	for name, data := range map[string]string{
		"nothing":              "",
		"a line break":         "\n",
		"something else":       "hello\n",
		"no first line":        strings.Join(lines[1:], "\n") + "\n",
		"another version":      strings.Replace(string(text(lines)), `"version":1`, `"version":2`, 1),
		"one endless line":     strings.Repeat("x", 1<<20),
		"an endless line":      lines[0] + "\n" + strings.Repeat("x", 1<<20) + "\n",
		"a list of records":    `[{"id":"1-0","event":"requested"}]`,
		"half of a first line": lines[0][:10],
	} {
		if r, err := state.NewVerifier().Verify(strings.NewReader(data)); !errors.Is(err, state.ErrNoExport) {
			t.Errorf("%s: %+v, %v", name, r, err)
		}
	}
	broken := append(slices.Clone(lines[:3]), `{"error":{"code":9026,"message":"gone"}}`)
	if _, err := state.NewVerifier().Verify(bytes.NewReader(text(broken))); fault.Of(err) != fault.StoreUnavailable {
		t.Errorf("an export that broke off: %v", err)
	}
	broken[3] = `{"error":{"code":500,"message":"gone"}}`
	if _, err := state.NewVerifier().Verify(bytes.NewReader(text(broken))); err == nil {
		t.Error("an export that broke off counts")
	}
	for name, c := range map[string]struct{ data, want string }{
		"cut off":              {string(text(lines[:4])), "incomplete"},
		"cut off within":       {string(text(lines[:3])) + lines[3][:50], "incomplete, missing 3"},
		"cut off by a byte":    {strings.TrimSuffix(string(text(lines)), "\n"), "incomplete"},
		"with spaces":          {strings.Replace(string(text(lines)), `{"id":"2-0",`, `{"id":"2-0", `, 1), "changed 2"},
		"with a field":         {strings.Replace(string(text(lines)), `{"id":"2-0",`, `{"id":"2-0","x":1,`, 1), "changed 2"},
		"with a second record": {strings.Replace(string(text(lines)), `{"id":"2-0",`, `{"record":{"event":"other"},"id":"2-0",`, 1), "changed 2"},
		"with an empty line":   {strings.Replace(string(text(lines)), "\n", "\n\n", 1), "changed, incomplete"},
		"with more":            {string(text(lines)) + lines[3] + "\n", "inserted"},
	} {
		if got := problems(verify(t, []byte(c.data))); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

func TestFilteredExports(t *testing.T) {
	lines, head := chainOf(9)
	filtered := slices.Clone(lines)
	filtered[0] = strings.TrimSuffix(lines[0], "}}") + `,"agent":"anna"}}`
	filtered = append(slices.Delete(slices.Clone(filtered), 4, 6)[:8], `{"end":{"records":7,"head":"`+head.String()+`"}}`)
	if r := verify(t, text(filtered)); !r.OK || !r.Filtered || r.Records != 7 {
		t.Errorf("%+v", r)
	}
	if r := verify(t, text(filtered), head); !r.OK || len(r.Confirmed) != 1 {
		t.Errorf("%+v", r)
	}
	for name, c := range map[string]struct {
		do   func([]string) []string
		want string
	}{
		"changed":            {func(l []string) []string { l[2] = strings.Replace(l[2], "s1", "s2", 1); return l }, "changed 2"},
		"swapped":            {func(l []string) []string { l[2], l[6] = l[6], l[2]; return l }, "reordered 3, reordered 6, reordered 7, reordered 2"},
		"doubled":            {func(l []string) []string { return slices.Insert(l, 2, l[2]) }, "inserted 2, incomplete"},
		"removed":            {func(l []string) []string { return slices.Delete(l, 2, 3) }, "incomplete"},
		"without the head":   {func(l []string) []string { return slices.Delete(l, 7, 8) }, "incomplete, head 9"},
		"a record's link":    {func(l []string) []string { l[3] = lines[3]; l[2] = forged(1, 2); return l }, "changed 1, changed 2"},
		"without its filter": {func(l []string) []string { l[0] = lines[0]; return l }, "missing 4-5"},
	} {
		got := problems(verify(t, text(c.do(slices.Clone(filtered))), head))
		if got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
	absent := state.Head{Seq: 4, Hash: strings.Repeat("a", 64)}
	if got := problems(verify(t, text(filtered), absent)); got != "head 4" {
		t.Errorf("a head that cannot be checked: %q", got)
	}
}

// forged is a line of a record that somebody has chained to nothing.
func forged(prev byte, seq int64) string {
	p, h := state.Link(state.Head{Seq: seq - 1, Hash: strings.Repeat(string('0'+prev), 64)}, `{"event":"x"}`)
	return fmt.Sprintf(`{"id":"%d-0","seq":%d,"prev":"%s","hash":"%s","record":{"event":"x"}}`, seq, seq, p, h.Hash)
}

// TestVerifyingNeedsLittleMemory, whatever is wrong.
func TestVerifyingNeedsLittleMemory(t *testing.T) {
	const n = 60_000
	for name, skip := range map[string]func(i int) bool{
		"whole":          func(int) bool { return false },
		"with gaps":      func(i int) bool { return i%3 == 1 },
		"in odd numbers": func(i int) bool { return i%2 == 1 },
	} {
		v := state.NewVerifier()
		var h state.Head
		var before, after runtime.MemStats
		must(t, second(v.Write([]byte(`{"export":{"version":1,"time":"2026-03-01T09:30:00Z","head":""}}`+"\n"))))
		written := 0
		for i := range n {
			if i == n/10 {
				runtime.GC()
				runtime.ReadMemStats(&before)
			}
			rec := `{"event":"requested","session":"` + strings.Repeat("x", 200) + `"}`
			var prev string
			if prev, h = state.Link(h, rec); skip(i) {
				continue
			}
			written++
			must(t, second(v.Write(fmt.Appendf(nil, `{"id":"1-0","seq":%d,"prev":"%s","hash":"%s","record":%s}`+"\n", h.Seq, prev, h.Hash, rec))))
		}
		runtime.GC()
		runtime.ReadMemStats(&after)
		must(t, second(v.Write(fmt.Appendf(nil, `{"end":{"records":%d,"head":"%s"}}`+"\n", written, h))))
		r := value(v.Report())(t)
		if grown := int64(after.HeapAlloc) - int64(before.HeapAlloc); grown > 1<<20 {
			t.Errorf("%s: %d bytes more after %d records", name, grown, n)
		}
		if name == "whole" != r.OK || len(r.Problems) > 100 || name != "whole" && r.More < n/4 {
			t.Errorf("%s: %d problems and %d more", name, len(r.Problems), r.More)
		}
	}
}

func second(_ int, err error) error { return err }

// FuzzVerify holds what it lets through against what was written: nobody who
// does not know of a second preimage has the noted head met by other records.
func FuzzVerify(f *testing.F) {
	lines, head := chainOf(4)
	want := recordsOf(text(lines))[:4]
	f.Add(text(lines))
	for i := range lines {
		f.Add(text(slices.Delete(slices.Clone(lines), i, i+1)))
		f.Add(text(slices.Insert(slices.Clone(lines), i, lines[max(1, i-1)])))
	}
	f.Add([]byte(`{"export":{"version":1,"time":"2026-03-01T09:30:00Z","head":"1:x","agent":"a"}}` + "\n" + forged(3, 1<<40) + "\n" + forged(4, 7) + "\n"))
	f.Add([]byte(strings.Replace(string(text(lines)), `"event":"requested"`, `"event":"trimmed","anchor":"3:`+strings.Repeat("a", 64)+`"`, 1)))
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := state.NewVerifier(head).Verify(bytes.NewReader(data))
		if err != nil {
			return
		}
		if len(r.Problems) > 100 {
			t.Errorf("%d problems", len(r.Problems))
		}
		if r.OK && !r.Filtered && r.Anchor == "" && !slices.Equal(recordsOf(data)[:4], want) {
			t.Errorf("other records are let through: %s", data)
		}
	})
}

func recordsOf(data []byte) []string {
	var out []string
	for line := range bytes.Lines(data) {
		var l wire.AuditLine
		if json.Unmarshal(line, &l) == nil && l.Seq > 0 {
			out = append(out, fmt.Sprint(l.Seq, string(l.Record), string(l.Raw)))
		}
	}
	return append(out, make([]string, 4)...)
}

func FuzzParseHead(f *testing.F) {
	for _, v := range []string{"", "1:", ":", "1:" + strings.Repeat("a", 64), "01:" + strings.Repeat("a", 64), "0:" + strings.Repeat("0", 64), "-1:x", strings.Repeat("9", 100) + ":" + strings.Repeat("A", 64)} {
		f.Add(v)
	}
	f.Fuzz(func(t *testing.T, v string) {
		if h, err := state.ParseHead(v); err == nil && (h.String() != v || h.Seq < 1 || len(h.Hash) != 64) {
			t.Errorf("%q is read as %+v", v, h)
		}
	})
}
