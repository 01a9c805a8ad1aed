package dht

import (
	"errors"
	"fmt"
	"net"
	"slices"
	"testing"

	"github.com/anacrolix/dht/v2/bep44"
	"github.com/anacrolix/dht/v2/krpc"
	"github.com/anacrolix/torrent/bencode"
)

// BEP 5: what one node announces, any other finds, also one that joined later.
func TestAnnounceThenFind(t *testing.T) {
	t.Parallel()
	for _, size := range []int{2, 5, 30} {
		t.Run(fmt.Sprint(size, " nodes"), func(t *testing.T) {
			hash := newHash()
			nodes := startNetwork(t, size, loopback)
			announce(t, nodes[1], hash, 4242)
			for i := 0; i < size; i += 1 + size/6 {
				finds(t, nodes[i], hash, peerAt("127.0.0.1", 4242))
			}
			late := startNode(t, loopback(nodes[0].Addrs()[0].String()))
			finds(t, late, hash, peerAt("127.0.0.1", 4242))
			if found := lookupOnce(t, late, newHash()); len(found) != 0 {
				t.Errorf("found %v under a hash that nobody announced", found)
			}
		})
	}
}

// BEP 32: IPv6 is a network of its own.
func TestIPv6(t *testing.T) {
	t.Parallel()
	if !haveIPv6() {
		t.Skip("this machine has no IPv6")
	}
	six := func(bootstrap ...string) Config {
		cfg := loopback(bootstrap...)
		cfg.Listen = "[::1]:0"
		return cfg
	}
	if conns, err := listen("[::1]:0"); err != nil {
		t.Skipf("this machine has no ::1: %v", err)
	} else if err := closeAll(conns); err != nil {
		t.Fatal(err)
	}
	hash, nodes := newHash(), startNetwork(t, 4, six)
	announce(t, nodes[1], hash, 4242)
	finds(t, nodes[3], hash, peerAt("::1", 4242))
	if s := nodes[3].Status(); len(s.Families) != 1 || s.Families[0].Network != "udp6" {
		t.Errorf("status %+v", s)
	}
}

// ":0" is both families on one port; each is announced in and searched.
func TestBothFamilies(t *testing.T) {
	t.Parallel()
	if !haveIPv6() {
		t.Skip("this machine has no IPv6")
	}
	both := func(bootstrap ...string) Config {
		cfg := loopback(bootstrap...)
		cfg.Listen = ":0"
		return cfg
	}
	hash, first := newHash(), startNode(t, both())
	addrs := first.Addrs()
	if len(addrs) != 2 || addrs[0].Port() != addrs[1].Port() || !addrs[0].Addr().Is4() || !addrs[1].Addr().Is6() {
		t.Fatalf("sockets at %v", addrs)
	}
	port := fmt.Sprint(addrs[0].Port())
	bootstrap := []string{net.JoinHostPort("127.0.0.1", port), net.JoinHostPort("::1", port)}
	second, third := startNode(t, both(bootstrap...)), startNode(t, both(bootstrap...))
	eventually(t, "the peer is found in both families", func() bool {
		if err := second.Announce(t.Context(), hash, 4242); err != nil {
			return false
		}
		found := lookupOnce(t, third, hash)
		return found[peerAt("127.0.0.1", 4242)] && found[peerAt("::1", 4242)]
	})
}

// A young network learns of itself: each node gets to know all others (BEP 5 allows 8 per bucket).
func TestNodesGetToKnowEachOther(t *testing.T) {
	t.Parallel()
	nodes := startNetwork(t, 5, loopback)
	for i, n := range nodes {
		eventually(t, fmt.Sprint("node ", i, " knows the others"), func() bool {
			return n.Status().Families[0].GoodNodes >= 4
		})
		eventually(t, fmt.Sprint("node ", i, " knows its address"), func() bool {
			return n.Status().Families[0].Observed == n.Addrs()[0]
		})
	}
}

func TestFindPeersYieldsEachOnceUpToTheMaximum(t *testing.T) {
	t.Parallel()
	hash, nodes := newHash(), startNetwork(t, 4, loopback)
	for port := range uint16(20) {
		announce(t, nodes[1], hash, 4001+port)
	}
	eventually(t, "all are found, each once", func() bool { return len(lookupOnce(t, nodes[2], hash)) == 20 })
	for range nodes[2].FindPeers(t.Context(), hash) {
		break
	}
	cfg := loopback(nodes[0].Addrs()[0].String())
	cfg.MaxPeers = 7
	few := startNode(t, cfg)
	eventually(t, "seven are found", func() bool {
		n := len(lookupOnce(t, few, hash))
		if n > 7 {
			t.Fatalf("%d peers", n)
		}
		return n == 7
	})
}

