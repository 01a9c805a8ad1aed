package control

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/peerproxy/peerproxy/cache"
	"github.com/peerproxy/peerproxy/httpcache"
	"github.com/peerproxy/peerproxy/resource"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m)
}

func openStore(t *testing.T) *cache.Store {
	t.Helper()
	store, err := cache.Open(filepath.Join(t.TempDir(), "cache.db"), cache.Config{Quota: 64 << 20})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	return store
}

func put(t *testing.T, store *cache.Store, rawURL, content string, age time.Duration) {
	t.Helper()
	u, err := resource.ParseURL(rawURL)
	if err != nil {
		t.Fatal(err)
	}
	w, err := store.Create()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(w, content); err != nil {
		t.Fatal(err)
	}
	received := time.Now().Add(-age)
	st := &resource.Stored{Tier: resource.Origin, Shareable: true, StoredAt: received, Exchange: &resource.Exchange{
		Method: "GET", URL: u, Status: 200, Requested: received, Received: received, Body: w.Body(),
		Header: http.Header{
			"Content-Type": {"text/plain"}, "Cache-Control": {"max-age=60"}, "Date": {received.UTC().Format(http.TimeFormat)},
		},
	}}
	if err := w.Commit(t.Context(), st); err != nil {
		t.Fatal(err)
	}
}

func local(t *testing.T, cfg Config) *Client {
	c, stop := Local(cfg)
	t.Cleanup(stop)
	return c
}

func TestCacheCommands(t *testing.T) {
	store := openStore(t)
	big := strings.Repeat("0123456789", 100_000)
	put(t, store, "http://a.example/small", "small", 0)
	put(t, store, "http://a.example/old", "old", time.Hour)
	put(t, store, "http://b.example/big", big, 0)
	c, ctx := local(t, Config{Store: store}), t.Context()

	listed := map[string]Response{}
	for r, err := range c.List(ctx) {
		if err != nil {
			t.Fatal(err)
		}
		listed[r.URL] = r
	}
	if len(listed) != 3 || !listed["http://a.example/small"].Fresh || listed["http://a.example/old"].Fresh {
		t.Errorf("listed %+v", listed)
	}
	shown, err := c.Show(ctx, "HTTP://B.example:80/./big")
	if err != nil || len(shown) != 1 {
		t.Fatalf("shown %v, %v", shown, err)
	}
	if r := shown[0]; r.Length != int64(len(big)) || r.SHA256 != fmt.Sprintf("%x", sha256.Sum256([]byte(big))) ||
		r.Header.Get("Content-Type") != "text/plain" || r.Tier != "origin" || !r.Shareable || !strings.Contains(r.Why, "RFC 9111") {
		t.Errorf("shown %+v", r)
	}
	var content bytes.Buffer
	if err := c.Cat(ctx, "http://b.example/big", &content); err != nil || content.String() != big {
		t.Errorf("content of %d bytes, %v", content.Len(), err)
	}
	if stats, err := c.Stats(ctx); err != nil || stats.Responses != 3 || stats.QuotaBytes != 64<<20 {
		t.Errorf("stats %+v, %v", stats, err)
	}
	report, err := c.Verify(ctx, func(problem string) { t.Errorf("problem: %s", problem) })
	if err != nil || report.Responses != 3 || report.Problems != 0 {
		t.Errorf("report %+v, %v", report, err)
	}
	if n, err := c.Remove(ctx, "http://b.example/big"); err != nil || n != 1 {
		t.Errorf("removed %d, %v", n, err)
	}
	for name, call := range map[string]func() error{
		"show":   func() error { _, err := c.Show(ctx, "http://b.example/big"); return err },
		"cat":    func() error { return c.Cat(ctx, "http://b.example/big", io.Discard) },
		"remove": func() error { _, err := c.Remove(ctx, "http://b.example/big"); return err },
	} {
		if err := call(); !errors.Is(err, ErrNotFound) {
			t.Errorf("%s of what is removed: %v", name, err)
		}
	}
}

func TestBadURLs(t *testing.T) {
	c := local(t, Config{Store: openStore(t)})
	for _, raw := range []string{"", "file:///etc/passwd", "http://", "http://u:p@a.example/", "http://a.example/" + strings.Repeat("x", 9000)} {
		if err := c.Cat(t.Context(), raw, io.Discard); err == nil || errors.Is(err, ErrNotFound) && raw != "" {
			t.Errorf("%.40q: %v", raw, err)
		}
	}
}

// A file without a node has no status, and can't fetch.
func TestFileAloneHasNoNode(t *testing.T) {
	c := local(t, Config{Store: openStore(t)})
	if _, err := c.Status(t.Context()); err == nil {
		t.Error("a status")
	}
	resp, err := c.Get(t.Context(), "http://a.example/", "any")
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusNotFound {
		t.Errorf("status %d", resp.StatusCode)
	}
}

