package integrity

import (
	"container/list"
	"sync"
)

const (
	maxNoted   = 8192 // resources
	maxDemands = 8    // of one resource, by several documents; the latest count
)

// Notes remembers what documents demand of resources, which are named by a key of 32 bytes. When it
// is full, what was not noted for the longest time is forgotten. It is safe for concurrent
// use; the zero Notes is empty and ready.
type Notes struct {
	mu      sync.Mutex
	entries map[[32]byte]*list.Element // of noted
	order   list.List                  // the latest first
}

type noted struct {
	key     [32]byte
	demands []Metadata
}

// Add notes a demand. One without hash and key is nothing to note.
func (n *Notes) Add(key [32]byte, m Metadata) {
	if m.IsZero() {
		return
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.entries == nil {
		n.entries = map[[32]byte]*list.Element{}
	}
	if e, known := n.entries[key]; known {
		e.Value.(*noted).add(m)
		n.order.MoveToFront(e)
		return
	}
	if n.order.Len() >= maxNoted {
		oldest := n.order.Back()
		delete(n.entries, n.order.Remove(oldest).(*noted).key)
	}
	n.entries[key] = n.order.PushFront(&noted{key, []Metadata{m}})
}

func (e *noted) add(m Metadata) {
	text := m.String()
	demands := []Metadata{m} // a new slice: the old one has been handed out
	for _, old := range e.demands {
		if old.String() != text && len(demands) < maxDemands {
			demands = append(demands, old)
		}
	}
	e.demands = demands
}

// Get returns what is demanded of a resource, the latest first.
func (n *Notes) Get(key [32]byte) []Metadata {
	n.mu.Lock()
	defer n.mu.Unlock()
	if e, known := n.entries[key]; known {
		return e.Value.(*noted).demands
	}
	return nil
}

// Len is the number of resources that something is demanded of.
func (n *Notes) Len() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.order.Len()
}
