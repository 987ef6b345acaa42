package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"livemon/internal/api"
	"regexp"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"

	"github.com/urfave/cli/v2"
)

// sequences are what a terminal takes for commands: CSI, OSC and the other
// strings up to their end, and two-byte ones.
var sequences = regexp.MustCompile(`(?s)(?:\x1b\[|\x{9b})[0-?]*[ -/]*[@-~]|(?:\x1b[\]PX^_]|[\x{90}\x{98}\x{9d}-\x{9f}]).*?(?:\x07|\x1b\\|\x{9c}|$)|\x1b[ -/]*[0-~]?`)

// clean makes text from outside fit for a terminal: without escape sequences,
// control characters, line breaks and marks that turn the direction of writing.
func clean(s string) string {
	s = sequences.ReplaceAllString(s, "")
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\r' || r == '\t':
			return ' '
		case !unicode.IsGraphic(r):
			return -1
		}
		return r
	}, s)
}

// escapeControls keeps JSON free of what a terminal might act on; encoding/json
// leaves DEL and the C1 controls as they are.
func escapeControls(data []byte) []byte {
	var out strings.Builder
	for _, r := range string(data) {
		if r >= 0x7f && r <= 0x9f {
			fmt.Fprintf(&out, `\u%04x`, r)
			continue
		}
		out.WriteRune(r)
	}
	return []byte(out.String())
}

// printJSON prints one value, indented; printJSONLine prints it on one line.
func printJSON(w io.Writer, v any) error {
	data, err := json.MarshalIndent(v, "", "  ")
	return writeLine(w, data, err)
}

func printJSONLine(w io.Writer, v any) error {
	data, err := json.Marshal(v)
	return writeLine(w, data, err)
}

func writeLine(w io.Writer, data []byte, err error) error {
	if err == nil {
		_, err = w.Write(append(escapeControls(data), '\n'))
	}
	return err
}

// table is a list to be shown: a header and a function for each row's cells.
type table[T any] struct {
	header []string
	row    func(v T, now time.Time) []string
	empty  string // what to say instead of an empty table
}

// render lays the list out, without trailing blanks.
func (t table[T]) render(list []T, now time.Time) []string {
	if len(list) == 0 {
		return []string{t.empty}
	}
	var out strings.Builder
	w := tabwriter.NewWriter(&out, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(w, strings.Join(t.header, "\t"))
	for _, v := range list {
		cells := t.row(v, now)
		for i := range cells {
			if cells[i] = shorten(clean(cells[i]), 60); cells[i] == "" {
				cells[i] = "-"
			}
		}
		_, _ = fmt.Fprintln(w, strings.Join(cells, "\t"))
	}
	_ = w.Flush()
	lines := strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n")
	for i := range lines {
		lines[i] = strings.TrimRight(lines[i], " ")
	}
	return lines
}

func shorten(s string, limit int) string {
	r := []rune(s)
	if len(r) <= limit {
		return s
	}
	return string(r[:limit-1]) + "…"
}

// print prints the list as the flags of c say.
func (t table[T]) print(c *cli.Context, list []T) error {
	if c.Bool("json") {
		if list == nil {
			list = []T{}
		}
		return printJSON(c.App.Writer, list)
	}
	_, err := fmt.Fprintln(c.App.Writer, strings.Join(t.render(list, time.Now()), "\n"))
	return err
}

// printOne prints one value as JSON, or the line for people.
func printOne(c *cli.Context, v any, line string) error {
	if c.Bool("json") {
		return printJSON(c.App.Writer, v)
	}
	_, err := fmt.Fprintln(c.App.Writer, clean(line))
	return err
}

// age is a duration for people, to the second.
func age(since, now time.Time) string {
	if since.IsZero() {
		return ""
	}
	return max(0, now.Sub(since)).Truncate(time.Second).String()
}

func yesNo(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

// printList is a command that takes nothing and prints a list of the service's.
func printList[T any](c *cli.Context, list func(*api.Client, context.Context) ([]T, error), t table[T]) error {
	if _, err := positional(c); err != nil {
		return err
	}
	client, err := newClient(c)
	if err != nil {
		return err
	}
	defer client.Close()
	rows, err := list(client, c.Context)
	if err != nil {
		return err
	}
	return t.print(c, rows)
}
