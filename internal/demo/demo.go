package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
)

// ErrDiffers means that what the last node showed was not what the origin had.
var ErrDiffers = errors.New("a file came back different, or not at all")

// Config says how the demonstration is run.
type Config struct {
	Out       io.Writer
	Keep      bool         // leave the nodes up until the context ends
	LargeFile int64        // bytes of the one large file
	Logger    *slog.Logger // of the nodes; nil discards
}

// Run is the demonstration. It returns [ErrDiffers] if one byte was wrong.
func Run(ctx context.Context, cfg Config) (err error) {
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	d := &demo{Config: cfg}
	want, err := contents(ctx, cfg.LargeFile)
	if err != nil {
		return err
	}
	site, err := startOrigin(cfg.LargeFile)
	if err != nil {
		return err
	}
	stopped := false
	defer func() {
		if !stopped {
			err = errors.Join(err, site.stop())
		}
	}()
	d.say("The origin of %s is up: %d files.", siteURL, len(want))

	net, err := startNetwork(ctx, site.resolve(), cfg.Logger)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, net.close()) }()
	d.say("Five nodes are up, each with its own cache file, DHT socket and listener:")
	for i, n := range net.nodes {
		a := n.Addresses()
		d.say("  %s  proxy %s  peers %s  dht %s", names[i], a.Proxy, a.Peer, a.DHT)
	}

	first, last := net.nodes[0], net.nodes[len(net.nodes)-1]
	before, err := d.browse(ctx, "A", first.Addresses().Proxy)
	if err != nil {
		return err
	}
	if err := announced(ctx, first, len(want)); err != nil {
		return err
	}
	d.say("A has stored it all and announced the site in the DHT.")
	stopped = true
	if err := site.stop(); err != nil {
		return fmt.Errorf("stop the origin: %w", err)
	}
	d.say("The origin is stopped. Nobody serves %s any more.", siteURL)
	after, err := d.browse(ctx, "E", last.Addresses().Proxy)
	if err != nil {
		return errors.Join(ErrDiffers, err)
	}
	if err := d.report(want, before, after); err != nil {
		return err
	}
	if cfg.Keep {
		d.keep(ctx, last.Addresses().Proxy)
	}
	return nil
}

type demo struct{ Config }

func (d *demo) say(format string, args ...any) {
	_, _ = fmt.Fprintf(d.Out, format+"\n", args...)
}

func (d *demo) browse(ctx context.Context, name, proxy string) (map[string]visit, error) {
	began := time.Now()
	visits, err := newBrowser(proxy).browse(ctx, siteURL)
	if err != nil {
		return nil, err
	}
	byURL, bytes := map[string]visit{}, int64(0)
	for _, v := range visits {
		if _, twice := byURL[v.URL]; !twice {
			byURL[v.URL] = v
			bytes += v.Length
		}
	}
	d.say("%s has browsed the whole site through its proxy: %d files, %.1f MB in %s.", name, len(byURL), float64(bytes)/1e6, round(time.Since(began)))
	return byURL, nil
}

// report prints what came from where in what time, and tells whether all of it is right.
func (d *demo) report(want map[string][32]byte, before, after map[string]visit) error {
	table := tabwriter.NewWriter(d.Out, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(table, "\nFILE\tBYTES\tA: FROM\tTIME\tE: FROM\tTIME\tSAME")
	urls := make([]string, 0, len(want))
	for u := range want {
		urls = append(urls, u)
	}
	slices.Sort(urls)
	wrong := 0
	for _, u := range urls {
		a, e := before[u], after[u]
		same := "yes"
		if e.Status != http.StatusOK || e.SHA256 != want[u] || a.SHA256 != want[u] {
			same = "NO"
			wrong++
		}
		_, _ = fmt.Fprintf(table, "%s\t%d\t%s\t%s\t%s\t%s\t%s\n", "/"+strings.TrimPrefix(u, siteURL), e.Length, from(a), round(a.Took), from(e), round(e.Took), same)
	}
	if err := table.Flush(); err != nil {
		return fmt.Errorf("print the table: %w", err)
	}
	if wrong > 0 {
		return fmt.Errorf("%w: %d of %d", ErrDiffers, wrong, len(want))
	}
	d.say("\nAll %d files are the same byte for byte, and none came from the origin.", len(want))
	return nil
}

// keep leaves all as it is for the user to look at.
func (d *demo) keep(ctx context.Context, proxy string) {
	d.say("\nThe nodes stay up. Look at the site that has no server, for example with\n  curl -i -x http://%s %s\nor set your browser's HTTP proxy to %s and open %s. Ctrl-C ends it.", proxy, siteURL, proxy, siteURL)
	<-ctx.Done()
}

func round(d time.Duration) time.Duration {
	if d < 10*time.Millisecond {
		return d.Round(10 * time.Microsecond)
	}
	return d.Round(time.Millisecond)
}
