package main

import (
	"context"
	_ "embed"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/urfave/cli/v2"
)

// completionTime bounds the wait for the service while somebody waits for a key.
const completionTime = 2 * time.Second

var (
	//go:embed completion/livemon.bash
	bashScript string
	//go:embed completion/livemon.zsh
	zshScript string
	//go:embed completion/livemon.fish
	fishScript string
)

func completionCommand() *cli.Command {
	script := func(name, usage, text string) *cli.Command {
		return &cli.Command{Name: name, Usage: usage, Action: func(c *cli.Context) error {
			if _, err := positional(c); err != nil {
				return err
			}
			_, err := fmt.Fprint(c.App.Writer, text)
			return err
		}}
	}
	return &cli.Command{
		Name:  "completion",
		Usage: "print a script that makes the shell complete livemon's commands",
		Subcommands: []*cli.Command{
			script("bash", "for ~/.bashrc: source <(livemon completion bash)", bashScript),
			script("zsh", "for ~/.zshrc, after compinit: source <(livemon completion zsh)", zshScript),
			script("fish", "for ~/.config/fish/config.fish: livemon completion fish | source", fishScript),
		},
	}
}

// complete makes a completion of flags and of the words that f returns. Words
// that a shell would take for more than a word are left out: they would be
// inserted as they are.
func complete(f func(*cli.Context) []string) cli.BashCompleteFunc {
	return func(c *cli.Context) {
		if n := len(os.Args) - 2; n > 0 && strings.HasPrefix(os.Args[n], "-") {
			cli.DefaultCompleteWithFlags(c.Command)(c)
			return
		}
		for _, word := range f(c) {
			if word != "" && word[0] != '-' && strings.IndexFunc(word, notPlain) < 0 {
				_, _ = fmt.Fprintln(c.App.Writer, word)
			}
		}
	}
}

func notPlain(r rune) bool {
	return !('0' <= r && r <= '9' || 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || strings.ContainsRune("._@:+-", r))
}

func agentNames(c *cli.Context) []string {
	client, err := newClient(c)
	if err != nil || c.NArg() > 0 {
		return nil
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(c.Context, completionTime)
	defer cancel()
	list, _ := client.Agents(ctx)
	var out []string
	for _, a := range list {
		if a.Call != "" {
			out = append(out, a.Agent)
		}
	}
	return out
}

func sessionIDs(c *cli.Context) []string {
	client, err := newClient(c)
	if err != nil || c.NArg() > 0 {
		return nil
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(c.Context, completionTime)
	defer cancel()
	list, _ := client.Sessions(ctx)
	var out []string
	for _, s := range list {
		out = append(out, s.ID)
	}
	return out
}
