package dht

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"time"
)

const (
	defaultSendRate  = 200
	defaultQueryRate = 50
	defaultMaxPeers  = 500
	saveInterval     = 10 * time.Minute
)

var (
	// ErrClosed is returned by the methods of a [Node] that has been closed.
	ErrClosed = errors.New("dht: node closed")
	// ErrRunning is returned by [Node.Run] when it has been called before.
	ErrRunning = errors.New("dht: node already run")
)

// Config says how a [Node] takes part. Its zero value is a node on a port of the system's choice
// that joins the public network and keeps nothing.
type Config struct {
	// Listen is the UDP address. ":PORT" opens IPv4 and IPv6 on the same port, as does ":0" on
	// one that is free; "ADDRESS:PORT" opens that one. "" means ":0".
	Listen string
	// Bootstrap names nodes to start from, as HOST:PORT, beside the public list.
	Bootstrap []string
	// NoPublicBootstrap leaves the public list out.
	NoPublicBootstrap bool
	// NodesFile is where known nodes are kept between runs; "" keeps none.
	NodesFile string
	// SendRate bounds the packets per second that each address family sends. 0 means 200.
	SendRate int
	// QueryRate bounds the queries per second that one IPv4 address or IPv6 /64 gets answered
	// (on loopback: one port). 0 means 50, less than 0 no bound.
	QueryRate int
	// MaxPeers bounds what one FindPeers yields. 0 means 500.
	MaxPeers int
	// PeerLifetime is how long the announcements of others are kept. 0 means 40 minutes.
	PeerLifetime time.Duration
	// Resolve looks up bootstrap hosts, in the form of [net.Resolver.LookupNetIP]; it must end when
	// its context does. nil means the system's resolver.
	Resolve func(ctx context.Context, network, host string) ([]netip.Addr, error)
	// Logger gets events; addresses only at debug level. nil means none.
	Logger *slog.Logger
}

func (c Config) withDefaults() Config {
	setDefault(&c.Listen, ":0")
	setDefault(&c.SendRate, defaultSendRate)
	if c.QueryRate == 0 { // less means no bound
		c.QueryRate = defaultQueryRate
	}
	setDefault(&c.MaxPeers, defaultMaxPeers)
	setDefault(&c.PeerLifetime, defaultPeerLifetime)
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return c
}

// setDefault replaces what is zero or, by mistake, negative.
func setDefault[T cmp.Ordered](field *T, value T) {
	var zero T
	if *field <= zero {
		*field = value
	}
}

// Node takes part in the DHT, with one socket per address family. Its methods may be called
// by any number of goroutines.
type Node struct {
	cfg      Config
	hosts    *bootstrapHosts
	families []*family
	ready    chan struct{}
	closing  chan struct{}

	closeOnce sync.Once
	closeErr  error

	mu     sync.Mutex
	ran    bool
	closed bool
	ops    sync.WaitGroup // Run and all calls under way; grows only while !closed
}

// New opens the sockets and begins to answer queries. It reads NodesFile but sends nothing; that
// begins with [Node.Run]. A node must be closed, by the end of Run or by [Node.Close].
func New(cfg Config) (*Node, error) {
	cfg = cfg.withDefaults()
	n := &Node{cfg: cfg, ready: make(chan struct{}), closing: make(chan struct{})}
	var err error
	if n.hosts, err = newBootstrapHosts(cfg); err != nil {
		return nil, err
	}
	saved, err := loadNodes(cfg.NodesFile)
	if err != nil {
		return nil, err
	}
	conns, err := listen(cfg.Listen)
	if err != nil {
		return nil, err
	}
	for i, conn := range conns {
		f, err := newFamily(conn, cfg, saved)
		if err != nil {
			return nil, errors.Join(err, closeAll(conns[i:]), n.Close())
		}
		n.families = append(n.families, f)
	}
	return n, nil
}

func closeAll(conns []net.PacketConn) error {
	errs := make([]error, len(conns))
	for i, conn := range conns {
		errs[i] = conn.Close()
	}
	return errors.Join(errs...)
}

