package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/urfave/cli/v2"
	"golang.org/x/term"
)

const maxSecretLine = 1024

// secretReader reads passwords and PINs, which are never arguments: those can be
// read by every user of the machine, and stay in the shell's history.
type secretReader struct {
	terminal *os.File // nil where standard input is none
	lines    *bufio.Reader
	prompts  io.Writer
}

func newSecretReader(c *cli.Context) *secretReader {
	r := &secretReader{prompts: c.App.ErrWriter}
	if f, ok := c.App.Reader.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		r.terminal = f
		return r
	}
	r.lines = bufio.NewReaderSize(io.LimitReader(c.App.Reader, 4*maxSecretLine), maxSecretLine)
	return r
}

// read asks twice on a terminal, without echo, and takes one line elsewhere.
func (r *secretReader) read(ctx context.Context, what string) (string, error) {
	if r.terminal == nil {
		line, err := r.lines.ReadString('\n')
		line = strings.TrimSuffix(strings.TrimSuffix(line, "\n"), "\r")
		if err != nil && line == "" {
			return "", usageErrorf("the %s is missing: standard input is no terminal, and ended", what)
		}
		if len(line) > maxSecretLine {
			return "", usageErrorf("the %s is too long", what)
		}
		return line, nil
	}
	first, err := r.ask(ctx, "New "+what+": ")
	if err != nil {
		return "", err
	}
	again, err := r.ask(ctx, "Once more: ")
	if err != nil {
		return "", err
	}
	if first == "" {
		return "", usageErrorf("the %s is missing", what)
	}
	if first != again {
		return "", usageErrorf("the two are not the same")
	}
	return first, nil
}

// ask reads one line without echo. When ctx ends first the terminal echoes
// again; what waits for the line ends with the process.
func (r *secretReader) ask(ctx context.Context, prompt string) (string, error) {
	fd := int(r.terminal.Fd())
	before, err := term.GetState(fd)
	if err != nil {
		return "", err
	}
	type answer struct {
		line []byte
		err  error
	}
	_, _ = fmt.Fprint(r.prompts, prompt)
	got := make(chan answer, 1)
	go func() {
		line, err := term.ReadPassword(fd)
		got <- answer{line, err}
	}()
	defer func() { _, _ = fmt.Fprintln(r.prompts) }()
	select {
	case a := <-got:
		return string(a.line), a.err
	case <-ctx.Done():
		_ = term.Restore(fd, before)
		return "", ctx.Err()
	}
}
