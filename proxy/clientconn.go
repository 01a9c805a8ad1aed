package proxy

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"sync/atomic"
	"time"

	"github.com/peerproxy/peerproxy/internal/http1"
)

// Limits on how long a connection is kept open for a client that is still sending when
// it has been refused.
const (
	faultLinger = 500 * time.Millisecond
	lingerBytes = 1 << 20
)

// labelling is a listener whose connections let only strict HTTP/1.1 in, and label what
// net/http answers by itself.
type labelling struct {
	net.Listener
	names  *names
	log    *slog.Logger
	fields []byte // lines to be added
	ending atomic.Bool
}

func (p *Proxy) labelling(l net.Listener) *labelling {
	made := &labelling{Listener: l, names: &p.names, log: p.log}
	made.fields = made.refusal("The request is not valid HTTP")
	return made
}

// refusal is the status fields of an answer to what is not HTTP, as lines.
func (l *labelling) refusal(details string) []byte {
	return []byte("Cache-Status: " + l.names.cacheStatus(cacheStatus{fwd: fwdBypass}) + "\r\n" +
		"Proxy-Status: " + l.names.proxyStatus(proxyStatus{kind: "http_request_error", details: details}) + "\r\n")
}

// Accept implements net.Listener.
func (l *labelling) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	in := http1.NewReader(conn, http1.Limits{Head: maxHeaderBytes, Target: maxTargetBytes, Fields: maxFields})
	return &clientConn{Conn: conn, listener: l, in: in}, nil
}

// clientConn is a client's connection, and a guard in front of net/http in both directions.
//
// It lets in what package http1 lets pass. When that refuses something, net/http sees a
// malformed request or content, and either it answers or the handler does.
//
// To requests that are not valid HTTP (400, 417, 431, 501, 505) net/http writes an answer
// without asking the handler: one that is written while no handler has the word gets the
// fields that all answers have, or is replaced by one that says what http1 has found.
type clientConn struct {
	net.Conn
	listener  *labelling
	in        *http1.Reader // net/http has one Read at a time, and none while followState or bare runs
	answering atomic.Bool   // what is written is a handler's
	told      bool          // an answer was replaced; it was the last
	refused   atomic.Pointer[http1.Error]
	lingers   atomic.Bool // the client may still be sending what nobody will read
	slow      atomic.Bool // the last Read came to its deadline
}

// Read implements net.Conn.
func (c *clientConn) Read(p []byte) (int, error) {
	n, err := c.in.Read(p)
	c.slow.Store(errors.Is(err, os.ErrDeadlineExceeded))
	if bad := c.in.Refused(); bad != nil {
		c.refused.Store(bad)
		c.lingers.Store(true)
	}
	return n, err
}

// Write implements net.Conn.
func (c *clientConn) Write(p []byte) (int, error) {
	if c.answering.Load() {
		return c.Conn.Write(p)
	}
	if bad := c.refused.Load(); bad != nil {
		return c.replace(p, bad)
	}
	line := bytes.IndexByte(p, '\n') + 1
	if line == 0 || !bytes.HasPrefix(p, []byte("HTTP/1.")) {
		return c.Conn.Write(p)
	}
	if c.slow.Load() && bytes.HasPrefix(p, []byte("HTTP/1.1 400 ")) { // net/http knows no better name for it
		return c.replace(p, errSlowHead)
	}
	c.lingers.Store(true)
	labelled := append(append(bytes.Clone(p[:line]), c.listener.fields...), p[line:]...)
	if n, err := c.Conn.Write(labelled); err != nil {
		return min(n, len(p)), err
	}
	return len(p), nil
}

// replace writes what there is to say in place of net/http's answer.
func (c *clientConn) replace(p []byte, bad *http1.Error) (int, error) {
	if c.told {
		return len(p), nil
	}
	c.told = true
	c.listener.log.Debug("request refused", "err", bad)
	status := fmt.Sprintf("%d %s", bad.Status, http.StatusText(bad.Status))
	text := status + ": " + bad.Reason + "\n"
	_, err := fmt.Fprintf(c.Conn, "HTTP/1.1 %s\r\n%sContent-Type: text/plain; charset=utf-8\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s",
		status, c.listener.refusal("The request is not valid HTTP: "+bad.Reason), len(text), text)
	if err != nil {
		return 0, err
	}
	return len(p), nil
}

// CloseWrite ends the sending direction, so that net/http can wait until the client
// has read an answer.
func (c *clientConn) CloseWrite() error { return closeWrite(c.Conn) }

// Close implements net.Conn. To close on bytes that nobody has read would reset the
// connection, and the client could lose its answer: what still comes is read for a while
// (RFC 9112 section 9.6), unless everything ends.
func (c *clientConn) Close() error {
	if c.lingers.Swap(false) && !c.listener.ending.Load() && closeWrite(c.Conn) == nil {
		_ = c.SetReadDeadline(time.Now().Add(faultLinger))
		_, _ = io.CopyN(io.Discard, c.Conn, lingerBytes)
	}
	return c.Conn.Close()
}

// errSlowHead is told to a client whose request does not come to an end (RFC 9110 section 15.5.9).
var errSlowHead = &http1.Error{Status: http.StatusRequestTimeout, Reason: "the request did not come in time"}

type clientConnKey struct{}

func withClientConn(ctx context.Context, conn net.Conn) context.Context {
	return context.WithValue(ctx, clientConnKey{}, conn)
}

// followState follows a connection's state: once it is idle, the handler's answer has
// been written in full, and nothing is being read.
func followState(conn net.Conn, state http.ConnState) {
	if c, ok := conn.(*clientConn); ok && state == http.StateIdle {
		c.answering.Store(false)
		c.in.Answered()
	}
}

// answers is the proxy as the handler of its own server.
func (p *Proxy) answers(w http.ResponseWriter, r *http.Request) {
	c, guarded := r.Context().Value(clientConnKey{}).(*clientConn)
	if guarded {
		c.answering.Store(true)
	}
	if r.Method == http.MethodConnect {
		w = &lastAnswer{w, c}
	}
	p.ServeHTTP(w, r)
}

// lastAnswer is an answer to CONNECT that grants no tunnel. What comes next may have been
// meant for the tunnel, so that the connection must end (RFC 9931).
type lastAnswer struct {
	http.ResponseWriter
	conn *clientConn // nil = some other kind of connection
}

// WriteHeader implements http.ResponseWriter.
func (a *lastAnswer) WriteHeader(status int) {
	a.Header().Set("Connection", "close")
	if a.conn != nil {
		a.conn.lingers.Store(true)
	}
	a.ResponseWriter.WriteHeader(status)
}

// Unwrap is for http.ResponseController.
func (a *lastAnswer) Unwrap() http.ResponseWriter { return a.ResponseWriter }

// bare is a client's connection without what is only needed for HTTP.
func bare(conn net.Conn) net.Conn {
	c, ok := conn.(*clientConn)
	if !ok {
		return conn
	}
	if early := c.in.Release(); len(early) > 0 {
		return &earlyConn{Conn: c.Conn, early: early}
	}
	return c.Conn
}
