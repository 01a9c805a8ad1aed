package proxy

import (
	"cmp"
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"
)

// Limits on what a client may do over HTTP/2, where one connection has many requests.
const (
	maxStreams = 128
	pingAfter  = time.Minute // of silence
	pingTime   = 15 * time.Second
)

// opened is the client's side of a tunnel that was looked into: a connection of TLS that has
// been brought about. It says what the client was told.
type opened interface {
	net.Conn
	ConnectionState() tls.ConnectionState
}

// insideConn is the client's side of a tunnel, decrypted. It hides from net/http that there
// was TLS: the server for it is chosen here.
type insideConn struct {
	net.Conn
	raw        net.Conn // what it is encrypted on
	name, port string   // of the site, in the terms of normalHost
	h2         bool
	once       sync.Once
	leave      func()
}

func newInsideConn(conn opened, raw net.Conn, authority string, leave func()) *insideConn {
	state := conn.ConnectionState()
	host, port, _ := net.SplitHostPort(authority)
	return &insideConn{
		Conn: conn, raw: raw, name: normalHost(cmp.Or(state.ServerName, host)), port: port,
		h2: state.NegotiatedProtocol == "h2", leave: leave,
	}
}

// Close implements net.Conn.
func (c *insideConn) Close() error {
	err := c.Conn.Close()
	_ = c.raw.Close()
	c.once.Do(c.leave)
	return err
}

// CloseWrite ends the sending direction.
func (c *insideConn) CloseWrite() error { return closeWrite(c.Conn) }

// abort closes the connection without the ordinary end of TLS, by which the client would
// take what it has for the whole.
func (c *insideConn) abort() {
	if tcp, ok := c.raw.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = c.raw.Close()
	_ = c.Close()
}

// absolute is a request from inside as it would have come to the proxy itself: with a
// target in absolute form. A request for another site than the client was shown a certificate for is
// refused (RFC 9110 section 7.4).
func (c *insideConn) absolute(r *http.Request) (*http.Request, error) {
	out := *r
	u := *r.URL
	out.URL, u.User = &u, nil
	switch {
	case r.Method == http.MethodConnect:
		return &out, errNested
	case r.URL.IsAbs() && r.URL.Scheme != "https", !c.isFor(r.Host):
		return &out, errMisdirected
	case r.RequestURI == "*" && r.Method != http.MethodOptions, strings.ContainsFunc(r.RequestURI, notInTarget):
		return &out, errBadTarget
	}
	u.Scheme, u.Host = "https", strings.TrimSuffix(r.Host, ":443")
	if r.RequestURI == "*" {
		u.Path = ""
	}
	if !r.URL.IsAbs() {
		out.RequestURI = "https://" + u.Host + strings.TrimPrefix(r.RequestURI, "*")
	}
	out.Host = u.Host
	return &out, nil
}

// notInTarget finds what ends a request target in HTTP/1.1 (RFC 9112 section 3). Over HTTP/2 it can come, and the
// target is passed on as it is, perhaps to an origin that speaks HTTP/1.1.
func notInTarget(r rune) bool { return r <= ' ' || r == 0x7f }

// isFor reports whether Host or :authority names the site of this connection.
func (c *insideConn) isFor(host string) bool {
	u := url.URL{Host: host}
	return normalHost(u.Hostname()) == c.name && cmp.Or(u.Port(), "443") == c.port
}

// inside serves what comes out of opened tunnels, with the servers of the front door: for HTTP/1.1 the
// same in all, for HTTP/2 that of net/http. They begin with the first connection.
type inside struct {
	http1, http2   *http.Server
	conns1, conns2 *handover
	labelling      *labelling

	mu     sync.Mutex
	begun  bool
	closed bool
	wg     sync.WaitGroup
}

