package main

import (
	"github.com/urfave/cli/v2"

	"livemon/internal/api"
)

func stopCommand() *cli.Command {
	return sessionCommand("stop", "end a session; the call goes on", (*api.Client).StopSession)
}
