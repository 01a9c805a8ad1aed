package trust

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/peerproxy/peerproxy/resource"
)

// Errors of [Policy.Verify] beside those about the signature itself.
var (
	// ErrWrongTarget: the exchange is of another method or URL than was asked for.
	ErrWrongTarget = errors.New("exchange is of another resource")
	// ErrUnsigned: the exchange has no signature.
	ErrUnsigned = errors.New("exchange is not signed")
	// ErrFuture: the exchange claims to have been received after now.
	ErrFuture = errors.New("exchange is from the future")
	// ErrUntrusted: valid signatures, but of no key that the policy accepts.
	ErrUntrusted = errors.New("signer is not trusted")
	// ErrRevoked: valid signatures, but of keys that the user has revoked.
	ErrRevoked = errors.New("signer's key is revoked")
	// ErrTooFewWitnesses: valid, but not signed by as many independent witnesses as it takes.
	// Verify does not count them; who does returns it.
	ErrTooFewWitnesses = errors.New("too few witnesses")
)

// maxClockError is how far a signer's clock may be ahead of ours.
const maxClockError = 5 * time.Minute

// Policy says whose signatures count. The zero Policy trusts nobody. A Policy is
// not changed once it is in use.
type Policy struct {
	// Any accepts valid signatures of unknown keys too, as [resource.Unproven].
	Any bool
	// Keys are trusted: what they signed is [resource.Signer].
	Keys []Key
	// Witnessed accepts copies that enough independent witnesses signed, whoever else did.
	// Who asks for that is told [ErrUntrusted] by Verify and counts with [Policy.Tally].
	Witnessed bool
	// Witnesses is how many independent witnesses that takes. 0: three. Negative: no number
	// is enough.
	Witnesses int
	// Self is this node's own key, which is trusted. nil: none.
	Self *Key
	// Ring has the keys that the user manages while the node runs: those that are trusted
	// where their scope says, and those that are revoked, which count no more than if they
	// had not signed, even if they are in Keys or Any is set. nil: none.
	Ring *LiveKeyring
	// Sites has sites and hosts for which nobody counts but Self and the listed ones, by
	// their names in Ring or by the texts of their keys, whatever their scope. Revoked ones don't.
	Sites map[string][]string
	// Now is the clock. nil: time.Now.
	Now func() time.Time
}

// ParsePolicy reads a policy as it is given on the command line: each text is the
// word "any" or "witnessed", or a key. No texts make a policy that trusts nobody. Errors wrap
// [ErrBadKey].
func ParsePolicy(texts []string) (Policy, error) {
	var p Policy
	for _, text := range texts {
		switch text {
		case "any":
			p.Any = true
			continue
		case "witnessed":
			p.Witnessed = true
			continue
		}
		key, err := ParseKey(text)
		if err != nil {
			return Policy{}, fmt.Errorf("trust: policy: %.60q is neither \"any\", \"witnessed\" nor a key: %w", text, err)
		}
		if !slices.Contains(p.Keys, key) {
			p.Keys = append(p.Keys, key)
		}
	}
	return p, nil
}

// Verify says what an exchange is worth as an answer to what was asked. It checks in
// this order: that it is an exchange of the asked method and URL ([ErrWrongTarget]);
// that it is signed ([ErrUnsigned]), the signature covers all of it
// ([ErrNotCovered]) and is valid ([ErrBadSignature]); that it is not from the future
// ([ErrFuture]); and that the signer is not revoked ([ErrRevoked]) but trusted
// ([ErrUntrusted]). An exchange that nobody can have signed gives [ErrUnsignable].
//
// The signatures of witnesses are not over all of an exchange, and so are none here.
//
// Of several signatures the strongest counts, and invalid ones do no harm to it; no
// more than [resource.MaxSignatures] are looked at. The key is that of the signature that counted. The tier is [resource.Signer], or
// [resource.Unproven] where only Any let it pass; on error it is 0.
//
// Whether the variant fits asked.Header, and the body, are not looked at.
func (p Policy) Verify(ex *resource.Exchange, asked resource.Query) (resource.Tier, Key, error) {
	tier, key, err := p.verify(ex, asked, p.Ring.Load()) // the same all through
	if err != nil {
		return 0, Key{}, fmt.Errorf("trust: verify: %w", err)
	}
	return tier, key, nil
}

func (p Policy) verify(ex *resource.Exchange, asked resource.Query, ring *Keyring) (resource.Tier, Key, error) {
	if ex.URL.IsZero() || ex.URL != asked.URL || ex.Method != asked.Method {
		return 0, Key{}, ErrWrongTarget
	}
	if len(ex.Signatures) == 0 {
		return 0, Key{}, ErrUnsigned
	}
	key, err := p.strongest(ex, ring)
	switch {
	case err != nil:
		return 0, Key{}, err
	case ex.Received.After(p.now().Add(maxClockError)):
		return 0, Key{}, ErrFuture
	case p.trusts(key, ex.URL, ring):
		return resource.Signer, key, nil
	case p.revoked(key, ring):
		return 0, Key{}, ErrRevoked
	case p.Any:
		return resource.Unproven, key, nil
	}
	return 0, Key{}, ErrUntrusted
}

// strongest returns the first trusted key with a valid signature, else the first
// key with one that is not revoked, else the first with one. Its error is that of the first signature, which is the fetching
// node's.
func (p Policy) strongest(ex *resource.Exchange, ring *Keyring) (Key, error) {
	s, err := newStatement(ex)
	if err != nil {
		return Key{}, err
	}
	var valid []Key
	var failure error
	for _, sig := range ex.Signatures[:min(len(ex.Signatures), resource.MaxSignatures)] {
		if isWitness(sig) {
			continue
		}
		key, err := s.verify(sig)
		if err == nil && p.trusts(key, ex.URL, ring) {
			return key, nil
		}
		if err == nil {
			valid = append(valid, key)
		} else if failure == nil {
			failure = err
		}
	}
	if len(valid) == 0 && failure == nil {
		return Key{}, errWitnessesOnly
	}
	if len(valid) == 0 {
		return Key{}, failure
	}
	if i := slices.IndexFunc(valid, func(key Key) bool { return !p.revoked(key, ring) }); i >= 0 {
		return valid[i], nil
	}
	return valid[0], nil
}

// errWitnessesOnly: nobody vouches for the whole exchange.
var errWitnessesOnly = fmt.Errorf("%w: signatures of witnesses only", ErrNotCovered)

func (p Policy) now() time.Time {
	if p.Now == nil {
		return time.Now()
	}
	return p.Now()
}
