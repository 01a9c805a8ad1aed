package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/alecthomas/kong"

	"github.com/peerproxy/peerproxy/node"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// app is what every command gets.
type app struct {
	ctx    context.Context // of this one run of the program; commands have no other way to get it
	out    io.Writer
	err    io.Writer
	common common
	sites  []node.SitePolicy // of the configuration files
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) (code int) {
	var c cli
	var sites siteSections
	parser, err := kong.New(&c, options(stdout, stderr, exitNow, &sites)...)
	if err != nil {
		_, _ = fmt.Fprintln(stderr, "peerproxy:", err)
		return exitFailure
	}
	// kong asks to exit in the middle of parsing for --help and --version.
	defer func() {
		switch r := recover().(type) {
		case nil:
		case exitRequest:
			code = int(r)
		default:
			panic(r)
		}
	}()
	command, err := parser.Parse(args)
	if err == nil {
		err = command.Run(&app{ctx: ctx, out: stdout, err: stderr, common: c.common, sites: sites.list()})
	} else {
		err = usageError{fmt.Errorf("%w; see peerproxy --help", err)}
	}
	if err != nil {
		_, _ = fmt.Fprintln(stderr, "peerproxy:", err)
	}
	return exitCode(err)
}

type exitRequest int

func exitNow(code int) { panic(exitRequest(code)) }
