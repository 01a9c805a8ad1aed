package peer

import (
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/peerproxy/peerproxy/resource"
)

// A digest tells a peer what it may ask for. The 32-bit prefixes collide for one
// question in 20,000 at 200,000 entries; then, or if the peer lies, one question is
// in vain.
type digest struct {
	prefixes []uint32 // sorted
	partial  bool     // there is more: absence proves nothing
}

// delta is a change of a digest. Added wins over removed.
type delta struct{ removed, added []uint32 }

// maxDigestBody bounds the content of a digest or delta, in bytes: 200,000 entries
// take 17 bits each, however badly they are spread.
const maxDigestBody = 512 << 10

const flagPartial = 1

var errDigest = errors.New("bad digest")

// encode gives the content of PUT /digest: flags(1) set.
func (d digest) encode() []byte {
	flags := byte(0)
	if d.partial {
		flags |= flagPartial
	}
	return appendSet([]byte{flags}, d.prefixes)
}

func parseDigest(b []byte, limit int) (digest, error) {
	if len(b) == 0 {
		return digest{}, fmt.Errorf("%w: empty", errDigest)
	}
	set, rest, err := parseSet(b[1:], limit)
	if err != nil {
		return digest{}, fmt.Errorf("%w: %w", errDigest, err)
	}
	if len(rest) > 0 {
		return digest{}, fmt.Errorf("%w: more after its end", errDigest)
	}
	return digest{prefixes: set, partial: b[0]&flagPartial != 0}, nil
}

// encode gives the content of PATCH /digest: the removed set, then the added set.
func (d delta) encode() []byte {
	return appendSet(appendSet(nil, d.removed), d.added)
}

func parseDelta(b []byte, limit int) (delta, error) {
	removed, rest, err := parseSet(b, limit)
	if err != nil {
		return delta{}, fmt.Errorf("%w: %w", errDigest, err)
	}
	added, rest, err := parseSet(rest, limit)
	if err != nil {
		return delta{}, fmt.Errorf("%w: %w", errDigest, err)
	}
	if len(rest) > 0 {
		return delta{}, fmt.Errorf("%w: more after its end", errDigest)
	}
	return delta{removed, added}, nil
}

// knowledge is what a digest says about one resource.
type knowledge int

const (
	absent  knowledge = iota // the peer says that it has none
	unknown                  // the peer has not said
	present                  // the peer says that it has one
)

// remoteDigest is what the peer of a session said that it shares.
type remoteDigest struct {
	mu     sync.RWMutex // guards following
	sent   bool
	digest digest
}

func (r *remoteDigest) says(id resource.BlindedID) knowledge {
	r.mu.RLock()
	defer r.mu.RUnlock()
	switch {
	case r.sent && contains(r.digest.prefixes, prefix(id)):
		return present
	case !r.sent || r.digest.partial:
		return unknown
	}
	return absent
}

// entries is the number of entries, -1 if there was no digest yet.
func (r *remoteDigest) entries() int {
	r.mu.RLock()
	defer r.mu.RUnlock()
	if !r.sent {
		return -1
	}
	return len(r.digest.prefixes)
}

func (r *remoteDigest) put(d digest) {
	d.prefixes = slices.Clip(d.prefixes)
	r.mu.Lock()
	r.sent, r.digest = true, d
	r.mu.Unlock()
}

var (
	errNoDigest    = errors.New("delta without a digest")
	errDigestLarge = errors.New("digest too large")
)

// patch applies a delta. It leaves the digest as it was if it fails.
func (r *remoteDigest) patch(d delta, limit int) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.sent {
		return errNoDigest
	}
	set := apply(r.digest.prefixes, d.removed, d.added)
	if len(set) > limit {
		return errDigestLarge
	}
	r.digest.prefixes = set
	return nil
}
