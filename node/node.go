package node

import (
	"cmp"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"time"

	"github.com/peerproxy/peerproxy/cache"
	"github.com/peerproxy/peerproxy/control"
	"github.com/peerproxy/peerproxy/dht"
	"github.com/peerproxy/peerproxy/httpcache"
	"github.com/peerproxy/peerproxy/intercept"
	"github.com/peerproxy/peerproxy/internal/addr"
	"github.com/peerproxy/peerproxy/listener"
	"github.com/peerproxy/peerproxy/listener/portmap"
	"github.com/peerproxy/peerproxy/peer"
	"github.com/peerproxy/peerproxy/proxy"
	"github.com/peerproxy/peerproxy/trust"
)

// publicSecret is that of the public swarm. Everybody knows it, so it hides nothing from
// those who have a list of sites; it keeps the swarm apart from others in the DHT.
const publicSecret = "peerproxy public swarm 1"

// Node is one running peerproxy. Its methods may be called by several goroutines.
type Node struct {
	cfg      Config
	started  time.Time
	trusted  trust.Policy // as configured, with the keyring as it is now
	sites    proxy.SitePolicies
	dialer   *proxy.Dialer // as configured
	auth     func(user, password string) bool
	identity *trust.Identity
	secret   []byte

	store     *cache.Store
	sharing   *sharing
	catalog   *peer.Catalog
	listener  *listener.Listener
	mapper    portmap.Mapper // nil: no gateway is asked
	dht       *dht.Node
	announcer *dht.Announcer
	rotation  *dht.Rotation // of what the announcer announces
	swarm     *peer.Swarm
	proxy     *proxy.Proxy

	interceptor *intercept.Interceptor // nil: tunnels are not looked into
	authority   *authority             // for it
	roots       *x509.CertPool         // nil: those of the system

	proxySocket   net.Listener
	controlSocket net.Listener

	closers []func() error // of what New has opened, in this order
	ended   chan struct{}  // closed when Run has returned

	remapped chan struct{} // holds a token when a port has been mapped anew
}

// New opens everything that a node needs: its files first, then its sockets. What it
// opened is closed again by Run, or here if it fails.
func New(cfg Config) (_ *Node, err error) {
	if cfg, err = cfg.withDefaults(); err != nil {
		return nil, err
	}
	if err := removeReady(cfg.ReadyFile); err != nil {
		return nil, err
	}
	n := &Node{cfg: cfg, started: time.Now(), ended: make(chan struct{}), remapped: make(chan struct{}, 1)}
	defer func() {
		if err != nil {
			err = errors.Join(err, n.close())
		}
	}()
	for _, open := range []func() error{n.readSettings, n.openFiles, n.openPeerSocket, n.openDHT, n.openSwarm, n.openInterceptor, n.openProxy, n.openControl} {
		if err := open(); err != nil {
			return nil, err
		}
	}
	return n, n.offerStored()
}

// readSettings reads what the user wrote, so that a slip is found before anything is made.
func (n *Node) readSettings() (err error) {
	if err := n.readTrust(); err != nil {
		return err
	}
	if n.auth, err = proxyAuth(n.cfg.ProxyAuth); err != nil {
		return err
	}
	if n.roots, err = n.cfg.roots(); err != nil {
		return err
	}
	if n.dialer, err = n.cfg.dialer(n.roots); err != nil {
		return err
	}
	if n.dialer.DoH != nil {
		n.closeLater(n.dialer.DoH.Close)
	}
	return nil
}

