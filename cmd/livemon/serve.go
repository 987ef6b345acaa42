package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"time"

	"github.com/urfave/cli/v2"
	"golang.org/x/sync/errgroup"

	"livemon/internal/access"
	"livemon/internal/accounts"
	"livemon/internal/api"
	"livemon/internal/config"
	"livemon/internal/monitor"
	"livemon/internal/seal"
	"livemon/state"
)

func serveCommand() *cli.Command {
	return &cli.Command{
		Name:  "serve",
		Usage: "run the service",
		Description: `A flag counts more than its environment variable, that more than the file, and
that more than the default. Where the environment holds several values,
commas separate them in LIVEMON_FREESWITCH, LIVEMON_TRUSTED_PRESENCE and
LIVEMON_TRUSTED_PROXIES, line breaks in LIVEMON_DIAL and LIVEMON_NEVER_...

The page and the API listen on one address; the page is for accounts, which
'livemon supervisors add' makes.

The API's token is LIVEMON_TOKEN, or is written to a file that only this user
can read. The secret file is made if there is none. Several controllers on one
Redis need the same secret file.`,
		Flags: serveFlags(),
		Action: func(c *cli.Context) error {
			if _, err := positional(c); err != nil {
				return err
			}
			cfg, err := loadConfig(c)
			if err != nil {
				return err
			}
			if c.Bool("check-config") {
				text, err := cfg.YAML()
				if err != nil {
					return err
				}
				_, err = c.App.Writer.Write(text)
				return err
			}
			log := newLogger(cfg, c.App.ErrWriter)
			token, err := serveToken(c, cfg, log)
			if err != nil {
				return err
			}
			secret, err := serveSecret(&cfg, log)
			if err != nil {
				return err
			}
			return serve(c.Context, cfg, token, secret, log)
		},
	}
}

func newLogger(cfg config.Config, w io.Writer) *slog.Logger {
	level, err := cfg.Level()
	if err != nil {
		level = slog.LevelInfo
	}
	o := &slog.HandlerOptions{Level: level}
	if cfg.LogJSON {
		return slog.New(slog.NewJSONHandler(w, o))
	}
	return slog.New(slog.NewTextHandler(w, o))
}

// serveToken is LIVEMON_TOKEN, or that of the file, which is made if need be.
func serveToken(c *cli.Context, cfg config.Config, log *slog.Logger) (string, error) {
	if token := os.Getenv("LIVEMON_TOKEN"); token != "" && !c.IsSet("token-file") {
		if err := config.CheckToken(token); err != nil {
			return "", usageErrorf("LIVEMON_TOKEN: %v", err)
		}
		return token, nil
	}
	path, err := tokenFile(c, cfg.TokenFile)
	if err != nil {
		return "", err
	}
	token, err := config.EnsureToken(path)
	if err == nil {
		log.Info("the API token is in a file", "file", path)
	}
	return token, err
}

// serveSecret is what the secret file holds. cfg gets the file's name.
func serveSecret(cfg *config.Config, log *slog.Logger) (seal.Key, error) {
	if cfg.SecretFile == "" {
		path, err := config.SecretPath(os.Geteuid(), os.Getenv)
		if err != nil {
			return seal.Key{}, err
		}
		cfg.SecretFile = path
	}
	key, made, err := seal.Load(cfg.SecretFile)
	if made {
		log.Info("secret file created", "file", cfg.SecretFile)
	}
	return key, err
}

func monitorConfig(cfg config.Config, log *slog.Logger) (monitor.Config, error) {
	dial, err := config.CompileDial(cfg.Dial)
	if err != nil {
		return monitor.Config{}, err
	}
	presence, err := cfg.Presence()
	if err != nil {
		return monitor.Config{}, err
	}
	m := monitor.Config{
		TrustedPresence: presence, Dial: dial, Outbound: cfg.Outbound, Settings: cfg.Settings(), NeverMonitor: cfg.NeverMonitor,
		TrustCallerID: cfg.TrustCallerID, DialInCoaching: cfg.DialInCoaching, DialInPIN: cfg.DialInPIN, DialInAnywhere: cfg.DialInAnywhere,
		FollowTransfers: cfg.OnTransfer == config.TransferFollow, InBandKeys: cfg.InBandKeys, RingTimeout: cfg.RingTimeout, Logger: log,
	}
	for _, n := range cfg.FreeSWITCH {
		m.Nodes = append(m.Nodes, monitor.NodeConfig{Name: n.Name, Addr: n.Addr, Password: n.Password})
	}
	return m, nil
}

// serve runs until ctx ends. The API is shut down first, so that requests under
// way still find the service.
func serve(ctx context.Context, cfg config.Config, token string, secret seal.Key, log *slog.Logger) (err error) {
	mc, err := monitorConfig(cfg, log)
	if err != nil {
		return err
	}
	store, err := state.Open(ctx, cfg.Redis, state.Options{Logger: log})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	if store.Embedded() {
		log.Warn("the state store is embedded: sessions, extensions and audit records end with this process")
	}
	people, err := accounts.New(store, accounts.Options{
		Access: access.Config{Never: access.Never{Agents: cfg.NeverMonitor, Numbers: cfg.NeverNumbers, Marks: cfg.NeverMarks}, OperatorListens: cfg.OperatorListens}, Logger: log,
	})
	if err != nil {
		return err
	}
	mc.Policy, mc.Secret, mc.SecretFile = people, secret, cfg.SecretFile
	mon, err := monitor.New(mc, store)
	if err != nil {
		return err
	}
	if err := mon.CheckSecret(ctx); err != nil {
		return err
	}
	var secure *tls.Config
	if cfg.TLSCert != "" {
		if secure, err = api.TLSConfig(cfg.TLSCert, cfg.TLSKey, log); err != nil {
			return err
		}
	}
	ln, err := new(net.ListenConfig).Listen(ctx, "tcp", cfg.Listen)
	if err != nil {
		return fmt.Errorf("page and API cannot listen: %w", err)
	}
	apiCtx, stopAPI := context.WithCancel(ctx)
	monCtx, stopMonitor := context.WithCancel(context.WithoutCancel(ctx))
	defer stopAPI()
	defer stopMonitor()
	handler, err := web(mon, people, cfg, api.ServerOptions{Token: token, Version: version(), Stopping: apiCtx.Done()}, log)
	if err != nil {
		return errors.Join(err, ln.Close())
	}
	sayWhere(log, ln.Addr(), cfg)

	var g errgroup.Group
	g.Go(func() error {
		defer stopMonitor()
		return api.Serve(apiCtx, ln, secure, handler, log)
	})
	g.Go(func() error {
		defer stopAPI()
		if err := mon.Run(monCtx); monCtx.Err() == nil || !errors.Is(err, context.Canceled) {
			return err
		}
		return nil
	})
	g.Go(func() error { return people.Run(monCtx) })
	g.Go(func() error {
		_ = store.KeepAudit(apiCtx, time.Duration(cfg.AuditKeep)) // it ends with apiCtx only
		return nil
	})
	err = g.Wait()
	log.Info("livemon has stopped")
	return err
}
