package peer

import (
	"context"
	"time"

	"github.com/peerproxy/peerproxy/resource"
	"github.com/peerproxy/peerproxy/trust"
)

// inquiry weighs what peers offer for one query: which of the different responses have enough
// independent witnesses. It belongs to one goroutine.
type inquiry struct {
	swarm  *Swarm
	query  resource.Query
	offers []*offer // different responses, the one of the first answer first
}

// offer is one response, and who has it.
type offer struct {
	tally    *trust.Tally
	exchange *resource.Exchange // of the strongest tier without witnesses, the first of them
	tier     resource.Tier      // 0 if it is not accepted without them
	signer   trust.Key
	from     []*session
	received time.Time // the latest, as those who have it say
}

// mayWitness reports whether a copy can be accepted because of its witnesses.
func (w *Swarm) mayWitness() bool { return w.jury != nil && w.jury.Quorum() > 0 }

// weigh sees to it that a copy which no trusted key signed is told from what nobody else
// has seen: it asks others for their heads, in the time that there is for it, and
// returns the answer whose content is proven best. That may be another one than a, which is closed then. The
// copy made of it has all but the body.
func (w *Swarm) weigh(ctx context.Context, q resource.Query, a *answer) (*answer, *resource.Copy, error) {
	if !w.mayWitness() {
		return a, copyOf(a), nil
	}
	i := &inquiry{swarm: w, query: q}
	if !i.note(a) {
		a.close()
		return nil, nil, verifyError(trust.ErrUnsignable)
	}
	if !i.decided() {
		i.askOthers(ctx, a.session.key)
	}
	chosen := i.best()
	if chosen.exchange.Body != a.exchange.Body {
		if other := i.takeOver(ctx, chosen); other != nil {
			a.close()
			a = other
		} else {
			chosen = i.offers[0]
		}
	}
	a.exchange, a.tier, a.signer = chosen.exchange, chosen.tier, chosen.signer // the body is the same
	c := i.copyOf(a, chosen)
	if c.Tier == 0 {
		a.close()
		err := verifyError(trust.ErrTooFewWitnesses)
		w.log.Debug("copy refused", "peer", a.session.key, "witnesses", c.Witnesses, "error", err)
		return nil, nil, err
	}
	return a, c, nil
}

// note takes an answer's head into account. It reports whether it has one that can be
// weighed.
func (i *inquiry) note(a *answer) bool {
	i.swarm.see(a.session)
	for _, o := range i.offers {
		if o.tally.Add(a.exchange) {
			o.join(a)
			return true
		}
	}
	tally, err := i.swarm.jury.Tally(a.exchange)
	if err != nil {
		return false
	}
	o := &offer{tally: tally}
	o.join(a)
	i.offers = append(i.offers, o)
	return true
}

func (o *offer) join(a *answer) {
	if o.exchange == nil || a.tier > o.tier {
		o.exchange, o.tier, o.signer = a.exchange, a.tier, a.signer
	}
	o.from = append(o.from, a.session)
	if a.exchange.Received.After(o.received) {
		o.received = a.exchange.Received
	}
}

// testimony counts the witnesses of an offer with what is known by now of where keys were
// met.
func (i *inquiry) testimony(o *offer) trust.Testimony { return o.tally.Count(i.swarm.sightings.met) }

// strength is the tier of an offer, its witnesses counted.
func (i *inquiry) strength(o *offer) resource.Tier {
	if i.testimony(o).Enough() {
		return max(o.tier, resource.Witnessed)
	}
	return o.tier
}

func (i *inquiry) decided() bool { return i.strength(i.best()) > resource.Unproven }

// best is the strongest offer. Of several that are witnessed it is the one that was
// seen last: the site has changed in between. Of others the first.
func (i *inquiry) best() *offer {
	best, tier := i.offers[0], i.strength(i.offers[0])
	for _, o := range i.offers[1:] {
		t := i.strength(o)
		if t > tier || t == tier && t == resource.Witnessed && i.testimony(o).At.After(i.testimony(best).At) {
			best, tier = o, t
		}
	}
	return best
}

// askOthers collects the heads that others have, side by side, until one response is
// proven, the time is over or nobody is left. Who may be asked is as for a copy.
func (i *inquiry) askOthers(ctx context.Context, first trust.Key) {
	ctx, cancel := context.WithTimeout(ctx, i.swarm.cfg.Timeouts.Witness)
	defer cancel()
	h := i.swarm.newHunt(i.query, i.swarm.head(i.query), map[trust.Key]bool{first: true})
	h.budget = i.swarm.cfg.Limits.Heads
	h.asks = lane{width: h.budget, limit: h.budget}
	h.dials.width = h.dials.limit
	h.spread = newSpread()
	err := h.each(ctx, func(a *answer) (more bool) {
		a.close()
		i.note(a)
		return !i.decided()
	})
	if err != nil {
		i.swarm.log.Debug("not enough witnesses", "offers", len(i.offers), "error", err)
	}
}

// maxTakeOvers is how many peers are asked for the body of a response that is better
// than the first one.
const maxTakeOvers = 3

// takeOver asks those who have an offer for all of it. It returns nil if none gives it.
func (i *inquiry) takeOver(ctx context.Context, o *offer) *answer {
	ctx, cancel := context.WithTimeout(ctx, i.swarm.cfg.Timeouts.Ask)
	defer cancel()
	for _, s := range o.from[:min(len(o.from), maxTakeOvers)] {
		a, err := i.swarm.ask(ctx, s, i.swarm.whole(i.query))
		if err != nil {
			continue
		}
		if o.tally.Add(a.exchange) {
			return a
		}
		a.close() // it has changed in between
	}
	return nil
}

// copyOf is the copy that an answer with the content of an offer makes. Its exchange
// carries all witnesses that are known now.
func (i *inquiry) copyOf(a *answer, o *offer) *resource.Copy {
	c := copyOf(a)
	testimony := i.testimony(o)
	c.Witnesses, c.WitnessedAt = testimony.Witnesses, testimony.At
	if testimony.Enough() {
		c.Tier = max(c.Tier, resource.Witnessed)
	}
	if a.tier < resource.Signer { // else the signature that counts had better stay where it is
		c.Exchange = a.exchange.Clone()
		o.tally.Carry(c.Exchange, i.swarm.sightings.met)
	}
	for _, other := range i.offers {
		changed := other.exchange.Body.Root != a.exchange.Body.Root
		if changed && i.strength(other) > 0 && other.received.After(a.exchange.Received) && other.received.After(c.Newer) {
			c.Newer = other.received
		}
	}
	return c
}

// copyOf is the copy that an answer makes, but for its body.
func copyOf(a *answer) *resource.Copy {
	c := &resource.Copy{Exchange: a.exchange, Tier: a.tier, Peer: a.session.key.String()}
	if a.signer != (trust.Key{}) {
		c.Signer = a.signer.String()
	}
	return c
}
