package node_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/peerproxy/peerproxy/node"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m)
}

// start runs a node on loopback until the test ends, and checks that it stops well and in time.
func start(t *testing.T, change func(*node.Config)) *node.Node {
	t.Helper()
	cfg := node.Config{
		DataDir: filepath.Join(t.TempDir(), "data"), Proxy: "127.0.0.1:0", Listen: "127.0.0.1:0", DHT: "127.0.0.1:0",
		NoPublicBootstrap: true, NoMapping: true,
	}
	change(&cfg)
	n, err := node.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- n.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		select {
		case err := <-ended:
			if err != nil {
				t.Errorf("node ended with %v", err)
			}
		case <-time.After(node.StopTime):
			t.Errorf("node does not stop within %s", node.StopTime)
		}
	})
	if err := n.Settled(t.Context()); err != nil {
		t.Fatal(err)
	}
	return n
}

// hub is a node that the others join the DHT by, as what Config.Bootstrap wants.
func hub(t *testing.T) []string {
	return []string{start(t, func(*node.Config) {}).Addresses().DHT}
}

// client is a browser whose proxy is the node.
func client(t *testing.T, n *node.Node) *http.Client {
	transport := &http.Transport{
		Proxy:           http.ProxyURL(&url.URL{Scheme: "http", Host: n.Addresses().Proxy}),
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, //nolint:gosec // the test's own server
	}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, Timeout: 30 * time.Second}
}

func get(t *testing.T, c *http.Client, url string) (*http.Response, string) {
	t.Helper()
	resp, err := c.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(text)
}

// serve is an origin and the --resolve option under which it is host:80.
func serve(t *testing.T, host string, h http.HandlerFunc) (s *httptest.Server, resolve string) {
	s = httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s, host + ":80:" + strings.TrimPrefix(s.URL, "http://")
}

func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for !is() {
		if time.Now().After(deadline) {
			t.Fatalf("%s did not come about", what)
		}
		time.Sleep(5 * time.Millisecond) // polls real sockets: nothing else can be waited for
	}
}

// The way of the mission: origin → A's store → DHT → E's look-up → WebSocket → E's browser.
func TestPageOutlivesItsOrigin(t *testing.T) {
	body := strings.Repeat("a page that many want to read. ", 40_000)
	origin, resolve := serve(t, "www.example.org", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Cache-Control", "max-age=600")
		w.Header().Set("Content-Security-Policy", "default-src 'self'")
		_, _ = io.WriteString(w, body)
	})
	join := hub(t)
	a := start(t, func(c *node.Config) {
		c.Share, c.Resolve, c.Bootstrap = node.SharePublic, []string{resolve}, join
	})
	if _, text := get(t, client(t, a), "http://www.example.org/page"); text != body {
		t.Fatal("A got something else")
	}
	eventually(t, "the announcement", func() bool { return a.Status().Announced == 1 })
	origin.Close()

	e := start(t, func(c *node.Config) {
		c.Resolve, c.Bootstrap, c.Trust = []string{resolve}, join, []string{a.Addresses().Key}
	})
	resp, text := get(t, client(t, e), "http://www.example.org/page")
	if text != body {
		t.Fatalf("E got %d bytes, status %s", len(text), resp.Status)
	}
	if got := resp.Header.Get("Content-Security-Policy"); got != "default-src 'self'" {
		t.Errorf("security field lost: %q", got)
	}
	if got := resp.Header.Get("Cache-Status"); !strings.Contains(got, "peer") {
		t.Errorf("Cache-Status %q does not say that a peer gave it", got)
	}
	// It is E's own now: fresh, from the store.
	eventually(t, "the hit", func() bool {
		resp, text := get(t, client(t, e), "http://www.example.org/page")
		return text == body && strings.Contains(resp.Header.Get("Cache-Status"), ";hit")
	})
}

