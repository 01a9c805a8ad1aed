package peer

import (
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/peerproxy/peerproxy/trust"
)

const (
	maxSightings     = 4096
	maxSightingsNear = 8              // keys of one network: together they count once, anyway
	sightingLife     = 12 * time.Hour // after the last session
)

// witnessNetwork is the network that an address counts for when witnesses are counted: an
// IPv4 /24 or an IPv6 /48, which is what one site is given (RFC 6177). Special addresses
// count for none, since everybody can have them; if private is set, loopback and private
// ones count like public ones.
func witnessNetwork(ip netip.Addr, private bool) (netip.Prefix, bool) {
	ip = ip.Unmap()
	if !dialable(ip, private) {
		return netip.Prefix{}, false
	}
	bits := 48
	if ip.Is4() {
		bits = 24
	}
	network, err := ip.Prefix(bits)
	return network, err == nil
}

// sightings remembers in which network a key was met: proven on a session that was opened to an address
// there. From where somebody calls does not count: by way of proxies one machine calls from anywhere. It is bounded in all and for each network, so that keys, which are free, push out only
// others of their own network. The zero sightings are ready; any goroutine may use them.
type sightings struct {
	mu     sync.Mutex // guards following
	byKey  map[trust.Key]sighting
	nearby map[netip.Prefix][]trust.Key // the longest known first
}

// sighting is the one that counts of a key.
type sighting struct {
	network netip.Prefix
	at      time.Time
}

func (s sighting) fresh() bool { return time.Since(s.at) < sightingLife }

// note remembers a key. Only its latest network counts.
func (t *sightings) note(key trust.Key, network netip.Prefix) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.byKey == nil {
		t.byKey = make(map[trust.Key]sighting)
		t.nearby = make(map[netip.Prefix][]trust.Key)
	}
	t.removeLocked(key)
	if near := t.nearby[network]; len(near) >= maxSightingsNear {
		t.removeLocked(near[0])
	}
	if len(t.byKey) >= maxSightings {
		t.makeRoomLocked()
	}
	t.byKey[key] = sighting{network, time.Now()}
	t.nearby[network] = append(t.nearby[network], key)
}

// met is where a key was met lately. It implements [trust.Met].
func (t *sightings) met(key trust.Key) (netip.Prefix, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	s, ok := t.byKey[key]
	if !ok || !s.fresh() {
		return netip.Prefix{}, false
	}
	return s.network, true
}

func (t *sightings) removeLocked(key trust.Key) {
	s, ok := t.byKey[key]
	if !ok {
		return
	}
	delete(t.byKey, key)
	near := t.nearby[s.network]
	if near = slices.DeleteFunc(near, func(k trust.Key) bool { return k == key }); len(near) == 0 {
		delete(t.nearby, s.network)
		return
	}
	t.nearby[s.network] = near
}

// makeRoomLocked forgets the oldest sighting.
func (t *sightings) makeRoomLocked() {
	var oldest trust.Key
	var at time.Time
	for key, s := range t.byKey {
		if at.IsZero() || s.at.Before(at) {
			oldest, at = key, s.at
		}
	}
	t.removeLocked(oldest)
}

// spread keeps a search that is about how many networks there are from being used up by the
// many peers of one. A nil spread admits all.
type spread struct{ asked, dialled map[netip.Prefix]int }

// maxOfNetwork is how many of one network are dialled, and asked, in such a search.
const maxOfNetwork = 2

func newSpread() *spread {
	return &spread{make(map[netip.Prefix]int), make(map[netip.Prefix]int)}
}

// ask reports whether a peer at ip may be asked, and counts it.
func (s *spread) ask(ip netip.Addr) bool { return s == nil || admit(s.asked, ip) }

// dial reports whether ip may be dialled, and counts it.
func (s *spread) dial(ip netip.Addr) bool { return s == nil || admit(s.dialled, ip) }

func admit(counts map[netip.Prefix]int, ip netip.Addr) bool {
	network, _ := witnessNetwork(ip, true) // what is in no network is in one together
	counts[network]++
	return counts[network] <= maxOfNetwork
}
