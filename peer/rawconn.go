package peer

import (
	"errors"
	"net"
	"sync"
	"sync/atomic"
)

// maxUpgrade bounds what a server may send until the connection is upgraded, in
// bytes: the libraries above read header lines without end. A TLS handshake and an
// upgrade need a few KiB.
const maxUpgrade = 128 << 10

var errEndless = errors.New("peer: endless handshake")

// rawConn is the connection below TLS.
//
// TLS writes each record of 16 KiB on its own. What is written between hold and flush
// goes out in one piece: four records at once spare the kernels on both sides some
// tenth of the work of a transfer.
type rawConn struct {
	net.Conn

	upgraded atomic.Bool // reading is not limited any more
	read     int         // bytes until then; for the one who reads

	mu   sync.Mutex // guards following
	held bool
	buf  []byte
}

// WrapConn prepares an accepted TCP connection, below TLS, for faster sending. It is
// meant for those who make an [Accepter], as a hook at their listening socket. To use it
// is optional.
func WrapConn(c net.Conn) net.Conn {
	raw := &rawConn{Conn: c}
	raw.upgraded.Store(true) // the limit is the server's task
	return raw
}

// rawBelow finds the wrapped connection below others that name what they wrap, or nil.
func rawBelow(c net.Conn) *rawConn {
	for {
		if raw, ok := c.(*rawConn); ok {
			return raw
		}
		w, ok := c.(interface{ NetConn() net.Conn })
		if !ok {
			return nil
		}
		c = w.NetConn()
	}
}

// Read implements io.Reader.
func (c *rawConn) Read(p []byte) (int, error) {
	if c.upgraded.Load() {
		return c.Conn.Read(p)
	}
	if c.read >= maxUpgrade {
		return 0, errEndless
	}
	n, err := c.Conn.Read(p)
	c.read += n
	return n, err
}

// Write implements io.Writer.
func (c *rawConn) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.held {
		return c.Conn.Write(p)
	}
	c.buf = append(c.buf, p...)
	return len(p), nil
}

// hold begins to gather what is written. It does nothing if c is nil.
func (c *rawConn) hold() {
	if c == nil {
		return
	}
	c.mu.Lock()
	c.held = true
	c.mu.Unlock()
}

// flush writes what was gathered. An error is final for the connection.
func (c *rawConn) flush() error {
	if c == nil {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.held = false
	if len(c.buf) == 0 {
		return nil
	}
	_, err := c.Conn.Write(c.buf)
	c.buf = c.buf[:0]
	return err
}
