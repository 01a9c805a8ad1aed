package peer

import (
	"encoding/binary"
	"slices"
	"sync"

	"github.com/peerproxy/peerproxy/resource"
)

const (
	maxDigestEntries = 200_000
	maxJournal       = 4096 // changes that are kept for deltas
)

// Catalog is the set of resources that this node shares: all that any peer can
// get from it, or learn of. A session that has sent its digest follows the changes.
// All methods may be used from any goroutine.
type Catalog struct {
	secret []byte

	mu       sync.Mutex // guards following
	ids      map[resource.BlindedID]resource.ID
	prefixes map[uint32]int // how many IDs have it
	journal  []change       // the latest changes of prefixes
	seq      uint64         // number of changes so far; that of the last in journal
	changed  chan struct{}  // closed at the next change
}

// change is one prefix that came or went.
type change struct {
	prefix uint32
	added  bool
}

// NewCatalog returns an empty catalog for the swarm with the given secret.
func NewCatalog(secret []byte) *Catalog {
	return &Catalog{
		secret:   slices.Clone(secret),
		ids:      make(map[resource.BlindedID]resource.ID),
		prefixes: make(map[uint32]int),
		changed:  make(chan struct{}),
	}
}

// Add shares a resource. To add it again changes nothing.
func (c *Catalog) Add(id resource.ID) {
	blinded := id.Blind(c.secret)
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, there := c.ids[blinded]; there {
		return
	}
	c.ids[blinded] = id
	p := prefix(blinded)
	if c.prefixes[p]++; c.prefixes[p] == 1 {
		c.noteLocked(change{p, true})
	}
}

// Remove ends the sharing of a resource.
func (c *Catalog) Remove(id resource.ID) {
	blinded := id.Blind(c.secret)
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, there := c.ids[blinded]; !there {
		return
	}
	delete(c.ids, blinded)
	p := prefix(blinded)
	if c.prefixes[p]--; c.prefixes[p] == 0 {
		delete(c.prefixes, p)
		c.noteLocked(change{p, false})
	}
}

// Len is the number of shared resources.
func (c *Catalog) Len() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.ids)
}

func (c *Catalog) noteLocked(ch change) {
	if len(c.journal) == maxJournal {
		c.journal = slices.Clone(c.journal[maxJournal/2:])
	}
	c.journal = append(c.journal, ch)
	c.seq++
	close(c.changed)
	c.changed = make(chan struct{})
}

// lookup is the resource that peers call blinded.
func (c *Catalog) lookup(blinded resource.BlindedID) (resource.ID, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	id, ok := c.ids[blinded]
	return id, ok
}

// snapshot is the whole digest, of at most limit entries, and the number of the last
// change in it.
func (c *Catalog) snapshot(limit int) (d digest, seq uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	d.prefixes = make([]uint32, 0, min(limit, len(c.prefixes)))
	for p := range c.prefixes {
		if len(d.prefixes) == limit {
			d.partial = true
			break
		}
		d.prefixes = append(d.prefixes, p)
	}
	slices.Sort(d.prefixes)
	return d, c.seq
}

// since is what changed after the change with number seq. It is not ok if that was
// too long ago, or if the set has grown over limit: then a snapshot is needed.
func (c *Catalog) since(seq uint64, limit int) (d delta, now uint64, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	count := c.seq - seq
	if count > uint64(len(c.journal)) || len(c.prefixes) > limit {
		return delta{}, 0, false
	}
	for _, ch := range c.journal[len(c.journal)-int(count):] {
		_, there := c.prefixes[ch.prefix]
		if there {
			d.added = append(d.added, ch.prefix)
		} else {
			d.removed = append(d.removed, ch.prefix)
		}
	}
	d.added, d.removed = sortedSet(d.added), sortedSet(d.removed)
	return d, c.seq, true
}

// changes is closed as soon as there is a change after that with number seq.
func (c *Catalog) changes(seq uint64) <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.seq != seq {
		past := make(chan struct{})
		close(past)
		return past
	}
	return c.changed
}

func sortedSet(s []uint32) []uint32 {
	slices.Sort(s)
	return slices.Compact(s)
}

// prefix is what stands for a blinded ID in a digest: its first 32 bits.
func prefix(id resource.BlindedID) uint32 { return binary.BigEndian.Uint32(id[:]) }
