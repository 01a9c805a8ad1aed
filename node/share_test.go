package node

import (
	"fmt"
	"testing"

	"pgregory.net/rapid"

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

// Whatever becomes shareable, private or is removed, and in whatever order that is heard
// of: on offer is what the store has to share, and announced are its sites, each once.
func TestSharingFollowsTheStore(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		announced, offered, store := map[string]int{}, fakeCatalog{}, map[resource.ID]bool{}
		s := newSharing(offered,
			func(site string) { announced[site]++ },
			func(site string) { announced[site]-- })
		s.start(func(id resource.ID) bool { return store[id] })
		var unheard []func()
		site := map[resource.ID]string{}
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			url := fmt.Sprintf("http://www.site%d.example/%d", rapid.IntRange(0, 2).Draw(t, "site"), rapid.IntRange(0, 3).Draw(t, "page"))
			st := storedResponse(t, url)
			id := st.Exchange.ID()
			site[id] = st.Exchange.URL.Site()
			switch rapid.IntRange(0, 2).Draw(t, "change") {
			case 0:
				store[id] = true
				unheard = append(unheard, func() { s.stored(st) })
			case 1:
				store[id] = false // stored again, as something private
				unheard = append(unheard, func() { s.stored(st) })
			case 2:
				delete(store, id)
				unheard = append(unheard, func() { s.removed(id) })
			}
		}
		for _, hear := range rapid.Permutation(unheard).Draw(t, "order") {
			hear()
		}
		sites := map[string]int{}
		for id, site := range site {
			if offered[id] != store[id] {
				t.Fatalf("offered: %v, want %v", offered[id], store[id])
			}
			if store[id] {
				sites[site] = 1
			}
		}
		for site, n := range announced {
			if n != sites[site] {
				t.Fatalf("%s announced %d times, want %d", site, n, sites[site])
			}
		}
	})
}

// The store may evict before the node is put together: that is not an offer to withdraw.
func TestSharingBeforeItsStart(t *testing.T) {
	offered := fakeCatalog{}
	s := newSharing(offered, func(string) { t.Error("announced") }, func(string) { t.Error("withdrawn") })
	st := storedResponse(t, "http://a.example/")
	s.stored(st)
	s.removed(st.Exchange.ID())
	if len(offered) != 0 {
		t.Errorf("offered %v", offered)
	}
}
