// Command livemon lets supervisors listen to, coach and take over the calls of
// agents on FreeSWITCH. 'livemon serve' is the service; the other commands talk
// to it over its HTTP API.
//
// The exit status is 0, an error code minus 9000 (9013 becomes 13), 2 for wrong
// usage, and 1 for anything else. With --json, what a command prints on standard
// output is JSON, also when it fails: then it is {"code":…,"message":…}, with
// livemon's code, or the HTTP status, or the exit status, whichever there is
// first. For people a sentence goes to standard error in either case.
package main

import (
	"context"
	"io"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second Ctrl-C ends the process at once
	os.Exit(run(ctx, os.Args, os.Stdin, os.Stdout, os.Stderr))
}

// run is the whole program: it returns the exit status.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	app := newApp(stdin, stdout, stderr)
	ordered, err := reorder(app, args)
	if err == nil {
		err = app.RunContext(ctx, ordered)
	}
	return report(err, wantsJSON(args), stdout, stderr)
}
