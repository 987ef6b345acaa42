package main

import (
	"slices"
	"strings"

	"github.com/urfave/cli/v2"
)

const completionArg = "--generate-bash-completion"

// reorder moves flags in front of the positional arguments of the command that
// they belong to, because the library takes everything after the first
// positional for one too. Each flag goes to the innermost command of the path
// that has it, so that global flags may stand anywhere as well. What follows
// "--" is positional. No argument is lost, made up or changed, but for the "--"
// in front of the positional ones. A flag that lacks its value is an error: it
// would take the "--".
func reorder(app *cli.App, args []string) ([]string, error) {
	if len(args) == 0 || args[len(args)-1] == completionArg {
		return args, nil
	}
	app.Setup() // adds the help command
	path := []level{{flags: app.Flags, commands: app.Commands}}
	var flags []flagArg
	var positional []string
	for i := 1; i < len(args); i++ {
		arg := args[i]
		current := path[len(path)-1]
		switch {
		case arg == "--":
			positional = append(positional, args[i+1:]...)
			i = len(args)
		case len(arg) > 1 && arg[0] == '-':
			f := flagArg{name: flagName(arg), level: len(path) - 1, args: args[i : i+1]}
			if !strings.Contains(arg, "=") && takesValue(path, f.name) {
				if i+1 == len(args) {
					return nil, usageErrorf("flag needs an argument: %s", arg)
				}
				f.args = args[i : i+2]
				i++
			}
			flags = append(flags, f)
		case len(positional) == 0 && find(current.commands, arg) != nil:
			c := find(current.commands, arg)
			path = append(path, level{name: arg, flags: c.Flags, commands: c.Subcommands})
		default:
			positional = append(positional, arg)
		}
	}

	out := []string{args[0]}
	for n, l := range path {
		if n > 0 {
			out = append(out, l.name)
		}
		for _, f := range flags {
			if f.home(path) == n {
				out = append(out, f.args...)
			}
		}
	}
	if len(positional) > 0 {
		out = append(append(out, "--"), positional...)
	}
	return out, nil
}

type level struct {
	name     string
	flags    []cli.Flag
	commands []*cli.Command
}

type flagArg struct {
	name  string
	level int // where it stood
	args  []string
}

// home is the level of the command that knows the flag: the one where it stood
// (every command knows --help), else the innermost. One that nobody knows stays for the library to refuse.
func (f flagArg) home(path []level) int {
	if has(path[f.level].flags, f.name) || has([]cli.Flag{cli.HelpFlag}, f.name) {
		return f.level
	}
	for n := len(path) - 1; n >= 0; n-- {
		if has(path[n].flags, f.name) {
			return n
		}
	}
	return f.level
}

func flagName(arg string) string {
	name := strings.TrimPrefix(strings.TrimPrefix(arg, "-"), "-")
	name, _, _ = strings.Cut(name, "=")
	return name
}

func find(commands []*cli.Command, name string) *cli.Command {
	for _, c := range commands {
		if c.HasName(name) {
			return c
		}
	}
	return nil
}

func has(flags []cli.Flag, name string) bool { return lookup(flags, name) != nil }

func lookup(flags []cli.Flag, name string) cli.Flag {
	for _, f := range flags {
		if slices.Contains(f.Names(), name) {
			return f
		}
	}
	return nil
}

// takesValue looks for the flag on the path, then in the commands that may yet
// follow: "livemon --phone 1002 monitor 1001" is understood too. A name means
// the same kind of flag wherever it is used.
func takesValue(path []level, name string) bool {
	for n := len(path) - 1; n >= 0; n-- {
		if f := lookup(path[n].flags, name); f != nil {
			return !isBool(f)
		}
	}
	var below func([]*cli.Command) bool
	below = func(commands []*cli.Command) bool {
		for _, c := range commands {
			if f := lookup(c.Flags, name); f != nil {
				return !isBool(f)
			}
			if below(c.Subcommands) {
				return true
			}
		}
		return false
	}
	return below(path[len(path)-1].commands)
}

func isBool(f cli.Flag) bool {
	_, ok := f.(*cli.BoolFlag)
	return ok
}

// wantsJSON tells whether errors go to standard output as JSON too; it must be
// known also when the arguments cannot be parsed.
func wantsJSON(args []string) bool {
	for _, a := range args[min(1, len(args)):] {
		switch a {
		case "--":
			return false
		case "--json", "-json", "--json=true", "-json=true":
			return true
		}
	}
	return false
}
