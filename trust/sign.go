package trust

import (
	"errors"
	"fmt"
	"net/http"
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

// Sign vouches with the node's key for ex, which this node has fetched from the origin
// itself. Two signatures of it come first: one over everything in ex, and one as a witness
// over what others get, too ([Policy.Tally]). Of the signatures that ex has, those of
// others that are still right follow, in their order: witnesses of the same bytes
// mostly. So what is known of the witnesses of a stored response is kept if the new
// one gets its signatures before it is signed. Of more than [resource.MaxSignatures], or of what
// an encoded exchange can't hold, the last are dropped.
//
// The error wraps [ErrUnsignable], and ex is unchanged then. Nobody else may use ex
// meanwhile.
func (id *Identity) Sign(ex *resource.Exchange) error {
	s, err := newStatement(ex)
	if err != nil {
		return fmt.Errorf("trust: sign: %w", err)
	}
	w, err := newWitnessStatement(ex)
	if err != nil {
		return fmt.Errorf("trust: sign: %w", err)
	}
	input := s.input(id.Key())
	own := resource.Signature{Input: input, Value: id.sign(signatureBase(s.lines, input))}
	// A new slice: the old one may be shared with a clone.
	signatures := []resource.Signature{own, w.sign(id, ex.Received)}
	for _, other := range ex.Signatures[:min(len(ex.Signatures), resource.MaxSignatures)] {
		if key, err := verifyEither(s, w, other); err == nil && key != id.Key() {
			signatures = append(signatures, other)
		}
	}
	ex.Signatures = fitting(ex, signatures)
	return nil
}

// verifyEither checks a signature of either kind.
func verifyEither(s *statement, w *witnessStatement, sig resource.Signature) (Key, error) {
	if !isWitness(sig) {
		return s.verify(sig)
	}
	key, _, err := w.verify(sig)
	return key, err
}

// fitting are the first of the signatures, as many as an encoded exchange can hold
// beside the rest of ex. The first one always stays.
func fitting(ex *resource.Exchange, signatures []resource.Signature) []resource.Signature {
	const perText = 3 // for the length of a text of this size
	size := 256 + len(ex.Method) + len(ex.URL.String())
	for _, h := range []http.Header{ex.Selecting, ex.Header} {
		for name, lines := range h {
			size += len(name) + 2*perText
			for _, line := range lines {
				size += len(line) + perText
			}
		}
	}
	for i, sig := range signatures {
		size += len(sig.Input) + len(sig.Value) + 2*perText
		if i > 0 && (size > resource.MaxEncodedExchange || i == resource.MaxSignatures) {
			return signatures[:i:i]
		}
	}
	return signatures
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
		return Key{}, mismatch(s.covered, sig.Input, tag)
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

// mismatch says why an input is not the one that it must be, given what it must cover
// and the tag of its profile.
func mismatch(must []component, input, tag string) error {
	list, _, err := parseInput(input)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrBadSignature, err)
	}
	if err := checkCoverage(must, list); err != nil {
		return err
	}
	return fmt.Errorf("%w: parameters are not those of %q", ErrBadSignature, tag)
}

// checkCoverage compares what a signature claims to cover with what it must.
func checkCoverage(must, list []component) error {
	if slices.Equal(list, must) {
		return nil
	}
	claimed := make(map[component]bool, len(list))
	for _, c := range list {
		claimed[c] = true
	}
	for _, c := range must {
		if !claimed[c] {
			return fmt.Errorf("%w: not %.60v", ErrNotCovered, c)
		}
	}
	return fmt.Errorf("%w: other components, or in another order", ErrNotCovered)
}