// What is not provably public stays: it is stored here, and not given.
func TestPrivateThingsAreNotGiven(t *testing.T) {
	origin, resolve := serve(t, "www.example.org", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "max-age=600")
		if r.URL.Path == "/cookie" {
			w.Header().Set("Set-Cookie", "session=1")
		}
		_, _ = io.WriteString(w, "content")
	})
	join := hub(t)
	a := start(t, func(c *node.Config) {
		c.Share, c.Resolve, c.Bootstrap = node.SharePublic, []string{resolve}, join
	})
	browser := client(t, a)
	for _, path := range []string{"/public", "/cookie", "/reset?token=abcdef"} {
		get(t, browser, "http://www.example.org"+path)
	}
	eventually(t, "the announcement", func() bool { return a.Status().Announced == 1 })
	if shared := a.Status().Shared; shared != 1 {
		t.Errorf("%d resources are on offer, want one", shared)
	}
	origin.Close()
	e := start(t, func(c *node.Config) {
		c.Resolve, c.Bootstrap, c.Trust = []string{resolve}, join, []string{a.Addresses().Key}
	})
	for path, want := range map[string]bool{"/public": true, "/cookie": false, "/reset?token=abcdef": false} {
		resp, _ := get(t, client(t, e), "http://www.example.org"+path)
		if got := resp.StatusCode == http.StatusOK; got != want {
			t.Errorf("%s: given %v, want %v (%s)", path, got, want, resp.Status)
		}
	}
}

// Groups do not see each other, and strangers do not see them.
func TestGroupsAreApart(t *testing.T) {
	origin, resolve := serve(t, "www.example.org", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Cache-Control", "max-age=600")
		_, _ = io.WriteString(w, "for the group")
	})
	secret := fmt.Appendf(nil, "%x\n", bytes.Repeat([]byte{7}, 32))
	var friends []string // keys
	member := func(c *node.Config) {
		c.Share, c.Resolve, c.Trust = node.ShareGroup, []string{resolve}, friends
		if err := os.MkdirAll(c.DataDir, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(c.DataDir, "group.secret"), secret, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	join := hub(t)
	a := start(t, func(c *node.Config) { member(c); c.Bootstrap = join })
	get(t, client(t, a), "http://www.example.org/page")
	eventually(t, "the announcement", func() bool { return a.Status().Announced == 1 })
	origin.Close()
	friends = []string{a.Addresses().Key}
	friend := start(t, func(c *node.Config) { member(c); c.Bootstrap = join })
	if resp, text := get(t, client(t, friend), "http://www.example.org/page"); text != "for the group" {
		t.Errorf("a member got %s", resp.Status)
	}
	stranger := start(t, func(c *node.Config) {
		c.Share, c.Resolve, c.Trust, c.Bootstrap = node.SharePublic, []string{resolve}, friends, join
	})
	if resp, _ := get(t, client(t, stranger), "http://www.example.org/page"); resp.StatusCode < 500 {
		t.Errorf("a stranger got %s", resp.Status)
	}
}

// What an earlier run has stored is on offer and announced again.
func TestRestartOffersWhatIsStored(t *testing.T) {
	_, resolve := serve(t, "www.example.org", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Cache-Control", "max-age=600")
		_, _ = io.WriteString(w, "content")
	})
	dir := t.TempDir()
	for _, run := range []string{"first", "second"} {
		t.Run(run, func(t *testing.T) {
			n := start(t, func(c *node.Config) {
				c.DataDir, c.Share, c.Resolve = dir, node.SharePublic, []string{resolve}
			})
			if run == "first" {
				get(t, client(t, n), "http://www.example.org/page")
			}
			eventually(t, "the offer", func() bool { return n.Status().Shared == 1 })
		})
	}
}

