package main

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"livemon/internal/api"
	"livemon/internal/wire"
)

func supervisorsCommand() *cli.Command {
	return &cli.Command{
		Name:  "supervisors",
		Usage: "manage the accounts of supervisors and administrators",
		Description: `Once there is an account, the token of the machine administers and listens to
nobody: who listens has an account, with its own token (livemon tokens) or login.`,
		Subcommands: []*cli.Command{
			{Name: "list", Usage: "list the accounts", Flags: []cli.Flag{jsonFlag()}, Action: listSupervisors},
			{Name: "add", Usage: "make an account", ArgsUsage: "NAME", Flags: accountFlags(&cli.BoolFlag{Name: "first", Usage: "make it an administrator's, and only if there is no account yet"}), Action: addSupervisor},
			{Name: "edit", Usage: "change an account; what no flag names stays", ArgsUsage: "NAME", Flags: accountFlags(
				&cli.BoolFlag{Name: "disabled", Usage: "let it do nothing, and end its logins; --disabled=false undoes that"},
				&cli.BoolFlag{Name: "no-password", Usage: "take its password away"},
				&cli.BoolFlag{Name: "no-pin", Usage: "take its PIN away"},
			), Action: editSupervisor, BashComplete: complete(accountNames)},
			{Name: "remove", Usage: "remove an account, its tokens and its logins", ArgsUsage: "NAME", Flags: []cli.Flag{jsonFlag()}, Action: removeSupervisor, BashComplete: complete(accountNames)},
			{Name: "unlock", Usage: "forget an account's wrong passwords and PINs", ArgsUsage: "NAME", Flags: []cli.Flag{jsonFlag()}, Action: unlockSupervisor, BashComplete: complete(accountNames)},
		},
	}
}

func accountFlags(more ...cli.Flag) []cli.Flag {
	return append(append([]cli.Flag{
		&cli.StringFlag{Name: "full-name", Usage: "whose it is: a `NAME`"},
		&cli.StringFlag{Name: "extension", Usage: "his own telephone: a `NUMBER`, with or without @domain"},
		&cli.IntFlag{Name: "rank", Usage: "0 to 100: agents whose extension is that of an account of the same or a higher `RANK` are not visible"},
		&cli.BoolFlag{Name: "admin", Usage: "let it administer accounts, teams and tokens"},
		&cli.StringFlag{Name: "rights", Usage: "a `LIST` of listen, coach, barge and takeover, by commas; or all, or none"},
		&cli.StringSliceFlag{Name: "team", Usage: "a `TEAM` whose agents it may listen to; repeatable; \"\" takes all away"},
		&cli.StringSliceFlag{Name: "agent", Usage: "an agent besides: a name, an extension, or a `PATTERN` with * and ?; repeatable; \"\" takes all away"},
		&cli.BoolFlag{Name: "numbers", Usage: "show it customers' numbers in full"},
		&cli.BoolFlag{Name: "set-password", Usage: "ask for a new password; without a terminal it is a line of standard input"},
		&cli.BoolFlag{Name: "set-pin", Usage: "ask for a new PIN, for the telephone; without a terminal it is the next line of standard input"},
	}, more...), jsonFlag())
}

func accountNames(c *cli.Context) []string {
	client, err := newClient(c)
	if err != nil || c.NArg() > 0 {
		return nil
	}
	defer client.Close()
	list, _ := client.Accounts(c.Context)
	var out []string
	for _, a := range list {
		out = append(out, a.Name)
	}
	return out
}

// parseRights reads the value of --rights.
func parseRights(s string) ([]wire.Action, error) {
	switch s {
	case "all":
		return wire.Actions(), nil
	case "none", "":
		return []wire.Action{}, nil
	}
	var out []wire.Action
	for word := range strings.SplitSeq(s, ",") {
		a := wire.Action(strings.TrimSpace(word))
		if !slices.Contains(wire.Actions(), a) {
			return nil, usageErrorf("there is no right %q; rights are listen, coach, barge and takeover, by commas, or all, or none", word)
		}
		if !slices.Contains(out, a) {
			out = append(out, a)
		}
	}
	return out, nil
}

// given returns the value of a flag that was given, else nil.
func given[T any](c *cli.Context, name string, value func(string) T) *T {
	if !c.IsSet(name) {
		return nil
	}
	v := value(name)
	return &v
}

// named returns the values of a repeatable flag without empty ones.
func named(c *cli.Context) func(string) []string {
	return func(name string) []string {
		return slices.DeleteFunc(slices.Clone(c.StringSlice(name)), func(s string) bool { return s == "" })
	}
}

