package main

import (
	"time"

	"github.com/urfave/cli/v2"

	"livemon/internal/api"
	"livemon/internal/wire"
)

func extensionsCommand() *cli.Command {
	return &cli.Command{
		Name:        "extensions",
		Usage:       "manage the telephones that may be rung",
		Description: "While at least one number is registered, no other can be rung for live monitoring.",
		Subcommands: []*cli.Command{
			{Name: "list", Usage: "list the registered numbers", Flags: []cli.Flag{jsonFlag()}, Action: listExtensions},
			{
				Name: "add", Usage: "register a number", ArgsUsage: "NUMBER",
				Flags:  []cli.Flag{&cli.StringFlag{Name: "name", Usage: "whose it is, or where it stands: a `NAME`"}, jsonFlag()},
				Action: addExtension,
			},
			{Name: "remove", Usage: "remove a number", ArgsUsage: "NUMBER", Flags: []cli.Flag{jsonFlag()}, Action: removeExtension},
		},
	}
}

func listExtensions(c *cli.Context) error {
	return printList(c, (*api.Client).Extensions, table[wire.Extension]{
		header: []string{"NUMBER", "NAME", "ADDED"},
		row: func(e wire.Extension, _ time.Time) []string {
			return []string{e.Number, e.Name, e.Added.Local().Format(time.DateTime)}
		},
		empty: "No numbers are registered: any number that a dial rule allows can be rung.",
	})
}

func addExtension(c *cli.Context) error {
	args, err := positional(c, "NUMBER")
	if err != nil {
		return err
	}
	client, err := newClient(c)
	if err != nil {
		return err
	}
	defer client.Close()
	e, err := client.AddExtension(c.Context, wire.Extension{Number: args[0], Name: c.String("name")})
	if err != nil {
		return err
	}
	return printOne(c, e, e.Number+" is registered")
}

func removeExtension(c *cli.Context) error {
	args, err := positional(c, "NUMBER")
	if err != nil {
		return err
	}
	client, err := newClient(c)
	if err != nil {
		return err
	}
	defer client.Close()
	if err := client.RemoveExtension(c.Context, args[0]); err != nil {
		return err
	}
	return printOne(c, map[string]string{"removed": args[0]}, args[0]+" is removed")
}
