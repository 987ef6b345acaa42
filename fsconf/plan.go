package fsconf

import (
	"errors"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"
)

// step is one file to be written or removed, and how it is told.
type step struct {
	path    string
	action  string
	content []byte // nil removes the file
	before  []byte // what is there now; nil when there is nothing
}

// planner works out the steps of an Install or an Uninstall from what is on
// disk. It writes nothing.
type planner struct {
	disk  *tree
	old   manifest
	new   manifest
	steps []step
}

func newPlanner(disk *tree) (*planner, error) {
	m, err := readManifest(disk)
	return &planner{disk: disk, old: m, new: manifest{Version: 1}}, err
}

// current returns what is on disk, nil when there is no such file.
func (p *planner) current(name string) ([]byte, error) {
	b, err := p.disk.read(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if b == nil && err == nil {
		b = []byte{}
	}
	return b, err
}

// put plans a file's content.
func (p *planner) put(name, change string, content []byte) error {
	now, err := p.current(name)
	if err != nil {
		return err
	}
	switch {
	case now == nil:
		change = "create"
	case string(now) == string(content):
		change = "unchanged"
	}
	p.steps = append(p.steps, step{path: name, action: change, content: content, before: now})
	return nil
}

func (p *planner) remove(name string) error {
	now, err := p.current(name)
	if err != nil || now == nil {
		return err
	}
	p.steps = append(p.steps, step{path: name, action: "remove", before: now})
	return nil
}

// bare is the folder without anything of livemon's: its blocks taken out, its
// files not there. withMarks are the files that had blocks.
func (p *planner) bare() (t *tree, withMarks []string, own []string, err error) {
	t = &tree{fs: p.disk.fs, abs: p.disk.abs, overlay: map[string][]byte{}, hidden: map[string]bool{}}
	f, err := p.disk.flatten()
	if err != nil {
		return nil, nil, nil, err
	}
	names := slices.Clone(f.files)
	for _, m := range p.old.Merged {
		names = append(names, m.Path)
	}
	for _, c := range p.old.Created {
		names = append(names, c.Path)
	}
	slices.Sort(names)
	for _, name := range slices.Compact(names) {
		b, err := p.current(name)
		if err != nil {
			return nil, nil, nil, err
		}
		_, created := p.old.createdAt(name)
		switch {
		case b == nil:
		case created || path.Base(name) == dialplanFile && strings.Contains(string(b), fileMark):
			t.hidden[name] = true
			own = append(own, name)
		case hasMarks(b):
			base, err := unmerge(b)
			if err != nil {
				return nil, nil, nil, at(err, name)
			}
			t.overlay[name] = base
			withMarks = append(withMarks, name)
		}
	}
	return t, withMarks, own, nil
}

// at puts the file's name into an *Error that does not have one yet.
func at(err error, name string) error {
	var e *Error
	if errors.As(err, &e) && e.Path == "" {
		c := *e
		c.Path = name
		return &c
	}
	return err
}

// install plans what Install does, in the order in which it is to be done:
// copies and manifest first, what the switch reads last, so that wherever it
// is cut short a second Install completes it and an Uninstall undoes it.
func (p *planner) install(s Settings) error {
	bare, withMarks, own, err := p.bare()
	if err != nil {
		return err
	}
	want, err := p.wanted(bare, s)
	if err != nil {
		return err
	}
	if err := verify(bare, want, s); err != nil {
		return err
	}
	for _, name := range withMarks {
		if _, ok := want.merged[name]; !ok {
			want.merged[name] = bare.overlay[name]
		}
	}
	if err := p.backups(bare, want); err != nil {
		return err
	}
	for name, content := range want.own {
		p.new.Created = append(p.new.Created, owned{name, digest(content)})
	}
	p.new.Folders = append(p.new.Folders, p.old.Folders...)
	p.new.Folders = append(p.new.Folders, p.missingFolders(want)...)
	b, err := p.new.encode()
	if err != nil {
		return err
	}
	if err := p.put(manifestPath, "update", b); err != nil {
		return err
	}
	for _, name := range sorted(want.own) {
		if err := p.put(name, "update", want.own[name]); err != nil {
			return err
		}
	}
	for _, name := range own {
		if _, ok := want.own[name]; !ok {
			if err := p.remove(name); err != nil {
				return err
			}
		}
	}
	for _, name := range sorted(want.merged) {
		if err := p.put(name, "merge", want.merged[name]); err != nil {
			return err
		}
	}
	return nil
}

// wants is the folder as Install leaves it.
type wants struct {
	own    map[string][]byte // files that are livemon's as a whole
	merged map[string][]byte // files of the shop's, with livemon's blocks
}

func (p *planner) wanted(bare *tree, s Settings) (wants, error) {
	w := wants{own: map[string][]byte{}, merged: map[string][]byte{}}
	f, root, err := bare.document()
	if err != nil {
		return w, err
	}
	edits, err := mergeEdits(f, root, bare.read, s)
	if err != nil {
		return w, err
	}
	byFile := map[string][]edit{}
	for _, e := range edits {
		byFile[e.file] = append(byFile[e.file], e)
	}
	for name, es := range byFile {
		src, err := bare.read(name)
		if err != nil {
			return w, err
		}
		w.merged[name] = apply(src, es)
	}
	if s.DialIn != "" {
		name, err := dialplanPlace(f, root, s)
		if err != nil {
			return w, err
		}
		if b, err := bare.read(name); !errors.Is(err, fs.ErrNotExist) {
			if err == nil && strings.Contains(string(b), fileMark) {
				err = nil
			} else if err == nil {
				err = &Error{Kind: ErrForeign, Path: name, Problem: "there is a file of this name that livemon did not put there",
					Do: "Rename or remove it, then install again"}
			}
			if err != nil {
				return w, err
			}
		}
		w.own[name] = []byte(dialplanXML(s))
	}
	ps, err := prompts()
	if err != nil {
		return w, err
	}
	for _, f := range ps {
		w.own[f.Path] = f.Content
	}
	return w, nil
}

// document is the folder as the switch reads it, as text and as elements.
func (t *tree) document() (*flat, *node, error) {
	f, err := t.flatten()
	if err != nil {
		return nil, nil, err
	}
	root, err := parseXML(f.text)
	var x *xmlError
	if errors.As(err, &x) {
		seg, offset := f.origin(x.Offset)
		return nil, nil, &Error{Kind: ErrMalformed, Path: seg.file, Problem: "byte " + strconv.Itoa(offset) + ": " + x.Reason,
			Do: "The switch cannot read this either: mend it first"}
	}
	return f, root, err
}

// dialplanPlace returns where the dial-in extension's file belongs: into the
// first folder that the context includes.
func dialplanPlace(f *flat, root *node, s Settings) (string, error) {
	ctx := findContext(root, s.Context)
	if ctx == nil {
		return "", &Error{Kind: ErrNoContext, Problem: `the dialplan has no context "` + s.Context + `"`,
			Do: "Install for the context of your supervisors' telephones, or without a dial-in code"}
	}
	seg, _ := f.origin(ctx.tagStart)
	inExtension := func(at int) bool {
		return slices.ContainsFunc(ctx.children, func(n *node) bool { return at > n.tagStart && at <= n.closeStart })
	}
	for _, i := range f.includes {
		if i.at < ctx.tagEnd || i.at > ctx.closeStart || inExtension(i.at) {
			continue
		}
		dir := path.Dir(i.pattern)
		if ok, _ := path.Match(path.Base(i.pattern), dialplanFile); ok && !strings.ContainsAny(dir, `*?[\`) {
			return path.Join(dir, dialplanFile), nil
		}
	}
	return "", &Error{Kind: ErrNoContext, Path: seg.file, Problem: `the context "` + s.Context + `" includes no folder`,
		Do: `Put <X-PRE-PROCESS cmd="include" data="` + s.Context + `/*.xml"/> on a line of its own inside <context name="` +
			s.Context + `">, or install without a dial-in code`}
}

// verify reads the folder as it would be and looks whether the switch would
// find there what livemon needs, and whether it could all be taken out again.
func verify(bare *tree, w wants, s Settings) error {
	after := &tree{fs: bare.fs, abs: bare.abs, overlay: map[string][]byte{}, hidden: bare.hidden}
	for name, b := range bare.overlay {
		after.overlay[name] = b
	}
	for name, b := range w.merged {
		base, err := bare.read(name)
		if err != nil {
			return err
		}
		if back, err := unmerge(b); err != nil || string(back) != string(base) {
			return &Error{Kind: ErrMalformed, Path: name, Problem: "livemon's blocks could not be taken out of it again"}
		}
		after.overlay[name] = b
	}
	after.hidden = map[string]bool{}
	for name := range bare.hidden {
		if _, ok := w.own[name]; !ok {
			after.hidden[name] = true
		}
	}
	for name, b := range w.own {
		after.overlay[name] = b
	}
	_, root, err := after.document()
	if err != nil {
		return err
	}
	conf := findConference(root)
	problems := append(profileProblems(conf, s), controlsProblems(conf, s, false)...)
	if s.DialIn != "" {
		problems = append(problems, dialInProblems(findContext(root, s.Context), s)...)
	}
	if len(problems) > 0 {
		return &Error{Kind: ErrMalformed, Problem: "the switch would not read what livemon puts there: " + strings.Join(problems, "; "),
			Do: "Give <configuration>, <profiles>, <caller-controls> and every X-PRE-PROCESS a line of their own, then install again"}
	}
	return nil
}

// backups plans the copies of what Install changes: of the shop's files as
// they are without livemon, and of livemon's own where the shop has changed them.
func (p *planner) backups(bare *tree, w wants) error {
	for _, name := range sorted(w.merged) {
		base, err := bare.read(name)
		if err != nil {
			return err
		}
		if string(base) == string(w.merged[name]) {
			continue
		}
		backup, err := backupName(p.disk, name, base)
		if err != nil {
			return err
		}
		entry := merged{Path: name, SHA256: digest(w.merged[name]), Backup: backup, BackupSHA: digest(base)}
		p.new.Merged = append(p.new.Merged, entry)
		if err := p.put(entry.Backup, "create", base); err != nil {
			return err
		}
	}
	for _, name := range sorted(w.own) {
		if err := p.keepEdited(name, w.own[name]); err != nil {
			return err
		}
	}
	for _, c := range p.old.Created {
		if _, ok := w.own[c.Path]; !ok {
			if err := p.keepEdited(c.Path, nil); err != nil {
				return err
			}
		}
	}
	return nil
}

// keepEdited plans a copy of one of livemon's own files if the shop has changed
// it since it was installed and it is about to be replaced or removed.
func (p *planner) keepEdited(name string, content []byte) error {
	now, err := p.current(name)
	if err != nil || now == nil || content != nil && string(now) == string(content) {
		return err
	}
	if was, ok := p.old.createdAt(name); ok && was.SHA256 == digest(now) {
		return nil
	}
	backup, err := backupName(p.disk, name, now)
	if err != nil {
		return err
	}
	return p.put(backup, "create", now)
}

// missingFolders are those that Install has to make.
func (p *planner) missingFolders(w wants) []string {
	var out []string
	names := append(sorted(w.own), manifestPath)
	for _, m := range p.new.Merged {
		names = append(names, m.Backup)
	}
	for _, name := range names {
		for dir := path.Dir(name); dir != "."; dir = path.Dir(dir) {
			if _, err := fs.Stat(p.disk.fs, dir); errors.Is(err, fs.ErrNotExist) {
				out = append(out, dir)
			}
		}
	}
	return out
}

// uninstall plans the way back.
func (p *planner) uninstall() error {
	bare, withMarks, own, err := p.bare()
	if err != nil {
		return err
	}
	restored := map[string][]byte{}
	for _, name := range withMarks {
		now, err := p.current(name)
		if err != nil {
			return err
		}
		change, content := "update", bare.overlay[name]
		if m, ok := p.old.mergedAt(name); ok && m.SHA256 == digest(now) {
			if b, err := p.disk.read(m.Backup); err == nil && digest(b) == m.BackupSHA {
				change, content = "restore", b
			}
		}
		restored[name] = content
		if err := p.put(name, change, content); err != nil {
			return err
		}
	}
	ps, err := prompts()
	if err != nil {
		return err
	}
	for _, f := range ps {
		if b, err := p.current(f.Path); err != nil {
			return err
		} else if string(b) == string(f.Content) && !slices.Contains(own, f.Path) {
			own = append(own, f.Path)
		}
	}
	for _, name := range own {
		if _, ok := p.old.createdAt(name); ok {
			if err := p.keepEdited(name, nil); err != nil {
				return err
			}
		}
		if err := p.remove(name); err != nil {
			return err
		}
	}
	for _, m := range p.old.Merged {
		// A copy that is on disk again under its own name has done its work.
		b, err := p.current(m.Backup)
		if err != nil {
			return err
		}
		if content, ok := restored[m.Path]; ok && b != nil && string(b) == string(content) {
			if err := p.remove(m.Backup); err != nil {
				return err
			}
		}
	}
	return p.remove(manifestPath)
}

func sorted(m map[string][]byte) []string {
	out := make([]string, 0, len(m))
	for name := range m {
		out = append(out, name)
	}
	slices.Sort(out)
	return out
}
