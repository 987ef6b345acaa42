package main

import (
	"io"
	"log/slog"

	"github.com/urfave/cli/v2"

	"livemon/internal/config"
	"livemon/internal/demo"
)

func demoCommand() *cli.Command {
	return &cli.Command{
		Name:  "demo",
		Usage: "show the whole workflow on a simulated switch",
		Description: `Runs a simulated switch, an embedded store and the service in this process, makes
a call, and walks a supervisor through it. At each step it prints who hears whom,
as the switch sees it, beside what the table says. It ends with 0 only if all
agree.

With --panel it serves the page instead, over agents whose calls come and go, and
prints its address and a password, until it is interrupted.`,
		Flags: []cli.Flag{
			&cli.BoolFlag{Name: "panel", Usage: "serve the page, to look at"},
			&cli.StringFlag{Name: "listen", Usage: "`ADDRESS` of the page", Value: config.Default().Listen},
			&cli.BoolFlag{Name: "verbose", Usage: "log what the service does, to standard error"},
		},
		Action: func(c *cli.Context) error {
			if _, err := positional(c); err != nil {
				return err
			}
			w := io.Discard
			if c.Bool("verbose") {
				w = c.App.ErrWriter
			}
			log := slog.New(slog.NewTextHandler(w, &slog.HandlerOptions{Level: slog.LevelDebug}))
			if c.Bool("panel") {
				return demoPage(c, log)
			}
			return demo.Run(c.Context, c.App.Writer, log)
		},
	}
}
