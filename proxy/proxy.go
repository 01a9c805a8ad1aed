package proxy

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/peerproxy/peerproxy/httpcache"
	"github.com/peerproxy/peerproxy/resource"
)

// Config says how a [Proxy] works. The zero Config is a proxy without a store and
// without peers. It is copied by [New] and never changed.
type Config struct {
	Store Store // nil = nothing is stored
	Peers Peers // nil = nobody but the origin is asked
	// AskFor reports whether peers may be asked for a URL at all: asking tells them what is
	// wanted. It may change its mind. nil = for every one.
	AskFor func(resource.URL) bool
	Signer Signer // nil = what is stored bears no signature
	// MaxBody is the largest body that Store takes, in bytes; 0 = no limit. Larger ones
	// are passed on only.
	MaxBody int64

	// Dialer opens all connections, tunnels included; nil = &Dialer{}.
	Dialer *Dialer
	// Transport sends requests to origins; nil = one that uses Dialer, HTTP/1.1 or
	// HTTP/2. It must not decompress bodies (http.Transport.DisableCompression), and
	// should connect by way of a Dialer, or special addresses are not refused.
	Transport http.RoundTripper

	// Stored is called after a response was stored or confirmed, with the value that
	// the store has now. It should return soon.
	Stored func(*resource.Stored)
	// Auth checks the credentials that clients give to the proxy; nil = none are
	// wanted. See [Users].
	Auth func(user, password string) bool
	// Recheck is about what was fetched with a cookie and may be public all the same.
	Recheck Recheck
	// Interceptor may look into tunnels; nil = all are blind.
	Interceptor Interceptor
	// RootCAs vouch for origins; nil = those of the system. Transport has its own.
	RootCAs *x509.CertPool

	// Sites says what the user wants to be different for some sites.
	Sites SitePolicies
	// SignerCounts reports whether the user still trusts the key, given as text, that signed a
	// stored copy of a URL; nil = always.
	SignerCounts func(signer string, u resource.URL) bool
	// SignerRefused reports whether the user has revoked the key that signed a stored copy, so
	// that this is not shown in any way; nil = never.
	SignerRefused func(signer string) bool
	// StillWitnessed reports whether a stored copy that was witnessed when it came is so by what
	// the user trusts now, and since when; nil = always, and nobody knows since when.
	StillWitnessed func(ex *resource.Exchange) (at time.Time, ok bool)

	// Policy is the operator's choice in matters of RFC 9111.
	Policy httpcache.Policy

	// Pseudonym names this proxy in Via, Cache-Status and Proxy-Status; it is a token.
	// "" = "peerproxy".
	Pseudonym string

	Patience  time.Duration // silence of the origin until peers are asked beside it; 0 = 2 s
	Budget    time.Duration // time until the first byte of what could be stored; 0 = 10 s
	FailedFor time.Duration // how long a site is remembered as failing; 0 = 30 s
	Idle      time.Duration // silence within a body or tunnel until it is broken off; 0 = 5 min

	Now    func() time.Time // nil = time.Now
	Logger *slog.Logger     // nil = no log. URLs and addresses at debug level only
}

func (c Config) withDefaults() Config {
	if c.Dialer == nil {
		c.Dialer = &Dialer{}
	}
	if c.Pseudonym == "" {
		c.Pseudonym = "peerproxy"
	}
	for _, d := range []struct {
		value    *time.Duration
		standard time.Duration
	}{{&c.Patience, 2 * time.Second}, {&c.Budget, 10 * time.Second}, {&c.FailedFor, 30 * time.Second}, {&c.Idle, 5 * time.Minute}} {
		if *d.value == 0 {
			*d.value = d.standard
		}
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return c
}

// Proxy is a forward proxy, to be used as an http.Handler. It is safe for
// concurrent use. Close ends it.
type Proxy struct {
	cfg       Config
	log       *slog.Logger
	names     names
	secret    [16]byte // of the names in Via, see viaName
	dialer    *Dialer
	transport http.RoundTripper
	ownedPool *http.Transport // to origins, if it was made here
	closeIdle func()          // of what was made here
	own       *ownAddresses
	health    *health
	flights   *flights
	tunnels   *tunnels
	inside    *inside // of tunnels
	storing   storing
	consents  *expiring      // sites whose copies the user wants to see without proof
	shown     sandboxedPages // sites whose pages are shown as copies
	demands   *demands
	readAlong *expiring // documents whose demands have been noted
	rechecks  *rechecks
	warned    seldom // of something that was not stored
}

// New makes a proxy. It fails if the pseudonym can't be used.
func New(cfg Config) (*Proxy, error) {
	cfg = cfg.withDefaults()
	names, err := newNames(cfg.Pseudonym)
	if err != nil {
		return nil, fmt.Errorf("proxy: pseudonym: %w", err)
	}
	p := &Proxy{
		cfg: cfg, log: cfg.Logger, names: names, transport: cfg.Transport, own: &ownAddresses{},
		health: newHealth(cfg.FailedFor, cfg.Now), flights: newFlights(), tunnels: newTunnels(),
		consents: newExpiring(cfg.Now), shown: sandboxedPages{newExpiring(cfg.Now)},
		demands: newDemands(cfg.Now), readAlong: newExpiring(cfg.Now), rechecks: newRechecks(cfg.Recheck),
	}
	_, _ = rand.Read(p.secret[:]) // never fails
	p.inside = p.newInside()
	dialer := *cfg.Dialer
	dialer.own, dialer.via = p.own.has, p.viaName
	p.dialer, p.closeIdle = &dialer, func() {}
	if p.transport == nil {
		made := newTransports(p.dialer, cfg.Idle, cfg.RootCAs)
		p.transport, p.ownedPool, p.closeIdle = hopFields{made}, made.direct, made.CloseIdleConnections
	}
	return p, nil
}

// newTransport is net/http's, so set that bodies stay as they were sent.
func newTransport(d *Dialer, idle time.Duration, roots *x509.CertPool) *http.Transport {
	t := &http.Transport{
		DialContext:            recorded(d.DialContext, idle),
		TLSClientConfig:        &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12},
		DisableCompression:     true,
		ForceAttemptHTTP2:      true,
		MaxIdleConnsPerHost:    16,
		MaxIdleConns:           256,
		IdleConnTimeout:        90 * time.Second,
		ExpectContinueTimeout:  time.Second,
		ResponseHeaderTimeout:  10 * time.Minute, // after all of the request was sent
		MaxResponseHeaderBytes: 256 << 10,
		WriteBufferSize:        16 << 10,
		ReadBufferSize:         32 << 10,
		// A connection that many requests share must not be used long after it died.
		HTTP2: &http.HTTP2Config{SendPingTimeout: 15 * time.Second, PingTimeout: 10 * time.Second, WriteByteTimeout: idle},
	}
	t.DialTLSContext = recordedTLS(d.DialContext, idle, func() *tls.Config { return t.TLSClientConfig })
	return t
}

