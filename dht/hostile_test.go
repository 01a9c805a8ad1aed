package dht

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/anacrolix/dht/v2/krpc"
	"github.com/anacrolix/torrent/bencode"
)

// Each of these once ended the process. The node asks its new neighbours, so they can answer, too.
func TestSurvivesKillers(t *testing.T) {
	t.Parallel()
	n := startNode(t, loopback())
	for name, killer := range killers {
		c := newClient(t)
		if strings.Contains(killer, "%s") {
			id := questionTo(t, c, n)
			killer = fmt.Sprintf(killer, fmt.Sprintf("%d:%s", len(id), id))
		}
		c.send(t, n.Addrs()[0], []byte(killer))
		alive(t, n)
		if t.Failed() {
			t.Fatal(name)
		}
	}
	drops := n.Status().Families[0].Drops
	if total := drops.Malformed + drops.Invalid + drops.UnknownQuery; total != uint64(len(killers)) {
		t.Errorf("dropped %+v, want %d in all", drops, len(killers))
	}
}

// questionTo gets n to ask c something and returns the transaction ID.
func questionTo(t *testing.T, c *client, n *Node) string {
	t.Helper()
	ping := bencode.MustMarshal(krpc.Msg{Q: "ping", A: &krpc.MsgArgs{ID: c.id}, T: "x", Y: "q"})
	for range patience / resendDelay {
		c.send(t, n.Addrs()[0], ping)
		if m, ok := c.receive(resendDelay, func(m *krpc.Msg) bool { return m.Y == "q" }); ok {
			return m.T
		}
	}
	t.Fatal("the node asked nothing")
	return ""
}

// Among nodes that lie about everything the honest one's answer is found, and nothing of what they
// say can be seen.
func TestLookupAmongLiars(t *testing.T) {
	t.Parallel()
	hash := newHash()
	near := func(i int) krpc.ID { id := krpc.ID(hash); id[19] ^= byte(i + 1); return id }
	dead := newClient(t).addr()
	lies := map[string]func(c *client, q *krpc.Msg) *krpc.Msg{
		"peers at impossible addresses": func(c *client, q *krpc.Msg) *krpc.Msg {
			return c.reply(krpc.Return{Token: &q.T, Values: []krpc.NodeAddr{
				{IP: net.IP{1, 2, 3}, Port: 1}, {IP: net.IPv4zero.To4(), Port: 1}, {IP: net.IPv4(127, 0, 0, 1).To4(), Port: 0},
				{IP: net.IPv4bcast.To4(), Port: 1}, {IP: make(net.IP, 100), Port: 1}, {},
			}})
		},
		"a peer of one byte": func(c *client, _ *krpc.Msg) *krpc.Msg {
			return c.reply(krpc.Return{Values: []krpc.NodeAddr{{}}})
		},
		"ever nearer nodes that are not there": func(c *client, _ *krpc.Msg) *krpc.Msg {
			var r krpc.Return
			for i := range 8 {
				r.Nodes = append(r.Nodes, krpc.NodeInfo{ID: near(i), Addr: krpc.NodeAddr{IP: dead.Addr().AsSlice(), Port: int(dead.Port())}})
			}
			return c.reply(r)
		},
		"itself under many names": func(c *client, _ *krpc.Msg) *krpc.Msg {
			var r krpc.Return
			for i := range 30 {
				r.Nodes = append(r.Nodes, krpc.NodeInfo{ID: near(i), Addr: krpc.NodeAddr{IP: net.IPv4(127, 0, 0, 1), Port: int(c.addr().Port())}})
			}
			return c.reply(r)
		},
		"an error": func(*client, *krpc.Msg) *krpc.Msg { return &krpc.Msg{Y: "e", E: &krpc.Error{Code: 201}} },
		"no ID":    func(*client, *krpc.Msg) *krpc.Msg { return &krpc.Msg{Y: "r", R: &krpc.Return{}} },
		"a query as an answer": func(c *client, q *krpc.Msg) *krpc.Msg {
			return &krpc.Msg{Y: "q", Q: "ping", A: &krpc.MsgArgs{ID: c.id}}
		},
	}
	honest := startNode(t, loopback())
	bootstrap := []string{honest.Addrs()[0].String()}
	for _, lie := range lies {
		bootstrap = append(bootstrap, liar(t, lie).addr().String())
	}
	announcer := startNode(t, loopback(bootstrap[0]))
	announce(t, announcer, hash, 4242)
	finder := startNode(t, loopback(bootstrap...))
	eventually(t, "the honest answer is found", func() bool {
		found := false
		for peer, err := range finder.FindPeers(t.Context(), hash) {
			if err != nil {
				continue
			}
			if peer != peerAt("127.0.0.1", 4242) {
				t.Fatalf("a lie was yielded: %v", peer)
			}
			found = true
		}
		return found
	})
}

