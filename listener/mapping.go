package listener

import (
	"context"
	"net/netip"

	"github.com/peerproxy/peerproxy/listener/portmap"
)

// keepMapped keeps the port mapped until ctx ends.
func (l *Listener) keepMapped(ctx context.Context) {
	err := portmap.Keep(ctx, l.cfg.Mapper, portmap.Request{
		Protocol:     portmap.TCP,
		InternalAddr: l.addr.Addr(),
		InternalPort: l.addr.Port(),
		Lease:        l.cfg.Lease,
		Description:  l.cfg.Description,
	}, l.mappingChanged)
	if err != nil {
		l.cfg.Logger.Warn("listener: the mapping is left to its lease", "reason", portmap.Status{Err: err}.Reason())
		l.cfg.Logger.Debug("listener: removing the mapping failed", "error", err)
	}
}

// mappingChanged records what Keep reports, and logs it where it differs from
// before.
func (l *Listener) mappingChanged(now portmap.Status) {
	var before portmap.Status
	l.change(func() bool { before, l.mapping = l.mapping, now; return true })
	log := l.cfg.Logger
	switch {
	case now.State == before.State && now.Mapping.External == before.Mapping.External:
	case now.State == portmap.Mapped:
		log.Info("listener: port mapped", "method", string(now.Mapping.Method), "lease", now.Mapping.Lease, "public", now.Mapping.Public())
	case now.State == portmap.Unmapped:
		log.Info("listener: port not mapped, going on without", "reason", now.Reason())
	}
	if now.Err != nil {
		log.Debug("listener: mapping failed", "error", now.Err)
	}
}

// External returns the address and port that the gateway says it listens on for
// us, and whether it has mapped the port at all. What it says need not be true.
func (l *Listener) External() (netip.AddrPort, bool) {
	mapping := l.Status().Mapping
	return mapping.Mapping.External, mapping.State == portmap.Mapped
}

// Mapping describes to a person by what the port is mapped, or why it is not.
func (l *Listener) Mapping() string { return l.Status().Mapping.String() }
