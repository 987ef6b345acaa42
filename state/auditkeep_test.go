package state_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"livemon/internal/wire"
	"livemon/state"
)

// TestTrimming removes what is old, from the old end, and leaves a chain that
// can be verified from there, also by whom has noted a head.
func TestTrimming(t *testing.T) {
	each(t, func(t *testing.T, s *state.Store) {
		ctx := context.Background()
		last := old(t, s, 350)
		before := readStream(t, s)
		appendMany(t, s, 5)
		newer := value(state.ParseHead(value(s.AuditHead(ctx))(t).Head))(t)
		whole := export(t, s, wire.AuditFilter{})
		if n := value(s.TrimAudit(ctx, time.Hour))(t); n != 350 {
			t.Errorf("%d removed", n)
		}
		r := unbroken(t, s)
		if r.First != 351 || r.Last != 356 || r.Records != 6 || r.Anchor != last.String() {
			t.Errorf("%+v", r)
		}
		recs := audit(t, s, wire.AuditFilter{})
		if got := recs[len(recs)-1]; got.Event != state.EventTrimmed || got.Anchor != last.String() || got.Via != "controller" || got.Detail == "" {
			t.Errorf("%+v", got)
		}
		// Nothing is left to do, and doing nothing is not recorded.
		if n := value(s.TrimAudit(ctx, time.Hour))(t); n != 0 || len(readStream(t, s)) != 6 {
			t.Errorf("%d removed again", n)
		}
		data := export(t, s, wire.AuditFilter{})
		for _, h := range []state.Head{newer, last} {
			if r := verify(t, data, h); !r.OK || len(r.Confirmed) != 1 {
				t.Errorf("noted head %s: %+v", h, r)
			}
		}
		for want, h := range map[string]state.Head{
			"head 100":    before.head(99),
			"changed 351": {Seq: 350, Hash: strings.Repeat("a", 64)},
			"changed 355": {Seq: 355, Hash: strings.Repeat("a", 64)},
			"missing 357": {Seq: 357, Hash: strings.Repeat("a", 64)},
		} {
			if got := problems(verify(t, data, h)); got != want {
				t.Errorf("noted head %.20s: found %q, want %q", h, got, want)
			}
		}
		// One that was exported before joins what was exported after.
		if r := verify(t, whole, last, newer); !r.OK || len(r.Confirmed) != 2 {
			t.Errorf("%+v", r)
		}
		// What is removed beyond what was recorded is missing.
		x := readStream(t, s)
		x[2:].write(t, s)
		if got := problems(verify(t, export(t, s, wire.AuditFilter{}))); got != "missing 351-352" {
			t.Errorf("found %q", got)
		}
	})
}

// TestAForgedRemoval: somebody takes records out of the middle and adds, chained
// as it should be, that retention removed them. All before them counts as
// removed then, which no noted head from there survives.
func TestAForgedRemoval(t *testing.T) {
	each(t, func(t *testing.T, s *state.Store) {
		ctx := context.Background()
		appendMany(t, s, 20)
		x := readStream(t, s)
		rec := record(state.EventTrimmed)
		rec.Anchor = x.head(11).String()
		value(s.AppendAudit(ctx, rec))(t)
		for _, m := range x[9:12] {
			must(t, s.Client().XDel(ctx, state.AuditKey(), m.ID).Err())
		}
		data := export(t, s, wire.AuditFilter{})
		if r := verify(t, data, x.head(19)); !r.OK || r.First != 13 || r.Records != 9 || r.Anchor != rec.Anchor || len(r.Confirmed) != 1 {
			t.Errorf("%+v", r)
		}
		for i := range 11 {
			if r := verify(t, data, x.head(i)); r.OK || problems(r) != fmt.Sprint("head ", i+1) || len(r.Confirmed) != 0 {
				t.Errorf("noted head %d: %+v", i+1, r)
			}
		}
		if r := verify(t, data, x.head(11)); !r.OK {
			t.Errorf("the last one removed: %+v", r)
		}
	})
}

