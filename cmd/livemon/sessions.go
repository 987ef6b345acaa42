package main

import (
	"context"
	"time"

	"github.com/urfave/cli/v2"

	"livemon/internal/api"
	"livemon/internal/wire"
)

func sessionsCommand() *cli.Command {
	return &cli.Command{
		Name:  "sessions",
		Usage: "list who is listening to whom",
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
				return watchList(c, sessionTable, func(ctx context.Context, f func([]wire.Session) error, trouble func(error)) error {
					return client.Watch(ctx, api.Watcher{Sessions: f, Trouble: trouble})
				})
			}
			list, err := client.Sessions(c.Context)
			if err != nil {
				return err
			}
			return sessionTable.print(c, list)
		},
	}
}

var sessionTable = table[wire.Session]{
	header: []string{"SESSION", "SUPERVISOR", "PHONE", "AGENT", "STATUS", "ROLE", "COACHING", "FOR", "NODE"},
	row: func(s wire.Session, now time.Time) []string {
		return []string{s.ID, s.Supervisor, s.Phone, s.Agent, string(s.Status), string(s.Role), yesNo(s.Coaching), age(s.Since, now), s.Node}
	},
	empty: "There are no sessions.",
}
