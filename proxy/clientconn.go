package proxy

import (
	"bytes"
	"context"
	"net"
	"net/http"
	"sync/atomic"
)

// labelling is a listener whose connections label what net/http answers by itself.
type labelling struct {
	net.Listener
	fields []byte // lines to be added
}

func (p *Proxy) labelling(l net.Listener) net.Listener {
	fields := "Cache-Status: " + p.names.cacheStatus(cacheStatus{fwd: fwdBypass}) + "\r\n" +
		"Proxy-Status: " + p.names.proxyStatus(proxyStatus{kind: "http_request_error", details: "The request is not valid HTTP"}) + "\r\n"
	return &labelling{l, []byte(fields)}
}

// Accept implements net.Listener.
func (l *labelling) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &clientConn{Conn: conn, fields: l.fields}, nil
}

// clientConn is a client's connection. To requests that are not valid HTTP (400, 417,
// 431, 501, 505) net/http writes an answer without asking the handler: one that is
// written while no handler has the word gets the fields that all answers have.
type clientConn struct {
	net.Conn
	fields    []byte
	answering atomic.Bool // what is written is a handler's
}

// Write implements net.Conn.
func (c *clientConn) Write(p []byte) (int, error) {
	if c.answering.Load() || !bytes.HasPrefix(p, []byte("HTTP/1.")) {
		return c.Conn.Write(p)
	}
	line := bytes.IndexByte(p, '\n') + 1
	if line == 0 {
		return c.Conn.Write(p)
	}
	labelled := append(append(bytes.Clone(p[:line]), c.fields...), p[line:]...)
	if n, err := c.Conn.Write(labelled); err != nil {
		return min(n, len(p)), err
	}
	return len(p), nil
}

// CloseWrite ends the sending direction, so that net/http can wait until the client
// has read an answer.
func (c *clientConn) CloseWrite() error { return closeWrite(c.Conn) }

type clientConnKey struct{}

func withClientConn(ctx context.Context, conn net.Conn) context.Context {
	return context.WithValue(ctx, clientConnKey{}, conn)
}

// followState follows a connection's state: once it is idle, the handler's answer has
// been written in full.
func followState(conn net.Conn, state http.ConnState) {
	if c, ok := conn.(*clientConn); ok && state == http.StateIdle {
		c.answering.Store(false)
	}
}

// answers is the proxy as the handler of its own server.
func (p *Proxy) answers(w http.ResponseWriter, r *http.Request) {
	if c, ok := r.Context().Value(clientConnKey{}).(*clientConn); ok {
		c.answering.Store(true)
	}
	p.ServeHTTP(w, r)
}

// bare is a client's connection without what is only needed between answers.
func bare(conn net.Conn) net.Conn {
	if c, ok := conn.(*clientConn); ok {
		return c.Conn
	}
	return conn
}
