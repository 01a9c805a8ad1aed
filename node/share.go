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
// resource of it is offered. It is told of every change after the change, and looks at
// the store then, so that the order in which it hears of two changes does not matter.
type sharing struct {
	catalog  catalog
	announce func(site string)
	withdraw func(site string)

	mu        sync.Mutex
	shareable func(resource.ID) bool // what the store says; nil until start
	site      map[resource.ID]string // of each resource on offer
	count     map[string]int         // resources on offer of each site
}

func newSharing(c catalog, announce, withdraw func(site string)) *sharing {
	return &sharing{catalog: c, announce: announce, withdraw: withdraw, site: map[resource.ID]string{}, count: map[string]int{}}
}

// start makes sharing follow the store, which shareable asks. What happened before is
// not seen: the caller goes through what is stored afterwards.
func (s *sharing) start(shareable func(resource.ID) bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.shareable = shareable
}

// stored is told of every response that is committed to the store.
func (s *sharing) stored(st *resource.Stored) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.updateLocked(st.Exchange.ID(), st.Exchange.URL.Site())
}

// removed is told of every resource of which nothing is stored any more.
func (s *sharing) removed(id resource.ID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if site, offered := s.site[id]; offered {
		s.updateLocked(id, site)
	}
}

func (s *sharing) updateLocked(id resource.ID, site string) {
	if s.shareable == nil {
		return
	}
	_, offered := s.site[id]
	switch shareable := s.shareable(id); {
	case shareable && !offered:
		s.site[id] = site
		s.catalog.Add(id)
		if s.count[site]++; s.count[site] == 1 {
			s.announce(site)
		}
	case !shareable && offered:
		delete(s.site, id)
		s.catalog.Remove(id)
		if s.count[site]--; s.count[site] == 0 {
			delete(s.count, site)
			s.withdraw(site)
		}
	}
}
