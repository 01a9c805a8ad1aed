package dht

import (
	"context"
	"errors"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/anacrolix/dht/v2/krpc"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const patience = 30 * time.Second // for what takes milliseconds, if the machine is free

// loopback is a node for tests: it reaches nothing beyond this machine and is not slowed down.
func loopback(bootstrap ...string) Config {
	return Config{
		Listen:            "127.0.0.1:0",
		Bootstrap:         bootstrap,
		NoPublicBootstrap: true,
		SendRate:          100_000,
		QueryRate:         -1,
	}
}

// startNode runs a node until the test ends.
func startNode(t testing.TB, cfg Config) *Node {
	t.Helper()
	n, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	run(t, n)
	return n
}

func run(t testing.TB, n *Node) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- n.Run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	t.Cleanup(stop)
	return stop
}

// startNetwork runs size nodes that all know the first. They are stopped side by side.
func startNetwork(t testing.TB, size int, cfg func(bootstrap ...string) Config) []*Node {
	t.Helper()
	nodes := make([]*Node, size)
	var bootstrap []string
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	t.Cleanup(func() { cancel(); wg.Wait() })
	for i := range nodes {
		n, err := New(cfg(bootstrap...))
		if err != nil {
			t.Fatal(err)
		}
		nodes[i] = n
		wg.Go(func() {
			if err := n.Run(ctx); err != nil {
				t.Errorf("Run: %v", err)
			}
		})
		if i == 0 {
			bootstrap = []string{n.Addrs()[0].String()}
		}
	}
	for _, n := range nodes {
		awaitReady(t, n)
	}
	return nodes
}

func awaitReady(t testing.TB, n *Node) {
	t.Helper()
	select {
	case <-n.Ready():
	case <-time.After(patience):
		t.Fatal("node is not ready")
	}
}

// eventually polls until ok or the test's patience ends.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(patience)
	for !ok() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("not in time: %s", what)
		}
	}
}

// announce repeats until some node accepts, as an Announcer would.
func announce(t testing.TB, n *Node, hash InfoHash, port uint16) {
	t.Helper()
	eventually(t, "an announcement is accepted", func() bool {
		return n.Announce(t.Context(), hash, port) == nil
	})
}

// finds repeats the lookup until it yields peer: one lookup in a hundred misses, as the
// nodes' idea of who is nearest is approximate.
func finds(t testing.TB, n *Node, hash InfoHash, peer netip.AddrPort) {
	t.Helper()
	eventually(t, "the peer is found", func() bool { return lookupOnce(t, n, hash)[peer] })
}

func lookupOnce(t testing.TB, n *Node, hash InfoHash) map[netip.AddrPort]bool {
	t.Helper()
	found := make(map[netip.AddrPort]bool)
	for peer, err := range n.FindPeers(t.Context(), hash) {
		if err != nil {
			if errors.Is(err, ErrNoNodes) {
				continue
			}
			t.Fatalf("FindPeers: %v", err)
		}
		if found[peer] {
			t.Fatalf("%v yielded twice", peer)
		}
		found[peer] = true
	}
	return found
}

// newHash is one that no other test uses: a port of a node that has ended may be given to a node
// of another network, and so the networks of two tests can meet.
func newHash() InfoHash { return InfoHash(krpc.RandomNodeID()) }

func peerAt(host string, port uint16) netip.AddrPort {
	return netip.AddrPortFrom(netip.MustParseAddr(host), port)
}
