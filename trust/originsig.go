package trust

import (
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/dunglas/httpsfv"

	"github.com/peerproxy/peerproxy/resource"
)

// Errors of [VerifyOrigin], beside [ErrNotCovered], [ErrBadSignature] and [ErrFuture].
var (
	// ErrNoOriginSignature: the site has not signed the response, or not with one of the keys.
	ErrNoOriginSignature = errors.New("site has not signed it")
	// ErrExpired: the site's signature is not valid any more.
	ErrExpired = errors.New("signature has expired")
	// ErrNoDigest: there is no Unencoded-Digest that could be checked.
	ErrNoDigest = errors.New("no usable digest")
)

// maxOriginSignatures bounds how many signatures of a site are looked at.
const maxOriginSignatures = 8

// Digest is what the content of a response, without Content-Encoding, hashes to. At least one of
// the two is there; if both are, both must fit.
type Digest struct {
	SHA256, SHA512 []byte
}

// OriginKeys are the keys that have signed a response in the way that [VerifyOrigin] demands. If
// the response came from the site itself, they are the site's.
func OriginKeys(ex *resource.Exchange, now time.Time) []Key {
	var keys []Key
	for _, s := range originSignatures(ex.Header) {
		if err := s.verify(ex, now); err == nil && !slices.Contains(keys, s.key) {
			keys = append(keys, s.key)
		}
	}
	return keys
}

// VerifyOrigin checks that the site whose keys are given has signed what a response says of its
// bytes: the field Unencoded-Digest, by an HTTP message signature with Ed25519 (RFC 9421), as Signature-based
// Subresource Integrity has them. It returns the digest that the bytes must have and the key.
//
// A signature is for one response only: it must cover the digest, the URL (@target-uri, or @scheme,
// @authority, @path and @query, of the request), the status, and the Content-Type if there is
// one; else the error wraps [ErrNotCovered]. So it can't be moved to another URL, nor
// give the bytes another meaning. All other fields say what whoever made the copy wants.
func VerifyOrigin(ex *resource.Exchange, keys []Key, now time.Time) (Digest, Key, error) {
	failure := error(ErrNoOriginSignature)
	for _, s := range originSignatures(ex.Header) {
		if !slices.Contains(keys, s.key) {
			continue
		}
		err := s.verify(ex, now)
		if err != nil {
			failure = err
			continue
		}
		digest, err := unencodedDigest(ex.Header)
		if err != nil {
			return Digest{}, Key{}, fmt.Errorf("trust: origin signature: %w", err)
		}
		return digest, s.key, nil
	}
	return Digest{}, Key{}, fmt.Errorf("trust: origin signature: %w", failure)
}

// originSignature is one member of Signature-Input and Signature (RFC 9421 section 4).
type originSignature struct {
	key     Key
	covered []component
	params  *httpsfv.Params
	value   []byte
}

// originSignatures reads what could be a site's signatures. What can't be read is none.
func originSignatures(h http.Header) (list []originSignature) {
	if h["Signature-Input"] == nil || h["Signature"] == nil {
		return nil
	}
	inputs, err := httpsfv.UnmarshalDictionary(h["Signature-Input"])
	if err != nil {
		return nil
	}
	values, err := httpsfv.UnmarshalDictionary(h["Signature"])
	if err != nil {
		return nil
	}
	for _, label := range inputs.Names() {
		if len(list) == maxOriginSignatures {
			return list
		}
		input, _ := inputs.Get(label)
		value, signed := values.Get(label)
		if s, ok := readOriginSignature(input, value); signed && ok {
			list = append(list, s)
		}
	}
	return list
}

