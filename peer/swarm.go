package peer

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"sync"

	"github.com/gorilla/websocket"
	"golang.org/x/time/rate"

	"github.com/peerproxy/peerproxy/internal/addr"
	"github.com/peerproxy/peerproxy/trust"
)

// Swarm is this node among its peers: the sessions, what is asked over them and what
// is answered. All methods may be used from any goroutine. They work while
// [Swarm.Run] does: before, they wait for it; after, they return [ErrClosed].
type Swarm struct {
	cfg     Config
	key     trust.Key
	log     *slog.Logger
	slots   chan struct{} // one for each request that is being served
	upload  *rate.Limiter // nil: unlimited
	windows windowBudget

	tasks   chan func(context.Context) // goroutines that Run starts and waits for
	stopped chan struct{}              // closed when Run starts no more

	sessions registry
	dials    dialler
	lookups  lookups

	jury      Jury      // nil: no witness counts
	sightings sightings // where keys were met

	liars    table[trust.Key, struct{}] // keys that lied
	affinity table[string, trust.Key]   // who had the last thing of a site
	knocking chan struct{}              // one for each handshake with an accepted connection

	mu       sync.Mutex           // guards arrivals
	arrivals map[netip.Prefix]int // accepted connections by network
}

// New returns a swarm that does nothing yet. It keeps a copy of cfg.
func New(cfg Config) (*Swarm, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	w := &Swarm{
		cfg:      cfg,
		key:      cfg.Identity.Key(),
		log:      cfg.Logger,
		slots:    make(chan struct{}, cfg.Limits.Requests),
		upload:   newUploadLimit(cfg.Limits.UploadRate),
		windows:  windowBudget{free: cfg.Limits.Window},
		tasks:    make(chan func(context.Context)),
		stopped:  make(chan struct{}),
		arrivals: make(map[netip.Prefix]int),
		knocking: make(chan struct{}, cfg.Limits.Handshakes),
	}
	w.sessions.own = w.key
	w.sessions.limit = cfg.Limits.Sessions
	if jury, ok := cfg.Verifier.(Jury); ok {
		w.jury = jury
	}
	return w, nil
}

// Run accepts connections and keeps the sessions going until ctx ends or a fails;
// then it closes all sessions and returns when nothing is left running. The error is
// nil if ctx ended. A nil Accepter means that this node only dials. Run may be
// called once.
func (w *Swarm) Run(ctx context.Context, a Accepter) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var group sync.WaitGroup
	var failed error
	if a != nil {
		group.Go(func() {
			failed = w.accept(ctx, a)
			cancel()
		})
	}
	for ctx.Err() == nil {
		select {
		case task := <-w.tasks:
			group.Go(func() { task(ctx) })
		case <-ctx.Done():
		}
	}
	close(w.stopped)
	group.Wait()
	return failed
}

