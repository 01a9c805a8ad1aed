package listener

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"github.com/peerproxy/peerproxy/listener/portmap"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// open starts a listener on loopback and closes it in the end.
func open(t testing.TB, cfg Config) *Listener {
	t.Helper()
	cfg.Addr = "127.0.0.1:0"
	l, err := Listen(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	return l
}

// dial makes a handshake as a client and returns its end of the connection.
func dial(t testing.TB, l *Listener, d websocket.Dialer, header http.Header) (*websocket.Conn, *http.Response, error) {
	t.Helper()
	scheme := "ws"
	if l.cfg.TLS != nil {
		scheme = "wss"
		if d.TLSClientConfig == nil {
			d.TLSClientConfig = &tls.Config{InsecureSkipVerify: true}
		}
	}
	d.Proxy = nil
	ws, resp, err := d.DialContext(t.Context(), scheme+"://"+l.Addr().String()+l.cfg.Path, header)
	if err == nil {
		t.Cleanup(func() { ws.Close() })
	}
	return ws, resp, err
}

func mustDial(t testing.TB, l *Listener) *websocket.Conn {
	t.Helper()
	ws, _, err := dial(t, l, websocket.Dialer{Subprotocols: l.cfg.Subprotocols}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return ws
}

func mustAccept(t testing.TB, l *Listener) *websocket.Conn {
	t.Helper()
	ws, err := l.Accept(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ws.Close() })
	return ws
}

// passes fails the test unless a message gets from one end to the other.
func passes(t testing.TB, from, to *websocket.Conn) {
	t.Helper()
	const text = "good day"
	if err := from.WriteMessage(websocket.TextMessage, []byte(text)); err != nil {
		t.Fatal(err)
	}
	if _, got, err := to.ReadMessage(); err != nil || string(got) != text {
		t.Fatalf("read %q, %v", got, err)
	}
}

// exchange sends raw bytes and returns the status of the answer, 0 if there was
// none, and the answer's header.
func exchange(t *testing.T, l *Listener, request string) (int, http.Header) {
	t.Helper()
	conn, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	go io.WriteString(conn, request) // may be cut off
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return 0, nil
	}
	resp.Body.Close()
	return resp.StatusCode, resp.Header
}

var certificate = sync.OnceValues(func() (tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, err
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, err
})

func serverTLS(t testing.TB) *tls.Config {
	t.Helper()
	cert, err := certificate()
	if err != nil {
		t.Fatal(err)
	}
	return &tls.Config{Certificates: []tls.Certificate{cert}}
}

// memListener hands out connections that were made in memory, so that time can
// be simulated.
type memListener struct {
	conns chan net.Conn
	once  sync.Once
	done  chan struct{}
}

func newMemListener() *memListener {
	return &memListener{conns: make(chan net.Conn), done: make(chan struct{})}
}

func (m *memListener) Accept() (net.Conn, error) {
	select {
	case c := <-m.conns:
		return c, nil
	case <-m.done:
		return nil, net.ErrClosed
	}
}

func (m *memListener) Close() error   { m.once.Do(func() { close(m.done) }); return nil }
func (m *memListener) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 4711} }

// connect returns the client's end of a new connection from the address.
func (m *memListener) connect(from string) net.Conn {
	client, server := net.Pipe()
	m.conns <- fromConn{server, net.TCPAddrFromAddrPort(netip.AddrPortFrom(netip.MustParseAddr(from), 40000))}
	return client
}

type fromConn struct {
	net.Conn
	from net.Addr
}

func (c fromConn) RemoteAddr() net.Addr { return c.from }

// openInMemory starts a listener within a synctest bubble.
func openInMemory(ctx context.Context, cfg Config) (*Listener, *memListener) {
	socket := newMemListener()
	l := newListener(cfg.withDefaults())
	l.start(ctx, socket)
	return l, socket
}

// timeToClose returns how long it takes until the other side closes.
func timeToClose(conn net.Conn) time.Duration {
	began := time.Now()
	io.Copy(io.Discard, conn)
	return time.Since(began)
}

// fakeMapper maps whatever it is asked for, unless told otherwise.
type fakeMapper struct {
	err       error
	hang      bool
	hangUnmap bool

	mu       sync.Mutex
	requests []portmap.Request
	mapped   int
}

var errHung = errors.New("hung")

func (f *fakeMapper) Map(ctx context.Context, req portmap.Request) (portmap.Mapping, error) {
	f.mu.Lock()
	f.requests = append(f.requests, req)
	f.mu.Unlock()
	if f.hang {
		<-ctx.Done()
		return portmap.Mapping{}, errHung
	}
	if f.err != nil {
		return portmap.Mapping{}, f.err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.mapped++
	return portmap.Mapping{
		Protocol: req.Protocol, Internal: netip.AddrPortFrom(req.InternalAddr, req.InternalPort),
		External: netip.MustParseAddrPort("11.0.0.100:5000"), Lease: req.Lease, Method: portmap.MethodUPnP,
	}, nil
}

func (f *fakeMapper) Unmap(ctx context.Context, _ portmap.Mapping) error {
	if f.hangUnmap {
		<-ctx.Done()
		return ctx.Err()
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.mapped--
	return nil
}
