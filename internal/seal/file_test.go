package seal_test

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"livemon/internal/seal"
)

func TestTheFileIsMadeOnceAndForOneUser(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a", "b", "secret")
	prints := make([]string, 8)
	var wg sync.WaitGroup
	var times atomic.Int32
	for i := range prints {
		wg.Go(func() {
			k, made, err := seal.Load(path)
			if err != nil {
				t.Error(err)
			}
			if made {
				times.Add(1)
			}
			prints[i] = k.Fingerprint()
		})
	}
	wg.Wait()
	if n := times.Load(); n != 1 {
		t.Errorf("%d say that they have made it", n)
	}
	if _, made, _ := seal.Load(path); made {
		t.Error("it is made again")
	}
	if prints[0] == "" || slices.ContainsFunc(prints, func(s string) bool { return s != prints[0] }) {
		t.Errorf("%q", prints)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
	if dir, _ := os.Stat(filepath.Dir(path)); dir.Mode().Perm() != 0o700 {
		t.Errorf("the folder is %v", dir.Mode())
	}
	if entries, _ := os.ReadDir(filepath.Dir(path)); len(entries) != 1 {
		t.Errorf("left behind: %v", entries)
	}
}

func TestFiles(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string, mode os.FileMode) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), mode); err != nil {
			t.Fatal(err)
		}
		return path
	}
	digits := strings.Repeat("0a", 32)
	good, _, err := seal.Load(write("good", digits+"\n", 0o600))
	if err != nil || good.Fingerprint() != seal.NewKey([32]byte(slices.Repeat([]byte{10}, 32))).Fingerprint() {
		t.Errorf("%v, %v", good, err)
	}
	if same, _, err := seal.Load(write("spaces", "  "+strings.ToUpper(digits)+"\r\n", 0o400)); err != nil || same.Fingerprint() != good.Fingerprint() {
		t.Errorf("%v", err)
	}
	if long, _, err := seal.Load(write("long", digits+"0a", 0o600)); err != nil || long.Fingerprint() == good.Fingerprint() {
		t.Errorf("%v: more digits make no other key", err)
	}
	link := filepath.Join(dir, "link")
	if err := os.Symlink(filepath.Join(dir, "good"), link); err != nil {
		t.Fatal(err)
	}
	pipe := filepath.Join(dir, "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		write("short", digits[:62], 0o600):              "at least 64 hex digits",
		write("empty", "", 0o600):                       "at least 64 hex digits",
		write("odd", digits+"0", 0o600):                 "one too many",
		write("words", strings.Repeat("x", 64), 0o600):  "not a hex digit",
		write("huge", strings.Repeat("0", 5000), 0o600): "at least 64 hex digits",
		write("group", digits, 0o640):                   "others may read",
		write("all", digits, 0o604):                     "others may read",
		link:                                            "a link",
		pipe:                                            "not a plain file",
		dir:                                             "not a plain file",
		"secret":                                        "the whole path",
	} {
		k, _, err := seal.Load(path)
		var e *seal.FileError
		if !errors.As(err, &e) || !strings.Contains(err.Error(), want) || !k.IsZero() {
			t.Errorf("%s: %v", path, err)
		}
		if err != nil && strings.Contains(err.Error(), "0a0a") {
			t.Errorf("the error shows the secret: %v", err)
		}
	}
	if os.Geteuid() == 0 {
		path := write("theirs", digits, 0o600)
		if err := os.Chown(path, 12345, 0); err != nil {
			t.Fatal(err)
		}
		if _, _, err := seal.Load(path); err == nil || !strings.Contains(err.Error(), "another user") {
			t.Errorf("%v", err)
		}
	}
	if _, _, err := seal.Load(filepath.Join(write("file", "", 0o600), "secret")); err == nil {
		t.Error("a folder that is a file")
	}
}
