package fsconf

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// Limits on a configuration folder.
const (
	maxFile     = 8 << 20
	maxFiles    = 20_000
	maxIncludes = 100 // depth, as in the switch
)

// tree is a configuration folder as it is, or as it would be: files in overlay
// stand for those on disk, and hidden ones are not there.
type tree struct {
	fs      fs.FS
	abs     string // the folder's own path, for includes by absolute path
	overlay map[string][]byte
	hidden  map[string]bool
}

// read returns a file's bytes. Paths have slashes and are relative to the folder.
func (t *tree) read(name string) ([]byte, error) {
	if t.hidden[name] {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	}
	if b, ok := t.overlay[name]; ok {
		return b, nil
	}
	f, err := t.fs.Open(name)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // nothing was written
	if info, err := f.Stat(); err != nil {
		return nil, err
	} else if !info.Mode().IsRegular() {
		return nil, &fs.PathError{Op: "open", Path: name, Err: errors.New("not a regular file")}
	}
	b, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err == nil && len(b) > maxFile {
		err = &fs.PathError{Op: "read", Path: name, Err: fmt.Errorf("larger than %d bytes", maxFile)}
	}
	return b, err
}

// glob lists what a pattern names, sorted; like the switch's own, '*' does not
// match a leading dot.
func (t *tree) glob(pattern string) []string {
	names, err := fs.Glob(t.fs, pattern)
	if err != nil {
		return nil // a pattern that cannot be understood matches nothing
	}
	for name := range t.overlay {
		if ok, _ := path.Match(pattern, name); ok {
			names = append(names, name)
		}
	}
	names = slices.DeleteFunc(names, func(n string) bool {
		return t.hidden[n] || strings.HasPrefix(path.Base(n), ".") && !strings.HasPrefix(path.Base(pattern), ".")
	})
	slices.Sort(names)
	return slices.Compact(names)
}

// flat is the one text that the switch's preprocessor makes of the folder, and
// where each part of it comes from.
type flat struct {
	text     []byte
	segments []segment
	includes []include
	files    []string // every file that was read, once
	skipped  []string // what could not be read, and why
}

type segment struct {
	start  int // in the text
	length int
	file   string
	offset int // in the file
}

// include is one directive that includes files of the folder.
type include struct {
	at      int // where in the text its files stand
	pattern string
}

// origin returns the file and offset of the byte at a place in the text.
func (f *flat) origin(at int) (segment, int) {
	i, found := slices.BinarySearchFunc(f.segments, at, func(s segment, at int) int { return s.start - at })
	if !found {
		i--
	}
	if i < 0 {
		return segment{}, 0
	}
	s := f.segments[i]
	return s, s.offset + at - s.start
}

// flatten reads the folder the way the switch does, beginning with
// freeswitch.xml. A folder without one is read as a stock one would be, so that
// parts of a configuration can be prepared elsewhere.
func (t *tree) flatten() (*flat, error) {
	p := &preprocessor{tree: t, out: &flat{}, vars: map[string]string{"conf_dir": t.abs}, seen: map[string]bool{}}
	const main = "freeswitch.xml"
	if _, err := t.read(main); !errors.Is(err, fs.ErrNotExist) {
		return p.out, p.file(main, 0)
	}
	for _, section := range []struct{ name, pattern string }{
		{"configuration", "autoload_configs/*.xml"}, {"dialplan", "dialplan/*.xml"},
	} {
		p.out.text = append(p.out.text, `<section name="`+section.name+`">`...)
		if err := p.include(section.pattern, 0); err != nil {
			return p.out, err
		}
		p.out.text = append(p.out.text, "</section>\n"...)
	}
	return p.out, nil
}

type preprocessor struct {
	tree *tree
	out  *flat
	vars map[string]string
	seen map[string]bool
	n    int
}

// file works through one file line by line, as the switch's preprocessor does:
// a line ends at a carriage return as well as at a line feed; one that holds an
// <include> tag or a declaration is dropped; a directive takes its whole line.
func (p *preprocessor) file(name string, depth int) error {
	if depth > maxIncludes {
		p.skip(name, "included too deep")
		return nil
	}
	if p.n++; p.n > maxFiles {
		return &Error{Kind: ErrMalformed, Path: name, Problem: fmt.Sprintf("more than %d files are included", maxFiles)}
	}
	b, err := p.tree.read(name)
	if err != nil {
		p.skip(name, err.Error())
		return nil
	}
	if !p.seen[name] {
		p.seen[name] = true
		p.out.files = append(p.out.files, name)
	}
	inComment := false
	for at := 0; at < len(b); {
		end := len(b)
		if i := bytes.IndexAny(b[at:], "\r\n"); i >= 0 {
			end = at + i + 1
		}
		if inComment, err = p.line(name, b, at, end, inComment, depth); err != nil {
			return err
		}
		at = end
	}
	return nil
}

