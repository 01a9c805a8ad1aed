package proxy

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"time"
)

// Limits on what clients may do. Bodies have none: they stream.
const (
	readHeaderTimeout = 30 * time.Second
	idleTimeout       = 3 * time.Minute
	maxHeaderBytes    = 128 << 10
	maxTargetBytes    = 64 << 10
	maxFields         = 256
	shutdownTime      = 2 * time.Second
)

// Server returns an http.Server for the proxy, with limits on what clients may do.
// It answers malformed requests itself, as with 400. Only on connections of [Proxy.Serve]
// do such answers have Cache-Status and Proxy-Status, and is a request refused that some
// parser could take for two (RFC 9112 section 11.2).
func (p *Proxy) Server() *http.Server {
	return &http.Server{
		Handler:           http.HandlerFunc(p.answers),
		ConnContext:       withClientConn,
		ConnState:         followState,
		ReadHeaderTimeout: readHeaderTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeaderBytes,
		ErrorLog:          slog.NewLogLogger(p.log.Handler(), slog.LevelDebug),
		// "OPTIONS *" is a question to the proxy like any other.
		DisableGeneralOptionsHandler: true,
	}
}

// Serve accepts clients until ctx ends; then it gives running answers two seconds,
// breaks off what is left, closes the proxy and returns nil. It closes the listener
// in any case. The proxy refuses to connect to the listener's address.
func (p *Proxy) Serve(ctx context.Context, l net.Listener) error {
	p.own.add(l.Addr())
	server := p.Server()
	failed := make(chan error, 1)
	labelling := p.labelling(l)
	go func() { failed <- server.Serve(labelling) }()
	var err error
	select {
	case err = <-failed:
	case <-ctx.Done():
		labelling.ending.Store(true)
		p.storing.closing()
		grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownTime)
		defer cancel()
		var inside sync.WaitGroup
		inside.Go(func() { p.inside.shutdown(grace) })
		if server.Shutdown(grace) != nil {
			_ = server.Close()
		}
		inside.Wait()
		err = <-failed
	}
	_ = p.Close()
	if err != nil && !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("proxy: serve: %w", err)
	}
	return nil
}

// ownAddresses are those at which this proxy listens. It is safe for concurrent use.
type ownAddresses struct {
	mu   sync.Mutex
	list []netip.AddrPort
}

func (o *ownAddresses) add(a net.Addr) {
	tcp, ok := a.(*net.TCPAddr)
	if !ok {
		return
	}
	ap := tcp.AddrPort()
	o.mu.Lock()
	defer o.mu.Unlock()
	o.list = append(o.list, netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port()))
}

// has reports whether a connection to ap would end at this proxy.
func (o *ownAddresses) has(ap netip.AddrPort) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	ip := ap.Addr().Unmap()
	for _, own := range o.list {
		if own.Port() == ap.Port() && (own.Addr() == ip || own.Addr().IsUnspecified() && ofThisMachine(ip)) {
			return true
		}
	}
	return false
}

func ofThisMachine(ip netip.Addr) bool {
	if ip.IsLoopback() || ip.IsUnspecified() {
		return true
	}
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		return false
	}
	for _, a := range addrs {
		if prefix, err := netip.ParsePrefix(a.String()); err == nil && prefix.Addr().Unmap() == ip {
			return true
		}
	}
	return false
}