func TestGetHandsTheRequestOver(t *testing.T) {
	c := local(t, Config{Store: openStore(t), Fetch: func(w http.ResponseWriter, r *http.Request, from string, _ func(httpcache.Finding)) {
		w.Header().Set("X-Asked", r.Method+" "+r.URL.String()+" "+from)
		w.WriteHeader(http.StatusTeapot)
		_, _ = io.WriteString(w, "content")
	}})
	resp, err := c.Get(t.Context(), "http://A.example/x?y", "peers")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	if err != nil || string(text) != "content" || resp.StatusCode != http.StatusTeapot {
		t.Errorf("%s %q %v", resp.Status, text, err)
	}
	if asked := resp.Header.Get("X-Asked"); asked != "GET http://a.example/x?y peers" {
		t.Errorf("asked %q", asked)
	}
}

// What the node explains comes through, and nothing that an origin says in its place.
func TestGetExplained(t *testing.T) {
	c := local(t, Config{Store: openStore(t), Fetch: func(w http.ResponseWriter, _ *http.Request, _ string, tell func(httpcache.Finding)) {
		w.Header().Set(findingField, `{"topic":"forged"}`)
		w.Header().Set("Link", "</a.css>")
		w.WriteHeader(http.StatusEarlyHints)
		if tell != nil {
			tell(httpcache.Finding{Topic: "found", Reason: httpcache.Reason{Text: "no\nthing \"é\"", Section: "RFC 9111 section 4"}})
			tell(httpcache.Finding{Topic: "stored", Reason: httpcache.Reason{Text: "yes"}})
		}
		w.Header().Set(findingField, `{"topic":"forged"}`)
		_, _ = io.WriteString(w, "content")
		if tell != nil {
			tell(httpcache.Finding{Topic: "late"})
		}
	}})
	resp, findings, err := c.GetExplained(t.Context(), "http://a.example/", "any")
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	want := []Finding{{"found", "no\nthing \"é\"", "RFC 9111 section 4"}, {"stored", "yes", ""}}
	if !slices.Equal(findings, want) || resp.Header[findingField] != nil {
		t.Errorf("got %q, %v", findings, resp.Header)
	}
	resp, err = c.Get(t.Context(), "http://a.example/", "any")
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if resp.Header[findingField] != nil {
		t.Errorf("unasked: %v", resp.Header)
	}
}

func TestSocket(t *testing.T) {
	for name, dir := range map[string]string{
		"short path": t.TempDir(),
		"long path":  filepath.Join(t.TempDir(), strings.Repeat("long/", 40)),
	} {
		t.Run(name, func(t *testing.T) {
			if err := os.MkdirAll(dir, 0o700); err != nil {
				t.Fatal(err)
			}
			if path, err := SocketPath(dir); err == nil && filepath.Dir(path) != dir {
				t.Cleanup(func() { _ = os.RemoveAll(filepath.Dir(path)) })
			}
			if _, err := Dial(t.Context(), dir); !errors.Is(err, ErrNotRunning) {
				t.Fatalf("nobody listens: %v", err)
			}
			for range 2 { // the second time over what a crash has left
				serveOnSocket(t, dir)
			}
		})
	}
}

func serveOnSocket(t *testing.T, dir string) {
	t.Helper()
	l, err := Listen(dir)
	if err != nil {
		t.Fatal(err)
	}
	path, err := SocketPath(dir)
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("socket mode %v, %v", info.Mode(), err)
	}
	s := &http.Server{Handler: Handler(Config{Store: openStore(t), Status: func() Status { return Status{Key: "k"} }})}
	served := make(chan struct{})
	l.(*net.UnixListener).SetUnlinkOnClose(false) // as a crash leaves it
	go func() {
		defer close(served)
		_ = s.Serve(l)
	}()
	c, err := Dial(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if status, err := c.Status(t.Context()); err != nil || status.Key != "k" {
		t.Errorf("status %+v, %v", status, err)
	}
	_ = s.Close()
	<-served
	if err := c.Cat(context.Background(), "http://a.example/", io.Discard); err == nil {
		t.Error("an answer after the end")
	}
}

func TestSocketDirectoryOfOthersIsRefused(t *testing.T) {
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	if l, err := Listen(dir); err == nil {
		_ = l.Close()
		t.Error("a socket where others can replace it")
	}
}

// In /tmp anyone may have made the directory first, and answer in the node's place.
func TestSocketDirectoryOfAnotherUser(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root can give a directory to another user")
	}
	long := filepath.Join(t.TempDir(), strings.Repeat("long/", 40))
	path, err := SocketPath(long)
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Dir(path)
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if err := os.Chown(dir, 65534, 65534); err != nil {
		t.Fatal(err)
	}
	if l, err := Listen(long); err == nil {
		_ = l.Close()
		t.Error("listens in somebody else's directory")
	}
	if _, err := Dial(t.Context(), long); err == nil || errors.Is(err, ErrNotRunning) {
		t.Errorf("dial: %v", err)
	}
}
