package proxy

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

const poison = "HTTP/1.1 200 OK\r\nCache-Control: no-store\r\nContent-Length: 6\r\n\r\npoison"

// What comes behind a response is never the answer to the next request, though that may
// be waiting for just this connection (RFC 9112 section 9.2).
func TestSurplusIsNoAnswer(t *testing.T) {
	const ok = "HTTP/1.1 200 OK\r\nCache-Control: no-store\r\n"
	for name, c := range map[string]struct{ method, answer string }{
		"length":           {"GET", ok + "Content-Length: 2\r\n\r\nok"},
		"chunks":           {"GET", ok + "Transfer-Encoding: chunked\r\n\r\n2;a=\"b\"\r\nok\r\n0\r\nX-A: b\r\n\r\n"},
		"both":             {"GET", ok + "Transfer-Encoding: chunked\r\nContent-Length: 99\r\n\r\n02 \r\nok\r\n000\r\n\r\n"},
		"empty":            {"DELETE", ok + "Content-Length: 0\r\n\r\n"},
		"no content":       {"DELETE", "HTTP/1.1 204 No Content\r\nContent-Length: 84\r\n\r\n"},
		"not modified":     {"DELETE", "HTTP/1.1 304 Not Modified\r\nTransfer-Encoding: chunked\r\n\r\n"},
		"head":             {"HEAD", ok + "Content-Length: 84\r\n\r\n"},
		"after interim":    {"GET", "HTTP/1.1 103 x\r\n\r\n" + ok + "Content-Length: 2\r\n\r\nok"},
		"one byte":         {"GET", ok + "Content-Length: 2\r\n\r\nok!"},
		"kept by HTTP/1.0": {"GET", "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nok"},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLab(t, nil, nil)
			asked, waiting, gate := make(chan struct{}), make(chan struct{}), make(chan struct{})
			l.acts(func(number int, w *wire) {
				for w.head() != "" {
					if number > 0 {
						w.send(ok + "Content-Length: 4\r\n\r\ngood")
						continue
					}
					close(asked)
					<-waiting
					w.send(c.answer + poison)
					number++ // on this connection, too
				}
			})
			var dials atomic.Int32
			dial := l.proxy.ownedPool.DialContext
			l.proxy.ownedPool.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
				if dials.Add(1) == 2 { // the next request waits for this, or for the first connection
					close(waiting)
					<-gate
				}
				return dial(ctx, network, address)
			}
			first, next := l.connect(), l.connect()
			first.send(c.method + " http://www.example.com/1 HTTP/1.1\r\nHost: x\r\n\r\n")
			<-asked
			next.send("GET http://www.example.com/2 HTTP/1.1\r\nHost: x\r\n\r\n")
			if a := first.last(c.method); strings.Contains(a.text, "poison") {
				t.Errorf("%q", a.text)
			}
			close(gate)
			next.answer("GET").want(t, 200, "good")
		})
	}
}

