package proxy

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"testing"
	"time"
)

// benchLab is an origin with bodies of any size ("/SIZE/…"), a proxy that knows it
// as www.example.com, and a client of the proxy.
type benchLab struct {
	store  *memStore
	origin *httptest.Server
	server *httptest.Server
	client *http.Client
	proxy  *Proxy
}

func newBenchLab(b *testing.B) *benchLab {
	b.Helper()
	l := &benchLab{store: newMemStore()}
	l.origin = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var size int
		_, _ = fmt.Sscanf(r.URL.Path, "/%d/", &size)
		h := w.Header()
		h.Set("Content-Type", "text/css")
		h.Set("Cache-Control", "public, max-age=3600")
		h.Set("Etag", `"abc"`)
		h.Set("Last-Modified", "Mon, 02 Nov 2026 15:04:05 GMT")
		h.Set("Content-Length", strconv.Itoa(size))
		for at := 0; at < size; at += 1 << 16 {
			_, _ = w.Write(pattern(at, min(1<<16, size-at)))
		}
	}))
	b.Cleanup(l.origin.Close)
	rule := Resolve{Host: "www.example.com", Port: 80, Addr: addrOf(l.origin.Listener)}
	l.proxy = newProxy(b, Config{Store: l.store, Dialer: &Dialer{Resolve: []Resolve{rule}}})
	l.server = httptest.NewUnstartedServer(nil)
	l.server.Config = l.proxy.Server()
	l.server.Start()
	b.Cleanup(l.server.Close)
	proxyURL, _ := url.Parse(l.server.URL)
	tr := &http.Transport{Proxy: http.ProxyURL(proxyURL), DisableCompression: true, MaxIdleConnsPerHost: 100, ReadBufferSize: 64 << 10}
	b.Cleanup(tr.CloseIdleConnections)
	l.client = &http.Client{Transport: tr}
	return l
}

func fetchAll(b *testing.B, c *http.Client, u string, size int) {
	res, err := c.Get(u)
	if err != nil {
		b.Fatal(err)
	}
	n, err := io.Copy(io.Discard, res.Body)
	res.Body.Close()
	if err != nil || int(n) != size {
		b.Fatalf("%d bytes, %v", n, err)
	}
}

func BenchmarkFreshHit(b *testing.B) {
	for _, size := range []int{1 << 10, 100 << 10} {
		b.Run(fmt.Sprintf("%dKiB", size>>10), func(b *testing.B) {
			l := newBenchLab(b)
			u := fmt.Sprintf("%s/%d/hit", site, size)
			fetchAll(b, l.client, u, size)
			settle(l.proxy)
			b.SetBytes(int64(size))
			b.ReportAllocs()
			for b.Loop() {
				fetchAll(b, l.client, u, size)
			}
		})
	}
}

// The handler alone, without sockets and client.
func BenchmarkFreshHitHandler(b *testing.B) {
	l := newBenchLab(b)
	const size = 1 << 10
	u := fmt.Sprintf("%s/%d/hit", site, size)
	fetchAll(b, l.client, u, size)
	settle(l.proxy)
	r := httptest.NewRequest("GET", u, nil)
	b.ReportAllocs()
	for b.Loop() {
		l.proxy.ServeHTTP(&discardWriter{header: http.Header{}}, r)
	}
}

// BenchmarkMiss reports how long a miss takes through the proxy, stored on its way,
// compared with the origin asked directly in the same run.
func BenchmarkMiss(b *testing.B) {
	for _, size := range []int{100 << 10, 10 << 20} {
		b.Run(fmt.Sprintf("%dKiB", size>>10), func(b *testing.B) {
			l := newBenchLab(b)
			direct := &http.Client{Transport: &http.Transport{DisableCompression: true, ReadBufferSize: 64 << 10}}
			defer direct.CloseIdleConnections()
			b.SetBytes(int64(size))
			var through, straight time.Duration
			for n := 0; b.Loop(); n++ {
				path := fmt.Sprintf("/%d/%d", size, n)
				start := time.Now()
				fetchAll(b, direct, l.origin.URL+path, size)
				half := time.Now()
				fetchAll(b, l.client, site+path, size)
				straight += half.Sub(start)
				through += time.Since(half)
				b.StopTimer()
				settle(l.proxy)
				l.store.forget()
				b.StartTimer()
			}
			b.ReportMetric(through.Seconds()/straight.Seconds(), "times-direct")
		})
	}
}