// TestTrimmingIsGoneOnWith after a removal that was recorded but not made, or
// made in part only; meanwhile the chain holds.
func TestTrimmingIsGoneOnWith(t *testing.T) {
	each(t, func(t *testing.T, s *state.Store) {
		ctx := context.Background()
		last := old(t, s, 300)
		rec := record(state.EventTrimmed)
		rec.Anchor = last.String()
		value(s.AppendAudit(ctx, rec))(t)
		if r := unbroken(t, s); r.First != 1 || r.Anchor != "" {
			t.Errorf("%+v", r)
		}
		must(t, s.Client().XTrimMinID(ctx, state.AuditKey(), "120-0").Err())
		if r := unbroken(t, s); r.First != 120 || r.Anchor != last.String() {
			t.Errorf("%+v", r)
		}
		if n := value(s.TrimAudit(ctx, time.Hour))(t); n != 181 {
			t.Errorf("%d removed", n)
		}
		if r := unbroken(t, s); r.First != 301 || r.Records != 2 {
			t.Errorf("%+v", r)
		}
	})
}

// TestOnlyTracesAreLeftAlone: a stream in which nothing happens does not keep
// itself busy with removing the traces of removals.
func TestOnlyTracesAreLeftAlone(t *testing.T) {
	each(t, func(t *testing.T, s *state.Store) {
		ctx := context.Background()
		rec := record(state.EventTrimmed)
		for range 3 {
			value(s.AppendAudit(ctx, rec))(t)
		}
		keep := time.Millisecond
		mark := value(s.Client().Time(ctx).Result())(t)
		if !until(func() bool {
			return value(s.Client().Time(ctx).Result())(t).Sub(mark) > 10*keep && time.Since(mark) > 10*keep
		}) {
			t.Fatal("time stands still")
		}
		if n := value(s.TrimAudit(ctx, keep))(t); n != 0 {
			t.Errorf("%d removed", n)
		}
		value(s.AppendAudit(ctx, record("ended")))(t)
		if !until(func() bool { n, err := s.TrimAudit(ctx, keep); return err == nil && n >= 4 }) {
			t.Error("nothing is removed although there is more")
		}
		unbroken(t, s)
	})
}

func TestTrimmingWithoutAChain(t *testing.T) {
	each(t, func(t *testing.T, s *state.Store) {
		ctx := context.Background()
		if n := value(s.TrimAudit(ctx, time.Hour))(t); n != 0 || len(readStream(t, s)) != 0 {
			t.Errorf("%d removed from nothing", n)
		}
		for _, keep := range []time.Duration{0, -1} {
			_, err := s.TrimAudit(ctx, keep)
			wants(t, err, wire.ErrBadRequest)
		}
		for i := range 3 {
			x := xadd("r", `{"event":"requested"}`)
			x.ID = []string{"1-0", "1-18446744073709551615", "9-9"}[i]
			must(t, s.Client().XAdd(ctx, x).Err())
		}
		if n := value(s.TrimAudit(ctx, 200*365*24*time.Hour))(t); n != 0 {
			t.Errorf("%d removed that are not old enough", n)
		}
		if n := value(s.TrimAudit(ctx, time.Hour))(t); n != 3 {
			t.Errorf("%d removed", n)
		}
		if r := unbroken(t, s); r.Unprotected != 0 || r.First != 1 || r.Records != 1 {
			t.Errorf("%+v", r)
		}
	})
}

// TestControllersTrimTogether while others add.
func TestControllersTrimTogether(t *testing.T) {
	ctx := context.Background()
	s := open(t, all.url(t, "redis"))
	old(t, s, 30_000)
	var wg sync.WaitGroup
	for range 3 {
		wg.Go(func() {
			if _, err := s.TrimAudit(ctx, time.Hour); err != nil {
				t.Error(err)
			}
		})
		wg.Go(func() { appendMany(t, s, 10) })
	}
	data := export(t, s, wire.AuditFilter{}) // meanwhile: it may lose what is removed, but sees why
	wg.Wait()
	verify(t, data)
	if r := unbroken(t, s); r.First != 30_001 {
		t.Errorf("%+v", r)
	}
}

