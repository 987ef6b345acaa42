package main

import (
	"github.com/urfave/cli/v2"

	"livemon/internal/api"
	"livemon/internal/wire"
)

// follows are what a session may be for, as arguments.
func follows() (out []string) {
	for _, f := range wire.Follows() {
		out = append(out, string(f))
	}
	return out
}

func followCommand() *cli.Command {
	return &cli.Command{
		Name:      "follow",
		Usage:     "change how long a session goes on: for the call, the agent's next call, or each",
		ArgsUsage: "SESSION call|next|agent",
		Description: `call ends the session with the agent's call of now; next waits for his next call
and ends with that; agent goes on from call to call. Between calls the
supervisor stays on the line and hears nothing.`,
		Flags: []cli.Flag{jsonFlag()},
		BashComplete: complete(func(c *cli.Context) []string {
			if c.NArg() > 0 {
				return follows()
			}
			return sessionIDs(c)
		}),
		Action: func(c *cli.Context) error {
			args, err := positional(c, "SESSION", "call, next or agent")
			if err != nil {
				return err
			}
			client, err := newClient(c)
			if err != nil {
				return err
			}
			defer client.Close()
			s, err := client.SetFollow(c.Context, args[0], wire.Follow(args[1]))
			if err != nil {
				return err
			}
			return printOne(c, s, s.ID+" "+string(s.Follow))
		},
	}
}

// followFlag is what a new session is for.
func followFlag() cli.Flag {
	return &cli.StringFlag{Name: "follow", Usage: "how long the session goes on: `call` (the one of now), next (the agent's next) or agent (each)", DefaultText: string(wire.FollowCall)}
}

// followOf is the flag's value. Left out, it is the service's default.
func followOf(c *cli.Context) (wire.Follow, error) {
	if !c.IsSet("follow") {
		return "", nil
	}
	f := wire.Follow(c.String("follow"))
	return f, api.ValidateFollow(f)
}
