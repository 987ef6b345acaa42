package main

import (
	"time"

	"github.com/urfave/cli/v2"

	"livemon/internal/api"
	"livemon/internal/wire"
)

func sessionsCommand() *cli.Command {
	return listCommand("sessions", "list who is listening to whom", sessionTable, (*api.Client).Sessions,
		func(f func([]wire.Session) error) api.Watcher { return api.Watcher{Sessions: f} })
}

// status is how far a session has come, and who holds its call.
func status(s wire.Session) string {
	if s.Hold == wire.HeldByNobody || s.Status == wire.Ended {
		return string(s.Status)
	}
	return string(s.Status) + " (held by the " + string(s.Hold) + ")"
}

var sessionTable = table[wire.Session]{
	header: []string{"SESSION", "SUPERVISOR", "ACCOUNT", "PHONE", "AGENT", "STATUS", "ROLE", "COACHING", "FOLLOW", "FOR", "NODE"},
	row: func(s wire.Session, now time.Time) []string {
		return []string{s.ID, s.Supervisor, s.Account, s.Phone, s.Agent, status(s), string(s.Role), yesNo(s.Coaching), string(s.Follow), age(s.Since, now), s.Node}
	},
	empty: "There are no sessions.",
}
