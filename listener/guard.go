package listener

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"time"

	"github.com/peerproxy/peerproxy/internal/addr"
)

// guard is a net.Listener that bounds how many connections are in their
// handshake, in all and per address, and for how long. net/http has a timeout for
// each part of it, but none for the whole.
type guard struct {
	net.Listener
	maxAll, maxPerIP int
	timeout          time.Duration
	wrap             func(net.Conn) net.Conn

	mu   sync.Mutex
	open map[net.Conn]*handshake
	byIP map[netip.Prefix]int // handshakes by network
	idle chan struct{}        // closed when open gets empty; nil while nobody waits
}

// handshake is a connection whose handshake is not over.
type handshake struct {
	from  netip.Prefix
	timer *time.Timer // closes the connection
}

func newGuard(l net.Listener, cfg Config) *guard {
	return &guard{
		Listener: l, maxAll: cfg.MaxHandshakes, maxPerIP: cfg.MaxHandshakesPerIP, timeout: cfg.HandshakeTimeout, wrap: cfg.WrapConn,
		open: map[net.Conn]*handshake{}, byIP: map[netip.Prefix]int{},
	}
}

// Accept implements net.Listener. What exceeds the limits is closed unread.
func (g *guard) Accept() (net.Conn, error) {
	for {
		conn, err := g.Listener.Accept()
		if err != nil {
			return nil, err
		}
		conn = g.wrap(conn)
		if g.admit(conn) {
			return conn, nil
		}
		_ = conn.Close()
	}
}

func (g *guard) admit(conn net.Conn) bool {
	from := origin(conn.RemoteAddr())
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.open) >= g.maxAll || g.byIP[from] >= g.maxPerIP {
		return false
	}
	g.byIP[from]++
	g.open[conn] = &handshake{from: from, timer: time.AfterFunc(g.timeout, func() { _ = conn.Close() })}
	return true
}

// origin is the network that counts as one stranger; the zero Prefix where
// connections have no IP addresses.
func origin(a net.Addr) netip.Prefix {
	ap, _ := netip.ParseAddrPort(a.String())
	return addr.Network(ap.Addr())
}

// connState is the hook for http.Server: connections that were hijacked or
// closed are no longer in their handshake.
func (g *guard) connState(conn net.Conn, state http.ConnState) {
	if state == http.StateHijacked || state == http.StateClosed {
		g.release(raw(conn))
	}
}

func (g *guard) release(conn net.Conn) {
	g.mu.Lock()
	defer g.mu.Unlock()
	h := g.open[conn]
	if h == nil {
		return
	}
	h.timer.Stop()
	delete(g.open, conn)
	if g.byIP[h.from]--; g.byIP[h.from] == 0 {
		delete(g.byIP, h.from)
	}
	if len(g.open) == 0 && g.idle != nil {
		close(g.idle)
		g.idle = nil
	}
}

// heard stops the timer of a connection that talks plain HTTP: net/http's own
// timeouts govern it from here on.
func (g *guard) heard(conn net.Conn) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if h := g.open[conn]; h != nil {
		h.timer.Stop()
	}
}

// drained returns a channel that is closed once no handshake is open.
func (g *guard) drained() <-chan struct{} {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.idle == nil {
		g.idle = make(chan struct{})
	}
	idle := g.idle
	if len(g.open) == 0 {
		close(idle)
		g.idle = nil
	}
	return idle
}

// raw returns the connection as the guard has accepted it.
func raw(conn net.Conn) net.Conn {
	if c, ok := conn.(*tls.Conn); ok {
		return c.NetConn()
	}
	return conn
}

type connKey struct{}

// withConn puts the connection into the context of its requests.
func withConn(ctx context.Context, conn net.Conn) context.Context {
	return context.WithValue(ctx, connKey{}, raw(conn))
}

func connOf(r *http.Request) net.Conn {
	conn, _ := r.Context().Value(connKey{}).(net.Conn)
	return conn
}
