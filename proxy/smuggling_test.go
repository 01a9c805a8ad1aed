package proxy

import (
	"bufio"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
)

// askedPaths are those that an origin was asked for.
type askedPaths struct {
	mu   sync.Mutex
	list []string
}

func (p *askedPaths) add(path string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.list = append(p.list, path)
}

func (p *askedPaths) want(t *testing.T, want ...string) {
	t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	if !slices.Equal(p.list, want) {
		t.Errorf("the origin was asked for %q, not %q", p.list, want)
	}
}

// Parts of the vectors.
const (
	goodRequest     = "GET http://www.example.com/good HTTP/1.1\r\nHost: www.example.com\r\n\r\n"
	evilHead        = "POST http://www.example.com/evil HTTP/1.1\r\nHost: www.example.com\r\n"
	smuggledRequest = "GET http://www.example.com/smuggled HTTP/1.1\r\nHost: www.example.com\r\n\r\n"
)

// Requests that some parsers take for two (RFC 9112 section 11.2), or that net/http would
// take although they are not valid, and what is said of them.
var smuggling = []struct {
	name, request string
	status        int
	details       string
}{
	{"CL.TE", evilHead + "Content-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nG", 400, "beside Transfer-Encoding"},
	{"TE.CL", evilHead + "Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n5c\r\n", 400, "beside Transfer-Encoding"},
	{"TE.TE", evilHead + "Transfer-Encoding: chunked\r\nTransfer-Encoding: x\r\n\r\n0\r\n\r\n", 400, "Transfer-Encoding is malformed"},
	{"xchunked", evilHead + "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", 501, "coding"},
	{"VT and chunked", evilHead + "Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n", 400, "controls"},
	{"chunked twice", evilHead + "Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n", 400, "Transfer-Encoding is malformed"},
	{"blank in front of the colon", evilHead + "Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n", 400, "colon"},
	{"folded encoding", evilHead + "X: y\r\n Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400, "begins with a blank"},
	{"encoding with HTTP/1.0", strings.Replace(evilHead, "1.1", "1.0", 1) + "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400, "HTTP/1.0"},
	{"two lengths", evilHead + "Content-Length: 0\r\nContent-Length: 5\r\n\r\n", 400, "more than once"},
	{"the same length twice", evilHead + "Content-Length: 0\r\nContent-Length: 0\r\n\r\n", 400, "more than once"},
	{"length with plus", evilHead + "Content-Length: +0\r\n\r\n", 400, "number"},
	{"absurd length", evilHead + "Content-Length: 9223372036854775807\r\n\r\n", 400, "number"},
	{"bare LF", "POST http://www.example.com/evil HTTP/1.1\nHost: www.example.com\n\n", 400, "LF alone"},
	{"bare LF behind a field", evilHead + "X: y\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400, "LF alone"},
	{"bare LF at the end", evilHead + "\n", 400, "LF alone"},
	{"bare CR", evilHead + "X: y\rTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400, "CR without LF"},
	{"NUL", evilHead + "X: \x00\r\n\r\n", 400, "controls"},
	{"two Hosts", evilHead + "Host: internal.example\r\n\r\n", 400, "more than once"},
	{"Host with two names", strings.Replace(evilHead, "Host: ", "Host: internal.example, ", 1) + "\r\n", 400, "Host is malformed"},
	{"TLS", "\x16\x03\x01\x00", 400, "method"},
	{"empty line", "\n", 400, "LF alone"},
	{"preface of HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505, "only HTTP/1.1"},
	{"HTTP/0.9", "GET http://www.example.com/evil\r\n", 400, "version"},
	{"target too long", "GET http://www.example.com/" + strings.Repeat("a", maxTargetBytes) + " HTTP/1.1\r\nHost: x\r\n\r\n", 414, "target is too long"},
	{"too many fields", evilHead + strings.Repeat("A: b\r\n", maxFields) + "\r\n", 431, "too many fields"},
	{"method too long", strings.Repeat("A", 100) + " http://www.example.com/evil HTTP/1.1\r\nHost: x\r\n\r\n", 501, "method"},
	{"content of CONNECT", "CONNECT www.example.com:80 HTTP/1.1\r\nHost: www.example.com:80\r\nContent-Length: 5\r\n\r\nhello", 400, "CONNECT"},
}

// wantRefusal reads an answer to what is not HTTP, which is the last.
func (l *lab) wantRefusal(in *bufio.Reader, status int, details string) {
	l.t.Helper()
	a := l.read(in)
	a.want(l.t, status, "*", "cache:fwd=bypass", "proxy:error=http_request_error", "proxy:details")
	if got, _ := a.proxyStatus().Params.Get("details"); !strings.Contains(got.(string), details) || !strings.Contains(a.text, details) {
		l.t.Errorf("details %q, text %q", got, a.text)
	}
	if len(a.Header["Cache-Status"]) != 1 || len(a.Header["Proxy-Status"]) != 1 || !a.Close {
		l.t.Errorf("%v", a.Header)
	}
	l.wantEnd(in)
}

// wantEnd wants a connection to end: a reset could lose an answer.
func (l *lab) wantEnd(in *bufio.Reader) {
	l.t.Helper()
	if c, err := in.ReadByte(); !errors.Is(err, io.EOF) {
		l.t.Errorf("the connection ends with %q, %v", c, err)
	}
}

// A request that could be taken for two is answered, in its turn, and neither it nor
// anything behind it reaches the origin.
func TestSmugglingIsRefused(t *testing.T) {
	for _, c := range smuggling {
		t.Run(c.name, func(t *testing.T) {
			var asked askedPaths
			l := newLab(t, func(w http.ResponseWriter, r *http.Request) {
				asked.add(r.URL.Path)
				_, _ = io.WriteString(w, "content")
			}, nil)
			alone := l.served()
			atOnce(alone, c.request+smuggledRequest)
			l.wantRefusal(bufio.NewReader(alone), c.status, c.details)

			pipelined := l.served()
			atOnce(pipelined, goodRequest+c.request+smuggledRequest)
			in := bufio.NewReader(pipelined)
			l.read(in).want(t, 200, "content")
			l.wantRefusal(in, c.status, c.details)

			later := l.served()
			in = bufio.NewReader(later)
			atOnce(later, goodRequest)
			l.read(in).want(t, 200, "content")
			atOnce(later, c.request+smuggledRequest)
			l.wantRefusal(in, c.status, c.details)
			asked.want(t, "/good", "/good")
		})
	}
}

// However the bytes come, they are judged alike.
func TestSmugglingByteByByte(t *testing.T) {
	var asked askedPaths
	l := newLab(t, func(w http.ResponseWriter, r *http.Request) {
		asked.add(r.URL.Path)
		_, _ = io.WriteString(w, "content")
	}, nil)
	for _, c := range smuggling {
		if len(c.request) > 1000 {
			continue
		}
		conn := l.served()
		for _, b := range []byte(goodRequest + c.request) {
			if _, err := conn.Write([]byte{b}); err != nil {
				break // it has been refused
			}
		}
		in := bufio.NewReader(conn)
		l.read(in).want(t, 200, "content")
		l.wantRefusal(in, c.status, c.details)
	}
	for _, path := range asked.list {
		if path != "/good" {
			t.Errorf("the origin was asked for %q", path)
		}
	}
}

// Content whose framing breaks off is the handler's to answer for, and the last of the
// connection. The origin never gets the end of it.
func TestSmugglingInContent(t *testing.T) {
	const chunked = evilHead + "Transfer-Encoding: chunked\r\n\r\n"
	for name, request := range map[string]string{
		"LF behind a size":       chunked + "2\nab\r\n0\r\n\r\n",
		"size with plus":         chunked + "+2\r\nab\r\n0\r\n\r\n",
		"size with 0x":           chunked + "0x2\r\nab\r\n0\r\n\r\n",
		"size too large":         chunked + "fffffffffffffffff\r\n",
		"data too long":          chunked + "2\r\nabc\r\n0\r\n\r\n",
		"LF behind data":         chunked + "2\r\nab\n0\r\n\r\n",
		"LF in an extension":     chunked + "2;a\nab\r\n0\r\n\r\n",
		"extensions without end": chunked + strings.Repeat("1;"+strings.Repeat("a", 200)+"\r\nx\r\n", 50) + "0\r\n\r\n",
		"framing in a trailer":   chunked + "2\r\nab\r\n0\r\nContent-Length: 5\r\n\r\n",
		"folded trailer":         chunked + "2\r\nab\r\n0\r\nX: y\r\n z\r\n\r\n",
		"LF behind a trailer":    chunked + "2\r\nab\r\n0\r\nX: y\n\r\n",
		"CR behind the trailers": chunked + "2\r\nab\r\n0\r\nX: y\r\n\r0",
	} {
		t.Run(name, func(t *testing.T) {
			whole := make(chan bool, 10)
			l := newLab(t, func(w http.ResponseWriter, r *http.Request) {
				_, err := io.Copy(io.Discard, r.Body)
				whole <- err == nil && r.URL.Path != "/good"
				_, _ = io.WriteString(w, "content")
			}, nil)
			conn := l.served()
			atOnce(conn, goodRequest+request+smuggledRequest)
			in := bufio.NewReader(conn)
			l.read(in).want(t, 200, "content")
			l.read(in).want(t, 400, "*", "proxy:error=http_request_error", "proxy:details")
			l.wantEnd(in)
			l.proxy.Close()
			l.origin.Close() // waits for its handlers
			for close(whole); len(whole) > 0; {
				if <-whole {
					t.Error("a request was whole to the origin")
				}
			}
		})
	}
}

// What is refused does not disturb the answer that is under way.
func TestSmugglingWhileAnswering(t *testing.T) {
	asked, goOn := make(chan struct{}), make(chan struct{})
	l := newLab(t, func(w http.ResponseWriter, r *http.Request) {
		close(asked)
		select {
		case <-goOn:
		case <-r.Context().Done():
			t.Error("the request was given up")
		}
		_, _ = io.WriteString(w, "content")
	}, nil)
	conn := l.served()
	atOnce(conn, goodRequest)
	<-asked
	atOnce(conn, "\x00"+smuggledRequest)
	atOnce(conn, smuggledRequest)
	close(goOn)
	in := bufio.NewReader(conn)
	l.read(in).want(t, 200, "content")
	l.wantRefusal(in, 400, "method")
}

// A client that goes on sending gets its answer all the same.
func TestSmugglerIsListenedTo(t *testing.T) {
	l := newLab(t, fixed("x", "max-age=60"), nil)
	for _, c := range smuggling[:10] {
		conn := l.served()
		atOnce(conn, c.request+strings.Repeat(smuggledRequest, 5000))
		l.wantRefusal(bufio.NewReader(conn), c.status, c.details)
	}
}

// Nothing of all that stands in the way of what is valid (RFC 9112 section 9.3.2).
func TestPipelining(t *testing.T) {
	l := newLab(t, func(w http.ResponseWriter, r *http.Request) {
		text, _ := io.ReadAll(r.Body)
		_, _ = io.WriteString(w, r.URL.Path+" "+string(text)+r.Trailer.Get("X"))
	}, nil)
	conn := l.served()
	post := strings.Replace(evilHead, "evil", "post", 1)
	atOnce(conn, "\r\n"+goodRequest+goodRequest+post+"Content-Length: 3\r\n\r\nabc\r\n"+goodRequest+
		post+"Transfer-Encoding: chunked\r\nTrailer: X\r\n\r\n2;ext\r\nde\r\n1\r\nf\r\n0\r\nX: yz\r\n\r\n"+
		strings.Replace(goodRequest, "\r\n\r\n", "\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n", 1)+goodRequest)
	in := bufio.NewReader(conn)
	for _, want := range []string{"/good ", "/good ", "/post abc", "/good ", "/post defyz", "/good ", "/good "} {
		l.read(in).want(t, 200, want)
	}
	atOnce(conn, goodRequest)
	l.read(in).want(t, 200, "/good ")
}
