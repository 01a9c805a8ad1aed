package cache

import (
	"bytes"
	"fmt"

	"github.com/peerproxy/peerproxy/resource"
)

// record returns the stored response under a key, nil if there is none.
func (t *txn) record(key metaKey) (*record, error) {
	v := t.meta.Get(key[:])
	if v == nil {
		return nil, nil
	}
	return parseRecord(bytes.Clone(v))
}

// variants returns the keys of all responses of a resource.
func (t *txn) variants(id resource.ID) (keys []metaKey) {
	c := t.meta.Cursor()
	for k, _ := c.Seek(id[:]); bytes.HasPrefix(k, id[:]); k, _ = c.Next() {
		keys = append(keys, metaKey(k))
	}
	return keys
}

// putRecord stores rec as used last at rec.accessed. If there was a response under
// the key, old is its record; its body is not touched.
func (t *txn) putRecord(key metaKey, rec, old *record) error {
	t.dirty = true
	if old != nil {
		if err := t.order.Delete(orderKey(old.accessed, &key)); err != nil {
			return fmt.Errorf("delete from order: %w", err)
		}
	}
	if err := t.meta.Put(key[:], rec.append(make([]byte, 0, rec.size()))); err != nil {
		return fmt.Errorf("store response: %w", err)
	}
	if err := t.order.Put(orderKey(rec.accessed, &key), nil); err != nil {
		return fmt.Errorf("store order: %w", err)
	}
	return nil
}

// putResponse stores rec in place of old. The body of rec is in place and counted.
func (t *txn) putResponse(key metaKey, rec, old *record) error {
	rec.storedAt, rec.accessed = t.s.cfg.Now().UnixMicro(), t.now
	if err := t.putRecord(key, rec, old); err != nil {
		return err
	}
	id := key.id()
	t.changed[id] = true
	delete(t.gone, id)
	t.count(rec, 1)
	if old == nil {
		return nil
	}
	t.count(old, -1)
	return t.releaseBody(old)
}

// count adds to the counters what a response brings; that of bodies with a root of
// their own is where the roots are.
func (t *txn) count(rec *record, n int64) {
	t.state.responses += n
	if rec.isInline() {
		t.state.bodyBytes += n * rec.length
	}
}

// deleteResponse deletes one response, whose record is rec.
func (t *txn) deleteResponse(key metaKey, rec *record) error {
	t.dirty = true
	if err := t.meta.Delete(key[:]); err != nil {
		return fmt.Errorf("delete response: %w", err)
	}
	if err := t.order.Delete(orderKey(rec.accessed, &key)); err != nil {
		return fmt.Errorf("delete from order: %w", err)
	}
	id := key.id()
	t.changed[id] = true
	if len(t.variants(id)) == 0 {
		t.gone[id] = true
	}
	t.count(rec, -1)
	return t.releaseBody(rec)
}

// admit decides whether rec may be stored under key, and returns what it replaces
// there. If it is one variant too many, it also says which other response must go.
func (t *txn) admit(key metaKey, rec *record) (old *record, victim *metaKey, err error) {
	old, err = t.record(key)
	if err != nil {
		return nil, nil, err
	}
	if old != nil {
		if rec.weakerThan(old) {
			return nil, nil, ErrWeaker
		}
		return old, nil, nil
	}
	keys := t.variants(key.id())
	if len(keys) < MaxVariants {
		return nil, nil, nil
	}
	victim, err = t.leastVariant(keys, rec)
	return nil, victim, err
}

// leastVariant returns the response that makes room for one more variant: of the
// weakest tier the least recently used.
func (t *txn) leastVariant(keys []metaKey, rec *record) (*metaKey, error) {
	var least *record
	var victim metaKey
	for _, k := range keys {
		r, err := t.record(k)
		if err != nil {
			return nil, err
		}
		if least == nil || r.tier < least.tier || r.tier == least.tier && r.accessed < least.accessed {
			least, victim = r, k
		}
	}
	if rec.tier < least.tier {
		return nil, ErrWeaker
	}
	return &victim, nil
}

// deleteKey deletes the response under a key that exists.
func (t *txn) deleteKey(key metaKey) error {
	rec, err := t.record(key)
	if err != nil || rec == nil {
		return err
	}
	return t.deleteResponse(key, rec)
}
