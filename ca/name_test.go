package ca

import (
	"crypto/x509"
	"errors"
	"net/netip"
	"strings"
	"testing"
)

func TestName(t *testing.T) {
	long := strings.Repeat("a", 63)
	tests := []struct{ in, want string }{ // want "" = refused
		{"example.com", "example.com"},
		{"EXAMPLE.Com", "example.com"},
		{"example.com.", "example.com"},
		{"localhost", "localhost"},
		{"xn--bcher-kva.example", "xn--bcher-kva.example"},
		{"r3---sn-4g5e6nsz.googlevideo.example", "r3---sn-4g5e6nsz.googlevideo.example"}, // hyphens where an A-label has them
		{"under_score.example", "under_score.example"},
		{"3.example", "3.example"},
		{"1a", "1a"},
		{long + ".example", long + ".example"},
		{long + "." + long + "." + long + "." + long[:61], long + "." + long + "." + long + "." + long[:61]}, // 253
		{long + "." + long + "." + long + "." + long[:61] + ".", long + "." + long + "." + long + "." + long[:61]},
		{"192.0.2.1", "192.0.2.1"},
		{"2001:DB8::0:1", "2001:db8::1"},
		{"::1", "::1"},
		{"::ffff:192.0.2.1", "192.0.2.1"},

		{"", ""},
		{".", ""},
		{"..", ""},
		{"example.com..", ""},
		{".example.com", ""},
		{"a..b", ""},
		{"*.example.com", ""},
		{"*", ""},
		{"a*b.example", ""},
		{"-a.example", ""},
		{"a-.example", ""},
		{"xn--.example", ""},
		{"bücher.example", ""},
		{"ｅxample.com", ""},
		{"\u212a.example", ""}, // the Kelvin sign, which becomes k in lower case
		{"exa mple.com", ""},
		{"example.com\x00.evil.example", ""},
		{"example.com\n", ""},
		{"example.com:443", ""},
		{"user@example.com", ""},
		{"https://example.com", ""},
		{"a/b", ""},
		{"a,b", ""},
		{"[::1]", ""},
		{"fe80::1%eth0", ""},
		{"::1%", ""},
		{"192.0.2.1.", ""},
		{"192.0.2", ""},
		{"127.1", ""},
		{"127.0.0.01", ""},
		{"256.0.0.1", ""},
		{"0x7f.1", ""},
		{"127.0.0.0x1", ""},
		{"example.0x", ""},
		{"2130706433", ""},
		{long + "a.example", ""},
		{long + "." + long + "." + long + "." + long[:62], ""}, // 254
		{strings.Repeat("a.", 1<<20), ""},
	}
	for _, test := range tests {
		got, err := Name(test.in)
		if got != test.want || (err == nil) != (test.want != "") || err != nil && !errors.Is(err, ErrName) {
			t.Errorf("Name(%.100q) = %q, %v; want %q", test.in, got, err, test.want)
		}
	}
}

// FuzzName holds that what passes is one host, in one form, that crypto/x509 agrees
// with, and for which a certificate is issued that is good for it.
func FuzzName(f *testing.F) {
	for _, seed := range []string{"example.com", "a.b.", "::1", "1.2.3.4", "xn--a", "*.a", "a..b", "\x00", "0x1", "::ffff:1.2.3.4", "\u212a.x"} {
		f.Add(seed)
	}
	authority, err := Create(f.TempDir(), Options{})
	if err != nil {
		f.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(authority.Certificate())
	f.Fuzz(func(t *testing.T, in string) {
		name, err := Name(in)
		if err != nil {
			if !errors.Is(err, ErrName) || name != "" || len(err.Error()) > 100 {
				t.Fatalf("%q, %v", name, err)
			}
			return
		}
		if again, err := Name(name); err != nil || again != name {
			t.Fatalf("%q becomes %q, %v", name, again, err)
		}
		if len(name) > maxName || strings.ContainsAny(name, "*/\\@%[] \t\r\n\x00,") {
			t.Fatalf("%q passed", name)
		}
		issued, err := authority.Issue(in)
		if err != nil {
			t.Fatal(err)
		}
		if n := len(issued.Leaf.DNSNames) + len(issued.Leaf.IPAddresses); n != 1 {
			t.Fatalf("%d names", n)
		}
		asked := name
		if _, err := netip.ParseAddr(name); err == nil {
			asked = "[" + name + "]"
		}
		if _, err := issued.Leaf.Verify(x509.VerifyOptions{Roots: roots, DNSName: asked}); err != nil {
			t.Fatalf("%q: %v", name, err)
		}
	})
}
