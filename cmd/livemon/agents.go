package main

import (
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"livemon/internal/api"
	"livemon/internal/wire"
)

func agentsCommand() *cli.Command {
	return listCommand("agents", "list the agents, what they do, and who listens", agentTable, (*api.Client).Agents,
		func(f func([]wire.Agent) error) api.Watcher { return api.Watcher{Agents: f} })
}

var agentTable = table[wire.Agent]{
	header: []string{"AGENT", "STATE", "FOR", "NODE", "USER", "QUEUE", "SUPERVISORS"},
	row: func(a wire.Agent, now time.Time) []string {
		var s []string
		for _, v := range a.Supervisors {
			s = append(s, v.Supervisor+" ("+string(v.Role)+")")
		}
		state := string(a.State)
		if a.Unverified {
			state += " (not authenticated)"
		}
		return []string{a.Agent, state, age(a.Since, now), a.Node, a.User, a.Queue, strings.Join(s, ", ")}
	},
	empty: "There are no agents.",
}
