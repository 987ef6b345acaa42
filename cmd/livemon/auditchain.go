package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"livemon/internal/wire"
	"livemon/state"
)

func auditVerifyCommand() *cli.Command {
	return &cli.Command{
		Name:  "verify",
		Usage: "find out whether an audit record is missing, was changed, moved or inserted",
		Description: `Each record is chained to the one before by its hash. This reads the whole
stream, or with --file an export of it, for which no service is needed.

Whoever can write to Redis can write the whole chain anew. Note its head
elsewhere (it is printed, and 'livemon audit head' prints it alone): with
--head the records up to there are known to be those of that time.

Ends with 1 if anything is not as it was written, or a given head cannot be
checked.`,
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "file", Usage: "check this `FILE`, which 'livemon audit export' wrote; - is standard input"},
			&cli.StringSliceFlag{Name: "head", Usage: "a head that was noted, as `SEQ:HASH`; repeatable"},
			jsonFlag(),
		},
		Action: func(c *cli.Context) error {
			if err := alone(c); err != nil {
				return err
			}
			var heads []state.Head
			for _, s := range c.StringSlice("head") {
				h, err := state.ParseHead(s)
				if err != nil {
					return usageErrorf("--head must be SEQ:HASH, as 'livemon audit head' prints it")
				}
				heads = append(heads, h)
			}
			report, err := verifyAudit(c, heads)
			if err != nil {
				return err
			}
			if c.Bool("json") {
				err = printJSON(c.App.Writer, report)
			} else {
				err = printReport(c.App.Writer, report)
			}
			if err == nil && !report.OK {
				err = errUnsound
			}
			return err
		},
	}
}

// alone refuses arguments, and flags of 'livemon audit' itself, which would not
// count: an export must not hold more than was asked for.
func alone(c *cli.Context) error {
	for _, name := range c.Lineage()[1].LocalFlagNames() {
		return usageErrorf("%s: --%s must stand after it, if it takes that", commandName(c), name)
	}
	_, err := positional(c)
	return err
}

func verifyAudit(c *cli.Context, heads []state.Head) (wire.AuditReport, error) {
	v := state.NewVerifier(heads...)
	switch name := c.String("file"); {
	case name == "-":
		return v.Verify(c.App.Reader)
	case name != "" || c.IsSet("file"):
		f, err := os.Open(name)
		if err != nil {
			return wire.AuditReport{}, err
		}
		report, err := v.Verify(f)
		return report, errors.Join(err, f.Close())
	}
	client, err := newClient(c)
	if err != nil {
		return wire.AuditReport{}, err
	}
	defer client.Close()
	if err := client.ExportAudit(c.Context, wire.AuditFilter{}, v); err != nil {
		return wire.AuditReport{}, err
	}
	return v.Report()
}

func printReport(w io.Writer, r wire.AuditReport) error {
	var b strings.Builder
	for _, p := range r.Problems {
		place := ""
		if p.ID != "" {
			place = " (" + p.ID + ")"
		}
		_, _ = fmt.Fprintf(&b, "WRONG %s: %s%s\n", p.Kind, clean(p.Detail), clean(place))
	}
	if r.More > 0 {
		_, _ = fmt.Fprintf(&b, "WRONG and %d more\n", r.More)
	}
	if r.Unprotected > 0 {
		_, _ = fmt.Fprintf(&b, "%d records are older than the chain: whether they are as they were written cannot be told\n", r.Unprotected)
	}
	if r.Anchor != "" {
		seq, _, _ := strings.Cut(r.Anchor, ":")
		_, _ = fmt.Fprintf(&b, "records up to %s were removed by retention\n", clean(seq))
	}
	switch {
	case r.Records == 0:
		b.WriteString("there are no chained records\n")
	default:
		_, _ = fmt.Fprintf(&b, "%d records, from %d to %d\n", r.Records, r.First, r.Last)
	}
	if r.Filtered {
		b.WriteString("this is a filtered export: each record was checked by itself, but whether any is missing cannot be told\n")
	}
	for _, h := range r.Confirmed {
		_, _ = fmt.Fprintf(&b, "the noted head %s is part of this chain\n", h)
	}
	if r.Head != "" {
		_, _ = fmt.Fprintf(&b, "head %s\n", r.Head)
	}
	switch {
	case !r.OK && !slices.ContainsFunc(r.Problems, func(p wire.AuditProblem) bool { return p.Kind != "head" }):
		b.WriteString("NOT confirmed: what it would have to be checked against is not there\n")
	case !r.OK:
		b.WriteString("NOT as it was written\n")
	case r.Records > 0:
		b.WriteString("as it was written\n")
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func auditExportCommand() *cli.Command {
	return &cli.Command{
		Name:  "export",
		Usage: "print all audit records, oldest first, as JSON lines that can be verified",
		Description: `Each line holds a record byte for byte as it is stored, its number and its
hashes; the first line says what was exported, the last one that it is whole.
'livemon audit verify --file FILE' checks it, on any machine: without a filter
as a chain, with one each record by itself.`,
		Flags: auditFlags(),
		Action: func(c *cli.Context) error {
			if err := alone(c); err != nil {
				return err
			}
			f, err := auditFilter(c)
			if err != nil {
				return err
			}
			client, err := newClient(c)
			if err != nil {
				return err
			}
			defer client.Close()
			return client.ExportAudit(c.Context, f, c.App.Writer)
		},
	}
}

func auditHeadCommand() *cli.Command {
	return &cli.Command{
		Name:  "head",
		Usage: "print the newest end of the audit stream's chain, to be noted elsewhere",
		Flags: []cli.Flag{jsonFlag()},
		Action: func(c *cli.Context) error {
			if err := alone(c); err != nil {
				return err
			}
			client, err := newClient(c)
			if err != nil {
				return err
			}
			defer client.Close()
			h, err := client.AuditHead(c.Context)
			if err != nil {
				return err
			}
			return printOne(c, h, h.Head)
		},
	}
}
