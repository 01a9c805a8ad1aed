package proxy

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"time"
)

// ErrBadDoH says that a text is not the URL of a DNS-over-HTTPS server.
var ErrBadDoH = errors.New("proxy: bad DNS-over-HTTPS server, want https://HOST/PATH")

// errDoH says that the DNS-over-HTTPS server did not do its work.
var errDoH = errors.New("proxy: DNS over HTTPS failed")

// How long answers are believed.
const (
	maxTTL         = time.Hour
	maxNegativeTTL = time.Minute
	partialTTL     = 30 * time.Second // of an answer whose other half is missing
)

const (
	defaultDoHTimeout = 5 * time.Second
	// resolutionDelay is how long addresses of one family wait for those of the other:
	// longer than RFC 8305 section 3 has it, since the answer is kept for later connections.
	resolutionDelay = 250 * time.Millisecond
	maxNames        = 1024 // kept, and looked up at a time
)

// DoHConfig says where a [DoH] asks. URL is needed, the zero value of all else is usable.
type DoHConfig struct {
	URL string // https://HOST/PATH; the variable {?dns} at its end is ignored
	// Timeout is for one name; 0 = 5 s.
	Timeout time.Duration
	// RootCAs vouch for the server; nil = those of the system.
	RootCAs *x509.CertPool
	// Resolver finds the server's own address; nil = that of the system.
	Resolver *net.Resolver
	Now      func() time.Time // nil = time.Now
}

// DoH resolves names by DNS over HTTPS (RFC 8484), so that neither the network nor its
// name servers learn or change what is asked. There is no way back to plain DNS: when
// the server fails, names are not found. Names that mean something only in the own network
// are not asked for. Its methods may be called by many goroutines. Close ends it.
type DoH struct {
	cfg       DoHConfig
	transport *http.Transport

	mu      sync.Mutex
	closed  bool
	known   map[string]dohEntry
	running map[string]*dohLookup
	wg      sync.WaitGroup
}

// dohEntry is an answer that may still be believed.
type dohEntry struct {
	dnsAnswer
	until time.Time
}

// dohLookup is a question under way, for all that wait for it.
type dohLookup struct {
	cancel  context.CancelFunc
	waiters int
	done    chan struct{} // closed when the rest is set
	answer  dnsAnswer
	err     error
}

// NewDoH makes a resolver. The error is [ErrBadDoH] with the reason. It connects to
// nobody yet.
func NewDoH(cfg DoHConfig) (*DoH, error) {
	cfg.URL = strings.TrimSuffix(cfg.URL, "{?dns}")
	u, err := url.Parse(cfg.URL)
	if err != nil || u.Scheme != "https" || u.Hostname() == "" || u.User != nil || u.Fragment != "" {
		return nil, ErrBadDoH // the URL may identify the user: it is not repeated
	}
	if cfg.Timeout == 0 {
		cfg.Timeout = defaultDoHTimeout
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	return &DoH{cfg: cfg, transport: newDoHTransport(cfg), known: map[string]dohEntry{}, running: map[string]*dohLookup{}}, nil
}

// LookupNetIP returns the addresses of a host, those of IPv6 and of IPv4, or an error:
// a *net.DNSError if there are none, else one that says what failed. The addresses are as the
// server gave them; special ones are for the caller to refuse. localhost has the
// addresses of RFC 6761 section 6.3.
func (d *DoH) LookupNetIP(ctx context.Context, host string) ([]netip.Addr, error) {
	name, err := wireHost(host)
	if err != nil {
		return nil, err
	}
	if ip, err := netip.ParseAddr(name); err == nil {
		return []netip.Addr{ip}, nil
	}
	if name == "localhost" || strings.HasSuffix(name, ".localhost") {
		return []netip.Addr{netip.IPv6Loopback(), netip.AddrFrom4([4]byte{127, 0, 0, 1})}, nil
	}
	if !publicHost(name) {
		return nil, &net.DNSError{Err: "not a name of the public DNS", Name: name, IsNotFound: true}
	}
	a, err := d.answer(ctx, name)
	if err != nil {
		return nil, err
	}
	if len(a.addrs) == 0 {
		return nil, &net.DNSError{Err: "no such host", Name: name, IsNotFound: true}
	}
	return a.addrs, nil
}

// answer takes what is known, or waits for a look-up, one for all that want it.
func (d *DoH) answer(ctx context.Context, name string) (dnsAnswer, error) {
	d.mu.Lock()
	if e, known := d.known[name]; known && d.cfg.Now().Before(e.until) {
		d.mu.Unlock()
		return e.dnsAnswer, nil
	}
	l, err := d.joinLocked(ctx, name)
	d.mu.Unlock()
	if err != nil {
		return dnsAnswer{}, err
	}
	select {
	case <-l.done:
		return l.answer, l.err
	case <-ctx.Done():
		d.leave(name, l)
		return dnsAnswer{}, fmt.Errorf("proxy: DNS over HTTPS: %w", context.Cause(ctx))
	}
}

// joinLocked returns the look-up of a name that is under way, or starts one.
func (d *DoH) joinLocked(ctx context.Context, name string) (*dohLookup, error) {
	if l := d.running[name]; l != nil {
		l.waiters++
		return l, nil
	}
	if d.closed || len(d.running) >= maxNames {
		return nil, fmt.Errorf("%w: closed or too much to do", errDoH)
	}
	// Others may come to wait for it: it does not end with the first of them.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), d.cfg.Timeout)
	l := &dohLookup{cancel: cancel, waiters: 1, done: make(chan struct{})}
	d.running[name] = l
	d.wg.Go(func() { // Close waits for it
		defer cancel()
		l.answer, l.err = d.ask(ctx, name)
		d.finish(name, l)
		close(l.done)
	})
	return l, nil
}

// leave gives a look-up up that nobody waits for any more.
func (d *DoH) leave(name string, l *dohLookup) {
	d.mu.Lock()
	defer d.mu.Unlock()
	l.waiters--
	if l.waiters > 0 {
		return
	}
	l.cancel()
	if d.running[name] == l {
		delete(d.running, name)
	}
}

// finish keeps the answer for as long as it is good.
func (d *DoH) finish(name string, l *dohLookup) {
	now := d.cfg.Now()
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.running[name] == l {
		delete(d.running, name)
	}
	if l.err != nil || l.answer.ttl <= 0 {
		return
	}
	if _, known := d.known[name]; !known && len(d.known) >= maxNames {
		d.makeRoomLocked(now)
	}
	d.known[name] = dohEntry{l.answer, now.Add(l.answer.ttl)}
}

// makeRoomLocked forgets what has expired, or else some name.
func (d *DoH) makeRoomLocked(now time.Time) {
	some := ""
	for name, e := range d.known {
		if some = name; !now.Before(e.until) {
			delete(d.known, name)
		}
	}
	if len(d.known) >= maxNames {
		delete(d.known, some)
	}
}

// Close ends all look-ups and waits for them. Later ones fail.
func (d *DoH) Close() error {
	d.mu.Lock()
	d.closed = true
	for _, l := range d.running {
		l.cancel()
	}
	d.mu.Unlock()
	d.wg.Wait()
	d.transport.CloseIdleConnections()
	return nil
}
