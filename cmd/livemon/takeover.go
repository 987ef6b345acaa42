package main

import (
	"github.com/urfave/cli/v2"

	"livemon/internal/api"
)

func takeoverCommand() *cli.Command {
	return sessionCommand("takeover", "disconnect the agent and go on with the user", (*api.Client).TakeOver)
}
