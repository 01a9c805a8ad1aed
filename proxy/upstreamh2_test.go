package proxy

import (
	"crypto/tls"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
)

// Requests to an origin that speaks HTTP/2 share a connection, directly and through
// the tunnel of an upstream.
func TestOriginHTTP2(t *testing.T) {
	var conns, requests atomic.Int32
	secure := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		requests.Add(1)
		w.Header().Set("Cache-Control", "no-store")
		fmt.Fprint(w, r.Proto, " ", r.Host, " ", r.Header.Get("Via"))
	}))
	secure.EnableHTTP2 = true
	secure.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, 0)
	secure.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			conns.Add(1)
		}
	}
	secure.StartTLS()
	defer secure.Close()
	b := &beyond{places: map[string]net.Addr{"example.com:443": secure.Listener.Addr()}}
	for name, dialer := range map[string]*Dialer{
		"direct":        {Resolve: []Resolve{{Host: "example.com", Port: 443, Addr: addrOf(secure.Listener)}}},
		"through HTTP":  {Upstream: mustUpstream(t, "http://"+startUpstream(t, httpUpstream(b, "")))},
		"through SOCKS": {Upstream: mustUpstream(t, "socks5://"+socksUpstream(t, b, "", 0).String())},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLab(t, nil, func(c *Config) { c.Dialer = dialer })
			l.proxy.ownedPool.TLSClientConfig = &tls.Config{RootCAs: secure.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs}
			conns.Store(0)
			requests.Store(0)
			for i := range 20 {
				res, text := l.raw(fmt.Sprintf("GET https://example.com/%d HTTP/1.1\r\nHost: example.com\r\nConnection: close\r\n\r\n", i))
				if res.StatusCode != 200 || !strings.HasPrefix(text, "HTTP/2.0 example.com 1.1 peerproxy-") {
					t.Fatalf("%d %q", res.StatusCode, text)
				}
				if via := res.Header.Get("Via"); via != "2 peerproxy" { // the version received with: RFC 9110 section 7.6.3
					t.Errorf("Via %q", via)
				}
				_, _ = io.Copy(io.Discard, res.Body)
			}
			if conns.Load() != 1 || requests.Load() != 20 {
				t.Errorf("%d requests over %d connections", requests.Load(), conns.Load())
			}
		})
	}
}