// openFiles takes possession of the data directory: the store's lock is the node's.
func (n *Node) openFiles() (err error) {
	if err := openDataDir(n.cfg.DataDir); err != nil {
		return err
	}
	n.secret = []byte(publicSecret)
	if n.cfg.Share == ShareGroup {
		secret, err := OpenGroup(n.cfg.DataDir)
		if err != nil {
			return err
		}
		n.secret = secret[:]
	}
	n.catalog = peer.NewCatalog(n.secret)
	n.sharing = newSharing(n.catalog, n.cfg.levels(),
		func(t dht.Topic) { n.rotation.Add(t) }, func(t dht.Topic) { n.rotation.Remove(t) })
	n.store, err = cache.Open(CacheFile(n.cfg.DataDir), cache.Config{Quota: n.cfg.Quota, Removed: n.sharing.removed, Logger: n.cfg.Logger})
	if err != nil {
		return err
	}
	n.closeLater(n.store.Close)
	if n.identity, err = trust.LoadOrCreate(keyFile(n.cfg.DataDir)); err != nil {
		return err
	}
	own := n.identity.Key()
	n.trusted.Self = &own
	return nil
}

func (n *Node) openPeerSocket() error {
	address := n.cfg.Listen
	if address == "" {
		port, err := keptPort(n.cfg.DataDir)
		if err != nil {
			return err
		}
		address = net.JoinHostPort("", strconv.Itoa(port))
	}
	tlsConfig, err := peer.TLSConfig()
	if err != nil {
		return err
	}
	if !n.cfg.NoMapping && n.cfg.Share != ShareOff { // who gives nothing need not be reached
		if n.mapper, err = portmap.NewUPnP(portmap.Config{Logger: n.cfg.Logger}); err != nil {
			return err
		}
	}
	l, err := listener.Listen(context.Background(), listener.Config{
		Addr: address, Subprotocols: []string{peer.Subprotocol}, TLS: tlsConfig, Mapper: n.mapper, Description: "peerproxy", Logger: n.cfg.Logger,
		ReadBufferSize: peer.ReadBufferSize, WriteBufferSize: peer.BufferSize, Notify: n.portChanged, WrapConn: peer.WrapConn,
	})
	if err != nil {
		return fmt.Errorf("listen for peers: %w", err)
	}
	n.listener = l
	n.closeLater(l.Close)
	return nil
}

func (n *Node) openDHT() error {
	address := cmp.Or(n.cfg.DHT, n.peerAddress())
	node, err := dht.New(dht.Config{
		Listen: address, Bootstrap: n.cfg.Bootstrap, NoPublicBootstrap: n.cfg.NoPublicBootstrap,
		NodesFile: nodesFile(n.cfg.DataDir), Logger: n.cfg.Logger,
	})
	if err != nil {
		return fmt.Errorf("start the DHT node: %w", err)
	}
	n.dht = node
	n.closeLater(node.Close)
	n.announcer = dht.NewAnnouncer(dht.AnnouncerConfig{Node: node, Port: n.announcedPort, Logger: n.cfg.Logger})
	n.rotation = dht.NewRotation(n.secret, n.announcer)
	return nil
}

// peerAddress is where peers connect, as an address that the DHT can listen on too.
func (n *Node) peerAddress() string {
	real := n.listener.Addr()
	host, _, err := net.SplitHostPort(n.cfg.Listen)
	if err != nil {
		host = "" // the kept port, on all addresses
	}
	return net.JoinHostPort(host, strconv.Itoa(int(real.Port())))
}

// portChanged has sites announced again with the port that the gateway has given, rather
// than at the next turn. The listener calls it.
func (n *Node) portChanged(status listener.Status) {
	if status.Mapping.State != portmap.Mapped {
		return
	}
	select {
	case n.remapped <- struct{}{}:
	default: // one is due already
	}
}

// announceAgain makes the announcer follow portChanged.
func (n *Node) announceAgain(ctx context.Context) error {
	for {
		select {
		case <-n.remapped:
			n.announcer.Refresh()
		case <-ctx.Done():
			return nil
		}
	}
}

// announcedPort is where the world reaches the listener, as far as is known.
func (n *Node) announcedPort() uint16 {
	if external, ok := n.listener.External(); ok {
		return external.Port()
	}
	return n.listener.Addr().Port()
}

