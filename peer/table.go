package peer

import (
	"sync"
	"time"
)

// maxTable bounds each table that strangers can make grow.
const maxTable = 4096

// table is a map whose entries expire, and which forgets the entry that would expire
// first when it is full. The zero table is ready.
type table[K comparable, V any] struct {
	mu      sync.Mutex // guards entries
	entries map[K]entry[V]
}

type entry[V any] struct {
	value   V
	expires time.Time
}

// get returns the value of a key that has not expired.
func (t *table[K, V]) get(k K) (v V, ok bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	e, ok := t.entries[k]
	if !ok || !time.Now().Before(e.expires) {
		return v, false
	}
	return e.value, true
}

// has reports whether there is an entry that has not expired.
func (t *table[K, V]) has(k K) bool {
	_, ok := t.get(k)
	return ok
}

// put sets the value of a key for the time to live.
func (t *table[K, V]) put(k K, v V, ttl time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.putLocked(k, v, ttl)
}

// update changes the value of a key, the zero value if there was none, and keeps it
// for as long as change says.
func (t *table[K, V]) update(k K, change func(V) (V, time.Duration)) {
	t.mu.Lock()
	defer t.mu.Unlock()
	var old V
	if e, ok := t.entries[k]; ok && time.Now().Before(e.expires) {
		old = e.value
	}
	v, ttl := change(old)
	t.putLocked(k, v, ttl)
}

func (t *table[K, V]) remove(k K) {
	t.mu.Lock()
	delete(t.entries, k)
	t.mu.Unlock()
}

func (t *table[K, V]) len() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.entries)
}

func (t *table[K, V]) putLocked(k K, v V, ttl time.Duration) {
	if t.entries == nil {
		t.entries = make(map[K]entry[V])
	}
	if _, there := t.entries[k]; !there && len(t.entries) >= maxTable {
		t.makeRoomLocked()
	}
	t.entries[k] = entry[V]{v, time.Now().Add(ttl)}
}

func (t *table[K, V]) makeRoomLocked() {
	now := time.Now()
	var first K
	var at time.Time
	for k, e := range t.entries {
		switch {
		case !now.Before(e.expires):
			delete(t.entries, k)
		case at.IsZero() || e.expires.Before(at):
			first, at = k, e.expires
		}
	}
	if len(t.entries) >= maxTable {
		delete(t.entries, first)
	}
}
