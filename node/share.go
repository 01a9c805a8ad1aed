package node

import (
	"sync"

	"github.com/peerproxy/peerproxy/resource"
)

// catalog is what peers are told of (peer.Catalog).
type catalog interface {
	Add(resource.ID)
	Remove(resource.ID)
}

// sharing keeps the catalog and the announced sites in step with the store: a resource
// is offered while a shareable response of it is stored, a site announced while a
// resource of it is offered.
type sharing struct {
	catalog  catalog
	announce func(site string)
	withdraw func(site string)

	mu    sync.Mutex
	site  map[resource.ID]string // of each resource on offer
	count map[string]int         // resources on offer of each site
}

func newSharing(c catalog, announce, withdraw func(site string)) *sharing {
	return &sharing{catalog: c, announce: announce, withdraw: withdraw, site: map[resource.ID]string{}, count: map[string]int{}}
}

// stored is told of every response that is committed to the store.
func (s *sharing) stored(st *resource.Stored) {
	if !st.Shareable {
		return
	}
	id, site := st.Exchange.ID(), st.Exchange.URL.Site()
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, known := s.site[id]; known {
		return
	}
	s.site[id] = site
	s.count[site]++
	s.catalog.Add(id)
	if s.count[site] == 1 {
		s.announce(site)
	}
}

// removed is told of every resource of which nothing is stored any more.
func (s *sharing) removed(id resource.ID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	site, known := s.site[id]
	if !known {
		return
	}
	delete(s.site, id)
	s.catalog.Remove(id)
	if s.count[site]--; s.count[site] == 0 {
		delete(s.count, site)
		s.withdraw(site)
	}
}
