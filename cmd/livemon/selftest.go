package main

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"text/tabwriter"

	"github.com/urfave/cli/v2"

	"livemon/esl"
	"livemon/internal/config"
	"livemon/internal/selftest"
	"livemon/internal/wire"
)

func selftestCommand() *cli.Command {
	return &cli.Command{
		Name:  "selftest",
		Usage: "make a test call on running switches, and check who hears what in each role",
		Description: `Makes a call of its own on each switch, between two parties that sound tones, and
takes it through monitor, coach, barge, somebody walking in, the return to a bridge
and a take-over. At each step the switch is asked who hears whom. It needs no
telephone and no 'serve', touches no other call, and takes about a minute. Use the
same configuration file and flags as for serve.

Ends with 0 only if everything was heard as it should be, and nothing was left
behind; else with 1.`,
		Flags: append([]cli.Flag{configFlag()}, append(switchFlags(), mediaListenFlag(), jsonFlag())...),
		Action: func(c *cli.Context) error {
			if _, err := positional(c); err != nil {
				return err
			}
			cfg, err := loadConfig(c)
			if err != nil {
				return err
			}
			listen, err := mediaListen(c.String("media-listen"))
			if err != nil {
				return err
			}
			return runSelftest(c, cfg, listen)
		},
	}
}

func mediaListenFlag() cli.Flag {
	return &cli.StringFlag{
		Name:        "media-listen",
		Usage:       "the IPv4 `ADDRESS:PORT` of this machine to which the switch sends audio by UDP",
		DefaultText: "any port of the address by which the switch is reached", EnvVars: []string{"LIVEMON_MEDIA_LISTEN"},
	}
}

// mediaListen understands ADDRESS:PORT and :PORT, and zero for nothing.
func mediaListen(s string) (netip.AddrPort, error) {
	if s == "" {
		return netip.AddrPort{}, nil
	}
	if strings.HasPrefix(s, ":") {
		s = "0.0.0.0" + s
	}
	a, err := netip.ParseAddrPort(s)
	if err != nil || !a.Addr().Is4() {
		return a, usageErrorf("--media-listen takes an IPv4 address and a port, as in 192.0.2.7:40000 or :40000")
	}
	return a, nil
}

func runSelftest(c *cli.Context, cfg config.Config, listen netip.AddrPort) error {
	reports := []selftest.Report{}
	ok := true
	for _, n := range cfg.FreeSWITCH {
		sc := selftest.Config{Node: n.Name, Addr: n.Addr, Password: n.Password, Settings: cfg.Settings(), MediaListen: listen, Logger: newLogger(config.Config{LogLevel: "error"}, c.App.ErrWriter)}
		var printed error
		if !c.Bool("json") {
			sc.Progress = func(s selftest.Step) { printed = errors.Join(printed, printStep(c, s)) }
		}
		r, err := selftest.Run(c.Context, sc)
		var e *esl.Error
		if errors.As(err, &e) && c.Context.Err() == nil {
			r.Problems = append(r.Problems, wire.Finding{Node: n.Name, Check: "event socket", Detail: err.Error(),
				Do: "Check that the switch runs, that its event socket listens at " + n.Addr + ", lets this machine in, and takes the password that was given."})
			err = nil
		}
		if err == nil {
			err = printed
		}
		if !c.Bool("json") {
			err = errors.Join(err, printOutcome(c, r))
		}
		if err != nil {
			return err
		}
		reports = append(reports, r)
		ok = ok && r.OK
	}
	if c.Bool("json") {
		if err := printJSON(c.App.Writer, reports); err != nil {
			return err
		}
	}
	if !ok {
		return errUnsound
	}
	return nil
}

// printStep prints who should hear whom, and who did.
func printStep(c *cli.Context, s selftest.Step) error {
	verdict := "ok"
	if !s.OK {
		verdict = "WRONG"
	}
	if _, err := fmt.Fprintf(c.App.Writer, "%s: %s\n", clean(s.Name), verdict); err != nil {
		return err
	}
	w := tabwriter.NewWriter(c.App.Writer, 0, 0, 2, ' ', 0)
	for _, r := range s.Rows {
		mark := ""
		if !r.OK {
			mark = "  <-- WRONG"
		}
		_, _ = fmt.Fprintf(w, "  %s\tshould hear %s\thears %s%s\n", clean(r.Listener), names(r.Should), names(r.Heard), mark)
	}
	return w.Flush()
}

func names(list []string) string {
	if len(list) == 0 {
		return "nobody"
	}
	return clean(strings.Join(list, ", "))
}

func printOutcome(c *cli.Context, r selftest.Report) error {
	var b strings.Builder
	for _, m := range r.Moves {
		fmt.Fprintf(&b, "%s: ", clean(m.Name))
		for _, g := range m.Gaps {
			fmt.Fprintf(&b, "the %s heard a gap of %d ms, ", clean(g.Party), g.MS)
		}
		fmt.Fprintf(&b, "both parties were seen there after %d ms\n", m.MS)
	}
	for _, l := range r.Leaks {
		fmt.Fprintf(&b, "WRONG %s: the %s heard the %s for about %d ms\n", clean(l.During), clean(l.Listener), clean(l.Speaker), l.MS)
	}
	switch m := r.Media; {
	case m.Measured:
		fmt.Fprintf(&b, "%d frames of 20 ms were searched for voices that must not be there: %d found\n", m.Frames, len(r.Leaks))
	case m.Detail != "":
		fmt.Fprintf(&b, "NOTE  %s: gaps and leaks of single frames were not measured: %s\n      -> %s\n", clean(r.Node), clean(m.Detail), clean(m.Do))
	}
	for _, p := range r.Problems {
		fmt.Fprintf(&b, "FAIL  %s: %s: %s\n", clean(p.Node), clean(p.Check), clean(p.Detail))
		if p.Do != "" {
			fmt.Fprintf(&b, "      -> %s\n", clean(p.Do))
		}
	}
	verdict := "NOT as it should be"
	switch {
	case r.OK:
		verdict = "everything was heard as it should be, and nothing is left of the test"
	case c.Context.Err() != nil && r.Clean:
		verdict = "interrupted; nothing is left of the test"
	}
	fmt.Fprintf(&b, "%s: %s.\n", clean(r.Node), verdict)
	_, err := fmt.Fprint(c.App.Writer, b.String())
	return err
}
