package config

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

const (
	minToken = 16 // characters
	maxToken = 512
)

// TokenPath is where serve writes the API token and the other commands look
// for it: /run/livemon/token for root, else $XDG_RUNTIME_DIR/livemon/token, else
// $XDG_STATE_HOME/livemon/token, else ~/.local/state/livemon/token. uid is the
// effective user id, getenv that of os.
func TokenPath(uid int, getenv func(string) string) (string, error) {
	absolute := func(name string) (string, bool) {
		dir := getenv(name)
		return dir, filepath.IsAbs(dir)
	}
	if uid == 0 {
		return "/run/livemon/token", nil
	}
	if dir, ok := absolute("XDG_RUNTIME_DIR"); ok {
		return filepath.Join(dir, "livemon", "token"), nil
	}
	if dir, ok := absolute("XDG_STATE_HOME"); ok {
		return filepath.Join(dir, "livemon", "token"), nil
	}
	if dir, ok := absolute("HOME"); ok {
		return filepath.Join(dir, ".local", "state", "livemon", "token"), nil
	}
	return "", errors.New("there is no place for the API token: neither XDG_RUNTIME_DIR, XDG_STATE_HOME nor HOME is set; use --token-file")
}

// SecretPath is where serve keeps the secret with which it knows its own marks on
// a switch again: /var/lib/livemon/secret for root, else
// $XDG_STATE_HOME/livemon/secret, else ~/.local/state/livemon/secret. Unlike the
// token it has to outlive the process, for sessions do.
func SecretPath(uid int, getenv func(string) string) (string, error) {
	if uid == 0 {
		return "/var/lib/livemon/secret", nil
	}
	if dir := getenv("XDG_STATE_HOME"); filepath.IsAbs(dir) {
		return filepath.Join(dir, "livemon", "secret"), nil
	}
	if dir := getenv("HOME"); filepath.IsAbs(dir) {
		return filepath.Join(dir, ".local", "state", "livemon", "secret"), nil
	}
	return "", errors.New("there is no place for the secret file: neither XDG_STATE_HOME nor HOME is set; use --secret-file")
}

// CheckToken refuses a token that could be guessed or does not fit a header.
func CheckToken(token string) error {
	if len(token) < minToken || len(token) > maxToken {
		return fmt.Errorf("an API token must have %d to %d characters", minToken, maxToken)
	}
	for i := range len(token) {
		if token[i] <= ' ' || token[i] > '~' {
			return errors.New("an API token may hold printable ASCII without blanks only")
		}
	}
	return nil
}

// ReadToken reads the token from a file. An error wraps fs.ErrNotExist where
// there is none.
func ReadToken(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer func() { _ = f.Close() }()
	data, err := io.ReadAll(io.LimitReader(f, maxToken+2))
	if err != nil {
		return "", err
	}
	token := strings.TrimSpace(string(data))
	if err := CheckToken(token); err != nil {
		return "", fmt.Errorf("%s: %w", path, err)
	}
	return token, nil
}

// EnsureToken returns the token in the file at path, and makes file and token,
// readable by this user only, where there is none. A file that others may read
// is refused: who has read it can listen to calls.
func EnsureToken(path string) (string, error) {
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", fmt.Errorf("API token: %w", err)
	}
	token, err := readOwn(path)
	if !errors.Is(err, fs.ErrNotExist) {
		return token, err
	}
	secret := make([]byte, 32)
	if _, err := rand.Read(secret); err != nil {
		return "", err
	}
	if err := publish(path, hex.EncodeToString(secret)); err != nil && !errors.Is(err, fs.ErrExist) {
		return "", fmt.Errorf("API token: %w", err)
	}
	return readOwn(path) // somebody else's, if he was faster
}

func readOwn(path string) (string, error) {
	info, err := os.Lstat(path)
	if err != nil {
		return "", err
	}
	if !info.Mode().IsRegular() {
		return "", fmt.Errorf("API token: %s is not a plain file; remove it, or name another with --token-file", path)
	}
	if info.Mode().Perm()&0o077 != 0 {
		return "", fmt.Errorf("API token: others may read %s; remove it, and a new one is made (or 'chmod 600' it)", path)
	}
	return ReadToken(path)
}

// publish makes the file appear complete or not at all.
func publish(path, token string) (err error) {
	f, err := os.CreateTemp(filepath.Dir(path), ".token-*") // mode 0600
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.Remove(f.Name())) }()
	_, err = f.WriteString(token + "\n")
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Link(f.Name(), path)
}
