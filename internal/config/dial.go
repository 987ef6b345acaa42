package config

import (
	"fmt"
	"regexp"
	"strings"
	"unicode"
)

// DialPlan turns telephone numbers into dial strings of FreeSWITCH.
type DialPlan struct {
	rules []compiledRule
}

type compiledRule struct {
	match *regexp.Regexp
	to    string
}

// CompileDial makes a plan of rules, of which the first that matches the whole
// number counts. In To, $0 is the number and $1 to $9 are the groups of Match;
// everything else, FreeSWITCH's own $${variables} included, stays as it is. An
// error is an *Error.
func CompileDial(rules []DialRule) (*DialPlan, error) {
	p := &DialPlan{}
	for _, r := range rules {
		re, err := regexp.Compile(`^(?:` + r.Match + `)$`)
		if err != nil {
			return nil, bad("dial", "%q is not a regular expression: %v", r.Match, err)
		}
		if strings.TrimSpace(r.To) == "" || strings.ContainsFunc(r.To, unicode.IsControl) {
			return nil, bad("dial", "the dial string for %q is empty or holds a control character", r.Match)
		}
		for i := 0; i+1 < len(r.To); i++ {
			if group := groupAt(r.To, i); group > re.NumSubexp() {
				return nil, bad("dial", "%q uses $%d, but %q has %d groups", r.To, group, r.Match, re.NumSubexp())
			}
		}
		p.rules = append(p.rules, compiledRule{re, r.To})
	}
	return p, nil
}

// groupAt returns the number of the group that to names at i, or -1.
func groupAt(to string, i int) int {
	if to[i] != '$' || i+1 >= len(to) || to[i+1] < '0' || to[i+1] > '9' {
		return -1
	}
	return int(to[i+1] - '0')
}

// DialString returns the dial string for a number. What it puts in holds digits,
// letters and + * # . _ - only: a comma, brace, bracket, bar, blank or dollar
// sign would change what the switch does, and an @ where the call goes to. It
// refuses a number that no rule matches.
func (p *DialPlan) DialString(number string) (string, error) {
	for _, r := range p.rules {
		groups := r.match.FindStringSubmatch(number)
		if groups == nil {
			continue
		}
		var out strings.Builder
		for i := 0; i < len(r.to); i++ {
			g := groupAt(r.to, i)
			if g < 0 {
				out.WriteByte(r.to[i])
				continue
			}
			if !dialable(groups[g]) {
				return "", fmt.Errorf("the number %.70q holds something that cannot be dialled; use digits, letters and + * # . _ -", number)
			}
			out.WriteString(groups[g])
			i++
		}
		return out.String(), nil
	}
	return "", fmt.Errorf("no dial rule matches the number %.70q; give 'livemon serve' one with --dial", number)
}

func dialable(s string) bool {
	if len(s) > 64 {
		return false
	}
	for i := range len(s) {
		c := s[i]
		if !('0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || strings.IndexByte("+*#._-", c) >= 0) {
			return false
		}
	}
	return true
}
