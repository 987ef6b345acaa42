package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"go.yaml.in/yaml/v3"

	"livemon/fsconf"
)

const maxFile = 1 << 20 // bytes of a configuration file

// Load returns the defaults with what the file at path sets laid over them; an
// empty path is the defaults alone. It does not validate: flags may still
// replace what the file says.
func Load(path string) (Config, error) {
	c := Default()
	if path == "" {
		return c, nil
	}
	f, err := os.Open(path)
	if err != nil {
		return c, fmt.Errorf("configuration file: %w", err)
	}
	defer func() { _ = f.Close() }()
	data, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return c, fmt.Errorf("configuration file: %w", err)
	}
	if err := Parse(data, &c); err != nil {
		return c, fmt.Errorf("configuration file %s: %w", path, err)
	}
	return c, nil
}

// Parse lays what a YAML document sets over c. Unknown and repeated fields are
// errors, as is a second document.
func Parse(data []byte, c *Config) error {
	if len(data) > maxFile {
		return fmt.Errorf("it is larger than %d bytes", maxFile)
	}
	// A file from before there were these keys does not say whether they are wanted.
	c.Keys.Say, c.Keys.Follow = nil, nil
	defer func() { c.Keys = Keys(fsconf.Keys(c.Keys).WithDefaults()) }()
	dec := yaml.NewDecoder(bytes.NewReader(data))
	dec.KnownFields(true)
	if err := dec.Decode(c); errors.Is(err, io.EOF) {
		return nil
	} else if err != nil {
		return errors.New(strings.TrimPrefix(err.Error(), "yaml: "))
	}
	if err := dec.Decode(&yaml.Node{}); !errors.Is(err, io.EOF) {
		return errors.New("it must hold one YAML document only")
	}
	return nil
}

// YAML is c as a configuration file, without its passwords.
func (c Config) YAML() ([]byte, error) {
	var out bytes.Buffer
	enc := yaml.NewEncoder(&out)
	enc.SetIndent(2)
	if err := enc.Encode(c.Redacted()); err != nil {
		return nil, err
	}
	return out.Bytes(), enc.Close()
}

// ParseNode reads [name=]host:port.
func ParseNode(s string) Node {
	if name, addr, ok := strings.Cut(s, "="); ok {
		return Node{Name: name, Addr: addr}
	}
	return Node{Addr: s}
}

// ParseDialRule reads REGEXP=DIALSTRING, divided at the first equals sign; a
// regular expression that needs one writes it as \x3d.
func ParseDialRule(s string) (DialRule, error) {
	match, to, ok := strings.Cut(s, "=")
	if !ok || match == "" || to == "" {
		return DialRule{}, bad("dial", "%q is not REGEXP=DIALSTRING, as in %s", s, `'\+?\d{7,15}=sofia/gateway/mygw/$0'`)
	}
	return DialRule{Match: match, To: to}, nil
}