func accountChange(c *cli.Context) (wire.AccountChange, error) {
	change := wire.AccountChange{
		FullName: given(c, "full-name", c.String), Extension: given(c, "extension", c.String), Rank: given(c, "rank", c.Int), Admin: given(c, "admin", c.Bool),
		Teams: given(c, "team", named(c)), Agents: given(c, "agent", named(c)), Numbers: given(c, "numbers", c.Bool), Disabled: given(c, "disabled", c.Bool),
	}
	if c.IsSet("rights") {
		rights, err := parseRights(c.String("rights"))
		if err != nil {
			return change, err
		}
		change.Rights = &rights
	}
	for _, s := range []struct {
		name, set, unset string
		to               **string
	}{{"password", "set-password", "no-password", &change.Password}, {"PIN", "set-pin", "no-pin", &change.PIN}} {
		if c.Bool(s.set) && c.Bool(s.unset) {
			return change, usageErrorf("--%s and --%s contradict each other", s.set, s.unset)
		}
		if c.Bool(s.unset) {
			none := ""
			*s.to = &none
		}
	}
	secrets := newSecretReader(c)
	if c.Bool("set-password") {
		password, err := secrets.read(c.Context, "password")
		if err != nil {
			return change, err
		}
		change.Password = &password
	}
	if c.Bool("set-pin") {
		pin, err := secrets.read(c.Context, "PIN")
		if err != nil {
			return change, err
		}
		change.PIN = &pin
	}
	return change, nil
}

func listSupervisors(c *cli.Context) error {
	return printList(c, (*api.Client).Accounts, table[wire.Account]{
		header: []string{"NAME", "FULL NAME", "EXTENSION", "RANK", "RIGHTS", "TEAMS", "AGENTS", "NUMBERS", "ADMIN", "PASSWORD", "PIN", "DISABLED"},
		row: func(a wire.Account, _ time.Time) []string {
			return []string{a.Name, a.FullName, a.Extension, strconv.Itoa(a.Rank), joined(a.Rights), joined(a.Teams), joined(a.Agents),
				yesNo(a.Numbers), yesNo(a.Admin), yesNo(a.Password), yesNo(a.PIN), yesNo(a.Disabled)}
		},
		empty: "There are no accounts: the token of the machine may do everything. 'livemon supervisors add NAME --first --set-password' makes the first administrator.",
	})
}

func joined[T ~string](list []T) string {
	out := make([]string, len(list))
	for i, v := range list {
		out[i] = string(v)
	}
	return strings.Join(out, ",")
}

func addSupervisor(c *cli.Context) error {
	args, err := positional(c, "NAME")
	if err != nil {
		return err
	}
	return putSupervisor(c, func(client *api.Client, change wire.AccountChange) (wire.Account, string, error) {
		a, err := client.AddAccount(c.Context, args[0], change, c.Bool("first"))
		return a, args[0] + " has an account", err
	})
}

func editSupervisor(c *cli.Context) error {
	args, err := positional(c, "NAME")
	if err != nil {
		return err
	}
	return putSupervisor(c, func(client *api.Client, change wire.AccountChange) (wire.Account, string, error) {
		if change == (wire.AccountChange{}) {
			return wire.Account{}, "", usageErrorf("%s: nothing is to be changed; flags say what", commandName(c))
		}
		a, err := client.EditAccount(c.Context, args[0], change)
		return a, args[0] + " is changed", err
	})
}

func putSupervisor(c *cli.Context, put func(*api.Client, wire.AccountChange) (wire.Account, string, error)) error {
	client, err := newClient(c)
	if err != nil {
		return err
	}
	defer client.Close()
	change, err := accountChange(c)
	if err != nil {
		return err
	}
	a, line, err := put(client, change)
	if err != nil {
		return err
	}
	return printOne(c, a, line)
}

func removeSupervisor(c *cli.Context) error {
	return onNamed(c, "removed", "%s is removed, with tokens and logins", (*api.Client).RemoveAccount)
}

func unlockSupervisor(c *cli.Context) error {
	return onNamed(c, "unlocked", "%s is unlocked", (*api.Client).Unlock)
}

// onNamed does something to what the one argument names.
func onNamed(c *cli.Context, word, line string, do func(*api.Client, context.Context, string) error) error {
	args, err := positional(c, "NAME")
	if err != nil {
		return err
	}
	client, err := newClient(c)
	if err != nil {
		return err
	}
	defer client.Close()
	if err := do(client, c.Context, args[0]); err != nil {
		return err
	}
	return printOne(c, map[string]string{word: args[0]}, fmt.Sprintf(line, args[0]))
}