// BEP 5, BEP 32, BEP 44 as strangers see them, where the library errs by itself.
func TestAnswersToStrangers(t *testing.T) {
	t.Parallel()
	hash, server := newHash(), startNode(t, loopback())
	awaitReady(t, server)
	c := newClient(t)
	ask := func(name string, args krpc.MsgArgs) *krpc.Return {
		t.Helper()
		m := c.ask(t, server.Addrs()[0], name, args)
		if m.R == nil {
			t.Fatalf("%s answered by %+v, %v", name, m, m.E)
		}
		return m.R
	}
	buckets := [2][]krpc.ID{introduce(t, server, 0), introduce(t, server, 1)}
	for i, bucket := range buckets {
		for _, target := range bucket {
			for name, args := range map[string]krpc.MsgArgs{
				"find_node": {Target: target, InfoHash: buckets[1-i][0], Want: []krpc.Want{krpc.WantNodes, krpc.WantNodes6}},
				"get":       {Target: target},
				"get_peers": {InfoHash: target},
			} {
				r := ask(name, args)
				if len(r.Nodes) != bucketSize || len(r.Nodes6) != 0 {
					t.Errorf("%s: %d nodes, of IPv6 %d", name, len(r.Nodes), len(r.Nodes6))
				}
				for _, n := range r.Nodes {
					if !slices.Contains(bucket, n.ID) {
						t.Errorf("%s for bucket %d: named %v of another", name, i, n.ID)
					}
				}
			}
		}
	}
	t.Run("announce_peer", func(t *testing.T) {
		port := 4242
		r := ask("get_peers", krpc.MsgArgs{InfoHash: krpc.ID(hash)})
		ask("announce_peer", krpc.MsgArgs{InfoHash: krpc.ID(hash), Port: &port, Token: *r.Token})
		eventually(t, "the peer is returned", func() bool {
			r := ask("get_peers", krpc.MsgArgs{InfoHash: krpc.ID(hash)})
			return len(r.Values) == 1 && r.Values[0].String() == "127.0.0.1:4242" && len(r.Values[0].IP) == 4
		})
	})
	t.Run("immutable item without seq", func(t *testing.T) {
		put := bep44.Put{V: "Hello World!"}
		target := put.Target() // BEP 44, test vector 3
		if krpc.ID(target).String() != "e5f96f6f38320f0f33959cb4d3d656452117aadb" {
			t.Fatalf("target %x", target)
		}
		r := ask("get", krpc.MsgArgs{Target: target})
		ask("put", krpc.MsgArgs{V: put.V, Token: *r.Token})
		if r = ask("get", krpc.MsgArgs{Target: target}); string(r.V) != string(bencode.MustMarshal(put.V)) {
			t.Errorf("got %q", r.V)
		}
		if s := server.Status().Families[0]; s.Items != 1 {
			t.Errorf("%d items", s.Items)
		}
	})
}

// introduce fills a bucket of the server's table with nodes that answer, and returns their IDs.
func introduce(t *testing.T, server *Node, bucket int) []krpc.ID {
	before := server.Status().Families[0].GoodNodes
	var ids []krpc.ID
	for range bucketSize {
		id := krpc.RandomNodeID()
		own := server.Status().Families[0].ID
		id[0] = own[0] ^ 0x80>>bucket // the first bit that differs decides
		c := liar(t, func(c *client, _ *krpc.Msg) *krpc.Msg { return &krpc.Msg{Y: "r", R: &krpc.Return{ID: id}} })
		c.send(t, server.Addrs()[0], bencode.MustMarshal(krpc.Msg{Q: "ping", A: &krpc.MsgArgs{ID: id}, T: "x", Y: "q"}))
		ids = append(ids, id)
	}
	eventually(t, "the nodes of a bucket are known", func() bool {
		return server.Status().Families[0].GoodNodes >= before+bucketSize
	})
	return ids
}

func TestNewRefusesBadConfig(t *testing.T) {
	taken := startNode(t, loopback()).Addrs()[0].String()
	tests := map[string]Config{
		"address without port":     {Listen: "127.0.0.1"},
		"port that is none":        {Listen: "127.0.0.1:x"},
		"port too large":           {Listen: ":65536"},
		"host by name":             {Listen: "localhost:0"},
		"address of nobody here":   {Listen: "192.0.2.1:0"},
		"port taken":               {Listen: taken},
		"bootstrap without port":   {Listen: "127.0.0.1:0", Bootstrap: []string{"example.org"}},
		"bootstrap at port 0":      {Listen: "127.0.0.1:0", Bootstrap: []string{"example.org:0"}},
		"bootstrap without host":   {Listen: "127.0.0.1:0", Bootstrap: []string{":6881"}},
		"nodes file is a folder":   {Listen: "127.0.0.1:0", NodesFile: t.TempDir()},
		"nodes file below no dir.": {Listen: "127.0.0.1:0", NodesFile: "main_test.go/nodes"},
	}
	for name, cfg := range tests {
		if n, err := New(cfg); err == nil {
			t.Errorf("%s: no error (%v)", name, n.Close())
		}
	}
}

func TestNodeLifetime(t *testing.T) {
	n, err := New(loopback())
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(n.Close(), n.Close()); err != nil {
		t.Errorf("Close of a node that never ran: %v", err)
	}
	if err := n.Run(t.Context()); !errors.Is(err, ErrClosed) {
		t.Errorf("Run after Close: %v", err)
	}
	if err := n.Announce(t.Context(), newHash(), 1); !errors.Is(err, ErrClosed) {
		t.Errorf("Announce after Close: %v", err)
	}
	n = startNode(t, loopback())
	awaitReady(t, n)
	if err := n.Run(t.Context()); !errors.Is(err, ErrRunning) {
		t.Errorf("second Run: %v", err)
	}
	if err := n.Announce(t.Context(), newHash(), 0); !errors.Is(err, ErrBadPort) {
		t.Errorf("port 0: %v", err)
	}
	if err := n.Close(); err != nil {
		t.Error(err)
	}
}
