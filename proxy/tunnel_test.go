package proxy

import (
	"bufio"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gorilla/websocket"
)

// connectTo opens a tunnel through the lab's proxy.
func (l *lab) connectTo(authority, early string) (*net.TCPConn, *bufio.Reader, *http.Response) {
	l.t.Helper()
	conn, err := net.Dial("tcp", l.server.Listener.Addr().String())
	if err != nil {
		l.t.Fatal(err)
	}
	l.t.Cleanup(func() { conn.Close() })
	fmt.Fprintf(conn, "CONNECT %s HTTP/1.1\r\nHost: %s\r\n\r\n%s", authority, authority, early)
	br := bufio.NewReader(conn)
	res, err := http.ReadResponse(br, &http.Request{Method: "CONNECT"})
	if err != nil {
		l.t.Fatal(err)
	}
	return conn.(*net.TCPConn), br, res
}

// Both directions can be closed one after the other (RFC 9110 section 9.3.6).
func TestConnectHalfClose(t *testing.T) {
	l := newLab(t, nil, nil)
	upstream, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer upstream.Close()
	done := make(chan struct{})
	go func() {
		defer close(done)
		c, err := upstream.Accept()
		if err != nil {
			t.Error(err)
			return
		}
		defer c.Close()
		all, _ := io.ReadAll(c) // until the client's half is closed
		fmt.Fprintf(c, "got %s", all)
	}()
	l.proxy.dialer.Resolve = []Resolve{{Host: "www.example.com", Port: 443, Addr: addrOf(upstream)}}
	conn, br, res := l.connectTo("www.example.com:443", "early ")
	if res.StatusCode != 200 || res.Header.Get("Proxy-Status") != "peerproxy" || res.Header.Get("Content-Length") != "" || res.TransferEncoding != nil {
		t.Fatalf("%d %v", res.StatusCode, res.Header)
	}
	fmt.Fprint(conn, "and late")
	_ = conn.CloseWrite()
	if text, err := io.ReadAll(br); err != nil || string(text) != "got early and late" {
		t.Errorf("%q %v", text, err)
	}
	<-done
}

func TestConnectTLS(t *testing.T) {
	l := newLab(t, nil, nil)
	secure := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header["Via"] != nil {
			t.Error("the proxy looked into the tunnel")
		}
		fmt.Fprint(w, "secret")
	}))
	defer secure.Close()
	l.proxy.dialer.Resolve = []Resolve{{Host: "example.com", Port: 443, Addr: addrOf(secure.Listener)}}
	tr := l.client.Transport.(*http.Transport)
	tr.TLSClientConfig = secure.Client().Transport.(*http.Transport).TLSClientConfig
	res, err := l.client.Get("https://example.com/")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if text, _ := io.ReadAll(res.Body); string(text) != "secret" {
		t.Errorf("got %q", text)
	}
}

// An https URL in absolute form is fetched over TLS by the proxy itself.
func TestAbsoluteHTTPS(t *testing.T) {
	l := newLab(t, nil, nil)
	secure := httptest.NewUnstartedServer(fixed("over TLS", "max-age=60"))
	secure.Config.ErrorLog = log.New(io.Discard, "", 0)
	secure.StartTLS()
	defer secure.Close()
	l.proxy.dialer.Resolve = []Resolve{{Host: "example.com", Port: 443, Addr: addrOf(secure.Listener)}}
	request := "GET https://example.com/ HTTP/1.1\r\nHost: example.com\r\nConnection: close\r\n\r\n"
	res, _ := l.raw(request)
	if res.StatusCode != 502 || !strings.Contains(res.Header.Get("Proxy-Status"), "error=tls_certificate_error") {
		t.Errorf("unknown authority: %d %v", res.StatusCode, res.Header)
	}
	l.proxy.ownedPool.TLSClientConfig = &tls.Config{RootCAs: secure.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs}
	res, text := l.raw(request)
	if res.StatusCode != 200 || text != "over TLS" {
		t.Errorf("%d %q", res.StatusCode, text)
	}
	l.settle()
	if all := l.store.all(); len(all) != 1 || all[0].Exchange.URL.String() != "https://example.com/" {
		t.Errorf("stored %v", all)
	}
}

func TestConnectFailures(t *testing.T) {
	l := newLab(t, nil, nil)
	l.origin.Close()
	_, _, res := l.connectTo("www.example.com:80", "")
	defer res.Body.Close()
	if res.StatusCode != 502 || !strings.Contains(res.Header.Get("Proxy-Status"), "error=connection_refused") || res.Header.Get("Cache-Status") == "" {
		t.Errorf("%d %v", res.StatusCode, res.Header)
	}
}

// Tunnels end with the proxy.
func TestCloseEndsTunnels(t *testing.T) {
	l := newLab(t, nil, nil)
	accepted := make(chan net.Conn, 1)
	upstream, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer upstream.Close()
	go func() { c, _ := upstream.Accept(); accepted <- c }()
	l.proxy.dialer.Resolve = []Resolve{{Host: "www.example.com", Port: 443, Addr: addrOf(upstream)}}
	_, br, _ := l.connectTo("www.example.com:443", "")
	c := <-accepted
	defer c.Close()
	_ = l.proxy.Close()
	if _, err := br.ReadByte(); err == nil {
		t.Error("client still connected")
	}
	if _, err := c.Read(make([]byte, 1)); err == nil {
		t.Error("upstream still connected")
	}
	conn, _, _ := l.connectTo("www.example.com:443", "")
	if _, err := conn.Read(make([]byte, 1)); err == nil {
		t.Error("a new tunnel stands")
	}
}

