package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/urfave/cli/v2"

	"livemon/internal/api"
	"livemon/internal/config"
)

// errNoToken says that the service's token could not be found out, most often
// because no service has written one.
var errNoToken = errors.New("there is no API token")

// newClient returns a client of the service that flags and environment name.
func newClient(c *cli.Context) (*api.Client, error) {
	token, err := clientToken(c)
	if err != nil {
		return nil, err
	}
	return api.NewClient(c.String("api"), token), nil
}

// clientToken takes the token from the file named by flag, from LIVEMON_TOKEN,
// from the file that LIVEMON_TOKEN_FILE names, or from where serve writes it.
func clientToken(c *cli.Context) (string, error) {
	if token := os.Getenv("LIVEMON_TOKEN"); token != "" && !c.IsSet("token-file") {
		if err := config.CheckToken(token); err != nil {
			return "", fmt.Errorf("LIVEMON_TOKEN: %w", err)
		}
		return token, nil
	}
	path, err := tokenFile(c, "")
	if err != nil {
		return "", err
	}
	token, err := config.ReadToken(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "", fmt.Errorf("%w: %s does not exist; start 'livemon serve' as this user, or set LIVEMON_TOKEN or --token-file", errNoToken, path)
	case errors.Is(err, fs.ErrPermission):
		return "", fmt.Errorf("%w: %s belongs to another user; run this command as the user that 'livemon serve' runs as, or set LIVEMON_TOKEN", errNoToken, path)
	case err != nil:
		return "", fmt.Errorf("API token: %w", err)
	}
	return token, nil
}

// tokenFile is the file that flag or environment name, else configured, else
// the default.
func tokenFile(c *cli.Context, configured string) (string, error) {
	for _, path := range []string{c.String("token-file"), os.Getenv("LIVEMON_TOKEN_FILE"), configured} {
		if path != "" {
			return path, nil
		}
	}
	return config.TokenPath(os.Geteuid(), os.Getenv)
}
