package trust

import (
	"errors"
	"fmt"
	"slices"
	"strings"

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
	input := s.input(id.Key())
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
	// What the input must be is known but for the key, which has one spelling. So
	// nothing is parsed, and no two inputs mean the same.
	text, ok := strings.CutPrefix(sig.Input, s.head)
	if ok {
		text, ok = strings.CutSuffix(text, inputTail)
	}
	if !ok {
		return Key{}, s.mismatch(sig.Input)
	}
	key, err := ParseKey(text)
	if err != nil {
		return Key{}, fmt.Errorf("%w: keyid: %w", ErrBadSignature, err)
	}
	if !key.verify(signatureBase(s.lines, sig.Input), sig.Value) {
		return Key{}, fmt.Errorf("%w: value does not verify", ErrBadSignature)
	}
	return key, nil
}

// mismatch says why an input is not the one that it must be.
func (s *statement) mismatch(input string) error {
	list, _, err := parseInput(input)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrBadSignature, err)
	}
	if err := s.checkCoverage(list); err != nil {
		return err
	}
	return fmt.Errorf("%w: parameters are not those of %q", ErrBadSignature, tag)
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
			return fmt.Errorf("%w: not %.60v", ErrNotCovered, c)
		}
	}
	return fmt.Errorf("%w: other components, or in another order", ErrNotCovered)
}
