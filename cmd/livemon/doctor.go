package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"livemon/internal/api"
	"livemon/internal/wire"
)

func doctorCommand() *cli.Command {
	return &cli.Command{
		Name:        "doctor",
		Usage:       "check the service, Redis and each switch, and suggest fixes",
		Description: "Ends with 0 if everything is as it must be, else with 1.",
		Flags:       []cli.Flag{jsonFlag()},
		Action: func(c *cli.Context) error {
			if _, err := positional(c); err != nil {
				return err
			}
			findings, err := diagnose(c)
			if err != nil {
				return err
			}
			return printFindings(c, findings)
		},
	}
}

// diagnose makes a finding of what keeps the service from being asked.
func diagnose(c *cli.Context) ([]wire.Finding, error) {
	const check = "livemon serve"
	client, err := newClient(c)
	if errors.Is(err, errNoToken) {
		return []wire.Finding{{Check: check, Detail: err.Error(), Do: "Start 'livemon serve' on this machine as this user."}}, nil
	}
	if err != nil {
		return nil, err
	}
	defer client.Close()
	findings, err := client.Doctor(c.Context)
	switch {
	case c.Context.Err() != nil:
		return nil, err
	case errors.Is(err, api.ErrUnreachable):
		return []wire.Finding{{Check: check, Detail: err.Error(),
			Do: "Start 'livemon serve', or say where it runs with --api URL or LIVEMON_API."}}, nil
	case errors.Is(err, api.ErrUnauthorized):
		return []wire.Finding{{Check: check, Detail: err.Error(),
			Do: "Set LIVEMON_TOKEN or --token-file to the token of the service at " + client.Base() + "."}}, nil
	case err != nil:
		return nil, err
	}
	running := wire.Finding{Check: check, OK: true, Detail: "answers at " + client.Base()}
	return slices.Insert(findings, 0, running), nil
}

// printFindings prints what was looked at and returns errUnsound if anything
// is not as it must be.
func printFindings(c *cli.Context, findings []wire.Finding) error {
	if err := writeFindings(c, findings); err != nil {
		return err
	}
	if slices.ContainsFunc(findings, func(f wire.Finding) bool { return !f.OK }) {
		return errUnsound
	}
	return nil
}

func writeFindings(c *cli.Context, findings []wire.Finding) error {
	if c.Bool("json") {
		if findings == nil {
			findings = []wire.Finding{}
		}
		return printJSON(c.App.Writer, findings)
	}
	var b strings.Builder
	for _, f := range findings {
		verdict, where := "ok  ", f.Check
		if !f.OK {
			verdict = "FAIL"
		}
		if f.Node != "" {
			where = f.Node + ": " + f.Check
		}
		fmt.Fprintf(&b, "%s  %s: %s\n", verdict, clean(where), clean(f.Detail))
		if f.Do != "" {
			fmt.Fprintf(&b, "      -> %s\n", clean(f.Do))
		}
	}
	_, err := fmt.Fprint(c.App.Writer, b.String())
	return err
}
