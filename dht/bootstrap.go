package dht

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"sync"
	"time"

	"github.com/anacrolix/dht/v2/krpc"
	"github.com/anacrolix/dht/v2/types"

	"github.com/peerproxy/peerproxy/internal/addr"
)

const (
	resolveTime   = 5 * time.Second
	resolveGrace  = 300 * time.Millisecond
	resolvedFresh = 30 * time.Minute
	roundTime     = 15 * time.Second
	firstPause    = 500 * time.Millisecond // the second round of a young network finds most
	longestPause  = 5 * time.Minute
	checkInterval = time.Minute
)

// publicBootstrap lists the well-known hosts that answered in 2026. The older
// router.bittorrent.com, router.utorrent.com and dht.aelitis.com are gone.
func publicBootstrap() []string {
	return []string{"dht.libtorrent.org:25401", "dht.transmissionbt.com:6881", "router.bt.ouinet.work:6881"}
}

// resolveFunc is the form of [net.Resolver.LookupNetIP].
type resolveFunc func(ctx context.Context, network, host string) ([]netip.Addr, error)

// bootstrapHosts are where a node without neighbours begins.
type bootstrapHosts struct {
	literals []netip.AddrPort
	names    []hostName
	resolve  resolveFunc
}

type hostName struct {
	host   string
	port   uint16
	public bool // of the public list, which has no business to name private addresses
}

func newBootstrapHosts(cfg Config) (*bootstrapHosts, error) {
	h := &bootstrapHosts{resolve: cfg.Resolve}
	if h.resolve == nil {
		h.resolve = net.DefaultResolver.LookupNetIP
	}
	for _, hostPort := range cfg.Bootstrap {
		if err := h.add(hostPort, false); err != nil {
			return nil, err
		}
	}
	if cfg.NoPublicBootstrap {
		return h, nil
	}
	for _, hostPort := range publicBootstrap() {
		if err := h.add(hostPort, true); err != nil {
			return nil, err
		}
	}
	return h, nil
}

func (h *bootstrapHosts) add(hostPort string, public bool) error {
	host, portText, err := net.SplitHostPort(hostPort)
	if err != nil {
		return fmt.Errorf("dht: bootstrap node: %w", err)
	}
	port, err := strconv.ParseUint(portText, 10, 16)
	if err != nil || port == 0 || host == "" {
		return fmt.Errorf("dht: bootstrap node %q: want HOST:PORT", hostPort)
	}
	if ip, err := netip.ParseAddr(host); err == nil {
		h.literals = append(h.literals, netip.AddrPortFrom(ip.Unmap(), uint16(port)))
		return nil
	}
	h.names = append(h.names, hostName{host, uint16(port), public})
	return nil
}

// literalsOf lists the hosts that were given by address.
func (h *bootstrapHosts) literalsOf(network string) []types.AddrMaybeId {
	var out []types.AddrMaybeId
	for _, ap := range h.literals {
		if familyOf(ap.Addr()) == network {
			out = append(out, addressOnly(ap))
		}
	}
	return out
}

// lookup resolves all names side by side. It takes resolveTime at most; once one is
// resolved, the others have only a little longer.
func (h *bootstrapHosts) lookup(ctx context.Context, network string) []types.AddrMaybeId {
	ctx, cancel := context.WithTimeout(ctx, resolveTime)
	defer cancel()
	found := make(chan []types.AddrMaybeId)
	for _, name := range h.names {
		go func() { found <- name.lookup(ctx, h.resolve, network) }()
	}
	var out []types.AddrMaybeId
	for range h.names { // all are waited for: the resolver ends with ctx
		nodes := <-found
		if len(out) == 0 && len(nodes) > 0 {
			grace := time.AfterFunc(resolveGrace, cancel)
			defer grace.Stop()
		}
		out = append(out, nodes...)
	}
	return out
}

