package fsapi

import "strings"

// What follows takes lines apart as FreeSWITCH 1.10.12 does. It is written from
// the switch's source (switch_utils.c, switch_event.c, mod_commands, mod_conference,
// mod_dptools), not from this package's.

// separate is switch_separate_string.
func separate(s string, delim byte, most int) []string {
	if strings.HasPrefix(s, "^^") && len(s) > 3 {
		delim, s = s[2], s[3:]
	}
	var out []string
	for s != "" && len(out) < most {
		word, rest := s, "" // the last that fits is all that is left
		switch {
		case len(out) == most-1:
		case delim == ' ':
			word, rest = blankWord(s)
		default:
			word, rest = delimWord(s, delim)
		}
		out, s = append(out, cleanup(word, delim)), rest
	}
	return out
}

func blankWord(s string) (word, rest string) {
	i := 0
	for i < len(s) && s[i] == ' ' {
		i++
	}
	quoted := false
	for ; i < len(s); i++ {
		switch {
		case s[i] == '\\':
			i++
		case s[i] == '\'':
			quoted = !quoted
		case s[i] == ' ' && !quoted:
			return s[:i], strings.TrimLeft(s[i:], " ")
		}
	}
	return s, ""
}

func delimWord(s string, delim byte) (word, rest string) {
	quoted := false
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '\\':
			i++
		case s[i] == '\'' && (quoted || strings.Contains(s[i+1:], "'")):
			quoted = !quoted
		case s[i] == delim && !quoted:
			return s[:i], s[i+1:]
		}
	}
	return s, ""
}

// cleanup is cleanup_separated_string: blanks around, quotes and escapes go.
func cleanup(s string, delim byte) string {
	if delim == ' ' {
		delim = 0
	}
	s = strings.TrimLeft(s, " ")
	var out []byte
	end, quoted, ended := 0, false, false
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+1 < len(s) {
			e := s[i+1]
			plain := map[byte]byte{'n': '\n', 'r': '\r', 't': '\t', 's': ' '}[e]
			if e == '\'' || e == '"' || delim != 0 && e == delim || e == '\\' || plain != 0 {
				if plain != 0 {
					e = plain
				}
				i++
				out, ended = append(out, e), true
				end = len(out)
				continue
			}
		}
		if s[i] == '\'' && (quoted || strings.Contains(s[i+1:], "'")) {
			if quoted = !quoted; quoted {
				end, ended = len(out), true
			}
			continue
		}
		out = append(out, s[i])
		if s[i] != ' ' || quoted {
			end, ended = len(out), true
		}
	}
	if ended {
		return string(out[:end])
	}
	return string(out)
}

// parsed is what a switch understands of a line.
type parsed struct {
	command string
	args    []string
	vars    [][2]string // of originate and uuid_setvar_multi
	apps    [][2]string // of the inline dialplan, or &app(arg)
}

// parse takes an api line apart.
func parse(line string) parsed {
	command, rest, _ := strings.Cut(line, " ")
	p := parsed{command: command}
	switch command {
	case "uuid_transfer":
		p.args = separate(rest, ' ', 5)
		if n := len(p.args); n > 2 && p.args[n-1] == "inline" {
			p.apps = inlineApps(p.args[n-2])
		}
	case "uuid_setvar":
		p.args = separate(rest, ' ', 3)
	case "uuid_setvar_multi":
		channel, vars, _ := strings.Cut(rest, " ")
		p.args = []string{channel}
		for _, v := range separate(vars, ';', 64) {
			name, value, _ := strings.Cut(v, "=")
			p.vars = append(p.vars, [2]string{name, value})
		}
	case "uuid_broadcast":
		p.args = separate(rest, ' ', 4)
	case "originate":
		p.args = separate(rest, ' ', 10)
		if len(p.args) < 2 {
			return p
		}
		p.vars, p.args[0] = braces(p.args[0])
		if exten := p.args[1]; strings.HasPrefix(exten, "&") {
			name, _, _ := strings.Cut(exten[1:], ")")
			name, arg, _ := strings.Cut(name, "(")
			p.apps = [][2]string{{name, arg}}
		} else if len(p.args) == 3 && p.args[2] == "inline" {
			p.apps = inlineApps(exten)
		}
		// The far end of a loopback executes what its name says.
		if app, ok := strings.CutPrefix(p.args[0], "loopback/app="); ok {
			for _, alternative := range strings.FieldsFunc(app, func(r rune) bool { return r == ',' || r == '|' }) {
				name, arg, _ := strings.Cut(alternative, ":")
				p.apps = append(p.apps, [2]string{name, arg})
			}
			p.args[0] = "loopback"
		}
	default:
		p.args = separate(rest, ' ', 25)
	}
	return p
}

// braces takes the variables off a dial string.
func braces(s string) (vars [][2]string, rest string) {
	if !strings.HasPrefix(s, "{") {
		return nil, s
	}
	depth, end := 0, -1
	for i := range len(s) {
		switch s[i] {
		case '{':
			depth++
		case '}':
			if depth--; depth == 0 && end < 0 {
				end = i
			}
		}
	}
	if end < 0 {
		return nil, s
	}
	for _, v := range separate(s[1:end], ',', 1024) {
		if nv := separate(v, '=', 2); len(nv) == 2 {
			vars = append(vars, [2]string{nv[0], nv[1]})
		}
	}
	return vars, s[end+1:]
}

// inlineApps is inline_dialplan_hunt.
func inlineApps(s string) [][2]string {
	delim := byte(',')
	if len(s) > 3 && s[0] == 'm' && s[1] == ':' && s[3] == ':' {
		delim, s = s[2], s[4:]
	}
	var out [][2]string
	for _, a := range separate(s, delim, 128) {
		name, arg, _ := strings.Cut(a, ":")
		out = append(out, [2]string{strings.TrimLeft(name, " "), arg})
	}
	return out
}

// conferenceArg is how mod_conference takes its argument apart: flags, then a PIN,
// then the profile behind the last @.
func conferenceArg(s string) (room, profile string, flags []string) {
	if before, after, ok := strings.Cut(s, "+flags{"); ok {
		inner, _, _ := strings.Cut(after, "}")
		s, flags = before, strings.Split(inner, "|")
	}
	room, pin, _ := strings.Cut(strings.TrimLeft(s, " "), "+")
	if i := strings.LastIndexByte(room, '@'); i >= 0 {
		room, profile = room[:i], room[i+1:]
	}
	if pin != "" {
		profile += " with PIN " + pin
	}
	return room, profile, flags
}
