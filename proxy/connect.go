package proxy

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"
)

// connect answers CONNECT with a tunnel (RFC 9110 section 9.3.6).
func (p *Proxy) connect(w http.ResponseWriter, r *http.Request) {
	authority, err := tunnelTarget(r)
	if err != nil {
		p.refuse(w, r, err)
		return
	}
	if i := p.cfg.Interceptor; i != nil && i.Wants(authority) {
		p.intercept(w, r, authority)
		return
	}
	upstream, err := p.dialer.DialContext(withVia(r.Context(), r), "tcp", authority)
	if err != nil {
		p.refuse(w, r, err)
		return
	}
	defer upstream.Close()
	if client := p.grant(w, r); client != nil {
		defer client.Close()
		p.tunnels.run(client, upstream, p.cfg.Idle)
	}
}

// tunnelTarget checks the host and port of a CONNECT. Mail servers are no web
// servers: RFC 9110 section 9.3.6 warns of relaying to them.
func tunnelTarget(r *http.Request) (string, error) {
	host, portText, err := net.SplitHostPort(r.URL.Host)
	if err != nil || host == "" {
		return "", fmt.Errorf("%w: no host and port", errBadTarget)
	}
	port, err := parsePort(portText)
	if err != nil {
		return "", fmt.Errorf("%w: no valid port", errBadTarget)
	}
	if port == 25 {
		return "", errPort
	}
	return r.URL.Host, nil
}

// grant tells the client that the tunnel stands and takes its connection over. It
// returns nil if that fails; the answer has been given then.
func (p *Proxy) grant(w http.ResponseWriter, r *http.Request) net.Conn {
	client, err := hijack(w)
	if err != nil {
		p.refuse(w, r, err)
		return nil
	}
	h := http.Header{}
	p.label(h, nil, "1.1", cacheStatus{fwd: fwdMethod}, proxyStatus{})
	if err := writeHead(client, "200 Connection established", h); err != nil {
		_ = client.Close()
		return nil
	}
	return client
}

// intercept hands a tunnel to the interceptor, and serves what that has opened. What it does not
// want after all is tunnelled blindly; the client can then only be told of a failure by the
// end of the connection.
func (p *Proxy) intercept(w http.ResponseWriter, r *http.Request, authority string) {
	client := p.grant(w, r)
	if client == nil {
		return
	}
	ctx := context.WithoutCancel(r.Context()) // a taken-over connection ends on its own
	leave, ok := p.tunnels.enter(client)
	if !ok {
		return
	}
	conn, err := p.cfg.Interceptor.Intercept(ctx, client, authority)
	if err != nil {
		p.log.Debug("tunnel not intercepted", "err", err, "authority", authority)
	}
	if secure, ok := conn.(opened); ok {
		p.inside.serve(newInsideConn(secure, client, authority, leave))
		return
	}
	leave()
	defer client.Close()
	if conn != nil {
		p.tunnelBlindly(withVia(ctx, r), conn, authority)
	}
}

// tunnelBlindly joins a client's connection, on which a tunnel has been granted, with one to
// its destination.
func (p *Proxy) tunnelBlindly(ctx context.Context, client net.Conn, authority string) {
	defer client.Close()
	upstream, err := p.dialer.DialContext(ctx, "tcp", authority)
	if err != nil {
		p.log.Debug("tunnel not opened", "err", err, "authority", authority)
		return
	}
	defer upstream.Close()
	p.tunnels.run(client, upstream, p.cfg.Idle)
}

// hijack takes the client's connection over, without net/http's deadlines.
func hijack(w http.ResponseWriter) (net.Conn, error) {
	conn, rw, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errNoHijack, err)
	}
	conn = bare(conn)
	_ = conn.SetDeadline(time.Time{})
	if rw.Reader.Buffered() == 0 {
		return conn, nil
	}
	// The client did not wait for the answer.
	early, _ := rw.Peek(rw.Reader.Buffered())
	return &earlyConn{Conn: conn, early: append([]byte(nil), early...)}, nil
}

// earlyConn yields bytes that were read too early, and then those of the connection.
type earlyConn struct {
	net.Conn
	early []byte
}

func (c *earlyConn) Read(p []byte) (int, error) {
	if len(c.early) > 0 {
		n := copy(p, c.early)
		c.early = c.early[n:]
		return n, nil
	}
	return c.Conn.Read(p)
}

// CloseWrite ends the sending direction, if the connection can do that.
func (c *earlyConn) CloseWrite() error { return closeWrite(c.Conn) }

func closeWrite(c io.Closer) error {
	if half, ok := c.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return c.Close()
}
