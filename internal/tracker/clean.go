package tracker

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"unicode"
	"unicode/utf8"

	"livemon/esl"
	"livemon/internal/identity"
)

const (
	maxNumber = 64  // bytes of a telephone number
	maxName   = 128 // bytes of any other name
	maxID     = 128 // bytes of a channel's id
)

// plain tells whether s is short printable ASCII, which needs no cleaning.
func plain(s string, limit int) bool {
	if len(s) > limit {
		return false
	}
	for i := 0; i < len(s); i++ {
		if s[i] < ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}

// number makes a telephone number printable and short.
func number(s string) string {
	if plain(s, maxNumber) {
		return s
	}
	return printable(s, maxNumber)
}

// name makes a name printable and short. Different names stay different: one
// that had to be changed ends in a digest of what it was.
func name(s string) string {
	if plain(s, maxName) {
		return s
	}
	const tail = 9
	p := printable(s, maxName-tail)
	if p == s {
		return s
	}
	sum := sha256.Sum256([]byte(s))
	return p + "~" + hex.EncodeToString(sum[:4])
}

func printable(s string, limit int) string {
	var b strings.Builder
	for _, r := range s {
		if r == utf8.RuneError || !unicode.IsPrint(r) {
			r = '\uFFFD'
		}
		if b.Len()+utf8.RuneLen(r) > limit {
			break
		}
		b.WriteRune(r)
	}
	return b.String()
}

// channelID makes a channel's id printable and short, as name does with names. Not
// every one can become part of a command: an end point may have chosen it.
func channelID(s string) string {
	if plain(s, maxID) {
		return s
	}
	const tail = 9
	sum := sha256.Sum256([]byte(s))
	return printable(s, maxID-tail) + "~" + hex.EncodeToString(sum[:4])
}

// channelOf is the channel that a header of an event names.
func channelOf(e *esl.Event, header string) string { return channelID(e.Get(header)) }

// contact returns the extension that a mod_callcenter agent's contact rings:
// user@domain, or the user alone where the contact names no domain, or "" if
// it is none of the switch's own.
func contact(dial string) string {
	if len(dial) > 1024 {
		return ""
	}
	for {
		dial = strings.TrimSpace(dial)
		if dial == "" {
			return ""
		}
		end := strings.IndexByte("[{<", dial[0])
		if end < 0 {
			break
		}
		i := strings.IndexByte(dial, "]}>"[end])
		if i < 0 {
			return ""
		}
		dial = dial[i+1:]
	}
	if i := strings.IndexAny(dial, ",|"); i >= 0 {
		dial = dial[:i]
	}
	if i := strings.Index(dial, ":_:"); i >= 0 {
		dial = dial[:i]
	}
	kind, rest, ok := strings.Cut(dial, "/")
	if !ok {
		return ""
	}
	switch kind {
	case "user", "verto.rtc":
	case "sofia":
		_, rest, ok = strings.Cut(rest, "/")
		if !ok || !strings.Contains(rest, "%") {
			return ""
		}
		rest = strings.Replace(rest, "%", "@", 1)
	default:
		return ""
	}
	if strings.Contains(rest, "@") {
		return identity.User(rest)
	}
	if identity.User(rest+"@x") == "" {
		return ""
	}
	return rest
}

// recent remembers the last few of many words.
type recent struct {
	set  map[string]struct{}
	ring []string
	next int
}

func newRecent(n int) *recent {
	return &recent{set: map[string]struct{}{}, ring: make([]string, 0, n)}
}

func (r *recent) has(s string) bool { _, ok := r.set[s]; return ok }

func (r *recent) add(s string) {
	if r.has(s) {
		return
	}
	r.set[s] = struct{}{}
	if len(r.ring) < cap(r.ring) {
		r.ring = append(r.ring, s)
		return
	}
	// A word that was removed and added again may be forgotten early.
	delete(r.set, r.ring[r.next])
	r.ring[r.next] = s
	r.next = (r.next + 1) % len(r.ring)
}

func (r *recent) remove(s string) { delete(r.set, s) }
