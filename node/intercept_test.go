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
	"github.com/peerproxy/peerproxy/control"
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
		"expired":      func(*node.Config) {},
	} {
		t.Run(name, func(t *testing.T) {
			n := start(t, func(c *node.Config) {
				c.Resolve = []string{resolve}
				if change(c); name != "no authority" {
					_ = os.MkdirAll(c.DataDir, 0o700)
					var options ca.Options
					if name == "expired" {
						options.Now = func() time.Time { return time.Now().Add(-2 * ca.DefaultLifetime) }
					}
					if _, err := ca.Create(c.DataDir, options); err != nil {
						t.Fatal(err)
					}
				}
			})
			if resp, text := get(t, client(t, n), "https://example.com/"); text != "secure" || resp.Header.Get("Cache-Status") != "" {
				t.Errorf("%q %v", text, resp.Header)
			}
			if h := n.HTTPS(); h.On != (name == "bypassed") || !h.On && h.Why == "" || h.NoCA != (name == "no authority") || h.Expired != (name == "expired") {
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

// A client that refuses our certificates puts its host on a list that the control interface shows and
// changes; the next time it gets through, to the site itself.
func TestRefusedHostIsShown(t *testing.T) {
	resolve, roots := secureSite(t)
	var dir string
	n := start(t, func(c *node.Config) {
		dir = c.DataDir
		if err := os.MkdirAll(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		if _, err := ca.Create(dir, ca.Options{}); err != nil {
			t.Fatal(err)
		}
		c.Resolve, c.UpstreamCA, c.Bypass = []string{resolve}, []string{roots}, []string{"*.example.org"}
	})
	text, err := os.ReadFile(roots)
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(text)
	site, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	pinned := trusting(t, n, site)
	for range 10 { // the node may hear of it only after the client
		if resp, err := pinned.Get("https://example.com/"); err == nil {
			_ = resp.Body.Close()
			if resp.Header.Get("Cache-Status") != "" {
				t.Errorf("looked into: %v", resp.Header)
			}
			break
		}
	}
	client, err := control.Dial(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	list, err := client.Bypassed(t.Context())
	if err != nil || len(list) != 2 || list[0].Host != "*.example.org" || !list[0].Expires.IsZero() ||
		list[1].Host != "example.com" || list[1].Expires.Sub(list[1].Since).Round(time.Minute) != time.Hour {
		t.Fatalf("%+v %v", list, err)
	}
	if s, err := client.Status(t.Context()); err != nil || !s.HTTPS.On || s.HTTPS.Bypassed != 2 {
		t.Errorf("%+v %v", s.HTTPS, err)
	}
	for host, want := range map[string]bool{"example.com": true, "*.example.org": false, "unknown.example": false} {
		if removed, err := client.Unbypass(t.Context(), host); err != nil || removed != want {
			t.Errorf("%s: %v %v", host, removed, err)
		}
	}
	if _, err := client.Unbypass(t.Context(), ""); err == nil {
		t.Error("no host is a host")
	}
}
