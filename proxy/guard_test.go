package proxy

import (
	"bufio"
	"crypto/sha256"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/gorilla/websocket"
)

// A tunnel through Serve carries any bytes, also those that come before it stands.
func TestTunnelIsOpaque(t *testing.T) {
	origin, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan string)
	go func() {
		defer close(done)
		conn, err := origin.Accept()
		if err != nil {
			t.Error(err)
			return
		}
		defer conn.Close()
		all, _ := io.ReadAll(conn)
		fmt.Fprintf(conn, "%x", sha256.Sum256(all))
	}()
	t.Cleanup(func() { origin.Close(); <-done })
	l := newLab(t, nil, nil)
	l.proxy.dialer.Resolve = []Resolve{{Host: "www.example.com", Port: 443, Addr: addrOf(origin)}}
	early, late := "\x16\x03\x01\x00\n\n\x00 early", strings.Repeat("\x00late\n", 50000)
	conn := l.served()
	atOnce(conn, "CONNECT www.example.com:443 HTTP/1.1\r\nHost: www.example.com:443\r\n\r\n"+early)
	in := bufio.NewReader(conn)
	granted, err := http.ReadResponse(in, &http.Request{Method: http.MethodConnect})
	if err != nil || granted.StatusCode != 200 {
		t.Fatal(granted, err)
	}
	atOnce(conn, late)
	_ = conn.CloseWrite()
	if got, err := io.ReadAll(in); err != nil || string(got) != fmt.Sprintf("%x", sha256.Sum256([]byte(early+late))) {
		t.Errorf("%q, %v", got, err)
	}
}

// When a tunnel is refused, what the client sent for it is not taken for requests (RFC 9931).
func TestRefusedTunnelEndsConnection(t *testing.T) {
	var asked askedPaths
	l := newLab(t, func(_ http.ResponseWriter, r *http.Request) { asked.add(r.URL.Path) }, nil)
	for name, early := range map[string]string{"nothing": "", "a request": smuggledRequest, "much": strings.Repeat(smuggledRequest, 5000)} {
		conn := l.served()
		atOnce(conn, "CONNECT www.example.com:25 HTTP/1.1\r\nHost: www.example.com:25\r\n\r\n"+early)
		in := bufio.NewReader(conn)
		a := l.read(in)
		a.want(t, 403, "*", "proxy:error=http_request_denied")
		if !a.Close {
			t.Errorf("%s: %v", name, a.Header)
		}
		l.wantEnd(in)
	}
	asked.want(t)
}

// A protocol that was switched to is no longer looked at; one that was not is HTTP still.
func TestUpgradeThroughServe(t *testing.T) {
	upgrader := websocket.Upgrader{CheckOrigin: func(*http.Request) bool { return true }}
	l := newLab(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/no" {
			http.Error(w, "no", http.StatusForbidden)
			return
		}
		conn, err := upgrader.Upgrade(w, r, nil)
		if err != nil {
			return
		}
		defer conn.Close()
		kind, text, err := conn.ReadMessage()
		if err == nil {
			err = conn.WriteMessage(kind, text)
		}
		if err != nil {
			t.Error(err)
		}
	}, nil)
	conn := l.served()
	in := bufio.NewReader(conn)
	upgrade := func(path string) string {
		return "GET http://www.example.com" + path + " HTTP/1.1\r\nHost: www.example.com\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
			"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\n\r\n"
	}
	atOnce(conn, upgrade("/no"))
	l.read(in).want(t, 403, "no\n")
	atOnce(conn, upgrade("/no")+upgrade("/no"))
	l.read(in).want(t, 403, "no\n")
	l.read(in).want(t, 403, "no\n")
	atOnce(conn, upgrade("/yes")+"\x82\x82\x00\x00\x00\x00\x00\n") // a frame of two bytes, too early
	if res, err := http.ReadResponse(in, nil); err != nil || res.StatusCode != http.StatusSwitchingProtocols {
		t.Fatal(res, err)
	}
	frame := make([]byte, 4)
	if _, err := io.ReadFull(in, frame); err != nil || string(frame) != "\x82\x02\x00\n" {
		t.Errorf("%q, %v", frame, err)
	}
}

// Content may be as long as it likes, and a client may wait until it is wanted (RFC 9110
// section 10.1.1).
func TestUploadsThroughServe(t *testing.T) {
	l := newLab(t, func(w http.ResponseWriter, r *http.Request) {
		sum := sha256.New()
		n, _ := io.Copy(sum, r.Body)
		fmt.Fprintf(w, "%d %x", n, sum.Sum(nil))
	}, nil)
	conn := l.served()
	in := bufio.NewReader(conn)
	content := strings.Repeat("\r\n0\r\n\r\nGET / HTTP/1.1\r\n\n", 1<<17)
	want := fmt.Sprintf("%d %x", len(content), sha256.Sum256([]byte(content)))
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		atOnce(conn, evilHead+fmt.Sprintf("Content-Length: %d\r\n\r\n", len(content))+content)
		atOnce(conn, evilHead+"Transfer-Encoding: chunked\r\n\r\n")
		for at, size := 0, 1; at < len(content); at, size = at+size, size*3%65521+1 {
			size = min(size, len(content)-at)
			fmt.Fprintf(conn, "%x\r\n%s\r\n", size, content[at:at+size])
		}
		atOnce(conn, "0\r\n\r\n")
	}()
	l.read(in).want(t, 200, want)
	l.read(in).want(t, 200, want)
	<-sent
	atOnce(conn, evilHead+"Expect: 100-continue\r\nContent-Length: 3\r\n\r\n")
	if line, err := in.ReadString('\n'); err != nil || line != "HTTP/1.1 100 Continue\r\n" {
		t.Fatalf("%q, %v", line, err)
	}
	if line, err := in.ReadString('\n'); err != nil || line != "\r\n" {
		t.Fatalf("%q, %v", line, err)
	}
	atOnce(conn, "abc")
	l.read(in).want(t, 200, fmt.Sprintf("3 %x", sha256.Sum256([]byte("abc"))))
}

// A client that leaves while its request is answered is noticed as before.
func TestLeavingIsNoticedThroughServe(t *testing.T) {
	left := make(chan struct{})
	asked := make(chan struct{})
	l := newLab(t, func(_ http.ResponseWriter, r *http.Request) {
		close(asked)
		<-r.Context().Done()
		close(left)
	}, nil)
	conn := l.served()
	atOnce(conn, strings.Replace(goodRequest, "GET", "DELETE", 1))
	<-asked
	conn.Close()
	<-left
}
