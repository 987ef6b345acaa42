package esl

import (
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// Nothing that the set holds is refused at a glance, in whatever case and with
// whatever value; and it is found at its own place.
func TestHeaderSet(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		names := rapid.SliceOfN(rapid.StringMatching(`[A-Za-z_:/\[\]-]{1,80}|variable_[a-z_]{0,20}`), 1, 30).Draw(t, "names")
		value := rapid.StringN(-1, 40, -1).Draw(t, "value")
		set := newHeaderSet(names)
		for _, name := range names {
			for _, written := range []string{name, strings.ToUpper(name), strings.ToLower(name)} {
				for _, line := range []string{written + ": " + value, written + ":" + value} {
					if !set.mayHold([]byte(line)) {
						t.Fatalf("%q is refused", line)
					}
				}
				if i := set.find([]byte(written)); i < 0 || !strings.EqualFold(set.names[i], name) {
					t.Fatalf("%q is found at %d", written, i)
				}
			}
		}
		if set.find([]byte(strings.Repeat("absent", 20))) >= 0 || set.find(nil) >= 0 {
			t.Fatal("found what is not there")
		}
	})
}
