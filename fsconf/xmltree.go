package fsconf

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
)

// Limits on XML from a shop's files or a switch's reply.
const (
	maxXML      = 64 << 20
	maxXMLDepth = 256
	maxXMLNodes = 2_000_000
	maxAttrs    = 256
	maxEntity   = 11 // bytes, from '&' to ';'
)

// node is one element, with the places of its tags in the text it was read
// from. The text around elements is of no use here and is not kept.
type node struct {
	name     string
	attrs    []param
	children []*node

	tagStart   int // of '<' of the start tag
	tagEnd     int // behind '>' of the start tag
	closeStart int // of '<' of the end tag; tagEnd when the element closes itself
	selfClosed bool
}

// attr returns an attribute's value, "" if there is none.
func (n *node) attr(name string) string {
	for _, a := range n.attrs {
		if a.Name == name {
			return a.Value
		}
	}
	return ""
}

// child returns the first child element of that name, as the switch's own
// look-up does, or nil.
func (n *node) child(name string) *node {
	for _, c := range n.children {
		if c.name == name {
			return c
		}
	}
	return nil
}

// all returns the child elements of that name.
func (n *node) all(name string) []*node {
	var out []*node
	for _, c := range n.children {
		if c.name == name {
			out = append(out, c)
		}
	}
	return out
}

// find returns the first element below n, in document order, for which ok
// holds, or nil.
func (n *node) find(ok func(*node) bool) *node {
	for _, c := range n.children {
		if ok(c) {
			return c
		}
		if f := c.find(ok); f != nil {
			return f
		}
	}
	return nil
}

// xmlError says where a text is not XML that a switch could read.
type xmlError struct {
	Offset int
	Reason string
}

func (e *xmlError) Error() string { return fmt.Sprintf("byte %d: %s", e.Offset, e.Reason) }

// parseXML reads elements the way FreeSWITCH does: several roots are allowed,
// so are fragments, any bytes above ASCII, and markup in attribute values.
// Declarations, comments and CDATA are skipped. The root it returns has no
// name. It never keeps a reference to src.
func parseXML(src []byte) (*node, error) {
	if len(src) > maxXML {
		return nil, &xmlError{maxXML, "longer than " + strconv.Itoa(maxXML) + " bytes"}
	}
	root := &node{}
	stack := []*node{root}
	nodes := 0
	for i := 0; i < len(src); {
		lt := bytes.IndexByte(src[i:], '<')
		if lt < 0 {
			break
		}
		i += lt
		rest := src[i:]
		switch {
		case bytes.HasPrefix(rest, []byte("<!--")):
			end := bytes.Index(rest[4:], []byte("-->"))
			if end < 0 {
				return nil, &xmlError{i, "comment without an end"}
			}
			i += 4 + end + 3
		case bytes.HasPrefix(rest, []byte("<![CDATA[")):
			end := bytes.Index(rest, []byte("]]>"))
			if end < 0 {
				return nil, &xmlError{i, "CDATA without an end"}
			}
			i += end + 3
		case bytes.HasPrefix(rest, []byte("<?")):
			end := bytes.Index(rest, []byte("?>"))
			if end < 0 {
				return nil, &xmlError{i, "declaration without an end"}
			}
			i += end + 2
		case bytes.HasPrefix(rest, []byte("<!")):
			end := doctypeEnd(rest)
			if end < 0 {
				return nil, &xmlError{i, "declaration without an end"}
			}
			i += end
		case bytes.HasPrefix(rest, []byte("</")):
			end := bytes.IndexByte(rest, '>')
			if end < 0 {
				return nil, &xmlError{i, "end tag without an end"}
			}
			name := string(bytes.TrimSpace(rest[2:end]))
			top := stack[len(stack)-1]
			if len(stack) == 1 || top.name != name {
				return nil, &xmlError{i, "end tag </" + clip(name) + "> closes nothing"}
			}
			top.closeStart = i
			stack = stack[:len(stack)-1]
			i += end + 1
		case len(rest) > 1 && nameStart(rest[1]):
			n, end, err := parseTag(rest, i)
			if err != nil {
				return nil, err
			}
			if nodes++; nodes > maxXMLNodes {
				return nil, &xmlError{i, "more than " + strconv.Itoa(maxXMLNodes) + " elements"}
			}
			top := stack[len(stack)-1]
			top.children = append(top.children, n)
			if i += end; !n.selfClosed {
				if stack = append(stack, n); len(stack) > maxXMLDepth {
					return nil, &xmlError{i, "elements nested deeper than " + strconv.Itoa(maxXMLDepth)}
				}
			}
		default:
			i++ // a stray '<' is text
		}
	}
	if len(stack) > 1 {
		top := stack[len(stack)-1]
		return nil, &xmlError{top.tagStart, "<" + clip(top.name) + "> is never closed"}
	}
	return root, nil
}

