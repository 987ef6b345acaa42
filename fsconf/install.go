package fsconf

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
)

// Change is one file that Install or Uninstall has changed, would change, or
// has found to be as it must be.
type Change struct {
	Path   string // inside the configuration folder, with slashes
	Action string // create, update, merge, unchanged, remove or restore
	Diff   string // unified; empty when unchanged
	Note   string // what the change is to be known for, or ""
}

// Install puts what Files lists into the configuration folder of a switch, and
// returns what it did, or with dryRun what it would do. The switch takes it
// over at the next 'reloadxml'; a profile is read when a room is made, so rooms
// that exist keep the old one.
//
// Errors are a *SettingsError, an *Error, or the file system's. All but the
// latter come before the first file is written. If writing fails half-way, what was
// written stays; a second Install completes it, Uninstall undoes it.
func Install(dir string, s Settings, dryRun bool) ([]Change, error) {
	if err := s.Validate(); err != nil {
		return nil, err
	}
	return work(dir, dryRun, func(p *planner) error { return p.install(s) })
}

// Uninstall takes everything of livemon's out of the configuration folder: the
// shop's files get the bytes back that they had before, or, where the shop has
// changed them since, lose livemon's blocks only. What the shop has changed in
// livemon's own files is kept under livemon/backup. Where nothing was installed
// it does nothing and returns no change.
func Uninstall(dir string, dryRun bool) ([]Change, error) {
	return work(dir, dryRun, (*planner).uninstall)
}

func work(dir string, dryRun bool, plan func(*planner) error) (changes []Change, err error) {
	abs, err := filepath.Abs(dir)
	if err == nil {
		abs, err = filepath.EvalSymlinks(abs)
	}
	if err != nil {
		return nil, err
	}
	root, err := os.OpenRoot(abs)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, root.Close()) }()
	if !dryRun {
		unlock, err := lock(root)
		if err != nil {
			return nil, err
		}
		defer unlock()
	}
	p, err := newPlanner(&tree{fs: root.FS(), abs: abs})
	if err != nil {
		return nil, err
	}
	if err := plan(p); err != nil {
		return nil, err
	}
	w := &writer{root: root, abs: abs}
	if !dryRun {
		if err := w.prepare(p); err != nil {
			return nil, err
		}
	}
	for _, s := range p.steps {
		if s.action != "unchanged" && !dryRun {
			if err := w.do(s); err != nil {
				return changes, fmt.Errorf("%s: %w", s.path, err)
			}
		}
		changes = append(changes, Change{Path: s.path, Action: s.action, Diff: s.diff(), Note: s.note()})
	}
	if !dryRun && slices.ContainsFunc(p.steps, func(s step) bool { return s.path == manifestPath && s.action == "remove" }) {
		w.removeEmpty(p.old.Folders)
	}
	return changes, nil
}

// lock keeps a second Install or Uninstall out of the folder.
func lock(root *os.Root) (func(), error) {
	d, err := root.Open(".")
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(d.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		_ = d.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, &Error{Kind: ErrBusy, Do: "Wait for it to end"}
		}
		return nil, err
	}
	return func() { _ = d.Close() }, nil // closing gives the lock back
}

func (s step) diff() string {
	if s.action == "unchanged" {
		return ""
	}
	return unifiedDiff(s.path, s.before, s.content)
}

// note says that a dialplan from before gave more rights than livemon needs.
func (s step) note() string {
	if path.Base(s.path) != dialplanFile || s.action == "unchanged" || !takesFullAway(s.before, s.content) {
		return ""
	}
	return "Until the switch has read this, whoever listens at the dial-in address may send it any command ('full')"
}

// writer changes files of the folder, and never one outside of it.
type writer struct {
	root *os.Root
	abs  string
	like *attributes // of the shop's own files, for new ones
}

// attributes are what a file keeps when its content is replaced.
type attributes struct {
	mode     fs.FileMode
	uid, gid int
}

