package access

import (
	"strings"
	"unicode/utf8"

	"livemon/internal/wire"
)

// Match tells whether a pattern describes a text, and the whole of it.
func Match(pattern, text string) bool { return match(fold(pattern), fold(text)) }

// match is Match of what has been folded. It takes time proportional to the
// product of both lengths at most.
func match(p, s string) bool {
	star, again := -1, 0
	i, j := 0, 0
	for j < len(s) {
		switch {
		case i < len(p) && p[i] == '*':
			star, again = i, j
			i++
			continue
		case i < len(p) && p[i] == '?':
			_, n := utf8.DecodeRuneInString(s[j:])
			i, j = i+1, j+n
			continue
		case i < len(p) && p[i] == s[j]:
			i, j = i+1, j+1
			continue
		case star < 0:
			return false
		}
		_, n := utf8.DecodeRuneInString(s[again:])
		again += n
		i, j = star+1, again
	}
	return strings.Trim(p[i:], "*") == ""
}

// fold makes letters of ASCII small, and leaves everything else alone.
func fold(s string) string {
	for i := range len(s) {
		if 'A' <= s[i] && s[i] <= 'Z' {
			b := []byte(s)
			for j, c := range b[i:] {
				if 'A' <= c && c <= 'Z' {
					b[i+j] = c + 'a' - 'A'
				}
			}
			return string(b)
		}
	}
	return s
}

// patterns are folded ones.
type patterns []string

func newPatterns(list []string) patterns {
	out := make(patterns, 0, len(list))
	for _, p := range list {
		if p != "" {
			out = append(out, fold(p))
		}
	}
	return out
}

// find returns the first pattern that describes one of the texts, none of which is "".
func (ps patterns) find(texts []string) (string, bool) {
	for _, p := range ps {
		for _, s := range texts {
			if match(p, s) {
				return p, true
			}
		}
	}
	return "", false
}

// namesOf returns what an agent can be called in a pattern, folded.
func namesOf(a wire.Agent) []string {
	out := make([]string, 0, 4)
	for _, full := range []string{a.Agent, a.Extension} {
		user, _, _ := strings.Cut(full, "@")
		for _, s := range []string{full, user} {
			if s != "" {
				out = append(out, fold(s))
			}
		}
	}
	return out
}

// cleanNumber is a telephone number without what is in it for people alone.
func cleanNumber(s string) string {
	return fold(strings.Map(func(r rune) rune {
		if strings.ContainsRune(" -().\u00a0\u202f/", r) {
			return -1
		}
		return r
	}, s))
}