func (n *Node) openSwarm() error {
	cfg := peer.Config{
		Identity: n.identity, Verifier: n.trusted, Secret: n.secret,
		Finder:       swarmFinder{n.dht, n.secret, n.cfg.levels()},
		Exact:        n.cfg.Level == LevelExact,
		Matches:      httpcache.Matches,
		AllowPrivate: n.cfg.AllowPrivate || listensOnSpecial(n.cfg.Listen),
		// Not on a home network's address alone: it is one household, whatever its subnets.
		PrivateWitnesses: n.cfg.AllowPrivate,
		Logger:           n.cfg.Logger,
	}
	if n.cfg.Share != ShareOff {
		cfg.Catalog, cfg.Source = n.catalog, n.source()
	}
	var err error
	n.swarm, err = peer.New(cfg)
	return err
}

// listensOnSpecial reports whether a listening address is itself a loopback, private or
// otherwise special one. All addresses (an empty or unspecified host) are none.
func listensOnSpecial(address string) bool {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return false
	}
	if host == "localhost" {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && !ip.IsUnspecified() && !addr.Public(ip)
}

func (n *Node) openControl() (err error) {
	n.controlSocket, err = control.Listen(n.cfg.DataDir)
	if err != nil {
		return err
	}
	n.closeLater(ignoreClosed(n.controlSocket.Close))
	return nil
}

// offerStored offers what an earlier run has stored, and has the proxy learn from it.
func (n *Node) offerStored() error {
	if n.cfg.Share != ShareOff {
		n.sharing.start(n.source().shareable)
	}
	for st, err := range n.store.All() {
		if err != nil {
			return fmt.Errorf("read the store: %w", err)
		}
		n.proxy.Learn(st)
		n.stored(st)
	}
	return nil
}

// Addresses says where the node is.
func (n *Node) Addresses() Addresses {
	path, err := control.SocketPath(n.cfg.DataDir)
	if err != nil {
		path = n.controlSocket.Addr().String()
	}
	dhtAddress := ""
	if list := n.dht.Addrs(); len(list) > 0 {
		dhtAddress = list[0].String()
	}
	return Addresses{
		Proxy: n.proxySocket.Addr().String(), Peer: n.listener.Addr().String(), DHT: dhtAddress,
		Control: path, Key: n.identity.Key().String(),
	}
}

// Settled waits until the node has tried to join the DHT.
func (n *Node) Settled(ctx context.Context) error {
	select {
	case <-n.dht.Ready():
		return nil
	case <-n.ended:
		return errors.New("the node has stopped")
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Status says how the node is doing. What the store holds is left for the control
// interface to fill in.
func (n *Node) Status() control.Status {
	a, nodes := n.Addresses(), n.dht.Status()
	s := control.Status{
		Version: n.cfg.Version, Key: a.Key, Started: n.started,
		Proxy: a.Proxy, Peer: a.Peer, Mapping: n.listener.Mapping(),
		Share: string(n.cfg.Share), Level: string(n.cfg.Level), Trusting: n.Trusting(), Shared: n.catalog.Len(), Announced: n.sharing.announced(n.rotation.Announced),
		Peers: len(n.swarm.Status().Sessions), DHT: a.DHT, DHTReady: nodes.Ready, HTTPS: n.HTTPS(),
	}
	if external, ok := n.listener.External(); ok {
		s.External = external.String()
	}
	for _, family := range nodes.Families {
		s.DHTNodes += family.Nodes
	}
	return s
}

func (n *Node) closeLater(f func() error) { n.closers = append(n.closers, f) }

// close closes what New has opened, the last first.
func (n *Node) close() (err error) {
	for i := len(n.closers) - 1; i >= 0; i-- {
		err = errors.Join(err, n.closers[i]())
	}
	n.closers = nil
	return err
}

func ignoreClosed(f func() error) func() error {
	return func() error {
		if err := f(); !errors.Is(err, net.ErrClosed) && !errors.Is(err, http.ErrServerClosed) {
			return err
		}
		return nil
	}
}
