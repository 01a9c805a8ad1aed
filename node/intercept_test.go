package node_test

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/peerproxy/peerproxy/ca"
	"github.com/peerproxy/peerproxy/node"
)

// secureSite is https://example.com, and a file with the authority that vouches for it.
func secureSite(t *testing.T) (resolve, file string) {
	t.Helper()
	site := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Cache-Control", "max-age=60")
		_, _ = w.Write([]byte("secure"))
	}))
	t.Cleanup(site.Close)
	file = filepath.Join(t.TempDir(), "roots.pem")
	text := append([]byte("the company's\n"), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: site.Certificate().Raw})...)
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	_, port, _ := net.SplitHostPort(site.Listener.Addr().String())
	return "example.com:443:127.0.0.1:" + port, file
}

// trusting is a browser that trusts one authority.
func trusting(t *testing.T, n *node.Node, root *x509.Certificate) *http.Client {
	pool := x509.NewCertPool()
	pool.AddCert(root)
	transport := &http.Transport{
		Proxy:           http.ProxyURL(&url.URL{Scheme: "http", Host: n.Addresses().Proxy}),
		TLSClientConfig: &tls.Config{RootCAs: pool}, ForceAttemptHTTP2: true,
	}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, Timeout: 30 * time.Second}
}

// With a certificate authority HTTPS is looked into and kept; what vouches for the site is told by UpstreamCA.
func TestHTTPS(t *testing.T) {
	resolve, roots := secureSite(t)
	var root *ca.Authority
	n := start(t, func(c *node.Config) {
		if err := os.MkdirAll(c.DataDir, 0o700); err != nil {
			t.Fatal(err)
		}
		var err error
		if root, err = ca.Create(c.DataDir, ca.Options{}); err != nil {
			t.Fatal(err)
		}
		c.Resolve, c.UpstreamCA = []string{resolve}, []string{roots}
	})
	if h := n.HTTPS(); !h.On || !h.Until.Equal(root.Certificate().NotAfter) {
		t.Errorf("%+v", h)
	}
	c := trusting(t, n, root.Certificate())
	for _, status := range []string{"fwd=uri-miss", "hit"} {
		resp, text := get(t, c, "https://example.com/")
		if text != "secure" || resp.ProtoMajor != 2 || !strings.Contains(resp.Header.Get("Cache-Status"), status) {
			t.Errorf("%q by %s: %v", text, resp.Proto, resp.Header)
		}
	}
}

// Without one, or where the user does not want it, HTTPS passes through untouched.
func TestHTTPSPassesThrough(t *testing.T) {
	resolve, _ := secureSite(t)
	for name, change := range map[string]func(*node.Config){
		"no authority": func(*node.Config) {},
		"off":          func(c *node.Config) { c.Intercept = node.InterceptOff },
		"bypassed":     func(c *node.Config) { c.Bypass = []string{"example.com:443"} },
	} {
		t.Run(name, func(t *testing.T) {
			n := start(t, func(c *node.Config) {
				c.Resolve = []string{resolve}
				if change(c); name != "no authority" {
					_ = os.MkdirAll(c.DataDir, 0o700)
					if _, err := ca.Create(c.DataDir, ca.Options{}); err != nil {
						t.Fatal(err)
					}
				}
			})
			if resp, text := get(t, client(t, n), "https://example.com/"); text != "secure" || resp.Header.Get("Cache-Status") != "" {
				t.Errorf("%q %v", text, resp.Header)
			}
			if h := n.HTTPS(); h.On != (name == "bypassed") || !h.On && h.Why == "" || h.NoCA != (name == "no authority") {
				t.Errorf("%+v", h)
			}
		})
	}
}

func TestBadHTTPSSettings(t *testing.T) {
	dir := t.TempDir()
	empty, broken := filepath.Join(dir, "empty"), filepath.Join(dir, "broken")
	_ = os.WriteFile(empty, []byte("nothing"), 0o600)
	_ = os.WriteFile(broken, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: []byte("x")}), 0o600)
	for name, cfg := range map[string]node.Config{
		"bypass":      {Bypass: []string{"a b"}},
		"intercept":   {Intercept: "perhaps"},
		"no file":     {UpstreamCA: []string{filepath.Join(dir, "none")}},
		"no PEM":      {UpstreamCA: []string{empty}},
		"no X.509":    {UpstreamCA: []string{broken}},
		"a directory": {UpstreamCA: []string{dir}},
	} {
		cfg.DataDir = filepath.Join(dir, "data")
		if n, err := node.New(cfg); n != nil || !node.IsConfigError(err) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
