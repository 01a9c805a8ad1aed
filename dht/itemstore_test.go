package dht

import (
	"bytes"
	"crypto/ed25519"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/anacrolix/dht/v2/bep44"
	"github.com/anacrolix/torrent/bencode"
)

func TestItemStoreIsBounded(t *testing.T) {
	s := newItemStore(10)
	var targets []bep44.Target
	for i := range 25 {
		item := &bep44.Item{V: fmt.Sprint("value ", i)}
		if err := s.Put(item); err != nil {
			t.Fatal(err)
		}
		targets = append(targets, item.Target())
	}
	for i, target := range targets {
		item, err := s.Get(target)
		if i < 15 && !errors.Is(err, bep44.ErrItemNotFound) {
			t.Errorf("item %d: %v, want it gone", i, err)
		}
		if i >= 15 && (err != nil || string(item.V.(bencode.Bytes)) != string(bencode.MustMarshal(fmt.Sprint("value ", i)))) {
			t.Errorf("item %d: %v, %v", i, item, err)
		}
	}
	if err := s.Del(targets[24]); err != nil || s.len() != 9 {
		t.Errorf("Del: %v, %d left", err, s.len())
	}
}

// BEP 44: a value has at most 1000 bytes; what is no part of an immutable item is not kept.
func TestItemStoreKeepsLittle(t *testing.T) {
	s := newItemStore(10)
	for _, item := range []*bep44.Item{{}, {V: bytes.Repeat([]byte("x"), 1000)}} {
		if err := s.Put(item); err == nil {
			t.Errorf("kept %.20v", item.V)
		}
	}
	item := &bep44.Item{V: "v", Salt: make([]byte, 3000), Sig: [64]byte{1}, Seq: 1 << 60}
	if err := s.Put(item); err != nil {
		t.Fatal(err)
	}
	kept, err := s.Get(item.Target())
	if err != nil || kept.Salt != nil || kept.Seq != 0 || kept.Sig != [64]byte{} {
		t.Errorf("kept %+v, %v", kept, err)
	}
}

// BEP 44: cas is compared with the sequence number that is stored. The library compares it with
// the cas that is stored.
func TestItemStoreComparesAndSwaps(t *testing.T) {
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	store := bep44.NewWrapper(newItemStore(10), time.Hour)
	put := func(seq, cas int64) error {
		p := bep44.Put{V: fmt.Sprint(seq), K: (*[32]byte)(public), Seq: seq, Cas: cas}
		p.Sign(private)
		return store.Put(p.ToItem())
	}
	steps := []struct {
		seq, cas int64
		want     error
	}{
		{1, 0, nil},
		{2, 1, nil},
		{3, 2, nil},
		{4, 2, bep44.ErrCasHashMismatched},
		{4, 1, bep44.ErrCasHashMismatched},
		{4, 3, nil},
		{5, 0, nil},
		{4, 0, bep44.ErrSequenceNumberLessThanCurrent},
	}
	for i, step := range steps {
		if err := put(step.seq, step.cas); !errors.Is(err, step.want) {
			t.Errorf("step %d, seq %d cas %d: %v, want %v", i, step.seq, step.cas, err, step.want)
		}
	}
}