func (name hostName) lookup(ctx context.Context, resolve resolveFunc, network string) []types.AddrMaybeId {
	ips, err := resolve(ctx, "ip"+network[len("udp"):], name.host)
	if err != nil {
		return nil // the others may do; Status shows if none did
	}
	var out []types.AddrMaybeId
	for _, ip := range ips {
		if ip.IsValid() && familyOf(ip) == network && (!name.public || addr.Public(ip)) {
			out = append(out, addressOnly(netip.AddrPortFrom(ip.Unmap(), name.port)))
		}
	}
	return out
}

func addressOnly(ap netip.AddrPort) types.AddrMaybeId {
	return types.AddrMaybeId{Addr: krpc.NodeAddrPort{AddrPort: ap}}
}

// roundLog remembers how bootstrapping went. It may be used by several goroutines.
type roundLog struct {
	mu      sync.Mutex
	rounds  int
	answers int // of the last round
	last    time.Time
}

func (l *roundLog) add(answers int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.rounds, l.answers, l.last = l.rounds+1, answers, time.Now()
}

func (l *roundLog) get() (rounds, answers int, last time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.rounds, l.answers, l.last
}

// bootstrap does one round: it looks for its own ID, first from the nodes that are known, then, if too
// few of them answered, from the hosts that must be resolved.
func (f *family) bootstrap(ctx context.Context, hosts *bootstrapHosts, names *resolved) {
	start := append(f.startingNodes(), f.knownNodes()...)
	answers := f.findSelf(ctx, append(start, hosts.literalsOf(f.network)...))
	if len(hosts.names) > 0 && answers < bucketSize && ctx.Err() == nil {
		answers += f.findSelf(ctx, names.get(ctx, hosts, f.network))
	}
	f.round.add(answers)
}

func (f *family) findSelf(ctx context.Context, start []types.AddrMaybeId) (answers int) {
	if len(start) == 0 {
		return 0
	}
	ctx, cancel := context.WithTimeout(ctx, roundTime)
	defer cancel()
	w := &walk{name: "find_node", target: InfoHash(f.id), width: bootstrapWidth, start: start}
	_, _ = f.walk(ctx, w) // that nobody answered is the count's to say
	return w.answers
}

// resolved keeps the answers of DNS for a while. It belongs to one goroutine.
type resolved struct {
	nodes []types.AddrMaybeId
	at    time.Time
}

func (r *resolved) get(ctx context.Context, hosts *bootstrapHosts, network string) []types.AddrMaybeId {
	if len(r.nodes) == 0 || time.Since(r.at) > resolvedFresh {
		r.nodes, r.at = hosts.lookup(ctx, network), time.Now()
	}
	return r.nodes
}

// maintain bootstraps, says when the first round is over, and bootstraps again whenever the table is
// small or a lookup got no answer: soon at first, then ever more rarely.
func (f *family) maintain(ctx context.Context, hosts *bootstrapHosts, firstRound func()) {
	var names resolved
	f.bootstrap(ctx, hosts, &names)
	firstRound()
	f.maintenance.Go(f.server.TableMaintainer)
	pause := firstPause
	for {
		healthy := f.server.Stats().GoodNodes >= bucketSize
		if healthy {
			pause = firstPause
		}
		lost, ok := f.sleep(ctx, pause, healthy)
		if !ok {
			return
		}
		if lost || !healthy {
			f.bootstrap(ctx, hosts, &names)
			pause = min(2*pause, longestPause)
		}
	}
}

// sleep waits for the next look at the table; shorter if a lookup says that the network is lost.
// It returns false when ctx has ended.
func (f *family) sleep(ctx context.Context, pause time.Duration, healthy bool) (lost, ok bool) {
	if healthy {
		pause = checkInterval
	}
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false, false
	case <-timer.C:
		return false, true
	case <-f.lost:
	}
	timer.Reset(firstPause) // a caller that insists shall not make us send without pause
	select {
	case <-ctx.Done():
		return false, false
	case <-timer.C:
		return true, true
	}
}

// noteOutcome has the network looked for again when a walk got no answer.
func (f *family) noteOutcome(err error) {
	if !errors.Is(err, ErrNoNodes) {
		return
	}
	select {
	case f.lost <- struct{}{}:
	default:
	}
}