func (p *Proxy) newInside() *inside {
	in := &inside{http1: p.Server(), http2: p.Server(), conns1: newHandover(), conns2: newHandover()}
	in.labelling = p.labelling(in.conns1)
	in.http1.Handler = http.HandlerFunc(p.answersInside)
	in.http2.Handler = in.http1.Handler
	in.http2.Protocols = &http.Protocols{}
	in.http2.Protocols.SetUnencryptedHTTP2(true) // as far as net/http sees
	in.http2.HTTP2 = &http.HTTP2Config{
		MaxConcurrentStreams: maxStreams, SendPingTimeout: pingAfter, PingTimeout: pingTime, WriteByteTimeout: p.cfg.Idle,
	}
	return in
}

// serve takes a connection, which it will close.
func (in *inside) serve(c *insideConn) {
	if !in.begin() {
		_ = c.Close()
		return
	}
	conns := in.conns1
	if c.h2 {
		conns = in.conns2
	}
	if !conns.give(c) {
		_ = c.Close()
	}
}

// begin starts the servers if need be; false = they have ended.
func (in *inside) begin() bool {
	in.mu.Lock()
	defer in.mu.Unlock()
	if !in.begun && !in.closed {
		in.begun = true
		in.wg.Go(func() { _ = in.http1.Serve(in.labelling) }) // they end with ErrServerClosed
		in.wg.Go(func() { _ = in.http2.Serve(in.conns2) })
	}
	return !in.closed
}

// shutdown lets running answers come to their end as long as ctx lasts.
func (in *inside) shutdown(ctx context.Context) {
	in.labelling.ending.Store(true)
	var both sync.WaitGroup
	both.Go(func() { _ = in.http1.Shutdown(ctx) }) // close does the rest
	both.Go(func() { _ = in.http2.Shutdown(ctx) })
	both.Wait()
}

// close ends the servers.
func (in *inside) close() {
	in.mu.Lock()
	in.closed = true
	in.mu.Unlock()
	in.labelling.ending.Store(true)
	_ = in.http1.Close()
	_ = in.http2.Close()
	_ = in.conns1.Close()
	_ = in.conns2.Close()
	in.wg.Wait()
}

// insideOf is the connection that a request came over.
func insideOf(r *http.Request) (*insideConn, *clientConn) {
	switch c := r.Context().Value(clientConnKey{}).(type) {
	case *clientConn:
		in, _ := c.Conn.(*insideConn)
		return in, c
	case *insideConn:
		return c, nil
	}
	return nil, nil
}

// answersInside is the proxy as the handler of what comes out of tunnels, whose credentials
// have been checked when they were granted.
func (p *Proxy) answersInside(w http.ResponseWriter, r *http.Request) {
	in, c := insideOf(r)
	if c != nil {
		c.answering.Store(true)
	}
	if r.Method == http.MethodConnect {
		w = &lastAnswer{w, c}
	}
	r, err := in.absolute(r)
	leave, ok := p.tunnels.enter(&underWay{})
	if !ok {
		p.refuse(w, r, errClosed)
		return
	}
	defer leave()
	p.serve(w, r, err)
}

// underWay is a request that Close waits for. It ends with its connection.
type underWay struct{ _ byte }

// Close implements io.Closer.
func (*underWay) Close() error { return nil }

// handover is a listener that accepts the connections that it is given.
type handover struct {
	conns chan net.Conn
	done  chan struct{}
	once  sync.Once
}

func newHandover() *handover { return &handover{conns: make(chan net.Conn), done: make(chan struct{})} }

// give hands a connection to Accept; false = nobody accepts any more.
func (h *handover) give(c net.Conn) bool {
	select {
	case h.conns <- c:
		return true
	case <-h.done:
		return false
	}
}

// Accept implements net.Listener.
func (h *handover) Accept() (net.Conn, error) {
	select {
	case c := <-h.conns:
		return c, nil
	case <-h.done:
		return nil, net.ErrClosed
	}
}

// Close implements net.Listener.
func (h *handover) Close() error {
	h.once.Do(func() { close(h.done) })
	return nil
}

// Addr implements net.Listener.
func (h *handover) Addr() net.Addr { return insideAddr{} }

type insideAddr struct{}

func (insideAddr) Network() string { return "tunnel" }
func (insideAddr) String() string  { return "tunnel" }
