package peer

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/peerproxy/peerproxy/resource"
)

func TestSetRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		set := sortedSet(rapid.SliceOfN(rapid.Uint32(), 0, 300).Draw(t, "set"))
		encoded := appendSet(nil, set)
		got, rest, err := parseSet(append(encoded, 7, 8), len(set))
		if err != nil || !slices.Equal(got, set) || !bytes.Equal(rest, []byte{7, 8}) {
			t.Fatalf("got %v, rest %v, %v; want %v", got, rest, err, set)
		}
		for cut := range encoded {
			if _, _, err := parseSet(encoded[:cut], len(set)); !errors.Is(err, errSet) {
				t.Fatalf("cut at %d of %d: %v", cut, len(encoded), err)
			}
		}
		if len(set) > 0 {
			if _, _, err := parseSet(encoded, len(set)-1); !errors.Is(err, errSet) {
				t.Fatalf("over the limit: %v", err)
			}
		}
	})
}

func TestSetExtremes(t *testing.T) {
	for _, set := range [][]uint32{
		nil,
		{0},
		{0xffffffff},
		{0, 0xffffffff},
		{0, 1, 2, 3},
		{0xfffffffe, 0xffffffff},
	} {
		got, rest, err := parseSet(appendSet(nil, set), 10)
		if err != nil || len(rest) > 0 || !slices.Equal(got, set) {
			t.Errorf("%v: got %v, %v, %v", set, got, rest, err)
		}
	}
	// A sum of gaps beyond 32 bits.
	if _, _, err := parseSet([]byte{0, 0, 0, 2, 31, 0b10111111, 0xff, 0xff, 0xff, 0xff, 0xff}, 10); err == nil {
		t.Error("a number over 32 bits was accepted")
	}
}

// However the entries are spread, the largest digest fits, and a typical one is small.
func TestDigestSize(t *testing.T) {
	random := make([]uint32, maxDigestEntries+1000)
	for i := range random {
		random[i] = rand.Uint32()
	}
	random = sortedSet(random)[:maxDigestEntries]
	clustered := make([]uint32, maxDigestEntries)
	for i := range clustered {
		clustered[i] = uint32(i)
		if i > maxDigestEntries/2 {
			clustered[i] = 0xffffffff - maxDigestEntries + uint32(i)
		}
	}
	for name, set := range map[string][]uint32{"random": random, "clustered": clustered} {
		b := digest{prefixes: set}.encode()
		if len(b) > maxDigestBody {
			t.Errorf("%s: %d bytes", name, len(b))
		}
		d, err := parseDigest(b, maxDigestEntries)
		if err != nil || !slices.Equal(d.prefixes, set) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if b := (digest{prefixes: random}).encode(); len(b) > 405_000 {
		t.Errorf("200,000 random entries take %d bytes", len(b))
	}
}

func FuzzDigest(f *testing.F) {
	f.Add(digest{prefixes: []uint32{1, 5, 0xfffffff0}}.encode())
	f.Add(digest{partial: true}.encode())
	f.Add(delta{removed: []uint32{7}, added: []uint32{9, 10}}.encode())
	f.Add([]byte{0, 0, 0, 0, 2, 31, 0xff})
	f.Fuzz(func(t *testing.T, b []byte) {
		if d, err := parseDigest(b, 1000); err == nil {
			if !slices.IsSorted(d.prefixes) || len(slices.Compact(slices.Clone(d.prefixes))) != len(d.prefixes) {
				t.Fatal("not a sorted set")
			}
			again, err := parseDigest(d.encode(), 1000)
			if err != nil || !slices.Equal(again.prefixes, d.prefixes) || again.partial != d.partial {
				t.Fatalf("second reading: %v", err)
			}
		}
		if d, err := parseDelta(b, 1000); err == nil {
			again, err := parseDelta(d.encode(), 1000)
			if err != nil || !slices.Equal(again.added, d.added) || !slices.Equal(again.removed, d.removed) {
				t.Fatalf("second reading: %v", err)
			}
		}
	})
}

// A catalog against a model, and a follower that only sees digests and deltas.
func TestCatalogAndFollower(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := NewCatalog(testSecret)
		model := make(map[resource.ID]bool)
		var follower remoteDigest
		seq, synced := uint64(0), false
		limit := rapid.IntRange(3, 40).Draw(t, "limit")
		t.Repeat(map[string]func(*rapid.T){
			"add": func(t *rapid.T) {
				id := resource.ID{rapid.Byte().Draw(t, "id")}
				c.Add(id)
				model[id] = true
			},
			"remove": func(t *rapid.T) {
				id := resource.ID{rapid.Byte().Draw(t, "id")}
				c.Remove(id)
				delete(model, id)
			},
			"follow": func(t *rapid.T) {
				if d, now, ok := c.since(seq, limit); ok && synced {
					d, err := parseDelta(d.encode(), maxDigestEntries)
					if err == nil {
						err = follower.patch(d, maxDigestEntries)
					}
					if err != nil {
						t.Fatal(err)
					}
					seq = now
				} else {
					d, now := c.snapshot(limit)
					if len(d.prefixes) > limit {
						t.Fatal("snapshot over the limit")
					}
					follower.put(d)
					seq, synced = now, !d.partial
				}
				for id := range model {
					if follower.says(id.Blind(testSecret)) == absent {
						t.Fatal("the follower believes that something shared is absent")
					}
				}
				if synced && follower.entries() != len(model) { // no two of 256 prefixes are equal
					t.Fatalf("follower has %d entries, want %d", follower.entries(), len(model))
				}
			},
			"": func(t *rapid.T) {
				if c.Len() != len(model) {
					t.Fatalf("Len %d, want %d", c.Len(), len(model))
				}
				for id := range model {
					if got, ok := c.lookup(id.Blind(testSecret)); !ok || got != id {
						t.Fatal("lookup of what is there")
					}
				}
			},
		})
	})
}

func TestCatalogForgetsOldChanges(t *testing.T) {
	c := NewCatalog(testSecret)
	_, seq := c.snapshot(10)
	changed := c.changes(seq)
	for i := range maxJournal + 1 {
		c.Add(resource.ID{byte(i), byte(i >> 8)})
	}
	select {
	case <-changed:
	default:
		t.Error("no notice of a change")
	}
	if _, _, ok := c.since(seq, maxDigestEntries); ok {
		t.Error("a delta over more changes than are kept")
	}
	d, seq := c.snapshot(maxDigestEntries)
	if len(d.prefixes) != c.Len() || d.partial {
		t.Errorf("%d of %d, partial %v", len(d.prefixes), c.Len(), d.partial)
	}
	if d, _, ok := c.since(seq, maxDigestEntries); !ok || len(d.added)+len(d.removed) > 0 {
		t.Error("a delta where nothing changed")
	}
	if d, _ := c.snapshot(100); len(d.prefixes) != 100 || !d.partial {
		t.Error("a snapshot over the limit is not partial")
	}
}

func BenchmarkDigest(b *testing.B) {
	set := make([]uint32, maxDigestEntries)
	for i := range set {
		set[i] = rand.Uint32()
	}
	set = sortedSet(set)
	encoded := appendSet(nil, set)
	b.Run("encode200k", func(b *testing.B) {
		for b.Loop() {
			appendSet(nil, set)
		}
	})
	b.Run("decode200k", func(b *testing.B) {
		for b.Loop() {
			_, _, _ = parseSet(encoded, maxDigestEntries)
		}
	})
}
