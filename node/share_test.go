package node

import (
	"fmt"
	"maps"
	"testing"

	"pgregory.net/rapid"

	"github.com/peerproxy/peerproxy/dht"
	"github.com/peerproxy/peerproxy/resource"
)

type fakeCatalog map[resource.ID]bool

func (c fakeCatalog) Add(id resource.ID)    { c[id] = true }
func (c fakeCatalog) Remove(id resource.ID) { delete(c, id) }

func storedResponse(t interface{ Fatal(...any) }, url string) *resource.Stored {
	u, err := resource.ParseURL(url)
	if err != nil {
		t.Fatal(err)
	}
	return &resource.Stored{Exchange: &resource.Exchange{Method: "GET", URL: u}}
}

// wantTopics is what is to be announced for resources of these lengths.
func wantTopics(l levels, sites map[resource.ID]string, lengths map[resource.ID]int64) map[dht.Topic]int {
	want := map[dht.Topic]int{}
	for id, length := range lengths {
		bucket, _ := dht.Bucket(sites[id], l.bits)
		if l.public || l.level == LevelBucket {
			want[bucket] = 1
		}
		if l.level != LevelBucket {
			want[dht.Topic{Level: "site", Name: sites[id]}] = 1
		}
		if l.level == LevelExact && length >= l.exactFrom {
			want[dht.Topic{Level: "exact", Name: id.String()}] = 1
		}
	}
	return want
}

// Whatever becomes shareable, private, longer or is removed, and in whatever order that is heard
// of: on offer is what the store has to share, and announced are its topics, each once: one bucket
// for several sites, none for a URL but a large one's at the level for that.
func TestSharingFollowsTheStore(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l := levels{
			level: rapid.SampledFrom([]Level{LevelBucket, LevelSite, LevelExact}).Draw(t, "level"),
			bits:  4, exactFrom: 1000, public: rapid.Bool().Draw(t, "public"),
		}
		announced, offered, store := map[dht.Topic]int{}, fakeCatalog{}, map[resource.ID]int64{}
		s := newSharing(offered, l,
			func(topic dht.Topic) { announced[topic]++ },
			func(topic dht.Topic) { announced[topic]-- })
		s.start(func(id resource.ID) (int64, bool) {
			length, ok := store[id]
			return length, ok
		})
		var unheard []func()
		site := map[resource.ID]string{}
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			// With 16 buckets and 8 sites some share one.
			url := fmt.Sprintf("http://www.site%d.example/%d", rapid.IntRange(0, 7).Draw(t, "site"), rapid.IntRange(0, 3).Draw(t, "page"))
			st := storedResponse(t, url)
			id := st.Exchange.ID()
			site[id] = st.Exchange.URL.Site()
			switch rapid.IntRange(0, 2).Draw(t, "change") {
			case 0:
				store[id] = rapid.SampledFrom([]int64{0, 999, 1000, 5000}).Draw(t, "length")
				unheard = append(unheard, func() { s.stored(st) })
			case 1:
				delete(store, id) // stored again, as something private
				unheard = append(unheard, func() { s.stored(st) })
			case 2:
				delete(store, id)
				unheard = append(unheard, func() { s.removed(id) })
			}
		}
		for _, hear := range rapid.Permutation(unheard).Draw(t, "order") {
			hear()
		}
		for id := range site {
			if _, held := store[id]; offered[id] != held {
				t.Fatalf("offered: %v, want %v", offered[id], held)
			}
		}
		maps.DeleteFunc(announced, func(_ dht.Topic, n int) bool { return n == 0 })
		if want := wantTopics(l, site, store); !maps.Equal(announced, want) {
			t.Fatalf("announced %v, want %v", announced, want)
		}
		sites := map[string]bool{}
		for id := range store {
			sites[site[id]] = true
		}
		if n := s.announced(func(topic dht.Topic) bool { return announced[topic] == 1 }); n != len(sites) {
			t.Fatalf("%d sites are announced, want %d", n, len(sites))
		}
	})
}

// Sites keep their share of the announcer's budget, however many large files there are.
func TestExactAnnouncementsAreBounded(t *testing.T) {
	announced := map[string]int{}
	s := newSharing(fakeCatalog{}, levels{level: LevelExact, bits: 10, exactFrom: 1},
		func(topic dht.Topic) { announced[topic.Level]++ },
		func(topic dht.Topic) { announced[topic.Level]-- })
	gone := map[resource.ID]bool{}
	s.start(func(id resource.ID) (int64, bool) { return 1, !gone[id] })
	var first *resource.Stored
	for i := range 2 * maxExact {
		st := storedResponse(t, fmt.Sprintf("http://a.example/%d", i))
		if first == nil {
			first = st
		}
		s.stored(st)
	}
	if announced["exact"] != maxExact || announced["site"] != 1 {
		t.Errorf("announced %v", announced)
	}
	gone[first.Exchange.ID()] = true
	s.removed(first.Exchange.ID())
	s.stored(storedResponse(t, "http://a.example/another"))
	if announced["exact"] != maxExact {
		t.Errorf("announced %v when there was room again", announced)
	}
}

// The store may evict before the node is put together: that is not an offer to withdraw.
func TestSharingBeforeItsStart(t *testing.T) {
	offered := fakeCatalog{}
	s := newSharing(offered, levels{bits: 10}, func(dht.Topic) { t.Error("announced") }, func(dht.Topic) { t.Error("withdrawn") })
	st := storedResponse(t, "http://a.example/")
	s.stored(st)
	s.removed(st.Exchange.ID())
	if len(offered) != 0 {
		t.Errorf("offered %v", offered)
	}
}
