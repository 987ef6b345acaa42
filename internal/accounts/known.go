package accounts

import (
	"time"

	"livemon/internal/wire"
)

// known are the tokens and logins that were checked lately, by digest. Its owner
// guards it.
type known struct {
	entries    map[string]entry
	generation int // grows whenever everything is forgotten
}

type entry struct {
	actor   wire.Actor
	checked time.Time
	ends    time.Time // zero is never
}

const (
	maxKnown = 4096
	// knownFor is how long a check counts. A token that is taken away is forgotten
	// at once, when that is announced; this bounds what an announcement that was lost
	// can cost.
	knownFor = 5 * time.Second
)

// clear forgets everything: something has changed, and each is checked again.
func (k *known) clear() {
	k.generation++
	clear(k.entries)
}

// put keeps what was found when generation was read, unless something has
// changed meanwhile.
func (k *known) put(key string, e entry, generation int) {
	if generation != k.generation {
		return
	}
	if _, there := k.entries[key]; !there && len(k.entries) >= maxKnown {
		for other := range k.entries {
			delete(k.entries, other)
			break
		}
	}
	k.entries[key] = e
}

func (e entry) fresh(now time.Time) bool { return now.Sub(e.checked) < knownFor && e.lasts(now) }

func (e entry) lasts(now time.Time) bool { return e.ends.IsZero() || now.Before(e.ends) }
