package peer

import (
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"sync"
	"time"
)

// memNet is a network in memory: listeners by address, connections with buffers and
// deadlines as TCP has them, and a latency. It works inside of a synctest bubble.
type memNet struct {
	latency time.Duration // each way

	mu        sync.Mutex
	listeners map[netip.AddrPort]*memListener
	dials     map[netip.AddrPort]int // attempts
	ports     uint16
}

func newMemNet() *memNet {
	return &memNet{
		listeners: make(map[netip.AddrPort]*memListener),
		dials:     make(map[netip.AddrPort]int),
		ports:     40000,
	}
}

func (n *memNet) listen(a netip.AddrPort) *memListener {
	l := &memListener{net: n, addr: a, conns: make(chan net.Conn), closed: make(chan struct{})}
	n.mu.Lock()
	n.listeners[a] = l
	n.mu.Unlock()
	return l
}

// dialFrom returns a dial function for the host with the given address.
func (n *memNet) dialFrom(ip netip.Addr) func(context.Context, string, string) (net.Conn, error) {
	return func(ctx context.Context, _, address string) (net.Conn, error) {
		to := netip.MustParseAddrPort(address)
		n.mu.Lock()
		l := n.listeners[to]
		n.dials[to]++
		n.ports++
		from := netip.AddrPortFrom(ip, n.ports)
		n.mu.Unlock()
		if l == nil {
			return nil, errors.New("connection refused")
		}
		a, b := memPipe(n.latency, from, to)
		select {
		case l.conns <- b:
			return a, nil
		case <-l.closed:
			return nil, errors.New("connection refused")
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

func (n *memNet) dialled(a netip.AddrPort) int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.dials[a]
}

type memListener struct {
	net    *memNet
	addr   netip.AddrPort
	conns  chan net.Conn
	once   sync.Once
	closed chan struct{}
}

func (l *memListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *memListener) Close() error {
	l.once.Do(func() { close(l.closed) })
	return nil
}

func (l *memListener) Addr() net.Addr { return net.TCPAddrFromAddrPort(l.addr) }

// memBuffer is how much one direction of a connection holds.
const memBuffer = 256 << 10

// memPipe returns the two ends of a connection.
func memPipe(latency time.Duration, from, to netip.AddrPort) (a, b net.Conn) {
	one, two := newMemHalf(latency), newMemHalf(latency)
	return &memConn{r: one, w: two, local: from, remote: to}, &memConn{r: two, w: one, local: to, remote: from}
}

type memConn struct {
	r, w          *memHalf
	local, remote netip.AddrPort
}

func (c *memConn) Read(p []byte) (int, error)  { return c.r.read(p) }
func (c *memConn) Write(p []byte) (int, error) { return c.w.write(p) }
func (c *memConn) LocalAddr() net.Addr         { return net.TCPAddrFromAddrPort(c.local) }
func (c *memConn) RemoteAddr() net.Addr        { return net.TCPAddrFromAddrPort(c.remote) }
func (c *memConn) Close() error {
	c.r.close(true)
	c.w.close(false)
	return nil
}
func (c *memConn) SetReadDeadline(t time.Time) error  { c.r.deadline(&c.r.readBy, t); return nil }
func (c *memConn) SetWriteDeadline(t time.Time) error { c.w.deadline(&c.w.writeBy, t); return nil }
func (c *memConn) SetDeadline(t time.Time) error {
	_ = c.SetReadDeadline(t)
	return c.SetWriteDeadline(t)
}

// memHalf is one direction.
type memHalf struct {
	latency time.Duration

	mu              sync.Mutex
	changed         *sync.Cond
	chunks          []memChunk
	size            int
	wclosed         bool // no more will be written
	rclosed         bool // nobody reads
	readBy, writeBy time.Time
}

type memChunk struct {
	data []byte
	due  time.Time
}

func newMemHalf(latency time.Duration) *memHalf {
	h := &memHalf{latency: latency}
	h.changed = sync.NewCond(&h.mu)
	return h
}

func (h *memHalf) wake() {
	h.mu.Lock()
	h.changed.Broadcast()
	h.mu.Unlock()
}

func (h *memHalf) wakeAt(t time.Time) { time.AfterFunc(time.Until(t), h.wake) }

func (h *memHalf) deadline(d *time.Time, t time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	*d = t
	h.changed.Broadcast()
	if !t.IsZero() {
		h.wakeAt(t)
	}
}

func past(t time.Time) bool { return !t.IsZero() && !time.Now().Before(t) }

func (h *memHalf) read(p []byte) (int, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for {
		switch {
		case h.rclosed:
			return 0, net.ErrClosed
		case past(h.readBy):
			return 0, os.ErrDeadlineExceeded
		case len(h.chunks) > 0 && past(h.chunks[0].due):
			c := &h.chunks[0]
			n := copy(p, c.data)
			if c.data = c.data[n:]; len(c.data) == 0 {
				h.chunks = h.chunks[1:]
			}
			h.size -= n
			h.changed.Broadcast()
			return n, nil
		case len(h.chunks) == 0 && h.wclosed:
			return 0, io.EOF
		}
		h.changed.Wait()
	}
}

func (h *memHalf) write(p []byte) (n int, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for n < len(p) {
		switch {
		case h.wclosed:
			return n, net.ErrClosed
		case h.rclosed:
			return n, errors.New("connection reset by peer")
		case past(h.writeBy):
			return n, os.ErrDeadlineExceeded
		case h.size < memBuffer:
			m := min(len(p)-n, memBuffer-h.size)
			due := time.Now().Add(h.latency)
			h.chunks = append(h.chunks, memChunk{append([]byte(nil), p[n:n+m]...), due})
			h.size += m
			n += m
			h.changed.Broadcast()
			if h.latency > 0 {
				h.wakeAt(due)
			}
			continue
		}
		h.changed.Wait()
	}
	return n, nil
}

func (h *memHalf) close(reader bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if reader {
		h.rclosed = true
	} else {
		h.wclosed = true
	}
	h.changed.Broadcast()
}
