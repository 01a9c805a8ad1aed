package node

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/peerproxy/peerproxy/control"
	"github.com/peerproxy/peerproxy/listener"
	"github.com/peerproxy/peerproxy/listener/portmap"
)

// drainTime is how long open requests may go on after the node was told to stop.
const drainTime = 2 * time.Second

// Run runs the node until ctx ends or a part of it fails, and stops it in order: no new
// requests, open ones finished or broken off, connections and mappings closed, the store
// last. A stop that ctx asked for is no error. Run may be called once.
func (n *Node) Run(ctx context.Context) (err error) {
	defer close(n.ended)
	defer func() { err = errors.Join(err, n.close(), removeReady(n.cfg.ReadyFile)) }()

	group, ctx := errgroup.WithContext(ctx)
	for name, serve := range n.services() {
		group.Go(func() error {
			err := serve(ctx)
			if err == nil || ctx.Err() != nil && errors.Is(err, context.Canceled) {
				return nil
			}
			return fmt.Errorf("%s: %w", name, err)
		})
	}
	if n.cfg.ReadyFile != "" {
		group.Go(func() error { return writeReady(n.cfg.ReadyFile, n.Addresses()) })
	}
	return group.Wait()
}

func (n *Node) services() map[string]func(context.Context) error {
	services := map[string]func(context.Context) error{
		"dht":   n.dht.Run,
		"peers": n.servePeers,
		"proxy": func(ctx context.Context) error { return n.proxy.Serve(ctx, n.proxySocket) },
		"control": func(ctx context.Context) error {
			return serveHTTP(ctx, &http.Server{Handler: n.controlHandler(), ReadHeaderTimeout: 10 * time.Second}, n.controlSocket)
		},
	}
	if n.cfg.Share != ShareOff {
		services["announcer"] = n.announcer.Run
		services["epochs"] = n.rotation.Run
	}
	if n.mapper != nil {
		services["port mapping"] = n.mapDHT
		services["port changes"] = n.announceAgain
	}
	return services
}

// servePeers runs the swarm. The listener is closed as soon as ctx ends, so that its
// mapping goes while the rest of the node stops.
func (n *Node) servePeers(ctx context.Context) error {
	closed := make(chan error, 1)
	stop := context.AfterFunc(ctx, func() { closed <- n.listener.Close() })
	err := n.swarm.Run(ctx, n.listener)
	if stop() {
		return err
	}
	if errors.Is(err, listener.ErrClosed) { // as it was told to
		err = nil
	}
	return errors.Join(err, <-closed)
}

// mapDHT keeps the DHT's UDP port open on the gateway; the listener does so for its own.
func (n *Node) mapDHT(ctx context.Context) error {
	for _, address := range n.dht.Addrs() {
		if address.Addr().Unmap().Is4() { // UPnP maps no other
			err := portmap.Keep(ctx, n.mapper, portmap.Request{
				Protocol: portmap.UDP, InternalAddr: address.Addr().Unmap(), InternalPort: address.Port(), ExternalPort: address.Port(),
				Description: "peerproxy DHT",
			}, nil)
			if err != nil { // the gateway has gone, or kept the mapping: nothing that this node could mend
				n.cfg.Logger.Warn("port mapping of the DHT was not removed", "error", err)
			}
			return nil
		}
	}
	return nil
}

func (n *Node) controlHandler() http.Handler {
	return control.Handler(control.Config{
		Store: n.store, Status: n.Status, Policy: n.policy(), Fetch: n.fetch,
		Bypassed: n.bypassed, Unbypass: n.unbypass, ReloadTrust: n.ReloadTrust, WhyShared: n.whyShared, Logger: n.cfg.Logger,
	})
}

// serveHTTP serves until ctx ends, and lets open requests finish for a moment.
func serveHTTP(ctx context.Context, s *http.Server, l net.Listener) error {
	stopped := make(chan error, 1)
	stop := context.AfterFunc(ctx, func() {
		drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTime)
		defer cancel()
		err := s.Shutdown(drain)
		if errors.Is(err, context.DeadlineExceeded) {
			err = s.Close()
		}
		stopped <- err
	})
	err := s.Serve(l)
	if stop() { // it ended by itself
		return err
	}
	return <-stopped
}
