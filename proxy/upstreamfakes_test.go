package proxy

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// beyond is what an upstream proxy reaches: real addresses by the names that it is
// asked for. It keeps what it was asked.
type beyond struct {
	mu     sync.Mutex
	places map[string]net.Addr
	asked  []string
	fields []http.Header
}

func (b *beyond) reach(target string, h http.Header) (net.Conn, error) {
	b.mu.Lock()
	b.asked, b.fields = append(b.asked, target), append(b.fields, h.Clone())
	place, known := b.places[target]
	b.mu.Unlock()
	if !known {
		return nil, fmt.Errorf("no way to %s", target)
	}
	return net.Dial("tcp", place.String())
}

func (b *beyond) requests() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return append([]string(nil), b.asked...)
}

// httpUpstream is an HTTP proxy, with the credentials it wants ("" = none).
func httpUpstream(b *beyond, authorization string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Proxy-Authorization") != authorization {
			w.Header().Set("Proxy-Authenticate", `Basic realm="upstream"`)
			http.Error(w, "who are you?", http.StatusProxyAuthRequired)
			return
		}
		if r.Method == http.MethodConnect {
			connectUpstream(b, w, r)
			return
		}
		target := r.URL.Host
		if r.URL.Port() == "" {
			target += ":80"
		}
		r.Header.Set("X-Form", "absolute")
		tr := &http.Transport{DisableKeepAlives: true, DisableCompression: true, DialContext: func(context.Context, string, string) (net.Conn, error) {
			return b.reach("GET "+target, r.Header)
		}}
		defer tr.CloseIdleConnections()
		r.Header.Del("Proxy-Authorization")
		r.RequestURI = ""
		res, err := tr.RoundTrip(r)
		if err != nil {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		defer res.Body.Close()
		for name, lines := range res.Header {
			w.Header()[name] = lines
		}
		w.WriteHeader(res.StatusCode)
		_, _ = io.Copy(w, res.Body)
	})
}

func connectUpstream(b *beyond, w http.ResponseWriter, r *http.Request) {
	conn, err := b.reach(r.URL.Host, r.Header)
	if err != nil {
		w.WriteHeader(http.StatusBadGateway)
		return
	}
	defer conn.Close()
	client, rw, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	defer client.Close()
	fmt.Fprint(client, "HTTP/1.1 200 go on\r\n\r\n")
	splice(client, rw, conn)
}

// splice copies both ways until both have ended.
func splice(a net.Conn, early io.Reader, b net.Conn) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, _ = io.Copy(b, early)
		_ = b.(*net.TCPConn).CloseWrite()
	}()
	_, _ = io.Copy(a, b)
	_ = a.(interface{ CloseWrite() error }).CloseWrite()
	<-done
}

// socksUpstream is a SOCKS 5 server (RFC 1928). login is "user:password", "" = none
// is asked for; reply is what it answers to all requests, if not 0.
func socksUpstream(t *testing.T, b *beyond, login string, reply byte) net.Addr {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	t.Cleanup(func() { l.Close(); wg.Wait() })
	wg.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			wg.Go(func() {
				defer conn.Close()
				serveSOCKS(conn, b, login, reply)
			})
		}
	})
	return l.Addr()
}

func serveSOCKS(conn net.Conn, b *beyond, login string, reply byte) {
	read := func(n int) []byte {
		p := make([]byte, n)
		if _, err := io.ReadFull(conn, p); err != nil {
			return make([]byte, n)
		}
		return p
	}
	methods := string(read(int(read(2)[1])))
	switch {
	case login == "":
		_, _ = conn.Write([]byte{5, 0})
	case !strings.Contains(methods, "\x02"):
		_, _ = conn.Write([]byte{5, 0xff})
		return
	default:
		_, _ = conn.Write([]byte{5, 2})
		user := read(int(read(2)[1]))
		password := read(int(read(1)[0]))
		if string(user)+":"+string(password) != login {
			_, _ = conn.Write([]byte{1, 1})
			return
		}
		_, _ = conn.Write([]byte{1, 0})
	}
	var host string
	switch head := read(4); head[3] {
	case 1:
		host = netip.AddrFrom4([4]byte(read(4))).String()
	case 4:
		host = netip.AddrFrom16([16]byte(read(16))).String()
	case 3:
		host = string(read(int(read(1)[0])))
	}
	port := binary.BigEndian.Uint16(read(2))
	if reply != 0 {
		_, _ = conn.Write([]byte{5, reply, 0, 1, 0, 0, 0, 0, 0, 0})
		return
	}
	out, err := b.reach(net.JoinHostPort(host, strconv.Itoa(int(port))), nil)
	if err != nil {
		_, _ = conn.Write([]byte{5, 4, 0, 1, 0, 0, 0, 0, 0, 0})
		return
	}
	defer out.Close()
	_, _ = conn.Write(append([]byte{5, 0, 0, 3, 4}, "here\x00\x00"...))
	splice(conn, conn, out)
}

// newLabVia starts a lab whose proxy goes through an upstream, which reaches the lab's
// origin as www.example.com.
func newLabVia(t *testing.T, origin http.HandlerFunc, b *beyond, upstream string, change func(*Config)) *lab {
	t.Helper()
	l := newLab(t, origin, func(c *Config) {
		c.Dialer = &Dialer{Upstream: mustUpstream(t, upstream)}
		if change != nil {
			change(c)
		}
	})
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.places == nil {
		b.places = map[string]net.Addr{}
	}
	b.places["www.example.com:80"], b.places["GET www.example.com:80"] = l.origin.Listener.Addr(), l.origin.Listener.Addr()
	return l
}

func mustUpstream(t *testing.T, text string) *Upstream {
	t.Helper()
	up, err := ParseUpstream(text)
	if err != nil {
		t.Fatal(err)
	}
	return up
}

// startUpstream starts an HTTP upstream and returns its host and port.
func startUpstream(t *testing.T, h http.Handler) string {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s.Listener.Addr().String()
}

// noDNS is a resolver that knows no name, without asking anybody.
func noDNS() *net.Resolver {
	return &net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) { return nil, errors.New("no DNS here") }}
}