// Wherever the network cuts it, the reader gets the response and no more.
func TestSurplusIsHeldBack(t *testing.T) {
	for _, c := range []struct{ method, response string }{
		{"GET", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"},
		{"GET", "HTTP/1.1 103 x\r\n\r\nHTTP/1.0 200 OK\nContent-Length: 2\n\nok"},
		{"GET", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\nA ; b=c\r\n0123456789\r\n00\r\nLong: " + strings.Repeat("x", 50) + "\r\n\r\n"},
		{"HEAD", "HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n"},
		{"POST", "HTTP/1.1 204 x\r\nContent-Length: 99\r\n\r\n"},
	} {
		stream := c.response + poison
		for cut := range len(stream) + 1 {
			conn := newHeadConn(&partsConn{parts: []string{stream[:cut], stream[cut:]}}, time.Minute)
			conn.start(c.method, false)
			got, err := io.ReadAll(conn)
			if string(got) != c.response || !errors.Is(err, errSurplus) {
				t.Fatalf("cut at %d: %q, %v", cut, got, err)
			}
		}
	}
}

// A response framed in two ways is the last on its connection, even if nothing more comes
// (RFC 9112 section 6.1).
func TestAmbiguousIsLast(t *testing.T) {
	l := newLab(t, nil, nil)
	var conns atomic.Int32
	l.acts(func(_ int, w *wire) {
		conns.Add(1)
		for w.head() != "" {
			w.send("HTTP/1.1 200 OK\r\nCache-Control: no-store\r\nTransfer-Encoding: chunked\r\nContent-Length: 2\r\n\r\n2\r\nok\r\n0\r\n\r\n")
		}
	})
	client := l.connect()
	for i := range 3 {
		client.send("GET http://www.example.com/%d HTTP/1.1\r\nHost: x\r\n\r\n", i)
		client.answer("GET").want(t, 200, "ok")
	}
	if conns.Load() != 3 {
		t.Errorf("%d connections", conns.Load())
	}
}

// What is sent right is sent over one connection.
func TestReuse(t *testing.T) {
	for _, answer := range []string{
		"HTTP/1.1 200 OK\r\nCache-Control: no-store\r\nContent-Length: 2\r\n\r\nok",
		"HTTP/1.1 200 OK\r\nCache-Control: no-store\r\nTransfer-Encoding: chunked\r\n\r\n1\r\no\r\n1;x\r\nk\r\n0\r\nA: b\r\n\r\n",
		"HTTP/1.0 200 OK\r\nCache-Control: no-store\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nok",
		"HTTP/1.1 103 x\r\nA: b\r\n\r\nHTTP/1.1 200 OK\r\nCache-Control: no-store\r\nContent-Length: 2\r\n\r\nok",
	} {
		for _, write := range []func(io.Writer, string){atOnce, byteByByte} {
			l := newLab(t, nil, nil)
			var conns atomic.Int32
			l.acts(func(_ int, w *wire) {
				conns.Add(1)
				for head := w.head(); head != ""; head = w.head() {
					if strings.HasPrefix(head, "HEAD") {
						w.send("HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n")
						continue
					}
					write(w, answer)
				}
			})
			client := l.connect()
			for i := range 5 {
				for _, method := range []string{"GET", "DELETE", "HEAD"} {
					client.send("%s http://www.example.com/%d HTTP/1.1\r\nHost: x\r\n\r\n", method, i)
					if a := client.last(method); a.StatusCode != 200 || method != "HEAD" && a.text != "ok" {
						t.Fatalf("%s: %d %q", method, a.StatusCode, a.text)
					}
				}
			}
			if conns.Load() != 1 {
				t.Errorf("%d connections", conns.Load())
			}
		}
	}
}

// A connection that ends while it is used again: what is idempotent goes another way, the
// rest is not sent twice (RFC 9110 section 9.2.2, RFC 9112 section 9.3.1).
func TestLostReusedConnection(t *testing.T) {
	for method, c := range map[string]struct {
		status int
		kind   string
		asked  int
	}{"GET": {200, "", 2}, "HEAD": {200, "", 2}, "OPTIONS": {200, "", 2}, "POST": {502, "connection_terminated", 1}, "PATCH": {502, "connection_terminated", 1}} {
		t.Run(method, func(t *testing.T) {
			l := newLab(t, nil, nil)
			var mu sync.Mutex
			asked := 0
			l.acts(func(number int, w *wire) {
				for i := 0; w.head() != ""; i++ {
					if number > 0 || i > 0 {
						mu.Lock()
						asked++
						mu.Unlock()
					}
					if number == 0 && i > 0 {
						return
					}
					w.send("HTTP/1.1 200 OK\r\nCache-Control: no-store\r\nContent-Length: 0\r\n\r\n")
				}
			})
			client := l.connect()
			client.send("GET http://www.example.com/1 HTTP/1.1\r\nHost: x\r\n\r\n")
			client.answer("GET").want(t, 200, "")
			client.send(method + " http://www.example.com/2 HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n")
			if a := client.answer(method); a.StatusCode != c.status || c.kind != "" && !has(a.proxyStatus(), "error", c.kind) {
				t.Errorf("%d %v", a.StatusCode, a.Header)
			}
			mu.Lock()
			defer mu.Unlock()
			if asked != c.asked {
				t.Errorf("asked %d times", asked)
			}
		})
	}
}

// A body that ends too soon is broken off, so that the client notices; one that ends with
// the connection is whole if that ends well (RFC 9112 section 8).
func TestBodyBreaksOff(t *testing.T) {
	for name, c := range map[string]struct {
		answer string
		reset  bool
		whole  bool
	}{
		"shorter than its length":  {"Content-Length: 10\r\n\r\nhalf", false, false},
		"no last chunk":            {"Transfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n", false, false},
		"half a chunk":             {"Transfer-Encoding: chunked\r\n\r\n9\r\nhalf", false, false},
		"no end of the trailer":    {"Transfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n0\r\nA: b\r\n", false, false},
		"bad size":                 {"Transfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n-1\r\n\r\n", false, false},
		"size of 20 digits":        {"Transfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n00000000000000000004\r\nhalf\r\n0\r\n\r\n", false, false},
		"longer than its size":     {"Transfer-Encoding: chunked\r\n\r\n4\r\nhalfhalf\r\n0\r\n\r\n", false, false},
		"long extension":           {"Transfer-Encoding: chunked\r\n\r\n4;" + strings.Repeat("a", 9000) + "\r\nhalf\r\n0\r\n\r\n", false, false},
		"long trailer":             {"Transfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n0\r\nA: " + strings.Repeat("a", 40_000) + "\r\n\r\n", false, false},
		"NUL in the trailer":       {"Transfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n0\r\nA: \x00\r\n\r\n", false, false},
		"ends":                     {"\r\nhalf", false, true},
		"ends, as HTTP/1.1 has it": {"Connection: close\r\n\r\nhalf", false, true},
		"reset":                    {"Connection: close\r\n\r\nhalf", true, false},
	} {
		for _, method := range []string{"GET", "POST"} {
			for _, version := range []string{"1.1", "1.0"} {
				t.Run(fmt.Sprint(method, version, name), func(t *testing.T) {
					l := newLab(t, nil, nil)
					passed := make(chan struct{})
					l.acts(func(_ int, w *wire) {
						w.head()
						w.send("HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\n" + c.answer)
						if c.reset {
							<-passed
							_ = w.SetLinger(0)
						}
					})
					client := l.connect()
					client.send("%s http://www.example.com/ HTTP/%s\r\nHost: x\r\nConnection: close\r\nContent-Length: 0\r\n\r\n", method, version)
					head := client.head()
					if c.reset {
						client.take(4) // or what is on its way is lost
					}
					close(passed)
					text, err := client.rest()
					chunked := field(head, "Transfer-Encoding") != ""
					switch {
					case c.whole && (err != nil || !strings.HasPrefix(head, "HTTP/") || chunked && text != "4\r\nhalf\r\n0\r\n\r\n" || !chunked && text != "half"):
						t.Errorf("not whole: %q, %v", text, err)
					case c.whole, head == "", err != nil, strings.HasPrefix(head, "HTTP/1.1 502"), strings.HasPrefix(head, "HTTP/1.0 502"):
					case chunked && strings.HasSuffix(text, "0\r\n\r\n"), !chunked && field(head, "Content-Length") != "10":
						t.Errorf("looks whole: %q %q", head, text)
					}
					l.settle()
					stored := l.store.all()
					if c.whole && method == "GET" && (len(stored) != 1 || !stored[0].EndUncertain || stored[0].Shareable) || (!c.whole || method != "GET") && len(stored) != 0 {
						t.Errorf("stored %+v", stored)
					}
				})
			}
		}
	}
}
