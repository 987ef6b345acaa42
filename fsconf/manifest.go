package fsconf

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"
)

const (
	manifestPath = ownFolder + "/manifest.json"
	backupFolder = ownFolder + "/backup"
)

// manifest is what Install remembers for the next Install and for Uninstall.
// It is a help, not an authority: without it, livemon's marks still tell what
// is livemon's.
type manifest struct {
	Version int      `json:"version"`
	Merged  []merged `json:"merged"`  // files of the shop's that hold blocks
	Created []owned  `json:"created"` // files that are livemon's as a whole
	Folders []string `json:"folders"` // that Install has made
}

type merged struct {
	Path      string `json:"path"`
	SHA256    string `json:"sha256"` // as Install left it
	Backup    string `json:"backup"` // the copy of what was there before
	BackupSHA string `json:"backup_sha256"`
}

type owned struct {
	Path   string `json:"path"`
	SHA256 string `json:"sha256"`
}

func digest(b []byte) string {
	h := sha256.Sum256(b)
	return hex.EncodeToString(h[:])
}

// readManifest returns the folder's manifest, an empty one if there is none.
// One that names files outside of the folder is refused.
func readManifest(t *tree) (manifest, error) {
	var m manifest
	b, err := t.read(manifestPath)
	if errors.Is(err, fs.ErrNotExist) {
		return m, nil
	}
	if err != nil {
		return m, err
	}
	if err := json.Unmarshal(b, &m); err != nil || m.Version != 1 {
		return m, &Error{Kind: ErrMalformed, Path: manifestPath, Problem: "it is not a manifest that this version of livemon wrote",
			Do: "Remove it: what is livemon's is then told by its marks"}
	}
	var names []string
	for _, f := range m.Merged {
		if !strings.HasPrefix(f.Backup, backupFolder+"/") {
			names = append(names, "../"+f.Backup)
		}
		names = append(names, f.Path, f.Backup)
	}
	for _, f := range m.Created {
		if !strings.HasPrefix(f.Path, ownFolder+"/") && path.Base(f.Path) != dialplanFile {
			names = append(names, "../"+f.Path)
		}
		names = append(names, f.Path)
	}
	for _, n := range append(names, m.Folders...) {
		if !fs.ValidPath(n) || n == "." {
			return m, &Error{Kind: ErrUnsafe, Path: manifestPath, Problem: "it names " + clip(n) + ", which it may not", Do: "Remove it"}
		}
	}
	return m, nil
}

func (m manifest) encode() ([]byte, error) {
	slices.SortFunc(m.Created, func(a, b owned) int { return strings.Compare(a.Path, b.Path) })
	slices.SortFunc(m.Merged, func(a, b merged) int { return strings.Compare(a.Path, b.Path) })
	slices.Sort(m.Folders)
	m.Folders = slices.Compact(m.Folders)
	b, err := json.MarshalIndent(m, "", "  ")
	return append(b, '\n'), err
}

func (m manifest) mergedAt(name string) (merged, bool) {
	i := slices.IndexFunc(m.Merged, func(f merged) bool { return f.Path == name })
	if i < 0 {
		return merged{}, false
	}
	return m.Merged[i], true
}

func (m manifest) createdAt(name string) (owned, bool) {
	i := slices.IndexFunc(m.Created, func(f owned) bool { return f.Path == name })
	if i < 0 {
		return owned{}, false
	}
	return m.Created[i], true
}

// backupName is a place for a copy of a file which does not hold anything else
// yet: the file's own path below the backup folder, with a number if need be.
func backupName(t *tree, name string, content []byte) (string, error) {
	const most = 1000
	for n := range most {
		candidate := path.Join(backupFolder, name)
		if n > 0 {
			candidate += "." + strconv.Itoa(n)
		}
		b, err := t.read(candidate)
		switch {
		case errors.Is(err, fs.ErrNotExist), err == nil && string(b) == string(content):
			return candidate, nil
		case err != nil:
			return "", err
		}
	}
	return "", &Error{Kind: ErrUnsafe, Path: path.Join(backupFolder, name), Problem: "there are too many copies of it", Do: "Move the old ones elsewhere"}
}
