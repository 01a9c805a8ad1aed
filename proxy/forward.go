package proxy

import (
	"context"
	"crypto/x509"
	"net"
	"net/http"
	"net/url"
	"time"
)

// maxIdleUpstream bounds the idle connections to an upstream: all sites share them.
const maxIdleUpstream = 128

// transports chooses how a request travels when there is an HTTP upstream: in
// absolute form over a connection to the upstream, or over a connection to the origin,
// be it direct or a tunnel that the [Dialer] has got from the upstream.
type transports struct {
	dialer *Dialer
	direct *http.Transport
	asking *http.Transport // that asks the upstream; nil = there is none, or it is not for HTTP
}

func newTransports(d *Dialer, idle time.Duration, roots *x509.CertPool) *transports {
	t := &transports{dialer: d, direct: newTransport(d, idle, roots)}
	if d.Upstream == nil || d.Upstream.scheme == "socks5" {
		return t
	}
	t.asking = newTransport(d, idle, roots)
	// The Dialer brings about TLS to the upstream, so that the scheme here is always http.
	t.asking.Proxy = http.ProxyURL(&url.URL{Scheme: "http", Host: d.Upstream.address, User: d.Upstream.user})
	t.asking.DialContext = recorded(func(ctx context.Context, _, _ string) (net.Conn, error) { return d.dialUpstream(ctx) }, idle)
	t.asking.MaxIdleConnsPerHost = maxIdleUpstream
	t.asking.ForceAttemptHTTP2 = false
	return t
}

// RoundTrip sends a request.
func (t *transports) RoundTrip(r *http.Request) (*http.Response, error) {
	if !t.asks(r) {
		if r.Header["Upgrade"] != nil { // which HTTP/2 does not have
			r = r.WithContext(onlyHTTP1(r.Context()))
		}
		return t.direct.RoundTrip(r)
	}
	if _, err := t.dialer.upstreamTarget(hostPort(r.URL)); err != nil {
		closeBody(r)
		return nil, err
	}
	response, err := t.asking.RoundTrip(absoluteForm(r))
	if err != nil {
		return nil, asUpstreamError(err)
	}
	if response.StatusCode == http.StatusProxyAuthRequired {
		_ = response.Body.Close()
		return nil, connectRefused(response)
	}
	return response, nil
}

// absoluteForm is the request as an upstream gets it. Only the last proxy asks for "*"
// (RFC 9112 section 3.2.4), and what is opaque net/http leaves as it is.
func absoluteForm(r *http.Request) *http.Request {
	if r.URL.Path != "*" && r.URL.Opaque == "" {
		return r
	}
	u, out := *r.URL, *r
	u.Opaque, out.URL = "//"+u.Host+u.Opaque, &u
	return &out
}

// asks reports whether a request goes to the upstream in absolute form. Upgrades take
// a tunnel, as browsers have it: many proxies forward no upgrade.
func (t *transports) asks(r *http.Request) bool {
	if t.asking == nil || r.URL.Scheme != "http" || r.Header["Upgrade"] != nil {
		return false
	}
	_, direct := t.dialer.override(hostPort(r.URL))
	return !direct
}

// CloseIdleConnections closes connections that no request uses.
func (t *transports) CloseIdleConnections() {
	t.direct.CloseIdleConnections()
	if t.asking != nil {
		t.asking.CloseIdleConnections()
	}
}

// hostPort is the host and port of an http URL.
func hostPort(u *url.URL) string {
	port := u.Port()
	if port == "" {
		port = "80"
	}
	return net.JoinHostPort(u.Hostname(), port)
}

func closeBody(r *http.Request) {
	if r.Body != nil {
		_ = r.Body.Close()
	}
}
