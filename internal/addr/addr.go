package addr

import "net/netip"

// special lists what is not globally reachable, or not a single host. IPv4-mapped
// addresses are unmapped before they are looked up; 6to4 and Teredo carry an IPv4
// address that could be a private one, so they are special as a whole.
var special = prefixes(
	"0.0.0.0/8",       // this network, RFC 791
	"10.0.0.0/8",      // private, RFC 1918
	"100.64.0.0/10",   // shared (CGNAT), RFC 6598
	"127.0.0.0/8",     // loopback
	"169.254.0.0/16",  // link-local, RFC 3927
	"172.16.0.0/12",   // private
	"192.0.0.0/24",    // protocol assignments, RFC 6890
	"192.0.2.0/24",    // documentation, RFC 5737
	"192.88.99.0/24",  // 6to4 relay, deprecated, RFC 7526
	"192.168.0.0/16",  // private
	"198.18.0.0/15",   // benchmarking, RFC 2544
	"198.51.100.0/24", // documentation
	"203.0.113.0/24",  // documentation
	"224.0.0.0/4",     // multicast
	"240.0.0.0/4",     // reserved and broadcast
	"2001::/23",       // protocol assignments, Teredo among them
	"2001:db8::/32",   // documentation, RFC 3849
	"2002::/16",       // 6to4
	"3fff::/20",       // documentation, RFC 9637
)

// globalUnicast is the only part of IPv6 that is assigned for general use (RFC 4291
// section 2.4, IANA's IPv6 address space registry). Outside of it are loopback,
// link-local, unique local, multicast, and NAT64 and other translations of IPv4.
var globalUnicast = netip.MustParsePrefix("2000::/3")

// Public reports whether ip is an ordinary, globally reachable unicast address.
// Invalid addresses and those with a zone are not.
func Public(ip netip.Addr) bool {
	if !ip.IsValid() || ip.Zone() != "" {
		return false
	}
	ip = ip.Unmap()
	if ip.Is6() && !globalUnicast.Contains(ip) {
		return false
	}
	for _, p := range special {
		if p.Contains(ip) {
			return false
		}
	}
	return true
}

// Network is what counts as one stranger where addresses are limited: an IPv4
// address, or an IPv6 /64, since whoever has one address of it has all (RFC 4291
// section 2.5.1, RFC 6177). For an invalid address it is the zero Prefix.
func Network(ip netip.Addr) netip.Prefix {
	ip = ip.Unmap().WithZone("")
	network, _ := ip.Prefix(min(ip.BitLen(), 64))
	return network
}

func prefixes(texts ...string) []netip.Prefix {
	list := make([]netip.Prefix, len(texts))
	for i, text := range texts {
		list[i] = netip.MustParsePrefix(text)
	}
	return list
}
