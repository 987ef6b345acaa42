package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/urfave/cli/v2"
)

const defaultAPI = "http://127.0.0.1:8090"

func newApp(stdin io.Reader, stdout, stderr io.Writer) *cli.App {
	app := &cli.App{
		Name:      "livemon",
		Usage:     "listen to, coach and take over agents' calls on FreeSWITCH",
		UsageText: "livemon [--api URL] [--token-file FILE] COMMAND [ARGUMENTS]",
		Description: `Exit status: 0; an error code minus 9000 (9013 becomes 13); 2 for wrong usage;
1 for anything else. With --json, standard output is JSON, also when a command
fails: then it is {"code":9013,"message":"…"}.`,
		Version: version(),
		Reader:  stdin, Writer: stdout, ErrWriter: stderr,
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "api", Usage: "`URL` of the running 'livemon serve'", Value: defaultAPI, EnvVars: []string{"LIVEMON_API"}},
			&cli.StringFlag{Name: "token-file", Usage: "`FILE` with the API token, which serve writes; also LIVEMON_TOKEN_FILE, or the token itself in LIVEMON_TOKEN"},
		},
		EnableBashCompletion:      true,
		DisableSliceFlagSeparator: true, // regular expressions hold commas
		ExitErrHandler:            func(*cli.Context, error) {},
		Action:                    missingCommand,
		Commands: []*cli.Command{
			serveCommand(), agentsCommand(), monitorCommand(), roleCommand(), followCommand(), takeoverCommand(), stopCommand(), sessionsCommand(),
			auditCommand(), supervisorsCommand(), teamsCommand(), tokensCommand(), extensionsCommand(), doctorCommand(), fsconfCommand(), selftestCommand(), switchsimCommand(), demoCommand(),
			completionCommand(), versionCommand(),
		},
	}
	app.OnUsageError = onUsageError
	prepare(app.Commands)
	return app
}

// prepare gives every command what the library does not let it inherit.
func prepare(commands []*cli.Command) {
	for _, c := range commands {
		c.OnUsageError = onUsageError
		if len(c.Subcommands) > 0 {
			if c.Action == nil {
				c.Action = missingCommand
			}
			prepare(c.Subcommands)
			continue
		}
		c.HideHelpCommand = true // an agent may be called "help"
	}
}

func onUsageError(_ *cli.Context, err error, _ bool) error { return usageError{err.Error()} }

// missingCommand is what a command that has others does by itself.
func missingCommand(c *cli.Context) error {
	if c.Args().Present() {
		return usageErrorf("there is no command %q; '%s --help' lists them", c.Args().First(), strings.TrimSpace(c.App.Name+" "+commandName(c)))
	}
	c.App.Writer = c.App.ErrWriter
	show := func() error { return cli.ShowSubcommandHelp(c) }
	if len(c.Lineage()) <= 2 {
		show = func() error { return cli.ShowAppHelp(c) }
	}
	if err := show(); err != nil {
		return err
	}
	return usageErrorf("a command is missing")
}

// commandName is the command as it is typed after "livemon".
func commandName(c *cli.Context) string {
	return strings.TrimSpace(strings.TrimPrefix(c.Command.HelpName, c.App.Name))
}

// positional returns the arguments, which must be as many as there are names.
func positional(c *cli.Context, names ...string) ([]string, error) {
	args := c.Args().Slice()
	if len(args) > len(names) {
		return nil, usageErrorf("%s: unexpected argument %q", commandName(c), args[len(names)])
	}
	for i, name := range names {
		if i >= len(args) || args[i] == "" {
			return nil, usageErrorf("%s: %s is missing", commandName(c), name)
		}
	}
	return args, nil
}

func jsonFlag() cli.Flag {
	return &cli.BoolFlag{Name: "json", Usage: "print JSON"}
}

func watchFlag() cli.Flag {
	return &cli.BoolFlag{Name: "watch", Aliases: []string{"w"}, Usage: "go on printing whenever something changes; with --json one list a line"}
}

// usageError is wrong usage: exit status 2.
type usageError struct{ message string }

func (e usageError) Error() string { return e.message }

func usageErrorf(format string, args ...any) error { return usageError{fmt.Sprintf(format, args...)} }
