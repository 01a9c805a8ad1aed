package dht

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"

	"github.com/anacrolix/dht/v2/krpc"
	"github.com/anacrolix/torrent/bencode"
)

const (
	maxTransactionID = 32 // bytes that a stranger may have echoed
	maxNodesPerReply = 32 // BEP 5 wants 8
	maxPeersPerReply = 100
)

var errVet = errors.New("dht: message not acceptable")

// knownQueries are those that the library can answer. It keeps a counter for ever for
// each name that it hears, so no other name may reach it.
var knownQueries = []string{"ping", "find_node", "get_peers", "announce_peer", "get", "put"}

// decodeMessage decodes as the library will, and turns its panics into errors.
func decodeMessage(b []byte) (m *krpc.Msg, err error) {
	defer func() {
		if p := recover(); p != nil {
			m, err = nil, fmt.Errorf("dht: decode: %v", p)
		}
	}()
	m = new(krpc.Msg)
	if err := bencode.Unmarshal(b, m); err != nil {
		return nil, fmt.Errorf("dht: decode: %w", err)
	}
	return m, nil
}

// encodeMessage is the reverse of decodeMessage.
func encodeMessage(m *krpc.Msg) (b []byte, err error) {
	defer func() {
		if p := recover(); p != nil {
			b, err = nil, fmt.Errorf("dht: encode: %v", p)
		}
	}()
	return bencode.Marshal(m)
}

// vet checks what the library dereferences without looking. It works on the decoded message,
// so there is no second reading of the bytes that an attacker could make differ.
func vet(m *krpc.Msg) error {
	if len(m.T) > maxTransactionID || !plausibleIP(m.IP.IP) {
		return errVet
	}
	switch m.Y {
	case krpc.YQuery:
		return vetQuery(m)
	case krpc.YResponse:
		return vetReply(m.R)
	case krpc.YError:
		if m.E == nil { // would be taken for success
			return errVet
		}
		return nil
	}
	return errVet
}

func vetQuery(m *krpc.Msg) error {
	a := m.A
	if a == nil || a.ID.IsZero() || !slices.Contains(knownQueries, m.Q) {
		return errVet
	}
	switch m.Q {
	case "announce_peer":
		if !a.ImpliedPort && (a.Port == nil || *a.Port < 1 || *a.Port > 65535) {
			return errVet
		}
	case "put":
		if a.V == nil {
			return errVet
		}
	}
	return nil
}

func vetReply(r *krpc.Return) error {
	if r == nil || r.ID.IsZero() {
		return errVet
	}
	mutable := r.K != [32]byte{} || r.Sig != [64]byte{}
	if mutable && r.Seq == nil {
		return errVet
	}
	return nil
}

// plausibleIP accepts what BEP 42 says and what clients send: no address, an address
// with a port, or (some) without one, of which the library takes two bytes for a port.
func plausibleIP(ip []byte) bool {
	switch len(ip) {
	case 0, 2, 4, 14, 16:
		return true
	}
	return false
}

// prune takes from a reply what its sender may not say: peers and nodes at impossible
// addresses, at private ones when the sender is public, or in absurd numbers.
// It reports whether it changed anything.
func prune(m *krpc.Msg, source netip.Addr) bool {
	if m.R == nil {
		return false
	}
	r := m.R
	before := len(r.Nodes) + len(r.Nodes6) + len(r.Values)
	badNode := func(n krpc.NodeInfo) bool {
		return n.ID.IsZero() || !mayPointAt(source, plainAddrPort(n.Addr.IP, n.Addr.Port))
	}
	r.Nodes = limit(slices.DeleteFunc(r.Nodes, badNode), maxNodesPerReply)
	r.Nodes6 = limit(slices.DeleteFunc(r.Nodes6, func(n krpc.NodeInfo) bool {
		return badNode(n) || n.Addr.IP.To4() != nil
	}), maxNodesPerReply)
	r.Values = limit(slices.DeleteFunc(r.Values, func(p krpc.NodeAddr) bool {
		return !mayPointAt(source, plainAddrPort(p.IP, p.Port))
	}), maxPeersPerReply)
	changed := len(r.Nodes)+len(r.Nodes6)+len(r.Values) != before
	if changed {
		r.Samples = nil // BEP 51; nobody here asks for them, and the library panics encoding them
	}
	return changed
}

func limit[S ~[]E, E any](s S, most int) S {
	return s[:min(len(s), most)]
}
