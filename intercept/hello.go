package intercept

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"time"
)

// maxHello bounds what is held of a client's first words, in bytes. crypto/tls takes no
// larger hello; with it come the headers of records.
const maxHello = 72 << 10

// recordHandshake is the first byte of a TLS connection (RFC 8446 section 5.1): the type of the
// record that a ClientHello comes in. The next is the major version, 3 ever since SSL 3.0.
const (
	recordHandshake = 22
	majorVersion    = 3
)

// helloConn is a client's connection whose first bytes have been looked at. Read yields
// them first.
type helloConn struct {
	net.Conn
	held []byte           // was read, and is still to be yielded
	leaf *tls.Certificate // for the handshake
	told bool             // the client was shown the leaf

	reply []byte // how the client has answered to that, as far as maxReply
}

// maxReply bounds what is kept of an answer: as much as a plain alert takes.
const maxReply = 16

// Read implements net.Conn.
func (c *helloConn) Read(p []byte) (int, error) {
	if len(c.held) > 0 {
		n := copy(p, c.held)
		if c.held = c.held[n:]; len(c.held) == 0 {
			c.held = nil
		}
		return n, nil
	}
	n, err := c.Conn.Read(p)
	if c.told && len(c.reply) < maxReply {
		c.reply = append(c.reply, p[:min(n, maxReply-len(c.reply))]...)
	}
	return n, err
}

// CloseWrite ends the sending direction, if the connection can do that.
func (c *helloConn) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return c.Close()
}

func (c *helloConn) shown() (*tls.Certificate, error) {
	c.told = true
	return c.leaf, nil
}

// peek reads a ClientHello, without consuming it. It returns nil if the client is silent for
// too long or what comes is none. An error says that the client has gone, or does not finish what
// it has begun.
func (c *helloConn) peek(ctx context.Context, silence, whole time.Duration) (*tls.ClientHelloInfo, error) {
	defer func() { _ = c.SetReadDeadline(time.Time{}) }()
	_ = c.SetReadDeadline(time.Now().Add(silence))
	if err := c.more(); errors.Is(err, os.ErrDeadlineExceeded) {
		return nil, nil
	} else if err != nil {
		return nil, err
	}
	_ = c.SetReadDeadline(time.Now().Add(whole))
	for len(c.held) < 2 && c.held[0] == recordHandshake {
		if err := c.more(); err != nil {
			return nil, err
		}
	}
	if c.held[0] != recordHandshake || c.held[1] != majorVersion {
		return nil, nil
	}
	return c.parse(ctx)
}

// more reads what there is.
func (c *helloConn) more() error {
	buf := make([]byte, 4<<10)
	n, err := c.Conn.Read(buf)
	c.held = append(c.held, buf[:n]...)
	if n > 0 {
		return nil // an error will come again
	}
	if err == nil {
		err = io.ErrNoProgress
	}
	return err
}

// errTooLarge ends a hello that would fill the memory.
var errTooLarge = errors.New("hello is too large")

// errSeen ends a handshake that was only to show what the client says.
var errSeen = errors.New("hello was seen")

// parse has crypto/tls read the hello, which it does strictly and with limits. What crypto/tls can
// make nothing of is not for this package.
func (c *helloConn) parse(ctx context.Context) (*tls.ClientHelloInfo, error) {
	rec := &recorder{conn: c}
	var seen *tls.ClientHelloInfo
	server := tls.Server(rec, &tls.Config{
		MinVersion: tls.VersionTLS10, //nolint:gosec // nothing comes about with it
		GetConfigForClient: func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
			seen = hello
			return nil, errSeen
		},
	})
	_ = server.HandshakeContext(ctx) // always fails; if by a fault in the hello, let the site judge it
	if seen == nil && rec.failed != nil && !errors.Is(rec.failed, errTooLarge) {
		return nil, fmt.Errorf("hello: %w", rec.failed)
	}
	return seen, nil
}

// recorder is a connection to look at a hello: what is read from it is held for later, and
// what is written to it is dropped.
type recorder struct {
	conn   *helloConn
	at     int // how much of what is held was read
	failed error
}

// Read implements net.Conn.
func (r *recorder) Read(p []byte) (int, error) {
	if r.failed == nil && r.at == len(r.conn.held) {
		if len(r.conn.held) > maxHello {
			r.failed = errTooLarge
		} else {
			r.failed = r.conn.more()
		}
	}
	if r.failed != nil {
		return 0, r.failed
	}
	n := copy(p, r.conn.held[r.at:])
	r.at += n
	return n, nil
}

func (r *recorder) Write(p []byte) (int, error)      { return len(p), nil }
func (r *recorder) Close() error                     { return nil }
func (r *recorder) LocalAddr() net.Addr              { return r.conn.LocalAddr() }
func (r *recorder) RemoteAddr() net.Addr             { return r.conn.RemoteAddr() }
func (r *recorder) SetDeadline(time.Time) error      { return nil }
func (r *recorder) SetReadDeadline(time.Time) error  { return nil }
func (r *recorder) SetWriteDeadline(time.Time) error { return nil }
