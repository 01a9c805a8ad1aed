package dht

import (
	"context"
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	mainline "github.com/anacrolix/dht/v2"
	"github.com/anacrolix/dht/v2/krpc"
)

// Bootstrap hosts by name: looked up for each family, private addresses only for those that the
// user named, and a resolver that hangs or fails stops nobody.
func TestBootstrapByName(t *testing.T) {
	t.Parallel()
	first := startNode(t, loopback())
	port := first.Addrs()[0].Port()
	var mu sync.Mutex
	asked := make(map[string]bool)
	cfg := loopback(netip.AddrPortFrom(netip.Addr{}, port).String())
	cfg.Bootstrap = []string{hostPort("friend.test", port), hostPort("hangs.test", port), hostPort("fails.test", port)}
	cfg.Resolve = func(ctx context.Context, network, host string) ([]netip.Addr, error) {
		mu.Lock()
		asked[network+" "+host] = true
		mu.Unlock()
		switch host {
		case "friend.test":
			return []netip.Addr{netip.MustParseAddr("::1"), netip.MustParseAddr("::ffff:127.0.0.1")}, nil
		case "hangs.test":
			<-ctx.Done()
			return nil, ctx.Err()
		}
		return nil, errors.New("no such host")
	}
	n := startNode(t, cfg)
	eventually(t, "the host is found", func() bool { return n.Status().Families[0].Answers > 0 })
	mu.Lock()
	defer mu.Unlock()
	if len(asked) != 3 || !asked["ip4 friend.test"] {
		t.Errorf("asked for %v", asked)
	}
}

func hostPort(host string, port uint16) string {
	return strings.Replace(netip.AddrPortFrom(netip.MustParseAddr("0.0.0.0"), port).String(), "0.0.0.0", host, 1)
}

func TestPublicBootstrapHosts(t *testing.T) {
	poisoned := func(context.Context, string, string) ([]netip.Addr, error) {
		return []netip.Addr{netip.MustParseAddr("127.0.0.1"), netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("9.9.9.9")}, nil
	}
	hosts, err := newBootstrapHosts(Config{Bootstrap: []string{"example.org:1", "9.9.9.9:2", "[::1]:3"}, Resolve: poisoned})
	if err != nil {
		t.Fatal(err)
	}
	if len(hosts.names) != 1+len(publicBootstrap()) || len(hosts.literalsOf("udp4")) != 1 || len(hosts.literalsOf("udp6")) != 1 {
		t.Errorf("hosts %+v", hosts)
	}
	if got := len(hosts.lookup(t.Context(), "udp4")); got != 3+len(publicBootstrap()) {
		t.Errorf("%d addresses: the public hosts' must be public", got)
	}
	none, err := newBootstrapHosts(Config{NoPublicBootstrap: true})
	if err != nil || len(none.names)+len(none.literals) != 0 {
		t.Errorf("without public hosts %+v, %v", none, err)
	}
}

// A node comes back by the nodes that it knew, without any bootstrap host.
func TestNodesFileReplacesBootstrap(t *testing.T) {
	t.Parallel()
	hash, nodes := newHash(), startNetwork(t, 5, loopback)
	announce(t, nodes[1], hash, 4242)
	cfg := loopback(nodes[0].Addrs()[0].String())
	cfg.NodesFile = filepath.Join(t.TempDir(), "nodes")
	n, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	stop := run(t, n)
	eventually(t, "the node knows others", func() bool { return n.Status().Families[0].GoodNodes >= 5 })
	id := n.Status().Families[0].ID
	stop()
	before, err := os.ReadFile(cfg.NodesFile)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(before), n.Addrs()[0].String()+"\n") {
		t.Errorf("the node saved itself: %q", before)
	}
	for _, other := range nodes {
		if !strings.Contains(string(before), other.Addrs()[0].String()+"\n") {
			t.Errorf("%v is not among those saved: %q", other.Addrs()[0], before)
		}
	}
	if info, err := os.Stat(cfg.NodesFile); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	again := loopback()
	again.NodesFile = cfg.NodesFile
	n = startNode(t, again)
	finds(t, n, hash, peerAt("127.0.0.1", 4242))
	if n.Status().Families[0].ID == id {
		t.Error("recognisable by its ID")
	}
}

