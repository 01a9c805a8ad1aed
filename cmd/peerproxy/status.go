package main

import (
	"cmp"
	"fmt"
	"text/tabwriter"

	"github.com/peerproxy/peerproxy/control"
)

type statusCmd struct{ jsonFlag }

// Run is called by kong.
func (c *statusCmd) Run(a *app) error {
	client, err := control.Dial(a.ctx, a.common.Data)
	if err != nil {
		return err
	}
	defer client.Close()
	s, err := client.Status(a.ctx)
	if err != nil {
		return err
	}
	if c.JSON {
		return c.print(a, s)
	}
	table := tabwriter.NewWriter(a.out, 0, 0, 2, ' ', 0)
	row := func(name, format string, args ...any) {
		_, _ = fmt.Fprintf(table, "%s\t%s\n", name, fmt.Sprintf(format, args...))
	}
	row("proxy", "%s", s.Proxy)
	row("peers", "%s, from outside %s, %d connected", s.Peer, cmp.Or(s.External, "not known"), s.Peers)
	row("gateway", "%s", s.Mapping)
	row("dht", "%s, %d nodes known%s", s.DHT, s.DHTNodes, choose(s.DHTReady, "", ", still joining"))
	row("sharing", "%s: %s on offer, %s announced%s", s.Share, count(s.Shared, "resource"), count(s.Announced, "site"), choose(s.Share == "off", "", " (level "+s.Level+")"))
	row("trusting", "%s", trusting(s.Trusting))
	row("https", "%s", https(s.HTTPS))
	row("cache", "%s, %s of %s", count(int(s.Cache.Responses), "response"), size(s.Cache.FileBytes), size(s.Cache.QuotaBytes))
	row("key", "%s", s.Key)
	row("version", "%s, up since %s", s.Version, s.Started.Format("2006-01-02 15:04"))
	return table.Flush()
}
