package proxy

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// maxHead bounds how much of a response is recorded, in bytes; net/http accepts no
// longer one.
const maxHead = 256 << 10

// hopFields gives responses back the Connection field that net/http takes away from
// those that say "close" in it: other names in it are of fields for this hop, too,
// which must not go further (RFC 9110 section 7.6.1). It needs a transport whose
// connections are those of recorded.
type hopFields struct{ http.RoundTripper }

// RoundTrip sends a request.
func (t hopFields) RoundTrip(r *http.Request) (*http.Response, error) {
	var got atomic.Pointer[headConn]
	u := uploadOf(r)
	ctx := httptrace.WithClientTrace(r.Context(), &httptrace.ClientTrace{
		GotConn: func(info httptrace.GotConnInfo) {
			c, _ := info.Conn.(*headConn) // over TLS it is another, whose bytes tell nothing
			if c != nil {
				c.start(info.Reused)
			}
			got.Store(c)
			if u != nil {
				u.follow(info.Conn)
			}
		},
	})
	response, err := t.RoundTripper.RoundTrip(r.WithContext(ctx))
	if u != nil {
		u.settle()
	}
	c := got.Load()
	if c == nil {
		return response, err
	}
	head := c.take()
	if err == nil && response.Close && response.Header["Connection"] == nil {
		if lines := connectionLines(head); lines != nil {
			response.Header["Connection"] = lines
		}
	}
	return response, err
}

// connectionLines reads a response's Connection field as net/http reads it.
func connectionLines(head []byte) []string {
	in := textproto.NewReader(bufio.NewReader(bytes.NewReader(head)))
	if _, err := in.ReadLine(); err != nil {
		return nil
	}
	h, _ := in.ReadMIMEHeader() // net/http has found no fault in it, or there is no response
	return h["Connection"]
}

// lastWords bounds how long an answer may take that an origin gave before it stopped to
// listen.
const lastWords = 2 * time.Second

type dialFunc func(ctx context.Context, network, address string) (net.Conn, error)

// recorded makes connections whose responses' heads are recorded.
func recorded(dial dialFunc) dialFunc {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := dial(ctx, network, address)
		if err != nil {
			return nil, err
		}
		return newHeadConn(conn), nil
	}
}

func newHeadConn(conn net.Conn) *headConn {
	c := &headConn{Conn: conn, ended: make(chan struct{})}
	c.on.Store(true) // a response may come before anybody has asked
	return c
}

// headConn records the head of one response at a time, from start to take, skipping
// interim ones. All else goes by untouched.
type headConn struct {
	net.Conn
	on atomic.Bool // there is something to record

	mu      sync.Mutex
	head    []byte
	scanned int // bytes of head that hold no end of it

	end   sync.Once
	ended chan struct{} // closed when nothing more can be read
	why   error         // of that; nil = it was closed here
}

// Read implements net.Conn.
func (c *headConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if n > 0 && c.on.Load() {
		c.record(p[:n])
	}
	if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
		c.ends(err)
	}
	return n, err
}

// Write implements net.Conn. An origin that has answered early and gone refuses what it is still
// sent: its answer, which is here already, is to be read before the failure is told.
func (c *headConn) Write(p []byte) (int, error) {
	n, err := c.Conn.Write(p)
	if errors.Is(err, syscall.EPIPE) || errors.Is(err, syscall.ECONNRESET) {
		late := time.NewTimer(lastWords)
		defer late.Stop()
		select {
		case <-c.ended:
		case <-late.C:
		}
	}
	return n, err
}

// Close implements net.Conn.
func (c *headConn) Close() error {
	c.ends(nil)
	return c.Conn.Close()
}

// lost is the error of a request whose connection has ended.
func (c *headConn) lost() error {
	if c.why == nil {
		return fmt.Errorf("%w: nothing to go on with", errProtocol)
	}
	return fmt.Errorf("proxy: connection to the origin: %w", c.why)
}

func (c *headConn) ends(err error) {
	c.end.Do(func() {
		c.why = err
		close(c.ended)
	})
}

// CloseWrite ends the sending direction, if the connection can do that.
func (c *headConn) CloseWrite() error { return closeWrite(c.Conn) }

// start begins with the next response. What a new connection has said before counts.
func (c *headConn) start(reused bool) {
	if !reused {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.head, c.scanned = nil, 0
	c.on.Store(true)
}

// take ends the recording.
func (c *headConn) take() []byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	head := c.head
	c.stopLocked(nil)
	return head
}

func (c *headConn) stopLocked(head []byte) {
	c.head, c.scanned = head, 0
	c.on.Store(false)
}

// record goes on until the head of a response is whole that is the last to its request.
func (c *headConn) record(b []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.on.Load() {
		return
	}
	begun := len(c.head) > 0
	if begun {
		b = append(c.head, b...)
	}
	for len(b) > 0 {
		if b[0] != 'H' || len(b) > maxHead+bufferSize { // TLS, or nothing that net/http would take
			c.stopLocked(nil)
			return
		}
		end := headEnd(b, c.scanned)
		switch {
		case end < 0:
			if !begun {
				b = bytes.Clone(b)
			}
			c.head, c.scanned = b, max(0, len(b)-2)
			return
		case !interim(b):
			c.stopLocked(bytes.Clone(b[:end]))
			return
		}
		b, c.scanned = b[end:], 0
	}
	c.head = nil
}

// headEnd finds where a head ends, behind its empty line; -1 = not yet. What lies
// before from has been looked at.
func headEnd(b []byte, from int) int {
	for {
		i := bytes.IndexByte(b[from:], '\n')
		if i < 0 {
			return -1
		}
		from += i + 1
		if rest := b[from:]; bytes.HasPrefix(rest, []byte("\n")) {
			return from + 1
		} else if bytes.HasPrefix(rest, []byte("\r\n")) {
			return from + 2
		}
	}
}

// interim reports whether a head is followed by another (RFC 9110 section 15.2).
func interim(head []byte) bool {
	_, status, _ := bytes.Cut(head, []byte(" "))
	status = bytes.TrimLeft(status, " ")
	return bytes.HasPrefix(status, []byte("1")) && !bytes.HasPrefix(status, []byte("101"))
}
