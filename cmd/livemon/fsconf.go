package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/urfave/cli/v2"

	"livemon/esl"
	"livemon/fsconf"
	"livemon/internal/config"
	"livemon/internal/fsapi"
	"livemon/internal/wire"
)

func fsconfCommand() *cli.Command {
	settings := func(more ...cli.Flag) []cli.Flag {
		return append([]cli.Flag{configFlag(), outboundFlag()}, more...)
	}
	dryRun := &cli.BoolFlag{Name: "dry-run", Aliases: []string{"n"}, Usage: "show what would be done, and do nothing"}
	return &cli.Command{
		Name:  "fsconf",
		Usage: "what a FreeSWITCH must be configured with",
		Description: `Use the same configuration file and flags as for serve, so that the keys and the
dial-in extension are the same.`,
		Subcommands: []*cli.Command{
			{Name: "show", Usage: "print the files", Flags: settings(jsonFlag()), Action: showFSConf},
			{
				Name: "install", Usage: "put them into a switch's configuration folder, beside what is the shop's", ArgsUsage: "DIR",
				Flags: settings(dryRun, jsonFlag()), Action: installFSConf,
			},
			{
				Name: "uninstall", Usage: "take them out again", ArgsUsage: "DIR",
				Flags: []cli.Flag{dryRun, jsonFlag()}, Action: uninstallFSConf,
			},
			{
				Name: "check", Usage: "ask running switches whether it is all in force",
				Description: "Ends with 0 if everything is as it must be, else with 1.",
				Flags:       settings(append(switchFlags(), jsonFlag())...), Action: checkFSConf,
			},
		},
	}
}

// fileJSON is a file as 'fsconf show --json' prints it.
type fileJSON struct {
	Path    string `json:"path"`
	Mode    string `json:"mode"`
	Merge   bool   `json:"merge"` // into a file that is there already
	Size    int    `json:"size"`
	Content string `json:"content,omitempty"` // absent for sounds
}

func showFSConf(c *cli.Context) error {
	if _, err := positional(c); err != nil {
		return err
	}
	cfg, err := loadConfig(c)
	if err != nil {
		return err
	}
	files, err := fsconf.Files(cfg.Settings())
	if err != nil {
		return err
	}
	list := make([]fileJSON, 0, len(files))
	var text strings.Builder
	for _, f := range files {
		j := fileJSON{Path: f.Path, Mode: fmt.Sprintf("%04o", f.Mode.Perm()), Merge: f.Merge, Size: len(f.Content)}
		into := ""
		if f.Merge {
			into = ", put into the file that is there"
		}
		fmt.Fprintf(&text, "# %s (%d bytes%s)\n", j.Path, j.Size, into)
		if isText(f.Content) {
			j.Content = string(f.Content)
			fmt.Fprintf(&text, "%s\n", cleanLines(j.Content))
		}
		list = append(list, j)
	}
	if c.Bool("json") {
		return printJSON(c.App.Writer, list)
	}
	_, err = fmt.Fprint(c.App.Writer, text.String())
	return err
}

func isText(b []byte) bool { return utf8.Valid(b) && !strings.ContainsRune(string(b), 0) }

// cleanLines is clean for text of several lines.
func cleanLines(s string) string {
	lines := strings.Split(s, "\n")
	for i := range lines {
		lines[i] = clean(lines[i])
	}
	return strings.Join(lines, "\n")
}

func installFSConf(c *cli.Context) error {
	args, err := positional(c, "DIR")
	if err != nil {
		return err
	}
	cfg, err := loadConfig(c)
	if err != nil {
		return err
	}
	changes, err := fsconf.Install(args[0], cfg.Settings(), c.Bool("dry-run"))
	if err != nil {
		return err
	}
	return printChanges(c, changes)
}

func uninstallFSConf(c *cli.Context) error {
	args, err := positional(c, "DIR")
	if err != nil {
		return err
	}
	changes, err := fsconf.Uninstall(args[0], c.Bool("dry-run"))
	if err != nil {
		return err
	}
	return printChanges(c, changes)
}

// changeJSON is a change as --json prints it.
type changeJSON struct {
	Path   string `json:"path"`
	Action string `json:"action"`
	Diff   string `json:"diff,omitempty"`
	Note   string `json:"note,omitempty"`
}

// printChanges lists what was done; the lines of text that changed are shown
// for a dry run only.
func printChanges(c *cli.Context, changes []fsconf.Change) error {
	list := make([]changeJSON, 0, len(changes))
	var text strings.Builder
	changed := false
	for _, ch := range changes {
		list = append(list, changeJSON(ch))
		changed = changed || ch.Action != "unchanged"
		fmt.Fprintf(&text, "%-9s  %s\n", clean(ch.Action), clean(ch.Path))
		if ch.Note != "" {
			fmt.Fprintf(&text, "%-9s  -> %s\n", "", clean(ch.Note))
		}
		if c.Bool("dry-run") && ch.Diff != "" {
			text.WriteString(strings.TrimSuffix(cleanLines(ch.Diff), "\n") + "\n")
		}
	}
	if c.Bool("json") {
		return printJSON(c.App.Writer, list)
	}
	switch {
	case !changed:
		text.WriteString("Nothing to do.\n")
	case !c.Bool("dry-run"):
		text.WriteString("The switch takes it over with: fs_cli -x reloadxml\n")
	}
	_, err := fmt.Fprint(c.App.Writer, text.String())
	return err
}

func checkFSConf(c *cli.Context) error {
	if _, err := positional(c); err != nil {
		return err
	}
	cfg, err := loadConfig(c)
	if err != nil {
		return err
	}
	var all []wire.Finding
	for _, n := range cfg.FreeSWITCH {
		found, err := checkNode(c, cfg, n)
		if err != nil {
			return err
		}
		all = append(all, found...)
	}
	return printFindings(c, all)
}

// checkNode makes a finding of a connection that fails.
func checkNode(c *cli.Context, cfg config.Config, n config.Node) ([]wire.Finding, error) {
	client := esl.NewClient(esl.Options{Addr: n.Addr, Password: n.Password, Logger: newLogger(config.Config{LogLevel: "error"}, c.App.ErrWriter)})
	defer func() { _ = client.Close() }()
	found, err := fsconf.Check(c.Context, oneSwitch{client}, cfg.Settings())
	if c.Context.Err() != nil {
		return nil, c.Context.Err()
	}
	if err != nil {
		found = append(found, wire.Finding{Check: "event socket", Detail: err.Error(), Do: "Check that the switch runs, that its event socket listens at " + n.Addr + ", lets this machine in, and takes the password that was given."})
	}
	for i := range found {
		found[i].Node = n.Name
	}
	return found, nil
}

// oneSwitch is the connection as fsconf.Check wants it.
type oneSwitch struct{ client *esl.Client }

// API keeps what the switch says to a login apart from what it says to a
// command: fsconf takes an error that holds -ERR for the latter.
func (s oneSwitch) API(ctx context.Context, line fsapi.Line) (string, error) {
	reply, err := s.client.API(ctx, line)
	var e *esl.Error
	if errors.As(err, &e) && !errors.Is(err, esl.ErrReply) {
		return "", connectionError{e}
	}
	return reply, err
}

type connectionError struct{ err *esl.Error }

func (e connectionError) Error() string {
	if e.err.Err != nil {
		return e.err.Kind.Error() + ": " + e.err.Err.Error()
	}
	return e.err.Kind.Error()
}

func (e connectionError) Unwrap() error { return e.err }
