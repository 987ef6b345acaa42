package main

import (
	"fmt"
	"strings"

	"github.com/urfave/cli/v2"

	"livemon/fsconf"
	"livemon/internal/switchsim"
)

func switchsimCommand() *cli.Command {
	return &cli.Command{
		Name:  "switchsim",
		Usage: "run a simulated FreeSWITCH, for trying things out",
		Description: `Its event socket can be given to 'livemon serve --freeswitch'. Telephones of the
extensions 1000 to 1009 answer by themselves. It runs until it is interrupted.`,
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "listen", Usage: "`ADDRESS` of its event socket", Value: "127.0.0.1:8021", EnvVars: []string{"LIVEMON_SWITCHSIM_LISTEN"}},
			&cli.StringFlag{Name: "password", Usage: "the event socket's `PASSWORD`", Value: "ClueCon", EnvVars: []string{"LIVEMON_PASSWORD"}},
			&cli.StringSliceFlag{Name: "call", Usage: "begin with a call: `NUMBER=EXTENSION`; repeatable"},
			&cli.BoolFlag{Name: "stock", Usage: "leave out what 'fsconf install' would have put there"},
			jsonFlag(),
		},
		Action: func(c *cli.Context) error {
			if _, err := positional(c); err != nil {
				return err
			}
			calls, err := parseCalls(c.StringSlice("call"))
			if err != nil {
				return err
			}
			return simulate(c, calls)
		},
	}
}

type simulatedCall struct{ from, to string }

func parseCalls(values []string) ([]simulatedCall, error) {
	var out []simulatedCall
	for _, v := range values {
		from, to, ok := strings.Cut(v, "=")
		if !ok || from == "" || to == "" {
			return nil, usageErrorf("--call %q is not NUMBER=EXTENSION, as in +15550100=1001", v)
		}
		out = append(out, simulatedCall{from, to})
	}
	return out, nil
}

func simulate(c *cli.Context, calls []simulatedCall) error {
	o := switchsim.Options{Listen: c.String("listen"), Password: c.String("password")}
	if s := fsconf.Defaults(); !c.Bool("stock") {
		o.ConferenceXML, o.DialplanXML = fsconf.ConferenceXML(s), fsconf.DialplanXML(s)
		o.Dialplan = []switchsim.DialplanEntry{{Prefix: s.DialIn, Outbound: s.Outbound}}
	}
	sim, err := switchsim.Start(c.Context, o)
	if err != nil {
		return err
	}
	for _, call := range calls {
		if _, err := sim.CallFrom(c.Context, call.from, call.to); err != nil {
			_ = sim.Close()
			return fmt.Errorf("call from %s to %s: %w", call.from, call.to, err)
		}
	}
	if err := announce(c, sim.Addr(), calls); err != nil {
		_ = sim.Close()
		return err
	}
	<-c.Context.Done()
	return sim.Close()
}

func announce(c *cli.Context, addr string, calls []simulatedCall) error {
	if c.Bool("json") {
		return printJSONLine(c.App.Writer, map[string]any{"addr": addr, "calls": len(calls)})
	}
	var b strings.Builder
	fmt.Fprintf(&b, "A simulated FreeSWITCH listens at %s.\n", addr)
	b.WriteString("Telephones 1000 to 1009 answer by themselves.\n")
	for _, call := range calls {
		fmt.Fprintf(&b, "%s talks to %s.\n", clean(call.from), clean(call.to))
	}
	fmt.Fprintf(&b, "Try:  livemon serve --redis embedded --freeswitch %s\nCtrl-C ends it.\n", addr)
	_, err := fmt.Fprint(c.App.Writer, b.String())
	return err
}
