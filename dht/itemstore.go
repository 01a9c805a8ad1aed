package dht

import (
	"container/list"
	"fmt"
	"sync"
	"time"

	"github.com/anacrolix/dht/v2/bep44"
	"github.com/anacrolix/torrent/bencode"
)

const (
	maxItems     = 1000
	itemLifetime = 2 * time.Hour // BEP 44
	maxItemSize  = 1000          // bytes of the encoded value, BEP 44
)

// itemStore keeps other nodes' items (BEP 44), at most max of them; the one written longest
// ago goes first. The library's wrapper checks signatures, sizes and sequence numbers before.
type itemStore struct {
	max int

	mu    sync.Mutex
	items map[bep44.Target]*list.Element
	order *list.List // of itemEntry, oldest first
}

type itemEntry struct {
	target bep44.Target
	item   *bep44.Item
}

var _ bep44.Store = (*itemStore)(nil)

func newItemStore(most int) *itemStore {
	return &itemStore{max: most, items: make(map[bep44.Target]*list.Element), order: list.New()}
}

// Put keeps the value encoded, so that it takes no more memory than it had bytes. It does the
// compare-and-swap itself and hides it from the library, which compares with the wrong number.
func (s *itemStore) Put(item *bep44.Item) error {
	value, err := bencode.Marshal(item.V)
	if err != nil {
		return fmt.Errorf("dht: item: %w", err)
	}
	if len(value) == 0 || len(value) > maxItemSize {
		return bep44.ErrValueFieldTooBig
	}
	kept := *item
	kept.V, kept.Cas = bencode.Bytes(value), 0
	if !kept.IsMutable() {
		kept.Salt, kept.Seq, kept.Sig = nil, 0, [64]byte{}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.putLocked(kept.Target(), &kept, item.Cas)
}

func (s *itemStore) putLocked(target bep44.Target, item *bep44.Item, cas int64) error {
	if old, ok := s.items[target]; ok {
		if cas != 0 && old.Value.(itemEntry).item.Seq != cas {
			return bep44.ErrCasHashMismatched
		}
		s.order.Remove(old)
	} else if len(s.items) >= s.max {
		oldest := s.order.Remove(s.order.Front()).(itemEntry)
		delete(s.items, oldest.target)
	}
	s.items[target] = s.order.PushBack(itemEntry{target, item})
	return nil
}

// Get returns the item, or bep44.ErrItemNotFound itself, as the library compares with ==.
func (s *itemStore) Get(target bep44.Target) (*bep44.Item, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	e, ok := s.items[target]
	if !ok {
		return nil, bep44.ErrItemNotFound
	}
	return e.Value.(itemEntry).item, nil
}

// Del removes the item. The library calls it for those that have expired.
func (s *itemStore) Del(target bep44.Target) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if e, ok := s.items[target]; ok {
		s.order.Remove(e)
		delete(s.items, target)
	}
	return nil
}

func (s *itemStore) len() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.items)
}
