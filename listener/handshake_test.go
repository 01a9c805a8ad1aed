package listener

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gorilla/websocket"
)

const goodHandshake = "GET /chat HTTP/1.1\r\nHost: here\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n" +
	"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"

func TestWhatIsNoGoodHandshakeIsRefused(t *testing.T) {
	with := func(old, new string) string {
		if !strings.Contains(goodHandshake, old) {
			t.Fatalf("no %q", old)
		}
		return strings.Replace(goodHandshake, old, new, 1)
	}
	header := func(line string) string { return with("\r\n\r\n", "\r\n"+line+"\r\n\r\n") }
	tests := []struct {
		name    string
		request string
		status  int
	}{
		{"good", goodHandshake, 101},
		{"method", with("GET", "POST"), 405},
		{"path", with("/chat", "/mail"), 404},
		{"path below", with("/chat", "/chat/room"), 404},
		{"HTTP/1.0", with("HTTP/1.1", "HTTP/1.0"), 400},
		{"version", with("13", "8"), 400},
		{"no key", with("Sec-WebSocket-Key", "X"), 400},
		{"short key", with("dGhlIHNhbXBsZSBub25jZQ==", "c2hvcnQ="), 400},
		{"body", header("Content-Length: 5"), 400},
		{"chunked body", header("Transfer-Encoding: chunked"), 400},
		{"web page", header("Origin: https://news.example"), 403},
		{"web page of the same host", header("Origin: http://here"), 403},
		{"opaque origin", header("Origin: null"), 403},
		{"empty origin", header("Origin: "), 403},
		{"another upgrade", with("Upgrade: websocket", "Upgrade: h2c"), 426},
		{"plain request", "GET /chat HTTP/1.1\r\nHost: here\r\n\r\n", 426},
		{"plain request elsewhere", "GET / HTTP/1.1\r\nHost: here\r\n\r\n", 404},
		{"HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 404},
		{"no host", with("Host: here\r\n", ""), 400},
		{"garbage", "\x00\x01\x02\r\n\r\n", 400},
		{"TLS where none is", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400},
		{"huge header", header("X: " + strings.Repeat("a", 1<<20)), 431},
		{"many headers", header(strings.Repeat("X: a\r\n", 100_000) + "Y: b"), 431},
	}
	l := open(t, Config{Path: "/chat"})
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			status, header := exchange(t, l, test.request)
			if status != test.status {
				t.Errorf("status %d, want %d", status, test.status)
			}
			if status == 426 && header.Get("Upgrade") != "websocket" { // RFC 9110 section 15.5.22
				t.Errorf("header %v", header)
			}
		})
	}
	mustAccept(t, l) // the good one
}

func TestCheckOriginDecides(t *testing.T) {
	l := open(t, Config{CheckOrigin: func(r *http.Request) bool { return r.Header.Get("Origin") == "chrome-extension://abc" }})
	if _, _, err := dial(t, l, websocket.Dialer{}, http.Header{"Origin": {"chrome-extension://abc"}}); err != nil {
		t.Error(err)
	}
	if _, resp, err := dial(t, l, websocket.Dialer{}, http.Header{"Origin": {"https://news.example"}}); err == nil || resp.StatusCode != 403 {
		t.Errorf("got %v, %v", resp, err)
	}
	if _, resp, err := dial(t, l, websocket.Dialer{}, nil); err == nil || resp.StatusCode != 403 {
		t.Errorf("without the field: %v, %v", resp, err)
	}
}

func TestFallbackAnswersOtherRequestsAlone(t *testing.T) {
	l := open(t, Config{Path: "/chat", Fallback: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, "you asked for ", r.URL.Path)
	})})
	client := &http.Client{Transport: &http.Transport{}}
	defer client.CloseIdleConnections()
	for range 2 {
		resp, err := client.Get("http://" + l.Addr().String() + "/about")
		if err != nil {
			t.Fatal(err)
		}
		text, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		if string(text) != "you asked for /about" {
			t.Errorf("got %q", text)
		}
	}
	if status, _ := exchange(t, l, strings.Replace(goodHandshake, "/chat", "/mail", 1)); status != 404 {
		t.Errorf("handshake elsewhere: %d", status)
	}
	mustDial(t, l)
	mustAccept(t, l)
}

func TestClientThatWantsTLSWrong(t *testing.T) {
	l := open(t, Config{TLS: serverTLS(t), HandshakeTimeout: 5 * time.Second})
	if status, _ := exchange(t, l, goodHandshake); status != 400 { // net/http's word for it
		t.Errorf("plain handshake: status %d", status)
	}
	_, err := tls.Dial("tcp", l.Addr().String(), &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"h2"}})
	if err == nil {
		t.Error("HTTP/2 was agreed on")
	}
	mustDial(t, l)
	mustAccept(t, l)
}