func readOriginSignature(input, value httpsfv.Member) (s originSignature, ok bool) {
	members, isList := input.(httpsfv.InnerList)
	item, isItem := value.(httpsfv.Item)
	if !isList || !isItem {
		return s, false
	}
	if s.value, ok = item.Value.([]byte); !ok {
		return s, false
	}
	keyid, _ := members.Params.Get("keyid")
	text, _ := keyid.(string)
	key, err := base64.StdEncoding.Strict().DecodeString(text)
	if err != nil || len(key) != len(s.key) {
		return s, false
	}
	for _, member := range members.Items {
		c, err := parseComponent(member)
		if err != nil {
			return s, false
		}
		s.covered = append(s.covered, c)
	}
	s.key, s.params = Key(key), members.Params
	return s, true
}

func (s originSignature) verify(ex *resource.Exchange, now time.Time) error {
	if err := s.checkParams(now); err != nil {
		return err
	}
	if err := s.checkCoverage(ex); err != nil {
		return err
	}
	m := &message{method: ex.Method, url: ex.URL, request: ex.Selecting, status: ex.Status, response: ex.Header}
	lines, err := m.baseLines(s.covered)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrBadSignature, err)
	}
	input, err := formatInput(s.covered, s.params)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrBadSignature, err)
	}
	if !s.key.verify(signatureBase(lines, input), s.value) {
		return fmt.Errorf("%w: value does not verify", ErrBadSignature)
	}
	return nil
}

// checkParams looks at algorithm and times (RFC 9421 section 2.3).
func (s originSignature) checkParams(now time.Time) error {
	if alg, set := s.params.Get("alg"); set && alg != algorithm {
		return fmt.Errorf("%w: not by %s", ErrBadSignature, algorithm)
	}
	for name, check := range map[string]func(time.Time) error{
		"created": func(t time.Time) error {
			if t.After(now.Add(maxClockError)) {
				return ErrFuture
			}
			return nil
		},
		"expires": func(t time.Time) error {
			if !now.Before(t) {
				return ErrExpired
			}
			return nil
		},
	} {
		value, set := s.params.Get(name)
		if !set {
			continue
		}
		seconds, ok := value.(int64)
		if !ok {
			return fmt.Errorf("%w: %s is no time", ErrBadSignature, name)
		}
		if err := check(time.Unix(seconds, 0)); err != nil {
			return err
		}
	}
	return nil
}

// checkCoverage demands what makes a signature one for this response alone.
func (s originSignature) checkCoverage(ex *resource.Exchange) error {
	has := func(name string, req bool) bool {
		return slices.ContainsFunc(s.covered, func(c component) bool { return c.name == name && c.req == req })
	}
	url := has("@target-uri", true) ||
		has("@scheme", true) && has("@authority", true) && (has("@path", true) && has("@query", true) || has("@request-target", true))
	switch {
	case !has("unencoded-digest", false):
		return fmt.Errorf("%w: not the digest", ErrNotCovered)
	case !url:
		return fmt.Errorf("%w: not the URL", ErrNotCovered)
	case ex.Header["Content-Type"] != nil && !has("content-type", false):
		return fmt.Errorf("%w: not the Content-Type", ErrNotCovered)
	case !has("@status", false):
		return fmt.Errorf("%w: not the status", ErrNotCovered)
	}
	return nil
}

// unencodedDigest reads the field of that name, a dictionary of hashes over the content before any
// coding. What is not SHA-2 proves nothing.
func unencodedDigest(h http.Header) (d Digest, err error) {
	dictionary, err := httpsfv.UnmarshalDictionary(h["Unencoded-Digest"])
	if err != nil {
		return d, fmt.Errorf("%w: %w", ErrNoDigest, err)
	}
	for name, want := range map[string]struct {
		into *[]byte
		size int
	}{"sha-256": {&d.SHA256, 32}, "sha-512": {&d.SHA512, 64}} {
		member, set := dictionary.Get(name)
		if !set {
			continue
		}
		item, _ := member.(httpsfv.Item)
		sum, ok := item.Value.([]byte)
		if !ok || len(sum) != want.size {
			return Digest{}, fmt.Errorf("%w: %s has not %d bytes", ErrNoDigest, name, want.size)
		}
		*want.into = sum
	}
	if d.SHA256 == nil && d.SHA512 == nil {
		return d, ErrNoDigest
	}
	return d, nil
}