// A node that accepts nothing must not be counted as having accepted.
func TestAnnounceNotAccepted(t *testing.T) {
	t.Parallel()
	token := "token"
	refuser := liar(t, func(c *client, q *krpc.Msg) *krpc.Msg {
		switch q.Q {
		case "announce_peer":
			return &krpc.Msg{Y: "e", E: &krpc.Error{Code: krpc.ErrorCodeProtocolError, Msg: "bad token"}}
		case "get_peers":
			return c.reply(krpc.Return{Token: &token})
		}
		return c.reply(krpc.Return{})
	})
	n := startNode(t, loopback(refuser.addr().String()))
	if err := n.Announce(t.Context(), newHash(), 4242); !errors.Is(err, ErrNotAccepted) {
		t.Errorf("refused: %v, want ErrNotAccepted", err)
	}
	tokenless := liar(t, func(c *client, _ *krpc.Msg) *krpc.Msg { return c.reply(krpc.Return{}) })
	n = startNode(t, loopback(tokenless.addr().String()))
	if err := n.Announce(t.Context(), newHash(), 4242); !errors.Is(err, ErrNotAccepted) {
		t.Errorf("no token: %v, want ErrNotAccepted", err)
	}
}

// One source that floods is not served beyond its share; others are served as ever.
func TestFloodLeavesOthersServed(t *testing.T) {
	t.Parallel()
	cfg := loopback()
	cfg.QueryRate = 10
	n := startNode(t, cfg)
	c := newClient(t)
	ping := bencode.MustMarshal(krpc.Msg{Q: "ping", A: &krpc.MsgArgs{ID: c.id}, T: "x", Y: "q", ReadOnly: true})
	answer := bencode.MustMarshal(krpc.Msg{T: "xxxxx", Y: "r", R: &krpc.Return{ID: c.id}})
	for i := range 3000 {
		c.send(t, n.Addrs()[0], [][]byte{ping, answer, []byte("junk")}[i%3])
	}
	alive(t, n)
	eventually(t, "the flood is read", func() bool {
		d := n.Status().Families[0].Drops
		return d.RateLimited > 0 && d.Unsolicited > 0 && d.Malformed > 0
	})
	alive(t, n)
}

// The budget of a walk and its rule of one node per public network.
func TestWalkBudget(t *testing.T) {
	w := &walk{asked: make(map[network]bool)}
	if !w.mayAsk(peerAt("9.9.9.9", 1)) || w.mayAsk(peerAt("9.9.9.9", 2)) {
		t.Error("two nodes of one public address are asked, or none")
	}
	if !w.mayAsk(peerAt("2620:fe::1", 1)) || w.mayAsk(peerAt("2620:fe::2", 1)) {
		t.Error("two nodes of one /64 are asked, or none")
	}
	for i := range 2 * maxWalkQueries {
		w.mayAsk(peerAt("127.0.0.1", uint16(i+1)))
	}
	if w.queries != maxWalkQueries {
		t.Errorf("%d queries", w.queries)
	}
}

// silent is a node that is there, but never answers.
func silent(t testing.TB) netip.AddrPort { return newClient(t).addr() }

// A lookup that nobody answers ends when its consumer, its context or its node does.
func TestFindPeersEndsPromptly(t *testing.T) {
	t.Parallel()
	cfg := loopback(silent(t).String(), silent(t).String())
	n, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	last := func(ctx context.Context) (err error) {
		for _, err = range n.FindPeers(ctx, newHash()) {
		}
		return err
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if err := last(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("before Run: %v", err)
	}
	stop := run(t, n)
	awaitReady(t, n)
	if s := n.Status(); !s.Ready || s.Families[0].Rounds == 0 || s.Families[0].Answers != 0 {
		t.Errorf("status without neighbours %+v", s)
	}
	if err := last(t.Context()); !errors.Is(err, ErrNoNodes) {
		t.Errorf("nobody answers: %v", err)
	}
	if err := n.Announce(t.Context(), newHash(), 1); !errors.Is(err, ErrNoNodes) {
		t.Errorf("nobody answers: Announce: %v", err)
	}
	canceled, cancel2 := context.WithCancel(t.Context())
	cancel2()
	if err := last(canceled); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	ended := make(chan error, 1)
	go func() { ended <- last(t.Context()) }()
	stop()
	if err := <-ended; !errors.Is(err, ErrClosed) && !errors.Is(err, ErrNoNodes) {
		t.Errorf("node closed: %v", err)
	}
	if err := last(t.Context()); !errors.Is(err, ErrClosed) {
		t.Errorf("after the end: %v", err)
	}
}

// A node that starts alone, or loses everybody, goes on looking and joins as soon as someone is there.
func TestJoinsLater(t *testing.T) {
	t.Parallel()
	var awake atomic.Bool
	token := "token"
	late := liar(t, func(c *client, _ *krpc.Msg) *krpc.Msg {
		if !awake.Load() {
			return nil
		}
		return c.reply(krpc.Return{Token: &token})
	})
	n := startNode(t, loopback(late.addr().String()))
	if err := n.Announce(t.Context(), newHash(), 4242); !errors.Is(err, ErrNoNodes) {
		t.Fatalf("nobody there: %v", err)
	}
	awake.Store(true)
	announce(t, n, newHash(), 4242)
}

// An announcer with a real node: what is added can be found.
func TestAnnouncerWithNode(t *testing.T) {
	t.Parallel()
	nodes := startNetwork(t, 3, loopback)
	a := NewAnnouncer(AnnouncerConfig{Node: nodes[1], Port: fixedPort, Retry: 100 * time.Millisecond})
	stop := runAnnouncer(t, a)
	defer stop()
	hash := newHash()
	a.Add(hash)
	finds(t, nodes[2], hash, peerAt("127.0.0.1", fixedPort()))
	eventually(t, "the status says so", func() bool { return a.Status().Announced == 1 })
}
