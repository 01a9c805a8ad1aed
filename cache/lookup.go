package cache

import (
	"bytes"
	"cmp"
	"fmt"
	"iter"
	"math"
	"slices"

	bolt "go.etcd.io/bbolt"

	"github.com/peerproxy/peerproxy/resource"
)

// Lookup returns all stored responses of a resource, the one received last first. If
// there is none, it returns nil. The values are shared: nobody may change them.
func (s *Store) Lookup(id resource.ID) ([]*resource.Stored, error) {
	list, ok := s.tier.responses(id)
	if !ok {
		var err error
		if list, err = s.lookup(id); err != nil {
			return nil, fmt.Errorf("cache: lookup: %w", err)
		}
	}
	if len(list) > 0 && !s.cfg.Inspect {
		s.touched.add(id, s.clock.use())
	}
	return list, nil
}

func (s *Store) lookup(id resource.ID) ([]*resource.Stored, error) {
	version := s.tier.begin()
	raw, err := s.read(id[:], id[:], MaxVariants, math.MaxInt)
	if err != nil || len(raw) == 0 {
		return nil, err
	}
	list := make([]*resource.Stored, 0, len(raw))
	size := 0
	for _, e := range raw {
		st, rec, err := e.decode()
		if err != nil {
			return nil, err
		}
		list = append(list, st)
		size += rec.size() - len(rec.inline)
		if rec.isInline() {
			s.tier.setBody(rec.root, bytes.Clone(rec.inline))
		}
	}
	slices.SortStableFunc(list, newestFirst)
	s.tier.setResponses(version, id, list, size)
	return list, nil
}

func newestFirst(a, b *resource.Stored) int {
	return cmp.Or(b.Exchange.Received.Compare(a.Exchange.Received), b.StoredAt.Compare(a.StoredAt))
}

// entry is one response as it is in the file.
type entry struct {
	key   metaKey
	value []byte
}

func (e entry) decode() (*resource.Stored, *record, error) {
	rec, err := parseRecord(e.value)
	if err != nil {
		return nil, nil, err
	}
	st, err := rec.stored(e.key)
	return st, rec, err
}

// read copies responses whose keys begin with prefix, the first one at or after from:
// up to n of them, and no more once they have maxBytes.
func (s *Store) read(from, prefix []byte, n, maxBytes int) (list []entry, err error) {
	err = s.view(func(tx *bolt.Tx) error {
		list = list[:0]
		size := 0
		c := tx.Bucket(metaBucket).Cursor()
		for k, v := c.Seek(from); k != nil && bytes.HasPrefix(k, prefix) && len(list) < n && size < maxBytes; k, v = c.Next() {
			if len(k) != len(metaKey{}) {
				return fmt.Errorf("%w: key of a response", ErrCorrupt)
			}
			list = append(list, entry{metaKey(k), bytes.Clone(v)})
			size += len(v)
		}
		return nil
	})
	return list, err
}

// All yields every stored response, in no useful order, without counting that as a
// use. It reads in short transactions: what is stored or deleted meanwhile may be
// there or not. A response that can't be decoded is yielded as an error, and the
// next one follows.
func (s *Store) All() iter.Seq2[*resource.Stored, error] {
	return func(yield func(*resource.Stored, error) bool) {
		for e, err := range s.entries() {
			if err != nil {
				yield(nil, fmt.Errorf("cache: all: %w", err))
				return
			}
			st, _, err := e.decode()
			if err != nil {
				err = fmt.Errorf("cache: all: %w", err)
			}
			if !yield(st, err) {
				return
			}
		}
	}
}

// entries yields all responses undecoded.
func (s *Store) entries() iter.Seq2[entry, error] {
	return func(yield func(entry, error) bool) {
		from := []byte{0}
		for {
			list, err := s.read(from, nil, 64, 256<<10)
			if err != nil {
				yield(entry{}, err)
				return
			}
			for _, e := range list {
				if !yield(e, nil) {
					return
				}
			}
			if len(list) == 0 {
				return
			}
			last := list[len(list)-1].key
			from = append(last[:], 0) // the smallest key after it
		}
	}
}
