package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"livemon/internal/api"

	"github.com/urfave/cli/v2"
	"golang.org/x/sync/errgroup"
	"golang.org/x/term"
)

// watchList shows a list again whenever it changes, until it is interrupted:
// redrawn in place on a terminal, appended elsewhere, with --json one list a line.
// source calls its first function for each list, and its second when none comes.
func watchList[T any](c *cli.Context, t table[T], source func(context.Context, func([]T) error, func(error)) error) error {
	g, ctx := errgroup.WithContext(c.Context)
	lists, troubles := make(chan []T), make(chan error)
	g.Go(func() error {
		return source(ctx,
			func(list []T) error {
				select {
				case lists <- list:
					return nil
				case <-ctx.Done():
					return ctx.Err()
				}
			},
			func(err error) {
				select {
				case troubles <- err:
				case <-ctx.Done():
				}
			})
	})
	g.Go(func() error { return showLists(ctx, c, t, lists, troubles) })
	if err := g.Wait(); c.Context.Err() == nil || !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}

func showLists[T any](ctx context.Context, c *cli.Context, t table[T], lists <-chan []T, troubles <-chan error) error {
	out := c.App.Writer
	p := painterFor(out)
	tick := time.NewTicker(time.Second) // durations go on counting
	defer tick.Stop()
	var last []T
	var note string
	seen := false
	for {
		select {
		case last = <-lists:
			seen, note = true, ""
		case err := <-troubles:
			_, body := explain(err)
			note = "not up to date: " + clean(body.Message)
			if p == nil {
				_, _ = fmt.Fprintln(c.App.ErrWriter, "livemon: "+note)
				continue
			}
		case <-tick.C:
			if p == nil || !seen {
				continue
			}
		case <-ctx.Done():
			return ctx.Err()
		}
		var err error
		switch lines := t.render(last, time.Now()); {
		case c.Bool("json"):
			if last == nil {
				last = []T{}
			}
			err = printJSONLine(out, last)
		case p != nil:
			if note != "" {
				lines = append(lines, note)
			}
			err = p.paint(lines)
		default:
			_, err = fmt.Fprintf(out, "%s\n\n", strings.Join(lines, "\n"))
		}
		if err != nil {
			return err
		}
	}
}

// painter redraws lines in place on a terminal.
type painter struct {
	out  io.Writer
	size func() (width, height int)
	rows int // drawn last time
}

// painterFor returns nil where out is no terminal.
func painterFor(out io.Writer) *painter {
	f, ok := out.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return nil
	}
	return &painter{out: out, size: func() (int, int) {
		w, h, err := term.GetSize(int(f.Fd()))
		if err != nil || w <= 0 || h <= 0 {
			return 80, 24
		}
		return w, h
	}}
}

// paint goes back to where it began last time and overwrites. Lines are cut to
// the terminal's width and height: a line that wraps or scrolls could not be
// found again.
func (p *painter) paint(lines []string) error {
	width, height := p.size()
	if room := max(1, height-1); len(lines) > room {
		more := len(lines) - room + 1
		lines = append(lines[:room-1:room-1], fmt.Sprintf("… and %d more lines", more))
	}
	var b strings.Builder
	if up := min(p.rows, max(0, height-1)); up > 0 {
		fmt.Fprintf(&b, "\x1b[%dA", up)
	}
	b.WriteString("\r")
	for _, l := range lines {
		b.WriteString(cut(l, width-1) + "\x1b[K\n")
	}
	b.WriteString("\x1b[J")
	p.rows = len(lines)
	_, err := io.WriteString(p.out, b.String())
	return err
}

// cut shortens a line to so many columns; letters beyond the European ones may take two.
func cut(s string, columns int) string {
	for i, r := range s {
		w := 1
		if r >= 0x1100 {
			w = 2
		}
		if columns -= w; columns < 0 {
			return s[:i]
		}
	}
	return s
}

// listCommand is a command that prints a list, once or at each of its changes.
// watcher puts a function into the place where the API's stream looks for it.
func listCommand[T any](name, usage string, t table[T], read func(*api.Client, context.Context) ([]T, error), watcher func(func([]T) error) api.Watcher) *cli.Command {
	return &cli.Command{
		Name:  name,
		Usage: usage,
		Flags: []cli.Flag{watchFlag(), jsonFlag()},
		Action: func(c *cli.Context) error {
			if _, err := positional(c); err != nil {
				return err
			}
			client, err := newClient(c)
			if err != nil {
				return err
			}
			defer client.Close()
			if c.Bool("watch") {
				return watchList(c, t, func(ctx context.Context, f func([]T) error, trouble func(error)) error {
					w := watcher(f)
					w.Trouble = trouble
					return client.Watch(ctx, w)
				})
			}
			list, err := read(client, c.Context)
			if err != nil {
				return err
			}
			return t.print(c, list)
		},
	}
}
