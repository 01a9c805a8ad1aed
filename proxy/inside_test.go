package proxy

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"
)

// opener is an Interceptor that opens every tunnel to a port other than 80, by the certificate
// of httptest, unless the client begins with an X.
type opener struct{ config *tls.Config }

func (o opener) Wants(authority string) bool { return !strings.HasSuffix(authority, ":80") }
func (o opener) Intercept(ctx context.Context, c net.Conn, _ string) (net.Conn, error) {
	first := make([]byte, 1)
	if _, err := io.ReadFull(c, first); err != nil {
		return nil, err
	}
	rest := &earlyConn{Conn: c, early: first}
	if first[0] == 'X' {
		return rest, nil
	}
	secure := tls.Server(rest, o.config)
	if err := secure.HandshakeContext(ctx); err != nil {
		return nil, err
	}
	return secure, nil
}

// openedLab is a lab whose proxy opens tunnels, and a site https://example.com behind.
func openedLab(t *testing.T, origin http.HandlerFunc, change func(*Config)) *lab {
	t.Helper()
	secure := httptest.NewUnstartedServer(origin)
	secure.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, 0)
	secure.EnableHTTP2 = true
	secure.StartTLS()
	t.Cleanup(secure.Close)
	return newLab(t, nil, func(c *Config) {
		c.Interceptor = opener{&tls.Config{Certificates: secure.TLS.Certificates, NextProtos: []string{"h2", "http/1.1"}}}
		c.RootCAs = secure.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs
		for _, port := range []uint16{443, 8443} {
			c.Dialer.Resolve = append(c.Dialer.Resolve, Resolve{Host: "example.com", Port: port, Addr: addrOf(secure.Listener)})
		}
		if change != nil {
			change(c)
		}
	})
}

// openTunnel opens a tunnel and TLS in it, and leaves the rest to the caller.
func (l *lab) openTunnel(authority, protocol string) (*tls.Conn, *bufio.Reader) {
	l.t.Helper()
	conn, br, res := l.connectTo(authority, "")
	if res.StatusCode != 200 || br.Buffered() > 0 {
		l.t.Fatalf("CONNECT %s: %d", authority, res.StatusCode)
	}
	_ = conn.SetDeadline(time.Now().Add(20 * time.Second))
	secure := tls.Client(conn, &tls.Config{ServerName: "example.com", InsecureSkipVerify: true, NextProtos: []string{protocol}})
	if err := secure.Handshake(); err != nil {
		l.t.Fatal(err)
	}
	return secure, bufio.NewReader(secure)
}

func echo(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "max-age=60")
	_, _ = fmt.Fprintf(w, "%s %s%s over %s", r.Method, r.Host, r.RequestURI, r.Proto)
}

// In a tunnel the proxy is the server of one site: RFC 9112 section 3.2 on forms of the target, RFC 9110
// section 7.4 on requests for others.
func TestInside(t *testing.T) {
	l := openedLab(t, echo, nil)
	for request, want := range map[string]struct {
		status int
		text   string
	}{
		"GET /a?b HTTP/1.1\r\nHost: example.com":                     {200, "GET example.com/a?b over HTTP/2.0"},
		"GET /p HTTP/1.1\r\nHost: EXAMPLE.com:443":                   {200, "GET EXAMPLE.com/p over HTTP/2.0"},
		"GET //x/%7e HTTP/1.1\r\nHost: example.com":                  {200, "GET example.com//x/%7e over HTTP/2.0"},
		"GET https://example.com/abs HTTP/1.1\r\nHost: example.com":  {200, "GET example.com/abs over HTTP/2.0"},
		"GET /other HTTP/1.1\r\nHost: other.example":                 {421, ""},
		"GET /port HTTP/1.1\r\nHost: example.com:8443":               {421, ""},
		"GET http://example.com/ HTTP/1.1\r\nHost: example.com":      {421, ""},
		"GET https://other.example/ HTTP/1.1\r\nHost: example.com":   {421, ""},
		"OPTIONS * HTTP/1.1\r\nHost: example.com":                    {200, ""},
		"CONNECT example.com:443 HTTP/1.1\r\nHost: example.com:443":  {400, ""},
		"GET /s HTTP/1.1\r\nHost : example.com":                      {400, ""},
		"GET /t HTTP/1.1\r\nHost: example.com\r\nContent-Length: +1": {400, ""},
	} {
		t.Run(request, func(t *testing.T) {
			conn, in := l.openTunnel("example.com:443", "http/1.1")
			atOnceTo(conn, request+"\r\n\r\n")
			a := l.read(in)
			if want.status == 200 {
				a.want(t, 200, want.text, "cache:fwd")
				return
			}
			a.want(t, want.status, "*", "cache:fwd=bypass", "proxy:error=http_request_error")
		})
	}
}

