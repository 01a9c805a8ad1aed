package peer

import (
	"net/netip"
	"slices"
	"time"

	"github.com/peerproxy/peerproxy/trust"
)

// Status is what a swarm does at the moment.
type Status struct {
	Sessions []SessionStatus // oldest first
	Shared   int             // resources in the catalog
	Shunned  int             // keys that lied lately, at most
	Serving  int             // requests of peers that are being answered
}

// SessionStatus is one connection to a peer.
type SessionStatus struct {
	Key     trust.Key
	Address netip.AddrPort
	Dialled bool // by this node
	Since   time.Time
	RTT     time.Duration // 0 if it is not known yet
	Digest  int           // resources that the peer says it shares, -1 if it has not said
	Served  int64         // bytes that this node gave the peer
	Busy    int64         // questions under way, both directions
}

// Status returns a snapshot.
func (w *Swarm) Status() Status {
	st := Status{
		Shared:  w.cfg.Catalog.Len(),
		Shunned: w.liars.len(),
		Serving: len(w.slots),
	}
	for _, s := range w.sessions.all() {
		st.Sessions = append(st.Sessions, SessionStatus{
			Key:     s.key,
			Address: s.addr,
			Dialled: s.dialled,
			Since:   s.since,
			RTT:     s.mux.RTT(),
			Digest:  s.remote.entries(),
			Served:  s.served.Load(),
			Busy:    s.busy.Load(),
		})
	}
	slices.SortFunc(st.Sessions, func(a, b SessionStatus) int { return a.Since.Compare(b.Since) })
	return st
}