// overtaken is a writer during whose first lines retention removes the rest.
type overtaken struct {
	bytes.Buffer
	trim func()
}

func (o *overtaken) Write(p []byte) (int, error) {
	if bytes.Count(o.Bytes(), []byte{'\n'}) == 10 {
		o.trim()
	}
	return o.Buffer.Write(p)
}

// TestAnExportThatIsOvertaken by retention while it is being read lacks what was
// removed, but has the record of that: it is whole from there on. If more was
// removed than was recorded, that shows.
func TestAnExportThatIsOvertaken(t *testing.T) {
	ctx := context.Background()
	for name, c := range map[string]struct {
		n     int // records that are old
		newer int
		more  string // what is removed besides
		want  string
		first int64
	}{
		"some are old":       {n: 2000, newer: 5, first: 2001},
		"all are old":        {n: 2000, first: 2001},
		"a page is old":      {n: 500, newer: 5, first: 1}, // it had been read
		"more are removed":   {n: 2000, newer: 5, more: "2", want: "missing 2001-2002", first: 1},
		"all but a page are": {n: 499, newer: 600, first: 1},
	} {
		t.Run(name, func(t *testing.T) {
			each(t, func(t *testing.T, s *state.Store) {
				old(t, s, c.n)
				appendMany(t, s, c.newer)
				x := readStream(t, s)
				o := &overtaken{trim: func() {
					value(s.TrimAudit(ctx, time.Hour))(t)
					if c.more != "" {
						must(t, s.Client().XDel(ctx, state.AuditKey(), x[c.n].ID, x[c.n+1].ID).Err())
					}
				}}
				must(t, s.ExportAudit(ctx, wire.AuditFilter{}, o))
				r := verify(t, o.Bytes())
				if got := problems(r); got != c.want || c.want == "" && r.First != c.first {
					t.Errorf("found %q, want %q: %+v", got, c.want, r)
				}
			})
		})
	}
}

// TestKeepAudit removes at once what is too old, and notes the head in the log.
func TestKeepAudit(t *testing.T) {
	for _, keep := range []time.Duration{0, time.Hour} {
		log := &syncBuffer{}
		s, err := state.Open(context.Background(), "embedded", state.Options{Logger: slog.New(slog.NewTextHandler(log, nil))})
		must(t, err)
		old(t, s, 5)
		appendMany(t, s, 1)
		ctx, cancel := context.WithCancel(context.Background())
		done := make(chan error, 1)
		go func() { done <- s.KeepAudit(ctx, keep) }()
		if !until(func() bool { return strings.Contains(log.String(), "head=") }) {
			t.Fatalf("the head is not logged: %s", log.String())
		}
		cancel()
		wants(t, <-done, context.Canceled)
		h := value(s.AuditHead(context.Background()))(t)
		want := map[time.Duration]int64{0: 6, time.Hour: 2}[keep]
		if h.Records != want || !strings.Contains(log.String(), "head="+h.Head) {
			t.Errorf("keeping for %v: %d records, logged %s", keep, h.Records, log.String())
		}
		if keep > 0 && !strings.Contains(log.String(), "records=5") {
			t.Errorf("logged %s", log.String())
		}
		must(t, s.Close())
	}
	// A store that is away is told of, and waited for.
	log := &syncBuffer{}
	s, err := state.Open(context.Background(), "unix:///nowhere/s", state.Options{Logger: slog.New(slog.NewTextHandler(log, nil))})
	must(t, err)
	defer func() { must(t, s.Close()) }()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.KeepAudit(ctx, time.Hour) }()
	if !until(func() bool { return strings.Contains(log.String(), "level=WARN") }) {
		t.Errorf("logged %s", log.String())
	}
	cancel()
	wants(t, <-done, context.Canceled)
}

