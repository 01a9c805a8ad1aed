package cache

import (
	"sync"

	bolt "go.etcd.io/bbolt"

	"github.com/peerproxy/peerproxy/resource"
)

// reserve is what is kept for the inner pages of the trees, in pages, when room for
// new data is given out.
const reserve = 64

// space is what the pages of the file are used for.
type space struct {
	high  int64 // pages in use or free; the file is longer by at most sizes.alloc
	free  int64 // pages that can be used again
	limit int64 // for high
}

func (sp space) live() int64      { return sp.high - sp.free }
func (sp space) available() int64 { return sp.free + max(0, sp.limit-sp.high) }

// measure asks bbolt for exact figures. This is why its statistics are on, at 40 ns
// for each read transaction: an estimate would let the file grow past the quota, or
// waste a part of it.
func (s *Store) measure() {
	var high int64
	if err := s.view(func(tx *bolt.Tx) error { high = tx.Size() / s.page; return nil }); err != nil {
		return
	}
	st := s.db.Stats()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.used = space{high: high, free: int64(st.FreePageN + st.PendingPageN), limit: s.sizes.limit / s.page}
}

func (s *Store) space() space {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.used
}

// pages is how many pages a chunk of n bytes takes.
func (s *Store) pages(n int) int64 { return (int64(n) + chunkOverhead + s.page - 1) / s.page }

// excess is how many pages there are too many if need more are to be taken. Bodies
// that are not committed yet may use a quarter of the headroom: most of them, should
// they never come to their end, then have driven out nothing.
func (s *Store) excess(need int64) int64 {
	sp := s.space()
	headroom := s.sizes.headroom
	headroom -= min(s.unrooted.Load(), headroom/4)
	return sp.live() + need - (sp.limit - headroom/s.page)
}

// maxEvict bounds the responses that one transaction looks at to evict them.
const maxEvict = 512

// evictCost is how many pages a transaction takes, at most and before it frees any, to
// delete or move a response whose record has so many: as bbolt overwrites none, it
// writes the leaves of the trees anew. That of the record holds others as well.
func evictCost(record int64) int64 { return 3 + 2*record }

// evict deletes what was used least recently until about so many pages are free, or so
// many responses have been looked at, or that might take more pages than there are,
// less those to keep. What has been used since it was put into the order, or is open,
// gets a new place instead.
func (t *txn) evict(pages, keep int64, most int) error {
	end := t.freed + pages
	spare := max(t.budget-keep, reserve/2)
	for range most {
		if t.freed >= end || spare <= 0 {
			return nil
		}
		k, _ := t.order.Cursor().First()
		if k == nil {
			return nil
		}
		accessed, key, err := parseOrderKey(k)
		if err != nil {
			return err
		}
		// Everything after it was put there in this transaction.
		if accessed >= t.now {
			return nil
		}
		t.looked++
		cost, err := t.evictOne(accessed, key)
		if err != nil {
			return err
		}
		spare -= cost
	}
	return nil
}

// evictOne returns what it cost, in pages.
func (t *txn) evictOne(accessed int64, key metaKey) (cost int64, err error) {
	rec, err := t.record(key)
	if err != nil {
		return 0, err
	}
	if rec == nil || rec.accessed != accessed {
		t.dirty = true // never seen; Verify would report it
		return 1, t.order.Delete(orderKey(accessed, &key))
	}
	cost = evictCost(t.s.pages(rec.size()))
	if used := t.s.touched.last(key.id()); used > accessed {
		return cost, t.touch(key, rec, min(used, t.now))
	}
	if rec.body != 0 && t.s.pins.open(rec.body) {
		return cost, t.touch(key, rec, t.now)
	}
	t.evicted++
	t.freed += 1 + int64(rec.size())/t.s.page
	return cost, t.deleteResponse(key, rec)
}

// touch gives a response a new place in the order.
func (t *txn) touch(key metaKey, rec *record, accessed int64) error {
	moved := *rec
	moved.accessed = accessed
	return t.putRecord(key, &moved, rec)
}

// flushTouched writes up to n access times into the order.
func (t *txn) flushTouched(n int) error {
	for id, used := range t.s.touched.take(n) {
		for _, key := range t.variants(id) {
			rec, err := t.record(key)
			if err != nil {
				return err
			}
			if rec.accessed >= used {
				continue
			}
			if err := t.touch(key, rec, min(used, t.now)); err != nil {
				return err
			}
		}
	}
	return nil
}

// maxTouched is how many access times are kept in memory before they are written.
const maxTouched = 8192

// touched are the times at which resources were used, as far as the file does not
// know them yet. Losing them costs a worse choice of what to evict, nothing else.
type touched struct {
	full func() // called when there are maxTouched

	mu    sync.Mutex
	times map[resource.ID]int64 // microseconds since 1970
}

func (u *touched) add(id resource.ID, now int64) {
	u.mu.Lock()
	if u.times == nil {
		u.times = make(map[resource.ID]int64)
	}
	_, known := u.times[id]
	if known || len(u.times) < 2*maxTouched {
		u.times[id] = now
	}
	full := !known && len(u.times) == maxTouched
	u.mu.Unlock()
	if full {
		u.full()
	}
}

func (u *touched) last(id resource.ID) int64 {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.times[id]
}

// take removes and returns up to n of them.
func (u *touched) take(n int) map[resource.ID]int64 {
	u.mu.Lock()
	defer u.mu.Unlock()
	taken := make(map[resource.ID]int64)
	for id, used := range u.times {
		if len(taken) == n {
			break
		}
		taken[id] = used
		delete(u.times, id)
	}
	return taken
}

func (u *touched) len() int {
	u.mu.Lock()
	defer u.mu.Unlock()
	return len(u.times)
}
