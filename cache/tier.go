package cache

import (
	"sync"

	"github.com/maypok86/otter/v2"

	"github.com/peerproxy/peerproxy/resource"
)

// tier is what of the file is also in memory: decoded responses by resource, and
// small bodies by their root. It is bounded by weight in bytes.
type tier struct {
	cache *otter.Cache[tierKey, tierValue] // nil for none

	mu      sync.Mutex
	version uint64 // number of invalidations
}

// tierKey is a resource.ID or a resource.Root.
type tierKey struct {
	hash   [32]byte
	isBody bool
}

type tierValue struct {
	responses []*resource.Stored
	body      []byte
	weight    uint32
}

// entryOverhead is about what an entry takes in memory beside its data, in bytes.
const entryOverhead = 256

func newTier(limit int64) *tier {
	if limit < 0 {
		return new(tier)
	}
	return &tier{cache: otter.Must(&otter.Options[tierKey, tierValue]{
		MaximumWeight: uint64(limit),
		Weigher:       func(_ tierKey, v tierValue) uint32 { return v.weight },
	})}
}

func (t *tier) get(k tierKey) (tierValue, bool) {
	if t.cache == nil {
		return tierValue{}, false
	}
	return t.cache.GetIfPresent(k)
}

func (t *tier) responses(id resource.ID) ([]*resource.Stored, bool) {
	v, ok := t.get(tierKey{hash: id})
	return v.responses, ok
}

// begin is called before responses are read from the file that are to be set.
func (t *tier) begin() uint64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.version
}

// setResponses keeps the responses of a resource, unless a transaction was committed
// since begin: they might be out of date.
func (t *tier) setResponses(version uint64, id resource.ID, list []*resource.Stored, bytes int) {
	if t.cache == nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.version == version {
		// Decoded, a response takes about twice the memory of its encoding.
		t.cache.Set(tierKey{hash: id}, tierValue{responses: list, weight: uint32(2*bytes + entryOverhead)})
	}
}

func (t *tier) body(root resource.Root) ([]byte, bool) {
	v, ok := t.get(tierKey{hash: root, isBody: true})
	return v.body, ok
}

// setBody keeps a small body. Since its root names its content, it is never out of date.
func (t *tier) setBody(root resource.Root, data []byte) {
	if t.cache != nil {
		t.cache.Set(tierKey{hash: root, isBody: true}, tierValue{body: data, weight: uint32(len(data) + entryOverhead)})
	}
}

// invalidate drops the responses of resources that a transaction has changed.
func (t *tier) invalidate(changed map[resource.ID]bool) {
	if t.cache == nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.version++
	for id := range changed {
		t.cache.Invalidate(tierKey{hash: id})
	}
}

func (t *tier) size() int64 {
	if t.cache == nil {
		return 0
	}
	return int64(t.cache.WeightedSize())
}

func (t *tier) close() {
	if t.cache != nil {
		t.cache.InvalidateAll()
		t.cache.StopAllGoroutines()
	}
}
