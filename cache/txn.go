package cache

import (
	"bytes"
	"fmt"
	"slices"

	bolt "go.etcd.io/bbolt"

	"github.com/peerproxy/peerproxy/resource"
)

// txn is one write transaction, and what is to follow in memory once it is durable.
// Only the writer goroutine has one.
type txn struct {
	s   *Store
	tx  *bolt.Tx
	now int64 // see clock; later than all that is in the order

	meta, order, bodies, roots, pending *bolt.Bucket

	state  state
	budget int64 // pages that may still be taken
	dirty  bool  // there is something to commit

	changed   map[resource.ID]bool // responses of it changed
	gone      map[resource.ID]bool // had responses, and has none any more
	condemned []uint64             // bodies that are being deleted
	deleted   []uint64             // of these, or of the doomed: of which nothing is left
	doomed    []uint64             // bodies without a root that could not be deleted yet
	looked    int64                // responses that might have been evicted
	evicted   int64
	freed     int64 // pages
}

func newTxn(s *Store, tx *bolt.Tx) (*txn, error) {
	t := &txn{
		s: s, tx: tx, now: s.clock.next(),
		meta: tx.Bucket(metaBucket), order: tx.Bucket(orderBucket), bodies: tx.Bucket(bodiesBucket),
		roots: tx.Bucket(rootsBucket), pending: tx.Bucket(pendingBucket),
		state:   s.state,
		budget:  s.space().available() - reserve,
		changed: make(map[resource.ID]bool), gone: make(map[resource.ID]bool),
	}
	if t.meta == nil || t.order == nil || t.bodies == nil || t.roots == nil || t.pending == nil {
		return nil, fmt.Errorf("%w: bucket missing", ErrCorrupt)
	}
	// Their keys only grow, so leaves need no room for keys in between.
	t.order.FillPercent, t.bodies.FillPercent = 0.9, 0.9
	return t, nil
}

// save writes the counters, and the quota if it was given to Open: before anything is
// evicted for it, it is known to the next Open.
func (t *txn) save() error {
	system := t.tx.Bucket(systemBucket)
	if t.s.setQuota != 0 {
		if err := system.Put(quotaKey, formatQuota(t.s.setQuota)); err != nil {
			return fmt.Errorf("store quota: %w", err)
		}
	}
	t.state.nextBody = t.s.nextBody.Load()
	return system.Put(stateKey, t.state.append(nil))
}

// spend takes pages from what the file still has.
func (t *txn) spend(pages int64) error {
	if pages > t.budget {
		return t.s.full()
	}
	t.budget -= pages
	return nil
}

// putChunk stores a part of a body, in pieces that are as large as the free space of
// the file lets expect to be found.
func (t *txn) putChunk(body uint64, kind byte, off int64, data []byte) error {
	t.dirty = true
	for piece := range slices.Chunk(data, t.s.piece) {
		off += int64(len(piece))
		b, err := t.bodies.CreateBucket(chunkKey(body, kind, off))
		if err != nil {
			return fmt.Errorf("store chunk: %w", err)
		}
		if err := b.Put(dataKey, piece); err != nil {
			return fmt.Errorf("store chunk: %w", err)
		}
	}
	return nil
}

// maxDrop is how many chunks of one body, or of the doomed bodies together, are
// deleted in one transaction: half a gigabyte must not hold up everybody.
const maxDrop = 256

// dropChunks deletes up to n chunks of a body and says how many, and whether none is left.
func (t *txn) dropChunks(body uint64, n int) (dropped int, done bool, err error) {
	t.dirty = true
	prefix := bodyKey(body)
	c := t.bodies.Cursor()
	for ; dropped < n; dropped++ {
		k, _ := c.Seek(prefix)
		if !bytes.HasPrefix(k, prefix) {
			return dropped, true, nil
		}
		if b := t.bodies.Bucket(k); b != nil {
			t.freed += t.s.pages(len(b.Get(dataKey)))
		}
		if err := t.bodies.DeleteBucket(k); err != nil {
			return dropped, false, fmt.Errorf("delete chunk: %w", err)
		}
	}
	return dropped, false, nil
}

// discard deletes a body that has no root, as far as nobody reads it and it is not
// too large for this transaction. The rest follows later, after a crash in Open.
func (t *txn) discard(body uint64) error {
	if t.s.pins.condemn(body) {
		t.condemned = append(t.condemned, body)
		_, done, err := t.dropChunks(body, maxDrop)
		if err != nil {
			return err
		}
		if done {
			t.deleted = append(t.deleted, body)
			return nil
		}
	}
	t.doomed = append(t.doomed, body)
	return t.markPending(body)
}

func (t *txn) markPending(body uint64) error {
	t.dirty = true
	if err := t.pending.Put(bodyKey(body), nil); err != nil {
		return fmt.Errorf("mark body as pending: %w", err)
	}
	return nil
}

// drain goes on with deleting doomed bodies.
func (t *txn) drain() error {
	left := maxDrop
	for _, body := range t.s.pins.drainable(left) {
		dropped, done, err := t.dropChunks(body, left)
		if err != nil {
			return err
		}
		if left -= dropped; !done {
			return nil
		}
		if err := t.pending.Delete(bodyKey(body)); err != nil {
			return fmt.Errorf("forget pending body: %w", err)
		}
		t.deleted = append(t.deleted, body)
		if left--; left <= 0 {
			return nil
		}
	}
	return nil
}

// root returns the root record of a body, nil if there is none.
func (t *txn) root(root resource.Root) (*rootRecord, error) {
	v := t.roots.Get(root[:])
	if v == nil {
		return nil, nil
	}
	return parseRootRecord(bytes.Clone(v))
}

func (t *txn) putRoot(root resource.Root, r *rootRecord) error {
	t.dirty = true
	if err := t.roots.Put(root[:], r.append(nil)); err != nil {
		return fmt.Errorf("store root: %w", err)
	}
	return nil
}

// releaseBody takes away one response's reference to a body.
func (t *txn) releaseBody(rec *record) error {
	if rec.isInline() {
		return nil
	}
	r, err := t.root(rec.root)
	if err != nil {
		return err
	}
	if r == nil || r.body != rec.body {
		return fmt.Errorf("%w: a response without its body", ErrCorrupt)
	}
	if r.refs--; r.refs > 0 {
		return t.putRoot(rec.root, r)
	}
	if err := t.roots.Delete(rec.root[:]); err != nil {
		return fmt.Errorf("delete root: %w", err)
	}
	t.state.bodies--
	t.state.bodyBytes -= r.length
	return t.discard(r.body)
}
