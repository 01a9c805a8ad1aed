// Package portmap asks the gateway of a home network to send connections from
// outside on to a port of this machine.
//
// A [Mapper] is one way to ask. [UPnP] speaks to UPnP Internet Gateway Devices
// (services WANIPConnection 1 and 2 and WANPPPConnection 1); others, such as
// PCP (RFC 6887) and NAT-PMP (RFC 6886), fit behind the same two methods. [Keep]
// keeps one mapping alive as long as it runs: it renews the lease, follows a
// gateway that restarts or gets another external address, and takes the mapping
// away at the end.
//
// # What a mapping is worth
//
// A mapping is what a gateway says, no more. Gateways stand behind other
// gateways, and some say yes and do nothing. [Mapping.Public] being false shows
// that another address translation lies ahead; its being true proves nothing.
// Only a connection that really comes in from outside is proof.
//
// # Guarantees
//
// What answers a search is a stranger until proven otherwise. Only what has a
// private address on the searched network is taken for a gateway, its
// description and its control address must be on the very host that answered,
// redirects and HTTP proxies are not followed, replies are limited in size and
// time, and text from a gateway reaches neither log nor error unless it has been
// shortened and quoted. A mapping that another machine of the network holds is
// never replaced or removed knowingly.
//
// UPnP works for IPv4 alone; firewall pinholes for IPv6 are not asked for. The
// package has no state of its own: all of it is in the values it hands out.
package portmap
