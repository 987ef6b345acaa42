package fsconf

import (
	"bytes"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxTable bounds the table of the diff's comparison; larger differences are
// shown as one whole piece taken out and another put in.
const maxTable = 4 << 20

const contextLines = 3

// unifiedDiff shows what changes from a to b, nil being no file at all.
func unifiedDiff(name string, a, b []byte) string {
	from, to := "a/"+name, "b/"+name
	if a == nil {
		from = "/dev/null"
	}
	if b == nil {
		to = "/dev/null"
	}
	if !isText(a) || !isText(b) {
		return fmt.Sprintf("Binary files %s and %s differ (%d and %d bytes)\n", from, to, len(a), len(b))
	}
	hunks := hunks(compare(lines(a), lines(b)))
	if hunks == "" {
		return ""
	}
	return "--- " + from + "\n+++ " + to + "\n" + hunks
}

func isText(b []byte) bool { return bytes.IndexByte(b, 0) < 0 }

// printable keeps what stands in a shop's file from steering the terminal that
// shows the diff.
func printable(line string) string {
	return strings.Map(func(r rune) rune {
		if r == '\n' || r == '\t' || r == '\r' || unicode.IsPrint(r) {
			return r
		}
		return utf8.RuneError
	}, line)
}

// lines splits at line feeds. A last line that has none says so, as diff does,
// so that it differs from one that has.
func lines(b []byte) []string {
	if len(b) == 0 {
		return nil
	}
	out := strings.Split(string(b), "\n")
	if last := len(out) - 1; out[last] == "" {
		out = out[:last]
	} else {
		out[last] += "\n\\ No newline at end of file"
	}
	return out
}

// change is one line: ' ' in both, '-' in the first only, '+' in the second only.
type change struct {
	op   byte
	line string
}

func compare(a, b []string) []change {
	var head, tail []change
	for len(a) > 0 && len(b) > 0 && a[0] == b[0] {
		head = append(head, change{' ', a[0]})
		a, b = a[1:], b[1:]
	}
	for len(a) > 0 && len(b) > 0 && a[len(a)-1] == b[len(b)-1] {
		tail = append(tail, change{' ', a[len(a)-1]})
		a, b = a[:len(a)-1], b[:len(b)-1]
	}
	out := append(head, middle(a, b)...)
	for i := len(tail) - 1; i >= 0; i-- {
		out = append(out, tail[i])
	}
	return out
}

// middle compares by the longest common subsequence.
func middle(a, b []string) []change {
	var out []change
	take := func(op byte, l string) { out = append(out, change{op, l}) }
	i, j := 0, 0
	if (len(a)+1)*(len(b)+1) <= maxTable {
		w := len(b) + 1
		table := make([]int32, (len(a)+1)*w)
		for i := len(a) - 1; i >= 0; i-- {
			for j := len(b) - 1; j >= 0; j-- {
				if a[i] == b[j] {
					table[i*w+j] = table[(i+1)*w+j+1] + 1
				} else {
					table[i*w+j] = max(table[(i+1)*w+j], table[i*w+j+1])
				}
			}
		}
		for i < len(a) && j < len(b) {
			switch {
			case a[i] == b[j]:
				take(' ', a[i])
				i, j = i+1, j+1
			case table[(i+1)*w+j] >= table[i*w+j+1]:
				take('-', a[i])
				i++
			default:
				take('+', b[j])
				j++
			}
		}
	}
	for ; i < len(a); i++ {
		take('-', a[i])
	}
	for ; j < len(b); j++ {
		take('+', b[j])
	}
	return out
}

// hunks renders the changes with the lines around them.
func hunks(all []change) string {
	var out strings.Builder
	aLine, bLine := 1, 1
	for i := 0; i < len(all); {
		if all[i].op == ' ' {
			i, aLine, bLine = i+1, aLine+1, bLine+1
			continue
		}
		start := max(0, i-contextLines)
		end, last := i, i
		for ; end < len(all) && end-last <= 2*contextLines; end++ {
			if all[end].op != ' ' {
				last = end
			}
		}
		end = min(len(all), last+1+contextLines)
		a0, b0, an, bn := aLine-(i-start), bLine-(i-start), 0, 0
		var body strings.Builder
		for _, c := range all[start:end] {
			if c.op != '+' {
				an++
			}
			if c.op != '-' {
				bn++
			}
			body.WriteByte(c.op)
			body.WriteString(printable(c.line))
			body.WriteByte('\n')
		}
		if an == 0 {
			a0--
		}
		if bn == 0 {
			b0--
		}
		fmt.Fprintf(&out, "@@ -%d,%d +%d,%d @@\n%s", a0, an, b0, bn, body.String())
		aLine, bLine, i = a0+an, b0+bn, end
		if an == 0 {
			aLine++
		}
		if bn == 0 {
			bLine++
		}
	}
	return out.String()
}
