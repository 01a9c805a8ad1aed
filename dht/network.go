package dht

import (
	"net"
	"net/netip"

	"github.com/peerproxy/peerproxy/internal/addr"
)

// network is what one party can be assumed to own: an IPv4 address or an IPv6 /64.
// On loopback every port is a party of its own, as all of a laboratory's nodes live there.
type network struct {
	prefix netip.Prefix
	port   uint16
}

func networkOf(ap netip.AddrPort) network {
	ip := ap.Addr().Unmap().WithZone("")
	if ip.IsLoopback() {
		return network{netip.PrefixFrom(ip, ip.BitLen()), ap.Port()}
	}
	bits := 64
	if ip.Is4() {
		bits = 32
	}
	prefix, err := ip.Prefix(bits)
	if err != nil {
		return network{}
	}
	return network{prefix: prefix}
}

// mayPointAt reports whether ap is an address to send to, when it was learnt from source.
// Public nodes may name public addresses only: no stranger gets this machine to send
// packets into the networks that it stands in.
func mayPointAt(source netip.Addr, ap netip.AddrPort) bool {
	ip := ap.Addr().Unmap()
	if ap.Port() == 0 || !ip.IsValid() {
		return false
	}
	if addr.Public(ip) {
		return true
	}
	broadcast := ip == netip.AddrFrom4([4]byte{255, 255, 255, 255})
	return !ip.IsUnspecified() && !ip.IsMulticast() && !broadcast && !addr.Public(source)
}

// udpAddrPort converts what sockets return. The result is comparable: IPv4 is never
// mapped into IPv6.
func udpAddrPort(a net.Addr) (netip.AddrPort, bool) {
	udp, ok := a.(*net.UDPAddr)
	if !ok || udp == nil {
		return netip.AddrPort{}, false
	}
	ap := udp.AddrPort()
	ap = netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())
	return ap, ap.Addr().IsValid() && ap.Port() != 0
}

// plainAddrPort is the address of compact encodings (BEP 5: 4 bytes, BEP 32: 16), the zero
// value if ip is neither or port is none.
func plainAddrPort(ip net.IP, port int) netip.AddrPort {
	a, ok := netip.AddrFromSlice(ip)
	if !ok || port < 1 || port > 65535 {
		return netip.AddrPort{}
	}
	return netip.AddrPortFrom(a.Unmap(), uint16(port))
}
