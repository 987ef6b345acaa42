package main

import (
	"errors"

	"github.com/urfave/cli/v2"
)

func demoCommand() *cli.Command {
	return &cli.Command{
		Name:   "demo",
		Usage:  "show the whole workflow on a simulated switch",
		Action: func(*cli.Context) error { return errors.New("the demonstration is not built yet") },
	}
}