// What was known is not lost by a run in which nobody answered.
func TestNodesFileIsNotForgotten(t *testing.T) {
	t.Parallel()
	cfg := loopback()
	cfg.NodesFile = filepath.Join(t.TempDir(), "nodes")
	saved := savedNodes{contacts: []contact{{id: krpc.ID{1}, addr: silent(t)}}}
	if err := os.WriteFile(cfg.NodesFile, saved.encode(), 0o600); err != nil {
		t.Fatal(err)
	}
	n, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	stop := run(t, n)
	awaitReady(t, n)
	stop()
	after, err := loadNodes(cfg.NodesFile)
	if err != nil || len(after.contacts) != 1 || after.contacts[0].addr != saved.contacts[0].addr {
		t.Errorf("left %+v, %v", after, err)
	}
}

func TestLoadNodes(t *testing.T) {
	id := strings.Repeat("ab", 20)
	tests := []struct {
		name, text string
		want       int
		observed   bool
		err        error
	}{
		{"empty", "", 0, false, nil},
		{"good", nodesHeader + "\n" + id + " 9.9.9.9:1\n" + id + " [2620:fe::fe]:1\n", 2, false, nil},
		{"observed", nodesHeader + "\nobserved 9.9.9.9\n" + id + " 9.9.9.9:1\n", 1, true, nil},
		{"observed at home", nodesHeader + "\nobserved 127.0.0.1\n", 0, false, nil},
		{"bad lines", nodesHeader + "\n\nx\nx y\n" + id + "\n" + id + " \n" + id + " 9.9.9.9:0\n" + id + " 0.0.0.0:1\n" +
			id + " 224.0.0.1:1\n" + id + " 9.9.9.9:99999\n" + strings.Repeat("0", 40) + " 9.9.9.9:1\n" + id[1:] + " 9.9.9.9:1\n" +
			id + " 9.9.9.9:7\n", 1, false, nil},
		{"cut off", nodesHeader + "\n" + id + " 9.9.9.9:1\n" + id + " 9.9", 1, false, nil},
		{"very long line", nodesHeader + "\n" + id + " 9.9.9.9:1\n" + strings.Repeat("x", 1<<20), 1, false, nil},
		{"something else", "-----BEGIN PRIVATE KEY-----\n", 0, false, ErrNotNodesFile},
		{"another format", "# dht nodes, format 2\n", 0, false, ErrNotNodesFile},
	}
	for _, tt := range tests {
		path := filepath.Join(t.TempDir(), "nodes")
		if err := os.WriteFile(path, []byte(tt.text), 0o600); err != nil {
			t.Fatal(err)
		}
		got, err := loadNodes(path)
		if !errors.Is(err, tt.err) || len(got.contacts) != tt.want || got.observed["udp4"].IsValid() != tt.observed {
			t.Errorf("%s: %+v, %v", tt.name, got, err)
		}
	}
	huge := nodesHeader + "\n" + strings.Repeat(id+" 9.9.9.9:1\n", 100_000)
	path := filepath.Join(t.TempDir(), "nodes")
	if err := os.WriteFile(path, []byte(huge), 0o600); err != nil {
		t.Fatal(err)
	}
	if got, err := loadNodes(path); err != nil || len(got.of("udp4")) != maxSavedPerFile || len(got.contacts) > maxNodesFile/50 {
		t.Errorf("huge file: %d nodes, %v", len(got.contacts), err)
	}
}

// BEP 42: with the address known from the last run, the ID is one that it may have.
func TestNodeIDIsSecure(t *testing.T) {
	for _, text := range []string{"9.9.9.9", "2620:fe::fe"} {
		ip := netip.MustParseAddr(text)
		a, b := newNodeID(ip), newNodeID(ip)
		if !mainline.NodeIdSecure(a, ip.AsSlice()) || a == b {
			t.Errorf("%s: ID %v is not secure or not random", text, a)
		}
	}
	if a, b := newNodeID(netip.Addr{}), newNodeID(netip.Addr{}); a == b {
		t.Error("ID is not random")
	}
}