func atOnceTo(w io.Writer, text string) { _, _ = io.WriteString(w, text) }

// What comes over one protocol is stored for the other; the port stays that of the tunnel.
func TestInsideIsCached(t *testing.T) {
	l := openedLab(t, echo, nil)
	conn, in := l.openTunnel("example.com:8443", "http/1.1")
	atOnceTo(conn, "GET /a HTTP/1.1\r\nHost: example.com:8443\r\n\r\n")
	l.read(in).want(t, 200, "GET example.com:8443/a over HTTP/2.0", "cache:fwd=uri-miss")
	l.settle()
	if all := l.store.all(); len(all) != 1 || all[0].Exchange.URL.String() != "https://example.com:8443/a" {
		t.Fatalf("stored %v", all)
	}
	atOnceTo(conn, "GET /a HTTP/1.1\r\nHost: example.com:8443\r\n\r\n")
	l.read(in).want(t, 200, "GET example.com:8443/a over HTTP/2.0", "cache:hit")

	second, _ := l.openTunnel("example.com:8443", "h2")
	res := overH2(t, second, "GET", "https://example.com:8443/a", nil)
	if res.ProtoMajor != 2 || !strings.HasPrefix(res.Header.Get("Cache-Status"), "peerproxy;hit") {
		t.Errorf("%s %v", res.Proto, res.Header)
	}
}

// overH2 sends one request over a connection of HTTP/2.
func overH2(t *testing.T, conn *tls.Conn, method, u string, body io.Reader) answered {
	t.Helper()
	tr := &http.Transport{DialTLSContext: func(context.Context, string, string) (net.Conn, error) { return conn, nil }, ForceAttemptHTTP2: true}
	t.Cleanup(tr.CloseIdleConnections)
	r, err := http.NewRequest(method, u, body)
	if err != nil {
		t.Fatal(err)
	}
	res, err := tr.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answered{res, string(text)}
}

// Content passes both ways, and what is for another site is refused, over HTTP/2 as well.
func TestInsideH2(t *testing.T) {
	l := openedLab(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(w, r.Body)
	}, nil)
	conn, _ := l.openTunnel("example.com:443", "h2")
	long := strings.Repeat("0123456789", 100_000)
	if a := overH2(t, conn, "POST", "https://example.com/", strings.NewReader(long)); a.StatusCode != 200 || a.text != long {
		t.Errorf("%d, %d bytes", a.StatusCode, len(a.text))
	}
	conn, _ = l.openTunnel("example.com:443", "h2")
	overH2(t, conn, "POST", "https://other.example/", strings.NewReader("x")).want(t, 421, "*", "proxy:error=http_request_error")
}

// A request that is opened on the way is no way around the credentials, and needs none itself.
func TestInsideNeedsNoCredentials(t *testing.T) {
	l := openedLab(t, echo, func(c *Config) { c.Auth = Users(map[string]string{"u": "p"}) })
	conn, err := net.Dial("tcp", l.server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	br := bufio.NewReader(conn)
	fmt.Fprint(conn, "CONNECT example.com:443 HTTP/1.1\r\nHost: example.com:443\r\n\r\n")
	if res, err := http.ReadResponse(br, &http.Request{Method: "GET"}); err != nil || res.StatusCode != 407 {
		t.Fatal(res, err)
	}
	conn, err = net.Dial("tcp", l.server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprint(conn, "CONNECT example.com:443 HTTP/1.1\r\nHost: example.com:443\r\nProxy-Authorization: Basic dTpw\r\n\r\n")
	if res, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: "CONNECT"}); err != nil || res.StatusCode != 200 {
		t.Fatal(res, err)
	}
	secure := tls.Client(conn, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"http/1.1"}, ServerName: "example.com"})
	atOnceTo(secure, "GET /in HTTP/1.1\r\nHost: example.com\r\n\r\n")
	l.read(bufio.NewReader(secure)).want(t, 200, "GET example.com/in over HTTP/2.0")
}

