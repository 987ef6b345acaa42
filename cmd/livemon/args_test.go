package main

import (
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/urfave/cli/v2"
)

func TestReorder(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"monitor 1001 --phone 1002 --coaching", "monitor --phone 1002 --coaching -- 1001"},
		{"monitor --coaching 1001 --phone=1002", "monitor --coaching --phone=1002 -- 1001"},
		{"monitor 1001 -p 1002", "monitor -p 1002 -- 1001"},
		{"monitor 1001 -phone 1002", "monitor -phone 1002 -- 1001"},
		{"monitor --phone --coaching 1001", "monitor --phone --coaching -- 1001"}, // a value is whatever follows
		{"monitor --phone -- 1001", "monitor --phone -- -- 1001"},
		{"monitor -- --phone 1002", "monitor -- --phone 1002"},
		{"monitor 1001 -- --json", "monitor -- 1001 --json"},
		{"agents --api http://x --json", "--api http://x agents --json"},
		{"--json agents", "agents --json"},
		{"--phone 1002 monitor 1001", "monitor --phone 1002 -- 1001"},
		{"extensions --json list", "extensions list --json"},
		{"extensions add 1 --name x --token-file f", "--token-file f extensions add --name x -- 1"},
		{"extensions bogus --name x", "extensions --name x -- bogus"},
		{"bogus --json", "--json -- bogus"},
		{"agents --bogus x", "agents --bogus -- x"},
		{"monitor help --phone 1", "monitor --phone 1 -- help"},
		{"help monitor", "help -- monitor"},
		{"role s1 coach", "role -- s1 coach"},
		{"monitor - --phone 1", "monitor --phone 1 -- -"},
		{"agents -h", "agents -h"},
		{"-h", "-h"},
		{"", ""},
		{"fsconf install --dry-run DIR --config f", "fsconf install --dry-run --config f -- DIR"},
		{"monitor 1001 --ph --generate-bash-completion", "monitor 1001 --ph --generate-bash-completion"},
	} {
		got, err := reorder(newApp(nil, io.Discard, io.Discard), append([]string{"livemon"}, strings.Fields(c.in)...))
		if err != nil || strings.Join(got[1:], " ") != c.want {
			t.Errorf("%q: %q %v, want %q", c.in, got, err, c.want)
		}
	}
	for _, in := range []string{"monitor 1001 --phone", "--api", "agents --api", "--phone"} {
		if got, err := reorder(newApp(nil, io.Discard, io.Discard), append([]string{"livemon"}, strings.Fields(in)...)); err == nil {
			t.Errorf("%q: %q", in, got)
		}
	}
}

// reorder looks for a flag in commands that it has not reached yet, so a name
// must not take a value in one command and none in another.
func TestAFlagIsOfOneKindEverywhere(t *testing.T) {
	kinds := map[string]bool{}
	var look func(flags []cli.Flag, commands []*cli.Command)
	look = func(flags []cli.Flag, commands []*cli.Command) {
		for _, f := range flags {
			for _, name := range f.Names() {
				if b, known := kinds[name]; known && b != isBool(f) {
					t.Errorf("--%s takes a value here, and none there", name)
				}
				kinds[name] = isBool(f)
			}
		}
		for _, c := range commands {
			look(c.Flags, c.Subcommands)
		}
	}
	app := newApp(nil, io.Discard, io.Discard)
	look(app.Flags, app.Commands)
}

func FuzzReorder(f *testing.F) {
	for _, s := range []string{
		"monitor\n1001\n--phone\n1002\n--coaching", "monitor\n--phone\n--\n1001", "extensions\nadd\n1\n--name\nx", "--api\nx\nagents\n--\n--json",
		"--\n--", "-\n--\n", "agents\n--api=\n=", "help\nhelp", "fsconf\ninstall\n-n\nx", "--=\n-=",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, in string) {
		args := append([]string{"livemon"}, strings.Split(in, "\n")...)
		got, err := reorder(newApp(nil, io.Discard, io.Discard), args)
		if err != nil {
			return
		}
		// Nothing is lost, made up or changed, but for one "--".
		a, b := slices.Clone(args), slices.Clone(got)
		slices.Sort(a)
		slices.Sort(b)
		isDashes := func(s string) bool { return s == "--" }
		dashes := func(l []string) (n int) {
			for _, s := range l {
				if isDashes(s) {
					n++
				}
			}
			return n
		}
		if d := dashes(b) - dashes(a); d < -1 || d > 1 || !slices.Equal(slices.DeleteFunc(a, isDashes), slices.DeleteFunc(b, isDashes)) {
			t.Fatalf("%q becomes %q", args, got)
		}
		// What is in order stays as it is.
		again, err := reorder(newApp(nil, io.Discard, io.Discard), got)
		if err != nil || !slices.Equal(got, again) {
			t.Fatalf("%q becomes %q becomes %q: %v", args, got, again, err)
		}
	})
}
