package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/peerproxy/peerproxy/cache"
	"github.com/peerproxy/peerproxy/control"
	"github.com/peerproxy/peerproxy/node"
	"github.com/peerproxy/peerproxy/resource"
)

type cacheCmd struct {
	Ls     lsCmd     `cmd:"" help:"List what is stored."`
	Show   showCmd   `cmd:"" help:"Show everything about the responses stored for a URL."`
	Cat    catCmd    `cmd:"" help:"Print the content stored for a URL."`
	Rm     rmCmd     `cmd:"" help:"Remove what is stored for a URL."`
	Stats  statsCmd  `cmd:"" help:"Count what is stored."`
	Verify verifyCmd `cmd:"" help:"Check all stored content against its hashes. Changes nothing."`
}

// jsonFlag belongs to every command that prints results.
type jsonFlag struct {
	JSON bool `name:"json" help:"Print JSON."`
}

func (f jsonFlag) print(a *app, v any) error {
	return json.NewEncoder(a.out).Encode(v)
}

// lookInto calls use with a client of the running node, or else of the stopped node's
// file, which does not change.
func lookInto(a *app, use func(*control.Client) error) error {
	return withCache(a, cache.Config{Inspect: true}, use)
}

// withCache is lookInto for a client that may also change what a stopped node's file
// holds, if the configuration of the store lets it.
func withCache(a *app, cfg cache.Config, use func(*control.Client) error) error {
	client, err := control.Dial(a.ctx, a.common.Data)
	if err == nil {
		defer client.Close()
		return use(client)
	}
	if !errors.Is(err, control.ErrNotRunning) {
		return err
	}
	path := node.CacheFile(a.common.Data)
	if _, err := os.Stat(path); err != nil {
		return fmt.Errorf("no cache to look into: %w", err)
	}
	store, err := cache.Open(path, cfg)
	if err != nil {
		return err
	}
	client, stop := control.Local(control.Config{Store: store, WhyShared: node.WhyShared(store), Logger: a.logger()})
	err = use(client)
	stop()
	return errors.Join(err, store.Close())
}

type lsCmd struct{ jsonFlag }

// Run is called by kong.
func (c *lsCmd) Run(a *app) error {
	return lookInto(a, func(client *control.Client) error {
		table := tabwriter.NewWriter(a.out, 0, 0, 2, ' ', 0)
		if !c.JSON {
			_, _ = fmt.Fprintln(table, "STATUS\tSIZE\tAGE\tSTATE\tPROOF\tPUBLIC\tTYPE\tURL")
		}
		for r, err := range client.List(a.ctx) {
			if err != nil {
				return err
			}
			if c.JSON {
				if err := c.print(a, r); err != nil {
					return err
				}
				continue
			}
			_, _ = fmt.Fprintf(table, "%d\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", r.Status, size(r.Length), age(r.Age),
				choose(r.Fresh, "fresh", "stale"), r.Tier, choose(r.Shareable, "yes", "no"), mediaType(r.Type), r.URL)
		}
		return table.Flush()
	})
}

type urlArg struct {
	URL string `arg:"" help:"The resource's URL."`
}

// Validate is called by kong.
func (u urlArg) Validate() error {
	if u.URL == "" {
		return nil // kong says that it is missing
	}
	_, err := resource.ParseURL(u.URL)
	return err
}

type showCmd struct {
	jsonFlag
	urlArg
}

// Run is called by kong.
func (c *showCmd) Run(a *app) error {
	return lookInto(a, func(client *control.Client) error {
		found, err := client.Show(a.ctx, c.URL)
		if err != nil {
			return fmt.Errorf("%s: %w", c.URL, err)
		}
		for i, r := range found {
			if c.JSON {
				if err := c.print(a, r); err != nil {
					return err
				}
				continue
			}
			if i > 0 {
				a.printf("\n")
			}
			printResponse(a, r)
		}
		return nil
	})
}