// What the interceptor does not want after all goes through as it is; here it meets TLS.
func TestNotOpened(t *testing.T) {
	l := openedLab(t, echo, nil)
	conn, br, _ := l.connectTo("example.com:443", "X")
	fmt.Fprint(conn, "X\r\n\r\n")
	if got, _ := io.ReadAll(br); strings.Contains(string(got), "Cache-Status") {
		t.Errorf("%q", got)
	}
}

// The end of an answer whose end is that of the connection is no ordinary one if it breaks off: by it a
// client of HTTP/1.0 would take it for the whole (RFC 8446 section 6.1).
func TestInsideBreaksOff(t *testing.T) {
	l := openedLab(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, "half")
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	}, nil)
	conn, in := l.openTunnel("example.com:443", "http/1.1")
	atOnceTo(conn, "POST / HTTP/1.0\r\nHost: example.com\r\nContent-Length: 0\r\n\r\n")
	if got, err := io.ReadAll(in); err == nil {
		t.Errorf("ended well, with %q", got)
	}
}

// Close ends opened tunnels and what is under way in them, and waits for it.
func TestInsideCloses(t *testing.T) {
	begun := make(chan struct{}, 2)
	l := openedLab(t, func(w http.ResponseWriter, r *http.Request) {
		begun <- struct{}{}
		<-r.Context().Done()
	}, nil)
	var ends sync.WaitGroup
	for _, protocol := range []string{"http/1.1", "h2"} {
		conn, in := l.openTunnel("example.com:443", protocol)
		ends.Go(func() {
			if protocol == "h2" {
				tr := &http.Transport{DialTLSContext: func(context.Context, string, string) (net.Conn, error) { return conn, nil }, ForceAttemptHTTP2: true}
				defer tr.CloseIdleConnections()
				r, _ := http.NewRequest("POST", "https://example.com/", nil)
				if res, err := tr.RoundTrip(r); err == nil && res.StatusCode != 502 {
					t.Errorf("h2: %d", res.StatusCode)
				}
				return
			}
			atOnceTo(conn, "POST / HTTP/1.1\r\nHost: example.com\r\nContent-Length: 0\r\n\r\n")
			if res, err := http.ReadResponse(in, nil); err == nil && res.StatusCode != 502 {
				t.Errorf("http/1.1: %d", res.StatusCode)
			}
		})
	}
	<-begun
	<-begun
	if err := l.proxy.Close(); err != nil {
		t.Error(err)
	}
	ends.Wait()
	_, br, res := l.connectTo("example.com:443", "")
	if _, err := br.ReadByte(); res.StatusCode == 200 && !errors.Is(err, io.EOF) {
		t.Errorf("a closed proxy opens a tunnel: %d %v", res.StatusCode, err)
	}
}

// An answer that runs when the proxy is told to end may come to its end, in tunnels too.
func TestInsideShutsDown(t *testing.T) {
	begun, goOn := make(chan struct{}), make(chan struct{})
	l := openedLab(t, func(w http.ResponseWriter, r *http.Request) {
		close(begun)
		<-goOn
		_, _ = io.WriteString(w, "whole")
	}, nil)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- l.proxy.Serve(ctx, listener) }()
	conn, err := net.Dial("tcp", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprint(conn, "CONNECT example.com:443 HTTP/1.1\r\nHost: example.com:443\r\n\r\n")
	if res, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: "CONNECT"}); err != nil || res.StatusCode != 200 {
		t.Fatal(res, err)
	}
	secure := tls.Client(conn, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"http/1.1"}, ServerName: "example.com"})
	atOnceTo(secure, "GET / HTTP/1.1\r\nHost: example.com\r\n\r\n")
	<-begun
	cancel()
	close(goOn)
	l.read(bufio.NewReader(secure)).want(t, 200, "whole")
	if err := <-done; err != nil {
		t.Error(err)
	}
}
