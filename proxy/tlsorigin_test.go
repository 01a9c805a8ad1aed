package proxy

import (
	"crypto/tls"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"
)

// tlsSite makes https://example.com a site that speaks HTTP/1.1 and answers each connection's
// first request with a text, and then closes it.
func (l *lab) tlsSite(answer string) {
	l.t.Helper()
	secure := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			l.t.Error(err)
			return
		}
		defer conn.Close()
		_, _ = io.WriteString(conn, answer)
	}))
	secure.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, 0)
	secure.StartTLS()
	l.t.Cleanup(secure.Close)
	l.proxy.dialer.Resolve = []Resolve{{Host: "example.com", Port: 443, Addr: addrOf(secure.Listener)}}
	l.proxy.ownedPool.TLSClientConfig = &tls.Config{RootCAs: secure.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs}
}

// What the proxy sees to on bare connections it sees to under TLS as well: fields for
// this hop (RFC 9110 section 7.6.1), and framing (RFC 9112 section 6.1).
func TestTLSOrigin(t *testing.T) {
	for _, method := range []string{"GET", "POST"} {
		l := newLab(t, nil, nil)
		l.tlsSite("HTTP/1.1 200 OK\r\nConnection: close, X-Hop\r\nX-Hop: 1\r\nX-End: 2\r\nCache-Control: max-age=60\r\n\r\nok")
		a, err := l.overTLS(method, "/")
		if err != nil {
			t.Fatal(err)
		}
		if a.want(t, 200, "ok"); a.Header["X-Hop"] != nil || a.Header.Get("X-End") != "2" {
			t.Errorf("%v", a.Header)
		}
		l.settle()
		if stored := len(l.store.all()); method == "GET" && stored != 1 { // TLS shows that it is whole
			t.Errorf("%d stored", stored)
		}
		l.tlsSite("HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n")
		l.proxy.closeIdle()
		l.store.forget()
		if a, err = l.overTLS(method, "/x"); err != nil {
			t.Fatal(err)
		}
		a.want(t, 502, "*", "proxy:error=http_protocol_error")
	}
}
