package peer

import (
	"cmp"
	"slices"
)

// enqueueSessions queues the connected peers that may have it, and reports whether
// one of them says so.
func (h *hunt) enqueueSessions() (sure bool) {
	type candidate struct {
		s    *session
		rank int
	}
	var list []candidate
	last, _ := h.swarm.affinity.get(h.site)
	for _, s := range h.swarm.sessions.all() {
		if h.avoid[s.key] {
			continue
		}
		says := s.remote.says(h.id)
		misses := s.misses.Load() >= maxMisses
		rank := 1
		switch {
		case says == absent:
			h.saidNo[s] = true
			continue
		case says == unknown:
			rank = 2
		case misses:
			rank = 3
		case s.key == last:
			rank = 0
		}
		sure = sure || rank < 2
		list = append(list, candidate{s, rank})
	}
	slices.SortStableFunc(list, func(a, b candidate) int {
		return cmp.Or(cmp.Compare(a.rank, b.rank), cmp.Compare(a.s.mux.RTT(), b.s.mux.RTT()))
	})
	for _, c := range list {
		h.enqueue(c.s)
	}
	return sure
}

func (h *hunt) enqueue(s *session) {
	if !h.asked[s] {
		h.asked[s] = true
		h.queue = append(h.queue, s)
	}
}

func (h *hunt) noteDial(r dialResult) {
	h.dials.running--
	switch {
	case r.err != nil || h.avoid[r.session.key] || h.asked[r.session]:
	case r.session.remote.says(h.id) == absent:
		h.saidNo[r.session] = true
		h.doubted = append(h.doubted, r.session)
	default:
		h.enqueue(r.session)
	}
}

// enqueueDoubted queues those whose digest may be a moment behind what they announce,
// when nobody else is left. It reports whether there are any.
func (h *hunt) enqueueDoubted() bool {
	n := min(len(h.doubted), h.swarm.cfg.Limits.Asks)
	for _, s := range h.doubted[:n] {
		h.enqueue(s)
	}
	h.doubted = nil
	return n > 0
}
