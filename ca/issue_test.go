package ca

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

var noon = time.Date(2030, 6, 1, 12, 0, 0, 0, time.UTC)

func at(now time.Time) func() time.Time { return func() time.Time { return now } }

func make1(t *testing.T, o Options) *Authority {
	t.Helper()
	a, err := Create(t.TempDir(), o)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func verify(a *Authority, leaf *x509.Certificate, host string, now time.Time) error {
	roots := x509.NewCertPool()
	roots.AddCert(a.Certificate())
	_, err := leaf.Verify(x509.VerifyOptions{Roots: roots, DNSName: host, CurrentTime: now})
	return err
}

// TestRoot holds the fields of a root to RFC 5280 section 4.2.1.
func TestRoot(t *testing.T) {
	a := make1(t, Options{Host: "büro laptop.with-a-very-long-name", Now: at(noon)})
	root := a.Certificate()
	if !root.IsCA || !root.BasicConstraintsValid || root.MaxPathLen != 0 || !root.MaxPathLenZero {
		t.Error("basic constraints are not CA:TRUE, pathlen:0")
	}
	if root.KeyUsage != x509.KeyUsageCertSign {
		t.Errorf("key usage is %v", root.KeyUsage)
	}
	if !slices.Equal(root.ExtKeyUsage, []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}) {
		t.Errorf("extended key usage is %v", root.ExtKeyUsage)
	}
	for _, oid := range []string{"2.5.29.19", "2.5.29.15"} {
		if !critical(root, oid) {
			t.Errorf("extension %s is not critical", oid)
		}
	}
	if !root.NotBefore.Equal(noon.Add(-24*time.Hour)) || !root.NotAfter.Equal(noon.Add(2*365*24*time.Hour)) {
		t.Errorf("valid from %v to %v", root.NotBefore, root.NotAfter)
	}
	if name := root.Subject.CommonName; !strings.HasPrefix(name, "peerproxy local CA (brolaptop.with-a-ver, 2030-06-01, ") || len(name) > 64 {
		t.Errorf("subject is %q", name)
	}
	if root.SerialNumber.BitLen() < 64 || root.SerialNumber.Sign() <= 0 || root.SerialNumber.BitLen() > 128 {
		t.Errorf("serial is %v", root.SerialNumber)
	}
	if len(root.SubjectKeyId) == 0 {
		t.Error("no key id")
	}
	if other := make1(t, Options{Now: at(noon)}).Certificate(); other.Subject.String() == root.Subject.String() || other.SerialNumber.Cmp(root.SerialNumber) == 0 {
		t.Error("two roots can't be told apart")
	}
}

func critical(cert *x509.Certificate, oid string) bool {
	for _, e := range cert.Extensions {
		if e.Id.String() == oid {
			return e.Critical
		}
	}
	return false
}

func TestIssue(t *testing.T) {
	a := make1(t, Options{Now: at(noon)})
	for name, host := range map[string]string{
		"example.com":       "example.com",
		"EXAMPLE.com.":      "example.com",
		"under_score.test":  "under_score.test",
		"xn--bcher-kva.de":  "xn--bcher-kva.de",
		"192.0.2.1":         "192.0.2.1",
		"2001:db8::1":       "2001:db8:0::1",
		"localhost":         "localhost",
		"a.b.c.d.e.example": "a.b.c.d.e.example",
	} {
		t.Run(name, func(t *testing.T) {
			issued, err := a.Issue(name)
			if err != nil {
				t.Fatal(err)
			}
			leaf := issued.Leaf
			if err := verify(a, leaf, host, noon); err != nil {
				t.Error(err)
			}
			if verify(a, leaf, "other.example", noon) == nil || verify(a, leaf, "sub."+host, noon) == nil {
				t.Error("good for another name, too")
			}
			if leaf.Subject.CommonName != "" || leaf.IsCA || leaf.KeyUsage != x509.KeyUsageDigitalSignature ||
				!slices.Equal(leaf.ExtKeyUsage, []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}) || leaf.SerialNumber.BitLen() < 64 {
				t.Errorf("leaf: %+v", leaf)
			}
			if !bytes.Equal(leaf.AuthorityKeyId, a.Certificate().SubjectKeyId) {
				t.Error("does not name the root's key")
			}
			if !leaf.NotBefore.Equal(noon.Add(-time.Hour)) || !leaf.NotAfter.Equal(noon.Add(LeafLifetime)) {
				t.Errorf("valid from %v to %v", leaf.NotBefore, leaf.NotAfter)
			}
			again, err := a.Issue(name)
			if err != nil {
				t.Fatal(err)
			}
			if again.PrivateKey.(*ecdsa.PrivateKey).Equal(issued.PrivateKey) || again.Leaf.SerialNumber.Cmp(leaf.SerialNumber) == 0 {
				t.Error("key or serial is used again")
			}
			if a.key.Equal(issued.PrivateKey) {
				t.Error("the key of the root has been given away")
			}
		})
	}
	for _, name := range []string{"", "*.example.com", "a\x00b", "bücher.example", "127.1", "-x.example"} {
		if c, err := a.Issue(name); !errors.Is(err, ErrName) || c != nil {
			t.Errorf("Issue(%q) = %v, %v", name, c, err)
		}
		if a.Permits(name) {
			t.Errorf("permits %q", name)
		}
	}
}

