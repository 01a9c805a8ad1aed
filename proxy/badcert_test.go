package proxy

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"log/slog"
	"math/big"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/peerproxy/peerproxy/resource"
)

// authority is a root or an intermediate of tests.
type authority struct {
	cert *x509.Certificate
	key  crypto.Signer
}

func ecKey(t *testing.T) crypto.Signer {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func newAuthority(t *testing.T, key crypto.Signer) authority {
	t.Helper()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Root of " + t.Name()}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	cert, _ := x509.ParseCertificate(der)
	return authority{cert, key}
}

// leaf issues a certificate for example.com, but for a change.
func (a authority) leaf(t *testing.T, change func(*x509.Certificate)) tls.Certificate {
	t.Helper()
	key := ecKey(t)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "example.com"}, DNSNames: []string{"example.com"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	if change != nil {
		change(template)
	}
	parent, signer := a.cert, a.key
	if parent == nil {
		parent, signer = template, key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), signer)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// shortKey is an RSA key that nobody should use any more.
func shortKey(t *testing.T) crypto.Signer {
	t.Helper()
	t.Setenv("GODEBUG", "rsa1024min=0")
	key, err := rsa.GenerateKey(rand.Reader, 768)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// Whoever can't prove to be the site counts as a failed origin: nothing of it is passed on, peers
// are asked, and the page and Proxy-Status say in words what is wrong.
func TestBadCertificates(t *testing.T) {
	root, stranger := newAuthority(t, ecKey(t)), newAuthority(t, ecKey(t))
	var rsaRoot, weakRoot authority
	if key, err := rsa.GenerateKey(rand.Reader, 2048); err == nil {
		rsaRoot = newAuthority(t, key)
	}
	t.Run("make a short key", func(t *testing.T) { weakRoot = newAuthority(t, shortKey(t)) })
	var weakLeaf tls.Certificate
	t.Run("sign by it", func(t *testing.T) {
		t.Setenv("GODEBUG", "rsa1024min=0")
		weakLeaf = weakRoot.leaf(t, nil)
	})
	roots := x509.NewCertPool()
	for _, a := range []authority{root, rsaRoot, weakRoot} {
		roots.AddCert(a.cert)
	}
	for name, c := range map[string]struct {
		config *tls.Config
		title  string
		kind   string
	}{
		"expired":       {&tls.Config{Certificates: []tls.Certificate{root.leaf(t, func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Minute) })}}, failedExpired.title, "tls_certificate_error"},
		"too soon":      {&tls.Config{Certificates: []tls.Certificate{root.leaf(t, func(c *x509.Certificate) { c.NotBefore = time.Now().Add(time.Minute) })}}, failedTooSoon.title, "tls_certificate_error"},
		"wrong name":    {&tls.Config{Certificates: []tls.Certificate{root.leaf(t, func(c *x509.Certificate) { c.DNSNames = []string{"example.org"} })}}, failedName.title, "tls_certificate_error"},
		"name in CN":    {&tls.Config{Certificates: []tls.Certificate{root.leaf(t, func(c *x509.Certificate) { c.DNSNames = nil })}}, failedName.title, "tls_certificate_error"},
		"self-signed":   {&tls.Config{Certificates: []tls.Certificate{authority{}.leaf(t, nil)}}, failedSelf.title, "tls_certificate_error"},
		"unknown":       {&tls.Config{Certificates: []tls.Certificate{stranger.leaf(t, nil)}}, failedAuthority.title, "tls_certificate_error"},
		"SHA-1":         {&tls.Config{Certificates: []tls.Certificate{rsaRoot.leaf(t, func(c *x509.Certificate) { c.SignatureAlgorithm = x509.SHA1WithRSA })}}, failedWeakCert.title, "tls_certificate_error"},
		"weak key":      {&tls.Config{Certificates: []tls.Certificate{weakLeaf}}, failedWeakCert.title, "tls_certificate_error"},
		"other purpose": {&tls.Config{Certificates: []tls.Certificate{root.leaf(t, func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth} })}}, failedPurpose.title, "tls_certificate_error"},
		"TLS 1.0":       {&tls.Config{Certificates: []tls.Certificate{root.leaf(t, nil)}, MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS10}, failedOldTLS.title, "tls_protocol_error"},
		"TLS 1.1":       {&tls.Config{Certificates: []tls.Certificate{root.leaf(t, nil)}, MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}, failedOldTLS.title, "tls_protocol_error"},
		"client wanted": {&tls.Config{Certificates: []tls.Certificate{root.leaf(t, nil)}, ClientAuth: tls.RequireAnyClientCert, MaxVersion: tls.VersionTLS12}, failedTLSAlert.title, "tls_alert_received"},
	} {
		t.Run(name, func(t *testing.T) {
			secure := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("the site was asked") }))
			secure.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, 0)
			secure.TLS = c.config
			secure.StartTLS()
			defer secure.Close()
			for _, peers := range []bool{false, true} {
				l := newLab(t, nil, func(cfg *Config) {
					cfg.RootCAs = roots
					cfg.Dialer.Resolve = []Resolve{{Host: "example.com", Port: 443, Addr: addrOf(secure.Listener)}}
					if peers {
						cfg.Peers = fakePeers(func(context.Context, resource.Query) (*resource.Copy, error) {
							return copyOf("https://example.com/", "of a peer", nil, time.Now()), nil
						})
					}
				})
				a, err := l.overTLS("GET", "/")
				if err != nil {
					t.Fatal(err)
				}
				if peers {
					a.want(t, 200, "of a peer", "proxy:details")
					continue
				}
				a.want(t, 502, "*", "proxy:error="+c.kind, "proxy:details="+c.title)
				if !strings.Contains(a.text, strings.ReplaceAll(c.title, "'", "&#39;")) {
					t.Errorf("the page does not say %q: %s", c.title, a.text)
				}
			}
		})
	}
}
