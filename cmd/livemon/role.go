package main

import (
	"context"

	"github.com/urfave/cli/v2"

	"livemon/internal/api"
	"livemon/internal/wire"
)

func roleCommand() *cli.Command {
	return &cli.Command{
		Name:      "role",
		Usage:     "make a session monitor, coach or barge in",
		ArgsUsage: "SESSION monitor|coach|barge",
		Flags:     []cli.Flag{jsonFlag()},
		BashComplete: complete(func(c *cli.Context) []string {
			if c.NArg() > 0 {
				return []string{string(wire.Monitor), string(wire.Coach), string(wire.Barge)}
			}
			return sessionIDs(c)
		}),
		Action: func(c *cli.Context) error {
			args, err := positional(c, "SESSION", "ROLE (monitor, coach or barge)")
			if err != nil {
				return err
			}
			return onSession(c, func(client *api.Client) (wire.Session, error) {
				return client.ChangeRole(c.Context, args[0], wire.Role(args[1]))
			})
		},
	}
}

// onSession does something to a session and prints what has become of it.
func onSession(c *cli.Context, f func(*api.Client) (wire.Session, error)) error {
	client, err := newClient(c)
	if err != nil {
		return err
	}
	defer client.Close()
	s, err := f(client)
	if err != nil {
		return err
	}
	state := string(s.Role)
	if s.Status == wire.Ended {
		state = string(s.Status)
	}
	return printOne(c, s, s.ID+" "+state)
}

// sessionCommand is a command that does one thing to the session it names.
func sessionCommand(name, usage string, do func(*api.Client, context.Context, string) (wire.Session, error)) *cli.Command {
	return &cli.Command{
		Name:         name,
		Usage:        usage,
		ArgsUsage:    "SESSION",
		Flags:        []cli.Flag{jsonFlag()},
		BashComplete: complete(sessionIDs),
		Action: func(c *cli.Context) error {
			args, err := positional(c, "SESSION")
			if err != nil {
				return err
			}
			return onSession(c, func(client *api.Client) (wire.Session, error) { return do(client, c.Context, args[0]) })
		},
	}
}
