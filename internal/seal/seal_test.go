package seal_test

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"regexp"
	"strings"
	"testing"
	"time"

	"livemon/internal/seal"
)

func key(b byte) seal.Key { return seal.NewKey([32]byte{b}) }

var (
	made = time.UnixMicro(1_790_000_000_123_456)
	leg  = seal.Leg{Channel: "3f1f0b1e-9a52-4a0a-9a52-4a0a9a524a0a", Created: made}
	full = seal.Mark{Session: "s1", Supervisor: "Sue Hill", Account: "sue", Agent: "Änne (2)", Phone: "1050@example.com", Coaching: true,
		Call: "c1", Party: seal.Pupil, Whisper: "s2", Queue: "anna@default"}
)

func sign(t *testing.T, n seal.Node, l seal.Leg, m seal.Mark) string {
	t.Helper()
	v, err := n.Sign(l, m)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestMark(t *testing.T) {
	n := key(1).On("east")
	form := regexp.MustCompile(`^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]{43}$`)
	for _, m := range []seal.Mark{full, {}, {Session: "s"}, {Call: "c", Party: seal.User}, {Whisper: "s"}, {Queue: strings.Repeat("ä", 128)}} {
		v := sign(t, n, leg, m)
		if !form.MatchString(v) {
			t.Errorf("%q", v)
		}
		if got, err := n.Open(leg, v); err != nil || got != m {
			t.Errorf("%+v, %v, not %+v", got, err, m)
		}
	}
}

// A mark that was made before the leg opens then, and says so.
func TestEarlyMark(t *testing.T) {
	n, before := key(1).On("east"), leg
	before.Created = time.Time{}
	v := sign(t, n, before, full)
	want := full
	want.Early = true
	if got, err := n.Open(leg, v); err != nil || got != want {
		t.Errorf("%+v, %v", got, err)
	}
	if full.Early {
		t.Error("the caller's mark was changed")
	}
}

func TestAMarkOpensWhereItWasMadeOnly(t *testing.T) {
	n := key(1).On("east")
	v := sign(t, n, leg, full)
	with := func(change func(*seal.Leg)) seal.Leg {
		l := leg
		change(&l)
		return l
	}
	for name, test := range map[string]struct {
		n    seal.Node
		l    seal.Leg
		want error
	}{
		"another channel":  {n, with(func(l *seal.Leg) { l.Channel = "other" }), seal.ErrForged},
		"a part of it":     {n, with(func(l *seal.Leg) { l.Channel = l.Channel[1:] }), seal.ErrForged},
		"another way":      {n, with(func(l *seal.Leg) { l.Inbound = true }), seal.ErrForged},
		"a later leg":      {n, with(func(l *seal.Leg) { l.Created = made.Add(time.Microsecond) }), seal.ErrReused},
		"a leg of no time": {n, with(func(l *seal.Leg) { l.Created = time.Time{} }), seal.ErrReused},
		"another node":     {key(1).On("west"), leg, seal.ErrForged},
		"another key":      {key(2).On("east"), leg, seal.ErrForged},
	} {
		if m, err := test.n.Open(test.l, v); !errors.Is(err, test.want) || m != (seal.Mark{}) {
			t.Errorf("%s: %+v, %v", name, m, err)
		}
	}
	if _, err := (seal.Key{}).On("east").Open(leg, v); err == nil {
		t.Error("it opens without a key")
	}
	if _, err := (seal.Key{}).On("east").Sign(leg, full); err == nil {
		t.Error("it is made without a key")
	}
}

func TestEveryChangedByteIsSeen(t *testing.T) {
	n := key(1).On("east")
	v := sign(t, n, leg, full)
	for i := range v {
		for _, c := range []byte("Aa0_.-= \n\x00") {
			if forged := v[:i] + string(c) + v[i+1:]; forged != v {
				if _, err := n.Open(leg, forged); err == nil {
					t.Fatalf("%q opens", forged)
				}
			}
		}
	}
	for _, forged := range []string{"", ".", v + ".", v + v, v + "\n", " " + v, v[:len(v)-1], strings.Repeat("A", 5000), strings.Replace(v, ".", "", 1), v + "."} {
		if _, err := n.Open(leg, forged); err == nil {
			t.Errorf("%q opens", forged)
		}
	}
}

func TestTooLong(t *testing.T) {
	n := key(1).On("east")
	var e *seal.TooLongError
	if _, err := n.Sign(leg, seal.Mark{Agent: strings.Repeat("x", 257)}); !errors.As(err, &e) || e.Field != "agent" {
		t.Errorf("%v", err)
	}
	x := func(n int) string { return strings.Repeat("x", n) }
	most := seal.Mark{Session: x(64), Supervisor: x(256), Account: x(64), Agent: x(256), Phone: x(128), Coaching: true, Call: x(128), Party: seal.User, Whisper: x(64), Queue: x(256)}
	if v := sign(t, n, leg, most); len(v) > seal.MaxValue {
		t.Errorf("%d characters", len(v))
	}
}

func TestRooms(t *testing.T) {
	n := key(1).On("east")
	room, wait := n.Room("c1", [16]byte{1}), n.WaitingRoom("s1", [16]byte{1})
	form := regexp.MustCompile(`^lmw?-[0-9a-f]{16}-[0-9a-f]{24}$`)
	for _, name := range []string{room, wait} {
		if !form.MatchString(name) || !n.IsRoom(name) {
			t.Errorf("%q", name)
		}
	}
	if n.IsWaitingRoom(room) || !n.IsWaitingRoom(wait) {
		t.Error("the two kinds are not told apart")
	}
	for _, other := range []string{n.Room("c2", [16]byte{1}), n.Room("c1", [16]byte{2}), wait, key(2).On("east").Room("c1", [16]byte{1}), key(1).On("west").Room("c1", [16]byte{1})} {
		if other == room {
			t.Errorf("%q twice", other)
		}
	}
	for _, forged := range []string{
		"", "lm-", "lmw-", room[1:], room + "0", room[:len(room)-1], strings.ToUpper(room), "lmw" + room[2:], "lm" + wait[3:], room + "@livemon", " " + room,
		"lm-0123456789abcdef-0123456789abcdef01234567", "3000", room[:19] + "_" + room[20:], key(2).On("east").Room("c1", [16]byte{1}), key(1).On("west").WaitingRoom("s1", [16]byte{1}),
	} {
		if n.IsRoom(forged) || n.IsWaitingRoom(forged) {
			t.Errorf("%q is taken for ours", forged)
		}
	}
	for i := range room {
		forged := []byte(room)
		forged[i] ^= 1
		if n.IsRoom(string(forged)) {
			t.Errorf("%q is taken for ours", forged)
		}
	}
	if none := (seal.Key{}).On("east"); none.Room("c", [16]byte{}) != "" || none.IsRoom(room) {
		t.Error("rooms without a key")
	}
}

func TestTheSecretIsNotPrinted(t *testing.T) {
	k := key(0xab)
	var log bytes.Buffer
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "key", k, "node", k.On("east"), "in", struct{ K seal.Key }{k})
	text := log.String()
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%d", "%q"} {
		text += fmt.Sprintf(verb+verb+verb, k, k.On("east"), struct{ k seal.Key }{k})
	}
	for _, shown := range []string{"ab0000", "171 0 0", "0xab", "[171", `\xab`} {
		if strings.Contains(strings.ToLower(text), shown) {
			t.Errorf("%q is in %s", shown, text)
		}
	}
	if f := k.Fingerprint(); len(f) != seal.FingerprintSize || f == key(1).Fingerprint() || strings.Contains(f, "ab0000") {
		t.Errorf("fingerprint %q", f)
	}
	if (seal.Key{}).Fingerprint() != "" || !(seal.Key{}).IsZero() || k.IsZero() {
		t.Error("the zero key")
	}
}

