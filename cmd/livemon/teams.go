package main

import (
	"context"
	"fmt"
	"time"

	"github.com/urfave/cli/v2"

	"livemon/internal/api"
	"livemon/internal/wire"
)

func teamsCommand() *cli.Command {
	flags := func() []cli.Flag {
		return []cli.Flag{
			&cli.StringSliceFlag{Name: "agent", Usage: "who is in it: a name, an extension, or a `PATTERN` with * and ?; repeatable; \"\" takes all away"},
			&cli.StringFlag{Name: "notice", Usage: "who is told by a tone that somebody listens: none, agent or `all`"},
			&cli.IntFlag{Name: "every", Usage: "give the tone again every so many `SECONDS`; 0 gives it once"},
			jsonFlag(),
		}
	}
	return &cli.Command{
		Name:  "teams",
		Usage: "manage teams: sets of agents, and how they are told that somebody listens",
		Subcommands: []*cli.Command{
			{Name: "list", Usage: "list the teams", Flags: []cli.Flag{jsonFlag()}, Action: listTeams},
			{Name: "add", Usage: "make a team", ArgsUsage: "NAME", Flags: flags(), Action: addTeam},
			{Name: "edit", Usage: "change a team; what no flag names stays", ArgsUsage: "NAME", Flags: flags(), Action: editTeam, BashComplete: complete(teamNames)},
			{Name: "remove", Usage: "remove a team that no account has", ArgsUsage: "NAME", Flags: []cli.Flag{jsonFlag()}, Action: removeTeam, BashComplete: complete(teamNames)},
		},
	}
}

func teamNames(c *cli.Context) []string {
	client, err := newClient(c)
	if err != nil || c.NArg() > 0 {
		return nil
	}
	defer client.Close()
	list, _ := client.Teams(c.Context)
	var out []string
	for _, t := range list {
		out = append(out, t.Name)
	}
	return out
}

func teamChange(c *cli.Context) wire.TeamChange {
	change := wire.TeamChange{Agents: given(c, "agent", named(c)), Every: given(c, "every", c.Int)}
	if c.IsSet("notice") {
		kind := wire.NoticeKind(c.String("notice"))
		change.Kind = &kind
	}
	return change
}

func notice(n wire.Notice) string {
	if n.Kind == wire.NoticeNone || n.Every == 0 {
		return string(n.Kind)
	}
	return fmt.Sprintf("%s, every %d s", n.Kind, n.Every)
}

func listTeams(c *cli.Context) error {
	return printList(c, (*api.Client).Teams, table[wire.Team]{
		header: []string{"TEAM", "AGENTS", "NOTICE"},
		row:    func(t wire.Team, _ time.Time) []string { return []string{t.Name, joined(t.Agents), notice(t.Notice)} },
		empty:  "There are no teams.",
	})
}

func addTeam(c *cli.Context) error {
	return putTeam(c, "%s is a team", func(ctx context.Context, client *api.Client, name string) (wire.Team, error) {
		change, t := teamChange(c), wire.Team{Name: name}
		if change.Agents != nil {
			t.Agents = *change.Agents
		}
		if change.Kind != nil {
			t.Notice.Kind = *change.Kind
		}
		if change.Every != nil {
			t.Notice.Every = *change.Every
		}
		return client.AddTeam(ctx, t)
	})
}

func editTeam(c *cli.Context) error {
	return putTeam(c, "%s is changed", func(ctx context.Context, client *api.Client, name string) (wire.Team, error) {
		change := teamChange(c)
		if change == (wire.TeamChange{}) {
			return wire.Team{}, usageErrorf("%s: nothing is to be changed; flags say what", commandName(c))
		}
		return client.EditTeam(ctx, name, change)
	})
}

func putTeam(c *cli.Context, line string, put func(context.Context, *api.Client, string) (wire.Team, error)) error {
	args, err := positional(c, "NAME")
	if err != nil {
		return err
	}
	client, err := newClient(c)
	if err != nil {
		return err
	}
	defer client.Close()
	t, err := put(c.Context, client, args[0])
	if err != nil {
		return err
	}
	return printOne(c, t, fmt.Sprintf(line, args[0]))
}

func removeTeam(c *cli.Context) error {
	return onNamed(c, "removed", "%s is removed", (*api.Client).RemoveTeam)
}
