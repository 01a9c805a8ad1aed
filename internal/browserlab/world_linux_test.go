package browserlab_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/url"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/peerproxy/peerproxy/ca"
	"github.com/peerproxy/peerproxy/node"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// world has an authority for its sites, and a DHT node to join by.
type world struct {
	t     *testing.T
	root  *ca.Authority
	roots string // the file that nodes know it by
	join  []string
}

// longAgo lets certificates of the world have expired.
func longAgo() time.Time { return time.Now().Add(-60 * 24 * time.Hour) }

func newWorld(t *testing.T) *world {
	t.Helper()
	dir := t.TempDir()
	root, err := ca.Create(dir, ca.Options{Host: "lab", Now: longAgo})
	if err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, root: root.WithClock(time.Now), roots: filepath.Join(dir, ca.CertificateFile)}
	w.join = []string{w.node(func(*node.Config) {}).Addresses().DHT}
	return w
}

// node runs one until the test ends.
func (w *world) node(change func(*node.Config)) *node.Node {
	w.t.Helper()
	cfg := node.Config{
		DataDir: filepath.Join(w.t.TempDir(), "data"), Proxy: "127.0.0.1:0", Listen: "127.0.0.1:0", DHT: "127.0.0.1:0",
		NoPublicBootstrap: true, NoMapping: true, Bootstrap: w.join, UpstreamCA: []string{w.roots},
	}
	change(&cfg)
	n, err := node.New(cfg)
	if err != nil {
		w.t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- n.Run(ctx) }()
	w.t.Cleanup(func() {
		stop()
		select {
		case err := <-ended:
			if err != nil {
				w.t.Errorf("node ended with %v", err)
			}
		case <-time.After(2 * node.StopTime):
			w.t.Error("node does not stop")
		}
	})
	if err := n.Settled(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
	return n
}

// user is a node that looks into HTTPS, and its root.
type user struct {
	*node.Node
	w    *world
	data string
	root *x509.Certificate
}

func (w *world) user(change func(*node.Config)) *user {
	w.t.Helper()
	u := &user{w: w}
	u.Node = w.node(func(c *node.Config) {
		change(c)
		root, err := ca.Create(c.DataDir, ca.Options{Host: "user"})
		if err != nil {
			w.t.Fatal(err)
		}
		u.data, u.root = c.DataDir, root.Certificate()
	})
	return u
}

// chromium is the user's browser.
func (u *user) chromium(t *testing.T) *chromium {
	t.Helper()
	return newChromium(t, u.Addresses().Proxy, u.root)
}

// client is a simple program's.
func (u *user) client() *http.Client {
	pool := x509.NewCertPool()
	pool.AddCert(u.root)
	return &http.Client{Timeout: patience, Transport: &http.Transport{
		Proxy: http.ProxyURL(&url.URL{Scheme: "http", Host: u.Addresses().Proxy}), TLSClientConfig: &tls.Config{RootCAs: pool}, ForceAttemptHTTP2: true,
	}}
}

// read fetches pages through a node, so that it has and shares them.
func (u *user) read(urls ...string) {
	t := u.w.t
	t.Helper()
	client := u.client()
	defer client.CloseIdleConnections()
	before := u.Status().Shared
	for _, address := range urls {
		resp, err := client.Get(address)
		if err != nil {
			t.Fatal(err)
		}
		_, err = io.Copy(io.Discard, resp.Body)
		_ = resp.Body.Close()
		if err != nil || resp.StatusCode != http.StatusOK {
			t.Fatalf("%s: %s %v", address, resp.Status, err)
		}
	}
	eventually(t, "what was read is shared and announced", func() bool {
		s := u.Status()
		return s.Shared == before+len(urls) && s.Announced > 0
	})
}

// eventually polls what has no event to wait for.
func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for !is() {
		if time.Now().After(deadline) {
			t.Fatalf("it did not come about that %s", what)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// sharing is the configuration of a node that gives what it has.
func sharing(sites ...*site) func(*node.Config) {
	return func(c *node.Config) { c.Share, c.Resolve = node.SharePublic, resolve(sites) }
}

// trusting is that of one that takes copies of the given signers, or of "any".
func trusting(keys []string, sites ...*site) func(*node.Config) {
	return func(c *node.Config) { c.Trust, c.Resolve = keys, resolve(sites) }
}

func resolve(sites []*site) (list []string) {
	for _, s := range sites {
		for _, port := range s.ports {
			list = append(list, s.host+":"+port+":"+s.address)
		}
	}
	return list
}

// site is a web server with a certificate for a host, that can go down and up again.
type site struct {
	t       *testing.T
	host    string
	address string
	ports   []string // as the world sees it
	tls     *tls.Config
	handler http.Handler
	shakes  atomic.Int64 // TLS handshakes that were begun

	mu     sync.Mutex
	server *http.Server // nil = down
	done   sync.WaitGroup
	asked  map[string]int // by path and query
}

// site starts one with a good certificate. Two may be for the same host: the nodes know which they mean.
func (w *world) site(host string, h http.Handler) *site {
	w.t.Helper()
	leaf, err := w.root.Issue(host)
	if err != nil {
		w.t.Fatal(err)
	}
	return w.siteWith(leaf, host, h)
}

func (w *world) siteWith(leaf *tls.Certificate, host string, h http.Handler) *site {
	s := &site{t: w.t, host: host, handler: h, ports: []string{"443"}, asked: map[string]int{}}
	s.tls = &tls.Config{GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
		s.shakes.Add(1)
		return leaf, nil
	}}
	s.address = "127.0.0.1:0"
	s.up()
	w.t.Cleanup(s.down)
	return s
}

// plain is a site without TLS.
func (w *world) plain(host string, h http.Handler) *site {
	s := &site{t: w.t, host: host, handler: h, ports: []string{"80"}, asked: map[string]int{}, address: "127.0.0.1:0"}
	s.up()
	w.t.Cleanup(s.down)
	return s
}

func (s *site) url(path string) string { return "https://" + s.host + path }

// up has the site listen, at the same address as before.
func (s *site) up() {
	s.t.Helper()
	l, err := net.Listen("tcp", s.address)
	if err != nil {
		s.t.Fatal(err)
	}
	s.address = l.Addr().String()
	server := &http.Server{Handler: s, TLSConfig: s.tls, ErrorLog: log.New(io.Discard, "", 0), ReadHeaderTimeout: patience}
	s.mu.Lock()
	s.server = server
	s.mu.Unlock()
	s.done.Go(func() {
		err := error(nil)
		if s.tls != nil {
			err = server.ServeTLS(l, "", "")
		} else {
			err = server.Serve(l)
		}
		if !errors.Is(err, http.ErrServerClosed) {
			s.t.Error(err)
		}
	})
}

// down closes the socket and all connections.
func (s *site) down() {
	s.mu.Lock()
	server := s.server
	s.server = nil
	s.mu.Unlock()
	if server != nil {
		_ = server.Close()
		s.done.Wait()
	}
}

// ServeHTTP implements http.Handler.
func (s *site) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	s.asked[r.URL.RequestURI()]++
	s.mu.Unlock()
	s.handler.ServeHTTP(w, r)
}

// requests are how often what was asked for.
func (s *site) requests() map[string]int {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make(map[string]int, len(s.asked))
	for path, n := range s.asked {
		all[path] = n
	}
	return all
}

// reply is one answer of a site.
type reply struct {
	kind   string // Content-Type
	body   string
	header map[string]string
}

// replies is a site by path. What is not there is 404, without a Cache-Control.
type replies map[string]reply

// ServeHTTP implements http.Handler.
func (all replies) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a, ok := all[r.URL.Path]
	if !ok {
		http.NotFound(w, r)
		return
	}
	a.serve(w)
}

func (a reply) serve(w http.ResponseWriter) {
	w.Header().Set("Cache-Control", "max-age=600")
	w.Header().Set("Content-Type", a.kind)
	for name, value := range a.header {
		w.Header().Set(name, value)
	}
	_, _ = io.WriteString(w, a.body)
}

// html is a page with a title.
func html(title, rest string) reply {
	return reply{kind: "text/html; charset=utf-8", body: "<!doctype html><html lang=en><meta charset=utf-8><title>" + title + "</title>\n" + rest}
}

// with adds response fields.
func (a reply) with(fields ...string) reply {
	header := map[string]string{}
	for name, value := range a.header {
		header[name] = value
	}
	for i := 0; i < len(fields); i += 2 {
		header[fields[i]] = fields[i+1]
	}
	a.header = header
	return a
}
