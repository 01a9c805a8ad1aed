package proxy

import (
	"sync"
	"time"
)

// maxFailing bounds how many failing sites are remembered.
const maxFailing = 1024

// health remembers for a while which sites did not answer, so that the next parts
// of a page are asked of peers at once. It is safe for concurrent use.
type health struct {
	lasts time.Duration
	now   func() time.Time

	mu    sync.Mutex
	until map[string]time.Time // by site
}

func newHealth(lasts time.Duration, now func() time.Time) *health {
	return &health{lasts: lasts, now: now, until: map[string]time.Time{}}
}

// failing reports whether the site failed lately.
func (h *health) failing(site string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	until, known := h.until[site]
	return known && h.now().Before(until)
}

func (h *health) failed(site string) {
	now := h.now()
	h.mu.Lock()
	defer h.mu.Unlock()
	if _, known := h.until[site]; !known && len(h.until) >= maxFailing {
		h.makeRoomLocked(now)
	}
	h.until[site] = now.Add(h.lasts)
}

func (h *health) worked(site string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.until, site)
}

// makeRoomLocked forgets what has expired, or else the site that would be forgotten next.
func (h *health) makeRoomLocked(now time.Time) {
	var oldest string
	for site, until := range h.until {
		if !now.Before(until) {
			delete(h.until, site)
		} else if oldest == "" || until.Before(h.until[oldest]) {
			oldest = site
		}
	}
	if len(h.until) >= maxFailing {
		delete(h.until, oldest)
	}
}
