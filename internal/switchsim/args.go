package switchsim

import "strings"

// fields splits a command's arguments at spaces as the switch does: quotes and
// escapes are honoured and removed, and the last of at most max fields takes the rest.
func fields(line string, max int) []string {
	var out []string
	i := 0
	for i < len(line) && len(out) < max {
		start, quoted := i, false
		for i < len(line) && line[i] == ' ' {
			i++
		}
		end := -1
		for i < len(line) {
			switch c := line[i]; {
			case c == '\\':
				i++
			case c == '\'':
				quoted = !quoted
			case c == ' ' && !quoted && len(out) < max-1:
				end = i
			}
			if end >= 0 {
				break
			}
			i++
		}
		if end < 0 {
			end, i = len(line), len(line)
		}
		for i < len(line) && line[i] == ' ' {
			i++
		}
		if f := line[start:end]; strings.Trim(f, " ") != "" {
			out = append(out, unquote(f, 0))
		}
	}
	return out
}

// split splits at a delimiter that is not a space, with quotes and escapes.
func split(line string, delim byte) []string {
	var out []string
	start, quoted := 0, false
	for i := 0; i < len(line); i++ {
		switch c := line[i]; {
		case c == '\\':
			i++
		case c == '\'' && (quoted || strings.IndexByte(line[i+1:], '\'') >= 0):
			quoted = !quoted
		case c == delim && !quoted:
			out = append(out, unquote(line[start:i], delim))
			start = i + 1
		}
	}
	if start < len(line) {
		out = append(out, unquote(line[start:], delim))
	}
	return out
}

// unquote removes quotes, escapes, and spaces around an argument.
func unquote(v string, delim byte) string {
	v = strings.TrimLeft(v, " ")
	out := make([]byte, 0, len(v))
	end, quoted := 0, false
	for i := 0; i < len(v); i++ {
		c := v[i]
		if c == '\\' && i+1 < len(v) {
			if e, ok := unescaped(v[i+1], delim); ok {
				i++
				out = append(out, e)
				end = len(out)
				continue
			}
		}
		if c == '\'' && (quoted || strings.IndexByte(v[i+1:], '\'') >= 0) {
			quoted = !quoted
			if quoted {
				end = len(out)
			}
			continue
		}
		out = append(out, c)
		if c != ' ' || quoted {
			end = len(out)
		}
	}
	return string(out[:end])
}

func unescaped(c, delim byte) (byte, bool) {
	switch c {
	case '\'', '"', '\\':
		return c, true
	case 'n':
		return '\n', true
	case 'r':
		return '\r', true
	case 't':
		return '\t', true
	case 's':
		return ' ', true
	}
	return c, delim != 0 && c == delim
}

// word cuts the first word off.
func word(line string) (first, rest string) {
	first, rest, _ = strings.Cut(strings.TrimLeft(line, " "), " ")
	return first, rest
}

// truth is what the switch takes for true.
func truth(v string) bool {
	switch strings.ToLower(v) {
	case "yes", "on", "true", "t", "enabled", "active", "allow":
		return true
	}
	return len(v) > 0 && strings.Trim(v, "0123456789-.") == "" && strings.Trim(v, "0-.") != ""
}

// denied is what the switch takes for an explicit false.
func denied(v string) bool {
	switch strings.ToLower(v) {
	case "no", "off", "false", "f", "disabled", "inactive", "disallow":
		return true
	}
	return len(v) > 0 && strings.Trim(v, "0") == ""
}

// variables parses the list between the braces of a dial string: a=b,c=d, or
// with another delimiter ^^:a=b:c=d.
func variables(list string) []header {
	delim := byte(',')
	if strings.HasPrefix(list, "^^") && len(list) > 2 {
		delim, list = list[2], list[3:]
	}
	var out []header
	for _, item := range split(list, delim) {
		if name, value, ok := strings.Cut(item, "="); ok && name != "" {
			out = append(out, header{strings.TrimSpace(name), value})
		}
	}
	return out
}

// braces cuts all groups of variables, {…}, <…> and […], off the front of a dial string.
func braces(dial string) (vars []header, rest string, ok bool) {
	for {
		dial = strings.TrimLeft(dial, " ")
		if dial == "" {
			return vars, "", true
		}
		i := strings.IndexByte("{<[", dial[0])
		if i < 0 {
			return vars, dial, true
		}
		open, shut := "{<["[i], "}>]"[i]
		depth, end := 0, -1
		for j := 0; j < len(dial); j++ {
			switch dial[j] {
			case '\\':
				j++
			case open:
				depth++
			case shut:
				depth--
			}
			if depth == 0 {
				end = j
				break
			}
		}
		if end < 1 || end >= len(dial) {
			return nil, "", false
		}
		vars = append(vars, variables(dial[1:end])...)
		dial = dial[end+1:]
	}
}