// Run joins the network and keeps the node in it until ctx ends or Close is called; then it saves
// what it knows, closes the node and returns nil. It may be called once.
func (n *Node) Run(ctx context.Context) error {
	n.mu.Lock()
	again := n.ran
	n.ran = true
	n.mu.Unlock()
	if again {
		return ErrRunning
	}
	err := n.run(ctx)
	return errors.Join(err, n.Close())
}

func (n *Node) run(ctx context.Context) error {
	ctx, end, err := n.enter(ctx)
	if err != nil {
		return err
	}
	defer end()
	var work, firstRounds sync.WaitGroup
	firstRounds.Add(len(n.families))
	for _, f := range n.families {
		work.Go(func() { f.pingSources(ctx) })
		work.Go(func() { f.maintain(ctx, n.hosts, firstRounds.Done) })
	}
	work.Go(func() {
		firstRounds.Wait()
		close(n.ready)
		n.logReady()
		n.saveRegularly(ctx)
	})
	work.Wait()
	return n.save()
}

func (n *Node) logReady() {
	for _, f := range n.families {
		_, answers, _ := f.round.get()
		if answers == 0 {
			n.cfg.Logger.Info("dht: no other node answered yet", "network", f.network)
			continue
		}
		n.cfg.Logger.Info("dht: joined", "network", f.network, "answers", answers)
	}
}

func (n *Node) saveRegularly(ctx context.Context) {
	ticker := time.NewTicker(saveInterval)
	defer ticker.Stop()
	for {
		if err := n.save(); err != nil {
			n.cfg.Logger.Warn("dht: nodes not saved", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// Ready is closed when the first round of bootstrapping is over, whether or not any node answered;
// [Node.Status] tells. It takes at most some 35 seconds, in a live network one or two.
func (n *Node) Ready() <-chan struct{} { return n.ready }

// Addrs lists the sockets' local addresses, IPv4 first.
func (n *Node) Addrs() []netip.AddrPort {
	out := make([]netip.AddrPort, len(n.families))
	for i, f := range n.families {
		out[i] = f.local
	}
	return out
}

// Close ends all calls under way with [ErrClosed], Run with nil, and closes the sockets. When it
// returns, a matter of milliseconds, all of the node's work has ended. It may be called more
// than once.
func (n *Node) Close() error {
	n.closeOnce.Do(func() {
		n.mu.Lock()
		n.closed = true
		n.mu.Unlock()
		close(n.closing)
		n.ops.Wait()
		errs := make([]error, len(n.families))
		var wg sync.WaitGroup
		for i, f := range n.families {
			wg.Go(func() { errs[i] = f.close() })
		}
		wg.Wait()
		n.closeErr = errors.Join(errs...)
	})
	return n.closeErr
}

// begin enters a call that needs the network, so it waits until there is one.
func (n *Node) begin(ctx context.Context) (context.Context, func(), error) {
	ctx, end, err := n.enter(ctx)
	if err != nil {
		return nil, nil, err
	}
	select {
	case <-n.ready:
		return ctx, end, nil
	case <-ctx.Done():
		err := n.closedOr(ctx.Err())
		end()
		return nil, nil, err
	}
}

// enter counts a call in. The context that it returns also ends when the node is closed; end must be called.
func (n *Node) enter(ctx context.Context) (_ context.Context, end func(), _ error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.closed {
		return nil, nil, ErrClosed
	}
	ctx, cancel := context.WithCancel(ctx)
	n.ops.Go(func() {
		select {
		case <-n.closing:
			cancel()
		case <-ctx.Done():
		}
	})
	n.ops.Add(1)
	return ctx, func() { cancel(); n.ops.Done() }, nil
}

// closedOr returns err, or ErrClosed if that is why a call was cancelled.
func (n *Node) closedOr(err error) error {
	select {
	case <-n.closing:
		if errors.Is(err, context.Canceled) {
			return ErrClosed
		}
	default:
	}
	return err
}
