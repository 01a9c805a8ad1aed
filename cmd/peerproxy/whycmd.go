package main

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/peerproxy/peerproxy/control"
)

type whyCmd struct {
	jsonFlag
	urlArg
}

// Run is called by kong.
func (c *whyCmd) Run(a *app) error {
	return lookInto(a, func(client *control.Client) error {
		s, err := client.WhyShared(a.ctx, c.URL)
		if err != nil {
			return fmt.Errorf("%s: %w", c.URL, err)
		}
		if c.JSON {
			return c.print(a, s)
		}
		printSharing(a, s)
		return nil
	})
}

func printSharing(a *app, s control.Sharing) {
	a.printf("%s\n%s\n", s.URL, offer(s))
	if !s.Running {
		a.printf("No node is running: this is from its file. What its settings say of the site (--resolve, --private, --upstream) is not known.\n")
	}
	if len(s.Variants) == 0 {
		a.printf("\nNothing is stored. This is what the URL alone tells; the rest depends on the request and on the answer.\n")
		printClauses(a.out, s.FromURL)
		return
	}
	for _, v := range s.Variants {
		a.printf("\nreceived %s, proof %s", v.Received.UTC().Format(time.RFC1123), v.Tier)
		for _, name := range sortedKeys(v.Selecting) {
			a.printf(", %s: %s", name, plain(strings.Join(v.Selecting[name], ", ")))
		}
		a.printf("\n%s: %s\n", choose(v.Shareable, "may be shared", "is not shared"), v.Why)
		printClauses(a.out, v.Clauses)
	}
}

// offer says what peers get of it now.
func offer(s control.Sharing) string {
	switch {
	case s.Offered && s.Share == "public":
		return fmt.Sprintf("is on offer to everybody; of %s, the DHT is told at level %s", s.Site, s.Level)
	case s.Offered:
		return fmt.Sprintf("is on offer to the group; of %s, the DHT is told at level %s, in the group's names", s.Site, s.Level)
	case s.Share == "off":
		return "is not on offer: this node shares nothing (--share off)"
	}
	return "is not on offer"
}

var clauseWords = map[string]string{control.ClauseHolds: "ok", control.ClauseFails: "NO", control.ClauseUnknown: "?"}

func printClauses(w io.Writer, clauses []control.Clause) {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, c := range clauses {
		_, _ = fmt.Fprintf(table, "  %s\t%s\t%s\n", clauseWords[c.State], c.Name, c.Why)
	}
	_ = table.Flush()
}
