package peer

import (
	"fmt"
	"slices"
	"strings"

	"github.com/peerproxy/peerproxy/trust"
)

// maxRefusals bounds the reasons that a [FetchError] keeps.
const maxRefusals = 8

// FetchError says what was tried before a search was given up.
type FetchError struct {
	Found   int // addresses that the look-up gave
	Dialled int // of these, how many were tried
	Tried   int // peers that were asked, or whose digest answered
	Absent  int // of these, how many hold no copy
	Failed  int // of these, how many gave no usable answer

	// Refusals are the reasons why copies that were offered were refused, each kind once, in
	// the order in which they came. They wrap errors of this package and of package trust, and
	// their texts have parts that strangers chose.
	Refusals []error

	reason error
}

// Error implements error. It has no URL and no address in it.
func (e *FetchError) Error() string {
	return fmt.Sprintf("peer: fetch: %v (%d addresses found, %d dialled, %d peers asked, %d without a copy, %d failed)",
		e.reason, e.Found, e.Dialled, e.Tried, e.Absent, e.Failed)
}

// Unwrap gives the sentinel, or the cause if it was the caller's context, and the refusals.
func (e *FetchError) Unwrap() []error { return append([]error{e.reason}, e.Refusals...) }

// refuse keeps a reason, unless it says what another one says.
func (e *FetchError) refuse(err error) {
	words := refusalWords(err)
	said := slices.ContainsFunc(e.Refusals, func(other error) bool { return refusalWords(other) == words })
	if !said && len(e.Refusals) < maxRefusals {
		e.Refusals = append(e.Refusals, err)
	}
}

// Refused says in plain words why the copies that were offered were refused, "" if none was, for people
// and for Proxy-Status. It has no URL, address, key or text of a stranger in it.
func (e *FetchError) Refused() string {
	var words []string
	for _, err := range e.Refusals {
		words = append(words, refusalWords(err))
	}
	return strings.Join(words, "; ")
}

// Why says in the same way why there is no copy.
func (e *FetchError) Why() string {
	if refused := e.Refused(); refused != "" {
		return "copies refused: " + refused
	}
	for _, known := range []error{ErrNoPeers, ErrNotFound, ErrRefused, ErrUnverified} {
		if e.reason == known {
			return known.Error()
		}
	}
	return "the search was ended"
}

// refusals are the reasons that have words of their own; the first that fits counts.
var refusals = []struct {
	err   error
	words string
}{
	{trust.ErrWrongTarget, "signed for another URL"},
	{trust.ErrNotCovered, "signature does not cover the exchange"},
	{trust.ErrBadSignature, "bad signature"},
	{trust.ErrUnsigned, "not signed"},
	{trust.ErrUnsignable, "nobody can have signed it"},
	{trust.ErrFuture, "from the future"},
	{trust.ErrRevoked, "signer's key is revoked"},
	{trust.ErrUntrusted, "signer is not trusted"},
	{trust.ErrTooFewWitnesses, "too few witnesses"},
	{ErrOversized, "too large"},
	{ErrTruncated, "cut off"},
	{ErrMalformed, "malformed"},
	{errLie, "not as the protocol demands"},
}

func refusalWords(err error) string {
	for _, r := range refusals {
		if errIs(err, r.err) {
			return r.words
		}
	}
	return "not accepted"
}
