package dht

import (
	"net/netip"
	"time"
)

// Status is a node's state at one moment.
type Status struct {
	Ready    bool // the first round of bootstrapping is over
	Families []FamilyStatus
}

// FamilyStatus is the state of one address family.
type FamilyStatus struct {
	Network string         // "udp4" or "udp6"
	Addr    netip.AddrPort // of the socket
	// Observed is the address and port that most other nodes see, behind a NAT the outer one;
	// the zero value if too few have said or they disagree.
	Observed      netip.AddrPort
	ID            InfoHash // the node's own, new at each start
	Nodes         int      // in the routing table
	GoodNodes     int      // of these, answered lately
	Rounds        int      // of bootstrapping, done
	Answers       int      // in the last round; 0 = nobody is there, or a firewall is
	LastBootstrap time.Time
	Peers         int // kept for others
	Items         int // kept for others (BEP 44)
	Drops         Drops
}

// Status returns the node's state.
func (n *Node) Status() Status {
	var s Status
	select {
	case <-n.ready:
		s.Ready = true
	default:
	}
	for _, f := range n.families {
		s.Families = append(s.Families, f.status())
	}
	return s
}

func (f *family) status() FamilyStatus {
	table := f.server.Stats()
	rounds, answers, last := f.round.get()
	return FamilyStatus{
		Network:       f.network,
		Addr:          f.local,
		Observed:      f.contacts.observed(),
		ID:            InfoHash(f.id),
		Nodes:         table.Nodes,
		GoodNodes:     table.GoodNodes,
		Rounds:        rounds,
		Answers:       answers,
		LastBootstrap: last,
		Peers:         f.peers.len(),
		Items:         f.items.len(),
		Drops:         f.guard.counts(),
	}
}
