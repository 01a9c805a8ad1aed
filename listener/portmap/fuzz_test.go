package portmap

import (
	"net/netip"
	"os"
	"path/filepath"
	"testing"
)

// Whatever a datagram says, the search leads nowhere but to its sender.
func FuzzParseReply(f *testing.F) {
	f.Add([]byte(ssdpReply("http://192.168.1.1:5000/rootDesc.xml")), "192.168.1.1")
	f.Add([]byte(ssdpReply("http://[::ffff:192.168.1.1]/")), "192.168.1.1")
	f.Add([]byte(ssdpReply("http://192.168.1.1@192.0.2.66/")), "192.168.1.1")
	f.Add([]byte("NOTIFY * HTTP/1.1\r\nNTS: ssdp:alive\r\n"), "192.168.1.9")
	f.Add(searchRequest(ssdpGroup), "127.0.0.1")
	lan := network{local: netip.MustParseAddr("192.168.1.20"), prefix: netip.MustParsePrefix("192.168.1.0/24")}
	f.Fuzz(func(t *testing.T, datagram []byte, sender string) {
		from, err := netip.ParseAddr(sender)
		if err != nil {
			t.Skip()
		}
		loc, err := lan.parseReply(datagram, from)
		if err != nil {
			return
		}
		host, err := netip.ParseAddr(loc.url.Hostname())
		if err != nil || host.Unmap() != from || loc.gateway != from || loc.url.Scheme != "http" || !lan.prefix.Contains(from) {
			t.Errorf("from %v to %v", from, loc.url)
		}
	})
}

// Whatever a description says, all services are controlled on the gateway.
func FuzzParseDescription(f *testing.F) {
	files, err := filepath.Glob("testdata/*.xml")
	if err != nil || len(files) == 0 {
		f.Fatalf("no seeds: %v", err)
	}
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
	}
	url, gateway, err := parseLocation("http://192.168.1.1:5000/rootDesc.xml")
	if err != nil {
		f.Fatal(err)
	}
	loc := location{url: url, gateway: gateway, local: netip.MustParseAddr("192.168.1.20")}
	f.Fuzz(func(t *testing.T, text []byte) {
		if len(text) > maxReply {
			t.Skip()
		}
		root, err := parseDescription(text, loc.url)
		if err != nil {
			return
		}
		list := loc.services(root, newHTTPClient(loc.gateway, loc.local))
		if len(list) > maxServices {
			t.Errorf("%d services", len(list))
		}
		for _, s := range list {
			control := s.GetServiceClient().SOAPClient.EndpointURL
			host, err := netip.ParseAddr(control.Hostname())
			if err != nil || host.Unmap() != gateway || control.Scheme != "http" {
				t.Errorf("control at %v", control.String())
			}
		}
	})
}