func (p *preprocessor) line(name string, b []byte, at, end int, inComment bool, depth int) (bool, error) {
	if nul := bytes.IndexByte(b[at:end], 0); nul >= 0 {
		end = at + nul
	}
	l := b[at:end]
	if bytes.Contains(l, []byte("<include>")) || bytes.Contains(l, []byte("</include>")) || bytes.Contains(l, []byte("<?")) {
		return inComment, nil
	}
	if inComment {
		i := bytes.Index(l, []byte("-->"))
		if i < 0 {
			return true, nil
		}
		at += i + 3
		l, inComment = b[at:end], false
	}
	if i := indexFold(l, "x-pre-process"); i >= 0 {
		if i == 0 || l[i-1] != '<' {
			return inComment, nil
		}
		cmd, data := directive(string(l[i:]))
		return inComment, p.run(name, cmd, data, depth)
	}
	if i := bytes.Index(l, []byte("<!--#")); i >= 0 {
		if err := p.copy(name, b, at, at+i); err != nil {
			return inComment, err
		}
		body := l[i+5:]
		if e := bytes.Index(l[i:], []byte("-->")); e >= 0 {
			if err := p.copy(name, b, at+i+e+3, end); err != nil {
				return inComment, err
			}
			body = l[min(i+5, i+e) : i+e]
		} else {
			inComment = true
		}
		cmd, data, _ := strings.Cut(strings.TrimRight(string(body), "\r\n"), " ")
		if _, q, ok := strings.Cut(data, `"`); ok {
			data, _, _ = strings.Cut(q, `"`)
		}
		return inComment, p.run(name, cmd, data, depth)
	}
	return inComment, p.copy(name, b, at, end)
}

// directive takes command and argument out of an X-PRE-PROCESS tag.
func directive(s string) (cmd, data string) {
	value := func(name string) string {
		i := indexFold([]byte(s), name)
		if i < 0 {
			return ""
		}
		_, rest, ok := strings.Cut(s[i:], "=")
		if !ok {
			return ""
		}
		if _, rest, ok = strings.Cut(rest, `"`); !ok {
			return ""
		}
		v, after, _ := strings.Cut(rest, `"`)
		s = after
		return v
	}
	cmd = value("cmd")
	return cmd, value("data")
}

// run obeys a directive. Programs and the network are not asked for anything.
func (p *preprocessor) run(name, cmd, data string, depth int) error {
	switch strings.ToLower(cmd) {
	case "set":
		if k, v, ok := strings.Cut(data, "="); ok {
			p.vars[strings.TrimRight(k, " ")] = p.expand(strings.TrimLeft(v, " "))
		}
	case "include":
		pattern := filepath.ToSlash(p.expand(data))
		if path.IsAbs(pattern) {
			rel, ok := strings.CutPrefix(path.Clean(pattern), path.Clean(filepath.ToSlash(p.tree.abs))+"/")
			if !ok {
				p.skip(pattern, "outside of the configuration folder")
				return nil
			}
			pattern = rel
		} else {
			pattern = path.Join(path.Dir(name), pattern)
		}
		if !fs.ValidPath(pattern) {
			p.skip(pattern, "outside of the configuration folder")
			return nil
		}
		return p.include(pattern, depth)
	}
	return nil
}

func (p *preprocessor) include(pattern string, depth int) error {
	p.out.includes = append(p.out.includes, include{at: len(p.out.text), pattern: pattern})
	for _, f := range p.tree.glob(pattern) {
		if err := p.file(f, depth+1); err != nil {
			return err
		}
	}
	return nil
}

func (p *preprocessor) copy(name string, b []byte, from, to int) error {
	if from >= to {
		return nil
	}
	if len(p.out.text)+to-from > maxXML {
		return &Error{Kind: ErrMalformed, Path: name, Problem: fmt.Sprintf("the whole configuration is larger than %d bytes", maxXML)}
	}
	at := len(p.out.text)
	p.out.text = append(p.out.text, b[from:to]...)
	if n := len(p.out.segments); n > 0 {
		last := &p.out.segments[n-1]
		if last.file == name && last.offset+last.length == from && last.start+last.length == at {
			last.length += to - from
			return nil
		}
	}
	p.out.segments = append(p.out.segments, segment{start: at, length: to - from, file: name, offset: from})
	return nil
}

// expand resolves the variables that directives have set, and bounds the result.
func (p *preprocessor) expand(s string) string {
	const most = 4096
	var b strings.Builder
	for b.Len() < most {
		before, rest, ok := strings.Cut(s, "$${")
		b.WriteString(before)
		if !ok {
			break
		}
		name, after, ok := strings.Cut(rest, "}")
		if !ok {
			break
		}
		b.WriteString(p.vars[name])
		s = after
	}
	return b.String()
}

func (p *preprocessor) skip(name, why string) {
	const most = 8
	if len(p.out.skipped) < most {
		p.out.skipped = append(p.out.skipped, clip(name)+" ("+why+")")
	}
}

// indexFold finds a lower-case ASCII word, whatever its case in b.
func indexFold(b []byte, word string) int {
	for i := 0; i+len(word) <= len(b); i++ {
		if strings.EqualFold(string(b[i:i+len(word)]), word) {
			return i
		}
	}
	return -1
}
