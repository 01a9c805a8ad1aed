package peer

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"go.uber.org/goleak"

	"github.com/peerproxy/peerproxy/resource"
	"github.com/peerproxy/peerproxy/trust"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m)
}

var testSecret = []byte("a secret of tests")

// wrapping is a listener whose connections send faster.
type wrapping struct{ net.Listener }

func (l wrapping) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return WrapConn(c), nil
}

// upgrader is an Accepter over any net.Listener, as the node's listener is one.
type upgrader struct {
	conns chan *websocket.Conn
	stop  func()
}

func newUpgrader(t testing.TB, ln net.Listener) *upgrader {
	return newPlainUpgrader(t, wrapping{ln})
}

func newPlainUpgrader(t testing.TB, ln net.Listener) *upgrader {
	config, err := TLSConfig()
	if err != nil {
		t.Fatal(err)
	}
	u := &upgrader{conns: make(chan *websocket.Conn)}
	done := make(chan struct{})
	ws := websocket.Upgrader{ReadBufferSize: ReadBufferSize, WriteBufferSize: BufferSize, Subprotocols: []string{Subprotocol}}
	server := &http.Server{
		ReadHeaderTimeout: 10 * time.Second,
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			c, err := ws.Upgrade(w, r, nil)
			if err != nil {
				return
			}
			select {
			case u.conns <- c:
			case <-done:
				_ = c.Close()
			}
		}),
	}
	var serving sync.WaitGroup
	serving.Go(func() { _ = server.Serve(tls.NewListener(ln, config)) })
	u.stop = func() {
		close(done)
		_ = server.Close()
		serving.Wait()
	}
	return u
}

func (u *upgrader) Accept(ctx context.Context) (*websocket.Conn, error) {
	select {
	case c := <-u.conns:
		return c, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// world is a network of nodes. It is made in a synctest bubble and must be closed
// before the bubble ends.
type world struct {
	t      testing.TB
	net    *memNet
	finder *signposts
	close  []func()
	next   byte
	place  byte // the /24 network of new addresses
	local  bool // they are loopback ones
}

func newWorld(t testing.TB) *world {
	return &world{t: t, net: newMemNet(), finder: &signposts{sites: make(map[string][]netip.AddrPort)}}
}

func (w *world) end() {
	for i := len(w.close) - 1; i >= 0; i-- {
		w.close[i]()
	}
}

// address is a public address that nobody else has.
func (w *world) address() netip.AddrPort {
	w.next++
	if w.local {
		return netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, w.place, w.next}), 4000)
	}
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte{11, 0, w.place, w.next}), 4000)
}

// testNode is a swarm with its shelf.
type testNode struct {
	*Swarm
	t        testing.TB
	identity *trust.Identity
	addr     netip.AddrPort
	shelf    *shelf
	catalog  *Catalog
	stop     func()
}

// node starts a node. It is reachable unless change sets its mind otherwise.
func (w *world) node(change ...func(*Config)) *testNode {
	w.t.Helper()
	n := &testNode{
		t:        w.t,
		identity: trust.NewIdentity(),
		addr:     w.address(),
		shelf:    &shelf{items: make(map[resource.ID]*item)},
		catalog:  NewCatalog(testSecret),
	}
	cfg := Config{
		Identity: n.identity,
		Verifier: trust.Policy{Any: true, Witnesses: -1}, // the first answer counts
		Secret:   testSecret,
		Catalog:  n.catalog,
		Source:   n.shelf,
		Finder:   w.finder,
		Dial:     w.net.dialFrom(n.addr.Addr()),
	}
	for _, c := range change {
		c(&cfg)
	}
	var err error
	if n.Swarm, err = New(cfg); err != nil {
		w.t.Fatal(err)
	}
	accepter := newUpgrader(w.t, w.net.listen(n.addr))
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() {
		if err := n.Run(ctx, accepter); err != nil {
			w.t.Errorf("Run: %v", err)
		}
	})
	n.stop = sync.OnceFunc(func() {
		cancel()
		running.Wait()
		accepter.stop()
	})
	w.close = append(w.close, n.stop)
	return n
}

// nodeIn starts a node in the /24 network with the given number.
func (w *world) nodeIn(place byte, change ...func(*Config)) *testNode {
	w.place = place
	defer func() { w.place = 0 }()
	return w.node(change...)
}

// share puts a signed copy onto the node's shelf and into its catalog.
func (n *testNode) share(url string, body []byte) *item {
	n.t.Helper()
	it := makeItem(n.t, n.identity, url, body)
	n.hold(it)
	n.catalog.Add(it.exchange.ID())
	return it
}

// hold puts a copy onto the shelf without sharing it.
func (n *testNode) hold(it *item) {
	n.shelf.mu.Lock()
	defer n.shelf.mu.Unlock()
	n.shelf.items[it.exchange.ID()] = it
}

// announce makes the finder know who has a site.
func (w *world) announce(site string, addrs ...netip.AddrPort) {
	w.finder.mu.Lock()
	defer w.finder.mu.Unlock()
	w.finder.sites[site] = append(w.finder.sites[site], addrs...)
}

// mustFetch reads a whole copy.
func (n *testNode) mustFetch(url string) (*resource.Copy, []byte) {
	n.t.Helper()
	c, err := n.Fetch(context.Background(), query(url))
	if err != nil {
		n.t.Fatalf("Fetch: %v", err)
	}
	defer c.Body.Close()
	b, err := io.ReadAll(c.Body)
	if err != nil {
		n.t.Fatalf("read body after %d bytes: %v", len(b), err)
	}
	return c, b
}

// fetchError expects a search to fail with a sentinel.
func (n *testNode) fetchError(url string, want error) *FetchError {
	n.t.Helper()
	c, err := n.Fetch(context.Background(), query(url))
	if err == nil {
		_ = c.Body.Close()
		n.t.Fatalf("Fetch succeeded, want %v", want)
	}
	if !errors.Is(err, want) {
		n.t.Fatalf("Fetch: %v, want %v", err, want)
	}
	var fe *FetchError
	if !errors.As(err, &fe) {
		n.t.Fatalf("Fetch: %T, want a *FetchError", err)
	}
	return fe
}

func equalBody(t testing.TB, got, want []byte) {
	t.Helper()
	if !bytes.Equal(got, want) {
		t.Fatalf("got %d bytes, want %d, or other ones", len(got), len(want))
	}
}
