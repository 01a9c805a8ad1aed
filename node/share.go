package node

import (
	"maps"
	"slices"
	"sync"

	"github.com/peerproxy/peerproxy/dht"
	"github.com/peerproxy/peerproxy/resource"
)

// catalog is what peers are told of (peer.Catalog).
type catalog interface {
	Add(resource.ID)
	Remove(resource.ID)
}

// sharing keeps the catalog and what is announced in step with the store: a resource is
// offered while a shareable response of it is stored, a topic announced while a resource
// of it is offered. It is told of every change after the change, and looks at the store
// then, so that the order in which it hears of two changes does not matter.
type sharing struct {
	catalog  catalog
	levels   levels
	announce func(dht.Topic)
	withdraw func(dht.Topic)

	mu        sync.Mutex
	shareable shareable                // what the store says; nil until start
	site      map[resource.ID]string   // of each resource on offer
	sites     map[string]int           // resources on offer of each site
	topics    map[dht.Topic]int        // sites on offer of each topic of sites
	exact     map[resource.ID]struct{} // of those on offer, which are announced by themselves
}

// shareable reports whether there is anything of a resource to give, and the length of
// its longest body in bytes.
type shareable func(resource.ID) (length int64, ok bool)

func newSharing(c catalog, l levels, announce, withdraw func(dht.Topic)) *sharing {
	return &sharing{
		catalog: c, levels: l, announce: announce, withdraw: withdraw,
		site: map[resource.ID]string{}, sites: map[string]int{}, topics: map[dht.Topic]int{}, exact: map[resource.ID]struct{}{},
	}
}

// start makes sharing follow the store, which is asked. What happened before is not seen:
// the caller goes through what is stored afterwards.
func (s *sharing) start(store shareable) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.shareable = store
}

// stored is told of every response that is committed to the store.
func (s *sharing) stored(st *resource.Stored) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.updateLocked(st.Exchange.ID(), st.Exchange.URL.Site())
}

// removed is told of every resource of which nothing, or nothing of worth, is stored any more.
func (s *sharing) removed(id resource.ID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if site, offered := s.site[id]; offered {
		s.updateLocked(id, site)
	}
}

// again looks at all that is on offer, after a change of what may be given that is none of the store.
func (s *sharing) again() {
	s.mu.Lock()
	offered := maps.Clone(s.site)
	s.mu.Unlock()
	for id := range offered {
		s.removed(id)
	}
}

func (s *sharing) updateLocked(id resource.ID, site string) {
	if s.shareable == nil {
		return
	}
	_, offered := s.site[id]
	length, shareable := s.shareable(id)
	switch {
	case shareable && !offered:
		s.site[id] = site
		s.catalog.Add(id)
		s.announceSiteLocked(site)
	case !shareable && offered:
		delete(s.site, id)
		s.catalog.Remove(id)
		s.withdrawSiteLocked(site)
	}
	s.updateExactLocked(id, shareable && s.levels.announcesExact(length))
}

// announceSiteLocked announces, for the first resource of a site, those of its topics that no other site has
// announced.
func (s *sharing) announceSiteLocked(site string) {
	if s.sites[site]++; s.sites[site] > 1 {
		return
	}
	for _, t := range s.levels.sites(site) {
		if s.topics[t]++; s.topics[t] == 1 {
			s.announce(t)
		}
	}
}

func (s *sharing) withdrawSiteLocked(site string) {
	if s.sites[site]--; s.sites[site] > 0 {
		return
	}
	delete(s.sites, site)
	for _, t := range s.levels.sites(site) {
		if s.topics[t]--; s.topics[t] == 0 {
			delete(s.topics, t)
			s.withdraw(t)
		}
	}
}

// updateExactLocked announces a resource by itself, while there are not too many such.
func (s *sharing) updateExactLocked(id resource.ID, want bool) {
	_, announced := s.exact[id]
	switch {
	case want && !announced && len(s.exact) < maxExact:
		s.exact[id] = struct{}{}
		s.announce(s.levels.exact(id))
	case !want && announced:
		delete(s.exact, id)
		s.withdraw(s.levels.exact(id))
	}
}

// announced counts the sites on offer whose topics all stand in the DHT, as is says.
func (s *sharing) announced(is func(dht.Topic) bool) (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for site := range s.sites {
		if !slices.ContainsFunc(s.levels.sites(site), func(t dht.Topic) bool { return !is(t) }) {
			n++
		}
	}
	return n
}
