package dht

import (
	"net"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/anacrolix/dht/v2/krpc"
	peer_store "github.com/anacrolix/dht/v2/peer-store"
	"pgregory.net/rapid"
)

// modelPeer is an entry of the model: a list in order of announcement.
type modelPeer struct {
	hash InfoHash
	peer netip.AddrPort
	seen time.Time
}

// Against a plain list: nothing is returned that was not announced or has expired, the bounds
// hold, and as long as no bound is reached nothing is missing.
func TestPeerStoreModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		now := time.Unix(1e9, 0)
		s := newPeerStore(time.Minute)
		s.now = func() time.Time { return now }
		s.total, s.perHash, s.perNet = 12, 6, 4
		var model []modelPeer
		evicted := false
		hashes := []InfoHash{{1}, {2}, {3}}
		t.Repeat(map[string]func(*rapid.T){
			"announce": func(t *rapid.T) {
				p := modelPeer{rapid.SampledFrom(hashes).Draw(t, "hash"), drawPeer(t), now}
				model = slices.DeleteFunc(model, func(m modelPeer) bool { return m.hash == p.hash && m.peer == p.peer })
				model = append(model, p)
				evicted = evicted || overfull(s, model)
				s.add(p.hash, p.peer)
				if !slices.Contains(s.get(p.hash), p.peer) {
					t.Fatalf("%v is not kept", p)
				}
			},
			"time passes": func(t *rapid.T) {
				now = now.Add(time.Duration(rapid.IntRange(1, 40).Draw(t, "seconds")) * time.Second)
			},
			"": func(t *rapid.T) {
				model = slices.DeleteFunc(model, func(m modelPeer) bool { return now.Sub(m.seen) >= time.Minute })
				if len(model) == 0 {
					evicted = false
				}
				checkPeerStore(t, s, model, hashes, evicted)
			},
		})
	})
}

func drawPeer(t *rapid.T) netip.AddrPort {
	ip := netip.AddrFrom4([4]byte{9, 9, 9, byte(rapid.IntRange(1, 5).Draw(t, "host"))})
	return netip.AddrPortFrom(ip, uint16(rapid.IntRange(1, 3).Draw(t, "port")))
}

// overfull reports whether the model exceeds one of the bounds.
func overfull(s *peerStore, model []modelPeer) bool {
	perHash, perNet := make(map[InfoHash]int), make(map[network]int)
	for _, m := range model {
		perHash[m.hash]++
		perNet[networkOf(m.peer)]++
		if perHash[m.hash] > s.perHash || perNet[networkOf(m.peer)] > s.perNet {
			return true
		}
	}
	return len(model) > s.total
}

func checkPeerStore(t *rapid.T, s *peerStore, model []modelPeer, hashes []InfoHash, evicted bool) {
	total := 0
	perNet := make(map[network]int)
	for _, h := range hashes {
		got := s.get(h)
		total += len(got)
		if len(got) > s.perHash {
			t.Fatalf("%d peers of one infohash", len(got))
		}
		for _, p := range got {
			perNet[networkOf(p)]++
			if !slices.ContainsFunc(model, func(m modelPeer) bool { return m.hash == h && m.peer == p }) {
				t.Fatalf("%v was not announced or has expired", p)
			}
		}
	}
	for n, count := range perNet {
		if count > s.perNet {
			t.Fatalf("%d peers of %v", count, n)
		}
	}
	if total != s.len() || total > s.total {
		t.Fatalf("%d peers, says it has %d", total, s.len())
	}
	if !evicted && total != len(model) {
		t.Fatalf("%d peers, want %d", total, len(model))
	}
}

// One host that announces everything displaces only itself; a crowd behind one infohash
// displaces its largest network's oldest.
func TestPeerStoreIsFair(t *testing.T) {
	t.Parallel()
	s := newPeerStore(time.Hour)
	honest := peerAt("9.9.9.9", 1)
	s.add(InfoHash{1}, honest)
	for i := range 3 * maxPeersPerNetwork {
		s.add(InfoHash{2, byte(i), byte(i >> 8)}, peerAt("8.8.8.8", 1))
	}
	if got := s.len(); got != 1+maxPeersPerNetwork {
		t.Errorf("%d peers after one host's flood", got)
	}
	for i := range 3 * maxPeersPerHash {
		s.add(InfoHash{1}, netip.AddrPortFrom(netip.AddrFrom4([4]byte{7, byte(i % 30), 0, 1}), uint16(i+1)))
	}
	peers := s.get(InfoHash{1})
	if len(peers) != maxPeersPerHash || !slices.Contains(peers, honest) {
		t.Errorf("%d peers after the crowd, honest one among them: %v", len(peers), slices.Contains(peers, honest))
	}
}

// BEP 5 and BEP 32: compact peers have 4 or 16 bytes of address; the library's own store made
// two of four.
func TestPeerStoreEncodings(t *testing.T) {
	s := newPeerStore(time.Hour)
	hash := peer_store.InfoHash{1}
	s.AddPeer(hash, krpc.NodeAddr{IP: net.ParseIP("9.9.9.9"), Port: 1}) // 16 bytes, mapped
	s.AddPeer(hash, krpc.NodeAddr{IP: net.ParseIP("2620:fe::fe"), Port: 65535})
	for _, port := range []int{0, -1, 65536} {
		s.AddPeer(hash, krpc.NodeAddr{IP: net.IPv4(9, 9, 9, 9), Port: port})
	}
	s.AddPeer(hash, krpc.NodeAddr{Port: 1})
	got := make(map[string]int)
	for _, p := range s.GetPeers(hash) {
		got[p.String()] = len(p.IP)
	}
	if len(got) != 2 || got["9.9.9.9:1"] != 4 || got["[2620:fe::fe]:65535"] != 16 {
		t.Errorf("peers and lengths %v", got)
	}
	for i := range maxPeersPerHash {
		s.AddPeer(hash, krpc.NodeAddr{IP: net.IPv4(9, 9, 9, byte(i)), Port: 1})
	}
	if n := len(s.GetPeers(hash)); n != maxPeersReturned {
		t.Errorf("%d peers in one answer", n)
	}
}
