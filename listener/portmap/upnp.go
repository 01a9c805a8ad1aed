package portmap

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"net/netip"
	"sync"
)

// Config configures a [UPnP] mapper. The zero value searches all networks
// with a private IPv4 address.
type Config struct {
	// Location is the URL of a gateway's device description, with an IP address as
	// host. If set, that gateway is used, whatever its address, and nothing is
	// searched for. "" = search by SSDP.
	Location string
	// Logger receives debug messages alone; nil discards them.
	Logger *slog.Logger
}

// UPnP maps ports by UPnP-IGD. It is safe for concurrent use. A gateway that has
// served once is asked directly the next time, so that one value should serve
// all mappings of a process.
type UPnP struct {
	fixed    *location // from Config.Location
	logger   *slog.Logger
	networks func() ([]network, error) // localNetworks, but for tests

	mu   sync.Mutex
	last *service // that mapped a port; nil = none yet
}

// NewUPnP returns a mapper. It does no I/O; an error means that the
// configuration is wrong.
func NewUPnP(cfg Config) (*UPnP, error) {
	u := &UPnP{logger: cfg.Logger, networks: localNetworks}
	if u.logger == nil {
		u.logger = slog.New(slog.DiscardHandler)
	}
	if cfg.Location != "" {
		loc, gateway, err := parseLocation(cfg.Location)
		if err != nil {
			return nil, fmt.Errorf("portmap: gateway location %q must be http://IP-ADDRESS:PORT/…", cfg.Location)
		}
		u.fixed = &location{url: loc, gateway: gateway}
	}
	return u, nil
}

// Map implements [Mapper]. It takes up to about ten seconds when gateways are slow;
// some three when nothing answers.
func (u *UPnP) Map(ctx context.Context, req Request) (Mapping, error) {
	req, err := req.normal()
	if err != nil {
		return Mapping{}, fmt.Errorf("portmap: %w", err)
	}
	if s := u.recall(); s != nil && req.accepts(s.local) {
		m, err := u.mapBy(ctx, s, req)
		if err == nil {
			return m, nil
		}
		u.forget(s)
		u.logger.Debug("portmap: known gateway failed", "error", err)
	}
	m, err := u.mapByAny(ctx, req)
	if err != nil {
		return Mapping{}, fmt.Errorf("portmap: upnp: %w", err)
	}
	return m, nil
}

// mapByAny finds gateways and has the first map that agrees. One whose external
// address is not public has to wait until no better is left.
func (u *UPnP) mapByAny(ctx context.Context, req Request) (Mapping, error) {
	var failed []error
	var spare []candidate
	for c, err := range candidates(ctx, u.locator(req)) {
		if err != nil {
			failed = append(failed, err)
			continue
		}
		if !(Mapping{External: netip.AddrPortFrom(c.external, 0)}).Public() {
			spare = append(spare, c)
			continue
		}
		m, err := u.mapAt(ctx, c, req)
		if err == nil {
			return m, nil
		}
		failed = append(failed, err)
	}
	for _, c := range spare {
		m, err := u.mapAt(ctx, c, req)
		if err == nil {
			return m, nil
		}
		failed = append(failed, err)
	}
	return Mapping{}, noneMapped(ctx, failed)
}

func noneMapped(ctx context.Context, failed []error) error {
	if err := ctx.Err(); err != nil {
		return context.Cause(ctx)
	}
	if err := errors.Join(failed...); err != nil {
		return err
	}
	return ErrNoGateway
}

// mapBy maps at a known gateway, whose external address is asked for again.
func (u *UPnP) mapBy(ctx context.Context, s *service, req Request) (Mapping, error) {
	external, err := s.external(ctx)
	if err != nil {
		return Mapping{}, err
	}
	return u.mapAt(ctx, candidate{s, external}, req)
}

func (u *UPnP) mapAt(ctx context.Context, c candidate, req Request) (Mapping, error) {
	m, err := c.mapPort(ctx, req, c.external)
	if err == nil {
		u.remember(c.service)
	}
	return m, err
}

// Unmap implements [Mapper]. The gateway is the one in the mapping; if it is no
// longer described where it was, it is searched for.
func (u *UPnP) Unmap(ctx context.Context, m Mapping) error {
	if m.Method != MethodUPnP {
		return fmt.Errorf("portmap: upnp: %w: mapping was made by %q", ErrBadRequest, m.Method)
	}
	if s := u.recall(); s != nil && s.location == m.Location {
		if _, err := s.remove(ctx, m.Protocol, m.Internal, m.External.Port()); err == nil {
			return nil
		}
	}
	req := Request{InternalAddr: m.Internal.Addr()}
	err := unmapAt(ctx, candidates(ctx, m.recorded(req)), m)
	if err != nil && ctx.Err() == nil {
		err = unmapAt(ctx, candidates(ctx, u.locator(req)), m)
	}
	if err != nil {
		return fmt.Errorf("portmap: upnp: unmap: %w", err)
	}
	return nil
}

// unmapAt removes the mapping from whichever of the candidates has it. One that
// was asked and has it not is success, unless a better answer comes.
func unmapAt(ctx context.Context, list iter.Seq2[candidate, error], m Mapping) error {
	var failed []error
	absent := false
	for c, err := range list {
		if c.service == nil || c.gateway != m.Gateway {
			failed = append(failed, err)
			continue
		}
		removed, err := c.remove(ctx, m.Protocol, m.Internal, m.External.Port())
		if removed {
			return nil
		}
		absent = absent || err == nil
		failed = append(failed, err)
	}
	if absent {
		return nil
	}
	return noneMapped(ctx, failed)
}

func (u *UPnP) recall() *service {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.last
}

func (u *UPnP) remember(s *service) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.last = s
}

func (u *UPnP) forget(s *service) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.last == s {
		u.last = nil
	}
}
