package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"

	"github.com/peerproxy/peerproxy/control"
	"github.com/peerproxy/peerproxy/node"
	"github.com/peerproxy/peerproxy/resource"
)

var errNobodyHasIt = errors.New("not to be had")

type getCmd struct {
	nodeFlags
	URL     string `arg:"" help:"What to fetch."`
	Output  string `short:"o" placeholder:"FILE" help:"Write the content to FILE, which is replaced only when all of it has arrived."`
	Include bool   `short:"i" help:"Print status and fields before the content."`
	Verbose bool   `short:"v" help:"Explain on standard error what the cache decided, with the section of the RFC that says so."`
	From    string `enum:"any,cache,peers,origin" default:"any" placeholder:"any|cache|peers|origin" help:"Where it may come from: any (as for a browser, the default), cache, peers or origin."`
}

// Run is called by kong.
func (c *getCmd) Run(a *app) error {
	u, err := resource.ParseURL(c.URL)
	if err != nil {
		return usageError{err}
	}
	client, err := control.Dial(a.ctx, a.common.Data)
	if errors.Is(err, control.ErrNotRunning) {
		return c.withOwnNode(a, u)
	}
	if err != nil {
		return err
	}
	defer client.Close()
	return c.fetch(a, client, u)
}

// withOwnNode starts a node for the time of this command.
func (c *getCmd) withOwnNode(a *app, u resource.URL) (err error) {
	cfg := c.config(a)
	cfg.Proxy, cfg.Logger = "127.0.0.1:0", a.quietLogger()
	n, err := node.New(cfg)
	if err != nil {
		return configError(err)
	}
	ctx, stop := context.WithCancel(a.ctx)
	ended := make(chan error, 1)
	go func() { ended <- n.Run(ctx) }()
	defer func() {
		stop()
		err = errors.Join(err, <-ended)
	}()
	if err := n.Settled(ctx); err != nil {
		return err
	}
	client, err := control.Dial(ctx, a.common.Data)
	if err != nil {
		return err
	}
	defer client.Close()
	return c.fetch(a, client, u)
}

func (c *getCmd) fetch(a *app, client *control.Client, u resource.URL) error {
	resp, err := c.ask(a, client, u)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	if failure := localFailure(resp); failure != "" {
		return getError(u, resp.StatusCode, failure)
	}
	if c.Include {
		printHead(a, resp)
	}
	if c.Output != "" && c.Output != "-" {
		return saveFile(c.Output, resp.Body)
	}
	if _, err := io.Copy(a.out, resp.Body); err != nil {
		return fmt.Errorf("%s: content broke off: %w", u, err)
	}
	return nil
}

// ask sends the request, and explains the answer if that is wanted.
func (c *getCmd) ask(a *app, client *control.Client, u resource.URL) (*http.Response, error) {
	if !c.Verbose {
		return client.Get(a.ctx, u.String(), c.From)
	}
	resp, findings, err := client.GetExplained(a.ctx, u.String(), c.From)
	for _, f := range findings {
		_, _ = fmt.Fprintf(a.err, "* %s\n", f.Topic+": "+reason(f))
	}
	return resp, err
}

// getError tells what can't be had from what must not be asked for.
func getError(u resource.URL, status int, why string) error {
	if status == http.StatusBadGateway || status == http.StatusGatewayTimeout {
		return fmt.Errorf("%s: %w: %s", u, errNobodyHasIt, why)
	}
	return fmt.Errorf("%s: refused: %s", u, why)
}

func printHead(a *app, resp *http.Response) {
	a.printf("HTTP/1.1 %s\n", resp.Status)
	for _, name := range sortedKeys(resp.Header) {
		for _, value := range resp.Header[name] {
			a.printf("%s: %s\n", name, value)
		}
	}
	a.printf("\n")
}