// However little somebody says, and however slowly, it is over after the
// handshake timeout, counted from the first byte of the connection.
func TestHandshakeTimeout(t *testing.T) {
	const timeout = 10 * time.Second
	tests := []struct {
		name string
		talk func(client net.Conn)
	}{
		{"silence", func(net.Conn) {}},
		{"half a line", func(c net.Conn) { io.WriteString(c, "GET /ch") }},
		{"half a header", func(c net.Conn) { io.WriteString(c, goodHandshake[:60]) }},
		{"one byte a second", func(c net.Conn) {
			for i := range len(goodHandshake) {
				time.Sleep(time.Second)
				if _, err := c.Write([]byte(goodHandshake[i : i+1])); err != nil {
					return
				}
			}
		}},
		{"late, then half a header", func(c net.Conn) {
			time.Sleep(timeout - time.Second)
			io.WriteString(c, goodHandshake[:60])
		}},
	}
	for _, useTLS := range []bool{false, true} {
		for _, test := range tests {
			t.Run(fmt.Sprintf("%s, TLS %v", test.name, useTLS), func(t *testing.T) {
				cfg := Config{HandshakeTimeout: timeout}
				if useTLS {
					cfg.TLS = serverTLS(t)
				}
				synctest.Test(t, func(t *testing.T) {
					l, socket := openInMemory(t.Context(), cfg)
					client := socket.connect("192.0.2.1")
					done := make(chan struct{})
					go func() { defer close(done); test.talk(client) }()
					if took := timeToClose(client); took > timeout {
						t.Errorf("closed after %v", took)
					}
					client.Close()
					<-done
					synctest.Wait()
					if n := len(l.guard.open); n != 0 {
						t.Errorf("%d handshakes are open", n)
					}
					if err := l.Close(); err != nil {
						t.Error(err)
					}
				})
			})
		}
	}
}

func TestNoTimeoutAfterTheHandshake(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, socket := openInMemory(t.Context(), Config{})
		dialer := websocket.Dialer{NetDialContext: func(context.Context, string, string) (net.Conn, error) {
			return socket.connect("192.0.2.1"), nil
		}}
		client, _, err := dialer.DialContext(t.Context(), "ws://here/", nil)
		if err != nil {
			t.Fatal(err)
		}
		server, err := l.Accept(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(24 * time.Hour)
		go client.WriteMessage(websocket.TextMessage, []byte("still here"))
		if _, text, err := server.ReadMessage(); err != nil || string(text) != "still here" {
			t.Errorf("read %q, %v", text, err)
		}
		if err := l.Close(); err != nil {
			t.Error(err)
		}
		client.NetConn().Close()
		server.NetConn().Close()
	})
}

// A client that keeps talking plain HTTP to Fallback has time for each request.
func TestFallbackHasTimeForEachRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, socket := openInMemory(t.Context(), Config{Fallback: http.NotFoundHandler()})
		client := &http.Client{Transport: &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) {
			return socket.connect("192.0.2.1"), nil
		}}}
		for range 5 {
			resp, err := client.Get("http://here/")
			if err != nil {
				t.Fatal(err)
			}
			io.Copy(io.Discard, resp.Body)
			resp.Body.Close()
			time.Sleep(9 * time.Second)
		}
		time.Sleep(time.Second)
		synctest.Wait()
		if n := len(l.guard.open); n != 0 {
			t.Errorf("%d connections idle for ever", n)
		}
		client.CloseIdleConnections()
		l.Close()
	})
}

func TestTooManyHandshakes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, socket := openInMemory(t.Context(), Config{MaxHandshakes: 6, MaxHandshakesPerIP: 2})
		admitted := func(from string) bool {
			client := socket.connect(from)
			t.Cleanup(func() { client.Close() })
			synctest.Wait()
			client.SetReadDeadline(time.Now().Add(time.Millisecond))
			_, err := client.Read(make([]byte, 1))
			return !errors.Is(err, io.EOF)
		}
		for _, test := range []struct {
			from string
			want bool
		}{
			{"192.0.2.1", true},
			{"192.0.2.1", true},
			{"192.0.2.1", false},
			{"::ffff:192.0.2.1", false},
			{"2001:db8::1", true},
			{"2001:db8::2", true},
			{"2001:db8::3", false}, // the same /64
			{"2001:db8:0:1::1", true},
			{"192.0.2.2", true},
			{"192.0.2.3", false}, // six in all
		} {
			if got := admitted(test.from); got != test.want {
				t.Errorf("%s: admitted %v", test.from, got)
			}
		}
		time.Sleep(10 * time.Second)
		if !admitted("192.0.2.1") {
			t.Error("the places of those who timed out are not free")
		}
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
}
