package trust

import (
	"cmp"
	"net/netip"
	"slices"
	"time"

	"github.com/peerproxy/peerproxy/resource"
)

// defaultQuorum is how many independent witnesses it takes, if nothing else is said.
const defaultQuorum = 3

// Met tells the network in which this node has met a key: a session on which the key
// was proven led there. Keys are free and addresses are not, so what is counted is
// networks. Of several the latest is given, so that one key never counts as two.
type Met func(Key) (network netip.Prefix, ok bool)

// Testimony is what witnesses make of an exchange.
type Testimony struct {
	// Witnesses is how many are independent: met in different networks.
	Witnesses int
	// At is when as many as it takes had seen the bytes: the time of the k-th
	// newest of them. It is zero if there are fewer. The times in the exchange are the word of
	// one key, this one is theirs: old bytes in a new exchange stay old.
	At time.Time
}

// Enough reports whether there are as many witnesses as it takes.
func (t Testimony) Enough() bool { return !t.At.IsZero() }

// Quorum is how many independent witnesses make a copy [resource.Witnessed]. It is 0 if the
// policy takes no copy on the word of witnesses.
func (p Policy) Quorum() int {
	if !p.Any && !p.Witnessed || p.Witnesses < 0 {
		return 0
	}
	return cmp.Or(p.Witnesses, defaultQuorum)
}

// counts reports whether a key counts as a witness of a URL: not the node's own, which
// would be its own witness, not a revoked one, and none but the listed ones where
// [Policy.Sites] says so.
func (p Policy) counts(key Key, u resource.URL) bool {
	ring := p.Ring.Load()
	if p.isSelf(key) || p.revoked(key, ring) {
		return false
	}
	if _, listed := p.only(u); listed {
		return p.trusts(key, u, ring)
	}
	return true
}

// Tally collects the witness signatures over one response, from all exchanges that they
// are valid for. It is for one goroutine.
type Tally struct {
	policy    Policy
	quorum    int
	url       resource.URL
	statement *witnessStatement
	votes     map[Key]vote
}

// vote is the newest valid signature of one witness.
type vote struct {
	signature resource.Signature
	created   time.Time
}

// Tally begins with the witnesses that ex carries. The error wraps [ErrUnsignable].
func (p Policy) Tally(ex *resource.Exchange) (*Tally, error) {
	s, err := newWitnessStatement(ex)
	if err != nil {
		return nil, err
	}
	t := &Tally{policy: p, quorum: cmp.Or(p.Quorum(), defaultQuorum), url: ex.URL, statement: s, votes: make(map[Key]vote)}
	t.collect(ex.Signatures)
	return t, nil
}

// Add takes the witnesses that ex carries over, if what they sign is the same. It reports
// whether it is.
func (t *Tally) Add(ex *resource.Exchange) bool {
	s, err := newWitnessStatement(ex)
	if err != nil || !s.same(t.statement) {
		return false
	}
	t.collect(ex.Signatures)
	return true
}

func (t *Tally) collect(signatures []resource.Signature) {
	for _, sig := range signatures[:min(len(signatures), resource.MaxSignatures)] {
		if !isWitness(sig) {
			continue
		}
		key, created, err := t.statement.read(sig)
		if err != nil || !created.After(t.votes[key].created) {
			continue // known already, and not to be verified again
		}
		if _, _, err := t.statement.verify(sig); err == nil && !t.future(created) {
			t.votes[key] = vote{sig, created}
		}
	}
}

// future is asked before a signature is noted: else one that is from the future would hide
// an older one of its key.
func (t *Tally) future(created time.Time) bool {
	return created.After(t.policy.now().Add(maxClockError))
}

// Count counts the independent witnesses: keys that were met, in different networks, other
// than the node's own. How old a signature is does not matter for this: that its key got these
// bytes stays true. It matters for [Testimony.At].
func (t *Tally) Count(met Met) Testimony {
	newest := make(map[netip.Prefix]time.Time)
	for key, v := range t.votes {
		network, ok := met(key)
		if ok && t.policy.counts(key, t.url) && !v.created.Before(newest[network]) {
			newest[network] = v.created
		}
	}
	result := Testimony{Witnesses: len(newest)}
	if len(newest) < t.quorum {
		return result
	}
	times := make([]time.Time, 0, len(newest))
	for _, at := range newest {
		times = append(times, at)
	}
	slices.SortFunc(times, func(a, b time.Time) int { return b.Compare(a) })
	result.At = times[t.quorum-1]
	return result
}