type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// TestExportsHoldWhatIsAskedFor, from beginning to end, however many there are.
func TestExportsHoldWhatIsAskedFor(t *testing.T) {
	each(t, func(t *testing.T, s *state.Store) {
		ctx := context.Background()
		old(t, s, 1300)
		start := time.Now().UTC()
		appendMany(t, s, 20)
		for _, c := range []struct {
			f        wire.AuditFilter
			want     int64
			filtered bool
		}{
			{wire.AuditFilter{}, 1320, false},
			{wire.AuditFilter{Limit: 3, After: "5-0"}, 1320, false},
			{wire.AuditFilter{Agent: "a1"}, 10, true},
			{wire.AuditFilter{Supervisor: "boss"}, 20, true},
			{wire.AuditFilter{Supervisor: "nobody"}, 0, true},
			{wire.AuditFilter{Session: "old1299"}, 1, true},
			{wire.AuditFilter{Since: start}, 20, true},
			{wire.AuditFilter{Until: start}, 1300, true},
			{wire.AuditFilter{Since: start, Until: start}, 0, true},
		} {
			r := verify(t, export(t, s, c.f))
			if !r.OK || r.Records != c.want || r.Filtered != c.filtered {
				t.Errorf("%+v: %+v", c.f, r)
			}
		}
		enough := errors.New("enough")
		for after := range 3 {
			wants(t, s.ExportAudit(ctx, wire.AuditFilter{}, &failing{after, enough}), enough)
		}
		wants(t, s.ExportAudit(ctx, wire.AuditFilter{Supervisor: "nobody"}, &failing{1, enough}), enough)
		cancelled, cancel := context.WithCancel(ctx)
		cancel()
		wants(t, s.ExportAudit(cancelled, wire.AuditFilter{}, &bytes.Buffer{}), context.Canceled)
	})
}

type failing struct {
	left int
	err  error
}

func (f *failing) Write(p []byte) (int, error) {
	if f.left--; f.left < 0 {
		return 0, f.err
	}
	return len(p), nil
}

// TestHostileEntriesAreExported as they are, and fit for a terminal.
func TestHostileEntriesAreExported(t *testing.T) {
	junk := []string{"", "null", "{}", "{", "\n", "{\"a\":\"\n\"}", `{"a": 1}`, `{"a":"<"}`, "\xff", "{\"a\":\"\xff\"}", "{\"a\":\"\u009b31m\"}", "{\"a\":\"\x7f\"}", "\x1b[31m",
		strings.Repeat("x", 70_000), `{"event":"trimmed","anchor":"999:` + strings.Repeat("a", 64) + `"}`}
	each(t, func(t *testing.T, s *state.Store) {
		ctx := context.Background()
		rec := record("agent \u009b31m\x7f\u2028\"<>&")
		rec.Agent = "\xff\x00\r\n\x1b[31m"
		value(s.AppendAudit(ctx, rec))(t)
		if got := audit(t, s, wire.AuditFilter{}); got[0].Event != rec.Event {
			t.Errorf("%q", got[0].Event)
		}
		if r := unbroken(t, s); r.Records != 1 {
			t.Errorf("%+v", r)
		}
		for _, v := range junk {
			must(t, s.Client().XAdd(ctx, xadd("r", v)).Err())
			must(t, s.Client().XAdd(ctx, &redis.XAddArgs{Stream: state.AuditKey(), Values: map[string]any{"r": v, "q": v, "p": v, "h": v}}).Err())
		}
		must(t, s.Client().XAdd(ctx, xadd("other", "x")).Err())
		data := export(t, s, wire.AuditFilter{})
		if i := bytes.IndexFunc(data, func(r rune) bool { return r < ' ' && r != '\n' || r >= 0x7f && r <= 0x9f }); i >= 0 {
			t.Errorf("the export holds %q", data[max(0, i-50):i+10])
		}
		r := verify(t, data)
		if len(r.Problems) != 2*len(junk)+1 || r.Anchor != "" {
			t.Errorf("%d problems: %s", len(r.Problems), problems(r))
		}
		value(s.AppendAudit(ctx, record("on it goes")))(t)
		if h := value(s.AuditHead(ctx))(t); !strings.HasPrefix(h.Head, "2:") {
			t.Errorf("head %s", h.Head)
		}
	})
}
