package peer

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/gorilla/websocket"

	"github.com/peerproxy/peerproxy/internal/addr"
)

const (
	firstRest = 30 * time.Second // after the first failure; doubled with each further one
	maxRest   = 30 * time.Minute
)

// dialler knows what is being dialled, and what had better not be.
type dialler struct {
	failing table[netip.AddrPort, failure]
	shunned table[netip.AddrPort, struct{}]

	mu    sync.Mutex // guards calls
	calls map[netip.AddrPort]*dialCall
}

// failure is how often in a row an address failed, and when it may be tried again.
type failure struct {
	count int
	until time.Time
}

// dialCall is one dial, for all who wait for it. The results may be read once done is closed.
type dialCall struct {
	done    chan struct{}
	session *session
	err     error
}

// dialable reports whether ip may be dialled: what is public, and if private is
// permitted, loopback and private addresses.
func dialable(ip netip.Addr, private bool) bool {
	ip = ip.Unmap()
	return addr.Public(ip) || private && (ip.IsLoopback() || ip.IsPrivate())
}

// dialablePort: addresses come from strangers, by the DHT. Who announces others'
// mail or SSH servers could have many nodes knock there, so of the ports below 1024
// only those stay on which web servers are found anyway.
func dialablePort(port uint16) bool { return port >= 1024 || port == 443 || port == 80 }

func (w *Swarm) mayDial(a netip.AddrPort) bool {
	return dialable(a.Addr(), w.cfg.AllowPrivate) && dialablePort(a.Port())
}

func (d *dialler) shun(a netip.AddrPort, t time.Duration) { d.shunned.put(a, struct{}{}, t) }

// resting reports whether dials to a have failed so recently that it isn't worth to try.
func (d *dialler) resting(a netip.AddrPort) bool {
	if d.shunned.has(a) {
		return true
	}
	f, there := d.failing.get(a)
	return there && time.Now().Before(f.until)
}

// failed makes a rest, for longer each time.
func (d *dialler) failed(a netip.AddrPort) {
	d.failing.update(a, func(f failure) (failure, time.Duration) {
		rest := min(firstRest<<min(f.count, 16), maxRest)
		return failure{f.count + 1, time.Now().Add(rest)}, 2 * rest
	})
}

// connect returns the session with the peer at a, which it dials if there is none.
// Concurrent calls for one address share the dial, and it goes on if the caller's ctx ends.
func (w *Swarm) connect(ctx context.Context, a netip.AddrPort) (*session, error) {
	a = netip.AddrPortFrom(a.Addr().Unmap(), a.Port())
	if !w.mayDial(a) {
		return nil, ErrAddress
	}
	if s := w.sessions.dialledTo(a); s != nil {
		return s, nil
	}
	if w.dials.shunned.has(a) {
		return nil, ErrShunned
	}
	call, first := w.dials.join(a)
	if first {
		err := w.start(ctx, func(ctx context.Context) { w.dialAndRun(ctx, a, call) })
		if err != nil {
			w.dials.finish(a, call, nil, err)
		}
	}
	select {
	case <-call.done:
		return call.session, call.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (d *dialler) join(a netip.AddrPort) (call *dialCall, first bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if call, there := d.calls[a]; there {
		return call, false
	}
	if d.calls == nil {
		d.calls = make(map[netip.AddrPort]*dialCall)
	}
	call = &dialCall{done: make(chan struct{})}
	d.calls[a] = call
	return call, true
}

func (d *dialler) finish(a netip.AddrPort, call *dialCall, s *session, err error) {
	d.mu.Lock()
	delete(d.calls, a)
	d.mu.Unlock()
	call.session, call.err = s, err
	close(call.done)
}

// dialAndRun tells the waiting ones of the session as soon as there is one, and keeps it.
func (w *Swarm) dialAndRun(ctx context.Context, a netip.AddrPort, call *dialCall) {
	s, err := w.dial(ctx, a)
	if err == nil {
		if err = w.enter(s); err != nil {
			s.close(closeFull)
		}
	}
	switch {
	case err == nil:
		w.dials.failing.remove(a)
	case errors.Is(err, ErrSelf):
		w.dials.shun(a, w.cfg.Timeouts.Shun)
	case ctx.Err() == nil && !errors.Is(err, ErrFull):
		w.dials.failed(a)
	}
	if err != nil {
		w.log.Debug("dial", "address", a, "error", err)
		w.dials.finish(a, call, nil, err)
		return
	}
	var telling sync.WaitGroup
	telling.Go(func() { w.dials.finish(a, call, w.preferred(ctx, s), nil) })
	w.runSession(ctx, s)
	telling.Wait()
}

// dial opens a connection and proves the keys on it.
func (w *Swarm) dial(ctx context.Context, a netip.AddrPort) (*session, error) {
	ctx, cancel := context.WithTimeout(ctx, w.cfg.Timeouts.Handshake)
	defer cancel()
	var raw *rawConn
	d := websocket.Dialer{
		Proxy:           nil, // never through any proxy, which could be this very node
		TLSClientConfig: clientTLS(),
		ReadBufferSize:  ReadBufferSize,
		WriteBufferSize: BufferSize,
		Subprotocols:    []string{Subprotocol},
		NetDialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			ctx, cancel := context.WithTimeout(ctx, w.cfg.Timeouts.Dial)
			defer cancel()
			c, err := w.cfg.Dial(ctx, network, address)
			if err != nil {
				return nil, err
			}
			raw = &rawConn{Conn: c}
			return raw, nil
		},
	}
	//nolint:bodyclose // of an upgraded connection; the library gives it nothing to close
	ws, resp, err := d.DialContext(ctx, "wss://"+a.String()+"/", nil)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrHandshake, err)
	}
	if resp.Header.Get("Sec-WebSocket-Extensions") != "" {
		_ = ws.Close() // an extension that was not offered: RFC 6455 section 4.1
		return nil, fmt.Errorf("%w: extension", ErrHandshake)
	}
	raw.upgraded.Store(true)
	return w.establish(ctx, ws, roleDialler, a)
}
