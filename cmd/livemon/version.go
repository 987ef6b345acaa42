package main

import (
	"runtime"
	"runtime/debug"

	"github.com/urfave/cli/v2"
)

// release is set when a release is built, with -ldflags "-X main.release=1.2.3".
var release string

func version() string {
	if release != "" {
		return release
	}
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "(devel)"
}

func versionCommand() *cli.Command {
	return &cli.Command{
		Name:  "version",
		Usage: "print the version of this program",
		Flags: []cli.Flag{jsonFlag()},
		Action: func(c *cli.Context) error {
			if _, err := positional(c); err != nil {
				return err
			}
			platform := runtime.GOOS + "/" + runtime.GOARCH
			return printOne(c,
				map[string]string{"version": version(), "go": runtime.Version(), "platform": platform},
				"livemon "+version()+" ("+runtime.Version()+", "+platform+")")
		},
	}
}