// doctypeEnd returns the length of a <!...> declaration with its internal
// subset, or -1.
func doctypeEnd(b []byte) int {
	depth := 0
	for i, c := range b {
		switch c {
		case '[':
			depth++
		case ']':
			depth--
		case '>':
			if depth <= 0 {
				return i + 1
			}
		}
	}
	return -1
}

// parseTag reads the start tag at the beginning of b, which stands at offset
// at; it returns the tag's length.
func parseTag(b []byte, at int) (*node, int, error) {
	i := 1
	for i < len(b) && !nameEnd(b[i]) {
		i++
	}
	n := &node{name: string(b[1:i]), tagStart: at}
	for {
		for i < len(b) && isSpace(b[i]) {
			i++
		}
		switch {
		case i >= len(b):
			return nil, 0, &xmlError{at, "start tag without an end"}
		case b[i] == '>':
			n.tagEnd, n.closeStart = at+i+1, at+i+1
			return n, i + 1, nil
		case b[i] == '/':
			if i+1 < len(b) && b[i+1] == '>' {
				n.tagEnd, n.closeStart, n.selfClosed = at+i+2, at+i+2, true
				return n, i + 2, nil
			}
			i++
			continue
		}
		start := i
		for i < len(b) && !nameEnd(b[i]) && b[i] != '=' {
			i++
		}
		if i == start {
			return nil, 0, &xmlError{at + i, "not an attribute"}
		}
		name := string(b[start:i])
		for i < len(b) && isSpace(b[i]) {
			i++
		}
		if i >= len(b) || b[i] != '=' {
			continue // an attribute without a value: the switch passes over it too
		}
		i++
		for i < len(b) && isSpace(b[i]) {
			i++
		}
		if i >= len(b) || b[i] != '"' && b[i] != '\'' {
			continue // a value without quotes counts as none
		}
		end := bytes.IndexByte(b[i+1:], b[i])
		if end < 0 {
			return nil, 0, &xmlError{at + i, "attribute " + clip(name) + " has no closing quote"}
		}
		if len(n.attrs) == maxAttrs {
			return nil, 0, &xmlError{at, "more than " + strconv.Itoa(maxAttrs) + " attributes"}
		}
		n.attrs = append(n.attrs, param{name, unescape(string(b[i+1 : i+1+end]))})
		i += end + 2
	}
}

func isSpace(c byte) bool { return c == ' ' || c == '\t' || c == '\n' || c == '\r' }

func nameStart(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_' || c == ':' || c >= 0x80
}

func nameEnd(c byte) bool {
	return isSpace(c) || c == '/' || c == '>' || c == '=' || c == '"' || c == '\'' || c == '<'
}

// unescape resolves XML's five entities and numeric references; anything else
// stays as it is.
func unescape(s string) string {
	if !strings.Contains(s, "&") {
		return s
	}
	var b strings.Builder
	for {
		amp := strings.IndexByte(s, '&')
		if amp < 0 {
			break
		}
		b.WriteString(s[:amp])
		s = s[amp:]
		semi := strings.IndexByte(s[:min(len(s), maxEntity)], ';')
		if r, ok := entity(s, semi); ok {
			b.WriteRune(r)
			s = s[semi+1:]
			continue
		}
		b.WriteByte('&')
		s = s[1:]
	}
	b.WriteString(s)
	return b.String()
}

func entity(s string, semi int) (rune, bool) {
	if semi < 2 {
		return 0, false
	}
	switch name := s[1:semi]; name {
	case "amp":
		return '&', true
	case "lt":
		return '<', true
	case "gt":
		return '>', true
	case "quot":
		return '"', true
	case "apos":
		return '\'', true
	default:
		if name[0] != '#' {
			return 0, false
		}
		digits, base := name[1:], 10
		if strings.HasPrefix(digits, "x") || strings.HasPrefix(digits, "X") {
			digits, base = digits[1:], 16
		}
		n, err := strconv.ParseUint(digits, base, 21)
		return rune(n), err == nil && n > 0
	}
}
