package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/urfave/cli/v2"

	"livemon/internal/api"
	"livemon/internal/fault"
	"livemon/internal/wire"
)

// giveUp bounds what is still done after an interruption.
const giveUp = 15 * time.Second

func monitorCommand() *cli.Command {
	return &cli.Command{
		Name:      "monitor",
		Usage:     "ring a telephone and let it listen to an agent's call",
		ArgsUsage: "AGENT --phone NUMBER",
		Description: `Says on standard error how far it has come, and returns when the supervisor
listens; then the session's id is on standard output. Interrupted before that,
it stops the session.

With --follow next or agent the agent need not be on a call: the telephone is
rung, and the supervisor waits on the line for the agent's next one.`,
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "phone", Aliases: []string{"p"}, Usage: "the `NUMBER` of the supervisor's telephone"},
			&cli.BoolFlag{Name: "coaching", Usage: "let the supervisor coach, barge in and take over"},
			followFlag(),
			&cli.StringFlag{Name: "supervisor", Usage: "the supervisor's `NAME`, for the records (default: the number)"},
			&cli.StringFlag{Name: "node", Usage: "the agent's `SWITCH`, where several have an agent of this name"},
			jsonFlag(),
		},
		BashComplete: complete(agentNames),
		Action: func(c *cli.Context) error {
			args, err := positional(c, "AGENT")
			if err != nil {
				return err
			}
			if c.String("phone") == "" {
				return usageErrorf("%s: --phone NUMBER is missing", commandName(c))
			}
			follow, err := followOf(c)
			if err != nil {
				return err
			}
			client, err := newClient(c)
			if err != nil {
				return err
			}
			defer client.Close()
			s, err := startAndFollow(c, client, wire.MonitorRequest{
				Agent: args[0], Phone: c.String("phone"), Coaching: c.Bool("coaching"),
				Supervisor: c.String("supervisor"), Node: c.String("node"), Follow: follow,
			})
			if err != nil {
				return err
			}
			return printOne(c, s, s.ID)
		},
	}
}

// startAndFollow returns the session once its supervisor listens. Whatever else
// happens, no telephone is left ringing.
func startAndFollow(c *cli.Context, client *api.Client, r wire.MonitorRequest) (wire.Session, error) {
	// The request is not cut off half-way: it would be unknown whether it was accepted.
	start, cancel := context.WithTimeout(context.WithoutCancel(c.Context), 4*giveUp)
	defer cancel()
	s, err := client.StartSession(start, r)
	if err != nil {
		return s, err
	}
	for shown := wire.Status(""); ; {
		if s.Status != shown {
			progress(c, s)
			shown = s.Status
		}
		switch s.Status {
		case wire.Listening:
			return s, nil
		case wire.Ended:
			return s, endedError(s)
		}
		next, err := client.AwaitSession(c.Context, s.ID, s.Status, s.Role)
		if err == nil && c.Context.Err() == nil {
			s = next
			continue
		}
		err = errors.Join(err, c.Context.Err())
		return s, errors.Join(err, abandon(c, client, s.ID))
	}
}

func abandon(c *cli.Context, client *api.Client, id string) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(c.Context), giveUp)
	defer cancel()
	if _, err := client.StopSession(ctx, id); err != nil {
		return fmt.Errorf("session %s could not be stopped: %w", id, err)
	}
	_, _ = fmt.Fprintf(c.App.ErrWriter, "%s: stopped\n", clean(id))
	return nil
}

func progress(c *cli.Context, s wire.Session) {
	text := string(s.Status)
	switch s.Status {
	case wire.Requested:
		text = "requested for " + s.Agent
	case wire.Ringing:
		text = "ringing " + s.Phone
	case wire.Waiting:
		text = "waiting for the agent's next call"
	case wire.Listening:
		text = "listening to " + s.Agent
	}
	_, _ = fmt.Fprintf(c.App.ErrWriter, "%s: %s\n", clean(s.ID), clean(text))
}

func endedError(s wire.Session) error {
	if code := fault.Code(s.Code); code.Known() {
		return fault.New(code, "", s.Reason)
	}
	return fmt.Errorf("the session ended before the supervisor listened: %s", s.Reason)
}
