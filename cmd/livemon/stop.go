package main

import (
	"github.com/urfave/cli/v2"

	"livemon/internal/api"
	"livemon/internal/wire"
)

func stopCommand() *cli.Command {
	return &cli.Command{
		Name:         "stop",
		Usage:        "end a session; the call goes on",
		ArgsUsage:    "SESSION",
		Flags:        []cli.Flag{jsonFlag()},
		BashComplete: complete(sessionIDs),
		Action: func(c *cli.Context) error {
			args, err := positional(c, "SESSION")
			if err != nil {
				return err
			}
			return onSession(c, func(client *api.Client) (wire.Session, error) { return client.StopSession(c.Context, args[0]) })
		},
	}
}
