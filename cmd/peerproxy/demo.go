package main

import (
	"errors"

	"github.com/peerproxy/peerproxy/internal/demo"
)

type demoCmd struct {
	Keep bool `help:"Leave the nodes up afterwards, until Ctrl-C."`
	Size size `placeholder:"SIZE" default:"24MiB" help:"Length of the one large file of the site (24MiB)."`
}

// Run is called by kong.
func (c *demoCmd) Run(a *app) error {
	if c.Size < 1 {
		return usageError{errors.New("--size must be at least one byte")}
	}
	return demo.Run(a.ctx, demo.Config{Out: a.out, Keep: c.Keep, LargeFile: int64(c.Size), Logger: a.quietLogger()})
}
