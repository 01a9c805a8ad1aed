package proxy

import (
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

const patienceOfTests = 50 * time.Millisecond

// A site may not take for ever for the head of its answer, however it fills the time.
func TestDribblingHead(t *testing.T) {
	l := newLab(t, nil, func(c *Config) { c.Budget = patienceOfTests })
	l.acts(func(_ int, w *wire) {
		w.head()
		w.send("HTTP/1.1 200 OK\r\nA: ")
		gone := make(chan struct{})
		go func() { defer close(gone); _, _ = w.rest() }()
		tick := time.NewTicker(time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				w.send("a")
			case <-gone:
				return
			}
		}
	})
	l.proxy.ownedPool.ResponseHeaderTimeout = patienceOfTests
	for _, method := range []string{"GET", "POST"} {
		client := l.connect()
		client.send(method + " http://www.example.com/ HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n")
		client.answer(method).want(t, 504, "*", "proxy:error=http_response_timeout")
	}
}

// A site that has begun and sends no content (RFC 9209 section 2.3.10).
func TestStalledBeforeContent(t *testing.T) {
	l := newLab(t, nil, func(c *Config) { c.Idle = patienceOfTests })
	l.acts(func(_ int, w *wire) {
		w.head()
		w.send("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n")
		_, _ = w.rest()
	})
	client := l.connect()
	client.send(post + "Content-Length: 0\r\n\r\n")
	client.answer("POST").want(t, 504, "*", "proxy:error=connection_read_timeout", "proxy:received-status=200")
}

// A site that ends before its content has begun (RFC 9209 section 2.3.18).
func TestEndedBeforeContent(t *testing.T) {
	l := newLab(t, nil, nil)
	l.acts(func(_ int, w *wire) {
		w.head()
		w.send("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nSet-Cookie: a=b\r\n\r\n")
	})
	client := l.connect()
	client.send(post + "Content-Length: 0\r\n\r\n")
	a := client.answer("POST")
	if a.want(t, 502, "*", "proxy:error=http_response_incomplete", "proxy:received-status=200"); a.Header["Set-Cookie"] != nil {
		t.Errorf("%v", a.Header)
	}
}

// A site that takes no more of an upload (RFC 9209 section 2.3.11).
func TestStalledOrigin(t *testing.T) {
	l := newLab(t, nil, func(c *Config) { c.Idle = 4 * patienceOfTests })
	done := make(chan struct{})
	l.acts(func(_ int, w *wire) {
		w.head()
		<-done
	})
	client := l.connect()
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		client.send(post + "Content-Length: 67108864\r\n\r\n")
		for piece, i := strings.Repeat("x", 1<<20), 0; i < 64; i++ {
			client.send(piece)
		}
	}()
	client.answer("POST").want(t, 504, "*", "proxy:error=connection_write_timeout")
	close(done)
	<-sent
}

// A client that takes no more of its answer is given up, whatever the method; the site is
// no longer read then.
func TestStalledClientOfPost(t *testing.T) {
	gone := make(chan struct{})
	l := newLab(t, func(w http.ResponseWriter, _ *http.Request) {
		defer close(gone)
		for piece := strings.Repeat("x", 1<<20); ; {
			if _, err := io.WriteString(w, piece); err != nil {
				return
			}
		}
	}, func(c *Config) { c.Idle = patienceOfTests })
	client := l.connect()
	client.send(post + "Content-Length: 0\r\n\r\n")
	<-gone
}

// A client that does not take the interim answers either.
func TestStalledClientOfInterim(t *testing.T) {
	l := newLab(t, nil, func(c *Config) { c.Idle = patienceOfTests })
	gone := make(chan struct{})
	l.acts(func(_ int, w *wire) {
		defer close(gone)
		w.head()
		for range maxInterims {
			w.send("HTTP/1.1 103 x\r\nLink: " + strings.Repeat("a", 250_000) + "\r\n\r\n")
		}
		_, _ = w.rest()
	})
	client := l.connect()
	client.send(post + "Content-Length: 0\r\n\r\n")
	<-gone
}

// A body of unknown length that breaks off before its first byte gets an answer, too, and a stored
// page stands in for it; what breaks off later reaches the client as far as it came.
func TestChunksBreakOff(t *testing.T) {
	c := &clock{}
	l := newLab(t, nil, func(cfg *Config) { cfg.Now = c.now })
	body := "2\r\nok\r\n0\r\n\r\n"
	l.acts(func(_ int, w *wire) {
		w.head()
		w.send("HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nTransfer-Encoding: chunked\r\n\r\n" + body)
	})
	get := func(path string) *wire {
		client := l.connect()
		client.send("GET http://www.example.com" + path + " HTTP/1.1\r\nHost: x\r\n\r\n")
		return client
	}
	get("/").answer("GET").want(t, 200, "ok")
	l.settle()
	c.advance(2 * time.Minute)
	body = "zz\r\n"
	get("/").answer("GET").want(t, 200, "ok", "proxy:error=http_response_incomplete", "cache:detail=stale-if-error")
	get("/new").answer("GET").want(t, 502, "*", "proxy:error=http_response_incomplete", "proxy:received-status=200")
	body = "5\r\nhello\r\n5\r\nwo"
	client := get("/later")
	if head := client.head(); !strings.HasPrefix(head, "HTTP/1.1 200 ") {
		t.Errorf("%q", head)
	}
	if text, _ := client.rest(); !strings.HasPrefix(text, "5\r\nhello\r\n") && !strings.HasPrefix(text, "7\r\nhellowo\r\n") || strings.HasSuffix(text, "0\r\n\r\n") {
		t.Errorf("%q", text)
	}
}

// Who does not get to the end of his request is told so (RFC 9110 section 15.5.9).
func TestSlowRequestHead(t *testing.T) {
	l := newLab(t, nil, nil)
	server := l.proxy.Server()
	server.ReadHeaderTimeout = patienceOfTests
	socket := listen(t)
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(l.proxy.labelling(socket)) }()
	conn, err := net.Dial("tcp", socket.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_, _ = io.WriteString(conn, "GET http://www.example.com/ HTTP/1.1\r\nHo")
	answer, _ := io.ReadAll(conn)
	if !strings.HasPrefix(string(answer), "HTTP/1.1 408 ") || !strings.Contains(string(answer), "Proxy-Status: ") {
		t.Errorf("%q", answer)
	}
	_ = server.Close()
	<-ended
}
