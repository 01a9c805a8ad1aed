package dht

import (
	"testing"
	"time"

	"github.com/anacrolix/dht/v2/krpc"
	"github.com/anacrolix/torrent/bencode"
)

const benchNodes = 30

// startSettled starts a network whose nodes know each other.
func startSettled(b *testing.B) []*Node {
	nodes := startNetwork(b, benchNodes, loopback)
	for _, n := range nodes {
		eventually(b, "a node knows others", func() bool { return n.Status().Families[0].GoodNodes >= bucketSize })
	}
	return nodes
}

func numbered(i int) InfoHash { return InfoHash{byte(i * 37), byte(i), byte(i >> 8), byte(i >> 16)} }

func BenchmarkAnnounce(b *testing.B) {
	nodes := startSettled(b)
	before := packets(nodes)
	for i := 0; b.Loop(); i++ {
		if err := nodes[i%benchNodes].Announce(b.Context(), numbered(i), 4242); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(packets(nodes)-before)/float64(b.N), "queries/op")
}

func BenchmarkFindPeers(b *testing.B) {
	nodes := startSettled(b)
	for i := range benchNodes {
		announce(b, nodes[i], numbered(i), 4242)
	}
	before, missed := packets(nodes), 0
	var first time.Duration
	for i := 0; b.Loop(); i++ {
		started, found := time.Now(), false
		for _, err := range nodes[(i+7)%benchNodes].FindPeers(b.Context(), numbered(i%benchNodes)) {
			if err != nil {
				b.Fatal(err)
			}
			if !found {
				first += time.Since(started)
			}
			found = true
		}
		if !found {
			missed++
		}
	}
	b.ReportMetric(float64(packets(nodes)-before)/float64(b.N), "queries/op")
	b.ReportMetric(first.Seconds()*1e3/float64(b.N), "ms-to-first/op")
	b.ReportMetric(float64(missed)/float64(b.N), "missed/op")
}

// packets counts the queries that all nodes have sent.
func packets(nodes []*Node) (n int64) {
	for _, node := range nodes {
		n += node.families[0].server.Stats().OutboundQueriesAttempted
	}
	return n
}

func BenchmarkGuard(b *testing.B) {
	g := newGuard(newFakeConn(), -1, nil)
	reply := krpc.Return{ID: krpc.RandomNodeID()}
	for range 8 {
		reply.Nodes = append(reply.Nodes, krpc.NodeInfo{ID: krpc.RandomNodeID(), Addr: krpc.NodeAddr{IP: []byte{9, 9, 9, 9}, Port: 9}})
	}
	for name, m := range map[string]krpc.Msg{
		"query":       {T: "aa", Y: "q", Q: "get_peers", A: &krpc.MsgArgs{ID: krpc.RandomNodeID(), InfoHash: krpc.RandomNodeID()}},
		"answer":      {T: string(g.tags.add([]byte("aa"), strange)), Y: "r", R: &reply},
		"unsolicited": {T: "aaaaaa", Y: "r", R: &reply},
	} {
		b.Run(name, func(b *testing.B) {
			msg := bencode.MustMarshal(m)
			now := time.Now()
			b.ReportAllocs()
			for b.Loop() {
				g.judge(msg, strange, now)
			}
		})
	}
}

func BenchmarkPeerStore(b *testing.B) {
	s := newPeerStore(time.Hour)
	for i := 0; b.Loop(); i++ {
		s.add(InfoHash{byte(i), byte(i >> 8)}, peerAt("9.9.9.9", uint16(i%60_000+1)))
	}
}
