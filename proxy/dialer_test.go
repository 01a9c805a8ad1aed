package proxy

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"

	"golang.org/x/net/dns/dnsmessage"
)

func TestPublic(t *testing.T) {
	d := &Dialer{Resolve: []Resolve{{Host: "demo.internal", Port: 80}, {Host: "127.0.0.1", Port: 8080}}}
	for host, want := range map[string]bool{
		"example.com": true, "www.example.com.": true, "9.9.9.9": true, "2606:4700::1111": true, "xn--bcher-kva.example": true,
		"demo.internal": true, "DEMO.internal.": true, "127.0.0.1": true, // by rule
		"localhost": false, "LOCALHOST": false, "a.localhost": false, "printer.local": false, "printer.local.": false, "intranet": false, "": false,
		"127.0.0.2": false, "10.0.0.1": false, "192.168.0.1": false, "169.254.169.254": false, "100.64.0.1": false, "::1": false, "fd00::1": false,
		"::ffff:127.0.0.2": false, "0.0.0.0": false, "fe80::1%eth0": false, "host.home.arpa": false, "x.lan": false, "x.onion": false, "x.test": false,
		"127.1": false, "0x7f.1": false, "1.2.3.4.5": false, "2130706433": false,
	} {
		if got := d.Public(host); got != want {
			t.Errorf("%q: %v, want %v", host, got, want)
		}
	}
}

// dnsServer answers all questions for A with the next of the addresses.
func dnsServer(t *testing.T, addrs ...string) *net.Resolver {
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	t.Cleanup(func() { conn.Close(); <-done })
	var asked atomic.Int32
	go func() {
		defer close(done)
		buf := make([]byte, 1500)
		for {
			n, from, err := conn.ReadFrom(buf)
			if err != nil {
				return
			}
			var m dnsmessage.Message
			if m.Unpack(buf[:n]) != nil || len(m.Questions) != 1 {
				continue
			}
			m.Response = true
			if m.Questions[0].Type == dnsmessage.TypeA {
				ip := netip.MustParseAddr(addrs[min(int(asked.Add(1)), len(addrs))-1])
				m.Answers = []dnsmessage.Resource{{
					Header: dnsmessage.ResourceHeader{Name: m.Questions[0].Name, Class: dnsmessage.ClassINET},
					Body:   &dnsmessage.AResource{A: ip.As4()},
				}}
			}
			m.Additionals = nil
			reply, _ := m.Pack()
			_, _ = conn.WriteTo(reply, from)
		}
	}()
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "udp", conn.LocalAddr().String())
	}}
}

// A name that pointed to a public address when it was looked at, and to a private one
// when it is dialled: only the second counts.
func TestRebinding(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	_, port, _ := net.SplitHostPort(listener.Addr().String())
	resolver := dnsServer(t, "9.9.9.9", "127.0.0.1")
	if addrs, err := resolver.LookupHost(t.Context(), "rebind.example.com"); err != nil || addrs[0] != "9.9.9.9" {
		t.Fatal(addrs, err)
	}
	address := net.JoinHostPort("rebind.example.com", port)
	if _, err := (&Dialer{Resolver: resolver}).DialContext(t.Context(), "tcp", address); !errors.Is(err, ErrForbiddenAddress) {
		t.Errorf("got %v", err)
	}
	conn, err := (&Dialer{Resolver: resolver, AllowPrivate: true}).DialContext(t.Context(), "tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	conn.Close()
	// Through the proxy: a clear answer, and nothing stored.
	l := newLab(t, nil, nil)
	l.proxy.dialer.Resolver = resolver
	l.get("http://"+address+"/").want(t, 403, "*", "proxy:error=destination_ip_prohibited")
}

// An answer that came from a private address is not public, whatever its name.
func TestPrivateAnswerIsNotShared(t *testing.T) {
	resolver := dnsServer(t, "127.0.0.1")
	l := newLab(t, fixed("x", "max-age=60"), nil)
	_, port, _ := net.SplitHostPort(l.origin.Listener.Addr().String())
	l.proxy.dialer.Resolver, l.proxy.dialer.AllowPrivate = resolver, true
	l.get("http://intranet.example.org:"+port+"/").want(t, 200, "x", "cache:stored")
	l.settle()
	l.get(site+"/").want(t, 200, "x", "cache:stored")
	l.settle()
	for _, st := range l.store.all() {
		if want := st.Exchange.URL.Host() == "www.example.com"; st.Shareable != want {
			t.Errorf("%s: shareable %v", st.Exchange.URL, st.Shareable)
		}
	}
}

func TestDialerResolve(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	d := &Dialer{Resolve: []Resolve{{Host: "site.example", Port: 80, Addr: addrOf(listener)}}}
	for address, ok := range map[string]bool{"site.example:80": true, "SITE.example.:80": true} {
		conn, err := d.DialContext(t.Context(), "tcp", address)
		if (err == nil) != ok {
			t.Errorf("%s: %v", address, err)
		}
		if conn != nil {
			conn.Close()
		}
	}
	if _, err := d.DialContext(t.Context(), "tcp", listener.Addr().String()); !errors.Is(err, ErrForbiddenAddress) {
		t.Errorf("the address itself: %v", err)
	}
}

func TestParseResolve(t *testing.T) {
	for text, want := range map[string]Resolve{
		"example.com:80:127.0.0.1:8080":     {"example.com", 80, netip.MustParseAddrPort("127.0.0.1:8080")},
		"Example.COM.:443:[::1]:8443":       {"example.com", 443, netip.MustParseAddrPort("[::1]:8443")},
		"[2001:DB8::1]:80:[2001:db8::2]:81": {"2001:db8::1", 80, netip.MustParseAddrPort("[2001:db8::2]:81")},
		"10.0.0.1:80:10.0.0.2:81":           {"10.0.0.1", 80, netip.MustParseAddrPort("10.0.0.2:81")},
	} {
		got, err := ParseResolve(text)
		if err != nil || got != want {
			t.Errorf("%s: %+v, %v", text, got, err)
		}
		if again, err := ParseResolve(got.String()); err != nil || again != got {
			t.Errorf("%s: does not survive its own text %s: %v", text, got, err)
		}
	}
	for _, text := range []string{
		"", "example.com", "example.com:80", "example.com:80:127.0.0.1", "example.com:0:127.0.0.1:1", "example.com:x:127.0.0.1:1",
		"example.com:80:127.0.0.1:0", "example.com:80:127.0.0.1:65536", "example.com:80:localhost:1", "example.com:80:::1:1", ":80:127.0.0.1:1",
		"[::1:80:127.0.0.1:1", "[x]:80:127.0.0.1:1", "a b:80:127.0.0.1:1", "http://a:80:127.0.0.1:1", "+example.com:80:1.2.3.4:5:6",
	} {
		if got, err := ParseResolve(text); !errors.Is(err, ErrBadResolve) {
			t.Errorf("%q: %+v, %v", text, got, err)
		}
	}
}

func FuzzParseResolve(f *testing.F) {
	for _, seed := range []string{"example.com:80:127.0.0.1:8080", "[::1]:80:[::1]:81", "a:1:1.2.3.4:5", "", ":::", "[", "x:1:[fe80::1%x]:2"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		r, err := ParseResolve(text)
		if err != nil {
			return
		}
		again, err := ParseResolve(r.String())
		if err != nil || again != r || strings.ContainsAny(r.Host, " /") {
			t.Errorf("%q: %+v, %+v, %v", text, r, again, err)
		}
	})
}