// Close breaks off what is under way, tunnels included, and waits for it. Requests
// that come later are refused. An http.Server around the proxy is to be shut down
// first, so that answers which can still be finished are.
func (p *Proxy) Close() error {
	p.storing.closing()
	p.tunnels.close()
	p.inside.close()
	p.flights.close()
	p.rechecks.close()
	p.storing.closed()
	p.closeIdle()
	return nil
}

// ServeHTTP answers a request to the proxy. It panics with http.ErrAbortHandler if
// the answer breaks off, as net/http wants it, so that the client notices.
func (p *Proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var refused error
	if !p.authorized(r) {
		refused = errCredentials
	}
	p.serve(w, r, refused)
}

// Trusted returns a handler that is the proxy without its question for credentials:
// for requests from within this process.
func (p *Proxy) Trusted() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { p.serve(w, r, nil) })
}

// serve answers a request, by a refusal if there is a reason for one, and ends what the
// client may still be sending.
func (p *Proxy) serve(w http.ResponseWriter, r *http.Request, refused error) {
	closeForOld(w.Header(), r)
	whole := false
	defer func() {
		if !whole && !r.ProtoAtLeast(1, 1) {
			reset(w)
		}
	}()
	if r.ContentLength == 0 || r.Method == http.MethodConnect {
		p.dispatch(w, r, refused)
	} else {
		u, r := p.takeUpload(w, r)
		defer u.stop() // also if the answer breaks off
		p.dispatch(w, r, refused)
		u.stop()
		p.linger(w, u)
	}
	whole = true
}

func (p *Proxy) dispatch(w http.ResponseWriter, r *http.Request, refused error) {
	hops, err := hopsLeft(r)
	switch {
	case refused != nil:
		p.refuse(w, r, refused)
	case err != nil:
		p.refuse(w, r, err)
	case hops == endsHere: // even in a circle: that is what it is for
		p.answerItself(w, r)
	case p.loops(r):
		p.refuse(w, r, ErrLoop)
	case r.Method == http.MethodConnect:
		p.connect(w, r)
	case !r.URL.IsAbs():
		p.refuse(w, r, errNotProxied)
	case r.URL.Host == "" || r.URL.Scheme != "http" && r.URL.Scheme != "https":
		p.refuse(w, r, errBadTarget)
	default:
		p.forward(w, r)
	}
}

// closeForOld ends the connection of an HTTP/1.0 client after its answer: whether it understands
// what it asks for, or passes on what an older proxy was asked, can't be told (RFC 9112 section 9.3).
func closeForOld(h http.Header, r *http.Request) {
	if !r.ProtoAtLeast(1, 1) {
		h["Connection"] = []string{"close"}
	}
}

// forward answers a request for another host.
func (p *Proxy) forward(w http.ResponseWriter, r *http.Request) {
	if isLocal(r.URL) {
		p.local(w, r)
		return
	}
	if upgradeOf(r.Header) != "" {
		p.upgrade(w, r)
		return
	}
	if request, ok := p.cacheable(r); ok {
		p.cached(w, request)
		return
	}
	p.pass(w, r)
}

// Interceptor looks into tunnels, so that what goes through them can be cached.
type Interceptor interface {
	// Wants reports whether a tunnel to a host and port is to be looked into. If not,
	// it is blind, and the client learns at once if the host can't be reached.
	Wants(authority string) bool
	// Intercept looks at the client's side of a tunnel, which has been granted. If it
	// is to be looked into, it brings about TLS with the client, and returns a
	// connection that has the method ConnectionState of [tls.Conn]: that says what the site is called
	// (ServerName, or else the authority's host) and whether HTTP/2 is spoken. If not,
	// it returns a connection that yields all that the client has sent, to be
	// tunnelled blindly. With an error it returns nil, and the client's connection ends.
	// When client is closed, it has to return soon.
	Intercept(ctx context.Context, client net.Conn, authority string) (net.Conn, error)
}