// FuzzOpen: whatever opens is what Sign makes of what it says, for that leg.
func FuzzOpen(f *testing.F) {
	n := key(1).On("east")
	for _, m := range []seal.Mark{full, {}, {Call: "c", Party: seal.User}} {
		v, _ := n.Sign(leg, m)
		f.Add(leg.Channel, v)
		f.Add("x", v)
	}
	f.Add("", "AQA.")
	f.Fuzz(func(t *testing.T, channel, value string) {
		l := leg
		l.Channel = channel
		m, err := n.Open(l, value)
		if err != nil {
			if m != (seal.Mark{}) {
				t.Fatalf("%+v with %v", m, err)
			}
			return
		}
		if m.Early {
			l.Created = time.Time{}
		}
		if again, err := n.Sign(l, m); err != nil || again != value {
			t.Fatalf("%q opens as %+v, of which %q is made (%v)", value, m, again, err)
		}
	})
}

// FuzzPayload has Open judge payloads that are properly signed: decoding is
// strict, and nothing in them can break it.
func FuzzPayload(f *testing.F) {
	f.Add([]byte{1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0})
	f.Add([]byte{1, 7, 0x80, 0, 0})
	f.Fuzz(func(t *testing.T, payload []byte) {
		n := key(1).On("east")
		m, moment, ok := seal.Decode(payload)
		if !ok {
			return
		}
		l := leg
		l.Created = time.Time{}
		if moment != 0 {
			l.Created = time.UnixMicro(int64(moment))
		}
		if _, err := n.Sign(l, m); err != nil {
			t.Fatalf("%+v cannot be signed: %v", m, err)
		}
		if again := seal.Payload(m, l.Created); !bytes.Equal(again, payload) {
			t.Fatalf("%x decodes as %+v, which is %x", payload, m, again)
		}
	})
}

func FuzzIsRoom(f *testing.F) {
	n := key(1).On("east")
	f.Add(n.Room("c", [16]byte{}))
	f.Add("lm--")
	f.Fuzz(func(t *testing.T, name string) {
		if n.IsRoom(name) && name != n.Room("c", [16]byte{}) {
			t.Fatalf("%q is taken for ours", name)
		}
	})
}
