package main

import (
	"time"

	"github.com/urfave/cli/v2"

	"livemon/internal/config"
	"livemon/internal/wire"
)

func tokensCommand() *cli.Command {
	return &cli.Command{
		Name:  "tokens",
		Usage: "manage the tokens with which accounts use the API and this program",
		Description: `A token is shown once, when it is made. Put it into LIVEMON_TOKEN, or into a file
that --token-file names, and livemon does what its account may.`,
		Subcommands: []*cli.Command{
			{Name: "list", Usage: "list an account's tokens", ArgsUsage: "ACCOUNT", Flags: []cli.Flag{jsonFlag()}, Action: listTokens, BashComplete: complete(accountNames)},
			{Name: "add", Usage: "make a token, and show it", ArgsUsage: "ACCOUNT", Flags: []cli.Flag{
				&cli.StringFlag{Name: "name", Usage: "what it is for: a `NAME`"},
				&cli.StringFlag{Name: "expires", Usage: "after which `TIME` it is good no more, as in 90d or 12h; 0 is never", Value: "0"},
				jsonFlag(),
			}, Action: addToken, BashComplete: complete(accountNames)},
			{Name: "remove", Usage: "revoke a token", ArgsUsage: "ACCOUNT ID", Flags: []cli.Flag{jsonFlag()}, Action: removeToken, BashComplete: complete(accountNames)},
		},
	}
}

func listTokens(c *cli.Context) error {
	args, err := positional(c, "ACCOUNT")
	if err != nil {
		return err
	}
	client, err := newClient(c)
	if err != nil {
		return err
	}
	defer client.Close()
	list, err := client.Tokens(c.Context, args[0])
	if err != nil {
		return err
	}
	at := func(t *time.Time, none string) string {
		if t == nil {
			return none
		}
		return t.Local().Format(time.DateTime)
	}
	return table[wire.Token]{
		header: []string{"ID", "NAME", "MADE", "LAST USED", "EXPIRES"},
		row: func(t wire.Token, _ time.Time) []string {
			return []string{t.ID, t.Name, at(&t.Created, ""), at(t.LastUsed, "never"), at(t.Expires, "never")}
		},
		empty: "There are no tokens.",
	}.print(c, list)
}

func addToken(c *cli.Context) error {
	args, err := positional(c, "ACCOUNT")
	if err != nil {
		return err
	}
	age, err := config.ParseAge(c.String("expires"))
	if err != nil {
		return usageErrorf("expires: %v", err)
	}
	var expires *time.Time
	if age > 0 {
		at := time.Now().Add(time.Duration(age))
		expires = &at
	}
	client, err := newClient(c)
	if err != nil {
		return err
	}
	defer client.Close()
	t, err := client.AddToken(c.Context, args[0], c.String("name"), expires)
	if err != nil {
		return err
	}
	return printOne(c, t, t.Secret)
}

func removeToken(c *cli.Context) error {
	args, err := positional(c, "ACCOUNT", "ID")
	if err != nil {
		return err
	}
	client, err := newClient(c)
	if err != nil {
		return err
	}
	defer client.Close()
	if err := client.RemoveToken(c.Context, args[0], args[1]); err != nil {
		return err
	}
	return printOne(c, map[string]string{"removed": args[1]}, args[1]+" is revoked")
}
