package proxy

import (
	"time"

	"github.com/peerproxy/peerproxy/resource"
)

// witnessedAt reports whether a stored copy is witnessed now, and when its witnesses had got it; zero =
// not known.
func (p *Proxy) witnessedAt(st *resource.Stored) (at time.Time, ok bool) {
	switch {
	case st.Tier != resource.Witnessed:
		return time.Time{}, false
	case p.cfg.StillWitnessed == nil:
		return time.Time{}, true
	}
	return p.cfg.StillWitnessed(st.Exchange)
}

// asSeen is an exchange as its witnesses got it. When it was received is the word of one unknown
// key in it: who makes a new exchange of old bytes, with their witnesses, would have them pass for new.
func asSeen(ex *resource.Exchange, witnessed time.Time) *resource.Exchange {
	if witnessed.IsZero() || !witnessed.Before(ex.Received) {
		return ex
	}
	seen := *ex
	seen.Requested, seen.Received = witnessed, witnessed
	return &seen
}

// storedAsSeen is asSeen for what is stored.
func (p *Proxy) storedAsSeen(st *resource.Stored) *resource.Exchange {
	at, _ := p.witnessedAt(st)
	return asSeen(st.Exchange, at)
}

// copyAsSeen is asSeen for what a peer gave.
func copyAsSeen(c *resource.Copy) *resource.Exchange {
	if c.Tier != resource.Witnessed {
		return c.Exchange
	}
	return asSeen(c.Exchange, c.WitnessedAt)
}
