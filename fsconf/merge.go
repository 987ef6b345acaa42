package fsconf

import (
	"bytes"
	"cmp"
	"slices"
	"strings"
)

// A block is what livemon puts into a file of the shop's, between these
// comments. The word behind markBegin says what it is, and whether the element
// around it closed itself (<profiles/>) before.
const (
	markBegin  = "<!-- livemon:begin "
	markTail   = " (put here by livemon fsconf install; changes are lost) -->"
	markEnd    = "<!-- livemon:end -->"
	markIndent = "    "
	opened     = " opened " // follows the kind, and is followed by the element's name

	// fileMark stands in files that are livemon's as a whole.
	fileMark = "livemon: this file was put here by livemon fsconf install; changes are lost"
)

// confName is the configuration that mod_conference reads.
const confName = "conference.conf"

// edit replaces length bytes at an offset of a file.
type edit struct {
	file   string
	offset int
	length int
	text   []byte
}

// block is one insertion behind an element's start tag.
type block struct {
	kind  string
	lines []string
	into  *node
}

// blocks are the blocks that conf needs: into its profiles and caller-controls
// where it has them, else with an element of that name around it.
func blocks(conf *node, s Settings) []block {
	wrap := func(name string, lines []string) []string {
		out := append([]string{"  <" + name + ">"}, lines...)
		return append(out, "  </"+name+">")
	}
	if conf.selfClosed {
		all := wrap("caller-controls", controlsLines(s))
		return []block{{"all", append(all, wrap("profiles", profileLines(s))...), conf}}
	}
	var out []block
	for _, b := range []block{
		{"controls", controlsLines(s), conf.child("caller-controls")},
		{"profile", profileLines(s), conf.child("profiles")},
	} {
		if b.into == nil {
			name := map[string]string{"controls": "caller-controls", "profile": "profiles"}[b.kind]
			b.lines, b.into = wrap(name, b.lines), conf
		}
		out = append(out, b)
	}
	return out
}

// render is the block as it stands in the file, up to and including its end mark.
func (b block) render(nl string) []byte {
	begin := markBegin + b.kind
	if b.into.selfClosed {
		begin += opened + b.into.name
	}
	all := append([]string{"", markIndent + begin + markTail}, b.lines...)
	text := strings.Join(append(all, markIndent+markEnd), nl)
	if b.into.selfClosed {
		text += nl + closing(b.into.name)
	}
	return []byte(text)
}

func closing(name string) string { return "  </" + name + ">" }

// lineEnd is what ends a line in a file: that of its first line.
func lineEnd(b []byte) string {
	if i := bytes.IndexByte(b, '\n'); i > 0 && b[i-1] == '\r' {
		return "\r\n"
	}
	return "\n"
}

// mergeEdits are the edits which put livemon's blocks into the files that f was
// made of, where root is f's text as elements. Those files must be free of
// livemon's blocks.
func mergeEdits(f *flat, root *node, read func(string) ([]byte, error), s Settings) ([]edit, error) {
	conf := findConference(root)
	if conf == nil {
		problem := `no file that the switch would read holds <configuration name="` + confName + `">`
		if len(f.skipped) > 0 {
			problem += "; not read: " + strings.Join(f.skipped, ", ")
		}
		return nil, &Error{Kind: ErrNotConfiguration, Problem: problem,
			Do: "Name the folder that the switch calls conf_dir (fs_cli -x 'global_getvar conf_dir')"}
	}
	if err := foreign(f, conf); err != nil {
		return nil, err
	}
	var out []edit
	for _, b := range blocks(conf, s) {
		seg, at := f.origin(b.into.tagEnd - 1)
		src, err := read(seg.file)
		if err != nil {
			return nil, err
		}
		end := at + 1
		if b.into.selfClosed {
			if at == 0 || src[at-1] != '/' {
				return nil, &Error{Kind: ErrMalformed, Path: seg.file, Problem: "<" + b.into.name + "/> is spread over several files"}
			}
			out = append(out, edit{file: seg.file, offset: at - 1, length: 1})
		}
		out = append(out, edit{file: seg.file, offset: end, text: b.render(lineEnd(src))})
	}
	return out, nil
}

