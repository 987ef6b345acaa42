package main

import (
	"context"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"livemon/internal/api"
	"livemon/internal/wire"
)

func agentsCommand() *cli.Command {
	return &cli.Command{
		Name:  "agents",
		Usage: "list the agents, what they do, and who listens",
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
				return watchList(c, agentTable, func(ctx context.Context, f func([]wire.Agent) error, trouble func(error)) error {
					return client.Watch(ctx, api.Watcher{Agents: f, Trouble: trouble})
				})
			}
			list, err := client.Agents(c.Context)
			if err != nil {
				return err
			}
			return agentTable.print(c, list)
		},
	}
}

var agentTable = table[wire.Agent]{
	header: []string{"AGENT", "STATE", "FOR", "NODE", "USER", "QUEUE", "SUPERVISORS"},
	row: func(a wire.Agent, now time.Time) []string {
		var s []string
		for _, v := range a.Supervisors {
			s = append(s, v.Supervisor+" ("+string(v.Role)+")")
		}
		return []string{a.Agent, string(a.State), age(a.Since, now), a.Node, a.User, a.Queue, strings.Join(s, ", ")}
	},
	empty: "There are no agents.",
}