// start has Run run a task. It fails if ctx ends first or Run has ended.
func (w *Swarm) start(ctx context.Context, task func(context.Context)) error {
	select {
	case <-w.stopped:
		return ErrClosed
	default:
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	select {
	case w.tasks <- task:
		return nil
	case <-w.stopped:
		return ErrClosed
	case <-ctx.Done():
		return ctx.Err()
	}
}

// accept takes connections until ctx ends.
func (w *Swarm) accept(ctx context.Context, a Accepter) error {
	for {
		ws, err := a.Accept(ctx)
		if ctx.Err() != nil {
			if ws != nil {
				_ = ws.Close()
			}
			return nil
		}
		if err != nil {
			return fmt.Errorf("peer: accept: %w", err)
		}
		w.admitArrival(ctx, ws)
	}
}

// admitArrival handshakes with an accepted connection in the background, if there
// is room.
func (w *Swarm) admitArrival(ctx context.Context, ws *websocket.Conn) {
	from := remoteAddr(ws)
	leave, ok := w.arrive(from.Addr())
	if !ok {
		newWSConn(ws).bye(closeFull)
		return
	}
	err := w.start(ctx, func(ctx context.Context) {
		defer leave()
		s, err := w.knock(ctx, ws, from)
		if err != nil {
			w.log.Debug("accepted connection", "address", from, "error", err)
			return
		}
		w.runSession(ctx, s)
	})
	if err != nil {
		leave()
		_ = ws.Close()
	}
}

// knock is the handshake with an accepted connection.
func (w *Swarm) knock(ctx context.Context, ws *websocket.Conn, from netip.AddrPort) (*session, error) {
	select {
	case w.knocking <- struct{}{}:
		defer func() { <-w.knocking }()
	default:
		newWSConn(ws).bye(closeFull)
		return nil, ErrFull
	}
	s, err := w.establish(ctx, ws, roleAcceptor, from)
	if err != nil {
		return nil, err
	}
	if err := w.enter(s); err != nil {
		s.close(closeFull)
		return nil, err
	}
	return s, nil
}

// enter puts a session into the registry and remembers where its key was met.
func (w *Swarm) enter(s *session) error {
	if err := w.sessions.add(s); err != nil {
		return err
	}
	w.see(s)
	return nil
}

// see remembers where the key of a session is, if it was found there. (Private addresses are for
// laboratories, where those who call have no proxies.)
func (w *Swarm) see(s *session) {
	if !s.dialled && addr.Public(s.addr.Addr().Unmap()) {
		return
	}
	if network, ok := witnessNetwork(s.addr.Addr(), w.cfg.PrivateWitnesses); ok {
		w.sightings.note(s.key, network)
	}
}

// arrive counts an accepted connection against the limit per public network. Private
// ones are exempt: all of a test's or a home's nodes may have the same.
func (w *Swarm) arrive(ip netip.Addr) (leave func(), ok bool) {
	if !dialable(ip, false) {
		return func() {}, true
	}
	network := addr.Network(ip)
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.arrivals[network] >= w.cfg.Limits.SessionsPerAddress {
		return nil, false
	}
	w.arrivals[network]++
	return func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		if w.arrivals[network]--; w.arrivals[network] == 0 {
			delete(w.arrivals, network)
		}
	}, true
}

// runSession keeps a session, which is in the registry, until its end.
func (w *Swarm) runSession(ctx context.Context, s *session) {
	defer w.sessions.remove(s)
	settled, cancel := context.WithCancel(ctx)
	var settling sync.WaitGroup
	settling.Go(func() { w.settle(settled, s) })
	s.run(ctx, server{w, s}, func(ctx context.Context) { w.tell(ctx, s) }, w.cfg.Timeouts.Idle)
	cancel()
	settling.Wait()
}

// Connect dials a peer and keeps the session. It returns nil too if there is a
// session with that peer already. Errors are [ErrAddress], [ErrSelf], [ErrShunned],
// [ErrFull], [ErrHandshake], those of the dial and of ctx.
func (w *Swarm) Connect(ctx context.Context, to netip.AddrPort) error {
	if _, err := w.connect(ctx, to); err != nil {
		return fmt.Errorf("peer: connect: %w", err)
	}
	return nil
}

// lied closes a session whose peer broke the protocol and shuns that peer.
func (w *Swarm) lied(s *session, err error) {
	w.log.Warn("peer broke the protocol", "peer", s.key, "error", err)
	w.liars.put(s.key, struct{}{}, w.cfg.Timeouts.Shun)
	if s.dialled {
		w.dials.shun(s.addr, w.cfg.Timeouts.Shun)
	}
	s.close(closeLie)
}

// remoteAddr is the address at the other end, invalid if it has none.
func remoteAddr(ws *websocket.Conn) netip.AddrPort {
	var a netip.AddrPort
	if tcp, ok := ws.RemoteAddr().(*net.TCPAddr); ok {
		a = tcp.AddrPort()
	} else if p, err := netip.ParseAddrPort(ws.RemoteAddr().String()); err == nil {
		a = p
	}
	return netip.AddrPortFrom(a.Addr().Unmap(), a.Port())
}

// errIs is errors.Is for several targets.
func errIs(err error, targets ...error) bool {
	for _, t := range targets {
		if errors.Is(err, t) {
			return true
		}
	}
	return false
}