// foreign refuses a profile or a group that bears livemon's name already.
func foreign(f *flat, conf *node) error {
	for _, x := range []struct{ list, item, name string }{
		{"profiles", "profile", Profile}, {"caller-controls", "group", Controls},
	} {
		for _, list := range conf.all(x.list) {
			for _, n := range list.all(x.item) {
				if strings.EqualFold(n.attr("name"), x.name) {
					seg, _ := f.origin(n.tagStart)
					return &Error{Kind: ErrForeign, Path: seg.file,
						Problem: "it has a " + x.item + ` named "` + x.name + `" that livemon did not put there`,
						Do:      "Rename or remove it, then install again"}
				}
			}
		}
	}
	return nil
}

// findConference returns the conference.conf that mod_conference would be given.
func findConference(root *node) *node {
	return root.find(func(n *node) bool {
		return n.name == "configuration" && strings.EqualFold(n.attr("name"), confName)
	})
}

// apply makes the edits of one file.
func apply(src []byte, edits []edit) []byte {
	edits = slices.Clone(edits)
	slices.SortStableFunc(edits, func(a, b edit) int { return cmp.Compare(a.offset, b.offset) })
	var out []byte
	at := 0
	for _, e := range edits {
		out = append(append(out, src[at:e.offset]...), e.text...)
		at = e.offset + e.length
	}
	return append(out, src[at:]...)
}

// unmerge takes livemon's blocks out of a file: what is left is, byte for
// byte, what was there before, with whatever the shop has changed around them.
// A file without blocks is returned as it is.
func unmerge(src []byte) ([]byte, error) {
	broken := func(problem string) error {
		return &Error{Kind: ErrMalformed, Problem: problem,
			Do: "Remove what livemon put there by hand, from 'livemon:begin' to 'livemon:end', or restore the copy under livemon/backup"}
	}
	const most = 16
	if bytes.Count(src, []byte(markBegin)) > most || bytes.Count(src, []byte(markEnd)) > most {
		return nil, broken("livemon's marks are there many times")
	}
	out := slices.Clone(src)
	for {
		begin := bytes.LastIndex(out, []byte(markBegin))
		end := bytes.LastIndex(out, []byte(markEnd))
		if begin < 0 && end < 0 {
			return out, nil
		}
		if begin < 0 || end < begin {
			return nil, broken("livemon's marks are not in pairs")
		}
		head, _, ok := bytes.Cut(out[begin+len(markBegin):end], []byte(markTail))
		if !ok || len(head) > 64 || bytes.Contains(out[begin:end], []byte("livemon:end")) {
			return nil, broken("livemon's marks have been changed")
		}
		end += len(markEnd)
		for _, nl := range []string{"\r\n", "\n"} {
			if bytes.HasSuffix(out[:begin], []byte(nl+markIndent)) {
				begin -= len(nl + markIndent)
				break
			}
		}
		_, element, wasClosed := strings.Cut(string(head), opened)
		if wasClosed {
			begin, end, out = reclose(out, begin, end, element)
		}
		out = slices.Delete(out, begin, end)
	}
}

// reclose turns <profiles> and </profiles> around a block back into <profiles/>,
// unless something else has come to stand between them since.
func reclose(b []byte, begin, end int, element string) (int, int, []byte) {
	for _, nl := range []string{"\r\n", "\n"} {
		tail := nl + closing(element)
		if begin > 0 && b[begin-1] == '>' && bytes.HasPrefix(b[end:], []byte(tail)) {
			end += len(tail)
			return begin + 1, end + 1, slices.Insert(b, begin-1, '/')
		}
	}
	return begin, end, b
}

// hasMarks tells whether a file holds blocks of livemon's.
func hasMarks(b []byte) bool {
	return bytes.Contains(b, []byte(markBegin)) || bytes.Contains(b, []byte(markEnd))
}
