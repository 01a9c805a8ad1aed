package dht

import (
	"net/netip"
	"strconv"
	"sync"
)

// maxPending is more than can be under way within the time that a query waits for its answer.
const maxPending = 512

// pending remembers which queries may still be waiting for an answer. The library cannot cancel
// those that its table maintainer sends, so when the guard closes it answers them itself,
// which ends them at once instead of after seconds.
type pending struct {
	mu      sync.Mutex
	queries bounded[pendingQuery, struct{}]
}

type pendingQuery struct {
	to netip.AddrPort
	id string // as the library gave it
}

func newPending() *pending {
	return &pending{queries: newBounded[pendingQuery, struct{}](maxPending)}
}

func (p *pending) sent(to netip.AddrPort, id []byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.queries.set(pendingQuery{to, string(id)}, struct{}{})
}

func (p *pending) answered(from netip.AddrPort, id []byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.queries.remove(pendingQuery{from, string(id)})
}

// refuseOne takes a query out and returns the error message that answers it.
func (p *pending) refuseOne() (answer []byte, from netip.AddrPort, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for q := range p.queries.m {
		p.queries.remove(q)
		answer = append(answer, "d1:eli201e6:closede1:t"...)
		answer = strconv.AppendInt(answer, int64(len(q.id)), 10)
		answer = append(answer, ':')
		answer = append(answer, q.id...)
		return append(answer, "1:y1:ee"...), q.to, true
	}
	return nil, netip.AddrPort{}, false
}
