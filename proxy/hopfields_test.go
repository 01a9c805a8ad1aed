package proxy

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"testing/iotest"
	"time"
)

// talkingOrigin answers the requests on each connection one after the other with the
// given texts, and then closes it.
func talkingOrigin(t *testing.T, write func(io.Writer, string), answers ...string) netip.AddrPort {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	t.Cleanup(func() { listener.Close(); <-done })
	serve := func(conn net.Conn) {
		defer conn.Close()
		in := bufio.NewReader(conn)
		for _, answer := range answers {
			r, err := http.ReadRequest(in)
			if err != nil {
				return
			}
			write(conn, answer)                // before the content was read: it may come early
			_, _ = io.Copy(io.Discard, r.Body) // what fails here fails on the other side, too
		}
	}
	go func() {
		defer close(done)
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			serve(conn)
		}
	}()
	return addrOf(listener)
}

func atOnce(w io.Writer, text string) { _, _ = io.WriteString(w, text) }

func byteByByte(w io.Writer, text string) {
	_, _ = io.Copy(struct{ io.Writer }{w}, iotest.OneByteReader(strings.NewReader(text)))
}

// Fields that Connection names go no further, also if the response says "close" in it
// (RFC 9110 section 7.6.1), and are not stored.
func TestFieldsForThisHop(t *testing.T) {
	const rest = "X-Hop: 1\r\nX-Too: 1\r\nX-End: 2\r\nCache-Control: max-age=60\r\nContent-Length: 2\r\n\r\nok"
	keep := "HTTP/1.1 200 OK\r\nConnection: X-Hop, X-Too\r\n" + rest
	for name, c := range map[string]struct {
		write   func(io.Writer, string)
		answers []string
	}{
		"kept alive":     {atOnce, []string{keep, keep}},
		"close":          {atOnce, []string{"HTTP/1.1 200 OK\r\nConnection: close, X-Hop, x-too\r\n" + rest}},
		"several lines":  {atOnce, []string{"HTTP/1.1 200 OK\r\nConnection: X-Hop\r\nconnection: close\r\nConnection:X-Too\r\n" + rest}},
		"folded":         {atOnce, []string{"HTTP/1.1 200 OK\r\nConnection: X-Hop,\r\n close, X-Too\r\n" + rest}},
		"bare LF":        {atOnce, []string{strings.ReplaceAll("HTTP/1.1 200 OK\r\nConnection: close, X-Hop, X-Too\r\n"+rest, "\r", "")}},
		"byte by byte":   {byteByByte, []string{"HTTP/1.1 200 OK\r\nConnection: close, X-Hop, X-Too\r\n" + rest}},
		"HTTP/1.0":       {atOnce, []string{"HTTP/1.0 200 OK\r\nConnection: close, X-Hop, X-Too\r\n" + rest}},
		"interim before": {atOnce, []string{"HTTP/1.1 103 Early Hints\r\nConnection: close, X-End\r\n\r\nHTTP/1.1 102 x\r\n\r\nHTTP/1.1 200 OK\r\nConnection: close, X-Hop, X-Too\r\n" + rest}},
		"after others":   {atOnce, []string{keep, strings.Replace(keep, "X-Hop,", "X-Hop, close,", 1)}},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLab(t, nil, nil)
			l.proxy.dialer.Resolve = []Resolve{{Host: "www.example.com", Port: 80, Addr: talkingOrigin(t, c.write, c.answers...)}}
			for i := range 4 {
				method := []string{"GET", "DELETE"}[i%2]
				a := l.do(method, fmt.Sprintf("%s/%d", site, i))
				a.want(t, 200, "ok")
				if a.Header["X-Hop"] != nil || a.Header["X-Too"] != nil || a.Header.Get("X-End") != "2" || a.Header["Connection"] != nil {
					t.Errorf("%s: %v", method, a.Header)
				}
			}
			l.settle()
			for _, st := range l.store.all() {
				if h := st.Exchange.Header; h["X-Hop"] != nil || h["X-Too"] != nil || h["Connection"] != nil {
					t.Errorf("stored %v", h)
				}
			}
			l.proxy.closeIdle() // the origin serves one connection after the other
		})
	}
}

// An answer that comes before the request was sent in full is one like any other.
func TestFieldsForThisHopOfEarlyResponse(t *testing.T) {
	l := newLab(t, nil, nil)
	written := make(chan struct{})
	write := func(w io.Writer, text string) { atOnce(w, text); close(written) }
	answer := "HTTP/1.1 413 x\r\nConnection: close, X-Hop\r\nX-Hop: 1\r\nContent-Length: 2\r\n\r\nno"
	l.proxy.dialer.Resolve = []Resolve{{Host: "www.example.com", Port: 80, Addr: talkingOrigin(t, write, answer)}}
	body, more := io.Pipe()
	go func() {
		_, _ = io.WriteString(more, "begun")
		<-written
		more.Close()
	}()
	res, err := l.client.Post(site+"/", "text/plain", body)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if answered := (answered{res, ""}); answered.StatusCode != 413 || answered.Header["X-Hop"] != nil {
		t.Errorf("%d %v", answered.StatusCode, answered.Header)
	}
}

// partsConn is a connection that gives its parts, one for each Read.
type partsConn struct {
	net.Conn
	parts []string
}

func (c *partsConn) Read(p []byte) (int, error) {
	if len(c.parts) == 0 {
		return 0, io.EOF
	}
	n := copy(p, c.parts[0])
	c.parts = c.parts[1:]
	return n, nil
}

// headOf reads all of a connection and takes what was recorded.
func headOf(t *testing.T, parts ...string) string {
	t.Helper()
	conn := newHeadConn(&partsConn{parts: parts}, time.Minute)
	if _, err := io.Copy(io.Discard, struct{ io.Reader }{conn}); err != nil {
		t.Fatal(err)
	}
	head := conn.take(conn.start("GET", false))
	return fmt.Sprint(head.major, head.minor, head.status, head.fields, len(conn.head))
}

// Wherever the network cuts it, the recorded head is the same; what is none costs no
// memory.
func TestRecordedHead(t *testing.T) {
	const none = "0 0 0 map[] 0"
	for stream, want := range map[string]string{
		"HTTP/1.1 200 OK\r\nA: b\r\n\r\nHTTP/1.1 body":                                   "1 1 200 map[A:[b]] 0",
		"HTTP/1.0  200 OK\nA: b\n\n\n":                                                   "1 0 200 map[A:[b]] 0",
		"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 x\n\nHTTP/1.1 204 x\r\nA: c\r\n\r\n":  "1 1 204 map[A:[c]] 0",
		"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\n\r\n\x81\x01aHTTP/1": "1 1 101 map[Connection:[upgrade]] 0",
		"\x16\x03\x01 a TLS handshake \r\n\r\n":                                          none,
		"SSH-2.0-x\r\n\r\n":                                                              none,
		"":                                                                               none,
	} {
		for cut := range len(stream) + 1 {
			if got := headOf(t, stream[:cut], stream[cut:]); got != want {
				t.Fatalf("%q cut at %d: %q", stream, cut, got)
			}
		}
	}
	endless := make([]string, 100)
	for i := range endless {
		endless[i] = "HTTP/1.1 200 OK " + strings.Repeat("x", 8<<10)
	}
	if got := headOf(t, endless...); got != none {
		t.Errorf("of an endless head: %s", got)
	}
}