// TestConstraints compares what the authority permits with what crypto/x509 makes of
// the root's extension (RFC 5280 section 4.2.1.10), for leaves signed past Issue.
func TestConstraints(t *testing.T) {
	a := make1(t, Options{Only: []string{"Example.com.", "example.com", "internal"}, Now: at(noon)})
	root := a.Certificate()
	if !slices.Equal(root.PermittedDNSDomains, []string{"example.com", "internal"}) || !root.PermittedDNSDomainsCritical || !critical(root, "2.5.29.30") {
		t.Errorf("permitted: %v", root.PermittedDNSDomains)
	}
	for name, want := range map[string]bool{
		"example.com":          true,
		"EXAMPLE.com":          true,
		"www.example.com":      true,
		"a.b.example.com.":     true,
		"peerproxy.internal":   true,
		"internal":             true,
		"notexample.com":       false,
		"example.com.evil.org": false,
		"example.org":          false,
		"com":                  false,
		"internal2":            false,
		"127.0.0.1":            false,
		"::1":                  false,
		"0.0.0.0":              false,
		"2001:db8::1":          false,
	} {
		if got := a.Permits(name); got != want {
			t.Errorf("Permits(%q) = %v", name, got)
		}
		if _, err := a.Issue(name); (err == nil) != want || err != nil && !errors.Is(err, ErrConstrained) {
			t.Errorf("Issue(%q): %v", name, err)
		}
		canonical, err := Name(name)
		if err != nil {
			t.Fatal(err)
		}
		forged, err := sign(a.leaf(canonical), root, a.key.Public(), a.key)
		if err != nil {
			t.Fatal(err)
		}
		if err := verify(a, forged, canonical, noon); (err == nil) != want {
			t.Errorf("a leaf for %q: %v", name, err)
		}
	}
	if unlimited := make1(t, Options{}); !unlimited.Permits("example.org") || !unlimited.Permits("::1") || critical(unlimited.Certificate(), "2.5.29.30") {
		t.Error("an unlimited root is limited")
	}
}

func TestIssueInTime(t *testing.T) {
	a := make1(t, Options{Lifetime: 48 * time.Hour, Now: at(noon)})
	end := a.Certificate().NotAfter
	issued, err := a.Issue("example.com")
	if err != nil || issued.Leaf.NotAfter.After(end) {
		t.Errorf("leaf outlives the root: %v", err)
	}
	early, err := a.WithClock(at(a.Certificate().NotBefore)).Issue("example.com")
	if err != nil || early.Leaf.NotBefore.Before(a.Certificate().NotBefore) {
		t.Errorf("leaf is older than the root: %v", err)
	}
	for _, now := range []time.Time{end.Add(time.Second), noon.Add(-25 * time.Hour)} {
		if c, err := a.WithClock(at(now)).Issue("example.com"); !errors.Is(err, ErrExpired) || c != nil {
			t.Errorf("at %v: %v, %v", now, c, err)
		}
	}
}

// TestHandshake has a Go client trust the root, over a connection, while several
// certificates are issued at once.
func TestHandshake(t *testing.T) {
	a := make1(t, Options{})
	roots := x509.NewCertPool()
	roots.AddCert(a.Certificate())
	var wg sync.WaitGroup
	for _, host := range []string{"a.example", "b.example", "c.example", "d.example"} {
		wg.Go(func() {
			client, server := net.Pipe()
			defer client.Close()
			defer server.Close()
			wg.Go(func() {
				_ = tls.Server(server, &tls.Config{GetCertificate: func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
					return a.Issue(hello.ServerName)
				}}).Handshake() // the client has the error
			})
			if err := tls.Client(client, &tls.Config{RootCAs: roots, ServerName: host}).Handshake(); err != nil {
				t.Errorf("%s: %v", host, err)
			}
		})
	}
	wg.Wait()
}

// TestOpenSSL asks another implementation, the one that curl uses, about leaves within
// and outside of a limited root.
func TestOpenSSL(t *testing.T) {
	openssl, err := exec.LookPath("openssl")
	if err != nil {
		t.Skip("no openssl on this machine")
	}
	a := make1(t, Options{Only: []string{"example.com"}})
	dir := t.TempDir()
	rootFile, leafFile := filepath.Join(dir, "root.pem"), filepath.Join(dir, "leaf.pem")
	if err := os.WriteFile(rootFile, EncodePEM(a.Certificate()), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]bool{"www.example.com": true, "www.example.org": false, "127.0.0.1": false} {
		leaf, err := sign(a.leaf(name), a.root, a.key.Public(), a.key)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(leafFile, EncodePEM(leaf), 0o600); err != nil {
			t.Fatal(err)
		}
		out, err := exec.Command(openssl, "verify", "-x509_strict", "-purpose", "sslserver", "-CAfile", rootFile, leafFile).CombinedOutput()
		if (err == nil) != want {
			t.Errorf("%s: %v\n%s", name, err, out)
		}
	}
}
