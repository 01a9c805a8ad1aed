package node

import (
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/peerproxy/peerproxy/resource"
)

type fakeCatalog map[resource.ID]bool

func (c fakeCatalog) Add(id resource.ID)    { c[id] = true }
func (c fakeCatalog) Remove(id resource.ID) { delete(c, id) }

func storedResponse(t interface{ Fatal(...any) }, url string, shareable bool) *resource.Stored {
	u, err := resource.ParseURL(url)
	if err != nil {
		t.Fatal(err)
	}
	return &resource.Stored{Exchange: &resource.Exchange{Method: "GET", URL: u}, Shareable: shareable}
}

// Whatever is stored and removed in whatever order: on offer is what was stored as
// shareable and not removed since, and announced are its sites, each once.
func TestSharingFollowsTheStore(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		announced, offered := map[string]int{}, fakeCatalog{}
		s := newSharing(offered,
			func(site string) { announced[site]++ },
			func(site string) { announced[site]-- })
		model := map[string]bool{}
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			url := fmt.Sprintf("http://www.site%d.example/%d", rapid.IntRange(0, 2).Draw(t, "site"), rapid.IntRange(0, 3).Draw(t, "page"))
			if rapid.Bool().Draw(t, "store") {
				shareable := rapid.Bool().Draw(t, "shareable")
				s.stored(storedResponse(t, url, shareable))
				model[url] = model[url] || shareable
			} else {
				s.removed(storedResponse(t, url, false).Exchange.ID())
				delete(model, url)
			}
			sites := map[string]int{}
			for url, on := range model {
				st := storedResponse(t, url, true)
				if offered[st.Exchange.ID()] != on {
					t.Fatalf("%s offered: %v, want %v", url, !on, on)
				}
				if on {
					sites[st.Exchange.URL.Site()] = 1
				}
			}
			for site, n := range announced {
				if n != sites[site] {
					t.Fatalf("%s announced %d times, want %d", site, n, sites[site])
				}
			}
		}
	})
}

func TestSharingNeverOffersWhatIsNotShareable(t *testing.T) {
	offered, announced := fakeCatalog{}, []string{}
	s := newSharing(offered, func(site string) { announced = append(announced, site) }, func(string) {})
	s.stored(storedResponse(t, "http://bank.example/account", false))
	if len(offered) != 0 || !slices.Equal(announced, []string{}) {
		t.Fatalf("offered %v, announced %v", offered, announced)
	}
}
