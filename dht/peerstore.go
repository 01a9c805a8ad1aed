package dht

import (
	"container/list"
	"math/rand/v2"
	"net/netip"
	"sync"
	"time"

	"github.com/anacrolix/dht/v2/krpc"
	peer_store "github.com/anacrolix/dht/v2/peer-store"
)

// The bounds of a peer store. A peer costs some 400 bytes, so a full store has 8 MB.
const (
	defaultPeerLifetime = 40 * time.Minute // BEP 5 clients announce every 15 to 28 minutes
	maxPeersTotal       = 20_000
	maxPeersPerHash     = 200
	maxPeersPerNetwork  = 100
	maxPeersReturned    = 50 // keeps the answer below 1,200 bytes, also for IPv6
)

// peerStore remembers which peers strangers announced. Each of its bounds evicts within
// its own scope: a network that announces too much loses its own oldest entries, a crowded
// infohash those of the network that has most of them, and only then the whole store its oldest.
type peerStore struct {
	lifetime time.Duration
	total    int
	perHash  int
	perNet   int
	now      func() time.Time

	mu       sync.Mutex
	hashes   map[InfoHash]map[netip.AddrPort]*peerEntry
	networks map[network]*list.List // of *peerEntry, oldest first
	all      *list.List             // of *peerEntry, oldest first
}

type peerEntry struct {
	hash  InfoHash
	peer  netip.AddrPort
	owner network
	seen  time.Time
	inNet *list.Element
	inAll *list.Element
}

var _ peer_store.Interface = (*peerStore)(nil)

func newPeerStore(lifetime time.Duration) *peerStore {
	return &peerStore{
		lifetime: lifetime,
		total:    maxPeersTotal,
		perHash:  maxPeersPerHash,
		perNet:   maxPeersPerNetwork,
		now:      time.Now,
		hashes:   make(map[InfoHash]map[netip.AddrPort]*peerEntry),
		networks: make(map[network]*list.List),
		all:      list.New(),
	}
}

// AddPeer keeps or renews a peer. It is the library's hook for announce_peer.
func (s *peerStore) AddPeer(hash peer_store.InfoHash, na krpc.NodeAddr) {
	peer := plainAddrPort(na.IP, na.Port)
	if peer.IsValid() {
		s.add(InfoHash(hash), peer)
	}
}

func (s *peerStore) add(hash InfoHash, peer netip.AddrPort) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	s.expireLocked(now)
	if old := s.hashes[hash][peer]; old != nil {
		s.removeLocked(old)
	}
	e := &peerEntry{hash: hash, peer: peer, owner: networkOf(peer), seen: now}
	s.makeRoomLocked(e)
	s.insertLocked(e)
}

// makeRoomLocked evicts until e fits all three bounds.
func (s *peerStore) makeRoomLocked(e *peerEntry) {
	if own := s.networks[e.owner]; own != nil && own.Len() >= s.perNet {
		s.removeLocked(own.Front().Value.(*peerEntry))
	}
	if peers := s.hashes[e.hash]; len(peers) >= s.perHash {
		s.removeLocked(mostCrowding(peers))
	}
	if s.all.Len() >= s.total {
		s.removeLocked(s.all.Front().Value.(*peerEntry))
	}
}

// mostCrowding is the oldest entry of the network that has most entries.
func mostCrowding(peers map[netip.AddrPort]*peerEntry) *peerEntry {
	count := make(map[network]int)
	for _, e := range peers {
		count[e.owner]++
	}
	var worst *peerEntry
	for _, e := range peers {
		if worst == nil || count[e.owner] > count[worst.owner] ||
			count[e.owner] == count[worst.owner] && e.seen.Before(worst.seen) {
			worst = e
		}
	}
	return worst
}

func (s *peerStore) insertLocked(e *peerEntry) {
	if s.hashes[e.hash] == nil {
		s.hashes[e.hash] = make(map[netip.AddrPort]*peerEntry)
	}
	if s.networks[e.owner] == nil {
		s.networks[e.owner] = list.New()
	}
	s.hashes[e.hash][e.peer] = e
	e.inNet = s.networks[e.owner].PushBack(e)
	e.inAll = s.all.PushBack(e)
}

func (s *peerStore) removeLocked(e *peerEntry) {
	delete(s.hashes[e.hash], e.peer)
	if len(s.hashes[e.hash]) == 0 {
		delete(s.hashes, e.hash)
	}
	s.networks[e.owner].Remove(e.inNet)
	if s.networks[e.owner].Len() == 0 {
		delete(s.networks, e.owner)
	}
	s.all.Remove(e.inAll)
}

func (s *peerStore) expireLocked(now time.Time) {
	for front := s.all.Front(); front != nil; front = s.all.Front() {
		e := front.Value.(*peerEntry)
		if now.Sub(e.seen) < s.lifetime {
			return
		}
		s.removeLocked(e)
	}
}

// GetPeers returns a random selection that fits into one datagram, in the encodings of
// BEP 5 and BEP 32 (4 and 16 bytes). It is the library's hook for get_peers.
func (s *peerStore) GetPeers(hash peer_store.InfoHash) []krpc.NodeAddr {
	peers := s.get(InfoHash(hash))
	rand.Shuffle(len(peers), func(i, j int) { peers[i], peers[j] = peers[j], peers[i] })
	peers = limit(peers, maxPeersReturned)
	out := make([]krpc.NodeAddr, len(peers))
	for i, p := range peers {
		out[i] = krpc.NodeAddr{IP: p.Addr().AsSlice(), Port: int(p.Port())}
	}
	return out
}

// get returns all peers of hash that have not expired.
func (s *peerStore) get(hash InfoHash) []netip.AddrPort {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.expireLocked(s.now())
	peers := make([]netip.AddrPort, 0, len(s.hashes[hash]))
	for p := range s.hashes[hash] {
		peers = append(peers, p)
	}
	return peers
}

func (s *peerStore) len() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.expireLocked(s.now())
	return s.all.Len()
}
