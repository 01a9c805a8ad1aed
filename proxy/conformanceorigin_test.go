package proxy

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/peerproxy/peerproxy/internal/conformance"
)

// identity is how origins show over TLS that they are example.com.
type identity struct {
	certificate tls.Certificate
	roots       *x509.CertPool
}

func newIdentity(t *testing.T) *identity {
	t.Helper()
	server := httptest.NewTLSServer(nil)
	defer server.Close()
	id := &identity{server.TLS.Certificates[0], x509.NewCertPool()}
	id.roots.AddCert(server.Certificate())
	return id
}

// asked is a request as the origin got it, and its answer.
type asked struct {
	fields http.Header
	reply  conformance.Reply
}

// scriptedOrigin answers what it is told to, on as many connections as come.
type scriptedOrigin struct {
	plain, secure net.Listener
	running       sync.WaitGroup
	came          chan struct{} // has room while nobody has come since the last script

	mu      sync.Mutex
	conns   map[net.Conn]struct{} // nil = closed
	replies []conformance.Reply   // the last of them again and again
	seen    []asked
	given   int // of replies
}

func newScriptedOrigin(t *testing.T, identity *identity) *scriptedOrigin {
	t.Helper()
	o := &scriptedOrigin{plain: listen(t), secure: listen(t), came: make(chan struct{}, 1), conns: map[net.Conn]struct{}{}}
	config := &tls.Config{Certificates: []tls.Certificate{identity.certificate}}
	for _, l := range []net.Listener{o.plain, tls.NewListener(o.secure, config)} {
		o.running.Go(func() {
			for {
				conn, err := l.Accept()
				if err != nil {
					return
				}
				o.running.Go(func() { o.converse(conn) })
			}
		})
	}
	return o
}

// script says what the next requests get.
func (o *scriptedOrigin) script(replies []conformance.Reply) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.replies, o.given = replies, 0
	select {
	case <-o.came:
	default:
	}
}

// await waits for a request since the last script.
func (o *scriptedOrigin) await(t *testing.T) {
	t.Helper()
	select {
	case <-o.came:
	case <-time.After(storyPatience):
		t.Error("the origin was not asked in the background")
	}
}

// take returns the requests since it was called last.
func (o *scriptedOrigin) take() []asked {
	o.mu.Lock()
	defer o.mu.Unlock()
	seen := o.seen
	o.seen = nil
	return seen
}

// converse answers the requests on one connection.
func (o *scriptedOrigin) converse(conn net.Conn) {
	defer conn.Close()
	if !o.enter(conn) {
		return
	}
	for reader := bufio.NewReader(conn); ; {
		r, err := http.ReadRequest(reader)
		if err != nil {
			return
		}
		if _, err := io.Copy(io.Discard, r.Body); err != nil {
			return
		}
		reply := o.next(r)
		if reply.Status == 0 {
			return
		}
		if _, err := conn.Write(replyBytes(r.Method, reply)); err != nil || reply.Truncated() && r.Method != http.MethodHead {
			return
		}
	}
}

func (o *scriptedOrigin) enter(conn net.Conn) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.conns == nil {
		return false
	}
	o.conns[conn] = struct{}{}
	return true
}

func (o *scriptedOrigin) next(r *http.Request) conformance.Reply {
	o.mu.Lock()
	defer o.mu.Unlock()
	reply := o.replies[min(o.given, len(o.replies)-1)]
	o.given++
	o.seen = append(o.seen, asked{r.Header, reply})
	select {
	case o.came <- struct{}{}:
	default:
	}
	return reply
}

func (o *scriptedOrigin) close() {
	_ = o.plain.Close()
	_ = o.secure.Close()
	o.mu.Lock()
	for conn := range o.conns {
		_ = conn.Close()
	}
	o.conns = nil
	o.mu.Unlock()
	o.running.Wait()
}

// replyBytes is a reply with its framing (RFC 9112 section 6.3).
func replyBytes(method string, r conformance.Reply) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "HTTP/1.1 %d %s\r\n", r.Status, http.StatusText(r.Status))
	writeFields(&b, r.Header)
	content := method != http.MethodHead && r.Status != http.StatusNoContent && r.Status != http.StatusNotModified
	chunked := strings.EqualFold(r.Header.Get("Transfer-Encoding"), "chunked")
	if content && !chunked && r.Header["Content-Length"] == nil {
		b.WriteString("Content-Length: " + strconv.Itoa(len(r.Body)) + "\r\n")
	}
	b.WriteString("\r\n")
	switch {
	case content && chunked:
		fmt.Fprintf(&b, "%x\r\n%s\r\n0\r\n\r\n", len(r.Body), r.Body)
	case content:
		b.WriteString(r.Body)
	}
	return b.Bytes()
}
