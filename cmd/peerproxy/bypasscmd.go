package main

import (
	"errors"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/peerproxy/peerproxy/control"
)

// bypassCmd is about the running node: the list that it makes is in its memory.
type bypassCmd struct {
	Ls bypassLsCmd `cmd:"" help:"List the hosts whose HTTPS the running node passes through without looking into it, and why."`
	Rm bypassRmCmd `cmd:"" help:"Take a host off the list that was found to refuse this machine's certificates."`
}

type bypassLsCmd struct{ jsonFlag }

// Run is called by kong.
func (c *bypassLsCmd) Run(a *app) error {
	client, err := control.Dial(a.ctx, a.common.Data)
	if err != nil {
		return err
	}
	defer client.Close()
	list, err := client.Bypassed(a.ctx)
	if err != nil {
		return err
	}
	if c.JSON {
		return c.print(a, list)
	}
	table := tabwriter.NewWriter(a.out, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(table, "HOST\tREASON\tSINCE\tEXPIRES")
	for _, b := range list {
		_, _ = fmt.Fprintf(table, "%s\t%s\t%s\t%s\n", b.Host, b.Reason, clock(b.Since, "-"), clock(b.Expires, "never"))
	}
	return table.Flush()
}

// clock is a time of the day with its date; never for the zero time.
func clock(t time.Time, never string) string {
	if t.IsZero() {
		return never
	}
	return t.Local().Format("2006-01-02 15:04:05")
}

type bypassRmCmd struct {
	Host string `arg:"" optional:"" help:"As listed."`
	All  bool   `env:"-" help:"All hosts that were found to refuse them: after peerproxy ca install, say."`
}

var errNotBypassed = errors.New("not on the list, or set by --bypass")

// Run is called by kong.
func (c *bypassRmCmd) Run(a *app) error {
	if c.All == (c.Host != "") {
		return usageError{errors.New("either a host or --all is wanted")}
	}
	client, err := control.Dial(a.ctx, a.common.Data)
	if err != nil {
		return err
	}
	defer client.Close()
	if c.All {
		return c.removeAll(a, client)
	}
	removed, err := client.Unbypass(a.ctx, c.Host)
	if err == nil && !removed {
		err = fmt.Errorf("%q: %w", c.Host, errNotBypassed)
	}
	return err
}

// removeAll empties the list but for what the user has set, which can't be removed.
func (c *bypassRmCmd) removeAll(a *app, client *control.Client) error {
	list, err := client.Bypassed(a.ctx)
	if err != nil {
		return err
	}
	for _, b := range list {
		if _, err := client.Unbypass(a.ctx, b.Host); err != nil {
			return err
		}
	}
	return nil
}

// https says whether HTTPS is looked into, and how to change that.
func https(h control.HTTPS) string {
	switch {
	case h.On:
		limit := ""
		if len(h.Only) > 0 {
			limit = " for " + strings.Join(h.Only, ", ") + " alone"
		}
		return fmt.Sprintf("looked into%s, until %s; %s not (see peerproxy bypass ls)", limit, h.Until.Local().Format("2006-01-02"), count(h.Bypassed, "host"))
	case h.NoCA:
		return "passed through: " + h.Why + " (peerproxy ca create, then peerproxy ca install)"
	case h.Expired:
		return "passed through: " + h.Why + " (peerproxy ca create --replace, then peerproxy ca install)"
	}
	return "passed through: " + h.Why
}
