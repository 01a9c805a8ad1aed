package dht

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"net/netip"
	"sync"

	"github.com/anacrolix/dht/v2/krpc"
)

const announceTries = 2

var (
	// ErrNotAccepted is returned by [Node.Announce] when nodes answered, but none of them
	// accepted the announcement.
	ErrNotAccepted = errors.New("dht: no node accepted the announcement")
	// ErrBadPort is returned by [Node.Announce] for port 0.
	ErrBadPort = errors.New("dht: cannot announce port 0")
)

// FindPeers looks hash up in both address families at once and yields each peer as soon as
// some node names it: once, with a valid port, at most Config.MaxPeers of them. What this node
// stores itself comes first. The addresses are hearsay; anyone can have announced anything.
//
// The sequence ends when the lookup is complete, after a second or so, at most half a minute. Its
// last element is an error if ctx ended (that of ctx), if the node was closed ([ErrClosed]) or if
// no node answered ([ErrNoNodes]); that nobody announced hash is no error. It first waits for
// [Node.Ready], so Run must have been called. The consumer may break off at any time; all work
// has ended when the loop has.
func (n *Node) FindPeers(ctx context.Context, hash InfoHash) iter.Seq2[netip.AddrPort, error] {
	return func(yield func(netip.AddrPort, error) bool) {
		ctx, end, err := n.begin(ctx)
		if err != nil {
			yield(netip.AddrPort{}, err)
			return
		}
		defer end()
		found := make(chan netip.AddrPort)
		outcome := make(chan error, 1)
		ctx, cancel := context.WithCancel(ctx)
		go func() {
			defer close(found)
			outcome <- n.lookup(ctx, hash, found)
		}()
		wanted := n.yieldPeers(found, yield)
		cancel()
		for range found { // until the lookup has ended
		}
		if err := <-outcome; wanted && err != nil {
			yield(netip.AddrPort{}, n.closedOr(err))
		}
	}
}

// yieldPeers yields each peer once. It reports whether the consumer would take more; it is also
// content, and stops, at the maximum.
func (n *Node) yieldPeers(found <-chan netip.AddrPort, yield func(netip.AddrPort, error) bool) bool {
	seen := make(map[netip.AddrPort]bool)
	for peer := range found {
		if seen[peer] {
			continue
		}
		seen[peer] = true
		if !yield(peer, nil) || len(seen) == n.cfg.MaxPeers {
			return false
		}
	}
	return true
}

// lookup sends to found what all families find, and returns nil if one of them got through.
func (n *Node) lookup(ctx context.Context, hash InfoHash, found chan<- netip.AddrPort) error {
	return n.eachFamily(func(f *family) error {
		for _, peer := range f.peers.get(hash) {
			send(ctx, found, peer)
		}
		_, err := f.walk(ctx, &walk{
			name: "get_peers", target: hash, width: lookupWidth, start: f.startingNodes(),
			onReply: func(ctx context.Context, _ netip.AddrPort, r *krpc.Return) {
				for _, p := range r.Values {
					send(ctx, found, plainAddrPort(p.IP, p.Port))
				}
			},
		})
		f.noteOutcome(err)
		return err
	})
}

func send(ctx context.Context, to chan<- netip.AddrPort, peer netip.AddrPort) {
	select {
	case to <- peer:
	case <-ctx.Done():
	}
}

// Announce tells the nodes nearest to hash, in both address families, that this host has a peer on
// port (of whatever protocol the peers of hash agreed on). The nodes take the address from the
// packet and forget it after half an hour or so, so it must be repeated; [Announcer] does that.
//
// It returns nil if at least one node accepted, [ErrNotAccepted] or [ErrNoNodes] if none did, or
// the error of ctx. It first waits for [Node.Ready], so Run must have been called.
func (n *Node) Announce(ctx context.Context, hash InfoHash, port uint16) error {
	if port == 0 {
		return ErrBadPort
	}
	ctx, end, err := n.begin(ctx)
	if err != nil {
		return err
	}
	defer end()
	return n.closedOr(n.eachFamily(func(f *family) error {
		near, err := f.walk(ctx, &walk{name: "get_peers", target: hash, width: lookupWidth, start: f.startingNodes()})
		f.noteOutcome(err)
		if err != nil {
			return err
		}
		return f.announceTo(ctx, near, hash, port)
	}))
}

// announceTo succeeds if one of the nodes accepts.
func (f *family) announceTo(ctx context.Context, near []holder, hash InfoHash, port uint16) error {
	errs := make([]error, len(near))
	var wg sync.WaitGroup
	for i, node := range near {
		wg.Go(func() {
			p := int(port)
			args := krpc.MsgArgs{InfoHash: krpc.ID(hash), Port: &p, Token: node.token}
			_, errs[i] = f.query(ctx, node.addr, "announce_peer", args, announceTries)
		})
	}
	wg.Wait()
	for _, err := range errs {
		if err == nil {
			return nil
		}
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return fmt.Errorf("%w (%d asked)", ErrNotAccepted, len(near))
}

// eachFamily runs do for all families side by side and returns nil if it succeeded for one,
// else the error that says most.
func (n *Node) eachFamily(do func(*family) error) error {
	errs := make([]error, len(n.families))
	var wg sync.WaitGroup
	for i, f := range n.families {
		wg.Go(func() { errs[i] = do(f) })
	}
	wg.Wait()
	var worst error
	for _, err := range errs {
		if err == nil {
			return nil
		}
		if worst == nil || errors.Is(worst, ErrNoNodes) {
			worst = err
		}
	}
	return worst
}