// Carry puts the signatures that were collected into ex, which must be what they are
// over: whoever gets it from this node knows the witnesses that this node knows. Behind the
// first few valid signatures over all of ex come the witnesses that were met, the newest of
// each network first, then those that were not, each the newest first, as far as there is room. It reports whether that is so; ex is unchanged if not. Only
// ex.Signatures is replaced.
func (t *Tally) Carry(ex *resource.Exchange, met Met) bool {
	s, err := newWitnessStatement(ex)
	if err != nil || !s.same(t.statement) {
		return false
	}
	whole, err := newStatement(ex)
	if err != nil {
		return false
	}
	var signatures []resource.Signature
	for _, sig := range ex.Signatures[:min(len(ex.Signatures), resource.MaxSignatures)] {
		// What is wrong among them, or too many, would leave no room.
		if _, err := whole.verify(sig); err == nil && len(signatures) < maxWhole {
			signatures = append(signatures, sig)
		}
	}
	ex.Signatures = fitting(ex, append(signatures, t.ranked(met)...))
	return true
}

// maxWhole is how many signatures over the whole exchange stay beside those of witnesses.
const maxWhole = 4

// ranked lists the signatures: the newest of each network that was met, then the others that were
// met, then those that were not, each the newest first. [Policy.StillWitnessed] relies on that.
func (t *Tally) ranked(met Met) []resource.Signature {
	type candidate struct {
		vote
		network netip.Prefix // the zero one if it does not count
		rank    int
	}
	list, ring := make([]*candidate, 0, len(t.votes)), t.policy.Ring.Load()
	for key, v := range t.votes {
		if t.policy.revoked(key, ring) {
			continue // so that one of a key that is revoked later shows
		}
		c := &candidate{vote: v, rank: 2}
		if network, ok := met(key); ok && t.policy.counts(key, t.url) {
			c.network, c.rank = network, 1
		}
		list = append(list, c)
	}
	byRank := func(a, b *candidate) int {
		return cmp.Or(cmp.Compare(a.rank, b.rank), b.created.Compare(a.created), cmp.Compare(a.signature.Input, b.signature.Input))
	}
	slices.SortFunc(list, byRank)
	seen := make(map[netip.Prefix]bool)
	for _, c := range list {
		if c.network.IsValid() && !seen[c.network] {
			seen[c.network], c.rank = true, 0
		}
	}
	slices.SortFunc(list, byRank)
	signatures := make([]resource.Signature, len(list))
	for i, c := range list {
		signatures[i] = c.signature
	}
	return signatures
}

// StillWitnessed reports whether a stored copy that was [resource.Witnessed] when it came, and carries
// its witnesses ([Tally.Carry]), can count as such by what the user trusts now, and since when
// ([Testimony.At]). It takes as many keys as ever that count for it, and none that has been revoked
// since: which of them were met in which networks is not known any more. It may be called for every delivery.
func (p Policy) StillWitnessed(ex *resource.Exchange) (at time.Time, ok bool) {
	s, err := newWitnessStatement(ex)
	if err != nil || p.Quorum() == 0 {
		return time.Time{}, false
	}
	quorum := min(p.Quorum(), resource.MaxSignatures-maxWhole)
	keys, ring := make(map[Key]bool), p.Ring.Load()
	for _, sig := range ex.Signatures[:min(len(ex.Signatures), resource.MaxSignatures)] {
		if !isWitness(sig) {
			continue
		}
		key, created, err := s.read(sig) // verified when it was collected
		if err == nil && p.revoked(key, ring) {
			return time.Time{}, false
		}
		if err != nil || keys[key] || !p.counts(key, ex.URL) {
			continue
		}
		if keys[key] = true; len(keys) == quorum {
			at = created
		}
	}
	return at, !at.IsZero()
}
