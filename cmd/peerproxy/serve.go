package main

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/peerproxy/peerproxy/node"
)

// nodeFlags are the flags of commands that run a node.
type nodeFlags struct {
	Listen       string   `placeholder:"ADDR" help:"Where peers connect (TCP). Default: a random port on all addresses, chosen once and kept in the data directory."`
	DHT          string   `name:"dht" placeholder:"ADDR" help:"Where the DHT node listens (UDP). Default: the address and port of --listen."`
	Bootstrap    []string `placeholder:"HOST:PORT" help:"DHT nodes to join the network by, added to the public ones. May be repeated."`
	NoBootstrap  bool     `help:"Leave the public DHT nodes out."`
	Share        string   `enum:"off,group,public" default:"off" placeholder:"off|group|public" help:"Who may have what is provably public of the cache: nobody (off, the default), those with this node's group secret, or everybody."`
	Level        string   `enum:",bucket,site,exact" default:"" placeholder:"bucket|site|exact" help:"What the DHT is told of what you have or look for: a bucket that the site shares with many others (bucket, the default), the site (site, the default in a group), or large files one by one too (exact). In the public swarm whoever names more names the bucket too."`
	BucketBits   int      `placeholder:"BITS" help:"Bits of a bucket, 4 to 20: one site in 2^BITS is in it. Default: 10. Those who differ in it do not meet at buckets."`
	ExactFrom    size     `placeholder:"SIZE" help:"With --level exact: from which size on files are announced one by one. Default: 4MiB."`
	Recheck      string   `enum:"auto,on,off" default:"auto" placeholder:"auto|on|off" help:"While sharing, fetch what came with a cookie a second time without one, to find out whether it is the same for everybody and may be shared: not on metered networks (auto, the default), always (on) or never (off)."`
	Metered      string   `enum:"auto,yes,no" default:"auto" placeholder:"auto|yes|no" help:"Whether the network costs money by the byte: ask NetworkManager (auto, the default), yes or no."`
	Map          string   `enum:"auto,off" default:"auto" placeholder:"auto|off" help:"While sharing, ask the gateway to let peers in by UPnP (auto, the default), or not (off)."`
	Quota        size     `placeholder:"SIZE" help:"Limit of the cache file, like 500MB or 10GiB. Default: what it was the last time, at first 10GiB. With a lower one, what was used least recently is deleted."`
	AllowPrivate bool     `help:"Let the proxy and the peers reach loopback, private and other special addresses."`
	Resolve      []string `placeholder:"HOST:PORT:ADDR:PORT" sep:"none" help:"Connect to ADDR:PORT for HOST:PORT, and count HOST as public. May be repeated."`
	Upstream     string   `placeholder:"URL" help:"Reach origins through another proxy: http://, https:// or socks5://[USER:PASSWORD@]HOST:PORT. It looks their names up. Peers and the DHT are spoken to directly. What comes through it is not shared. A password belongs in the configuration file, or others see it in the list of processes."`
	DoH          string   `name:"doh" placeholder:"URL" help:"Look the names of origins up by DNS over HTTPS at this server (https://HOST/PATH) and nowhere else."`
	UpstreamCA   []string `name:"upstream-ca" sep:"none" placeholder:"FILE" help:"Let the certificate authorities in this PEM file vouch for origins (and for an https:// upstream and the DNS-over-HTTPS server) beside the system's. May be repeated."`
	Targeted     []string `placeholder:"FIELD" help:"Obey this field for a kind of caches before Cache-Control (RFC 9213), such as CDN-Cache-Control. May be repeated, strongest first."`
	Trust        []string `placeholder:"KEY|witnessed|any" help:"Whose copies to take when an origin fails, besides those of the keyring (peerproxy trust): those signed by this node key, those that independent nodes got alike (witnessed), or those of anybody (any), which are shown only after a question. If there is nobody, peers are not asked. May be repeated."`
	Witnesses    int      `placeholder:"N" help:"How many independent nodes, with keys and networks of their own, make a copy witnessed. Default: 3."`
	Private      []string `placeholder:"SITE" help:"Neither share anything of this site nor ask peers for it: a domain with all its hosts, or one host. May be repeated."`
}

func (f nodeFlags) config(a *app) node.Config {
	return node.Config{
		DataDir: a.common.Data, Listen: f.Listen, DHT: f.DHT, Bootstrap: f.Bootstrap, NoPublicBootstrap: f.NoBootstrap,
		Share: node.Share(f.Share), Level: node.Level(f.Level), BucketBits: f.BucketBits, ExactFrom: int64(f.ExactFrom),
		Recheck: node.Recheck(f.Recheck), Metered: node.Metered(f.Metered),
		NoMapping: f.Map == "off", Quota: int64(f.Quota),
		AllowPrivate: f.AllowPrivate, Resolve: f.Resolve, Upstream: f.Upstream, DoH: f.DoH, UpstreamCA: f.UpstreamCA, Targeted: f.Targeted, Trust: f.Trust, Witnesses: f.Witnesses, Sites: a.sites, Private: f.Private,
		Version: version(), Logger: a.logger(),
	}
}

type serveCmd struct {
	nodeFlags
	Proxy     string   `placeholder:"ADDR" default:"127.0.0.1:3128" help:"Where browsers find the proxy (127.0.0.1:3128). Other than loopback needs --proxy-auth."`
	ProxyAuth string   `placeholder:"USER:PASSWORD-FILE" help:"Demand this user and the password in the file's first line of clients."`
	Intercept string   `enum:"auto,off" default:"auto" placeholder:"auto|off" help:"Look into HTTPS, so that it can be kept, if there is a certificate authority (auto, the default; see peerproxy ca), or not (off)."`
	Bypass    []string `placeholder:"HOST" help:"Pass HTTPS of this host through without looking into it: HOST, *.DOMAIN for all below, either with :PORT. May be repeated."`
	ReadyFile string   `placeholder:"FILE" help:"Write the real addresses and the node key to FILE as JSON when all is up."`
}

// Run is called by kong.
func (c *serveCmd) Run(a *app) error {
	cfg := c.config(a)
	cfg.Proxy, cfg.ProxyAuth, cfg.ReadyFile = c.Proxy, c.ProxyAuth, c.ReadyFile
	cfg.Intercept, cfg.Bypass = node.Intercept(c.Intercept), c.Bypass
	n, err := node.New(cfg)
	if err != nil {
		return configError(err)
	}
	addresses := n.Addresses()
	a.printf("peerproxy is up. Set your browser's HTTP proxy to %s (Ctrl-C stops it).\n", addresses.Proxy)
	a.printf("  peers    %s\n  dht      %s\n  sharing  %s\n  trusting %s\n  https    %s\n  key      %s\n",
		addresses.Peer, addresses.DHT, c.Share, trusting(n.Trusting()), https(n.HTTPS()), addresses.Key)
	if err := n.Run(a.ctx); err != nil {
		return fmt.Errorf("serve: %w", err)
	}
	return nil
}

// trusting says whose copies are taken.
func trusting(words []string) string {
	return cmp.Or(strings.Join(words, ", "), "nobody: peers are not asked (see peerproxy trust)")
}

// configError marks what the user has to put right as wrong usage.
func configError(err error) error {
	if node.IsConfigError(err) {
		return usageError{err}
	}
	return err
}
