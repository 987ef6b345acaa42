package main

import (
	"bufio"
	"context"
	"errors"
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
	file     *os.File       // of the terminal
	terminal *term.Terminal // nil where standard input is none
	lines    *bufio.Reader
}

func newSecretReader(c *cli.Context) *secretReader {
	if f, ok := c.App.Reader.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		return &secretReader{file: f, terminal: term.NewTerminal(struct {
			io.Reader
			io.Writer
		}{f, c.App.ErrWriter}, "")}
	}
	return &secretReader{lines: bufio.NewReaderSize(io.LimitReader(c.App.Reader, 4*maxSecretLine), maxSecretLine)}
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

// ask reads one line without echo, which is off before the prompt is there. When
// ctx ends first the terminal is put in order; what waits for the line ends with
// the process.
func (r *secretReader) ask(ctx context.Context, prompt string) (string, error) {
	fd := int(r.file.Fd())
	before, err := term.MakeRaw(fd)
	if err != nil {
		return "", err
	}
	defer func() { _ = term.Restore(fd, before) }()
	type answer struct {
		line string
		err  error
	}
	got := make(chan answer, 1)
	go func() {
		line, err := r.terminal.ReadPassword(prompt)
		got <- answer{line, err}
	}()
	select {
	case a := <-got:
		if errors.Is(a.err, io.EOF) { // Ctrl-C or Ctrl-D, which the terminal hands on as they are
			return "", context.Canceled
		}
		return a.line, a.err
	case <-ctx.Done():
		return "", ctx.Err()
	}
}
