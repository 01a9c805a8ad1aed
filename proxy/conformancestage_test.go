package proxy

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/peerproxy/peerproxy/httpcache"
	"github.com/peerproxy/peerproxy/internal/conformance"
)

// storyPatience is how long an answer may take before a story has failed.
const storyPatience = 20 * time.Second

// stage is what a story is told on: a client, a proxy and an origin, with sockets between them.
type stage struct {
	t      *testing.T
	story  *conformance.Story
	clock  storyClock
	origin *scriptedOrigin
	proxy  *Proxy
	addr   string
	conn   net.Conn // of the client, nil = none is open
	reader *bufio.Reader
	close  func()
}

func newStage(t *testing.T, s *conformance.Story, identity *identity) *stage {
	t.Helper()
	st := &stage{t: t, story: s, origin: newScriptedOrigin(t, identity)}
	cfg := Config{Store: newMemStore(), Now: st.clock.now, Policy: httpcache.Policy{Targets: s.Targets}, Dialer: &Dialer{Resolve: []Resolve{
		{Host: "example.com", Port: 80, Addr: addrOf(st.origin.plain)},
		{Host: "example.com", Port: 81, Addr: addrOf(st.origin.plain)},
		{Host: "other.example", Port: 80, Addr: addrOf(st.origin.plain)},
		{Host: "example.com", Port: 443, Addr: addrOf(st.origin.secure)},
	}}}
	p, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	p.ownedPool.TLSClientConfig = &tls.Config{RootCAs: identity.roots}
	l := listen(t)
	st.proxy, st.addr = p, l.Addr().String()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- p.Serve(ctx, l) }()
	st.close = sync.OnceFunc(func() {
		st.hangUp()
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		st.origin.close()
	})
	t.Cleanup(st.close)
	return st
}

func listen(t *testing.T) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// storyClock stands still between steps.
type storyClock struct{ ahead atomic.Int64 }

func (c *storyClock) now() time.Time          { return conformance.Epoch.Add(time.Duration(c.ahead.Load())) }
func (c *storyClock) advance(d time.Duration) { c.ahead.Add(int64(d)) }

// clientAnswer is what the client gets.
type clientAnswer struct {
	status int // 0 = not even that
	header http.Header
	body   string
	broken bool
}

// ask sends a request to the proxy, byte for byte, on a connection that is kept: so the proxy begins
// with a request only when it has ended with the one before.
func (st *stage) ask(s *conformance.Step) clientAnswer {
	st.t.Helper()
	if st.conn == nil {
		conn, err := net.Dial("tcp", st.addr)
		if err != nil {
			st.t.Fatal(err)
		}
		st.conn, st.reader = conn, bufio.NewReader(conn)
	}
	_ = st.conn.SetDeadline(time.Now().Add(storyPatience))
	method := s.Method
	if method == "" {
		method = http.MethodGet
	}
	if _, err := st.conn.Write(st.request(method, s)); err != nil {
		st.t.Fatal(err)
	}
	res, err := http.ReadResponse(st.reader, &http.Request{Method: method})
	if err != nil {
		st.hangUp()
		return clientAnswer{header: http.Header{}, broken: true}
	}
	body, err := io.ReadAll(res.Body)
	if err != nil || res.Close {
		st.hangUp()
	}
	return clientAnswer{res.StatusCode, res.Header, string(body), err != nil}
}

func (st *stage) request(method string, s *conformance.Step) []byte {
	base, err := url.Parse(conformance.Base)
	if err != nil {
		st.t.Fatal(err)
	}
	u, err := base.Parse(s.Path)
	if err != nil {
		st.t.Fatal(err)
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s %s HTTP/1.1\r\nHost: %s\r\n", method, u, u.Host)
	writeFields(&b, s.Ask)
	if s.Body != "" || method == http.MethodPost {
		fmt.Fprintf(&b, "Content-Length: %d\r\n", len(s.Body))
	}
	b.WriteString("\r\n" + s.Body)
	return b.Bytes()
}

func (st *stage) hangUp() {
	if st.conn != nil {
		_ = st.conn.Close()
		st.conn = nil
	}
}

func writeFields(b *bytes.Buffer, h http.Header) {
	for _, name := range slices.Sorted(maps.Keys(h)) {
		for _, value := range h[name] {
			b.WriteString(name + ": " + value + "\r\n")
		}
	}
}
