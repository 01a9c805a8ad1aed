package dht

import (
	"context"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/anacrolix/dht/v2/krpc"
	"github.com/anacrolix/torrent/bencode"
)

// tokenMark stands for a token that the node gave out, so that announcements and items are
// let through to the stores.
const tokenMark = "TOKENTOKENTOKENTOKEN"

// FuzzDatagram throws datagrams at a real node: each as it is, and each as the answer to a query
// that the node has just sent. Whatever comes, the node must answer the next ping.
func FuzzDatagram(f *testing.F) {
	for _, seed := range realMessages() {
		f.Add(seed)
	}
	for _, killer := range killers {
		f.Add([]byte(strings.ReplaceAll(killer, "%s", "1:x")))
	}
	n := startNode(f, loopback())
	attacker, honest := newClient(f), newClient(f)
	token := *attacker.ask(f, n.Addrs()[0], "get_peers", krpc.MsgArgs{InfoHash: krpc.ID{1}}).R.Token
	f.Fuzz(func(t *testing.T, datagram []byte) {
		if len(datagram) > 60_000 {
			return
		}
		datagram = []byte(strings.ReplaceAll(string(datagram), tokenMark, token))
		attacker.send(t, n.Addrs()[0], datagram)
		for _, query := range []string{"get_peers", "find_node", "announce_peer"} {
			answerWith(t, n, attacker, query, datagram)
		}
		if m := honest.ask(t, n.Addrs()[0], "ping", krpc.MsgArgs{}); m.Y != "r" {
			t.Fatalf("ping answered by %+v", m)
		}
	})
}

// answerWith has n ask the attacker something and answers it by the datagram, then, as that may
// not have been accepted, by an error.
func answerWith(t *testing.T, n *Node, attacker *client, name string, datagram []byte) {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	done := make(chan struct{})
	go func() {
		defer close(done)
		port := 1
		args := krpc.MsgArgs{InfoHash: krpc.ID{1}, Target: krpc.ID{1}, Port: &port}
		if r, err := n.families[0].query(ctx, attacker.addr(), name, args, 1); err == nil && r == nil {
			t.Error("neither answer nor error")
		}
	}()
	q, ok := attacker.receive(patience, func(m *krpc.Msg) bool { return m.Y == "q" && m.Q == name })
	if ok {
		if env, err := openEnvelope(datagram); err == nil {
			attacker.send(t, n.Addrs()[0], env.withID(datagram, []byte(q.T)))
		}
		refusal := bencode.MustMarshal(krpc.Msg{T: q.T, Y: "e", E: &krpc.Error{Code: 201}})
		attacker.send(t, n.Addrs()[0], refusal)
	}
	<-done
}

// realMessages are one of each kind, as honest nodes send them.
func realMessages() [][]byte {
	id, port, token, seq := krpc.ID([]byte(nodeID)), 4242, tokenMark, int64(1)
	node := krpc.NodeInfo{ID: id, Addr: krpc.NodeAddr{IP: []byte{9, 9, 9, 9}, Port: 9}}
	node6 := krpc.NodeInfo{ID: id, Addr: krpc.NodeAddr{IP: make([]byte, 16), Port: 9}}
	queries := map[string]krpc.MsgArgs{
		"ping":          {},
		"find_node":     {Target: id, Want: []krpc.Want{krpc.WantNodes, krpc.WantNodes6}},
		"get_peers":     {InfoHash: id, Scrape: 1, NoSeed: 1},
		"announce_peer": {InfoHash: id, Port: &port, Token: token, ImpliedPort: true},
		"get":           {Target: id, Seq: &seq},
		"put":           {V: map[string]any{"a": []any{1, "b"}}, Token: token, Seq: &seq, K: [32]byte{1}, Sig: [64]byte{1}, Salt: []byte("salt"), Cas: 1},
	}
	var all [][]byte
	for name, args := range queries {
		args.ID = id
		all = append(all, bencode.MustMarshal(krpc.Msg{T: "aa", Y: "q", Q: name, A: &args, ClientId: "LT01"}))
	}
	for _, r := range []krpc.Return{
		{},
		{Nodes: krpc.CompactIPv4NodeInfo{node, node}, Nodes6: krpc.CompactIPv6NodeInfo{node6}, Token: &token},
		{Values: []krpc.NodeAddr{node.Addr, node6.Addr}, Token: &token, BFsd: &krpc.ScrapeBloomFilter{}},
		{Bep44Return: krpc.Bep44Return{V: bencode.Bytes("1:v"), K: [32]byte{1}, Sig: [64]byte{1}, Seq: &seq}},
	} {
		r.ID = id
		all = append(all, bencode.MustMarshal(krpc.Msg{T: "aa", Y: "r", R: &r, IP: node.Addr}))
	}
	samples := "d1:rd2:id20:" + nodeID + "8:intervali9e5:nodes0:3:numi1e7:samples20:" + nodeID + "e1:t2:aa1:y1:re" // BEP 51
	refusal := bencode.MustMarshal(krpc.Msg{T: "aa", Y: "e", E: &krpc.Error{Code: 203, Msg: "no"}})
	return append(all, []byte(samples), refusal)
}

// FuzzGuard tries more datagrams in the same time: what the guard lets in must be decoded and
// encoded by the library without harm, and pass a second time.
func FuzzGuard(f *testing.F) {
	for _, seed := range realMessages() {
		f.Add(seed)
	}
	for _, killer := range killers {
		f.Add([]byte(strings.ReplaceAll(killer, "%s", "1:x")))
	}
	source := netip.MustParseAddrPort("9.9.9.9:9")
	g := newGuard(newFakeConn(), -1, nil)
	f.Fuzz(func(t *testing.T, datagram []byte) {
		if env, err := openEnvelope(datagram); err == nil && env.kind != "q" {
			datagram = env.withID(datagram, g.tags.add(env.id, source))
		}
		b, reason := g.judge(datagram, source, time.Now())
		if reason != accepted {
			return
		}
		m := new(krpc.Msg)
		if err := bencode.Unmarshal(b, m); err != nil { // a panic fails the test
			t.Fatalf("accepted %q: %v", b, err)
		}
		if vet(m) != nil || prune(m, source.Addr()) {
			t.Fatalf("accepted %q, but not the second time", b)
		}
		if m.Y == "q" && (m.A == nil || m.SenderID() == nil) {
			t.Fatalf("query without arguments: %q", b)
		}
	})
}
