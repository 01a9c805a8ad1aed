package node_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/peerproxy/peerproxy/node"
)

// benchNode is a whole node with its bbolt file, whose only origin is h.
func benchNode(b *testing.B, h http.Handler) (browser *http.Client, origin string) {
	b.Helper()
	s := httptest.NewServer(h)
	b.Cleanup(s.Close)
	n, err := node.New(node.Config{
		DataDir: filepath.Join(b.TempDir(), "data"), Proxy: "127.0.0.1:0", Listen: "127.0.0.1:0", DHT: "127.0.0.1:0",
		NoPublicBootstrap: true, NoMapping: true, Quota: 4 << 30,
		Resolve: []string{"bench.example:80:" + strings.TrimPrefix(s.URL, "http://")},
	})
	if err != nil {
		b.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- n.Run(ctx) }()
	b.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			b.Error(err)
		}
	})
	t := &http.Transport{
		Proxy:              http.ProxyURL(&url.URL{Scheme: "http", Host: n.Addresses().Proxy}),
		DisableCompression: true, MaxIdleConnsPerHost: 64, WriteBufferSize: 64 << 10, ReadBufferSize: 64 << 10,
	}
	b.Cleanup(t.CloseIdleConnections)
	return &http.Client{Transport: t}, s.URL
}

func load(b *testing.B, c *http.Client, url string) http.Header {
	resp, err := c.Get(url)
	if err != nil {
		b.Fatal(err)
	}
	_, err = io.Copy(io.Discard, resp.Body)
	_ = resp.Body.Close()
	if err != nil || resp.StatusCode != http.StatusOK {
		b.Fatal(resp.Status, err)
	}
	return resp.Header
}

// BenchmarkHit is a fresh hit of a whole node over kept-alive connections.
func BenchmarkHit(b *testing.B) {
	for _, kib := range []int{1, 100} {
		b.Run(fmt.Sprintf("%dKiB", kib), func(b *testing.B) {
			content := strings.Repeat("x", kib<<10)
			browser, _ := benchNode(b, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Cache-Control", "max-age=3600")
				_, _ = io.WriteString(w, content)
			}))
			for !strings.Contains(load(b, browser, "http://bench.example/").Get("Cache-Status"), ";hit") {
				time.Sleep(time.Millisecond)
			}
			b.SetBytes(int64(len(content)))
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					load(b, browser, "http://bench.example/")
				}
			})
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "hits/s")
		})
	}
}

// BenchmarkMiss compares a miss through a whole node, which hashes, signs and stores, with
// the same fetch from the origin direct. The ratio is of times: 2 is half as fast.
func BenchmarkMiss(b *testing.B) {
	for _, size := range []int{10 << 10, 1 << 20, 64 << 20} {
		b.Run(fmt.Sprintf("%dKiB", size>>10), func(b *testing.B) {
			content := make([]byte, size)
			browser, origin := benchNode(b, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Cache-Control", "max-age=3600")
				w.Header().Set("Content-Length", fmt.Sprint(size))
				_, _ = w.Write(content)
			}))
			direct := &http.Client{Transport: &http.Transport{DisableCompression: true, ReadBufferSize: 64 << 10}}
			defer direct.CloseIdleConnections()
			var n atomic.Int64
			var through, straight time.Duration
			b.SetBytes(int64(size))
			for b.Loop() {
				path := fmt.Sprintf("/%d", n.Add(1))
				began := time.Now()
				load(b, browser, "http://bench.example"+path)
				middle := time.Now()
				load(b, direct, origin+path)
				through, straight = through+middle.Sub(began), straight+time.Since(middle)
			}
			b.ReportMetric(float64(through)/float64(straight), "times-direct")
			b.ReportMetric(float64(through.Microseconds())/float64(b.N), "µs/miss")
		})
	}
}
