package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/urfave/cli/v2"
	"golang.org/x/sync/errgroup"

	"livemon/internal/api"
	"livemon/internal/config"
	"livemon/internal/demo"
	"livemon/internal/seal"
	"livemon/internal/wire"
)

const (
	demoAccount = "demo"
	demoStart   = 30 * time.Second // for the service to follow its switch
	demoLook    = 50 * time.Millisecond
)

// demoPage serves the page over a simulated switch whose calls come and go, until
// it is interrupted.
func demoPage(c *cli.Context, log *slog.Logger) (err error) {
	cfg := config.Default()
	cfg.Redis, cfg.Outbound, cfg.Listen = config.Embedded, "", c.String("listen")
	shop, err := demo.OpenShop(c.Context, log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, shop.Close()) }()
	cfg.FreeSWITCH = []config.Node{{Name: "demo", Addr: shop.Addr()}}
	if err := cfg.Validate(); err != nil {
		return err
	}
	token := rand.Text()
	g, ctx := errgroup.WithContext(c.Context)
	g.Go(func() error { return shop.Run(ctx) })
	g.Go(func() error { return serve(ctx, cfg, token, seal.Random(), log) })
	g.Go(func() error {
		client := api.NewClient("http://"+cfg.Listen, token)
		defer client.Close()
		password, err := furnish(ctx, client, shop.Agents())
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(c.App.Writer, `The page:  %s/
name       %s
password   %s

The switch is simulated, calls come and go. Choose an agent on a call, Live Monitoring, and
1008 or 1009 as your telephone: they answer by themselves. Ctrl-C ends it; nothing is kept.
`, client.Base(), demoAccount, password)
		return err
	})
	err = g.Wait()
	if c.Context.Err() != nil && errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

// furnish makes an account that may do everything with the agents, registers
// telephones, and returns the account's password.
func furnish(ctx context.Context, client *api.Client, agents []string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, demoStart)
	defer cancel()
	tick := time.NewTicker(demoLook)
	defer tick.Stop()
	for {
		nodes, err := client.Nodes(ctx)
		if err == nil && len(nodes) == 1 && nodes[0].Connected {
			break
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return "", fmt.Errorf("the service does not start: %w", errors.Join(err, context.Cause(ctx)))
		}
	}
	password, admin, numbers := strings.ToLower(rand.Text()[:12]), true, true
	rights, rank := wire.Actions(), 50
	_, err := client.AddAccount(ctx, demoAccount, wire.AccountChange{
		Password: &password, Admin: &admin, Numbers: &numbers, Rights: &rights, Agents: &agents, Rank: &rank,
	}, false)
	for _, number := range []string{"1008", "1009"} {
		if err == nil {
			_, err = client.AddExtension(ctx, wire.Extension{Number: number, Name: "Telephone " + number})
		}
	}
	return password, err
}
