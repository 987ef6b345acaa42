package main

import (
	"cmp"
	"strconv"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"livemon/internal/wire"
)

const maxAudit = 1000

func auditCommand() *cli.Command {
	return &cli.Command{
		Name:  "audit",
		Usage: "list who listened to whom, when and how",
		Flags: append(auditFlags(),
			&cli.IntFlag{Name: "limit", Usage: "the newest `N` records, at most 1000", Value: maxAudit},
			jsonFlag(),
		),
		Subcommands: []*cli.Command{auditVerifyCommand(), auditExportCommand(), auditHeadCommand()},
		Action: func(c *cli.Context) error {
			if _, err := positional(c); err != nil {
				return err
			}
			f, err := auditFilter(c)
			if err != nil {
				return err
			}
			if f.Limit = c.Int("limit"); f.Limit < 1 || f.Limit > maxAudit {
				return usageErrorf("--limit must be from 1 to %d", maxAudit)
			}
			client, err := newClient(c)
			if err != nil {
				return err
			}
			defer client.Close()
			list, err := client.Audit(c.Context, f)
			if err != nil {
				return err
			}
			return auditTable.print(c, list)
		},
	}
}

// auditFlags select audit records.
func auditFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "session", Usage: "records of one `SESSION` only"},
		&cli.StringFlag{Name: "agent", Usage: "records of one `AGENT` only"},
		&cli.StringFlag{Name: "supervisor", Usage: "records of one `SUPERVISOR` only"},
		&cli.StringFlag{Name: "since", Usage: "records since a `TIME`: 2026-03-01T09:00:00Z, or 2h for the last two hours"},
		&cli.StringFlag{Name: "until", Usage: "records before a `TIME`"},
	}
}

func auditFilter(c *cli.Context) (wire.AuditFilter, error) {
	f := wire.AuditFilter{Session: c.String("session"), Agent: c.String("agent"), Supervisor: c.String("supervisor")}
	now := time.Now()
	var err error
	if f.Since, err = parseTime("since", c.String("since"), now); err != nil {
		return f, err
	}
	f.Until, err = parseTime("until", c.String("until"), now)
	return f, err
}

// parseTime reads what a flag holds: a time, or how long ago it was.
func parseTime(flag, s string, now time.Time) (time.Time, error) {
	if s == "" {
		return time.Time{}, nil
	}
	if d, err := time.ParseDuration(s); err == nil && d >= 0 {
		return now.Add(-d), nil
	}
	t, err := time.Parse(time.RFC3339, s)
	if err != nil {
		return t, usageErrorf("--%s must be a time as in 2026-03-01T09:00:00Z, or a duration as in 2h", flag)
	}
	return t, nil
}

var auditTable = table[wire.AuditRecord]{
	header: []string{"TIME", "EVENT", "SESSION", "SUPERVISOR", "AGENT", "USER", "ROLE", "VIA", "FROM", "CODE", "DETAIL"},
	row: func(r wire.AuditRecord, _ time.Time) []string {
		role := string(cmp.Or(r.To, r.From))
		if r.From != "" && r.To != "" {
			role = string(r.From) + " to " + string(r.To)
		}
		code := ""
		if r.Code != 0 {
			code = strconv.Itoa(r.Code)
		}
		detail := r.Detail
		if r.Late {
			detail = strings.TrimSpace("(recorded late) " + detail)
		}
		return []string{r.Time.Local().Format(time.DateTime), r.Event, r.Session, r.Supervisor, r.Agent, r.User, role, r.Via, r.Origin, code, detail}
	},
	empty: "There are no records.",
}
