package portmap

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"testing"
)

func TestSearchFindsTheGatewayAmongLiars(t *testing.T) {
	f := newFakeIGD(t, "igd1.xml")
	target := ssdpResponder(t,
		"garbage",
		ssdpReply("http://192.0.2.66/rootDesc.xml"),
		ssdpReply("http://127.0.0.1:1/nobody-there.xml"),
		strings.Replace(ssdpReply(f.location()), "InternetGatewayDevice", "MediaServer", 2),
		ssdpReply(f.location()),
		ssdpReply(f.location()),
	)
	broken := network{local: netip.MustParseAddr("192.0.2.1"), prefix: netip.MustParsePrefix("192.0.2.0/24"), target: target}
	m, err := searching(t, broken, loopbackNetwork(target)).Map(t.Context(), request)
	if err != nil {
		t.Fatal(err)
	}
	if m.Location != f.location() || f.count("GET") != 1 {
		t.Errorf("mapped at %q after reading %d descriptions", m.Location, f.count("GET"))
	}
}

// The public address is preferred although it answers last.
func TestSearchPrefersPublicAddress(t *testing.T) {
	inner, outer := newFakeIGD(t, "igd1.xml"), newFakeIGD(t, "igd2.xml")
	inner.external = "10.0.0.5"
	u := searching(t, loopbackNetwork(ssdpResponder(t, ssdpReply(inner.location()), ssdpReply(outer.location()))))
	m, err := u.Map(t.Context(), request)
	if err != nil || !m.Public() {
		t.Errorf("got %+v, %v", m, err)
	}
	if inner.count("AddPortMapping") != 0 {
		t.Error("mapped at both")
	}
}

func TestNoNetworkNoGateway(t *testing.T) {
	if _, err := searching(t).Map(t.Context(), request); !errors.Is(err, ErrNoGateway) {
		t.Errorf("error %v", err)
	}
	broken := network{local: netip.MustParseAddr("192.0.2.1")}
	if _, err := searching(t, broken).Map(t.Context(), request); !errors.Is(err, ErrNoGateway) {
		t.Errorf("network that can't be searched: %v", err)
	}
}

func TestParseReply(t *testing.T) {
	lan := network{local: netip.MustParseAddr("192.168.1.20"), prefix: netip.MustParsePrefix("192.168.1.0/24")}
	hosting := network{local: netip.MustParseAddr("11.0.0.20"), prefix: netip.MustParsePrefix("11.0.0.0/24")}
	good := ssdpReply("http://192.168.1.1:5000/rootDesc.xml")
	tests := []struct {
		name  string
		on    network
		from  string
		reply string
		ok    bool
	}{
		{"usual", lan, "192.168.1.1", good, true},
		{"version 2", lan, "192.168.1.1", strings.ReplaceAll(good, "Device:1", "Device:2"), true},
		{"no empty line at the end", lan, "192.168.1.1", strings.TrimSuffix(good, "\r\n\r\n"), true},
		{"bare line feeds", lan, "192.168.1.1", strings.ReplaceAll(good, "\r\n", "\n"), true},
		{"default port", lan, "192.168.1.1", ssdpReply("http://192.168.1.1/"), true},
		{"another host", lan, "192.168.1.9", good, false},
		{"described on a public host", lan, "192.168.1.1", ssdpReply("http://11.0.0.1/"), false},
		{"described on loopback", lan, "192.168.1.1", ssdpReply("http://127.0.0.1/"), false},
		{"described by name", lan, "192.168.1.1", ssdpReply("http://router.example/"), false},
		{"https", lan, "192.168.1.1", ssdpReply("https://192.168.1.1/"), false},
		{"user information", lan, "192.168.1.1", ssdpReply("http://root:root@192.168.1.1/"), false},
		{"file", lan, "192.168.1.1", ssdpReply("file:///etc/passwd"), false},
		{"long", lan, "192.168.1.1", ssdpReply("http://192.168.1.1/" + strings.Repeat("a", 1100)), false},
		{"from another network", lan, "192.168.2.1", ssdpReply("http://192.168.2.1/"), false},
		{"from loopback", lan, "127.0.0.1", ssdpReply("http://127.0.0.1/"), false},
		{"a neighbour with a public address", hosting, "11.0.0.1", ssdpReply("http://11.0.0.1/"), false},
		{"not found", lan, "192.168.1.1", strings.Replace(good, "200 OK", "404 Not Found", 1), false},
		{"another kind", lan, "192.168.1.1", strings.ReplaceAll(good, "InternetGatewayDevice", "Basic"), false},
		{"a search", lan, "192.168.1.1", string(searchRequest(ssdpGroup)), false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			loc, err := test.on.parseReply([]byte(test.reply), netip.MustParseAddr(test.from))
			if (err == nil) != test.ok {
				t.Errorf("got %+v, %v", loc, err)
			}
		})
	}
}

func TestOneDeviceCannotTakeAllPlaces(t *testing.T) {
	var seen seenLocations
	add := func(text string) bool {
		loc, gateway, err := parseLocation(text)
		if err != nil {
			t.Fatal(err)
		}
		return seen.add(location{url: loc, gateway: gateway})
	}
	for i := range 100 {
		if got := add(fmt.Sprintf("http://10.0.0.66/%d", i)); got != (i < maxPerGateway) {
			t.Errorf("location %d: %v", i, got)
		}
	}
	if !add("http://10.0.0.1/") || add("http://10.0.0.1/") {
		t.Error("another device, or the same one twice")
	}
	for i := range 100 {
		add(fmt.Sprintf("http://10.0.1.%d/", i))
	}
	if len(seen.list) != maxLocations {
		t.Errorf("%d locations", len(seen.list))
	}
}

func TestOnlyPrivateNetworksAreSearched(t *testing.T) {
	var addrs []net.Addr
	for _, text := range []string{"192.168.1.20/24", "11.0.0.20/24", "fe80::1/64", "10.1.2.3/8", "100.64.0.9/10"} {
		ip, ipnet, err := net.ParseCIDR(text)
		if err != nil {
			t.Fatal(err)
		}
		addrs = append(addrs, &net.IPNet{IP: ip, Mask: ipnet.Mask})
	}
	var got []string
	for _, n := range privateNetworks(addrs, 1) {
		got = append(got, n.local.String()+" in "+n.prefix.String())
	}
	if want := "192.168.1.20 in 192.168.1.0/24, 10.1.2.3 in 10.0.0.0/8, 100.64.0.9 in 100.64.0.0/10"; strings.Join(got, ", ") != want {
		t.Errorf("got %v, want %v", got, want)
	}
	if _, err := localNetworks(); err != nil {
		t.Error(err)
	}
}
