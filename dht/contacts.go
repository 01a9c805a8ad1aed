package dht

import (
	"container/list"
	"net/netip"
	"sync"
	"time"

	"github.com/anacrolix/dht/v2/krpc"
)

const (
	maxContacts    = 400
	maxRemembered  = 1024             // addresses in each of the short memories
	maxVotes       = 64               // networks whose word on our address is kept
	minVotes       = 3                // that must agree
	contactFresh   = 10 * time.Minute // within which an answer need not be asked for again
	failureCount   = 3                // losses in a row, over
	failureSpan    = 30 * time.Second // this time at least, show that a node is gone,
	failureForgets = 5 * time.Minute  // and are held against it for so long
)

// contact is a node that has answered a query of ours.
type contact struct {
	id   krpc.ID
	addr netip.AddrPort
	seen time.Time
}

// contacts is what is known first hand about other nodes: who answered lately, who did not,
// and which address of ours they saw. Unlike the library's table it holds no node that is
// known from hearsay alone, so it is what gets saved.
type contacts struct {
	mu       sync.Mutex
	known    map[netip.AddrPort]*list.Element
	order    *list.List // of contact, latest answer first
	asked    bounded[netip.AddrPort, time.Time]
	failures bounded[netip.AddrPort, failure]
	latestAt time.Time // of an answer from anyone
	votes    bounded[network, netip.AddrPort]
}

type failure struct {
	count       int
	first, last time.Time
}

func newContacts() *contacts {
	return &contacts{
		known:    make(map[netip.AddrPort]*list.Element),
		order:    list.New(),
		asked:    newBounded[netip.AddrPort, time.Time](maxRemembered),
		failures: newBounded[netip.AddrPort, failure](maxRemembered),
		votes:    newBounded[network, netip.AddrPort](maxVotes),
	}
}

// answered notes an answer and what it says of our own address (BEP 42, "ip").
func (c *contacts) answered(n contact, observed netip.AddrPort) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.failures.remove(n.addr)
	c.latestAt = n.seen
	if observed.IsValid() {
		c.votes.set(networkOf(n.addr), observed)
	}
	if n.id.IsZero() { // an error message says no ID
		return
	}
	if e, ok := c.known[n.addr]; ok {
		c.order.Remove(e)
	} else if c.order.Len() >= maxContacts {
		oldest := c.order.Remove(c.order.Back()).(contact)
		delete(c.known, oldest.addr)
	}
	c.known[n.addr] = c.order.PushFront(n)
}

// failed notes that a node did not answer the query sent at the given time. If nobody else has
// answered since, it may be the network, so nothing is held against the node.
func (c *contacts) failed(addr netip.AddrPort, sent, now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.latestAt.Before(sent) {
		return
	}
	f, ok := c.failures.get(addr)
	if !ok {
		f.first = now
	}
	f.count, f.last = f.count+1, now
	c.failures.set(addr, f)
}

// heard notes that a node asked something: it is there.
func (c *contacts) heard(addr netip.AddrPort) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.failures.remove(addr)
}

// silent reports whether addr has failed to answer again and again.
func (c *contacts) silent(addr netip.AddrPort, now time.Time) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	f, _ := c.failures.get(addr)
	return f.count >= failureCount && f.last.Sub(f.first) >= failureSpan && now.Sub(f.last) < failureForgets
}

// worthAsking reports whether addr, which asked us something, should be asked in turn,
// and takes it that it will be.
func (c *contacts) worthAsking(addr netip.AddrPort, now time.Time) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if e, ok := c.known[addr]; ok && now.Sub(e.Value.(contact).seen) < contactFresh {
		return false
	}
	if last, ok := c.asked.get(addr); ok && now.Sub(last) < contactFresh {
		return false
	}
	c.asked.set(addr, now)
	return true
}

// latest lists the nodes that answered, the latest first.
func (c *contacts) latest() []contact {
	c.mu.Lock()
	defer c.mu.Unlock()
	out := make([]contact, 0, c.order.Len())
	for e := c.order.Front(); e != nil; e = e.Next() {
		out = append(out, e.Value.(contact))
	}
	return out
}

// observed is the address under which most other networks see us; the zero value if they are
// few or disagree.
func (c *contacts) observed() netip.AddrPort {
	c.mu.Lock()
	defer c.mu.Unlock()
	count := make(map[netip.AddrPort]int)
	var best netip.AddrPort
	for _, seen := range c.votes.m {
		if count[seen]++; count[seen] > count[best] {
			best = seen
		}
	}
	if count[best] < minVotes || 2*count[best] <= len(c.votes.m) {
		return netip.AddrPort{}
	}
	return best
}

// bounded is a map that forgets some entry when it is full.
type bounded[K comparable, V any] struct {
	max int
	m   map[K]V
}

func newBounded[K comparable, V any](most int) bounded[K, V] {
	return bounded[K, V]{most, make(map[K]V)}
}

func (b bounded[K, V]) get(k K) (V, bool) { v, ok := b.m[k]; return v, ok }

func (b bounded[K, V]) remove(k K) { delete(b.m, k) }

func (b bounded[K, V]) set(k K, v V) {
	if _, ok := b.m[k]; !ok && len(b.m) >= b.max {
		for victim := range b.m {
			delete(b.m, victim)
			break
		}
	}
	b.m[k] = v
}
