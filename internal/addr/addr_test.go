package addr

import (
	"net/netip"
	"testing"
)

func TestPublic(t *testing.T) {
	for text, want := range map[string]bool{
		// Ordinary hosts, and the neighbours of special ranges.
		"1.1.1.1":              true,
		"8.8.8.8":              true,
		"9.255.255.255":        true,
		"11.0.0.0":             true,
		"100.63.255.255":       true,
		"100.128.0.0":          true,
		"172.15.255.255":       true,
		"172.32.0.0":           true,
		"192.0.1.0":            true,
		"192.167.255.255":      true,
		"198.17.255.255":       true,
		"198.20.0.0":           true,
		"223.255.255.255":      true,
		"2001:200::1":          true, // behind 2001::/23
		"2001:4860:4860::8888": true,
		"2606:4700:4700::1111": true,
		"2a00::1":              true,
		"::ffff:8.8.8.8":       true, // RFC 4291 section 2.5.5.2: IPv4-mapped

		"0.0.0.0":         false, // RFC 791: this network
		"0.1.2.3":         false,
		"10.1.2.3":        false, // RFC 1918: private
		"172.16.0.0":      false,
		"172.31.255.255":  false,
		"192.168.1.1":     false,
		"100.64.0.1":      false, // RFC 6598: shared
		"100.127.255.255": false,
		"127.0.0.1":       false, // RFC 1122: loopback
		"127.255.255.254": false,
		"169.254.169.254": false, // RFC 3927: link-local, and the metadata of clouds
		"192.0.0.8":       false, // RFC 6890: protocol assignments
		"192.0.2.1":       false, // RFC 5737: documentation
		"198.51.100.1":    false,
		"203.0.113.1":     false,
		"192.88.99.1":     false, // RFC 7526: 6to4 relay
		"198.18.0.1":      false, // RFC 2544: benchmarking
		"198.19.255.255":  false,
		"224.0.0.1":       false, // RFC 1112: multicast
		"239.255.255.250": false,
		"240.0.0.1":       false, // reserved
		"255.255.255.255": false, // broadcast

		"::":                     false, // RFC 4291: unspecified
		"::1":                    false, // loopback
		"::8.8.8.8":              false, // IPv4-compatible
		"::ffff:127.0.0.1":       false, // IPv4-mapped
		"::ffff:10.0.0.1":        false,
		"::ffff:169.254.169.254": false,
		"::ffff:0:7f00:1":        false, // RFC 2765: IPv4-translated
		"64:ff9b::7f00:1":        false, // RFC 6052: NAT64 of 127.0.0.1
		"64:ff9b:1::1":           false, // RFC 8215: local-use NAT64
		"100::1":                 false, // RFC 6666: discard
		"100:0:0:1::1":           false, // RFC 9780: dummy
		"2001::1":                false, // RFC 4380: Teredo
		"2001:2::1":              false, // RFC 5180: benchmarking
		"2001:10::1":             false, // RFC 4843: ORCHID
		"2001:20::1":             false, // RFC 7343: ORCHIDv2
		"2001:db8::1":            false, // RFC 3849: documentation
		"2002:7f00:1::1":         false, // RFC 3056: 6to4 of 127.0.0.1
		"3fff::1":                false, // RFC 9637: documentation
		"4000::1":                false, // not assigned
		"5f00::1":                false, // RFC 9602: SRv6
		"fc00::1":                false, // RFC 4193: unique local
		"fd12:3456:789a::1":      false,
		"fe80::1":                false, // RFC 4291: link-local
		"fe80::1%eth0":           false, // RFC 4007: zone
		"2a00::1%eth0":           false,
		"fec0::1":                false, // RFC 3879: site-local
		"ff02::1":                false, // multicast
		"ff0e::1":                false,
	} {
		if got := Public(netip.MustParseAddr(text)); got != want {
			t.Errorf("Public(%s) = %v, want %v", text, got, want)
		}
	}
	if Public(netip.Addr{}) {
		t.Error("no address at all is public")
	}
}

func TestNetwork(t *testing.T) {
	for text, want := range map[string]string{
		"8.8.8.8":                "8.8.8.8/32",
		"::ffff:8.8.8.8":         "8.8.8.8/32", // RFC 4291 section 2.5.5.2: IPv4-mapped
		"2a00:1450:4001:81b::1":  "2a00:1450:4001:81b::/64",
		"2a00:1450:4001:81b:f::": "2a00:1450:4001:81b::/64",
		"2a00:1450:4001:81c::1":  "2a00:1450:4001:81c::/64",
		"fe80::1%eth0":           "fe80::/64", // RFC 4007: zone
	} {
		if got := Network(netip.MustParseAddr(text)); got != netip.MustParsePrefix(want) {
			t.Errorf("Network(%s) = %v, want %s", text, got, want)
		}
	}
	if got := Network(netip.Addr{}); got.IsValid() {
		t.Errorf("Network of no address = %v", got)
	}
}
