package monitor

import (
	"slices"
	"strings"
	"testing"
)

func FuzzSplitQuoted(f *testing.F) {
	for _, s := range []string{"7778", "7778:XML:default", "'set:a=b,conference:r@default':inline", "a:'b", "", "::", "\\'", "a\nb"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		fields, ok := splitQuoted(s, ':')
		if !ok {
			return
		}
		for _, x := range fields {
			if strings.ContainsAny(x, `'"\`) {
				t.Errorf("%q: %q can end its quotes", s, x)
			}
		}
		if !strings.Contains(s, "'") && strings.Join(fields, ":") != s {
			t.Errorf("%q: %q", s, fields)
		}
	})
}

func TestSplitQuoted(t *testing.T) {
	got, ok := splitQuoted("'set:a=b,conference:r@default':inline", ':')
	if want := []string{"set:a=b,conference:r@default", "inline"}; !ok || !slices.Equal(got, want) {
		t.Errorf("%q %v", got, ok)
	}
	if _, ok := splitQuoted("'a:b", ':'); ok {
		t.Error("an open quote is understood")
	}
}

func TestIsTrue(t *testing.T) {
	for v, want := range map[string]bool{"true": true, "YES": true, "1": true, "42": true, "0": false, "00": false, "": false, "false": false, "no": false, "tru": false} {
		if isTrue(v) != want {
			t.Errorf("%q is %v", v, !want)
		}
	}
}
