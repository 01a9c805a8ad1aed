package portmap

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/peerproxy/peerproxy/internal/addr"
)

// Errors of mappers. What they return wraps one of these or the error of the
// context, so that a caller can tell the user what to do.
var (
	// ErrNoGateway means that nothing on the network answered as a gateway that
	// could serve the request: mapping is switched off there, or there is no
	// gateway at all.
	ErrNoGateway = errors.New("no gateway answered")
	// ErrNoExternalAddress means that the gateway has no address towards the
	// internet: its line is down, or its provider's network translates addresses.
	ErrNoExternalAddress = errors.New("gateway has no external address")
	// ErrRefused means that the gateway answered and declined. The error is also a
	// [*FaultError] when the gateway gave a number.
	ErrRefused = errors.New("gateway refused")
	// ErrBadReply means that a gateway answered with something that is not valid,
	// or said that it had mapped the port and had not.
	ErrBadReply = errors.New("bad reply from gateway")
	// ErrBadRequest means that the [Request] itself makes no sense.
	ErrBadRequest = errors.New("bad mapping request")
)

// Protocol is the transport protocol of a mapping, by its IANA number.
type Protocol uint8

// The protocols that gateways map.
const (
	TCP Protocol = 6
	UDP Protocol = 17
)

// String returns "TCP" or "UDP", as UPnP spells them.
func (p Protocol) String() string {
	switch p {
	case TCP:
		return "TCP"
	case UDP:
		return "UDP"
	}
	return fmt.Sprintf("Protocol(%d)", uint8(p))
}

// Method names the protocol by which a mapping was made.
type Method string

// MethodUPnP is UPnP-IGD, whichever version of the service the gateway has.
const MethodUPnP Method = "UPnP-IGD"

// Request says what is to be mapped.
type Request struct {
	Protocol Protocol
	// InternalAddr is the only local address that may be mapped. Invalid (the zero
	// value) or unspecified means: whichever address this machine has towards the
	// gateway. It keeps a port that is open on one address alone from being mapped
	// to whatever else listens there on another.
	InternalAddr netip.Addr
	// InternalPort is the local port; it must not be 0.
	InternalPort uint16
	// ExternalPort is a wish; the gateway may give another. 0 means InternalPort.
	ExternalPort uint16
	// Lease is how long the mapping shall live without being renewed, counted in
	// whole seconds. 0 means [DefaultLease]. A gateway may give less, or know only
	// mappings that never end.
	Lease time.Duration
	// Description is what the gateway's own pages show. "" means a plain default.
	// Only printable ASCII of at most 64 bytes passes everywhere.
	Description string
}

// DefaultLease is asked for where a request names no lease. Long enough to spare
// the gateway, short enough that what a crash leaves behind does not stay long.
const DefaultLease = time.Hour

const (
	maxLease       = 7 * 24 * time.Hour // the most that WANIPConnection:2 allows
	maxDescription = 64
)

// Mapping is what a gateway has agreed to. It is a plain value; what it says may
// be stored and used for [Mapper.Unmap] by another process later.
type Mapping struct {
	Protocol Protocol
	// Internal is the address and port here that the gateway sends to.
	Internal netip.AddrPort
	// External is the address and port that the gateway says it listens on. The
	// address is always valid, but need not be public.
	External netip.AddrPort
	// Lease is the time granted, from when the mapping was made; 0 = without end.
	Lease  time.Duration
	Method Method
	// Gateway is the address of the gateway within the local network.
	Gateway netip.Addr
	// Location is the URL of a UPnP gateway's description; "" for other methods.
	Location string
}

// Public reports whether the external address is an ordinary address of the
// internet. If not, another address translation lies before this gateway and the
// mapping alone does not make the port reachable from outside.
func (m Mapping) Public() bool { return addr.Public(m.External.Addr()) }

// Mapper is one way to have ports mapped. Implementations are safe for
// concurrent use, and return soon after the context ends.
type Mapper interface {
	// Map asks for a mapping or renews the one that the same internal address and
	// port have already. The external port may differ from the one wished for.
	Map(ctx context.Context, req Request) (Mapping, error)
	// Unmap removes a mapping. One that has gone already, or belongs to another
	// machine by now, is not an error.
	Unmap(ctx context.Context, m Mapping) error
}

// normal returns the request with its defaults filled in.
func (r Request) normal() (Request, error) {
	if r.Protocol != TCP && r.Protocol != UDP {
		return r, fmt.Errorf("%w: protocol %v", ErrBadRequest, r.Protocol)
	}
	if r.InternalPort == 0 {
		return r, fmt.Errorf("%w: internal port 0", ErrBadRequest)
	}
	if r.Lease < 0 {
		return r, fmt.Errorf("%w: negative lease", ErrBadRequest)
	}
	if r.ExternalPort == 0 {
		r.ExternalPort = r.InternalPort
	}
	r.Lease = wholeLease(r.Lease)
	r.InternalAddr = r.InternalAddr.Unmap()
	if r.InternalAddr.IsUnspecified() {
		r.InternalAddr = netip.Addr{}
	}
	if r.Description = cleanDescription(r.Description); r.Description == "" {
		r.Description = "port mapping"
	}
	return r, nil
}

// wholeLease returns d as gateways count it: in whole seconds, at least one,
// because 0 would ask for a mapping that never ends.
func wholeLease(d time.Duration) time.Duration {
	if d == 0 {
		return DefaultLease
	}
	return max(time.Second, min(d, maxLease).Truncate(time.Second))
}

func cleanDescription(s string) string {
	clean := make([]byte, 0, maxDescription)
	for i := 0; i < len(s) && len(clean) < maxDescription; i++ {
		if c := s[i]; c >= ' ' && c <= '~' {
			clean = append(clean, c)
		}
	}
	return string(clean)
}

// accepts reports whether the request may be mapped to the local address.
func (r Request) accepts(local netip.Addr) bool {
	return !r.InternalAddr.IsValid() || r.InternalAddr == local
}
