package trust

import (
	"errors"
	"fmt"
	"slices"

	"github.com/peerproxy/peerproxy/resource"
)

// Errors about one exchange or one signature on it.
var (
	// ErrUnsignable: the exchange has no unambiguous signature base.
	ErrUnsignable = errors.New("exchange can't be signed")
	// ErrNotCovered: a signature does not cover exactly what the exchange consists of.
	ErrNotCovered = errors.New("signature does not cover the exchange")
	// ErrBadSignature: malformed, of another kind, or simply wrong.
	ErrBadSignature = errors.New("bad signature")
)

// Sign signs everything in ex with the node's key and puts the signature before
// those that ex has. It is for exchanges that this node fetched from the origin
// itself. Signing the same again changes nothing but the order; of more than
// [resource.MaxSignatures] the last are dropped. The error wraps [ErrUnsignable], and ex is
// unchanged then. Nobody else may use ex meanwhile.
func (id *Identity) Sign(ex *resource.Exchange) error {
	s, err := newStatement(ex)
	if err != nil {
		return fmt.Errorf("trust: sign: %w", err)
	}
	input, err := s.input(id.Key())
	if err != nil {
		return fmt.Errorf("trust: sign: %w", err)
	}
	own := resource.Signature{Input: input, Value: id.sign(signatureBase(s.lines, input))}
	// A new slice: the old one may be shared with a clone.
	signatures := []resource.Signature{own}
	for _, other := range ex.Signatures {
		if other.Input != own.Input && len(signatures) < resource.MaxSignatures {
			signatures = append(signatures, other)
		}
	}
	ex.Signatures = signatures
	return nil
}

// verify checks one signature on s and returns the key that made it.
func (s *statement) verify(sig resource.Signature) (Key, error) {
	list, params, err := parseInput(sig.Input)
	if err != nil {
		return Key{}, fmt.Errorf("%w: %w", ErrBadSignature, err)
	}
	if err := s.checkCoverage(list); err != nil {
		return Key{}, err
	}
	keyid, _ := params.Get("keyid")
	text, _ := keyid.(string)
	key, err := ParseKey(text)
	if err != nil {
		return Key{}, fmt.Errorf("%w: keyid: %w", ErrBadSignature, err)
	}
	expected, err := s.input(key)
	if err != nil {
		return Key{}, err
	}
	// This comparison is the check; those above only tell what is wrong.
	if sig.Input != expected {
		return Key{}, fmt.Errorf("%w: parameters are not those of %q", ErrBadSignature, tag)
	}
	if !key.verify(signatureBase(s.lines, expected), sig.Value) {
		return Key{}, fmt.Errorf("%w: value does not verify", ErrBadSignature)
	}
	return key, nil
}

// checkCoverage compares what a signature claims to cover with what it must.
func (s *statement) checkCoverage(list []component) error {
	if slices.Equal(list, s.covered) {
		return nil
	}
	claimed := make(map[component]bool, len(list))
	for _, c := range list {
		claimed[c] = true
	}
	for _, c := range s.covered {
		if !claimed[c] {
			return fmt.Errorf("%w: not %v", ErrNotCovered, c)
		}
	}
	return fmt.Errorf("%w: other components, or in another order", ErrNotCovered)
}
