package main

import (
	"github.com/urfave/cli/v2"

	"livemon/internal/api"
	"livemon/internal/wire"
)

func takeoverCommand() *cli.Command {
	return &cli.Command{
		Name:         "takeover",
		Usage:        "disconnect the agent and go on with the user",
		ArgsUsage:    "SESSION",
		Flags:        []cli.Flag{jsonFlag()},
		BashComplete: complete(sessionIDs),
		Action: func(c *cli.Context) error {
			args, err := positional(c, "SESSION")
			if err != nil {
				return err
			}
			return onSession(c, func(client *api.Client) (wire.Session, error) { return client.TakeOver(c.Context, args[0]) })
		},
	}
}
