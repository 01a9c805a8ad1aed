package portmap

import (
	"context"
	"fmt"
	"iter"
	"net/netip"
	"sync"
)

// candidate is a service and the external address that it has told. If it told
// none, it comes with an error and can't be mapped at; service is nil where there
// is no such thing.
type candidate struct {
	*service
	external netip.Addr
}

type probeResult struct {
	candidate
	err error
}

// candidates asks all gateways at once, so that a slow or lying one does not hold
// up the others, and yields them as they answer.
func candidates(ctx context.Context, locate locator) iter.Seq2[candidate, error] {
	return func(yield func(candidate, error) bool) {
		ctx, cancel := context.WithCancel(ctx)
		results := make(chan probeResult)
		var probes sync.WaitGroup
		probes.Go(func() {
			for loc, err := range locate(ctx) {
				probes.Go(func() { loc.probe(ctx, err, results) })
			}
		})
		go func() { probes.Wait(); close(results) }()
		defer func() {
			cancel()
			for range results { // ends once all probes are done
			}
		}()
		for r := range results {
			if !yield(r.candidate, r.err) {
				return
			}
		}
	}
}

// locator looks for places where gateways may be described. What it yields with an
// error can't be used.
type locator func(ctx context.Context) iter.Seq2[location, error]

// locator returns the configured location, or a search where the request permits.
func (u *UPnP) locator(req Request) locator {
	if u.fixed != nil {
		return only(u.fixed.towards(req))
	}
	networks, err := u.networks()
	if err != nil {
		return only(location{}, fmt.Errorf("%w: %w", ErrNoGateway, err))
	}
	var asked []network
	for _, n := range networks {
		if req.accepts(n.local) {
			asked = append(asked, n)
		}
	}
	return func(ctx context.Context) iter.Seq2[location, error] { return search(ctx, asked) }
}

// recorded returns the location that is written in the mapping.
func (m Mapping) recorded(req Request) locator {
	loc, gateway, err := parseLocation(m.Location)
	if err != nil || gateway != m.Gateway {
		return only(location{}, fmt.Errorf("%w: mapping names no gateway", ErrBadRequest))
	}
	return only(location{url: loc, gateway: gateway}.towards(req))
}

func only(l location, err error) locator {
	return func(context.Context) iter.Seq2[location, error] {
		return func(yield func(location, error) bool) { yield(l, err) }
	}
}

// towards completes a given location with our own address.
func (l location) towards(req Request) (location, error) {
	local, err := localTo(l.gateway)
	if err != nil {
		return l, fmt.Errorf("%w: %w", ErrNoGateway, err)
	}
	if !req.accepts(local) {
		return l, fmt.Errorf("%w: it is not reached from the address to map", ErrNoGateway)
	}
	l.local = local
	return l, nil
}

// probe sends the services at the location, or the error that it is given or
// meets.
func (l location) probe(ctx context.Context, err error, results chan<- probeResult) {
	send := func(r probeResult) {
		select {
		case results <- r:
		case <-ctx.Done():
		}
	}
	var list []*service
	if err == nil {
		list, err = l.describe(ctx)
	}
	if err != nil {
		send(probeResult{err: err})
		return
	}
	for _, s := range list {
		external, err := s.external(ctx)
		send(probeResult{candidate{s, external}, err})
	}
}