func printResponse(a *app, r control.Response) {
	table := tabwriter.NewWriter(a.out, 0, 0, 2, ' ', 0)
	row := func(name, format string, args ...any) {
		_, _ = fmt.Fprintf(table, "%s\t%s\n", name, fmt.Sprintf(format, args...))
	}
	row("URL", "%s", r.URL)
	row("status", "%d", r.Status)
	row("state", "%s", state(r))
	row("age", "%s (left the origin on %s)", age(r.Age), r.Received.UTC().Format(time.RFC1123))
	row("stored", "%s", r.Stored.UTC().Format(time.RFC1123))
	row("proof", "%s", r.Tier)
	if r.Signer != "" {
		row("signer", "%s", r.Signer)
	}
	row("public", "%s", choose(r.Shareable, "yes: may be given to peers", "no: stays on this machine"))
	row("length", "%s", count(int(r.Length), "byte"))
	row("blake3", "%s", r.Root)
	row("sha-256", "%s", r.SHA256)
	for _, name := range sortedKeys(r.Selecting) {
		row("selected by", "%s: %s", name, strings.Join(r.Selecting[name], ", "))
	}
	for _, name := range sortedKeys(r.Header) {
		for _, value := range r.Header[name] {
			row("field", "%s: %s", name, value)
		}
	}
	for _, s := range r.Signed {
		row("signature", "%s", s)
	}
	row("", "")
	for _, f := range r.Explained {
		row("why: "+f.Topic, "%s", reason(f))
	}
	_ = table.Flush()
}

type catCmd struct{ urlArg }

// Run is called by kong.
func (c *catCmd) Run(a *app) error {
	return lookInto(a, func(client *control.Client) error {
		if err := client.Cat(a.ctx, c.URL, a.out); err != nil {
			return fmt.Errorf("%s: %w", c.URL, err)
		}
		return nil
	})
}

type rmCmd struct {
	jsonFlag
	urlArg
}

// Run is called by kong.
func (c *rmCmd) Run(a *app) error {
	return withCache(a, cache.Config{}, func(client *control.Client) error {
		n, err := client.Remove(a.ctx, c.URL)
		if err != nil {
			return fmt.Errorf("%s: %w", c.URL, err)
		}
		if c.JSON {
			return c.print(a, control.Removed{Responses: n})
		}
		a.printf("removed %s\n", count(n, "stored response"))
		return nil
	})
}

type statsCmd struct{ jsonFlag }

// Run is called by kong.
func (c *statsCmd) Run(a *app) error {
	return lookInto(a, func(client *control.Client) error {
		s, err := client.Stats(a.ctx)
		if err != nil {
			return err
		}
		if c.JSON {
			return c.print(a, s)
		}
		printStats(a, s)
		return nil
	})
}

func printStats(a *app, s control.CacheStats) {
	a.printf("responses  %d\ncontent    %s, equal content once\nfile       %s, of which %s in use\n", s.Responses, size(s.BodyBytes), size(s.FileBytes), size(s.UsedBytes))
	a.printf("quota      %s\n", size(s.QuotaBytes))
	if s.Damage != "" {
		a.printf("damage     %s: nothing is stored any more\n", s.Damage)
	}
}

type verifyCmd struct{ jsonFlag }

// Run is called by kong.
func (c *verifyCmd) Run(a *app) error {
	return lookInto(a, func(client *control.Client) error {
		report, err := client.Verify(a.ctx, func(problem string) {
			if c.JSON {
				_ = c.print(a, control.VerifyLine{Problem: problem})
			} else {
				a.printf("damaged: %s\n", problem)
			}
		})
		if err != nil {
			return err
		}
		if c.JSON {
			err = c.print(a, control.VerifyLine{Report: &report})
		} else {
			a.printf("%d responses, %s of content read: %d problems\n", report.Responses, size(report.Bytes), report.Problems)
		}
		if report.Problems > 0 {
			return errors.Join(err, errDamage)
		}
		return err
	})
}
