package seal

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

const (
	minHex  = 2 * keySize // characters
	maxFile = 4096        // bytes
)

// FileError says why a secret file is not used, and what to do.
type FileError struct {
	Path    string
	Problem string
}

func (e *FileError) Error() string { return "secret file " + e.Path + ": " + e.Problem }

// Load returns the Key in a file, and whether it was made for that: the file, and
// its folder, are made if there are none. The path must be absolute. A file that others may read, that somebody else owns, or
// that is a link is refused: who knows the key can make himself a session.
func Load(path string) (k Key, made bool, err error) {
	if !filepath.IsAbs(path) {
		return Key{}, false, &FileError{path, "give the whole path, from / on"}
	}
	if k, err = read(path); !errors.Is(err, fs.ErrNotExist) {
		return k, false, err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return Key{}, false, fmt.Errorf("secret file: %w", err)
	}
	err = create(path)
	if err != nil && !errors.Is(err, fs.ErrExist) {
		return Key{}, false, fmt.Errorf("secret file: %w", err)
	}
	made = err == nil
	k, err = read(path) // another process's, if it was faster
	return k, made, err
}

func read(path string) (Key, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	if errors.Is(err, syscall.ELOOP) {
		return Key{}, &FileError{path, "it is a link; name the file itself"}
	}
	if errors.Is(err, fs.ErrPermission) {
		return Key{}, &FileError{path, "this user may not read it; give it to the user that 'livemon serve' runs as, or name another with --secret-file"}
	}
	if err != nil {
		return Key{}, fmt.Errorf("secret file: %w", err)
	}
	defer func() { _ = f.Close() }()
	info, err := f.Stat()
	if err != nil {
		return Key{}, fmt.Errorf("secret file: %w", err)
	}
	if !info.Mode().IsRegular() {
		return Key{}, &FileError{path, "it is not a plain file; name another with --secret-file"}
	}
	if info.Mode().Perm()&0o077 != 0 {
		return Key{}, &FileError{path, "others may read it: 'chmod 600' it, and replace it on every controller if anybody may have read it"}
	}
	if st, ok := info.Sys().(*syscall.Stat_t); ok && st.Uid != 0 && st.Uid != uint32(os.Geteuid()) {
		return Key{}, &FileError{path, "it belongs to another user; give it to the user that 'livemon serve' runs as"}
	}
	data, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return Key{}, fmt.Errorf("secret file: %w", err)
	}
	return parse(path, data)
}

// parse makes a Key of hex digits. More than a key's worth of them are hashed.
func parse(path string, data []byte) (Key, error) {
	text := bytes.TrimSpace(data)
	if len(data) > maxFile || len(text) < minHex {
		return Key{}, &FileError{path, fmt.Sprintf("it must hold at least %d hex digits, as 'openssl rand -hex %d' prints them", minHex, keySize)}
	}
	raw := make([]byte, hex.DecodedLen(len(text)))
	if _, err := hex.Decode(raw, text); err != nil {
		return Key{}, &FileError{path, "it holds something that is not a hex digit, or one too many"}
	}
	if len(raw) > keySize {
		return NewKey(sha256.Sum256(raw)), nil
	}
	return NewKey([keySize]byte(raw)), nil
}

// create has the file appear complete, or not at all.
func create(path string) (err error) {
	var secret [keySize]byte
	if _, err := rand.Read(secret[:]); err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".secret-*") // mode 0600
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.Remove(f.Name())) }()
	_, err = f.WriteString(hex.EncodeToString(secret[:]) + "\n")
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Link(f.Name(), path)
}
