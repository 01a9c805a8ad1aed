package peer

import (
	"cmp"
	"slices"
	"time"

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
		if rank := h.rank(s, last); rank != askNever && !(rank == askMissed && h.spread != nil) {
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

// noteDial takes the session with a peer that the look-up gave. If it was found for the
// very site, that is remembered for the next parts of the site. If not, it is one of many that
// the site is hidden among: it is asked only once its digest says that it has a copy.
func (h *hunt) noteDial(r dialResult) {
	h.dials.running--
	if r.err != nil {
		return
	}
	if r.named {
		r.session.sites.put(h.site, struct{}{}, h.swarm.cfg.Timeouts.Idle)
	}
	says := r.session.remote.says(h.id)
	switch {
	case h.avoid[r.session.key] || h.asked[r.session]:
	case says == absent:
		h.saidNo[r.session] = true
		if r.named {
			h.doubted = append(h.doubted, r.session)
		}
	case says == present || r.named:
		h.enqueue(r.session)
	default:
		h.unheard[r.session] = r.session.since.Add(h.swarm.cfg.Timeouts.Ask)
	}
}

// hearDigests looks whether those have said by now what they have who are not asked before, and
// gives up those who take too long, or don't tell all.
func (h *hunt) hearDigests() {
	for s, until := range h.unheard {
		says := s.remote.says(h.id)
		if says == present {
			h.enqueue(s)
		}
		if says == absent {
			h.saidNo[s] = true
		}
		if says != unknown || s.remote.entries() >= 0 || s.gone() || !time.Now().Before(until) {
			delete(h.unheard, s)
		}
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
