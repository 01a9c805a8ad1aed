package proxy

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/textproto"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

const (
	// maxHead bounds how much of a response is recorded, in bytes; net/http accepts no
	// longer one.
	maxHead = 256 << 10
	// lastWords bounds how long an answer may take that an origin gave before it stopped
	// to listen.
	lastWords = 2 * time.Second
)

func newHeadConn(conn net.Conn, idle time.Duration) *headConn {
	return &headConn{Conn: conn, idle: idle, ended: make(chan struct{}), now: &heard{}}
}

// headConn watches the responses on a connection, one after the other. It records their heads, from
// start to take, skipping interim ones, and lets nothing through that comes behind a
// response before there is another request: net/http would take it for the answer to
// the next, if that is quick.
type headConn struct {
	net.Conn
	idle  time.Duration // how long a Write may take
	blind atomic.Bool   // what comes is nothing to watch
	armed atomic.Bool   // the next Write begins a request

	mu      sync.Mutex
	now     *heard // whose response comes
	next    *heard // whose request begins with the next Write
	head    []byte
	scanned int  // bytes of head that hold no end of it
	whole   bool // head is
	content framing
	last    bool // this response is the last to be trusted
	spoilt  bool // more has come than there should be

	end   sync.Once
	ended chan struct{} // closed when nothing more can be read
	why   error         // of that; nil = it was closed here
}

// heard is what came back to one request. Each has its own: net/http gives a connection to the
// next request while the last one may not have looked at its response yet. The
// connection's lock guards it.
type heard struct {
	method string
	head   responseHead
}

// responseHead is what net/http does not tell of a response.
type responseHead struct {
	major, minor, status int
	fields               textproto.MIMEHeader
	longest              int // bytes of the longest line
}

// faulty reports whether a response is of another version than this connection has, or
// has a framing that its version does not know (RFC 9112 section 6.1).
func (h responseHead) faulty() bool {
	return h.fields != nil && (h.major != 1 || h.minor == 0 && h.fields["Transfer-Encoding"] != nil)
}

// ambiguous reports whether a response is framed in two ways. One of them counts, but the
// connection is not to be used again (RFC 9112 section 6.1).
func (h responseHead) ambiguous() bool {
	return h.fields["Transfer-Encoding"] != nil && h.fields["Content-Length"] != nil
}

// readHead reads a head as net/http does, which has found no fault in it, or there is no response.
func readHead(head []byte) (h responseHead) {
	for line := range bytes.SplitSeq(head, []byte("\n")) {
		h.longest = max(h.longest, len(line))
	}
	in := textproto.NewReader(bufio.NewReader(bytes.NewReader(head)))
	line, _ := in.ReadLine()
	h.fields, _ = in.ReadMIMEHeader()
	version, rest, _ := strings.Cut(line, " ")
	h.major, h.minor, _ = http.ParseHTTPVersion(version)
	status, _, _ := strings.Cut(strings.TrimLeft(rest, " "), " ")
	h.status, _ = strconv.Atoi(status)
	return h
}

// Read implements net.Conn.
func (c *headConn) Read(p []byte) (int, error) {
	if c.isSpoilt() {
		return 0, errSurplus
	}
	n, err := c.Conn.Read(p)
	if n > 0 && !c.blind.Load() {
		if n = c.watch(p[:n]); n == 0 {
			err = errSurplus
		}
	}
	if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
		c.ends(err)
	}
	return n, err
}

func (c *headConn) isSpoilt() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.spoilt
}

// Write implements net.Conn. An origin that has answered early and gone refuses what it
// is still sent: its answer, which is here already, is to be read before the failure is
// told.
func (c *headConn) Write(p []byte) (int, error) {
	if c.armed.CompareAndSwap(true, false) {
		c.expect()
	}
	_ = c.SetWriteDeadline(time.Now().Add(c.idle))
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

// CloseWrite ends the sending direction, if the connection can do that.
func (c *headConn) CloseWrite() error { return closeWrite(c.Conn) }

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

// start says that a request comes next. What a new connection has said before counts.
func (c *headConn) start(method string, reused bool) *heard {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.armed.Store(reused)
	if reused {
		c.next = &heard{method: method}
		return c.next
	}
	c.now.method = method
	return c.now
}

// expect begins with the next response.
func (c *headConn) expect() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.next != nil {
		c.now, c.next = c.next, nil
	}
	c.head, c.scanned, c.whole = nil, 0, false
}

// take is the head of a response, as far as it has come.
func (c *headConn) take(h *heard) responseHead {
	c.mu.Lock()
	defer c.mu.Unlock()
	if h == c.now && !c.whole && c.head != nil {
		return readHead(c.head)
	}
	return h.head
}

// watch returns how many of the bytes that have come are for the reader.
func (c *headConn) watch(b []byte) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	content := b
	if !c.whole {
		content = c.recordLocked(b)
	}
	if !c.whole || c.blind.Load() {
		return len(b)
	}
	n := c.content.pass(content)
	c.spoilt = c.spoilt || n < len(content) || c.last && c.content.at == atEnd
	return len(b) - len(content) + n
}

// recordLocked goes on until the head of a response is whole that is the last to its
// request, and returns what came behind it.
func (c *headConn) recordLocked(b []byte) []byte {
	begun := len(c.head) > 0
	if begun {
		b = append(c.head, b...)
	}
	for len(b) > 0 {
		if b[0] != 'H' || len(b) > maxHead+bufferSize { // nothing that net/http would take
			c.head = nil
			c.blind.Store(true)
			return nil
		}
		end := headEnd(b, c.scanned)
		switch {
		case end < 0:
			if !begun {
				b = bytes.Clone(b)
			}
			c.head, c.scanned = b, max(0, len(b)-2)
			return nil
		case !interim(b):
			c.beginLocked(b[:end], !begun)
			return b[end:]
		}
		b, c.scanned = b[end:], 0
	}
	c.head = nil
	return nil
}

// beginLocked goes from the head to the content. The head may be changed if the reader has
// not seen any of it.
func (c *headConn) beginLocked(head []byte, unseen bool) {
	got := readHead(head)
	if unseen && got.codedByNoName() {
		hideFraming(head)
		delete(got.fields, "Transfer-Encoding")
		delete(got.fields, "Content-Length")
	}
	c.now.head, c.head, c.scanned, c.whole = got, nil, 0, true
	c.content, c.last = framingOf(c.now.method, got), got.ambiguous()
	if got.status == http.StatusSwitchingProtocols {
		c.blind.Store(true)
	}
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