// A tunnel in which nothing moves is closed after the idle time; each byte in either
// direction gives it new time.
func TestTunnelIdle(t *testing.T) {
	bubble(func(t *testing.T) {
		tunnels := newTunnels()
		client, a := net.Pipe()
		upstream, b := net.Pipe()
		start := time.Now()
		ended := make(chan time.Duration)
		go func() {
			tunnels.run(a, b, time.Minute)
			ended <- time.Since(start)
		}()
		go func() { _, _ = io.Copy(io.Discard, client) }()
		for range 3 {
			time.Sleep(50 * time.Second)
			_, _ = upstream.Write([]byte("x"))
		}
		wantTook(t, <-ended, 150*time.Second+time.Minute)
		if _, err := client.Write([]byte("x")); err == nil {
			t.Error("client's end is open")
		}
		upstream.Close()
		client.Close()
		synctest.Wait()
	})(t)
}

func TestWebSocketEcho(t *testing.T) {
	upgrader := websocket.Upgrader{CheckOrigin: func(*http.Request) bool { return true }, Subprotocols: []string{"chat"}}
	l := newLab(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Proxy-Connection") != "" || r.Header.Get("Via") == "" {
			t.Errorf("origin got %v", r.Header)
		}
		conn, err := upgrader.Upgrade(w, r, nil)
		if err != nil {
			return
		}
		defer conn.Close()
		for {
			kind, text, err := conn.ReadMessage()
			if err != nil {
				return
			}
			_ = conn.WriteMessage(kind, append([]byte("echo "), text...))
		}
	}, nil)
	conn, res, err := l.dialWebSocket("/ws", "chat")
	if err != nil {
		t.Fatal(err, res)
	}
	if conn.Subprotocol() != "chat" || !strings.Contains(res.Header.Get("Via"), "peerproxy") || res.Header.Get("Cache-Status") == "" || res.Header.Get("Proxy-Status") == "" {
		t.Errorf("header %v", res.Header)
	}
	for i := range 3 {
		_ = conn.WriteMessage(websocket.TextMessage, fmt.Append(nil, i))
		if _, text, err := conn.ReadMessage(); err != nil || string(text) != fmt.Sprintf("echo %d", i) {
			t.Errorf("%q %v", text, err)
		}
	}
	conn.Close()
}

// dialWebSocket makes an upgrade in absolute form, as browsers do not (they use
// CONNECT), but other clients do.
func (l *lab) dialWebSocket(path string, protocols ...string) (*websocket.Conn, *http.Response, error) {
	dialer := websocket.Dialer{
		Subprotocols: protocols,
		NetDialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			var d net.Dialer
			c, err := d.DialContext(ctx, "tcp", l.server.Listener.Addr().String())
			return &absolute{Conn: c}, err
		},
	}
	return dialer.Dial("ws://www.example.com"+path, http.Header{"Proxy-Connection": {"keep-alive"}})
}

// absolute writes the first request line in absolute form.
type absolute struct {
	net.Conn
	begun bool
}

func (c *absolute) Write(p []byte) (int, error) {
	if c.begun {
		return c.Conn.Write(p)
	}
	c.begun = true
	if _, err := c.Conn.Write([]byte(strings.Replace(string(p), "GET /", "GET http://www.example.com/", 1))); err != nil {
		return 0, err
	}
	return len(p), nil
}

func TestUpgradeRefused(t *testing.T) {
	l := newLab(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/other" {
			w.Header().Set("Connection", "Upgrade")
			w.Header().Set("Upgrade", "something-else")
			w.WriteHeader(101)
			return
		}
		http.Error(w, "no sockets here", http.StatusForbidden)
	}, nil)
	_, res, err := l.dialWebSocket("/ws")
	if err == nil || res == nil || res.StatusCode != 403 || res.Header.Get("Cache-Status") == "" {
		t.Errorf("%v %v", res, err)
	}
	_, res, err = l.dialWebSocket("/other")
	if err == nil || res == nil || res.StatusCode != 502 || !strings.Contains(res.Header.Get("Proxy-Status"), "http_upgrade_failed") {
		t.Errorf("%v %v", res, err)
	}
	l.origin.Close()
	_, res, err = l.dialWebSocket("/ws")
	if err == nil || res == nil || res.StatusCode != 502 || !strings.Contains(res.Header.Get("Proxy-Status"), "connection_refused") {
		t.Errorf("%v %v", res, err)
	}
}

// Other offers to upgrade are between neighbours; the request itself is an ordinary one.
func TestOtherUpgradesAreIgnored(t *testing.T) {
	l := newLab(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header["Upgrade"] != nil || r.Header["Http2-Settings"] != nil {
			t.Errorf("origin got %v", r.Header)
		}
		fixed("x", "max-age=60")(w, r)
	}, nil)
	res, text := l.raw("GET http://www.example.com/ HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQCAAAAAAIAAAAA\r\n\r\n")
	if res.StatusCode != 200 || text != "x" {
		t.Errorf("%d %q", res.StatusCode, text)
	}
}

// A writer that can't be taken over (HTTP/2) gets an answer.
func TestNoHijack(t *testing.T) {
	l := newLab(t, nil, nil)
	w := httptest.NewRecorder()
	r := httptest.NewRequest("CONNECT", "www.example.com:80", nil)
	r.URL = &url.URL{Host: "www.example.com:80"}
	l.proxy.ServeHTTP(w, r)
	if w.Code != 501 {
		t.Errorf("status %d", w.Code)
	}
}
