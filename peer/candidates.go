package peer

import (
	"cmp"
	"slices"

	"github.com/peerproxy/peerproxy/trust"
)

// The order in which sessions are asked. Who is askNever is not told what the user
// lacks.
const (
	askNever  = iota
	askFirst  // its digest has it, and it had the last part of the site
	askSure   // its digest has it
	askFound  // it was found for the site, and its digest does not say
	askMissed // its digest has it, and was wrong many times
)

// enqueueSessions queues the connected peers that may be asked and were not, and
// reports whether one of them says that it has a copy.
func (h *hunt) enqueueSessions() (sure bool) {
	type candidate struct {
		s    *session
		rank int
	}
	var list []candidate
	last, _ := h.swarm.affinity.get(h.site)
	for _, s := range h.swarm.sessions.all() {
		if h.avoid[s.key] || h.asked[s] {
			continue
		}
		if rank := h.rank(s, last); rank != askNever {
			sure = sure || rank <= askSure
			list = append(list, candidate{s, rank})
		}
	}
	slices.SortStableFunc(list, func(a, b candidate) int {
		return cmp.Or(cmp.Compare(a.rank, b.rank), cmp.Compare(a.s.mux.RTT(), b.s.mux.RTT()))
	})
	for _, c := range list {
		h.enqueue(c.s)
	}
	return sure
}

// rank is the place of a session in the order. To ask is to tell what the user lacks,
// and anybody may connect and say nothing. So without a digest that has it, only those
// are asked whom the look-up for the site gave.
func (h *hunt) rank(s *session, last trust.Key) int {
	switch says := s.remote.says(h.id); {
	case says == absent:
		h.saidNo[s] = true
		return askNever
	case says == unknown && s.sites.has(h.site):
		return askFound
	case says == unknown:
		return askNever
	}
	switch {
	case s.misses.Load() >= maxMisses:
		return askMissed
	case s.key == last:
		return askFirst
	}
	return askSure
}

func (h *hunt) enqueue(s *session) {
	if !h.asked[s] {
		h.asked[s] = true
		h.queue = append(h.queue, s)
	}
}

// noteDial takes the session with a peer that the look-up gave, and remembers for the
// next parts of the site that it did.
func (h *hunt) noteDial(r dialResult) {
	h.dials.running--
	if r.err != nil {
		return
	}
	r.session.sites.put(h.site, struct{}{}, h.swarm.cfg.Timeouts.Idle)
	switch {
	case h.avoid[r.session.key] || h.asked[r.session]:
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