func TestProxyPassword(t *testing.T) {
	_, resolve := serve(t, "www.example.org", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "content")
	})
	file := filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(file, []byte("open sesame\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	n := start(t, func(c *node.Config) { c.ProxyAuth, c.Resolve = "ali:"+file, []string{resolve} })
	if resp, _ := get(t, client(t, n), "http://www.example.org/"); resp.StatusCode != http.StatusProxyAuthRequired {
		t.Errorf("without password: %s", resp.Status)
	}
	proxy := &url.URL{Scheme: "http", Host: n.Addresses().Proxy, User: url.UserPassword("ali", "open sesame")}
	transport := &http.Transport{Proxy: http.ProxyURL(proxy)}
	defer transport.CloseIdleConnections()
	if resp, _ := get(t, &http.Client{Transport: transport}, "http://www.example.org/"); resp.StatusCode != http.StatusOK {
		t.Errorf("with the password: %s", resp.Status)
	}
}

func TestReadyFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "ready")
	n := start(t, func(c *node.Config) { c.ReadyFile = file })
	var text []byte
	eventually(t, "the ready file", func() bool {
		var err error
		text, err = os.ReadFile(file)
		return err == nil
	})
	var got map[string]string
	if err := json.Unmarshal(text, &got); err != nil {
		t.Fatal(err)
	}
	a := n.Addresses()
	for name, want := range map[string]string{"proxy": a.Proxy, "peer": a.Peer, "dht": a.DHT, "control": a.Control, "key": a.Key} {
		if got[name] != want || want == "" {
			t.Errorf("%s is %q, want %q", name, got[name], want)
		}
	}
	if len(got) != 5 {
		t.Errorf("fields %v", got)
	}
	for _, address := range []string{got["proxy"], got["peer"]} {
		conn, err := net.Dial("tcp", address)
		if err != nil {
			t.Errorf("not up: %v", err)
			continue
		}
		_ = conn.Close()
	}
}

// A ready file says that a node is up: none is left when it has stopped, or could not start.
func TestReadyFileGoesWithTheNode(t *testing.T) {
	file := filepath.Join(t.TempDir(), "ready")
	t.Run("stopped", func(t *testing.T) {
		start(t, func(c *node.Config) { c.ReadyFile = file })
		eventually(t, "the ready file", func() bool { _, err := os.Stat(file); return err == nil })
	})
	if _, err := os.Stat(file); !os.IsNotExist(err) {
		t.Errorf("after the stop: %v", err)
	}
	if err := os.WriteFile(file, []byte("{}"), 0o600); err != nil {
		t.Fatal(err)
	}
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = taken.Close() }()
	_, err = node.New(node.Config{
		DataDir: t.TempDir(), Proxy: taken.Addr().String(), Listen: "127.0.0.1:0", DHT: "127.0.0.1:0",
		NoPublicBootstrap: true, NoMapping: true, ReadyFile: file,
	})
	if err == nil {
		t.Error("started on a taken port")
	}
	if _, err := os.Stat(file); !os.IsNotExist(err) {
		t.Errorf("after a start that failed: %v", err)
	}
}

// What the origin makes private is not offered any more, though it is stored still.
func TestWhatBecomesPrivateIsWithdrawn(t *testing.T) {
	var private atomic.Bool
	_, resolve := serve(t, "www.example.org", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Cache-Control", "max-age=0")
		if private.Load() {
			w.Header().Set("Set-Cookie", "session=1")
		}
		_, _ = io.WriteString(w, "content")
	})
	n := start(t, func(c *node.Config) { c.Share, c.Resolve = node.SharePublic, []string{resolve} })
	browser := client(t, n)
	get(t, browser, "http://www.example.org/")
	eventually(t, "the offer", func() bool { return n.Status().Shared == 1 })
	private.Store(true)
	get(t, browser, "http://www.example.org/")
	eventually(t, "its end", func() bool { return n.Status().Shared == 0 })
}

// A second node on the same data is told so, and the first is not disturbed.
func TestSecondNodeIsRefused(t *testing.T) {
	var cfg node.Config
	start(t, func(c *node.Config) { cfg = *c })
	_, err := node.New(cfg)
	if err == nil || !strings.Contains(err.Error(), "another peerproxy") {
		t.Fatalf("error %v", err)
	}
}