// prepare looks, before anything is written, whether all can be, and makes the
// folders.
func (w *writer) prepare(p *planner) error {
	for _, s := range p.steps {
		if _, err := w.resolve(s.path); err != nil {
			return err
		}
	}
	for _, m := range slices.Concat(p.new.Merged, p.old.Merged) {
		target, err := w.resolve(m.Path)
		if err != nil {
			return err
		}
		if w.like, err = w.attributes(target); err == nil {
			break
		} else if !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	if w.like == nil {
		w.like = &attributes{mode: fileMode, uid: os.Getuid(), gid: os.Getgid()}
	}
	for _, s := range p.steps {
		if s.content == nil || s.action == "unchanged" {
			continue
		}
		if err := w.makeFolder(filepath.Dir(filepath.FromSlash(s.path))); err != nil {
			return err
		}
	}
	return nil
}

// makeFolder makes a folder and those above it, as the configuration folder
// itself is.
func (w *writer) makeFolder(dir string) error {
	info, err := w.root.Stat(dir)
	switch {
	case err == nil && info.IsDir():
		return nil
	case err == nil:
		return &Error{Kind: ErrUnsafe, Path: dir, Problem: "it is not a folder", Do: "Rename or remove it"}
	case !errors.Is(err, fs.ErrNotExist):
		return err
	}
	if err := w.makeFolder(filepath.Dir(dir)); err != nil {
		return err
	}
	top, err := w.attributes(".")
	if err != nil {
		return err
	}
	if err := w.root.Mkdir(dir, 0o700); err != nil {
		return err
	}
	if err := w.own(dir, top); err != nil {
		return err
	}
	return w.root.Chmod(dir, top.mode|0o700)
}

// resolve returns the path of the file itself where the name is a link, or an
// error if that is outside of the folder.
func (w *writer) resolve(name string) (string, error) {
	name = filepath.FromSlash(name)
	real, err := filepath.EvalSymlinks(filepath.Join(w.abs, name))
	if errors.Is(err, fs.ErrNotExist) {
		if info, err := w.root.Lstat(name); err == nil && info.Mode()&fs.ModeSymlink != 0 {
			return "", &Error{Kind: ErrUnsafe, Path: name, Problem: "it is a link to nothing", Do: "Remove it"}
		}
		return name, nil
	}
	if err != nil {
		return "", err
	}
	rel, err := filepath.Rel(w.abs, real)
	if err != nil || !filepath.IsLocal(rel) {
		return "", &Error{Kind: ErrUnsafe, Path: name, Problem: "it is a link to " + real + ", outside of the configuration folder",
			Do: "Put a copy in its place, or name the folder that the link leads to"}
	}
	if info, err := w.root.Lstat(rel); err != nil {
		return "", err
	} else if !info.Mode().IsRegular() {
		return "", &Error{Kind: ErrUnsafe, Path: name, Problem: "it is not a regular file"}
	}
	return rel, nil
}

func (w *writer) attributes(name string) (*attributes, error) {
	info, err := w.root.Stat(name)
	if err != nil {
		return nil, err
	}
	a := &attributes{mode: info.Mode().Perm(), uid: os.Getuid(), gid: os.Getgid()}
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		a.uid, a.gid = int(st.Uid), int(st.Gid)
	}
	return a, nil
}

// own gives a file its owner; it is an error only where that changes anything.
func (w *writer) own(name string, a *attributes) error {
	have, err := w.attributes(name)
	if err != nil || have.uid == a.uid && have.gid == a.gid {
		return err
	}
	if err := w.root.Lchown(name, a.uid, a.gid); err != nil {
		return fmt.Errorf("it cannot be given its owner %d:%d (run as root, or as that owner): %w", a.uid, a.gid, err)
	}
	return nil
}

// do writes or removes one file.
func (w *writer) do(s step) error {
	name, err := w.resolve(s.path)
	if err != nil {
		return err
	}
	if s.content == nil {
		return w.root.Remove(name)
	}
	a := w.like
	if s.before != nil {
		if a, err = w.attributes(name); err != nil {
			return err
		}
	}
	return w.replace(name, s.content, a)
}

// replace writes the content beside the file and renames it over it. The name
// in between is one that no include of *.xml takes in.
func (w *writer) replace(name string, content []byte, a *attributes) (err error) {
	tmp := filepath.Join(filepath.Dir(name), "."+strings.TrimPrefix(filepath.Base(name), ".")+".livemon-new")
	if err := w.root.Remove(tmp); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	f, err := w.root.OpenFile(tmp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, w.root.Remove(tmp))
		}
	}()
	_, err = f.Write(content)
	if err == nil {
		err = w.own(tmp, a)
	}
	if err == nil {
		err = f.Chmod(a.mode)
	}
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	return w.root.Rename(tmp, name)
}

// removeEmpty removes the folders that Install has made and that hold nothing.
func (w *writer) removeEmpty(recorded []string) {
	var dirs []string
	add := func(d string) {
		for ; d != "." && d != "/"; d = filepath.Dir(d) {
			dirs = append(dirs, d)
		}
	}
	for _, d := range recorded {
		dirs = append(dirs, filepath.FromSlash(d))
	}
	_ = fs.WalkDir(w.root.FS(), ownFolder, func(p string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() {
			add(filepath.FromSlash(p))
		}
		return nil
	})
	slices.SortFunc(dirs, func(a, b string) int { return len(b) - len(a) })
	for _, d := range slices.Compact(dirs) {
		_ = w.root.Remove(d) // one that is not empty, or gone already, stays as it is
	}
}
